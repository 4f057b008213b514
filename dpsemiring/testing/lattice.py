"""A topology unrolled over the data of one item: every node, and every arc with the real number that it pays.

Nothing clever, and nothing of the engines: what they compute is checked against what is written here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from dpsemiring.declare.boundary import End, Start
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.reading import Item, Payment

Node = tuple[int, int, str | None]
"""A cell's row and column, and the state."""


@dataclass(frozen=True)
class Arc:
    """A start, a step or an end that exists at one place.

    Attributes
    ----------
    source, target : (n, m, state) or None
        A start has no source, an end no target.
    index : int
        Which of the topology's starts, steps or ends.
    payment : Payment
        The real number w, None if nothing is paid, and what it is made of.
    """

    source: Node | None
    target: Node | None
    index: int
    payment: Payment

    @property
    def w(self) -> float | None:
        return self.payment.w


@dataclass
class Lattice:
    """The nodes and arcs of one item.

    Attributes
    ----------
    item : Item
        The data it was made of.
    into : dict of nodes to lists of Arc
        Candidates in their fixed order: starts first, then steps as declared.
    ends : list of Arc
        Row by row; within a cell as declared.
    """

    item: Item
    into: dict[Node, list[Arc]] = field(default_factory=dict)
    ends: list[Arc] = field(default_factory=list)

    @property
    def nodes(self) -> list[Node]:
        return list(self.into)

    @property
    def has_nan(self) -> bool:
        """Whether a number of the item is NaN, which makes everything about it NaN."""
        return self.item.has_nan

    def __repr__(self):
        arcs = sum(map(len, self.into.values()))
        return f"Lattice({self.item.rows} x {self.item.cols} cells, {len(self.into)} nodes, {arcs} arcs, {len(self.ends)} ends)"


def unroll(topology: Topology, cost, lengths=None, params=None, *, forbid: float = math.inf) -> Lattice:
    """The lattice of one item: all arcs that exist, each with its real number.

    Parameters
    ----------
    topology : Topology
    cost : (N, M) array, source of `dp.costs`, or dict of planes
    lengths : pair of int, optional
    params : dict, optional
        Values of the topology's Params, without a batch axis.
    forbid : float
        +inf for costs, -inf for scores (a semiring's ``forbid``).

    Examples
    --------
    >>> import dpsemiring as dp
    >>> unroll(dp.topologies.dtw(), [[0.0, 1.0], [2.0, 3.0]])
    Lattice(2 x 2 cells, 4 nodes, 6 arcs, 1 ends)
    """
    item = Item(topology, cost, lengths, params, forbid)
    lattice = Lattice(item)
    for n in range(item.rows):
        for m in range(item.cols):
            if not item.in_window(n, m):
                continue
            for state in topology.state_names:
                found = list(_starts_at(item, (n, m, state))) + list(_steps_into(item, (n, m, state)))
                lattice.into[n, m, state] = found
    for n in range(item.rows):
        for m in range(item.cols):
            if item.in_window(n, m):
                lattice.ends += _ends_at(item, n, m)
    return lattice


def _falls_on(item: Item, place: Start | End, n: int, m: int) -> bool:
    def same(index, at, length):
        return index is None or at == (index if index >= 0 else length + index)

    return same(place.n, n, item.rows) and same(place.m, m, item.cols)


def _starts_at(item: Item, node: Node) -> Iterator[Arc]:
    n, m, state = node
    for i, start in enumerate(item.topology.boundary.starts):
        if _falls_on(item, start, n, m) and start.state in (None, state):
            payment = item.pay(start.terms, start.penalty, n, m)
            if payment is not None:
                yield Arc(None, node, i, payment)


def _steps_into(item: Item, node: Node) -> Iterator[Arc]:
    n, m, state = node
    for i, step in enumerate(item.topology.steps):
        if step.target != state or not item.in_window(n - step.dn, m - step.dm):
            continue
        if not item.exists(step.where, n, m):
            continue
        payment = item.pay(step.terms, step.penalty, n, m)
        if payment is not None:
            yield Arc((n - step.dn, m - step.dm, step.source), node, i, payment)


def _ends_at(item: Item, n: int, m: int) -> Iterator[Arc]:
    for i, end in enumerate(item.topology.boundary.ends):
        if not _falls_on(item, end, n, m):
            continue
        for state in item.topology.state_names:
            if end.state in (None, state):
                payment = item.pay(end.terms, end.penalty, n, m)
                if payment is not None:
                    yield Arc((n, m, state), None, i, payment)
