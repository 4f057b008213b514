"""A semiring's operations applied to graphs: candidates, their n-ary sum, and what flows back through both."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from dpsemiring.algebra import ranges
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import Node, const, make, postorder, substitute, value_of, var
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.algebra.trace import Trace
from dpsemiring.algebra.unroll import NEUTRAL, any_of, unroll

Value = tuple[Node, ...]


def guarded(condition: Node, value: Sequence[Node], other: Sequence[Node]) -> Value:
    """The value where the condition holds, the other elsewhere."""
    return tuple(make("where", condition, v, o) for v, o in zip(value, other))


def present(trace: Trace, value: Value) -> Node:
    """Whether a value differs from the semiring's zero."""
    return any_of([make("ne", v, z) for v, z in zip(value[: trace.telling], trace.zero)])


def is_zero(trace: Trace, value: Value) -> bool:
    """Whether a value is the zero, seen from its form."""
    return all(v is z for v, z in zip(value[: trace.telling], trace.zero))


class Algebra:
    """The operations of one semiring on graphs, with `params` for the leaves of its parameters."""

    def __init__(self, semiring: Semiring, params: dict[str, Node]):
        self.semiring, self.trace = semiring, semiring.trace
        self.params = {leaf: params[name] for name, leaf in self.trace.params.items()}
        self.param_facts = {leaf: ranges.POS for name, leaf in self.trace.params.items() if name in semiring.positive}

    def encode(self, w: Value) -> Value:
        return tuple(substitute(self.trace.encode, dict(zip(self.trace.w, w)) | self.params))

    def times(self, a: Value, b: Value) -> Value:
        t = self.trace
        if all(x is o for x, o in zip(b, t.one)):
            return a
        return tuple(substitute(t.times, dict(zip(t.a + t.b, a + b)) | self.params))

    def candidate(self, source: Value | None, w: Value | None, exists: Node) -> Value:
        """times(source, encode(w)), or zero where the step does not exist.

        `source` is None at a start, `w` is None for a step without terms and penalty.
        """
        t = self.trace
        forbid = const(self.semiring.forbid)
        if w is None:
            value = t.one if source is None else source
        elif source is None:
            value = self.encode(w)
        else:
            value = self.times(source, self.encode(w))
        guard = exists
        if w is not None and not self._forbidding_gives_zero(source is None):
            guard = make("and", guard, make("ne", w[0], forbid))
        if source is not None and w is not None and not self._zero_absorbs(guard is exists):
            guard = make("and", guard, present(t, source))
        return guarded(guard, value, t.zero)

    def live(self, w: Value | None, exists: Node, candidate: Value) -> Node:
        """Whether anything flows to a candidate: it is no zero; or its step exists and is allowed, where the sum adds, and
        where what flows to a zero comes to 0 by itself."""
        if not self.trace.adds and not self.sheds:
            return present(self.trace, candidate)
        return exists if w is None else make("and", exists, make("ne", w[0], const(self.semiring.forbid)))

    def _exactly_zero(self, values: Value, facts) -> bool:
        """Whether the values are certainly the zero, which ranges can tell for 0 and the infinities; tangents are finite."""
        facts = self.trace.tangents | facts | self.param_facts
        settled = self.trace.settled
        if any(ranges.range_of(v, facts) & ~ranges.FINITE for v in values[settled:]):
            return False
        for v, z in zip(values[:settled], self.trace.zero):
            z = value_of(z)
            alone = ranges.of_value(z)
            if alone not in (ranges.ZERO, ranges.POS_INF, ranges.NEG_INF) or ranges.range_of(v, facts) != alone:
                return False
        return True

    def _forbidding_gives_zero(self, start: bool) -> bool:
        t = self.trace
        w = {t.w[0]: ranges.of_value(self.semiring.forbid)}
        if start:
            return self._exactly_zero(t.encode, w)
        product = self._product()
        sources = t.a[: t.settled]
        return self._exactly_zero(product, w | {x: ranges.NUMBER & ~ranges.of_value(-self.semiring.forbid) for x in sources})

    def _zero_absorbs(self, forbidden: bool) -> bool:
        """Whether a zero remains it by itself, whatever is paid; what is forbidden included, unless it is guarded already."""
        t = self.trace
        zero = {x: ranges.of_value(value_of(z)) for x, z in zip(t.a[: t.settled], t.zero)}
        refused = ranges.of_value(-self.semiring.forbid)
        paid = ranges.NUMBER & ~refused if forbidden else ranges.FINITE
        return self._exactly_zero(self._product(), zero | {t.w[0]: paid})

    def _product(self) -> Value:
        t = self.trace
        return tuple(substitute(t.times, dict(zip(t.b, t.encode))))

    def sum(self, candidates: list[Value]) -> Value:
        """The n-ary sum over the candidates that are present; zero if none is."""
        t = self.trace
        candidates = [c for c in candidates if not is_zero(t, c)]
        if not candidates:
            return t.zero
        live = [present(t, c) for c in candidates]
        if t.sum is None:
            return self._fold(candidates, live)
        roots, scalars = list(t.sum), dict(self.params)
        out = unroll(roots, self._columns(candidates), live, scalars, t.facts | self._facts(), t.absent)
        if all(self._all_absent(r) for r in roots[: t.telling]):
            return self._with_tangents(out)
        return guarded(any_of(live), out, t.zero)

    def sum_flows(
        self, candidates: list[Value], live: list[Node], bars: Value
    ) -> tuple[list[list[Node | None]], dict[str, Node | None]]:
        """What flows to each component of each candidate, and to each parameter, from `bars` at their sum: on the way back
        from the total, so that bars of components which nothing of it flows through are taken for 0."""
        t = self.trace
        if t.sum is None:
            return self._fold_flows(candidates, live, bars)
        to_terms, to_params = t.total_backward
        wanted = [f for f in to_terms if f is not None] + [f for f in to_params.values() if f is not None]
        scalars = dict(self.params) | dict(zip(t.bars, bars))
        out = iter(unroll(wanted, self._columns(candidates), live, scalars, t.facts | self._facts(), t.absent))
        flows: list[list[Node | None]] = [[None] * len(t.kinds) for _ in candidates]
        for c, f in enumerate(to_terms):
            if f is not None:
                column = next(out)
                if not isinstance(column, list):
                    column = [column] * len(candidates)
                for i, g in enumerate(column):
                    flows[i][c] = make("where", live[i], g, 0.0)
        some = any_of(live)
        return flows, {name: None if f is None else make("where", some, next(out), 0.0) for name, f in to_params.items()}

    @cached_property
    def sheds(self) -> bool:
        """Whether what flows to an absent term comes to exactly 0 without a guard, whatever flows into the sum; where all terms
        are absent, provided that nothing flows into it. Then nothing ever flows into a zero, by induction from the total."""
        t = self.trace
        if t.sum is None or t.of:
            return False
        facts = self.param_facts | t.facts | dict.fromkeys(t.bars, ranges.FINITE)
        absent, nothing = self.param_facts | t.absent, dict.fromkeys(t.bars, ranges.ZERO)
        flows = [f for f in t.total_backward[0] if f is not None]
        return all(
            ranges.range_of(f, facts, t.absent) == ranges.ZERO == ranges.range_of(f, absent | nothing, absent | nothing)
            for f in flows
        )

    def _with_tangents(self, out) -> Value:
        """A sum that is the zero by itself where nothing is present; its tangents there are whatever 0 / 0 gives."""
        settled, zero = self.trace.settled, self.trace.zero
        tangents = guarded(present(self.trace, out), out[settled:], zero[settled:]) if out[settled:] else ()
        return (*out[:settled], *tangents)

    def _columns(self, candidates):
        return {leaf: [c[i] for c in candidates] for i, leaf in enumerate(self.trace.terms)}

    def _facts(self):
        return self.param_facts

    def _all_absent(self, root) -> bool:
        """Whether the sum over absent terms alone gives the zero by itself: what they hold, or what stands for them in
        a reduction, which must be the same."""
        t = self.trace
        if t.telling > 1 or not self._exactly_zero((root,), t.absent):
            return False
        reductions = (n for n in postorder([root]) if n.op in NEUTRAL)
        return all(ranges.range_of(n.args[0], t.absent | self.param_facts) == NEUTRAL[n.op][1] for n in reductions)

    def _fold(self, candidates, live):
        t = self.trace
        acc, some = candidates[0], live[0]
        for value, here in zip(candidates[1:], live[1:]):
            both = substitute(t.fold, dict(zip(t.a + t.b, acc + value)) | self.params)
            acc = guarded(some, guarded(here, both, acc), value)
            some = make("or", some, here)
        return guarded(some, acc, t.zero)

    def _fold_flows(self, candidates, live, bars):
        t = self.trace
        leaves = [tuple(var(f"candidate{i}.{c}", k) for c, k in enumerate(t.kinds)) for i in range(len(candidates))]
        conditions = [var(f"present{i}", "bool") for i in range(len(candidates))]
        flat = [leaf for value in leaves for leaf in value]
        total = self._fold(leaves, conditions)
        params = {name: self.params[leaf] for name, leaf in t.params.items()}
        flows = vjp([(total[c], bars[c]) for c in t.moving], flat + list(params.values()))
        back = dict(zip(flat, (v for c in candidates for v in c))) | dict(zip(conditions, live))
        done = [None if f is None else substitute([f], back)[0] for f in flows]
        width = len(t.kinds)
        to_terms = [
            [None if f is None else make("where", live[i], f, 0.0) for f in done[i * width : (i + 1) * width]]
            for i in range(len(candidates))
        ]
        return to_terms, dict(zip(params, done[len(flat) :]))
