"""What the emitters share: graphs as numbered statements, split by what changes from cell to cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dpsemiring.algebra.expr import BOOL, Node, postorder, value_of

ALIASES = ("stop", "envelope")  # marks for differentiation only


@dataclass(frozen=True)
class Statement:
    """name = op(args)."""

    name: str
    op: str
    args: tuple[str, ...]
    kind: str


class Code:
    """The statements that compute some roots.

    `shared` statements depend only on constants and numbers that every cell of an item shares; they run once.
    `cell` statements run for each cell. `used` are the leaves met, `constants` the constants that cells use, and
    `spread` the shared values that they use, under another name: shared values are float64, a cell's may be float32, and a
    vector target must put them in every lane. A scalar target passes `constant`, which writes one in place (told
    whether among the shared ones); then `constants` stays empty.
    """

    def __init__(
        self,
        roots: list[Node],
        leaf: Callable[[Node], str],
        is_shared: Callable[[Node], bool],
        constant: Callable[[Node, bool], str] | None = None,
    ):
        self._in_place = constant
        self.shared: list[Statement] = []
        self.cell: list[Statement] = []
        self.used: list[Node] = []
        self.constants: dict[str, Node] = {}
        self.spread: dict[str, str] = {}
        self._names: dict[int, str] = {}
        self._shared: dict[int, bool] = {}
        for node in postorder(roots):
            self._visit(node, leaf, is_shared)
        self.roots = {id(r): self._in_cell(r) for r in roots}

    @property
    def shared_kinds(self) -> dict[str, str]:
        """The kind of each shared value that a statement computes; leaves are real."""
        return {s.name: s.kind for s in self.shared}

    def __getitem__(self, root: Node) -> str:
        """The name of a root's value in a cell."""
        return self.roots[id(root)]

    def _visit(self, node, leaf, is_shared):
        if node.op == "const":
            self._shared[id(node)] = True
            return
        if node.op in ALIASES:
            inner = node.args[0]
            self._shared[id(node)] = self._shared[id(inner)]
            self._names[id(node)] = self._names.get(id(inner), "") or self._constant(inner, cell=False)
            return
        if not node.args:
            self.used.append(node)
            self._names[id(node)] = leaf(node)
            self._shared[id(node)] = is_shared(node)
            return
        # conditions stay in the cell: how many lanes one must fill, its kind does not tell
        shared = node.kind != BOOL and all(self._shared[id(a)] for a in node.args)
        self._shared[id(node)] = shared
        into = self.shared if shared else self.cell
        args = tuple(self._in_shared(a) if shared else self._in_cell(a) for a in node.args)
        name = f"{'u' if shared else 't'}{len(into)}"
        self._names[id(node)] = name
        into.append(Statement(name, node.op, args, node.kind))

    def _constant(self, node, cell=True):
        if self._in_place:
            return self._in_place(node, not cell)
        for name, known in self.constants.items():
            if known is node:
                return name if cell else name.replace("c", "k", 1)
        name = f"c{len(self.constants)}"
        self.constants[name] = node
        return name if cell else name.replace("c", "k", 1)

    def _in_shared(self, node):
        return self._constant(node, cell=False) if node.op == "const" else self._names[id(node)]

    def _in_cell(self, node):
        if node.op == "const":
            return self._constant(node)
        name = self._names[id(node)]
        if not self._shared[id(node)]:
            return name
        return self.spread.setdefault(name, f"{name}_")


def literal(node: Node, infinity: str, nan: str) -> str:
    """A constant as source text, exact."""
    value = value_of(node)
    if isinstance(value, int):
        return str(value)
    if value != value:
        return nan
    if value in (float("inf"), -float("inf")):
        return ("-" if value < 0 else "") + infinity
    return repr(value)


def moved(index: str, by: int) -> str:
    """The text of an index so far away."""
    return f"{index} {'+' if by > 0 else '-'} {abs(by)}" if by else index


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
