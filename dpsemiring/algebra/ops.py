"""The functions that a semiring may be written with (`dp.ops`), beside Python's operators.

Scalars and axes mix as they do in NumPy: in ``terms - dp.ops.min(terms)`` the scalar is spread over the
terms. ``min max sum`` reduce along the terms; ``simplex sort cumsum`` keep one value for each.
"""

from __future__ import annotations

from dpsemiring.algebra.expr import make

__all__ = [
    "abs", "absolute", "binade", "cumsum", "derived_as", "envelope", "equal", "exp", "exp2", "exp2_below",
    "exp2_fraction", "floor", "fma", "frexp", "integer", "ldexp", "log", "log2", "max", "maximum", "min", "minimum",
    "nearest", "not_equal", "power_of_two", "real", "rint", "simplex", "sort", "sqrt", "stop_gradient", "sum", "tail",
    "where",
]  # fmt: skip


def _unary(op, doc):
    def function(x):
        return make(op, x)

    function.__name__ = function.__qualname__ = op
    function.__doc__ = doc
    return function


exp = _unary("exp", "e to the x.")
log = _unary("log", "Natural logarithm; log(0) = -inf.")
exp2 = _unary("exp2", "2 to the x.")
log2 = _unary("log2", "Logarithm to base 2; log2(0) = -inf.")
sqrt = _unary("sqrt", "Square root.")
floor = _unary("floor", "The greatest whole number below, as a real; its derivative is 0.")
rint = _unary("rint", "The nearest whole number, as a real; its derivative is 0.")
real = _unary("real", "An integer as a real number.")
integer = _unary("integer", "A real number cut to an integer (a binary exponent); constant under differentiation.")
absolute = _unary("abs", "Absolute value.")
min = _unary("reduce_min", "The least of the terms; its derivative goes to the first that attains it.")
max = _unary("reduce_max", "The greatest of the terms; its derivative goes to the first that attains it.")
sum = _unary("reduce_sum", "The ordinary sum over the terms.")
sort = _unary("sort", "The terms in rising order. After it, only sorted values belong together.")


def cumsum(x):
    """Running sum along sorted values (sort first: the sum of terms in declared order has no meaning of its own)."""
    if getattr(x, "axis", None) != "sorted":
        raise TypeError("dp.ops.cumsum runs along sorted values; call dp.ops.sort first")
    return make("cumsum", x)


def minimum(a, b):
    """The lesser of two numbers; ties: the first."""
    return make("minimum", a, b)


def maximum(a, b):
    """The greater of two numbers; ties: the first."""
    return make("maximum", a, b)


def where(condition, a, b):
    """a where the condition holds, otherwise b."""
    return make("where", condition, a, b)


def equal(a, b):
    """Condition a == b."""
    return make("eq", a, b)


def not_equal(a, b):
    """Condition a != b."""
    return make("ne", a, b)


def frexp(x):
    """(mantissa, exponent) with x = mantissa * 2**exponent, 1/2 <= |mantissa| < 1; the exponent is an integer."""
    return make("mantissa", x), make("exponent", x)


def ldexp(mantissa, exponent):
    """mantissa * 2**exponent; the exponent is an integer."""
    return make("ldexp", mantissa, exponent)


def derived_as(x, other):
    """x, whose derivative is that of another expression with the same value.

    For a value that is cheap to compute one way and to differentiate another: ``other`` is never computed, its derivative is.
    """
    return make("derived_as", x, other)


def fma(a, b, c):
    """a * b + c, rounded once."""
    return make("fma", a, b, c)


def tail(x):
    """What is lost where x, a number that all cells of an item share, is rounded to the kind of the cost.

    Such numbers are computed in float64. For float32 costs ``fma(w, tail(x), fma(w, x, -whole))`` knows x to some 48 bits; in
    float64, and in NumPy, the tail is 0. It is constant under differentiation: x takes the whole derivative.
    """
    return make("tail", x)


def exp2_fraction(x):
    """2 to the x for ``|x| <= 1/2``, a little beyond included; without the edges that `exp2` minds."""
    return make("exp2_fraction", x)


def exp2_below(exponent, most):
    """``2**(exponent - most)`` for integers, the first no greater than the second or little; exactly 0 where that is below the
    normal numbers."""
    return make("exp2_below", exponent, most)


def nearest(x):
    """The nearest whole number as an integer; x must fit one. Constant under differentiation."""
    return make("nearest", x)


def power_of_two(exponent):
    """2 to an integer within the range of normal numbers."""
    return make("power_of_two", exponent)


def binade(x):
    """The integer ``floor(log2(x))`` of x > 0; of 0 the one below all others, so that ``0 * power_of_two(-binade(0))`` is 0."""
    return make("binade", x)


def simplex(x):
    """The Euclidean projection of the terms onto the probability simplex: weights >= 0 that sum to 1."""
    return make("maximum", make("sub", x, make("threshold", x)), 0.0)


def stop_gradient(x):
    """x as a constant under differentiation, to all orders.

    For a shift on which the value does not depend: in ``m - g * log(sum(exp((m - terms) / g)))`` the
    derivatives through ``m = stop_gradient(min(terms))`` cancel, and are not worth computing.
    """
    return make("stop", x)


def envelope(y):
    """Marks y as the optimum of the value it stands in, whose derivative through y is therefore 0.

    In ``V(x) = F(x, y(x))`` with ``dF/dy = 0`` the derivative is ``dF/dx`` at ``y`` (the envelope theorem);
    inside that derivative y counts in full, so second derivatives are right too.
    """
    return make("envelope", y)


abs = absolute
