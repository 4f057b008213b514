"""The Numba target: what its drivers have in common (`run.cpu.staging` and `run.cpu.borders` move the numbers).

Drivers work on the strips `j_first <= j < j_last` of every item; `R` holds the borders above them, `K` the times before
their tiles. Several threads may run one driver on the same items (`run.cpu.turns`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from dpsemiring.algebra.expr import INT
from dpsemiring.lower.kernel import variant
from dpsemiring.lower.numba_cells import INTEGER, Sweeps
from dpsemiring.lower.numba_sources import Windows
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import moved

_HEADER = '''"""Emitted by dpsemiring; do not edit.

{about}
"""
import numpy as np
from numba import njit

from dpsemiring.run.cpu.borders import *
from dpsemiring.run.cpu.calls import WITHIN
from dpsemiring.run.cpu.compiled import *
from dpsemiring.run.cpu.staging import *
from dpsemiring.run.cpu.vector import *{sources}

F = np.{real}
I = np.{integer}
INF = F(np.inf)
NAN = F(np.nan)
V = {vector}
SWEEP = {{"nogil": True, "error_model": "numpy"}}
OPTIONS = {{**SWEEP, "no_cfunc_wrapper": True}}
'''


class Drivers(Sweeps):
    """The statements that the drivers share."""

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self.windows = Windows(plan, self.skewed, self.w)

    def inputs(self) -> list[str]:
        """The arguments that every driver begins with."""
        names = ["advance_starts", "advance", "arena", "used", "first", "last"]
        names += ["skip", "n_len", "m_len", "height", "span", "j_first", "j_last"]
        for i in self.plan.cell_sites:
            names += ([] if self.made(i) else [f"a{i}"]) + [f"more_n{i}", f"more_m{i}"]
        names += self.windows.inputs()
        if self.windowed:
            names += ["row_lo", "row_hi", "left_of", "cols_of"]
        names += [f"all_{u}" for u in self.U]
        return names + [f"R{c}" for c in self.components] + [f"K{c}" for c in self.components]

    def forward_arguments(self) -> list[str]:
        most = [f"most{buffer.site}" for buffer in self.plan.buffers]
        names = [*self.inputs(), *most, "turns", "done", "end_n", "end_m", "end_k"]
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
        self.buffers("size", "(times_all + V) * lanes_all")
        for name in self.bounds:
            w(f"{name} = room(arena, used, height, np.int32)")
        self.windows.workspace(wanted)

    def buffers(self, values: str, cells: str) -> None:
        """Room for so many accumulated values, and for the sites and the starts of so many cells."""
        for c, kind in enumerate(self.plan.kinds):
            self.w(f"S{c} = room(arena, used, {values}, {'I' if kind == INT else 'F'})")
        for name in [*self.W, *self.B]:
            size = self.shared_size if name in self.joint else cells
            self.w(f"{name} = room(arena, used, {size}, np.{self.plan.real})")
        for buffer in self.plan.buffers:
            self.w(f"seen{buffer.site} = zeros(arena, used, V, I)")

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

    def tile(self, back: bool = False) -> None:
        """The times of a tile, and how many rows and times further on the next one lies."""
        self.w("t0 = tile * span", "t1 = min(times, t0 + span)")
        if back:
            self.w("on_n, on_t = (0, -span) if tile > 0 else (-height, (tiles - 1) * span)")
        else:
            self.w("on_n, on_t = (0, span) if t1 < times else (height, -t0)")

    def ends(self) -> None:
        """Which ends lie in strip `j`, and at which times."""
        self.w("begin = ends_before(end_n, end_m, b, n0, 0, 0)", "e = ends_before(end_n, end_m, b, n0 + rows, 0, begin)")
        self.w(f"early, late = times_of_ends(end_n, end_m, b, begin, e, n0, left, {self.skewed})")

    def ends_of_tile(self) -> None:
        """Those among which the ends of a tile are: none, or all of the strip's."""
        self.w("stop = e if early < t1 and t0 <= late else begin")

    def frame(self, i: int | None, rows: str = "rows") -> tuple[tuple[int, int], str, str]:
        """Of the buffer of a site, or (None) of the cells themselves: where its numbers lie as seen from a cell, which rows,
        times and columns it has, and how many lanes."""
        if i is None or not (buffer := self.plan.buffers[i]).shared:
            return (0, 0) if i is None else buffer.at, f"n0, {rows}, t0, t1, cols", "lanes"
        (n, m), up = self.plan.buffers.reach, self.breadth
        times = f"{moved('t0', up - n)}, {moved('t1', up + m)}"
        frame = f"{moved('n0', -up)}, {moved(rows, up)}, {times}, {moved('cols', m)}"
        return (buffer.at[0], buffer.at[1] - m), frame, moved("lanes", up)

    def place(self, i: int | None, rows: str = "rows") -> str:
        """Where a tile's numbers of a site, or (None) of the cells themselves, lie in their array."""
        (n, m), frame, _ = self.frame(i, rows)
        extent = "length, m_all" if i is None else f"n_len[b] + more_n{i}, m_len[b] + more_m{i}"
        return f"b, {frame}, {n}, {moved('left', m)}, {extent}"

    def neighbour(self, other: str) -> None:
        """Where the columns of another strip of the item lie, as seen from strip `j`."""
        if self.windowed:
            self.w(f"known, shift = cols_of[b, {other}], left - left_of[b, {other}]")

    def recompute(self) -> None:
        """Sweep a tile of strip `j` forward, from what is known around it."""
        p, w, s, r = self.plan, self.w, self.plan.schedule, self.plan.recurrence
        self.neighbour("max(j - 1, 0)")
        self.windows.fill()
        for i in (buffer.site for buffer in p.buffers):
            site = r.sites[i]
            outside = self.value_text(self.outside(site))
            at, frame, lanes = self.frame(i)
            if self.made(i):
                w(*self.windows.stage(site.name, i, at, frame, lanes, outside))
                continue
            place = self.place(i, "1" if i in self.alike else "rows")
            w(f"stage(W{i}, a{i}, {place}, {outside}, {lanes}, {self.skewed}, seen{i}, on_n, on_t)")
        for c, z in enumerate(r.semiring.trace.zero):
            geometry = f"{self.states}, {s.halo}, {s.margin}, {self.value(z)}, lanes, {self.pad}, {self.delay}, {self.skewed}"
            w(f"enter(S{c}, R{c}, K{c}, b, slot, tile, t0, t1, cols, known, shift, {geometry})")
        within = f"length, m_all, n0, rows, t0, t1, left, {self.skewed}"
        place = f"length, m_all, n0, rows, t0, t1, left, cols, lanes, {self.skewed}"
        self.advance_tile(
            [f"falls({place_index(n)}, {place_index(m)}, {within})" for n, m in p.patterns],
            [f"mark(B{i}, {place_index(n)}, {place_index(m)}, {place})" for i, (n, m) in enumerate(p.patterns)],
            [*self.U, *self.bounds, "t0, t1 - t0", "rows", "cols", "lanes"],
        )

    def advance_tile(self, falls: list[str], marks: list[str], rest: list[str]) -> None:
        """Sweep forward: with starts, which are marked, where one of the tests says that there are some."""
        if not self.plan.starts_everywhere:
            self.w(f"starts = {' or '.join(falls)} or not advance")
        self.sweep_tile("advance", rest, marks)

    def sweep_tile(self, name: str, rest: list[str], first: Iterable[str] = ()) -> None:
        """Call a sweep with starts, after some statements, or the one without."""
        with self.w.block("if True:" if self.plan.starts_everywhere else "if starts:"):
            self.w(*first, f"call({variant(name, True)}, {', '.join([*self.S, *self.W, *self.B, *rest])})")
        if not self.plan.starts_everywhere:
            with self.w.block("else:"):
                self.w(f"call({variant(name, False)}, {', '.join([*self.S, *self.W, *rest])})")

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
