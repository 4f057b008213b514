"""The CPU engine: compiles a plan's text with Numba, lays out its arguments, spreads items over threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import chain, pairwise
from pathlib import Path

import numba
import numpy as np

import dpsemiring
from dpsemiring.algebra.expr import INT, value_of
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.kernel import variant
from dpsemiring.lower.numba_text import advance_text, backward_text, forward_text, paths_text, retreat_text
from dpsemiring.lower.plan import Plan, Wanted, make_plan
from dpsemiring.run.cache import load_source
from dpsemiring.run.cpu import staging
from dpsemiring.run.engine import Backward, Run, empty_sites, path_bound
from dpsemiring.run.inputs import Problem
from dpsemiring.run.total import Ends, Flows
from dpsemiring.run.windows import block_columns

# below so many cells a pool costs more than it brings
WORTH_A_THREAD = 100_000

# and so many are enough for one call of a kernel: between calls an interrupt is heard
CELLS_A_CALL = 50_000_000

_pools: dict[int, ThreadPoolExecutor] = {}


def thread_count() -> int:
    """Threads for a batch: ``$DPSEMIRING_NUM_THREADS``, otherwise the cores that this process may use."""
    if text := os.environ.get("DPSEMIRING_NUM_THREADS"):
        return max(1, int(text))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if hasattr(os, "register_at_fork"):
    # a pool's threads do not survive a fork: the child makes its own
    os.register_at_fork(after_in_child=_pools.clear)


def _over_items(work: Callable[[int, int], object], problem: Problem) -> None:
    """Run work(first, last) over all items, on several threads where that pays."""
    batch, sizes = problem.batch, np.cumsum(problem.cells)
    if not batch:
        return
    cells = int(sizes[-1])
    threads = min(thread_count(), batch, max(1, cells // WORTH_A_THREAD))
    parts = min(batch, max(threads, cells // CELLS_A_CALL))
    if parts == 1:
        work(0, batch)
        return
    cuts = np.searchsorted(sizes, cells * np.arange(1, parts) / parts) + 1
    bounds = np.unique(np.clip([0, *cuts, batch], 0, batch)).tolist()
    ranges = list(pairwise(bounds))
    if threads == 1:
        for first, last in ranges:
            work(first, last)
        return
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="dpsemiring")
    jobs = [_pools[threads].submit(work, first, last) for first, last in ranges]
    try:
        for job in jobs:
            job.result()
    finally:
        for job in jobs:  # after an interrupt the rest is not begun
            job.cancel()


@lru_cache(maxsize=1)
def _support() -> str:
    """Whatever is compiled into kernels beside their own text."""
    here = Path(__file__).parent
    names = ("lanes.py", "elementary.py", "operations.py", "vector.py", "calls.py", "staging.py")
    sources = [(here / name).read_text(encoding="utf-8") for name in names]
    return "\0".join([numba.__version__, dpsemiring.__version__, *sources])


class CpuEngine:
    """Runs a recurrence with Numba kernels."""

    plain = False

    def __init__(self, recurrence: Recurrence):
        self.recurrence = recurrence
        self._plans: dict[np.dtype, Plan] = {}
        self._kernels: dict[tuple, Callable] = {}

    def another(self, recurrence: Recurrence) -> CpuEngine:
        return CpuEngine(recurrence)

    def plan(self, real: np.dtype) -> Plan:
        if real not in self._plans:
            self._plans[real] = make_plan(self.recurrence, real.name)
        return self._plans[real]

    def kernel(self, job: str, problem: Problem, wanted: Wanted | None = None) -> Callable:
        """The compiled kernel; job is "forward", "backward" (with what is wanted) or "paths"."""
        plan = self.plan(problem.real)
        rows = int(problem.n_len.max(initial=0)) + self.recurrence.extra[0]
        variants = plan.start_variants() if rows > plan.schedule.height else (True,)
        key = (job, plan.real, wanted, variants)
        if key not in self._kernels:
            sweeps = [self._sweeps("advance", advance_text, variants, plan)]
            if job == "backward":
                sweeps.append(self._sweeps("retreat", retreat_text, variants, plan, wanted))
                text = backward_text(plan, wanted)
            else:
                text = {"forward": forward_text, "paths": paths_text}[job](plan)
            driver = getattr(load_source(text, job, _support()), job)
            self._kernels[key] = partial(driver, *chain(*reversed(sweeps)))
        return self._kernels[key]

    def _sweeps(self, name, text, variants, plan, *wanted) -> list[int]:
        """The addresses of a sweep with and without starts, 0 for one that is not among the variants."""
        return [
            getattr(load_source(text(plan, starts, *wanted), name, _support()), variant(name, starts)).address
            if starts in variants
            else 0
            for starts in (True, False)
        ]

    def survey(self, array, rows, lo, hi, refused, nan, bad) -> None:
        staging.survey(array, rows, lo, hi, array.dtype.type(refused), nan, bad)

    def _inputs(self, problem: Problem, borders) -> list:
        plan = self.plan(problem.real)
        args = [problem.nan, problem.n_len, problem.m_len]
        for i in plan.cell_sites:
            args += [problem.sites[i], *problem.more[i]]
        if problem.window is not None:
            args += [*problem.window, *block_columns(problem.window, plan.schedule.height)]
        args += [problem.sites[i].reshape(-1) for i in plan.item_sites]
        args += [problem.params[name].astype(problem.real) for name in plan.params]
        return args + borders

    def _dtype(self, kind: str, real: np.dtype) -> np.dtype:
        if kind != INT:
            return np.dtype(real)
        return np.dtype(np.int32 if np.dtype(real) == np.float32 else np.int64)

    def _filled(self, problem: Problem, shape) -> list[np.ndarray]:
        """An array of zeros of the semiring for each component."""
        trace = self.recurrence.semiring.trace
        return [np.full(shape, value_of(z), self._dtype(k, problem.real)) for z, k in zip(trace.zero, trace.kinds)]

    def _forward(self, problem: Problem, ends: Ends, lattice: list[np.ndarray] | None):
        r, s = self.recurrence, self.plan(problem.real).schedule
        rows = int(problem.n_len.max(initial=0)) + r.extra[0]
        cols = int(problem.m_len.max(initial=0)) + r.extra[1]
        if problem.window is not None:
            cols = int(block_columns(problem.window, s.height)[1].max(initial=0))
        blocks = -(-rows // s.height)
        shape = (problem.batch, blocks, s.halo, len(r.states), cols)
        zeros = self._filled(problem, ())
        borders = [np.empty(shape, z.dtype) for z in zeros]
        for border, z in zip(borders, zeros):
            border[:, :1] = z
        values = self._filled(problem, ends.n.shape)
        keep = lattice is not None
        out = lattice if keep else [np.empty((0, 0, 0, 0), z.dtype) for z in zeros]
        kernel = self.kernel("forward", problem)
        inputs = self._inputs(problem, borders)

        def work(first, last):
            kernel(first, last, *inputs, ends.n, ends.m, ends.state, *values, keep, *out)

        _over_items(work, problem)
        return values, borders

    def forward(self, problem: Problem, ends: Ends) -> Run:
        values, borders = self._forward(problem, ends, None)
        return Run(problem, ends, values, borders)

    def lattice(self, run: Run) -> list[np.ndarray]:
        r, p = self.recurrence, run.problem
        shape = (p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1], len(r.states))
        out = self._filled(p, shape)
        self._forward(p, run.ends, out)
        return out

    def backward(self, run: Run, flows: Flows, wanted: Wanted) -> Backward:
        r, p = self.recurrence, run.problem
        sites = empty_sites(r, p, wanted, p.real)
        params = {name: np.zeros(p.batch) for name in r.semiring.trace.params} if wanted.params else {}
        shape = (p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1])
        occupancy = np.zeros(shape, p.real) if wanted.occupancy else None
        kernel = self.kernel("backward", p, wanted)
        plan = self.plan(p.real)
        seeds = [np.ascontiguousarray(flows.values[c], dtype=p.real) for c in r.semiring.trace.moving]
        totals = [sites[i] if i in plan.cell_sites else sites[i].reshape(-1) for i in wanted.sites]
        totals += list(params.values()) + ([] if occupancy is None else [occupancy])
        inputs = self._inputs(p, run.kept)

        def work(first, last):
            kernel(first, last, *inputs, run.ends.n, run.ends.m, run.ends.state, *seeds, *totals)

        _over_items(work, p)
        return Backward(sites, params, occupancy)

    def paths(self, run: Run, n, m, k) -> list[np.ndarray]:
        p = run.problem
        visited = np.zeros((p.batch, path_bound(self.recurrence, p), 4), np.int64)
        counts = np.zeros(p.batch, np.int64)
        kernel = self.kernel("paths", p)
        inputs = self._inputs(p, run.kept)
        starts = [np.ascontiguousarray(x, np.int64) for x in (n, m, k)]

        def work(first, last):
            kernel(first, last, *inputs, *starts, visited, counts)

        _over_items(work, p)
        return [visited[b, : max(0, c)][::-1].copy() for b, c in enumerate(counts)]
