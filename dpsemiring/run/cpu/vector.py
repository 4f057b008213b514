"""Vectors of lanes for Numba: the operations that emitted text is written in.

Numba's own loop vectoriser gives up on loops that read and write shifted rows of one buffer. Here a value of
the type `Lanes` is an LLVM vector, so emitted text is vector code by construction. Each operation works alike
on scalars. A float32 vector has 16 lanes, a float64 vector 8; conditions and integers go along.

`fadd fsub fmul` may be contracted into multiply-adds; `add sub mul` never are, so that a hard minimum breaks
ties alike on every backend.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = {types.float32: 16, types.float64: 8, types.int32: 16, types.int64: 8}
CONTRACT = ("contract", "nsz", "arcp")
_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


class Lanes(types.Type):
    """A vector of a scalar type."""

    def __init__(self, dtype, count):
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        element = _I1 if lanes.dtype == types.boolean else manager.lookup(lanes.dtype).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(element, lanes.count))


def _like(numba_type, dtype):
    return Lanes(dtype, numba_type.count) if isinstance(numba_type, Lanes) else dtype


def _scalar(numba_type):
    return numba_type.dtype if isinstance(numba_type, Lanes) else numba_type


def _is_int(numba_type):
    return isinstance(_scalar(numba_type), (types.Integer, types.Boolean))


def _width(ty) -> int:
    """Bits of one element of an LLVM type."""
    element = ty.element if isinstance(ty, ir.VectorType) else ty
    return {ir.FloatType(): 32, ir.DoubleType(): 64}.get(element) or element.width


def _ints(ty):
    """The integer type of the same shape and width as a float type."""
    i = ir.IntType(_width(ty))
    return ir.VectorType(i, ty.count) if isinstance(ty, ir.VectorType) else i


def _c(ty, value):
    """A constant of an LLVM type, the same in every lane."""
    return ir.Constant(ty, [value] * ty.count) if isinstance(ty, ir.VectorType) else ir.Constant(ty, value)


def _call(b, name, ty, *args):
    """An LLVM intrinsic overloaded on `ty`."""
    suffix = f"f{_width(ty)}"
    if isinstance(ty, ir.VectorType):
        suffix = f"v{ty.count}{suffix}"
    fn = cgutils.get_or_insert_function(b.module, ir.FunctionType(ty, [ty] * len(args)), f"llvm.{name}.{suffix}")
    return b.call(fn, args)


# --- memory -----------------------------------------------------------------------------------------


def _pointer(context, b, array_type, array, index):
    return b.gep(context.make_array(array_type)(context, b, array).data, [index])


@intrinsic
def load(typing, array, index):
    """The lanes array[index : index + LANES] of a flat array, without a bounds check."""
    result = Lanes(array.dtype, LANES[array.dtype])

    def generate(context, b, signature, args):
        ty = context.get_value_type(signature.return_type)
        value = b.load(b.bitcast(_pointer(context, b, signature.args[0], args[0], args[1]), ty.as_pointer()))
        value.align = _width(ty) // 8
        return value

    return result(array, index), generate


@intrinsic
def store(typing, array, index, value):
    """array[index : index + LANES] = value, without a bounds check."""

    def generate(context, b, signature, args):
        ty = args[2].type
        op = b.store(args[2], b.bitcast(_pointer(context, b, signature.args[0], args[0], args[1]), ty.as_pointer()))
        op.align = _width(ty) // 8
        return context.get_dummy_value()

    return types.void(array, index, value), generate


@intrinsic
def peek(typing, array, index):
    """The scalar array[index] of a flat array, without a bounds check."""

    def generate(context, b, signature, args):
        return b.load(_pointer(context, b, signature.args[0], args[0], args[1]))

    return array.dtype(array, index), generate


@intrinsic
def splat(typing, x):
    """A scalar in every lane."""
    result = Lanes(x, LANES[x])

    def generate(context, b, signature, args):
        ty = context.get_value_type(signature.return_type)
        start = b.insert_element(ir.Constant(ty, ir.Undefined), args[0], ir.Constant(_I32, 0))
        return b.shuffle_vector(start, ir.Constant(ty, ir.Undefined), ir.Constant(ir.VectorType(_I32, ty.count), [0] * ty.count))

    return result(x), generate


@intrinsic
def lanes_between(typing, like, low, high):
    """The condition low <= lane < high, for as many lanes as `like` has."""
    result = Lanes(types.boolean, like.count)

    def generate(context, b, signature, args):
        ty = ir.VectorType(_I64, args[0].type.count)
        lane = ir.Constant(ty, list(range(ty.count)))
        wide = []
        for x in args[1:]:
            start = b.insert_element(ir.Constant(ty, ir.Undefined), x, ir.Constant(_I32, 0))
            zeros = ir.Constant(ir.VectorType(_I32, ty.count), [0] * ty.count)
            wide.append(b.shuffle_vector(start, ir.Constant(ty, ir.Undefined), zeros))
        return b.and_(b.icmp_signed(">=", lane, wide[0]), b.icmp_signed("<", lane, wide[1]))

    return result(like, types.int64, types.int64), generate


@intrinsic
def lanes_within(typing, like, time, first, last, lane):
    """The condition first[lane + i] <= time < last[lane + i] on lane i, for as many lanes as `like` has."""
    result = Lanes(types.boolean, like.count)

    def generate(context, b, signature, args):
        ty = ir.VectorType(_I32, args[0].type.count)
        start = b.insert_element(ir.Constant(ty, ir.Undefined), b.trunc(args[1], _I32), ir.Constant(_I32, 0))
        time = b.shuffle_vector(start, ir.Constant(ty, ir.Undefined), ir.Constant(ir.VectorType(_I32, ty.count), [0] * ty.count))
        bounds = []
        for kind, array in zip(signature.args[2:4], args[2:4]):
            bounds.append(b.load(b.bitcast(_pointer(context, b, kind, array, args[4]), ty.as_pointer())))
            bounds[-1].align = 4
        return b.and_(b.icmp_signed(">=", time, bounds[0]), b.icmp_signed("<", time, bounds[1]))

    return result(like, types.int64, first, last, types.int64), generate


# --- arithmetic -------------------------------------------------------------------------------------


def _binary(float_op, int_op, flags=()):
    @intrinsic
    def operation(typing, x, y):
        def generate(context, b, signature, args):
            if _is_int(signature.args[0]):
                return int_op(b, *args)
            return float_op(b, *args, flags)

        return x(x, y), generate

    return operation


def _fadd(b, x, y, flags):
    return b.fadd(x, y, flags=flags)


def _fsub(b, x, y, flags):
    return b.fsub(x, y, flags=flags)


def _fmul(b, x, y, flags):
    return b.fmul(x, y, flags=flags)


add = _binary(_fadd, lambda b, x, y: b.add(x, y))
sub = _binary(_fsub, lambda b, x, y: b.sub(x, y))
mul = _binary(_fmul, lambda b, x, y: b.mul(x, y))
fadd = _binary(_fadd, lambda b, x, y: b.add(x, y), CONTRACT)
fsub = _binary(_fsub, lambda b, x, y: b.sub(x, y), CONTRACT)
fmul = _binary(_fmul, lambda b, x, y: b.mul(x, y), CONTRACT)
div = _binary(lambda b, x, y, flags: b.fdiv(x, y), None)
# ties and the first argument: a select on <= keeps it
minimum = _binary(
    lambda b, x, y, flags: b.select(b.fcmp_ordered("<", y, x), y, x),
    lambda b, x, y: b.select(b.icmp_signed("<", y, x), y, x),
)
maximum = _binary(
    lambda b, x, y, flags: b.select(b.fcmp_ordered(">", y, x), y, x),
    lambda b, x, y: b.select(b.icmp_signed(">", y, x), y, x),
)


def _comparison(operator):
    @intrinsic
    def operation(typing, x, y):
        def generate(context, b, signature, args):
            if _is_int(signature.args[0]):
                return b.icmp_signed(operator, *args)
            return (b.fcmp_unordered if operator == "!=" else b.fcmp_ordered)(operator, *args)

        return _like(x, types.boolean)(x, y), generate

    return operation


lt, le, eq, ne = (_comparison(op) for op in ("<", "<=", "==", "!="))


@intrinsic
def where(typing, condition, x, y):
    """x in the lanes where the condition holds, y in the others."""
    return x(condition, x, y), lambda context, b, signature, args: b.select(*args)


@intrinsic
def both(typing, x, y):
    """Conjunction."""
    return x(x, y), lambda context, b, signature, args: b.and_(*args)


@intrinsic
def either(typing, x, y):
    """Disjunction."""
    return x(x, y), lambda context, b, signature, args: b.or_(*args)


@intrinsic
def negate(typing, x):
    """The opposite condition."""
    return x(x), lambda context, b, signature, args: b.not_(args[0])


def _unary(generate_float, generate_int=None, result=None):
    @intrinsic
    def operation(typing, x):
        def generate(context, b, signature, args):
            if _is_int(signature.args[0]):
                return generate_int(b, args[0])
            return generate_float(b, args[0])

        return (x if result is None else _like(x, result(_scalar(x))))(x), generate

    return operation


neg = _unary(lambda b, x: b.fneg(x), lambda b, x: b.neg(x))
absolute = _unary(
    lambda b, x: _call(b, "fabs", x.type, x), lambda b, x: b.select(b.icmp_signed("<", x, _c(x.type, 0)), b.neg(x), x)
)
sqrt = _unary(lambda b, x: _call(b, "sqrt", x.type, x))
floor = _unary(lambda b, x: _call(b, "floor", x.type, x))
rint = _unary(lambda b, x: _call(b, "rint", x.type, x))


def _int_of(dtype):
    return types.int32 if dtype == types.float32 else types.int64


def _float_of(dtype):
    return types.float32 if dtype == types.int32 else types.float64


integer = _unary(lambda b, x: b.fptosi(_clamp(b, x, -(2.0**30), 2.0**30), _ints(x.type)), result=_int_of)


@intrinsic
def real(typing, x):
    """Integers as floats of the same width."""
    result = _like(x, _float_of(_scalar(x)))

    def generate(context, b, signature, args):
        return b.sitofp(args[0], context.get_value_type(signature.return_type))

    return result(x), generate


# --- transcendental functions -----------------------------------------------------------------------
# Minimax polynomials, fitted for this file: exp(f) = 1 + f P(f) for |f| <= ln 2 / 2, and
# log(m) = 2 s + s^3 Q(s^2), s = (m - 1) / (m + 1), for m within sqrt(1/2) .. sqrt(2).

_EXP = {
    32: (1.00000001078, 0.500000001347, 0.166665051958, 0.0416664649253, 0.0083691556677, 0.00139336499963),
    64: (1.0, 0.50000000000000056225, 0.16666666666666670991, 0.041666666666573067732, 0.0083333333333261351258,
         0.0013888888932514779355, 0.00019841269874820625271, 0.000024801504313785540166, 2.755725540020642443e-6,
         2.7626371065696356076e-7, 2.5105217004720745164e-8),
}  # fmt: skip
_LOG = {
    32: (0.666666665545, 0.40000121877, 0.285508165997, 0.233305819382),
    64: (0.66666666666666666465, 0.40000000000000877606, 0.28571428570803230015, 0.22222222391800469329,
         0.181817956308847532, 0.15386240205813477879, 0.13268759668560612686, 0.13086767009948173713),
}  # fmt: skip
_LOG2E = 1.4426950408889634
_LN2 = 0.6931471805599453
_LN2_HIGH = {32: 0.693145751953125, 64: 0.6931471803691238}  # few bits, so that a whole number times it is exact
_LN2_LOW = {32: 1.4286068203094172e-06, 64: 1.9082149292705877e-10}
_MANTISSA = {32: 23, 64: 52}
_BIAS = {32: 127, 64: 1023}
_SQRT_HALF_BITS = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}


def _mad(b, x, y, z):
    return _call(b, "fmuladd", x.type, x, y, z)


def _horner(b, x, coefficients):
    result = _c(x.type, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = _mad(b, result, x, _c(x.type, c))
    return result


def _clamp(b, x, low, high):
    x = b.select(b.fcmp_ordered(">", x, _c(x.type, low)), x, _c(x.type, low))  # NaN becomes `low`
    return b.select(b.fcmp_ordered("<", x, _c(x.type, high)), x, _c(x.type, high))


def _power_of_two(b, e, ty):
    """2**e for integers within the exponent range."""
    w = _width(ty)
    return b.bitcast(b.shl(b.add(e, _c(e.type, _BIAS[w])), _c(e.type, _MANTISSA[w])), ty)


def _exp_from(b, x, whole, f):
    """2**whole * exp(f), with 0, inf and NaN for x beyond the range in `limits`."""
    ty, w = x.type, _width(x.type)
    p = b.fadd(b.fmul(f, _horner(b, f, _EXP[w])), _c(ty, 1.0))
    return b.fmul(p, _power_of_two(b, b.fptosi(whole, _ints(ty)), ty))


def _edges(b, x, value, low, high):
    ty = x.type
    value = b.select(b.fcmp_ordered("<", x, _c(ty, low)), _c(ty, 0.0), value)
    value = b.select(b.fcmp_ordered(">", x, _c(ty, high)), _c(ty, float("inf")), value)
    return b.select(b.fcmp_unordered("uno", x, x), x, value)


def _exp(b, x):
    ty, w = x.type, _width(x.type)
    low, high = (-87.3, 88.3) if w == 32 else (-708.3, 709.0)
    y = _clamp(b, x, low, high)
    whole = _call(b, "rint", ty, b.fmul(y, _c(ty, _LOG2E)))
    f = _mad(b, whole, _c(ty, -_LN2_LOW[w]), _mad(b, whole, _c(ty, -_LN2_HIGH[w]), y))
    return _edges(b, x, _exp_from(b, x, whole, f), low, high)


def _exp2(b, x):
    ty, w = x.type, _width(x.type)
    low, high = (-126.0, 127.49) if w == 32 else (-1022.0, 1023.49)
    y = _clamp(b, x, low, high)
    whole = _call(b, "rint", ty, y)
    return _edges(b, x, _exp_from(b, x, whole, b.fmul(b.fsub(y, whole), _c(ty, _LN2))), low, high)


def _log_parts(b, x):
    """(k, log m) with x = 2**k * m and m near 1; x is positive and finite. Subnormals are scaled up first."""
    ty, it, w = x.type, _ints(x.type), _width(x.type)
    shift = _MANTISSA[w] + 1
    tiny = b.fcmp_ordered("<", x, _c(ty, 2.0 ** (2 - _BIAS[w])))
    x = b.select(tiny, b.fmul(x, _c(ty, 2.0**shift)), x)
    bits = b.bitcast(x, it)
    k = b.ashr(b.sub(bits, _c(it, _SQRT_HALF_BITS[w])), _c(it, _MANTISSA[w]))
    m = b.bitcast(b.sub(bits, b.shl(k, _c(it, _MANTISSA[w]))), ty)
    k = b.select(tiny, b.sub(k, _c(it, shift)), k)
    s = b.fdiv(b.fsub(m, _c(ty, 1.0)), b.fadd(m, _c(ty, 1.0)))
    z = b.fmul(s, s)
    return b.sitofp(k, ty), b.fadd(b.fadd(s, s), b.fmul(b.fmul(s, z), _horner(b, z, _LOG[w])))


def _log_edges(b, x, value):
    ty = x.type
    value = b.select(b.fcmp_ordered("==", x, _c(ty, 0.0)), _c(ty, -float("inf")), value)
    value = b.select(b.fcmp_ordered("==", x, _c(ty, float("inf"))), x, value)
    return b.select(b.fcmp_unordered("<", x, _c(ty, 0.0)), _c(ty, float("nan")), value)


def _log(b, x):
    ty, w = x.type, _width(x.type)
    k, part = _log_parts(b, x)
    return _log_edges(b, x, _mad(b, k, _c(ty, _LN2_HIGH[w]), _mad(b, k, _c(ty, _LN2_LOW[w]), part)))


def _log2(b, x):
    k, part = _log_parts(b, x)
    return _log_edges(b, x, _mad(b, part, _c(x.type, _LOG2E), k))


exp, exp2, log, log2 = (_unary(f) for f in (_exp, _exp2, _log, _log2))


def _frexp(b, x):
    """(mantissa, exponent) as C's frexp; 0, infinities and NaN keep exponent 0."""
    ty, it, w = x.type, _ints(x.type), _width(x.type)
    shift = _MANTISSA[w] + 1
    tiny = b.fcmp_ordered("<", _call(b, "fabs", ty, x), _c(ty, 2.0 ** (1 - _BIAS[w])))
    scaled = b.select(tiny, b.fmul(x, _c(ty, 2.0**shift)), x)
    bits = b.bitcast(scaled, it)
    field = _c(it, 2 * _BIAS[w] + 1)
    raw = b.and_(b.lshr(bits, _c(it, _MANTISSA[w])), field)
    e = b.sub(raw, _c(it, _BIAS[w] - 1))
    e = b.select(tiny, b.sub(e, _c(it, shift)), e)
    cleared = b.and_(bits, b.not_(b.shl(field, _c(it, _MANTISSA[w]))))
    m = b.bitcast(b.or_(cleared, b.shl(_c(it, _BIAS[w] - 1), _c(it, _MANTISSA[w]))), ty)
    special = b.or_(b.fcmp_ordered("==", x, _c(ty, 0.0)), b.icmp_signed("==", raw, field))
    return b.select(special, x, m), b.select(special, _c(it, 0), e)


mantissa = _unary(lambda b, x: _frexp(b, x)[0])
exponent = _unary(lambda b, x: _frexp(b, x)[1], result=_int_of)


@intrinsic
def ldexp(typing, m, e):
    """m * 2**e, in two factors so that neither overflows."""

    def generate(context, b, signature, args):
        m, e = args
        ty, it, limit = m.type, e.type, 2 * (_BIAS[_width(m.type)] - 1)
        e = b.select(b.icmp_signed(">", e, _c(it, limit)), _c(it, limit), e)
        e = b.select(b.icmp_signed("<", e, _c(it, -limit)), _c(it, -limit), e)
        half = b.ashr(e, _c(it, 1))
        return b.fmul(b.fmul(m, _power_of_two(b, half, ty)), _power_of_two(b, b.sub(e, half), ty))

    return m(m, e), generate
