"""Sums of exponentials on pairs: a mantissa and a binary exponent, for a log semiring without a logarithm in any cell.

    exp(rate w) = mantissa * 2**exponent,    decode = log(mantissa * 2**exponent) / rate

Encoding costs one power of two, a sum shifts and adds. A float32 mantissa keeps its 24 bits however large the accumulated
cost is, where a float32 logarithm of 1e5 has lost all but seven binary places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from dpsemiring.algebra import ops
from dpsemiring.algebra.semiring import LAWS, Semiring

LN2 = math.log(2.0)
NOWHERE = -(10**9)
"""The exponent of the zero, whose mantissa 0 alone tells it: neutral in a maximum, however far it drifts along a path."""
STEP, PATH, LENGTH = 2.0**20, 2.0**28, 2.0**22
"""The greatest exponent of one step, for which float32 still knows the fraction; that of a path, far above the zero's; and
the most cells of a path. A zero may lose 127 in each of them, and its distance to any other number stays within 32 bits."""


def exponentials(name: str, rate: Callable, params: Mapping[str, object], positive=(), forbid: float = math.inf) -> Semiring:
    """The semiring of ``log(sum of exp(rate x)) / rate`` on pairs; `rate` is a function of the parameters.

    Notes
    -----
    A sum brings its mantissa back to [1, 2); a product does not, so that a chain of a thousand products without a sum
    between them may run out of range. Exponents are locally constant: the derivative by a mantissa is that of the decoded value
    by the number, at the scale of the exponent. The argument of the power of two is reduced with the rate's two parts, by
    multiply-adds, so that its fraction is known to the last bit.
    """

    def encode(w, p):
        digits = rate(p) * (1.0 / LN2)
        whole = w * digits
        fraction = ops.fma(ops.stop_gradient(w), ops.tail(digits), ops.fma(w, digits, -ops.rint(whole)))
        return ops.exp2_fraction(fraction), ops.nearest(whole)

    def total(terms, p):
        mantissas, exponents = terms
        most = ops.max(exponents)
        mantissa = ops.sum(mantissas * ops.exp2_below(exponents, most))
        more = ops.binade(mantissa)
        exponent = most + more
        at_once = ops.sum(mantissas * ops.exp2_below(exponents, exponent))
        return ops.derived_as(mantissa * ops.power_of_two(-more), at_once), exponent

    def times(a, b, p):
        return a[0] * b[0], a[1] + b[1]

    def decode(x, p):
        return (ops.log(x[0]) + LN2 * ops.real(x[1])) / rate(p)

    def limits(p):
        unit = abs(LN2 / rate(p))
        return STEP * unit, PATH * unit, LENGTH

    return Semiring(
        f"{name} on mantissas and exponents", (0.0, NOWHERE), (1.0, 0), total, times, params, carrier=("mantissa", "exponent"),
        encode=encode, decode=decode, laws=LAWS, positive=positive, forbid=forbid, tells=("mantissa",), limits=limits,
    )  # fmt: skip
