"""Topologies, semirings and data on which the CUDA text is compared with the reference interpreter."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

import dpsemiring as dp
from dpsemiring.testing import samples
from dpsemiring.testing.emulation.engine import EmulatedEngine
from dpsemiring.testing.problems import HAVE_DERIVATIVE, Problem, as_float, random_problem, roles

Step, Start, End, Term, Param = dp.Step, dp.Start, dp.End, dp.Term, dp.Param


def weighted():
    """Weights along each axis, along both, for the item, and out of a table; a mask."""
    table = Param("table", axes="b", shape=(2,))
    steps = [
        Step(1, 1, weight=Param("along_m", axes="bm"), penalty=table[1]),
        Step(1, 0, weight=Param("along_n", axes="n")),
        Step(0, 1, weight=Param("one"), penalty=Param("everywhere", axes="bnm"), where=Param("open", axes="nm")),
    ]
    return dp.Topology(steps)


def several_terms():
    """Steps that pay more than one cell: Sakoe and Chiba's patterns with P = 1; time-synchronous, two rows back."""
    steps = [
        Step(2, 1, terms=[Term(at=(-1, 0), weight=2.0), Term()]),
        Step(1, 1, weight=2.0),
        Step(1, 2, terms=[Term(at=(0, -1), weight=Param("second")), Term()], penalty=0.25),
    ]
    return dp.Topology(steps)


def long_steps():
    """Skewed strips of which the next needs two rows."""
    return dp.Topology([Step(2, 1), Step(1, 2), Step(0, 3, weight=0.5), Step(2, 0, penalty=Param("along_m", axes="m"))])


def two_states():
    """A (0, 0) step between states that pay differently; two ends, one of them a line."""
    steps = [
        Step(0, 0, terms=(), penalty=0.25, source="a", target="b"),
        Step(1, 0, source="a", target="a"),
        Step(1, 1, weight=Param("along_m", axes="bm"), source="b", target="a"),
        Step(0, 1, weight=0.5, source="b", target="b"),
    ]
    ends = [End(), End(-1, None, terms=[Term()], penalty=1.0, state="b")]
    return dp.Topology(steps, dp.Boundary([Start(state="a")], ends), states=("b", "a"))


def rows():
    """Time-synchronous, with a weight for each row; starts down one side, ends on a line, one of them twice."""
    steps = [Step(1, 0, penalty=Param("stay")), Step(1, 1), Step(2, 3, weight=Param("along_n", axes="n"))]
    starts = [Start(None, 0), Start(0, None, penalty=0.25), Start(-2, -1)]
    return dp.Topology(steps, dp.Boundary(starts, [End(-1, None), End(-1, -1, penalty=Param("late"))]))


def with_weights():
    """Products whose sums a compiler may contract."""
    return dp.topologies.weighted_dtw(1.3, 0.7, 1.9)


TOPOLOGIES = {
    "dtw": dp.topologies.dtw,
    "weighted": weighted,
    "affine_gap": dp.topologies.affine_gap,
    "affine_gap_planes": lambda: dp.topologies.affine_gap(deletion="deletion", insertion="insertion"),
    "ctc": dp.topologies.ctc,
    "subsequence0": lambda: dp.topologies.subsequence_dtw(0),
    "subsequence1": lambda: dp.topologies.subsequence_dtw(1),
    "several_terms": several_terms,
    "long_steps": long_steps,
    "two_states": two_states,
    "rows": rows,
    "anywhere": lambda: dp.Topology(dp.topologies.dtw().steps, dp.Boundary.anywhere()),
    "down_columns": lambda: dp.Topology([Step(1, 0)], dp.Boundary([Start(0, None)], [End(-1, None)])),
    "along_rows": lambda: dp.Topology([Step(0, 1)], dp.Boundary([Start(None, 0)], [End(None, -1)])),
}
SEMIRINGS = {
    "tropical": dp.Tropical,
    "softmin": dp.Softmin(Param("gamma", axes="b")),
    "sparsemin": dp.Sparsemin(Param("gamma")),
    "counting": dp.Counting,
    "mantissa_exponent": samples.mantissa_exponent(Param("gamma", axes="b")),
}


SMALL = {"columns": 1, "span": 8, "chunk": 4}  # panels of 32 columns


def lengths_around(extra=(0, 0)):
    """Lengths n and m that take every value around the edges of SMALL spans and panels."""
    n, m = [1, 2, 7, 8, 9, 17, 10], [65, 33, 3, 31, 32, 1, 34]
    if 1 in extra:
        n, m = [*n, 0 if extra[0] else 1, 3], [*m, 3, 0 if extra[1] else 1]
    return np.array(n), np.array(m)


def problem(topology, semiring, real, kind="uniform", seed=0):
    """A ragged batch, all of it NaN that lies beyond the lengths. Where a sum selects, numbers whose sums are exact."""
    n, m = lengths_around(topology.extra)
    exact = semiring.trace.selects is not None
    rng = np.random.default_rng(seed)
    drawn = random_problem(rng, topology, semiring, (n.max(), m.max()), "ties" if exact else kind, len(n))
    planes = drawn.cost if isinstance(drawn.cost, dict) else {"cost": drawn.cost}
    if exact and kind == "holes":
        for array in planes.values():
            array[rng.random(array.shape) < 0.125] = semiring.forbid
    for array in planes.values():
        for b in range(len(n)):
            array[b, n[b] + array.shape[1] - n.max() :] = np.nan
            array[b, :, m[b] + array.shape[2] - m.max() :] = np.nan
    params = {k: np.maximum(np.round(v * 4) / 4, 0.25) if exact and v.dtype.kind == "f" else v for k, v in drawn.params.items()}
    return as_float(Problem(planes if isinstance(drawn.cost, dict) else planes["cost"], (n, m), params), real)


def inexact():
    """Costs in float32 whose sums are rounded."""
    given = random_problem(np.random.default_rng(3), with_weights(), dp.Tropical, (17, 15), batch=5)
    return as_float(given, np.float32)


@contextmanager
def ahead(request, work, name):
    """A function that gives `work(argument)`, which is done in the background for the argument `name` of every test that
    was asked for: the compiler is then busy on all cores. Under pytest-xdist, which sees to that, it is done at the call."""
    if hasattr(request.config, "workerinput"):
        yield work
        return
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {p[name]: pool.submit(work, p[name]) for p in params if name in p}
        yield lambda argument: futures[argument].result()
        pool.shutdown(cancel_futures=True)


def reference(topology, semiring):
    """A solver whose engine interprets the recurrence."""
    return dp.compile(topology, semiring, engine="reference")


def emulated(topology, semiring, **options):
    """A solver whose engine runs the CUDA text."""
    solver = reference(topology, semiring)
    solver.engine = EmulatedEngine(solver.recurrence, **options)
    return solver


def everything(solver, given):
    """All that a result offers, by name."""
    result = solver(*given.arguments)
    semiring = solver.semiring
    found = {f"output {name}": value for name, value in result.outputs.items()} | {"accumulated_cost": result.accumulated_cost}
    if semiring.derivative:
        marginals = result.marginals if isinstance(result.marginals, dict) else {"cost": result.marginals}
        found |= {f"marginals {name}": value for name, value in marginals.items()} | {"occupancy": result.occupancy}
        for name, role in roles(solver.topology, semiring).items():
            if role in HAVE_DERIVATIVE:
                found[f"grad {name}"] = result.grad(name)
    if semiring.trace.selects:
        for b, (path, steps) in enumerate(zip(result.path, result.path_steps)):
            found[f"path {b}"] = np.column_stack([path, steps])
        found["path_states"] = np.array([str(s) for states in result.path_states for s in states])
    return found


def compare(found, wanted, real, exact):
    """Alike to the last bit where sums are exact, otherwise to what this kind of number allows."""
    assert list(found) == list(wanted)
    for name, value in found.items():
        if exact or value.dtype.kind not in "f":
            np.testing.assert_array_equal(value, wanted[name], err_msg=name)
        else:
            np.testing.assert_array_equal(np.isfinite(value), np.isfinite(wanted[name]), err_msg=name)
            size = max(1.0, np.abs(wanted[name][np.isfinite(wanted[name])]).max(initial=0.0))
            room = (2e-11 if real == np.float64 else 2e-4) * size
            np.testing.assert_allclose(value, wanted[name], rtol=0, atol=room, err_msg=name)


def agree(solver, given, real):
    """A solver gives what the reference interpreter gives."""
    wanted = everything(reference(solver.topology, solver.semiring), as_float(given, np.float64))
    compare(everything(solver, given), wanted, real, solver.semiring.trace.selects is not None)


def check(topology, semiring, real=np.float64, kind="uniform", seed=0, **options):
    """The emulated text agrees with the reference interpreter in everything."""
    agree(emulated(topology, semiring, **(SMALL | options)), problem(topology, semiring, real, kind, seed), real)
