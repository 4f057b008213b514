"""The compiler chooses among the forms of a semiring: which one runs where, and when none but the declared one can."""

from dataclasses import replace

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.run import limits
from dpsemiring.run.cpu import extent

RNG = np.random.default_rng(11)
DTW = dp.topologies.dtw()


def carrier(solver):
    return solver.engine.recurrence.semiring.carrier


def test_compiled_engines_take_the_form_and_the_reference_the_declaration():
    for semiring in (dp.Softmin(0.1), dp.Log):
        assert carrier(dp.compile(DTW, semiring)) == ("mantissa", "exponent")
        assert carrier(dp.compile(DTW, semiring, engine="reference")) == ("x",)
        assert carrier(dp.compile(DTW, replace(semiring, forms=()))) == ("x",)
        assert carrier(dp.compile(DTW, semiring.forms[0], engine="reference")) == ("mantissa", "exponent")
    assert carrier(dp.compile(DTW, dp.Tropical)) == ("x",)
    assert "(mantissa: the cost's kind, exponent: int)" in str(dp.compile(DTW, dp.Softmin(0.1)))


def test_what_a_result_gives_does_not_depend_on_the_form():
    cost = RNG.random((2, 9, 8))
    cost[0, 3, 3] = np.inf
    given = {"gamma": 0.3}
    semiring = dp.Softmin(dp.Param("gamma"))
    found, wanted = (dp.compile(DTW, s)(cost, None, given) for s in (semiring, replace(semiring, forms=())))
    along, other = (r.along(cost=np.ones(cost.shape)) for r in (found, wanted))
    for mine, theirs in (
        (found.total, wanted.total), (found.marginals, wanted.marginals), (found.occupancy, wanted.occupancy),
        (found.grad("gamma"), wanted.grad("gamma")), (found.accumulated_cost, wanted.accumulated_cost),
        (along.total, other.total), (along.marginals, other.marginals),
    ):  # fmt: skip
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-13)
    for mine, theirs in zip(found.sample(5, seed=1), wanted.sample(5, seed=1)):
        for one, another in zip(mine, theirs):
            np.testing.assert_array_equal(one.cells, another.cells)
            assert one.total == pytest.approx(another.total)


@pytest.mark.parametrize("gamma", [1.0, 0.001])
def test_the_derivative_by_gamma_is_no_small_difference(gamma):
    """Minus the entropy of the paths: on pairs it would be the difference of the total and the expected cost, by gamma."""
    cost = RNG.random((300, 200)).astype(np.float32)
    given, semiring = {"gamma": gamma}, dp.Softmin(dp.Param("gamma"))
    found = dp.compile(DTW, semiring)(cost, None, given)
    wanted = dp.compile(DTW, replace(semiring, forms=()))(cost.astype(np.float64), None, given)
    assert found.grad("gamma") == pytest.approx(wanted.grad("gamma"), rel=1e-7)
    assert found.grad("gamma").dtype == np.float32


@pytest.mark.parametrize("scale", [1e7, 1e12])
def test_beyond_the_exponents_the_log_domain_in_float64(scale):
    """30 cells of 1e7 at gamma 1e-3 are 4e11 binary places: 32 bits would be passed. The result is of the cost's kind."""
    cost = (scale * (1 + RNG.random((20, 15)))).astype(np.float32)
    solver, semiring = dp.compile(DTW, dp.Softmin(1e-3)), dp.Softmin(1e-3)
    result = solver(cost)
    wanted = dp.compile(DTW, semiring, engine="reference")(cost.astype(np.float64))
    assert result._engine is solver.plain() and result._engine is not solver.engine
    assert result.total.dtype == result.marginals.dtype == np.float32
    assert result.total == pytest.approx(wanted.total, rel=1e-7)
    np.testing.assert_allclose(result.marginals, wanted.marginals, atol=1e-6)
    np.testing.assert_allclose(result.along(np.ones((20, 15))).total, wanted.along(np.ones((20, 15))).total, rtol=1e-6)
    assert solver(cost / np.float32(scale))._engine is solver.engine


def test_what_lies_outside_the_lengths_does_not_count_as_large():
    cost = RNG.random((2, 6, 5)).astype(np.float32)
    cost[0, 4:] = 1e30
    cost[1, 2, 2] = np.inf
    solver = dp.compile(DTW, dp.Softmin(0.1))
    assert solver(cost, ([4, 6], [5, 5]))._engine is solver.engine
    assert solver(cost)._engine is not solver.engine


def test_weights_and_penalties_count():
    topology = dp.Topology([dp.Step(1, 1, weight=dp.Param("weight")), dp.Step(1, 0, penalty=dp.Param("penalty")), dp.Step(0, 1)])
    solver, cost = dp.compile(topology, dp.Softmin(1.0)), RNG.random((6, 5))
    for weight, penalty, inside in ((1.0, 1.0, True), (1e9, 1.0, False), (1.0, -1e9, False), (np.inf, 0.0, True)):
        result = solver(cost, None, {"weight": weight, "penalty": penalty})
        assert (result._engine is solver.engine) == inside


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_the_greatest_value_of_an_array(real):
    array = RNG.normal(size=(3, 7, 9)).astype(real)
    array[0, 1, 1], array[1, 2, 2], array[2, 3, 3] = np.inf, -np.inf, np.nan
    rows, lo, hi = np.array([7, 3, 0]), np.zeros((3, 1), np.int64), np.array([[9], [4], [9]])
    inside = np.concatenate([array[0].ravel(), array[1, :3, :4].ravel()])
    expected = np.abs(inside[np.isfinite(inside)]).max()
    assert extent.largest(array, rows, lo, hi) == limits.largest(array, rows, lo, hi) == expected
    assert extent.largest(array[:0], rows[:0], lo[:0], hi[:0]) == 0.0


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("semiring, sign", [(dp.Tropical, 1.0), (dp.MaxPlus, -1.0)], ids=["Tropical", "MaxPlus"])
def test_candidates_that_tie_after_paying_go_to_the_first(engine, semiring, sign):
    """The compiled sum is taken before all pay: its value is the same, for rounding keeps order. Ties are told after paying."""
    cost = sign * np.array([[1.0, -(2.0**-53)], [1.0, 1024.0]])
    result = dp.compile(DTW, semiring, engine=engine)(cost)
    assert abs(cost[0, 0] + cost[0, 1]) < 1 and cost[0, 0] + cost[0, 1] + cost[1, 1] == cost[0, 0] + cost[1, 1]
    np.testing.assert_array_equal(result.path, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(result.marginals, np.eye(2))
    assert result.total == sign * 1025.0


STARTS_ANYWHERE = dp.topologies.subsequence_dtw(), None
MASKS = dp.topologies.ctc(), {"labels": np.array([[0, 1, 0, 1, 0, 2]])}


@pytest.mark.parametrize(
    "semiring, lattice",
    [(dp.Sparsemin(0.3), STARTS_ANYWHERE), (dp.Smoothmin(0.3), MASKS), (dp.Softmin(0.3), STARTS_ANYWHERE), (dp.KBest(2), MASKS),
     (dp.Real, STARTS_ANYWHERE)],
    ids=lambda x: "" if isinstance(x, tuple) else str(x),
)  # fmt: skip
def test_what_all_candidates_pay_may_be_taken_out_of_the_sum(semiring, lattice):
    """Against the reference engine, which does not."""
    cost, (topology, params) = RNG.random((2, 7, 6)), lattice
    cost[1, 3, 2] = np.inf
    found, wanted = (dp.compile(topology, semiring, engine=e)(cost, None, params) for e in ("cpu", "reference"))
    np.testing.assert_allclose(found.total, wanted.total, rtol=1e-12)
    np.testing.assert_allclose(found.marginals, wanted.marginals, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(found.occupancy, wanted.occupancy, rtol=1e-10, atol=1e-13)
