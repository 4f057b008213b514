"""The CUDA target at the ends of an alignment: the outputs, and what flows back to the ends, each in one kernel.

A warp sweeps over the ends of an item, once for each sum that waits for another; where an item has a single end, a thread
does for it. Numbers are float64 throughout. They are never contracted into multiply-adds, so that a number comes out alike
in every sweep. What lanes add up is joined in one order: the same ends give the same bits.
"""

from __future__ import annotations

from contextlib import contextmanager

from dpsemiring.algebra.expr import BOOL, FOLDS, INT, REAL, Node, const, postorder
from dpsemiring.algebra.unroll import neutral
from dpsemiring.lower.cuda_cells import OPERATIONS, ROUNDED, Braces, in_double, wrapped
from dpsemiring.lower.cuda_text import Argument, Module, kind_of_number
from dpsemiring.lower.ends import EndGraphs
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.schedule import LANES
from dpsemiring.lower.text import ALIASES, moved

TYPES = {REAL: "double", INT: "i64", BOOL: "bool"}
_SAME = (*ALIASES, "spread", "derived_as")
_ITEM, _END = ("items",), ("items", "each")
_READ = """
// A number of an item's part of an array, or what is read outside its extents.
template <class T>
__device__ double read(const T* part, i64 n_apart, i64 m_apart, i64 rows, i64 cols, i64 n, i64 m, double outside) {
    return 0 <= n && n < rows && 0 <= m && m < cols ? part[n * n_apart + m * m_apart] : outside;
}
"""


def cuda_ends(recurrence: Recurrence, real: str, alone: bool) -> Module:
    """The kernel `total`, and `flows` where the semiring has a derivative, for values of a kind of number; with `alone`, for
    items of one end each. What a graph of `EndGraphs` is kept in has its name."""
    graphs = EndGraphs(recurrence, alone)
    w = _Ends(graphs, real)
    w.begin()
    outputs = {f"out{i}": root for i, root in enumerate(graphs.outputs.values())}
    w.kernel("total", outputs | {"some": graphs.some} | ({"chosen": graphs.chosen} if graphs.chosen is not None else {}), {})
    if recurrence.semiring.derivative:
        values, sites, params = graphs.flows
        to_ends = {f"dA{c}": root for c, root in enumerate(values)} | {f"dS{i}": root for i, root in sites.items()}
        w.kernel("flows", {f"dp{i}": root for i, root in enumerate(params.values())}, to_ends)
    return Module(w.text, w.kernels, ())


class _Ends(Braces):
    """The text, as it grows."""

    def __init__(self, graphs: EndGraphs, real: str):
        super().__init__()
        self.graphs, self.alone = graphs, graphs.alone
        single = real == "float32"
        self.value = {REAL: "float" if single else "double", INT: "int" if single else "i64"}
        self.kernels: dict[str, tuple[Argument, ...]] = {}
        self.leaves = {graphs.exist: "exist", graphs.which: "which", graphs.place: "e", graphs.lost: "lost"}
        self.leaves |= {leaf: f"v{c}" for c, leaf in enumerate(graphs.values)}
        self.leaves |= {leaf: f"s{i}" for i, leaf in graphs.sites.items()}
        self.leaves |= {leaf: f"p{i}" for i, leaf in enumerate(graphs.trace.params.values())}

    def begin(self) -> None:
        self("// Emitted by dpsemiring; do not edit.", *kind_of_number("float64"), "")
        self(f"constexpr int LANES = {1 if self.alone else LANES};  // that serve an item")
        self(*([] if self.alone else ["constexpr unsigned WARP = 0xffffffffu;"]))
        if self.graphs.sites:
            self(*_READ.splitlines())

    def inputs(self) -> list[Argument]:
        """What both kernels are given first."""
        real = self.value[REAL]
        args: list[tuple] = [("i64", "items"), ("i64", "each"), ("const bool*", "skip"), ("const bool*", "stands")]
        if self.graphs.sites:
            args += [("const i64*", name) for name in ("end_n", "end_m", "end_which", "n_len", "m_len")]
        for i in self.graphs.sites:
            args += [(f"const {real}*", f"a{i}")] + [("i64", f"a{i}_{x}") for x in ("b", "n", "m", "more_n", "more_m")]
        for i in range(len(self.graphs.trace.params)):
            args += [("const double*", f"all_p{i}"), ("i64", f"own_p{i}")]
        args += [(f"const {self.value[kind]}*", f"D{c}") for c, kind in enumerate(self.graphs.trace.kinds)]
        return [Argument(*a) for a in args]

    def kernel(self, name: str, of_item: dict[str, Node], of_ends: dict[str, Node]) -> None:
        """A kernel that gives numbers of each item, and of each end."""
        arguments = [*self.inputs(), *(Argument(f"{TYPES[root.kind]}*", out, _ITEM) for out, root in of_item.items())]
        for out in of_ends:
            arguments.append(Argument(f"{self.value[REAL] if out.startswith('dA') else 'double'}*", out, _END))
        self.kernels[name] = tuple(arguments)
        self("", f'extern "C" __global__ void {name}(', *wrapped(arguments))
        with self.block(")"):
            self("const i64 thread = blockIdx.x * i64(blockDim.x) + threadIdx.x, threads = gridDim.x * i64(blockDim.x);")
            self("const int lane = thread % LANES;")
            with self.block("for (i64 b = thread / LANES; b < items; b += threads / LANES)"):
                self.items([*of_item.values(), *of_ends.values()])
                self(*(f"if (lane == 0) {out}[b] = {self.name(root)};" for out, root in of_item.items()))
                if of_ends:
                    with self.sweep(list(of_ends.values())):
                        mine = "" if self.alone else "if (here) "
                        self(*(f"{mine}{out}[at] = {self.name(root)};" for out, root in of_ends.items()))

    def items(self, roots: list[Node]) -> None:
        """All that an item has one of: what needs no sweep, what a first sweep adds up, what needs that, and so on."""
        order = self.order = postorder(roots)
        sweeps: dict[int, int] = {}  # that come before a node
        for node in order:
            sweeps[id(node)] = max((sweeps[id(a)] for a in node.args), default=0) + (node.op in FOLDS)
        self.names = {id(node): f"{'t' if node.axis else 'x'}{i}" for i, node in enumerate(order)}
        self.met: set[str] = set()  # of which a flag tells whether an end before has it
        if self.alone:
            self("const i64 at = b;")
        for turn in range(max(sweeps.values(), default=0) + 1):
            ready = [n for n in order if not n.axis and sweeps[id(n)] == turn]
            self.reduce([n for n in ready if n.op in FOLDS])
            self.statements([n for n in ready if n.op not in FOLDS])

    @contextmanager
    def sweep(self, roots: list[Node]):
        """The loop over an item's ends, `at` being that of the lane, and what the roots have for each. A lane that is not
        `here` goes along with an end of another."""
        if self.alone:
            yield
            return
        nodes = self.along(roots)
        for x in (self.name(n) for n in nodes if n.op == "first"):
            self(f"{'' if x in self.met else 'bool '}met_{x} = false;")
            self.met.add(x)
        with self.block("for (i64 from = 0; from < each; from += LANES)"):
            self("const bool here = from + lane < each;", "const i64 e = here ? from + lane : each - 1, at = b * each + e;")
            self.statements(nodes)
            yield

    def along(self, roots: list[Node]) -> list[Node]:
        """What each end needs for the roots."""
        needed = {id(r) for r in roots}
        for node in reversed(self.order):
            if node.axis and id(node) in needed:
                needed.update(map(id, node.args[:1] if node.op in _SAME else node.args))
        return [n for n in self.order if n.axis and id(n) in needed]

    def reduce(self, reductions: list[Node]) -> None:
        """A sweep that adds up, and the lanes' sums joined; all of them get the same."""
        if not reductions:
            return
        joined = {self.name(r): (TYPES[r.kind], FOLDS[r.op], r) for r in reductions}
        self(*(f"{kind} {x} = {self.constant(neutral(r))};" for x, (kind, _, r) in joined.items()))
        with self.sweep([r.args[0] for r in reductions]):
            for x, (_, op, r) in joined.items():
                self(f"{x} = {self.operation(op, r.kind, (x, self.name(r.args[0])))};")
        self("#pragma unroll")
        with self.block("for (int far = LANES / 2; far > 0; far /= 2)"):
            for x, (kind, op, r) in joined.items():
                self(f"const {kind} far_{x} = __shfl_down_sync(WARP, {x}, far);")
                self(f"{x} = {self.operation(op, r.kind, (x, f'far_{x}'))};")
        self(*(f"{x} = __shfl_sync(WARP, {x}, 0);" for x in joined))

    def statements(self, nodes: list[Node]) -> None:
        """What is read, then what is computed."""
        leaves = {id(n) for n in nodes if not n.args}
        if not leaves.isdisjoint(map(id, self.graphs.sites.values())):
            leaves.add(id(self.graphs.exist))
        for leaf in self.leaves:
            if id(leaf) in leaves and leaf is not self.graphs.place:
                self(f"const {TYPES[leaf.kind]} {self.name(leaf)} = {self.read(leaf)};")
        for node in nodes:
            if not node.args or node.op in _SAME:
                continue
            x, args = self.name(node), tuple(map(self.name, node.args))
            if node.op == "first":
                self(f"const unsigned votes_{x} = __ballot_sync(WARP, {args[0]});")
                self(f"const bool {x} = {args[0]} && !met_{x} && !(votes_{x} & ((1u << lane) - 1));")
                self(f"met_{x} |= votes_{x} != 0;")
            else:
                self(f"const {TYPES[node.kind]} {x} = {self.operation(node.op, node.kind, args)};")

    def read(self, leaf: Node) -> str:
        """A leaf's number, of item b and the end `at`."""
        name, graphs = self.leaves[leaf], self.graphs
        if leaf is graphs.exist:
            return f"{'' if self.alone else 'here && '}!skip[b] && (!stands || stands[at])"
        if leaf is graphs.which:
            return "end_which[at]"
        if leaf is graphs.lost:
            return "skip[b]"
        if name.startswith("v"):
            return f"D{name[1:]}[at]"
        if name.startswith("p"):
            return f"all_{name}[b * own_{name}]"
        site = graphs.r.sites[int(name[1:])]
        outside = self.constant(const(graphs.r.semiring.forbid if site.role == "cost" else 0.0))
        a = f"a{name[1:]}"
        sizes = f"n_len[b] + {a}_more_n, m_len[b] + {a}_more_m"
        place = f"{moved('end_n[at]', site.at[0])}, {moved('end_m[at]', site.at[1])}"
        return f"exist ? read({a} + b * {a}_b, {a}_n, {a}_m, {sizes}, {place}, {outside}) : {outside}"

    def name(self, node: Node) -> str:
        """The text of a node's value, once it is there."""
        if node.op in _SAME:
            return self.name(node.args[0])
        if node.op == "const":
            return self.constant(node)
        return self.leaves.get(node) or self.names[id(node)]

    @staticmethod
    def constant(node: Node) -> str:
        return in_double(node)

    @staticmethod
    def operation(op: str, kind: str, args: tuple[str, ...]) -> str:
        text = ROUNDED[op] if op in ROUNDED and kind == REAL else OPERATIONS[op]
        return text.format(*args, f="", d="d")
