"""The operations that cells are written in: each builds its LLVM for scalars and vectors alike.

`fadd fsub fmul` may be contracted into multiply-adds; `add sub mul` never are, so that a hard minimum breaks
ties alike on every backend.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from dpsemiring.run.cpu import elementary
from dpsemiring.run.cpu.elementary import clamp
from dpsemiring.run.cpu.lanes import I32, I64, constant, floats, ints, is_int, overloaded, spread, wide, width

CONTRACT = ("contract", "nsz", "arcp")


# --- memory -----------------------------------------------------------------------------------------


def load(b, pointer, index):
    """The lanes pointer[index : index + V]."""
    ty = wide(pointer.type.pointee)
    value = b.load(b.bitcast(b.gep(pointer, [index]), ty.as_pointer()))
    value.align = width(ty) // 8
    return value


def store(b, pointer, index, x):
    """pointer[index : index + V] = x."""
    b.store(x, b.bitcast(b.gep(pointer, [index]), x.type.as_pointer())).align = width(x.type) // 8


def peek(b, pointer, index):
    """The scalar pointer[index]."""
    return b.load(b.gep(pointer, [index]))


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


def _masks(b, count, edges):
    """For each row r of a square the lanes c that are inside: low <= c - r < high, for rows r < rows."""
    low, high, rows = edges
    ty = ir.VectorType(I64, count)
    lanes = ir.Constant(ty, list(range(count)))
    for r in range(count):
        row = ir.Constant(I64, r)
        end = b.select(b.icmp_signed("<", row, rows), b.add(high, row), ir.Constant(I64, 0))
        inside = b.icmp_signed(">=", lanes, spread(b, b.add(low, row), ty))
        yield b.and_(inside, b.icmp_signed("<", lanes, spread(b, end, ty)))


def _masked(b, name, result, ty, *args):
    types = [a.type for a in args]
    fn = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(result, types), f"llvm.masked.{name}.v{ty.count}f{width(ty)}.p0"
    )
    return b.call(fn, args)


def _load_line(b, line, mask=None, other=None):
    ty = line.type.pointee
    if mask is not None:
        return _masked(b, "load", ty, ty, line, ir.Constant(I32, width(ty) // 8), mask, other)
    x = b.load(line)
    x.align = width(ty) // 8
    return x


def _store_line(b, x, line, mask=None):
    ty = x.type
    if mask is not None:
        _masked(b, "store", ir.VoidType(), ty, x, line, ir.Constant(I32, width(ty) // 8), mask)
    else:
        b.store(x, line).align = width(ty) // 8


def lay(b, target, i, pitch, source, o, stride, *edge):
    """target[i + c * pitch + r] = source[o + r * stride + c], for c and r below the number of lanes.

    With `edge` = low, high, rows, outside only where low <= c - r < high and r < rows, and `outside` elsewhere."""
    ty = wide(target.type.pointee)
    masks = [None] * ty.count
    other = None
    if edge:
        masks, other = list(_masks(b, ty.count, edge[:3])), spread(b, edge[3], ty)
    rows = [_load_line(b, line, mask, other) for line, mask in zip(_lines(b, source, o, stride, ty), masks)]
    for x, line in zip(_transposed(b, rows), _lines(b, target, i, pitch, ty)):
        _store_line(b, x, line)


def _laid_back(add):
    def build(b, source, i, pitch, target, o, stride, *edge):
        """target[o + r * stride + c] = (or +=) source[i + c * pitch + r], the transpose of `lay`; the target may be wider.

        With `edge` = low, high, rows only where low <= c - r < high and r < rows."""
        ty = wide(source.type.pointee)
        into = ir.VectorType(target.type.pointee, ty.count)
        masks = list(_masks(b, ty.count, edge)) if edge else [None] * ty.count
        rows = _transposed(b, [_load_line(b, line) for line in _lines(b, source, i, pitch, ty)])
        for x, line, mask in zip(rows, _lines(b, target, o, stride, into), masks):
            x = b.fpext(x, into) if into != ty else x
            _store_line(b, b.fadd(_load_line(b, line, mask, constant(into, 0.0)), x) if add else x, line, mask)

    return build


def splat(b, x):
    """A scalar in every lane."""
    return spread(b, x, wide(x.type))


def lanes_between(b, like, low, high):
    """The condition low <= lane < high, for as many lanes as `like` has."""
    ty = ir.VectorType(I64, like.type.count)
    lane = ir.Constant(ty, list(range(ty.count)))
    return b.and_(b.icmp_signed(">=", lane, spread(b, low, ty)), b.icmp_signed("<", lane, spread(b, high, ty)))


def lanes_within(b, like, time, first, last, lane):
    """The condition first[lane + i] <= time < last[lane + i] in lane i, of int32, for as many lanes as `like` has."""
    ty = ir.VectorType(I32, like.type.count)
    bounds = []
    for pointer in (first, last):
        bounds.append(b.load(b.bitcast(b.gep(pointer, [lane]), ty.as_pointer())))
        bounds[-1].align = 4
    time = spread(b, b.trunc(time, I32), ty)
    return b.and_(b.icmp_signed(">=", time, bounds[0]), b.icmp_signed("<", time, bounds[1]))


# --- arithmetic -------------------------------------------------------------------------------------


def _arithmetic(name, flags=()):
    def build(b, x, y):
        return getattr(b, name)(x, y) if is_int(x.type) else getattr(b, f"f{name}")(x, y, flags=flags)

    return build


def _comparison(operator):
    def build(b, x, y):
        if is_int(x.type):
            return b.icmp_signed(operator, x, y)
        return (b.fcmp_unordered if operator == "!=" else b.fcmp_ordered)(operator, x, y)

    return build


def _extremum(operator):
    compare = _comparison(operator)  # strict: ties keep the first argument
    return lambda b, x, y: b.select(compare(b, y, x), y, x)


def _neg(b, x):
    return b.neg(x) if is_int(x.type) else b.fneg(x)


def _cast(b, x, like):
    """A number in the kind of another: shared numbers are float64, cells may be float32."""
    if x.type == like.type:
        return x
    if is_int(x.type):
        return b.trunc(x, like.type) if width(x.type) > width(like.type) else b.sext(x, like.type)
    return b.fptrunc(x, like.type) if width(x.type) > width(like.type) else b.fpext(x, like.type)


def _tail(b, x, like=None):
    """What is lost where x is brought into the kind of another number."""
    if like is None or x.type == like.type:
        return constant(x.type, 0.0)
    return b.fsub(x, b.fpext(b.fptrunc(x, like.type), x.type))


def _absolute(b, x):
    if is_int(x.type):
        return b.select(b.icmp_signed("<", x, constant(x.type, 0)), b.neg(x), x)
    return overloaded(b, "fabs", x.type, x)


def _rounding(name):
    return lambda b, x: overloaded(b, name, x.type, x)


_ELEMENTARY = (
    "exp", "exp2", "log", "log2", "mantissa", "exponent", "ldexp", "fma", "exp2_fraction", "exp2_below", "power_of_two", "binade",
)  # fmt: skip

OPERATIONS = {
    **{f.__name__: f for f in (load, store, lay, peek, splat, lanes_between, lanes_within)},
    "lay_edge": lay,
    "pick_up": _laid_back(add=True),
    "pick_up_edge": _laid_back(add=True),
    "put_down_edge": _laid_back(add=False),
    "put_down": _laid_back(add=False),
    **{name: _arithmetic(name) for name in ("add", "sub", "mul")},
    **{f"f{name}": _arithmetic(name, CONTRACT) for name in ("add", "sub", "mul")},
    "div": lambda b, x, y: b.fdiv(x, y),
    "minimum": _extremum("<"),
    "maximum": _extremum(">"),
    **{name: _comparison(operator) for name, operator in (("lt", "<"), ("le", "<="), ("eq", "=="), ("ne", "!="))},
    "where": lambda b, condition, x, y: b.select(condition, x, y),
    "both": lambda b, x, y: b.and_(x, y),
    "either": lambda b, x, y: b.or_(x, y),
    "negate": lambda b, x: b.not_(x),
    "neg": _neg,
    "cast": _cast,
    "tail": _tail,
    "absolute": _absolute,
    **{name: _rounding(name) for name in ("sqrt", "floor", "rint")},
    "integer": lambda b, x: b.fptosi(clamp(b, x, -(2.0**30), 2.0**30), ints(x.type)),
    "nearest": lambda b, x: b.fptosi(overloaded(b, "rint", x.type, x), ints(x.type)),
    "real": lambda b, x: b.sitofp(x, floats(x.type)),
    **{name: getattr(elementary, name) for name in _ELEMENTARY},
}
