"""Semirings that the library does not have, written as a user would: they run, and equal what they must equal."""

import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra.numbers import Numbers
from dpsemiring.testing import samples

ENGINES = ("cpu", "reference")
GAMMA = 0.3
GAPS = {"opening": 1.5, "extension": 0.4}


def problem(name, rng):
    if name == "dtw":
        return dp.topologies.dtw(), {}
    return dp.topologies.affine_gap(), GAPS


def ragged(rng, shape=(3, 6, 5)):
    cost = rng.random(shape) * 3.0
    cost[0, 2, 3] = np.inf
    cost[1, 0, 0] = np.inf
    return cost, (np.array([6, 6, 4]), np.array([5, 4, 5]))


def same(mine, wanted, atol=1e-12):
    np.testing.assert_allclose(mine, wanted, rtol=1e-10, atol=atol)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["dtw", "affine_gap"])
def test_a_mantissa_and_an_exponent_are_softmin(name, engine):
    """A carrier of two components, one an integer, through frexp and ldexp."""
    rng = np.random.default_rng(1)
    topology, params = problem(name, rng)
    cost, lengths = ragged(rng)
    pair = dp.compile(topology, samples.mantissa_exponent(GAMMA), engine=engine)(cost, lengths, params)
    plain = dp.compile(topology, dp.Softmin(GAMMA), engine="reference")(cost, lengths, params)
    same(pair.total, plain.total)
    same(pair.marginals, plain.marginals)
    same(pair.occupancy, plain.occupancy)
    if engine == "reference":
        for param in params:
            same(pair.grad(param), plain.grad(param))
        same(pair.accumulated_cost, plain.accumulated_cost)


def test_its_temperature_has_a_gradient():
    cost, lengths = ragged(np.random.default_rng(2))
    gamma = dp.Param("gamma", axes="b")
    given = {"gamma": np.array([0.2, 1.0, 5.0])}
    pair, plain = (
        dp.compile(dp.topologies.dtw(), s, engine="reference")(cost, lengths, given)
        for s in (samples.mantissa_exponent(gamma), dp.Softmin(gamma))
    )
    same(pair.grad("gamma"), plain.grad("gamma"))


def test_a_mantissa_and_an_exponent_do_not_run_out_of_range():
    cost = np.full((16, 16), 300.0)
    pair = dp.compile(dp.topologies.dtw(), samples.mantissa_exponent(0.01), engine="reference")(cost)
    plain = dp.compile(dp.topologies.dtw(), dp.Softmin(0.01), engine="reference")(cost)
    assert pair.total == pytest.approx(16 * 300.0)  # exp(-x / gamma) = 1e-208461
    same(pair.total, plain.total)
    same(pair.marginals, plain.marginals, atol=1e-9)


@pytest.mark.parametrize("name, engine", [("dtw", "cpu"), ("dtw", "reference"), ("affine_gap", "reference")])
def test_a_loop_over_the_terms_is_the_reduction_it_spells_out(name, engine):
    rng = np.random.default_rng(3)
    topology, params = problem(name, rng)
    cost, lengths = ragged(rng)
    scores = -cost
    folded = dp.compile(topology, samples.folded_scores(), engine=engine)(scores, lengths, params)
    reduced = dp.compile(topology, dp.Log, engine="reference")(scores, lengths, params)
    same(folded.total, reduced.total)
    same(folded.marginals, reduced.marginals)
    if engine == "reference":
        same(folded.occupancy, reduced.occupancy)


def test_scores_are_mirrored_costs():
    cost, lengths = ragged(np.random.default_rng(4))
    dtw = dp.topologies.dtw()
    for scores, costs in ((dp.MaxPlus, dp.Tropical), (dp.Log, dp.Softmin(1.0))):
        mine = dp.compile(dtw, scores, engine="reference")(-cost, lengths)
        wanted = dp.compile(dtw, costs, engine="reference")(cost, lengths)
        same(mine.total, -wanted.total)
        same(mine.marginals, wanted.marginals)
        if scores.trace.selects:
            for path, other in zip(mine.path, wanted.path):
                np.testing.assert_array_equal(path, other)


def test_tsallis_weights_are_the_optimum():
    """The value is the least over the simplex, and the weights attain it."""
    numbers, rng = Numbers(samples.tsallis(0.5)), np.random.default_rng(5)
    for _ in range(50):
        x = rng.normal(size=5)
        terms = [(float(v),) for v in x]
        weights = numbers.sum_flows(terms, (1.0,))[0][:, 0]
        assert weights.sum() == pytest.approx(1.0) and (weights >= 0).all()

        def objective(y):
            return y @ x + 0.5 * (4.0 / 3.0) * np.sum(y**1.5 - y)

        value = numbers.sum(terms)[0]
        assert value == pytest.approx(objective(weights))
        for other in rng.dirichlet(np.full(5, 0.4), 200):
            assert value <= objective(other) + 1e-12


def test_tsallis_lies_between_its_neighbours_in_sparsity():
    terms = [(0.0,), (0.8,), (1.5,), (9.0,)]
    counts = [
        np.count_nonzero(Numbers(s).sum_flows(terms, (1.0,))[0])
        for s in (dp.Tropical, dp.Sparsemin(1.0), samples.tsallis(1.0), dp.Softmin(1.0))
    ]
    assert counts == sorted(counts) and counts[0] == 1 and counts[-1] == 4


def test_a_users_regularised_minimum_on_both_engines():
    cost, lengths = ragged(np.random.default_rng(8))
    topology = dp.topologies.subsequence_dtw()
    compiled, plain = (dp.compile(topology, samples.tsallis(0.4), engine=e)(cost, lengths) for e in ENGINES)
    same(compiled.total, plain.total)
    dp.testing.assert_gradients(topology, samples.tsallis(0.4), engine="reference")


def test_sparsemin_by_sorting_is_sparsemin():
    """The projection onto the simplex written with sort and cumsum, and its weights by differentiation, unmarked."""

    def minimum(terms, p):
        rising = dp.ops.sort(terms)
        rank = dp.ops.cumsum(rising * 0.0 + 1.0)
        tau = dp.ops.max((-dp.ops.cumsum(rising) / p.gamma - 1.0) / rank)
        y = dp.ops.maximum(-terms / p.gamma - tau, 0.0)
        return dp.ops.sum(y * terms) + p.gamma * 0.5 * (dp.ops.sum(y * y) - 1.0)

    mine = dp.Semiring(
        "sorted", math.inf, 0.0, minimum, lambda a, b, p: a + b, {"gamma": dp.Param("gamma")}, laws=("distributive",),
        positive=("gamma",),
    )  # fmt: skip
    cost, lengths = ragged(np.random.default_rng(6))
    given = {"gamma": 0.8}
    wanted = dp.compile(dp.topologies.dtw(), dp.Sparsemin(dp.Param("gamma")), engine="reference")(cost, lengths, given)
    for engine in ENGINES:
        found = dp.compile(dp.topologies.dtw(), mine, engine=engine)(cost, lengths, given)
        same(found.total, wanted.total)
        same(found.marginals, wanted.marginals)
    same(found.grad("gamma"), wanted.grad("gamma"))


def test_a_parameter_that_counts_the_terms():
    """d/dg of a sum over terms of g: once for each term that is there."""
    eager = dp.Semiring(
        "eager", math.inf, 0.0, lambda t, p: dp.ops.min(t) - dp.ops.sum(t * 0.0 + p.g), lambda a, b, p: a + b,
        {"g": dp.Param("g")}, laws=(),
    )  # fmt: skip
    dp.testing.assert_gradients(dp.topologies.dtw(), eager, engine="reference")


def test_the_mean_cost_of_all_paths():
    rng = np.random.default_rng(7)
    cost = rng.random((3, 4))
    found = dp.compile(dp.topologies.dtw(), samples.expected_cost(), engine="reference")(cost)
    costs = np.array([p.cost for p in dp.testing.enumerate_paths(dp.topologies.dtw(), cost)])
    weights = np.exp(-costs)
    assert list(found.outputs) == ["mean", "mass"]
    assert found.total == pytest.approx((weights * costs).sum() / weights.sum())
    assert found.mass == pytest.approx(weights.sum())
    dp.testing.assert_gradients(dp.topologies.dtw(), samples.expected_cost(), cost=cost, engine="reference")
