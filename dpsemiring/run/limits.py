"""Whether a carrier holds what a call pays: a bound from the greatest cost and the longest path, known before anything runs."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.expr import Node, postorder, value_of
from dpsemiring.lower.ir import Recurrence, site_number
from dpsemiring.run.arrays import HOST
from dpsemiring.run.engine import Engine, path_bound
from dpsemiring.run.inputs import Problem, read_columns


def fits(engine: Engine, problem: Problem) -> bool:
    """Whether the problem is within the limits of the engine's form. Where numbers are not looked at, items beyond are NaN."""
    recurrence = engine.recurrence
    if recurrence.semiring.trace.limits is None or not problem.batch:
        return True
    step, path, length = _limits(recurrence, problem)
    sizes = [_largest(engine, problem, i) for i in range(len(recurrence.sites))]
    bounds = [_bound(order, sizes) for order in _paid(recurrence)]
    cells = path_bound(recurrence, problem) + 1
    if problem.place is HOST:
        most = max(bounds, default=0.0)
        return most <= step and most * cells <= path and cells <= length
    most = reduce(_greater, bounds, 0.0)
    beyond = (most > step) | (most * cells > path) | (cells > length)
    beyond = beyond if problem.place.owns(beyond) else problem.place.full(1, bool(beyond))
    if problem.checked:
        return not problem.place.host(beyond).any()
    problem.nan |= beyond
    return True


# of each recurrence, what is the same at every call: the weights that are paid, and the limits for the last parameters
_weights: WeakKeyDictionary[Recurrence, list[list[Node]]] = WeakKeyDictionary()
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


def _paid(recurrence) -> list[list[Node]]:
    """The nodes of each weight, the weight being the last."""
    paid = _weights.get(recurrence)
    if paid is None:
        weights = [a.weight for a in recurrence.arcs] + [e.weight for e in recurrence.ends]
        paid = _weights[recurrence] = list({id(w[0]): postorder([w[0]]) for w in weights if w is not None}.values())
    return paid


def largest(array: np.ndarray, rows: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> float:
    """The greatest finite absolute value in rows ``:rows[b]``, columns ``lo[b, n] <= m < hi[b, n]``."""
    columns = np.arange(array.shape[2])
    inside = (lo[:, :, None] <= columns) & (columns < hi[:, :, None]) & (np.arange(array.shape[1]) < rows[:, None])[:, :, None]
    return float(np.abs(array).max(initial=0.0, where=inside & np.isfinite(array)))


def _largest(engine, problem, i):
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


def _greater(a, b):
    """The greater of two numbers, or by item."""
    return max(a, b) if isinstance(a, float) and isinstance(b, float) else np.maximum(a, b)


def _bound(order: list[Node], sizes: list):
    """What a weight is at most, in absolute value, where it is finite."""
    value: dict[int, Any] = {}
    for n in order:
        args = [value[id(a)] for a in n.args]
        if n.op == "const":
            x = float(value_of(n))
            value[id(n)] = abs(x) if math.isfinite(x) else 0.0
        elif n.op == "var":
            value[id(n)] = sizes[site_number(n)]
        elif n.kind == "bool":
            value[id(n)] = 0.0
        else:
            value[id(n)] = _RULES[n.op](*args)
    return value[id(order[-1])]


_RULES = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: a,
    "abs": lambda a: a,
    "where": lambda c, a, b: _greater(a, b),
}
