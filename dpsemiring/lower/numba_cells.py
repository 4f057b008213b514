"""The Numba target, inside a block: a cell's statements over explicit vectors, and the sweeps over a block's cells.

`advance` computes a block's accumulated values in the order of time, `retreat` walks them back. `run.cpu.vector`
holds the operations that the text is written in.
"""

from __future__ import annotations

from dpsemiring.algebra.expr import BOOL, INT
from dpsemiring.lower.cell import Cell
from dpsemiring.lower.kernel import Kernel, variant
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import Code, Writer, literal

VECTOR = {"float32": 16, "float64": 8}
_NAMES = {"and": "both", "or": "either", "not": "negate", "abs": "absolute"}
_CONTRACTED = {"add": "fadd", "sub": "fsub", "mul": "fmul"}


class Sweeps(Kernel):
    """The sweeps over one block, and the geometry of its flat buffers."""

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self.vector = VECTOR[plan.real]
        self.delay, self.pad = plan.schedule.max_delay, plan.schedule.max_shift
        self.bounds = ["FIRST", "LAST"] if self.windowed else []
        self.w = Writer()

    def op(self, name: str) -> str:
        name = _NAMES.get(name, name)
        return name if self.plan.exact else _CONTRACTED.get(name, name)

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
                self.w(
                    f"{name} = {get}(S{d.component}, o - {back} * pitch - {shift})".replace("- 0 * pitch", "").replace(
                        " - 0)", ")"
                    )
                )
            elif node in cell.starts:
                self.w(f"{name} = {get}(B{cell.starts[node]}, i)")
            elif name.startswith("w"):
                self.w(f"{name} = {get}({name.upper()}, i)")

    def lane_range(self) -> None:
        """Which lanes hold cells of the lattice, at time t."""
        if self.windowed and self.skewed:
            return
        if self.windowed:
            self.w("low, high = FIRST[t], LAST[t]")
        elif self.skewed:
            self.w("low = max(0, t - cols + 1)", "high = min(rows, t + 1)")
        else:
            self.w("low = 0", "high = cols")

    def masked(self, like: str, names: list[str], outside: list[str]) -> None:
        """Put the value for "no such cell" in the lanes without a cell."""
        masks = [f"{name} = where(inside, {name}, {none})" for name, none in zip(names, outside)]
        if self.windowed and self.skewed:
            self.w(f"inside = lanes_within({like}, t, FIRST, LAST, q)", *masks)
            return
        with self.w.block("if low > q or high < q + V:"):
            self.w(f"inside = lanes_between({like}, low - q, high - q)", *masks)

    # --- sweeping forward ---------------------------------------------------------------------------

    def advance(self, starts: bool) -> None:
        cell = self.plan.forward(starts)
        code = self.code(cell)
        w = self.w
        w("", "", "@njit(**INNER)")
        args = [*self.S, *self.W, *(self.B if starts else []), *self.U, *self.bounds, "times", "rows", "cols", "lanes"]
        with w.block(f"def {variant('advance', starts)}({', '.join(args)}):"):
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
                    self.masked("zero0", [f"d{k}_{c}" for k, c in cell.values], [f"zero{c}" for _, c in cell.values])
                    for k, c in cell.values:
                        w(f"store(S{c}, o + {k} * pitch, d{k}_{c})".replace(" + 0 * pitch", ""))

    # --- sweeping back ------------------------------------------------------------------------------

    def retreat(self, starts: bool, wanted: Wanted) -> None:
        cell = self.plan.backward(starts, wanted)
        code = self.code(cell)
        w, keys = self.w, self.plan.flow_keys()
        outs = self.outputs(wanted)
        w("", "", "@njit(**INNER)")
        args = [*self.S, *self.W, *(self.B if starts else []), *self.U]
        args += [*map(self.flow_name, keys), *self.seeds(), *outs, "seeded", *self.bounds]
        args += ["times", "rows", "cols", "lanes"]
        with w.block(f"def {variant('retreat', starts)}({', '.join(args)}):"):
            w(f"pitch = lanes + {self.pad}", f"after = lanes + {self.pad}")
            self.shared(code, spread=True)
            w("none = splat(F(0))")
            with w.block("for t in range(times - 1, -1, -1):"):
                self.lane_range()
                with w.block("for q in range(0, lanes, V):"):
                    w(f"o = (t + {self.delay}) * ({self.states} * pitch) + {self.pad} + q")
                    w("i = t * lanes + q", "g = t * after + q")
                    self.inflow(cell)
                    self.loads(code, cell, "load")
                    self.statements(code)
                    written = self.written(cell, code, outs)
                    self.masked("none", [name for name, _ in written], ["none"] * len(written))
                    for name, target in written:
                        w(target.format(name))

    def inflow(self, cell: Cell) -> None:
        """E of each state: the seed at an end, and the flows out of later cells."""
        w = self.w
        for leaf, (k, c) in cell.inflows.items():
            e = self.leaf(leaf)
            w(f"{e} = none")
            with w.block("if seeded:"):
                w(f"{e} = load(A{c}, (t * {self.states} + {k}) * lanes + q)")
            for key in self.flows_into(k, c):
                delay = self.plan.schedule.delay(key[0].dn, key[0].dm)
                shift = self.plan.schedule.shift(key[0].dn, key[0].dm)
                at = f"g + {delay} * after + {shift}".replace(" + 0 * after", "").replace(" + 0", "")
                w(f"{e} = fadd({e}, load({self.flow_name(key)}, {at}))")

    def written(self, cell: Cell, code: Code, outs: list[str]) -> list[tuple[str, str]]:
        """(local name, statement that stores it) for each result of a backward cell."""
        w = self.w
        found: list[tuple[str, str]] = []
        for key in self.plan.flow_keys():
            root = cell.flows.get(key)
            w(f"f{len(found)} = {'none' if root is None else code[root]}")
            found.append((f"f{len(found)}", f"store({self.flow_name(key)}, g, {{}})"))
        results = self.results(cell)
        for out in outs:
            root = results.get(out)
            name = f"f{len(found)}"
            w(f"{name} = {'none' if root is None else code[root]}")
            if self.summed(out):
                found.append((name, f"store({out}, q, fadd(load({out}, q), {{}}))"))
            else:
                found.append((name, f"store({out}, i, {{}})"))
        return found
