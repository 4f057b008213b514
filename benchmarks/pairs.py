"""The distances of all pairs: a collection with itself, and with another; series of one feature."""

from __future__ import annotations

import os
from functools import partial

import numpy as np

from benchmarks import ours
from benchmarks.work import OURS, OURS64, Way, Work


def works(quick: bool) -> list[Work]:
    count, length = (10, 60) if quick else (100, 200)
    shape, random = (count, length), np.random.default_rng(1)
    sizes = random.integers(length // 2, length + 1, count)

    def ragged():
        (padded,) = ours.series(shape)()
        return [series[:size] for series, size in zip(padded, sizes)], None

    def one():
        return *ours.series(shape)(), None

    other = {
        "tslearn cdist_dtw": Way(tslearn, double=True),
        "aeon pairwise_distance": Way(aeon, double=True),
        "dtaidistance distance_matrix_fast": Way(dtaidistance, double=True),
    }
    mine = {OURS: Way(partial(pairwise, "float32")), OURS64: Way(partial(pairwise, "float64"))}
    title, half = f"{count} series of length {length}", count * (count + 1) // 2
    return [
        Work(f"all pairs of {title}", half * length**2, one, mine | other, {"fastest": 6.0}, upper),
        Work(f"{title} with {count} others", count**2 * length**2, ours.series(shape, shape), mine | other, {"fastest": 6.0}),
        Work(
            f"all pairs of {count} series of length {length // 2} to {length}",
            int(sizes.sum() ** 2 + (sizes**2).sum()) // 2,
            ragged,
            mine | other,
            {"fastest": 6.0},
            upper,
        ),
    ]


def upper(matrix):
    """What every library computes of a symmetric matrix."""
    return matrix[np.triu_indices(len(matrix), 1)]


def pairwise(kind, x, y):
    import dpsemiring as dp

    x, y = ([np.asarray(s, kind) for s in series] if series is not None else None for series in (x, y))
    return lambda: dp.pairwise(x, y, topology=dp.topologies.dtw(), semiring=dp.Tropical)


def tslearn(x, y):
    """Which gives square roots."""
    from tslearn.metrics import cdist_dtw
    from tslearn.utils import to_time_series_dataset

    x, y = (None if series is None else to_time_series_dataset([s.astype(np.float64) for s in series]) for series in (x, y))
    jobs = _threads()
    return lambda: cdist_dtw(x, y, n_jobs=jobs if jobs > 1 else None) ** 2


def aeon(x, y):
    from aeon.distances import pairwise_distance

    x, y = (None if series is None else [s.astype(np.float64)[None] for s in series] for series in (x, y))
    return lambda: pairwise_distance(x, y, method="dtw", n_jobs=_threads())


def dtaidistance(x, y):
    """Which gives square roots, and of two collections a block of the matrix of both."""
    from dtaidistance import dtw, dtw_cc  # noqa: F401 (without the compiled part it is no peer)

    both = [np.ascontiguousarray(s, np.float64) for series in (x, y) if series is not None for s in series]
    n, jobs = len(x), _threads()
    block = None if y is None else ((0, n), (n, len(both)))

    def call():
        found = dtw.distance_matrix_fast(both, block=block, parallel=jobs > 1, only_triu=True)
        return (found if y is None else found[:n, n:]) ** 2

    return call


def _threads():
    return int(os.environ.get("BENCHMARK_THREADS", "1"))
