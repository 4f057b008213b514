"""A semiring on plain numbers: the traced functions evaluated one value at a time, in float64.

Slow and obvious: the oracle, the enumeration of paths and the law checker work with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import INT, Node, value_of
from dpsemiring.algebra.semiring import Semiring

Number = tuple[float, ...]
Paid = float | tuple[float, ...]
"""What a step pays: a number; with its tangent, where the semiring is a dual."""


class Numbers:
    """The operations of a semiring for given parameter values. A value is a tuple, one number a component."""

    def __init__(self, semiring: Semiring, params: Mapping[str, float] | None = None):
        self.semiring, self.trace = semiring, semiring.trace
        values = {**semiring.params, **(params or {})}
        self.params = {leaf: values[name] for name, leaf in self.trace.params.items()}
        self.zero = tuple(value_of(z) for z in self.trace.zero)
        self.one = tuple(value_of(o) for o in self.trace.one)

    def encode(self, w: Paid) -> Number:
        return self._value(self.trace.encode, self._paid(w))

    def decode(self, x: Number) -> dict[str, float]:
        t = self.trace
        values = evaluate(list(t.decode.values()), dict(zip(t.x, x)) | self.params)
        return {name: float(v) for name, v in zip(t.decode, values)}

    def times(self, a: Number, b: Number) -> Number:
        t = self.trace
        return self._value(t.times, dict(zip(t.a + t.b, a + b)))

    def is_zero(self, value: Number) -> bool:
        telling = self.trace.telling
        return value[:telling] == self.zero[:telling]

    def step(self, source: Number | None, w: Paid | None) -> Number:
        """The candidate times(source, encode(w)); `source` None is a start, `w` None a step that pays nothing."""
        if w is not None and self._paid(w)[self.trace.w[0]] == self.semiring.forbid:
            return self.zero
        if source is not None and self.is_zero(source):
            return self.zero
        paid = self.one if w is None else self.encode(w)
        return paid if source is None else self.times(source, paid)

    def live(self, value: Number) -> bool:
        """Whether anything flows to the candidate of a step that exists and is allowed."""
        return self.trace.adds or not self.is_zero(value)

    def sum(self, values: Sequence[Number]) -> Number:
        """The n-ary sum, in the order given; zeros are dropped first."""
        t = self.trace
        values = [v for v in values if not self.is_zero(v)]
        if not values:
            return self.zero
        if t.sum is not None:
            return self._value(t.sum, self.columns(t.terms, values))
        acc = values[0]
        for v in values[1:]:
            acc = self._value(t.fold, dict(zip(t.a + t.b, acc + v)))
        return acc

    def sum_flows(self, values: Sequence[Number], bars: Sequence[float]) -> tuple[np.ndarray, dict[str, float]]:
        """d / d values of the sum, contracted with bars: an array (terms, components); and d / d params."""
        t = self.trace
        out = np.zeros((len(values), len(t.kinds)))
        present = [i for i, v in enumerate(values) if self.live(v)]
        if not present:
            return out, dict.fromkeys(t.params, 0.0)
        kept = [values[i] for i in present]
        if t.sum is None:
            return self._fold_flows(out, present, kept, bars)
        to_terms, to_params = t.sum_backward
        leaves = self.columns(t.terms, kept) | dict(zip(t.bars, bars)) | self.params
        for c, f in enumerate(to_terms):
            if f is not None:
                out[present, c] = evaluate([f], leaves)[0]
        return out, {n: 0.0 if f is None else float(evaluate([f], leaves)[0]) for n, f in to_params.items()}

    def times_flows(self, a: Number, b: Number, bars: Sequence[float]) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
        """What flows to a, to b and to the parameters from bars at times(a, b)."""
        t = self.trace
        return self._flows(t.times, (t.a, t.b), dict(zip(t.a + t.b, a + b)), bars)

    def encode_flows(self, w: Paid, bars: Sequence[float]) -> tuple[np.ndarray, dict[str, float]]:
        """What flows to the real number w (and to its tangent) and to the parameters from bars at encode(w)."""
        t = self.trace
        return self._flows(t.encode, (t.w,), self._paid(w), bars)

    def decode_flows(self, x: Number, output: str | None = None) -> tuple[np.ndarray, dict[str, float]]:
        """d output (the first, unless named) / d x, and / d parameters; 0 where it is no number at the zero."""
        t = self.trace
        root = t.decode[output or next(iter(t.decode))]
        to_x, to_params = self._flows((root,), (t.x,), dict(zip(t.x, x)), (1.0,))
        if self.is_zero(x):
            return np.where(np.isfinite(to_x), to_x, 0.0), dict.fromkeys(to_params, 0.0)
        return to_x, to_params

    def _flows(self, roots, groups, leaves, bars):
        t = self.trace
        leaves = leaves | dict(zip(t.bars, bars)) | self.params
        wanted = [leaf for group in groups for leaf in group] + list(t.params.values())
        flows = vjp(list(zip(roots, t.bars)), wanted)
        known = iter(evaluate([f for f in flows if f is not None], leaves))
        values = [0.0 if f is None else float(next(known)) for f in flows]
        out, at = [], 0
        for group in groups:
            out.append(np.array(values[at : at + len(group)]))
            at += len(group)
        return (*out, dict(zip(t.params, values[at:])))

    def _fold_flows(self, out, present, kept, bars):
        t = self.trace
        partial = [kept[0]]
        for v in kept[1:]:
            partial.append(self._value(t.fold, dict(zip(t.a + t.b, partial[-1] + v))))
        params = dict.fromkeys(t.params, 0.0)
        bars = np.asarray(bars, float)
        for i in range(len(kept) - 1, 0, -1):
            leaves = dict(zip(t.a + t.b, partial[i - 1] + kept[i]))
            to_a, out[present[i]], to_params = self._flows(t.fold, (t.a, t.b), leaves, bars)
            params = {n: params[n] + to_params[n] for n in params}
            bars = to_a
        out[present[0]] = bars
        return out, params

    def columns(self, leaves: Sequence[Node], values: Sequence[Number]) -> dict[Node, np.ndarray]:
        """An array over the values for each leaf, which stands for a component."""
        dtypes = [np.int64 if k == INT else np.float64 for k in self.trace.kinds]
        return {leaf: np.array([v[i] for v in values], dtypes[i]) for i, leaf in enumerate(leaves)}

    def _paid(self, w: Paid) -> dict[Node, float]:
        return dict(zip(self.trace.w, w if isinstance(w, tuple) else (w,)))

    def _value(self, roots, leaves) -> Number:
        values = evaluate(list(roots), leaves | self.params)
        return tuple(int(v) if k == INT else float(v) for v, k in zip(values, self.trace.kinds))
