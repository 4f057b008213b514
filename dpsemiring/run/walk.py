"""Walks back over accumulated values, whichever engine found them: random paths, and the best of a list.

A path is an (L, 4) array, as `Engine.paths` gives it: row, column, state, step (-1: a start).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dpsemiring.algebra.expr import INT
from dpsemiring.algebra.numbers import Number
from dpsemiring.algebra.posterior import Posterior
from dpsemiring.run.engine import Engine, Run
from dpsemiring.run.problem import in_float64, on_host, whole
from dpsemiring.run.reference import Lattice

Node = tuple[int, int, int] | None
"""A row, a column and a state; None is the total."""


@dataclass(eq=False)
class Move:
    """What enters a node: an arc or an end, the node that it comes from (starts have none), the value it brings."""

    step: int  # -1: a start
    source: Node
    pays: tuple[float, ...] | None
    value: Number


class Walker:
    """One item's walks."""

    def __init__(self, engine: Engine, run: Run, values: list[np.ndarray], b: int):
        self.lattice = Lattice(engine.recurrence, run.problem, b)
        self.lattice.values = _Values(self.lattice, [v[b] for v in values])
        self.numbers, self.recurrence = self.lattice.numbers, engine.recurrence
        ends = run.ends
        self.ends = [(int(ends.n[b, e]), int(ends.m[b, e]), int(ends.which[b, e])) for e in np.flatnonzero(ends.exist[b])]
        self._into: dict[Node, list[Move]] = {}

    def into(self, node: Node) -> list[Move]:
        """Everything that enters a node, in its fixed order."""
        if node not in self._into:
            self._into[node] = list(self._of_total() if node is None else self._of_cell(*node))
        return self._into[node]

    def _of_cell(self, n, m, k) -> Iterator[Move]:
        for arc, value in self.lattice.candidates(n, m, k):
            source = None if arc.is_start else (n - arc.dn, m - arc.dm, arc.source)
            yield Move(-1 if arc.is_start else arc.index, source, self.lattice.weight(arc, n, m), value)

    def _of_total(self) -> Iterator[Move]:
        for n, m, which in self.ends:
            end = self.recurrence.ends[which]
            w = self.lattice.weight(end, n, m)
            if w is None or w[0] != self.recurrence.semiring.forbid:
                source = n, m, end.state
                yield Move(which, source, w, self.numbers.step(self.lattice.values[source], w))

    # --- random paths -------------------------------------------------------------------------------

    def sample(self, count: int, rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
        """Paths drawn from the posterior, each with its own total; none where there is no path."""
        if all(self.numbers.is_zero(move.value) for move in self.into(None)):
            return []
        posterior = Posterior(self.numbers)
        known: dict[Node, np.ndarray] = {}

        def draw(node):
            if node not in known:
                known[node] = np.cumsum(posterior.shares([move.value for move in self.into(node)]))
            upto = known[node]
            return self.into(node)[int(np.searchsorted(upto, rng.random() * upto[-1], side="right"))]

        return [self._walk(draw) for _ in range(count)]

    def _walk(self, choose) -> tuple[np.ndarray, float]:
        """Back from the total to a start, along the moves that `choose(node)` takes."""
        end = choose(None)
        node, out, paid = end.source, [], [end.pays]
        while node is not None:
            move = choose(node)
            out.append((*node, move.step))
            paid.append(move.pays)
            node = move.source
        value = None
        for w in reversed(paid):
            value = self.numbers.step(value, w)
        return np.array(out[::-1], np.int64).reshape(-1, 4), next(iter(self.numbers.decode(value).values()))

    # --- the best of a list -------------------------------------------------------------------------

    def ranked(self) -> list[tuple[np.ndarray, float]]:
        """For each component of the total, best first, the path that it is the total of; fewer where there are fewer.

        The sum merges lists and a step leaves every component in its place (`Trace.ranks`). So each component of a node
        equals one component of what enters it, and no two the same one: the paths are distinct, also where they tie.
        """
        known: dict[Node, list[tuple[Move, int]]] = {}

        def origins(node):
            if node not in known:
                known[node] = list(self._merged(self.into(node)))
            return known[node]

        def follow(c):
            def choose(node):
                nonlocal c
                move, c = origins(node)[c]
                return move

            return choose

        return [self._walk(follow(c)) for c in range(len(origins(None)))]

    def _merged(self, moves: list[Move]) -> Iterator[tuple[Move, int]]:
        """For each component of the sum, up to those that are missing: the move and its component that it is."""
        waiting = [(move, c) for move in moves for c, (x, z) in enumerate(zip(move.value, self.numbers.zero)) if x != z]
        for x in self.numbers.sum([move.value for move in moves])[: len(waiting)]:
            yield waiting.pop(next(i for i, (move, c) in enumerate(waiting) if move.value[c] == x))


class _Values:
    """An item's accumulated values as the mapping that `Lattice` reads."""

    def __init__(self, lattice: Lattice, arrays: list[np.ndarray]):
        self.shape = lattice.rows, lattice.cols
        self.arrays = arrays
        self.kinds = [int if k == INT else float for k in lattice.numbers.trace.kinds]

    def get(self, place) -> Number | None:
        """The value at (n, m, k), None outside the lattice."""
        n, m, _ = place
        return self[place] if 0 <= n < self.shape[0] and 0 <= m < self.shape[1] else None

    def __getitem__(self, place) -> Number:
        return tuple(kind(array[place]) for kind, array in zip(self.kinds, self.arrays))


def walkers(engine: Engine, run: Run) -> Iterator[Walker | None]:
    """A walker for each item, over values accumulated in float64; None for an item that holds a NaN."""
    wide = replace(run, problem=in_float64(whole(run.problem)))
    values = [run.problem.place.host(v) for v in engine.lattice(wide)]
    wide = replace(wide, problem=on_host(wide.problem))
    for b in range(run.problem.batch):
        yield None if wide.problem.nan[b] else Walker(engine, wide, values, b)
