"""Assertions for a user's own test suite: one line tries a topology and a semiring on small random lattices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dpsemiring.algebra import laws
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.api.solver import compile
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.paths import count_paths, global_outputs
from dpsemiring.testing.problems import KINDS, Problem, as_float, describe, random_problem, with_given
from dpsemiring.testing.reading import semiring_values
from dpsemiring.testing.witness import recursive_outputs

SHAPES = ((1, 1), (2, 3), (3, 2), (3, 3), (4, 3), (3, 4))
LARGER = ((5, 5), (6, 6), (7, 7), (9, 9), (12, 12))  # for steps that leave few paths on small lattices
ENOUGH, MANY = 20, 5000  # paths: with fewer, laws that a sum lacks may not show
NEEDED = ("associative", "distributive")


def assert_global_equals_recursive(
    topology: Topology,
    semiring: Semiring,
    *,
    cost=None,
    lengths=None,
    params=None,
    seed: int = 0,
    rtol: float = 1e-9,
    engine: str = "cpu",
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
    engine : str
        The solver's; "reference" compiles nothing.

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
    solver = compile(topology, semiring, engine=engine)
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
            if not _alike(values["recursive"], values["solver"], rtol):
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


def _engine_message(name, values, problem, topology):
    return (
        f"the solver's {name} is {values['solver']!r}, the recursion over the explicit arcs gives {values['recursive']!r}\n"
        + describe(problem, topology)
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
    return "\n".join([*lines, describe(problem, topology)])


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
            if single and (semiring.trace.selects or semiring.trace.ranks) and kind == "ties":
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
    raise AssertionError(f"{name} {text}\n" + describe(problem, topology))
