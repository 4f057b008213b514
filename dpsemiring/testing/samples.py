"""Semirings for tests of whatever takes one: some written as a user would write them, and one of each built-in."""

from __future__ import annotations

import math

from dpsemiring.algebra import ops
from dpsemiring.algebra.builtins import Boolean, Counting, Log, MaxPlus, Real, Smoothmin, Softmin, Sparsemin, Tropical
from dpsemiring.algebra.semiring import LAWS, Semiring
from dpsemiring.algebra.structured import Entropy, Expectation, KBest


def _plus(a, b, p):
    return a + b


def folded_scores() -> Semiring:
    """log sum exp of scores two at a time, by a loop over the terms."""

    def fold(terms, p):
        total = None
        for x in terms:
            if total is None:
                total = x
            else:
                most = ops.stop_gradient(ops.maximum(total, x))
                total = most + ops.log(ops.exp(total - most) + ops.exp(x - most))
        return total

    return Semiring("folded_scores", -math.inf, 0.0, fold, _plus, laws=LAWS, forbid=-math.inf)


def mantissa_exponent(gamma=1.0) -> Semiring:
    """The soft minimum on pairs: exp(-x / gamma) as a mantissa and a binary exponent, without a logarithm until the end.

    A number has one pair: its mantissa lies in [1/2, 1). Else ``times(a, one)`` would be another pair than a, with other
    derivatives.
    """

    def encode(w, p):
        powers = w * (-1.0 / math.log(2.0)) / p.gamma
        whole = ops.rint(powers)
        mantissa, exponent = ops.frexp(ops.exp2(powers - ops.stop_gradient(whole)))
        return mantissa, exponent + ops.integer(whole)

    def total(terms, p):
        mantissas, exponents = terms
        most = ops.max(exponents)
        mantissa, exponent = ops.frexp(ops.sum(ops.ldexp(mantissas, exponents - most)))
        return mantissa, exponent + most

    def times(a, b, p):
        mantissa, exponent = ops.frexp(a[0] * b[0])
        return mantissa, exponent + a[1] + b[1]

    def decode(x, p):
        return -p.gamma * (ops.log(x[0]) + math.log(2.0) * ops.real(x[1]))

    return Semiring(
        "mantissa_exponent", (0.0, 0), (0.5, 1), total, times, {"gamma": gamma}, carrier=("mantissa", "exponent"),
        encode=encode, decode=decode, laws=LAWS, positive=("gamma",),
    )  # fmt: skip


def expected_cost() -> Semiring:
    """Pairs (p, r): the log-free probability weight exp(-w) and that weight times the cost; decodes the mean path cost."""

    def encode(w, p):
        weight = ops.exp(-w)
        return weight, weight * w

    def total(terms, p):
        return ops.sum(terms[0]), ops.sum(terms[1])

    def times(a, b, p):
        return a[0] * b[0], a[0] * b[1] + a[1] * b[0]

    def decode(x, p):
        return {"mean": x[1] / x[0], "mass": x[0]}

    return Semiring(
        "expected_cost", (0.0, 0.0), (1.0, 0.0), total, times, carrier=("weight", "weighted"), encode=encode,
        decode=decode, laws=LAWS,
    )  # fmt: skip


def tsallis(gamma=1.0) -> Semiring:
    """The minimum regularised by the Tsallis entropy of order 3/2, by sorting: between softmin and sparsemin.

    ``min over y of <y, x> + gamma * 4/3 * sum(y^1.5 - y)``, with ``y = max(-x / (2 gamma) - tau, 0)^2``.
    Source: Peters, Niculae and Martins, Sparse sequence-to-sequence models, ACL 2019 (1.5-entmax).
    """

    def minimum(terms, p):
        least = ops.stop_gradient(ops.min(terms))
        x = terms - least
        z = -x / (2.0 * p.gamma)
        falling = -ops.sort(-z)
        rank = ops.cumsum(falling * 0.0 + 1.0)
        mean = ops.cumsum(falling) / rank
        spread = ops.cumsum(falling * falling) - rank * mean * mean
        tau = mean - ops.sqrt(ops.maximum((1.0 - spread) / rank, 0.0))
        tau = ops.max(ops.where(tau <= falling, tau, -math.inf))
        root = ops.envelope(ops.maximum(z - tau, 0.0))
        return least + ops.sum(root * root * x) + p.gamma * (4.0 / 3.0) * (ops.sum(root * root * root) - 1.0)

    return Semiring(
        "tsallis", math.inf, 0.0, minimum, _plus, {"gamma": gamma}, laws=("distributive", "identity", "annihilating"),
        positive=("gamma",),
    )  # fmt: skip


def every(gamma=0.7) -> tuple[Semiring, ...]:
    """One of each of the above, and the other forms of those that the library brings."""
    return folded_scores(), mantissa_exponent(gamma), expected_cost(), tsallis(gamma), *Softmin(gamma).forms, *Log.forms


def built_in(gamma=0.7) -> tuple[Semiring, ...]:
    """One of each that the library brings."""
    soft = (make(gamma) for make in (Softmin, Sparsemin, Smoothmin, Entropy, Expectation))
    return Tropical, MaxPlus, Log, Real, Counting, Boolean, KBest(3), *soft
