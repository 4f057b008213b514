"""The Numba target, inside a tile: a cell's statements over explicit vectors, and the sweeps over a tile's cells.

`advance` computes a tile's accumulated values in the order of time, `retreat` walks them back: C functions, so that
a driver calls them by address and each is compiled once, whoever uses it. What they do for a cell is straight code
(`run.cpu.vector`), written in the operations of `run.cpu.operations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from dpsemiring.algebra.expr import BOOL, INT
from dpsemiring.lower.cell import Cell
from dpsemiring.lower.ir import site_number
from dpsemiring.lower.kernel import Kernel, variant
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.text import Code, Writer, literal, moved

VECTOR = {"float32": 16, "float64": 8}
INTEGER = {"float32": "int32", "float64": "int64"}
NOTHING = "splat(F(0))"
# a cell of so few statements would wait: what was stored a moment ago can be loaded at once, but not across two stores
SHORT = 8
TOGETHER = 4  # rows that are swept side by side where items lie abreast
_NAMES = {"and": "both", "or": "either", "not": "negate", "abs": "absolute"}
_CONTRACTED = {"add": "fadd", "sub": "fsub", "mul": "fmul"}


class Sweeps(Kernel):
    """The sweeps over one tile, and the geometry of its flat buffers."""

    def __init__(self, plan: Plan):
        super().__init__(plan)
        self.vector = VECTOR[plan.real]
        self.delay = f"{plan.schedule.halo} * stripe" if self.abreast else plan.schedule.max_delay
        self.pad = padding(plan)
        self.W = [f"W{buffer.site}" for buffer in plan.buffers]
        self.joint = {f"{d}W{i}" for i in plan.cell_sites for d in ("", "d") if plan.buffers[i].shared}
        self.breadth = whole_vectors(plan, plan.buffers.below)
        self.shared_size = f"(times_all + {plan.buffers.before} + V) * (lanes_all + {self.breadth})"
        self.places = ["pitch", *(["stripe"] if self.abreast else []), *(["r", "line"] if self.joint else [])]
        self.bounds = ["FIRST", "LAST"] if self.windowed else []
        # in rows, what is the same in every row of a strip is laid out for one
        alike = [i for i in plan.cell_sites if "n" not in plan.recurrence.sites[i].axes]
        self.alike = frozenset(alike if plan.schedule.kind == "rows" else ())
        self.w = Writer()

    def op(self, name: str) -> str:
        name = _NAMES.get(name, name)
        return name if self.plan.exact else _CONTRACTED.get(name, name)

    def code(self, cell: Cell) -> Code:
        return Code(cell.roots, self.leaf, self.plan.is_shared)

    def value(self, node) -> str:
        text = literal(node, "np.inf", "np.nan")
        return f"{'I' if node.kind == INT else 'F'}({text})"

    @staticmethod
    def wide(node) -> str:
        """A real constant of the shared code."""
        return f"np.float64({literal(node, 'np.inf', 'np.nan')})"

    def straight(self, name: str, args: Iterable[str]) -> Writer:
        """The head of a function that to Numba is one call, however long it is."""
        self.w("", "", "@straight")
        return self.w.block(f"def {name}({', '.join(args)}):")

    def sweep(self, name: str, args: dict[str, str]) -> Writer:
        """The head of a C function, from its arguments' types."""
        self.w("", "", f'@c_function("void({", ".join(args.values())})", **SWEEP)')
        return self.w.block(f"def {name}({', '.join(args)}):")

    def typed(self, arrays: list[str], *integers: str) -> dict[str, str]:
        """The arguments of a sweep: arrays by name, the item's numbers, the window's bounds, integers."""
        whole = {f"S{c}" for c, kind in enumerate(self.plan.kinds) if kind == INT}
        found = {name: f"CPointer({INTEGER[self.plan.real] if name in whole else self.plan.real})" for name in arrays}
        found |= dict.fromkeys(self.U, "float64") | dict.fromkeys(self.bounds, "CPointer(int32)")
        return found | dict.fromkeys(integers, "int64")

    def common(self, code: Code) -> None:
        """The numbers that every cell of an item shares, computed once in float64, then in every lane."""
        if code.spread:
            with self.straight("common", self.U):
                self.shared(code)
                self.w(f"return {bundle(f'splat({self.narrowed(code, x)})' for x in code.spread)}")

    def narrowed(self, code: Code, name: str) -> str:
        """A shared number in the kind that cells compute with."""
        return f"cast({name}, {'I' if code.shared_kinds.get(name) == INT else 'F'}(0))"

    def shared(self, code: Code) -> None:
        used = {x for s in code.shared for x in s.args} | set(code.spread)
        for name, node in code.constants.items():
            assert node.kind != BOOL, "conditions fold to nothing when constant"
            if (k := name.replace("c", "k", 1)) in used:
                self.w(f"{k} = {literal(node, 'np.inf', 'np.nan') if node.kind == INT else self.wide(node)}")
        for s in code.shared:
            args = [*s.args, "F(0)"] if s.op == "tail" else s.args
            self.w(f"{s.name} = {self.op(s.op)}({', '.join(args)})")

    def begin_cell(self, code: Code) -> None:
        """What a cell knows beforehand, in every lane: shared numbers and constants."""
        if code.spread:
            self.w(f"{bundle(code.spread.values())} = shared")
        for name, node in code.constants.items():
            self.w(f"{name} = splat({self.value(node)})")

    def begin_scalar_cell(self, code: Code) -> None:
        self.shared(code)
        for name, wide in code.spread.items():
            self.w(f"{wide} = {self.narrowed(code, name)}")
        for name, node in code.constants.items():
            self.w(f"{name} = {self.value(node)}")

    def statements(self, code: Code) -> None:
        for s in code.cell:
            self.w(f"{s.name} = {self.op(s.op)}({', '.join(s.args)})")

    def loads(self, code: Code, cell: Cell, get: str, halves: bool = False) -> None:
        """Fetch the leaves that a cell uses; `o` and `i` are its positions among the values and the sites. With `halves`,
        values that lie across two vectors are put together from these."""
        for node in code.used:
            name = self.leaf(node)
            if node in cell.loads:
                d = cell.loads[node]
                time, shift = self.earlier(d.dn, d.dm, d.state), self.plan.schedule.shift(d.dn, d.dm)
                if halves and 0 < shift < self.vector:
                    self.w(f"{name} = load_below(S{d.component}, {time}, {shift})")
                else:
                    self.w(f"{name} = {get}(S{d.component}, {moved(time, -shift)})")
            elif node in cell.starts:
                self.w(f"{name} = {get}(B{cell.starts[node]}, i)")
            elif name.startswith("w"):
                i = site_number(node)
                self.w(f"{name} = {get}(W{self.plan.buffers[i].site}, {'q' if i in self.alike else self.number(i)})")

    def number(self, i: int) -> str:
        """Where a cell's number of a site stands, or what flows to it."""
        buffer = self.plan.buffers[i]
        if not buffer.shared:
            return "i"
        n, m = (a - b for a, b in zip(buffer.at, self.plan.recurrence.sites[i].at))
        s = self.plan.schedule
        return moved(f"r - {s.delay(n, m)} * line" if s.delay(n, m) else "r", -s.shift(n, m))

    def shared_line(self) -> list[str]:
        """A statement, if there are buffers that sites share: how many lanes they have."""
        return [f"line = lanes + {self.breadth}"] if self.joint else []

    def shared_place(self) -> list[str]:
        """A statement likewise: where a cell's own number stands in them."""
        return [f"r = (t + {self.plan.buffers.before}) * line + {self.breadth} + q"] if self.joint else []

    def earlier(self, dn: int, dm: int, state: int) -> str:
        """Where the accumulated values of a predecessor's time stand, in the same lane."""
        if self.abreast:
            return f"o - (({dn} * stripe + {dm}) * {self.states} - {state}) * pitch"
        back = self.plan.schedule.delay(dn, dm) * self.states - state
        return f"o - {back} * pitch" if back else "o"

    def later(self, dn: int, dm: int) -> str:
        """Where the flow out of a later cell stands."""
        if self.abreast:
            return f"g + ({dn} * stripe + {dm}) * pitch"
        s = self.plan.schedule
        time = f"g + {s.delay(dn, dm)} * pitch" if s.delay(dn, dm) else "g"
        return moved(time, s.shift(dn, dm))

    @contextmanager
    def times(self, back: bool = False) -> Iterator[None]:
        """The loop over the times of a tile, `back` from the last to the first."""
        w = self.w
        if not self.abreast:
            with w.block("for t in range(count - 1, -1, -1):" if back else "for t in range(count):"):
                yield
            return
        # some rows at a time, each a column behind the one that it waits for: their cells do not wait for each other
        with w.block(f"for begin in range(0, rows, {TOGETHER}):"):
            w(f"some = min({TOGETHER}, rows - begin)")
            with w.block("for step in range(cols + some - 1):"), w.block("for late in range(some):"):
                w("l, m = begin + late, step - late")
                if back:
                    w("l, m = rows - 1 - l, cols - 1 - m")
                with w.block("if 0 <= m < cols:"):
                    w(f"t = l * stripe + {self.plan.schedule.margin} + m")
                    yield

    def lane_range(self) -> None:
        """Which lanes hold cells of the lattice, at time t of the tile."""
        if self.abreast:
            return
        if not self.skewed:
            self.w("low, high = FIRST[t], LAST[t]" if self.windowed else "low, high = 0, cols")
        elif not self.windowed:
            self.w("low = max(0, t0 + t - cols + 1)", "high = min(rows, t0 + t + 1)")

    def masked(self, name: str) -> None:
        """Put `none` in the lanes without a cell; abreast, nothing comes from there that counts."""
        if self.abreast:
            return
        if self.windowed and self.skewed:
            self.w("inside = lanes_within(none, t0 + t, FIRST, LAST, q)", f"{name} = within(inside, {name}, none)")
            return
        with self.w.block("if low > q or high < q + V:"):
            self.w("inside = lanes_between(none, low - q, high - q)", f"{name} = within(inside, {name}, none)")

    # --- sweeping forward ---------------------------------------------------------------------------

    def advance(self, starts: bool) -> None:
        cell = self.plan.forward(starts)
        code = self.code(cell)
        w = self.w
        arrays = [*self.S, *self.W, *(self.B if starts else [])]
        shared = ["shared"] if code.spread else []
        names = [f"d{k}_{c}" for k, c in cell.values]
        self.common(code)
        with self.straight("outside", []):
            zeros = [self.value(z) for z in self.plan.recurrence.semiring.trace.zero]
            w(f"return {bundle(f'splat({zeros[c]})' for _, c in cell.values)}")
        with self.straight("cell", [*arrays, "o", "i", "q", *self.places, *shared]):
            self.begin_cell(code)
            self.loads(code, cell, "load", halves=self.skewed and len(code.cell) <= SHORT)
            self.statements(code)
            w(f"return {bundle(code[root] for root in cell.values.values())}")
        with self.straight("keep", [*self.S, "o", "pitch", "d"]):
            w(f"{bundle(names)} = d")
            for name, (k, c) in zip(names, cell.values):
                w(f"store(S{c}, o + {k} * pitch, {name})".replace(" + 0 * pitch", ""))
        with self.sweep(variant("advance", starts), self.typed(arrays, "t0", "count", "rows", "cols", "lanes")):
            self.begin_sweep(code)
            with self.times():
                self.lane_range()
                with w.block("for q in range(0, lanes, V):"):
                    w(f"o = (t + {self.delay}) * ({self.states} * pitch) + {self.pad} + q")
                    w("i = t * lanes + q", *self.shared_place())
                    w(f"d = cell({', '.join([*arrays, 'o', 'i', 'q', *self.places, *shared])})")
                    self.masked("d")
                    w(f"keep({', '.join(self.S)}, o, pitch, d)")

    def begin_sweep(self, code: Code) -> None:
        if self.skewed:
            self.w(f"lanes = {self.plan.schedule.height}")
        if self.abreast:
            self.w("lanes = V", f"stripe = cols + {self.plan.schedule.margin}")
        self.w("pitch = lanes" if self.abreast else f"pitch = lanes + {self.pad}")
        self.w(*self.shared_line())
        if code.spread:
            self.w(f"shared = common({', '.join(self.U)})")
        self.w("none = outside()")

    # --- sweeping back ------------------------------------------------------------------------------

    def retreat(self, starts: bool, wanted: Wanted) -> None:
        cell = self.plan.backward(starts, wanted)
        code = self.code(cell)
        w, outs = self.w, self.outputs(wanted)
        flows = [self.flow_name(key) for key in self.plan.flow_keys()]
        arrays = [*self.S, *self.W, *(self.B if starts else []), *flows]
        shared = ["shared"] if code.spread else []
        written = self.written(cell, code, outs)
        names = [f"f{j}" for j in range(len(written))]
        inflows = [self.leaf(leaf) for leaf in cell.inflows]
        self.common(code)
        with self.straight("outside", []):
            w(f"return {bundle('splat(F(0))' for _ in written)}")
        with self.straight("unseeded", []):
            w(f"return {bundle('splat(F(0))' for _ in inflows)}")
        with self.straight("planted", [*self.seeds(), "t", "lanes", "q"]):
            places = [f"load(A{c}, (t * {self.states} + {k}) * lanes + q)" for k, c in cell.inflows.values()]
            w(f"return {bundle(places)}")
        with self.straight("cell", [*arrays, "o", "i", "q", "g", *self.places, *shared, "seed"]):
            self.begin_cell(code)
            w(f"{bundle(inflows)} = seed")
            self.inflow(cell)
            self.loads(code, cell, "load")
            self.statements(code)
            w(f"return {bundle(value for value, _ in written)}")
        shared_places = [name for name in self.places if name in ("r", "line")]
        with self.straight("keep", [*flows, *outs, "i", "g", "q", *shared_places, "f"]):
            w(f"{bundle(names)} = f")
            for name, (_, target) in zip(names, written):
                w(target.format(name))
        integers = ["seeded", "t0", "count", "rows", "cols", "lanes"]
        with self.sweep(variant("retreat", starts), self.typed([*arrays, *self.seeds(), *outs], *integers)):
            self.begin_sweep(code)
            w("none_planted = unseeded()")
            with self.times(back=True):
                self.lane_range()
                with w.block("for q in range(0, lanes, V):"):
                    w(f"o = (t + {self.delay}) * ({self.states} * pitch) + {self.pad} + q")
                    w("i = t * lanes + q", "g = t * pitch + q", *self.shared_place())
                    w("seed = none_planted")
                    with w.block("if seeded:"):
                        w(f"seed = planted({', '.join(self.seeds())}, t, lanes, q)")
                    w(f"f = cell({', '.join([*arrays, 'o', 'i', 'q', 'g', *self.places, *shared, 'seed'])})")
                    self.masked("f")
                    w(f"keep({', '.join([*flows, *outs, 'i', 'g', 'q', *shared_places])}, f)")

    def inflow(self, cell: Cell) -> None:
        """E of each state: the seed at an end, and the flows out of later cells."""
        for leaf, (k, c) in cell.inflows.items():
            e = self.leaf(leaf)
            for key in self.flows_into(k, c):
                self.w(f"{e} = fadd({e}, load({self.flow_name(key)}, {self.later(key[0].dn, key[0].dm)}))")

    def written(self, cell: Cell, code: Code, outs: list[str]) -> list[tuple[str, str]]:
        """(value, statement that stores it) for each result of a backward cell."""
        found: list[tuple[str, str]] = []
        for key in self.plan.flow_keys():
            root = cell.flows.get(key)
            found.append((NOTHING if root is None else code[root], f"store({self.flow_name(key)}, g, {{}})"))
        results = self.results(cell)
        for out in outs:
            if out in self.joint:
                buffer = self.plan.buffers[self.number_of(out)]
                into = [(root, self.number(i)) for i, root in cell.sites.items() if self.plan.buffers[i] == buffer]
                found += [(code[root], f"store({out}, {at}, fadd(load({out}, {at}), {{}}))") for root, at in into]
                continue
            root = results.get(out)
            place = f"store({out}, q, fadd(load({out}, q), {{}}))" if self.summed(out) else f"store({out}, i, {{}})"
            found.append((NOTHING if root is None else code[root], place))
        return found

    def outputs(self, wanted: Wanted) -> list[str]:
        """As those of any target, but one for all the sites that share a buffer."""
        return super().outputs(replace(wanted, sites=self.plan.buffers.apart(wanted.sites)))


def whole_vectors(plan: Plan, lanes: int) -> int:
    """So many lanes, made whole vectors."""
    return -(-lanes // VECTOR[plan.real]) * VECTOR[plan.real]


def padding(plan: Plan) -> int:
    """Lanes beside a time's own, for what its cells read there: whole vectors, so that every time begins with one."""
    return whole_vectors(plan, plan.schedule.max_shift)


def bundle(items: Iterable[str]) -> str:
    """A tuple as source."""
    found = list(items)
    return f"({found[0]},)" if len(found) == 1 else f"({', '.join(found)})"
