"""Presets x semirings x engines x kinds of number: each gives what enumeration, or the top-down recursion, gives.

CI takes a cover in which every pair of choices occurs: all presets with all semirings, each preset and each semiring on
every engine, in both kinds of number. `make proof` takes the full product.
"""

from itertools import product

import catalogue
import cuda_cases as cases
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.lower.plan import Wanted
from dpsemiring.run.cpu.engine import CpuEngine
from dpsemiring.run.engine import Backward
from dpsemiring.testing import (
    count_paths,
    global_gradients,
    global_outputs,
    random_problem,
    recursive_gradients,
    recursive_outputs,
    recursive_values,
    samples,
)
from dpsemiring.testing.problems import HAVE_DERIVATIVE, Problem, as_float, roles

ENGINES = ("reference", "cpu", "cuda")
REALS = ("float64", "float32")
ENUMERATED = 1000  # paths of one item, at most


def cover():
    """(preset, semiring, engine, kind of number): every pair of choices, and each compiled engine but once a preset."""
    presets, semirings = list(catalogue.PRESETS), list(catalogue.SEMIRINGS)
    found = []
    for i, preset in enumerate(presets):
        for j, semiring in enumerate(semirings):
            turn = (i + j) % len(semirings)
            engine = {0: "cpu", len(semirings) // 2: "cuda"}.get(turn, "reference")
            found.append((preset, semiring, engine, REALS[(i // len(semirings) + j) % 2]))
    return found


FULL = list(product(catalogue.PRESETS, catalogue.SEMIRINGS, ENGINES, REALS))


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        cases_ = FULL if metafunc.config.getoption("--full-product") else cover()
        emulated = pytest.mark.emulation
        marked = [pytest.param(c, marks=emulated if c[2] == "cuda" else (), id=" ".join(c)) for c in cases_]
        metafunc.parametrize("case", marked)


class Together(CpuEngine):
    """One kernel on the way back that gives everything, in place of one for costs and one for all else: quicker to build."""

    def __init__(self, recurrence, params=True):
        super().__init__(recurrence)
        self._params = params

    def another(self, recurrence):
        return Together(recurrence)

    def backward(self, run, flows, wanted):
        sites = tuple(i for i, site in enumerate(self.recurrence.sites) if site.role != "mask")
        found = super().backward(run, flows, Wanted(sites, self._params, True))
        assert set(wanted.sites) <= set(sites) and (self._params or not wanted.params)
        return Backward({i: found.sites[i] for i in wanted.sites}, found.params, found.occupancy)


def solver_for(topology, semiring, engine):
    if engine == "cuda":
        return cases.emulated(topology, semiring, together=True, **cases.SMALL)
    solver = dp.compile(topology, semiring, engine=engine)
    if engine == "cpu":
        solver.engine = Together(solver.engine.recurrence, solver.engine.recurrence.semiring is semiring)
    return solver


def rounded(problem, exact):
    """Numbers that float32 holds. Where a sum selects, quarters: their sums are exact, so that ties stay ties."""

    def short(a):
        if np.asarray(a).dtype.kind != "f":
            return a
        return np.maximum(np.round(a * 4) / 4, 0.25) if exact else np.asarray(a, np.float32).astype(float)

    return Problem(as_float(problem, np.float32).cost, problem.lengths, {k: short(v) for k, v in problem.params.items()})


def test_agrees_with_the_witness(case):
    preset, semiring_name, engine, real = case
    (topology, shape), semiring = catalogue.PRESETS[preset], catalogue.SEMIRINGS[semiring_name]
    exact = semiring.trace.selects is not None or semiring.trace.ranks
    solver = solver_for(topology, semiring, engine)
    rng = np.random.default_rng(len(preset) + 7 * len(semiring_name))
    paths = 0
    for kind in ("ties",) if exact else ("uniform", "holes"):
        drawn = rounded(random_problem(rng, topology, semiring, shape, kind, batch=3), exact)
        result = solver(*as_float(drawn, real).arguments)
        for b in range(3):
            item = as_float(drawn, np.float64).item(topology, semiring, b)
            paths += compare(topology, semiring, item, result, b, 1e-11 if real == "float64" else 3e-4)
    assert paths, "none of the lattices has a path"


def compare(topology, semiring, item, result, b, tolerance):
    """One item's outputs and gradients beside the witness's; gives the number of its paths."""
    count = count_paths(topology, *item.arguments, forbid=semiring.forbid)
    outputs, gradients = recursive_outputs, recursive_gradients
    if semiring.has("associative") and count <= ENUMERATED:
        outputs, gradients = global_outputs, global_gradients
    for name, wanted in outputs(topology, semiring, *item.arguments).items():
        close(result.outputs[name][b], wanted, tolerance, name)
    for (n, m, state), wanted in recursive_values(topology, semiring, *item.arguments).items():
        found = result.accumulated_cost[b, n, m]
        close(found[topology.states.index(state)] if topology.states else found, wanted, tolerance, "accumulated_cost")
    if not semiring.derivative:
        return count
    wanted = gradients(topology, semiring, *item.arguments)
    close_padded(result.occupancy[b], wanted.occupancy, tolerance, "occupancy")
    planes = result.marginals if isinstance(result.marginals, dict) else {topology.planes()[0]: result.marginals}
    for name, flow in wanted.planes.items():
        close_padded(planes[name][b], flow, tolerance, f"marginals {name}")
    for name, role in roles(topology, semiring).items():
        param = result._solver.params[name]
        if role in HAVE_DERIVATIVE and "b" in param.axes:  # others are summed over the batch
            flow = wanted.params[name]
            found = result.grad(name)[b]
            close(found[tuple(slice(s) for s in flow.shape)], flow, tolerance, f"grad {name}")
    return count


def close_padded(found, wanted, tolerance, name):
    """Equal where the item is, exactly 0 beyond it."""
    n, m = wanted.shape
    close(found[:n, :m], wanted, tolerance, name)
    assert not found[n:].any() and not found[:, m:].any(), name


def close(found, wanted, tolerance, name):
    size = np.abs(np.asarray(wanted)[np.isfinite(wanted)]).max(initial=1.0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * size, err_msg=name)


def test_every_pair_of_choices_occurs():
    axes = (catalogue.PRESETS, catalogue.SEMIRINGS, ENGINES, REALS)
    for a in range(4):
        for b in range(a):
            assert {(c[b], c[a]) for c in cover()} == set(product(axes[b], axes[a]))


def test_the_catalogue_is_complete():
    assert {name.split()[0] for name in catalogue.PRESETS} == set(dp.topologies.__all__)
    known = {s.name.split("(")[0] for s in samples.built_in()}
    assert set(catalogue.SEMIRINGS) == known | {"mantissa_exponent"}
    assert known <= set(dp.__all__)
