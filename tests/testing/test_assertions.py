"""The assertions pass where they should, and turn red on a planted fault."""

import functools
import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.api.result import Result
from dpsemiring.run.reference import ReferenceEngine
from dpsemiring.testing import (
    assert_engines_agree,
    assert_global_equals_recursive,
    assert_gradients,
    assertions,
    random_problem,
)

DTW = dp.topologies.dtw()
PRESETS = {
    "dtw": DTW,
    "weighted_dtw": dp.topologies.weighted_dtw(1.5, dp.Param("stay", axes="m"), 2.0),
    "subsequence_dtw": dp.topologies.subsequence_dtw(),
    "affine_gap": dp.topologies.affine_gap(),
    "ctc": dp.topologies.ctc(),
}


@pytest.fixture
def interpreted(monkeypatch):
    """The assertions' default engine is the interpreter: the compiled one has its own tests beside."""
    monkeypatch.setattr(assertions, "compile", functools.partial(dp.compile, engine="reference"))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("semiring", [dp.Tropical, dp.Softmin(0.5), dp.Counting], ids=["Tropical", "Softmin", "Counting"])
def test_global_equals_recursive_on_every_preset(preset, semiring, interpreted):
    assert_global_equals_recursive(PRESETS[preset], semiring)


def test_global_equals_recursive_by_the_compiled_engine():
    assert_global_equals_recursive(DTW, dp.Softmin(0.5))


@pytest.mark.parametrize("preset", PRESETS)
def test_sparsemin_is_not_associative_and_the_message_says_so(preset, interpreted):
    with pytest.raises(AssertionError) as caught:
        assert_global_equals_recursive(PRESETS[preset], dp.Sparsemin(0.5))
    text = str(caught.value)
    assert "Sparsemin does not state the law 'associative'" in text
    assert "refuted: with a = " in text and "gamma = 0.5" in text and "sum(a, b, c) = " in text
    assert "costs:\n  cost = [[" in text and "D[n, m]" in text.replace("D_match", "D").replace("D_delete", "D")
    whole, recursion = (float(text.split(f" {word}")[0].split()[-1]) for word in ("globally", "recursively"))
    solved = float(text.split(" by the solver")[0].split()[-1])
    assert whole != recursion and abs(solved - recursion) < 1e-12


def test_a_law_stated_in_vain_is_named(interpreted):
    boast = dp.Semiring(
        "boast", math.inf, 0.0, lambda t, p: dp.ops.min(t) - 0.1 * dp.ops.sum(t * 0.0 + 1.0), lambda a, b, p: a + b
    )
    with pytest.raises(AssertionError, match="the law is stated, but refuted: with a = "):
        assert_global_equals_recursive(DTW, boast)


def test_given_data_is_used():
    cost = np.arange(6.0).reshape(2, 3)
    assert_global_equals_recursive(DTW, dp.Softmin(0.5), cost=cost, lengths=(2, 2))
    topology = PRESETS["weighted_dtw"]
    assert_global_equals_recursive(topology, dp.Tropical, cost=cost, params={"stay": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="has 265729 paths and the limit"):
        assert_global_equals_recursive(DTW, dp.Tropical, cost=np.zeros((9, 9)))


def test_a_topology_without_paths_is_no_success():
    nowhere = dp.Topology([dp.Step(0, 1, penalty=math.inf)], dp.Boundary(dp.Start(penalty=math.inf), dp.End()))
    with pytest.raises(ValueError, match="none of the lattices drawn has a path"):
        assert_global_equals_recursive(nowhere, dp.Tropical)


# --- gradients --------------------------------------------------------------------------------------


LEARNED = {
    "Tropical": dp.Tropical,
    "Softmin": dp.Softmin(dp.Param("gamma", axes="b")),
    "Sparsemin": dp.Sparsemin(dp.Param("gamma")),
}


@pytest.mark.parametrize("semiring", LEARNED)
@pytest.mark.parametrize("preset", PRESETS)
def test_gradients(preset, semiring):
    assert_gradients(PRESETS[preset], LEARNED[semiring], engine="reference")


def test_ties_are_kinks_and_pass():
    assert_gradients(DTW, dp.Tropical, cost=np.zeros((3, 3)), engine="reference")


def test_scores_have_gradients():
    assert_gradients(DTW, dp.Log, engine="reference")
    assert_gradients(DTW, dp.MaxPlus, engine="reference")


@pytest.mark.parametrize("fault", ["scaled", "one cell", "flipped", "leaks"])
def test_a_wrong_gradient_is_red(fault, monkeypatch):
    right = Result.marginals.func

    def wrong(self):
        found = right(self)
        plane = found["cost"]
        if fault == "scaled":
            plane *= 1.001
        elif fault == "one cell":
            plane[0, 1, 1] += 1e-3
        elif fault == "flipped":
            plane *= -1.0
        else:  # the least number beyond an item's lengths
            plane[0, 2, 1] += 1e-300
        return found

    monkeypatch.setattr(Result, "marginals", property(wrong))
    cost = np.random.default_rng(0).random((1, 3, 3))
    with pytest.raises(AssertionError, match=r"marginals of plane 'cost' at \["):
        assert_gradients(DTW, dp.Softmin(0.5), cost=cost, lengths=(2, 3), engine="reference")


def test_a_wrong_parameter_gradient_is_red(monkeypatch):
    right = Result.grad
    monkeypatch.setattr(Result, "grad", lambda self, name: right(self, name) + 1e-3)
    with pytest.raises(AssertionError, match=r"grad\('stay'\) at"):
        assert_gradients(PRESETS["weighted_dtw"], dp.Softmin(0.5), engine="reference")


# --- engines ----------------------------------------------------------------------------------------


def test_engines_agree():
    assert_engines_agree(DTW, dp.Counting)
    assert_engines_agree(DTW, dp.Tropical, engine="reference")
    assert_engines_agree(PRESETS["weighted_dtw"], dp.Softmin(dp.Param("gamma")), engine="reference", shape=(4, 4))


def test_a_difference_between_engines_is_red(monkeypatch):
    right = Result.accumulated_cost.func

    def wrong(self):
        shift = 1e-3 if isinstance(self._solver.engine, ReferenceEngine) else 0.0
        return right(self) + shift

    monkeypatch.setattr(Result, "accumulated_cost", property(wrong))
    with pytest.raises(AssertionError, match=r"accumulated_cost at \[0, 0, 0\] is 1.0, the reference gives"):
        assert_engines_agree(DTW, dp.Counting, shape=(3, 3))


def test_random_problems_are_sensible():
    labels = dp.Param("labels", axes="bm")
    steps = [dp.Step(1, 0, where=labels.differs(-1)), dp.Step(1, 1, weight=dp.Param("w"), where=dp.Param("open", axes="nm"))]
    topology, semiring = dp.Topology(steps, extra=(1, 0)), dp.Softmin(dp.Param("g", axes="b"))
    problem = random_problem(np.random.default_rng(0), topology, semiring, (4, 5), "holes", batch=3)
    assert problem.cost.shape == (3, 4, 5) and np.isinf(problem.cost).any()
    assert problem.params["labels"].shape == (3, 5) and problem.params["labels"].dtype.kind == "i"
    assert problem.params["open"].shape == (5, 5) and set(np.unique(problem.params["open"])) == {0.0, 1.0}
    assert problem.params["g"].shape == (3,) and (problem.params["g"] > 0).all()
    assert [x[0] for x in problem.lengths] == [4, 5]
    item = problem.item(topology, dp.Tropical, 1)
    assert item.cost.shape == tuple(x[1] for x in problem.lengths)
    assert item.params["open"].shape == (problem.lengths[0][1] + 1, problem.lengths[1][1])
