"""The CUDA target, inside a strip: a cell's statements, and the sweeps over its cells.

`advance` computes a strip's accumulated values in the order of time, `retreat` walks them back, `choose` tells which
arc a path came along. `cuda_strip.cuh` holds the structures that the text is written in.
"""

from __future__ import annotations

import math
import struct

from dpsemiring.algebra.expr import BOOL, INT, REAL, Node
from dpsemiring.lower.cell import Cell
from dpsemiring.lower.kernel import Kernel, variant
from dpsemiring.lower.plan import Wanted
from dpsemiring.lower.text import Code, Writer, moved

TYPES = {REAL: "F", INT: "I", BOOL: "bool"}
_DOUBLE = TYPES | {REAL: "double"}

# an operation's text over its arguments; {f} is "f" in float32
_OPERATIONS = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}",
    "minimum": "{1} < {0} ? {1} : {0}", "maximum": "{1} > {0} ? {1} : {0}", "where": "{0} ? {1} : {2}",
    "lt": "{0} < {1}", "le": "{0} <= {1}", "eq": "{0} == {1}", "ne": "{0} != {1}",
    "and": "{0} && {1}", "or": "{0} || {1}", "not": "!{0}", "abs": "{0} < 0 ? -{0} : {0}",
    "exp": "exp{f}({0})", "log": "log{f}({0})", "exp2": "exp2{f}({0})", "log2": "log2{f}({0})", "sqrt": "sqrt{f}({0})",
    "floor": "floor{f}({0})", "rint": "rint{f}({0})", "real": "F({0})", "integer": "integer({0})",
    "mantissa": "mantissa({0})", "exponent": "exponent({0})", "ldexp": "scale({0}, {1})", "tail": "0", "binade": "binade({0})",
    "fma": "fma{f}({0}, {1}, {2})", "exp2_fraction": "exp2{f}({0})", "exp2_below": "exp2_below({0}, {1})",
    "nearest": "I(rint{f}({0}))", "power_of_two": "power_of_two({0})",
}  # fmt: skip
# the same in the code that all cells of an item share, which is in float64
_SHARED = {"tail": "{0} - double(F({0}))"}
# the same never contracted into multiply-adds; {d} is "f" or "d"
_ROUNDED = {"add": "__{d}add_rn({0}, {1})", "sub": "__{d}sub_rn({0}, {1})", "mul": "__{d}mul_rn({0}, {1})"}


class Braces(Writer):
    """Lines of C++."""

    def block(self, head: str):
        return super().block(f"{head} {{")

    def __exit__(self, *_):
        super().__exit__()
        self("}")


class Sweeps(Kernel):
    """The device functions over one strip."""

    def __init__(self, plan):
        super().__init__(plan)
        self.single = plan.real == "float32"
        self.types = [TYPES[kind] for kind in plan.kinds]
        self.w = Braces()

    # --- numbers and statements ---------------------------------------------------------------------

    def number(self, value: float) -> str:
        """A real number, exactly as this kind of number holds it."""
        if math.isinf(value):
            return "INF" if value > 0 else "-INF"
        if self.single:
            try:
                value = struct.unpack("f", struct.pack("f", value))[0]
            except OverflowError:
                return "INF" if value > 0 else "-INF"
            return f"{value!r}f"
        return repr(value)

    def constant(self, node: Node, shared: bool = False) -> str:
        if node.kind != REAL:
            return str(node.payload[0]).lower()
        if shared and math.isfinite(node.payload[0]):
            return repr(node.payload[0])
        return "NAN_" if math.isnan(node.payload[0]) else self.number(node.payload[0])

    def operation(self, op: str, kind: str, args: tuple[str, ...]) -> str:
        text = _ROUNDED[op] if op in _ROUNDED and kind == REAL and self.plan.exact else _OPERATIONS[op]
        return text.format(*args, f="f" if self.single else "", d="f" if self.single else "d")

    def code(self, cell: Cell) -> Code:
        return Code(cell.roots, self.leaf, self.plan.is_shared, self.constant)

    def statements(self, statements) -> None:
        for s in statements:
            self.w(f"const {TYPES[s.kind]} {s.name} = {self.operation(s.op, s.kind, s.args)};")

    def shared(self, code: Code) -> None:
        """What all cells of an item share: in float64, and then as cells take it."""
        for s in code.shared:
            exact = self.plan.exact and s.kind == REAL
            text = _SHARED.get(s.op) or (_ROUNDED if exact and s.op in _ROUNDED else _OPERATIONS)[s.op]
            self.w(f"const {_DOUBLE[s.kind]} {s.name} = {text.format(*s.args, f='', d='d')};")
        for name, narrow in code.spread.items():
            kind = TYPES[code.shared_kinds.get(name, REAL)]
            self.w(f"const {kind} {narrow} = {kind}({name});")

    def loads(self, code: Code, cell: Cell) -> None:
        """Fetch the leaves that a cell uses."""
        for node in code.used:
            name = self.leaf(node)
            if node in cell.loads:
                d = cell.loads[node]
                place = f"{moved('l', -d.dn)}, {moved('m', -d.dm)}, {d.state}"
                zero = self.constant(self.plan.recurrence.semiring.trace.zero[d.component])
                self.w(f"const {TYPES[node.kind]} {name} = S{d.component}.get(z, {place}, {zero});")
            elif node in cell.starts:
                self.w(f"const F {name} = {self.starts_here(*self.plan.patterns[cell.starts[node]])};")
            elif name.startswith("w"):
                site = self.plan.recurrence.sites[int(name[1:])]
                place = f"{moved('n', site.at[0])}, {moved('m', site.at[1])}"
                self.w(f"const F {name} = W{name[1:]}.read({place}, {self.number(self.outside(site))});")

    @staticmethod
    def starts_here(n: int | None, m: int | None) -> str:
        tests = [
            f"{axis} == {index}" if index >= 0 else f"{axis} == {size} - {-index}"
            for axis, index, size in (("n", n, "z.length"), ("m", m, "z.cols"))
            if index is not None
        ]
        return " && ".join(tests) or "true"

    def parameters(self) -> list[str]:
        """What every sweep is given first."""
        values = [f"const Values<{t}> S{c}" for c, t in enumerate(self.types)]
        return [
            "const Strip z",
            *values,
            *(f"const Site {name}" for name in self.W),
            *(f"const double {name}" for name in self.U),
        ]

    def arguments(self) -> list[str]:
        return ["z", *self.S, *self.W, *self.U]

    def lanes(self):
        """The loop over the cells of time t: a thread's cells (l, m) of the strip, (n, m) of the lattice."""
        self.w("for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {")
        self.w("    const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;")
        self.w("    if (!z.holds(l, m)) continue;")
        return self.w

    # --- forward ------------------------------------------------------------------------------------

    def advance(self, starts: bool) -> None:
        cell = self.plan.forward(starts)
        code, w = self.code(cell), self.w
        w("")
        with w.block(f"__device__ void {variant('advance', starts)}({', '.join(self.parameters())})"):
            self.shared(code)
            with w.block("for (i64 t = 0; t < z.times(); t++)"):
                with self.lanes():
                    self.loads(code, cell)
                    self.statements(code.cell)
                    for (k, c), root in cell.values.items():
                        w(f"S{c}.put(z, l, m, {k}, {code[root]});")
                w("__syncthreads();")

    # --- back ---------------------------------------------------------------------------------------

    def retreat(self, starts: bool, wanted: Wanted) -> None:
        cell = self.plan.backward(starts, wanted)
        code, w, results = self.code(cell), self.w, self.results(cell)
        outs = {out: results[out] for out in self.outputs(wanted) if out in results}
        rows = [out for out in outs if self.lands(out) == "row of lanes"]
        keys = {key: self.flow_name(key) for key in self.plan.flow_keys()}
        parameters = self.parameters() + [f"const Flow {name}" for name in keys.values()] + ["bool seeded"]
        parameters += [f"const F* {name}" for name in self.seeds()]
        parameters += [f"{self.kind_of(out)}{'&' if self.summed(out) else '*'} {out}" for out in self.outputs(wanted)]
        w("")
        with w.block(f"__device__ void {variant('retreat', starts)}({', '.join(parameters)})"):
            self.shared(code)
            with w.block("for (i64 t = z.times() - 1; t >= 0; t--)"):
                w(*(f"double row_{out} = 0;" for out in rows))
                with self.lanes():
                    for leaf, (k, c) in cell.inflows.items():
                        w(f"F {self.leaf(leaf)} = seeded ? A{c}[z.at(l, m, {k}, STATES)] : 0;")
                        for key in self.flows_into(k, c):
                            place = f"{moved('l', key[0].dn)}, {moved('m', key[0].dm)}"
                            w(f"{self.leaf(leaf)} += {keys[key]}.get(z, {place});")
                    self.loads(code, cell)
                    self.statements(code.cell)
                    for key, name in keys.items():
                        w(f"{name}.put(z, l, m, {code[cell.flows[key]] if key in cell.flows else 0});")
                    for out, root in outs.items():
                        w(self.give(out, code[root]))
                w(*(f"add_over_block(row_{out}, {out} + z.n0 + t);" for out in rows))
                w("__syncthreads();")

    def kind_of(self, out: str) -> str:
        """The kind of number of a result: sums of many are kept in float64."""
        site = self.site_of(out)
        return "F" if out == "dO" or (site and site.role == "cost") else "double"

    def lands(self, out: str) -> str:
        """Where a cell's part of a result goes. Cells of one time differ in column, in skewed strips in row too."""
        if self.summed(out):
            return "item"
        site = self.site_of(out)
        if site and site.role == "cost":
            return "plane"
        if not site or ("n" in site.axes and "m" in site.axes):
            return "cell"
        return "column" if "m" in site.axes else "row" if self.skewed else "row of lanes"

    def give(self, out: str, value: str) -> str:
        at = site.at if (site := self.site_of(out)) else (0, 0)
        return {
            "plane": f"{out[1:]}.write({out}, {moved('n', at[0])}, {moved('m', at[1])}, {value});",
            "item": f"{out} += {value};",
            "cell": f"{out}[n * z.width + m] = {value};",
            "column": f"{out}[m] += {value};",
            "row": f"{out}[n] += {value};",
            "row of lanes": f"row_{out} += {value};",
        }[self.lands(out)]

    # --- along a path -------------------------------------------------------------------------------

    def choose(self) -> None:
        cell = self.plan.choice()
        code, w = self.code(cell), self.w
        w("", "// The arc, counted within its state, along which the best path came into state k of a cell; -1 for none.")
        with w.block(f"__device__ I choose({', '.join(self.parameters())}, i64 l, i64 m, i64 k)"):
            w("const i64 n = z.n0 + l;")
            self.shared(code)
            self.loads(code, cell)
            self.statements(code.cell)
            for k, root in cell.choices.items():
                w(f"if (k == {k}) return {code[root]};")
            w("return -1;")
