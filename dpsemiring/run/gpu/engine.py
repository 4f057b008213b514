"""Runs a recurrence as CUDA text on a device: arguments laid out, texts kept, kernels launched."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsemiring.algebra.expr import INT, value_of
from dpsemiring.lower.cuda_text import Module, cuda_module
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.kernel import parameter
from dpsemiring.lower.plan import Plan, Wanted, make_plan
from dpsemiring.lower.schedule import HEIGHT
from dpsemiring.run.arrays import contiguous
from dpsemiring.run.engine import Backward, Run, path_bound
from dpsemiring.run.gpu.device import Device
from dpsemiring.run.gpu.survey import survey
from dpsemiring.run.inputs import Problem
from dpsemiring.run.total import Ends, Flows
from dpsemiring.run.windows import block_columns

THREADS = 128


class GpuEngine:
    """Runs a recurrence with CUDA kernels.

    Args:
        recurrence: that of a solver.
        device: what makes arrays and launches kernels.
        threads: of a CUDA block, a multiple of 32.
        height: rows of a strip.
        grid: number of CUDA blocks; by default what the device takes for so many items.
        together: one text for all kernels, and one backward kernel that gives everything: quicker to build.
    """

    plain = False
    fuses = looks = False

    def __init__(
        self,
        recurrence: Recurrence,
        device: Device,
        *,
        threads: int = THREADS,
        height: int = HEIGHT,
        grid: int | None = None,
        together: bool = False,
    ) -> None:
        self.recurrence, self.device = recurrence, device
        self._height, self._threads, self._grid, self._together = height, threads, grid, together
        self._plans: dict[str, Plan] = {}
        self._modules: dict[tuple, Module] = {}

    @property
    def place(self) -> Device:
        return self.device

    def another(self, recurrence: Recurrence) -> GpuEngine:
        return GpuEngine(
            recurrence, self.device, threads=self._threads, height=self._height, grid=self._grid, together=self._together
        )

    def plan(self, real: np.dtype) -> Plan:
        name = np.dtype(real).name
        if name not in self._plans:
            self._plans[name] = make_plan(self.recurrence, name, self._height)
        return self._plans[name]

    # --- laying out arguments -----------------------------------------------------------------------

    def _lattice_shape(self, problem: Problem) -> tuple[int, int]:
        x0, x1 = self.recurrence.extra
        return problem.shape[1] + x0, problem.shape[2] + x1

    def _pitch(self, problem: Problem) -> int:
        """Columns of the widest strip."""
        if problem.window is None:
            return self._lattice_shape(problem)[1]
        return int(block_columns(problem.window, self.plan(problem.real).schedule.height)[1].max(initial=0))

    def _dtypes(self, real: np.dtype) -> dict[str, np.dtype]:
        """By the text's name for a kind of number."""
        return {"F": np.dtype(real), "I": np.dtype(np.int32 if np.dtype(real) == np.float32 else np.int64)}

    def _components(self, real: np.dtype) -> list[np.dtype]:
        return [self._dtypes(real)["I" if kind == INT else "F"] for kind in self.recurrence.semiring.trace.kinds]

    def _zeros(self, shape, real: np.dtype) -> list:
        """An array of zeros of the semiring for each component."""
        zero = self.recurrence.semiring.trace.zero
        return [self.device.full(shape, value_of(z), t) for z, t in zip(zero, self._components(real))]

    def _inputs(self, problem: Problem, borders: list) -> dict[str, Any]:
        plan, (rows, cols) = self.plan(problem.real), self._lattice_shape(problem)
        constant = self.device.constant
        given: dict[str, Any] = {"items": problem.batch, "skip": problem.nan}
        given |= {"n_len": constant(problem.n_len), "m_len": constant(problem.m_len)}
        pitch = self._pitch(problem)
        given |= {"width": cols, "pitch": pitch, "blocks": -(-rows // plan.schedule.height), "room": plan.schedule.room(pitch)}
        if problem.window is not None:
            columns = block_columns(problem.window, plan.schedule.height)
            given |= {"rows_each": rows}
            given |= zip(("row_lo", "row_hi", "left_of", "wide_of"), map(constant, (*problem.window, *columns)))
        for i in plan.cell_sites:
            array = contiguous(problem.sites[i], problem.real)
            apart = (s // array.itemsize if size > 1 else 0 for s, size in zip(array.strides, array.shape))
            given[f"a{i}"] = array
            given |= zip((f"a{i}_b", f"a{i}_n", f"a{i}_m"), apart)
            given |= zip((f"a{i}_more_n", f"a{i}_more_m"), problem.more[i])
        numbers = {f"x{i}": problem.sites[i].reshape(-1).astype(np.float64) for i in plan.item_sites}
        numbers |= {parameter(plan, name): problem.params[name].astype(np.float64, copy=False) for name in plan.params}
        for name, array in numbers.items():
            given |= {f"all_{name}": array, f"own_{name}": int(array.size > 1)}
        return given | {f"R{c}": border for c, border in enumerate(borders)}

    def _ends(self, ends: Ends) -> dict[str, Any]:
        listed = {"end_n": ends.n, "end_m": ends.m, "end_k": ends.state}
        return {"ends_each": ends.n.shape[1]} | {name: self._whole_numbers(a) for name, a in listed.items()}

    def _whole_numbers(self, array):
        return self.device.constant(np.ascontiguousarray(array, np.int64))

    def _answered(self, wanted: Wanted) -> Wanted:
        """What is computed where that is wanted."""
        if not self._together:
            return wanted
        return Wanted(tuple(i for i, site in enumerate(self.recurrence.sites) if site.role != "mask"), True, True)

    def module(self, job: str, real: np.dtype, wanted: Wanted = Wanted()) -> Module:
        """The text that holds a kernel: "forward", "backward" or "paths"."""
        plan, wanted = self.plan(real), self._answered(wanted)
        key = (plan.real, *(() if self._together else (job, wanted)))
        if key not in self._modules:
            if self._together:
                backward = wanted if self.recurrence.semiring.derivative else None
                self._modules[key] = cuda_module(plan, forward=True, backward=backward, paths=plan.exact)
            else:
                backward = wanted if job == "backward" else None
                self._modules[key] = cuda_module(plan, forward=job == "forward", backward=backward, paths=job == "paths")
        return self._modules[key]

    def _launch(self, job: str, problem: Problem, given: dict[str, Any], wanted: Wanted = Wanted()) -> None:
        if not problem.batch:
            return
        grid = self._grid or self.device.blocks(problem.batch)
        sizes: dict[object, Any] = {"grid": grid, "room": given["room"], "pitch": given["pitch"]}
        module = self.module(job, problem.real, wanted)
        arguments = module.kernels[job]
        for a in arguments:
            if a.scratch:
                dtype = self._dtypes(problem.real)[a.type.rstrip("*")]
                given[a.name] = self.device.empty(tuple(sizes.get(s, s) for s in a.scratch), dtype)
        types, values = [a.type for a in arguments], [given[a.name] for a in arguments]
        self.device.launch(module.text, job, grid, self._threads, types, values)

    # --- the passes ---------------------------------------------------------------------------------

    def survey(self, array, rows, lo, hi, refused, nan, bad):
        """See `Engine`; the largest sizes are by item."""
        holds, meets, largest = survey(self.device, array, rows, lo, hi, refused)
        nan |= holds
        bad |= meets
        return largest

    def largest(self, array, rows, lo, hi):
        return survey(self.device, array, rows, lo, hi, np.inf)[2]

    def _forward(self, problem: Problem, ends: Ends, lattice: list | None):
        plan, (rows, cols) = self.plan(problem.real), self._lattice_shape(problem)
        s, states = plan.schedule, len(self.recurrence.states)
        shape = (problem.batch, -(-rows // s.height), s.halo, states, self._pitch(problem))
        borders = [self.device.empty(shape, t) for t in self._components(problem.real)]
        values = self._zeros(ends.n.shape, problem.real)
        given = self._inputs(problem, borders) | self._ends(ends) | {"lattice_each": rows * cols * states}
        for c, value in enumerate(values):
            given |= {f"D{c}": value, f"L{c}": lattice[c] if lattice else None}
        self._launch("forward", problem, given)
        return values, borders

    def forward(self, problem: Problem, ends: Ends) -> Run:
        return Run(problem, ends, *self._forward(problem, ends, None))

    def lattice(self, run: Run) -> list:
        shape = (run.problem.batch, *self._lattice_shape(run.problem), len(self.recurrence.states))
        out = self._zeros(shape, run.problem.real)
        self._forward(run.problem, run.ends, out)
        return out

    def backward(self, run: Run, flows: Flows, wanted: Wanted) -> Backward:
        r, p = self.recurrence, run.problem
        lost = np.where(p.nan, np.nan, 0.0)

        def zeros(shape, dtype):
            """Zeros, to which kernels add; NaN for the items that they leave out."""
            out = self.device.empty(shape, dtype)
            out[...] = lost.reshape(-1, *[1] * (out.ndim - 1))
            return out

        plan, (rows, cols) = self.plan(p.real), self._lattice_shape(p)
        asked, wanted, arrays = wanted, self._answered(wanted), {}
        for i in wanted.sites:
            site = r.sites[i]
            # a parameter that is given with length 1 along an axis that it declares is summed afterwards
            shape = (p.batch, rows if "n" in site.axes else 1, cols if "m" in site.axes else 1)
            cost = site.role == "cost"
            arrays[f"dW{i}"] = zeros((p.batch, *p.sites[i].shape[1:]) if cost else shape, p.real if cost else np.float64)
        params = {name: zeros((p.batch,), np.float64) for name in plan.params} if wanted.params else {}
        arrays |= {f"d{parameter(plan, name)}": total for name, total in params.items()}
        if wanted.occupancy:
            arrays["dO"] = zeros((p.batch, rows, cols), p.real)
        given = self._inputs(p, run.kept) | self._ends(run.ends)
        for c, flow in enumerate(flows.values):
            given[f"dA{c}"] = contiguous(flow, p.real)
        for name, array in arrays.items():
            given |= {f"all_{name}": array, f"{name}_b": array[:1].size}
        self._launch("backward", p, given, wanted)
        sites = self._by_plane(p, {i: arrays[f"dW{i}"] for i in asked.sites})
        return Backward(sites, params if asked.params else {}, arrays["dO"] if asked.occupancy else None)

    def _by_plane(self, problem: Problem, found: dict[int, Any]) -> dict[int, Any]:
        """What flows to sites, from what each kernel's array has: those of a plane are added up, and axes along which one
        number serves all."""
        out: dict[int, Any] = {}
        planes: dict[str, int] = {}
        for i, array in found.items():
            site, own = self.recurrence.sites[i], problem.sites[i].shape
            if site.role == "cost" and site.name in planes:
                first = out[planes[site.name]]
                first += array
                array = first
            elif axes := tuple(a for a in (1, 2) if own[a] == 1 < array.shape[a]):
                array = array.sum(axis=axes, keepdims=True)
            planes.setdefault(site.name, i)
            out[i] = array
        return out

    def paths(self, run: Run, n, m, k) -> list[np.ndarray]:
        p, longest = run.problem, path_bound(self.recurrence, run.problem)
        visited = self.device.zeros((p.batch, longest, 4), np.int64)
        counts = self.device.zeros(p.batch, np.int64)
        given = self._inputs(p, run.kept) | {"visited": visited, "visited_b": 4 * longest, "counts": counts}
        given |= {f"from_{x}": self._whole_numbers(a) for x, a in zip("nmk", (n, m, k))}
        self._launch("paths", p, given)
        visited, counts = self.device.host(visited), self.device.host(counts)
        return [visited[b, : max(0, c)][::-1].copy() for b, c in enumerate(counts)]

    def __str__(self) -> str:
        plan = str(self.plan(np.dtype(np.float32))).replace("float32", "the cost's kind")
        return f"{plan}\n  engine    CUDA on {self.device.name}, {self._threads} threads a block"
