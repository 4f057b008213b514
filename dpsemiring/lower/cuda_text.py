"""The CUDA target, around the strips: a plan as CUDA C++ that NVRTC takes, with no include.

A CUDA block takes one item after another, and its threads sweep the item's strips: `forward` from the first, leaving
borders, `backward` and `paths` from the last, recomputing each from its border. No sum depends on the number of CUDA
blocks, and there is no atomic operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from dpsemiring.lower.cuda_cells import Sweeps
from dpsemiring.lower.kernel import arc_tables, variant
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import moved

_STRUCTURES = Path(__file__).with_name("cuda_strip.cuh")
_KINDS = {
    "float32": ("float", "int", "__int_as_float(0x7f800000)", "__int_as_float(0x7fffffff)"),
    "float64": ("double", "i64", "__longlong_as_double(0x7ff0000000000000ll)", "__longlong_as_double(0x7fffffffffffffffll)"),
}
_BEGIN = """
typedef long long i64;
typedef {real} F;  // numbers
typedef {integer} I;  // binary exponents
#define INF {infinity}
#define NAN_ {nan}
constexpr bool SKEWED = {skewed};
constexpr bool WINDOWED = {windowed};
constexpr i64 HEIGHT = {height};  // rows of a strip
constexpr i64 HALO = {halo};  // rows that it needs of the one before
constexpr int STATES = {states};
"""


@dataclass(frozen=True)
class Argument:
    """A parameter of a kernel. `scratch` is the shape of an array that the caller makes and need not fill."""

    type: str
    name: str
    scratch: tuple[int | str, ...] = ()

    def __str__(self):
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class Module:
    """A text and the kernels that it holds, each with what it is launched with."""

    text: str
    kernels: dict[str, tuple[Argument, ...]]


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
    return Module(drivers.w.text, drivers.kernels)


class _Drivers(Sweeps):
    """The kernels."""

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self.kernels: dict[str, tuple[Argument, ...]] = {}

    def begin(self) -> None:
        p, s = self.plan, self.plan.schedule
        real, integer, infinity, nan = _KINDS[p.real]
        about = ["Emitted by dpsemiring; do not edit.", "", *str(p).encode("ascii", "replace").decode().splitlines()]
        self.w(*(f"// {line}".rstrip(" \\") for line in about))
        skewed, windowed = (str(x).lower() for x in (self.skewed, self.windowed))
        kinds = {"real": real, "integer": integer, "infinity": infinity, "nan": nan}
        self.w(
            *_BEGIN.format(
                **kinds, skewed=skewed, windowed=windowed, height=s.height, halo=s.halo, states=self.states
            ).splitlines()
        )
        self.w("", *_STRUCTURES.read_text(encoding="utf-8").splitlines())
        for starts in p.start_variants(p.always_starts):
            self.advance(starts)

    def pick(self, base: str, arguments: list[str]) -> None:
        """Call the sweep for strips with start cells, or the one for those without."""
        call = f"({', '.join(arguments)});"
        if self.plan.always_starts:
            self.w(f"{variant(base, True)}{call}")
            return
        rows = dict.fromkeys(n for n, _ in self.plan.patterns)
        self.w(f"if ({' || '.join(f'z.has_row({n})' for n in rows)}) {variant(base, True)}{call}")
        self.w(f"else {variant(base, False)}{call}")

    def inputs(self, borders: str) -> list[Argument]:
        """What every kernel is given first. `borders` is "" where it writes them, "const " where it reads them."""
        args: list[tuple] = [("i64", "items"), ("const bool*", "skip"), ("const i64*", "n_len"), ("const i64*", "m_len")]
        args += [("i64", "width"), ("i64", "pitch"), ("i64", "blocks"), ("i64", "room")]
        if self.windowed:
            args += [("i64", "rows_each"), *(("const i64*", name) for name in ("row_lo", "row_hi", "left_of", "wide_of"))]
        for i in self.plan.cell_sites:
            args += [("const F*", f"a{i}")] + [("i64", f"a{i}_{x}") for x in ("b", "n", "m", "more_n", "more_m")]
        for name in self.U:
            args += [("const double*", f"all_{name}"), ("i64", f"own_{name}")]
        args += [(f"{borders}{t}*", f"R{c}") for c, t in enumerate(self.types)]
        args += [(f"{t}*", f"all_S{c}", ("grid", "room", self.states)) for c, t in enumerate(self.types)]
        return [Argument(*a) for a in args]

    def ends(self) -> list[Argument]:
        return [Argument("const i64*", name) for name in ("end_n", "end_m", "end_k")] + [Argument("i64", "ends_each")]

    def kernel(self, name: str, arguments: list[Argument]):
        self.kernels[name] = tuple(arguments)
        together = ", ".join(str(a).replace(" ", "\xa0") for a in arguments)
        lines = wrap(together, 120, initial_indent="    ", subsequent_indent="    ")
        self.w("", f'extern "C" __global__ void {name}(', *(line.replace("\xa0", " ") for line in lines))
        return self.w.block(")")

    def items(self, skip: str):
        """The loop over items, those left out that `skip` tells."""
        self.w("const i64 border = HALO * STATES * pitch;")
        self.w("for (i64 b = blockIdx.x; b < items; b += gridDim.x) {")
        self.w(f"    if ({skip}) continue;")
        return self.w

    def item(self) -> None:
        """The numbers of one item."""
        x0, x1 = self.plan.recurrence.extra
        self.w(f"const i64 length = {moved('n_len[b]', x0)}, cols = {moved('m_len[b]', x1)};")
        for i in self.plan.cell_sites:
            extents = f"n_len[b] + a{i}_more_n, m_len[b] + a{i}_more_m"
            self.w(f"const Site W{i} = {{a{i} + b * a{i}_b, a{i}_n, a{i}_m, {extents}}};")
        for name in self.U:
            self.w(f"const double {name} = all_{name}[b * own_{name}];")

    def ends_of_item(self) -> None:
        self.w("const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};")

    def strip(self, keep: bool = False) -> None:
        """Strip j, swept forward."""
        self.w("Strip z = {j * HEIGHT, min(HEIGHT, length - j * HEIGHT), length, cols, width, pitch, 0, cols};")
        if self.windowed:
            self.w("z.lo = row_lo + b * rows_each, z.hi = row_hi + b * rows_each;")
            self.w("z.left = left_of[b * blocks + j], z.wide = wide_of[b * blocks + j];")
            self.w("z.left_before = left_of[b * blocks + max(j - 1, i64(0))];")
            self.w("z.left_after = left_of[b * blocks + min(j + 1, blocks - 1)];")
        for c, t in enumerate(self.types):
            scratch = f"all_S{c} + blockIdx.x * room * STATES"
            before = f"R{c} + (b * blocks + j) * border"
            after, lattice = "nullptr", "nullptr"
            if keep:
                after = f"z.n0 + HEIGHT < length ? {before} + border : nullptr"
                lattice = f"L{c} ? L{c} + b * lattice_each : nullptr"
            self.w(f"const Values<{t}> S{c} = {{{scratch}, {before}, {after}, {lattice}}};")
        self.pick("advance", self.arguments())

    def forward(self) -> None:
        """`forward`: borders, the values at the ends, and the lattice where an array for it is given."""
        args = [*self.inputs(""), *self.ends(), *(Argument(f"{t}*", f"D{c}") for c, t in enumerate(self.types))]
        args += [*(Argument(f"{t}*", f"L{c}") for c, t in enumerate(self.types)), Argument("i64", "lattice_each")]
        w = self.w
        with self.kernel("forward", args), self.items("skip[b]"):
            self.item()
            self.ends_of_item()
            w("i64 e = 0;")
            with w.block("for (i64 j = 0; j * HEIGHT < length; j++)"):
                self.strip(keep=True)
                w("const i64 begin = e;", "e = ends.from_row(z.n0 + z.rows);")
                for c in self.components:
                    w(f"collect(D{c} + b * ends_each, S{c}.strip, z, ends, begin, e);")
                w("__syncthreads();")

    def backward(self, wanted: Wanted) -> None:
        """`backward`: from what flows to the ends, what flows to the wanted sites and parameters. Results are added to."""
        keys = {self.flow_name(key): key[0].dn for key in self.plan.flow_keys()}
        outs, seeds = self.outputs(wanted), self.seeds()
        args = [*self.inputs("const "), *self.ends(), *(Argument("const F*", f"d{a}") for a in seeds)]
        for out in outs:
            args.append(Argument(f"{self.kind_of(out)}*", f"all_{out}"))
            if not self.summed(out):
                args.append(Argument("i64", f"{out}_b"))
        args += [Argument("F*", f"all_{name}", ("grid", "room")) for name in keys]
        args += [Argument("F*", f"{name}_rows", ("grid", 2, dn, "pitch")) for name, dn in keys.items()]
        args += [Argument("F*", f"all_{a}", ("grid", "room", self.states)) for a in seeds]
        for starts in self.plan.start_variants(self.plan.always_starts):
            self.retreat(starts, wanted)
        w = self.w
        with self.kernel("backward", args), self.items("skip[b]"):
            self.item()
            self.ends_of_item()
            for a in seeds:
                w(f"F* const {a} = all_{a} + blockIdx.x * room * STATES;")
            for out in outs:
                w(f"double {out} = 0;" if self.summed(out) else f"{self.kind_of(out)}* const {out} = all_{out} + b * {out}_b;")
            with w.block("for (i64 j = (length - 1) / HEIGHT; j >= 0; j--)"):
                self.strip()
                for name, dn in keys.items():
                    w(f"const Flow {name}(all_{name}, {name}_rows, {dn}, z, room);")
                w("const i64 begin = ends.from_row(z.n0), stop = ends.from_row(z.n0 + z.rows);")
                w("const bool seeded = begin < stop;")
                for a in seeds:
                    w(f"if (seeded) plant({a}, d{a} + b * ends_each, z, ends, begin, stop);")
                self.pick("retreat", [*self.arguments(), *keys, "seeded", *seeds, *outs])
            for out in outs:
                if self.summed(out):
                    w(f"add_over_block({out}, all_{out} + b);")

    def paths(self) -> None:
        """`paths`: from the chosen ends, the visited cells, states and steps, last first. One thread walks."""
        args = [*self.inputs("const "), *(Argument("const i64*", f"from_{x}") for x in "nmk")]
        args += [Argument("i64*", "visited"), Argument("i64", "visited_b"), Argument("i64*", "counts")]
        w = self.w
        for name, table in arc_tables(self.plan.recurrence).items():
            rows = ", ".join(f"{{{', '.join(map(str, row))}}}" for row in table)
            w(f"__constant__ int {name}[{len(table)}][{len(table[0])}] = {{{rows}}};")
        self.choose()
        with self.kernel("paths", args):
            w("__shared__ i64 here[4];")
            with self.items("skip[b] || from_n[b] < 0"):
                self.item()
                w("i64 n = from_n[b], m = from_m[b], k = from_k[b], count = 0;")
                with w.block("while (k >= 0)"):
                    w("const i64 j = n / HEIGHT;")
                    self.strip()
                    with w.block("if (threadIdx.x == 0)"):
                        with w.block("while (k >= 0 && n >= z.n0)"):
                            w(f"const I taken = choose({', '.join([*self.arguments(), 'n - z.n0', 'm', 'k'])});")
                            with w.block("if (taken < 0)"):
                                w("count = -1;", "break;")
                            w("i64* const cell = visited + b * visited_b + 4 * count++;")
                            w("cell[0] = n, cell[1] = m, cell[2] = k, cell[3] = ARC_STEP[k][taken];")
                            w("n -= ARC_DN[k][taken], m -= ARC_DM[k][taken], k = ARC_SOURCE[k][taken];")
                        w("here[0] = n, here[1] = m, here[2] = count < 0 ? -1 : k, here[3] = count;")
                    w("__syncthreads();")
                    w("n = here[0], m = here[1], k = here[2], count = here[3];")
                w("if (threadIdx.x == 0) counts[b] = count;")
