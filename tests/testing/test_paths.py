"""Enumeration: known counts, values small enough for a hand, and one sum over all paths."""

import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import (
    count_paths,
    enumerate_paths,
    global_gradients,
    global_marginals,
    global_outputs,
    global_total,
    recursive_total,
)

DTW = dp.topologies.dtw()
# Delannoy numbers D(i, i), OEIS A001850, and some D(i, j), A008288
DELANNOY = {(0, 0): 1, (1, 1): 3, (2, 2): 13, (3, 3): 63, (4, 4): 321, (7, 7): 48639, (1, 4): 9, (2, 3): 25, (4, 2): 41}


@pytest.mark.parametrize("place", DELANNOY, ids=str)
def test_delannoy_numbers(place):
    cost = np.zeros((place[0] + 1, place[1] + 1))
    assert count_paths(DTW, cost) == DELANNOY[place]
    assert recursive_total(DTW, dp.Counting, cost) == DELANNOY[place]
    assert dp.compile(DTW, dp.Counting, engine="reference")(cost).total == DELANNOY[place]
    assert dp.compile(DTW, dp.Counting)(cost).total == DELANNOY[place]


def test_zero_cost_under_softmin_counts_paths():
    found = dp.compile(DTW, dp.Softmin(0.5), engine="reference")(np.zeros((8, 8)))
    assert found.total == pytest.approx(-0.5 * math.log(48639))


@pytest.mark.parametrize("n, m", [(1, 1), (3, 2), (2, 4)])
def test_binomial_counts(n, m):
    """Steps (1, 0) and (0, 1): C(n + m, n)."""
    topology = dp.Topology([dp.Step(1, 0), dp.Step(0, 1)])
    assert count_paths(topology, np.zeros((n + 1, m + 1))) == math.comb(n + m, n)


def test_edit_lattices_have_delannoy_numbers_too():
    """Without states; with Gotoh's three, a path is the same path."""
    gaps = {"opening": 1.0, "extension": 1.0}
    for (n, m), count in {(1, 1): 3, (2, 2): 13, (3, 2): 25}.items():
        assert count_paths(dp.topologies.affine_gap(), np.zeros((n, m)), params=gaps) == count


def test_ctc_counts():
    """ "ab" in T frames: monotone maps of T frames on 2 letters and blanks; "aa" in 2 frames has none."""
    ctc = dp.topologies.ctc()

    def count(labels, frames):
        extended = np.array([0] + [x for label in labels for x in (label, 0)])
        return count_paths(ctc, np.zeros((frames, len(extended))), params={"labels": extended})

    assert [count((1, 2), t) for t in (1, 2, 3)] == [0, 1, 5]
    assert [count((1, 1), t) for t in (1, 2, 3, 4)] == [0, 0, 1, 5]
    # every labelling of T frames collapses to one target: over an alphabet of two letters 3 ** T in all
    targets = [(), *[(a,) for a in (1, 2)], *[(a, b) for a in (1, 2) for b in (1, 2)]]
    targets += [(a, b, c) for a in (1, 2) for b in (1, 2) for c in (1, 2)]
    counts = [1 if not t else count(t, 3) for t in targets]
    assert sum(counts) == 3**3


def test_the_paths_of_two_by_two():
    found = list(enumerate_paths(DTW, [[1.0, 2.0], [3.0, 4.0]]))
    assert [p.cells for p in found] == [[(0, 0), (1, 1)], [(0, 0), (0, 1), (1, 1)], [(0, 0), (1, 0), (1, 1)]]
    assert [p.steps for p in found] == [[-1, 0], [-1, 2, 1], [-1, 1, 2]]
    assert [p.paid for p in found] == [[1.0, 4.0, None], [1.0, 2.0, 4.0, None], [1.0, 3.0, 4.0, None]]
    assert [p.cost for p in found] == [5.0, 7.0, 8.0]
    assert {(p.start, p.end) for p in found} == {(0, 0)}
    assert {s for p in found for s in p.states} == {None}


def test_values_by_hand():
    cost = [[1.0, 2.0], [3.0, 4.0]]
    assert global_total(DTW, dp.Tropical, cost) == 5.0
    assert global_total(DTW, dp.Counting, cost) == 3.0
    total = -math.log(math.exp(-5.0) + math.exp(-7.0) + math.exp(-8.0))
    assert global_total(DTW, dp.Softmin(1.0), cost) == pytest.approx(total)
    # 5, 7, 8 at gamma 4: the projection of -x / 4 onto the simplex has weights (3/4, 1/4, 0)
    assert global_total(DTW, dp.Sparsemin(4.0), cost) == pytest.approx(5 * 0.75 + 7 * 0.25 + 2 * (0.75**2 + 0.25**2) - 2)
    np.testing.assert_allclose(global_marginals(DTW, dp.Sparsemin(4.0), cost), [[1.0, 0.25], [0.0, 1.0]])
    weights = np.exp(total - np.array([5.0, 7.0, 8.0]))
    np.testing.assert_allclose(global_marginals(DTW, dp.Softmin(1.0), cost), [[1.0, weights[1]], [weights[2], 1.0]])


def test_weights_and_penalties_in_the_marginals():
    w, p = dp.Param("w"), dp.Param("p")
    topology = dp.Topology([dp.Step(1, 1, weight=w), dp.Step(1, 0, penalty=p), dp.Step(0, 1)])
    found = global_gradients(topology, dp.Tropical, [[1.0, 9.0], [9.0, 4.0]], params={"w": 2.0, "p": 0.5})
    np.testing.assert_array_equal(found.planes["cost"], [[1.0, 0.0], [0.0, 2.0]])
    assert (found.params["w"], found.params["p"]) == (4.0, 0.0)
    np.testing.assert_array_equal(found.occupancy, [[1.0, 0.0], [0.0, 1.0]])
    found = global_gradients(topology, dp.Tropical, [[1.0, 9.0], [1.0, 4.0]], params={"w": 2.0, "p": 0.5})
    assert (found.params["w"], found.params["p"]) == (0.0, 1.0)


def test_planes_come_back_as_they_went_in():
    topology = dp.Topology([dp.Step(1, 1, terms=[dp.Term(weight=2.0), dp.Term("other", (-1, -1), 3.0)])])
    found = global_marginals(topology, dp.Tropical, {"cost": np.ones((2, 2)), "other": np.ones((2, 2))})
    np.testing.assert_array_equal(found["cost"], [[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(found["other"], [[3.0, 0.0], [0.0, 0.0]])


def test_parallel_steps_and_two_starts_are_distinct_paths():
    topology = dp.Topology([dp.Step(0, 1), dp.Step(0, 1)], dp.Boundary([dp.Start(), dp.Start()], [dp.End(), dp.End()]))
    assert count_paths(topology, np.zeros((1, 3))) == 2 * 2**2 * 2
    assert len({(p.start, *p.steps, p.end) for p in enumerate_paths(topology, np.zeros((1, 3)))}) == 16


def test_too_many_paths_are_refused_by_name():
    with pytest.raises(ValueError, match="has 265729 paths and the limit is 200000"):
        enumerate_paths(DTW, np.zeros((9, 9)))
    with pytest.raises(ValueError, match="has 3 paths and the limit is 2"):
        global_total(DTW, dp.Tropical, np.zeros((2, 2)), limit=2)
    with pytest.raises(ValueError, match="may recurse 202 deep"):
        count_paths(DTW, np.zeros((200, 2)))


def test_no_path():
    cost = [[0.0, math.inf], [math.inf, math.inf]]
    assert list(enumerate_paths(DTW, cost)) == []
    assert global_total(DTW, dp.Softmin(1.0), cost) == math.inf
    assert global_total(DTW, dp.Counting, cost) == 0.0
    assert not global_marginals(DTW, dp.Softmin(1.0), cost).any()


def test_a_nan_makes_all_of_it_nan():
    cost = [[0.0, math.nan], [0.0, 0.0]]
    assert math.isnan(global_total(DTW, dp.Tropical, cost)) and math.isnan(recursive_total(DTW, dp.Tropical, cost))
    assert np.isnan(global_marginals(DTW, dp.Tropical, cost)).all()


def test_all_outputs_by_name():
    found = global_outputs(DTW, dp.testing.samples.expected_cost(), [[1.0, 2.0], [3.0, 4.0]])
    weights = np.exp(-np.array([5.0, 7.0, 8.0]))
    assert found == pytest.approx({"mean": weights @ [5, 7, 8] / weights.sum(), "mass": weights.sum()})


def test_discrete_semirings_refuse_a_gradient():
    with pytest.raises(TypeError, match="Counting is discrete"):
        global_marginals(DTW, dp.Counting, np.zeros((2, 2)))


def test_entropy_bound():
    """Softmin lies below the hard minimum by at most gamma log(number of paths)."""
    cost = np.random.default_rng(0).random((4, 4))
    hard, soft = (global_total(DTW, s, cost) for s in (dp.Tropical, dp.Softmin(0.3)))
    assert soft <= hard <= soft + 0.3 * math.log(63)
