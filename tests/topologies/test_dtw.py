"""Classical, 2-1, subsequence and partial DTW against brute force, plain loops and published examples."""

import doctest
from importlib import import_module
from itertools import combinations
from math import inf

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import assert_global_equals_recursive, assert_gradients

BEFORE, AFTER = dp.Param("before", axes="bm"), dp.Param("after", axes="bm")
WEIGHTED = {name: dp.Param(name) for name in ("vertical", "horizontal", "diagonal")}


def solve(topology, cost, semiring=dp.Tropical, **params):
    return dp.compile(topology, semiring, engine="reference")(np.asarray(cost, float), params=params)


def distances(x, y):
    return np.abs(np.subtract.outer(np.asarray(x, float), np.asarray(y, float)))


@pytest.mark.parametrize("module", ["dtw", "patterns"])
def test_printed_recurrences(module):
    found = doctest.testmod(import_module(f"dpsemiring.topologies.{module}"))
    assert found.attempted >= 5 and found.failed == 0


def test_a_small_pair_of_sequences():
    """Hand-checkable: the path 0-0 0-1 1-2 2-3 2-4 3-5 4-5 pays 1 1 3 1 2 0 1."""
    cost = distances([1, 3, 9, 2, 1], [2, 0, 0, 8, 7, 2])
    assert solve(dp.topologies.dtw(), cost).total == dp.testing.global_total(dp.topologies.dtw(), dp.Tropical, cost) == 9.0


def test_minimum_variance_matching_of_the_paper():
    """Latecki et al., 2007, figure 5: elements 4 and 5 of the longer sequence are left out."""
    differences = np.subtract.outer([1, 2, -6, -4, -6], [1, 0, -7, -1, -1, -3, -7])
    cost = (differences - differences[0, 0]) ** 2.0
    assert np.array_equal(cost[0], [0, 1, 64, 4, 4, 16, 64])
    assert solve(dp.topologies.mvm(10), cost).path.T.tolist() == [[0, 1, 2, 3, 4], [0, 1, 2, 5, 6]]


def test_weights_of_the_2_1_steps():
    cost = np.arange(12.0).reshape(3, 4)
    result = solve(dp.topologies.dtw_21(**WEIGHTED), cost, vertical=5.0, horizontal=2.0, diagonal=3.0)
    assert result.total == 0.0 + 3.0 * cost[1, 1] + 2.0 * cost[2, 3]
    assert [result.grad("horizontal"), result.grad("diagonal"), result.grad("vertical")] == [11.0, 5.0, 0.0]
    assert solve(dp.topologies.dtw_21(), np.ones((3, 6))).total == inf


# subsequences


def compensated(cost, first, last):
    """The same by closed DTW of the part alone, its ends paid once more for each element left out."""
    part = cost[:, first : last + 1]
    closed = solve(dp.topologies.dtw(), part).total
    return closed + first * cost[0, first] + (cost.shape[1] - 1 - last) * cost[-1, last]


@pytest.mark.parametrize("axis", [0, 1])
def test_compensation_pays_for_what_is_left_out(axis):
    rng = np.random.default_rng(5)
    cost = rng.uniform(size=(3, 6))
    count = np.arange(6)
    wanted = min(compensated(cost, a, b) for a in range(6) for b in range(a, 6))
    params = {"before": dp.Param("before", axes="nm"[axis]), "after": dp.Param("after", axes="nm"[axis])}
    result = solve(dp.topologies.subsequence_dtw(axis, **params), cost if axis else cost.T, before=count, after=count[::-1])
    assert result.total == pytest.approx(wanted, rel=1e-12)
    path = result.path if axis else result.path[:, ::-1]
    assert compensated(cost, path[0, 1], path[-1, 1]) == pytest.approx(wanted, rel=1e-12)


def test_compensation_in_a_ragged_batch():
    rng = np.random.default_rng(6)
    costs, columns = [rng.uniform(size=(3, m)) for m in (4, 6)], np.array([4, 6])
    padded = np.full((2, 3, 6), np.nan)
    padded[0, :, :4], padded[1] = costs
    before, after = np.arange(6.0)[None], (columns[:, None] - 1.0) - np.arange(6)
    solver = dp.compile(dp.topologies.subsequence_dtw(1, BEFORE, AFTER), dp.Softmin(0.3), engine="reference")
    result = solver(padded, (np.array([3, 3]), columns), {"before": before, "after": after})
    for b, (cost, m) in enumerate(zip(costs, columns)):
        alone = solver(cost, params={"before": before[:, :m], "after": after[b, None, :m]})
        assert result.total[b] == pytest.approx(alone.total, rel=1e-12)
        np.testing.assert_allclose(result.marginals[b, :, :m], alone.marginals, rtol=1e-12)


def test_no_compensation_is_the_plain_subsequence():
    plain = dp.Topology(dp.topologies.dtw().steps, dp.Boundary.subsequence(1))
    assert dp.topologies.subsequence_dtw() == plain == dp.topologies.subsequence_dtw(1, 0.0, 0)
    cost = np.random.default_rng(1).uniform(size=(3, 5))
    free = solve(
        dp.topologies.subsequence_dtw(1, BEFORE, AFTER), cost, dp.Softmin(0.2), before=np.zeros((1, 5)), after=np.zeros((1, 5))
    )
    assert free.total == pytest.approx(solve(plain, cost, dp.Softmin(0.2)).total, rel=1e-12)


def test_an_infinite_weight_closes_a_column():
    cost = np.random.default_rng(1).uniform(size=(3, 5))
    closed_begin, closed_end = np.full((1, 5), inf), np.full((1, 5), inf)
    closed_begin[0, 0] = closed_end[0, -1] = 0.0
    found = solve(dp.topologies.subsequence_dtw(1, BEFORE, AFTER), cost, before=closed_begin, after=closed_end)
    assert found.total == pytest.approx(solve(dp.topologies.dtw(), cost).total, rel=1e-12)


# partial matching


def best_chain(cost):
    """The cheapest non-empty chain of pairs, by listing all of them."""
    n_rows, n_columns = cost.shape
    chains = (
        zip(rows, columns)
        for size in range(1, min(cost.shape) + 1)
        for rows in combinations(range(n_rows), size)
        for columns in combinations(range(n_columns), size)
    )
    return min(sum(cost[cell] for cell in chain) for chain in chains)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_partial_matching_is_the_best_chain(shift):
    rng = np.random.default_rng(7)
    for shape in [(1, 1), (3, 4), (5, 4)]:
        cost = rng.uniform(size=shape) - shift
        assert solve(dp.topologies.partial_matching(), cost).total == pytest.approx(best_chain(cost), rel=1e-12)


def test_partial_matching_passes_over_forbidden_pairs():
    cost = [[-1.0, inf], [inf, inf], [inf, -1.0]]
    result = solve(dp.topologies.partial_matching(), cost)
    assert result.total == -2.0
    assert np.array_equal(result.marginals, [[1, 0], [0, 0], [0, 1]])


# brute force

TOPOLOGIES = {
    "dtw_21": dp.topologies.dtw_21(**WEIGHTED),
    "asymmetric": dp.topologies.asymmetric(),
    "mvm": dp.topologies.mvm(3),
    "compensated": dp.topologies.subsequence_dtw(1, BEFORE, AFTER),
    "partial_matching": dp.topologies.partial_matching(),
}


@pytest.mark.parametrize("semiring", [dp.Tropical, dp.Softmin(0.5), dp.Counting], ids=["tropical", "softmin", "counting"])
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_global_equals_recursive(name, semiring):
    assert_global_equals_recursive(TOPOLOGIES[name], semiring, engine="reference")


@pytest.mark.parametrize("semiring", [dp.Softmin(0.5), dp.Sparsemin(0.5)], ids=["softmin", "sparsemin"])
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_gradients(name, semiring):
    assert_gradients(TOPOLOGIES[name], semiring, engine="reference")


@pytest.mark.parametrize("name", ["compensated", "partial_matching"])
def test_the_compiled_engine_agrees(name):
    cost = np.random.default_rng(2).uniform(-1.0, 1.0, (2, 9, 40))
    count = np.arange(40.0)[None]
    params = dict(before=count, after=count[:, ::-1]) if name == "compensated" else {}
    slow, quick = (dp.compile(TOPOLOGIES[name], dp.Softmin(0.5), engine=e)(cost, params=params) for e in ("reference", "cpu"))
    np.testing.assert_allclose(quick.total, slow.total, rtol=1e-10)
    np.testing.assert_allclose(quick.marginals, slow.marginals, atol=1e-10)
    for param in params:
        np.testing.assert_allclose(quick.grad(param), slow.grad(param), atol=1e-10)
