"""Edit distances and sequence alignment with gaps."""

from __future__ import annotations

from collections.abc import Sequence

from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.param import Param
from dpsemiring.declare.step import Numeric, Step, Term
from dpsemiring.declare.topology import Topology


def edit_distance(deletion: Numeric = 1.0, insertion: Numeric = 1.0, substitution: Numeric = 1.0) -> Topology:
    """Edit distance: rows are deleted, columns inserted, or a row is paired with a column and pays their cost.

    The cost is (N, M), N or M may be 0; for Levenshtein's distance it is 1 where the symbols differ, else 0. The
    lattice is one longer along both axes; cell (n, m) has consumed n rows and m columns.

    Parameters
    ----------
    deletion, insertion : float or Param
        Penalties of a left-out row and a left-out column. One for each element is a Param with axes "bn" or "bm", of
        length N + 1 or M + 1: the entry n is that of the n-th element counted from 1, the entry 0 is not used.
    substitution : float or Param
        Multiplies the cost of a pair.

    Source: Levenshtein, Soviet Physics Doklady 10, 1966; Wagner and Fischer, J. ACM 21, 1974.

    >>> print(edit_distance())
    D[n, m] = sum of
        one   at [0, 0]
        D[n-1, m-1] + cost[n-1, m-1]
        D[n-1, m] + 1
        D[n, m-1] + 1
    total = sum of
        D[N, M]

    >>> import dpsemiring as dp
    >>> import numpy as np
    >>> x, y = (np.array(list(word)) for word in ("kitten", "sitting"))
    >>> int(dp.compile(edit_distance(), dp.Tropical, engine="reference")(x[:, None] != y).total)
    3
    """
    return Topology(_linear(deletion, insertion, substitution), Boundary(Start(terms=())), extra=(1, 1))


def needleman_wunsch(gap: Numeric = Param("gap")) -> Topology:
    """Global alignment of two sequences; a gap pays for each left-out element.

    The cost is (N, M), the score of each pair; best with a semiring that maximises. Whatever the semiring, `gap` is
    added as it stands: negative for scores, positive for costs.

    Parameters
    ----------
    gap : float or Param
        Added for each left-out row or column.

    Source: Needleman and Wunsch, J. Mol. Biol. 48, 1970, with the linear gap of Sellers, SIAM J. Appl. Math. 26, 1974.

    >>> print(needleman_wunsch(gap=-1.0))
    D[n, m] = sum of
        one   at [0, 0]
        D[n-1, m-1] + cost[n-1, m-1]
        D[n-1, m] + -1
        D[n, m-1] + -1
    total = sum of
        D[N, M]
    """
    return edit_distance(gap, gap)


def smith_waterman(gap: Numeric = Param("gap")) -> Topology:
    """Local alignment: the best of all alignments of a part of one sequence with a part of the other.

    The cost is (N, M), the score of each pair: positive for pairs that belong together, negative for others; best with
    a semiring that maximises. The empty alignment scores 0, so under a maximum no total is below it.

    Parameters
    ----------
    gap : float or Param
        Added as it stands (for scores negative) for each left-out row or column between pairs.

    Notes
    -----
    A sum over all paths, as under a soft maximum, counts an empty alignment at each of the (N + 1)(M + 1) cells, and
    alignments that begin or end with gaps.

    Source: Smith and Waterman, J. Mol. Biol. 147, 1981.

    >>> print(smith_waterman(gap=-2.0))
    D[n, m] = sum of
        one   at [any n, any m]
        D[n-1, m-1] + cost[n-1, m-1]
        D[n-1, m] + -2
        D[n, m-1] + -2
    total = sum of
        D[any n, any m]
    """
    return Topology(_linear(gap, gap, 1.0), Boundary(Start(None, None, terms=()), End(None, None)), extra=(1, 1))


def _linear(deletion, insertion, substitution):
    """Pairs, left-out rows and left-out columns of one state."""
    pair = Step(1, 1, terms=[Term("cost", (-1, -1), substitution)])
    return [pair, Step(1, 0, terms=(), penalty=deletion), Step(0, 1, terms=(), penalty=insertion)]


def affine_gap(
    opening: Numeric = Param("opening"),
    extension: Numeric = Param("extension"),
    *,
    deletion: str | None = None,
    insertion: str | None = None,
    ends: str = "global",
    free_begin: Sequence[int] | None = None,
    free_end: Sequence[int] | None = None,
) -> Topology:
    """Alignment with affine gaps: a gap of length L pays ``opening + (L - 1) * extension``.

    Three states: ``match`` pairs a row with a column and pays their cost, ``delete`` leaves out a row, ``insert``
    a column. The lattice is one longer than the cost along both axes; cell (n, m) has consumed n rows and m columns.

    Parameters
    ----------
    opening, extension : float or Param
        Penalties of a gap's first and of each further element, added as they stand: negative for scores.
    deletion, insertion : str, optional
        Names of planes with a further cost of each left-out element: the deletion of row i beside m consumed
        columns pays ``deletion[i, m]``, shape (N, M + 1); the insertion of column j ``insertion[n, j]``,
        shape (N + 1, M).
    ends : {"global", "local", "semi-global"}
        Global: both sequences in full. Local: any part of one with any part of the other; the empty alignment pays
        nothing, so scores are to be maximised. Semi-global: what is left out at the beginning and the end of a
        sequence is free.
    free_begin, free_end : sequence of int, optional
        With ``ends="semi-global"``: the axes (0 for rows, 1 for columns) that may be left out free of charge at their
        beginning, at their end; both axes unless said. ``free_begin=(1,), free_end=(1,)`` finds a short input
        within a long target.

    Raises
    ------
    ValueError
        For an unknown `ends`, for free sides of an alignment that is not semi-global, for axes other than 0 and 1.

    Notes
    -----
    Where both axes may be left out on one side, the path that leaves out nothing belongs to both lines of starts (or
    ends), and is two paths to a sum over all paths; a maximum or minimum does not notice.
    A gap that is free at an end may be followed by one that pays: other paths to a sum, never the best ones.

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
    starts, last = _gap_ends(ends, free_begin, free_end)
    boundary = Boundary([Start(n, m, terms=(), state="match") for n, m in starts], [End(n, m) for n, m in last])
    return Topology(steps, boundary, states=states, extra=(1, 1))


def _gap_ends(ends, free_begin, free_end):
    """Cells (None: any index) at which an alignment starts, and at which it ends."""
    if ends not in ("global", "local", "semi-global"):
        raise ValueError(f"affine_gap: ends is 'global', 'local' or 'semi-global', found {ends!r}")
    if ends != "semi-global" and (free_begin is not None or free_end is not None):
        raise ValueError(f"affine_gap: free_begin and free_end go with ends='semi-global', found ends={ends!r}")
    if ends == "local":
        return [(None, None)], [(None, None)]
    free = [() if ends == "global" else (0, 1) if axes is None else tuple(axes) for axes in (free_begin, free_end)]
    for name, axes in zip(("free_begin", "free_end"), free):
        if any(a not in (0, 1) for a in axes):
            raise ValueError(f"affine_gap: {name} holds axes, 0 (rows) or 1 (columns), found {axes!r}")
    return _sides(free[0], 0), _sides(free[1], -1)


def _sides(free, corner):
    lines = {0: (None, corner), 1: (corner, None)}
    return [lines[a] for a in sorted(set(free))] or [(corner, corner)]
