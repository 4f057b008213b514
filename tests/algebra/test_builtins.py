"""Each built-in semiring against its definition over all paths of a small lattice."""

import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra.numbers import Numbers
from dpsemiring.testing import samples

DTW = dp.topologies.dtw()
STATES = dp.Topology(
    [
        dp.Step(0, 0, terms=(), penalty=0.3, source="a", target="b"),
        dp.Step(1, 0, source="a", target="a"),
        dp.Step(1, 1, weight=dp.Param("h"), source="b", target="a"),
        dp.Step(0, 1, weight=0.5, source="b", target="b"),
    ],
    dp.Boundary([dp.Start(state="a")], [dp.End(), dp.End(-1, None, terms=[dp.Term()], penalty=1.0, state="b")]),
    states=("b", "a"),
)
GAMMA = 0.3
BUILT_IN = samples.built_in(GAMMA)
ASSOCIATIVE = [s for s in BUILT_IN if s.has("associative")]
NEW = [s for s in BUILT_IN if s.name not in ("Tropical", "Softmin", "Sparsemin", "Counting")]


def costs_of_paths(cost, topology=DTW, forbid=math.inf, params=None):
    return np.array([p.cost for p in dp.testing.enumerate_paths(topology, cost, params=params, forbid=forbid)])


def reference(semiring, cost, topology=DTW, **given):
    return dp.compile(topology, semiring, engine="reference")(cost, **given)


def random(seed=0, shape=(3, 4)):
    return np.random.default_rng(seed).random(shape) * 2.0


@pytest.mark.parametrize("semiring", [s for s in ASSOCIATIVE if s in NEW], ids=str)
def test_global_equals_recursive(semiring):
    dp.testing.assert_global_equals_recursive(DTW, semiring)


@pytest.mark.parametrize("topology", [DTW, STATES, dp.topologies.affine_gap(0.7, 0.2)], ids=["dtw", "states", "gaps"])
@pytest.mark.parametrize("semiring", NEW, ids=str)
def test_the_reference_is_the_recursion_over_explicit_arcs(semiring, topology):
    rng = np.random.default_rng(1)
    for kind in ("uniform", "ties", "holes"):
        given = dp.testing.random_problem(rng, topology, semiring, (3, 4), kind)
        found = dp.compile(topology, semiring, engine="reference")(*given.arguments).outputs
        for name, wanted in dp.testing.recursive_outputs(topology, semiring, *given.arguments).items():
            np.testing.assert_allclose(found[name], wanted, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("topology", [DTW, STATES], ids=["dtw", "states"])
@pytest.mark.parametrize("semiring", [s for s in NEW if s.derivative], ids=str)
def test_gradients(semiring, topology):
    dp.testing.assert_gradients(topology, semiring, engine="reference")


@pytest.mark.parametrize("name", ["Entropy", "Expectation", "Smoothmin"])
def test_gradients_by_the_temperature(name):
    dp.testing.assert_gradients(DTW, getattr(dp, name)(dp.Param("gamma", axes="b")), engine="reference")


@pytest.mark.parametrize("semiring", BUILT_IN, ids=str)
def test_without_a_path(semiring):
    """The total is the decoded zero, every gradient exactly 0, in an item alone."""
    cost = np.stack([random(), random()])
    cost[0, 2, 3] = cost[0, 0, 0] = semiring.forbid
    result = reference(semiring, cost)
    zero = Numbers(semiring).decode(Numbers(semiring).zero)
    assert {n: float(v[0]) for n, v in result.outputs.items()} == zero
    assert np.isfinite(result.total[1])
    if semiring.derivative:
        assert (result.marginals[0] == 0.0).all() and (result.occupancy[0] == 0.0).all()
        assert (result.marginals[1] != 0.0).any()


# --- definitions ------------------------------------------------------------------------------------


def test_max_plus_and_log_over_all_paths():
    scores = -random(2)
    scores[1, 1] = -np.inf
    paths = costs_of_paths(scores, forbid=-math.inf)
    best = reference(dp.MaxPlus, scores)
    assert best.total == pytest.approx(paths.max())
    assert best.marginals[tuple(best.path.T)].min() == 1.0 and best.marginals.sum() == len(best.path)
    assert reference(dp.Log, scores).total == pytest.approx(math.log(np.exp(paths).sum()))


@pytest.mark.parametrize("semiring", [dp.MaxPlus, dp.Log], ids=str)
def test_plus_infinity_is_no_score(semiring):
    with pytest.raises(ValueError, match=r"holds \+inf"):
        reference(semiring, [[1.0, math.inf]])


def test_ties_of_the_maximum_are_those_of_the_minimum():
    cost = np.random.default_rng(0).integers(0, 2, (6, 6)).astype(float)
    for engine in ("reference", "cpu"):
        highest, lowest = (dp.compile(DTW, s, engine=engine)(c) for s, c in ((dp.MaxPlus, -cost), (dp.Tropical, cost)))
        np.testing.assert_array_equal(highest.path, lowest.path)


def test_smoothmin_is_what_its_name_says():
    numbers = Numbers(dp.Smoothmin(GAMMA))
    x = np.random.default_rng(0).normal(size=6)
    y = np.exp(-x / GAMMA) / np.exp(-x / GAMMA).sum()
    terms = [(float(v),) for v in x]
    (value,) = numbers.sum(terms)
    assert value == pytest.approx((x * y).sum())
    weights = numbers.sum_flows(terms, (1.0,))[0][:, 0]
    np.testing.assert_allclose(weights, y * (1.0 - (x - value) / GAMMA))
    assert weights.sum() == pytest.approx(1.0) and weights.min() < 0.0
    far = [*terms, (math.inf,), (1e6,)]
    assert numbers.sum(far)[0] == pytest.approx(value)
    np.testing.assert_allclose(numbers.sum_flows(far, (1.0,))[0][:, 0], [*weights, 0.0, 0.0])


def test_smoothmin_is_near_the_minimum_when_cold():
    cost = random(3)
    assert reference(dp.Smoothmin(1e-3), cost).total == pytest.approx(reference(dp.Tropical, cost).total)


def test_boolean_and_its_path():
    cost = random(4)
    cost[1, :3] = np.inf
    for engine in ("reference", "cpu"):
        result = dp.compile(DTW, dp.Boolean, engine=engine)(cost)
        assert result.total == 1.0 and np.isfinite(cost[tuple(result.path.T)]).all()
        assert dp.compile(DTW, dp.Boolean, engine=engine)(np.where(np.arange(4) == 2, np.inf, cost)).total == 0.0
    with pytest.raises(TypeError, match="Boolean is discrete"):
        _ = result.marginals


# --- real numbers, 0 among them ---------------------------------------------------------------------


def test_real_is_the_sum_of_products():
    cost = np.random.default_rng(5).normal(size=(3, 4))
    paths = dp.testing.enumerate_paths(DTW, cost)
    assert reference(dp.Real, cost).total == pytest.approx(sum(math.prod(p.paid[:-1]) for p in paths))


@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_the_derivative_at_a_real_number_zero(engine):
    """A sum of products is linear in each number, so its derivative is the total with a 1 there less that with a 0."""
    rng = np.random.default_rng(6)
    cost = np.where(rng.random((4, 3, 4)) < 0.3, 0.0, rng.random((4, 3, 4)))
    cost[0] = 0.0  # only products with two numbers less are left: none
    cost[1, 1, 1] = np.inf
    solver = dp.compile(DTW, dp.Real, engine=engine)
    result = solver(cost)
    wanted = np.zeros_like(cost)
    for place in np.ndindex(3, 4):
        one, none = cost.copy(), cost.copy()
        one[(..., *place)], none[(..., *place)] = 1.0, 0.0
        wanted[(..., *place)] = solver(one).total - solver(none).total
    wanted[np.isinf(cost)] = 0.0
    np.testing.assert_allclose(result.marginals, wanted, atol=1e-12)
    assert (result.marginals[0] == 0.0).all() and (result.marginals[2:][cost[2:] == 0.0] != 0.0).any()
    for b in range(4):
        alone = (
            dp.testing.global_marginals(DTW, dp.Real, cost[b]),
            dp.testing.recursive_gradients(DTW, dp.Real, cost[b]).planes["cost"],
        )
        for found in alone:
            np.testing.assert_allclose(found, wanted[b], atol=1e-12)


def test_the_derivative_where_weights_and_ends_are_zero():
    ends = dp.Boundary.open_end(0)
    steps = [dp.Step(1, 0, weight=dp.Param("a")), dp.Step(1, 1, penalty=dp.Param("b", axes="m")), dp.Step(0, 1)]
    given = {"a": np.array(0.0), "b": np.zeros(3)}
    cost = np.where(np.random.default_rng(7).random((3, 3)) < 0.4, 0.0, 1.5)
    dp.testing.assert_gradients(dp.Topology(steps, ends), dp.Real, cost=cost, params=given, engine="reference")
    end = dp.Boundary(dp.Start(), dp.End(-1, None, terms=(), penalty=dp.Param("last", axes="m")))
    given = {"a": np.array(0.5), "b": np.zeros(3), "last": np.array([0.0, 1.0, 0.0])}
    dp.testing.assert_gradients(dp.Topology(steps, end), dp.Real, cost=cost, params=given, engine="reference")


# --- entropy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.05, 0.3, 2.0])
def test_entropy_and_mean_of_the_paths(gamma):
    cost = random(8)
    paths = costs_of_paths(cost)
    p = np.exp(-(paths - paths.min()) / gamma)
    p /= p.sum()
    entropy, mean = -(p * np.log(p)).sum(), (p * paths).sum()
    found = reference(dp.Entropy(gamma), cost)
    assert list(found.outputs) == ["total", "entropy", "expected"]
    np.testing.assert_allclose(list(found.outputs.values()), [mean - gamma * entropy, entropy, mean], rtol=1e-12)
    other = reference(dp.Expectation(gamma), cost)
    np.testing.assert_allclose([other.total, other.softmin, other.entropy], [mean, mean - gamma * entropy, entropy], rtol=1e-12)


def test_identities_of_the_soft_minimum():
    """V = <E, C> - gamma H;  dV / dgamma = -H;  V <= hard <= V + gamma log #paths."""
    cost, gamma = random(9, (6, 7)), 0.4
    result = reference(dp.Entropy(dp.Param("gamma")), cost, params={"gamma": gamma})
    v, h = float(result.total), float(result.entropy)
    assert v == pytest.approx((result.marginals * cost).sum() - gamma * h)
    assert result.grad("gamma") == pytest.approx(-h)
    hard, count = (float(reference(s, cost).total) for s in (dp.Tropical, dp.Counting))
    assert v < hard < v + gamma * math.log(count)
    assert 0.0 < h < math.log(count)
    np.testing.assert_allclose(result.marginals, reference(dp.Softmin(gamma), cost).marginals)


def test_equal_costs_have_the_entropy_of_their_number():
    found = reference(dp.Entropy(0.7), np.zeros((5, 4)))
    assert found.entropy == pytest.approx(math.log(reference(dp.Counting, np.zeros((5, 4))).total))


# --- the k best -------------------------------------------------------------------------------------


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("engine", ["reference", "cpu"])
def test_k_best_are_the_first_of_all_sorted(engine, real):
    """Ties count one by one; with fewer than k paths the others are +inf."""
    cost = np.random.default_rng(10).integers(0, 3, (3, 3, 4)).astype(real)
    cost[1, :, 1:3] = np.inf  # no path
    two_paths = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]], bool)
    cost[2, ~two_paths] = np.inf
    result = dp.compile(DTW, dp.KBest(3), engine=engine)(cost)
    found = np.stack(list(result.outputs.values()), axis=1)
    assert list(result.outputs) == ["total", "cost_2", "cost_3"] and found.dtype == real
    for b in range(3):
        wanted = np.sort(costs_of_paths(cost[b]))[:3]
        np.testing.assert_array_equal(found[b], [*wanted, *[np.inf] * (3 - len(wanted))])
    assert np.isfinite(found).sum(axis=1).tolist() == [3, 0, 2]
    np.testing.assert_array_equal(result.total, dp.compile(DTW, dp.Tropical, engine=engine)(cost).total)


def test_the_least_of_a_list_is_the_hard_minimum_to_the_last_bit():
    """A list is ordered like a hard minimum: its kernels contract no product and sum either."""
    cost = np.random.default_rng(13).random((40, 30), dtype=np.float32)
    topology = dp.topologies.weighted_dtw(1.3, 0.7, 1.9)
    assert dp.compile(topology, dp.KBest(2))(cost).total == dp.compile(topology, dp.Tropical)(cost).total


def test_k_best_products_of_lists():
    numbers, rng = Numbers(dp.KBest(4)), np.random.default_rng(11)
    for _ in range(100):
        a, b = (tuple(sorted([*rng.integers(0, 4, n).astype(float), *[math.inf] * (4 - n)])) for n in rng.integers(0, 5, 2))
        assert numbers.sum([a, b]) == tuple(sorted(a + b)[:4])
        assert numbers.times(a, b) == tuple(sorted(x + y for x in a for y in b)[:4])


@pytest.mark.parametrize("k", [0, 1, -2, 2.0, True, "3"])
def test_k_is_a_whole_number(k):
    with pytest.raises(ValueError, match=r"KBest: k is a whole number >= 2 \(dp\.Tropical gives the best alone\), found"):
        dp.KBest(k)


def test_the_marginals_of_k_best_are_those_of_the_best():
    cost = random(12)
    np.testing.assert_array_equal(reference(dp.KBest(3), cost).marginals, reference(dp.Tropical, cost).marginals)
    assert dp.KBest(8).trace.moving == (0,)  # what the total does not depend on is not carried back
