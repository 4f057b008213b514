"""The Numba target: a plan as Python source over explicit vectors (`run.cpu.vector`, `run.cpu.staging`).

One module holds one job: `forward`, `backward` or `paths`. Each begins with `advance`, which sweeps a block
forward; the other two then walk the same block back. The drivers loop over items and blocks.
"""

from __future__ import annotations

from dpsemiring.algebra.expr import BOOL, INT
from dpsemiring.lower.cell import Cell, Flow
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import Code, literal

VECTOR = {"float32": 16, "float64": 8}
_NAMES = {
    "and": "both", "or": "either", "not": "negate", "abs": "absolute", "minimum": "minimum", "maximum": "maximum",
}  # fmt: skip
_CONTRACTED = {"add": "fadd", "sub": "fsub", "mul": "fmul"}
_HEADER = '''"""Emitted by dpsemiring; do not edit.

{about}
"""
import numpy as np
from numba import njit

from dpsemiring.run.cpu.staging import *
from dpsemiring.run.cpu.vector import *

F = np.{real}
I = np.{integer}
INF = F(np.inf)
NAN = F(np.nan)
V = {vector}
OPTIONS = {{"nogil": True, "error_model": "numpy", "cache": True}}
'''


class Writer:
    """Lines of source with indentation."""

    def __init__(self):
        self.lines: list[str] = []
        self.depth = 0

    def __call__(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line if line else "" for line in lines]

    def block(self, head: str):
        self(head)
        return self

    def __enter__(self):
        self.depth += 1

    def __exit__(self, *_):
        self.depth -= 1

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


class _Kernel:
    """The names and geometry that every function of a module shares."""

    def __init__(self, plan: Plan):
        self.plan, s = plan, plan.schedule
        self.skewed = s.kind == "skewed"
        self.states = len(plan.recurrence.states)
        self.vector = VECTOR[plan.real]
        self.delay, self.pad = s.max_delay, s.max_shift
        self.components = range(len(plan.kinds))
        self.S = [f"S{c}" for c in self.components]
        self.W = [f"W{i}" for i in plan.cell_sites]
        self.B = [f"B{i}" for i in range(len(plan.patterns))]
        self.U = [f"x{i}" for i in plan.item_sites] + [f"p_{n}" for n in plan.params]
        self.w = Writer()

    def op(self, name: str) -> str:
        name = _NAMES.get(name, name)
        return name if self.plan.exact else _CONTRACTED.get(name, name)

    def leaf(self, node) -> str:
        """The name of a leaf in the text; the statements that load it come from `loads`."""
        name = node.payload
        if name.startswith("p."):
            return f"p_{name[2:]}"
        if name.startswith("site"):
            i = int(name[4:])
            return f"x{i}" if i in self.plan.item_sites else f"w{i}"
        return name.replace("@", "_").replace(",", "_")

    def code(self, cell: Cell) -> Code:
        return Code(cell.roots, self.leaf, self.plan.is_shared)

    def value(self, node) -> str:
        text = literal(node, "np.inf", "np.nan")
        return f"{'I' if node.kind == INT else 'F'}({text})"

    def shared(self, code: Code, spread: bool) -> None:
        """The statements before the loop over cells."""
        for name, node in code.constants.items():
            assert node.kind != BOOL, "conditions fold to nothing when constant"
            self.w(f"{name.replace('c', 'k', 1)} = {self.value(node)}")
        for s in code.shared:
            self.w(f"{s.name} = {self.op(s.op)}({', '.join(s.args)})")
        for name in code.constants:
            self.w(f"{name} = splat({name.replace('c', 'k', 1)})" if spread else f"{name} = {name.replace('c', 'k', 1)}")
        for name, wide in code.spread.items():
            self.w(f"{wide} = splat({name})" if spread else f"{wide} = {name}")

    def statements(self, code: Code) -> None:
        for s in code.cell:
            self.w(f"{s.name} = {self.op(s.op)}({', '.join(s.args)})")

    def loads(self, code: Code, cell: Cell, get: str) -> None:
        """Fetch the leaves that a cell uses; `o` and `i` are its positions among the values and the sites."""
        for node in code.used:
            name = self.leaf(node)
            if node in cell.loads:
                d = cell.loads[node]
                delay = self.plan.schedule.delay(d.dn, d.dm)
                shift = self.plan.schedule.shift(d.dn, d.dm)
                back = delay * self.states - d.state
                self.w(f"{name} = {get}(S{d.component}, o - {back} * pitch - {shift})".replace("- 0 * pitch", "").replace(" - 0)", ")"))
            elif node in cell.starts:
                self.w(f"{name} = {get}(B{cell.starts[node]}, i)")
            elif name.startswith("w"):
                self.w(f"{name} = {get}({name.upper()}, i)")

    def lane_range(self) -> None:
        """Which lanes hold cells of the lattice, at time t."""
        if self.skewed:
            self.w("low = max(0, t - cols + 1)", "high = min(rows, t + 1)")
        else:
            self.w("low = 0", "high = cols")

    # --- sweeping forward ---------------------------------------------------------------------------

    def advance(self, starts: bool) -> None:
        cell = self.plan.forward(starts)
        code = self.code(cell)
        w = self.w
        w("", "", "@njit(**OPTIONS)")
        args = [*self.S, *self.W, *(self.B if starts else []), *self.U, "times", "rows", "cols", "lanes"]
        with w.block(f"def {_name('advance', starts)}({', '.join(args)}):"):
            w(f"pitch = lanes + {self.pad}")
            self.shared(code, spread=True)
            for c, z in enumerate(self.plan.recurrence.semiring.trace.zero):
                w(f"zero{c} = splat({self.value(z)})")
            with w.block("for t in range(times):"):
                self.lane_range()
                with w.block("for q in range(0, lanes, V):"):
                    w(f"o = (t + {self.delay}) * ({self.states} * pitch) + {self.pad} + q")
                    w("i = t * lanes + q")
                    self.loads(code, cell, "load")
                    self.statements(code)
                    for (k, c), root in cell.values.items():
                        w(f"d{k}_{c} = {code[root]}")
                    with w.block("if low > q or high < q + V:"):
                        w("inside = lanes_between(zero0, low - q, high - q)")
                        for k, c in cell.values:
                            w(f"d{k}_{c} = where(inside, d{k}_{c}, zero{c})")
                    for k, c in cell.values:
                        w(f"store(S{c}, o + {k} * pitch, d{k}_{c})".replace(" + 0 * pitch", ""))

    # --- sweeping back ------------------------------------------------------------------------------

    def flow_name(self, key: tuple[Flow, int]) -> str:
        flow, c = key
        return f"G{flow.dn}_{flow.dm}_{flow.state}_{c}"

    def retreat(self, starts: bool, wanted: Wanted) -> None:
        cell = self.plan.backward(starts, wanted)
        code = self.code(cell)
        w, keys = self.w, self.plan.flow_keys()
        outs = self.outputs(wanted)
        w("", "", "@njit(**OPTIONS)")
        args = [*self.S, *self.W, *(self.B if starts else []), *self.U]
        args += [*map(self.flow_name, keys), *self.seeds(), *outs, "seeded", "times", "rows", "cols", "lanes"]
        with w.block(f"def {_name('retreat', starts)}({', '.join(args)}):"):
            w(f"pitch = lanes + {self.pad}", f"after = lanes + {self.pad}")
            self.shared(code, spread=True)
            w("none = splat(F(0))")
            with w.block("for t in range(times - 1, -1, -1):"):
                self.lane_range()
                with w.block("for q in range(0, lanes, V):"):
                    w(f"o = (t + {self.delay}) * ({self.states} * pitch) + {self.pad} + q")
                    w("i = t * lanes + q", "g = t * after + q")
                    self.inflow(cell, keys)
                    self.loads(code, cell, "load")
                    self.statements(code)
                    written = self.written(cell, code, outs)
                    with w.block("if low > q or high < q + V:"):
                        w("inside = lanes_between(none, low - q, high - q)")
                        for name, _ in written:
                            w(f"{name} = where(inside, {name}, none)")
                    for name, target in written:
                        w(target.format(name))

    def inflow(self, cell: Cell, keys) -> None:
        """E of each state: the seed at an end, and the flows out of later cells."""
        w = self.w
        for leaf, (k, c) in cell.inflows.items():
            e = self.leaf(leaf)
            w(f"{e} = none")
            with w.block("if seeded:"):
                w(f"{e} = load(A{c}, (t * {self.states} + {k}) * lanes + q)")
            for key in keys:
                flow, component = key
                if (flow.state, component) == (k, c):
                    delay = self.plan.schedule.delay(flow.dn, flow.dm)
                    shift = self.plan.schedule.shift(flow.dn, flow.dm)
                    at = f"g + {delay} * after + {shift}".replace(" + 0 * after", "").replace(" + 0", "")
                    w(f"{e} = fadd({e}, load({self.flow_name(key)}, {at}))")

    def written(self, cell: Cell, code: Code, outs: list[str]) -> list[tuple[str, str]]:
        """(local name, statement that stores it) for each result of a backward cell."""
        w, found = self.w, []
        for key in self.plan.flow_keys():
            root = cell.flows.get(key)
            w(f"f{len(found)} = {'none' if root is None else code[root]}")
            found.append((f"f{len(found)}", f"store({self.flow_name(key)}, g, {{}})"))
        results = [(f"dW{i}", root) for i, root in cell.sites.items()] + [(f"dp_{n}", root) for n, root in cell.params.items()]
        if cell.occupancy is not None:
            results.append(("dO", cell.occupancy))
        given = dict(results)
        for out in outs:
            root = given.get(out)
            name = f"f{len(found)}"
            w(f"{name} = {'none' if root is None else code[root]}")
            if self.summed(out):
                found.append((name, f"store({out}, q, fadd(load({out}, q), {{}}))"))
            else:
                found.append((name, f"store({out}, i, {{}})"))
        return found

    def outputs(self, wanted: Wanted) -> list[str]:
        out = [f"dW{i}" for i in wanted.sites] + ([f"dp_{n}" for n in self.plan.params] if wanted.params else [])
        return out + (["dO"] if wanted.occupancy else [])

    def summed(self, out: str) -> bool:
        """Whether a result is one number for the item, so that lanes keep sums."""
        return out.startswith("dp_") or (out.startswith("dW") and int(out[2:]) in self.plan.item_sites)

    def seeds(self) -> list[str]:
        return [f"A{c}" for c, kind in enumerate(self.plan.kinds) if kind != INT]

    # --- one block ----------------------------------------------------------------------------------

    def inputs(self) -> list[str]:
        """The arguments that every driver begins with."""
        names = ["first", "last", "skip", "n_len", "m_len"]
        for i in self.plan.cell_sites:
            names += [f"a{i}", f"more_n{i}", f"more_m{i}"]
        names += [f"{u}_all" for u in self.U]
        return names + [f"R{c}" for c in self.components]

    def workspace(self) -> None:
        """Buffers for the largest block; made once for a run over items."""
        p, w, s = self.plan, self.w, self.plan.schedule
        x0, x1 = p.recurrence.extra
        w(f"cols_all = m_len.max() + {x1}")
        w(f"lanes_all = lane_count(cols_all, {s.height}, V, {self.skewed})")
        w(f"times_all = time_count({s.height}, cols_all, {self.skewed})")
        w(f"size = (times_all + {self.delay}) * {self.states} * (lanes_all + {self.pad})")
        for c, kind in enumerate(p.kinds):
            w(f"S{c} = np.empty(size, np.{'int64' if kind == INT and p.real == 'float64' else 'int32' if kind == INT else p.real})")
        for name in [*self.W, *self.B]:
            w(f"{name} = np.empty(times_all * lanes_all, np.{p.real})")

    def item(self) -> None:
        """The numbers of one item."""
        x0, x1 = self.plan.recurrence.extra
        self.w(f"length = n_len[b] + {x0}", f"cols = m_len[b] + {x1}")
        self.w(f"lanes = lane_count(cols, {self.plan.schedule.height}, V, {self.skewed})")
        for u in self.U:
            self.w(f"{u} = {u}_all[b if {u}_all.size > 1 else 0]")

    def recompute(self) -> None:
        """Sweep block `j` forward from its border."""
        p, w, s, r = self.plan, self.w, self.plan.schedule, self.plan.recurrence
        w(f"n0 = j * {s.height}", f"rows = min({s.height}, length - n0)", f"times = time_count(rows, cols, {self.skewed})")
        for i in p.cell_sites:
            site = r.sites[i]
            outside = self.value_of_outside(site)
            n, m = (f"n_len[b] + more_n{i}", f"m_len[b] + more_m{i}")
            w(f"stage(W{i}, a{i}, b, n0, rows, cols, {site.at[0]}, {site.at[1]}, {n}, {m}, {outside}, lanes, {self.skewed})")
        for c, z in enumerate(r.semiring.trace.zero):
            geometry = f"{self.states}, {s.halo}, {s.margin}, {self.value(z)}, lanes, {self.pad}, {self.delay}, times, {self.skewed}"
            w(f"enter(S{c}, R{c}, b, j, cols, {geometry})")
        if not p.always_starts:
            tests = [f"falls({n}, length, n0, rows)" for n in dict.fromkeys(n for n, _ in p.patterns)]
            w(f"starts = {' or '.join(tests)}")
        rest = ", ".join([*self.U, "times", "rows", "cols", "lanes"])
        with w.block("if starts:" if not p.always_starts else "if True:"):
            for i, (n, m) in enumerate(p.patterns):
                place = f"{n or 0}, {n is None}, {m or 0}, {m is None}"
                w(f"mark(B{i}, {place}, length, n0, rows, cols, lanes, {self.skewed})")
            w(f"advance_starts({', '.join([*self.S, *self.W, *self.B])}, {rest})")
        if not p.always_starts:
            with w.block("else:"):
                w(f"advance({', '.join([*self.S, *self.W])}, {rest})")

    def value_of_outside(self, site) -> str:
        return self.value_text(self.plan.recurrence.semiring.forbid if site.role == "cost" else 0.0)

    def value_text(self, number: float) -> str:
        return {float("inf"): "INF", -float("inf"): "-INF"}.get(number, f"F({number!r})")


def _name(base: str, starts: bool) -> str:
    return f"{base}_starts" if starts else base


def _begin(plan: Plan) -> _Kernel:
    kernel = _Kernel(plan)
    about = str(plan).replace("\\", "")
    integer = "int32" if plan.real == "float32" else "int64"
    kernel.w(*_HEADER.format(about=about, real=plan.real, integer=integer, vector=kernel.vector).rstrip("\n").split("\n"))
    for starts in plan.start_variants():
        kernel.advance(starts)
    return kernel


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
                    w(f"collect(S{c}, D{c}, b, end_n, end_m, end_k, begin, e, n0, {kernel.states}, {place})")
                with w.block("if keep:"):
                    for c in kernel.components:
                        w(f"spill(S{c}, L{c}, b, n0, rows, cols, {kernel.states}, {place})")
                with w.block("if n0 + rows < length:"):
                    for c in kernel.components:
                        w(f"leave(S{c}, R{c}, b, j, {s.height}, cols, {kernel.states}, {s.halo}, {place})")
    return w.text


def backward_text(plan: Plan, wanted: Wanted) -> str:
    """Source of `backward`: from what flows to the ends, what flows to the wanted sites and parameters."""
    kernel = _begin(plan)
    for starts in plan.start_variants():
        kernel.retreat(starts, wanted)
    w, s, r = kernel.w, plan.schedule, plan.recurrence
    keys, outs, seeds = plan.flow_keys(), kernel.outputs(wanted), kernel.seeds()
    totals = [f"{out}_all" for out in outs]
    args = kernel.inputs() + ["end_n", "end_m", "end_k"] + [f"d{a}" for a in seeds] + totals
    w("", "", "@njit(**OPTIONS)")
    with w.block(f"def backward({', '.join(args)}):"):
        kernel.workspace()
        for key in keys:
            w(f"{kernel.flow_name(key)} = np.empty((times_all + {kernel.delay}) * (lanes_all + {kernel.pad}), F)")
            w(f"H{kernel.flow_name(key)} = np.zeros(({key[0].dn}, cols_all), F)")
        for a in seeds:
            w(f"{a} = np.zeros(times_all * lanes_all * {kernel.states}, F)")
        for out in outs:
            w(f"{out} = np.zeros({'lanes_all' if kernel.summed(out) else 'times_all * lanes_all'}, F)")
        with w.block("for b in range(first, last):"):
            with w.block("if skip[b]:"):
                w("continue")
            kernel.item()
            for key in keys:
                w(f"H{kernel.flow_name(key)}[:] = 0")
            with w.block(f"for j in range((length - 1) // {s.height}, -1, -1):"):
                kernel.recompute()
                for key in keys:
                    name = kernel.flow_name(key)
                    w(f"enter_flows({name}, H{name}, {s.height}, cols, {s.margin}, lanes, {kernel.pad}, {kernel.delay}, times, {kernel.skewed})")
                w("begin = ends_before(end_n, b, n0, 0)", "e = ends_before(end_n, b, n0 + rows, begin)")
                place = f"b, end_n, end_m, end_k, begin, e, n0, {kernel.states}, lanes, {kernel.skewed}"
                for a in seeds:
                    w(f"plant({a}, d{a}, {place})")
                common = [*kernel.U, *map(kernel.flow_name, keys), *seeds, *outs, "e > begin", "times", "rows", "cols", "lanes"]
                with w.block("if starts:" if not plan.always_starts else "if True:"):
                    w(f"retreat_starts({', '.join([*kernel.S, *kernel.W, *kernel.B, *common])})")
                if not plan.always_starts:
                    with w.block("else:"):
                        w(f"retreat({', '.join([*kernel.S, *kernel.W, *common])})")
                for a in seeds:
                    w(f"uproot({a}, {place})")
                for key in keys:
                    name = kernel.flow_name(key)
                    w(f"leave_flows({name}, H{name}, rows, cols, lanes, {kernel.pad}, {kernel.skewed})")
                for out in outs:
                    if kernel.summed(out):
                        w(f"flush({out}, {out}_all, b)")
                    elif out == "dO":
                        w(f"unstage(dO, dO_all, b, n0, rows, cols, 0, 0, length, cols, lanes, {kernel.skewed})")
                    else:
                        i = int(out[2:])
                        site = r.sites[i]
                        extent = f"n_len[b] + more_n{i}, m_len[b] + more_m{i}"
                        w(f"unstage({out}, {out}_all, b, n0, rows, cols, {site.at[0]}, {site.at[1]}, {extent}, lanes, {kernel.skewed})")
    return w.text


def paths_text(plan: Plan) -> str:
    """Source of `paths`: from the chosen ends, the visited cells, states and steps, last first."""
    kernel = _begin(plan)
    w, s, r = kernel.w, plan.schedule, plan.recurrence
    cell = plan.choice()
    code = kernel.code(cell)
    w("", "", "@njit(**OPTIONS)")
    args = [*kernel.S, *kernel.W, *kernel.B, *kernel.U, "k", "t", "q", "lanes"]
    with w.block(f"def choose({', '.join(args)}):"):
        w(f"pitch = lanes + {kernel.pad}", f"o = (t + {kernel.delay}) * ({kernel.states} * pitch) + {kernel.pad} + q", "i = t * lanes + q")
        kernel.shared(code, spread=False)
        kernel.loads(code, cell, "peek")
        kernel.statements(code)
        for k, root in cell.choices.items():
            with w.block(f"if k == {k}:"):
                w(f"return np.int64({code[root]})")
        w("return np.int64(-1)")
    widest = max(len(arcs) for arcs in r.states)
    for name, get in (
        ("ARC_DN", lambda a: a.dn),
        ("ARC_DM", lambda a: a.dm),
        ("ARC_SOURCE", lambda a: -1 if a.is_start else a.source),
        ("ARC_STEP", lambda a: -1 if a.is_start else a.index),
    ):
        table = [[get(a) for a in arcs] + [-1] * (widest - len(arcs)) for arcs in r.states]
        w("", f"{name} = np.array({table}, np.int64).reshape({len(table)}, {widest})")
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
                            w(f"{name}[:] = 0")
                with w.block("while k >= 0 and n >= n0:"):
                    w("l = n - n0", "t, q = (m + l, l)" if kernel.skewed else "t, q = (l, m)")
                    w(f"chosen = choose({', '.join([*kernel.S, *kernel.W, *kernel.B, *kernel.U])}, k, t, q, lanes)")
                    with w.block("if chosen < 0:"):
                        w("k = -1", "count = -1", "break")
                    w("visited[b, count, 0], visited[b, count, 1] = n, m")
                    w("visited[b, count, 2], visited[b, count, 3] = k, ARC_STEP[k, chosen]", "count += 1")
                    w("n, m, k = n - ARC_DN[k, chosen], m - ARC_DM[k, chosen], ARC_SOURCE[k, chosen]")
            w("counts[b] = count")
    return w.text
