"""The Numba target, around the strips of items that lie abreast: `forward` and `backward` for batches of small items.

The lanes are the items of a group, a vector of them; a strip is some rows of all of them, and one tile
(`run.cpu.abreast` moves the numbers). Both take what those of `lower.numba_text` take; groups stand in the place of
items, and `R` holds the borders above their strips.
"""

from __future__ import annotations

from dpsemiring.lower.ir import Site
from dpsemiring.lower.numba_drivers import Drivers, begin, place_index
from dpsemiring.lower.numba_sources import Window
from dpsemiring.lower.plan import Plan, Wanted


class Abreast(Drivers):
    """The statements that both drivers share."""

    def workspace(self, wanted: Wanted | None = None) -> None:
        """Buffers for the widest group; made once for a run over groups."""
        p, w = self.plan, self.w
        halo, margin = p.schedule.halo, p.schedule.margin
        w(f"stripe_all = largest(m_len) + {p.recurrence.extra[1] + margin}")
        w(f"times_all = (height + {halo}) * stripe_all + {margin}")
        self.buffers(f"times_all * {self.states} * V", "(height * stripe_all + V) * V")
        w("stops = room(arena, used, V, np.int64)")
        for plane, window in self.windows.of.items():
            n, m = window.reach
            w(f"wide{window.name}, tall{window.name} = stripe_all + {m + 1}, height + {n + 1}")
            for flat in self._flats(window, wanted is not None and plane in wanted.drains):
                w(f"{flat} = room(arena, used, V * tall{window.name} * wide{window.name}, F)")
                w(f"{flat}_ = {flat}.reshape((V, tall{window.name}, wide{window.name}))")
            self._narrow(window)

    def _flats(self, window, drained: bool) -> list[str]:
        return [f"C{window.name}"] + ([f"Q{window.name}"] if drained else [])

    def groups(self, backward: bool):
        """The loops over groups and their strips; what is known of each."""
        p, w = self.plan, self.w
        x0, x1 = p.recurrence.extra
        w("for group in range(first, last):")
        w.depth += 1
        w("b0 = group * V", "items = min(V, n_len.size - b0)", "lanes = V")
        w(f"length, cols = longest(n_len, b0, items) + {x0}, longest(m_len, b0, items) + {x1}")
        w(f"stripe, strips = cols + {p.schedule.margin}, (length + height - 1) // height")
        for u in self.U:
            w(f"{u} = all_{u}[0]")
        for window in self.windows.of.values():
            if self._direct(window):
                with w.block(f"if narrow{window.name}:"):
                    for k in range(len(window.kinds)):
                        x, y, _ = window.arrays(k)
                        w(f"gather(Y{window.name}_{k}, {x}, {y}, b0, items, cols)")
        for c, z in enumerate(p.recurrence.semiring.trace.zero):
            w(f"hem(S{c}, height + {p.schedule.halo - 1}, {self._row}, {self.states} * lanes, {self.value(z)})")
        if backward:
            for key in p.flow_keys():
                w(f"hem({self.flow_name(key)}, height + {p.schedule.halo}, {self._row}, lanes, F(0))")
        with w.block("for j in range(strips - 1, -1, -1):" if backward else "for j in range(strips):"):
            w("n0 = j * height", "rows = min(height, length - n0)")
            yield w
        w.depth -= 1

    @property
    def _row(self) -> str:
        return f"stripe, {self.plan.schedule.margin}"

    def _rows_above(self) -> str:
        return f"{self.plan.schedule.halo} * stripe * {self.states} * lanes"

    def recompute(self) -> None:
        """Sweep a strip forward, from the rows above it."""
        p, w = self.plan, self.w
        for i in p.cell_sites:
            if not self.made(i):
                self.stage(i)
        for window in self.windows.of.values():
            self.make(window)
        for c in self.components:
            w(f"enter_abreast(S{c}, R{c}, group, j, {self._rows_above()})")
        x0, x1 = p.recurrence.extra
        place = f"b0, items, n_len, {x0}, m_len, {x1}, n0, rows, cols, {self._row}, lanes"
        self.advance_tile(
            [f"falls_abreast({place_index(n)}, b0, items, n_len, {x0}, n0, rows)" for n, _ in p.patterns],
            [f"mark_abreast(B{i}, {place_index(n)}, {place_index(m)}, {place})" for i, (n, m) in enumerate(p.patterns)],
            [*self.U, "0, rows * stripe, rows, cols, lanes"],
        )

    # --- planes that are made as they are needed ----------------------------------------------------

    def make(self, window: Window) -> None:
        """The costs of a strip: straight where cells read them if there are few features, otherwise item by item."""
        n, w = window.name, self.w
        w(f"r{n} = max(0, n0 + {window.before[0]})")
        wide = "if True:"
        if self._direct(window):
            wide = "else:"
            with w.block(f"if narrow{n}:"):
                for k, kind in enumerate(window.kinds):
                    place = f"b0, items, n0, rows, cols, {self._row}, {', '.join(window.arrays(k))}"
                    w(f"spread_{kind}(W{window.site}, {place}, Y{n}_{k}, row{n}, {k == 0})")
        with w.block(wide):
            with w.block("for r in range(items):"):
                for k, kind in enumerate(window.kinds):
                    w(f"fill_{kind}(C{n}, {self._part(window)}, {', '.join(window.arrays(k))}, {k == 0})")
            for i in self.plan.cell_sites:
                if self.made(i) and self.windows.of[self.plan.recurrence.sites[i].name] is window:
                    self.stage(i)

    def stage(self, i: int) -> None:
        """Lay a site's numbers out for a strip."""
        site = self.plan.recurrence.sites[i]
        outside = self.value_text(self.outside(site))
        self.w(f"stage_abreast(W{i}, {self._plane(i, site, 'C')}, {outside}, seen{i}, {self._origin(i)})")

    def _direct(self, window: Window) -> bool:
        """Whether cells read the cost of their own place alone, and it is made of features."""
        return window.reach == (0, 0) and self.plan.recurrence.extra == (0, 0) and "entries" not in window.kinds

    def _narrow(self, window: Window) -> None:
        if self._direct(window):
            n = window.name
            few = [f"{window.arrays(k)[0]}.shape[2] <= NARROW" for k in range(len(window.kinds))]
            self.w(f"narrow{n} = {' and '.join(few)} and min(more_n{window.site}, more_m{window.site}) >= 0")
            self.w(f"row{n} = zeros(arena, used, NARROW * V, F)")
            for k in range(len(window.kinds)):
                self.w(f"Y{n}_{k} = zeros(arena, used, stripe_all * NARROW * V if narrow{n} else 0, F)")

    def _part(self, window) -> str:
        """What of an item's plane a strip reads, and where it stands."""
        n = window.name
        rows = f"max(r{n}, min(n_len[b0 + r] + more_n{window.site}, n0 + rows + {window.after[0]}))"
        at = f"wide{n}, r * tall{n} * wide{n}, b0 + r"
        cols = f"max(0, min(m_len[b0 + r] + more_m{window.site}, cols + {window.after[1]}))"
        return f"{at}, r{n}, {rows}, 0, {cols}"

    def _plane(self, i: int, site: Site, flat: str) -> str:
        """The array of a site, and what of it the cells of a strip read."""
        array, first = f"a{i}", "b0"
        if self.made(i):
            array, first = f"{flat}{self.windows.of[site.name].name}_", "0"
        return f"{array}, {first}, {self._geometry(i, site)}"

    def _geometry(self, i: int, site: Site) -> str:
        at = f"{site.at[0]}, {site.at[1]}"
        return f"b0, items, n0, rows, cols, {self._row}, {at}, n_len, more_n{i}, m_len, more_m{i}"

    def _origin(self, i: int) -> str:
        """Room for the ends of rows, and the first row that the array has."""
        site = self.plan.recurrence.sites[i]
        return f"stops, r{self.windows.of[site.name].name}" if self.made(i) else "stops, 0"

    def give(self, wanted: Wanted, outs: list[str]) -> None:
        """What a strip gives, into the results."""
        p, w = self.plan, self.w
        for plane in wanted.drains:
            window = self.windows.of[plane]
            w(f"clear(Q{window.name}[: items * tall{window.name} * wide{window.name}])")
        for out in outs:
            site = self.site_of(out)
            if self.summed(out):
                continue
            if site is None:
                x0, x1 = p.recurrence.extra
                geometry = f"b0, b0, items, n0, rows, cols, {self._row}, 0, 0, n_len, {x0}, m_len, {x1}, fresh, stops, 0"
                w(f"unstage_abreast(dO, all_dO, {geometry})")
                continue
            i = int(out[2:])
            if site.name in wanted.drains:
                w(f"unstage_abreast({out}, {self._plane(i, site, 'Q')}, False, {self._origin(i)})")
            else:
                w(f"unstage_abreast({out}, all_{out}, b0, {self._geometry(i, site)}, fresh, stops, 0)")
        for plane in wanted.drains:
            window = self.windows.of[plane]
            with w.block("for r in range(items):"):
                for k, kind in enumerate(window.kinds):
                    arrays = ", ".join(window.arrays(k) + window.gradients(k))
                    w(f"drain_{kind}(Q{window.name}, {self._part(window)}, {arrays})")


def abreast_forward_text(plan: Plan) -> str:
    """Source of `forward` for items abreast."""
    kernel = begin(plan, driver=True, kind=Abreast)
    w, s = kernel.w, plan.schedule
    w("", "", "@called(**OPTIONS)")
    with w.block(f"def forward({', '.join(kernel.forward_arguments())}):"):
        kernel.workspace()
        for _ in kernel.groups(backward=False):
            kernel.recompute()
            for c in kernel.components:
                place = f"n0, rows, {kernel._row}, {s.halo}, {kernel.states}, lanes"
                w(f"collect_abreast(S{c}, D{c}, b0, items, end_n, end_m, end_k, {place})")
            with w.block("if n0 + rows < length:"):
                for c in kernel.components:
                    whole = f"height * stripe * {kernel.states} * lanes"
                    w(f"leave_abreast(S{c}, R{c}, group, j, {kernel._rows_above()}, {whole})")
            for i in (buffer.site for buffer in plan.buffers):
                w(f"tell(seen{i}, most{i}, b0, j)")
    return w.text


def abreast_backward_text(plan: Plan, wanted: Wanted) -> str:
    """Source of `backward` for items abreast."""
    kernel = begin(plan, driver=True, kind=Abreast)
    w, s = kernel.w, plan.schedule
    outs, seeds = kernel.outputs(wanted), kernel.seeds()
    flows = [kernel.flow_name(key) for key in plan.flow_keys()]
    w("", "", "@called(**OPTIONS)")
    with w.block(f"def backward({', '.join(kernel.backward_arguments(wanted))}):"):
        kernel.workspace(wanted)
        for flow in flows:
            w(f"{flow} = room(arena, used, (times_all + stripe_all) * V, F)")
        for a in seeds:
            w(f"{a} = zeros(arena, used, height * stripe_all * V * {kernel.states}, F)")
        for out in outs:
            place = "zeros(arena, used, V, F)" if kernel.summed(out) else "room(arena, used, (height * stripe_all + V) * V, F)"
            w(f"{out} = {place}")
        for _ in kernel.groups(backward=True):
            kernel.recompute()
            for flow in flows:
                w(f"enter_flows_abreast({flow}, rows, {s.halo}, stripe, lanes, j == strips - 1, height)")
            ends = "b0, items, end_n, end_m, end_k"
            place = f"n0, rows, {kernel._row}, {kernel.states}, lanes"
            w("seeded = 0")
            for a in seeds:
                w(f"seeded = plant_abreast({a}, d{a}, {ends}, {place}, False)")
            kernel.sweep_tile("retreat", [*flows, *seeds, *outs, *kernel.U, "seeded", "0, rows * stripe, rows, cols, lanes"])
            with w.block("if seeded:"):
                for a in seeds:
                    w(f"plant_abreast({a}, d{a}, {ends}, {place}, True)")
            kernel.give(wanted, outs)
            for out in outs:
                if kernel.summed(out):
                    w(f"flush_abreast({out}, all_{out}, b0, items, j)")
    return w.text
