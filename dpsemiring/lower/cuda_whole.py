"""The CUDA target, planes of which the cost is made as a whole: kernels that make it, and that take back what flows to it.

They are the functions of `cuda_sources.cuh` over arrays in place of rings. All warps work on their own: on a block of rows and a
panel of columns, or on some features of either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dpsemiring.lower.cuda_cells import Braces, wrapped
from dpsemiring.lower.cuda_sources import FORMS, MOVING, Argument, Term, structures
from dpsemiring.lower.cuda_text import Module, heading

BLOCK = 32  # rows
JOINED = 4  # columns of a lane where a row has a multiple of them


def cuda_whole(kinds: tuple[str, ...], real: str, columns: int) -> Module:
    """`make` and, for each term, `columns`, `rows` or `table`, of lanes with so many columns: `JOINED` where the plane's width is
    a multiple of that, otherwise 1."""
    text = _Text(kinds, real, columns)
    text.make()
    for k, term in enumerate(text.terms):
        if term.frames:
            text.columns(k, term)
            text.rows(k, term)
        else:
            text.table(k, term)
    return Module(text.w.text, text.kernels, ())


class _Text:
    """The kernels of some terms."""

    def __init__(self, kinds: tuple[str, ...], real: str, columns: int):
        self.w = Braces()
        self.kernels: dict[str, tuple[Argument, ...]] = {}
        self.terms = [Term(f"P{k}", kind) for k, kind in enumerate(kinds)]
        self.w("// Emitted by dpsemiring; do not edit.", *heading(real, columns=columns, span=BLOCK))
        self.w(*structures(columns))

    @contextmanager
    def kernel(self, name: str, arguments: list[Argument], tasks: dict[str, str], order: bool = False) -> Iterator[None]:
        """A kernel of which each warp does some of the tasks (b, and those by name, of how many); `order` where columns are
        sorted."""
        w = self.w
        args = [Argument("i64", x) for x in ("items", "rows", "width", "panels", "blocks")]
        args += [Argument("const bool*", "skip"), Argument("const i64*", "n_len"), Argument("const i64*", "m_len"), *arguments]
        self.kernels[name] = tuple(args)
        w("", f'extern "C" __global__ void {name}(', *wrapped(args))
        with w.block(")"):
            w("const int lane = threadIdx.x % LANES;")
            w("const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;")
            count = " * ".join(["items", *tasks.values()])
            with w.block(f"for (i64 q = warp; q < {count}; q += i64(gridDim.x) * blockDim.x / LANES)"):
                w("i64 rest = q;")
                for task, count in tasks.items():
                    w(f"const i64 {task} = rest % ({count});", f"rest /= {count};")
                w("const i64 b = rest;", "if (skip[b] || !n_len[b] || !m_len[b]) continue;")
                yield

    def panel(self, name: str, forbid: str) -> None:
        """The whole array as the ring of panel p."""
        self.w(
            "const int first = int(p) * WIDTH, across = int(min(i64(WIDTH), width - first));",
            "F* const part = plane + b * rows * width + first;",
            f"const Ring {name} = {{part, int(n_len[b]), int(m_len[b]), first, lane, across, -1, width, width, {forbid}}};",
        )

    def block(self) -> None:
        self.w(f"const int from = int(block) * {BLOCK}, to = int(min(n_len[b], i64(from + {BLOCK})));")

    def make(self) -> None:
        """All costs."""
        args = [Argument("F*", "plane"), Argument("double", "forbid"), *(a for term in self.terms for a in term.inputs())]
        w = self.w
        with self.kernel("make", args, {"p": "panels", "block": "blocks"}):
            w(*(term.of_item(order=False) for term in self.terms))
            self.panel("W", "F(forbid)")
            self.block()
            for k, term in enumerate(self.terms):
                form, left = (f"<{FORMS[term.kind]}>", ", first + lane * COLUMNS") if term.frames else ("", "")
                w(f"fill{form}(W, {term.name}{left}, from, to, {str(k == 0).lower()});")

    def _gradient(self, term: Term, array: str) -> list[Argument]:
        names = f"d{term.name}_{array}", f"d{term.name}_{array}_b"
        return [Argument("F*", "plane"), *term.inputs(), *(a for a in term.gradients() if a.name in names)]

    def columns(self, k: int, term: Term) -> None:
        """What flows to the columns' frames: to some features of a panel's."""
        quads = f"(({term.name}_depth + QUAD - 1) / QUAD)"
        with self.kernel(f"columns{k}", self._gradient(term, "down"), {"quad": quads, "p": "panels"}):
            self.w(term.of_item(order=False))
            self.panel("Q", "0")
            to = f"d{term.name}_down + b * d{term.name}_down_b"
            place = "first + lane * COLUMNS, 0, Q.rows, int(quad) * QUAD, int(quad + 1) * QUAD"
            self.w(f"drain_columns<{FORMS[term.kind]}>(Q, {term.name}, {to}, {place});")

    def rows(self, k: int, term: Term) -> None:
        """What flows to the rows' frames: to some features of a few."""
        w, fields = self.w, f"(({term.name}_depth + LANES - 1) / LANES)"
        with self.kernel(f"rows{k}", self._gradient(term, "x"), {"field": fields, "few": "((rows + TALL - 1) / TALL)"}):
            w(term.of_item(order=False), "const int from = int(few) * TALL, to = int(min(n_len[b], i64(from + TALL)));")
            with w.block("for (i64 p = 0; p < panels && p * WIDTH < m_len[b]; p++)"):
                self.panel("Q", "0")
                to = f"d{term.name}_x + b * d{term.name}_x_b"
                place = f"from, to, int(field) * LANES, min(int(field + 1) * LANES, {term.name}.depth)"
                w(f"drain_rows<{FORMS[term.kind]}>(Q, {term.name}, {to}, {place});")

    def table(self, k: int, term: Term) -> None:
        """What flows to a table, from a block of rows."""
        w = self.w
        order = Argument("int*", f"all_{term.name}", ("warps", 2, "across"))
        (array,) = MOVING[term.kind]
        with self.kernel(f"table{k}", [*self._gradient(term, array), order], {"block": "blocks"}):
            w(term.of_item(order=True))
            self.block()
            part = "(b * blocks + block)" if term.kind == "lookups" else "b"
            with w.block("for (i64 p = 0; p < panels && p * WIDTH < m_len[b]; p++)"):
                self.panel("Q", "0")
                w("__syncwarp();", f"sort(Q, {term.name});")
                w(f"drain(Q, {term.name}, d{term.name}_{array} + {part} * d{term.name}_{array}_b, from, to);")
