"""Runs a recurrence as CUDA text on a device: arguments laid out, texts kept, kernels launched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from dpsemiring.algebra.expr import value_of
from dpsemiring.lower.cuda_ends import cuda_ends
from dpsemiring.lower.cuda_judge import CELLS, cuda_judge
from dpsemiring.lower.cuda_sources import FORMS, reads_once
from dpsemiring.lower.cuda_text import Module, cuda_module
from dpsemiring.lower.ends import swept
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.kernel import parameter
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.schedule import LANES, Schedule, panels
from dpsemiring.run.arrays import contiguous
from dpsemiring.run.engine import Backward, Run, path_bound
from dpsemiring.run.gpu.arguments import THREADS, launch, of_item, of_site, result
from dpsemiring.run.gpu.choice import COLUMNS, Choice, choose, described, options
from dpsemiring.run.gpu.device import Device
from dpsemiring.run.gpu.ends import EndKernels
from dpsemiring.run.gpu.fused import GpuFused, fuse
from dpsemiring.run.gpu.memory import Size, extents, kind_of
from dpsemiring.run.gpu.survey import survey
from dpsemiring.run.limits import size_of
from dpsemiring.run.problem import Problem
from dpsemiring.run.total import Ends, Flows, Totaller, Totals

BUSY, MOST_WHOLE = 6, 1 << 30  # panels for each multiprocessor that keep it busy; bytes of whole costs that sources may take


@dataclass(frozen=True, eq=False)
class Kept:
    """What a forward pass leaves for those after it: its plan, the most CUDA blocks that they launch, and the arrays that their
    kernels are given."""

    plan: Plan
    blocks: int
    arrays: dict[str, Any]


class GpuEngine:
    """Runs a recurrence with CUDA kernels.

    Args:
        recurrence: that of a solver.
        device: what makes arrays and launches kernels.
        threads: of a CUDA block, a multiple of 32.
        columns, span, chunk: as in `panels`; by default what suits each problem.
        grid: number of CUDA blocks; by default what the device takes for so many warps.
        together: one text for all kernels, and one backward kernel that gives everything: quicker to build.
        memory: bytes that a call may have beside costs and gradients; by default see `choose`.
        needed: whether sweeps make the costs of sources; by default where that pays.
    """

    looks = True

    def __init__(
        self,
        recurrence: Recurrence,
        device: Device,
        *,
        threads: int = THREADS,
        columns: int | None = None,
        span: int | None = None,
        chunk: int = LANES,
        grid: int | None = None,
        together: bool = False,
        memory: int | None = None,
        needed: bool | None = None,
    ) -> None:
        self.recurrence, self.device, self.memory, self._needed = recurrence, device, memory, needed
        self._threads, self._grid, self._together = threads, grid, together
        self._cut = {"columns": columns, "span": span, "chunk": chunk}
        self._among = options(recurrence, **self._cut)
        self._choice = lru_cache(maxsize=1024)(self._chosen)
        self._plans: dict[tuple, Plan] = {}
        self._modules: dict[tuple, Module] = {}

    @property
    def place(self) -> Device:
        return self.device

    def another(self, recurrence: Recurrence) -> GpuEngine:
        options = {"threads": self._threads, "grid": self._grid, "together": self._together, "memory": self.memory}
        options["needed"] = self._needed
        return GpuEngine(recurrence, self.device, **options, **self._cut)

    def fuse(self, source, n_len, m_len, forbid, real, ranges=None, refuse=None) -> GpuFused | None:
        """See `run.fused.Fuse`; the window and what is forbidden are left to the kernels. Those make whole costs too."""
        once = reads_once(self.recurrence, source.plane)
        shift = next(s.at[1] for s in self.recurrence.sites if s.role == "cost" and s.name == source.plane) if once else 0
        made = fuse(source, (n_len, m_len), real, shift, refuse, max(schedule.columns for schedule in self._among))
        if made is None:
            return None
        source.made_by = made
        return made if once and not self.recurrence.ends_read and self._sweeps_make(made) else None

    def _sweeps_make(self, made: GpuFused) -> bool:
        """Whether costs are made by the warps that sweep them. Tables always, since it costs little; sums over features where
        there are so many warps that they keep the device busy, or where the whole cost would be large."""
        if self._needed is not None or not any(kind in FORMS for kind in made.kinds):
            return self._needed is not False
        items, rows, cols = len(made.nan), *made.source.shape[-2:]
        size, most = items * rows * cols * made.real.itemsize, MOST_WHOLE if self.memory is None else self.memory
        return items * -(-cols // (LANES * max(COLUMNS))) >= BUSY * self.device.processors or size > most

    def plan(self, real: np.dtype, schedule: Schedule, fused: tuple = ()) -> Plan:
        """`fused` as in `Plan`."""
        key = np.dtype(real).name, schedule, fused
        if key not in self._plans:
            self._plans[key] = Plan(self.recurrence, schedule, np.dtype(real).name, fused)
        return self._plans[key]

    @property
    def cut(self) -> Schedule:
        """The schedule that the options ask for."""
        return panels(self.recurrence, **self._cut)

    def choice_for(self, problem: Problem) -> Choice:
        """The schedule by which a problem is run, and the most CUDA blocks of its way back."""
        return self._choice(np.dtype(problem.real), self._size(problem), len(problem.fused))

    def _chosen(self, real: np.dtype, size: Size, made: int) -> Choice:
        return choose(self.recurrence, real, size, self.device, self._threads, self._among, self._grid, self.memory, made)

    # --- laying out arguments -----------------------------------------------------------------------

    def _lattice_shape(self, problem: Problem) -> tuple[int, int]:
        x0, x1 = self.recurrence.extra
        return problem.shape[1] + x0, problem.shape[2] + x1

    def _size(self, problem: Problem) -> Size:
        return problem.batch, *self._lattice_shape(problem)

    def _dtypes(self, real: np.dtype) -> dict[str, np.dtype]:
        """By the text's name for a kind of number."""
        kinds = {"F": real, "I": np.int32 if real == np.float32 else np.int64, "int": np.int32, "double": np.float64}
        return {name: np.dtype(kind) for name, kind in kinds.items()}

    def _components(self, real: np.dtype) -> list[np.dtype]:
        return [kind_of(kind, real) for kind in self.recurrence.semiring.trace.kinds]

    def _zeros(self, shape, real: np.dtype) -> list:
        """An array of zeros of the semiring for each component."""
        zero = self.recurrence.semiring.trace.zero
        return [self.device.full(shape, value_of(z), t) for z, t in zip(zero, self._components(real))]

    def _empty(self, shape, real: np.dtype) -> list:
        """An array for each component."""
        return [self.device.empty(shape, t) for t in self._components(real)]

    def _inputs(self, plan: Plan, problem: Problem) -> dict[str, Any]:
        constant = self.device.constant
        given: dict[str, Any] = {"skip": problem.nan}
        given |= {"n_len": constant(problem.n_len), "m_len": constant(problem.m_len)}
        if problem.window is not None:
            given |= zip(("row_lo", "row_hi"), map(constant, problem.window))
        made = [name for name, _ in plan.fused]
        for i in plan.cell_sites:
            if (site := self.recurrence.sites[i]).role == "cost" and site.name in made:
                given |= zip((f"a{i}_n", f"a{i}_more_n", f"a{i}_more_m"), (problem.sites[i].shape[2], *problem.more[i]))
                given |= problem.fused[site.name].inputs(f"P{made.index(site.name)}")
                continue
            given |= of_site(problem, i)
        numbers = {f"x{i}": problem.sites[i] for i in plan.item_sites}
        numbers |= {parameter(plan, name): problem.params[name] for name in plan.params}
        for name, array in numbers.items():
            given |= of_item(name, array)
        return given

    def _ends(self, ends: Ends) -> dict[str, Any]:
        listed = {"end_n": ends.n, "end_m": ends.m, "end_k": ends.state}
        return {"ends_each": ends.n.shape[1]} | {name: self._whole_numbers(a) for name, a in listed.items()}

    def _whole_numbers(self, array):
        return self.device.constant(np.ascontiguousarray(array, np.int64))

    def _answered(self, wanted: Wanted) -> Wanted:
        """What is computed where that is wanted."""
        if not self._together or wanted.drains:
            return wanted
        return Wanted(tuple(i for i, site in enumerate(self.recurrence.sites) if site.role != "mask"), True, True)

    def module(self, job: str, plan: Plan, wanted: Wanted = Wanted()) -> Module:
        """The text that holds a kernel: "forward", "backward" or "paths"."""
        wanted = self._answered(wanted)
        together = self._together and not wanted.drains
        key = (plan, *(() if together else (job, wanted)))
        if key not in self._modules:
            if together:
                backward = wanted if self.recurrence.semiring.derivative else None
                self._modules[key] = cuda_module(plan, forward=True, backward=backward, paths=plan.exact)
            else:
                backward = wanted if job == "backward" else None
                self._modules[key] = cuda_module(plan, forward=job == "forward", backward=backward, paths=job == "paths")
        return self._modules[key]

    def _launch(
        self,
        job: str,
        plan: Plan,
        problem: Problem,
        given: dict[str, Any],
        wanted: Wanted = Wanted(),
        most: int | None = None,
    ) -> None:
        """Run a kernel, in so many CUDA blocks at most; what it needs and is not given is made, and found in `given`
        afterwards."""
        warps = problem.batch * plan.schedule.panels(self._lattice_shape(problem)[1])
        grid = self._grid or self.device.blocks(-(-warps * LANES // self._threads))
        grid = min(grid, most or grid)
        sizes = extents(self.recurrence, plan.schedule, self._size(problem), grid * self._threads // LANES)
        kinds = self._dtypes(problem.real)
        module = self.module(job, plan, wanted)
        arguments = module.kernels[job]
        given |= {name: sizes[name] for name in ("items", "panels", "rows", "spans", "width")}
        given |= {f"dW{i}_b": math.prod(problem.sites[i].shape[1:]) for i in wanted.sites}
        made = {a: self._shape(a.shape, sizes, problem, given) for a in arguments if a.shape and a.name not in given}
        counts = {a: shape for a, shape in made.items() if a.cleared and a.type in ("int*", "I*")}
        given |= self._cleared({a.name: (shape, kinds[a.type.rstrip("*")]) for a, shape in counts.items()})
        for a, shape in made.items():
            if a not in counts:
                kind = kinds[a.type.rstrip("*")]
                given[a.name] = result(self.device, shape, kind, problem.nan) if a.cleared else self.device.empty(shape, kind)
                given[f"{a.name}_b"] = math.prod(shape[-2:])
        if problem.batch:
            launch(self.device, module, job, grid, self._threads, given)

    def _cleared(self, wanted: dict[str, tuple[tuple[int, ...], np.dtype]]) -> dict[str, Any]:
        """Arrays of zeros, those of a kind out of one."""
        found: dict[str, Any] = {}
        for kind in {kind for _, kind in wanted.values()}:
            shapes = {name: shape for name, (shape, own) in wanted.items() if own == kind}
            room, at = self.device.zeros(sum(map(math.prod, shapes.values())), kind), 0
            for name, shape in shapes.items():
                found[name] = room[at : at + math.prod(shape)].reshape(shape)
                at += math.prod(shape)
        return found

    @staticmethod
    def _shape(shape, sizes: dict[str, int], problem: Problem, given: dict[str, Any]) -> tuple[int, ...]:
        """The numbers that a shape stands for; ("site3",) is that of the cost that site 3 reads."""
        if str(shape[0]).startswith("site"):
            return problem.batch, *problem.sites[int(shape[0].removeprefix("site"))].shape[1:]
        return tuple(s if isinstance(s, int) else sizes[s] if s in sizes else given[s] for s in shape)

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
        choice, (rows, cols) = self.choice_for(problem), self._lattice_shape(problem)
        fused = tuple((name, f.kinds) for name, f in problem.fused.items())
        plan = self.plan(problem.real, choice.schedule, fused)
        # kernels skip items that a forward pass does, which otherwise comes by all ends, absent ones and windows aside
        filled = ends.whole and problem.window is None and self._summed_by_kernels(ends)
        values = (self._empty if filled else self._zeros)(ends.n.shape, problem.real)
        given = self._inputs(plan, problem) | self._ends(ends) | {"lattice_each": rows * cols * len(self.recurrence.states)}
        for c, value in enumerate(values):
            given |= {f"D{c}": value, f"L{c}": lattice[c] if lattice else None}
        self._launch("forward", plan, problem, given)
        seen = self.module("forward", plan).seen
        if problem.unseen and problem.batch and not problem.checked and not problem.judged:
            self._judge(problem, given, seen)
        elif not problem.judged:
            for i in seen:
                name = self.recurrence.sites[i].name
                if problem.batch and name in problem.unseen and name in problem.fused:
                    problem.unseen[name] = _as_surveyed(given[f"most{i}"].max(axis=1), problem.real)
        left = {name: given[name] for c in range(len(values)) for name in (f"R{c}", f"C{c}")}
        return values, Kept(plan, choice.blocks, left)

    def _judge(self, problem: Problem, forward: dict[str, Any], seen: tuple[int, ...]) -> None:
        """What `settle` and `fits` do, without a look and in one launch, from what a forward pass has met."""
        key = problem.real.name, seen
        if key not in self._modules:
            self._modules[key] = cuda_judge(self.recurrence, *key)
        module, found = self._modules[key], [self.recurrence.sites[i].name for i in seen]
        asked = {a.name for a in module.kernels["judge"]}
        given = {name: forward[name] for name in ("items", "panels", *(f"most{i}" for i in seen))}
        given |= {"nan": problem.nan, CELLS: path_bound(self.recurrence, problem) + 1}
        for i, site in enumerate(self.recurrence.sites):
            if f"all_size{i}" in asked and site.name not in found:
                size = size_of(self, problem, i)
                given |= of_item(f"size{i}", size if self.device.owns(size) else self.device.constant(np.array([float(size)])))
        for k, name in enumerate(self.recurrence.semiring.trace.params):
            given |= of_item(f"p{k}", problem.params[name])
        grid = self.device.blocks(-(-problem.batch * LANES // self._threads))
        launch(self.device, module, "judge", grid, self._threads, given)
        problem.judged = True

    def forward(self, problem: Problem, ends: Ends) -> Run:
        return Run(problem, ends, *self._forward(problem, ends, None))

    def lattice(self, run: Run) -> list:
        shape = (run.problem.batch, *self._lattice_shape(run.problem), len(self.recurrence.states))
        out = self._zeros(shape, run.problem.real)
        self._forward(run.problem, run.ends, out)
        return out

    def totals(self, run: Run) -> Totals:
        if not self._summed_by_kernels(run.ends):
            return Totaller(self.recurrence, run)
        module = self._ends_text(run.problem.real.name, run.ends.n.shape[1] <= 1)
        return EndKernels(self.recurrence, self.device, module, run, self._threads)

    def _summed_by_kernels(self, ends: Ends) -> bool:
        return ends.n.shape[1] <= 1 or swept(self.recurrence.semiring.trace)

    def _ends_text(self, real: str, alone: bool) -> Module:
        if (real, alone) not in self._modules:
            self._modules[real, alone] = cuda_ends(self.recurrence, real, alone)
        return self._modules[real, alone]

    def backward(self, run: Run, flows: Flows, wanted: Wanted) -> Backward:
        p, plan = run.problem, run.kept.plan
        given = self._inputs(plan, p) | self._ends(run.ends) | run.kept.arrays
        for c, flow in enumerate(flows.values):
            given[f"all_dA{c}"] = contiguous(flow, p.real)
        self._launch("backward", plan, p, given, self._answered(wanted), run.kept.blocks)
        whole = [i for i in wanted.sites if self.recurrence.sites[i].name not in wanted.drains]
        sites = self._by_plane(p, {i: self._summed(i, given[f"all_dW{i}"]) for i in whole})
        made = [name for name, _ in plan.fused]
        taken = {name: [p.fused[name].taken(f"P{made.index(name)}", given)] for name in wanted.drains}
        params = {name: given[f"all_d{parameter(plan, name)}"].sum(axis=1) for name in plan.params if wanted.params}
        return Backward(sites, params, given["all_dO"] if wanted.occupancy else None, taken)

    def _summed(self, i: int, found):
        """What flows to a site, over the axes b, n, m, from what the panels gave."""
        site = self.recurrence.sites[i]
        if site.role == "cost" or ("n" in site.axes and "m" in site.axes):
            return found
        if "m" in site.axes:
            return found[:, None, :]
        whole = found.sum(axis=1)
        return whole[:, :, None] if "n" in site.axes else whole[:, None, None]

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
        p, plan, longest = run.problem, run.kept.plan, path_bound(self.recurrence, run.problem)
        visited = self.device.zeros((p.batch, longest, 4), np.int64)
        counts = self.device.zeros(p.batch, np.int64)
        given = self._inputs(plan, p) | run.kept.arrays | {"visited": visited, "visited_b": 4 * longest, "counts": counts}
        given |= {f"from_{x}": self._whole_numbers(a) for x, a in zip("nmk", (n, m, k))}
        self._launch("paths", plan, p, given, most=run.kept.blocks)
        visited, counts = self.device.host(visited), self.device.host(counts)
        return [visited[b, : max(0, c)][::-1].copy() for b, c in enumerate(counts)]

    def __str__(self) -> str:
        """The plan with the most columns for a lane, and how others are chosen."""
        plan = str(self.plan(np.dtype(np.float32), self.cut)).replace("float32", "the cost's kind")
        run = f"CUDA on {self.device.name}, {self._threads} threads a block"
        return f"{plan}\n  choice    {described(self._among)}\n  engine    {run}"


def _as_surveyed(bits, real: np.dtype):
    """What a survey finds, by item, from the greatest size of a number as bits: those of NaN are beyond those of infinity. Beside
    either the greatest finite size does not matter."""
    infinity = np.array(np.inf, real).view(bits.dtype).item()
    return bits > infinity, bits == infinity, np.where(bits < infinity, bits, 0).view(real)
