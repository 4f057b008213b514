"""What an engine is: the passes that `api` asks for, whatever runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.plan import Wanted
from dpsemiring.run.arrays import Place, some
from dpsemiring.run.fused import Fuse
from dpsemiring.run.problem import Problem
from dpsemiring.run.total import Ends, Flows, Totals


@dataclass(eq=False)
class Run:
    """A forward pass: the values at the ends, and whatever the engine keeps for the passes after it."""

    problem: Problem
    ends: Ends
    values: list[np.ndarray]  # component -> (B, E)
    kept: Any = None


@dataclass(eq=False)
class Backward:
    """What flows to sites, arrays (B, n or 1, m or 1) that the sites of a plane share; to the semiring's parameters,
    (B,); the occupancy; and, for planes whose cost is not an array, what flows to what it is made of, by worker."""

    sites: dict[int, np.ndarray] = field(default_factory=dict)
    params: dict[str, np.ndarray] = field(default_factory=dict)
    occupancy: np.ndarray | None = None
    sources: dict[str, list] = field(default_factory=dict)


class Engine(Protocol):
    """Runs one recurrence."""

    recurrence: Recurrence
    place: Place  # where the arrays live that it takes and gives
    fuse: Fuse | None  # what takes a source, of which it makes the cost as it needs it
    looks: bool  # whether its forward pass finds the largest sizes that are asked for in `Problem.unseen`

    def another(self, recurrence: Recurrence) -> Engine:
        """An engine of the same kind for another recurrence."""

    def survey(self, array, rows, lo, hi, refused, nan, bad) -> Any:
        """Mark items that hold a NaN, or the refused infinity, in the first rows[b] rows, columns lo[b, n] to hi[b, n]. Gives
        the greatest finite absolute value there, by item, if that is found on the way."""

    def largest(self, array, rows, lo, hi) -> Any:
        """The greatest finite absolute value in the same places: a number, or one for each item."""

    def forward(self, problem: Problem, ends: Ends) -> Run:
        """Values at the ends."""

    def lattice(self, run: Run) -> list[np.ndarray]:
        """Every accumulated value: component -> (B, N + x0, M + x1, K), the zero outside an item's lengths."""

    def totals(self, run: Run) -> Totals:
        """The outputs, and what flows back from the first to the ends."""

    def backward(self, run: Run, flows: Flows, wanted: Wanted) -> Backward:
        """What flows from the total to sites, parameters and cells; NaN for the items that hold one."""

    def paths(self, run: Run, n: np.ndarray, m: np.ndarray, k: np.ndarray) -> list[np.ndarray]:
        """The path that ends in each given cell and state: (L, 4) of row, column, state, step (-1: a start).

        n is -1 where an item has none; an unfinished path is empty.
        """


def empty_sites(
    recurrence: Recurrence, problem: Problem, wanted: Wanted, real: np.dtype, make: Callable[..., np.ndarray] = np.zeros
) -> dict[int, np.ndarray]:
    """Room for what flows to the wanted sites, by default zeros: one array for all sites of a plane, in the kind of the
    cost; for parameters one for each site, in float64."""
    planes: dict[str, np.ndarray] = {}
    out = {}
    for i in wanted.sites:
        site, shape = recurrence.sites[i], (problem.batch, *problem.sites[i].shape[1:])
        if site.name in wanted.drains:
            continue
        if site.role == "cost":
            if site.name not in planes:
                planes[site.name] = make(shape, real)
            out[i] = planes[site.name]
        else:
            out[i] = make(shape, np.float64)
    return out


def spoil(backward: Backward, problem: Problem) -> Backward:
    """NaN in the items that hold one."""
    if some(problem.nan):
        found = [*backward.sites.values(), *backward.params.values()]
        for array in found + ([] if backward.occupancy is None else [backward.occupancy]):
            array[problem.nan] = np.nan
    return backward


def path_bound(recurrence: Recurrence, problem: Problem) -> int:
    """No path is longer: every move advances, and a cell is visited at most once in each state."""
    if not problem.batch:
        return 0
    return (int((problem.n_len + problem.m_len).max()) + sum(recurrence.extra)) * len(recurrence.states)
