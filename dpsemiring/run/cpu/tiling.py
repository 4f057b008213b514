"""How a problem is cut into strips and tiles, and what is kept between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dpsemiring.lower.numba_cells import VECTOR, padding
from dpsemiring.lower.plan import Plan
from dpsemiring.run.inputs import Problem
from dpsemiring.run.windows import Rows, block_columns

HEIGHTS = (32, 64)  # of skewed strips: for lattices of few rows, for others

# what the buffers of a tile may take: a good part of a second-level cache
TILE_BYTES = 384 * 1024
LEAST_SPAN, MOST_SPAN = 32, 256


@dataclass(frozen=True)
class Tiling:
    """Strips of `height` rows, cut into tiles of `span` times."""

    plan: Plan
    height: int
    span: int
    strips: int
    tiles: int
    cols: int  # of the widest strip
    columns: Rows | None  # with a window: the first column of every strip, and how many there are

    @property
    def single(self) -> bool:
        """Whether one tile holds the whole problem."""
        return self.strips <= 1 and self.tiles <= 1

    @property
    def divisible(self) -> bool:
        """Whether strips can be worked on at once: each needs but a few columns of the one before."""
        return self.plan.schedule.kind == "skewed" and self.strips > 1

    def border_shape(self, batch: int) -> tuple[int, ...]:
        """Of the rows above each strip."""
        r, s = self.plan.recurrence, self.plan.schedule
        return (batch, self.strips, s.halo, len(r.states), self.cols)

    def times_shape(self, batch: int) -> tuple[int, ...]:
        """Of the times before each tile."""
        if self.plan.schedule.kind == "rows":
            return (batch, 0, 0, 0)
        s = self.plan.schedule
        pitch = self.height + padding(self.plan)
        return (batch, self.strips, self.tiles, s.max_delay * len(self.plan.recurrence.states) * pitch)


@dataclass(frozen=True)
class Kept:
    """What a forward pass leaves for those after it: by component, the rows above strips and the times before tiles."""

    tiling: Tiling
    borders: list[np.ndarray]
    times: list[np.ndarray]


def tile(plan: Plan, problem: Problem, rows: int) -> Tiling:
    """The tiling of a problem whose longest item has so many rows."""
    s, r = plan.schedule, plan.recurrence
    cols = int(problem.m_len.max(initial=0)) + r.extra[1]
    if s.kind == "rows":
        height = max(4, s.halo, min(s.height, TILE_BYTES // max(1, _row_bytes(plan, cols))))
        columns = None if problem.window is None else block_columns(problem.window, height)
        width = cols if columns is None else int(columns[1].max(initial=0))
        return Tiling(plan, height, height, -(-rows // height), 1, width, columns)
    columns = None if problem.window is None else block_columns(problem.window, s.height)
    width = cols if columns is None else int(columns[1].max(initial=0))
    span = TILE_BYTES // _row_bytes(plan, s.height)
    span = max(LEAST_SPAN, s.max_delay, min(MOST_SPAN, span // 16 * 16))
    times = width + min(rows, s.height) - 1
    return Tiling(plan, s.height, span, -(-rows // s.height), max(1, -(-times // span)), width, columns)


def _row_bytes(plan: Plan, lanes: int) -> int:
    """About what the buffers of one time take."""
    states, size = len(plan.recurrence.states), 64 // VECTOR[plan.real]
    values = size * len(plan.kinds) * states
    return lanes * (values + size * (2 * len(plan.cell_sites) + len(plan.flow_keys())))
