"""How likely each candidate of a sum is: what a walk back along random paths needs to know of a semiring.

Suppose there are weights u >= 0 with ``u(sum(a, b)) = u(a) + u(b)`` and ``u(times(a, b)) = u(a) u(b)``. Then the paths
have the distribution ``u(path) / sum of u``, and of all that enters a cell a candidate x is taken with the probability
``u(x) / sum of u``, whatever follows. u need not be known. Let every candidate pay a further number: the derivative of

    decode( sum( times(x_1, encode(w_1)), times(x_2, encode(w_2)), ... ) )    by w_i, all at the same w,

is that of f(sum of u(x_i) u(encode(w_i))) for some f, hence u(x_i) times what all candidates share. Divided by its sum it
is the probability. Under a soft minimum it is the flow to a translation of the candidate, the softmax; for products of
plain numbers the number's own share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.numbers import Number, Numbers
from dpsemiring.algebra.semiring import Semiring

PAYING = (0.0, 1.0)  # numbers at which the derivative is tried: `encode` may be singular at one of them
TOLERANCE = 1e-6


def refusal(semiring: Semiring) -> str | None:
    """Why a semiring has no distribution over paths, as far as its functions and stated laws tell; None if it may."""
    for law in ("associative", "distributive"):
        if not semiring.has(law):
            return f"{semiring.name} does not state the law {law!r}, without which its recursion is no distribution over paths"
    if semiring.trace.selects or semiring.trace.ranks:
        return f"the sum of {semiring.name} takes the best of its candidates, so there is nothing to draw; see result.path"
    return None


class Posterior:
    """The probabilities of candidates, for a semiring with given parameter values."""

    def __init__(self, numbers: Numbers):
        self.numbers, self.trace = numbers, numbers.trace
        self._how = self._found()

    def shares(self, values: Sequence[Number]) -> np.ndarray:
        """The probability of each of the values in their sum; at least one is not the zero.

        Raises
        ------
        ValueError
            If a share is negative, as sums of negative numbers have them.
        """
        found = self._unscaled(values, *self._how)
        found = found / found.sum()
        if not (found >= 0).all():
            raise ValueError(f"a candidate has the share {found.min():g} of its sum, which is no probability")
        return found

    def _unscaled(self, values, output, w):
        t, numbers = self.trace, self.numbers
        if output is None:
            return np.array([v[0] for v in values])
        paid = numbers.encode(w)
        candidates = [numbers.times(v, paid) for v in values]
        bars, _ = numbers.decode_flows(numbers.sum(candidates), output)
        flows, _ = numbers.sum_flows(candidates, bars)
        leaves = numbers.columns(t.a, values) | dict(zip(t.b, paid)) | dict(zip(t.bars, flows.T)) | numbers.params
        to_paid = _flows(t.times, t.bars, t.b, leaves)
        leaves = {t.w[0]: w} | dict(zip(t.bars, to_paid)) | numbers.params
        (to_w,) = _flows(t.encode, t.bars, t.w, leaves)
        return np.where([not numbers.is_zero(v) for v in values], to_w, 0.0)

    def _found(self):
        """Which output to differentiate, and where: the first that behaves as weights of paths do."""
        if self.trace.adds and len(self.trace.kinds) == 1:
            return None, None  # the numbers are the weights
        for output in self.trace.decode:
            for w in PAYING:
                if self._behaves(output, w):
                    return output, w
        raise TypeError(
            f"{self.numbers.semiring.name} has no weights of paths: no output of it has a derivative that is a product of "
            "shares along a path; dp.Softmin has one"
        )

    def _behaves(self, output, w) -> bool:
        """Whether shares are probabilities, multiply as sums are nested, and do not change in products, on a sample."""
        s = self.numbers
        scale = min((s.params[leaf] for n, leaf in self.trace.params.items() if n in s.semiring.positive), default=1.0)
        a, b, c, d = (s.encode(float(scale * x)) for x in (0.3, 1.1, 0.8, 0.5))
        found = []
        for values in ([a, b, c], [a, b], [s.sum([a, b]), c], [s.times(a, d), s.times(b, d)]):
            shares = self._unscaled(values, output, w)
            if not np.isfinite(shares).all() or not abs(shares.sum()) > 0:
                return False
            found.append(shares / shares.sum())
        three, two, nested, multiplied = found
        wanted = np.append(two * nested[0], nested[1])
        alike = np.allclose(three, wanted, rtol=TOLERANCE, atol=0.0) and np.allclose(two, multiplied, rtol=TOLERANCE, atol=0.0)
        return alike and bool((three > 0).all())


def _flows(roots, bars, wanted, leaves):
    return [0.0 if f is None else evaluate([f], leaves)[0] for f in vjp(list(zip(roots, bars)), list(wanted))]
