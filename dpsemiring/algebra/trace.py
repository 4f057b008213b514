"""What a semiring's functions come to: expression graphs, and what can be seen from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from dpsemiring.algebra import ranges
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import INT, Node, const, is_const, postorder, substitute, value_of

ONE = const(1.0)


@dataclass(frozen=True)
class Trace:
    """The functions of a semiring as graphs, over the leaves listed first."""

    kinds: tuple[str, ...]
    laws: tuple[str, ...]
    w: tuple[Node, ...]  # the real numbers that a step pays: one, and of a dual its tangent
    a: tuple[Node, ...]
    b: tuple[Node, ...]
    x: tuple[Node, ...]
    terms: tuple[Node, ...]
    bars: tuple[Node, ...]
    params: Mapping[str, Node]
    zero: tuple[Node, ...]
    one: tuple[Node, ...]
    encode: tuple[Node, ...]
    times: tuple[Node, ...]
    decode: Mapping[str, Node]
    sum: tuple[Node, ...] | None  # over `terms`; None when the function iterates over its terms
    fold: tuple[Node, ...] | None  # of a and b, then
    tells: int  # how many components, the first ones, tell a value from the zero
    limits: tuple[Node, ...] | None  # what a step and a path may pay at most, and how many cells there may be
    of: Trace | None = None  # of a dual, the trace that it is made of

    @property
    def primal(self) -> int:
        """How many of the components, the first ones, are no tangents."""
        return len((self.of or self).kinds)

    @cached_property
    def telling(self) -> int:
        """How many of the components, the first ones, tell a value from the zero.

        The tangents of a dual do not. Where the sum adds they do: a number that happens to be 0 has a tangent all the same.
        """
        return len(self.kinds) if self.adds else self.tells

    @property
    def settled(self) -> int:
        """How many of the components, the first ones, the zero settles: all but tangents of which it knows nothing."""
        return max(self.telling, self.primal)

    @property
    def exact(self) -> bool:
        """Whether a choice between terms depends on their values, which must then come out alike on every backend."""
        return self.of.exact if self.of else self.selects is not None or self.ranks

    @cached_property
    def tangents(self) -> dict[Node, int]:
        """The ranges of the leaves that are tangents: finite wherever a term is."""
        tangents = [leaf for leaves in (self.a, self.b, self.x, self.terms) for leaf in leaves[self.settled :]]
        params = [leaf for name, leaf in self.params.items() if self.of and name not in self.of.params]
        return dict.fromkeys([*tangents, *self.w[1:], *params], ranges.FINITE)

    @cached_property
    def selects(self) -> str | None:
        """Which reduction the sum is, when it picks one of its terms: "reduce_min", "reduce_max" or None."""
        if len(self.kinds) != 1 or self.sum is None:
            return None
        (s,) = self.sum
        return s.op if s.op in ("reduce_min", "reduce_max") and s.args[0] is self.terms[0] else None

    @cached_property
    def ranks(self) -> bool:
        """Whether the sum merges lists, each component of a sum of two being one of theirs, by order alone, and a step
        leaves every component in its place."""
        inside = postorder(self.fold or ())
        if len(self.kinds) == 1 or not inside or not all(n.op in ("minimum", "maximum") or not n.args for n in inside):
            return False
        paid = substitute(self.times, dict(zip(self.b, self.encode)))
        return all(f is bar for f, bar in zip(vjp(list(zip(paid, self.bars)), list(self.a)), self.bars))

    @cached_property
    def adds(self) -> bool:
        """Whether the sum adds each component by itself, and the product distributes over that.

        Then a term that happens to be zero is a term like any other: sum and product are linear in it, so what flows to a
        term depends on none of the terms, and only a step that is absent or forbidden takes no part.
        """
        if self.sum is None or "distributive" not in self.laws or not all(is_const(z, 0) for z in self.zero):
            return False
        return all(s.op == "reduce_sum" and s.args[0] is x for s, x in zip(self.sum, self.terms))

    @cached_property
    def decode_backward(self) -> list[Node | None]:
        """What flows from the first output to each component that is decoded, and to each parameter."""
        return vjp([(next(iter(self.decode.values())), ONE)], [*self.x, *self.params.values()])

    @cached_property
    def sum_backward(self) -> tuple[list[Node | None], dict[str, Node | None]]:
        """What flows to each component of the terms, and to each parameter, from `bars` at the sum."""
        return self._sum_backward(range(len(self.kinds)))

    @cached_property
    def total_backward(self) -> tuple[list[Node | None], dict[str, Node | None]]:
        """The same of the components that the total's derivative flows through alone."""
        return self._sum_backward(self.moving)

    def _sum_backward(self, components):
        leaves = list(self.terms) + list(self.params.values())
        flows = vjp([(self.sum[c], self.bars[c]) for c in components], leaves)
        return flows[: len(self.terms)], dict(zip(self.params, flows[len(self.terms) :]))

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The components that the total's derivative flows through; those of integers and of other outputs are none."""
        first = next(iter(self.decode.values()))
        found = {c for c, f in enumerate(vjp([(first, ONE)], list(self.x))) if f is not None}
        into_terms, into_pair = (self.sum or (), self.terms), (self.fold or (), self.a + self.b)
        while True:
            more = set(found)
            for roots, leaves in (into_terms, into_pair, (self.times, self.a)):
                flows = vjp([(roots[c], self.bars[c]) for c in found if roots], list(leaves))
                more |= {i % len(self.kinds) for i, f in enumerate(flows) if f is not None}
            if more == found:
                return tuple(sorted(found))
            found = more

    @cached_property
    def facts(self) -> dict[Node, int]:
        """The ranges of the leaves for a term that is present."""
        single = ranges.of_value(value_of(self.zero[0])) if self.telling == 1 else 0
        # a finite zero excludes its own class only when that class is the single value 0
        excluded = single if single in (ranges.ZERO, ranges.POS_INF, ranges.NEG_INF) else 0
        whole = [x for x, kind in zip(self.terms, self.kinds) if kind == INT]
        return (
            dict.fromkeys(self.terms, ranges.NUMBER)
            | dict.fromkeys(whole, ranges.FINITE)
            | {self.terms[0]: ranges.NUMBER & ~excluded}
            | self.tangents
        )

    @cached_property
    def absent(self) -> dict[Node, int]:
        """The ranges of the leaves for a term that is absent: the zero."""
        return {t: ranges.of_value(value_of(z)) for t, z in zip(self.terms, self.zero)} | self.tangents
