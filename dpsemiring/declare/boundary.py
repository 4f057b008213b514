"""Where an alignment may start and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dpsemiring.declare.param import number
from dpsemiring.declare.step import Numeric, Term, paid


class _Place:
    """What Start and End share: a cell or a line of cells, what is paid there, and a state."""

    n: int | None
    m: int | None

    def _check(self):
        what = type(self).__name__
        for axis in ("n", "m"):
            index = getattr(self, axis)
            if index is not None and (not isinstance(index, int) or isinstance(index, bool)):
                raise TypeError(
                    f"{what}: {axis} is a whole number (negative: counted from the item's own length) or None (every "
                    f"index), found {index!r}"
                )
        terms = (self.terms,) if isinstance(self.terms, Term) else tuple(self.terms)
        for t in terms:
            if not isinstance(t, Term):
                raise TypeError(f"{what}: terms are dp.Term objects, found {type(t).__name__}: {t!r}")
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "penalty", number(self.penalty, f"{what}: penalty"))

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{type(self).__name__}({self.n}, {self.m})"

    def cell(self, extra: tuple[int, int] = (0, 0)) -> str:
        """The cells as a reader would write them, for a lattice that much longer than the cost."""
        return "[" + ", ".join(_place(i, axis, x) for i, axis, x in zip((self.n, self.m), "nm", extra)) + "]"


def _place(index, axis, extra):
    if index is None:
        return f"any {axis}"
    if index >= 0:
        return str(index)
    last = index + extra
    return axis.upper() + (f"{last:+d}" if last else "")


@dataclass(frozen=True)
class Start(_Place):
    """A start cell, or a line of them, and what the path pays on it.

    Parameters
    ----------
    n, m : int or None
        Indices; negative ones count from the item's own lattice length, None means every index.
    terms : sequence of Term
        By default the cost of the cell.
    penalty : float, Param or Entry
    state : str, optional
        None means every state.
    """

    n: int | None = 0
    m: int | None = 0
    terms: tuple[Term, ...] = (Term(),)
    penalty: Numeric = 0.0
    state: str | None = None

    def __init__(
        self,
        n: int | None = 0,
        m: int | None = 0,
        *,
        terms: Sequence[Term] = (Term(),),
        penalty: Numeric = 0.0,
        state: str | None = None,
    ):
        for name, value in (("n", n), ("m", m), ("terms", terms), ("penalty", penalty), ("state", state)):
            object.__setattr__(self, name, value)
        self._check()

    def __str__(self):
        return " + ".join(paid(self.terms, self.penalty)) or "one"


@dataclass(frozen=True)
class End(_Place):
    """An end cell, or a line of them, and what the path pays there beside what it has paid on its way.

    Parameters as for `Start`; the defaults are the last cell and no terms.
    """

    n: int | None = -1
    m: int | None = -1
    terms: tuple[Term, ...] = ()
    penalty: Numeric = 0.0
    state: str | None = None

    def __init__(
        self,
        n: int | None = -1,
        m: int | None = -1,
        *,
        terms: Sequence[Term] = (),
        penalty: Numeric = 0.0,
        state: str | None = None,
    ):
        for name, value in (("n", n), ("m", m), ("terms", terms), ("penalty", penalty), ("state", state)):
            object.__setattr__(self, name, value)
        self._check()

    def text(self, extra: tuple[int, int], state: str | None) -> str:
        """What is summed for one state, as a reader would write it."""
        name = "D" if state is None else f"D_{state}"
        return " + ".join([name + self.cell(extra), *paid(self.terms, self.penalty)])


@dataclass(frozen=True)
class Boundary:
    """The start and end cells of an alignment: several of each at once, each with its own terms and penalty.

    Parameters
    ----------
    starts : Start, or a sequence of them
    ends : End, or a sequence of them
    """

    starts: tuple[Start, ...]
    ends: tuple[End, ...]

    def __init__(self, starts: Start | Sequence[Start] = Start(), ends: End | Sequence[End] = End()):
        for name, kind, places in (("starts", Start, starts), ("ends", End, ends)):
            found = (places,) if isinstance(places, _Place) else tuple(places)
            if not found:
                raise ValueError(f"Boundary: {name} is empty; an alignment needs at least one")
            for p in found:
                if not isinstance(p, kind):
                    raise TypeError(f"Boundary: {name} are dp.{kind.__name__} objects, found {type(p).__name__}: {p!r}")
            object.__setattr__(self, name, found)

    @classmethod
    def closed(cls) -> Boundary:
        """From the first cell to the last."""
        return cls()

    @classmethod
    def open_begin(cls, axis: int) -> Boundary:
        """From any index of `axis` (and the first of the other) to the last cell."""
        return cls(_line(Start, axis, 0), End())

    @classmethod
    def open_end(cls, axis: int) -> Boundary:
        """From the first cell to any index of `axis` (and the last of the other)."""
        return cls(Start(), _line(End, axis, -1))

    @classmethod
    def subsequence(cls, axis: int) -> Boundary:
        """The other axis in full, anywhere along `axis`: open begin and open end."""
        return cls(_line(Start, axis, 0), _line(End, axis, -1))

    @classmethod
    def anywhere(cls) -> Boundary:
        """From any cell to any cell."""
        return cls(Start(None, None), End(None, None))


def _line(kind, axis, fixed):
    if axis not in (0, 1):
        raise ValueError(f"axis is 0 (input) or 1 (target), found {axis!r}")
    return kind(None, fixed) if axis == 0 else kind(fixed, None)
