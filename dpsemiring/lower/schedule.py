"""The schedule: in which order cells are computed, derived from the steps.

Rows are taken in strips. Within a strip time runs and a vector of lanes is computed at each time; a lane never
needs another of its own time. For cell (n, m) in a strip that begins at row n0:

    rows     time = n - n0,  lane = m                 all steps have dn >= 1 (time-synchronous: CTC, HMM)
    skewed   time = (n - n0) + m,  lane = n - n0      otherwise: anti-diagonals inside a strip of `height` rows
    abreast  time = cell after cell of a row          batches of small items: the lanes are items

A predecessor (dn, dm) before is then `delay` times earlier and `shift` lanes lower; abreast, where cells of a row follow each
other, dn rows and dm times earlier, in its own lane. Strips hand on their last rows as borders.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpsemiring.lower.ir import Recurrence

HEIGHT = 32


@dataclass(frozen=True)
class Schedule:
    """How a recurrence is swept."""

    kind: str  # "rows" | "skewed" | "abreast"
    height: int
    halo: int  # rows (skewed: lanes; rows: times) that a strip needs of the one before
    margin: int  # columns that a cell looks back

    def delay(self, dn: int, dm: int) -> int:
        """How many times earlier a predecessor is computed; abreast, that hangs on the length of a row."""
        assert self.kind != "abreast"
        return dn if self.kind == "rows" else dn + dm

    def shift(self, dn: int, dm: int) -> int:
        """How many lanes lower a predecessor is."""
        return {"rows": dm, "skewed": dn, "abreast": 0}[self.kind]

    @property
    def max_delay(self) -> int:
        return self.halo if self.kind == "rows" else self.halo + self.margin

    @property
    def max_shift(self) -> int:
        return self.shift(self.halo, self.margin)

    def room(self, cols: int) -> int:
        """How many (time, lane) a full strip of so many columns has."""
        return self.height * (cols if self.kind == "rows" else self.height + cols - 1)

    def __str__(self):
        if self.kind == "rows":
            return f"rows (every step has dn >= 1): lanes along m, strips of at most {self.height} rows"
        if self.kind == "abreast":
            return "abreast: lanes along the items of a batch, strips of some rows"
        return f"skewed strips of {self.height} rows: lane l at time t is row l, column t - l"


def kinds(recurrence: Recurrence) -> tuple[str, ...]:
    """How one item can be swept: by rows only where a recurrence is time-synchronous."""
    moves = [(a.dn, a.dm) for a in recurrence.steps if (a.dn, a.dm) != (0, 0)]
    return ("rows", "skewed") if moves and all(dn >= 1 for dn, _ in moves) else ("skewed",)


def schedule(recurrence: Recurrence, height: int = HEIGHT, kind: str | None = None) -> Schedule:
    """The schedule of that kind, the first of `kinds` unless said, in strips of that many rows, or more if steps are longer."""
    halo, margin = recurrence.reach
    while height < halo:
        height *= 2
    return Schedule(kind or kinds(recurrence)[0], height, halo, margin)
