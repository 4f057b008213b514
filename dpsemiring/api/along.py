"""The derivative of a result in a direction: the same recurrence, run on dual numbers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dpsemiring.api import fronts
from dpsemiring.api.derivatives import Derivatives
from dpsemiring.run.directions import with_tangents
from dpsemiring.run.problem import whole

if TYPE_CHECKING:
    from dpsemiring.api.solver import Solver
    from dpsemiring.run.engine import Engine, Run


class Along:
    """How a result changes while its costs and Params move in a direction. Only the total is computed before it is asked for.

    Attributes
    ----------
    total : () or (B,)
        The derivative of the total in the direction: the gradient times it, without the gradient.
    """

    def __init__(self, solver: Solver, engine: Engine, run: Run, cost, params):
        engine = solver.dual(engine)
        if run.problem.home is not engine.place:
            cost, params = fronts.carried(cost, params, engine.place)
        problem = with_tangents(solver.recurrence, solver.params, whole(run.problem), cost, params, engine)
        self._solver = solver
        self._derivatives = Derivatives(solver, engine, engine.forward(problem, run.ends))
        tangent = next(iter(self._derivatives.total.values())).astype(problem.kind)
        # without a path the total stands still, also where it is decoded to no number
        nowhere = ~self._derivatives.somewhere & ~problem.nan & ~np.isfinite(tangent)
        self.total = self._derivatives.shaped(np.where(nowhere, problem.kind.type(0), tangent))

    @cached_property
    def marginals(self):
        """The derivative of the marginals in the direction, shaped like the cost; a dict of planes where the cost was one.

        Where the direction is one of costs alone: the Hessian of the total times it.
        """
        return self._derivatives.by_cost()

    @cached_property
    def occupancy(self):
        """The derivative of the occupancy in the direction."""
        return self._derivatives.by_cell()

    def grad(self, name: str):
        """The derivative of ``result.grad(name)`` in the direction, for a Param, in the shape of its value.

        Raises
        ------
        KeyError
            For a name that is no Param of the solver.
        ValueError
            For a mask, labels or a parameter of a window.
        """
        if name not in self._solver.params:
            raise KeyError(f"grad: no parameter is named {name!r}; there are {', '.join(self._solver.params) or 'none'}")
        return self._derivatives.by_param(name)

    def __repr__(self):
        return f"Along({self._solver.semiring!r}, total={self.total})"
