"""Gradients against finite differences of the solver's total."""

from __future__ import annotations

import numpy as np

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.api.solver import Solver, compile
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.problems import Problem, describe, given_or_drawn
from dpsemiring.testing.reading import as_planes, main_plane


def assert_gradients(
    topology: Topology,
    semiring: Semiring,
    *,
    cost=None,
    lengths=None,
    params=None,
    seed: int = 0,
    rtol: float = 1e-5,
    step: float = 1e-6,
    engine: str = "cpu",
) -> None:
    """Pass if the marginals and the gradient of every Param equal central differences of the solver's total, in float64.

    At a kink of the total, which one-sided differences show, the derivative has to lie between them. A forbidden cell
    and everything beyond the lengths must have the derivative 0 exactly.

    Parameters
    ----------
    topology : Topology
    semiring : Semiring
    cost, lengths, params : optional
        One item or a batch; without a cost ragged batches are drawn.
    seed : int
    rtol : float
        Relative to the greater of 1 and the derivative.
    step : float
        Of the differences.
    engine : str

    Examples
    --------
    >>> import dpsemiring as dp
    >>> assert_gradients(dp.topologies.dtw(), dp.Softmin(gamma=0.5), cost=[[0.0, 1.0], [2.0, 3.0]])
    """
    rng = np.random.default_rng(seed)
    solver = compile(topology, semiring, engine=engine)
    for problem in given_or_drawn(topology, semiring, cost, lengths, params, rng):
        _Differences(solver, problem, rtol, step).check()


class _Differences:
    """Derivatives of one problem, entry by entry; a single item counts as a batch of one."""

    def __init__(self, solver: Solver, problem: Problem, rtol: float, step: float):
        self.solver, self.problem, self.rtol, self.step = solver, problem, rtol, step
        planes = as_planes(solver.topology, problem.cost)
        self.planes = {name: a if a.ndim == 3 else a[None] for name, a in planes.items()}
        self.params = {name: self.with_batch(name, np.asarray(v)) for name, v in problem.params.items()}
        self.batch, *padded = self.planes[main_plane(planes)].shape
        lengths = padded if problem.lengths is None else problem.lengths
        self.lengths = tuple(np.broadcast_to(x, self.batch).astype(int) for x in lengths)
        self.longer = {name: np.subtract(a.shape[1:], padded) for name, a in self.planes.items()}
        self.result = self.call(self.planes, self.params)
        self.total = np.asarray(self.result.total, float)

    def with_batch(self, name, value):
        param = self.solver.params[name]
        return value[None] if "b" in param.axes and value.ndim < len(param.axes) + len(param.shape) else value

    def call(self, planes, params, repeats=1):
        """The result for the whole batch, so many times over; `planes` hold the repeats already."""
        lengths = tuple(np.tile(x, repeats) for x in self.lengths)
        per_item = {n for n, v in params.items() if "b" in self.solver.params[n].axes and len(v) > 1}
        params = {n: np.tile(v, (repeats, *[1] * (v.ndim - 1))) if n in per_item else v for n, v in params.items()}
        return self.solver(planes, lengths, params)

    def check(self):
        for name, plane in self.planes.items():
            exempt = np.isinf(plane) | self.beyond(name)
            self.compare(f"marginals of plane {name!r}", self.result.marginals[name], self.of_plane(name), exempt)
        for name, value in self.params.items():
            if value.dtype.kind == "f":
                try:
                    found = self.result.grad(name)
                except ValueError:  # a mask
                    continue
                self.compare(f"grad({name!r})", found, self.of_param(name), np.isinf(value))

    def beyond(self, name):
        """Which entries of a plane lie beyond their item's lengths."""
        n, m = (
            np.arange(size) >= (length + more)[:, None]
            for size, length, more in zip(self.planes[name].shape[1:], self.lengths, self.longer[name])
        )
        return n[:, :, None] | m[:, None]

    def of_plane(self, name):
        """One-sided differences of each item's total by each entry of the plane, all in one call."""
        plane = self.planes[name]
        size = plane[0].size
        bumps = np.concatenate([np.eye(size), -np.eye(size)])[:, None] * self.step
        moved = (plane.reshape(1, self.batch, size) + bumps).reshape(-1, *plane.shape[1:])
        planes = {n: np.tile(a, (2 * size, 1, 1)) for n, a in self.planes.items()} | {name: moved}
        totals = np.asarray(self.call(planes, self.params, repeats=2 * size).total).reshape(2, size, self.batch)
        return [self.difference(t, sign).T.reshape(plane.shape) for t, sign in zip(totals, (1, -1))]

    def of_param(self, name):
        """One-sided differences of the sum of the totals by each entry of a Param."""
        out = []
        for sign in (1, -1):
            found = np.zeros(self.params[name].shape)
            for place in np.ndindex(found.shape):
                moved = self.params[name].copy()
                moved[place] += sign * self.step
                total = np.asarray(self.call(self.planes, self.params | {name: moved}).total)
                found[place] = self.difference(total, sign).sum()
            out.append(found)
        return out

    def difference(self, total, sign):
        """(total - before) / step; an item without a path does not move."""
        with np.errstate(invalid="ignore"):
            moved = (total - self.total) * (sign / self.step)
        return np.where(np.isinf(self.total) & (total == self.total), 0.0, moved)

    def compare(self, what, found, sides, exempt):
        """Differences must agree with the derivative; where `exempt` is true the derivative is 0 whatever they are."""
        up, down = sides
        found = np.reshape(np.asarray(found, float), up.shape)
        room = self.rtol * np.maximum(1.0, np.abs(found))
        central = np.abs((up + down) / 2 - found) <= room
        kink = np.abs(up - down) > 1e-3 * np.maximum(1.0, np.abs(found))
        between = (np.minimum(up, down) - room <= found) & (found <= np.maximum(up, down) + room)
        right = np.where(exempt, found == 0.0, central | (kink & between))
        if not right.all():
            place = tuple(int(i) for i in np.argwhere(~right)[0])
            raise AssertionError(
                f"{what} at {list(place)} is {float(found[place])!r}; differences of the total give "
                f"{float(up[place])!r} above, {float(down[place])!r} below\n" + describe(self.problem, self.solver.topology)
            )
