"""Solvers that the losses of this room share, each made once.

A graph that is being compiled cannot be handed a solver that was made while it was traced: it must find it in a table, under
a constant. So a solver is asked for by what it is made of, its name in the table is a constant, and the table is global.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

import torch

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.api import Solver, compile
from dpsemiring.declare.topology import Topology

_solvers: dict[str, Solver] = {}
_names: dict[tuple, str] = {}
_lock = RLock()


def solver_of(semiring: Semiring, declare: Callable[..., Topology], *arguments) -> Solver:
    """The solver of ``declare(*arguments)`` over a semiring, which is a constant of the caller's."""
    return _solvers[_name(semiring, declare, *arguments)]


@torch.compiler.assume_constant_result
def _name(*key) -> str:
    """Under which name the solver is kept; it is made if it has not been."""
    with _lock:
        if key not in _names:
            semiring, declare, *arguments = key
            name = f"{declare.__name__} {len(_names)}"
            _solvers[name] = compile(declare(*arguments), semiring)
            _names[key] = name
        return _names[key]
