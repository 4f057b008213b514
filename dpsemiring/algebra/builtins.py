"""The built-in semirings: each a few plain functions, made as a user would make his own.

Here the minima and maxima, and the sums of plain numbers; `structured` has those whose carrier has several components.
"""

from __future__ import annotations

import math

from dpsemiring.algebra import ops
from dpsemiring.algebra.exponentials import exponentials
from dpsemiring.algebra.semiring import LAWS, Semiring

GENERALISED = ("distributive", "identity", "annihilating")


def plus(a, b, p):
    """The product of all that is a minimum or a maximum."""
    return a + b


def logsumexp(x):
    """log sum exp over the terms, safe from overflow."""
    most = ops.stop_gradient(ops.max(x))
    return most + ops.log(ops.sum(ops.exp(x - most)))


# --- hard -------------------------------------------------------------------------------------------

Tropical = Semiring("Tropical", math.inf, 0.0, lambda terms, p: ops.min(terms), plus, laws=LAWS)
"""Hard minimum: the cost of the best path. Ties go to the first candidate (starts, then steps as declared)."""

MaxPlus = Semiring("MaxPlus", -math.inf, 0.0, lambda terms, p: ops.max(terms), plus, laws=LAWS, forbid=-math.inf)
"""Hard maximum of scores: the score of the best path. -inf forbids; penalties are added as they stand; ties as in Tropical."""


# --- soft -------------------------------------------------------------------------------------------


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

    given = {"gamma": gamma}
    pairs = exponentials("Softmin", lambda p: -1.0 / p.gamma, given, positive=("gamma",))
    return Semiring("Softmin", math.inf, 0.0, softmin, plus, given, laws=LAWS, positive=("gamma",), forms=(pairs,))


Log = Semiring(
    "Log", -math.inf, 0.0, lambda terms, p: logsumexp(terms), plus, laws=LAWS, forbid=-math.inf,
    forms=(exponentials("Log", lambda p: 1.0, {}, forbid=-math.inf),),
)  # fmt: skip
"""log sum exp of scores, such as log-probabilities: the log of the sum over all paths of their products. -inf forbids."""


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

    return Semiring("Sparsemin", math.inf, 0.0, sparsemin, plus, {"gamma": gamma}, laws=GENERALISED, positive=("gamma",))


def Smoothmin(gamma=1.0) -> Semiring:
    """Smooth minimum ``sum x_i softmax(-x / gamma)_i``: the mean of the candidates under their own Gibbs weights.

    Parameters
    ----------
    gamma : float or Param
        Temperature, > 0; tends to the hard minimum as gamma tends to 0.

    Notes
    -----
    No regularised minimum: its derivative ``y_i (1 - (x_i - V) / gamma)``, where y are the weights and V the value, sums
    to 1 but may be negative, so the marginals are a signed measure. Not associative, not monotone, not concave.
    Source: the Boltzmann operator; Asadi and Littman, ICML 2017.
    """

    def smoothmin(terms, p):
        least = ops.stop_gradient(ops.min(terms))
        x = terms - least
        y = ops.exp(-x / p.gamma)
        return least + ops.sum(y * x) / ops.sum(y)

    return Semiring("Smoothmin", math.inf, 0.0, smoothmin, plus, {"gamma": gamma}, laws=GENERALISED, positive=("gamma",))


# --- plain numbers ----------------------------------------------------------------------------------

Real = Semiring("Real", 0.0, 1.0, lambda terms, p: ops.sum(terms), lambda a, b, p: a * b, laws=LAWS)
"""Sums of products of the numbers themselves, which may be negative. 0 brings nothing; +inf forbids."""

Counting = Semiring(
    "Counting",
    0.0,
    1.0,
    lambda terms, p: ops.sum(terms),
    lambda a, b, p: a * b,
    encode=lambda w, p: 1.0,
    laws=LAWS,
    derivative=False,
)
"""The number of paths: every step that exists counts 1. Exact up to 2**53 in float64, 2**24 in float32.

Beyond 1e308, for float32 costs 3e38, it is +inf: 60 rows and columns have 1e44 DTW paths, so count in float64."""

Boolean = Semiring(
    "Boolean",
    0.0,
    1.0,
    lambda terms, p: ops.max(terms),
    lambda a, b, p: ops.minimum(a, b),
    encode=lambda w, p: 1.0,
    laws=LAWS,
    derivative=False,
)
"""Whether there is a path: 1 or 0. `result.path` is the first, by the order of candidates."""
