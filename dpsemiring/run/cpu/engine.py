"""The CPU engine: compiles a plan's text with Numba, lays out its arguments, spreads items over threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

import numpy as np

from dpsemiring.algebra.expr import INT, value_of
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.kernel import variant
from dpsemiring.lower.numba_abreast import abreast_backward_text, abreast_forward_text
from dpsemiring.lower.numba_text import advance_text, backward_text, forward_text, paths_text, retreat_text
from dpsemiring.lower.plan import Plan, Wanted, make_plan
from dpsemiring.run.arrays import HOST
from dpsemiring.run.cache import load_source
from dpsemiring.run.cpu import extent
from dpsemiring.run.cpu.choice import Choice, choose, options
from dpsemiring.run.cpu.compiled import support
from dpsemiring.run.cpu.fused import fuse
from dpsemiring.run.cpu.memory import in_arena, unfilled
from dpsemiring.run.cpu.threads import spread, thread_count
from dpsemiring.run.cpu.tiling import Kept, Segment, Tiling, keep_limit, tile, tile_abreast
from dpsemiring.run.engine import Backward, Run, empty_sites, path_bound, spoil
from dpsemiring.run.problem import Problem
from dpsemiring.run.total import Ends, Flows, Totaller

MOST_KNOWN = 1024  # problems whose tiling is kept, and items of one

FLOAT32, INT32, INT64 = map(np.dtype, (np.float32, np.int32, np.int64))


class CpuEngine:
    """Runs a recurrence with Numba kernels."""

    place = HOST
    fuse = staticmethod(fuse)
    looks = True

    def __init__(self, recurrence: Recurrence, memory: int | None = None):
        self.recurrence, self.memory = recurrence, memory
        self._plans: dict[tuple, Plan] = {}
        self._kernels: dict[tuple, Callable] = {}
        self._addresses: dict[tuple, int] = {}
        self._tilings: dict[tuple, Tiling] = {}

    def another(self, recurrence: Recurrence) -> CpuEngine:
        return CpuEngine(recurrence, self.memory)

    def plan(self, real: np.dtype, choice: Choice, fused: tuple = ()) -> Plan:
        """The plan for numbers of that kind; `fused` as in `Plan`."""
        key = real, choice, fused
        if key not in self._plans:
            kind, height = choice
            self._plans[key] = make_plan(self.recurrence, real.name, height, fused, kind)
        return self._plans[key]

    def choice(self, problem: Problem, cols: int, fused: tuple, apart: bool) -> Choice:
        """How a problem is swept."""
        any_plan = self.plan(problem.real, options(self.recurrence)[0], fused)
        return choose(any_plan, problem, cols, apart or self.memory is not None)

    def kernel(self, job: str, tiling: Tiling, wanted: Wanted | None = None) -> Callable:
        """The compiled kernel; job is "forward", "backward" (with what is wanted) or "paths"."""
        plan = tiling.plan
        key = job, plan, wanted, tiling.single
        if key not in self._kernels:
            variants = plan.start_variants(plan.starts_everywhere or tiling.single)
            sweeps = [self._sweep("advance", advance_text, starts, variants, plan) for starts in (True, False)]
            if job == "backward":
                back = [self._sweep("retreat", retreat_text, starts, variants, plan, wanted) for starts in (True, False)]
                sweeps = back + sweeps
                text = (abreast_backward_text if tiling.abreast else backward_text)(plan, wanted)
            elif job == "forward":
                text = (abreast_forward_text if tiling.abreast else forward_text)(plan)
            else:
                text = paths_text(plan)
            driver = getattr(load_source(text, job, support()), job)
            self._kernels[key] = partial(driver, *sweeps)
        return self._kernels[key]

    def _sweep(self, name, text, starts, variants, plan, *wanted) -> int:
        """The address of a sweep with or without starts, 0 for one that is not among the variants."""
        if starts not in variants:
            return 0
        key = name, starts, plan, *wanted
        if key not in self._addresses:
            module = load_source(text(plan, starts, *wanted), name, support())
            self._addresses[key] = getattr(module, variant(name, starts)).address
        return self._addresses[key]

    def survey(self, array, rows, lo, hi, refused, nan, bad) -> None:
        extent.survey(array, rows, lo, hi, array.dtype.type(refused), nan, bad)

    def largest(self, array, rows, lo, hi) -> float:
        return extent.largest(array, rows, lo, hi)

    def _tiling(self, problem: Problem, apart: bool = False) -> Tiling:
        """How a problem is cut; `apart` where items must not lie abreast."""
        r = self.recurrence
        rows, cols = (int(x.max(initial=0)) + extra for x, extra in zip((problem.n_len, problem.m_len), r.extra))
        fused = tuple((name, f.kinds) for name, f in problem.fused.items())
        known = problem.window is None and problem.batch <= MOST_KNOWN
        own = [a.size > 1 for a in [*problem.sites, *problem.params.values()]]
        key = problem.real, fused, apart, thread_count(), *own, problem.n_len.tobytes(), problem.m_len.tobytes()
        found = self._tilings.get(key) if known else None
        if found is None:
            choice = self.choice(problem, cols, fused, apart)
            plan = self.plan(problem.real, choice, fused)
            found = tile_abreast(plan, rows, cols) if choice[0] == "abreast" else tile(plan, problem, rows)
            if known:
                if len(self._tilings) >= MOST_KNOWN:
                    self._tilings.clear()
                self._tilings[key] = found
        return found

    def _inputs(self, problem: Problem, tiling: Tiling, segment: Segment) -> list:
        plan = tiling.plan
        args = [problem.nan, problem.n_len, problem.m_len, tiling.height, tiling.span, segment.first, segment.last]
        sites = self.recurrence.sites
        for i in plan.cell_sites:
            made = sites[i].role == "cost" and sites[i].name in problem.fused
            args += [*(() if made else (problem.sites[i],)), *problem.more[i]]
        for fused in problem.fused.values():
            args += chain(*fused.arrays)
        if problem.window is not None:
            args += [*problem.window, *tiling.columns]
        args += [problem.sites[i].reshape(-1).astype(np.float64) for i in plan.item_sites]
        args += [problem.params[name].astype(np.float64) for name in plan.params]
        return args + segment.borders + segment.times

    def _dtype(self, kind: str, real: np.dtype) -> np.dtype:
        if kind != INT:
            return real
        return INT32 if real == FLOAT32 else INT64

    def _filled(self, problem: Problem, shape) -> list[np.ndarray]:
        """An array of zeros of the semiring for each component."""
        trace = self.recurrence.semiring.trace
        out = [np.empty(shape, self._dtype(k, problem.real)) for k in trace.kinds]
        for array, z in zip(out, trace.zero):
            array.fill(value_of(z))
        return out

    def _advance(self, problem: Problem, tiling: Tiling, ends: Ends, values, strips, above, sizes, lattice=None) -> Segment:
        """Run the kernel over some strips, from the rows above them."""
        first, last = strips
        kinds = [self._dtype(k, problem.real) for k in tiling.plan.kinds]
        batch, count = problem.batch, last - first
        segment = Segment(
            first,
            last,
            [unfilled(tiling.border_shape(batch, count + 1), k) for k in kinds],
            [unfilled(tiling.times_shape(batch, count), k) for k in kinds],
        )
        for border, rows in zip(segment.borders, above):
            border[:, 0] = rows
        keep = lattice is not None
        out = lattice if keep else [np.empty((0, 0, 0, 0), k) for k in kinds]
        kernel = self.kernel("forward", tiling)
        inputs = self._inputs(problem, tiling, segment) + [m for _, m in sizes]
        turns, done = _progress(batch, count)

        def work(first, last):
            in_arena(kernel, first, last, *inputs, turns, done, ends.n, ends.m, ends.state, *values, keep, *out)

        spread(work, tiling.loads(problem), tiling.divisible)
        return segment

    def _forward(self, problem: Problem, ends: Ends, lattice: list[np.ndarray] | None, apart: bool = False):
        tiling = self._tiling(problem, apart)
        limit = keep_limit(problem, tiling.plan) if self.memory is None else self.memory
        segments = tiling.segments(problem.batch, limit)
        values = self._filled(problem, ends.n.shape)
        above = self._filled(problem, tiling.border_shape(problem.batch, len(segments)))
        sizes = self._sizes(problem, tiling)
        for i, strips in enumerate(segments):
            segment = self._advance(problem, tiling, ends, values, strips, [a[:, i] for a in above], sizes, lattice)
            if i + 1 < len(segments):
                for a, border in zip(above, segment.borders):
                    a[:, i + 1] = border[:, -1]
        for name in problem.unseen:
            most = [found.max(initial=0) for i, found in sizes if self.recurrence.sites[i].name == name]
            problem.unseen[name] = float(max(most).view(problem.real))
        return values, Kept(tiling, segments, above, segment if len(segments) == 1 else None)

    def _back(self, run: Run) -> Iterator[Segment]:
        """The segments of a run from the last to the first, made again where they were not kept."""
        kept: Kept = run.kept
        if kept.whole is not None:
            yield kept.whole
            return
        for i in reversed(range(len(kept.segments))):
            values = self._filled(run.problem, run.ends.n.shape)
            above = [a[:, i] for a in kept.above]
            sizes = self._sizes(run.problem, kept.tiling)
            yield self._advance(run.problem, kept.tiling, run.ends, values, kept.segments[i], above, sizes)

    def _sizes(self, problem: Problem, tiling: Tiling) -> list[tuple[int, np.ndarray]]:
        """For each buffer of numbers the largest size of those that it held, as bits, by strip."""
        shape = (problem.batch, max(1, tiling.strips))
        return [(buffer.site, np.zeros(shape, self._dtype(INT, problem.real))) for buffer in tiling.plan.buffers]

    def forward(self, problem: Problem, ends: Ends) -> Run:
        values, kept = self._forward(problem, ends, None)
        return Run(problem, ends, values, kept)

    def lattice(self, run: Run) -> list[np.ndarray]:
        r, p = self.recurrence, run.problem
        shape = (p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1], len(r.states))
        out = self._filled(p, shape)
        self._forward(p, run.ends, out, apart=True)
        return out

    def totals(self, run: Run) -> Totaller:
        return Totaller(self.recurrence, run)

    def backward(self, run: Run, flows: Flows, wanted: Wanted) -> Backward:
        r, p, tiling = self.recurrence, run.problem, run.kept.tiling
        plan = tiling.plan
        fresh = _once_each(r, p, wanted)
        sites = empty_sites(r, p, wanted, p.real, unfilled if fresh else np.zeros)
        by_strip = {i: np.zeros((p.batch, tiling.strips)) for i in wanted.sites if i in plan.item_sites}
        params = {name: np.zeros((p.batch, tiling.strips)) for name in r.semiring.trace.params} if wanted.params else {}
        shape = (p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1])
        occupancy = (unfilled if fresh else np.zeros)(shape, p.real) if wanted.occupancy else None
        if fresh:
            for array, extra in [*((sites[i], p.more[i]) for i in sites), (occupancy, r.extra)]:
                if array is not None:
                    _clear_beyond(array, p.n_len + extra[0], p.m_len + extra[1])
        kernel = self.kernel("backward", tiling, wanted)
        seeds = [np.ascontiguousarray(flows.values[c], dtype=p.real) for c in r.semiring.trace.moving]
        drained = [p.fused[name] for name in wanted.drains]
        shared = [f.gradients() for f in drained]
        by_worker: dict[int, list] = {}
        given = plan.buffers.apart(wanted.sites)
        totals = [by_strip[i] if i in by_strip else sites[i] for i in given if i in by_strip or i in sites]
        totals += list(params.values()) + ([] if occupancy is None else [occupancy])
        # strips under way, the one after them, and the one whose rows they have read
        ring = 0 if tiling.abreast else thread_count() + 2
        borders = [np.zeros((p.batch, ring, key[0].dn, tiling.cols), p.real) for key in plan.flow_keys()]
        divisible = tiling.divisible and _apart(r, p, wanted)
        for segment in self._back(run):
            inputs = self._inputs(p, tiling, segment)
            progress = _progress(p.batch, segment.last - segment.first)
            rest = [*inputs, *progress, *borders, run.ends.n, run.ends.m, run.ends.state, *seeds, *totals, fresh]

            def work(first, last, rest=rest):
                own = shared
                if not divisible:
                    own = by_worker.setdefault(first, [f.gradients(beside=g) for f, g in zip(drained, shared)])
                in_arena(kernel, first, last, *rest, *chain(*chain(*own)))

            spread(work, tiling.loads(p), divisible)
        for i, sums in by_strip.items():
            sites[i][:] = sums.sum(axis=1).reshape(sites[i].shape)
        workers = [shared, *(by_worker[first] for first in sorted(by_worker))]
        taken = {name: [own[k] for own in workers] for k, name in enumerate(wanted.drains)}
        return spoil(Backward(sites, {name: sums.sum(axis=1) for name, sums in params.items()}, occupancy, taken), p)

    def paths(self, run: Run, n, m, k) -> list[np.ndarray]:
        p = run.problem
        if run.kept.tiling.abreast:  # a path is one item's
            run = Run(p, run.ends, *self._forward(p, run.ends, None, apart=True))
        tiling = run.kept.tiling
        visited = np.zeros((p.batch, path_bound(self.recurrence, p), 4), np.int64)
        counts = np.zeros(p.batch, np.int64)
        kernel = self.kernel("paths", tiling)
        at = [np.array(x, np.int64) for x in (n, m, k)]
        for segment in self._back(run):
            inputs = self._inputs(p, tiling, segment)

            def work(first, last, inputs=inputs):
                in_arena(kernel, first, last, *inputs, *at, visited, counts)

            spread(work, p.cells, False)
        return [visited[b, : max(0, c)][::-1].copy() for b, c in enumerate(counts)]


def _progress(batch: int, strips: int) -> tuple[np.ndarray, np.ndarray]:
    """How many strips of each item are taken, and how many columns of each are done."""
    return np.zeros(batch, np.int64), np.zeros((batch, strips + 1), np.int64)


def _apart(recurrence: Recurrence, problem: Problem, wanted: Wanted) -> bool:
    """Whether strips add to different rows of every wanted site, so that threads may share an item."""
    sites = [(recurrence.sites[i], problem.sites[i]) for i in wanted.sites if recurrence.sites[i].varies]
    if not all(problem.fused[name].by_rows for name in wanted.drains) or (wanted.drains and problem.batch > 1):
        return False
    return all(site.at[0] == 0 and (array.shape[1] > 1 or problem.shape[1] == 1) for site, array in sites)


def _once_each(recurrence: Recurrence, problem: Problem, wanted: Wanted) -> bool:
    """Whether each entry of what is wanted is one cell's, so that it need not be added to."""
    sites = [recurrence.sites[i] for i in wanted.sites]
    alone = len({site.name for site in sites}) == len(sites)
    whole = all(site.at == (0, 0) and site.axes == "bnm" for site in sites)
    whole = whole and all(problem.sites[i].shape[1:] == problem.shape[1:] for i in wanted.sites)
    return problem.window is None and alone and whole


def _clear_beyond(array: np.ndarray, n_len: np.ndarray, m_len: np.ndarray) -> None:
    """0 in the padding of each item."""
    for b in np.flatnonzero((n_len < array.shape[1]) | (m_len < array.shape[2])):
        array[b, n_len[b] :] = 0
        array[b, :, m_len[b] :] = 0
