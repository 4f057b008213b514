"""The edges of the domain, on both engines: forbidden cells, no path, NaN, and padding that must never be read."""

import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import assert_gradients, random_problem, recursive_gradients, recursive_total

ENGINES = ("cpu", "reference")
DTW = dp.topologies.dtw()
LABELS = dp.Param("labels", axes="bm")
EVERYTHING = dp.Topology(
    [
        dp.Step(1, 1, weight=dp.Param("w", axes="bnm")),
        dp.Step(1, 0, terms=[dp.Term(), dp.Term("other", (-1, 0), 0.5)], where=LABELS.differs(1)),
        dp.Step(0, 1, penalty=dp.Param("p", axes="bm"), where=dp.Param("open", axes="bnm")),
    ],
    dp.Boundary([dp.Start(), dp.Start(0, -2)], [dp.End(-1, None, penalty=dp.Param("last", axes="bn"))]),
)


def poisoned(problem, topology):
    """NaN in every real number that lies beyond an item's lengths, and other labels there."""
    n, m = problem.lengths
    rows, cols = (np.arange(size) for size in problem.cost["cost"].shape[1:])
    beyond_n, beyond_m = rows >= n[:, None], cols >= m[:, None]
    beyond = beyond_n[:, :, None] | beyond_m[:, None]
    cost = {name: np.where(beyond, np.nan, plane) for name, plane in problem.cost.items()}
    params = dict(problem.params)
    params["w"], params["open"] = np.where(beyond, np.nan, params["w"]), np.where(beyond, np.nan, params["open"])
    params["p"], params["last"] = np.where(beyond_m, np.nan, params["p"]), np.where(beyond_n, np.nan, params["last"])
    params["labels"] = np.where(beyond_m, np.arange(len(cols)) + 77, params["labels"])
    return cost, problem.lengths, params


@pytest.mark.parametrize("engine", ENGINES)
def test_padding_is_never_read(engine):
    solver = dp.compile(EVERYTHING, dp.Softmin(0.5), engine=engine)
    for seed in range(3):
        problem = random_problem(np.random.default_rng(seed), EVERYTHING, solver.semiring, (5, 6), batch=4)
        clean, dirty = solver(*problem.arguments), solver(*poisoned(problem, EVERYTHING))
        np.testing.assert_array_equal(clean.total, dirty.total)
        for b in range(4):
            item = problem.item(EVERYTHING, solver.semiring, b)
            np.testing.assert_allclose(dirty.total[b], recursive_total(EVERYTHING, solver.semiring, *item.arguments), rtol=1e-12)
        for plane in ("cost", "other"):
            np.testing.assert_array_equal(clean.marginals[plane], dirty.marginals[plane])
        if engine == "reference" or seed == 0:
            np.testing.assert_array_equal(clean.grad("w"), dirty.grad("w"))
            np.testing.assert_array_equal(clean.grad("p"), dirty.grad("p"))


def test_gradients_of_everything_by_the_compiled_engine():
    """Weights, penalties and ends that are Params, a learned temperature, masks, two planes, cells away."""
    assert_gradients(EVERYTHING, dp.Softmin(dp.Param("gamma", axes="b")))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("semiring", [dp.Tropical, dp.Softmin(0.5), dp.Sparsemin(0.5)], ids=["Tropical", "Softmin", "Sparsemin"])
def test_forbidden_cells_no_path_and_nan(semiring, engine):
    """Item 0 has holes, 1 no path, 2 a NaN, 3 is whole; each is as if alone."""
    rng = np.random.default_rng(0)
    cost = rng.random((4, 4, 4))
    cost[0, 1, 1] = cost[0, 0, 2] = cost[0, 3, 0] = math.inf
    cost[1, 2, :] = math.inf
    cost[2, 3, 0] = math.nan
    result = dp.compile(DTW, semiring, engine=engine)(cost)
    assert result.total[1] == math.inf and math.isnan(result.total[2])
    assert np.isfinite(result.total[[0, 3]]).all()
    assert (result.marginals[1] == 0.0).all()
    assert np.isnan(result.marginals[2]).all()
    for b in (0, 3):
        assert result.total[b] == pytest.approx(recursive_total(DTW, semiring, cost[b]), rel=1e-12)
        np.testing.assert_allclose(result.marginals[b], recursive_gradients(DTW, semiring, cost[b]).planes["cost"], atol=1e-12)
    assert (result.marginals[0][np.isinf(cost[0])] == 0.0).all()
    if engine == "reference":
        assert (result.occupancy[1] == 0.0).all() and np.isnan(result.occupancy[2]).all()


def test_counting_finds_no_path():
    cost = np.zeros((3, 3))
    cost[1, :] = math.inf
    for engine in ENGINES:
        assert dp.compile(DTW, dp.Counting, engine=engine)(cost).total == 0.0


def test_no_path_by_the_boundary_alone():
    """An end that lies outside a short item's lattice."""
    ends_early = dp.Topology(DTW.steps, dp.Boundary(dp.Start(), dp.End(-1, -3)))
    result = dp.compile(ends_early, dp.Softmin(1.0), engine="reference")(np.zeros((2, 3, 3)), lengths=(3, [3, 2]))
    assert np.isfinite(result.total[0]) and result.total[1] == math.inf
    assert not result.marginals[1].any()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_batch_gives_empty_results(engine):
    result = dp.compile(DTW, dp.Tropical, engine=engine)(np.zeros((0, 3, 4)))
    assert result.total.shape == (0,) and result.marginals.shape == (0, 3, 4) and result.path == []


def test_labels_of_one_entry_serve_every_column():
    """An axis of length 1: all labels are the same, so no column differs from another."""
    topology = dp.Topology([dp.Step(0, 1, where=LABELS.differs(-1))], dp.Boundary(dp.Start(), dp.End(0, None)))
    wide, narrow = ({"labels": np.full((1, size), 3)} for size in (4, 1))
    solver = dp.compile(topology, dp.Counting, engine="reference")
    assert solver(np.zeros((1, 4)), params=wide).total == solver(np.zeros((1, 4)), params=narrow).total == 1.0


@pytest.mark.parametrize("penalty, semiring", [(-math.inf, dp.Tropical), (math.inf, dp.MaxPlus)], ids=["costs", "scores"])
def test_a_penalty_of_the_wrong_infinity_is_refused(penalty, semiring):
    with pytest.raises(ValueError, match="has no meaning"):
        dp.compile(dp.Topology([dp.Step(1, 1, penalty=penalty)]), semiring)


def test_a_topology_that_reads_no_cost_is_refused():
    free = dp.Topology([dp.Step(1, 1, terms=())], dp.Boundary(dp.Start(terms=()), dp.End()))
    with pytest.raises(ValueError, match="nothing tells the size of its lattice"):
        dp.compile(free, dp.Counting)
