"""The front door: compile a topology and a semiring to a solver, call it, read the result."""

from dpsemiring.api.along import Along
from dpsemiring.api.pairwise import pairwise
from dpsemiring.api.path import Path
from dpsemiring.api.result import Result
from dpsemiring.api.solver import Solver, compile

__all__ = ["Along", "Path", "Result", "Solver", "compile", "pairwise"]
