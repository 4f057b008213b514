"""The straight code of one cell: the recurrence unrolled over its candidates, and its adjoint.

    forward    D[k] of the cell from earlier cells, sites and parameters
    backward   from E[k] = d total / d D[k]: the flow to each earlier cell, to each site, to each parameter
    choice     which candidate a selecting sum took, for paths

The adjoint is derived: the sum's and the product's derivatives come from the semiring's trace, the weight's from
its expression. Nothing here knows an order of cells, an array or a target.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dpsemiring.algebra.combine import Algebra, Value, present
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import INT, Node, const, make, postorder, substitute, var
from dpsemiring.lower.ir import Arc, Recurrence, site_leaf
from dpsemiring.lower.rewrite import with_known


@dataclass(frozen=True)
class Load:
    """A component of an accumulated value: of the cell (dn, dm) before this one."""

    state: int
    component: int
    dn: int
    dm: int


@dataclass(frozen=True)
class Flow:
    """Where a contribution to an earlier cell's E goes."""

    dn: int
    dm: int
    state: int


@dataclass
class Cell:
    """Graphs over leaves, with what the leaves are."""

    loads: dict[Node, Load] = field(default_factory=dict)
    inflows: dict[Node, tuple[int, int]] = field(default_factory=dict)  # E leaves: (state, component)
    starts: dict[Node, int] = field(default_factory=dict)  # 1 where a start is, else 0: index into `patterns`
    values: dict[tuple[int, int], Node] = field(default_factory=dict)
    flows: dict[tuple[Flow, int], Node] = field(default_factory=dict)
    sites: dict[int, Node] = field(default_factory=dict)
    params: dict[str, Node] = field(default_factory=dict)
    occupancy: Node | None = None
    choices: dict[int, Node] = field(default_factory=dict)

    @property
    def roots(self) -> list[Node]:
        found = [*self.values.values(), *self.flows.values(), *self.sites.values(), *self.params.values()]
        return found + ([] if self.occupancy is None else [self.occupancy]) + list(self.choices.values())


def patterns(recurrence: Recurrence) -> tuple[tuple[int | None, int | None], ...]:
    """The distinct start places."""
    return tuple(dict.fromkeys(a.pattern for a in recurrence.arcs if a.is_start))


class _Builder:
    def __init__(self, recurrence: Recurrence, starts: bool):
        self.r = recurrence
        self.trace = recurrence.semiring.trace
        self.algebra = Algebra(recurrence.semiring, dict(self.trace.params))
        self.with_starts = starts
        self.patterns = patterns(recurrence)
        self.cell = Cell()

    def load(self, state: int, dn: int, dm: int) -> Value:
        out = []
        for c, kind in enumerate(self.trace.kinds):
            leaf = var(f"D{state}_{c}@{dn},{dm}", kind)
            self.cell.loads[leaf] = Load(state, c, dn, dm)
            out.append(leaf)
        return tuple(out)

    def arcs(self, state: int) -> list[Arc]:
        return [a for a in self.r.states[state] if self.with_starts or not a.is_start]

    def exists(self, arc: Arc) -> Node:
        condition = const(True)
        for i in arc.masks:
            condition = make("and", condition, make("ne", site_leaf(i), 0.0))
        if arc.is_start:
            i = self.patterns.index(arc.pattern)
            leaf = var(f"start{i}")
            self.cell.starts[leaf] = i
            condition = make("and", condition, make("ne", leaf, 0.0))
        return condition

    def source(self, arc: Arc, here: dict[int, Value]) -> Value | None:
        if arc.is_start:
            return None
        return here[arc.source] if arc.dn == arc.dm == 0 else self.load(arc.source, arc.dn, arc.dm)

    def candidates(self, state: int, here: dict[int, Value]) -> list[Value]:
        return [self.algebra.candidate(self.source(a, here), a.weight, self.exists(a)) for a in self.arcs(state)]

    def sources(self, state: int, here: dict[int, Value]) -> list[Value]:
        """The candidates before they pay."""
        return [self.algebra.candidate(self.source(a, here), None, self.exists(a)) for a in self.arcs(state)]

    def shared_weight(self, state: int) -> Value | None:
        """What all candidates of a state pay, where the product may be taken out of the sum: times(SUM of sources, encode(w)).

        Starts count in all cells, so that those with starts and those without round alike.
        """
        arcs = self.r.states[state]
        weights = {a.weight for a in arcs}
        alone = len(arcs) < 2 or len(weights) != 1 or "distributive" not in self.trace.laws
        return None if alone or (self.trace.exact and self.trace.of) else weights.pop()

    def value(self, state: int, here: dict[int, Value]) -> Value:
        """The n-ary sum of a state."""
        w = self.shared_weight(state)
        if w is None:
            return self.algebra.sum(self.candidates(state, here))
        return self.algebra.candidate(self.algebra.sum(self.sources(state, here)), w, const(True))


def forward(recurrence: Recurrence, *, starts: bool) -> Cell:
    """The values of a cell; without `starts`, of one where no path starts."""
    b = _Builder(recurrence, starts)
    here: dict[int, Value] = {}
    for k in recurrence.order:
        here[k] = b.value(k, here)
        for c, node in enumerate(here[k]):
            b.cell.values[k, c] = node
    return b.cell


def backward(recurrence: Recurrence, *, starts: bool, sites: tuple[int, ...], params: bool, occupancy: bool) -> Cell:
    """The adjoint of a cell, giving besides the flows to earlier cells what flows to `sites` and parameters."""
    b = _Builder(recurrence, starts)
    t, cell = b.trace, b.cell
    here = {k: b.load(k, 0, 0) for k in range(len(recurrence.states))}
    inside: dict[int, list[Node | None]] = {k: [None] * len(t.kinds) for k in here}
    cell.inflows.update({var(f"E{k}_{c}"): (k, c) for k in here for c in t.moving})

    def give(source, w, live, to_w, to_p):
        """What flows out of a product times(source, encode(w)), but for its source."""
        if source is not None and t.adds:  # from where no path leads, whatever is paid comes to nothing
            live = make("and", live, present(t, source))
        if params:
            _collect(cell.params, {n: None if g is None else make("where", live, g, 0.0) for n, g in to_p.items()})
        to_w = [None if g is None else make("where", live, g, 0.0) for g in to_w]
        if occupancy and to_w[0] is not None:
            cell.occupancy = _plus(to_w[0], cell.occupancy)
        if w is not None:
            outputs = [(x, g) for x, g in zip(w, to_w) if g is not None]
            found = vjp(outputs, [site_leaf(i) for i in sites])
            _collect(cell.sites, {i: None if g is None else make("where", live, g, 0.0) for i, g in zip(sites, found)})

    known: dict[Node, Node] = {}
    for k in reversed(recurrence.order):
        arcs = b.arcs(k)
        if not arcs:
            continue
        for value in (b.value(k, here), b.algebra.sum(b.candidates(k, here))) if t.exact else (b.value(k, here),):
            known |= {node: leaf for node, leaf in zip(value, here[k]) if node is not leaf}
        bars = tuple(_plus(var(f"E{k}_{c}"), inside[k][c]) if c in t.moving else const(0.0) for c in range(len(t.kinds)))
        w = None if t.exact else b.shared_weight(k)  # ties are told apart after paying
        allowed = const(True)
        if w is not None:
            whole = b.algebra.sum(b.sources(k, here))
            live = b.algebra.live(w, const(True), b.algebra.candidate(whole, w, const(True)))
            to_whole, *rest = _arc_flows(b.algebra, whole, w, bars)
            bars = tuple(const(0.0) if g is None else g for g in to_whole)
            if b.algebra.sheds:  # the guards of what flows on are enough, and needed: at hand is the value with its guard
                allowed = live
            else:
                bars = tuple(make("where", live, g, 0.0) for g in bars)
            give(whole, w, live, *rest)
        candidates = b.candidates(k, here) if w is None else b.sources(k, here)
        paid = [a.weight if w is None else None for a in arcs]
        lives = [make("and", allowed, b.algebra.live(x, b.exists(a), c)) for x, a, c in zip(paid, arcs, candidates)]
        to_candidates, to_params = b.algebra.sum_flows(candidates, lives, bars)
        if params:
            _collect(cell.params, to_params)
        for arc, x, live, flow in zip(arcs, paid, lives, to_candidates):
            source = b.source(arc, here)
            to_source, *rest = _arc_flows(b.algebra, source, x, flow)
            for c, g in enumerate(to_source):
                if g is None or c not in t.moving:
                    continue
                g = make("where", live, g, 0.0)
                if arc.dn == arc.dm == 0:
                    inside[arc.source][c] = _plus(g, inside[arc.source][c])
                else:
                    _collect(cell.flows, {(Flow(arc.dn, arc.dm, arc.source), c): g})
            if w is None:
                give(source, x, live, *rest)
    return _without_unused_leaves(rewritten(cell, with_known(cell.roots, known)))


def _arc_flows(algebra: Algebra, source: Value | None, w: Value | None, bars):
    """What flows to the source's components, to w (and its tangent) and to the parameters, from bars at the product
    times(source, encode(w))."""
    t = algebra.trace
    product = t.encode if source is None else tuple(substitute(t.times, dict(zip(t.b, t.encode))))
    outputs = [(p, g) for p, g in zip(product, bars) if g is not None]
    found = vjp(outputs, [*t.a, *t.w, *t.params.values()])
    values = dict(zip(t.w, w or [const(0.0)] * len(t.w))) | dict(zip(t.a, source or t.a))
    found = [None if f is None else substitute([f], values)[0] for f in found]
    width, paid = len(t.kinds), len(t.kinds) + len(t.w)
    to_source = list(bars) if w is None else found[:width]
    return to_source if source is not None else [], found[width:paid], {} if w is None else dict(zip(t.params, found[paid:]))


def choice(recurrence: Recurrence) -> Cell:
    """For each state, the position among its arcs of the first candidate that equals its value; -1 for none."""
    b = _Builder(recurrence, True)
    here = {k: b.load(k, 0, 0) for k in range(len(recurrence.states))}
    for k in here:
        taken = const(-1, INT)
        for i, value in reversed(list(enumerate(b.candidates(k, here)))):
            equal = present(b.trace, value)
            for mine, theirs in zip(here[k], value):
                equal = make("and", equal, make("eq", mine, theirs))
            taken = make("where", equal, const(i, INT), taken)
        b.cell.choices[k] = taken
    return b.cell


def _plus(a: Node, b: Node | None) -> Node:
    return a if b is None else a + b


def _collect(into: dict, found: dict) -> None:
    for key, node in found.items():
        if node is not None:
            into[key] = _plus(node, into.get(key)) if key in into else node


def _without_unused_leaves(cell: Cell) -> Cell:
    used = set(map(id, postorder(cell.roots)))
    for table in (cell.loads, cell.inflows, cell.starts):
        for leaf in [n for n in table if id(n) not in used]:
            del table[leaf]
    return cell


def rewritten(cell: Cell, new: dict[int, Node]) -> Cell:
    """The same with every node in its new place (see `rewrite`)."""

    def renew(table):
        return {key: new[id(n)] for key, n in table.items()}

    return Cell(
        cell.loads, cell.inflows, cell.starts, renew(cell.values), renew(cell.flows), renew(cell.sites),
        renew(cell.params), None if cell.occupancy is None else new[id(cell.occupancy)], renew(cell.choices),
    )  # fmt: skip
