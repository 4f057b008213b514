"""The reference interpreter: the recurrence read cell by cell in float64, slow and obvious. The oracle of every engine."""

from __future__ import annotations

import numpy as np

from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import var
from dpsemiring.algebra.numbers import Numbers
from dpsemiring.lower.ir import Recurrence, site_leaf
from dpsemiring.lower.plan import Wanted
from dpsemiring.run import limits
from dpsemiring.run.arrays import HOST
from dpsemiring.run.engine import Backward, Run, empty_sites, spoil
from dpsemiring.run.problem import Problem
from dpsemiring.run.total import Ends, Flows, Totaller

_BARS = var("bar"), var("bar'")


class ReferenceEngine:
    """Interprets a recurrence with Python numbers."""

    place = HOST
    fuse = None
    looks = False

    def __init__(self, recurrence: Recurrence):
        self.recurrence = recurrence

    def another(self, recurrence: Recurrence) -> ReferenceEngine:
        return ReferenceEngine(recurrence)

    def survey(self, array, rows, lo, hi, refused, nan, bad) -> None:
        columns = np.arange(array.shape[2])
        for b in range(len(array)):
            inside = (lo[b, :, None] <= columns) & (columns < hi[b, :, None])
            read = array[b, : rows[b]][np.broadcast_to(inside, array.shape[1:])[: rows[b]]]
            nan[b] |= bool(np.isnan(read).any())
            bad[b] |= bool((read == refused).any())

    def largest(self, array, rows, lo, hi) -> float:
        return limits.largest(array, rows, lo, hi)

    def forward(self, problem: Problem, ends: Ends) -> Run:
        zero = Numbers(self.recurrence.semiring, self._params(problem, 0)).zero if problem.batch else ()
        lattices = [Lattice(self.recurrence, problem, b) for b in range(problem.batch)]
        values = [np.full(ends.n.shape, z) for z in zero] or [np.zeros(ends.n.shape)] * len(self.recurrence.semiring.carrier)
        for b, lattice in enumerate(lattices):
            if not problem.nan[b]:
                lattice.fill()
                for e in np.flatnonzero(ends.exist[b]):
                    value = lattice.values[ends.n[b, e], ends.m[b, e], ends.state[b, e]]
                    for c, v in enumerate(value):
                        values[c][b, e] = v
        return Run(problem, ends, values, lattices)

    def lattice(self, run: Run) -> list[np.ndarray]:
        r, p = self.recurrence, run.problem
        shape = (p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1], len(r.states))
        out = [np.full(shape, z.payload[0]) for z in r.semiring.trace.zero]
        for b, lattice in enumerate(run.kept):
            for (n, m, k), value in lattice.values.items():
                for c, v in enumerate(value):
                    out[c][b, n, m, k] = v
        return out

    def totals(self, run: Run) -> Totaller:
        return Totaller(self.recurrence, run, plain=True)

    def backward(self, run: Run, flows: Flows, wanted: Wanted) -> Backward:
        r, p = self.recurrence, run.problem
        sites = empty_sites(r, p, wanted, np.dtype(np.float64))
        params = {name: np.zeros(p.batch) for name in r.semiring.trace.params}
        occupancy = np.zeros((p.batch, p.shape[1] + r.extra[0], p.shape[2] + r.extra[1]))
        for b, lattice in enumerate(run.kept):
            if p.nan[b]:
                continue
            seeds = [
                ((run.ends.n[b, e], run.ends.m[b, e], run.ends.state[b, e]), np.array([v[b, e] for v in flows.values]))
                for e in np.flatnonzero(run.ends.exist[b])
            ]
            lattice.back(seeds, sites, params, occupancy)
        return spoil(Backward(sites, params if wanted.params else {}, occupancy if wanted.occupancy else None), p)

    def paths(self, run: Run, n, m, k) -> list[np.ndarray]:
        return [
            lattice.walk(n[b], m[b], k[b]) if n[b] >= 0 and not run.problem.nan[b] else np.zeros((0, 4), np.int64)
            for b, lattice in enumerate(run.kept)
        ]

    @staticmethod
    def _params(problem, b):
        return {name: float(v[b if len(v) > 1 else 0]) for name, v in problem.params.items()}


class Lattice:
    """One item, cell by cell. `values` maps (n, m, k) to what is accumulated there."""

    def __init__(self, recurrence: Recurrence, problem: Problem, b: int):
        self.r, self.p, self.b = recurrence, problem, b
        self.numbers = Numbers(recurrence.semiring, ReferenceEngine._params(problem, b))
        self.rows = int(problem.n_len[b]) + recurrence.extra[0]
        self.cols = int(problem.m_len[b]) + recurrence.extra[1]
        self.values: dict[tuple[int, int, int], tuple] = {}

    def cells(self):
        if self.p.window is None:
            return [(n, m) for n in range(self.rows) for m in range(self.cols)]
        lo, hi = (a[self.b] for a in self.p.window)
        return [(n, m) for n in range(self.rows) for m in range(lo[n], hi[n])]

    def fill(self):
        for n, m in self.cells():
            for k in self.r.order:
                self.values[n, m, k] = self.numbers.sum([value for _, value in self.candidates(n, m, k)])

    def candidates(self, n, m, k):
        """The arcs into a state of a cell that exist and are allowed, each with the value that it brings."""
        found = ((arc, self.candidate(arc, n, m)) for arc in self.r.states[k])
        return [(arc, value) for arc, value in found if value is not None]

    def candidate(self, arc, n, m):
        """The value that an arc brings into a cell; None where it does not exist or is forbidden."""
        source = None
        if arc.is_start:
            for i, index, length in zip(arc.pattern, (n, m), (self.rows, self.cols)):
                if i is not None and index != (i if i >= 0 else length + i):
                    return None
        else:
            source = self.values.get((n - arc.dn, m - arc.dm, arc.source))
            if source is None:
                return None
        if any(self.site(i, n, m) == 0.0 for i in arc.masks):
            return None
        w = self.weight(arc, n, m)
        return None if w is not None and w[0] == self.r.semiring.forbid else self.numbers.step(source, w)

    def weight(self, arc, n, m):
        return None if arc.weight is None else tuple(map(float, evaluate(arc.weight, self.leaves(n, m))))

    def leaves(self, n, m):
        return {site_leaf(i): self.site(i, n, m) for i in range(len(self.r.sites))}

    def place(self, i, n, m):
        """Where site i is read for a cell; None outside its extents."""
        site, array, more = self.r.sites[i], self.p.sites[i], self.p.more[i]
        n, m = n + site.at[0], m + site.at[1]
        if not (0 <= n < self.p.n_len[self.b] + more[0] and 0 <= m < self.p.m_len[self.b] + more[1]):
            return None
        return tuple(j if size > 1 else 0 for j, size in zip((self.b, n, m), array.shape))

    def site(self, i, n, m):
        place = self.place(i, n, m)
        if place is None:
            return self.r.semiring.forbid if self.r.sites[i].role == "cost" else 0.0
        return float(self.p.sites[i][place])

    def back(self, seeds, sites, params, occupancy):
        """The reversed recurrence: E of each cell, handed on to what it was made of."""
        width = len(self.r.semiring.carrier)
        e = {key: np.zeros(width) for key in self.values}
        for key, flow in seeds:
            e[key] = e[key] + flow
        for n, m in reversed(self.cells()):
            for k in reversed(self.r.order):
                found = self.candidates(n, m, k)
                to_values, to_params = self.numbers.sum_flows([value for _, value in found], e[n, m, k])
                self._add(params, to_params)
                for (arc, value), flow in zip(found, to_values):
                    if self.numbers.live(value):
                        self._arc_back(arc, n, m, flow, e, sites, params, occupancy)

    def _arc_back(self, arc, n, m, flow, e, sites, params, occupancy):
        w = self.weight(arc, n, m)
        nothing = (0.0,) * len(self.numbers.trace.w)
        paid = self.numbers.encode(w or nothing)
        if arc.is_start:
            to_paid = flow
        else:
            source = (n - arc.dn, m - arc.dm, arc.source)
            to_source, to_paid, to_params = self.numbers.times_flows(self.values[source], paid, flow)
            if w is None:
                to_source, to_params = flow, {}
            e[source] = e[source] + to_source
            self._add(params, to_params)
        to_w, to_params = self.numbers.encode_flows(w or nothing, to_paid)
        occupancy[self.b, n, m] += to_w[0]
        if w is None:
            return
        self._add(params, to_params)
        for i, array in sites.items():
            (f,) = vjp(list(zip(arc.weight, _BARS)), [site_leaf(i)])
            place = self.place(i, n, m)
            if f is not None and place is not None:
                array[(self.b, *place[1:])] += float(evaluate([f], self.leaves(n, m) | dict(zip(_BARS, to_w)))[0])

    def _add(self, params, found):
        for name, value in found.items():
            params[name][self.b] += value

    def walk(self, n, m, k):
        """Back from a cell along the first candidates that attain each value."""
        out = []
        while k is not None and k >= 0:
            value = self.values[n, m, k]
            arc = next((a for a, v in self.candidates(n, m, k) if v == value and not self.numbers.is_zero(v)), None)
            if arc is None:
                return np.zeros((0, 4), np.int64)
            out.append((n, m, k, -1 if arc.is_start else arc.index))
            n, m, k = n - arc.dn, m - arc.dm, arc.source
        return np.array(out[::-1], np.int64).reshape(-1, 4)
