"""The CPU engine: compiles a plan's text with Numba, lays out its arguments, spreads items over threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import chain
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
from dpsemiring.run.cpu.threads import spread, thread_count
from dpsemiring.run.cpu.tiling import HEIGHTS, Kept, Tiling, tile
from dpsemiring.run.engine import Backward, Run, empty_sites, path_bound
from dpsemiring.run.inputs import Problem
from dpsemiring.run.total import Ends, Flows


@lru_cache(maxsize=1)
def _support() -> str:
    """Whatever is compiled into kernels beside their own text."""
    here = Path(__file__).parent
    names = ("lanes.py", "elementary.py", "operations.py", "vector.py", "calls.py", "staging.py", "turns.py")
    sources = [(here / name).read_text(encoding="utf-8") for name in names]
    return "\0".join([numba.__version__, dpsemiring.__version__, *sources])


class CpuEngine:
    """Runs a recurrence with Numba kernels."""

    plain = False

    def __init__(self, recurrence: Recurrence):
        self.recurrence = recurrence
        self._plans: dict[tuple, Plan] = {}
        self._kernels: dict[tuple, Callable] = {}

    def another(self, recurrence: Recurrence) -> CpuEngine:
        return CpuEngine(recurrence)

    def plan(self, real: np.dtype, rows: int) -> Plan:
        """The plan for numbers of that kind and lattices of so many rows."""
        height = HEIGHTS[0] if rows <= HEIGHTS[0] else HEIGHTS[1]
        key = real.name, height
        if key not in self._plans:
            self._plans[key] = make_plan(self.recurrence, real.name, height)
        return self._plans[key]

    def kernel(self, job: str, tiling: Tiling, wanted: Wanted | None = None) -> Callable:
        """The compiled kernel; job is "forward", "backward" (with what is wanted) or "paths"."""
        plan = tiling.plan
        variants = plan.start_variants(plan.starts_everywhere or tiling.single)
        key = (job, plan.real, plan.schedule.height, wanted, variants)
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

    def _tiling(self, problem: Problem) -> Tiling:
        r = self.recurrence
        rows = int(problem.n_len.max(initial=0)) + r.extra[0]
        return tile(self.plan(problem.real, rows), problem, rows)

    def _inputs(self, problem: Problem, kept: Kept) -> list:
        plan, tiling = kept.tiling.plan, kept.tiling
        args = [problem.nan, problem.n_len, problem.m_len, tiling.height, tiling.span, 0, tiling.strips]
        for i in plan.cell_sites:
            args += [problem.sites[i], *problem.more[i]]
        if problem.window is not None:
            args += [*problem.window, *tiling.columns]
        args += [problem.sites[i].reshape(-1) for i in plan.item_sites]
        args += [problem.params[name].astype(problem.real) for name in plan.params]
        return args + kept.borders + kept.times

    def _dtype(self, kind: str, real: np.dtype) -> np.dtype:
        if kind != INT:
            return np.dtype(real)
        return np.dtype(np.int32 if np.dtype(real) == np.float32 else np.int64)

    def _filled(self, problem: Problem, shape) -> list[np.ndarray]:
        """An array of zeros of the semiring for each component."""
        trace = self.recurrence.semiring.trace
        return [np.full(shape, value_of(z), self._dtype(k, problem.real)) for z, k in zip(trace.zero, trace.kinds)]

    def _forward(self, problem: Problem, ends: Ends, lattice: list[np.ndarray] | None):
        tiling = self._tiling(problem)
        zeros = self._filled(problem, ())
        borders = [np.empty(tiling.border_shape(problem.batch), z.dtype) for z in zeros]
        for border, z in zip(borders, zeros):
            border[:, :1] = z
        kept = Kept(tiling, borders, [np.empty(tiling.times_shape(problem.batch), z.dtype) for z in zeros])
        values = self._filled(problem, ends.n.shape)
        keep = lattice is not None
        out = lattice if keep else [np.empty((0, 0, 0, 0), z.dtype) for z in zeros]
        kernel = self.kernel("forward", tiling)
        inputs = self._inputs(problem, kept)
        turns, done = np.zeros(problem.batch, np.int64), np.zeros((problem.batch, tiling.strips + 1), np.int64)

        def work(first, last):
            kernel(first, last, *inputs, turns, done, ends.n, ends.m, ends.state, *values, keep, *out)

        spread(work, problem.cells, tiling.divisible)
        return values, kept

    def forward(self, problem: Problem, ends: Ends) -> Run:
        values, kept = self._forward(problem, ends, None)
        return Run(problem, ends, values, kept)

    def lattice(self, run: Run) -> list[np.ndarray]:
        r, p = self.recurrence, run.problem
        shape = (p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1], len(r.states))
        out = self._filled(p, shape)
        self._forward(p, run.ends, out)
        return out

    def backward(self, run: Run, flows: Flows, wanted: Wanted) -> Backward:
        r, p, tiling = self.recurrence, run.problem, run.kept.tiling
        plan = tiling.plan
        sites = empty_sites(r, p, wanted, p.real)
        by_strip = {i: np.zeros((p.batch, tiling.strips)) for i in wanted.sites if i in plan.item_sites}
        params = {name: np.zeros((p.batch, tiling.strips)) for name in r.semiring.trace.params} if wanted.params else {}
        shape = (p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1])
        occupancy = np.zeros(shape, p.real) if wanted.occupancy else None
        kernel = self.kernel("backward", tiling, wanted)
        seeds = [np.ascontiguousarray(flows.values[c], dtype=p.real) for c in r.semiring.trace.moving]
        totals = [by_strip.get(i, sites[i]) for i in wanted.sites]
        totals += list(params.values()) + ([] if occupancy is None else [occupancy])
        threads = thread_count()
        borders = [np.zeros((p.batch, threads + 2, key[0].dn, tiling.cols), p.real) for key in plan.flow_keys()]
        inputs = self._inputs(p, run.kept)
        turns, done = np.zeros(p.batch, np.int64), np.zeros((p.batch, tiling.strips + 1), np.int64)

        def work(first, last):
            kernel(first, last, *inputs, turns, done, *borders, run.ends.n, run.ends.m, run.ends.state, *seeds, *totals)

        spread(work, p.cells, tiling.divisible and _apart(r, p, wanted))
        for i, sums in by_strip.items():
            sites[i][:] = sums.sum(axis=1).reshape(sites[i].shape)
        return Backward(sites, {name: sums.sum(axis=1) for name, sums in params.items()}, occupancy)

    def paths(self, run: Run, n, m, k) -> list[np.ndarray]:
        p = run.problem
        visited = np.zeros((p.batch, path_bound(self.recurrence, p), 4), np.int64)
        counts = np.zeros(p.batch, np.int64)
        kernel = self.kernel("paths", run.kept.tiling)
        inputs = self._inputs(p, run.kept)
        at = [np.array(x, np.int64) for x in (n, m, k)]

        def work(first, last):
            kernel(first, last, *inputs, *at, visited, counts)

        spread(work, p.cells, False)
        return [visited[b, : max(0, c)][::-1].copy() for b, c in enumerate(counts)]


def _apart(recurrence: Recurrence, problem: Problem, wanted: Wanted) -> bool:
    """Whether strips add to different rows of every wanted site, so that threads may share an item."""
    sites = [(recurrence.sites[i], problem.sites[i]) for i in wanted.sites if recurrence.sites[i].varies]
    return all(site.at[0] == 0 and (array.shape[1] > 1 or problem.shape[1] == 1) for site, array in sites)
