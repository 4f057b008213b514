"""Walks back over the accumulated values: paths drawn from the posterior, and the k best."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra.numbers import Numbers
from dpsemiring.algebra.posterior import Posterior
from dpsemiring.testing import samples

DTW = dp.topologies.dtw()
STATES = dp.Topology(
    [
        dp.Step(0, 0, terms=(), penalty=0.3, source="a", target="b"),
        dp.Step(1, 0, source="a", target="a"),
        dp.Step(1, 0, weight=0.7, source="a", target="a"),  # a parallel step: a path of its own
        dp.Step(1, 1, weight=dp.Param("h"), source="b", target="a"),
        dp.Step(0, 1, weight=0.5, source="b", target="b"),
    ],
    dp.Boundary([dp.Start(state="a")], [dp.End(), dp.End(-1, None, terms=[dp.Term()], penalty=1.0, state="b")]),
    states=("b", "a"),
)
GAMMA = 0.5
COUNT = 4000


def temperature(semiring):
    return GAMMA if semiring.params else 1.0


def weight_of(semiring, path):
    """The unnormalised probability of an enumerated path."""
    paid = [w for w in path.paid if w is not None]
    if semiring.name == "Real":
        return math.prod(paid)
    if semiring.name == "Counting":
        return 1.0
    return math.exp((1.0 if semiring.forbid < 0 else -1.0) * sum(paid) / temperature(semiring))


def key(path):
    """A path as what tells it from others of these topologies: cells, states and steps."""
    cells = path.cells.tolist() if isinstance(path.cells, np.ndarray) else path.cells
    return tuple(map(tuple, cells)), tuple(path.states), tuple(map(int, path.steps))


def chi_square(drawn, semiring, topology, cost, params):
    paths = list(dp.testing.enumerate_paths(topology, cost, params=params, forbid=semiring.forbid))
    probability: Counter = Counter()
    for path in paths:
        probability[key(path)] += weight_of(semiring, path)
    total = sum(probability.values())
    counts = Counter(map(key, drawn))
    assert counts.keys() <= probability.keys()
    expected = {k: len(drawn) * p / total for k, p in probability.items()}
    rare = [k for k, e in expected.items() if e < 5.0]
    groups = [[k] for k in expected if k not in set(rare)] + ([rare] if rare else [])
    value = sum((sum(counts[k] for k in g) - sum(expected[k] for k in g)) ** 2 / sum(expected[k] for k in g) for g in groups)
    return value, len(groups) - 1


DRAWN = [
    dp.Softmin(GAMMA), dp.Log, dp.Real, dp.Counting, dp.Entropy(GAMMA), dp.Expectation(GAMMA),
    samples.mantissa_exponent(GAMMA), samples.folded_scores(), samples.expected_cost(),
]  # fmt: skip


@pytest.mark.parametrize("topology", [DTW, STATES], ids=["dtw", "states"])
@pytest.mark.parametrize("semiring", DRAWN, ids=str)
def test_paths_are_drawn_as_often_as_they_are_likely(semiring, topology):
    cost = np.random.default_rng(0).random((3, 3)) + 0.1
    cost[0, 2] = np.inf
    cost = -cost if semiring.forbid < 0 else cost
    params = {"h": 1.3} if topology is STATES else {}
    result = dp.compile(topology, semiring, engine="reference")(cost, params=params)
    drawn = result.sample(COUNT, seed=1)
    value, freedom = chi_square(drawn, semiring, topology, cost, params)
    assert freedom >= 5
    assert value < freedom + 4.0 * math.sqrt(2.0 * freedom)  # once in some thousand seeds by chance


def test_the_check_sees_a_wrong_distribution():
    cost = np.random.default_rng(0).random((3, 3)) + 0.1
    drawn = dp.compile(DTW, dp.Softmin(0.4), engine="reference")(cost).sample(COUNT, seed=1)
    value, freedom = chi_square(drawn, dp.Softmin(GAMMA), DTW, cost, {})
    assert value > freedom + 4.0 * math.sqrt(2.0 * freedom)


@pytest.mark.parametrize("engine, real", [("cpu", np.float32), ("cpu", np.float64), ("reference", np.float64)])
def test_visits_tend_to_the_occupancy(engine, real):
    cost = np.random.default_rng(2).random((2, 8, 9)).astype(real)
    result = dp.compile(DTW, dp.Softmin(0.2), engine=engine)(cost, ([8, 5], [9, 7]))
    for b, drawn in enumerate(result.sample(2000, seed=4)):
        visits = np.zeros((8, 9))
        for path in drawn:
            visits[tuple(path.cells.T)] += 1.0
            assert path.total == pytest.approx(cost[b][tuple(path.cells.T)].astype(float).sum())
        assert np.abs(visits / 2000 - result.occupancy[b]).max() < 0.05


def test_engines_draw_the_same_paths():
    cost = np.random.default_rng(3).random((40, 30))
    one, other = (dp.compile(DTW, dp.Softmin(0.1), engine=e)(cost).sample(5, seed=0) for e in ("cpu", "reference"))
    assert [key(p) for p in one] == [key(p) for p in other]


def test_a_seed_repeats_and_a_batch_changes_nothing():
    cost = np.random.default_rng(4).random((3, 5, 6))
    solver = dp.compile(DTW, dp.Softmin(0.3), engine="reference")
    batch = solver(cost)
    first, again, other = (batch.sample(20, seed=s) for s in (7, 7, 8))
    keys = [[[key(p) for p in item] for item in drawn] for drawn in (first, again, other)]
    assert keys[0] == keys[1] != keys[2]
    assert [key(p) for p in solver(cost[0]).sample(20, seed=7)] == keys[0][0]
    assert [key(p) for p in solver(cost[:2]).sample(20, seed=7)[1]] == keys[0][1]
    assert len({k for item in (batch.sample(20) for _ in range(2)) for k in map(key, item[0])}) > 1


def test_nothing_is_drawn_where_there_is_no_path():
    cost = np.random.default_rng(5).random((3, 3, 3))
    cost[0, 0, 0] = np.inf
    cost[1, 1, 1] = np.nan
    result = dp.compile(DTW, dp.Softmin(0.3), engine="reference")(cost)
    assert [len(drawn) for drawn in result.sample(4, seed=0)] == [0, 0, 4]
    assert result.sample(0) == [[], [], []]


def test_what_a_path_holds():
    (path,) = dp.compile(STATES, dp.Softmin(0.1), engine="reference")(np.ones((3, 2)), params={"h": 1.0}).sample(1, seed=0)
    assert path.cells.shape == (len(path), 2) and path.states.shape == path.steps.shape == (len(path),)
    assert path.cells[0].tolist() == [0, 0] and path.states[0] == "a" and path.steps[0] == -1
    assert str(path) == f"Path({len(path)} cells, total={path.total:g})"


@pytest.mark.parametrize(
    "semiring, reason",
    [
        (dp.Sparsemin(1.0), "Sparsemin does not state the law 'associative'"),
        (dp.Smoothmin(1.0), "Smoothmin does not state the law 'associative'"),
        (dp.Tropical, "takes the best of its candidates"),
        (dp.KBest(2), "takes the best of its candidates"),
        (dp.Boolean, "takes the best of its candidates"),
    ],
    ids=str,
)
def test_what_has_no_distribution_is_refused(semiring, reason):
    result = dp.compile(DTW, semiring, engine="reference")(np.ones((2, 2)))
    with pytest.raises(TypeError, match=f"sample: .*{reason}"):
        result.sample(1)


def test_a_sum_whose_shares_do_not_multiply_is_refused():
    """Associative and distributive, but its one output is a mean: what flows to a candidate is no probability."""
    pair = samples.expected_cost()
    mean = dp.Semiring(
        "mean_alone", pair.zero, pair.one, pair.sum, pair.times, carrier=pair.carrier, encode=pair.encode,
        decode=lambda x, p: x[1] / x[0], laws=pair.laws,
    )  # fmt: skip
    with pytest.raises(TypeError, match="mean_alone has no weights of paths"):
        dp.compile(DTW, mean, engine="reference")(np.ones((2, 2))).sample(1)


def test_negative_numbers_are_no_probabilities():
    result = dp.compile(DTW, dp.Real, engine="reference")([[1.0, -1.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="which is no probability"):
        result.sample(50, seed=0)


@pytest.mark.parametrize("n", [-1, 1.5, True, "2"])
def test_a_wrong_count_is_refused(n):
    with pytest.raises(ValueError, match="sample: n is a whole number >= 0"):
        dp.compile(DTW, dp.Softmin(), engine="reference")(np.ones((2, 2))).sample(n)


@pytest.mark.parametrize("gamma", [1e-3, 1.0, 1e3])
def test_shares_are_the_softmax(gamma):
    x = gamma * np.random.default_rng(6).normal(size=5)
    wanted = np.exp(-(x - x.min()) / gamma)
    for semiring in (dp.Softmin(gamma), samples.mantissa_exponent(gamma), dp.Entropy(gamma)):
        numbers = Numbers(semiring)
        found = Posterior(numbers).shares([*map(numbers.encode, x.tolist()), numbers.zero])
        np.testing.assert_allclose(found, [*wanted / wanted.sum(), 0.0], rtol=1e-9)


# --- the k best -------------------------------------------------------------------------------------


@pytest.mark.parametrize("topology", [DTW, STATES], ids=["dtw", "states"])
@pytest.mark.parametrize("engine, real", [("cpu", np.float32), ("cpu", np.float64), ("reference", np.float64)])
def test_the_k_best_paths(topology, engine, real):
    """Distinct, of the costs that are the least of all, with ties; as many as there are."""
    params = {"h": 1.0} if topology is STATES else {}
    cost = np.random.default_rng(7).integers(0, 3, (4, 3, 3)).astype(real)
    cost[2] = np.inf
    cost[3] = np.where(np.eye(3) > 0, cost[3], np.inf)
    result = dp.compile(topology, dp.KBest(4), engine=engine)(cost, params=params)
    for b, paths in enumerate(result.paths):
        every = list(dp.testing.enumerate_paths(topology, cost[b], params=params))
        costs = {}
        for p in every:
            costs.setdefault(key(p), []).append(p.cost)
        np.testing.assert_allclose([p.total for p in paths], sorted(p.cost for p in every)[:4], rtol=1e-6)
        counted = Counter(map(key, paths))
        assert all(count <= len(costs[k]) for k, count in counted.items())
        for p in paths:
            assert min(abs(p.total - c) for c in costs[key(p)]) < 1e-6
    assert len(result.paths[0]) == 4 and result.paths[2] == []


def test_the_first_is_the_path():
    cost = np.random.default_rng(8).integers(0, 2, (2, 7, 6)).astype(float)
    listed, best = (dp.compile(STATES, s)(cost, params={"h": 1.0}) for s in (dp.KBest(3), dp.Tropical))
    for b in range(2):
        np.testing.assert_array_equal(listed.path[b], best.path[b])
        np.testing.assert_array_equal(listed.path_steps[b], best.path_steps[b])
        assert list(listed.path_states[b]) == list(best.path_states[b])
        first = listed.paths[b][0]
        np.testing.assert_array_equal(first.cells, best.path[b])
        assert first.total == best.total[b]


def test_all_tied_paths_are_found():
    """Every path costs nothing: each of the 13 is listed once."""
    paths = dp.compile(DTW, dp.KBest(16), engine="reference")(np.zeros((3, 3))).paths
    assert len({key(p) for p in paths}) == len(paths) == 13


def test_a_long_lattice_in_single_precision():
    cost = np.random.default_rng(9).random((60, 70), dtype=np.float32)
    result = dp.compile(DTW, dp.KBest(3))(cost)
    paths = result.paths
    assert len({key(p) for p in paths}) == 3
    np.testing.assert_allclose([p.total for p in paths], [float(v) for v in result.outputs.values()], rtol=1e-5)
    assert all(a.total <= b.total + 1e-6 for a, b in itertools.pairwise(paths))


def test_no_list_is_refused():
    with pytest.raises(TypeError, match=r"Tropical keeps no list of best paths; compile the same topology with dp\.KBest\(k\)"):
        _ = dp.compile(DTW, dp.Tropical, engine="reference")(np.ones((2, 2))).paths


def test_without_a_path_or_with_a_nan():
    cost = np.ones((2, 3, 3))
    cost[0, 2, 2], cost[1, 0, 1] = np.inf, np.nan
    result = dp.compile(DTW, dp.KBest(2), engine="reference")(cost)
    assert result.paths == [[], []]
    assert [p.shape for p in result.path] == [(0, 2), (0, 2)]


def test_a_path_is_an_array_of_its_cells():
    (path,) = dp.compile(dp.topologies.dtw(), dp.KBest(2), engine="reference")([[1.0]]).paths
    assert np.asarray(path).tolist() == [[0, 0]] == [cell.tolist() for cell in path] and path[0].tolist() == [0, 0]
