"""Public test tools (`dp.testing`): a user's own topology or semiring proved right on small lattices.

>>> import dpsemiring as dp
>>> dp.testing.count_paths(dp.topologies.dtw(), [[0.0] * 3] * 3)
13

What enumerates (`enumerate_paths`, `global_total`) or recurses (`recursive_total`) is built from the declaration
alone, and shares nothing with what it witnesses. `dp.testing.strategies` holds Hypothesis strategies, and needs it.
"""

from importlib import import_module

from dpsemiring.testing import samples
from dpsemiring.testing.assertions import assert_engines_agree, assert_global_equals_recursive
from dpsemiring.testing.differences import assert_gradients
from dpsemiring.testing.gradients import Gradients
from dpsemiring.testing.lattice import Arc, Lattice, unroll
from dpsemiring.testing.paths import (
    Path,
    count_paths,
    enumerate_paths,
    global_gradients,
    global_marginals,
    global_outputs,
    global_total,
)
from dpsemiring.testing.problems import Problem, random_problem
from dpsemiring.testing.second import assert_second_derivatives
from dpsemiring.testing.witness import recursive_gradients, recursive_outputs, recursive_total, recursive_values

__all__ = [
    "Arc", "Gradients", "Lattice", "Path", "Problem", "assert_engines_agree", "assert_global_equals_recursive",
    "assert_gradients", "assert_second_derivatives", "count_paths", "enumerate_paths", "global_gradients",
    "global_marginals", "global_outputs", "global_total", "random_problem", "recursive_gradients",
    "recursive_outputs", "recursive_total", "recursive_values", "samples", "strategies", "unroll",
]  # fmt: skip


def __getattr__(name):
    if name == "strategies":  # imports hypothesis
        return import_module("dpsemiring.testing.strategies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
