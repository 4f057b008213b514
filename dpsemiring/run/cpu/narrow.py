"""Costs of few features made where cells read them, for items that lie abreast.

    gather(lanes, x, y, b0, items, cols)
        the columns of a group's items, feature by feature, an item in each lane
    spread_KIND(buffer, b0, items, n0, rows, cols, stripe, margin, x, y, scale, lanes, row, first)
        the buffer of a strip = the costs of its cells where `first`, else += these; `row` has room for `NARROW` vectors

Places are those of `run.cpu.abreast`, frames those of `run.cpu.sources`, and the numbers those of its `fill_KIND`. Beyond the
lengths of an item frames are zeros or another item's: finite.
"""

from __future__ import annotations

from numba import njit

from dpsemiring.run.cpu.calls import INLINED, apart
from dpsemiring.run.cpu.vector import straight

NARROW = 4  # features up to which this takes less time than panels that are turned round


@apart
def gather(lanes, x, y, b0, items, cols):
    """lanes[(m * D + d) * V + r] = feature d of column m of item b0 + r"""
    depth, wide = x.shape[2], y.shape[3]
    for r in range(items):
        b = b0 + r if y.shape[0] > 1 else 0
        for m in range(min(cols, y.shape[1] * wide)):
            for d in range(depth):
                lanes[(m * depth + d) * wide + r] = y[b, m // wide, d, m % wide]


@straight
def _none(zero):
    return splat(zero)  # noqa: F821


@straight
def _square(lanes, m, rows, d, total):
    return add_square(load(lanes, m), load(rows, d), total)  # noqa: F821


@straight
def _product(lanes, m, rows, d, total):
    return mad(load(rows, d), load(lanes, m), total)  # noqa: F821


@straight
def _set(buffer, at, total, scale):
    store(buffer, at, fmul(total, splat(scale)))  # noqa: F821


@straight
def _add(buffer, at, total, scale):
    store(buffer, at, mad(total, splat(scale), load(buffer, at)))  # noqa: F821


@njit(**INLINED)
def _cell(lanes, m, row, depth, wide, zero, squares):
    total = _none(zero)
    for d in range(depth):
        if squares:
            total = _square(lanes, (m * depth + d) * wide, row, d * wide, total)
        else:
            total = _product(lanes, (m * depth + d) * wide, row, d * wide, total)
    return total


@njit(**INLINED)
def _spread(buffer, b0, items, n0, rows, cols, stripe, margin, x, y, scale, lanes, row, first, squares):
    depth, wide, zero, by = x.shape[2], y.shape[3], row.dtype.type(0), scale[0]
    for l in range(rows):
        for r in range(items):
            b = b0 + r if x.shape[0] > 1 else 0
            for d in range(depth):
                row[d * wide + r] = x[b, n0 + l, d]
        at = (l * stripe + margin) * wide
        if first and depth == 1:
            for m in range(cols):
                _set(buffer, at + m * wide, _cell(lanes, m, row, 1, wide, zero, squares), by)
        elif first:
            for m in range(cols):
                _set(buffer, at + m * wide, _cell(lanes, m, row, depth, wide, zero, squares), by)
        else:
            for m in range(cols):
                _add(buffer, at + m * wide, _cell(lanes, m, row, depth, wide, zero, squares), by)


@apart
def spread_differences(buffer, b0, items, n0, rows, cols, stripe, margin, x, y, scale, lanes, row, first):
    """scale * sum over d of (x[n, d] - y[m, d])**2"""
    _spread(buffer, b0, items, n0, rows, cols, stripe, margin, x, y, scale, lanes, row, first, True)


@apart
def spread_products(buffer, b0, items, n0, rows, cols, stripe, margin, x, y, scale, lanes, row, first):
    """scale * sum over d of x[n, d] * y[m, d]"""
    _spread(buffer, b0, items, n0, rows, cols, stripe, margin, x, y, scale, lanes, row, first, False)
