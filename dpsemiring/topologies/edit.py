"""Edit distances and sequence alignment with gaps."""

from __future__ import annotations

from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.param import Param
from dpsemiring.declare.step import Numeric, Step, Term
from dpsemiring.declare.topology import Topology


def affine_gap(
    opening: Numeric = Param("opening"),
    extension: Numeric = Param("extension"),
    *,
    deletion: str | None = None,
    insertion: str | None = None,
) -> Topology:
    """Global alignment with affine gaps: a gap of length L pays ``opening + (L - 1) * extension``.

    Three states: ``match`` pairs a row with a column and pays their cost, ``delete`` leaves out a row, ``insert``
    a column. The lattice is one longer than the cost along both axes; cell (n, m) has consumed n rows and m columns.

    Parameters
    ----------
    opening, extension : float or Param
        Penalties of a gap's first and of each further element.
    deletion, insertion : str, optional
        Names of planes with a further cost of each left-out element: the deletion of row i beside m consumed
        columns pays ``deletion[i, m]``, shape (N, M + 1); the insertion of column j ``insertion[n, j]``,
        shape (N + 1, M).

    Source: Gotoh, J. Mol. Biol. 162, 1982 (a gap may follow a gap of the other kind).

    >>> print(affine_gap(3.0, 1.0))
    D_match[n, m] = sum of
        one   at [0, 0]
        D_match[n-1, m-1] + cost[n-1, m-1]
        D_delete[n-1, m-1] + cost[n-1, m-1]
        D_insert[n-1, m-1] + cost[n-1, m-1]
    D_delete[n, m] = sum of
        D_match[n-1, m] + 3
        D_delete[n-1, m] + 1
        D_insert[n-1, m] + 3
    D_insert[n, m] = sum of
        D_match[n, m-1] + 3
        D_delete[n, m-1] + 3
        D_insert[n, m-1] + 1
    total = sum of
        D_match[N, M]
        D_delete[N, M]
        D_insert[N, M]
    """
    states = ("match", "delete", "insert")
    steps = [Step(1, 1, terms=[Term("cost", (-1, -1))], source=s, target="match") for s in states]
    for gap, dn, dm, plane in (("delete", 1, 0, deletion), ("insert", 0, 1, insertion)):
        terms = [] if plane is None else [Term(plane, (-dn, -dm))]
        for source in states:
            penalty = extension if source == gap else opening
            steps.append(Step(dn, dm, terms=terms, penalty=penalty, source=source, target=gap))
    boundary = Boundary(Start(0, 0, terms=(), state="match"), End(-1, -1))
    return Topology(steps, boundary, states=states, extra=(1, 1))
