"""Every preset: the sum over all its paths is the recursion, and the gradient of every Param is the finite difference's."""

import catalogue
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import assert_global_equals_recursive, assert_gradients

ASSOCIATIVE = {s.name: s for s in (dp.Tropical, dp.Softmin(0.5), dp.Counting, dp.MaxPlus, dp.Log)}
SMOOTH = {s.name: s for s in (dp.Softmin(0.5), dp.Sparsemin(0.5), dp.MaxPlus)}


def data(preset, forbidden):
    """Costs as large as the window asks for; None, for drawn ones, where there is no window."""
    topology, shape = catalogue.PRESETS[preset]
    if topology.window is None:
        return topology, None
    cost = np.random.default_rng(0).random(shape)
    cost[1, 1] = forbidden
    return topology, cost


@pytest.mark.parametrize("semiring", ASSOCIATIVE)
@pytest.mark.parametrize("preset", catalogue.PRESETS)
def test_the_sum_over_all_paths_is_the_recursion(preset, semiring):
    topology, cost = data(preset, ASSOCIATIVE[semiring].forbid)
    assert_global_equals_recursive(topology, ASSOCIATIVE[semiring], cost=cost, engine="reference")


@pytest.mark.parametrize("semiring", SMOOTH)
@pytest.mark.parametrize("preset", catalogue.PRESETS)
def test_gradients_of_every_param(preset, semiring):
    topology, cost = data(preset, SMOOTH[semiring].forbid)
    assert_gradients(topology, SMOOTH[semiring], cost=cost, engine="reference")
