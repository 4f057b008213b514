"""Identities of the regularised minima: for steps (1, 1), (1, 0), (0, 1), a closed boundary and unit weights, unless said.

V is the total, C the cost, E the marginals, H the entropy of the distribution over paths.
"""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dpsemiring as dp
from dpsemiring.testing import count_paths, enumerate_paths, global_marginals, global_total

FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
DTW = dp.topologies.dtw()
GAMMA = dp.Param("gamma")


def _smoothmin(gamma):
    """sum of x softmax(-x / gamma): no regularised minimum, so that most of what follows fails for it."""

    def smoothmin(terms, p):
        least = dp.ops.stop_gradient(dp.ops.min(terms))
        weights = dp.ops.exp(-(terms - least) / p.gamma)
        return least + dp.ops.sum(weights * (terms - least)) / dp.ops.sum(weights)

    return dp.Semiring("smoothmin", math.inf, 0.0, smoothmin, lambda a, b, p: a + b, {"gamma": gamma}, laws=("distributive",))


MINIMA = {
    "hard": lambda gamma: dp.Tropical,
    "softmin": dp.Softmin,
    "sparsemin": dp.Sparsemin,
    "smoothmin": getattr(dp, "Smoothmin", _smoothmin),
}
SOLVERS = {name: dp.compile(DTW, make(GAMMA), engine="reference") for name, make in MINIMA.items()}
CONVEX = ("softmin", "sparsemin", "hard")  # the minimum of a linear function and a convex regulariser
every = pytest.mark.parametrize("name", MINIMA)
convex = pytest.mark.parametrize("name", CONVEX)
gammas = st.sampled_from([0.1, 0.5, 1.0, 3.0])


def solve(name, cost, gamma):
    return SOLVERS[name](cost, params={} if name == "hard" else {"gamma": gamma})


def value(name, cost, gamma):
    return float(solve(name, cost, gamma).total)


@st.composite
def costs(draw, most=4):
    """Finite costs, with ties and negative ones."""
    n, m = draw(st.integers(1, most)), draw(st.integers(1, most))
    entry = st.integers(-2, 8).map(lambda i: i / 4) | st.floats(-1.0, 3.0)
    return np.array(draw(st.lists(entry, min_size=n * m, max_size=n * m))).reshape(n, m)


def distribution(cost, gamma):
    """Every path's cells, and its probability."""
    paths = list(enumerate_paths(DTW, cost))
    costs = np.array([p.cost for p in paths])
    weights = np.exp(-(costs - costs.min()) / gamma)
    return [p.cells for p in paths], weights / weights.sum()


def close(found, wanted, tolerance=1e-10):
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def search(gap, shape=(3, 3), tries=100):
    """The greatest gap over random costs."""
    rng = np.random.default_rng(0)
    return max(gap(rng.uniform(-1.0, 2.0, shape)) for _ in range(tries))


# --- softmin and hard -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmin", "hard"])
@FEW
@given(costs(), gammas)
def test_global_equals_recursive(name, cost, gamma):
    semiring, params = MINIMA[name](GAMMA), {"gamma": gamma} if name != "hard" else {}
    close(value(name, cost, gamma), global_total(DTW, semiring, cost, params=params))


@pytest.mark.parametrize("name", ["softmin", "hard"])
@FEW
@given(costs(), gammas)
def test_reversal_symmetry(name, cost, gamma):
    close(value(name, cost[::-1, ::-1], gamma), value(name, cost, gamma))


@pytest.mark.parametrize("name", ["sparsemin", "smoothmin"])
def test_global_equals_recursive_and_reversal_fail(name):
    """The sum is not associative."""

    def apart(cost):
        return abs(value(name, cost, 0.5) - global_total(DTW, MINIMA[name](0.5), cost))

    assert search(apart, tries=20) > 1e-2
    assert search(lambda c: abs(value(name, c, 0.5) - value(name, c[::-1, ::-1], 0.5)), tries=20) > 1e-2


# --- softmin ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, m", [(1, 1), (1, 5), (2, 2), (4, 4), (5, 3), (9, 7)])
@pytest.mark.parametrize("gamma", [0.1, 2.0])
def test_zero_cost_counts_delannoy(n, m, gamma):
    delannoy = sum(math.comb(n - 1, k) * math.comb(m - 1, k) * 2**k for k in range(min(n, m)))
    cost = np.zeros((n, m))
    close(value("softmin", cost, gamma), -gamma * math.log(delannoy))
    assert dp.compile(DTW, dp.Counting, engine="reference")(cost).total == delannoy == count_paths(DTW, cost)


@FEW
@given(costs(), gammas)
def test_value_is_expected_cost_less_entropy(cost, gamma):
    """V = <E, C> - gamma H, and dV/dgamma = -H."""
    result = solve("softmin", cost, gamma)
    _, p = distribution(cost, gamma)
    entropy = -np.sum(p[p > 0] * np.log(p[p > 0]))
    close(result.total, np.sum(result.marginals * cost) - gamma * entropy)
    close(result.grad("gamma"), -entropy)


@FEW
@given(costs(), gammas)
def test_value_lies_below_the_hard_minimum_by_at_most_gamma_log_paths(cost, gamma):
    soft, hard = value("softmin", cost, gamma), value("hard", cost, gamma)
    assert soft <= hard + 1e-12 and hard <= soft + gamma * math.log(count_paths(DTW, cost)) + 1e-12


@FEW
@given(costs(), gammas)
def test_marginals_are_visiting_probabilities_and_sum_to_the_expected_length(cost, gamma):
    cells, p = distribution(cost, gamma)
    visits = np.zeros(cost.shape)
    for path, probability in zip(cells, p):
        for cell in path:
            visits[cell] += probability
    result = solve("softmin", cost, gamma)
    close(result.marginals, visits)
    close(result.occupancy, visits)
    close(result.marginals.sum(), sum(len(path) * probability for path, probability in zip(cells, p)))


DIAGONAL = dp.Param("diagonal", axes="nm")
JUMPS = dp.compile(
    dp.Topology([dp.Step(1, 1, penalty=DIAGONAL), dp.Step(1, 0), dp.Step(0, 1)]), dp.Softmin(GAMMA), engine="reference"
)


@FEW
@given(costs(), gammas)
def test_an_anti_diagonal_and_the_diagonal_steps_that_jump_it_sum_to_one(cost, gamma):
    result = JUMPS(cost, params={"diagonal": np.zeros(cost.shape), "gamma": gamma})
    order = np.add.outer(*map(np.arange, cost.shape))
    for k in range(order.max() + 1):
        close(result.marginals[order == k].sum() + result.grad("diagonal")[order == k + 1].sum(), 1.0)


def test_an_anti_diagonal_alone_does_not_sum_to_one():
    cost = np.zeros((3, 3))
    order = np.add.outer(np.arange(3), np.arange(3))
    sums = [solve("softmin", cost, 1.0).marginals[order == k].sum() for k in range(5)]
    close([sums[0], sums[4]], 1.0)
    assert all(s < 0.95 for s in sums[1:4])


# --- softmin, sparsemin and hard --------------------------------------------------------------------


@every
@FEW
@given(costs(), gammas, st.sampled_from([0.25, 2.0, 7.0]))
def test_homogeneity(name, cost, gamma, a):
    """V of a gamma and a C is a times V; E is the same."""
    scaled, plain = solve(name, a * cost, a * gamma), solve(name, cost, gamma)
    close(scaled.total, a * plain.total)
    close(scaled.marginals, plain.marginals, 1e-7 if name == "sparsemin" else 1e-10)


@every
@FEW
@given(costs(), gammas)
def test_marginals_are_one_at_the_corners(name, cost, gamma):
    marginals = solve(name, cost, gamma).marginals
    close([marginals[0, 0], marginals[-1, -1]], 1.0)


@convex
@FEW
@given(costs(), gammas)
def test_row_and_column_sums_are_at_least_one(name, cost, gamma):
    marginals = solve(name, cost, gamma).marginals
    assert (marginals.sum(axis=0) >= 1 - 1e-10).all() and (marginals.sum(axis=1) >= 1 - 1e-10).all()
    assert (marginals >= 0).all()


@convex
@FEW
@given(costs(), gammas, st.integers(0, 99), st.sampled_from([0.1, 0.5, 0.8]))
def test_concavity(name, cost, gamma, seed, t):
    other = np.random.default_rng(seed).uniform(-1.0, 3.0, cost.shape)
    between = value(name, t * cost + (1 - t) * other, gamma)
    assert between >= t * value(name, cost, gamma) + (1 - t) * value(name, other, gamma) - 1e-10


@convex
@FEW
@given(costs(), gammas, st.integers(0, 99))
def test_lipschitz_bound(name, cost, gamma, seed):
    """The total moves by no more than the longest path times the greatest change of a cost."""
    change = np.random.default_rng(seed).uniform(-1.0, 1.0, cost.shape)
    longest = sum(cost.shape) - 1
    moved = abs(value(name, cost + change, gamma) - value(name, cost, gamma))
    assert moved <= longest * np.abs(change).max() + 1e-10


def test_smoothmin_keeps_none_of_the_last_three():
    def short(cost):
        marginals = solve("smoothmin", cost, 0.2).marginals
        return max((1 - marginals.sum(axis=0)).max(), (1 - marginals.sum(axis=1)).max())

    def convexity(cost):
        other = cost[::-1, ::-1]
        ends = value("smoothmin", cost, 0.2), value("smoothmin", other, 0.2)
        return sum(ends) / 2 - value("smoothmin", (cost + other) / 2, 0.2)

    def steepness(cost):
        """Against the greatest sum of |E| that the bound allows."""
        return np.abs(solve("smoothmin", cost, 0.2).marginals).sum() - (sum(cost.shape) - 1)

    assert search(short) > 0.05
    assert search(convexity) > 0.01
    assert search(steepness, (2, 2)) > 0.05
    assert search(lambda c: -solve("smoothmin", c, 0.2).marginals.min()) > 0.05  # a signed measure


# --- costs that encode a sign of drift --------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.05, 1.0])
def test_costs_near_ten(gamma):
    """Steps (1, 0) and (1, 1) and costs 10 + 0.01 u: every path has one length, the gradient hangs on small differences."""
    topology = dp.Topology([dp.Step(1, 0), dp.Step(1, 1)])
    cost = 10 + 0.01 * np.random.default_rng(0).random((9, 5))
    wanted = global_marginals(topology, dp.Softmin(gamma), cost)
    for engine in ("reference", "cpu"):
        solver = dp.compile(topology, dp.Softmin(GAMMA), engine=engine)
        result = solver(cost, params={"gamma": gamma})
        close(result.marginals, wanted, 1e-9)
        close(result.marginals.sum(axis=1), np.ones(9))
        differences = np.zeros(cost.shape)
        for place in np.ndindex(cost.shape):
            bump = np.zeros(cost.shape)
            bump[place] = 1e-5
            up, down = (solver(cost + s * bump, params={"gamma": gamma}).total for s in (1, -1))
            differences[place] = (up - down) / 2e-5
        close(result.marginals, differences, 1e-6)


# --- CTC --------------------------------------------------------------------------------------------


@FEW
@given(st.integers(0, 99), st.floats(-2.0, 2.0))
def test_ctc_shift_and_rows(seed, c):
    """Adding c to every log-probability adds T c to the log-likelihood; the gradient sums to -1 in each frame."""
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(2, 6, 4)), np.array([[0, 1, 0, 2, 0], [0, 3, 0, 3, 0]])
    n, m = np.array([6, 4]), np.array([5, 5])
    ctc = dp.compile(dp.topologies.ctc(), dp.Softmin(), engine="reference")

    def result(log_probs):
        return ctc(-dp.costs.gather(log_probs, labels), (n, m), {"labels": labels})

    close(result(scores + c).total, result(scores).total - n * c)
    rows = result(scores).grad("log_probs").sum(axis=2)
    close(rows, -(np.arange(6) < n[:, None]).astype(float))
