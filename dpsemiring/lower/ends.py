"""The ends of an alignment as graphs: the outputs, and what flows back from the first, over what is known of each end.

    candidate = times(value, encode(weight)) of an end that pays, the value of one that does not
    total     = decode(sum over the ends that are live of candidate)

Leaves of which every end has one stand along the terms of the sum, and so does what flows to an end. Where an item has a
single end nothing stands along terms: the sum is unrolled, and so may be one that sorts or iterates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from dpsemiring.algebra.combine import guarded, present
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import AXIS_OPS, BOOL, FOLDS, INT, Node, const, is_const, make, postorder, substitute, term, var
from dpsemiring.algebra.trace import Trace
from dpsemiring.algebra.unroll import any_of, neutral, unroll
from dpsemiring.lower.ir import Recurrence, site_name, sites_of

FLOWS = var("flow"), var("flow'")
NOTHING = const(0.0)


def swept(trace: Trace) -> bool:
    """Whether the sum and its derivative can be had by sweeps over any number of terms, each adding up over all: a sum that
    sorts its terms, or iterates over them, can not."""
    if trace.sum is None:
        return False
    to_terms, to_params = trace.sum_backward
    found = [*trace.sum, *(f for f in (*to_terms, *to_params.values()) if f is not None)]
    return not any(n.op == "threshold" or (n.op in AXIS_OPS and n.op != "first") for n in postorder(found))


class EndGraphs:
    """The graphs of a recurrence's ends; with `alone`, for items of one end each.

    The leaves: `values` by component, `sites` that ends read by number, whether an end does `exist`, which none does of an
    item that is lost, of `which` declaration it is, its `place` among the item's; and of the item, whether it is `lost` to a
    NaN, and the semiring's parameters.
    """

    def __init__(self, recurrence: Recurrence, alone: bool):
        self.r, self.trace, self.alone = recurrence, recurrence.semiring.trace, alone
        leaf = var if alone else term
        self.values = tuple(leaf(f"value{c}", kind) for c, kind in enumerate(self.trace.kinds))
        self.exist, self.which, self.place = leaf("exist", BOOL), leaf("which", INT), leaf("place", INT)
        read = dict.fromkeys(i for _, weight in self._paying() for _, i in sites_of(weight))
        self.sites = {i: leaf(site_name(i)) for i in read}
        self.lost = var("lost", BOOL)
        self._weights()
        self._candidates()
        self._total()

    # --- forward ------------------------------------------------------------------------------------

    def _weights(self) -> None:
        """Whether an end pays, the real number (and its tangent) that it does, and whether it may: what it forbids is nothing."""
        nothing = (NOTHING,) * len(self.trace.w)
        self.pays, self.w, self.allowed = const(False), nothing, const(True)
        for which, weight in self._paying():
            here = self._declared(which)
            self.w = guarded(here, self._read(weight), self.w)
            self.pays = make("or", self.pays, here)
        if self._paying():
            self.allowed = make("ne", self.w[0], self.r.semiring.forbid)
            self.w = guarded(self.allowed, self.w, nothing)

    def _paying(self):
        """The declarations of ends that pay, each with its number."""
        return [(which, end.weight) for which, end in enumerate(self.r.ends) if end.weight is not None]

    def _declared(self, which: int) -> Node:
        """Whether an end is one of those that a declaration gives."""
        if len(self.r.ends) == 1:
            return self.exist
        return make("and", self.exist, make("eq", self.which, which))

    def _read(self, roots, more: Mapping[Node, Node] = {}) -> list[Node]:
        """A weight's graphs over what ends read."""
        leaves = {leaf: self.sites[i] for _, weight in self._paying() for leaf, i in sites_of(weight)}
        return substitute(roots, leaves | dict(more))

    def _candidates(self) -> None:
        t = self.trace
        self.candidates, self.live, self.reached = self.values, self.exist, present(t, self.values)
        if self._paying():
            paid = substitute(t.times, self._product)
            self.candidates = guarded(make("and", self.pays, self.reached), paid, self.values)
            self.live = make("and", self.live, self.allowed)
        if not t.adds:
            self.live = make("and", self.live, self.reached)
            if self._paying():
                self.live = make("and", self.live, present(t, self.candidates))

    @cached_property
    def _product(self) -> dict[Node, Node]:
        """What the leaves of `times` stand for."""
        encoded = substitute(self.trace.encode, dict(zip(self.trace.w, self.w)))
        return dict(zip(self.trace.a + self.trace.b, [*self.values, *encoded]))

    def _total(self) -> None:
        t = self.trace
        found = self.live if self.alone else make("lt", 0.0, make("reduce_max", make("where", self.live, 1.0, 0.0)))
        self.summed = guarded(found, self._over_terms(t.sum or t.terms), t.zero)
        self.some = present(t, self.summed) if t.adds else found
        decoded = substitute(t.decode.values(), dict(zip(t.x, self.summed)))
        self.outputs = {name: make("where", self.lost, math.nan, d) for name, d in zip(t.decode, decoded)}

    @cached_property
    def chosen(self) -> Node | None:
        """The place of the end that a selecting sum takes, the first of several; -1 for none."""
        if self.trace.selects is None:
            return None
        hit = make("and", self.live, make("eq", self.candidates[0], self.summed[0]))
        if self.alone:
            return make("where", hit, const(0, INT), const(-1, INT))
        none = neutral(make("reduce_min", self.place))
        first = make("reduce_min", make("where", hit, self.place, none))
        return make("where", make("lt", first, none), first, const(-1, INT))

    def _over_terms(self, roots: Sequence[Node], more: Mapping[Node, Node] = {}) -> list[Node]:
        """What graphs of a sum's terms come to, those that are not live taking no part."""
        terms = dict(zip(self.trace.terms, self.candidates))
        if not self.alone:
            return _masked(roots, terms | dict(more), self.live)
        single: dict[Node, list[Node]] = {leaf: [value] for leaf, value in terms.items()}
        found = unroll(list(roots), single, [const(True)], dict(more), self.trace.facts, self.trace.absent)
        return [f[0] if isinstance(f, list) else f for f in found]

    # --- back ---------------------------------------------------------------------------------------

    @cached_property
    def flows(self) -> tuple[tuple[Node, ...], dict[int, Node], dict[str, Node]]:
        """What flows from the first output to each component of the ends' values, to the sites that ends read, and to the
        semiring's parameters."""
        t, some = self.trace, self.some
        decoded = given(t.decode_backward, lambda roots: substitute(roots, dict(zip(t.x, self.summed))))
        bars = [NOTHING if v is None else _where_finite(some, v) for v in decoded[: len(t.x)]]
        to_params = [NOTHING if v is None else make("where", some, v, 0.0) for v in decoded[len(t.x) :]]
        backward = t.sum_backward if t.sum else (list(t.bars), {})
        flows = [*backward[0], *(backward[1].get(name) for name in t.params)]
        summed = given(flows, lambda roots: self._over_terms(roots, dict(zip(t.bars, bars))))
        to_terms = [NOTHING if f is None else make("where", self.live, f, 0.0) for f in summed[: len(t.terms)]]
        to_params = [_plus(p, f) for p, f in zip(to_params, summed[len(t.terms) :])]
        to_sites: dict[int, Node] = {}
        if self._paying():
            to_terms, to_w, more = self._back_through_weights(to_terms)
            to_params = [_plus(p, f) for p, f in zip(to_params, more)]
            to_sites = self._site_flows(to_w)
        values = tuple(make("where", self.lost, math.nan, v) for v in to_terms)
        return values, to_sites, {n: make("where", some, p, 0.0) for n, p in zip(t.params, to_params)}

    def _back_through_weights(self, to_terms):
        """Through times(value, encode(w)) where an end pays; straight to the value where it does not."""
        t, width = self.trace, len(self.trace.kinds)
        paid = make("and", self.pays, self.live)
        through = vjp(list(zip(t.times, t.bars)), [*t.a, *t.b, *t.params.values()])
        through = given(through, lambda roots: substitute(roots, self._product | dict(zip(t.bars, to_terms))))
        got = [NOTHING if f is None else make("where", paid, f, 0.0) for f in through]
        to_values = [make("where", self.pays, g, straight) for g, straight in zip(got, to_terms)]
        paid = make("and", paid, self.reached)
        more = dict(zip(t.w, self.w)) | dict(zip(t.bars, got[width : 2 * width]))
        through = vjp(list(zip(t.encode, t.bars)), [*t.w, *t.params.values()])
        coded = given(through, lambda roots: substitute(roots, more))
        coded = [NOTHING if f is None else make("where", paid, f, 0.0) for f in coded]
        both = (make("where", paid, a + b, 0.0) for a, b in zip(got[2 * width :], coded[len(t.w) :]))
        return to_values, coded[: len(t.w)], [f if f.axis is None else make("reduce_sum", f) for f in both]

    def _site_flows(self, to_w) -> dict[int, Node]:
        found: dict[int, Node] = {}
        for which, weight in self._paying():
            here = make("and", self._declared(which), self.live)
            flows = [make("where", here, g, 0.0) for g in to_w]
            some = any_of([make("ne", f, 0.0) for f in flows])
            for leaf, i in sites_of(weight):
                (f,) = vjp(list(zip(weight, FLOWS)), [leaf])
                if f is not None and self.r.sites[i].role != "mask":
                    (f,) = self._read([f], dict(zip(FLOWS, flows)))
                    found[i] = make("where", some, f, 0.0) + found.get(i, NOTHING)
        return found


def _masked(roots: Sequence[Node], leaves: Mapping[Node, Node], live: Node) -> list[Node]:
    """The roots over other terms, of which those that are not live take part in no reduction."""
    new: dict[int, Node] = {}
    for node in postorder(roots):
        args = [new[id(a)] for a in node.args]
        if node in leaves:
            new[id(node)] = leaves[node]
        elif node.op in ("stop", "envelope", "derived_as"):  # marks for derivatives, which are taken before
            new[id(node)] = args[0]
        elif node.op in FOLDS:
            new[id(node)] = make(node.op, make("where", live, args[0], neutral(node)))
        elif node.op == "first":
            new[id(node)] = make("first", make("and", live, args[0]))
        else:
            new[id(node)] = make(node.op, *args) if args else node
    return [new[id(r)] for r in roots]


def _where_finite(some: Node, node: Node) -> Node:
    """A number where it is one, or a path is there; else 0."""
    finite = make("eq", node - node, 0.0)
    return node if is_const(finite, True) else make("where", make("or", some, finite), node, 0.0)


def _plus(a: Node, b: Node | None) -> Node:
    return a if b is None else a + b


def given(roots, work):
    """What `work` makes of those roots that are there, in their places; None for the others."""
    values = iter(work([r for r in roots if r is not None]))
    return [None if r is None else next(values) for r in roots]
