"""What flows back from a run's first output: to costs, to Params, to cells. Shared by first derivatives and second ones."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dpsemiring.lower.plan import Wanted
from dpsemiring.run.engine import Backward, Engine, Run
from dpsemiring.run.problem import in_float64
from dpsemiring.run.sources import uses

if TYPE_CHECKING:
    from dpsemiring.api.solver import Solver


class Derivatives:
    """The derivatives of the first output of `run`, by what the solver's own recurrence reads.

    The run is that of the solver, or one over its dual: the sites of the one are the first ones of the other.
    """

    def __init__(self, solver: Solver, engine: Engine, run: Run):
        self.solver, self.engine, self.run, self.problem = solver, engine, run, run.problem
        self.totals = engine.totals(run)
        self.total = self.totals.total()

    @property
    def somewhere(self):
        """(B,): whether there is a path."""
        return self.totals.somewhere

    def outputs(self) -> dict[str, np.ndarray]:
        """Every output by name, () or (B,)."""
        return {n: self.shaped(v.astype(self.problem.kind)) for n, v in self.total.items()}

    def shaped(self, array):
        """As the caller is given it: where his arrays live, and without the batch axis where the call had none."""
        array = self.problem.handed(array)
        return array if self.problem.batched else array[0]

    def by_cost(self):
        """By the cost, shaped like it; a dict of planes where the cost was one."""
        planes = {name: self.shaped(array) for name, array in self.by_plane().items()}
        return planes if self.problem.as_dict else next(iter(planes.values()))

    def by_plane(self) -> dict[str, Any]:
        """By each plane, (B, N + i, M + j)."""
        recurrence, problem = self.solver.recurrence, self.problem
        planes = {recurrence.sites[i].name: flow for i, flow in self._of_costs.sites.items()}
        for name, array in problem.planes.items():  # a plane that only absent steps read
            if name not in planes:
                planes[name] = problem.place.zeros(array.shape, problem.kind)
        return {name: planes[name].astype(problem.kind, copy=False) for name in problem.planes}

    def by_cell(self):
        """By a penalty for entering the cell."""
        return self.shaped(self._of_the_rest.occupancy)

    def by_param(self, name: str):
        """By the named Param, in the shape of its value; refuses one that has no derivative."""
        param, given = self.solver.params[name], self.problem.given[name]
        total = self.problem.place.zeros((self.problem.batch, *given.shape["b" in param.axes :]))
        found = False
        for i, flow in self._of_the_rest.sites.items():
            site = self.solver.recurrence.sites[i]
            if site.name != name:
                continue
            keep = tuple(slice(None) if a in site.axes or a == "b" else 0 for a in "bnm")
            entry: tuple[Any, ...] = (..., *site.entry)
            total[entry] += flow[keep]
            found = True
        for own, value in self.solver.semiring.params.items():
            if getattr(value, "name", None) == name:
                flows = self._as_declared
                total += (flows._of_the_rest.params[own] + flows._end_flows.params[own]).reshape(-1, *[1] * (total.ndim - 1))
                found = True
        if not found:
            raise ValueError(f"grad: {name!r} is a mask, a label or a window's, which has no derivative")
        if "b" not in param.axes:
            total = total.sum(axis=0)
        elif given.shape[0] == 1 < self.problem.batch:
            total = total.sum(axis=0, keepdims=True)
        return self.problem.handed(total.astype(self.problem.kind).reshape(self.problem.shapes[name]))[()]

    def by_source(self, name: str) -> np.ndarray | None:
        """By a named array of the cost's sources, in its own shape; None unless the cost of each of these is made as needed."""
        uses_of = uses(self.problem.sources, name)
        planes = {source.plane for source, _, _ in uses_of}
        if not planes <= set(self.problem.fused):
            return None
        found = []
        for plane in sorted(planes):
            fused = self.problem.fused[plane]
            fused.nan = fused.nan | self.problem.nan
            if plane in self._of_sources.sources:
                found.append(fused.back(name, *self._of_sources.sources[plane]))
            else:  # a plane that only absent steps read
                found.append(fused.back(name, fused.gradients()))
        return self.problem.handed(sum(found[1:], found[0]).astype(self.problem.kind, copy=False))

    # Two kernels: costs alone, which is what most ask for, and all else together.

    @cached_property
    def _of_costs(self) -> Backward:
        return self._backward(Wanted(self._sites("cost")))

    @cached_property
    def _of_sources(self) -> Backward:
        sites = [i for i in self._sites("cost") if self.solver.recurrence.sites[i].name in self.problem.fused]
        planes = dict.fromkeys(self.solver.recurrence.sites[i].name for i in sites)
        return self._backward(Wanted(tuple(sites), drains=tuple(planes)))

    @cached_property
    def _of_the_rest(self) -> Backward:
        return self._backward(Wanted(self._sites("number"), params=self._as_declared is self, occupancy=True))

    @cached_property
    def _as_declared(self) -> Derivatives:
        """For the semiring's own parameters: the derivatives over it as it is declared, in float64 where this is a form of it.

        On a form they may be the small difference of large numbers, as the entropy is that of a cost and a total.
        """
        if self.engine.recurrence.semiring not in self.solver.semiring.forms:
            return self
        plain = self.solver.plain(self.engine)
        return Derivatives(self.solver, plain, plain.forward(in_float64(self.problem), self.run.ends))

    def _sites(self, role):
        return tuple(i for i, s in enumerate(self.solver.recurrence.sites) if s.role == role)

    @cached_property
    def _end_flows(self):
        return self.totals.flows()

    def _backward(self, wanted: Wanted) -> Backward:
        """From the cells and from the ends."""
        backward = self.engine.backward(self.run, self._end_flows, wanted)
        for i, (flow, n, m, inside) in self._end_flows.sites.items():
            if i in backward.sites:
                array, items = backward.sites[i], np.arange(self.problem.batch)[:, None]
                n, m = (x if array.shape[axis] > 1 else np.zeros_like(x) for axis, x in ((1, n), (2, m)))
                self.problem.place.add_at(array, (items, n, m), flow, inside)
        return backward
