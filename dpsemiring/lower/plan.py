"""The plan: everything that fixes the text of a kernel, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from dpsemiring.algebra.expr import INT
from dpsemiring.lower import cell as cells
from dpsemiring.lower.buffers import Buffers
from dpsemiring.lower.cell import Cell, Flow, patterns
from dpsemiring.lower.ir import Recurrence, site_number
from dpsemiring.lower.rewrite import with_reciprocals
from dpsemiring.lower.schedule import HEIGHT, Schedule, schedule

REALS = ("float32", "float64")


@dataclass(frozen=True)
class Wanted:
    """What a backward pass must give: flows to these sites, to the semiring's parameters, the occupancy.

    Flows to the sites of the planes in `drains` go on to what their costs are made of."""

    sites: tuple[int, ...] = ()
    params: bool = False
    occupancy: bool = False
    drains: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Plan:
    """A recurrence with its schedule, for one kind of number.

    `fused` are the planes whose cost is never made as a whole, each with the kernel kinds of its terms."""

    recurrence: Recurrence
    schedule: Schedule
    real: str
    fused: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @cached_property
    def patterns(self):
        return patterns(self.recurrence)

    @property
    def exact(self) -> bool:
        """Whether values must come out alike on every backend, as a choice between candidates depends on them."""
        return self.recurrence.semiring.trace.exact

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.recurrence.semiring.trace.kinds

    @cached_property
    def cell_sites(self) -> tuple[int, ...]:
        """Sites that vary from cell to cell."""
        return tuple(i for i, s in enumerate(self.recurrence.sites) if s.varies)

    @cached_property
    def buffers(self) -> Buffers:
        """What they are read from."""
        return Buffers(self.recurrence.sites, self.cell_sites, self.schedule)

    @cached_property
    def item_sites(self) -> tuple[int, ...]:
        """Sites that are one number for each item."""
        return tuple(i for i, s in enumerate(self.recurrence.sites) if not s.varies)

    @cached_property
    def params(self) -> tuple[str, ...]:
        return tuple(self.recurrence.semiring.trace.params)

    @property
    def always_starts(self) -> bool:
        """Whether every strip has start cells."""
        return any(n is None for n, _ in self.patterns)

    @cached_property
    def starts_everywhere(self) -> bool:
        """Whether every tile of a strip has start cells."""
        return any(n is None and (m is None or self.schedule.kind != "skewed") for n, m in self.patterns)

    def start_variants(self, always: bool) -> tuple[bool, ...]:
        """The kinds of strip, or tile, there are: with starts, without."""
        return (True,) if always else (True, False)

    def forward(self, starts: bool) -> Cell:
        return self._finish(cells.forward(self.recurrence, starts=starts))

    def backward(self, starts: bool, wanted: Wanted) -> Cell:
        return self._finish(
            cells.backward(self.recurrence, starts=starts, sites=wanted.sites, params=wanted.params, occupancy=wanted.occupancy)
        )

    def choice(self) -> Cell:
        return self._finish(cells.choice(self.recurrence))

    def _finish(self, cell: Cell) -> Cell:
        return cell if self.exact else cells.rewritten(cell, with_reciprocals(cell.roots, self.is_shared))

    def is_shared(self, leaf) -> bool:
        """Whether a leaf is one number for all cells of an item."""
        name = leaf.payload
        return name.startswith("p.") or (name.startswith("site") and site_number(leaf) in self.item_sites)

    def flow_keys(self) -> tuple[tuple[Flow, int], ...]:
        """Every flow to an earlier cell that the adjoint can have."""
        return self._flow_keys

    @cached_property
    def _flow_keys(self):
        found = {}
        for a in self.recurrence.steps:
            if (a.dn, a.dm) != (0, 0):
                for c in self.recurrence.semiring.trace.moving:
                    found[Flow(a.dn, a.dm, a.source), c] = None
        return tuple(found)

    def __str__(self):
        r = self.recurrence
        carrier = ", ".join(f"{n}: {self.real if k != INT else 'int'}" for n, k in zip(r.semiring.carrier, self.kinds))
        arithmetic = "exact, never contracted" if self.exact else "multiply-adds allowed"
        return (
            f"{r}\n"
            f"plan\n"
            f"  schedule  {self.schedule}\n"
            f"  carrier   ({carrier}), {arithmetic}\n"
            f"  states    {', '.join(str(r.state_names[k] or 'one') for k in r.order)}, in this order within a cell\n"
            f"  memory    {self.schedule.kept}; the backward pass recomputes"
        )


def make_plan(recurrence: Recurrence, real: str, height: int = HEIGHT, fused: tuple = (), kind: str | None = None) -> Plan:
    """The plan for a recurrence in float32 or float64; height and kind as in `schedule`."""
    return Plan(recurrence, schedule(recurrence, height, kind), real, fused)
