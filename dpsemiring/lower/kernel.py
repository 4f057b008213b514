"""What the kernels of a plan have in common on every target: the names of what they read, compute and give.

    S V          accumulated values, by component       W w      sites that vary from cell to cell, by number
    B start      places of starts                       x p_     numbers of one item: sites, the semiring's parameters
    G            flows to earlier cells                 A E      what flows to the ends, and into a state
    dW dp dO     what flows to a site, to a parameter, the occupancy

A target adds how these are laid out, loaded and stored, and the text of each operation.
"""

from __future__ import annotations

from dpsemiring.algebra.expr import Node
from dpsemiring.lower.cell import Cell, Flow
from dpsemiring.lower.ir import Recurrence, Site, site_number
from dpsemiring.lower.plan import Plan, Wanted


class Kernel:
    """The names that the functions of a module share."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.skewed = plan.schedule.kind == "skewed"
        self.abreast = plan.schedule.kind == "abreast"
        self.windowed = plan.recurrence.window is not None
        self.states = len(plan.recurrence.states)
        self.components = range(len(plan.kinds))
        self.S = [f"S{c}" for c in self.components]
        self.W = [f"W{i}" for i in plan.cell_sites]
        self.B = [f"B{i}" for i in range(len(plan.patterns))]
        self.U = [f"x{i}" for i in plan.item_sites] + [parameter(plan, n) for n in plan.params]

    def leaf(self, node: Node) -> str:
        """The name of a leaf of a cell."""
        name = node.payload
        if name.startswith("p."):
            return parameter(self.plan, name[2:])
        if name.startswith("site"):
            i = site_number(node)
            return f"x{i}" if i in self.plan.item_sites else f"w{i}"
        return name.replace("@", "_").replace(",", "_")

    def flow_name(self, key: tuple[Flow, int]) -> str:
        flow, c = key
        return f"G{flow.dn}_{flow.dm}_{flow.state}_{c}"

    def flows_into(self, state: int, component: int) -> list[tuple[Flow, int]]:
        """The flows that make up the E of a state."""
        return [key for key in self.plan.flow_keys() if (key[0].state, key[1]) == (state, component)]

    def seeds(self) -> list[str]:
        return [f"A{c}" for c in self.plan.recurrence.semiring.trace.moving]

    def outputs(self, wanted: Wanted) -> list[str]:
        """The results of a backward pass."""
        params = [f"d{parameter(self.plan, name)}" for name in self.plan.params] if wanted.params else []
        return [f"dW{i}" for i in wanted.sites] + params + (["dO"] if wanted.occupancy else [])

    def results(self, cell: Cell) -> dict[str, Node]:
        """What a cell adds to the results, of those that it adds to."""
        found = {f"dW{i}": root for i, root in cell.sites.items()}
        found |= {f"d{parameter(self.plan, name)}": root for name, root in cell.params.items()}
        return found if cell.occupancy is None else found | {"dO": cell.occupancy}

    @staticmethod
    def number_of(out: str) -> int | None:
        """The number of the site that a result flows to."""
        return int(out[2:]) if out.startswith("dW") else None

    def site_of(self, out: str) -> Site | None:
        """The site that a result flows to."""
        i = self.number_of(out)
        return None if i is None else self.plan.recurrence.sites[i]

    def summed(self, out: str) -> bool:
        """Whether a result is one number for the item."""
        site = self.site_of(out)
        return out.startswith("dp") or (site is not None and not site.varies)

    def outside(self, site: Site) -> float:
        """What is read outside a site's extents."""
        return self.plan.recurrence.semiring.forbid if site.role == "cost" else 0.0


def parameter(plan: Plan, name: str) -> str:
    """A parameter of the semiring in the text; by its number where a compiler might not take its letters."""
    return f"p_{name}" if name.isascii() else f"p{plan.params.index(name)}"


def variant(base: str, starts: bool) -> str:
    """The name of a sweep with or without start cells."""
    return f"{base}_starts" if starts else base


def arc_tables(recurrence: Recurrence) -> dict[str, list[list[int]]]:
    """By state and position among its arcs: the move, the source (-1: a start) and the step's index."""
    widest = max(len(arcs) for arcs in recurrence.states)
    columns = {
        "ARC_DN": lambda a: a.dn,
        "ARC_DM": lambda a: a.dm,
        "ARC_SOURCE": lambda a: -1 if a.is_start else a.source,
        "ARC_STEP": lambda a: -1 if a.is_start else a.index,
    }
    return {
        name: [[get(a) for a in arcs] + [-1] * (widest - len(arcs)) for arcs in recurrence.states]
        for name, get in columns.items()
    }
