"""The schedule: in which order cells are computed, derived from the steps.

Rows are taken in strips. Within a strip time runs and a vector of lanes is computed at each time; a lane never
needs another of its own time. For cell (n, m) in a strip that begins at row n0:

    rows     time = n - n0,  lane = m                 all steps have dn >= 1 (time-synchronous: CTC, HMM)
    skewed   time = (n - n0) + m,  lane = n - n0      otherwise: anti-diagonals inside a strip of `height` rows
    abreast  time = cell after cell of a row          batches of small items: the lanes are items
    panels   time = n + lane,  lane = some columns    on a GPU: the lanes of a warp, in a panel of columns instead of a strip

A predecessor (dn, dm) before is then `delay` times earlier and `shift` lanes lower; abreast, where cells of a row follow each
other, dn rows and dm times earlier, in its own lane. Strips hand on their last rows as borders.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpsemiring.lower.ir import Recurrence

HEIGHT = 32
LANES = 32  # of a warp


@dataclass(frozen=True)
class Schedule:
    """How a recurrence is swept."""

    kind: str  # "rows" | "skewed" | "abreast" | "panels"
    height: int  # rows of a strip; of panels the times of a span
    halo: int  # rows (skewed: lanes; rows: times) that a strip needs of the one before
    margin: int  # columns that a cell looks back
    columns: int = 0  # of a lane, in panels
    chunk: int = 0  # times after which a panel hands on what the next one needs

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

    @property
    def kept(self) -> str:
        """What a forward pass leaves."""
        if self.kind == "panels":
            return f"the last {self.margin} column(s) of each panel and {self.halo} row(s) of each span are kept"
        return f"the last {self.halo} row(s) of each strip are kept"

    def panels(self, cols: int) -> int:
        """How many panels so many columns make."""
        return -(-cols // (LANES * self.columns))

    def spans(self, rows: int) -> int:
        """How many spans it takes a panel's lanes to pass through so many rows, one time apart each."""
        return -(-(rows + LANES - 1) // self.height)

    def __str__(self):
        if self.kind == "rows":
            return f"rows (every step has dn >= 1): lanes along m, strips of at most {self.height} rows"
        if self.kind == "abreast":
            return "abreast: lanes along the items of a batch, strips of some rows"
        if self.kind == "panels":
            return (
                f"panels of {LANES * self.columns} columns, swept by warps: lane l at time t is row t - l, {self.columns} "
                f"columns; spans of {self.height} times, borders handed on every {self.chunk}"
            )
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


def panels(recurrence: Recurrence, columns: int | None = None, span: int | None = None, chunk: int = LANES) -> Schedule:
    """A schedule for warps: so many columns a lane, or more if steps are longer; saved, and handed on, after so many times."""
    halo, margin = recurrence.reach  # what a row was is handed on even where no step looks back
    columns = max(columns or 4, 1 << (margin - 1).bit_length() if margin else 1)
    span = span or max(LANES, 128 // columns)
    if not 1 <= chunk <= LANES or span % chunk:
        raise ValueError(f"a span of {span} times in chunks of {chunk}: at most {LANES} that divide it are expected")
    return Schedule("panels", span, max(1, halo), margin, columns, chunk)
