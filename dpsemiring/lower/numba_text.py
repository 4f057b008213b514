"""The Numba target, around the blocks: a plan as Python source (`run.cpu.staging` moves the numbers).

Each module holds one job. `advance` and `retreat` are the sweeps over a block, one for blocks with start cells and one
for those without; `forward`, `backward` and `paths` are handed their addresses and loop over items and blocks, the
latter two from the last block to the first, recomputing each from its border. Where the address of a sweep without
starts is 0, the one with starts takes its place: a problem of one block does not wait for both.
"""

from __future__ import annotations

from dpsemiring.algebra.expr import INT
from dpsemiring.lower.kernel import arc_tables
from dpsemiring.lower.numba_cells import INTEGER, Sweeps, bundle
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import moved

_HEADER = '''"""Emitted by dpsemiring; do not edit.

{about}
"""
import numpy as np
from numba import cfunc, njit

from dpsemiring.run.cpu.staging import *
from dpsemiring.run.cpu.vector import *

F = np.{real}
I = np.{integer}
INF = F(np.inf)
NAN = F(np.nan)
V = {vector}
SWEEP = {{"nogil": True, "error_model": "numpy", "cache": True}}
OPTIONS = {{**SWEEP, "no_cfunc_wrapper": True}}
INNER = {{**OPTIONS, "no_cpython_wrapper": True}}
'''


class Drivers(Sweeps):
    """The statements that the drivers share."""

    def inputs(self) -> list[str]:
        """The arguments that every driver begins with."""
        names = ["advance_starts", "advance", "first", "last", "skip", "n_len", "m_len"]
        for i in self.plan.cell_sites:
            names += [f"a{i}", f"more_n{i}", f"more_m{i}"]
        if self.windowed:
            names += ["row_lo", "row_hi", "left_of", "cols_of"]
        names += [f"all_{u}" for u in self.U]
        return names + [f"R{c}" for c in self.components]

    def workspace(self) -> None:
        """Buffers for the largest block; made once for a run over items."""
        p, w, s = self.plan, self.w, self.plan.schedule
        w("cols_all = largest(cols_of)" if self.windowed else f"cols_all = largest(m_len) + {p.recurrence.extra[1]}")
        w(f"lanes_all = lane_count(cols_all, {s.height}, V, {self.skewed})")
        w(f"times_all = time_count({s.height}, cols_all, {self.skewed})")
        w(f"size = (times_all + {self.delay}) * {self.states} * (lanes_all + {self.pad})")
        for c, kind in enumerate(p.kinds):
            w(f"S{c} = room(size, {'I' if kind == INT else 'F'})")
        for name in [*self.W, *self.B]:
            w(f"{name} = room(times_all * lanes_all, np.{p.real})")
        for name in self.bounds:
            w(f"{name} = room({s.height}, np.int32)")

    def item(self) -> None:
        """The numbers of one item."""
        x0, x1 = self.plan.recurrence.extra
        self.w(f"length = n_len[b] + {x0}", f"m_all = m_len[b] + {x1}")
        if not self.windowed:
            self.w("left, cols, known, shift = 0, m_all, m_all, 0")
            self.w(f"lanes = lane_count(cols, {self.plan.schedule.height}, V, {self.skewed})")
        for u in self.U:
            self.w(f"{u} = all_{u}[b if all_{u}.size > 1 else 0]")

    def neighbour(self, other: str) -> None:
        """Where the columns of another block of the item lie, as seen from block `j`."""
        if self.windowed:
            self.w(f"known, shift = cols_of[b, {other}], left - left_of[b, {other}]")

    def recompute(self) -> None:
        """Sweep block `j` forward from its border."""
        p, w, s, r = self.plan, self.w, self.plan.schedule, self.plan.recurrence
        w(f"n0 = j * {s.height}", f"rows = min({s.height}, length - n0)")
        if self.windowed:
            w("left, cols = left_of[b, j], cols_of[b, j]", f"lanes = lane_count(cols, {s.height}, V, {self.skewed})")
            w(f"bound({', '.join(self.bounds)}, row_lo, row_hi, b, n0, rows, left, {self.skewed})")
            self.neighbour("max(j - 1, 0)")
        w(f"times = time_count(rows, cols, {self.skewed})")
        for i in p.cell_sites:
            site = r.sites[i]
            outside = self.value_text(self.outside(site))
            n, m = (f"n_len[b] + more_n{i}", f"m_len[b] + more_m{i}")
            at = f"{site.at[0]}, {moved('left', site.at[1])}"
            w(f"stage(W{i}, a{i}, b, n0, rows, cols, {at}, {n}, {m}, {outside}, lanes, {self.skewed})")
        for c, z in enumerate(r.semiring.trace.zero):
            geometry = (
                f"{self.states}, {s.halo}, {s.margin}, {self.value(z)}, lanes, {self.pad}, {self.delay}, times, {self.skewed}"
            )
            w(f"enter(S{c}, R{c}, b, j, cols, known, shift, {geometry})")
        if not p.always_starts:
            tests = [f"falls({n}, length, n0, rows)" for n in dict.fromkeys(n for n, _ in p.patterns)]
            w(f"starts = {' or '.join(tests)} or not advance")
        rest = ", ".join([*self.U, *self.bounds, "times", "rows", "cols", "lanes"])
        with w.block("if starts:" if not p.always_starts else "if True:"):
            for i, (n, m) in enumerate(p.patterns):
                place = f"{n or 0}, {n is None}, {m or 0}, {m is None}"
                w(f"mark(B{i}, {place}, length, m_all, n0, rows, left, cols, lanes, {self.skewed})")
            w(f"call(advance_starts, {', '.join([*self.S, *self.W, *self.B])}, {rest})")
        if not p.always_starts:
            with w.block("else:"):
                w(f"call(advance, {', '.join([*self.S, *self.W])}, {rest})")

    def value_text(self, number: float) -> str:
        return {float("inf"): "INF", -float("inf"): "-INF"}.get(number, f"F({number!r})")


def _begin(plan: Plan) -> Drivers:
    kernel = Drivers(plan)
    about = str(plan).replace("\\", "")
    header = _HEADER.format(about=about, real=plan.real, integer=INTEGER[plan.real], vector=kernel.vector)
    kernel.w(*header.rstrip("\n").split("\n"))
    return kernel


def advance_text(plan: Plan, starts: bool) -> str:
    """Source of a forward sweep over a block."""
    kernel = _begin(plan)
    kernel.advance(starts)
    return kernel.w.text


def retreat_text(plan: Plan, starts: bool, wanted: Wanted) -> str:
    """Source of a backward sweep over a block."""
    kernel = _begin(plan)
    kernel.retreat(starts, wanted)
    return kernel.w.text


def forward_text(plan: Plan) -> str:
    """Source of `forward`: borders, the values at the ends, and the lattice where it is asked for."""
    kernel = _begin(plan)
    w, s = kernel.w, plan.schedule
    ends = ["end_n", "end_m", "end_k"]
    args = kernel.inputs() + ends + [f"D{c}" for c in kernel.components] + ["keep"] + [f"L{c}" for c in kernel.components]
    w("", "", "@njit(**OPTIONS)")
    with w.block(f"def forward({', '.join(args)}):"):
        kernel.workspace()
        with w.block("for b in range(first, last):"):
            with w.block("if skip[b]:"):
                w("continue")
            kernel.item()
            w("e = 0")
            with w.block(f"for j in range((length + {s.height - 1}) // {s.height}):"):
                kernel.recompute()
                place = f"lanes, {kernel.pad}, {kernel.delay}, {kernel.skewed}"
                w("begin = e", "e = ends_before(end_n, b, n0 + rows, begin)")
                for c in kernel.components:
                    w(f"collect(S{c}, D{c}, b, end_n, end_m, end_k, begin, e, n0, left, {kernel.states}, {place})")
                with w.block("if keep:"):
                    for c in kernel.components:
                        w(f"spill(S{c}, L{c}, b, n0, rows, left, cols, {kernel.states}, {place})")
                with w.block("if n0 + rows < length:"):
                    for c in kernel.components:
                        w(f"leave(S{c}, R{c}, b, j, {s.height}, cols, {kernel.states}, {s.halo}, {place})")
    return w.text


def backward_text(plan: Plan, wanted: Wanted) -> str:
    """Source of `backward`: from what flows to the ends, what flows to the wanted sites and parameters."""
    kernel = _begin(plan)
    w, s = kernel.w, plan.schedule
    keys, outs, seeds = plan.flow_keys(), kernel.outputs(wanted), kernel.seeds()
    totals = [f"all_{out}" for out in outs]
    args = ["retreat_starts", "retreat", *kernel.inputs(), "end_n", "end_m", "end_k"] + [f"d{a}" for a in seeds] + totals
    w("", "", "@njit(**OPTIONS)")
    with w.block(f"def backward({', '.join(args)}):"):
        kernel.workspace()
        for key in keys:
            w(f"{kernel.flow_name(key)} = room((times_all + {kernel.delay}) * (lanes_all + {kernel.pad}), F)")
            w(f"H{kernel.flow_name(key)} = zeros(({key[0].dn}, cols_all), F)")
        for a in seeds:
            w(f"{a} = zeros(times_all * lanes_all * {kernel.states}, F)")
        for out in outs:
            w(f"{out} = zeros({'lanes_all' if kernel.summed(out) else 'times_all * lanes_all'}, F)")
        with w.block("for b in range(first, last):"):
            with w.block("if skip[b]:"):
                w("continue")
            kernel.item()
            for key in keys:
                w(f"clear(H{kernel.flow_name(key)})")
            with w.block(f"for j in range((length - 1) // {s.height}, -1, -1):"):
                kernel.recompute()
                kernel.neighbour(f"min(j + 1, (length - 1) // {s.height})")
                for key in keys:
                    name = kernel.flow_name(key)
                    around = f"lanes, {kernel.pad}, {kernel.delay}, times, {kernel.skewed}"
                    w(f"enter_flows({name}, H{name}, {s.height}, cols, known, shift, {s.margin}, {around})")
                w("begin = ends_before(end_n, b, n0, 0)", "e = ends_before(end_n, b, n0 + rows, begin)")
                place = f"b, end_n, end_m, end_k, begin, e, n0, left, {kernel.states}, lanes, {kernel.skewed}"
                for a in seeds:
                    w(f"plant({a}, d{a}, {place})")
                common = [*map(kernel.flow_name, keys), *seeds, *outs, *kernel.U, *kernel.bounds]
                common += ["e - begin", "times", "rows", "cols", "lanes"]
                with w.block("if starts:" if not plan.always_starts else "if True:"):
                    w(f"call(retreat_starts, {', '.join([*kernel.S, *kernel.W, *kernel.B, *common])})")
                if not plan.always_starts:
                    with w.block("else:"):
                        w(f"call(retreat, {', '.join([*kernel.S, *kernel.W, *common])})")
                for a in seeds:
                    w(f"uproot({a}, {place})")
                for key in keys:
                    name = kernel.flow_name(key)
                    w(f"leave_flows({name}, H{name}, rows, cols, lanes, {kernel.pad}, {kernel.skewed})")
                for out in outs:
                    site = kernel.site_of(out)
                    if kernel.summed(out):
                        w(f"flush({out}, all_{out}, b)")
                    elif site is None:
                        w(f"unstage(dO, all_dO, b, n0, rows, cols, 0, left, length, m_all, lanes, {kernel.skewed})")
                    else:
                        i = out[2:]
                        at = f"{site.at[0]}, {moved('left', site.at[1])}"
                        place = f"{at}, n_len[b] + more_n{i}, m_len[b] + more_m{i}"
                        w(f"unstage({out}, all_{out}, b, n0, rows, cols, {place}, lanes, {kernel.skewed})")
    return w.text


def paths_text(plan: Plan) -> str:
    """Source of `paths`: from the chosen ends, the visited cells, states and steps, last first."""
    kernel = _begin(plan)
    w, s = kernel.w, plan.schedule
    cell = plan.choice()
    code = kernel.code(cell)
    arrays = [*kernel.S, *kernel.W, *kernel.B, *kernel.U]
    with kernel.straight("candidates", [*arrays, "o", "i", "pitch"]):
        kernel.begin_scalar_cell(code)
        kernel.loads(code, cell, "peek")
        kernel.statements(code)
        w(f"return {bundle(code[root] for root in cell.choices.values())}")
    w("", "", "@njit(**INNER)")
    with w.block(f"def choose({', '.join(arrays)}, k, t, q, lanes):"):
        w(
            f"pitch = lanes + {kernel.pad}",
            f"o = (t + {kernel.delay}) * ({kernel.states} * pitch) + {kernel.pad} + q",
            "i = t * lanes + q",
            f"taken = candidates({', '.join(arrays)}, o, i, pitch)",
        )
        for place, k in enumerate(cell.choices):
            with w.block(f"if k == {k}:"):
                w(f"return np.int64(taken[{place}])")
        w("return np.int64(-1)")
    for name, table in arc_tables(plan.recurrence).items():
        w("", f"{name} = np.array({table}, np.int64).reshape({len(table)}, {len(table[0])})")
    w("", "", "@njit(**OPTIONS)")
    args = kernel.inputs() + ["from_n", "from_m", "from_k", "visited", "counts"]
    with w.block(f"def paths({', '.join(args)}):"):
        kernel.workspace()
        with w.block("for b in range(first, last):"):
            with w.block("if skip[b] or from_n[b] < 0:"):
                w("continue")
            kernel.item()
            w("n, m, k, count = from_n[b], from_m[b], from_k[b], 0")
            with w.block("while k >= 0:"):
                w(f"j = n // {s.height}")
                kernel.recompute()
                if not plan.always_starts:
                    with w.block("if not starts:"):
                        for name in kernel.B:
                            w(f"clear({name})")
                with w.block("while k >= 0 and n >= n0:"):
                    w("l = n - n0", "t, q = (m - left + l, l)" if kernel.skewed else "t, q = (l, m - left)")
                    w(f"chosen = choose({', '.join([*kernel.S, *kernel.W, *kernel.B, *kernel.U])}, k, t, q, lanes)")
                    with w.block("if chosen < 0:"):
                        w("k = -1", "count = -1", "break")
                    w("visited[b, count, 0], visited[b, count, 1] = n, m")
                    w("visited[b, count, 2], visited[b, count, 3] = k, ARC_STEP[k, chosen]", "count += 1")
                    w("n, m, k = n - ARC_DN[k, chosen], m - ARC_DM[k, chosen], ARC_SOURCE[k, chosen]")
            w("counts[b] = count")
    return w.text
