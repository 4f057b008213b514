"""Costs that are made tile by tile give what the same costs give as arrays: totals, gradients, paths, everything else."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.run import inputs

RAGGED = ([200, 131, 64], [333, 290, 65])
FAR = [
    dp.Step(1, 0),
    dp.Step(0, 1),
    dp.Step(2, 1, terms=[dp.Term(at=(-1, 0)), dp.Term(weight=2.0)]),
    dp.Step(1, 3, terms=[dp.Term(at=(0, -2)), dp.Term(at=(0, -1)), dp.Term()]),
]


def frames(seed=0, batch=3, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, 200, 5)).astype(dtype), rng.normal(size=(3, 333, 5)).astype(dtype)


def labelled(seed=0, batch=3):
    rng = np.random.default_rng(seed)
    return np.log(rng.dirichlet(np.ones(7), size=(batch, 200))), rng.integers(0, 7, (3, 333))


def symbols():
    rng = np.random.default_rng(1)
    return rng.random((4, 5)), rng.integers(0, 4, (3, 200)), rng.integers(0, 5, (3, 333))


def both_ways(monkeypatch, solver, source, lengths=RAGGED, params=None):
    """The result from costs made as needed and from whole ones, over one and the same source."""
    found = []
    for least in (1, 1 << 60):
        monkeypatch.setattr(inputs, "WORTH_FUSING", least)
        found.append(solver(source, lengths, params or {}))
    assert found[0]._problem.fused and not found[1]._problem.fused
    return found


SOURCES = {
    "differences": lambda: (dp.costs.sqeuclidean(*frames()), ("x", "y")),
    "sum": lambda: (dp.costs.sqeuclidean(*frames()) + 0.5 * dp.costs.cosine(*frames(), names=("u", "v")), ("x", "v")),
    "one x for all": lambda: (dp.costs.sqeuclidean(*frames(batch=1)), ("x", "y")),
    "entries": lambda: (-dp.costs.gather(*labelled()), ("log_probs",)),
    "one table for all": lambda: (-dp.costs.gather(*labelled(batch=1)), ("log_probs",)),
    "lookup": lambda: (dp.costs.lookup(*symbols()), ("table",)),
}
TOPOLOGIES = {
    "dtw": dp.topologies.dtw(),
    "far": dp.Topology(FAR, dp.Boundary.subsequence(1)),
    "window": dp.Topology(FAR, window=dp.Window.sakoe_chiba(30)),
    "rows": dp.Topology([dp.Step(1, 0), dp.Step(1, 1), dp.Step(1, 2)], dp.Boundary.anywhere()),
    "longer": dp.Topology(
        [dp.Step(1, 1), dp.Step(1, 0, terms=(), penalty=0.5), dp.Step(0, 1, terms=(), penalty=0.7)],
        dp.Boundary([dp.Start(terms=())], [dp.End()]),
        extra=(1, 1),
    ),
}


@pytest.mark.parametrize(
    "topology, source",
    [*(("dtw", s) for s in SOURCES if s != "sum"), *(("far", s) for s in ("differences", "sum", "one table for all"))],
)
def test_as_whole_costs(source, topology, monkeypatch):
    cost, names = SOURCES[source]()
    made, whole = both_ways(monkeypatch, dp.compile(TOPOLOGIES[topology], dp.Softmin(0.5)), cost)
    np.testing.assert_allclose(made.total, whole.total, rtol=1e-12)
    np.testing.assert_allclose(made.marginals, whole.marginals, atol=1e-10)
    for name in names:
        np.testing.assert_allclose(made.grad(name), whole.grad(name), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "topology, source", [("window", "differences"), ("rows", "entries"), ("longer", "differences"), ("longer", "entries")]
)
def test_in_every_lattice(source, topology, monkeypatch):
    cost, names = SOURCES[source]()
    made, whole = both_ways(monkeypatch, dp.compile(TOPOLOGIES[topology], dp.Softmin(0.5)), cost)
    np.testing.assert_allclose(made.total, whole.total, rtol=1e-12)
    for name in names:
        np.testing.assert_allclose(made.grad(name), whole.grad(name), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(made.occupancy, whole.occupancy, atol=1e-10)


def test_paths_samples_and_second_derivatives(monkeypatch):
    cost = dp.costs.sqeuclidean(*frames())
    made, whole = both_ways(monkeypatch, dp.compile(TOPOLOGIES["dtw"], dp.Tropical), cost)
    for x, y in zip(made.path, whole.path):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(made.marginals, whole.marginals)
    cost = dp.costs.sqeuclidean(*(a[:, :40] for a in frames()))
    made, whole = both_ways(monkeypatch, dp.compile(TOPOLOGIES["dtw"], dp.Softmin(1.0)), cost, ([40, 20, 9], [40, 11, 40]))
    direction = np.random.default_rng(3).normal(size=(3, 40, 40))
    np.testing.assert_allclose(made.along(direction).marginals, whole.along(direction).marginals, atol=1e-10)
    for x, y in zip(made.sample(2, 0), whole.sample(2, 0)):
        for a, b in zip(x, y):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("source", ["differences", "entries"])
def test_threads_and_memory_change_nothing(source, monkeypatch):
    cost, names = SOURCES[source]()
    monkeypatch.setattr(inputs, "WORTH_FUSING", 1)
    monkeypatch.setattr("dpsemiring.run.cpu.threads.WORTH_A_THREAD", 1)
    found = []
    for threads, memory in (("1", None), ("2", None), ("3", 0)):
        monkeypatch.setenv("DPSEMIRING_NUM_THREADS", threads)
        result = dp.compile(TOPOLOGIES["dtw"], dp.Softmin(0.5), memory=memory)(cost, RAGGED)
        found.append([result.total, *(result.grad(n) for n in names)])
    for other in found[1:]:
        for x, y in zip(found[0], other):
            np.testing.assert_array_equal(x, y)


def test_one_item_on_several_threads(monkeypatch):
    x, y = (a[:1] for a in frames(dtype=np.float32))
    monkeypatch.setattr(inputs, "WORTH_FUSING", 1)
    monkeypatch.setattr("dpsemiring.run.cpu.threads.WORTH_A_THREAD", 1)
    found = []
    for threads in ("1", "2", "4"):
        monkeypatch.setenv("DPSEMIRING_NUM_THREADS", threads)
        result = dp.compile(TOPOLOGIES["dtw"], dp.Softmin(0.5))(dp.costs.sqeuclidean(x, y))
        found.append((result.total, result.grad("x"), result.grad("y")))
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


def test_a_nan_stays_in_its_item(monkeypatch):
    x, y = frames()
    x[1, 100] = np.nan
    x[0, 199:] = y[2, 70:] = np.nan  # the last beyond the lengths
    made, whole = both_ways(
        monkeypatch, dp.compile(TOPOLOGIES["dtw"], dp.Softmin(0.5)), dp.costs.sqeuclidean(x, y), ([199, 131, 64], RAGGED[1])
    )
    assert np.isnan(made.total).tolist() == [False, True, False]
    np.testing.assert_array_equal(np.isnan(made.grad("x")), np.isnan(whole.grad("x")))
    np.testing.assert_allclose(made.grad("y")[[0, 2]], whole.grad("y")[[0, 2]], rtol=1e-9, atol=1e-9)


def test_forbidden_entries_have_the_gradient_0(monkeypatch):
    log_probs, labels = labelled()
    log_probs[:, 50:60, 3] = -np.inf
    source = -dp.costs.gather(log_probs, labels)
    made, whole = both_ways(monkeypatch, dp.compile(TOPOLOGIES["dtw"], dp.Softmin(0.5)), source)
    np.testing.assert_allclose(made.total, whole.total, rtol=1e-12)
    assert np.isfinite(made.grad("log_probs")).all() and not made.grad("log_probs")[:, 50:60, 3].any()
    np.testing.assert_allclose(made.grad("log_probs"), whole.grad("log_probs"), rtol=1e-9, atol=1e-9)


def test_what_does_not_fit_in_float32_is_made_again_in_float64(monkeypatch):
    x, y = frames(dtype=np.float32)
    made, whole = both_ways(monkeypatch, dp.compile(TOPOLOGIES["dtw"], dp.Softmin(1e-7)), dp.costs.sqeuclidean(x, y))
    hard = dp.compile(TOPOLOGIES["dtw"], dp.Tropical)(dp.costs.sqeuclidean(x, y), RAGGED)
    np.testing.assert_allclose(made.total, hard.total, rtol=1e-6)
    np.testing.assert_allclose(made.total, whole.total, rtol=1e-6)
    assert made.total.dtype == np.float32 and made.grad("x").dtype == np.float32


def test_memory_is_linear():
    """What NumPy allocates while 6000 x 6000 cells are aligned is far from an array of them."""
    import tracemalloc

    rng = np.random.default_rng(5)
    x, y = (rng.normal(size=(6000, 1)).astype(np.float32) for _ in range(2))
    solver = dp.compile(TOPOLOGIES["dtw"], dp.Softmin(1.0))
    solver(dp.costs.sqeuclidean(x[:300], y[:300])).grad("x")  # compiled
    tracemalloc.start()
    result = solver(dp.costs.sqeuclidean(x, y))
    assert result.grad("x").shape == x.shape and np.isfinite(result.grad("y")).all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 4 / 8
