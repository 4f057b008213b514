"""The Numba target, around the tiles: a plan as Python source (`run.cpu.staging` moves the numbers).

Each module holds one job. `advance` and `retreat` are the sweeps over a tile, one for tiles with start cells and one
for those without; `forward`, `backward` and `paths` are handed their addresses and loop over items, strips and tiles, the
latter two from the last tile to the first, recomputing each from what the forward pass kept above it and before it. Where
the address of a sweep without starts is 0, the one with starts takes its place: a problem of one tile does not wait for both.

Drivers work on the strips `j_first <= j < j_last` of every item; `R` holds the borders above them, `K` the times before
their tiles. Several threads may run one driver on the same items (`run.cpu.turns`).
"""

from __future__ import annotations

from typing import TypeVar

from dpsemiring.algebra.expr import INT
from dpsemiring.lower.kernel import arc_tables
from dpsemiring.lower.numba_cells import INTEGER, Sweeps, bundle
from dpsemiring.lower.numba_sources import Windows
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import moved

_HEADER = '''"""Emitted by dpsemiring; do not edit.

{about}
"""
import numpy as np
from numba import cfunc, njit

from dpsemiring.run.cpu.staging import *
from dpsemiring.run.cpu.vector import *{sources}

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

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self.windows = Windows(plan, self.skewed, self.w)

    def inputs(self) -> list[str]:
        """The arguments that every driver begins with."""
        names = ["advance_starts", "advance", "first", "last", "skip", "n_len", "m_len", "height", "span", "j_first", "j_last"]
        for i in self.plan.cell_sites:
            names += ([] if self.made(i) else [f"a{i}"]) + [f"more_n{i}", f"more_m{i}"]
        names += self.windows.inputs()
        if self.windowed:
            names += ["row_lo", "row_hi", "left_of", "cols_of"]
        names += [f"all_{u}" for u in self.U]
        return names + [f"R{c}" for c in self.components] + [f"K{c}" for c in self.components]

    def forward_arguments(self) -> list[str]:
        names = [*self.inputs(), *(f"most{i}" for i in self.plan.cell_sites), "turns", "done", "end_n", "end_m", "end_k"]
        return [*names, *(f"D{c}" for c in self.components), "keep", *(f"L{c}" for c in self.components)]

    def backward_arguments(self, wanted: Wanted) -> list[str]:
        borders = [f"H{self.flow_name(key)}" for key in self.plan.flow_keys()]
        names = ["retreat_starts", "retreat", *self.inputs(), "turns", "done", *borders, "end_n", "end_m", "end_k"]
        names += [f"d{a}" for a in self.seeds()] + [f"all_{o}" for o in self.outputs(wanted) if not self.drained(o, wanted)]
        return [*names, "fresh", *(name for plane in wanted.drains for name in self.windows.of[plane].drained)]

    def drained(self, out: str, wanted: Wanted) -> bool:
        """Whether a result goes on to what a cost is made of."""
        site = self.site_of(out)
        return site is not None and site.name in wanted.drains

    def made(self, i: int) -> bool:
        """Whether a site's numbers are made as they are needed."""
        site = self.plan.recurrence.sites[i]
        return site.role == "cost" and site.name in self.windows.of

    def workspace(self, wanted: Wanted | None = None) -> None:
        """Buffers for the largest tile; made once for a run over items."""
        p, w = self.plan, self.w
        w("cols_all = largest(cols_of)" if self.windowed else f"cols_all = largest(m_len) + {p.recurrence.extra[1]}")
        w(f"lanes_all = lane_count(cols_all, height, V, {self.skewed})")
        w(f"times_all = min(span, time_count(height, cols_all, {self.skewed}))")
        w(f"size = (times_all + {self.delay}) * {self.states} * (lanes_all + {self.pad})")
        for c, kind in enumerate(p.kinds):
            w(f"S{c} = room(size, {'I' if kind == INT else 'F'})")
        for name in [*self.W, *self.B]:
            w(f"{name} = room((times_all + V) * lanes_all, np.{p.real})")
        for i in p.cell_sites:
            w(f"seen{i} = zeros(V, I)")
        for name in self.bounds:
            w(f"{name} = room(height, np.int32)")
        self.windows.workspace(wanted)

    def items(self, skip: str = "skip[b]"):
        """The loop over items."""
        self.w("for b in range(first, last):")
        self.w.depth += 1
        with self.w.block(f"if {skip}:"):
            self.w("continue")
        self.item()
        self.w.depth -= 1
        return self.w

    def item(self) -> None:
        """The numbers of one item."""
        x0, x1 = self.plan.recurrence.extra
        self.w(f"length = n_len[b] + {x0}", f"m_all = m_len[b] + {x1}", "strips = (length + height - 1) // height")
        if not self.windowed:
            self.w("left, cols, known, shift = 0, m_all, m_all, 0")
            self.w(f"lanes = lane_count(cols, height, V, {self.skewed})")
        for u in self.U:
            self.w(f"{u} = all_{u}[b if all_{u}.size > 1 else 0]")

    def strip(self) -> None:
        """The geometry of strip `j`."""
        w = self.w
        w("n0, slot = j * height, j - j_first", "rows = min(height, length - n0)")
        if self.windowed:
            w("left, cols = left_of[b, j], cols_of[b, j]", f"lanes = lane_count(cols, height, V, {self.skewed})")
            w(f"bound({', '.join(self.bounds)}, row_lo, row_hi, b, n0, rows, left, {self.skewed})")
        w(f"times = time_count(rows, cols, {self.skewed})", "tiles = (times + span - 1) // span")
        self.windows.strip()

    def tile(self, name: str = "tile") -> None:
        """The times of a tile."""
        self.w(f"t0 = {name} * span", "t1 = min(times, t0 + span)")

    def neighbour(self, other: str) -> None:
        """Where the columns of another strip of the item lie, as seen from strip `j`."""
        if self.windowed:
            self.w(f"known, shift = cols_of[b, {other}], left - left_of[b, {other}]")

    def recompute(self) -> None:
        """Sweep a tile of strip `j` forward, from what is known around it."""
        p, w, s, r = self.plan, self.w, self.plan.schedule, self.plan.recurrence
        self.neighbour("max(j - 1, 0)")
        self.windows.fill()
        for i in p.cell_sites:
            site = r.sites[i]
            outside = self.value_text(self.outside(site))
            if self.made(i):
                w(*self.windows.stage(site.name, i, site.at, outside))
                continue
            n, m = (f"n_len[b] + more_n{i}", f"m_len[b] + more_m{i}")
            at = f"{site.at[0]}, {moved('left', site.at[1])}"
            rows = "1" if i in self.alike else "rows"
            w(f"stage(W{i}, a{i}, b, n0, {rows}, t0, t1, cols, {at}, {n}, {m}, {outside}, lanes, {self.skewed}, seen{i})")
        for c, z in enumerate(r.semiring.trace.zero):
            geometry = f"{self.states}, {s.halo}, {s.margin}, {self.value(z)}, lanes, {self.pad}, {self.delay}, {self.skewed}"
            w(f"enter(S{c}, R{c}, K{c}, b, slot, tile, t0, t1, cols, known, shift, {geometry})")
        if not p.starts_everywhere:
            tests = [f"falls({place_index(n)}, {place_index(m)}, {self.within_tile()})" for n, m in p.patterns]
            w(f"starts = {' or '.join(tests)} or not advance")
        rest = ", ".join([*self.U, *self.bounds, "t0, t1 - t0", "rows", "cols", "lanes"])
        with self.where_starts():
            for i, (n, m) in enumerate(p.patterns):
                place = f"length, m_all, n0, rows, t0, t1, left, cols, lanes, {self.skewed}"
                w(f"mark(B{i}, {place_index(n)}, {place_index(m)}, {place})")
            w(f"call(advance_starts, {', '.join([*self.S, *self.W, *self.B])}, {rest})")
        if not p.starts_everywhere:
            with w.block("else:"):
                w(f"call(advance, {', '.join([*self.S, *self.W])}, {rest})")

    def within_tile(self) -> str:
        return f"length, m_all, n0, rows, t0, t1, left, {self.skewed}"

    def where_starts(self):
        return self.w.block("if True:" if self.plan.starts_everywhere else "if starts:")

    def value_text(self, number: float) -> str:
        return {float("inf"): "INF", -float("inf"): "-INF"}.get(number, f"F({number!r})")


_D = TypeVar("_D", bound=Drivers)


def place_index(i: int | None) -> str:
    return "ANY" if i is None else str(i)


def begin(plan: Plan, driver: bool = False, kind: type[_D] = Drivers) -> _D:  # type: ignore[assignment]
    """The head of a module."""
    kernel = kind(plan)
    about = str(plan).replace("\\", "")
    rooms = ["abreast"] if kernel.abreast else []
    if plan.fused:
        rooms += ["sources", "narrow" if kernel.abreast else "slanted"]
    sources = "".join(f"\nfrom dpsemiring.run.cpu.{room} import *" for room in rooms if driver)
    header = _HEADER.format(about=about, real=plan.real, integer=INTEGER[plan.real], vector=kernel.vector, sources=sources)
    kernel.w(*header.rstrip("\n").split("\n"))
    return kernel


def advance_text(plan: Plan, starts: bool) -> str:
    """Source of a forward sweep over a tile."""
    kernel = begin(plan)
    kernel.advance(starts)
    return kernel.w.text


def retreat_text(plan: Plan, starts: bool, wanted: Wanted) -> str:
    """Source of a backward sweep over a tile."""
    kernel = begin(plan)
    kernel.retreat(starts, wanted)
    return kernel.w.text


def forward_text(plan: Plan) -> str:
    """Source of `forward`: borders, the values at the ends, and the lattice where it is asked for."""
    kernel = begin(plan, driver=True)
    w, s = kernel.w, plan.schedule
    place = f"lanes, {kernel.pad}, {kernel.delay}, {kernel.skewed}"
    w("", "", "@njit(**OPTIONS)")
    with w.block(f"def forward({', '.join(kernel.forward_arguments())}):"):
        kernel.workspace()
        with kernel.items(), w.block("while True:"):
            w("j = j_first + claim(turns, b)")
            with w.block("if j >= min(strips, j_last):"):
                w("break")
            kernel.strip()
            w("begin = ends_before(end_n, end_m, b, n0, 0, 0)")
            w("e = ends_before(end_n, end_m, b, n0 + rows, 0, begin)")
            with w.block("for tile in range(tiles):"):
                kernel.tile()
                kernel.neighbour("max(j - 1, 0)")
                with w.block("if slot > 0:"):
                    w(
                        f"wait(done, b, slot, min(known, t1 + {s.halo} + shift))"
                        if kernel.skewed
                        else "wait(done, b, slot, known)"
                    )
                kernel.recompute()
                for c in kernel.components:
                    w(f"collect(S{c}, D{c}, b, end_n, end_m, end_k, begin, e, n0, t0, t1, left, {kernel.states}, {place})")
                with w.block("if keep:"):
                    for c in kernel.components:
                        w(f"spill(S{c}, L{c}, b, n0, rows, t0, t1, left, cols, {kernel.states}, {place})")
                with w.block("if t1 < times:"):
                    for c in kernel.components:
                        w(f"keep_times(S{c}, K{c}, b, slot, tile, t0, t1, {kernel.states}, lanes, {kernel.pad}, {kernel.delay})")
                with w.block("if n0 + rows < length:"):
                    for c in kernel.components:
                        w(f"leave(S{c}, R{c}, b, slot, t0, t1, height, cols, {kernel.states}, {s.halo}, {place})")
                    w(f"publish(done, b, slot + 1, {'cols if t1 == times else t1 - height + 1' if kernel.skewed else 'cols'})")
            for i in plan.cell_sites:
                w(f"tell(seen{i}, most{i}, b, j)")
    return w.text


def backward_text(plan: Plan, wanted: Wanted) -> str:
    """Source of `backward`: from what flows to the ends, what flows to the wanted sites and parameters."""
    kernel = begin(plan, driver=True)
    w, s = kernel.w, plan.schedule
    keys, outs, seeds = plan.flow_keys(), kernel.outputs(wanted), kernel.seeds()
    borders = [f"H{kernel.flow_name(key)}" for key in keys]
    reach = max((key[0].dn for key in keys), default=0)
    w("", "", "@njit(**OPTIONS)")
    with w.block(f"def backward({', '.join(kernel.backward_arguments(wanted))}):"):
        kernel.workspace(wanted)
        for key in keys:
            w(f"{kernel.flow_name(key)} = room((times_all + {kernel.delay}) * (lanes_all + {kernel.pad}), F)")
        for a in seeds:
            w(f"{a} = zeros(times_all * lanes_all * {kernel.states}, F)")
        for out in outs:
            w(f"{out} = zeros({'lanes_all' if kernel.summed(out) else '(times_all + V) * lanes_all'}, F)")
        with kernel.items(), w.block("while True:"):
            w("j = min(strips, j_last) - 1 - claim(turns, b)")
            with w.block("if j < j_first:"):
                w("break")
            kernel.strip()
            w("begin = ends_before(end_n, end_m, b, n0, 0, 0)")
            w("e = ends_before(end_n, end_m, b, n0 + rows, 0, begin)")
            with w.block("for tile in range(tiles - 1, -1, -1):"):
                kernel.tile()
                kernel.neighbour("min(j + 1, strips - 1)")
                with w.block("if j + 1 < min(strips, j_last):"):
                    w(
                        f"wait(done, b, slot + 1, known - max(0, t0 - height - {reach} + shift))"
                        if kernel.skewed
                        else "wait(done, b, slot + 1, known)"
                    )
                w("entered, seeded = False, 0")
                for key, border in zip(keys, borders):
                    around = f"t0, t1, height, cols, known, shift, {s.margin}, lanes, {kernel.pad}, {kernel.delay}, times"
                    w(f"entered |= enter_flows({kernel.flow_name(key)}, {border}, b, j, {around}, {kernel.skewed})")
                place = f"b, end_n, end_m, end_k, begin, e, n0, t0, t1, left, {kernel.states}, lanes, {kernel.skewed}"
                for a in seeds:
                    w(f"seeded += plant({a}, d{a}, {place})")
                with w.block("if entered or seeded > 0:"):
                    kernel.recompute()
                    kernel.windows.drain(wanted)
                    common = [*map(kernel.flow_name, keys), *seeds, *outs, *kernel.U, *kernel.bounds]
                    common += ["seeded", "t0, t1 - t0", "rows", "cols", "lanes"]
                    with kernel.where_starts():
                        w(f"call(retreat_starts, {', '.join([*kernel.S, *kernel.W, *kernel.B, *common])})")
                    if not plan.starts_everywhere:
                        with w.block("else:"):
                            w(f"call(retreat, {', '.join([*kernel.S, *kernel.W, *common])})")
                    with w.block("if seeded:"):
                        for a in seeds:
                            w(f"uproot({a}, {place})")
                    for out in outs:
                        if kernel.drained(out, wanted) and not kernel.summed(out):
                            w(kernel.windows.unstage(kernel.site_of(out).name, out, kernel.site_of(out).at))
                with w.block("else:"):  # nothing flows on from nothing
                    for name in [*map(kernel.flow_name, keys), *(out for out in outs if not kernel.summed(out))]:
                        w(f"clear({name})")
                for key, border in zip(keys, borders):
                    at = f"t0, t1, rows, cols, lanes, {kernel.pad}, {kernel.skewed}"
                    w(f"leave_flows({kernel.flow_name(key)}, {border}, b, j, {at})")
                for out in outs:
                    site = kernel.site_of(out)
                    if kernel.summed(out) or kernel.drained(out, wanted):
                        continue
                    if site is None:
                        geometry = f"b, n0, rows, t0, t1, cols, 0, left, length, m_all, lanes, {kernel.skewed}, fresh"
                        w(f"unstage(dO, all_dO, {geometry})")
                    else:
                        i = out[2:]
                        at = f"{site.at[0]}, {moved('left', site.at[1])}"
                        place = f"{at}, n_len[b] + more_n{i}, m_len[b] + more_m{i}"
                        geometry = f"b, n0, rows, t0, t1, cols, {place}, lanes, {kernel.skewed}, fresh"
                        w(f"unstage({out}, all_{out}, {geometry})")
                w(f"publish(done, b, slot, {'cols - t0' if kernel.skewed else 'cols'})")
            kernel.windows.drain_rest(wanted)
            for out in outs:
                if kernel.summed(out):
                    w(f"flush({out}, all_{out}, b, j)")
    return w.text


def paths_text(plan: Plan) -> str:
    """Source of `paths`: from the chosen ends, the visited cells, states and steps, last first."""
    kernel = begin(plan, driver=True)
    w = kernel.w
    cell = plan.choice()
    code = kernel.code(cell)
    arrays = [*kernel.S, *kernel.W, *kernel.B, *kernel.U]
    with kernel.straight("candidates", [*arrays, "o", "i", "q", "pitch"]):
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
            f"taken = candidates({', '.join(arrays)}, o, i, q, pitch)",
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
        with kernel.items("skip[b] or from_n[b] < 0"):
            w("n, m, k, count = from_n[b], from_m[b], from_k[b], counts[b]")
            with w.block("while k >= 0 and n >= j_first * height:"):
                w("j = n // height")
                kernel.strip()
                w("tile = (m - left + n - n0) // span" if kernel.skewed else "tile = 0")
                kernel.tile()
                kernel.recompute()
                if not plan.starts_everywhere:
                    with w.block("if not starts:"):
                        for name in kernel.B:
                            w(f"clear({name})")
                with w.block("while k >= 0 and n >= n0:"):
                    w("l = n - n0", "t, q = (m - left + l - t0, l)" if kernel.skewed else "t, q = (l, m - left)")
                    with w.block("if t < 0:"):
                        w("break")
                    w(f"chosen = choose({', '.join([*kernel.S, *kernel.W, *kernel.B, *kernel.U])}, k, t, q, lanes)")
                    with w.block("if chosen < 0:"):
                        w("k = -1", "count = -1", "break")
                    w("visited[b, count, 0], visited[b, count, 1] = n, m")
                    w("visited[b, count, 2], visited[b, count, 3] = k, ARC_STEP[k, chosen]", "count += 1")
                    w("n, m, k = n - ARC_DN[k, chosen], m - ARC_DM[k, chosen], ARC_SOURCE[k, chosen]")
            w("from_n[b], from_m[b], from_k[b], counts[b] = n, m, k, count")
    return w.text
