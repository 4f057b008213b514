"""The log semirings on mantissas and exponents: the same numbers as in the log domain, and float32 as accurate as float64."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra.numbers import Numbers

DTW, CTC, GAPS = dp.topologies.dtw, dp.topologies.ctc, dp.topologies.affine_gap
PAIR = {"cost 10 + 0.01 u": dp.Topology([dp.Step(1, 0), dp.Step(1, 1)])}
RNG = np.random.default_rng(7)


def pairs(gamma):
    return dp.Softmin(gamma).forms[0]


def l1(found, wanted):
    return np.abs(found - wanted).sum() / np.abs(wanted).sum()


@pytest.mark.parametrize("topology", [DTW(), CTC(), GAPS()], ids=["dtw", "ctc", "affine_gap"])
@pytest.mark.parametrize("semiring", [pairs(0.3), dp.Log.forms[0]], ids=["Softmin", "Log"])
def test_brute_force(topology, semiring):
    dp.testing.assert_global_equals_recursive(topology, semiring, engine="reference")
    dp.testing.assert_gradients(topology, semiring, engine="reference")


def test_values_are_those_of_the_log_domain():
    numbers, logs = Numbers(pairs(0.01)), Numbers(dp.Softmin(0.01))
    terms = RNG.normal(scale=5.0, size=6)
    both = [n.decode(n.sum([n.encode(x) for x in terms]))["total"] for n in (numbers, logs)]
    assert both[0] == pytest.approx(both[1], rel=1e-14)
    mantissa, exponent = numbers.sum([numbers.encode(1e4), numbers.encode(1e4)])
    assert 1.0 <= mantissa < 2.0 and exponent == round(np.floor(1 - 1e6 / np.log(2)))


def test_the_empty_path_and_no_path_are_exact():
    numbers = Numbers(pairs(0.5))
    assert numbers.encode(0.0) == numbers.one and numbers.decode(numbers.one)["total"] == 0.0
    assert numbers.decode(numbers.zero)["total"] == np.inf
    assert numbers.is_zero((0.0, -7)) and not numbers.is_zero((1.0, numbers.zero[1]))


@pytest.mark.parametrize("gamma", [1.0, 0.01, 0.001])
def test_float32_is_as_accurate_as_float64(gamma):
    cost = RNG.random((600, 600)).astype(np.float32)
    found, wanted = (dp.compile(DTW(), s)(c) for s, c in ((pairs(gamma), cost), (dp.Softmin(gamma), cost.astype(float))))
    assert abs(found.total / wanted.total - 1) < 1e-7
    assert l1(found.marginals, wanted.marginals) < 2e-6
    assert abs(found.marginals[0, 0] - 1) < 5e-6 and abs(found.marginals[-1, -1] - 1) < 1e-6


def test_the_fraction_of_a_large_cost_is_known():
    """Of 10 / (0.001 ln 2) = 14427 a product in float32 keeps ten binary places: not enough for the choice between paths."""
    cost = (10 + 0.01 * RNG.random((600, 300))).astype(np.float32)
    two = dp.Topology([dp.Step(1, 0), dp.Step(1, 1)])
    found, wanted = (dp.compile(two, s)(c) for s, c in ((pairs(0.001), cost), (dp.Softmin(0.001), cost.astype(float))))
    assert abs(found.total / wanted.total - 1) < 1e-7
    assert l1(found.marginals, wanted.marginals) < 2e-6


@pytest.mark.parametrize("real, tolerance", [(np.float32, 2e-6), (np.float64, 1e-12)])
def test_forbidden_regions_are_exact(real, tolerance):
    """Walls, dead ends and blind alleys: whatever a zero's exponent drifts to, it does not weigh."""
    cost = RNG.random((90, 70)).astype(real)
    cost[5, 7] = cost[20, :60] = cost[40:60, 10:69] = cost[80:, 3] = np.inf
    found, wanted = (dp.compile(DTW(), s)(c) for s, c in ((pairs(0.01), cost), (dp.Softmin(0.01), cost.astype(float))))
    assert abs(found.total / wanted.total - 1) < 1e-6
    assert l1(found.marginals, wanted.marginals) < tolerance
    assert not found.marginals[np.isinf(cost)].any() and not found.occupancy[np.isinf(cost)].any()


def test_without_a_path_all_gradients_are_zero():
    cost = RNG.random((3, 40, 30)).astype(np.float32)
    cost[0, -1, -1] = cost[1, 17] = np.inf
    cost[2, 3, 4] = np.nan
    solver = dp.compile(DTW(), pairs(dp.Param("gamma")))
    result = solver(cost, None, {"gamma": 0.1})
    assert result.total[0] == result.total[1] == np.inf and np.isnan(result.total[2])
    assert not result.marginals[:2].any() and np.isnan(result.marginals[2]).all()
    assert not solver(cost[:2], None, {"gamma": 0.1}).grad("gamma")


@pytest.mark.parametrize("what", ["gamma", "weight", "penalty"])
def test_gradients_by_parameters(what):
    topology = dp.Topology(
        [dp.Step(1, 1, weight=dp.Param("weight", axes="m")), dp.Step(1, 0, penalty=dp.Param("penalty")), dp.Step(0, 1)]
    )
    given = {"gamma": 0.2, "weight": 1 + RNG.random(24), "penalty": 0.3}
    cost = RNG.random((20, 24)).astype(np.float32)
    found = dp.compile(topology, pairs(dp.Param("gamma")))(cost, None, given).grad(what)
    wanted = dp.compile(topology, dp.Softmin(dp.Param("gamma")))(cost.astype(float), None, given).grad(what)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_at_the_limits_zeros_still_do_not_weigh(sign):
    """Costs, or gains, that all but use up the exponents, with a forbidden region whose zeros drift along."""
    gamma, cost = 1.0, sign * (1.0 + 1e-3 * RNG.random((150, 120)))
    cost *= 0.99 * 2.0**28 * np.log(2) * gamma / (np.abs(cost).max() * 271)
    cost[40:60, 10:119] = cost[90, :100] = np.inf
    cost = cost.astype(np.float32)
    solver = dp.compile(DTW(), dp.Softmin(gamma))
    result = solver(cost)
    assert result._engine is solver.engine
    wanted = dp.compile(DTW(), pairs(gamma))(cost.astype(float))
    assert result.total == pytest.approx(wanted.total, rel=1e-7)
    assert np.abs(result.marginals - wanted.marginals).max() < 1e-5
    assert np.isfinite(result.marginals).all() and solver((cost * 1.1).astype(np.float32))._engine is solver.plain()
