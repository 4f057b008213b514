"""Moving numbers between arrays and the buffers of a tile: written once, used by every emitted kernel.

A strip is some rows of one item's lattice, swept in the order of time, as `lower.schedule` says; a tile is a strip's times
`t0 <= t < t1`. Its buffers are flat. With `lanes` a multiple of the vector length, a number of cell (row l of the strip,
column m) stands at

    skewed   time m + l, lane l            rows   time l, lane m            position = (time - t0) * lanes + lane

Parameters are broadcast: an axis of length 1 is read at 0. A strip has the columns that its window has in any of its rows:
`cols` of them from column `left` of the lattice on, and `m` counts from there.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dpsemiring.run.cpu.calls import WITHIN, apart, call  # noqa: F401 (emitted text takes `call` from here)
from dpsemiring.run.cpu.vector import fetch, lay, lay_edge, pick_up, pick_up_edge, put_down, put_down_edge, shift


@njit(**WITHIN)
def lane_count(cols, height, vector, skewed):
    """Lanes of a strip."""
    return height if skewed else (cols + vector - 1) // vector * vector


@njit(**WITHIN)
def time_count(rows, cols, skewed):
    """Times of a strip."""
    return cols + rows - 1 if skewed else rows


# Numba takes seconds to compile its own assignments of arrays to slices, and half of one for a maximum.


@njit(**WITHIN)
def move(target, to, source, at, count):
    """target[to : to + count] = source[at : at + count]"""
    part, found = target[to : to + count], source[at : at + count]
    for m in range(count):
        part[m] = found[m]


@njit(**WITHIN)
def greatest(numbers):
    """The largest of some numbers, none of them below 0; 0 if there are none."""
    most = numbers.dtype.type(0)
    for number in numbers.flat:
        most = max(most, number)
    return most


@apart
def room(arena, used, size, dtype):
    """A buffer, not yet filled, that begins where a vector may: the next part of an arena as far as that goes. `used` is how
    many bytes of it are, or would be, taken."""
    width = arena[:0].view(dtype).itemsize
    begin, used[0] = used[0], used[0] + (size * width + 63) // 64 * 64
    if used[0] <= arena.size:
        return arena[begin : begin + size * width].view(dtype)
    wide = np.empty(size + 64, dtype)
    skip = -wide.ctypes.data % 64 // width
    return wide[skip : skip + size]


@apart
def zeros(arena, used, size, dtype):
    """The same, filled with zeros."""
    found = room(arena, used, size, dtype)
    clear(found)
    return found


@apart
def clear(buffer):
    """Set a buffer to 0."""
    buffer[:] = 0


@apart
def largest(lengths):
    """The largest of some lengths."""
    return greatest(lengths)


# --- sites ------------------------------------------------------------------------------------------


@njit(**WITHIN)
def _fill(buffer, at, time, row, by_m, at_m, first, stop, outside, begin, end):
    """buffer[at + m * time] = row[m + at_m] for begin <= m < end; `outside` where not first <= m < stop."""
    for m in range(begin, min(first, end)):
        buffer[at + m * time] = outside
    low, high = max(begin, first), min(stop, end)
    if time == 1 and by_m == 1:
        if low < high:
            part, found = buffer[at + low : at + high], row[low + at_m : high + at_m]
            for m in range(part.size):
                part[m] = found[m]
    else:
        for m in range(low, high):
            buffer[at + m * time] = row[(m + at_m) * by_m]
    for m in range(max(begin, stop), end):
        buffer[at + m * time] = outside


@njit(**WITHIN)
def _add(buffer, at, time, row, by_m, at_m, begin, end, fresh):
    """row[m + at_m] += buffer[at + m * time] for begin <= m < end; if `fresh`, it is set, not added to."""
    if time == 1 and by_m == 1 and begin < end:
        part, whole = buffer[at + begin : at + end], row[begin + at_m : end + at_m]
        if fresh:
            for m in range(part.size):
                whole[m] = part[m]
        else:
            for m in range(part.size):
                whole[m] += part[m]
    elif fresh:
        for m in range(begin, end):
            row[(m + at_m) * by_m] = buffer[at + m * time]
    else:
        for m in range(begin, end):
            row[(m + at_m) * by_m] += buffer[at + m * time]


@njit(**WITHIN)
def _look(seen, row, low, high):
    """Keep the largest size of some numbers, as bits."""
    part = row.view(seen.dtype)[low:high]
    unsigned = seen.dtype.type(np.iinfo(seen.dtype).max)
    most = seen[0]
    for m in range(part.size):
        size = part[m] & unsigned
        most = size if size > most else most
    seen[0] = most


@njit(**WITHIN)
def _reach(array, cols, at_m, extent_m):
    """0 for an axis of length 1, else 1; and the columns of the strip, from the first up to a last, that lie in an array."""
    first = max(0, -at_m)
    return int(array.shape[1] > 1), int(array.shape[2] > 1), first, max(first, min(cols, extent_m - at_m))


@apart
def stage(buffer, array, item, n0, rows, t0, t1, cols, at_n, at_m, extent_n, extent_m, outside, lanes, skewed, seen, on_n, on_t):
    """Lay out array[item, n + at_n, m + at_m] for the cells of a tile; `outside` where that is outside the extents.

    Skewed, as many lanes as a vector has go together while all their columns lie inside: squares, turned round. `seen` keeps
    the largest size of the numbers that are laid out, as bits: the greatest of its lanes. The next tile is so many rows and
    times further on, and fetched meanwhile."""
    b = item if array.shape[0] > 1 else 0
    by_n, by_m, first, stop = _reach(array, cols, at_m, extent_m)
    if not skewed or not by_m:
        for l in range(rows):
            n = n0 + l + at_n
            inside = 0 <= n < extent_n
            row, end = array[b, n * by_n if inside else 0], stop if inside else first
            low, high = (max(0, t0 - l), min(cols, t1 - l)) if skewed else (0, cols)
            time, lane = (lanes, l + (l - t0) * lanes) if skewed else (1, (l - t0) * lanes)
            _fill(buffer, lane, time, row, by_m, at_m, first, end, outside, low, high)
            if max(low, first) < min(high, end):
                _look(seen, row, (max(low, first) + at_m) * by_m, (min(high, end) + at_m - 1) * by_m + 1)
        return
    flat, vector, stride = array.reshape(-1), 64 // buffer.itemsize, array.shape[2] * by_n - 1
    onward = on_n * by_n * array.shape[2] + on_t
    for l in range(0, rows, vector):
        n = n0 + l + at_n
        begin, end = max(0, -n), min(vector, rows - l, extent_n - n)
        origin = (b * array.shape[1] + n * by_n) * array.shape[2] + at_m - l
        for t in range(t0, t1, vector):
            to = (t - t0) * lanes + l
            fetch(flat, origin + t + onward, stride)
            if begin == 0 and end == vector and t - l - vector + 1 >= first and t - l + vector <= stop:
                lay(buffer, to, lanes, flat, origin + t, stride, seen)
            else:
                lay_edge(buffer, to, lanes, flat, origin + t, stride, seen, first + l - t, stop + l - t, begin, end, outside)


@apart
def tell(seen, most, item, strip):
    """Note the largest size that was met in a strip, and begin anew."""
    most[item, strip] = greatest(seen)
    clear(seen)


@apart
def unstage(buffer, array, item, n0, rows, t0, t1, cols, at_n, at_m, extent_n, extent_m, lanes, skewed, fresh, on_n, on_t):
    """Add a tile's numbers to array[item, n + at_n, m + at_m], the transpose of `stage`; if `fresh`, they are set."""
    by_n, by_m, first, stop = _reach(array, cols, at_m, extent_m)
    if not skewed or not by_m or not by_n:
        for l in range(rows):
            n = n0 + l + at_n
            if 0 <= n < extent_n:
                low, high = (max(first, t0 - l), min(stop, t1 - l)) if skewed else (first, stop)
                time, lane = (lanes, l + (l - t0) * lanes) if skewed else (1, (l - t0) * lanes)
                _add(buffer, lane, time, array[item, n * by_n], by_m, at_m, low, high, fresh)
        return
    flat, vector, stride = array.reshape(-1), 64 // buffer.itemsize, array.shape[2] - 1
    onward = on_n * array.shape[2] + on_t
    for l in range(0, rows, vector):
        n = n0 + l + at_n
        begin, end = max(0, -n), min(vector, rows - l, extent_n - n)
        origin = (item * array.shape[1] + n) * array.shape[2] + at_m - l
        for t in range(t0, t1, vector):
            i = (t - t0) * lanes + l
            fetch(flat, origin + t + onward, stride)
            if begin == 0 and end == vector and t - l - vector + 1 >= first and t - l + vector <= stop:
                if fresh:
                    put_down(buffer, i, lanes, flat, origin + t, stride)
                else:
                    pick_up(buffer, i, lanes, flat, origin + t, stride)
            elif fresh:
                put_down_edge(buffer, i, lanes, flat, origin + t, stride, first + l - t, stop + l - t, begin, end)
            else:
                pick_up_edge(buffer, i, lanes, flat, origin + t, stride, first + l - t, stop + l - t, begin, end)


@apart
def blank(array, item, n0, rows, t0, t1, cols, at_n, at_m, extent_n, extent_m, skewed):
    """0 where `unstage` puts a tile's numbers."""
    by_n, by_m, first, stop = _reach(array, cols, at_m, extent_m)
    for l in range(rows):
        n = n0 + l + at_n
        low, high = (max(first, t0 - l), min(stop, t1 - l)) if skewed else (first, stop)
        if 0 <= n < extent_n and low < high:
            array[item, n * by_n, (low + at_m) * by_m : (high - 1 + at_m) * by_m + 1] = 0


@apart
def slide(strip, width, rows, begin, end, first, stop):
    """Move a row-major strip of the columns begin .. end to be one of the columns first .. stop; which ones it then holds."""
    low, high, vector = max(begin, first), min(end, stop), 64 // strip.itemsize
    if low >= high:
        return stop, stop
    last = (high - low - 1) // vector * vector
    for r in range(rows) if begin != first else range(0):
        old, new = r * width + low - begin, r * width + low - first
        for m in range(0, high - low, vector):
            c = m if new < old else last - m
            shift(strip, new + c, old + c, high - low - c)
    return low, high


@apart
def wipe(strip, width, rows, first, stop):
    """0 in some columns of a strip."""
    for r in range(rows):
        strip[r * width + first : r * width + stop] = 0


@njit(**WITHIN)
def falls(n, m, length, m_all, n0, rows, t0, t1, left, skewed):
    """Whether some cell of a place (a negative index counts from the end; any row or column: `ANY`) may lie in a tile."""
    if n != ANY:
        n = n if n >= 0 else length + n
        if not n0 <= n < n0 + rows:
            return False
    if m == ANY or not skewed:
        return True
    c = (m if m >= 0 else m_all + m) - left
    if n == ANY:
        return t0 - rows < c < t1
    return t0 <= c + n - n0 < t1


ANY = np.iinfo(np.int64).min


@apart
def mark(buffer, n, m, n_all, m_all, n0, rows, t0, t1, left, cols, lanes, skewed):
    """1 on the cells of a place, 0 on the others."""
    for i in range((t1 - t0) * lanes):
        buffer[i] = 0
    row = (n if n >= 0 else n_all + n) - n0
    col = (m if m >= 0 else m_all + m) - left
    for l in range(0 if n == ANY else max(0, row), rows if n == ANY else min(rows, row + 1)):
        time, lane = (lanes, l + (l - t0) * lanes) if skewed else (1, (l - t0) * lanes)
        begin, end = (max(0, t0 - l), min(cols, t1 - l)) if skewed else (0, cols)
        for c in range(begin if m == ANY else max(begin, col), end if m == ANY else min(end, col + 1)):
            buffer[lane + c * time] = 1


@apart
def bound(first, last, lo, hi, item, n0, rows, left, skewed):
    """For each row of a strip the times (skewed) or columns within which its window has cells."""
    first[:] = 0
    last[:] = 0
    for l in range(rows):
        by = l - left if skewed else -left
        first[l] = lo[item, n0 + l] + by
        last[l] = hi[item, n0 + l] + by


@apart
def flush(lane_sums, totals, item, strip):
    """Add the lanes' sums to the strip's total, in float64, and set them back to 0."""
    total = 0.0
    for i in range(lane_sums.size):
        total += lane_sums[i]
    totals[item, strip] += total
    lane_sums[:] = 0
