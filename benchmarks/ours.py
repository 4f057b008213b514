"""Our ways, beside which the peers' stand: one solver, a given cost or a source of one, in float32 and in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.work import OURS, OURS64, Way


def total(result):
    """Its total alone."""
    return (result.total,)


def total_and_gradient(result):
    """Its total, and the derivative by the cost."""
    return result.total, result.marginals


def ways(declare: Callable, read: Callable = total, cost: Callable | None = None, double: bool = True) -> dict[str, Way]:
    """Ours in float32 and, for peers that know float64 alone, in float64.

    `declare(dp)` gives topology and semiring, `cost(dp, *data)` what is aligned (by default the data itself) and `read` what
    is wanted of the result.
    """

    def make(kind):
        def way(*data):
            import dpsemiring as dp

            solver = dp.compile(*declare(dp))
            taken = [np.ascontiguousarray(d, kind) if np.asarray(d).dtype.kind == "f" else d for d in data]
            if cost is None:
                return lambda: read(solver(taken[0]))
            return lambda: read(solver(cost(dp, *taken)))

        return way

    found = {OURS: Way(make("float32"))}
    return found | {OURS64: Way(make("float64"))} if double else found


def series(*shapes, seed: int = 0):
    """Random series, or costs, of these shapes in float32."""

    def make():
        random = np.random.default_rng(seed)
        return tuple(random.random(shape, np.float32) for shape in shapes)

    return make
