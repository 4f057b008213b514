"""The parts of the way to a device by themselves: the survey of a cost, and sums at places that repeat."""

import numpy as np
import pytest

from dpsemiring.run.arrays import HOST
from dpsemiring.run.gpu import survey
from dpsemiring.run.limits import largest
from dpsemiring.testing.emulation import compile_for
from dpsemiring.testing.emulation.device import EmulatedDevice


@pytest.mark.emulation
@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("windowed", [False, True])
def test_a_survey_finds_what_numpy_finds(real, windowed):
    """Of the columns that are read alone, whichever block and thread comes to them."""
    rng, device = np.random.default_rng(0), EmulatedDevice(races=True)
    cost = rng.standard_normal((6, 7, 150)).astype(real)
    cost[1, 3, 149], cost[2, 6, 100], cost[3, 0, 0], cost[4] = np.nan, -np.inf, np.inf, np.inf
    cost[5, 6] = np.nan  # below its rows
    rows = np.array([7, 7, 7, 7, 7, 6])
    lo = np.zeros((6, 7 if windowed else 1), np.int64)
    hi = np.full_like(lo, 150)
    if windowed:
        lo[:, 3], hi[:, 3] = 10, 140  # without the NaN of item 1
    nan, bad, most = map(device.host, survey.survey(device, device.array(cost), rows, lo, hi, -np.inf))
    np.testing.assert_array_equal(nan, [False, not windowed, False, False, False, False])
    np.testing.assert_array_equal(bad, [False, False, True, False, False, False])
    wanted = [largest(cost[b : b + 1], rows[b : b + 1], lo[b : b + 1], hi[b : b + 1]) for b in range(6)]
    np.testing.assert_array_equal(most, np.array(wanted, real))


@pytest.mark.nvidia
@pytest.mark.parametrize("real", ["float", "double"])
def test_compilers_take_the_survey(real):
    for found in compile_for(survey._TEXT.format(real=real), ("sm_75", "sm_90"), options=("--std=c++17",)).values():
        assert not any(use.spill_stores for use in found.kernels.values())


def test_sums_at_places_that_repeat_are_those_of_numpy():
    rng, device = np.random.default_rng(0), EmulatedDevice()
    values, mask = rng.standard_normal((3, 40)), rng.random((3, 40)) < 0.8
    index = np.arange(3)[:, None], rng.integers(0, 4, (3, 40)), rng.integers(0, 2, (3, 40))
    wanted, found = rng.standard_normal((3, 4, 2)), device.zeros(0)
    there = device.array(wanted)
    HOST.add_at(wanted, index, values, mask)
    device.add_at(there, index, device.array(values), mask)
    np.testing.assert_allclose(device.host(there), wanted, rtol=1e-12)
    device.add_at(found, (np.zeros((0, 4), int),), device.zeros((0, 4)), np.zeros((0, 4), bool))
