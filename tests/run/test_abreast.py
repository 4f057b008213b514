"""Batches of small items, swept with the items abreast, give what the reference gives item by item."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.run import inputs
from dpsemiring.run.cpu import choice, tiling

FAR = dp.Topology(
    [dp.Step(1, 0), dp.Step(0, 1, terms=[dp.Term(at=(-1, 0)), dp.Term()]), dp.Step(2, 1, weight=2.0), dp.Step(1, 3)],
    dp.Boundary.subsequence(1),
)
BATCH, N, M = 19, 14, 17


@pytest.fixture
def low_strips(monkeypatch):
    """Strips of a few rows, and items abreast wherever that is possible."""
    monkeypatch.setattr(choice, "ROWS_ABREAST", 0)
    monkeypatch.setitem(choice.VECTOR_NS, ("abreast", 64), 0.0)
    monkeypatch.setattr(tiling, "ABREAST_BYTES", 30_000)


def ragged(seed=0):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(8, N + 1, BATCH), rng.integers(9, M + 1, BATCH)
    n[0], m[0] = N, M
    return n, m


def both_ways(topology, semiring, cost, lengths, params=None):
    """The result with items abreast, and the reference's."""
    found = [dp.compile(topology, semiring, engine=e)(cost, lengths, params or {}) for e in ("cpu", "reference")]
    tiles = found[0]._run.kept.tiling
    assert tiles.abreast and tiles.strips > 1
    return found


@pytest.mark.parametrize(
    ("topology", "semiring"),
    [(FAR, dp.Softmin(0.5)), (dp.topologies.affine_gap(1.5, 0.5, ends="semi-global"), dp.Tropical)],
    ids=["far steps", "three states"],
)
def test_totals_and_gradients(topology, semiring, low_strips):
    cost = np.random.default_rng(4).random((BATCH, N, M))
    abreast, reference = both_ways(topology, semiring, cost, ragged())
    np.testing.assert_allclose(abreast.total, reference.total, rtol=1e-12)
    np.testing.assert_allclose(abreast.marginals, reference.marginals, atol=1e-12)


def test_sums_for_parameters(low_strips):
    topology = dp.topologies.weighted_dtw(1.5, dp.Param("stay"), dp.Param("both", axes="m"))
    rng = np.random.default_rng(0)
    params = {"stay": 1.25, "both": rng.uniform(0.5, 2.0, M), "gamma": 0.5}
    abreast, reference = both_ways(topology, dp.Softmin(dp.Param("gamma")), rng.random((BATCH, N, M)), ragged(), params)
    for name in ("stay", "both"):
        np.testing.assert_allclose(abreast.grad(name), reference.grad(name), rtol=1e-9)


@pytest.mark.parametrize(("topology", "depth"), [(FAR, 3), (dp.topologies.dtw(), 2)], ids=["shifted", "few features"])
def test_costs_that_are_made_as_needed(topology, depth, low_strips, monkeypatch):
    monkeypatch.setattr(inputs, "WORTH_FUSING", 1)
    rng = np.random.default_rng(1)
    x, y, z = (rng.normal(size=(BATCH, size, depth)) for size in (N, M, M))
    cost = dp.costs.sqeuclidean(x, y) + dp.costs.cosine(x, z, names=("x", "z"))
    abreast, reference = both_ways(topology, dp.Softmin(0.5), cost, ragged())
    assert abreast._problem.fused
    np.testing.assert_allclose(abreast.total, reference.total, rtol=1e-12)
    for name in ("x", "z") if depth > 2 else ("y",):
        np.testing.assert_allclose(abreast.grad(name), reference.grad(name), rtol=1e-9, atol=1e-12)


def test_paths_and_threads(low_strips, monkeypatch):
    cost = np.random.default_rng(2).random((BATCH, N, M), dtype=np.float32)
    abreast, reference = both_ways(FAR, dp.Tropical, cost, ragged())
    for a, b in zip(abreast.path, reference.path):
        np.testing.assert_array_equal(a, b)
    monkeypatch.setattr("dpsemiring.run.cpu.threads.WORTH_A_THREAD", 1)
    monkeypatch.setenv("DPSEMIRING_NUM_THREADS", "2")
    several = dp.compile(FAR, dp.Tropical)(cost, ragged())
    assert several._run.kept.tiling.abreast
    np.testing.assert_array_equal(several.total, abreast.total)


def test_a_nan_and_what_padding_holds_stay_where_they_are(low_strips):
    cost = np.random.default_rng(3).random((BATCH, N, M), dtype=np.float32)
    n, m = ragged()
    cost[3, 5, 6] = np.nan
    cost[4, 5, 6] = np.inf
    for b in range(BATCH):
        cost[b, n[b] :] = cost[b, :, m[b] :] = np.nan
    abreast, reference = both_ways(dp.topologies.dtw(), dp.Softmin(0.5), cost, (n, m))
    assert np.flatnonzero(np.isnan(abreast.total)).tolist() == [3]
    np.testing.assert_allclose(abreast.total, reference.total, rtol=1e-5)
    np.testing.assert_allclose(abreast.marginals, reference.marginals, atol=1e-6)


def test_where_it_pays():
    def abreast(batch, n, m, lengths=None, topology=None, gamma=0.5):
        topology = topology or dp.topologies.dtw()
        params = {"gamma": gamma} if np.ndim(gamma) else {}
        semiring = dp.Softmin(dp.Param("gamma", axes="b") if params else gamma)
        cost = np.ones((batch, n, m), np.float32)
        return dp.compile(topology, semiring)(cost, lengths, params)._run.kept.tiling.abreast

    assert abreast(32, 50, 60)
    assert not abreast(15, 50, 60), "fewer than lanes"
    assert not abreast(32, 20, 2000), "rows leave the cache"
    uneven = np.full(32, 20)
    uneven[::8] = 300
    assert not abreast(32, 300, 300, (uneven, uneven)), "most lanes would idle"
    assert not abreast(32, 50, 60, gamma=np.full(32, 0.5)), "each item has its own gamma"
    assert not abreast(32, 50, 60, topology=dp.topologies.dtw().replace(window=dp.Window.sakoe_chiba(3)))
