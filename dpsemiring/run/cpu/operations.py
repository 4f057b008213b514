"""The operations that cells are written in: each builds its LLVM for scalars and vectors alike.

`fadd fsub fmul` may be contracted into multiply-adds; `add sub mul` never are, so that a hard minimum breaks
ties alike on every backend.
"""

from __future__ import annotations

from llvmlite import ir

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


def _load_line(b, line):
    x = b.load(line)
    x.align = width(line.type.pointee) // 8
    return x


def lay(b, target, i, pitch, source, o, stride):
    """target[i + c * pitch + r] = source[o + r * stride + c], for c and r below the number of lanes."""
    ty = wide(target.type.pointee)
    columns = _transposed(b, [_load_line(b, line) for line in _lines(b, source, o, stride, ty)])
    for x, line in zip(columns, _lines(b, target, i, pitch, ty)):
        b.store(x, line).align = width(ty) // 8


def _laid_back(add):
    def build(b, source, i, pitch, target, o, stride):
        """target[o + r * stride + c] = (or +=) source[i + c * pitch + r], the transpose of `lay`; the target may be wider."""
        ty = wide(source.type.pointee)
        into = ir.VectorType(target.type.pointee, ty.count)
        rows = _transposed(b, [_load_line(b, line) for line in _lines(b, source, i, pitch, ty)])
        for x, line in zip(rows, _lines(b, target, o, stride, into)):
            x = b.fpext(x, into) if into != ty else x
            b.store(b.fadd(_load_line(b, line), x) if add else x, line).align = width(into) // 8

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
    "pick_up": _laid_back(add=True),
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
