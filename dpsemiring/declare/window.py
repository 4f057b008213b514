"""Windows: which cells of the lattice exist."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index

from dpsemiring.declare.param import Entry, Param, number

Column = int | Param | Sequence[int]


@dataclass(frozen=True)
class Window:
    """The cells of the lattice that exist; the others cost neither time nor memory, and no path enters them.

    Made by `sakoe_chiba`, `itakura` or `ranges`. All are given by a range of columns for each row, taken for every
    item from the lengths of its own lattice: ``rows = n + x0`` and ``cols = m + x1``.
    """

    @staticmethod
    def sakoe_chiba(radius: float | Param) -> Window:
        """A band along the diagonal between the first cell and the last: ``|m - n (cols-1)/(rows-1)| <= radius``.

        Slanted where rows and columns differ in number; one row counts as n = 0.

        Parameters
        ----------
        radius : float or Param
            In columns, >= 0; a Param may have the axis ``b``.

        Source: Sakoe and Chiba, 1978.

        >>> print(Window.sakoe_chiba(2))
        |m - n (cols-1)/(rows-1)| <= 2
        """
        return SakoeChiba(radius)

    @staticmethod
    def itakura(max_slope: float | Param) -> Window:
        """The parallelogram of the cells that lie between lines of slope ``s = max_slope`` and ``1 / s`` through both corners.

        In the relative coordinates ``u = n / (rows-1)`` and ``v = m / (cols-1)``: ``u / s <= v <= s u`` and
        ``(1-u) / s <= 1-v <= s (1-u)``. An axis of one cell does not restrict the other.

        Parameters
        ----------
        max_slope : float or Param
            >= 1; 2 is usual. A Param may have the axis ``b``.

        Source: Itakura, 1975.

        >>> print(Window.itakura(2))
        u/2 <= v <= 2 u and (1-u)/2 <= 1-v <= 2 (1-u), u = n/(rows-1), v = m/(cols-1)
        """
        return Itakura(max_slope)

    @staticmethod
    def ranges(lo: int | Param | Sequence[int], hi: int | Param | Sequence[int]) -> Window:
        """Columns ``lo[n] <= m < hi[n]`` in row n.

        Parameters
        ----------
        lo, hi : int, sequence of int, or Param
            `hi` is exclusive. A sequence has one number for each row of the lattice, a Param (axes ``n`` or ``bn``) is
            given whole numbers at the call. What lies outside the lattice is cut off; a row with hi <= lo is empty.

        >>> print(Window.ranges(0, Param("reach", axes="n")))
        0 <= m < reach[n]
        """
        return Ranges(lo, hi)

    def numbers(self) -> Iterator:
        """The numbers and Params that it is made of."""
        raise NotImplementedError

    def params(self) -> Iterator[Param]:
        """Every Param that occurs."""
        return (value for value in self.numbers() if isinstance(value, Param))


@dataclass(frozen=True)
class SakoeChiba(Window):
    """See `Window.sakoe_chiba`."""

    radius: float | Param

    def __post_init__(self):
        object.__setattr__(self, "radius", _item_number(self.radius, "Window.sakoe_chiba: radius"))
        if isinstance(self.radius, float) and self.radius < 0:
            raise ValueError(f"Window.sakoe_chiba: radius is >= 0, found {self.radius:g}")

    def numbers(self):
        yield self.radius

    def __str__(self):
        return f"|m - n (cols-1)/(rows-1)| <= {_text(self.radius)}"


@dataclass(frozen=True)
class Itakura(Window):
    """See `Window.itakura`."""

    max_slope: float | Param

    def __post_init__(self):
        object.__setattr__(self, "max_slope", _item_number(self.max_slope, "Window.itakura: max_slope"))
        if isinstance(self.max_slope, float) and not 1 <= self.max_slope < math.inf:
            raise ValueError(f"Window.itakura: max_slope is finite and >= 1, found {self.max_slope:g}")

    def numbers(self):
        yield self.max_slope

    def __str__(self):
        s = _text(self.max_slope)
        return f"u/{s} <= v <= {s} u and (1-u)/{s} <= 1-v <= {s} (1-u), u = n/(rows-1), v = m/(cols-1)"


@dataclass(frozen=True)
class Ranges(Window):
    """See `Window.ranges`."""

    lo: Column
    hi: Column

    def __post_init__(self):
        for name in ("lo", "hi"):
            object.__setattr__(self, name, _column(getattr(self, name), f"Window.ranges: {name}"))
        if isinstance(self.lo, tuple) and isinstance(self.hi, tuple) and len(self.lo) != len(self.hi):
            raise ValueError(
                f"Window.ranges: lo has {len(self.lo)} rows and hi {len(self.hi)}; one number for each row is expected"
            )

    def numbers(self):
        yield from (self.lo, self.hi)

    def __str__(self):
        lo, hi = (f"{name}[n]" if isinstance(v, tuple) else str(v) for name, v in (("lo", self.lo), ("hi", self.hi)))
        return f"{lo} <= m < {hi}"


def _item_number(value, what):
    """One number for each item: a float or a Param without the axes n and m."""
    if isinstance(value, Entry):
        raise TypeError(f"{what} is a number or a Param without shape, found {value}")
    value = number(value, what)
    if isinstance(value, Param) and value.axes not in ("", "b"):
        raise ValueError(
            f"{what}: Param {value.name!r} has the axes {value.axes!r}; one number for each item is expected: axes='b'"
        )
    return value


def _column(value, what):
    if isinstance(value, Param):
        if value.shape or value.axes not in ("n", "bn", "b", ""):
            raise ValueError(f"{what}: Param {value.name!r} has the axes {value.axes!r}; 'n' or 'bn' and no shape are expected")
        return value
    try:
        return tuple(index(v) for v in value) if hasattr(value, "__len__") else index(value)
    except TypeError:
        raise TypeError(f"{what} is a whole number, a sequence with one for each row, or a dp.Param, found {value!r}") from None


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
