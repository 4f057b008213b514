"""Squares of as many rows as a vector has lanes, turned round between an array and the buffer of a tile.

In a skewed strip a lane is a row of the array, a time a column that moves one to the left with each lane: `stride` is the
array's row less one. Abreast, a lane is an item and `stride` the item's size.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from dpsemiring.run.cpu.lanes import I32, I64, constant, ints, masked_load, masked_store, spread, wide, width

READ, SECOND_LEVEL, DATA = 0, 2, 1  # what a prefetch is for, and where to


def _transposed(b, rows):
    """The columns of a square of vectors: blocks of 1, 2, 4 ... lanes change places between two rows each."""
    rows, count = list(rows), len(rows)
    step = 1
    while step < count:
        low = [j if not j & step else count + j - step for j in range(count)]
        high = [j + step if not j & step else count + j for j in range(count)]
        for r in range(count):
            if not r & step:
                x, y = rows[r], rows[r + step]
                for place, lanes in ((r, low), (r + step, high)):
                    rows[place] = b.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, count), lanes))
        step *= 2
    return rows


def _lines(b, pointer, first, stride, ty):
    """Pointers to vectors at pointer[first + r * stride], for as many r as a vector has lanes."""
    for r in range(ty.count):
        at = b.add(first, b.mul(stride, ir.Constant(I64, r)))
        yield b.bitcast(b.gep(pointer, [at]), ty.as_pointer())


def _masks(b, count, low, high, begin, end):
    """For each row r of a square the lanes c that are inside: low <= c - r < high, for rows begin <= r < end."""
    low, high, begin, end = (_near(b, x, count) for x in (low, high, begin, end))
    ty = ir.VectorType(I32, count)
    lanes = ir.Constant(ty, list(range(count)))
    for r in range(count):
        row = ir.Constant(I32, r)
        has = b.and_(b.icmp_signed(">=", row, begin), b.icmp_signed("<", row, end))
        stop = b.select(has, b.add(high, row), ir.Constant(I32, 0))
        inside = b.icmp_signed(">=", lanes, spread(b, b.add(low, row), ty))
        yield b.and_(inside, b.icmp_signed("<", lanes, spread(b, stop, ty)))


def _masks_until(b, count, low, stops, by):
    """For each row r of a square the lanes c that are inside: low <= c < stops[r] - by."""
    ty = ir.VectorType(I32, count)
    lanes = ir.Constant(ty, list(range(count)))
    after = b.icmp_signed(">=", lanes, spread(b, _near(b, low, count), ty))
    for r in range(count):
        end = b.sub(b.load(b.gep(stops, [ir.Constant(I64, r)])), by)
        yield b.and_(after, b.icmp_signed("<", lanes, spread(b, _near(b, end, count), ty)))


def _near(b, x, count):
    """A bound of a square as a small integer; further away than a square it makes no difference."""
    far = ir.Constant(I64, 2 * count)
    x = b.select(b.icmp_signed("<", x, far), x, far)
    x = b.select(b.icmp_signed(">", x, b.neg(far)), x, b.neg(far))
    return b.trunc(x, I32)


def _load_line(b, line, mask=None, other=None):
    if mask is not None:
        return masked_load(b, line, mask, other)
    x = b.load(line)
    x.align = width(line.type.pointee) // 8
    return x


def _store_line(b, x, line, mask=None):
    if mask is not None:
        masked_store(b, x, line, mask)
    else:
        b.store(x, line).align = width(x.type) // 8


def _notice(b, seen, rows, masks):
    """Keep in every lane the largest size that was met there: without its sign a number is the greater, the greater its bits
    are as an integer, and NaN is beyond infinity."""
    ty = ints(rows[0].type)
    unsigned = constant(ty, (1 << width(ty) - 1) - 1)
    place = b.bitcast(b.gep(seen, [ir.Constant(I64, 0)]), ty.as_pointer())
    most = _load_line(b, place)
    for x, mask in zip(rows, masks):
        size = b.and_(b.bitcast(x, ty), unsigned)
        size = size if mask is None else b.select(mask, size, constant(ty, 0))
        most = b.select(b.icmp_signed(">", size, most), size, most)
    _store_line(b, most, place)


def _inside(b, count, edge):
    """The masks of a square's rows: none without an edge."""
    if not edge:
        return [None] * count
    masks = _masks_until if isinstance(edge[1].type, ir.PointerType) else _masks
    return list(masks(b, count, *edge))


def _lay(b, target, i, pitch, source, o, stride, seen, *edge):
    """target[i + c * pitch + r] = source[o + r * stride + c], for c and r below the number of lanes; `seen` as in `_notice`.

    With `edge` = low, high, begin, end, outside only where low <= c - r < high and begin <= r < end, and `outside` elsewhere;
    with low, stops, by, outside where low <= c < stops[r] - by."""
    ty = wide(target.type.pointee)
    masks = _inside(b, ty.count, edge[:-1])
    other = spread(b, edge[-1], ty) if edge else None
    rows = [_load_line(b, line, mask, other) for line, mask in zip(_lines(b, source, o, stride, ty), masks)]
    _notice(b, seen, rows, masks)
    for x, line in zip(_transposed(b, rows), _lines(b, target, i, pitch, ty)):
        _store_line(b, x, line)


def _laid_back(add):
    def build(b, source, i, pitch, target, o, stride, *edge):
        """target[o + r * stride + c] = (or +=) source[i + c * pitch + r], the transpose of `lay`; the target may be wider.

        With an edge, as in `lay`, only where it is inside."""
        ty = wide(source.type.pointee)
        into = ir.VectorType(target.type.pointee, ty.count)
        masks = _inside(b, ty.count, edge)
        rows = _transposed(b, [_load_line(b, line) for line in _lines(b, source, i, pitch, ty)])
        for x, line, mask in zip(rows, _lines(b, target, o, stride, into), masks):
            x = b.fpext(x, into) if into != ty else x
            _store_line(b, b.fadd(_load_line(b, line, mask, constant(into, 0.0)), x) if add else x, line, mask)

    return build


def _labelled(b, pointer, labels, first, ty):
    """Pointers to the vectors of as many labels as a vector has lanes: that of label v begins at v times as many numbers."""
    for c in range(ty.count):
        label = b.zext(b.load(b.gep(labels, [b.add(first, ir.Constant(I64, c))])), I64)
        yield b.bitcast(b.gep(pointer, [b.mul(label, ir.Constant(I64, ty.count))]), ty.as_pointer())


def _read_down(b, source, labels, first, target, o, stride):
    """target[o + r * stride + c] = source[labels[first + c] * V + r] for c and r below V, the number of lanes."""
    ty = wide(target.type.pointee)
    columns = [_load_line(b, line) for line in _labelled(b, source, labels, first, ty)]
    for x, line in zip(_transposed(b, columns), _lines(b, target, o, stride, ty)):
        _store_line(b, x, line)


def _add_up(b, source, o, stride, labels, first, target, low):
    """target[labels[first + c] * V + r] += source[o + r * stride + c] for r >= low, the transpose of `read_down`."""
    ty = wide(target.type.pointee)
    lanes = ir.VectorType(I32, ty.count)
    taken = b.icmp_signed(">=", ir.Constant(lanes, list(range(ty.count))), spread(b, b.trunc(low, I32), lanes))
    columns = _transposed(b, [_load_line(b, line) for line in _lines(b, source, o, stride, ty)])
    for x, line in zip(columns, _labelled(b, target, labels, first, ty)):
        _store_line(b, b.fadd(_load_line(b, line), b.select(taken, x, constant(ty, 0.0))), line)


def _fetch(b, array, o, stride):
    """Have the cache fetch where array[o + r * stride] stands, for r below the number of lanes."""
    ty, byte = wide(array.type.pointee), ir.IntType(8).as_pointer()
    kinds = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
    prefetch = cgutils.get_or_insert_function(b.module, kinds, "llvm.prefetch.p0")
    for line in _lines(b, array, o, stride, ty):
        b.call(prefetch, [b.bitcast(line, byte), *(ir.Constant(I32, x) for x in (READ, SECOND_LEVEL, DATA))])


_PICK_UP, _PUT_DOWN = _laid_back(add=True), _laid_back(add=False)
SQUARES = {
    "fetch": _fetch,
    "read_down": _read_down,
    "add_up": _add_up,
    **dict.fromkeys(("lay", "lay_edge", "lay_until"), _lay),
    **dict.fromkeys(("pick_up", "pick_up_edge", "pick_up_until"), _PICK_UP),
    **dict.fromkeys(("put_down", "put_down_edge", "put_down_until"), _PUT_DOWN),
}
