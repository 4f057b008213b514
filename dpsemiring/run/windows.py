"""Windows as arrays: the range of columns of each row, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dpsemiring.algebra.expr import value_of
from dpsemiring.declare.param import Param
from dpsemiring.declare.window import Itakura, Ranges, SakoeChiba, Window
from dpsemiring.lower.ir import Recurrence

if TYPE_CHECKING:
    from dpsemiring.run.problem import Problem

Rows = tuple[np.ndarray, np.ndarray]
"""lo and hi, (B, rows) int64: the cells lo[b, n] <= m < hi[b, n] of row n exist. Empty below an item's last row."""


def row_ranges(window: Window, rows: np.ndarray, cols: np.ndarray, most: int, given: Mapping[str, np.ndarray]) -> Rows:
    """The ranges for lattices of rows[b] x cols[b] cells, in arrays for `most` rows; `given` are the Params' values."""
    n = np.arange(most)
    lo, hi = _MAKE[type(window)](window, n, rows[:, None], cols[:, None], given)
    exists = n < rows[:, None]
    lo = np.where(exists, np.clip(lo, 0, cols[:, None]), 0).astype(np.int64)
    return lo, np.maximum(lo, np.where(exists, np.clip(hi, 0, cols[:, None]), 0).astype(np.int64))


def _sakoe_chiba(window, n, rows, cols, given):
    radius = _item_value("radius", window.radius, given, least=0.0)
    along, across = np.maximum(rows - 1, 1), np.where(rows > 1, cols - 1, 0)
    # the centre's numerator is a whole number, so that cells just on the border are not lost to rounding
    return np.ceil((n * across - radius * along) / along), np.floor((n * across + radius * along) / along) + 1


def _itakura(window, n, rows, cols, given):
    s = _item_value("max_slope", window.max_slope, given, least=1.0)
    long, wide = rows - 1, cols - 1
    along = np.maximum(long, 1)

    def between(n):
        """The first and last column between the lines through the first corner."""
        return np.ceil(n * wide / (s * along)), np.floor(s * n * wide / along)

    # those through the last corner are the same seen from there: so rounding can cut off neither corner
    (lo, hi), (before, after) = between(n), between(long - n)
    lo, hi = np.maximum(lo, wide - after), np.minimum(hi, wide - before) + 1
    line = (long == 0) | (wide == 0)
    return np.where(line, 0, lo), np.where(line, cols, hi)


def _ranges(window, n, rows, cols, given):
    return tuple(_columns(name, value, len(n), given) for name, value in (("lo", window.lo), ("hi", window.hi)))


_MAKE = {SakoeChiba: _sakoe_chiba, Itakura: _itakura, Ranges: _ranges}


def _item_value(what, value, given, least):
    """(B or 1, 1): a number of the window for each item."""
    if not isinstance(value, Param):
        return np.array([[value]])
    array = np.asarray(given[value.name], np.float64).reshape(-1, 1)
    for found in array[~((array >= least) & (array < np.inf))]:
        raise ValueError(f"params[{value.name!r}] is the window's {what}, finite and >= {least:g}; found {found}")
    return array


def _columns(what, value, most, given):
    """(B or 1, most or 1): a bound of each row."""
    if isinstance(value, int):
        return np.array([[value]])
    if isinstance(value, tuple):
        if len(value) != most:
            raise ValueError(f"Window.ranges: {what} has {len(value)} rows, the lattice {most}")
        return np.array([value])
    array = given[value.name]
    if array.dtype.kind not in "iu":
        raise TypeError(f"params[{value.name!r}] gives a window's columns: whole numbers are expected, found {array.dtype}")
    rows = array if "n" in value.axes else array[..., None]
    return rows if "b" in value.axes else rows[None]


def block_columns(window: Rows, height: int) -> Rows:
    """(B, blocks): the first column of each block of rows, and the number of columns up to its last."""
    lo, hi = window
    cuts = np.arange(0, lo.shape[1], height)
    some = hi > lo
    left = np.minimum.reduceat(np.where(some, lo, np.iinfo(np.int64).max), cuts, axis=1)
    right = np.maximum.reduceat(np.where(some, hi, 0), cuts, axis=1)
    left = np.minimum(left, right)
    return left, right - left


def read_ranges(window: Rows, shifts, rows: int, stop: np.ndarray) -> Rows:
    """(B, rows): of each row of a plane, columns that cover what the window's cells read at these shifts; up to `stop`."""
    lo, hi = window
    some = hi > lo
    first = np.full((len(lo), rows), np.iinfo(np.int64).max)
    last = np.zeros((len(lo), rows), np.int64)
    for dn, dm in shifts:
        here = slice(max(0, dn), max(0, min(rows, lo.shape[1] + dn)))
        there = slice(here.start - dn, here.stop - dn)
        np.minimum(first[:, here], np.where(some[:, there], lo[:, there] + dm, first[:, here]), out=first[:, here])
        np.maximum(last[:, here], np.where(some[:, there], hi[:, there] + dm, 0), out=last[:, here])
    return np.clip(first, 0, stop), np.clip(last, 0, stop)


def check_reach(recurrence: Recurrence, problem: Problem, values: list[np.ndarray]) -> None:
    """Raise where the window, rather than a cost or the steps, leaves an item without a path. `values` are those at the ends."""
    if problem.window is None or not problem.checked:
        return
    (lo, hi), host = problem.window, problem.place.host
    trace = recurrence.semiring.trace
    blocked = np.logical_and.reduce([host(v) == value_of(z) for v, z in zip(values[: trace.telling], trace.zero)]).all(axis=1)
    for b in np.flatnonzero(blocked & ~host(problem.nan)):
        rows, cols = (int(length[b]) + x for length, x in zip((problem.n_len, problem.m_len), recurrence.extra))
        everything = np.zeros(rows, np.int64), np.full(rows, cols)
        if _shuts_out(recurrence, rows, cols, lo[b], hi[b]) and not _shuts_out(recurrence, rows, cols, *everything):
            raise ValueError(
                f"the window {recurrence.window} excludes every path of item {b}, of {rows} rows and {cols} columns; widen it"
            )


def _shuts_out(recurrence: Recurrence, rows: int, cols: int, lo: np.ndarray, hi: np.ndarray) -> bool:
    """Whether a window leaves no path through an item, whatever the costs.

    Row by row the hull of the columns that may be reached: a wider set than is reached in truth, so "yes" is certain.
    """
    reached = np.full((rows, 2), -1)  # first and last column; -1 where none
    starts = [a.pattern for a in recurrence.arcs if a.is_start]
    steps = {(a.dn, a.dm) for a in recurrence.steps}
    along = any(dn == 0 < dm for dn, dm in steps)

    def within(pattern, n):
        """The columns of a place in row n."""
        row, column = (i if i is None or i >= 0 else size + i for i, size in zip(pattern, (rows, cols)))
        if row not in (None, n) or lo[n] >= hi[n]:
            return None
        a, b = (lo[n], hi[n] - 1) if column is None else (column, column)
        return (max(a, lo[n]), min(b, hi[n] - 1)) if max(a, lo[n]) <= min(b, hi[n] - 1) else None

    for n in range(rows):
        found = [w for p in starts if (w := within(p, n)) is not None]
        for dn, dm in steps:
            if 0 < dn <= n and reached[n - dn, 0] >= 0:
                a, b = max(reached[n - dn, 0] + dm, lo[n]), min(reached[n - dn, 1] + dm, hi[n] - 1)
                if a <= b:
                    found.append((a, b))
        if found:
            reached[n] = min(a for a, _ in found), hi[n] - 1 if along else max(b for _, b in found)
    for end in recurrence.ends:
        for n in range(rows):
            w = within(end.pattern, n)
            if w and reached[n, 0] >= 0 and max(w[0], reached[n, 0]) <= min(w[1], reached[n, 1]):
                return False
    return True
