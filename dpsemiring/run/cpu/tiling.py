"""How a problem is cut into strips and tiles, and what is kept between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dpsemiring.lower.numba_cells import VECTOR, padding
from dpsemiring.lower.plan import Plan
from dpsemiring.run.problem import Problem
from dpsemiring.run.windows import Rows, block_columns

# what the buffers of a tile may take: a good part of a second-level cache
TILE_BYTES = 384 * 1024
LEAST_SPAN, MOST_SPAN = 32, 256

# the same where items lie abreast
ABREAST_BYTES = 2 * 1024 * 1024

# what may be kept between passes whatever the size of the cost
KEEP_BYTES = 256 * 1024 * 1024


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
    def abreast(self) -> bool:
        """Whether items lie abreast, in groups of as many as a vector has lanes: `span`."""
        return self.plan.schedule.kind == "abreast"

    def loads(self, problem: Problem) -> np.ndarray:
        """The cells of each item, or of each group of items."""
        cells = problem.cells
        return np.add.reduceat(cells, range(0, len(cells), self.span)) if self.abreast else cells

    @property
    def single(self) -> bool:
        """Whether one tile holds the whole problem."""
        return self.strips <= 1 and self.tiles <= 1

    @property
    def divisible(self) -> bool:
        """Whether strips can be worked on at once: each needs but a few columns of the one before."""
        return self.plan.schedule.kind == "skewed" and self.strips > 1

    def border_shape(self, batch: int, strips: int) -> tuple[int, ...]:
        """Of the rows above so many strips."""
        r, s = self.plan.recurrence, self.plan.schedule
        if self.abreast:
            return (-(-batch // self.span), strips, s.halo, len(r.states), (self.cols + s.margin) * self.span)
        return (batch, strips, s.halo, len(r.states), self.cols)

    def times_shape(self, batch: int, strips: int) -> tuple[int, ...]:
        """Of the times before the tiles of so many strips."""
        if self.plan.schedule.kind != "skewed":
            return (batch, 0, 0, 0)
        s = self.plan.schedule
        pitch = self.height + padding(self.plan)
        return (batch, strips, self.tiles, s.max_delay * len(self.plan.recurrence.states) * pitch)

    def segments(self, batch: int, limit: int) -> list[tuple[int, int]]:
        """Strips (first, last) whose rows and times are kept at once, so that all that is kept takes `limit` bytes, or,
        where that cannot be, about the least that is possible: then the rows above segments weigh as much as one segment."""
        if self.strips <= 1 or self.abreast:
            return [(0, self.strips)]
        each = 64 // VECTOR[self.plan.real] * len(self.plan.kinds)
        row = each * max(1, math.prod(self.border_shape(batch, 1)))
        strip = row + each * math.prod(self.times_shape(batch, 1))
        length = self.strips
        if strip * self.strips > limit:
            least = math.sqrt(self.strips * row / strip)
            length = max(1, round(max(least, (limit - self.strips / least * row) / strip)))
        cuts = range(0, self.strips, length)
        return [(first, min(first + length, self.strips)) for first in cuts]


@dataclass(frozen=True)
class Kept:
    """What a forward pass leaves for those after it: by component, the rows above segments of strips, and above strips and
    before tiles where there is but one segment."""

    tiling: Tiling
    segments: list[tuple[int, int]]
    above: list[np.ndarray]
    whole: Segment | None


@dataclass(frozen=True)
class Segment:
    """Some strips of every item: by component, the rows above strips and the times before tiles."""

    first: int
    last: int
    borders: list[np.ndarray]
    times: list[np.ndarray]


def tile(plan: Plan, problem: Problem, rows: int) -> Tiling:
    """The tiling of a problem whose longest item has so many rows."""
    s, r = plan.schedule, plan.recurrence
    cols = int(problem.m_len.max(initial=0)) + r.extra[1]
    if s.kind == "rows":
        height = TILE_BYTES // max(1, _row_bytes(plan, cols))
        height = max(4, s.halo, min(s.height, (height + 8) // 16 * 16 or height))  # whole squares, of costs that are looked up
        columns = None if problem.window is None else block_columns(problem.window, height)
        width = cols if columns is None else int(columns[1].max(initial=0))
        return Tiling(plan, height, height, -(-rows // height), 1, width, columns)
    columns = None if problem.window is None else block_columns(problem.window, s.height)
    width = cols if columns is None else int(columns[1].max(initial=0))
    span = TILE_BYTES // _row_bytes(plan, s.height)
    span = max(LEAST_SPAN, -(-s.max_delay // 16) * 16, min(MOST_SPAN, span // 16 * 16))  # whole vectors
    times = width + min(rows, s.height) - 1
    return Tiling(plan, s.height, span, -(-rows // s.height), max(1, -(-times // span)), width, columns)


def tile_abreast(plan: Plan, rows: int, cols: int) -> Tiling:
    """The tiling of a batch whose items lie abreast, of at most so many rows and columns."""
    height = max(plan.schedule.halo, min(rows, rows_abreast(plan, cols)))
    return Tiling(plan, height, VECTOR[plan.real], -(-rows // height), 1, cols, None)


def rows_abreast(plan: Plan, cols: int) -> int:
    """How many rows of that many columns go in where items lie abreast."""
    return ABREAST_BYTES // ((cols + plan.schedule.margin) * _row_bytes(plan, VECTOR[plan.real]))


def _row_bytes(plan: Plan, lanes: int) -> int:
    """About what the buffers of one time take."""
    states, size = len(plan.recurrence.states), 64 // VECTOR[plan.real]
    values = size * len(plan.kinds) * states
    return lanes * (values + size * (2 * len(plan.buffers) + len(plan.flow_keys())))


def keep_limit(problem: Problem, plan: Plan) -> int:
    """Bytes that may be kept between passes: an eighth of the arrays that hold costs, for each row and state that a step
    needs, or `KEEP_BYTES`."""
    costs = sum(a.nbytes for name, a in problem.planes.items() if name not in problem.fused)
    return max(KEEP_BYTES, costs // 8 * max(1, plan.schedule.halo) * len(plan.recurrence.states))
