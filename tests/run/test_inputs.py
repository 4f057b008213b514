"""Every bad input of a call has its message; every odd but good one its right answer."""

import math

import numpy as np
import pytest

import dpsemiring as dp

DTW = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5))
WEIGHTED = dp.compile(dp.topologies.weighted_dtw(horizontal=dp.Param("w", axes="bm")), dp.Softmin(dp.Param("gamma")))
GAPS = dp.compile(dp.topologies.affine_gap(deletion="deletion", insertion="insertion"), dp.Tropical)
CTC = dp.compile(dp.topologies.ctc(), dp.Softmin())
LONGEST = dp.Semiring("longest", -math.inf, 0.0, lambda t, p: dp.ops.max(t), lambda a, b, p: a + b, forbid=-math.inf)
C = np.ones((2, 4, 3))
GAP = dict(opening=1.0, extension=1.0)


class Foreign:
    """Stands for a tensor of another library."""


Foreign.__module__ = "torch"

SCORES = dp.compile(dp.Topology([dp.Step(1, 0, penalty=dp.Param("bonus")), dp.Step(1, 1)]), LONGEST, engine="reference")
MASKED = dp.compile(dp.Topology([dp.Step(1, 1, where=dp.Param("where", axes="n"))]), LONGEST, engine="reference")

REFUSED = {
    "an infinite bonus": (lambda: SCORES(C, params={"bonus": math.inf}), ValueError, r"'bonus'\] holds \+inf"),
    "NaN in a mask": (lambda: MASKED(C, params={"where": np.full(4, np.nan)}), ValueError, "is a mask and holds a NaN"),
    "a masked array": (lambda: DTW(np.ma.masked_less(C, 2)), TypeError, "numpy.ma.filled"),
    "nothing to gather": (
        lambda: CTC(dp.costs.gather(np.zeros((4, 0)), [0]), params={"labels": [0]}),
        ValueError,
        "without an entry",
    ),
    "one axis": (lambda: DTW(np.ones(3)), ValueError, r"shape \(3,\); \(N, M\) or"),
    "complex": (lambda: DTW(np.ones((2, 2), complex)), TypeError, "complex128"),
    "objects": (lambda: DTW([[None, 1.0]]), TypeError, "dtype object"),
    "not rectangular": (lambda: DTW([[1.0], [1.0, 2.0]]), ValueError, "pad ragged items"),
    "a foreign tensor": (lambda: DTW(Foreign()), TypeError, r"detach\(\).cpu\(\).numpy\(\)"),
    "-inf": (lambda: DTW([[0.0, -math.inf], [0.0, 0.0]]), ValueError, "holds -inf in item 0"),
    "+inf among scores": (
        lambda: dp.compile(dp.topologies.dtw(), LONGEST)([[0.0, math.inf]]),
        ValueError,
        r"holds \+inf in item 0",
    ),
    "a dict with an unknown plane": (lambda: DTW({"cost": C, "gap": C}), ValueError, "unknown plane 'gap'"),
    "an array for several planes": (lambda: GAPS(C, params=GAP), ValueError, "pass a dict"),
    "a missing plane": (lambda: GAPS({"cost": C}, params=GAP), ValueError, "missing plane 'deletion'"),
    "a plane too long": (
        lambda: GAPS({"cost": C, "deletion": np.ones((2, 6, 3)), "insertion": C}, params=GAP),
        ValueError,
        r"up to \(1, 1\) longer",
    ),
    "one plane batched": (
        lambda: GAPS({"cost": C, "deletion": C[0], "insertion": C}, params=GAP),
        ValueError,
        "batch all or none",
    ),
    "lengths of one axis": (lambda: DTW(C, 3), ValueError, r"lengths is a pair \(n, m\)"),
    "float lengths": (lambda: DTW(C, (2.0, 3)), ValueError, "whole numbers, found float64"),
    "lengths of the wrong shape": (lambda: DTW(C, ([4, 4, 4], 3)), ValueError, r"\(3,\); \(2,\) is expected"),
    "a length past the padding": (lambda: DTW(C, ([4, 5], 3)), ValueError, "item 1 has 5 along n; 0 to 4"),
    "a negative length": (lambda: DTW(C, (4, [-1, 3])), ValueError, "item 0 has -1 along m"),
    "length 0": (lambda: DTW(C, (4, [3, 0])), ValueError, "item 1 has length 0 along m"),
    "an empty cost": (lambda: DTW(np.ones((0, 3))), ValueError, "item 0 has length 0 along n"),
    "a missing parameter": (lambda: WEIGHTED(C, params={"gamma": 1.0}), ValueError, r"'w': an array \(2, 3\)"),
    "an unknown parameter": (lambda: DTW(C, params={"w": 1}), ValueError, "unknown parameter 'w'; none is declared"),
    "a parameter of the wrong shape": (
        lambda: WEIGHTED(C, params={"gamma": 1.0, "w": np.ones((3, 2))}),
        ValueError,
        r"shape \(3, 2\); \(2, 3\) \(axes 'bm'\)",
    ),
    "gamma 0 at the call": (
        lambda: WEIGHTED(C, params={"gamma": 0.0, "w": np.ones((2, 3))}),
        ValueError,
        r"params\['gamma'\] must be finite and > 0, found 0.0",
    ),
    "a parameter of strings": (lambda: WEIGHTED(C, params={"gamma": "x", "w": np.ones((2, 3))}), TypeError, "real numbers"),
    "labels that are no whole numbers": (lambda: CTC(C, params={"labels": np.ones((2, 3))}), TypeError, "whole numbers"),
    "labels out of range": (
        lambda: CTC(-dp.costs.gather(np.zeros((2, 4, 5)), [[0, 1, 0], [0, 5, 0]]), params={"labels": np.zeros((2, 3), int)}),
        ValueError,
        "label 5 of item 1 at column 1 is outside 0 .. 4",
    ),
    "sources of different shapes": (
        lambda: CTC(dp.costs.gather(np.zeros((4, 5)), [0]) + dp.costs.gather(np.zeros((3, 5)), [0]), params={"labels": [0]}),
        ValueError,
        "different shapes",
    ),
    "gradient of what is none": (lambda: DTW(C).grad("w"), KeyError, "no parameter is named 'w'"),
    "gradient of a mask": (lambda: CTC(C, params={"labels": np.zeros((2, 3), int)}).grad("labels"), ValueError, "no derivative"),
    "gradient of a count": (lambda: dp.compile(dp.topologies.dtw(), dp.Counting)(C).marginals, TypeError, "discrete"),
    "path of a softmin": (lambda: DTW(C).path, TypeError, "compile the same topology with dp.Tropical"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_mend(case):
    call, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_nan_stays_in_its_item(engine):
    cost = np.random.default_rng(0).random((3, 5, 4))
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5), engine=engine)
    clean, cost[1, 2, 3] = solver(cost.copy()), np.nan
    result = solver(cost)
    assert np.isnan(result.total).tolist() == [False, True, False]
    assert np.isnan(result.marginals[1]).all() and np.isnan(result.occupancy[1]).all()
    np.testing.assert_array_equal(result.total[[0, 2]], clean.total[[0, 2]])
    np.testing.assert_array_equal(result.marginals[[0, 2]], clean.marginals[[0, 2]])


def test_nan_in_a_parameter_stays_in_its_item():
    weights = np.ones((2, 3))
    weights[0, 1] = np.nan
    result = WEIGHTED(C, params={"gamma": 1.0, "w": weights})
    assert np.isnan(result.total).tolist() == [True, False]
    assert np.isfinite(result.grad("w")[1]).all()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("semiring", [dp.Softmin(0.5), dp.Tropical], ids=lambda s: s.name)
def test_infinite_costs_forbid(semiring, engine):
    cost = np.random.default_rng(0).random((2, 5, 6))
    cost[0, 1:4, 2] = np.inf
    cost[1, 2, :] = np.inf
    result = dp.compile(dp.topologies.dtw(), semiring, engine=engine)(cost)
    assert np.isfinite(result.total[0]) and result.total[1] == np.inf
    assert (result.marginals[0, 1:4, 2] == 0).all() and np.isfinite(result.marginals).all()
    assert (result.marginals[1] == 0).all() and (result.occupancy[1] == 0).all()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_infinite_weights_and_penalties_forbid(engine):
    t = dp.Topology(
        [dp.Step(1, 0, weight=dp.Param("v", axes="n")), dp.Step(0, 1, penalty=dp.Param("h", axes="m")), dp.Step(1, 1)]
    )
    solver = dp.compile(t, dp.Softmin(0.5), engine=engine)
    cost = np.random.default_rng(0).random((4, 5))
    cost[2, 2], cost[1, 3] = np.inf, 0.0
    v, h = np.array([1.0, math.inf, 0.0, 2.0]), np.array([0.1, 0.2, math.inf, 0.3, 0.4])
    result = solver(cost, params={"v": v, "h": h})
    expected = dp.testing.global_total(t, dp.Softmin(0.5), cost, params={"v": v, "h": h})
    np.testing.assert_allclose(result.total, expected["total"] if isinstance(expected, dict) else expected, rtol=1e-12)
    for gradient in (result.marginals, result.grad("v"), result.grad("h")):
        assert np.isfinite(gradient).all()
    assert result.grad("v")[1] == 0 and result.grad("h")[2] == 0 and result.marginals[2, 2] == 0


def test_a_forbidden_cost_wins_over_weight_zero():
    t = dp.Topology([dp.Step(1, 0, weight=0.0)], dp.Boundary(dp.Start(terms=()), dp.End()))
    for engine in ("cpu", "reference"):
        solver = dp.compile(t, dp.Tropical, engine=engine)
        assert solver([[1.0], [5.0]]).total == 0.0
        blocked = solver([[1.0], [math.inf]])
        assert blocked.total == math.inf and (blocked.marginals == 0).all()


def test_empty_batch():
    result = DTW(np.ones((0, 4, 3)))
    assert result.total.shape == (0,) and result.marginals.shape == (0, 4, 3) and result.occupancy.shape == (0, 4, 3)
    assert dp.compile(dp.topologies.dtw(), dp.Tropical)(np.ones((0, 4, 3))).path == []


def test_kinds_of_number():
    cost = np.arange(12).reshape(4, 3)
    assert DTW(cost).total.dtype == np.float64
    assert DTW(cost.astype(np.float32)).marginals.dtype == np.float32
    assert DTW(cost.astype(np.float16)).total.dtype == np.float32
    assert DTW(cost.astype(">f8")).total == DTW(cost).total == DTW(cost.tolist()).total


def test_tiny_gamma_tends_to_the_hard_minimum():
    cost = np.random.default_rng(0).random((30, 30))
    hard = dp.compile(dp.topologies.dtw(), dp.Tropical)(cost)
    soft = dp.compile(dp.topologies.dtw(), dp.Softmin(1e-9))(cost)
    np.testing.assert_allclose(soft.total, hard.total, rtol=1e-8)
    np.testing.assert_allclose(soft.marginals, hard.marginals, atol=1e-6)


def test_empty_targets_and_infeasible_labels():
    logits = np.random.default_rng(0).random((2, 3, 4))
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    labels = np.array([[0, 2, 0, 2, 0], [0, 1, 0, 1, 0]])
    cost = -dp.costs.gather(log_probs, labels)
    result = CTC(cost, ([3, 2], [1, 5]), {"labels": labels})
    np.testing.assert_allclose(result.total[0], -log_probs[0, :, 0].sum())  # no label: blanks alone
    assert result.total[1] == math.inf  # "aa" needs a blank between, so three frames
    gradient = result.grad("log_probs")
    np.testing.assert_allclose(gradient[0].sum(axis=1), -1.0)
    assert (gradient[1] == 0).all()


def test_a_result_is_as_it_was_asked_for():
    """Batch and plane dictionaries come back as they came; every gradient has its parameter's shape."""
    planes = {"cost": C, "deletion": np.ones((2, 4, 4)), "insertion": np.ones((2, 5, 3))}
    result = GAPS(planes, params=GAP)
    assert {n: a.shape for n, a in result.marginals.items()} == {n: a.shape for n, a in planes.items()}
    assert result.occupancy.shape == (2, 5, 4) and result.accumulated_cost.shape == (2, 5, 4, 3)
    assert result.grad("opening").shape == ()
    single = WEIGHTED(C[0], params={"gamma": 1.0, "w": np.ones(3)})
    assert single.grad("w").shape == (3,) and single.total.shape == () and single.marginals.shape == (4, 3)
    spread = WEIGHTED(C, params={"gamma": 1.0, "w": np.ones((1, 3))})
    np.testing.assert_allclose(spread.grad("w"), 2 * single.grad("w")[None])


@pytest.mark.parametrize("weight", [math.inf, dp.Param("w")])
def test_a_step_of_infinite_weight_does_not_exist(weight):
    with_it = dp.Topology([dp.Step(1, 1), dp.Step(1, 0, weight=weight), dp.Step(0, 1)])
    without = dp.Topology([dp.Step(1, 1), dp.Step(0, 1)])
    cost = np.random.default_rng(0).random((4, 6))
    params = {} if weight == math.inf else {"w": math.inf}
    found = dp.compile(with_it, dp.Softmin(), engine="reference")(cost, params=params)
    expected = dp.compile(without, dp.Softmin(), engine="reference")(cost)
    np.testing.assert_allclose(found.total, expected.total)
    np.testing.assert_allclose(found.marginals, expected.marginals)
    assert dp.compile(with_it, dp.Tropical)(cost, params=params).total == dp.compile(without, dp.Tropical)(cost).total
