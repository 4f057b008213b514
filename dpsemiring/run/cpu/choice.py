"""By which schedule a problem is swept: the one that is predicted to take the least time.

A sweep takes what its vectors of cells take, those beside the lattice included, and what its strips take beside their cells.
Both are measured: ``python -m benchmarks --only schedules`` gives these numbers for a machine, and what the choices lose.
"""

from __future__ import annotations

import numpy as np

from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.numba_cells import VECTOR
from dpsemiring.lower.plan import Plan
from dpsemiring.lower.schedule import kinds
from dpsemiring.run.cpu.threads import useful_threads
from dpsemiring.run.cpu.tiling import rows_abreast
from dpsemiring.run.problem import Problem

Choice = tuple[str, int]  # kind of schedule, rows of a strip
ABREAST: Choice = ("abreast", 64)

# ns for a vector of cells, and for a strip beside its cells: soft-DTW and CTC, forward and backward, float32, AMD EPYC (Zen 4)
VECTOR_NS: dict[Choice, float] = {("skewed", 32): 62.0, ("skewed", 64): 46.0, ("rows", 64): 54.0, ABREAST: 54.0}
STRIP_NS = 1500.0

# abreast, a strip is as low as the cache makes it; with fewer rows its borders weigh too much
ROWS_ABREAST = 8


def options(recurrence: Recurrence) -> list[Choice]:
    """The schedules of one item."""
    return [choice for choice in VECTOR_NS if choice[0] in kinds(recurrence)]


def choose(plan: Plan, problem: Problem, cols: int, apart: bool) -> Choice:
    """The schedule for a problem whose longest item has so many columns; with `apart`, one of single items. `plan` is any
    plan of its recurrence and numbers."""
    found = options(plan.recurrence)
    if not apart and _go_abreast(plan, problem, cols):
        found.append(ABREAST)
    if len(found) == 1:
        return found[0]
    more = plan.recurrence.extra
    n = problem.n_len + more[0]
    m = problem.m_len + more[1] if problem.window is None else -(-problem.cells // np.maximum(1, n))
    return min(found, key=lambda choice: predicted(choice, n, m, VECTOR[plan.real], useful_threads(problem.cells)))


def predicted(choice: Choice, n: np.ndarray, m: np.ndarray, vector: int, threads: int) -> float:
    """ns for items of so many rows and columns."""
    kind, height = choice
    if kind == "abreast":  # groups of items, whose lattices are as large as the largest; each item is a lane
        groups = range(0, len(n), vector)
        n, m = np.maximum.reduceat(n, groups), np.maximum.reduceat(m, groups)
    strips = -(-n // height)
    if kind == "skewed":
        vectors, parts = strips * (m + height - 1) * (height // vector), int(strips.sum())
    else:
        vectors, parts = n * (m if kind == "abreast" else -(-m // vector)), len(n)
    return float((vectors * VECTOR_NS[choice] + strips * STRIP_NS).sum()) / max(1, min(threads, parts))


def _go_abreast(plan: Plan, problem: Problem, cols: int) -> bool:
    """Whether items can lie abreast: there is one for each lane, they share what numbers of an item the recurrence has, and
    are small."""
    if problem.batch < VECTOR[plan.real] or kinds(plan.recurrence)[0] != "skewed" or problem.window is not None:
        return False
    numbers = [problem.sites[i] for i in plan.item_sites] + [problem.params[name] for name in plan.params]
    return all(a.size == 1 for a in numbers) and rows_abreast(plan, cols) >= ROWS_ABREAST


def described(recurrence: Recurrence) -> str:
    """The model, in a line."""
    names = [f"{kind} {height} {VECTOR_NS[kind, height]:g}" for kind, height in options(recurrence)]
    if kinds(recurrence)[0] == "skewed":
        names.append(f"items of a batch abreast {VECTOR_NS[ABREAST]:g}")
    return f"the least predicted time; ns for a vector of cells: {', '.join(names)}; for a strip {STRIP_NS:g}"
