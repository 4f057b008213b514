"""Hard DTW: distances, paths, subsequences; from a given cost and from series of one feature."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import ours
from benchmarks.softdtw import ddtw_ways
from benchmarks.work import Way, Work


def hard(dp):
    return dp.topologies.dtw(), dp.Tropical


def subsequence(dp):
    return dp.topologies.subsequence_dtw(axis=1), dp.Tropical


def squared(dp, x, y):
    return dp.costs.sqeuclidean(x[:, None], y[:, None])


def total_and_path(result):
    return result.total, result.path


def length(result):
    """What is compared of a path: the total; where ties are, paths differ."""
    return (np.ravel(result[0])[0],)


def works(quick: bool) -> list[Work]:
    n, (short, long) = (300, (40, 900)) if quick else (2000, (200, 10000))
    size, given, two = n * n, ours.series((n, n)), ours.series((n,), (n,))
    few, found, part = ours.series((short, long)), short * long, ours.series((short,), (long,))
    return [
        Work(
            f"hard DTW {n} x {n}, cost given",
            size,
            given,
            ours.ways(hard)
            | {"tslearn _dtw": Way(tslearn_cost), "librosa dtw": Way(partial(librosa, False, False), double=True)}
            | {name: Way(partial(batched, way.make)) for name, way in ddtw_ways("hard", False).items()},
            {"fastest": 8.0},
            length,
        ),
        Work(
            f"hard DTW {n} x {n}, from series",
            size,
            two,
            ours.ways(hard, cost=squared)
            | {
                "dtaidistance distance_fast": Way(partial(dtaidistance, "distance_fast"), double=True),
                "tslearn dtw": Way(partial(tslearn, "_njit_dtw"), double=True),
                "aeon dtw_distance": Way(partial(aeon, "dtw_distance"), double=True),
            },
            {"fastest": 8.0},
            length,
        ),
        Work(
            f"hard DTW {n} x {n} with path, cost given",
            size,
            given,
            ours.ways(hard, total_and_path)
            | {"tslearn _dtw": Way(tslearn_cost_path), "librosa dtw": Way(partial(librosa, False, True), double=True)},
            {"fastest": 5.0},
            length,
        ),
        Work(
            f"hard DTW {n} x {n} with path, from series",
            size,
            two,
            ours.ways(hard, total_and_path, squared)
            | {
                "dtaidistance warping_path_fast": Way(dtaidistance_path, double=True),
                "tslearn dtw_path": Way(partial(tslearn, "_njit_dtw_path"), double=True),
                "aeon dtw_alignment_path": Way(aeon_path, double=True),
            },
            {"fastest": 5.0},
            length,
        ),
        Work(
            f"subsequence DTW {short} x {long}, cost given",
            found,
            few,
            ours.ways(subsequence) | {"librosa dtw": Way(partial(librosa, True, False), double=True)},
            {"fastest": 6.0},
            length,
        ),
        Work(
            f"subsequence DTW {short} x {long}, from series",
            found,
            part,
            ours.ways(subsequence, cost=squared)
            | {
                "tslearn subsequence_cost_matrix": Way(tslearn_subsequence, double=True),
                "dtaidistance subsequence_alignment": Way(dtaidistance_subsequence, double=True),
            },
            {"fastest": 6.0},
            length,
        ),
    ]


def batched(make, cost):
    return make(cost[None])


# --- cost given -------------------------------------------------------------------------------------


def tslearn_cost(cost):
    """The kernel under tslearn.metrics.dtw_path_from_metric."""
    from tslearn.metrics._dtw import _njit_acc_matrix_from_dist_matrix

    mask = np.ones(cost.shape, dtype=np.bool_)
    return lambda: (_njit_acc_matrix_from_dist_matrix(cost, mask)[-1, -1],)


def tslearn_cost_path(cost):
    from tslearn.metrics._dtw import _njit_acc_matrix_from_dist_matrix, _njit_compute_path

    mask = np.ones(cost.shape, dtype=np.bool_)

    def call():
        accumulated = _njit_acc_matrix_from_dist_matrix(cost, mask)
        return accumulated[-1, -1], _njit_compute_path(accumulated)

    return call


def librosa(subseq, path, cost):
    """librosa.sequence.dtw, which works on float64."""
    from librosa.sequence import dtw

    cost = cost.astype(np.float64)

    def call():
        if path:
            accumulated, way = dtw(C=cost, subseq=subseq, backtrack=True)
        else:
            accumulated, way = dtw(C=cost, subseq=subseq, backtrack=False), None
        return (accumulated[-1].min() if subseq else accumulated[-1, -1]), way

    return call


# --- from series ------------------------------------------------------------------------------------


def doubles(*series):
    return [np.ascontiguousarray(s, np.float64) for s in series]


def dtaidistance(function, x, y):
    """Its C functions, which give the square root."""
    from dtaidistance import dtw, dtw_cc  # noqa: F401 (without the compiled part it is no peer)

    x, y = doubles(x, y)
    fast = getattr(dtw, function)
    return lambda: (fast(x, y, use_pruning=False) ** 2,)


def dtaidistance_path(x, y):
    from dtaidistance import dtw, dtw_cc  # noqa: F401

    x, y = doubles(x, y)

    def call():
        path, distance = dtw.warping_path_fast(x, y, include_distance=True)
        return distance**2, path

    return call


def dtaidistance_subsequence(x, y):
    from dtaidistance import dtw_cc  # noqa: F401
    from dtaidistance.subsequence.dtw import subsequence_alignment

    x, y = doubles(x, y)

    def call():
        found = subsequence_alignment(x, y, penalty=0.0, use_c=True)
        return (np.min(np.asarray(found.matching)) * len(x)) ** 2, found

    return call


def tslearn(function, x, y):
    """The kernels under tslearn.metrics.dtw and dtw_path, which give the square root."""
    from tslearn.metrics import _dtw

    x, y = doubles(x[:, None], y[:, None])
    kernel = getattr(_dtw, function)

    def call():
        found = kernel(x, y)
        return (found[0] if isinstance(found, tuple) else found) ** 2, found

    return call


def tslearn_subsequence(x, y):
    from tslearn.metrics.dtw_variants import _njit_subsequence_cost_matrix

    x, y = doubles(x[:, None], y[:, None])
    return lambda: (_njit_subsequence_cost_matrix(x, y)[-1].min(),)


def aeon(function, x, y):
    from aeon import distances

    x, y = doubles(x, y)
    distance = getattr(distances, function)
    return lambda: (distance(x, y),)


def aeon_path(x, y):
    from aeon.distances import dtw_alignment_path

    x, y = doubles(x, y)

    def call():
        path, distance = dtw_alignment_path(x, y)
        return distance, path

    return call
