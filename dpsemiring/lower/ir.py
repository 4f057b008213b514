"""The recurrence: what a topology and a semiring come to, before any order of evaluation or target is chosen.

    recurrence := state* site* end*            states in an order in which (0, 0) arcs lead forward
    state      := name, arc*                   candidates of the n-ary sum, in their fixed order
    arc        := origin, source, weight, site*      the sites after the weight are masks: 0 means "not here"
    origin     := start(index, pattern) | step(index, dn, dm)
    source     := index of a state | none      (starts have none)
    weight     := (paid, tangent*) | none            (none pays nothing: it encodes to `one`; a dual pays a tangent too)
    paid       := expression over site leaves
    tangent    := expression over site leaves
    site       := cost(plane, at) | number(param, entry) | mask(param, columns)   a real number at each cell
    end        := pattern, state, weight, index

    D[n, m, k] = SUM over arcs a of k:  TIMES(D[n - dn, m - dm, source], ENCODE(weight))   where masks hold
    total      = DECODE(SUM over ends e and their cells:  TIMES(D[cell, state], ENCODE(weight)))

A site's `at` shifts the cell that is read; a cost outside its plane is the semiring's `forbid`. The lattice has
`extra` more rows and columns than the cost; with a window, of each row only a range of columns given at the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dpsemiring.algebra.expr import Node, postorder, show, var
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.param import Param
from dpsemiring.declare.window import Window


@dataclass(frozen=True)
class Site:
    """A real number that cells read: a cost at an offset, a parameter, or a mask (0 or 1)."""

    role: str  # "cost" | "number" | "mask"
    name: str
    axes: str = "bnm"
    at: tuple[int, int] = (0, 0)
    entry: tuple[int, ...] = ()
    differs: int | None = None

    @property
    def varies(self) -> bool:
        """Whether it changes within one item's lattice."""
        return "n" in self.axes or "m" in self.axes

    def __str__(self):
        at = "".join(f"{a:+d}" if a else "" for a in self.at[:1]), "".join(f"{a:+d}" if a else "" for a in self.at[1:])
        index = [f"{x}{o}" for x, o in zip("nm", at) if x in self.axes] + list(map(str, self.entry))
        text = f"{self.name}[{', '.join(index)}]" if index else self.name
        return text if self.differs is None else f"({text} differs {self.differs:+d})"


@dataclass(frozen=True)
class Arc:
    """One candidate of a cell's sum."""

    index: int  # of the start or step in the declaration
    dn: int
    dm: int
    source: int | None
    weight: tuple[Node, ...] | None
    masks: tuple[int, ...] = ()
    pattern: tuple[int | None, int | None] | None = None  # of a start

    @property
    def is_start(self) -> bool:
        return self.pattern is not None


@dataclass(frozen=True)
class End:
    """A cell, or line of cells, at which paths may end."""

    index: int
    pattern: tuple[int | None, int | None]
    state: int
    weight: tuple[Node, ...] | None


@dataclass(frozen=True, eq=False)
class Recurrence:
    """The whole problem. `states[k]` are the arcs into state k; `order` is the order of evaluation in a cell."""

    semiring: Semiring
    state_names: tuple[str | None, ...]
    states: tuple[tuple[Arc, ...], ...]
    order: tuple[int, ...]
    sites: tuple[Site, ...]
    ends: tuple[End, ...]
    planes: tuple[str, ...]
    extra: tuple[int, int]
    penalties: tuple[int, ...] = ()  # sites that are added as they stand
    window: Window | None = None

    @property
    def arcs(self) -> tuple[Arc, ...]:
        return tuple(a for arcs in self.states for a in arcs)

    @property
    def steps(self) -> tuple[Arc, ...]:
        return tuple(a for a in self.arcs if not a.is_start)

    @property
    def differentiable(self) -> frozenset[str]:
        """The names of the Params that have a derivative: numbers that are paid, and the semiring's; no masks, no windows'."""
        paid = {site.name for site in self.sites if site.role == "number"}
        return frozenset(paid | {v.name for v in self.semiring.params.values() if isinstance(v, Param)})

    @cached_property
    def ends_read(self) -> bool:
        """Whether a cost is paid at an end."""
        return any(self.sites[i].role == "cost" for e in self.ends if e.weight for _, i in sites_of(e.weight))

    @property
    def reach(self) -> tuple[int, int]:
        """The longest move along each axis."""
        return max((a.dn for a in self.steps), default=0), max((a.dm for a in self.steps), default=0)

    def __str__(self):
        # names, no values: a kernel's text must not change with the value of a parameter
        lines = [f"recurrence over {self.semiring.name}({', '.join(self.semiring.params)})"]
        for k in self.order:
            lines.append(f"  D{_suffix(self.state_names[k])}[n, m] = sum of")
            lines += [f"    {self._arc(a)}" for a in self.states[k]]
        lines.append("  total = decode of sum of")
        lines += [f"    {self._end(e)}" for e in self.ends]
        if self.window is not None:
            lines.append("  where lo[n] <= m < hi[n]")
        return "\n".join(lines)

    def _arc(self, a):
        if a.is_start:
            text = f"start {a.index} at {_place(a.pattern)}: {self._weight(a.weight)}"
        else:
            cell = f"D{_suffix(self.state_names[a.source])}[n-{a.dn}, m-{a.dm}]".replace("-0", "")
            text = f"times({cell}, {self._weight(a.weight)})"
        return text + "".join(f"   where {self.sites[i]}" for i in a.masks)

    def _end(self, e):
        return f"times(D{_suffix(self.state_names[e.state])} at {_place(e.pattern)}, {self._weight(e.weight)})"

    def _weight(self, weight):
        if weight is None:
            return "one"
        text = ", ".join(map(show, weight))
        for i in reversed(range(len(self.sites))):
            text = text.replace(site_name(i), str(self.sites[i]))
        return f"encode({text})"


def site_name(i: int) -> str:
    return f"site{i}"


def site_leaf(i: int) -> Node:
    """The leaf of an expression that stands for site i."""
    return var(site_name(i))


def site_number(leaf: Node) -> int:
    """Which site a leaf stands for."""
    return int(leaf.payload.removeprefix("site"))


def sites_of(weight: tuple[Node, ...]) -> list[tuple[Node, int]]:
    """The leaves of a weight and the sites that they stand for."""
    return [(leaf, site_number(leaf)) for leaf in postorder(list(weight)) if leaf.op == "var"]


def _suffix(state):
    return "" if state is None else f"_{state}"


def _place(pattern):
    return "[" + ", ".join("any" if i is None else str(i) for i in pattern) + "]"
