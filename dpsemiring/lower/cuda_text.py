"""The CUDA target, around the panels: a plan as CUDA C++ that NVRTC takes, with no include.

Warps take panels in turn, the first of every item, then the second; whatever the number of CUDA blocks, several problems
or several panels of one are swept at once. `forward` leaves the columns between panels and the rows between spans;
`backward` and `paths` begin with the last and compute each span again from those. No number in memory is added to by two
warps: what several give parts of is summed afterwards, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dpsemiring.lower.cuda_cells import Sweeps, wrapped
from dpsemiring.lower.cuda_sources import Argument, structures
from dpsemiring.lower.kernel import arc_tables, variant
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import moved

_STRUCTURES, _NUMBERS = (Path(__file__).with_name(f"cuda_{name}.cuh") for name in ("panel", "numbers"))
_KINDS = {
    "float32": ("float", "int", "__int_as_float(0x7f800000)", "__int_as_float(0x7fffffff)"),
    "float64": ("double", "i64", "__longlong_as_double(0x7ff0000000000000ll)", "__longlong_as_double(0x7fffffffffffffffll)"),
}
_KIND = """
typedef long long i64;
typedef {} F;  // numbers
typedef {} I;  // binary exponents
#define INF {}
#define NAN_ {}

"""
_BEGIN = """
constexpr bool WINDOWED = {windowed};
constexpr int COLUMNS = {columns};  // of a lane
constexpr int SPAN = {span};  // times between two that are saved
constexpr int CHUNK = {chunk};  // times between two at which a panel hands on
constexpr int HALO = {halo};  // rows that a cell looks back
constexpr int MARGIN = {margin};  // columns that it does
constexpr int STATES = {states};
"""


_WARP = "const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;"

# shapes of arrays that kernels leave to each other, or work in, in the names of `Argument`
BORDER = ("items", "panels", "rows", "margin", "states")
SAVED = ("items", "panels", "spans", "halo", "row")
KEPT = ("warps", "span", "row")
TURNS = ("items", "panels")


@dataclass(frozen=True)
class Module:
    """A text and the kernels that it holds, each with what it is launched with; and the sites of whose planes `forward` tells
    the greatest size."""

    text: str
    kernels: dict[str, tuple[Argument, ...]]
    seen: tuple[int, ...]


def cuda_module(plan: Plan, *, forward: bool = False, backward: Wanted | None = None, paths: bool = False) -> Module:
    """The text of some kernels of a plan."""
    drivers = _Drivers(plan)
    drivers.begin()
    if forward:
        drivers.forward()
    if backward:
        drivers.backward(backward)
    if paths:
        drivers.paths()
    return Module(drivers.w.text, drivers.kernels, tuple(drivers.seen))


def kind_of_number(real: str) -> list[str]:
    """What a text begins with: the kind of its numbers, and functions of them."""
    return [*_KIND.format(*_KINDS[real]).splitlines(), *_NUMBERS.read_text(encoding="utf-8").splitlines()]


def heading(real: str, columns: int, span: int, **numbers) -> list[str]:
    """What a text over panels begins with; its numbers, of which those that only sweeps use may be left out."""
    unused = {"chunk": span, "halo": 1, "margin": 0, "states": 1, "windowed": "false"}
    constants = _BEGIN.format(columns=columns, span=span, **(unused | numbers)).splitlines()
    return [*kind_of_number(real), *constants, "", *_STRUCTURES.read_text(encoding="utf-8").splitlines()]


class _Drivers(Sweeps):
    """The kernels."""

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self.kernels: dict[str, tuple[Argument, ...]] = {}

    def begin(self) -> None:
        p, s = self.plan, self.plan.schedule
        about = ["Emitted by dpsemiring; do not edit.", "", *str(p).encode("ascii", "replace").decode().splitlines()]
        self.w(*(f"// {line}".rstrip(" \\") for line in about))
        numbers = {"columns": s.columns, "span": s.height, "chunk": s.chunk, "halo": s.halo, "margin": s.margin}
        numbers |= {"states": self.states, "windowed": str(self.windowed).lower()}
        self.w(*heading(p.real, **numbers))
        if self.planes:
            self.w(*structures(joined=4))
        for starts in p.start_variants(p.always_starts):
            self.advance(starts)

    def pick(self, base: str, arguments: list[str], resting: list[str]) -> None:
        """Call the sweep for times with start cells, or the one for those without; where the window leaves nothing to sweep,
        what is said for that."""
        if self.windowed:
            with self.w.block("if (!z.meets(begin, stop))"):
                self.w(*resting)
            with self.w.block("else"):
                self._pick(base, arguments)
        else:
            self._pick(base, arguments)

    def _pick(self, base: str, arguments: list[str]) -> None:
        call = f"({', '.join(arguments)});"
        if self.plan.always_starts:
            self.w(f"{variant(base, True)}{call}")
            return
        rows = dict.fromkeys(n for n, _ in self.plan.patterns)
        self.w(f"if ({' || '.join(f'z.has_row({n}, begin, stop)' for n in rows)}) {variant(base, True)}{call}")
        self.w(f"else {variant(base, False)}{call}")

    def inputs(self, const: str) -> list[Argument]:
        """What every kernel is given first. `const` is "" where it writes the borders, "const " where it reads them."""
        args: list[tuple] = [("i64", "items"), ("i64", "panels"), ("i64", "rows"), ("i64", "spans"), ("i64", "width")]
        args += [("const bool*", "skip"), ("const i64*", "n_len"), ("const i64*", "m_len")]
        if self.windowed:
            args += [("const i64*", "row_lo"), ("const i64*", "row_hi")]
        for i in self.plan.cell_sites:
            apart = ("n",) if i in self.planes.of else ("b", "n", "m")
            args += [] if i in self.planes.of else [("const F*", f"a{i}")]
            args += [("i64", f"a{i}_{x}") for x in (*apart, "more_n", "more_m")]
        for name in self.U:
            args += [("const double*", f"all_{name}"), ("i64", f"own_{name}")]
        args += [(f"{const}{t}*", f"R{c}", BORDER) for c, t in enumerate(self.types)]
        args += [(f"{const}{t}*", f"C{c}", SAVED) for c, t in enumerate(self.types)]
        of_terms = [a for plane in self.planes.of.values() for term in plane.terms for a in term.inputs()]
        return [*(Argument(*a) for a in args), *of_terms, *self.planes.rings()]

    @staticmethod
    def turns() -> list[Argument]:
        return [Argument("int*", "turn", (1,), cleared=True), Argument("int*", "done", TURNS, cleared=True)]

    def kept(self) -> list[Argument]:
        return [Argument(f"{t}*", f"all_V{c}", KEPT) for c, t in enumerate(self.types)]

    @staticmethod
    def ends() -> list[Argument]:
        return [Argument("const i64*", name) for name in ("end_n", "end_m", "end_k")] + [Argument("i64", "ends_each")]

    def kernel(self, name: str, arguments: list[Argument]):
        self.kernels[name] = tuple(arguments)
        self.w("", f'extern "C" __global__ void {name}(', *wrapped(arguments))
        return self.w.block(")")

    def panels(self, number: str, warp: bool):
        """The loop over the panels that a warp takes; `number` tells which of an item comes in turn q. `warp` where its
        own number is needed."""
        w = self.w
        w("const int lane = threadIdx.x % LANES;", *([_WARP] if warp else []))
        w("for (i64 q; (q = take(turn)) < items * panels;) {")
        w(f"    const i64 b = q % items, p = {number}, task = b * panels + p;", "    if (skip[b]) continue;")
        return w

    def item(self) -> None:
        """The numbers of item b."""
        x0, x1 = self.plan.recurrence.extra
        self.w(f"const int length = {moved('n_len[b]', x0)}, cols = {moved('m_len[b]', x1)};")
        self.planes.of_item()
        for i in self.plan.cell_sites:
            if i in self.planes.of:
                continue
            extents = f"int(n_len[b] + a{i}_more_n), int(m_len[b] + a{i}_more_m)"
            shift = self.plan.recurrence.sites[i].at[1]
            self.w(f"const Site W{i}(a{i} + b * a{i}_b, a{i}_n, a{i}_m, {extents}, {shift});")
        for name in self.U:
            self.w(f"const double {name} = all_{name}[b * own_{name}];")

    def panel(self) -> None:
        """Panel p of item b, and the accumulated values that lanes hold."""
        window = "row_lo + b * rows, row_hi + b * rows" if self.windowed else "nullptr, nullptr"
        self.w(f"const Panel z = {{length, cols, int(p) * WIDTH + lane * COLUMNS, lane, width, {window}}};")
        for c, t in enumerate(self.types):
            self.w(f"Rows<{t}> X{c};")
        self.planes.of_panel(self.number(self.plan.recurrence.semiring.forbid))

    def values(self, after: str = "", lattice: str = "", ends: str = "", kept: str = "") -> None:
        """Where the values of panel p come from and go to, for each component {c}."""
        for c, t in enumerate(self.types):
            before = f"p > 0 ? R{c} + (task - 1) * rows * MARGIN * STATES : nullptr"
            parts = [x.format(c=c) if x else "nullptr" for x in (after, kept, lattice, ends)]
            self.w(f"const Values<{t}> S{c} = {{{', '.join([before, *parts])}}};")

    def saved(self, c: int, span: str) -> str:
        return f"C{c} + (task * spans + {span}) * HALO * ROW"

    def forward(self) -> None:
        """`forward`: borders, the values at the ends, and the lattice where an array for it is given."""
        self.planes.begin(ahead=True)
        args = [*self.inputs(""), *self.turns(), *self.ends(), *(Argument(f"{t}*", f"D{c}") for c, t in enumerate(self.types))]
        args += [*(Argument(f"{t}*", f"L{c}") for c, t in enumerate(self.types)), Argument("i64", "lattice_each")]
        args += [Argument("I*", f"most{i}", ("items", "panels"), cleared=True) for i in self.seen]
        w = self.w
        with self.kernel("forward", args), self.panels("q / items", warp=bool(self.planes)):
            self.item()
            w("if (p * WIDTH >= cols) continue;", "const bool another = (p + 1) * WIDTH < cols;")
            w("const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};")
            self.panel()
            after = "another ? R{c} + task * rows * MARGIN * STATES : nullptr"
            self.values(after, "L{c} ? L{c} + b * lattice_each : nullptr", "D{c} + b * ends_each")
            w(*(f"fill<{t}>(X{c}, {self.zero(c)});" for c, t in enumerate(self.types)))
            w(*(f"Seen {name} = {{}};" for name in self.seen.values()))
            if self.planes and self.windowed:
                w("int made = 0;  // rows")
            with w.block("for (int begin = 0; begin < length + LANES - 1; begin += CHUNK)"):
                w("const int stop = begin + CHUNK;")
                for c, t in enumerate(self.types):
                    w(f"if (begin % SPAN == 0) save<{t}>(X{c}, {self.saved(c, 'begin / SPAN')}, lane);")
                if self.planes and self.windowed:
                    with w.block("if (z.meets(begin, stop))"):
                        self.planes.fill("max(made, begin - (LANES - 1))", "stop")
                        w("made = stop;")
                else:
                    self.planes.fill("begin", "stop")
                w("if (p > 0) wait_for(done + task - 1, min(stop, length));")
                self.pick("advance", [*self.arguments(), *self.looking(True)], self.resting())
                w("if (another) publish(done + task, min(stop - (LANES - 1), length));")
            for i, name in self.seen.items():
                w(f"{name}.gather();", f"if (lane == 0) most{i}[task] = {name}.most;")

    def resting(self) -> list[str]:
        """Instead of `advance`."""
        return [f"rest<{t}>(X{c}, z, begin, stop, S{c}, {self.zero(c)});" for c, t in enumerate(self.types)]

    def times(self) -> None:
        """The first time of span j, and the one after its last chunk."""
        self.w("const int first = j * SPAN, last = min(first + SPAN, (length + LANES - 2) / CHUNK * CHUNK + CHUNK);")

    def span(self, stop: str = "last") -> None:
        """Compute span j again, and keep its rows; of costs that are made, those from row `stop` on are there."""
        w = self.w
        if self.planes:
            with w.block("if (z.meets(first, last))"):
                self.planes.fill("first - (LANES - 1)", stop)
                w(*([] if stop == "last" else ["made = first - (LANES - 1);"]))
        for c, t in enumerate(self.types):
            w(f"const Kept<{t}> K{c} = {{V{c}, {self.saved(c, 'j')}, first}};", f"restore<{t}>(X{c}, K{c}.before, lane);")
        with w.block("for (int begin = first; begin < last; begin += CHUNK)"):
            w("const int stop = begin + CHUNK;")
            self.values(kept="V{c} + i64(begin - first) * ROW")
            self.pick("advance", [*self.arguments(), *self.looking(False)], self.resting())

    def still(self, outs: list[str]) -> None:
        """Pass by a span into which nothing flows: from later rows, from the right, from ends."""
        w, seeds = self.w, self.seeds()
        w("const int top = max(first - (LANES - 1), 0);")
        w("if (another) wait_for(done + task + 1, length - top);")
        w("bool none = ends.first(top, 0) == ends.first(last, 0);")
        w(*(f"none &= is_zero<F>({y});" for y in self.Y))
        if self.outside_lane and seeds:
            with w.block("for (int n = top + lane; another && n < min(last, length); n += LANES)"):
                for a in seeds:
                    w(*(f"none &= {a}.edge(n, length, {j}, {k}, 0) == 0;" for j, k in self.outside_lane))
        with w.block("if (__all_sync(WARP, none))"):
            for out in outs:
                if self.lands(out) == "row":  # sums that are on their way; lane 0 may add to them
                    w(f"if (0 < lane && lane <= last && last - lane < length) {out}[last - lane] += row_{out};")
                    w(f"row_{out} = 0;", "__syncwarp();")
            if any(self.planes.drained()):
                with w.block("if (reached < last)"):
                    self.planes.drain("max(first, reached)", "last")
            with w.block("for (int begin = last - CHUNK; begin >= first; begin -= CHUNK)"):
                w(*(f"rest_back({y}, z, begin, begin + CHUNK, {a});" for a, y in zip(seeds, self.Y)))
                w("if (p > 0) publish(done + task, length - begin);")
            w("continue;")

    def warp(self) -> None:
        """This warp's number, and where it keeps rows."""
        self.w(_WARP)
        for c, t in enumerate(self.types):
            self.w(f"{t}* const V{c} = all_V{c} + warp * SPAN * ROW;")

    def backward(self, wanted: Wanted) -> None:
        """`backward`: from what flows to the ends, what flows to the wanted sites and parameters, or parts of it."""
        self.planes.begin(wanted)
        outs, seeds = self.outputs(wanted), self.seeds()
        args = [
            *self.inputs("const "),
            *self.turns(),
            *self.kept(),
            *self.ends(),
            *(Argument("const F*", f"all_d{a}") for a in seeds),
        ]
        args += [Argument("F*", f"G{a}", BORDER) for a in seeds]
        args += [a for plane in self.planes.drained() for term in plane.terms for a in term.gradients()]
        for out in outs:
            if self.planes.drains(self.number_of(out)):
                continue
            args.append(Argument(f"{self.kind_of(out)}*", f"all_{out}", self.shape_of(out), cleared=True))
            args += [Argument("i64", f"{out}_b")] if self.lands(out) == "plane" else []
        for starts in self.plan.start_variants(self.plan.always_starts):
            self.retreat(starts, wanted)
        w = self.w
        with self.kernel("backward", args):
            self.warp()
            with self.panels("panels - 1 - q / items", warp=False):
                self.item()
                w("if (p * WIDTH >= cols) continue;", "const bool another = (p + 1) * WIDTH < cols;")
                w("const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};")
                self.panel()
                for a, y in zip(seeds, self.Y):
                    before, after = (f"G{a} + (task{x}) * rows * MARGIN * STATES" for x in (" + 1", ""))
                    parts = f"another ? {before} : nullptr, p > 0 ? {after} : nullptr, nullptr, nullptr, nullptr"
                    w(f"Rows<F> {y};", f"fill<F>({y}, 0);", f"const Values<F> {a} = {{{parts}}};")
                    w(f"const F* const d{a} = all_d{a} + b * ends_each;")
                self.planes.flows()
                for out in outs:
                    w(*self.place(out))
                if self.planes:
                    w("int made = 0x7fffffff;  // rows from here on")
                if any(self.planes.drained()):
                    w("int reached = 0x7fffffff;  // rows from here on may have flows")
                with w.block("for (int j = (length + LANES - 2) / SPAN; j >= 0; j--)"):
                    self.times()
                    self.still(outs)
                    self.span("min(last, made)")
                    with w.block("for (int begin = last - CHUNK; begin >= first; begin -= CHUNK)"):
                        w("const int stop = begin + CHUNK;")
                        self.values()
                        for c, t in enumerate(self.types):  # the rows of the times before stop, which are to become younger
                            w(
                                "#pragma unroll",
                                f"for (int h = 1; h <= HALO; h++) recall<{t}>(X{c}[h], K{c}.row(stop - h), lane);",
                            )
                        resting = [f"rest_back({y}, z, begin, stop, {a});" for a, y in zip(seeds, self.Y)]
                        resting += [f"row_{out} = 0;" for out in outs if self.lands(out) == "row"]
                        given = [*self.arguments(), *(f"K{c}" for c in self.components), *self.Y]
                        given += [*seeds, *(f"d{a}" for a in seeds)]
                        for out in outs:
                            ring = self.planes.drains(i := self.number_of(out))
                            given += [out, f"row_{out}"] if self.lands(out) == "row" else [f"Q{i}" if ring else out]
                        self.pick("retreat", given, resting)
                        if any(self.planes.drained()):
                            self.planes.drain("begin", "stop")
                            w("reached = begin - (LANES - 1);")
                        w("if (p > 0) publish(done + task, length - begin);")
                for out in outs:
                    if self.lands(out) == "item":
                        w(f"const double whole_{out} = over_warp({out});", f"if (lane == 0) all_{out}[task] = whole_{out};")
                    if self.lands(out) == "column":
                        with w.block("for (int c = 0; c < COLUMNS; c++)"):
                            w(f"if (z.left + c < cols) all_{out}[b * width + z.left + c] = {out}[c];")

    def paths(self) -> None:
        """`paths`: from the chosen ends, the visited cells, states and steps, last first. One lane walks."""
        self.planes.begin()
        args = [*self.inputs("const "), *self.kept(), *(Argument("const i64*", f"from_{x}") for x in "nmk")]
        args += [Argument("i64*", "visited"), Argument("i64", "visited_b"), Argument("i64*", "counts")]
        w = self.w
        for name, table in arc_tables(self.plan.recurrence).items():
            rows = ", ".join(f"{{{', '.join(map(str, row))}}}" for row in table)
            w(f"__constant__ int {name}[{len(table)}][{len(table[0])}] = {{{rows}}};")
        self.choose()
        with self.kernel("paths", args):
            w("const int lane = threadIdx.x % LANES;")
            self.warp()
            with w.block("for (i64 b = warp; b < items; b += i64(gridDim.x) * blockDim.x / LANES)"):
                w("if (skip[b] || from_n[b] < 0) continue;")
                self.item()
                w("const Ends ends = {nullptr, nullptr, nullptr, 0};")
                w("int n = from_n[b], m = from_m[b], k = from_k[b];", "i64 count = 0;")
                with w.block("while (k >= 0)"):
                    w("const i64 p = m / WIDTH, task = b * panels + p;")
                    w("const int j = (n + m % WIDTH / COLUMNS) / SPAN;")
                    self.panel()
                    self.times()
                    self.span()
                    w("__syncwarp();")
                    with w.block("if (lane == 0)"), w.block("while (k >= 0 && m >= p * WIDTH)"):
                        w("const int walker = m % WIDTH / COLUMNS;")
                        w("if (n + walker < first) break;")
                        given = ["z", "n + walker", "walker", "m % COLUMNS", "n", "m", "k"]
                        kept = [f"K{c}" for c in self.components]
                        w(f"const I taken = choose({', '.join([*given, *kept, *self.W, *self.U])});")
                        with w.block("if (taken < 0)"):
                            w("count = -1, k = -1;", "break;")
                        w("i64* const cell = visited + b * visited_b + 4 * count++;")
                        w("cell[0] = n, cell[1] = m, cell[2] = k, cell[3] = ARC_STEP[k][taken];")
                        w("n -= ARC_DN[k][taken], m -= ARC_DM[k][taken], k = ARC_SOURCE[k][taken];")
                    w(*(f"{x} = __shfl_sync(WARP, {x}, 0);" for x in ("n", "m", "k", "count")))
                    w("__syncwarp();")
                w("if (lane == 0) counts[b] = count;")

    def place(self, out: str) -> list[str]:
        """Where a panel's part of a result is gathered."""
        if self.planes.drains(self.number_of(out)):
            return []
        kind = self.kind_of(out)
        return {
            "item": [f"double {out} = 0;"],
            "column": [f"{kind} {out}[COLUMNS] = {{}};"],
            "row": [f"{kind}* const {out} = all_{out} + task * rows;", f"{kind} row_{out} = 0;  // goes from lane to lane"],
            "cell": [f"{kind}* const {out} = all_{out} + b * rows * width;"],
            "plane": [f"{kind}* const {out} = all_{out} + b * {out}_b;"],
        }[self.lands(out)]

    def shape_of(self, out: str) -> tuple[str, ...]:
        """The shape of a result: of the parts that panels give, where several add to one number."""
        i = self.number_of(out)
        return {
            "plane": (f"site{i}",),
            "item": ("items", "panels"),
            "cell": ("items", "rows", "width"),
            "column": ("items", "width"),
            "row": ("items", "panels", "rows"),
        }[self.lands(out)]
