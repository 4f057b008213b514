"""The schedule: in which order cells are computed, derived from the steps.

Rows are taken in strips. Within a strip time runs and a vector of lanes is computed at each time; a lane never
needs another of its own time. For cell (n, m) in a strip that begins at row n0:

    rows     time = n - n0,  lane = m                 all steps have dn >= 1 (time-synchronous: CTC, HMM)
    skewed   time = (n - n0) + m,  lane = n - n0      otherwise: anti-diagonals inside a strip of `height` rows

A predecessor (dn, dm) before is then `delay` times earlier and `shift` lanes lower. Strips hand on their last
rows as borders.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpsemiring.lower.ir import Recurrence

HEIGHT = 32


@dataclass(frozen=True)
class Schedule:
    """How a recurrence is swept."""

    kind: str  # "rows" | "skewed"
    height: int
    halo: int  # rows (skewed: lanes; rows: times) that a strip needs of the one before
    margin: int  # columns that a cell looks back

    def delay(self, dn: int, dm: int) -> int:
        """How many times earlier a predecessor is computed."""
        return dn if self.kind == "rows" else dn + dm

    def shift(self, dn: int, dm: int) -> int:
        """How many lanes lower a predecessor is."""
        return dm if self.kind == "rows" else dn

    @property
    def max_delay(self) -> int:
        return self.halo if self.kind == "rows" else self.halo + self.margin

    @property
    def max_shift(self) -> int:
        return self.margin if self.kind == "rows" else self.halo

    def room(self, cols: int) -> int:
        """How many (time, lane) a full strip of so many columns has."""
        return self.height * (cols if self.kind == "rows" else self.height + cols - 1)

    def __str__(self):
        if self.kind == "rows":
            return f"rows (every step has dn >= 1): lanes along m, strips of at most {self.height} rows"
        return f"skewed strips of {self.height} rows: lane l at time t is row l, column t - l"


def schedule(recurrence: Recurrence, height: int = HEIGHT, wide: bool = False) -> Schedule:
    """The schedule for a recurrence: rows where it is time-synchronous, skewed strips otherwise and, since a strip of rows
    is as wide as the lattice, where that is `wide`."""
    moves = [(a.dn, a.dm) for a in recurrence.steps if (a.dn, a.dm) != (0, 0)]
    kind = "rows" if moves and all(dn >= 1 for dn, _ in moves) and not wide else "skewed"
    halo, margin = recurrence.reach
    while height < halo:
        height *= 2
    return Schedule(kind, height, halo, margin)
