"""Steps of an alignment and the terms that they pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index

from dpsemiring.declare.param import Differs, Entry, Param, number

Numeric = float | Param | Entry
Mask = Param | Differs


@dataclass(frozen=True)
class Term:
    """One cost that a step pays: ``weight * cost_plane(n + at[0], m + at[1])``.

    Parameters
    ----------
    plane : str
        Which of the cost arrays; ``"cost"`` where there is one.
    at : (int, int)
        Offset from the cell that the step enters. A step that would read outside its plane does not exist there.
    weight : float, Param or Entry
    """

    plane: str = "cost"
    at: tuple[int, int] = (0, 0)
    weight: Numeric = 1.0

    def __post_init__(self):
        if not isinstance(self.plane, str) or not self.plane.isidentifier():
            raise ValueError(f"Term: plane is the name of a cost array, found {self.plane!r}")
        at = tuple(self.at)
        if len(at) != 2 or not all(isinstance(a, int) for a in at):
            raise ValueError(f"Term: at is a pair of whole numbers, found {self.at!r}")
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "weight", number(self.weight, "Term: weight", allow_infinite=False))

    def __str__(self):
        place = f"{self.plane}[{_shifted('n', self.at[0])}, {_shifted('m', self.at[1])}]"
        return place if self.weight == 1.0 else f"{_text(self.weight)} * {place}"


@dataclass(frozen=True)
class Step:
    """A step into cell ``(n, m)`` from ``(n - dn, m - dm)``.

    Parameters
    ----------
    dn, dm : int
        How far it moves, >= 0.
    weight : float, Param or Entry
        Multiplies the local cost of the cell it enters: short for ``terms=[Term(weight=weight)]``.
    penalty : float, Param or Entry
        Added to what it pays.
    terms : sequence of Term, optional
        All that it pays beside the penalty, in place of `weight`; ``()`` pays nothing.
    where : Param or Param.differs(...), optional
        Mask: where it is 0 the step does not exist.
    source, target : str, optional
        States it leads from and to, where the topology has several.

    Examples
    --------
    >>> print(Step(1, 1, weight=2.0))
    D[n-1, m-1] + 2 * cost[n, m]
    """

    dn: int
    dm: int
    weight: Numeric | None = field(default=None, compare=False)  # as given; the terms carry it
    penalty: Numeric = 0.0
    terms: tuple[Term, ...] = ()
    where: Mask | None = None
    source: str | None = None
    target: str | None = None

    def __init__(
        self,
        dn: int,
        dm: int,
        *,
        weight: Numeric | None = None,
        penalty: Numeric = 0.0,
        terms: Sequence[Term] | None = None,
        where: Mask | None = None,
        source: str | None = None,
        target: str | None = None,
    ):
        for name, value in zip(("dn", "dm"), (dn, dm)):
            if not hasattr(value, "__index__") or isinstance(value, bool) or value < 0:
                raise ValueError(f"Step({dn}, {dm}): {name} is a whole number >= 0, found {value!r}; steps never go back")
        dn, dm = index(dn), index(dm)
        what = f"Step({dn}, {dm})"
        if weight is not None and terms is not None:
            raise ValueError(f"{what}: weight and terms are both given; write the weight into the terms: Term(weight=...)")
        if dn == dm == 0 and terms is None:
            raise ValueError(f"{what}: a step within one cell must state its terms; terms=() pays nothing but the penalty")
        if terms is None:
            terms = (Term(weight=1.0 if weight is None else number(weight, f"{what}: weight", allow_infinite=False)),)
        terms = (terms,) if isinstance(terms, Term) else tuple(terms)
        for t in terms:
            if not isinstance(t, Term):
                raise TypeError(f"{what}: terms are dp.Term objects, found {type(t).__name__}: {t!r}")
        if where is not None and not isinstance(where, (Param, Differs)):
            raise TypeError(
                f"{what}: where is a dp.Param or dp.Param(...).differs(k), found {type(where).__name__}; "
                "pass the array at the call, under the Param's name"
            )
        if isinstance(where, Param) and where.shape:
            raise TypeError(f"{what}: where takes a Param without shape")
        given = {
            "dn": dn, "dm": dm, "weight": weight, "penalty": number(penalty, f"{what}: penalty"), "terms": terms,
            "where": where, "source": source, "target": target,
        }  # fmt: skip
        for name, content in given.items():
            object.__setattr__(self, name, content)

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"Step({self.dn}, {self.dm})"

    def __str__(self):
        state = "" if self.source is None else f"_{self.source}"
        parts = [f"D{state}[{_shifted('n', -self.dn)}, {_shifted('m', -self.dm)}]"]
        return " + ".join(parts + paid(self.terms, self.penalty)) + ("" if self.where is None else f"   where {self.where}")


def paid(terms: Sequence[Term], penalty: Numeric) -> list[str]:
    """The summands of what a step, start or end pays, for printing."""
    return [str(t) for t in terms] + ([] if penalty == 0.0 else [_text(penalty)])


def _shifted(index: str, by: int) -> str:
    return index if by == 0 else f"{index}{by:+d}"


def _text(value: Numeric) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
