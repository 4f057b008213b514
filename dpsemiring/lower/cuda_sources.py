"""The CUDA target, planes whose cost is made as it is needed: what kernels are given of them, and when rows are made and drained.

`cuda_sources.cuh` tells how. All cells read such a plane at the same place from their own, so that it has one site, i:

    W Q     the rings of rows, and of what flows to them
    P       what each term of the cost is made of, dP what flows to that
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.schedule import LANES
from dpsemiring.lower.text import Writer, moved

# the arrays of a kernel kind; "lookups" are entries of rows that are named
ARRAYS = {
    "differences": ("x", "y", "down"),
    "products": ("x", "y", "down"),
    "entries": ("table", "labels"),
    "lookups": ("table", "rows", "labels"),
}
# by array to which something flows its extents: of each item, of a table whose rows are looked up of each panel
_FRAMES = {"x": ("tall", "depth"), "down": ("depth", "wide")}
MOVING = {
    "differences": _FRAMES,
    "products": _FRAMES,
    "entries": {"table": ("tall", "wide")},
    "lookups": {"table": ("tall", "wide")},
}
FORMS = {"differences": "Differences", "products": "Products"}
_WHOLE_NUMBERS = ("rows", "labels")


@dataclass(frozen=True)
class Argument:
    """A parameter of a kernel.

    `shape`, if any, is that of an array which the caller makes where it has none of that name: numbers, or "items",
    "panels" of the widest item, "rows" of the longest, its "spans", "warps" of the launch, those that a plan gives, and
    whole numbers that the kernel is given.
    It is all 0 if `cleared`; otherwise it need not be filled.
    """

    type: str
    name: str
    shape: tuple[int | str, ...] = ()
    cleared: bool = False

    def __str__(self):
        return f"{self.type} {self.name}"


def ring(times: int) -> int:
    """How many rows a ring has: at least those that lanes come to during so many times, and a power of 2."""
    return 1 << (times + LANES - 1).bit_length()


def structures(joined: int) -> list[str]:
    """The structures, after those of panels; so many flows of a row can be fetched at once."""
    text = Path(__file__).with_name("cuda_sources.cuh").read_text(encoding="utf-8")
    return ["", f"constexpr int JOINED = {joined};", *text.splitlines()]


def reads_once(recurrence: Recurrence, plane: str) -> bool:
    """Whether all cells read a plane at one place from their own: then its cost can be made as it is needed."""
    return sum(s.role == "cost" and s.name == plane for s in recurrence.sites) == 1


@dataclass(frozen=True)
class Term:
    """One of the terms of a plane's cost."""

    name: str
    kind: str

    @property
    def frames(self) -> bool:
        return self.kind in FORMS

    def inputs(self) -> list[Argument]:
        args = []
        for a in ARRAYS[self.kind]:
            args += [Argument("const int*" if a in _WHOLE_NUMBERS else "const F*", f"{self.name}_{a}")]
            args += [Argument("i64", f"{self.name}_{a}_b")]
        args.append(Argument("i64", f"{self.name}_{'depth' if self.frames else 'apart'}"))
        return [*args, Argument("i64", f"{self.name}_wide"), Argument("double", f"{self.name}_scale")]

    def gradients(self) -> list[Argument]:
        lead = ("items", "panels") if self.kind == "lookups" else ("items",)
        args = []
        for a, extents in MOVING[self.kind].items():
            shape = (*lead, *(f"{self.name}_{extent}" for extent in extents))
            args += [Argument("F*", f"d{self.name}_{a}", shape, cleared=True), Argument("i64", f"d{self.name}_{a}_b")]
        return args

    def of_item(self, order: bool) -> str:
        """The statement that names an item's part; `order` where its columns have to be sorted."""
        n = self.name
        part = {a: f"{n}_{a} + b * {n}_{a}_b" for a in ARRAYS[self.kind]}
        if self.frames:
            return f"const Frames {n} = {{{', '.join(part.values())}, {n}_wide, int({n}_depth), F({n}_scale)}};"
        places = (f"all_{n} + warp * 2 * WIDTH", f"all_{n} + (warp * 2 + 1) * WIDTH") if order else ("nullptr", "nullptr")
        rows = part.get("rows", "nullptr")
        given = [part["table"], rows, part["labels"], f"{n}_apart", f"{n}_wide", f"F({n}_scale)", *places]
        return f"const Entries {n} = {{{', '.join(given)}}};"


@dataclass(frozen=True)
class Plane:
    """A plane whose cost is made as it is needed."""

    site: int
    at: tuple[int, int]
    terms: tuple[Term, ...]

    def ring(self, name: str, rows: int, wide: str, forbid: str) -> str:
        """The statement that names a ring of so many rows of panel p. Of a plane without columns no rows are made."""
        i = self.site
        cols = f"int(m_len[b] + a{i}_more_m)"
        extents = f"{cols} > 0 ? int(n_len[b] + a{i}_more_n) : 0, {cols}"
        first = moved("int(p) * WIDTH", self.at[1])
        place = f"all_{name}{i} + warp * {rows} * WIDTH"
        return f"const Ring {name}{i} = {{{place}, {extents}, {first}, lane, WIDTH, {rows - 1}, WIDTH, {wide}, {forbid}}};"

    def rows(self, begin: str, stop: str) -> str:
        """The statement that names those of its rows which these rows of the lattice read."""
        n = self.at[0]
        return f"const int from = max({moved(begin, n)}, 0), to = min({moved(stop, n)}, W{self.site}.rows);"

    def fill(self, w: Writer) -> None:
        for k, term in enumerate(self.terms):
            form, left = (f"<{FORMS[term.kind]}>", ", z.left") if term.frames else ("", "")
            w(f"fill{form}(W{self.site}, {term.name}{left}, from, to, {str(k == 0).lower()});")

    def drain(self, w: Writer) -> None:
        for term in self.terms:
            part = "task" if term.kind == "lookups" else "b"
            to = ", ".join(f"d{term.name}_{a} + {part} * d{term.name}_{a}_b" for a in MOVING[term.kind])
            form, left = (f"<{FORMS[term.kind]}>", ", z.left") if term.frames else ("", "")
            w(f"drain{form}(Q{self.site}, {term.name}, {to}{left}, from, to);")


class Planes:
    """The statements about all such planes of a plan."""

    def __init__(self, plan: Plan, w: Writer):
        self.w = w
        self.of: dict[int, Plane] = {}
        self._schedule, self._rows = plan.schedule, 0
        self._drains: tuple[str, ...] = ()
        self._names = [site.name for site in plan.recurrence.sites]
        for p, (name, kinds) in enumerate(plan.fused):
            site = next(i for i, s in enumerate(plan.recurrence.sites) if s.role == "cost" and s.name == name)
            terms = tuple(Term(f"P{p}_{k}", kind) for k, kind in enumerate(kinds))
            self.of[site] = Plane(site, plan.recurrence.sites[site].at, terms)

    def __bool__(self) -> bool:
        return bool(self.of)

    def begin(self, wanted: Wanted = Wanted(), ahead: bool = False) -> None:
        """A kernel begins that drains what is wanted so; one that goes `ahead` looks back at no more rows than lanes are at."""
        self._drains = wanted.drains
        self._rows = ring(self._schedule.chunk if ahead else self._schedule.height)

    def drains(self, site: int | None) -> bool:
        """Whether what flows to a site goes on to what its costs are made of."""
        return site in self.of and self._names[site] in self._drains

    def drained(self) -> Iterator[Plane]:
        return (plane for site, plane in self.of.items() if self.drains(site))

    def rings(self) -> list[Argument]:
        """Room for the rings of a kernel."""
        args = []
        for i, plane in self.of.items():
            args += [Argument("F*", f"all_{x}{i}", ("warps", self._rows, "across")) for x in ("W", *("Q" * self.drains(i)))]
            if self.drains(i):
                args += [Argument("int*", f"all_{t.name}", ("warps", 2, "across")) for t in plane.terms if not t.frames]
        return args

    def of_item(self) -> None:
        for i, plane in self.of.items():
            self.w(*(term.of_item(self.drains(i)) for term in plane.terms))

    def of_panel(self, forbid: str) -> None:
        for i, plane in self.of.items():
            self.w(plane.ring("W", self._rows, f"a{i}_n", forbid))

    def flows(self) -> None:
        """The rings of what flows, which begin with zeros."""
        for plane in self.drained():
            self.w(plane.ring("Q", self._rows, "0", "0"), f"Q{plane.site}.clear(0, {self._rows});")
            self.w(*(f"sort(W{plane.site}, {t.name});" for t in plane.terms if not t.frames))

    def fill(self, begin: str, stop: str) -> None:
        """Make the costs that rows of the lattice read."""
        for i, plane in self.of.items():
            with self.w.block(f"if (W{i}.cols > 0)"):
                self.w(plane.rows(begin, stop))
                plane.fill(self.w)

    def drain(self, begin: str, stop: str) -> None:
        """Take back what flows to them."""
        for plane in self.drained():
            with self.w.block(f"if (W{plane.site}.cols > 0)"):
                self.w(plane.rows(begin, stop), "__syncwarp();")
                with self.w.block(f"if (Q{plane.site}.flows(from, to))"):
                    plane.drain(self.w)
                    self.w("__syncwarp();", f"Q{plane.site}.clear(from, to);")
