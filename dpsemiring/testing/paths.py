"""The global formulation: every path of a small lattice, enumerated, and one sum over all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dpsemiring.algebra.numbers import Number, Numbers
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.gradients import Gathering, Gradients
from dpsemiring.testing.lattice import Arc, Lattice, Node, unroll
from dpsemiring.testing.reading import semiring_values

LIMIT = 200_000


@dataclass(frozen=True)
class Path:
    """One path: a start, steps, an end."""

    arcs: tuple[Arc, ...]

    @property
    def cells(self) -> list[tuple[int, int]]:
        """The cells visited; a (0, 0) step visits its cell once more."""
        return [a.target[:2] for a in self.arcs[:-1] if a.target is not None]

    @property
    def states(self) -> list[str | None]:
        """The state in which each cell was visited."""
        return [a.target[2] for a in self.arcs[:-1] if a.target is not None]

    @property
    def steps(self) -> list[int]:
        """Which step, as declared, led into each cell; -1 for the start."""
        return [-1] + [a.index for a in self.arcs[1:-1]]

    @property
    def start(self) -> int:
        """Which start, as declared."""
        return self.arcs[0].index

    @property
    def end(self) -> int:
        """Which end, as declared."""
        return self.arcs[-1].index

    @property
    def paid(self) -> list[float | None]:
        """The real numbers paid: at the start, by each step, at the end; None where nothing is."""
        return [a.w for a in self.arcs]

    @property
    def cost(self) -> float:
        """Their ordinary sum."""
        return math.fsum(w for w in self.paid if w is not None)


def count_paths(topology: Topology, cost, lengths=None, params=None, *, forbid: float = math.inf) -> int:
    """The exact number of paths of one item.

    Parameters as for `enumerate_paths`.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> count_paths(dp.topologies.dtw(), [[0.0] * 4] * 4)  # the Delannoy number D(3, 3)
    63
    """
    return _count(unroll(topology, cost, lengths, params, forbid=forbid))


def _count(lattice: Lattice) -> int:
    counts: dict[Node, int] = {}

    def count(node):
        if node not in counts:
            counts[node] = sum(1 if a.source is None else count(a.source) for a in lattice.into[node])
        return counts[node]

    lattice.item.check_depth()
    return sum(count(end.source) for end in lattice.ends)


def enumerate_paths(
    topology: Topology, cost, lengths=None, params=None, *, forbid: float = math.inf, limit: int = LIMIT
) -> Iterator[Path]:
    """Every path of one item, each a `Path` with its cells, states, steps, start, end and paid numbers.

    Parameters
    ----------
    topology : Topology
    cost : (N, M) array, source of `dp.costs`, or dict of planes
    lengths : pair of int, optional
    params : dict, optional
        Values of the topology's Params, without a batch axis.
    forbid : float
        +inf for costs, -inf for scores (a semiring's ``forbid``).
    limit : int
        The most paths that are enumerated.

    Raises
    ------
    ValueError
        If the lattice has more than `limit` paths.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> for path in enumerate_paths(dp.topologies.dtw(), [[1.0, 2.0], [3.0, 4.0]]):
    ...     print(path.cells, path.paid)
    [(0, 0), (1, 1)] [1.0, 4.0, None]
    [(0, 0), (0, 1), (1, 1)] [1.0, 2.0, 4.0, None]
    [(0, 0), (1, 0), (1, 1)] [1.0, 3.0, 4.0, None]
    """
    return _paths(unroll(topology, cost, lengths, params, forbid=forbid), limit)


def _paths(lattice: Lattice, limit: int) -> Iterator[Path]:
    count = _count(lattice)
    if count > limit:
        raise ValueError(
            f"the lattice has {count} paths and the limit is {limit}: enumerate a smaller one, or use dp.testing.recursive_total"
        )
    return _walk(lattice)


def _walk(lattice: Lattice) -> Iterator[Path]:
    for end in lattice.ends:
        waiting: list[tuple[Arc, ...]] = [(end,)]
        while waiting:
            arcs = waiting.pop()
            if arcs[0].source is None:
                yield Path(arcs)
            else:
                waiting += [(before, *arcs) for before in reversed(lattice.into[arcs[0].source])]


class _Global:
    """The values along every path, and their one sum."""

    def __init__(self, topology, semiring, cost, lengths, params, limit):
        self.topology, self.semiring, self.params = topology, semiring, params
        self.lattice = unroll(topology, cost, lengths, params, forbid=semiring.forbid)
        self.numbers = Numbers(semiring, semiring_values(semiring, params))
        self.paths = list(_paths(self.lattice, limit))
        self.prefixes = [self._along(path) for path in self.paths]
        self.values = [p[-1] for p in self.prefixes]

    def _along(self, path) -> list[Number]:
        """The product after each arc of the path."""
        values: list[Number] = []
        for arc in path.arcs:
            values.append(self.numbers.step(values[-1] if values else None, arc.w))
        return values

    def outputs(self) -> dict[str, float]:
        found = self.numbers.decode(self.numbers.sum(self.values))
        return dict.fromkeys(found, math.nan) if self.lattice.has_nan else found

    def gradients(self) -> Gradients:
        out = Gathering(self.topology, self.semiring, self.lattice, self.numbers)
        if any(map(self.numbers.live, self.values)):
            bars, own = self.numbers.decode_flows(self.numbers.sum(self.values))
            out.add_own(own)
            flows, own = self.numbers.sum_flows(self.values, bars)
            out.add_own(own)
            for path, prefix, flow in zip(self.paths, self.prefixes, flows):
                if self.numbers.live(prefix[-1]):
                    for arc, before in zip(reversed(path.arcs), [*reversed(prefix[:-1]), None]):
                        flow = out.through(arc, before, flow)
        return out.result(self.params, self.lattice.has_nan)


def global_outputs(topology: Topology, semiring: Semiring, cost, lengths=None, params=None, *, limit=LIMIT) -> dict[str, float]:
    """Everything that the semiring decodes from the one sum over all paths, by name. See `global_total`."""
    return _Global(topology, semiring, cost, lengths, params, limit).outputs()


def global_total(topology: Topology, semiring: Semiring, cost, lengths=None, params=None, *, limit: int = LIMIT) -> float:
    """The total of one item by the global formulation: one n-ary sum over all paths of the product along each.

    ``total = decode( sum over all paths of  times(... times(encode(w_start), encode(w_1)) ..., encode(w_end)) )``

    Equal to the recursion where the sum is associative and times distributes over it.

    Parameters
    ----------
    topology : Topology
    semiring : Semiring
    cost, lengths, params
        As for a solver, for one item.
    limit : int
        The most paths that are enumerated.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> global_total(dp.topologies.dtw(), dp.Tropical, [[1.0, 2.0], [3.0, 4.0]])
    5.0
    """
    return next(iter(global_outputs(topology, semiring, cost, lengths, params, limit=limit).values()))


def global_gradients(topology: Topology, semiring: Semiring, cost, lengths=None, params=None, *, limit: int = LIMIT) -> Gradients:
    """The derivatives of `global_total`: to every cost, every Param, every cell.

    The derivative of the one sum gives a weight for each path; it flows back through the product along that path.
    """
    return _Global(topology, semiring, cost, lengths, params, limit).gradients()


def global_marginals(
    topology: Topology, semiring: Semiring, cost, lengths=None, params=None, *, limit: int = LIMIT
) -> np.ndarray | dict[str, np.ndarray]:
    """d `global_total` / d cost: an array shaped like the cost, or a dict of planes where the cost was one.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> global_marginals(dp.topologies.dtw(), dp.Tropical, [[1.0, 2.0], [3.0, 4.0]]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    planes = global_gradients(topology, semiring, cost, lengths, params, limit=limit).planes
    return planes if isinstance(cost, Mapping) else next(iter(planes.values()))
