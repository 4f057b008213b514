"""Costs made in strips, and their flows taken back: a cost source that is never an array of its own.

A strip is a row-major array of some rows of a plane: its cell (n, m) stands at
``(n - n_first) * width + c0 + (m - m_first)``. For each kernel kind of `run.fused` there are

    fill_KIND(strip, width, c0, item, n_first, n_stop, m_first, m_stop, *arrays, first)
        strip[n, m]  = cost(n, m) where `first`, else += cost(n, m)
    drain_KIND(flows, width, c0, item, n_first, n_stop, m_first, m_stop, *arrays, *gradients)
        gradients += the strip's flows, carried to what the costs are made of

Only the cells named are read and written. An axis of length 1 that counts items serves all of them. Two workers may
drain at the same time what belongs to different items, and different rows of one item if they have no panel of columns
(of a table: no entry) in common; otherwise each adds to gradients of its own.

Frames are laid out for vectors of V columns: `x` is (B, N + ROWS - 1, D), the last rows zeros, and `y` is in panels of V
columns, (B, P, D or D + 1, V), zeros where there is no column or no feature. The number of lines in a panel is odd:
else panels would lie a power of two apart, and one feature of them all in one set of the cache. The gradient of `y` has
the layout of `y`, that of `x` is (B, D, N or more), so that sums of several rows are added as one vector.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dpsemiring.run.cpu.calls import INLINED, apart
from dpsemiring.run.cpu.fused import LINE, ROWS
from dpsemiring.run.cpu.vector import add_up, put_down, read_down, straight

ENTRIES = 4  # rows taken at a time where entries are looked up one by one: their additions do not wait for each other


# --- frames: sums over features ---------------------------------------------------------------------


@straight
def _nothing(zero):
    return (splat(zero),) * ROWS  # noqa: F821


@straight
def _of_rows(x, at, pitch):
    """One feature of the rows taken at a time, each in all lanes."""
    return tuple(splat(peek(x, at + i * pitch)) for i in range(ROWS))  # noqa: F821


@straight
def _add_squares(sums, x, at_x, pitch, y, at_y):
    v = load(y, at_y)  # noqa: F821
    return tuple(add_square(v, splat(peek(x, at_x + i * pitch)), s) for i, s in enumerate(sums))  # noqa: F821


@straight
def _add_products(sums, x, at_x, pitch, y, at_y):
    v = load(y, at_y)  # noqa: F821
    return tuple(mad(splat(peek(x, at_x + i * pitch)), v, s) for i, s in enumerate(sums))  # noqa: F821


@straight
def _put(strip, at, width, rows, low, high, sums, scale):
    """Lanes `low` to `high` of the first `rows` vectors become the strip's numbers."""
    for i, s in enumerate(sums):
        end = where(lt(rows, i + 1), low, high)  # noqa: F821
        store_part(strip, at + i * width, fmul(s, splat(scale)), low, end)  # noqa: F821


@straight
def _put_more(strip, at, width, rows, low, high, sums, scale):
    """They are added to the strip's numbers."""
    for i, s in enumerate(sums):
        end = where(lt(rows, i + 1), low, high)  # noqa: F821
        there = load_part(strip, at + i * width, low, end)  # noqa: F821
        store_part(strip, at + i * width, mad(s, splat(scale), there), low, end)  # noqa: F821


@njit(**INLINED)
def _fill(strip, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, first, squares):
    depth, pitch, lanes = x.shape[2], y.shape[2], y.shape[3]
    zero = strip.dtype.type(0)
    x0 = item * x.shape[1] * depth if x.shape[0] > 1 else 0
    y0 = item * y.shape[1] * pitch * lanes if y.shape[0] > 1 else 0
    for p in range(m_first // lanes, (m_stop + lanes - 1) // lanes):
        low, high = max(m_first - p * lanes, 0), min(m_stop - p * lanes, lanes)
        at_y = y0 + p * pitch * lanes
        for n in range(n_first, n_stop, ROWS):
            at_x = x0 + n * depth
            sums = _nothing(zero)
            if squares:
                for d in range(depth):
                    sums = _add_squares(sums, x, at_x + d, depth, y, at_y + d * lanes)
            else:
                for d in range(depth):
                    sums = _add_products(sums, x, at_x + d, depth, y, at_y + d * lanes)
            at = (n - n_first) * width + c0 + p * lanes - m_first
            if first:
                _put(strip, at, width, n_stop - n, low, high, sums, scale[0])
            else:
                _put_more(strip, at, width, n_stop - n, low, high, sums, scale[0])


@apart
def fill_differences(strip, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, first):
    """scale * sum over d of (x[n, d] - y[m, d])**2"""
    _fill(strip, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, first, True)


@apart
def fill_products(strip, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, first):
    """scale * sum over d of x[n, d] * y[m, d]"""
    _fill(strip, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, first, False)


@straight
def _pack(packed, at, lanes, flows, place, width, rows, low, high, scale, zero):
    """The scaled flows to some rows of one panel, one vector after the other, 0 where there is no cell; whether any is not 0."""
    found = None
    for i in range(ROWS):
        end = where(lt(rows, i + 1), low, high)  # noqa: F821
        flow = fmul(load_part(flows, place + i * width, low, end), splat(scale))  # noqa: F821
        store(packed, at + i * lanes, flow)  # noqa: F821
        moves = ne(flow, splat(zero))  # noqa: F821
        found = moves if found is None else either(found, moves)  # noqa: F821
    return some(found)  # noqa: F821


@straight
def _back_squares(sums, frames, packed, at, lanes, y, to_y, at_y):
    """Flows times differences: added up along the columns in `sums`, along the rows in `to_y`."""
    v, total = load(y, at_y), load(to_y, at_y)  # noqa: F821
    out = ()
    for i, (s, u) in enumerate(zip(sums, frames)):
        flow, away = load(packed, at + i * lanes), fsub(v, u)  # noqa: F821
        out += (mad(flow, away, s),)  # noqa: F821
        total = mad(flow, away, total)  # noqa: F821
    store(to_y, at_y, total)  # noqa: F821
    return out


@straight
def _back_products(sums, frames, packed, at, lanes, y, to_y, at_y):
    v, total = load(y, at_y), load(to_y, at_y)  # noqa: F821
    out = ()
    for i, (s, u) in enumerate(zip(sums, frames)):
        flow = load(packed, at + i * lanes)  # noqa: F821
        out += (mad(flow, v, s),)  # noqa: F821
        total = mad(flow, u, total)  # noqa: F821
    store(to_y, at_y, total)  # noqa: F821
    return out


@straight
def _add_sums(to_x, at, rows, sums, sign):
    """Add the sums of the first `rows` vectors; the other rows may be another strip's."""
    high = where(lt(rows, ROWS), rows, ROWS)  # noqa: F821
    store_part(to_x, at, mad(splat(sign), totals(*sums), load_part(to_x, at, 0, high)), 0, high)  # noqa: F821


@njit(**INLINED)
def _drain(flows, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, to_x, to_y, squares):
    depth, pitch, lanes = x.shape[2], y.shape[2], y.shape[3]
    zero, by = flows.dtype.type(0), scale[0] * flows.dtype.type(2 if squares else 1)
    sign = flows.dtype.type(-1 if squares else 1)
    x0 = item * x.shape[1] * depth if x.shape[0] > 1 else 0
    y0 = item * y.shape[1] * pitch * lanes if y.shape[0] > 1 else 0
    to0 = item * depth * to_x.shape[2] if x.shape[0] > 1 else 0
    p_first, p_stop, size = m_first // lanes, (m_stop + lanes - 1) // lanes, ROWS * lanes
    packed = np.empty((p_stop - p_first) * size, flows.dtype)
    panels = np.empty(p_stop - p_first, np.int64)  # those that anything flows to: under a sharp minimum few
    for n in range(n_first, n_stop, ROWS):
        count = 0
        for p in range(p_first, p_stop):
            low, high = max(m_first - p * lanes, 0), min(m_stop - p * lanes, lanes)
            place = (n - n_first) * width + c0 + p * lanes - m_first
            if _pack(packed, count * size, lanes, flows, place, width, n_stop - n, low, high, by, zero):
                panels[count] = y0 + p * pitch * lanes
                count += 1
        at_x = x0 + n * depth
        for d in range(depth if count else 0):
            sums = _nothing(zero)
            frames = _of_rows(x, at_x + d, depth)
            for k in range(count):
                at_y = panels[k] + d * lanes
                if squares:
                    sums = _back_squares(sums, frames, packed, k * size, lanes, y, to_y, at_y)
                else:
                    sums = _back_products(sums, frames, packed, k * size, lanes, y, to_y, at_y)
            _add_sums(to_x, to0 + d * to_x.shape[2] + n, n_stop - n, sums, sign)


@apart
def drain_differences(flows, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, to_x, to_y):
    """The transpose of the derivative of `fill_differences`."""
    _drain(flows, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, to_x, to_y, True)


@apart
def drain_products(flows, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, to_x, to_y):
    """The transpose of the derivative of `fill_products`."""
    _drain(flows, width, c0, item, n_first, n_stop, m_first, m_stop, x, y, scale, to_x, to_y, False)


# --- tables -----------------------------------------------------------------------------------------

# As many rows as a vector has lanes go together: their part of the table is turned round, so that what a label reads of all of
# them is one vector. Where the table is broader than the strip, or this low or narrow, entries go one by one.


@njit(**INLINED)
def _together(size, rows, columns, lanes):
    return rows >= lanes and columns >= lanes and size <= columns


@njit(**INLINED)
def _lines(count, like):
    """So many vectors."""
    wide = np.empty((count + 1) * LINE // like.itemsize, like.dtype)
    skip = -wide.ctypes.data % LINE // like.itemsize
    return wide[skip : skip + count * LINE // like.itemsize]


@straight
def _take(own, to, table, at, some, by):
    """A vector of scaled entries, at most `some`."""
    store(own, to, fmul(load_part(table, at, 0, some), splat(by)))  # noqa: F821


@straight
def _give(table, at, some, own, place, by):
    store_part(table, at, mad(load(own, place), splat(by), load_part(table, at, 0, some)), 0, some)  # noqa: F821


@straight
def _add_to(target, to, source, at, low, lanes):
    """The lanes from `low` on."""
    store(target, to, fadd(load(target, to), load_part(source, at, low, lanes)))  # noqa: F821


@apart
def fill_entries(strip, width, c0, item, n_first, n_stop, m_first, m_stop, table, rows, columns, scale, first):
    """scale * table[rows[n], columns[m]], the indices unsigned"""
    below = rows[item if rows.shape[0] > 1 else 0]
    beside = columns[item if columns.shape[0] > 1 else 0, m_first:m_stop]
    by, size, count, lanes = scale[0], table.shape[1], beside.size, LINE // table.itemsize
    if first and _together(size, n_stop - n_first, count, lanes):
        pitch = (size + lanes - 1) // lanes * lanes
        own, turned = _lines(pitch, table), _lines(pitch, table)
        for begin in range(n_first, n_stop, lanes):
            n = min(begin, n_stop - lanes)  # the last rows are taken whole, some of them again
            for r in range(lanes):
                at = np.int64(below[n + r]) * size
                for e in range(0, size, lanes):
                    _take(own, r * pitch + e, table, at + e, size - e, by)
            for e in range(0, pitch, lanes):
                put_down(own, e, pitch, turned, e * lanes, lanes)
            for begin_m in range(0, count, lanes):
                m = min(begin_m, count - lanes)
                read_down(turned, beside, m, strip, (n - n_first) * width + c0 + m, width)
        return
    for n in range(n_first, n_stop):
        entries = table[below[n]]
        place = (n - n_first) * width + c0
        out = strip[place : place + count]
        if first:
            for m in range(count):
                out[m] = by * entries[beside[m]]
        else:
            for m in range(count):
                out[m] += by * entries[beside[m]]


@straight
def _add_entries(to_table, places, flows, at, width, scale):
    """One after the other, since rows may share an entry."""
    for i, place in enumerate(places):
        poke(to_table, place, mad(scale, peek(flows, at + i * width), peek(to_table, place)))  # noqa: F821


@apart
def drain_entries(flows, width, c0, item, n_first, n_stop, m_first, m_stop, table, rows, columns, scale, to_table):
    """The transpose of `fill_entries`: entries that are read often add up."""
    below = rows[item if rows.shape[0] > 1 else 0]
    beside = columns[item if columns.shape[0] > 1 else 0, m_first:m_stop]
    by, size, count, lanes = scale[0], table.shape[1], beside.size, LINE // table.itemsize
    if _together(size, n_stop - n_first, count, lanes):
        pitch, whole = (size + lanes - 1) // lanes * lanes, count // lanes * lanes
        own, turned, rest = _lines(pitch, table), _lines(pitch, table), _lines(lanes, table)
        for begin in range(n_first, n_stop, lanes):
            n = min(begin, n_stop - lanes)
            at, low = (n - n_first) * width + c0, begin - n
            turned[:] = 0
            for m in range(0, whole, lanes):
                add_up(flows, at + m, width, beside, m, turned, low)
            if whole < count:
                put_down(flows, at + count - lanes, width, rest, 0, lanes)
                for m in range(whole, count):
                    _add_to(turned, np.int64(beside[m]) * lanes, rest, (m - count + lanes) * lanes, low, lanes)
            for e in range(0, pitch, lanes):
                put_down(turned, e * lanes, lanes, own, e, pitch)
            for r in range(low, lanes):  # one after the other, since rows may be the same
                at = np.int64(below[n + r]) * size
                for e in range(0, size, lanes):
                    _give(to_table, at + e, size - e, own, r * pitch + e, by)
        return
    by_rows = n_first + (n_stop - n_first) // ENTRIES * ENTRIES
    for n in range(n_first, n_stop, ENTRIES):
        at = (n - n_first) * width + c0
        if n < by_rows:
            r0, r1, r2, r3 = below[n] * size, below[n + 1] * size, below[n + 2] * size, below[n + 3] * size
            for m in range(count):
                v = np.int64(beside[m])
                _add_entries(to_table, (r0 + v, r1 + v, r2 + v, r3 + v), flows, at + m, width, by)
            continue
        for i in range(n_stop - n):
            for m in range(count):
                to_table[below[n + i], beside[m]] += by * flows[at + i * width + m]
