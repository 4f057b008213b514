"""Moving numbers between arrays and the buffers of a block: written once, used by every emitted kernel.

A block is some rows of one item's lattice, swept as `lower.schedule` says. Its buffers are flat. With `lanes` a
multiple of the vector length, a number of cell (row l of the block, column m) stands at

    skewed   time m + l, lane l            rows   time l, lane m            position = time * lanes + lane

Accumulated values have `pad` lanes and `delay` times before the first, for what the block before hands on; flows
have them after the last. Parameters are broadcast: an axis of length 1 is read at 0.

A block has the columns that its window has in any of its rows: `cols` of them from column `left` of the lattice on, and
`m` counts from there. Borders stand in the columns of the block that wrote them: it had `known` columns, and column m is
its column `m + shift`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dpsemiring.run.cpu.calls import apart, call  # noqa: F401 (emitted text takes `call` from here)

TILE = 64
_options = {"nogil": True, "error_model": "numpy", "cache": True}


@njit(**_options)
def lane_count(cols, height, vector, skewed):
    """Lanes of a block."""
    return height if skewed else (cols + vector - 1) // vector * vector


@njit(**_options)
def time_count(rows, cols, skewed):
    """Times of a block."""
    return cols + rows - 1 if skewed else rows


@apart(**_options)
def room(shape, dtype):
    """A buffer, not yet filled."""
    return np.empty(shape, dtype)


@apart(**_options)
def zeros(shape, dtype):
    """A buffer of zeros."""
    return np.zeros(shape, dtype)


@apart(**_options)
def clear(buffer):
    """Set a buffer to 0."""
    buffer[:] = 0


@apart(**_options)
def largest(lengths):
    """The largest of some lengths."""
    return lengths.max()


@apart(**_options)
def stage(buffer, array, item, n0, rows, cols, at_n, at_m, extent_n, extent_m, outside, lanes, skewed):
    """Lay out array[item, n + at_n, m + at_m] for the cells of a block; `outside` where that is outside the extents."""
    b = item if array.shape[0] > 1 else 0
    by_n = 1 if array.shape[1] > 1 else 0
    by_m = 1 if array.shape[2] > 1 else 0
    first = max(0, -at_m)
    stop = max(first, min(cols, extent_m - at_m))
    time, lane = (lanes, lanes + 1) if skewed else (1, lanes)
    for tile in range(0, cols, TILE):
        end = min(tile + TILE, cols)
        for l in range(rows):
            n = n0 + l + at_n
            inside = 0 <= n < extent_n
            lo = min(max(first, tile), end) if inside else end
            hi = max(min(stop, end), lo) if inside else end
            base = l * lane
            for m in range(tile, lo):
                buffer[base + m * time] = outside
            if inside:
                row = array[b, n * by_n]
                for m in range(lo, hi):
                    buffer[base + m * time] = row[(m + at_m) * by_m]
            for m in range(hi, end):
                buffer[base + m * time] = outside


@apart(**_options)
def unstage(buffer, array, item, n0, rows, cols, at_n, at_m, extent_n, extent_m, lanes, skewed):
    """Add a block's numbers to array[item, n + at_n, m + at_m], the transpose of `stage`."""
    by_n = 1 if array.shape[1] > 1 else 0
    by_m = 1 if array.shape[2] > 1 else 0
    first = max(0, -at_m)
    stop = max(first, min(cols, extent_m - at_m))
    time, lane = (lanes, lanes + 1) if skewed else (1, lanes)
    for tile in range(first, stop, TILE):
        end = min(tile + TILE, stop)
        for l in range(rows):
            n = n0 + l + at_n
            if 0 <= n < extent_n:
                row = array[item, n * by_n]
                base = l * lane
                for m in range(tile, end):
                    row[(m + at_m) * by_m] += buffer[base + m * time]


@njit(**_options)
def falls(index, length, n0, rows):
    """Whether an index (negative: from the end) lies in the rows of a block."""
    n = index if index >= 0 else length + index
    return n0 <= n < n0 + rows and n >= 0


@apart(**_options)
def mark(buffer, n, any_n, m, any_m, n_all, m_all, n0, rows, left, cols, lanes, skewed):
    """1 on the cells of a place, 0 on the others."""
    time, lane = (lanes, lanes + 1) if skewed else (1, lanes)
    row = n if n >= 0 else n_all + n
    col = (m if m >= 0 else m_all + m) - left
    for l in range(rows):
        here = any_n or n0 + l == row
        for c in range(cols):
            buffer[l * lane + c * time] = 1 if here and (any_m or c == col) else 0


@apart(**_options)
def bound(first, last, lo, hi, item, n0, rows, left, skewed):
    """For each row of a block the times (skewed) or columns within which its window has cells."""
    first[:] = 0
    last[:] = 0
    for l in range(rows):
        by = l - left if skewed else -left
        first[l] = lo[item, n0 + l] + by
        last[l] = hi[item, n0 + l] + by


@apart(**_options)
def enter(values, border, item, block, cols, known, shift, states, halo, margin, zero, lanes, pad, delay, times, skewed):
    """Prepare the accumulated values around a block: the rows before it, and zero left of its columns."""
    pitch = lanes + pad
    begin = max(-margin, -shift)
    stop = max(begin, min(cols, known - shift))
    if skewed:
        values[: delay * states * pitch] = zero
        for i in range(halo):
            for k in range(states):
                row = border[item, block, i, k]
                for m in range(0, min(begin, cols)):
                    values[((m + i + margin) * states + k) * pitch + i] = zero
                for m in range(begin, stop):
                    values[((m + i + margin) * states + k) * pitch + i] = row[m + shift]
                for m in range(max(stop, 0), cols):
                    values[((m + i + margin) * states + k) * pitch + i] = zero
    else:
        for slot in range(delay + times):
            for k in range(states):
                base = (slot * states + k) * pitch
                values[base : base + pad] = zero
                if slot < delay:
                    row = border[item, block, slot, k]
                    base += pad
                    values[base : base + cols] = zero
                    for m in range(begin, stop):
                        values[base + m] = row[m + shift]


@njit(**_options)
def position(l, m, k, states, lanes, pad, delay, skewed):
    """Where the accumulated value of (row l of the block, column m, state k) stands."""
    if skewed:
        return ((m + l + delay) * states + k) * (lanes + pad) + pad + l
    return ((l + delay) * states + k) * (lanes + pad) + pad + m


@apart(**_options)
def leave(values, border, item, block, height, cols, states, halo, lanes, pad, delay, skewed):
    """Keep the last rows of a full block for the next."""
    for i in range(halo):
        l = height - halo + i
        for k in range(states):
            row = border[item, block + 1, i, k]
            for m in range(cols):
                row[m] = values[position(l, m, k, states, lanes, pad, delay, skewed)]


@apart(**_options)
def collect(values, out, item, end_n, end_m, end_k, begin, stop, n0, left, states, lanes, pad, delay, skewed):
    """Read off the values of the ends `begin:stop`, which lie in this block."""
    for e in range(begin, stop):
        at = position(end_n[item, e] - n0, end_m[item, e] - left, end_k[item, e], states, lanes, pad, delay, skewed)
        out[item, e] = values[at]


@njit(**_options)
def ends_before(end_n, item, row, begin):
    """The first end, from `begin` on, that does not lie above `row`; ends stand in row order."""
    low, high = begin, end_n.shape[1]
    while low < high:
        middle = (low + high) // 2
        if end_n[item, middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


@apart(**_options)
def plant(seeds, flows, item, end_n, end_m, end_k, begin, stop, n0, left, states, lanes, skewed):
    """Add what flows to the ends `begin:stop` to the seeds of a block."""
    for e in range(begin, stop):
        l, m = end_n[item, e] - n0, end_m[item, e] - left
        time, lane = (m + l, l) if skewed else (l, m)
        seeds[(time * states + end_k[item, e]) * lanes + lane] += flows[item, e]


@apart(**_options)
def uproot(seeds, item, end_n, end_m, end_k, begin, stop, n0, left, states, lanes, skewed):
    """Set the planted seeds back to 0."""
    for e in range(begin, stop):
        l, m = end_n[item, e] - n0, end_m[item, e] - left
        time, lane = (m + l, l) if skewed else (l, m)
        seeds[(time * states + end_k[item, e]) * lanes + lane] = 0


@apart(**_options)
def enter_flows(flows, border, height, cols, known, shift, margin, lanes, after, delay, times, skewed):
    """Prepare the flows around a block: those from the rows after it, and 0 right of its columns."""
    pitch = lanes + after
    flows[times * pitch : (times + delay) * pitch] = 0
    reach = border.shape[0]
    begin = max(0, -shift)
    stop = max(begin, min(cols + margin, known - shift))
    if skewed:
        for i in range(reach):
            l = height + i
            for m in range(0, min(begin, cols + margin)):
                flows[(m + l) * pitch + l] = 0
            for m in range(begin, stop):
                flows[(m + l) * pitch + l] = border[i, m + shift]
            for m in range(stop, cols + margin):
                flows[(m + l) * pitch + l] = 0
    else:
        for slot in range(times):
            flows[slot * pitch + lanes : (slot + 1) * pitch] = 0
        for i in range(reach):
            for m in range(begin, stop):
                flows[(times + i) * pitch + m] = border[i, m + shift]


@apart(**_options)
def leave_flows(flows, border, rows, cols, lanes, after, skewed):
    """Keep the flows out of the first rows of a block for the block before it."""
    pitch = lanes + after
    for i in range(border.shape[0]):
        for m in range(cols):
            here = (m + i) * pitch + i if skewed else i * pitch + m
            border[i, m] = flows[here] if i < rows else 0


@apart(**_options)
def spill(values, out, item, n0, rows, left, cols, states, lanes, pad, delay, skewed):
    """Write a block's accumulated values into out[item, n, m, k]."""
    for l in range(rows):
        for m in range(cols):
            for k in range(states):
                out[item, n0 + l, left + m, k] = values[position(l, m, k, states, lanes, pad, delay, skewed)]


@apart(**_options)
def flush(lane_sums, totals, item):
    """Add the lanes' sums to the item's total, in float64, and set them back to 0."""
    total = 0.0
    for i in range(lane_sums.size):
        total += lane_sums[i]
    totals[item] += total
    lane_sums[:] = 0


@njit(**_options)
def survey(array, rows, lo, hi, refused, nan, bad):
    """Mark items whose numbers in rows ``:rows[b]``, columns ``lo[b, n] <= m < hi[b, n]``, hold a NaN, or the refused
    infinity. An axis of length 1 of `lo` and `hi` serves every row."""
    for b in range(rows.size):
        for n in range(min(rows[b], array.shape[1])):
            at = n if lo.shape[1] > 1 else 0
            part = array[b, n, max(lo[b, at], 0) : max(hi[b, at], 0)]  # a loop from 0 is a vector loop
            unequal = 0
            hits = 0
            for m in range(part.size):
                unequal += part[m] != part[m]
                hits += part[m] == refused
            if unequal:
                nan[b] = True
            if hits:
                bad[b] = True
