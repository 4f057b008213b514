"""Assertions for a user's own test suite: one line proves a topology and a semiring on small random lattices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dpsemiring.algebra import laws
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.api.solver import Solver, compile
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.paths import count_paths, global_outputs
from dpsemiring.testing.problems import Problem, as_float, random_problem, with_given
from dpsemiring.testing.reading import as_planes, main_plane, semiring_values
from dpsemiring.testing.witness import recursive_outputs

SHAPES = ((1, 1), (2, 3), (3, 2), (3, 3), (4, 3), (3, 4))
LARGER = ((5, 5), (6, 6), (7, 7), (9, 9), (12, 12))  # for steps that leave few paths on small lattices
ENOUGH, MANY = 20, 5000  # paths: with fewer, laws that a sum lacks may not show
KINDS = ("uniform", "ties", "holes")
NEEDED = ("associative", "distributive")


def assert_global_equals_recursive(
    topology: Topology, semiring: Semiring, *, cost=None, lengths=None, params=None, seed: int = 0, rtol: float = 1e-9
) -> None:
    """Pass if the sum over all paths equals the recursion, on the data given or on small random lattices.

    Three numbers are compared: the one sum over all enumerated paths, the recursion over the explicit arcs, and the
    solver's total.

    Parameters
    ----------
    topology : Topology
    semiring : Semiring
    cost, lengths, params : optional
        One item's data, small; without a cost several shapes and kinds of cost are drawn (with ties, with forbidden
        cells), and a value for every Param that is not given, whose shapes are those of the drawn lattices.
    seed : int
    rtol : float

    Raises
    ------
    AssertionError
        With the numbers, the lattice, and the law that the semiring lacks, with a counterexample to it.
    ValueError
        If no drawn lattice has a path, or one has more paths than can be enumerated.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> assert_global_equals_recursive(dp.topologies.dtw(), dp.Softmin(gamma=0.5), cost=[[0.0, 1.0], [2.0, 3.0]])
    """
    solver = compile(topology, semiring)
    fruitful = 0
    for problem in _small_problems(topology, semiring, cost, lengths, params, seed):
        arguments = problem.arguments
        fruitful += count_paths(topology, *arguments, forbid=semiring.forbid) > 0
        found = {
            "global": global_outputs(topology, semiring, *arguments),
            "recursive": recursive_outputs(topology, semiring, *arguments),
            "solver": {n: float(v) for n, v in solver(*arguments).outputs.items()},
        }
        for name in found["global"]:
            values = {who: outputs[name] for who, outputs in found.items()}
            if not _alike(values["recursive"], values['solver'], rtol):
                raise AssertionError(_engine_message(name, values, problem, topology))
            if not _alike(values["global"], values["recursive"], rtol):
                raise AssertionError(_global_message(name, values, problem, topology, semiring))
    if cost is None and not fruitful:
        raise ValueError("none of the lattices drawn has a path: pass a cost, or parameters, for which there is one")


def _small_problems(topology, semiring, cost, lengths, params, seed) -> Iterator[Problem]:
    rng = np.random.default_rng(seed)
    if cost is not None:
        yield with_given(topology, semiring, cost, lengths, params, rng)
        return
    if lengths is not None:
        raise ValueError("lengths are given without a cost")
    most = 0
    for i, shape in enumerate(SHAPES):
        for kind in KINDS if i else KINDS[:1]:
            drawn = _drawn(rng, topology, semiring, shape, kind, params)
            most = max(most, count_paths(topology, *drawn.arguments, forbid=semiring.forbid))
            yield drawn
    for shape in LARGER:
        if most >= ENOUGH:
            return
        drawn = _drawn(rng, topology, semiring, shape, "uniform", params)
        most = count_paths(topology, *drawn.arguments, forbid=semiring.forbid)
        if most <= MANY:
            yield drawn


def _drawn(rng, topology, semiring, shape, kind, params):
    drawn = random_problem(rng, topology, semiring, shape, kind)
    return Problem(drawn.cost, None, {**drawn.params, **(params or {})})


def _alike(a, b, rtol):
    return a == b or bool(np.isclose(a, b, rtol=rtol, atol=rtol, equal_nan=True))


def _described(problem, topology):
    planes = as_planes(topology, problem.cost)
    n, m = planes[main_plane(planes)].shape[-2:]
    lines = [f"on a lattice for {n} x {m} costs:"]
    given = [(name, a.tolist()) for name, a in planes.items()]
    given += [(f"params[{name!r}]", np.asarray(v).tolist()) for name, v in problem.params.items()]
    lines += [f"  {name} = {value}" for name, value in given]
    return "\n".join([*lines, *([] if problem.lengths is None else [f"  lengths = {problem.lengths}"]), "of", str(topology)])


def _engine_message(name, values, problem, topology):
    return (
        f"the solver's {name} is {values['solver']!r}, the recursion over the explicit arcs gives {values['recursive']!r}\n"
        + _described(problem, topology)
    )


def _global_message(name, values, problem, topology, semiring):
    findings = laws.check(semiring, params=semiring_values(semiring, problem.params))
    lines = [
        f"the sum over all paths is not the recursion: {name} is {values['global']!r} globally, "
        f"{values['recursive']!r} recursively, {values['solver']!r} by the solver"
    ]
    for law in NEEDED:
        finding = findings[law]
        if not finding.stated:
            lines.append(f"{semiring.name} does not state the law {law!r}, without which the two differ by right")
        if not finding.holds:
            lines.append(f"{'the law is stated, but refuted' if finding.stated else 'refuted'}: {finding.counterexample}")
    return "\n".join([*lines, _described(problem, topology)])


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
    if cost is not None:
        problems = [with_given(topology, semiring, cost, lengths, params, rng)]
    else:
        drawn = [random_problem(rng, topology, semiring, (3, 4), kind, batch=3) for kind in ("uniform", "holes")]
        problems = [Problem(p.cost, p.lengths, {**p.params, **(params or {})}) for p in drawn]
    for problem in problems:
        _Differences(solver, problem, rtol, step).check()


class _Differences:
    """Derivatives of one problem, entry by entry."""

    def __init__(self, solver: Solver, problem: Problem, rtol: float, step: float):
        self.solver, self.lengths, self.rtol, self.step = solver, problem.lengths, rtol, step
        planes = as_planes(solver.topology, problem.cost)
        self.single = planes[main_plane(planes)].ndim == 2
        self.planes = {name: a[None] if self.single else a for name, a in planes.items()}
        self.params = {name: np.asarray(v) for name, v in problem.params.items()}
        self.problem = problem
        result = self.call(self.planes, self.params)
        self.total, self.marginals = np.asarray(result.total, float), result.marginals
        self.result = result
        self.batch = len(self.total)

    def call(self, planes, params, repeats=1):
        lengths = self.lengths
        if lengths is not None and repeats > 1:
            lengths = tuple(np.tile(np.broadcast_to(x, self.batch), repeats) for x in lengths)
        declared = self.solver.params
        if repeats > 1:
            params = {
                n: np.tile(v, (repeats, *[1] * (v.ndim - 1))) if self.per_item(declared[n], v) else v for n, v in params.items()
            }
        elif self.single and lengths is not None:
            lengths = tuple(np.atleast_1d(x) for x in lengths)
        params = {n: v[None] if self.lacks_batch(declared[n], v) else v for n, v in params.items()}
        return self.solver(planes, lengths, params)

    def lacks_batch(self, param, value):
        return "b" in param.axes and value.ndim < len(param.axes) + len(param.shape)

    def per_item(self, param, value):
        return "b" in param.axes and not self.lacks_batch(param, value) and len(value) > 1

    def check(self):
        for name, plane in self.planes.items():
            self.compare(f"marginals of plane {name!r}", self.marginals[name], self.of_plane(name), plane)
        for name, value in self.params.items():
            if value.dtype.kind == "f":
                try:
                    analytic = self.result.grad(name)
                except ValueError:  # a mask
                    continue
                self.compare(f"grad({name!r})", np.reshape(analytic, value.shape), self.of_param(name, value), value)

    def of_plane(self, name):
        """One-sided differences of each item's total by each entry of the plane, all in one call."""
        plane = self.planes[name]
        size = plane[0].size
        bumps = np.zeros((2 * size, 1, size))
        bumps[range(size), 0, range(size)] = self.step
        bumps[range(size, 2 * size), 0, range(size)] = -self.step
        moved = (plane.reshape(1, self.batch, size) + bumps).reshape(-1, *plane.shape[1:])
        planes = {n: np.tile(a, (2 * size, 1, 1)) for n, a in self.planes.items()} | {name: moved}
        totals = np.asarray(self.call(planes, self.params, repeats=2 * size).total).reshape(2, size, self.batch)
        up, down = (self.difference(t, sign) for t, sign in zip(totals, (1, -1)))
        return up.T.reshape(plane.shape), down.T.reshape(plane.shape)

    def of_param(self, name, value):
        out = []
        for sign in (1, -1):
            found = np.zeros(value.shape)
            for place in np.ndindex(value.shape):
                moved = value.copy()
                moved[place] += sign * self.step
                total = np.asarray(self.call(self.planes, self.params | {name: moved}).total)
                found[place] = self.difference(total, sign).sum()
            out.append(found)
        return out

    def difference(self, total, sign):
        """(total - before) / step, an item without a path counting as unmoved."""
        with np.errstate(invalid="ignore"):
            moved = (total - self.total) * (sign / self.step)
        return np.where(np.isinf(self.total) & (total == self.total), 0.0, moved)

    def compare(self, what, analytic, sides, values):
        up, down = sides
        analytic = np.asarray(analytic, float)
        room = self.rtol * np.maximum(1.0, np.abs(analytic))
        central = np.abs((up + down) / 2 - analytic) <= room
        kink = np.abs(up - down) > 1e-3 * np.maximum(1.0, np.abs(analytic))
        between = (np.minimum(up, down) - room <= analytic) & (analytic <= np.maximum(up, down) + room)
        right = np.where(np.isinf(values), analytic == 0.0, central | (kink & between))
        if not right.all():
            place = tuple(int(i) for i in np.argwhere(~right)[0])
            raise AssertionError(
                f"{what} at {list(place)} is {float(analytic[place])!r}; differences of the total give "
                f"{float(up[place])!r} above, {float(down[place])!r} below\n" + _described(self.problem, self.solver.topology)
            )


def assert_engines_agree(
    topology: Topology,
    semiring: Semiring,
    *,
    params: Mapping[str, object] | None = None,
    shape: tuple[int, int] = (9, 7),
    batch: int = 4,
    seed: int = 0,
    engine: str = "cpu",
    rtol: float = 1e-10,
    rtol32: float = 1e-4,
) -> None:
    """Pass if an engine gives what the reference interpreter gives, on random ragged batches, in float64 and float32.

    Compared are all outputs, the accumulated cost, and, where the semiring has a derivative, marginals, occupancy and
    the gradient of every Param; in float64 also the paths of a semiring that has them.

    Parameters
    ----------
    topology : Topology
    semiring : Semiring
    params : dict, optional
        Values in place of random ones.
    shape : (int, int)
        The longest lengths.
    batch : int
    seed : int
    engine : str
    rtol, rtol32 : float
        For float64 and for float32, relative to the greatest entry compared.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> assert_engines_agree(dp.topologies.dtw(), dp.Counting, shape=(3, 3))
    """
    rng = np.random.default_rng(seed)
    solver, reference = compile(topology, semiring, engine=engine), compile(topology, semiring, engine="reference")
    for kind in KINDS:
        drawn = random_problem(rng, topology, semiring, shape, kind, batch)
        drawn = Problem(drawn.cost, drawn.lengths, {**drawn.params, **(params or {})})
        for dtype, tolerance in ((np.float64, rtol), (np.float32, rtol32)):
            problem = as_float(drawn, dtype)
            # the reference counts in the cost's kind; give it the same numbers in float64
            mine, wanted = solver(*problem.arguments), reference(*as_float(problem, np.float64).arguments)
            single = dtype == np.float32
            if single and semiring.trace.selects and kind == "ties":
                continue  # rounding of a weight may part what is tied
            for name, found in _everything(mine, solver, problem, paths=not single).items():
                _agree(name, found, _everything(wanted, reference, problem, paths=not single)[name], tolerance, problem, topology)


def _everything(result, solver, problem, paths):
    out = {f"output {n!r}": v for n, v in result.outputs.items()} | {"accumulated_cost": result.accumulated_cost}
    if solver.semiring.derivative:
        marginals = result.marginals if isinstance(result.marginals, dict) else {"": result.marginals}
        out |= {f"marginals {n}": v for n, v in marginals.items()} | {"occupancy": result.occupancy}
        for name, value in problem.params.items():
            if np.asarray(value).dtype.kind == "f":
                try:
                    out[f"grad({name!r})"] = result.grad(name)
                except ValueError:  # a mask
                    continue
    if paths and solver.semiring.trace.selects:
        out["path"] = np.array([len(p) for p in result.path] + [x for p in result.path for x in p.ravel()])
        out["path_steps"] = np.concatenate(result.path_steps)
    return out


def _agree(name, found, wanted, tolerance, problem, topology):
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    if found.shape == wanted.shape:
        room = tolerance * max(1.0, np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0))
        same = np.isclose(found, wanted, rtol=0.0, atol=room, equal_nan=True)
        if same.all():
            return
        place = tuple(int(i) for i in np.argwhere(~same)[0])
        text = f"at {list(place)} is {float(found[place])!r}, the reference gives {float(wanted[place])!r}"
    else:
        text = f"has the shape {found.shape}, that of the reference {wanted.shape}"
    raise AssertionError(f"{name} {text}\n" + _described(problem, topology))


__all__ = ["assert_engines_agree", "assert_global_equals_recursive", "assert_gradients"]
