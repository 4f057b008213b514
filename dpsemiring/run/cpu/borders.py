"""What surrounds a tile: accumulated values and flows, handed on from strip to strip and from tile to tile, and at ends.

Strips, tiles and positions are those of `run.cpu.staging`. Accumulated values have `pad` lanes and `delay` times before the
first, for what was computed before; flows have them after the last. Borders stand in the columns of the strip that wrote them: it
had `known` columns, and column m is its column `m + shift`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dpsemiring.run.cpu.calls import WITHIN, apart
from dpsemiring.run.cpu.staging import move
from dpsemiring.run.cpu.turns import claim, publish, wait  # noqa: F401 (emitted text takes these from here)
from dpsemiring.run.cpu.vector import straight

# --- accumulated values -----------------------------------------------------------------------------


@straight
def _spread(buffer, at, number):
    store(buffer, at, splat(number))  # noqa: F821


@njit(**WITHIN)
def _fill_pads(buffer, first, count, pitch, pad, number):
    """The same number in what lies beside `count` times, whole vectors each."""
    for time in range(count):
        for i in range(first, first + pad, 64 // buffer.itemsize):
            _spread(buffer, time * pitch + i, number)


@apart
def enter(
    values, border, kept, item, slot, tile, t0, t1, cols, known, shift, states, halo, margin, zero, lanes, pad, delay, skewed
):
    """Prepare the accumulated values around a tile: the times before it (zero before the first, else those `kept`), and
    the rows before the strip."""
    pitch = lanes + pad
    begin = max(-margin, -shift)
    stop = max(begin, min(cols, known - shift))
    if skewed:
        some = delay * states * pitch
        if t0 == 0:
            for i in range(some):
                values[i] = zero
        else:
            move(values, 0, kept[item, slot, tile], 0, some)
        for i in range(halo):
            by = i + margin - t0
            low, high = max(-margin, (0 if t0 == 0 else delay) - by), min(cols, t1 - t0 + delay - by)
            for k in range(states):
                row = border[item, slot, i, k]
                at = k * pitch + pad - halo + i + by * states * pitch
                for m in range(max(0, low), min(begin, high)):
                    values[at + m * states * pitch] = zero
                for m in range(max(begin, low), min(stop, high)):
                    values[at + m * states * pitch] = row[m + shift]
                for m in range(max(stop, low, 0), high):
                    values[at + m * states * pitch] = zero
    else:
        _fill_pads(values, 0, (delay + t1 - t0) * states, pitch, pad, zero)
        for time in range(delay):
            for k in range(states):
                base = (time * states + k) * pitch + pad
                for m in range(cols):
                    values[base + m] = zero
                if begin < stop:
                    move(values, base + begin, border[item, slot, time, k], begin + shift, stop - begin)


@apart
def keep_times(values, kept, item, slot, tile, t0, t1, states, lanes, pad, delay):
    """Keep the last times of a tile for the one after it."""
    some = delay * states * (lanes + pad)
    begin = (t1 - t0) * states * (lanes + pad)
    move(kept[item, slot, tile + 1], 0, values, begin, some)


@njit(**WITHIN)
def position(l, m, k, t0, states, lanes, pad, delay, skewed):
    """Where the accumulated value of (row l of the strip, column m, state k) stands."""
    if skewed:
        return ((m + l - t0 + delay) * states + k) * (lanes + pad) + pad + l
    return ((l - t0 + delay) * states + k) * (lanes + pad) + pad + m


@apart
def leave(values, border, item, slot, t0, t1, height, cols, states, halo, lanes, pad, delay, skewed):
    """Keep the last rows of a full strip for the next."""
    for i in range(halo):
        l = height - halo + i
        low, high = (max(0, t0 - l), min(cols, t1 - l)) if skewed else (0, cols)
        for k in range(states):
            row = border[item, slot + 1, i, k]
            if not skewed:
                move(row, 0, values, position(l, 0, k, t0, states, lanes, pad, delay, skewed), cols)
                continue
            for m in range(low, high):
                row[m] = values[position(l, m, k, t0, states, lanes, pad, delay, skewed)]


@njit(**WITHIN)
def ends_before(end_n, end_m, item, row, column, begin):
    """The first end, from `begin` on, that does not lie before (row, column); ends stand in row-major order."""
    low, high = begin, end_n.shape[1]
    while low < high:
        middle = (low + high) // 2
        n = end_n[item, middle]
        if n < row or (n == row and end_m[item, middle] < column):
            low = middle + 1
        else:
            high = middle
    return low


@apart
def times_of_ends(end_n, end_m, item, begin, stop, n0, left, skewed):
    """The first and the last of the times of some ends in a strip."""
    first, last = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    for e in range(begin, stop):
        t = end_n[item, e] - n0 + (end_m[item, e] - left if skewed else 0)
        first, last = min(first, t), max(last, t)
    return first, last


@njit(**WITHIN)
def next_end(end_n, end_m, item, e, stop, n0, t0, t1, left, skewed):
    """The first end from `e` on, up to `stop`, whose cell lies in a tile."""
    while e < stop:
        n, m = end_n[item, e], end_m[item, e]
        t = n - n0 + (m - left if skewed else 0)
        if t0 <= t < t1:
            return e
        if t < t0:
            e = ends_before(end_n, end_m, item, n, m + t0 - t, e + 1)
        else:
            e = ends_before(end_n, end_m, item, n + 1, 0, e + 1)
    return stop


@apart
def collect(values, out, item, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, states, lanes, pad, delay, skewed):
    """Read off the values of those of the ends `begin:stop` that lie in this tile."""
    e = next_end(end_n, end_m, item, begin, stop, n0, t0, t1, left, skewed)
    while e < stop:
        at = position(end_n[item, e] - n0, end_m[item, e] - left, end_k[item, e], t0, states, lanes, pad, delay, skewed)
        out[item, e] = values[at]
        e = next_end(end_n, end_m, item, e + 1, stop, n0, t0, t1, left, skewed)


@apart
def spill(values, out, item, n0, rows, t0, t1, left, cols, states, lanes, pad, delay, skewed):
    """Write a tile's accumulated values into out[item, n, m, k]."""
    for l in range(rows):
        low, high = (max(0, t0 - l), min(cols, t1 - l)) if skewed else (0, cols)
        for m in range(low, high):
            for k in range(states):
                out[item, n0 + l, left + m, k] = values[position(l, m, k, t0, states, lanes, pad, delay, skewed)]


# --- flows ------------------------------------------------------------------------------------------


@apart
def plant(seeds, flows, item, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, states, lanes, skewed):
    """Add what flows to those of the ends `begin:stop` that lie in this tile to its seeds; to how many anything does."""
    count = 0
    e = next_end(end_n, end_m, item, begin, stop, n0, t0, t1, left, skewed)
    while e < stop:
        l, m = end_n[item, e] - n0, end_m[item, e] - left
        time, lane = (m + l, l) if skewed else (l, m)
        seeds[((time - t0) * states + end_k[item, e]) * lanes + lane] += flows[item, e]
        count += flows[item, e] != 0
        e = next_end(end_n, end_m, item, e + 1, stop, n0, t0, t1, left, skewed)
    return count


@apart
def uproot(seeds, item, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, states, lanes, skewed):
    """Set the planted seeds back to 0."""
    e = next_end(end_n, end_m, item, begin, stop, n0, t0, t1, left, skewed)
    while e < stop:
        l, m = end_n[item, e] - n0, end_m[item, e] - left
        time, lane = (m + l, l) if skewed else (l, m)
        seeds[((time - t0) * states + end_k[item, e]) * lanes + lane] = 0
        e = next_end(end_n, end_m, item, e + 1, stop, n0, t0, t1, left, skewed)


@apart
def enter_flows(flows, border, item, strip, t0, t1, height, cols, known, shift, margin, lanes, after, delay, times, skewed):
    """Prepare the flows around a tile, from the times after it and from the rows after the strip; whether there are any."""
    pitch = lanes + after
    count = t1 - t0
    some = 0
    if t1 < times:
        for i in range(delay * pitch):
            flows[count * pitch + i] = flows[i]
            some += flows[i] != 0
    else:
        flows[count * pitch : (count + delay) * pitch] = 0
    rows = border[item, (strip + 1) % border.shape[1]]
    reach = rows.shape[0]
    begin = max(0, -shift)
    stop = max(begin, min(cols + margin, known - shift))
    if skewed:
        for i in range(reach):
            l = height + i
            at = (l - t0) * pitch + l
            low, high = max(0, t0 - l), min(cols + margin, (t1 if t1 < times else t1 + delay) - l)
            for m in range(low, min(begin, high)):
                flows[at + m * pitch] = 0
            for m in range(max(begin, low), min(stop, high)):
                flows[at + m * pitch] = rows[i, m + shift]
                some += rows[i, m + shift] != 0
            for m in range(max(stop, low), high):
                flows[at + m * pitch] = 0
    else:
        _fill_pads(flows, lanes, count, pitch, after, flows.dtype.type(0))
        for i in range(reach if begin < stop else 0):
            part = rows[i, begin + shift : stop + shift]
            move(flows, (count + i) * pitch + begin, rows[i], begin + shift, stop - begin)
            for m in range(part.size):
                some += part[m] != 0
    return some > 0


@apart
def leave_flows(flows, border, item, strip, t0, t1, rows, cols, lanes, after, skewed):
    """Keep the flows out of the first rows of a strip for the strip before it."""
    pitch = lanes + after
    out = border[item, strip % border.shape[1]]
    for i in range(out.shape[0]):
        low, high = (max(0, t0 - i), min(cols, t1 - i)) if skewed else (0, cols)
        if i >= rows:
            out[i, low:high] = 0
        elif not skewed:
            move(out[i], 0, flows, (i - t0) * pitch, cols)
        else:
            for m in range(low, high):
                out[i, m] = flows[(m + i - t0) * pitch + i]
