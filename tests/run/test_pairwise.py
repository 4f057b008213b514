"""dp.pairwise: every entry is what a solver gives for that pair alone, whatever computes it and in whatever blocks."""

import multiprocessing
import pickle
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from catalogue import PRESETS

import dpsemiring as dp
from dpsemiring.api.workers import pack
from dpsemiring.declare.symmetry import symmetric

DTW = dp.topologies.dtw()
RAGGED = (3, 9, 1, 9, 4, 12, 2, 8)


def series(sizes=RAGGED, features=2, seed=0, dtype=np.float64):
    random = np.random.default_rng(seed)
    return [random.normal(size=(size, features)).astype(dtype) for size in sizes]


def pairwise(X, Y=None, topology=DTW, semiring=dp.Softmin(0.5), engine="reference", **options):
    return dp.pairwise(X, Y, topology=topology, semiring=semiring, engine=engine, **options)


def one_by_one(X, Y, topology=DTW, semiring=dp.Softmin(0.5), cost=dp.costs.sqeuclidean, **options):
    solver = dp.compile(topology, semiring, engine="reference")
    return np.array([[solver(cost(x, y), **options).total for y in Y] for x in X])


def counted(X, Y=None, **options):
    """The matrix, and how many pairs were computed."""
    seen = []
    found = pairwise(X, Y, progress=lambda done, total: seen.append((done, total)), **options)
    done = [d for d, _ in seen]
    assert done == sorted(set(done)) and {t for _, t in seen} == {done[-1]}
    return found, done[-1]


# --- right ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 30, 200, 10**6])
def test_every_entry_is_that_of_its_pair_alone(block):
    X, Y = series(), series((7, 2, 5), seed=1)
    np.testing.assert_allclose(pairwise(X, Y, block=block), one_by_one(X, Y), rtol=1e-12)
    np.testing.assert_allclose(pairwise(X, block=block), one_by_one(X, X), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_on_the_cpu_engine(dtype):
    X, Y = series(dtype=dtype), series((7, 2, 5), seed=1, dtype=dtype)
    found = pairwise(X, Y, engine="cpu", block=300)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, one_by_one(X, Y), rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_padded_arrays_and_lists_are_alike():
    X, sizes = series(), np.array(RAGGED)
    padded = np.full((len(X), 14, 2), np.nan)  # what lies beyond a length is never read
    for row, one in zip(padded, X):
        row[: len(one)] = one
    np.testing.assert_array_equal(pairwise(padded, lengths=sizes), pairwise(X))
    np.testing.assert_array_equal(pairwise(padded, X[:3], lengths=(sizes, None)), pairwise(X, X[:3]))


def test_one_feature_needs_no_axis():
    X = series(features=1)
    np.testing.assert_array_equal(pairwise([x[:, 0] for x in X]), pairwise(X))
    np.testing.assert_array_equal(pairwise(np.arange(12).reshape(3, 4)), pairwise(np.arange(12.0).reshape(3, 4, 1)))


@pytest.mark.parametrize(
    "cost",
    ["cosine", lambda x, y: dp.costs.sqeuclidean(x, y) + 0.5 * dp.costs.cosine(x, y), lambda x, y: dp.costs.cosine(2 * x, y)],
)
def test_costs_by_name_and_function(cost):
    X = series()
    function = getattr(dp.costs, cost) if isinstance(cost, str) else cost
    np.testing.assert_allclose(pairwise(X, cost=cost), one_by_one(X, X, cost=function), rtol=1e-12)


def test_a_function_may_give_the_costs_themselves():
    def make(x, y):
        return np.abs(x[:, :, None] - y[:, None]).sum(axis=3)

    X, Y = series(), series((3, 6), seed=1)
    expected = one_by_one(X, Y, cost=lambda x, y: make(x[None], y[None])[0])
    np.testing.assert_allclose(pairwise(X, Y, cost=make), expected, rtol=1e-12)


def test_labels():
    random = np.random.default_rng(0)
    logs = [np.log(random.dirichlet(np.ones(4), size=n)) for n in (6, 9, 7)]
    labels = [random.integers(0, 4, m) for m in (3, 5)]
    expected = one_by_one(logs, labels, cost=dp.costs.nll)
    np.testing.assert_allclose(pairwise(logs, labels, cost="nll"), expected, rtol=1e-12)
    np.testing.assert_allclose(pairwise(logs, labels, cost=lambda x, y: -dp.costs.gather(x, y)), expected, rtol=1e-12)


def test_several_planes_and_states():
    X, topology = series(), dp.topologies.affine_gap(1.0, 0.5)
    assert topology.extra == (1, 1)
    X.append(np.zeros((0, 2)))  # an empty series has a lattice here
    expected = np.array([[_affine(topology, x, y) for y in X] for x in X])
    np.testing.assert_allclose(pairwise(X, topology=topology), expected, rtol=1e-12)


def _affine(topology, x, y):
    cost = dp.costs.sqeuclidean(x, y)
    return dp.compile(topology, dp.Softmin(0.5), engine="reference")(cost).total


def test_params_are_cut_to_the_lattices_of_a_call():
    X, Y = series(), series((7, 2, 5), seed=1)
    weight = np.linspace(1.0, 2.0, 7)
    topology = dp.topologies.weighted_dtw(horizontal=dp.Param("w", axes="m"))
    semiring = dp.Softmin(dp.Param("gamma"))
    expected = [
        [one_by_one([x], [y], topology, semiring, params={"w": weight[: len(y)], "gamma": 0.3})[0, 0] for y in Y] for x in X
    ]
    found = pairwise(X, Y, topology=topology, semiring=semiring, params={"w": weight, "gamma": 0.3})
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    per_item = topology.replace(steps=[dp.Step(1, 1), dp.Step(0, 1, weight=dp.Param("w", axes="bm")), dp.Step(1, 0)])
    expected = [[one_by_one([x], [y], per_item, params={"w": weight[None, : len(y)]})[0, 0] for y in Y] for x in X]
    for value in (weight, weight[None]):
        np.testing.assert_allclose(pairwise(X, Y, topology=per_item, params={"w": value}), expected, rtol=1e-12)


def test_nan_stays_in_its_pairs_and_no_path_is_the_zero():
    X = series()
    X[4] = X[4].copy()
    X[4][1] = np.nan
    steps = dp.Topology([dp.Step(1, 1), dp.Step(1, 2), dp.Step(2, 1)])
    found = pairwise(X, topology=steps)
    expected = one_by_one(X, X, steps)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    nan = np.zeros_like(found, bool)
    nan[4] = nan[:, 4] = True
    np.testing.assert_array_equal(np.isnan(found), nan)
    assert np.isposinf(found[2, 5])  # 1 and 12 frames


# --- half the pairs ---------------------------------------------------------------------------------


def test_half_of_the_pairs_is_computed_where_the_total_is_symmetric():
    X = series()
    n = len(X)
    for topology in (DTW, dp.topologies.affine_gap(1.0, 0.5), dp.topologies.partial_matching()):
        found, pairs = counted(X, topology=topology)
        np.testing.assert_allclose(found, one_by_one(X, X, topology), rtol=1e-12)
        assert pairs == n * (n + 1) // 2
    assert counted(X, X)[1] == n * n


ASYMMETRIC = {
    "steps": dict(topology=dp.Topology([dp.Step(1, 0), dp.Step(0, 1, weight=2.0), dp.Step(1, 1)])),
    "terms": dict(topology=dp.Topology([dp.Step(1, 1), dp.Step(1, 0, terms=[dp.Term(at=(-1, 0))]), dp.Step(0, 1)])),
    "boundary": dict(topology=dp.topologies.subsequence_dtw(axis=1)),
    "a Param along columns": dict(
        topology=dp.topologies.weighted_dtw(horizontal=dp.Param("w", axes="m"), vertical=dp.Param("w", axes="m")),
        params={"w": np.linspace(1.0, 2.0, 12)},
    ),
    "a slanted window": dict(topology=dp.Topology(DTW.steps, window=dp.Window.sakoe_chiba(11))),
    "a cost of one's own": dict(cost=lambda x, y: dp.costs.own(x, y, lambda x, y: x[:, :1] ** 2 + y[:, 0])),
    "a source of something else": dict(cost=lambda x, y: dp.costs.sqeuclidean(x, y + 1.0)),
    "an iterated sum": dict(semiring=dp.KBest(2)),
}


@pytest.mark.parametrize("what", ASYMMETRIC)
def test_all_pairs_are_computed_where_symmetry_is_not_seen(what):
    X = series()
    found, pairs = counted(X, **ASYMMETRIC[what])
    assert pairs == len(X) ** 2
    if "params" not in ASYMMETRIC[what]:
        np.testing.assert_allclose(found, one_by_one(X, X, **ASYMMETRIC[what]), rtol=1e-12)
    assert what in ("an iterated sum", "a slanted window") or not np.allclose(found, found.T)


def test_windows_of_equal_lengths():
    X = series((9,) * 5)
    for window in (dp.Window.sakoe_chiba(2), dp.Window.itakura(2), dp.Window.ranges(range(-2, 7), range(3, 12))):
        topology = dp.Topology(DTW.steps, window=window)
        found, pairs = counted(X, topology=topology)
        assert pairs == 15
        np.testing.assert_allclose(found, one_by_one(X, X, topology), rtol=1e-12)
    upper = dp.Topology(DTW.steps, window=dp.Window.ranges(range(-1, 8), 9))
    assert counted(X, topology=upper)[1] == 25
    banded = dp.Topology(DTW.steps, window=dp.Window.sakoe_chiba(dp.Param("radius")))
    assert counted(X, topology=banded, params={"radius": 2})[1] == 15


def test_symmetry_may_be_stated():
    def cityblock(x, y):
        return dp.costs.own(x, y, lambda x, y: np.abs(x[:, None] - y).sum(axis=2), symmetric=True)

    X = series()
    found, pairs = counted(X, cost=cityblock)
    np.testing.assert_allclose(found, one_by_one(X, X, cost=cityblock), rtol=1e-12)
    assert pairs == len(X) * (len(X) + 1) // 2
    assert counted(X, symmetric=False)[1] == len(X) ** 2
    assert counted(X, symmetric=True, semiring=dp.KBest(2))[1] == pairs
    with pytest.raises(ValueError, match="without Y"):
        pairwise(X, X, symmetric=True)


SYMMETRIC = {name: t for name, (t, _) in PRESETS.items() if symmetric(t)}


def test_presets_that_are_symmetric():
    assert {"dtw", "dtw_21", "symmetric2", "partial_matching", "smith_waterman", "affine_gap local"} <= SYMMETRIC.keys()
    assert not {"asymmetric", "ctc", "hmm", "subsequence_dtw", "weighted_dtw", "twe"} & SYMMETRIC.keys()


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_symmetric_topology_has_symmetric_totals(name):
    topology = SYMMETRIC[name].replace(window=None)
    random = np.random.default_rng(0)
    planes = {plane: random.random((5, 7)) for plane in topology.planes()}
    params = {p.name: random.random(p.shape) for p in topology.params()}
    solver = dp.compile(topology, dp.Softmin(0.5), engine="reference")
    there, back = (solver(cost, params=params).total for cost in (planes, {plane: c.T for plane, c in planes.items()}))
    np.testing.assert_allclose(there, back, rtol=1e-12)


# --- who computes -----------------------------------------------------------------------------------


class Later:
    """A Dask client as far as it is used: `map` gives futures."""

    def map(self, function, jobs):
        given = []
        for job in jobs:
            future = Future()
            future.set_result(pickle.loads(pickle.dumps(function))(pickle.loads(pickle.dumps(job))))
            given.append(future)
        return given


class Backwards:
    """A joblib.Parallel as far as it is used, which gives back what is done first."""

    n_jobs = 2

    def __call__(self, jobs):
        return iter([function(*args, **more) for function, args, more in jobs][::-1])


@pytest.mark.parametrize("parallel", [Later(), Backwards(), map])
@pytest.mark.parametrize("size", [1, 10**6])
def test_by_what_the_caller_has_set_up(parallel, size):
    X, Y = series(), series((7, 2, 5), seed=1)
    np.testing.assert_array_equal(pairwise(X, Y, parallel=parallel, block=size), pairwise(X, Y))
    np.testing.assert_array_equal(pairwise(X, parallel=parallel, block=size), pairwise(X))


def test_by_an_executor():
    X = series()
    with ThreadPoolExecutor(2) as executor:
        np.testing.assert_array_equal(pairwise(X, parallel=executor, block=30), pairwise(X))


def test_by_other_processes():
    X = series()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pairwise(X, semiring=SENT, parallel=pool)
    np.testing.assert_array_equal(found, pairwise(X, semiring=SENT))


def lowest(terms, p):
    return dp.ops.min(terms)


def plus(a, b, p):
    return a + b


def same(x, p):
    return x


SENT = dp.Semiring("sent", dp.inf, 0.0, lowest, plus, encode=same, decode=same)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_by_joblib(backend):
    joblib = pytest.importorskip("joblib")
    X = series()
    expected = pairwise(X)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        np.testing.assert_array_equal(pairwise(X, parallel="joblib"), expected)
    np.testing.assert_array_equal(pairwise(X, parallel=joblib.Parallel(n_jobs=2, return_as="generator_unordered")), expected)


def test_functions_that_pickle_refuses(monkeypatch):
    monkeypatch.setattr("dpsemiring.api.workers.PICKLERS", ())
    with pytest.raises(TypeError, match="install cloudpickle"):
        pairwise(series(), semiring=dp.Softmin(0.5), parallel=map)
    assert pickle.loads(pack("this", (SENT,)))[0].name == "sent"


def test_an_interrupt_ends_the_work():
    X = series()
    later = Later()

    def stop(done, total):
        raise KeyboardInterrupt

    for parallel in (None, later, Backwards()):
        with pytest.raises(KeyboardInterrupt):
            pairwise(X, progress=stop, block=1, parallel=parallel)

    started = []

    def cost(x, y):
        started.append(len(x))
        if len(started) == 3:
            raise KeyboardInterrupt
        return dp.costs.sqeuclidean(x, y)

    with pytest.raises(KeyboardInterrupt):
        pairwise(X, cost=cost, symmetric=True, block=1)
    assert len(started) == 3


def test_waiting_futures_are_cancelled():
    class Never(Later):
        def map(self, function, jobs):
            self.given = [Future() for _ in jobs]
            self.given[0].set_exception(KeyboardInterrupt())
            return self.given

    never = Never()
    with pytest.raises(KeyboardInterrupt):
        pairwise(series(), block=1, parallel=never)
    assert len(never.given) > 2 and all(f.cancelled() for f in never.given[1:])


PER_ITEM = dp.Softmin(dp.Param("g", axes="b"))


# --- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(X=[]), ValueError, "X is empty"),
        (dict(X=series(), Y=[]), ValueError, "Y is empty"),
        (dict(X=np.arange(3.0)), ValueError, r"X\[0\] has the shape \(\).*\[X\]"),
        (dict(X=3), TypeError, "X is a list of series"),
        (dict(X="abc"), TypeError, "found str"),
        (dict(X=[np.zeros((2, 2)), np.zeros((2, 3))]), ValueError, r"X\[1\] has 3 features .*X\[0\] has 2"),
        (dict(X=series(), Y=series(features=3)), ValueError, "2 features.*3|3 features.*2"),
        (dict(X=[np.zeros((2, 1)), np.zeros((0, 1))]), ValueError, r"X\[1\] has no frames"),
        (dict(X=[["a", "b"]]), TypeError, "real numbers are expected"),
        (dict(X=[np.zeros((2, 2, 2))]), ValueError, r"\(T,\) or \(T, D\) is expected"),
        (dict(X=series(), lengths=[1, 2]), ValueError, "8 whole numbers"),
        (dict(X=series(), lengths=np.full(8, 2.0)), ValueError, "whole numbers, found float64"),
        (dict(X=series(), lengths=np.full(8, 2)), ValueError, r"lengths give 2 for X\[2\], which has 1"),
        (dict(X=series(), Y=series(), lengths=np.full(8, 1)), ValueError, "are a pair"),
        (dict(X=series(), cost="cityblock"), ValueError, "cost is one of sqeuclidean"),
        (dict(X=series(), block=0), ValueError, "block is a number of cells"),
        (dict(X=series(), parallel="loky"), ValueError, "joblib.parallel_config"),
        (dict(X=series(), parallel=3), TypeError, "found int"),
        (dict(X=series(), params={"gamma": 1.0}), ValueError, "unknown parameter 'gamma'"),
        (dict(X=series(), semiring=PER_ITEM, params={"g": np.ones(8)}), ValueError, "one value for all"),
        (dict(X=series(), topology=dp.Topology(DTW.steps, window=dp.Window.ranges(5, 6))), ValueError, "excludes every path"),
    ],
)  # fmt: skip
def test_mistakes_are_named(options, error, message):
    with pytest.raises(error, match=message):
        pairwise(**options)


def test_series_of_two_kinds():
    with pytest.raises(ValueError, match="differ in kind"):
        pairwise([np.zeros((3, 2)), np.zeros(3, int)], cost=lambda x, y: -dp.costs.gather(x, y))
