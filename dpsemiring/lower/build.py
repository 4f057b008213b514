"""Declaration and semiring to recurrence."""

from __future__ import annotations

import math
from dataclasses import fields, replace

from dpsemiring.algebra.expr import Node, const, make
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.param import Differs, Entry, Param, over_batch
from dpsemiring.declare.topology import Topology
from dpsemiring.lower.ir import Arc, End, Recurrence, Site, site_leaf, site_number


def build(topology: Topology, semiring: Semiring) -> Recurrence:
    """The recurrence of a topology over a semiring."""
    if not topology.planes():
        raise ValueError(
            "the topology reads no cost, so nothing tells the size of its lattice; let a step read one: Term(weight=0.0)"
        )
    sites = _Sites(semiring.forbid)
    names = topology.state_names
    order = topology.state_order()
    states: dict[str | None, list[Arc]] = {name: [] for name in names}
    for i, start in enumerate(topology.boundary.starts):
        for state in topology.states_of(start):
            arc = Arc(i, 0, 0, None, sites.weight(start.terms, start.penalty), pattern=(start.n, start.m))
            states[state].append(arc)
    for i, step in enumerate(topology.steps):
        masks = () if step.where is None else (sites.mask(step.where),)
        weight = sites.weight(step.terms, step.penalty)
        states[step.target].append(Arc(i, step.dn, step.dm, names.index(step.source), weight, masks))
    ends = tuple(
        End(i, (end.n, end.m), names.index(state), sites.weight(end.terms, end.penalty))
        for i, end in enumerate(topology.boundary.ends)
        for state in topology.states_of(end)
    )
    return Recurrence(
        semiring=semiring,
        state_names=names,
        states=tuple(tuple(states[n]) for n in names),
        order=tuple(names.index(n) for n in order),
        sites=tuple(sites.found),
        ends=ends,
        planes=topology.planes(),
        extra=topology.extra,
        penalties=tuple(sites.penalties),
        window=topology.window,
    )


def per_item(recurrence: Recurrence) -> Recurrence:
    """The same with every parameter varying over the batch."""
    sites = tuple(s if "b" in s.axes else replace(s, axes="b" + s.axes) for s in recurrence.sites)
    window = recurrence.window
    if window is not None:
        values = {f.name: getattr(window, f.name) for f in fields(window)}
        window = replace(window, **{name: over_batch(v) if isinstance(v, Param) else v for name, v in values.items()})
    return replace(recurrence, sites=sites, window=window)


class _Sites:
    """Collects the numbers that cells read, each once, and writes weights over them."""

    def __init__(self, forbid: float):
        self.forbid = forbid
        self.found: dict[Site, int] = {}
        self.penalties: dict[int, None] = {}

    def index(self, site: Site) -> int:
        return self.found.setdefault(site, len(self.found))

    def mask(self, where: Param | Differs) -> int:
        if isinstance(where, Differs):
            return self.index(Site("mask", where.param.name, where.param.axes, differs=where.columns))
        return self.index(Site("mask", where.name, where.axes))

    def number(self, value) -> Node:
        if isinstance(value, float):
            return const(value)
        param, entry = (value.param, value.index) if isinstance(value, Entry) else (value, ())
        return site_leaf(self.index(Site("number", param.name, param.axes, entry=entry)))

    def weight(self, terms, penalty) -> tuple[Node] | None:
        """penalty + sum of weight * cost; None where nothing is paid.

        A forbidden cost wins over every weight, and a forbidden weight over every cost: the product is formed
        from finite numbers and the forbidden value put in its place, so that 0 * inf never arises, here or in
        the derivative.
        """
        if isinstance(penalty, float) and penalty == -self.forbid:
            raise ValueError(
                f"a penalty is {penalty:+}; over this semiring {self.forbid:+} forbids a step, and {penalty:+} has no meaning"
            )
        total = None if penalty == 0.0 else self.number(penalty)
        if total is not None and total.op == "var":
            self.penalties[site_number(total)] = None
        for t in terms:
            cost = site_leaf(self.index(Site("cost", t.plane, at=t.at)))
            paid = self.product(self.number(t.weight), cost)
            total = paid if total is None else total + paid
        return None if total is None else (total,)

    def product(self, weight: Node, cost: Node) -> Node:
        if weight.op == "const" and weight.payload[0] == math.inf:
            return const(self.forbid)
        if weight.op == "const" and weight.payload[0] > 0:
            return make("mul", weight, cost)
        forbidden = make("eq", cost, self.forbid)
        if weight.op != "const":
            forbidden = make("or", forbidden, make("eq", make("abs", weight), math.inf))
            weight = make("where", forbidden, 0.0, weight)
        finite = make("where", forbidden, 0.0, cost)
        return make("where", forbidden, self.forbid, weight * finite)
