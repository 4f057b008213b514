"""Costs laid straight into the buffer of a skewed tile, in lanes, without a row-major window that is turned round.

A column of the plane, as many rows of it as a vector has lanes, is one vector. In the tile's buffer lane l of that column
stands l times later, so the vectors of successive columns are slanted: the lanes whose number has bit 0 are taken from
the vector before, then those with bit 1 from two before, and so on. What this needs of earlier columns stays in registers.

For each kernel kind of `run.fused` there are

    breadth_KIND(most, *arrays)
        how many vectors of lanes `held` takes, where a tile has `most` columns
    hold_KIND(held, lanes, item, n, extent_n, columns, *arrays)
        what the rows from n on, one to a lane, bring to every column of a strip that has so many
    lay_KIND(buffer, held, lanes, item, n, rows, t0, t1, m, extent_n, extent_m, columns, outside, *arrays, first)
        buffer[(t - t0) * lanes + l]  = cost(n + l, m + t - l) for l < rows, t0 <= t < t1 where `first`, else += that cost

A cost outside the extents is `outside`. In the buffer `COLUMNS` times more are written.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dpsemiring.run.cpu.calls import INLINED, apart
from dpsemiring.run.cpu.vector import straight

COLUMNS = 8  # taken at a time
SYMBOLS = 256  # columns of a table that are held for a whole strip, at most: they stay in cache


# --- from columns to times --------------------------------------------------------------------------


@straight
def _before(zero):
    """The columns before the first, of which nothing is read."""
    none = splat(zero)  # noqa: F821
    return (none,) * (none.count - 1)


def _slant(earlier, columns, alternate):
    """The vectors of as many times, and what later ones need. `earlier` has the one column before, then two before of what
    has its odd lanes slanted, then four, eight."""
    kept, step = [], 1
    while step <= len(earlier):
        line = [*earlier[step - 1 : 2 * step - 1], *columns]
        kept += line[-step:]
        columns = [alternate(x, y, step) for x, y in zip(columns, line)]
        step *= 2
    return columns, tuple(kept)


@straight
def _pass(earlier, columns):
    """Columns that come before the first time."""
    return _slant(earlier, columns, alternate)[1]  # noqa: F821


@straight
def _set(earlier, columns, buffer, at, lanes):
    """Successive columns become as many times."""
    times, kept = _slant(earlier, columns, alternate)  # noqa: F821
    for i, x in enumerate(times):
        store(buffer, at + i * lanes, x)  # noqa: F821
    return kept


@straight
def _add(earlier, columns, buffer, at, lanes):
    """They are added to what is there."""
    times, kept = _slant(earlier, columns, alternate)  # noqa: F821
    for i, x in enumerate(times):
        store(buffer, at + i * lanes, fadd(load(buffer, at + i * lanes), x))  # noqa: F821
    return kept


@straight
def _confined(columns, m, extent, low, high, outside):
    """Columns as they are where they lie within the extents, from column m on, and lanes low to high; else `outside`."""
    none, found = splat(outside), ()  # noqa: F821
    for i, x in enumerate(columns):
        end = where(both(le(0, m + i), lt(m + i, extent)), high, 0)  # noqa: F821
        found += (where(lanes_between(x, low, end), x, none),)  # noqa: F821
    return found


@njit(**INLINED)
def _put(earlier, columns, buffer, t, lane, lanes, first):
    """Columns go to the times from t on, of the tile; those before the first time only pass."""
    if t < 0:
        return _pass(earlier, columns)
    if first:
        return _set(earlier, columns, buffer, t * lanes + lane, lanes)
    return _add(earlier, columns, buffer, t * lanes + lane, lanes)


# --- frames: sums over features ---------------------------------------------------------------------


@straight
def _nothing(zero):
    return (splat(zero),) * COLUMNS  # noqa: F821


@straight
def _places(at, lane, vector, jump):
    """Where the frames of successive columns stand, from one in that lane of a panel on; the next panel lies `jump` beyond."""
    return tuple(at + i + where(lt(lane + i, vector), 0, jump) for i in range(COLUMNS))  # noqa: F821


@straight
def _clamped(places, m, extent, instead):
    """Places, but `instead` of those of columns outside the extent."""
    inside = [both(le(0, m + i), lt(m + i, extent)) for i in range(len(places))]  # noqa: F821
    return tuple(where(c, place, instead) for c, place in zip(inside, places))  # noqa: F821


@straight
def _add_squares(sums, held, at, y, places, more):
    x = load(held, at)  # noqa: F821
    return tuple(add_square(splat(peek(y, place + more)), x, s) for s, place in zip(sums, places))  # noqa: F821


@straight
def _add_products(sums, held, at, y, places, more):
    x = load(held, at)  # noqa: F821
    return tuple(mad(x, splat(peek(y, place + more)), s) for s, place in zip(sums, places))  # noqa: F821


@straight
def _scaled(sums, scale):
    return tuple(fmul(s, splat(scale)) for s in sums)  # noqa: F821


@apart
def breadth_frames(most, x, y, scale):
    """One for each feature."""
    return x.shape[2]


@apart
def hold_frames(held, lanes, item, n, extent_n, columns, x, y, scale):
    """Their features, 0 where there is no row."""
    b = item if x.shape[0] > 1 else 0
    for l in range(lanes):
        inside = 0 <= n + l < extent_n
        for d in range(x.shape[2]):
            held[d * lanes + l] = x[b, n + l, d] if inside else 0


@njit(**INLINED)
def _lay_frames(buffer, held, lanes, item, n, rows, t0, t1, m, extent_n, extent_m, outside, x, y, scale, first, squares):
    vector, depth, zero = 64 // buffer.itemsize, x.shape[2], buffer.dtype.type(0)
    panel = y.shape[2] * vector
    y0 = item * y.shape[1] * panel if y.shape[0] > 1 else 0
    for g in range(0, rows, vector):
        low, high = max(0, -n - g), max(0, min(vector, extent_n - n - g))
        earlier = _before(zero)
        for t in range(t0 - vector, t1, COLUMNS):
            c = m + t - g
            whole = 0 <= c <= extent_m - COLUMNS and low == 0 and high == vector
            sums = _nothing(zero)
            if max(0, c) < min(extent_m, c + COLUMNS):
                places = _places(y0 + c // vector * panel + c % vector, c % vector, vector, panel - vector)
                if not whole:
                    places = _clamped(places, c, extent_m, y0)
                for d in range(depth):
                    if squares:
                        sums = _add_squares(sums, held, d * lanes + g, y, places, d * vector)
                    else:
                        sums = _add_products(sums, held, d * lanes + g, y, places, d * vector)
            sums = _scaled(sums, scale[0])
            if not whole:
                sums = _confined(sums, c, extent_m, low, high, outside if first else zero)
            earlier = _put(earlier, sums, buffer, t - t0, g, lanes, first)


@apart
def lay_differences(buffer, held, lanes, item, n, rows, t0, t1, m, extent_n, extent_m, columns, outside, x, y, scale, first):
    """scale * sum over d of (x[n, d] - y[m, d])**2"""
    _lay_frames(buffer, held, lanes, item, n, rows, t0, t1, m, extent_n, extent_m, outside, x, y, scale, first, True)


@apart
def lay_products(buffer, held, lanes, item, n, rows, t0, t1, m, extent_n, extent_m, columns, outside, x, y, scale, first):
    """scale * sum over d of x[n, d] * y[m, d]"""
    _lay_frames(buffer, held, lanes, item, n, rows, t0, t1, m, extent_n, extent_m, outside, x, y, scale, first, False)


# --- tables -----------------------------------------------------------------------------------------


@straight
def _read(held, places):
    return tuple(load(held, place) for place in places)  # noqa: F821


@njit(**INLINED)
def _symbols(beside, c, lanes, lane):
    """Where the symbols of successive columns are held."""
    return (
        np.int64(beside[c]) * lanes + lane,
        np.int64(beside[c + 1]) * lanes + lane,
        np.int64(beside[c + 2]) * lanes + lane,
        np.int64(beside[c + 3]) * lanes + lane,
        np.int64(beside[c + 4]) * lanes + lane,
        np.int64(beside[c + 5]) * lanes + lane,
        np.int64(beside[c + 6]) * lanes + lane,
        np.int64(beside[c + 7]) * lanes + lane,
    )


@straight
def _successive(at, lanes):
    return tuple(at + i * lanes for i in range(COLUMNS))


@apart
def breadth_entries(most, table, rows, beside, scale):
    """One for each symbol that a column may have, or for each column."""
    return max(min(table.shape[1], SYMBOLS), most + 2 * COLUMNS)


@njit(**INLINED)
def _by_symbol(table, columns):
    """Whether what each symbol brings is held for a whole strip; else what each column brings is, for a tile."""
    return table.shape[1] <= min(SYMBOLS, columns)


@apart
def hold_entries(held, lanes, item, n, extent_n, columns, table, rows, beside, scale):
    """For each row its row of the table, if the whole strip reads that."""
    if _by_symbol(table, columns):
        below = rows[item if rows.shape[0] > 1 else 0]
        for l in range(max(0, -n), min(lanes, extent_n - n)):
            entries = table[below[n + l]]
            for v in range(entries.size):
                held[v * lanes + l] = scale[0] * entries[v]


@apart
def lay_entries(
    buffer, held, lanes, item, n, rows, t0, t1, m, extent_n, extent_m, columns, outside, table, below, beside, scale, first
):
    """scale * table[below[n], beside[m]], the indices unsigned"""
    vector, zero = 64 // buffer.itemsize, buffer.dtype.type(0)
    symbols = beside[item if beside.shape[0] > 1 else 0]
    by_symbol, origin = _by_symbol(table, columns), m + t0 - lanes
    if not by_symbol:
        indices = below[item if below.shape[0] > 1 else 0]
        for l in range(max(0, -n), min(rows, extent_n - n)):
            entries = table[indices[n + l]]
            for c in range(max(0, origin), min(m + t1, extent_m)):
                held[(c - origin) * lanes + l] = scale[0] * entries[symbols[c]]
    edge = np.zeros(COLUMNS, symbols.dtype)
    for g in range(0, rows, vector):
        low, high = max(0, -n - g), max(0, min(vector, extent_n - n - g))
        earlier = _before(zero)
        for t in range(t0 - vector, t1, COLUMNS):
            c = m + t - g
            if not by_symbol:
                found = _read(held, _successive((c - origin) * lanes + g, lanes))
            elif 0 <= c <= extent_m - COLUMNS:
                found = _read(held, _symbols(symbols, c, lanes, g))
            else:
                for i in range(COLUMNS):
                    edge[i] = symbols[c + i] if 0 <= c + i < extent_m else 0
                found = _read(held, _symbols(edge, 0, lanes, g))
            if not (0 <= c <= extent_m - COLUMNS and low == 0 and high == vector):
                found = _confined(found, c, extent_m, low, high, outside if first else zero)
            earlier = _put(earlier, found, buffer, t - t0, g, lanes, first)
