"""The CUDA target, inside a panel: a cell's statements, and the sweeps over its cells.

`advance` computes the accumulated values of some times, `retreat` walks them back, `choose` tells which arc a path came
along. `cuda_panel.cuh` tells what a panel is, and holds the structures that the text is written in.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from textwrap import wrap

from dpsemiring.algebra.expr import BOOL, INT, REAL, Node, postorder, value_of
from dpsemiring.lower.cell import Cell, Load
from dpsemiring.lower.cuda_sources import Planes
from dpsemiring.lower.ir import site_name
from dpsemiring.lower.kernel import Kernel, variant
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import Code, Writer, literal, moved

TYPES = {REAL: "F", INT: "I", BOOL: "bool"}
DOUBLE = TYPES | {REAL: "double"}

# an operation's text over its arguments; {f} is "f" in float32
OPERATIONS = {
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
ROUNDED = {"add": "__{d}add_rn({0}, {1})", "sub": "__{d}sub_rn({0}, {1})", "mul": "__{d}mul_rn({0}, {1})"}


def in_double(node: Node) -> str:
    """A constant in code of which the numbers are float64."""
    return literal(node, "INF", "NAN_") if node.kind == REAL else str(value_of(node)).lower()


class Braces(Writer):
    """Lines of C++."""

    def block(self, head: str):
        return super().block(f"{head} {{")

    def __exit__(self, *_):
        super().__exit__()
        self("}")


class Sweeps(Kernel):
    """The device functions over one panel."""

    def __init__(self, plan):
        super().__init__(plan)
        self.outside_lane = _outside_lane(plan)
        self.seen = {i: f"seen{i}" for i in _seen_sites(plan)}
        self.single = plan.real == "float32"
        self.types = [TYPES[kind] for kind in plan.kinds]
        self.w = Braces()
        self.planes = Planes(plan, self.w)

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
        text = ROUNDED[op] if op in ROUNDED and kind == REAL and self.plan.exact else OPERATIONS[op]
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
            text = _SHARED.get(s.op) or (ROUNDED if exact and s.op in ROUNDED else OPERATIONS)[s.op]
            self.w(f"const {DOUBLE[s.kind]} {s.name} = {text.format(*s.args, f='', d='d')};")
        for name, narrow in code.spread.items():
            kind = TYPES[code.shared_kinds.get(name, REAL)]
            self.w(f"const {kind} {narrow} = {kind}({name});")

    def rows(self, cell: Cell, code: Code, by: int) -> list[tuple[str, str]]:
        """The sites of a lane's columns that a cell uses: the array's name, and the call that fills {} for row n + by."""
        found = []
        for node in code.used:
            name = self.leaf(node)
            if name.startswith("w") and node not in cell.loads and node not in cell.starts:
                site = self.plan.recurrence.sites[int(name[1:])]
                n, m = moved("n", site.at[0] + by), moved("z.left", site.at[1])
                found.append((f"row_{name}", f"W{name[1:]}.load({{}}, {n}, {m}, {self.number(self.outside(site))});"))
        return found

    def loads(self, code: Code, cell: Cell, earlier: Callable[[Load], str], site: Callable[[str], str]) -> None:
        """Name the leaves that a cell uses: accumulated values and sites that vary from cell to cell, by the texts for them."""
        for node in code.used:
            name = self.leaf(node)
            if node in cell.loads:
                self.w(f"const {TYPES[node.kind]} {name} = {earlier(cell.loads[node])};")
            elif node in cell.starts:
                self.w(f"const F {name} = {self.lies_at(self.plan.patterns[cell.starts[node]])};")
            elif name.startswith("w"):
                self.w(f"const F {name} = {site(name)};")

    def read(self, name: str) -> str:
        """A site at the cell (n, m)."""
        site = self.plan.recurrence.sites[int(name[1:])]
        return f"W{name[1:]}.read({moved('n', site.at[0])}, {moved('m', site.at[1])}, {self.number(self.outside(site))})"

    @staticmethod
    def lies_at(pattern: tuple[int | None, int | None]) -> str:
        """Whether the cell (n, m) is the one, or one of those, of a start or an end."""
        places = zip("nm", pattern, ("z.length", "z.cols"))
        return " && ".join(f"{axis} == {_counted(i, size)}" for axis, i, size in places if i is not None) or "true"

    def at_ends(self, condition: str, give) -> None:
        """For the ends e among a lane's cells of row n, where a condition holds: the statements of `give(k)` for column c."""
        tests = []
        for n, m in dict.fromkeys(end.pattern for end in self.plan.recurrence.ends):
            row = [] if n is None else [f"n == {_counted(n, 'z.length')}"]
            column = None if m is None else _counted(m, "z.cols")
            tests.append(" && ".join([*row, *([] if column is None else [f"z.left <= {column} && {column} < z.left + COLUMNS"])]))
        here = "" if not all(tests) else f" && ({' || '.join(f'({t})' for t in tests) if len(tests) > 1 else tests[0]})"
        states = dict.fromkeys(end.state for end in self.plan.recurrence.ends)
        loop = "for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++)"
        with self.w.block(f"if ({condition}{here})"), self.w.block(loop):
            self.w("#pragma unroll")
            with self.w.block("for (int c = 0; c < COLUMNS; c++)"):
                for k in states:
                    self.w(*(f"if (ends.m[e] == z.left + c && ends.k[e] == {k}) {line}" for line in give(k)))

    def zero(self, c: int) -> str:
        return self.constant(self.plan.recurrence.semiring.trace.zero[c])

    @property
    def X(self) -> list[str]:
        """The rows of accumulated values that a lane holds."""
        return [f"X{c}" for c in self.components]

    @property
    def Y(self) -> list[str]:
        """The same of what flows back to the values."""
        return [f"Y{c}" for c in self.plan.recurrence.semiring.trace.moving]

    def parameters(self) -> list[str]:
        """What every sweep is given first."""
        rows = [f"Rows<{t}>& X{c}" for c, t in enumerate(self.types)]
        values = [f"const Values<{t}>& S{c}" for c, t in enumerate(self.types)]
        return ["const Panel& z", "int begin", "int stop", "const Ends& ends", *rows, *values, *self.read_from()]

    def read_from(self) -> list[str]:
        """The parameters that a cell's sites and numbers are read from."""
        kinds = ("Ring" if i in self.planes.of else "Site" for i in self.plan.cell_sites)
        return [f"const {kind}& {name}" for kind, name in zip(kinds, self.W)] + [f"const double {name}" for name in self.U]

    def arguments(self) -> list[str]:
        return ["z", "begin", "stop", "ends", *self.X, *self.S, *self.W, *self.U]

    def looking(self, at_all: bool) -> list[str]:
        """The further arguments of `advance`: what notes the numbers that it meets, where it is to look at them."""
        return [f"&{name}" if at_all else "nullptr" for name in self.seen.values()]

    def function(self, base: str, starts: bool, parameters: list[str]):
        self.w("", f"__device__ __forceinline__ void {variant(base, starts)}(")
        self.w(*wrapped(parameters))
        return self.w.block(")")

    def edges(self, array: str, kinds: list[tuple[int, str]], row: str) -> None:
        """A chunk of the rows of the panel beside this one: each lane fetches one."""
        for c, t in kinds:
            for j, k in self.outside_lane:
                zero = self.zero(c) if array == "S" else "0"
                self.w(f"const {t} edge{c}_{j}_{k} = {array}{c}.edge({row}, z.length, {j}, {k}, {t}({zero}));")

    def columns(self, downwards: bool = False, named: bool = True):
        """The loop over a lane's cells (n, m); `named` where m is needed."""
        order = "int c = COLUMNS - 1; c >= 0; c--" if downwards else "int c = 0; c < COLUMNS; c++"
        self.w("#pragma unroll")
        self.w(f"for ({order}) {{")
        self.w(*(["    const int m = z.left + c;"] if named else []), "    const bool ok = held.has(c);")
        return self.w

    # --- forward ------------------------------------------------------------------------------------

    def advance(self, starts: bool) -> None:
        cell = self.plan.forward(starts)
        code, w = self.code(cell), self.w
        kinds = list(enumerate(self.types))
        rows = self.rows(cell, code, 1)
        with self.function("advance", starts, [*self.parameters(), *(f"Seen* {name}" for name in self.seen.values())]):
            self.shared(code)
            self.edges("S", kinds, "begin + z.lane")
            if rows:
                w("int n = begin - 1 - z.lane;", *(f"F next_{name}[COLUMNS];" for name, _ in rows))
                w(*(call.format(f"next_{name}") for name, call in rows))
            with w.block("for (int t = begin; t < stop; t++)"):
                w("n = t - z.lane;" if rows else "const int n = t - z.lane;", "const Held held = z.row(n);")
                for name, call in rows:
                    w(f"F {name}[COLUMNS];", "#pragma unroll")
                    w(f"for (int c = 0; c < COLUMNS; c++) {name}[c] = next_{name}[c];")
                    w(call.format(f"next_{name}"))
                for c, t in kinds:
                    for j, k in self.outside_lane:
                        own, edge = f"X{c}[0][WIDE - {j}][{k}]", f"edge{c}_{j}_{k}"
                        w(f"const {t} in{c}_{j}_{k} = from_left({own}, {edge}, t - begin, z.lane);")
                for c, _ in kinds:
                    w(f"age(X{c});")
                    w(*(f"X{c}[0][MARGIN - {j}][{k}] = in{c}_{j}_{k};" for j, k in self.outside_lane))
                forbid = self.number(self.plan.recurrence.semiring.forbid)
                for i, name in self.seen.items():
                    with w.block(f"if ({name})"):
                        held = "if (held.has(c)) " if self.windowed else ""
                        w("#pragma unroll", f"for (int c = 0; c < COLUMNS; c++) {held}{name}->look(row_w{i}[c], {forbid});")
                with self.columns(named=bool(cell.starts)):
                    self.loads(code, cell, _held, "row_{}[c]".format)
                    self.statements(code.cell)
                    for (k, c), root in cell.values.items():
                        w(f"X{c}[0][MARGIN + c][{k}] = ok ? {code[root]} : {self.types[c]}({self.zero(c)});")
                with w.block("if (S0.lattice)"), self.columns(), w.block("if (ok)"):
                    for c, _ in kinds:
                        for k in range(self.states):
                            w(f"S{c}.lattice[(n * z.width + m) * STATES + {k}] = X{c}[0][MARGIN + c][{k}];")
                self.at_ends("S0.ends && n >= 0", lambda k: [f"S{c}.ends[e] = X{c}[0][MARGIN + c][{k}];" for c, _ in kinds])
                if self.outside_lane:
                    with w.block("if (S0.after && z.lane == LANES - 1 && 0 <= n && n < z.length)"):
                        for c, _ in kinds:
                            w(*(f"S{c}.leave(n, {j}, {k}, X{c}[0][WIDE - {j}][{k}]);" for j, k in self.outside_lane))
                w(*(f"if (S{c}.kept) keep<{t}>(X{c}[0], S{c}.kept + i64(t - begin) * ROW, z.lane);" for c, t in kinds))

    # --- back ---------------------------------------------------------------------------------------

    def retreat(self, starts: bool, wanted: Wanted) -> None:
        cell = self.plan.backward(starts, wanted)
        code, w, results = self.code(cell), self.w, self.results(cell)
        outs = {out: results[out] for out in self.outputs(wanted) if out in results}
        moving = [(c, "F") for c in self.plan.recurrence.semiring.trace.moving]
        rows = self.rows(cell, code, 0)
        parameters = self.parameters() + [f"const Kept<{t}>& K{c}" for c, t in enumerate(self.types)]
        parameters += [f"Rows<F>& {y}" for y in self.Y] + [f"const Values<F>& {a}" for a in self.seeds()]
        parameters += [f"const F* d{a}" for a in self.seeds()]
        for out in self.outputs(wanted):
            kind, lands = self.kind_of(out), self.lands(out)
            lands = "ring" if self.planes.drains(self.number_of(out)) else lands
            of_panel = {"item": f"{kind}& {out}", "column": f"{kind} (&{out})[COLUMNS]", "ring": f"const Ring& {out}"}
            parameters.append(of_panel.get(lands, f"{kind}* {out}"))
            parameters += [f"double& row_{out}"] if lands == "row" else []
        with self.function("retreat", starts, parameters):
            self.shared(code)
            self.edges("A", moving, "begin + z.lane - (LANES - 1)")
            by_row = [out for out in outs if self.lands(out) == "row"]
            with w.block("for (int t = stop - 1; t >= begin; t--)"):
                w("const int n = t - z.lane;", "const Held held = z.row(n);")
                for name, call in rows:
                    w(f"F {name}[COLUMNS];", call.format(name))
                for c, _ in enumerate(self.types):
                    w(f"rejuvenate(X{c});", f"recall(X{c}[HALO], K{c}.row(t - HALO), z.lane);")
                for c, t in moving:
                    for j, k in self.outside_lane:
                        own, edge = f"Y{c}[0][MARGIN - {j}][{k}]", f"edge{c}_{j}_{k}"
                        w(f"const {t} in{c}_{j}_{k} = from_right({own}, {edge}, t - begin, z.lane);")
                for c, _ in moving:
                    w(f"rejuvenate(Y{c});", "#pragma unroll")
                    with w.block("for (int i = 0; i < WIDE; i++)"):
                        w(*(f"Y{c}[HALO][i][{k}] = 0;" for k in range(self.states)))
                    w(*(f"Y{c}[0][WIDE - {j}][{k}] += in{c}_{j}_{k};" for j, k in self.outside_lane))
                self.at_ends("n >= 0", lambda k: [f"Y{c}[0][MARGIN + c][{k}] += dA{c}[e];" for c, _ in moving])
                for out in by_row:
                    w(f"row_{out} = __shfl_down_sync(WARP, row_{out}, 1);", f"if (z.lane == LANES - 1) row_{out} = 0;")
                planes = [out for out in outs if self.lands(out) == "plane"]
                w(*(f"F {out}_row[COLUMNS];" for out in planes))
                cells = any(self.lands(out) == "cell" for out in outs)
                with self.columns(downwards=True, named=cells or bool(cell.starts)):
                    for leaf, (k, c) in cell.inflows.items():
                        w(f"const F {self.leaf(leaf)} = ok ? Y{c}[0][MARGIN + c][{k}] : 0;")
                    self.loads(code, cell, _held, "row_{}[c]".format)
                    self.statements(code.cell)
                    for (flow, c), root in cell.flows.items():
                        to = f"Y{c}[{flow.dn}][{moved('MARGIN + c', -flow.dm)}][{flow.state}]"
                        w(f"{to} += ok ? {code[root]} : 0;")
                    for out, root in outs.items():
                        w(self.give(out, code[root]))
                for out in planes:
                    site = self.site_of(out)
                    place = f"{moved('n', site.at[0])}, {moved('z.left', site.at[1])}"
                    ring = self.planes.drains(self.number_of(out))
                    w(
                        f"{out}.gather({out}_row, {place}, held);"
                        if ring
                        else f"{out[1:]}.store({out}, {out}_row, {place}, held);"
                    )
                w(*(f"if (z.lane == 0 && 0 <= n && n < z.length) {out}[n] += row_{out};" for out in by_row))
                if self.outside_lane and moving:
                    with w.block(f"if (A{moving[0][0]}.after && z.lane == 0 && 0 <= n && n < z.length)"):
                        for c, _ in moving:
                            w(*(f"A{c}.leave(n, {j}, {k}, Y{c}[0][MARGIN - {j}][{k}]);" for j, k in self.outside_lane))

    def kind_of(self, out: str) -> str:
        """The kind of number of a result: sums of many are kept in float64."""
        site = self.site_of(out)
        return "F" if out == "dO" or (site and site.role == "cost") else "double"

    def lands(self, out: str) -> str:
        """Where a cell's part of a result goes."""
        if self.summed(out):
            return "item"
        site = self.site_of(out)
        if site and site.role == "cost":
            return "plane"
        if not site or ("n" in site.axes and "m" in site.axes):
            return "cell"
        return "column" if "m" in site.axes else "row"

    def give(self, out: str, value: str) -> str:
        return {
            "plane": f"{out}_row[c] = {value};",
            "item": f"{out} += ok ? {value} : 0;",
            "cell": f"if (ok) {out}[n * z.width + m] = {value};",
            "column": f"{out}[c] += ok ? {value} : 0;",
            "row": f"row_{out} += ok ? {value} : 0;",
        }[self.lands(out)]

    # --- along a path -------------------------------------------------------------------------------

    def choose(self) -> None:
        cell = self.plan.choice()
        code, w = self.code(cell), self.w
        parameters = ["const Panel& z", "int time", "int lane", "int c", "int n", "int m", "int k"]
        parameters += [f"const Kept<{t}>& K{c}" for c, t in enumerate(self.types)]
        parameters += self.read_from()
        w("", "// The arc, counted within its state, along which the best path came into state k of a cell; -1 for none.")
        w("__device__ I choose(", *wrapped(parameters))
        with w.block(")"):
            self.shared(code)
            self.loads(code, cell, _kept, self.read)
            self.statements(code.cell)
            for k, root in cell.choices.items():
                w(f"if (k == {k}) return {code[root]};")
            w("return -1;")


def _counted(index: int, size: str) -> str:
    """An index, which counts from the end where it is negative."""
    return str(index) if index >= 0 else f"{size} - {-index}"


def _held(d: Load) -> str:
    """An accumulated value that a lane holds, for column c."""
    return f"X{d.component}[{d.dn}][{moved('MARGIN + c', -d.dm)}][{d.state}]"


def _kept(d: Load) -> str:
    """One that was kept."""
    return f"K{d.component}.at({moved('time', -d.dn)}, lane, {moved('MARGIN + c', -d.dm)}, {d.state})"


def wrapped(parameters) -> list[str]:
    """A list of parameters, in lines."""
    together = ", ".join(str(p).replace(" ", "\xa0") for p in parameters)
    lines = wrap(together, 120, initial_indent="    ", subsequent_indent="    ")
    return [line.replace("\xa0", " ") for line in lines]


def _seen_sites(plan: Plan) -> tuple[int, ...]:
    """Sites through which a forward pass meets every number of their plane that some cell reads, one for each such plane."""
    used = {leaf.payload for leaf in postorder(plan.forward(plan.always_starts).roots) if leaf.op == "var"}
    fused = dict(plan.fused)
    found: dict[str, int] = {}
    for i, site in enumerate(plan.recurrence.sites):
        whole = site.at == (0, 0) and plan.recurrence.window is None
        if site.role == "cost" and site_name(i) in used and (whole or site.name in fused):
            found.setdefault(site.name, i)
    return tuple(found.values())


def _outside_lane(plan: Plan) -> tuple[tuple[int, int], ...]:
    """What a lane needs of the one on its left: by distance (1: its last column), the states."""
    far: dict[int, int] = {}
    for a in plan.recurrence.steps:
        far[a.source] = max(far.get(a.source, 0), a.dm)
    return tuple((j, k) for k in sorted(far) for j in range(1, far[k] + 1))
