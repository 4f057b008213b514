"""Step patterns against dtw-python (dtw_python.json, made by make_dtw_python.py), brute force and published numbers."""

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import assert_global_equals_recursive, assert_gradients
from dpsemiring.topologies import rabiner_juang, step_pattern

PEER = json.loads((Path(__file__).parent / "dtw_python.json").read_text())
COSTS = [np.array(cost) for cost in PEER["costs"]]
SOLVED = PEER["solved"]
GAMMA = 1e-4


def batch(dtype=np.float64):
    """All costs as one ragged batch, NaN beyond the lengths."""
    shapes = np.array([c.shape for c in COSTS])
    padded = np.full((len(COSTS), *shapes.max(axis=0)), np.nan, dtype)
    for item, cost in zip(padded, COSTS):
        item[: cost.shape[0], : cost.shape[1]] = cost
    return padded, tuple(shapes.T)


def wanted(name):
    return np.array([inf if found is None else found[0] for found in SOLVED[name]])


def solve(name, semiring=dp.Tropical, dtype=np.float64, engine="reference"):
    return dp.compile(step_pattern(name), semiring, engine=engine)(*batch(dtype))


def test_the_file_has_all_names():
    assert len(SOLVED) == 83 and np.isfinite([wanted(name) for name in SOLVED]).sum() > 290
    assert {name for name in SOLVED if "P" in name} == {
        f"{s}P{p}" for s in ("symmetric", "asymmetric") for p in ("0", "05", "1", "2")
    }


@pytest.mark.parametrize("name", SOLVED)
def test_totals_are_those_of_dtw_python(name):
    np.testing.assert_allclose(solve(name).total, wanted(name), rtol=1e-12)


@pytest.mark.parametrize("name", ["symmetricP05", "typeIas", "rj7cs"])
def test_totals_of_the_compiled_engine(name):
    np.testing.assert_allclose(solve(name, engine="cpu").total, wanted(name), rtol=1e-12)
    single = solve(name, dtype=np.float32, engine="cpu").total
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, wanted(name), rtol=1e-6)


def test_paths_are_those_of_dtw_python_where_they_are_unique():
    """A path is alone if the softmin, which counts all that are as short, is hardly below the minimum."""
    compared = 0
    for name in SOLVED:
        result, soft = solve(name), solve(name, dp.Softmin(GAMMA)).total
        for item, found in enumerate(SOLVED[name]):
            if found is None:
                assert len(result.path[item]) == 0
            elif result.total[item] - soft[item] < GAMMA * np.log(1.5):
                assert result.path[item].T.tolist() == found[1:], (name, item)
                compared += 1
    assert compared > 250


def test_what_is_one_pattern_by_two_names():
    for mine, other in {
        "symmetricP0": "symmetric2", "symmetricP1": "typeId", "symmetricP2": "rj6d", "symmetricP05": "rj5d",
        "asymmetricP1": "typeIcs", "typeIIIc": "rj4c", "typeIVc": "rj7c", "typeIIds": "typeIId",
    }.items():  # fmt: skip
        assert sorted(map(str, step_pattern(mine).steps)) == sorted(map(str, step_pattern(other).steps)), (mine, other)


@pytest.mark.parametrize("smoothed", [False, True])
@pytest.mark.parametrize("type", range(1, 8))
def test_weights_c_and_d_are_the_same_on_every_path(type, smoothed):
    for step in rabiner_juang(type, "c", smoothed).steps:
        assert sum(t.weight for t in step.terms) == pytest.approx(step.dn)
    for step in rabiner_juang(type, "d", smoothed).steps:
        assert sum(t.weight for t in step.terms) == pytest.approx(step.dn + step.dm)


def test_a_cell_of_weight_0_may_be_forbidden():
    cost = np.ones((3, 2))
    cost[2, 1] = 0.0
    free = dp.compile(rabiner_juang(2, "a"), dp.Tropical, engine="reference")
    assert free.topology.steps[0].terms[-1] == dp.Term(weight=0.0)
    assert free(cost).total == 2.0
    cost[2, 1] = inf
    assert free(cost).total == inf


# brute force: a few of each shape, on small lattices with ties and forbidden cells

SAMPLE = ["symmetricP1", "asymmetricP05", "rj4b", "rj6cs", "typeIVc", "mori2006", "asymmetric"]


@pytest.mark.parametrize("semiring", [dp.Tropical, dp.Softmin(0.5), dp.Counting], ids=["tropical", "softmin", "counting"])
@pytest.mark.parametrize("name", SAMPLE)
def test_global_equals_recursive(name, semiring):
    assert_global_equals_recursive(step_pattern(name), semiring, engine="reference")


@pytest.mark.parametrize("name", ["symmetricP05", "rj7as", "mori2006"])
@pytest.mark.parametrize("semiring", [dp.Softmin(0.5), dp.Sparsemin(0.5)], ids=["softmin", "sparsemin"])
def test_gradients(name, semiring):
    cost = np.random.default_rng(3).uniform(size=(5, 6))
    cost[2, 2] = inf
    assert_gradients(step_pattern(name), semiring, cost=cost, engine="reference")


def count(name, n, m):
    return dp.compile(step_pattern(name), dp.Counting, engine="reference")(np.zeros((n, m))).total


def test_published_numbers_of_paths():
    """Central Delannoy numbers (OEIS A001850), central trinomial coefficients (A002426), and countPaths' example (126)."""
    assert [count("symmetric1", k, k) for k in range(1, 7)] == [1, 3, 13, 63, 321, 1683]
    assert [count("asymmetric", k, k) for k in range(1, 8)] == [1, 1, 3, 7, 19, 51, 141]
    assert count("asymmetric", 7, 8) == 126
    assert [count("rigid", 4, m) for m in (3, 4, 5)] == [0, 1, 0]


def test_the_hand_checkable_example_of_the_r_package():
    cost = np.ones((6, 6))
    cost[1, :] = cost[:, 4] = 0.0
    cost[1, 4] = 0.01
    for name in ("symmetric2", "asymmetric"):
        assert dp.compile(step_pattern(name), dp.Tropical, engine="reference")(cost).total == 2.0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: rabiner_juang(8), "type is one of 1, 2, 3, 4, 5, 6 or 7, found 8"),
        (lambda: rabiner_juang(1, "e"), "slope is one of 'a', 'b', 'c' or 'd', found 'e'"),
        (lambda: dp.topologies.myers(5), "myers: type is one of 1, 2, 3 or 4, found 5"),
        (lambda: dp.topologies.myers(1, 2), "myers: slope is one of 'a', 'b', 'c' or 'd', found 2"),
        (lambda: dp.topologies.sakoe_chiba(3), "P is one of 0, 0.5, 1 or 2, found 3"),
        (lambda: step_pattern("symetric1"), "there is no 'symetric1'; there are, for instance, symmetric1"),
        (lambda: step_pattern("?"), "for instance, symmetric2"),
        (lambda: dp.topologies.mvm(0), "at least 1, found 0"),
        (lambda: dp.topologies.mvm(2.0), "whole number, at least 1, found 2.0"),
    ],
)
def test_unknown_names_are_refused(call, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        call()
