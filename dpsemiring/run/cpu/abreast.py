"""Moving numbers between arrays and the buffers of items that lie abreast: written once, used by every emitted kernel.

A group is some items of a batch, `items` of them from item `b0` on; lane r belongs to item ``b0 + r``, and there are as many
lanes as a vector has. A strip is some rows of all of them. A row takes `stripe` times: as many as a cell looks back (`margin`),
which hold no cells, then one for each column of the widest item. A number of cell (row l of the strip, column m) stands at

    time = l * stripe + margin + m        position = time * lanes + lane

and an accumulated value, with `halo` rows before the strip, at ``((halo * stripe + time) * states + state) * lanes + lane``.
Flows have the rows after the strip behind its own. What lies beyond an item's own lattice is computed too: no cell of it is a
predecessor of one inside, and nothing flows to it. As in `run.cpu.staging`, an axis of length 1 is read at 0.

`stops` has room for as many numbers as there are lanes: where each item's row ends.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dpsemiring.run.cpu.borders import ends_before
from dpsemiring.run.cpu.calls import WITHIN, apart
from dpsemiring.run.cpu.staging import ANY, greatest, move
from dpsemiring.run.cpu.vector import lay, lay_until, pick_up, pick_up_until, put_down, put_down_until


@apart
def longest(lengths, first, count):
    """The largest of some lengths."""
    return greatest(lengths[first : first + count])


@apart
def hem(buffer, rows, stripe, margin, each, value):
    """A value in the margins of so many rows and of the one after them; a time has `each` numbers."""
    for l in range(rows + 1):
        buffer[l * stripe * each : (l * stripe + margin) * each] = value


# --- sites ------------------------------------------------------------------------------------------


@njit(**WITHIN)
def _find_stops(stops, b0, items, n, cols, at_m, n_len, more_n, m_len, more_m):
    """Where row n of a plane ends in each item, as a column of the lattice: 0 where it has no such row."""
    for r in range(stops.size):
        has = r < items and 0 <= n < n_len[min(b0 + r, n_len.size - 1)] + more_n
        stops[r] = min(cols, m_len[b0 + r] + more_m - at_m) if has else 0


@apart
def stage_abreast(
    buffer, array, a0, b0, items, n0, rows, cols, stripe, margin, at_n, at_m, n_len, more_n, m_len, more_m, outside, seen, stops,
    above,
):  # fmt: skip
    """Lay out array[a0 + r, n + at_n - above, m + at_m] for the cells of a strip; `outside` where that is outside an item's
    extents. `seen` as in `run.cpu.staging.stage`."""
    by_b = 1 if array.shape[0] > 1 else 0
    by_n = 1 if array.shape[1] > 1 else 0
    by_m = 1 if array.shape[2] > 1 else 0
    first, by_item, lanes = max(0, -at_m), by_b * array.shape[1] * array.shape[2], stops.size
    unsigned = seen.dtype.type(np.iinfo(seen.dtype).max)
    flat, sizes = array.reshape(-1), array.reshape(-1).view(seen.dtype)
    for l in range(rows):
        n = n0 + l + at_n
        _find_stops(stops, b0, items, n, cols, at_m, n_len, more_n, m_len, more_m)
        to = (l * stripe + margin) * lanes
        row = (a0 * by_b * array.shape[1] + (n - above) * by_n) * array.shape[2] + at_m * by_m
        if by_m and by_b:
            whole = stops.min()
            for c in range(0, cols, lanes):
                if first <= c and c + lanes <= whole:
                    lay(buffer, to + c * lanes, lanes, flat, row + c, by_item, seen)
                else:
                    lay_until(buffer, to + c * lanes, lanes, flat, row + c, by_item, seen, first - c, stops, c, outside)
        else:
            for m in range(cols):
                for r in range(lanes):
                    inside = first <= m < stops[r]
                    o = row + r * by_item + m * by_m
                    buffer[to + m * lanes + r] = flat[o] if inside else outside
                    if inside:
                        seen[0] = max(seen[0], sizes[o] & unsigned)


@apart
def unstage_abreast(
    buffer, array, a0, b0, items, n0, rows, cols, stripe, margin, at_n, at_m, n_len, more_n, m_len, more_m, fresh, stops, above,
):  # fmt: skip
    """Add a strip's numbers to array[a0 + r, n + at_n - above, m + at_m], the transpose of `stage_abreast`; if `fresh`, they
    are set."""
    by_n = 1 if array.shape[1] > 1 else 0
    by_m = 1 if array.shape[2] > 1 else 0
    first, by_item, lanes = max(0, -at_m), array.shape[1] * array.shape[2], stops.size
    flat = array.reshape(-1)
    for l in range(rows):
        n = n0 + l + at_n
        _find_stops(stops, b0, items, n, cols, at_m, n_len, more_n, m_len, more_m)
        i = (l * stripe + margin) * lanes
        o = (a0 * array.shape[1] + (n - above) * by_n) * array.shape[2] + at_m * by_m
        if by_m:
            whole = stops.min()
            for c in range(0, greatest(stops), lanes):
                if first <= c and c + lanes <= whole:
                    if fresh:
                        put_down(buffer, i + c * lanes, lanes, flat, o + c, by_item)
                    else:
                        pick_up(buffer, i + c * lanes, lanes, flat, o + c, by_item)
                elif fresh:
                    put_down_until(buffer, i + c * lanes, lanes, flat, o + c, by_item, first - c, stops, c)
                else:
                    pick_up_until(buffer, i + c * lanes, lanes, flat, o + c, by_item, first - c, stops, c)
        else:
            for r in range(lanes):
                for m in range(first, stops[r]):
                    if fresh:
                        flat[o + r * by_item] = buffer[i + m * lanes + r]
                    else:
                        flat[o + r * by_item] += buffer[i + m * lanes + r]


@apart
def falls_abreast(n, b0, items, n_len, extra, n0, rows):
    """Whether some cell of a place in row n (a negative index counts from the end; any row: `ANY`) lies in a strip."""
    if n >= 0 or n == ANY:
        return n == ANY or n0 <= n < n0 + rows
    ends = n_len[b0 : b0 + items] + extra + n
    return ((ends >= n0) & (ends < n0 + rows)).any()


@apart
def mark_abreast(buffer, n, m, b0, items, n_len, extra_n, m_len, extra_m, n0, rows, cols, stripe, margin, lanes):
    """1 on the cells of a place, 0 on the others."""
    buffer[: rows * stripe * lanes] = 0
    for r in range(items):
        length, width = n_len[b0 + r] + extra_n, m_len[b0 + r] + extra_m
        row, col = (n if n >= 0 else length + n) - n0, m if m >= 0 else width + m
        for l in range(0 if n == ANY else max(0, row), min(rows, length - n0) if n == ANY else min(rows, row + 1)):
            for c in range(0 if m == ANY else max(0, col), width if m == ANY else min(width, col + 1)):
                buffer[(l * stripe + margin + c) * lanes + r] = 1


@apart
def flush_abreast(lane_sums, totals, b0, items, strip):
    """Add the lanes' sums to the items' totals of a strip, and set them back to 0."""
    for r in range(items):
        totals[b0 + r, strip] += lane_sums[r]
    lane_sums[:] = 0


# --- accumulated values -----------------------------------------------------------------------------


@apart
def enter_abreast(values, border, group, strip, some):
    """Put the rows above a strip before it."""
    move(values, 0, border[group, strip].reshape(-1), 0, some)


@apart
def leave_abreast(values, border, group, strip, some, height):
    """Keep the last rows of a full strip for the next; so many numbers, of a strip of so many."""
    move(border[group, strip + 1].reshape(-1), 0, values, height, some)


@apart
def collect_abreast(values, out, b0, items, end_n, end_m, end_k, n0, rows, stripe, margin, halo, states, lanes):
    """Read off the values of the ends that lie in a strip."""
    for r in range(items):
        b = b0 + r
        begin = ends_before(end_n, end_m, b, n0, 0, 0)
        for e in range(begin, ends_before(end_n, end_m, b, n0 + rows, 0, begin)):
            time = (end_n[b, e] - n0 + halo) * stripe + margin + end_m[b, e]
            out[b, e] = values[(time * states + end_k[b, e]) * lanes + r]


# --- flows ------------------------------------------------------------------------------------------


@apart
def plant_abreast(seeds, flows, b0, items, end_n, end_m, end_k, n0, rows, stripe, margin, states, lanes, back):
    """Add what flows to the ends that lie in a strip to its seeds, or set them `back` to 0; how many there are."""
    count = 0
    for r in range(items):
        b = b0 + r
        begin = ends_before(end_n, end_m, b, n0, 0, 0)
        for e in range(begin, ends_before(end_n, end_m, b, n0 + rows, 0, begin)):
            time = (end_n[b, e] - n0) * stripe + margin + end_m[b, e]
            at = (time * states + end_k[b, e]) * lanes + r
            seeds[at] = 0 if back else seeds[at] + flows[b, e]
            count += 1
    return count


@apart
def enter_flows_abreast(flows, rows, halo, stripe, lanes, last, height):
    """Put the flows out of the rows after a strip behind it: the first rows of the strip that was in the buffer before; none
    if it is the last."""
    some, row = halo * stripe * lanes, stripe * lanes
    if last:
        flows[rows * row : rows * row + some] = 0
    else:
        move(flows, height * row, flows, 0, some)
