"""dpsemiring: alignment problems declared as graphs, joined to semirings.

>>> import dpsemiring as dp
>>> solver = dp.compile(dp.topologies.dtw(), dp.Softmin(gamma=1.0))
>>> float(solver([[0.0, 1.0], [1.0, 0.0]]).total.round(6))
-0.551445
"""

from importlib import import_module
from math import inf
from typing import TYPE_CHECKING

__version__ = "0.1.0"

from dpsemiring import topologies
from dpsemiring.algebra import ops
from dpsemiring.algebra.builtins import Boolean, Counting, Log, MaxPlus, Real, Smoothmin, Softmin, Sparsemin, Tropical
from dpsemiring.algebra.regularised import regularised
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.algebra.structured import Entropy, Expectation, KBest
from dpsemiring.api import Path, Result, Solver, compile, pairwise
from dpsemiring.declare import costs
from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.param import Param
from dpsemiring.declare.step import Step, Term
from dpsemiring.declare.topology import Topology
from dpsemiring.declare.window import Window

if TYPE_CHECKING:
    from dpsemiring import diagnostics, plot, testing
    from dpsemiring.algebra import laws

__all__ = [
    "Boolean", "Boundary", "Counting", "End", "Entropy", "Expectation", "KBest", "Log", "MaxPlus", "Param", "Path", "Real",
    "Result", "Semiring", "Smoothmin", "Softmin", "Solver", "Sparsemin", "Start", "Step", "Term", "Topology", "Tropical",
    "Window", "compile", "costs", "diagnostics", "inf", "laws", "ops", "pairwise", "plot", "regularised",
    "testing", "topologies",
]  # fmt: skip

# rooms that an alignment does not need: imported when first named
_WHEN_NAMED = {
    "diagnostics": "dpsemiring.diagnostics",
    "laws": "dpsemiring.algebra.laws",
    "plot": "dpsemiring.plot",
    "testing": "dpsemiring.testing",
}


def __dir__():
    return sorted({*globals(), *__all__})


def __getattr__(name: str):
    if name in _WHEN_NAMED:
        return import_module(_WHEN_NAMED[name])
    raise AttributeError(f"module 'dpsemiring' has no attribute {name!r}")
