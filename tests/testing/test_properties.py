"""Random topologies: both engines equal the witness, and the enumeration where the sum is associative."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dpsemiring as dp
from dpsemiring.testing import count_paths, global_outputs, recursive_gradients, recursive_outputs
from dpsemiring.testing.strategies import costs, ragged_batches, semirings, topologies

MANY = settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FEW = settings(MANY, max_examples=5)
ENUMERABLE = 2000


def items(topology, semiring, problem):
    return [problem.item(topology, semiring, b) for b in range(len(problem.lengths[0]))]


def close(found, wanted, message):
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=message)


def check_totals(topology, semiring, problem, result):
    for b, item in enumerate(items(topology, semiring, problem)):
        wanted = recursive_outputs(topology, semiring, *item.arguments)
        for name, value in wanted.items():
            close(result.outputs[name][b], value, f"item {b}, recursion")
        count = count_paths(topology, *item.arguments, forbid=semiring.forbid)
        if semiring.has("associative") and count <= ENUMERABLE:
            for name, value in global_outputs(topology, semiring, *item.arguments).items():
                close(value, wanted[name], f"item {b}, enumeration of {count} paths")


@MANY
@given(st.data())
def test_the_reference_equals_the_witnesses(data):
    topology, semiring = data.draw(topologies()), data.draw(semirings())
    problem = data.draw(ragged_batches(topology, semiring))
    with np.errstate(all="ignore"):  # 0 / 0 where there is no path to take a mean over
        check_totals(topology, semiring, problem, dp.compile(topology, semiring, engine="reference")(*problem.arguments))


@FEW
@given(st.data())
def test_the_compiled_engine_equals_the_witnesses(data):
    topology = data.draw(topologies(max_steps=3, max_states=2))
    semiring = data.draw(st.sampled_from([dp.Tropical, dp.Softmin(0.5)]))
    problem = data.draw(ragged_batches(topology, semiring))
    check_totals(topology, semiring, problem, dp.compile(topology, semiring)(*problem.arguments))


@settings(MANY, max_examples=60)
@given(st.data())
def test_gradients_of_the_reference_equal_those_of_the_witness(data):
    topology, semiring = data.draw(topologies()), data.draw(semirings(derivative=True))
    problem = data.draw(ragged_batches(topology, semiring))
    with np.errstate(all="ignore"):
        result = dp.compile(topology, semiring, engine="reference")(*problem.arguments)
        marginals = result.marginals if isinstance(result.marginals, dict) else {topology.planes()[0]: result.marginals}
        for b, item in enumerate(items(topology, semiring, problem)):
            wanted = recursive_gradients(topology, semiring, *item.arguments)
            for name, flow in wanted.planes.items():
                padded(marginals[name][b], flow, f"item {b}, plane {name}")
            padded(result.occupancy[b], wanted.occupancy, f"item {b}, occupancy")


def padded(found, wanted, message):
    close(found[: wanted.shape[0], : wanted.shape[1]], wanted, message)
    assert not found[wanted.shape[0] :].any() and not found[:, wanted.shape[1] :].any(), message


@settings(MANY, max_examples=60)
@given(st.data())
def test_a_batch_is_its_items(data):
    """Whatever stands beside an item, and beyond its lengths, it comes out bit for bit as alone."""
    topology, semiring = data.draw(topologies()), data.draw(semirings())
    problem = data.draw(ragged_batches(topology, semiring))
    solver = dp.compile(topology, semiring, engine="reference")
    with np.errstate(all="ignore"):
        together = solver(*problem.arguments)
        for b, item in enumerate(items(topology, semiring, problem)):
            alone = solver(*item.arguments)
            for name, value in alone.outputs.items():
                np.testing.assert_array_equal(together.outputs[name][b], value)
            if semiring.derivative:
                found = together.occupancy[b]
                np.testing.assert_array_equal(found[: alone.occupancy.shape[0], : alone.occupancy.shape[1]], alone.occupancy)


@given(topologies(params=False))
def test_topologies_without_params_have_none(topology):
    assert list(topology.params()) == []


@given(costs((2, 3), forbid=-np.inf), semirings(associative=False))
def test_costs_and_semirings_keep_their_word(cost, semiring):
    assert cost.shape == (2, 3) and not (cost == np.inf).any()
    assert not semiring.has("associative")


def test_the_strategies_reach_what_they_promise():
    """Among 300 random topologies each feature occurs, and half the lattices have a path."""
    seen, paths = set(), []

    @settings(MANY, max_examples=300)
    @given(st.data())
    def look(data):
        topology = data.draw(topologies())
        seen.update(features(topology))
        problem = data.draw(ragged_batches(topology, dp.Tropical, max_batch=1))
        paths.append(count_paths(topology, *problem.item(topology, dp.Tropical, 0).arguments) > 0)

    look()
    wanted = {
        "states", "inside", "several terms", "no terms", "offset", "planes", "extra", "mask", "differs", "penalty", "weight 0",
        "several starts", "several ends", "any index", "from the end", "table",
    }  # fmt: skip
    assert wanted <= seen, wanted - seen
    assert np.mean(paths) > 0.4


def features(topology):
    steps, places = topology.steps, topology.boundary.starts + topology.boundary.ends
    found = {
        "states": topology.states is not None,
        "inside": any(s.dn == s.dm == 0 for s in steps),
        "several terms": any(len(s.terms) > 1 for s in steps),
        "no terms": any(not s.terms for s in steps),
        "offset": any(t.at != (0, 0) for t in topology.terms()),
        "planes": len(topology.planes()) > 1,
        "extra": topology.extra != (0, 0),
        "mask": any(type(s.where).__name__ == "Param" for s in steps),
        "differs": any(type(s.where).__name__ == "Differs" for s in steps),
        "penalty": any(s.penalty != 0.0 for s in steps),
        "weight 0": any(t.weight == 0.0 for t in topology.terms()),
        "several starts": len(topology.boundary.starts) > 1,
        "several ends": len(topology.boundary.ends) > 1,
        "any index": any(p.n is None or p.m is None for p in places),
        "from the end": any((p.n or 0) < 0 for p in topology.boundary.starts),
        "table": any(p.name == "table" for p in topology.params()),
    }
    return {name for name, present in found.items() if present}


def test_hypothesis_is_imported_by_the_strategies_alone():
    import subprocess
    import sys

    code = "import sys, dpsemiring; assert not {'hypothesis', 'numba'} & set(sys.modules); dpsemiring.testing.strategies"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dp.testing.nothing
