"""Elementary functions of LLVM values, scalars and vectors alike: exp, log, and numbers taken apart.

Minimax polynomials, fitted for this file: exp(f) = 1 + f P(f) for |f| <= ln 2 / 2, and
log(m) = 2 s + s^3 Q(s^2), s = (m - 1) / (m + 1), for m within sqrt(1/2) .. sqrt(2).
"""

from __future__ import annotations

from dpsemiring.run.cpu.lanes import constant, floats, ints, overloaded, width

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
    return overloaded(b, "fmuladd", x.type, x, y, z)


def _horner(b, x, coefficients):
    result = constant(x.type, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = _mad(b, result, x, constant(x.type, c))
    return result


def clamp(b, x, low, high):
    x = b.select(b.fcmp_ordered(">", x, constant(x.type, low)), x, constant(x.type, low))  # NaN becomes `low`
    return b.select(b.fcmp_ordered("<", x, constant(x.type, high)), x, constant(x.type, high))


def _power_of_two(b, e, ty):
    """2**e for integers within the exponent range."""
    w = width(ty)
    return b.bitcast(b.shl(b.add(e, constant(e.type, _BIAS[w])), constant(e.type, _MANTISSA[w])), ty)


def _exp_from(b, x, whole, f):
    """2**whole * exp(f), with 0, inf and NaN for x beyond the range in `limits`."""
    ty, w = x.type, width(x.type)
    p = b.fadd(b.fmul(f, _horner(b, f, _EXP[w])), constant(ty, 1.0))
    return b.fmul(p, _power_of_two(b, b.fptosi(whole, ints(ty)), ty))


def _edges(b, x, value, low, high):
    ty = x.type
    value = b.select(b.fcmp_ordered("<", x, constant(ty, low)), constant(ty, 0.0), value)
    value = b.select(b.fcmp_ordered(">", x, constant(ty, high)), constant(ty, float("inf")), value)
    return b.select(b.fcmp_unordered("uno", x, x), x, value)


def exp(b, x):
    ty, w = x.type, width(x.type)
    low, high = (-87.3, 88.3) if w == 32 else (-708.3, 709.0)
    y = clamp(b, x, low, high)
    whole = overloaded(b, "rint", ty, b.fmul(y, constant(ty, _LOG2E)))
    f = _mad(b, whole, constant(ty, -_LN2_LOW[w]), _mad(b, whole, constant(ty, -_LN2_HIGH[w]), y))
    return _edges(b, x, _exp_from(b, x, whole, f), low, high)


def exp2(b, x):
    ty, w = x.type, width(x.type)
    low, high = (-126.0, 127.49) if w == 32 else (-1022.0, 1023.49)
    y = clamp(b, x, low, high)
    whole = overloaded(b, "rint", ty, y)
    return _edges(b, x, _exp_from(b, x, whole, b.fmul(b.fsub(y, whole), constant(ty, _LN2))), low, high)


def fma(b, x, y, z):
    return overloaded(b, "fma", x.type, x, y, z)


def exp2_fraction(b, x):
    """2**x for |x| <= 1/2 or little more, without edges: the polynomial of exp, its coefficients scaled."""
    coefficients = [c * _LN2 ** (j + 1) for j, c in enumerate(_EXP[width(x.type)])]
    return _mad(b, x, _horner(b, x, coefficients), constant(x.type, 1.0))


def power_of_two(b, e):
    return _power_of_two(b, e, floats(e.type))


def exp2_below(b, e, most):
    """2**(e - most), 0 below the normal numbers: a biased exponent of 0 is the number 0."""
    it, ty = e.type, floats(e.type)
    w = width(ty)
    biased = b.add(b.sub(constant(it, _BIAS[w]), most), e)
    biased = b.select(b.icmp_signed(">", biased, constant(it, 0)), biased, constant(it, 0))
    return b.bitcast(b.shl(biased, constant(it, _MANTISSA[w])), ty)


def binade(b, x):
    """The exponent of x >= 0; that of 0 is the one below all normal numbers."""
    it, w = ints(x.type), width(x.type)
    return b.sub(b.lshr(b.bitcast(x, it), constant(it, _MANTISSA[w])), constant(it, _BIAS[w]))


def _log_parts(b, x):
    """(k, log m) with x = 2**k * m and m near 1; x is positive and finite. Subnormals are scaled up first."""
    ty, it, w = x.type, ints(x.type), width(x.type)
    shift = _MANTISSA[w] + 1
    tiny = b.fcmp_ordered("<", x, constant(ty, 2.0 ** (2 - _BIAS[w])))
    x = b.select(tiny, b.fmul(x, constant(ty, 2.0**shift)), x)
    bits = b.bitcast(x, it)
    k = b.ashr(b.sub(bits, constant(it, _SQRT_HALF_BITS[w])), constant(it, _MANTISSA[w]))
    m = b.bitcast(b.sub(bits, b.shl(k, constant(it, _MANTISSA[w]))), ty)
    k = b.select(tiny, b.sub(k, constant(it, shift)), k)
    s = b.fdiv(b.fsub(m, constant(ty, 1.0)), b.fadd(m, constant(ty, 1.0)))
    z = b.fmul(s, s)
    return b.sitofp(k, ty), b.fadd(b.fadd(s, s), b.fmul(b.fmul(s, z), _horner(b, z, _LOG[w])))


def _log_edges(b, x, value):
    ty = x.type
    value = b.select(b.fcmp_ordered("==", x, constant(ty, 0.0)), constant(ty, -float("inf")), value)
    value = b.select(b.fcmp_ordered("==", x, constant(ty, float("inf"))), x, value)
    return b.select(b.fcmp_unordered("<", x, constant(ty, 0.0)), constant(ty, float("nan")), value)


def log(b, x):
    ty, w = x.type, width(x.type)
    k, part = _log_parts(b, x)
    return _log_edges(b, x, _mad(b, k, constant(ty, _LN2_HIGH[w]), _mad(b, k, constant(ty, _LN2_LOW[w]), part)))


def log2(b, x):
    k, part = _log_parts(b, x)
    return _log_edges(b, x, _mad(b, part, constant(x.type, _LOG2E), k))


def _frexp(b, x):
    """(mantissa, exponent) as C's frexp; 0, infinities and NaN keep exponent 0."""
    ty, it, w = x.type, ints(x.type), width(x.type)
    shift = _MANTISSA[w] + 1
    tiny = b.fcmp_ordered("<", overloaded(b, "fabs", ty, x), constant(ty, 2.0 ** (1 - _BIAS[w])))
    scaled = b.select(tiny, b.fmul(x, constant(ty, 2.0**shift)), x)
    bits = b.bitcast(scaled, it)
    field = constant(it, 2 * _BIAS[w] + 1)
    raw = b.and_(b.lshr(bits, constant(it, _MANTISSA[w])), field)
    e = b.sub(raw, constant(it, _BIAS[w] - 1))
    e = b.select(tiny, b.sub(e, constant(it, shift)), e)
    cleared = b.and_(bits, b.not_(b.shl(field, constant(it, _MANTISSA[w]))))
    m = b.bitcast(b.or_(cleared, b.shl(constant(it, _BIAS[w] - 1), constant(it, _MANTISSA[w]))), ty)
    special = b.or_(b.fcmp_ordered("==", x, constant(ty, 0.0)), b.icmp_signed("==", raw, field))
    return b.select(special, x, m), b.select(special, constant(it, 0), e)


def mantissa(b, x):
    return _frexp(b, x)[0]


def exponent(b, x):
    return _frexp(b, x)[1]


def ldexp(b, m, e):
    """m * 2**e, in two factors so that neither overflows."""
    ty, it, limit = m.type, e.type, 2 * (_BIAS[width(m.type)] - 1)
    e = b.select(b.icmp_signed(">", e, constant(it, limit)), constant(it, limit), e)
    e = b.select(b.icmp_signed("<", e, constant(it, -limit)), constant(it, -limit), e)
    half = b.ashr(e, constant(it, 1))
    return b.fmul(b.fmul(m, _power_of_two(b, half, ty)), _power_of_two(b, b.sub(e, half), ty))
