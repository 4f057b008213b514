"""The Numba target: the text of every job of a plan, around the tiles.

Each module holds one job. `advance` and `retreat` are the sweeps over a tile, one for tiles with start cells and one
for those without; `forward`, `backward` and `paths` are handed their addresses and loop over items, strips and tiles, the
latter two from the last tile to the first, recomputing each from what the forward pass kept above it and before it. Where
the address of a sweep without starts is 0, the one with starts takes its place: a problem of one tile does not wait for both.
"""

from __future__ import annotations

from dpsemiring.lower.kernel import arc_tables
from dpsemiring.lower.numba_cells import bundle
from dpsemiring.lower.numba_drivers import begin
from dpsemiring.lower.plan import Plan, Wanted


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
    w("", "", "@called(**OPTIONS)")
    with w.block(f"def forward({', '.join(kernel.forward_arguments())}):"):
        kernel.workspace()
        with kernel.items(), w.block("while True:"):
            w("j = j_first + claim(turns, b)")
            with w.block("if j >= min(strips, j_last):"):
                w("break")
            kernel.strip()
            kernel.ends()
            with w.block("for tile in range(tiles):"):
                kernel.tile()
                kernel.ends_of_tile()
                kernel.neighbour("max(j - 1, 0)")
                with w.block("if slot > 0:"):
                    w(
                        f"wait(done, b, slot, min(known, t1 + {s.halo} + shift))"
                        if kernel.skewed
                        else "wait(done, b, slot, known)"
                    )
                kernel.recompute()
                for c in kernel.components:
                    w(f"collect(S{c}, D{c}, b, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, {kernel.states}, {place})")
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
            for i in (buffer.site for buffer in plan.buffers):
                w(f"tell(seen{i}, most{i}, b, j)")
    return w.text


def backward_text(plan: Plan, wanted: Wanted) -> str:
    """Source of `backward`: from what flows to the ends, what flows to the wanted sites and parameters."""
    kernel = begin(plan, driver=True)
    w, s = kernel.w, plan.schedule
    keys, outs, seeds = plan.flow_keys(), kernel.outputs(wanted), kernel.seeds()
    given = [
        (out, f"all_{out}", kernel.place(kernel.number_of(out)), kernel.frame(kernel.number_of(out))[2])
        for out in outs
        if not (kernel.summed(out) or kernel.drained(out, wanted))
    ]
    own = [(array, place) for out, array, place, _ in given if out not in kernel.joint]
    borders = [f"H{kernel.flow_name(key)}" for key in keys]
    reach = max((key[0].dn for key in keys), default=0)
    w("", "", "@called(**OPTIONS)")
    with w.block(f"def backward({', '.join(kernel.backward_arguments(wanted))}):"):
        kernel.workspace(wanted)
        for key in keys:
            w(f"{kernel.flow_name(key)} = room(arena, used, (times_all + {kernel.delay}) * (lanes_all + {kernel.pad}), F)")
        for a in seeds:
            w(f"{a} = zeros(arena, used, times_all * lanes_all * {kernel.states}, F)")
        for out in outs:
            size = "lanes_all" if kernel.summed(out) else "(times_all + V) * lanes_all"
            w(f"{out} = zeros(arena, used, {kernel.shared_size if out in kernel.joint else size}, F)")
        w("still = False")
        with kernel.items(), w.block("while True:"):
            w("j = min(strips, j_last) - 1 - claim(turns, b)")
            with w.block("if j < j_first:"):
                w("break")
            kernel.strip()
            kernel.ends()
            with w.block("for tile in range(tiles - 1, -1, -1):"):
                kernel.tile(back=True)
                kernel.ends_of_tile()
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
                place = f"b, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, {kernel.states}, lanes, {kernel.skewed}"
                for a in seeds:
                    w(f"seeded += plant({a}, d{a}, {place})")
                with w.block("if entered or seeded > 0:"):
                    w("still = False")
                    kernel.recompute()
                    kernel.windows.drain(wanted)
                    common = [*map(kernel.flow_name, keys), *seeds, *outs, *kernel.U, *kernel.bounds]
                    common += ["seeded", "t0, t1 - t0", "rows", "cols", "lanes"]
                    w(*(f"clear({out})" for out in outs if out in kernel.joint))
                    kernel.sweep_tile("retreat", common)
                    with w.block("if seeded:"):
                        for a in seeds:
                            w(f"uproot({a}, {place})")
                    for out in outs:
                        if kernel.drained(out, wanted) and not kernel.summed(out):
                            w(kernel.windows.unstage(kernel.site_of(out).name, out, *kernel.frame(kernel.number_of(out))))
                    for out, array, place, lanes in given:
                        w(f"unstage({out}, {array}, {place}, {lanes}, {kernel.skewed}, fresh, on_n, on_t)")
                with w.block("else:"):  # nothing flows on from nothing
                    with w.block("if not still:"):
                        for key in keys:
                            w(f"clear({kernel.flow_name(key)})")
                        w("still = True")
                    with w.block("if fresh:"):
                        w(*(f"blank({array}, {place}, {kernel.skewed})" for array, place in own), "pass")
                for key, border in zip(keys, borders):
                    at = f"t0, t1, rows, cols, lanes, {kernel.pad}, {kernel.skewed}"
                    w(f"leave_flows({kernel.flow_name(key)}, {border}, b, j, {at})")
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
    with kernel.straight("candidates", [*arrays, "o", "i", "q", *kernel.places]):
        kernel.begin_scalar_cell(code)
        kernel.loads(code, cell, "peek")
        kernel.statements(code)
        w(f"return {bundle(code[root] for root in cell.choices.values())}")
    w("", "", "@njit(**WITHIN)")
    with w.block(f"def choose({', '.join(arrays)}, k, t, q, lanes):"):
        w(
            f"pitch = lanes + {kernel.pad}",
            f"o = (t + {kernel.delay}) * ({kernel.states} * pitch) + {kernel.pad} + q",
            "i = t * lanes + q",
            *kernel.shared_line(),
            *kernel.shared_place(),
            f"taken = candidates({', '.join([*arrays, 'o', 'i', 'q', *kernel.places])})",
        )
        for place, k in enumerate(cell.choices):
            with w.block(f"if k == {k}:"):
                w(f"return np.int64(taken[{place}])")
        w("return np.int64(-1)")
    for name, table in arc_tables(plan.recurrence).items():
        w("", f"{name} = np.array({table}, np.int64).reshape({len(table)}, {len(table[0])})")
    w("", "", "@called(**OPTIONS)")
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
