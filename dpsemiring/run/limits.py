"""Whether a carrier holds what a call pays: a bound from the greatest cost and the longest path, known before anything runs."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from dpsemiring.algebra.arrays import evaluate
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.limits import exceeds, most_paid
from dpsemiring.run.arrays import HOST
from dpsemiring.run.engine import Engine, path_bound
from dpsemiring.run.problem import Problem, read_columns


def fits(engine: Engine, problem: Problem) -> bool:
    """Whether the problem is within the limits of the engine's form. Where numbers are not looked at, items beyond are NaN."""
    recurrence = engine.recurrence
    if recurrence.semiring.trace.limits is None or not problem.batch:
        return True
    sizes = [size_of(engine, problem, i) for i in range(len(recurrence.sites))]
    beyond = exceeds(most_paid(recurrence, sizes), path_bound(recurrence, problem) + 1, _limits(recurrence, problem))
    if problem.place is HOST:
        return not beyond
    beyond = beyond if problem.place.owns(beyond) else problem.place.full(1, bool(beyond))
    if problem.checked:
        return not problem.place.host(beyond).any()
    problem.nan |= beyond
    return True


# of each recurrence, the limits for the last parameters
_last: WeakKeyDictionary[Recurrence, tuple] = WeakKeyDictionary()


def _limits(recurrence, problem) -> tuple[Any, ...]:
    """The most that a step may pay, that a path may, and the longest path: the least over all items, or arrays by item."""
    trace = recurrence.semiring.trace
    params = {leaf: problem.params[name] for name, leaf in trace.params.items()}
    if problem.place is not HOST:
        return tuple(evaluate(trace.limits, params))
    key = [p.tobytes() for p in params.values()]
    last = _last.get(recurrence)
    if last is None or last[0] != key:
        last = _last[recurrence] = key, tuple(float(np.min(x)) for x in evaluate(trace.limits, params))
    return last[1]


def largest(array: np.ndarray, rows: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> float:
    """The greatest finite absolute value in rows ``:rows[b]``, columns ``lo[b, n] <= m < hi[b, n]``."""
    columns = np.arange(array.shape[2])
    inside = (lo[:, :, None] <= columns) & (columns < hi[:, :, None]) & (np.arange(array.shape[1]) < rows[:, None])[:, :, None]
    return float(np.abs(array).max(initial=0.0, where=inside & np.isfinite(array)))


def size_of(engine: Engine, problem: Problem, i: int) -> Any:
    """The greatest finite absolute value of site i, of those that may be read."""
    r, site = engine.recurrence, engine.recurrence.sites[i]
    if site.role == "mask":
        return 0.0
    array, excess = problem.sites[i], problem.more[i]
    if site.role == "number":
        sizes = np.where(np.isfinite(array), np.abs(array), 0.0)
        return float(sizes.max(initial=0.0)) if problem.place is HOST else sizes.max(axis=(1, 2))
    if site.name in problem.sizes:
        return problem.sizes[site.name]
    if site.name in problem.fused:
        return problem.fused[site.name].largest
    if np.isfinite(problem.unseen.get(site.name, np.nan)):
        return problem.unseen[site.name]
    lo, hi = read_columns(r, problem, site.name, excess)
    return engine.largest(array, problem.n_len + excess[0], lo, hi)
