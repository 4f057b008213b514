"""The edges of the domain, row by row: what each odd input gives, or how it is refused.

Each row is a sentence of the contract and a check of it; most run on both engines.
"""

import math

import numpy as np
import pytest

import dpsemiring as dp

INF, NAN = math.inf, math.nan
DTW = dp.topologies.dtw()
SAMPLES = {s.name: s for s in (dp.Tropical, dp.Softmin(0.5), dp.Sparsemin(0.5))}
SCORES = dp.MaxPlus
GAMMA = dp.Param("gamma", axes="b")
WEIGHTED = dp.Topology(
    [dp.Step(1, 1, weight=dp.Param("w", axes="m")), dp.Step(1, 0, penalty=dp.Param("p", axes="n")), dp.Step(0, 1)]
)
WEIGHTS = {"w": np.ones(3), "p": np.zeros(4)}
C = np.random.default_rng(0).random((2, 4, 3))


def refused(call, words, error=ValueError):
    with pytest.raises(error, match=words):
        call()


def same(found, wanted):
    np.testing.assert_array_equal(found.total, wanted.total)
    np.testing.assert_array_equal(found.marginals, wanted.marginals)


def each_minimum(run):
    for semiring in SAMPLES.values():
        yield run(DTW, semiring)


# --- costs ------------------------------------------------------------------------------------------


def nan_in_a_cost(run):
    cost = C.copy()
    cost[1, 2, 2] = NAN
    for solve in each_minimum(run):
        result = solve(cost)
        assert result.total[0] == solve(C).total[0] and np.isnan(result.total[1])
        assert np.isfinite(result.marginals[0]).all() and np.isnan(result.marginals[1]).all()


def forbidden_cell(run):
    cost = C.copy()
    cost[0, 1, 1] = INF
    for solve in each_minimum(run):
        result = solve(cost)
        assert np.isfinite(result.total).all() and np.isfinite(result.marginals).all() and result.marginals[0, 1, 1] == 0.0


def the_other_infinity(run):
    refused(lambda: run(DTW, dp.Tropical)([[0.0, -INF]]), "holds -inf in item 0; over this semiring [+]inf forbids a cell")
    refused(lambda: run(DTW, SCORES)([[0.0, INF]]), "holds [+]inf in item 0; over this semiring -inf forbids a cell")
    assert run(DTW, SCORES)([[0.0, -INF]]).total == -INF


def all_paths_blocked(run):
    cost = C.copy()
    cost[0, 2] = INF
    for solve in each_minimum(run):
        result = solve(cost)
        assert result.total[0] == INF and not result.marginals[0].any() and not result.occupancy[0].any()
    assert run(DTW, dp.Counting)(cost).total[0] == 0.0


def integers_and_halves(run):
    solve = run(DTW, dp.Softmin(0.5))
    assert solve(np.arange(6).reshape(2, 3)).total.dtype == np.float64
    assert solve(np.ones((2, 3), bool)).total.dtype == np.float64
    assert solve(np.ones((2, 3), np.float16)).marginals.dtype == np.float32


def views(run):
    base = np.random.default_rng(1).random((8, 9))
    before, solve = base.copy(), run(DTW, dp.Softmin(0.5))
    for view in (base[::2, 1::3], base[::-1, ::-1], base.T, np.asfortranarray(base), np.broadcast_to(base[0], (5, 9))):
        same(solve(view), solve(np.array(view)))
        view.flags.writeable = False
        same(solve(view), solve(np.array(view)))
    expanded = solve(np.broadcast_to(base, (3, 8, 9)))
    np.testing.assert_array_equal(expanded.marginals, np.broadcast_to(solve(base).marginals, (3, 8, 9)))
    np.testing.assert_array_equal(base, before)


def one_row_or_one_column(run):
    for solve in each_minimum(run):
        for cost in ([[2.0]], [[1.0, 2.0, 4.0]], [[1.0], [2.0], [4.0]]):
            result = solve(cost)
            assert result.total == pytest.approx(np.sum(cost), rel=1e-15)
            np.testing.assert_allclose(result.marginals, np.ones_like(cost), rtol=1e-15)


def kinds_that_are_no_reals(run):
    solve = run(DTW, dp.Tropical)
    refused(lambda: solve(C + 0j), "plane 'cost' has the dtype complex128; real numbers are expected", TypeError)
    refused(lambda: solve(np.array([[None, 1]])), "plane 'cost' has the dtype object", TypeError)
    refused(lambda: solve(np.array([["a"]])), "plane 'cost' has the dtype <U1", TypeError)
    weighted = run(WEIGHTED, dp.Tropical)
    refused(lambda: weighted(C, params=WEIGHTS | {"w": np.ones(3) + 0j}), r"params\['w'\] has the dtype complex128", TypeError)


def features_that_differ(run):
    source = dp.costs.sqeuclidean(np.ones((4, 3)), np.ones((5, 2)))
    refused(lambda: run(DTW, dp.Tropical)(source), "x has 3 features .* and y has 2")


def mixed_libraries(run):
    torch = pytest.importorskip("torch")
    weights = WEIGHTS | {"w": torch.ones(3)}
    refused(
        lambda: run(WEIGHTED, dp.Tropical)(C, params=weights),
        "'cost' is a ndarray and other values of the call are torch tensors",
        TypeError,
    )
    x, y = np.ones((4, 2)), torch.ones(3, 2)
    for source, which in ((dp.costs.sqeuclidean(x, y), "x"), (dp.costs.sqeuclidean(y, x), "y")):
        words = f"plane 'cost': sqeuclidean: {which} is a NumPy array and other values of the call are torch tensors"
        refused(lambda: run(DTW, dp.Tropical)(source), words, TypeError)
    refused(
        lambda: run(WEIGHTED, dp.Tropical)(dp.costs.sqeuclidean(x, x[:3]), params=weights),
        "plane 'cost': sqeuclidean: x is a NumPy array and other values of the call are torch tensors",
        TypeError,
    )
    refused(
        lambda: run(WEIGHTED, dp.Tropical)(torch.ones(4, 3), params=WEIGHTS),
        r"params\['w'\] is a NumPy array and the cost a torch tensor",
        TypeError,
    )
    own = dp.costs.own(y, y, lambda a, b: a @ b.T)
    refused(lambda: run(DTW, dp.Tropical)(own), "compute the cost with torch and pass the tensor", TypeError)


# --- temperatures -----------------------------------------------------------------------------------


def temperatures_that_are_none(run):
    for gamma in (0.0, -1.0, NAN, INF):
        for minimum in (dp.Softmin, dp.Sparsemin):
            refused(lambda: minimum(gamma), f"gamma must be finite and > 0, found {gamma}")
            solve = run(DTW, minimum(GAMMA))
            words = rf"params\['gamma'\] must be finite and > 0, found {gamma}"
            refused(lambda: solve(C, params={"gamma": np.array([1.0, gamma])}), words)


def tiny_temperatures(run):
    """Down to the least number that is not 0, which float32 cannot hold."""
    for real in (np.float32, np.float64):
        hard = run(DTW, dp.Tropical)(C.astype(real))
        for minimum in (dp.Softmin, dp.Sparsemin):
            solve = run(DTW, minimum(GAMMA))
            for gamma in (1e-9, 1e-50, 5e-324):
                result = solve(C.astype(real), params={"gamma": np.full(2, gamma)})
                np.testing.assert_allclose(result.total, hard.total, rtol=1e-6)
                np.testing.assert_allclose(result.marginals, hard.marginals, atol=1e-6)
                assert np.isfinite(result.grad("gamma")).all()


def beyond_float32(run):
    """What float64 holds and float32 does not would be an infinity, which forbids."""
    low = C.astype(np.float32)
    words = r"params\['{}'\] (holds|is) 1e[+]300, beyond the range of float32; pass float64 costs"
    refused(lambda: run(WEIGHTED, dp.Tropical)(low, params=WEIGHTS | {"w": np.array([1.0, 1e300, 1.0])}), words.format("w"))
    refused(lambda: run(WEIGHTED, dp.Tropical)(low, params=WEIGHTS | {"p": np.full(4, 1e300)}), words.format("p"))
    refused(lambda: run(DTW, dp.Softmin(GAMMA))(low, params={"gamma": np.full(2, 1e300)}), words.format("gamma"))
    huge = np.array([1e300, 1.0, 1.0])  # column 0 is entered by no diagonal step
    assert np.isfinite(run(WEIGHTED, dp.Tropical)(C, params=WEIGHTS | {"w": huge}).total).all()
    beyond = np.array([1.0, 1.0, 1e300])  # beyond every item's length nothing is looked at
    assert np.isfinite(run(WEIGHTED, dp.Tropical)(low, (4, 2), params=WEIGHTS | {"w": beyond}).total).all()


# --- lengths and batches ----------------------------------------------------------------------------


def length_zero(run):
    solve = run(DTW, dp.Tropical)
    refused(lambda: solve(C, ([4, 0], 3)), "item 1 has length 0 along n, so that its lattice has no cell")
    refused(lambda: solve(np.ones((3, 0))), "item 0 has length 0 along m")


def length_zero_where_the_lattice_has_cells(run):
    gaps = run(dp.topologies.affine_gap(3.0, 1.0), dp.Tropical)
    result = gaps(C, ([4, 0], [0, 0]))
    np.testing.assert_array_equal(result.total, [6.0, 0.0])
    assert not result.marginals.any() and [len(p) for p in result.path] == [5, 1]
    assert gaps(np.ones((0, 2))).total == 4.0
    ctc = run(dp.topologies.ctc(), dp.Softmin())  # an empty target is one blank
    labels = np.zeros((2, 3), int)
    np.testing.assert_allclose(ctc(C, (4, [1, 3]), {"labels": labels}).total[0], C[0, :, 0].sum())


def lengths_out_of_range(run):
    solve = run(DTW, dp.Tropical)
    refused(lambda: solve(C, ([4, -1], 3)), "item 1 has -1 along n; 0 to 4")
    refused(lambda: solve(C, (4, [3, 4])), "item 1 has 4 along m; 0 to 3")
    refused(lambda: solve(C, (np.array([4.0, 2.0]), 3)), "along n are whole numbers, found float64")
    refused(lambda: solve(C, ([True, True], 3)), "along n are whole numbers, found bool")
    refused(lambda: solve(C, ([4], 3)), r"along n have the shape \(1,\); \(2,\) is expected")
    refused(lambda: solve(C[0], ([4, 4], 3)), r"along n have the shape \(2,\); \(\) is expected")
    refused(lambda: solve(C, 4), r"lengths is a pair \(n, m\)")


def an_empty_batch(run):
    result = run(WEIGHTED, dp.Softmin(GAMMA))(np.ones((0, 4, 3)), params=WEIGHTS | {"gamma": np.ones(0)})
    assert result.total.shape == (0,) and result.marginals.shape == result.occupancy.shape == (0, 4, 3)
    assert result.grad("gamma").shape == (0,) and not result.grad("w").any() and result.grad("p").shape == (4,)
    assert run(DTW, dp.Tropical)(np.ones((0, 4, 3))).path == []


# --- labels and parameters --------------------------------------------------------------------------


def labels_out_of_range(run):
    solve, scores = run(dp.topologies.ctc(), dp.Softmin()), np.zeros((1, 4, 5))
    for label in (5, -1):
        labels = np.array([[0, label, 0]])
        cost = -dp.costs.gather(scores, labels)
        refused(lambda: solve(cost, params={"labels": labels}), f"label {label} of item 0 at column 1 is outside 0 .. 4")
        assert np.isfinite(solve(cost, (4, 1), {"labels": labels}).total).all()  # beyond the length it is padding


def infeasible_labels(run):
    labels = np.array([0, 1, 0, 1, 0])
    result = run(dp.topologies.ctc(), dp.Softmin())(-dp.costs.gather(np.zeros((2, 3)), labels), params={"labels": labels})
    assert result.total == INF and not result.grad("log_probs").any()


def parameters_by_name(run):
    solve = run(WEIGHTED, dp.Tropical)
    refused(lambda: solve(C, params={"w": np.ones(3)}), r"params: 'p' is missing; pass params=\{'p': an array \(4,\)\}")
    refused(lambda: solve(C, params=WEIGHTS | {"v": 1.0}), "unknown parameter 'v'; those declared are w, p")
    refused(lambda: solve(C), "are missing")


def infinite_parameters(run):
    for semiring, forbid in ((dp.Tropical, INF), (SCORES, -INF)):
        solve = run(WEIGHTED, semiring)
        no_weight = solve(C, params=WEIGHTS | {"w": np.full(3, INF)})  # a weight forbids by +inf whatever the semiring
        no_penalty = solve(C, params=WEIGHTS | {"p": np.array([0.0, forbid, 0.0, 0.0])})
        assert np.isfinite(no_weight.total).all() and np.isfinite(no_penalty.total).all()
        assert not no_weight.grad("w").any() and no_penalty.grad("p")[1] == 0.0
        refused(lambda: solve(C, params=WEIGHTS | {"w": np.full(3, -INF)}), r"'w'\] holds -inf; a step is forbidden by [+]inf")
        words = rf"'p'\] holds {-forbid:+}; a step is forbidden by {forbid:+}".replace("+", "[+]")
        refused(lambda: solve(C, params=WEIGHTS | {"p": np.full(4, -forbid)}), words)


# --- declarations -----------------------------------------------------------------------------------


def declarations(run):
    two = dict(states=("a", "b"))
    inside = [dp.Step(0, 0, terms=(), source=s, target=t) for s, t in ("ab", "ba")]
    refused(lambda: dp.Topology(inside, **two), r"steps \(0, 0\) form a cycle among the states a, b")
    refused(lambda: dp.Step(1, -1), "dm is a whole number >= 0, found -1; steps never go back")
    refused(lambda: dp.Topology([], states=("a", "b", "a")), "state 'a' is declared twice")
    ends = dp.Boundary(dp.Start(state="a"), dp.End(state="b"))
    refused(lambda: dp.Topology([dp.Step(1, 0, source="a", target="a")], ends, **two), "'b' is reached by no start and no step")


def a_window_without_a_path(run):
    band = dp.Topology([dp.Step(1, 1), dp.Step(0, 1)], window=dp.Window.sakoe_chiba(0.5))
    refused(lambda: run(band, dp.Tropical)(np.zeros((4, 9))), "excludes every path of item 0, of 4 rows and 9 columns; widen it")


def a_total_that_is_not_first(run):
    def of(decode):
        return dp.Semiring("mine", INF, 0.0, lambda t, p: dp.ops.min(t), lambda a, b, p: a + b, decode=decode)

    refused(lambda: run(DTW, of(lambda x, p: {"twice": 2.0 * x, "total": x})), "'twice' before 'total'; .* put it first")
    refused(lambda: run(DTW, of(lambda x, p: {})), "decode gives an empty dict")
    result = run(DTW, of(lambda x, p: {"total": x, "twice": 2.0 * x}))([[1.0]])
    assert result.total == 1.0 and result.twice == 2.0


def plain_truth_values(run):
    def least(terms, p):
        return dp.ops.min(dp.ops.where(True & (terms < 1e9) | (False | (terms < 0.0)), terms, terms))

    semiring = dp.Semiring("mine", INF, 0.0, least, lambda a, b, p: a + b)
    assert run(DTW, semiring)([[1.0, 2.0]]).total == 3.0


def an_engine_that_is_not_there(run):
    refused(lambda: dp.compile(DTW, dp.Tropical, engine="tpu"), "engine is one of .*, found 'tpu'")


ROWS = {
    "a NaN in a cost makes that item NaN, and no other": nan_in_a_cost,
    "+inf in a cost forbids the cell, gradient 0": forbidden_cell,
    "the infinity that does not forbid is refused": the_other_infinity,
    "all paths blocked: the zero of the semiring, zero gradient": all_paths_blocked,
    "integers count as float64, half precision as float32": integers_and_halves,
    "views of any stride, read-only, expanded: right, never written to": views,
    "one row or one column": one_row_or_one_column,
    "complex, object and text dtypes are refused by name": kinds_that_are_no_reals,
    "feature dimensions that differ are refused with both": features_that_differ,
    "mixed array libraries are refused with both": mixed_libraries,
    "gamma <= 0, NaN or inf is refused, declared or given": temperatures_that_are_none,
    "a tiny gamma is finite and tends to the hard minimum": tiny_temperatures,
    "numbers beyond float32 are refused where they would forbid": beyond_float32,
    "length 0 is refused with the item": length_zero,
    "length 0 is right where the lattice still has cells": length_zero_where_the_lattice_has_cells,
    "negative, too long, fractional and misshapen lengths are refused": lengths_out_of_range,
    "an empty batch gives empty results, backward too": an_empty_batch,
    "labels out of range are refused, in padding they are not read": labels_out_of_range,
    "infeasible labels: inf, zero gradient": infeasible_labels,
    "missing and unknown parameters are refused by name": parameters_by_name,
    "infinite weights and penalties forbid, the others are refused": infinite_parameters,
    "declarations without a meaning are refused": declarations,
    "a window that excludes every path is refused with the item": a_window_without_a_path,
    "an output named total is the first": a_total_that_is_not_first,
    "plain truth values combine with conditions on either side": plain_truth_values,
    "an engine that is not there is refused, without a fallback": an_engine_that_is_not_there,
}


@pytest.mark.parametrize("row", ROWS)
def test_domain(row):
    ROWS[row](lambda topology, semiring: dp.compile(topology, semiring, engine="reference"))


COMPILED = (nan_in_a_cost, forbidden_cell, all_paths_blocked, views, one_row_or_one_column, tiny_temperatures)


@pytest.mark.parametrize("row", [r for r in ROWS if ROWS[r] in COMPILED])
def test_domain_of_the_compiled_engine(row):
    ROWS[row](lambda topology, semiring: dp.compile(topology, semiring))
