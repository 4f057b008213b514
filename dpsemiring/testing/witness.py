"""The recursion, top down over an explicit list of arcs: for a sum that is not associative, the definition.

D(node) = sum( times(D(source), encode(w)) for every arc into the node, in their fixed order )
total   = decode( sum( times(D(node), encode(w)) for every end ) )
"""

from __future__ import annotations

import math

import numpy as np

from dpsemiring.algebra.numbers import Number, Numbers
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.gradients import Gathering, Gradients
from dpsemiring.testing.lattice import Arc, Node, unroll
from dpsemiring.testing.reading import semiring_values


class _Recursion:
    def __init__(self, topology, semiring, cost, lengths, params):
        self.topology, self.semiring, self.params = topology, semiring, params
        self.lattice = unroll(topology, cost, lengths, params, forbid=semiring.forbid)
        self.numbers = Numbers(semiring, semiring_values(semiring, params))
        self.lattice.item.check_depth()
        self.known: dict[Node, Number] = {}
        self.candidates: dict[Node, list[Number]] = {}
        self.ends = [self.candidate(end) for end in self.lattice.ends]
        self.total = self.numbers.sum(self.ends)

    def value(self, node: Node) -> Number:
        """D of the node."""
        if node not in self.known:
            self.candidates[node] = [self.candidate(arc) for arc in self.lattice.into[node]]
            self.known[node] = self.numbers.sum(self.candidates[node])
        return self.known[node]

    def candidate(self, arc: Arc) -> Number:
        return self.numbers.step(None if arc.source is None else self.value(arc.source), arc.w)

    def outputs(self) -> dict[str, float]:
        found = self.numbers.decode(self.total)
        return dict.fromkeys(found, math.nan) if self.lattice.has_nan else found

    def gradients(self) -> Gradients:
        out = Gathering(self.topology, self.semiring, self.lattice, self.numbers)
        if any(map(self.numbers.live, self.ends)):
            bars, own = self.numbers.decode_flows(self.total)
            out.add_own(own)
            arriving = {node: np.zeros(len(self.semiring.carrier)) for node in self.known}
            self._back(out, self.lattice.ends, self.ends, bars, arriving)
            # a node became known after all that it is made of
            for node in reversed(self.known):
                self._back(out, self.lattice.into[node], self.candidates[node], arriving[node], arriving)
        return out.result(self.params, self.lattice.has_nan)

    def _back(self, out, arcs, values, bars, arriving):
        flows, own = self.numbers.sum_flows(values, bars)
        out.add_own(own)
        for arc, value, flow in zip(arcs, values, flows):
            if self.numbers.live(value):
                to_source = out.through(arc, None if arc.source is None else self.known[arc.source], flow)
                if arc.source is not None:
                    arriving[arc.source] = arriving[arc.source] + to_source


def recursive_outputs(topology: Topology, semiring: Semiring, cost, lengths=None, params=None) -> dict[str, float]:
    """Everything that the semiring decodes from the recursion's total, by name. See `recursive_total`."""
    return _Recursion(topology, semiring, cost, lengths, params).outputs()


def recursive_total(topology: Topology, semiring: Semiring, cost, lengths=None, params=None) -> float:
    """The total of one item by the recursion, from the last cells down, each node's value remembered.

    Candidates enter each sum in their fixed order: starts, then steps as declared; ends row by row, then as declared.

    Parameters
    ----------
    topology : Topology
    semiring : Semiring
    cost, lengths, params
        As for a solver, for one item.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> recursive_total(dp.topologies.dtw(), dp.Counting, [[0.0] * 3] * 3)
    13.0
    """
    return next(iter(recursive_outputs(topology, semiring, cost, lengths, params).values()))


def recursive_gradients(topology: Topology, semiring: Semiring, cost, lengths=None, params=None) -> Gradients:
    """The derivatives of `recursive_total`, back over the same arcs."""
    return _Recursion(topology, semiring, cost, lengths, params).gradients()


def recursive_values(topology: Topology, semiring: Semiring, cost, lengths=None, params=None) -> dict[Node, float]:
    """D of every node, decoded to the first output: nodes are (n, m, state)."""
    recursion = _Recursion(topology, semiring, cost, lengths, params)
    decode = recursion.numbers.decode
    return {node: next(iter(decode(recursion.value(node)).values())) for node in recursion.lattice.nodes}
