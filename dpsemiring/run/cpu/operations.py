"""The operations that cells are written in: each builds its LLVM for scalars and vectors alike.

`fadd fsub fmul` may be contracted into multiply-adds; `add sub mul` never are, so that a hard minimum breaks
ties alike on every backend.
"""

from __future__ import annotations

from llvmlite import ir

from dpsemiring.run.cpu import elementary
from dpsemiring.run.cpu.elementary import clamp
from dpsemiring.run.cpu.lanes import (
    I32,
    I64,
    constant,
    floats,
    ints,
    is_int,
    masked_load,
    masked_store,
    overloaded,
    spread,
    wide,
    width,
)
from dpsemiring.run.cpu.squares import SQUARES

CONTRACT = ("contract", "nsz", "arcp")


# --- memory -----------------------------------------------------------------------------------------


def load(b, pointer, index):
    """The lanes pointer[index : index + V]."""
    ty = wide(pointer.type.pointee)
    value = b.load(b.bitcast(b.gep(pointer, [index]), ty.as_pointer()))
    value.align = width(ty) // 8
    return value


def load_below(b, pointer, index, lanes):
    """The lanes pointer[index - lanes : index - lanes + V], where vectors begin at `index`: from the two that hold them."""
    low = load(b, pointer, b.sub(index, ir.Constant(I64, wide(pointer.type.pointee).count)))
    high, count = load(b, pointer, index), low.type.count
    taken = ir.Constant(ir.VectorType(I32, count), list(range(count - lanes.constant, 2 * count - lanes.constant)))
    return b.shuffle_vector(low, high, taken)


def store(b, pointer, index, x):
    """pointer[index : index + V] = x."""
    b.store(x, b.bitcast(b.gep(pointer, [index]), x.type.as_pointer())).align = width(x.type) // 8


def _between(b, ty, low, high):
    """The lanes low <= lane < high of a vector type, as LLVM's masked operations take them."""
    return lanes_between(b, ir.Constant(ty, ir.Undefined), low, high)


def load_part(b, pointer, index, low, high):
    """The lanes low <= lane < high of pointer[index : index + V], 0 elsewhere; the others are not touched."""
    ty = wide(pointer.type.pointee)
    at = b.bitcast(b.gep(pointer, [index]), ty.as_pointer())
    return masked_load(b, at, _between(b, ty, low, high), constant(ty, 0.0))


def store_part(b, pointer, index, x, low, high):
    """pointer[index + lane] = x[lane] for low <= lane < high; the others are not touched."""
    at = b.bitcast(b.gep(pointer, [index]), x.type.as_pointer())
    masked_store(b, x, at, _between(b, x.type, low, high))


def peek(b, pointer, index):
    """The scalar pointer[index]."""
    return b.load(b.gep(pointer, [index]))


def poke(b, pointer, index, x):
    """pointer[index] = x for a scalar."""
    b.store(x, b.gep(pointer, [index]))


def splat(b, x):
    """A scalar in every lane."""
    return spread(b, x, wide(x.type))


def totals(b, *vectors):
    """A vector whose first lanes are the sums over the lanes of some vectors, a power of two of them.

    Neighbours are added, two vectors at a time."""
    found = list(vectors)
    for _ in range(vectors[0].type.count.bit_length() - 1):  # halvings of the lanes
        found = [_neighbours(b, x, y) for x, y in zip(found[::2], found[1::2] or found)]
    return found[0]


def _neighbours(b, x, y):
    """Sums of neighbouring lanes: those of x in the first half of the lanes, those of y in the second."""
    count = x.type.count
    even, odd = (
        b.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, count), list(range(first, 2 * count, 2)))) for first in (0, 1)
    )
    return b.fadd(even, odd)


def alternate(b, x, y, step):
    """The lanes of y whose number has the bit `step`, the others of x."""
    count = x.type.count
    lanes = [i + count if i & step.constant else i for i in range(count)]
    return b.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, count), lanes))


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


def some(b, condition):
    """Whether a condition holds in any lane."""
    bits = ir.IntType(condition.type.count)
    return b.icmp_unsigned("!=", b.bitcast(condition, bits), ir.Constant(bits, 0))


# --- arithmetic -------------------------------------------------------------------------------------


def _arithmetic(name, flags=()):
    def build(b, x, y):
        return getattr(b, name)(x, y) if is_int(x.type) else getattr(b, f"f{name}")(x, y, flags=flags)

    return build


def _mad(b, x, y, z):
    """x * y + z"""
    return overloaded(b, "fmuladd", x.type, x, y, z)


def _add_square(b, x, y, z):
    """(x - y)**2 + z"""
    apart = b.fsub(x, y, flags=CONTRACT)
    return _mad(b, apart, apart, z)


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
    **{f.__name__: f for f in (load, load_below, store, load_part, store_part, peek, poke, splat, totals)},
    **{f.__name__: f for f in (alternate, lanes_between, lanes_within, some)},
    **SQUARES,
    **{name: _arithmetic(name) for name in ("add", "sub", "mul")},
    **{f"f{name}": _arithmetic(name, CONTRACT) for name in ("add", "sub", "mul")},
    "mad": _mad,
    "add_square": _add_square,
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
