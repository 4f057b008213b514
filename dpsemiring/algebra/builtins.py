"""The built-in semirings: each a few plain functions, made as a user would make his own."""

from __future__ import annotations

import math

from dpsemiring.algebra import ops
from dpsemiring.algebra.semiring import Semiring


def _plus(a, b, p):
    return a + b


Tropical = Semiring(
    "Tropical",
    math.inf,
    0.0,
    lambda terms, p: ops.min(terms),
    _plus,
    laws=("associative", "distributive", "identity", "annihilating"),
)
"""Hard minimum: the cost of the best path. Ties go to the first candidate (starts, then steps as declared)."""


def Softmin(gamma=1.0) -> Semiring:
    """Soft minimum ``-gamma log sum exp(-x / gamma)``: the Shannon-entropy regularised minimum.

    Parameters
    ----------
    gamma : float or Param
        Temperature, > 0; tends to the hard minimum as gamma tends to 0.

    Notes
    -----
    The only regularised minimum that is associative, so global and recursive forms agree.
    Source: Cuturi and Blondel, Soft-DTW, ICML 2017; Mensch and Blondel, ICML 2018.
    """

    def softmin(terms, p):
        least = ops.stop_gradient(ops.min(terms))
        return least - p.gamma * ops.log(ops.sum(ops.exp(-(terms - least) / p.gamma)))

    return Semiring(
        "Softmin",
        math.inf,
        0.0,
        softmin,
        _plus,
        {"gamma": gamma},
        laws=("associative", "distributive", "identity", "annihilating"),
        positive=("gamma",),
    )


def Sparsemin(gamma=1.0) -> Semiring:
    """Sparse minimum ``min over y of <y, x> + gamma/2 |y|^2 - gamma/2``: the Gini regularised minimum.

    Its gradient y is the projection of ``-x / gamma`` onto the simplex, so bad steps get exactly 0.

    Parameters
    ----------
    gamma : float or Param
        Temperature, > 0.

    Notes
    -----
    Not associative: the recursion over cells differs from the minimum over all paths, and everything that
    needs the two to agree refuses it by name. Source: Martins and Astudillo, ICML 2016; Mensch and Blondel, 2018.
    """

    def sparsemin(terms, p):
        least = ops.stop_gradient(ops.min(terms))
        x = terms - least
        y = ops.envelope(ops.simplex(-x / p.gamma))
        return least + ops.sum(y * ops.where(y > 0.0, x, 0.0)) + p.gamma * (0.5 * ops.sum(y * y) - 0.5)

    return Semiring(
        "Sparsemin",
        math.inf,
        0.0,
        sparsemin,
        _plus,
        {"gamma": gamma},
        laws=("distributive", "identity", "annihilating"),
        positive=("gamma",),
    )


Counting = Semiring(
    "Counting",
    0.0,
    1.0,
    lambda terms, p: ops.sum(terms),
    lambda a, b, p: a * b,
    encode=lambda w, p: 1.0,
    laws=("associative", "distributive", "identity", "annihilating"),
    derivative=False,
)
"""The number of paths: every step that exists counts 1. Exact up to 2**53 in float64."""
