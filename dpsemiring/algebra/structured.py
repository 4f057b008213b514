"""Built-in semirings whose carrier has several components: the entropy of the paths, and the k best of them."""

from __future__ import annotations

import math

from dpsemiring.algebra import ops
from dpsemiring.algebra.semiring import LAWS, Semiring


def Entropy(gamma=1.0) -> Semiring:
    """Soft minimum V of the path costs, and the entropy H of the distribution ``exp((V - cost) / gamma)`` over paths.

    Outputs: ``total`` (V), ``entropy`` (H, in nats), ``expected`` (the mean cost of a path, ``V + gamma H``).

    Parameters
    ----------
    gamma : float or Param
        Temperature, > 0.

    Notes
    -----
    Pairs (V, H), V as in `Softmin`; by the chain rule of entropy a sum of candidates with the weights q has
    ``H = sum q (H_i - log q)``, a sum of numbers >= 0, so that nothing cancels. ``dV / dgamma = -H``. Without a path
    V is +inf and H is 0. Derivatives are those of V; `Expectation` has those of the mean.
    Source: Li and Eisner, First- and second-order expectation semirings, EMNLP 2009, in the log domain.
    """

    def decode(x, p):
        return {"total": x[0], "entropy": x[1], "expected": x[0] + p.gamma * x[1]}

    return _gibbs("Entropy", gamma, decode)


def Expectation(gamma=1.0) -> Semiring:
    """The mean cost of a path under ``exp(-cost / gamma)``: `Entropy` with the mean as the total that is differentiated.

    Outputs: ``total`` (the mean ``V + gamma H``), ``softmin`` (V), ``entropy`` (H).

    Parameters
    ----------
    gamma : float or Param
        Temperature, > 0.

    Notes
    -----
    The derivative of a mean is a covariance: `marginals` is a signed measure. In contrast to `Smoothmin` the mean is that
    over whole paths.
    """

    def decode(x, p):
        return {"total": x[0] + p.gamma * x[1], "softmin": x[0], "entropy": x[1]}

    return _gibbs("Expectation", gamma, decode)


def _gibbs(name, gamma, decode) -> Semiring:
    def total(terms, p):
        x, h = terms
        least = ops.stop_gradient(ops.min(x))
        y = ops.exp(-(x - least) / p.gamma)
        mass = ops.sum(y)
        value = least - p.gamma * ops.log(mass)
        return value, ops.sum(y * (h + (x - value) / p.gamma)) / mass

    def times(a, b, p):
        x = a[0] + b[0]
        return x, ops.where(x < math.inf, a[1] + b[1], 0.0)

    return Semiring(
        name,
        (math.inf, 0.0),
        (0.0, 0.0),
        total,
        times,
        {"gamma": gamma},
        carrier=("x", "entropy"),
        encode=lambda w, p: (w, 0.0),
        decode=decode,
        laws=LAWS,
        positive=("gamma",),
    )


def KBest(k: int) -> Semiring:
    """The k smallest path costs. `result.paths` are the paths, best first.

    Outputs: ``total`` (the smallest), ``cost_2`` ... ``cost_k``. Distinct paths of equal cost count separately, in the
    order of candidates; where there are fewer than k paths the other costs are +inf.

    Parameters
    ----------
    k : int
        >= 2. Work and compile time grow as k squared.

    Notes
    -----
    The carrier is a rising list of k costs; the sum merges lists, the product adds every pair and keeps the k smallest.
    Both insert number by number, by compare and exchange, so that ties keep the order of candidates.
    Derivatives are those of the smallest.
    """
    if not isinstance(k, int) or isinstance(k, bool) or k < 2:
        raise ValueError(f"KBest: k is a whole number >= 2 (dp.Tropical gives the best alone), found {k!r}")

    def total(terms, p):
        first, *others = zip(*terms)
        for other in others:
            first = _merged(first, other)
        return tuple(first)

    def times(a, b, p):
        out = [x + b[0] for x in a]
        for j in range(1, k):  # the j-th of b with the i-th of a comes after (i + 1) (j + 1) - 1 others
            more = _merged(out, [x + b[j] for x in a[: k // (j + 1)]])
            out = [ops.where(b[j] < math.inf, m, x) for m, x in zip(more, out)]
        return tuple(out)

    missing = (math.inf,) * (k - 1)
    return Semiring(
        f"KBest({k})",
        (math.inf, *missing),
        (0.0, *missing),
        total,
        times,
        carrier=tuple(f"x{i}" for i in range(k)),
        encode=lambda w, p: (w, *missing),
        decode=lambda x, p: {"total": x[0], **{f"cost_{i}": c for i, c in enumerate(x[1:], start=2)}},
        laws=LAWS,
    )


def _merged(a, b):
    """The len(a) smallest of two rising lists, rising; of equals those of a come first."""
    out = list(a)
    for j, x in enumerate(b):  # b[j] has j of b before it
        for i in range(j, len(out)):
            out[i], x = ops.minimum(out[i], x), ops.maximum(x, out[i])
    return out
