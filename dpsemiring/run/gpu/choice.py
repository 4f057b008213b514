"""How many columns a lane gets: as many as are predicted to take the least time.

From one time to the next a warp takes as long as its instructions wait for each other or, where many warps share a
multiprocessor, as long as it takes to issue them all. Few columns make many panels, which keep more warps busy but wait for
each other; many columns spread what a time costs beside its cells. The cycles are estimates, from the instructions that
soft-DTW comes to on sm_90; no device was at hand to measure them.
"""

from __future__ import annotations

from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.schedule import LANES, Schedule, panels

COLUMNS = (1, 2, 4)
SCHEDULERS, WARPS = 4, 16  # of a multiprocessor: those that issue, and the warps that find room there
TIME_LATENCY, CELL_LATENCY = 160, 50  # cycles for a time, and for each column of a lane, that wait for each other
TIME_ISSUED, CELL_ISSUED = 60, 35  # the same as instructions


def options(recurrence: Recurrence) -> list[Schedule]:
    """The schedules that a recurrence has; steps that are longer leave fewer."""
    return list(dict.fromkeys(panels(recurrence, columns) for columns in COLUMNS))


def choose(recurrence: Recurrence, items: int, rows: int, cols: int, processors: int) -> Schedule:
    """The schedule for so many items of that size on a device with so many multiprocessors."""
    return min(options(recurrence), key=lambda schedule: predicted(schedule, items, rows, cols, processors))


def predicted(schedule: Schedule, items: int, rows: int, cols: int, processors: int) -> float:
    """Cycles."""
    each = schedule.panels(cols)
    tasks, most = items * each, processors * WARPS
    busy = max(1, min(tasks, most))
    latency = TIME_LATENCY + CELL_LATENCY * schedule.columns
    issued = (TIME_ISSUED + CELL_ISSUED * schedule.columns) * busy / (processors * SCHEDULERS)
    behind = max(0, min(each, busy // max(1, items)) - 1)  # panels of one item that wait for the one before
    times = -(-tasks // most) * (rows + LANES - 1) + behind * (LANES - 1 + schedule.chunk)
    return times * max(latency, issued)


def described(recurrence: Recurrence) -> str:
    """The choice, in a line."""
    columns = ", ".join(str(schedule.columns) for schedule in options(recurrence))
    return f"the least predicted time of lanes with {columns} columns"
