"""Whether a topology stays the same when rows and columns change places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import permutations

from dpsemiring.declare.step import Step
from dpsemiring.declare.topology import Topology

MOST_STATES = 6  # whose permutations are tried


def symmetric(topology: Topology) -> bool:
    """Whether exchanging rows and columns gives the same topology, for some renaming of its states; the window left aside.

    Then the total of a transposed cost is the total of the cost, wherever the order of the terms in a sum does not
    matter. A Param along rows or columns is never taken for symmetric. "False" may only mean: not seen.

    >>> symmetric(Topology([Step(1, 0), Step(0, 1), Step(1, 1, weight=2.0)]))
    True
    >>> symmetric(Topology([Step(1, 0), Step(1, 1), Step(1, 2)]))
    False
    """
    if topology.extra[0] != topology.extra[1] or any(set(p.axes) & {"n", "m"} for p in topology.params()):
        return False
    states = topology.state_names
    orders = permutations(states) if len(states) <= MOST_STATES else [states]
    as_declared = _parts(topology, dict(zip(states, states)), flip=False)
    return any(_parts(topology, dict(zip(states, order)), flip=True) == as_declared for order in orders)


def _parts(topology: Topology, name: Mapping, flip: bool) -> Counter:
    """All that pays, without its order, with the states renamed and, if wanted, rows and columns exchanged."""

    def pair(n, m):
        return (m, n) if flip else (n, m)

    found: Counter = Counter()
    for payer in topology.payers():
        terms = frozenset(Counter((t.plane, pair(*t.at), t.weight) for t in payer.terms).items())
        if isinstance(payer, Step):
            found[Step, pair(payer.dn, payer.dm), name[payer.source], name[payer.target], payer.where, terms, payer.penalty] += 1
        else:
            for state in topology.states_of(payer):
                found[type(payer), pair(payer.n, payer.m), name[state], terms, payer.penalty] += 1
    return found
