"""Second derivatives against finite differences of the gradient, and against their own symmetry."""

from __future__ import annotations

import numpy as np

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.api.solver import Solver, compile
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.problems import Problem, describe, given_or_drawn
from dpsemiring.testing.reading import as_planes


def assert_second_derivatives(
    topology: Topology,
    semiring: Semiring,
    *,
    cost=None,
    lengths=None,
    params=None,
    seed: int = 0,
    rtol: float = 1e-5,
    step: float = 1e-5,
    engine: str = "cpu",
) -> None:
    """Pass if `Result.along` is the derivative of the gradient, in float64, in random directions of all costs and Params.

    Compared are its total with the gradient times the direction, all else with central differences of the gradient. The
    Hessian H has to be symmetric: u (H v) = v (H u). A forbidden cell must have the derivative 0 exactly.

    Parameters
    ----------
    topology : Topology
    semiring : Semiring
    cost, lengths, params : optional
        One item or a batch, off the kinks of the gradient; without a cost ragged batches are drawn.
    seed : int
    rtol : float
        Relative to the greater of 1 and the greatest entry compared.
    step : float
        Of the differences.
    engine : str

    Examples
    --------
    >>> import dpsemiring as dp
    >>> assert_second_derivatives(dp.topologies.dtw(), dp.Softmin(gamma=0.5), cost=[[0.0, 1.0], [2.0, 3.0]])
    """
    rng = np.random.default_rng(seed)
    solver = compile(topology, semiring, engine=engine)
    for problem in given_or_drawn(topology, semiring, cost, lengths, params, rng):
        check_second(solver, problem, rng, rtol, step)


def check_second(solver: Solver, problem: Problem, rng: np.random.Generator, rtol: float = 1e-5, step: float = 1e-5) -> None:
    """The same for a solver and a problem of its own."""
    _Second(solver, problem, rtol, step).check(rng)


class _Second:
    def __init__(self, solver: Solver, problem: Problem, rtol: float, step: float):
        self.solver, self.problem, self.rtol, self.step = solver, problem, rtol, step
        self.planes = {n: np.asarray(a, np.float64) for n, a in as_planes(solver.topology, problem.cost).items()}
        self.result = solver(self.planes, problem.lengths, problem.params)
        self.moving = {}
        for name, value in problem.params.items():
            if np.asarray(value).dtype.kind == "f":
                try:
                    self.result.grad(name)
                except ValueError:  # a mask
                    continue
                self.moving[name] = np.asarray(value, np.float64)

    def draw(self, rng):
        """A direction for each plane and each Param."""
        return tuple({n: rng.uniform(-1.0, 1.0, a.shape) for n, a in arrays.items()} for arrays in (self.planes, self.moving))

    def gradient(self, found) -> dict[str, np.ndarray]:
        """Every derivative that a result, or one along a direction, has."""
        out = {f"marginals of plane {n!r}": a for n, a in found.marginals.items()} | {"occupancy": found.occupancy}
        return out | {f"grad({n!r})": found.grad(n) for n in self.moving}

    def moved(self, direction, by):
        """The gradient so far along a direction."""
        planes, params = direction
        planes = {n: a + by * planes[n] for n, a in self.planes.items()}
        params = {n: self.moving[n] + by * params[n] if n in params else v for n, v in self.problem.params.items()}
        return self.gradient(self.solver(planes, self.problem.lengths, params))

    def times(self, gradient, direction) -> float:
        planes, params = direction
        parts = [gradient[f"marginals of plane {n!r}"] * v for n, v in planes.items()]
        parts += [gradient[f"grad({n!r})"] * v for n, v in params.items()]
        return float(sum(np.sum(p) for p in parts))

    def check(self, rng):
        v, u = self.draw(rng), self.draw(rng)
        along, other = self.result.along(*v), self.result.along(*u)
        found, first = self.gradient(along), self.gradient(self.result)
        self.compare("total", np.sum(along.total), self.times(first, v))
        up, down = self.moved(v, self.step), self.moved(v, -self.step)
        for name, derivative in found.items():
            self.compare(name, derivative, (up[name] - down[name]) / (2.0 * self.step))
        self.compare("u (H v)", self.times(found, u), self.times(self.gradient(other), v))
        for name, plane in self.planes.items():
            assert not np.asarray(along.marginals[name])[np.isinf(plane)].any(), self.message(
                f"plane {name!r}: an infinity moves"
            )

    def compare(self, name, found, wanted):
        found, wanted = np.asarray(found, float), np.asarray(wanted, float)
        room = self.rtol * max(1.0, np.abs(wanted).max(initial=0.0))
        wrong = ~(np.abs(found - wanted) <= room)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise AssertionError(
                self.message(
                    f"along a direction the derivative of {name} at {list(place)} is {float(found[place])!r}, where "
                    f"{float(wanted[place])!r} is expected"
                )
            )

    def message(self, text):
        return text + "\n" + describe(self.problem, self.solver.topology)
