"""Every preset under every semiring: enumeration, explicit recursion and both engines give one number, and one gradient."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import (
    global_gradients,
    global_total,
    random_problem,
    recursive_gradients,
    recursive_total,
    recursive_values,
)

PRESETS = {
    "dtw": dp.topologies.dtw(),
    "weighted_dtw": dp.topologies.weighted_dtw(1.5, dp.Param("stay", axes="m"), 2.0),
    "subsequence_dtw": dp.topologies.subsequence_dtw(),
    "affine_gap": dp.topologies.affine_gap(deletion="deletion"),
    "ctc": dp.topologies.ctc(),
}
SEMIRINGS = {
    "Tropical": dp.Tropical,
    "Softmin": dp.Softmin(0.5),
    "Sparsemin": dp.Sparsemin(0.5),
    "Counting": dp.Counting,
}


# a backward kernel takes seconds to compile: each preset and each semiring has one, the reference has all
COMPILED_BACKWARD = {
    ("dtw", "Tropical"), ("dtw", "Softmin"), ("dtw", "Sparsemin"), ("subsequence_dtw", "Softmin"),
    ("affine_gap", "Softmin"), ("ctc", "Tropical"),
}  # fmt: skip
COMPILED_OCCUPANCY = {("dtw", "Softmin")}


@pytest.mark.parametrize("semiring_name", SEMIRINGS)
@pytest.mark.parametrize("preset", PRESETS)
def test_all_witnesses_agree(preset, semiring_name):
    topology, semiring = PRESETS[preset], SEMIRINGS[semiring_name]
    rng = np.random.default_rng(0)
    shape = (3, 5) if preset == "ctc" else (3, 4)
    cpu, reference = (dp.compile(topology, semiring, engine=e) for e in ("cpu", "reference"))
    for kind in ("uniform", "ties", "holes"):
        batch = random_problem(rng, topology, semiring, shape, kind, batch=3)
        compiled, interpreted = (solver(*batch.arguments) for solver in (cpu, reference))
        for b in range(3):
            item = batch.item(topology, semiring, b)
            wanted = recursive_total(topology, semiring, *item.arguments)
            np.testing.assert_allclose([compiled.total[b], interpreted.total[b]], wanted, rtol=1e-12)
            if semiring.has("associative"):
                np.testing.assert_allclose(global_total(topology, semiring, *item.arguments), wanted, rtol=1e-12)
            if semiring.derivative:
                gradients = witnessed_gradients(topology, semiring, item)
                case = (preset, semiring_name)
                check_gradients(gradients, interpreted, b, occupancy=True)
                if case in COMPILED_BACKWARD:
                    check_gradients(gradients, compiled, b, occupancy=case in COMPILED_OCCUPANCY)
        check_cells(topology, semiring, batch, compiled)


def witnessed_gradients(topology, semiring, item):
    """Those of the recursion, which are those of the enumeration too where the two formulations agree."""
    wanted = recursive_gradients(topology, semiring, *item.arguments)
    if semiring.has("associative"):
        whole = global_gradients(topology, semiring, *item.arguments)
        for plane, flow in wanted.planes.items():
            np.testing.assert_allclose(whole.planes[plane], flow, atol=1e-12)
        np.testing.assert_allclose(whole.occupancy, wanted.occupancy, atol=1e-12)
    return wanted


def check_gradients(wanted, result, b, occupancy):
    marginals = result.marginals if isinstance(result.marginals, dict) else {"cost": result.marginals}
    for plane, flow in wanted.planes.items():
        compare_padded(marginals[plane][b], flow)
    if occupancy:
        compare_padded(result.occupancy[b], wanted.occupancy)


def compare_padded(found, wanted):
    """Equal where the item is, exactly 0 beyond it."""
    full = np.zeros(found.shape)
    full[: wanted.shape[0], : wanted.shape[1]] = wanted
    np.testing.assert_allclose(found, full, rtol=1e-10, atol=1e-12)
    assert (found[wanted.shape[0] :] == 0.0).all() and (found[:, wanted.shape[1] :] == 0.0).all()


def check_cells(topology, semiring, batch, result):
    """Every accumulated value, not the total alone."""
    item = batch.item(topology, semiring, 0)
    for (n, m, state), wanted in recursive_values(topology, semiring, *item.arguments).items():
        found = result.accumulated_cost[0, n, m]
        found = found[topology.states.index(state)] if topology.states else found
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("preset", ["weighted_dtw", "affine_gap"])
def test_gradients_of_parameters(preset):
    topology, semiring = PRESETS[preset], dp.Softmin(dp.Param("gamma"))
    rng = np.random.default_rng(1)
    problem = random_problem(rng, topology, semiring, (3, 4))
    engine = "cpu" if preset == "weighted_dtw" else "reference"
    found = dp.compile(topology, semiring, engine=engine)(*problem.arguments)
    for witness in (recursive_gradients, global_gradients):
        wanted = witness(topology, semiring, *problem.arguments)
        assert set(wanted.params) == set(problem.params)
        for name, flow in wanted.params.items():
            np.testing.assert_allclose(found.grad(name), flow, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_ties_go_to_the_first_candidate(engine):
    """The path is the one that the fixed order names: of equal paths, back from the end, the first declared."""
    topology = PRESETS["dtw"]
    result = dp.compile(topology, dp.Tropical, engine=engine)(np.zeros((3, 3)))
    assert result.path.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert result.path_steps.tolist() == [-1, 0, 0]
    np.testing.assert_array_equal(result.marginals, np.eye(3))
