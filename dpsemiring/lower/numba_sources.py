"""The Numba target, around the tiles: planes whose cost is made as it is needed, from `run.cpu.sources`
and `run.cpu.slanted`.

Such a plane has a row-major window `C` over the rows and columns that a tile reads, and one `Q` for what flows to them. From tile
to tile the windows slide: columns in both stay, those that come are filled in (flows: 0), and flows of columns that go are
complete and taken back. Columns are those of the plane; the window begins with column `c_need`. Where a strip is one tile
of the same layout, rows of lanes along m, and cells read what stands at their own place, its own buffers are the windows.
In skewed tiles costs that are read from one place need no window: they are laid straight into the buffer of the tile.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import Writer, moved

# the arrays of a kernel kind: how many it reads, how many gradients it has
ARRAYS = {"differences": (3, 2), "products": (3, 2), "entries": (4, 1)}
# what is held of the rows of a strip whose costs are laid out by `run.cpu.slanted`
HELD = {"differences": "frames", "products": "frames", "entries": "entries"}


@dataclass(frozen=True)
class Window:
    """The names of one plane's window, and how far beyond a tile its cells read."""

    name: str
    site: int  # one that reads it
    at: tuple[int, int]  # where that reads
    kinds: tuple[str, ...]
    before: tuple[int, int]  # rows and columns, <= 0
    after: tuple[int, int]  # >= 0
    direct: bool  # whether the buffers of the tile serve as windows
    slanted: bool  # whether costs go straight into the buffer of the tile, which is skewed

    def arrays(self, k: int) -> list[str]:
        return [f"{self.name}_{k}_{i}" for i in range(ARRAYS[self.kinds[k]][0])]

    def gradients(self, k: int) -> list[str]:
        return [f"d{self.name}_{k}_{i}" for i in range(ARRAYS[self.kinds[k]][1])]

    def held(self, k: int) -> str:
        return f"H{self.name}_{k}"

    @property
    def inputs(self) -> list[str]:
        """What a driver is given: the arrays of every term."""
        return [a for k in range(len(self.kinds)) for a in self.arrays(k)]

    @property
    def extent(self) -> tuple[str, str]:
        """The rows and columns that an item's plane has."""
        return f"n_len[b] + more_n{self.site}", f"m_len[b] + more_m{self.site}"

    @property
    def drained(self) -> list[str]:
        return [a for k in range(len(self.kinds)) for a in self.gradients(k)]

    @property
    def reach(self) -> tuple[int, int]:
        return self.after[0] - self.before[0], self.after[1] - self.before[1]


class Windows:
    """The statements about the planes of a plan that are made as they are needed."""

    def __init__(self, plan: Plan, skewed: bool, w: Writer):
        self.w, self.skewed = w, skewed
        self.of: dict[str, Window] = {}
        for p, (plane, kinds) in enumerate(plan.fused):
            at = {i: s.at for i, s in enumerate(plan.recurrence.sites) if s.role == "cost" and s.name == plane}
            low, high = zip(*[(min(0, *x), max(0, *x)) for x in zip(*at.values())])
            direct = not skewed and list(at.values()) == [(0, 0)] and plan.recurrence.extra == (0, 0)
            # where several sites read a plane, its costs are made once for all of them
            slanted = skewed and len(at) == 1
            self.of[plane] = Window(f"P{p}", *next(iter(at.items())), kinds, low, high, direct, slanted)

    def inputs(self) -> list[str]:
        return [name for window in self.of.values() for name in window.inputs]

    def workspace(self, wanted: Wanted | None) -> None:
        """Room for the widest windows."""
        for plane, p in self.of.items():
            if p.direct:
                continue
            n, m = p.reach
            wide = f"(times_all + height + V + {n + m + 1})" if self.skewed else f"(cols_all + V + {m + 1})"
            self.w(f"wide{p.name} = {wide}", f"tall{p.name} = height + {n + 1}")
            if p.slanted:
                for k, kind in enumerate(p.kinds):
                    room = f"breadth_{HELD[kind]}(times_all + height, {', '.join(p.arrays(k))})"
                    self.w(f"{p.held(k)} = room(arena, used, {room} * height, F)")
            flows = [f"Q{p.name}"] if wanted and plane in wanted.drains else []
            for flat in flows if p.slanted else [f"C{p.name}", *flows]:
                self.w(f"{flat} = room(arena, used, tall{p.name} * wide{p.name}, F)")
                self.w(f"{flat}_ = {flat}.reshape((1, tall{p.name}, wide{p.name}))")

    def strip(self) -> None:
        """Windows are empty when a strip begins."""
        for p in self.of.values():
            if p.direct:
                continue
            self.w(f"{p.name}_low, {p.name}_high, {p.name}_from, {p.name}_to = 0, 0, 0, 0")
            for k, kind in enumerate(p.kinds) if p.slanted else ():
                place = f"lanes, b, {moved('n0', p.at[0])}, {p.extent[0]}, cols"
                self.w(f"hold_{HELD[kind]}({p.held(k)}, {place}, {', '.join(p.arrays(k))})")

    _strip = "lanes, 0, b, n0, n0 + rows, left, left + cols"

    def need(self, p: Window) -> None:
        """Which rows and columns of a plane the cells of a tile read."""
        (low_n, low_m), (high_n, high_m) = p.before, p.after
        self.w(f"r{p.name} = max(0, {moved('n0', low_n)})")
        n_all, m_all = p.extent
        self.w(f"s{p.name} = max(r{p.name}, min({n_all}, {moved('n0 + rows', high_n)}))")
        first, stop = ("max(0, t0 - rows + 1)", "min(cols, t1)") if self.skewed else ("0", "cols")
        self.w(f"c_need = max(0, {moved(f'left + {first}', low_m)}) // V * V")  # panels begin there
        self.w(f"c_stop = max(c_need, min({m_all}, {moved(f'left + {stop}', high_m)}))")

    def fill(self) -> None:
        """The costs of a tile."""
        for p in self.of.values():
            if p.direct:
                for k, kind in enumerate(p.kinds):
                    self.w(f"fill_{kind}(W{p.site}, {self._strip}, {', '.join(p.arrays(k))}, {k == 0})")
                continue
            if p.slanted:
                continue
            self.need(p)
            n = p.name
            self.w(f"low, high = slide(C{n}, wide{n}, s{n} - r{n}, {n}_low, {n}_high, c_need, c_stop)")
            for begin, end in (("c_need", "low"), ("high", "c_stop")):
                with self.w.block(f"if {begin} < {end}:"):
                    for k, kind in enumerate(p.kinds):
                        place = f"C{n}, wide{n}, {begin} - c_need, b, r{n}, s{n}, {begin}, {end}"
                        self.w(f"fill_{kind}({place}, {', '.join(p.arrays(k))}, {k == 0})")
            self.w(f"{n}_low, {n}_high = c_need, c_stop")

    def stage(self, plane: str, i: int, at: tuple[int, int], frame: str, lanes: str, outside: str) -> list[str]:
        """The statements that lay a plane's costs out for a tile."""
        p = self.of[plane]
        if p.direct:
            return ["pass"]
        if p.slanted:
            n, m = moved("n0", at[0]), moved("left", at[1])
            place = f"lanes, b, {n}, rows, t0, t1, {m}, {', '.join(p.extent)}, cols, {outside}"
            return [
                f"lay_{kind}(W{i}, {p.held(k)}, {place}, {', '.join(p.arrays(k))}, {k == 0})" for k, kind in enumerate(p.kinds)
            ]
        return [
            f"stage(W{i}, C{p.name}_, {self._place(plane, at, frame, 'low')}, {outside}, {lanes}, {self.skewed}, seen{i}, 0, 0)"
        ]

    def unstage(self, plane: str, buffer: str, at: tuple[int, int], frame: str, lanes: str) -> str:
        if self.of[plane].direct:
            return "pass"
        place = self._place(plane, at, frame, "from")
        return f"unstage({buffer}, Q{self.of[plane].name}_, {place}, {lanes}, {self.skewed}, False, 0, 0)"

    def _place(self, plane, at, frame, first):
        p, (n_all, m_all) = self.of[plane].name, self.of[plane].extent
        here = f"{moved(f'-r{p}', at[0])}, {moved('left', at[1])} - {p}_{first}"
        return f"0, {frame}, {here}, {n_all} - r{p}, {m_all} - {p}_{first}"

    def drain(self, wanted: Wanted) -> None:
        """Take back the flows of columns that leave the window of a tile, and make room for its own."""
        for p in (self.of[plane] for plane in wanted.drains):
            if p.direct:
                continue
            n = p.name
            self.need(p)
            self._take(p, f"max(c_stop, {n}_from)", f"{n}_to")
            self.w(f"low, high = slide(Q{n}, wide{n}, s{n} - r{n}, {n}_from, {n}_to, c_need, c_stop)")
            self.w(f"wipe(Q{n}, wide{n}, s{n} - r{n}, 0, low - c_need)")
            self.w(f"wipe(Q{n}, wide{n}, s{n} - r{n}, high - c_need, c_stop - c_need)")
            self.w(f"{n}_from, {n}_to = c_need, c_stop")

    def drain_rest(self, wanted: Wanted) -> None:
        """Take back what is left at the end of a strip."""
        for p in (self.of[plane] for plane in wanted.drains):
            if p.direct:
                for k, kind in enumerate(p.kinds):
                    self.w(f"drain_{kind}(dW{p.site}, {self._strip}, {', '.join(p.arrays(k) + p.gradients(k))})")
                continue
            self._take(p, f"{p.name}_from", f"{p.name}_to")

    def _take(self, p, begin, end):
        n = p.name
        self.w(f"first_c = {begin}")
        with self.w.block(f"if first_c < {end}:"):
            for k, kind in enumerate(p.kinds):
                place = f"Q{n}, wide{n}, first_c - {n}_from, b, r{n}, s{n}, first_c, {end}"
                self.w(f"drain_{kind}({place}, {', '.join(p.arrays(k) + p.gradients(k))})")
