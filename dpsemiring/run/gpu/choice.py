"""How many columns a lane gets, how many times a span has, how many CUDA blocks go back: in the least predicted time, in memory
that is small beside the costs.

From one time to the next a warp takes as long as its instructions wait for each other or, where many warps share a
multiprocessor, as long as it takes to issue them all. Few columns make many panels, which keep more warps busy but wait for
each other; many columns spread what a time costs beside its cells. The cycles are estimates, from the instructions that
soft-DTW comes to on sm_90; no device was at hand to measure them. So times that are nearly the same count as the same, and memory
decides. Long spans leave fewer rows between passes, and take more for each warp while one is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.schedule import LANES, Schedule, panels
from dpsemiring.run.gpu.device import Device
from dpsemiring.run.gpu.memory import Size, beside, held

COLUMNS = (1, 2, 4)
SPANS = (32, 64, 128, 256, 512)
MOST_HELD = 352  # bytes that a lane keeps in registers from time to time without spilling much
SHARE = 8  # memory is wanted to be that part of what a plane of costs takes
NEARLY = 1.1  # predicted times within that factor count as the same
SCHEDULERS, WARPS = 4, 16  # of a multiprocessor: those that issue, and the warps that find room there
TIME_LATENCY, CELL_LATENCY = 160, 50  # cycles for a time, and for each column of a lane, that wait for each other
TIME_ISSUED, CELL_ISSUED = 60, 35  # the same as instructions


@dataclass(frozen=True)
class Choice:
    """A schedule, the most CUDA blocks of a pass that keeps the rows of spans, and what that comes to."""

    schedule: Schedule
    blocks: int
    cycles: float
    memory: int


def options(
    recurrence: Recurrence, columns: int | None = None, span: int | None = None, chunk: int = LANES
) -> tuple[Schedule, ...]:
    """The schedules that a recurrence has, of that many columns and times if they are given; longer steps leave fewer."""
    spans = [span] if span else [-(-s // chunk) * chunk for s in SPANS]
    found = (panels(recurrence, c, s, chunk) for c in ([columns] if columns else COLUMNS) for s in spans)
    return tuple(dict.fromkeys(found))


def unspilled(recurrence: Recurrence, real: np.dtype, among: tuple[Schedule, ...]) -> list[Schedule]:
    """Those of which lanes hold no more than what registers have room for; if none, those with the fewest columns."""
    fewest = min(schedule.columns for schedule in among)
    return [s for s in among if s.columns == fewest or held(recurrence, real, s) <= MOST_HELD]


def choose(
    recurrence: Recurrence,
    real: np.dtype,
    size: Size,
    device: Device,
    threads: int,
    among: tuple[Schedule, ...],
    grid: int | None = None,
    memory: int | None = None,
    made: int = 0,
) -> Choice:
    """The schedule for items of that size, in CUDA blocks of so many threads; sweeps make the costs of so many planes.

    With `memory` the quickest that stays within so many bytes, be it by fewer blocks, or else the one with the least. Otherwise,
    of those that take nearly the least time, the quickest that stays within an eighth of a plane of costs, or else the one with
    the least.
    """
    items, rows, cols = size
    limit = items * rows * cols * np.dtype(real).itemsize // SHARE if memory is None else memory
    each = threads // LANES  # warps of a block
    found = []
    for schedule in unspilled(recurrence, real, among):
        most = grid or device.blocks(-(-items * schedule.panels(cols) // each))
        least, one = (beside(recurrence, real, schedule, size, warps, made) for warps in (0, each))
        affordable = (limit - least) // (one - least)
        for blocks in {most} if grid else {most, max(1, min(most, affordable))}:
            cycles = predicted(schedule, size, device.processors, blocks * each)
            found.append(Choice(schedule, blocks, cycles, beside(recurrence, real, schedule, size, blocks * each, made)))
    if memory is None:
        quickest = min(choice.cycles for choice in found)
        found = [choice for choice in found if choice.cycles <= NEARLY * quickest]
    if within := [choice for choice in found if choice.memory <= limit]:
        return min(within, key=lambda choice: (choice.cycles, choice.memory))
    return min(found, key=lambda choice: (choice.memory, choice.cycles))


def predicted(schedule: Schedule, size: Size, processors: int, warps: int) -> float:
    """Cycles, with so many warps at most."""
    items, rows, cols = size
    each = schedule.panels(cols)
    tasks, most = items * each, max(1, min(warps, processors * WARPS))
    busy = max(1, min(tasks, most))
    latency = TIME_LATENCY + CELL_LATENCY * schedule.columns
    issued = (TIME_ISSUED + CELL_ISSUED * schedule.columns) * busy / (processors * SCHEDULERS)
    behind = max(0, min(each, busy // max(1, items)) - 1)  # panels of one item that wait for the one before
    times = -(-tasks // most) * (rows + LANES - 1) + behind * (LANES - 1 + schedule.chunk)
    return times * max(latency, issued)


def described(among: tuple[Schedule, ...]) -> str:
    """The choice, in a line."""
    columns, spans = (", ".join(str(x) for x in dict.fromkeys(xs)) for xs in zip(*((s.columns, s.height) for s in among)))
    return f"the least predicted time and memory of lanes with {columns} columns and spans of {spans} times"
