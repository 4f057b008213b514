"""The kernels of the total and of what flows back to the ends, beside the sums over arrays and the oracle's item by item."""

from dataclasses import replace
from pathlib import Path

import cuda_cases as cases
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.lower import cuda_text
from dpsemiring.lower.build import build
from dpsemiring.lower.cuda_ends import cuda_ends
from dpsemiring.lower.ends import swept
from dpsemiring.lower.tangent import dual
from dpsemiring.run.engine import Run
from dpsemiring.run.gpu.ends import EndKernels
from dpsemiring.run.total import Totaller
from dpsemiring.testing import random_problem
from dpsemiring.testing.emulation import compile_for
from dpsemiring.testing.emulation.device import EmulatedDevice
from dpsemiring.testing.emulation.engine import EmulatedEngine
from dpsemiring.testing.problems import as_planes

F32, F64 = np.float32, np.float64
GAMMA = dp.Param("gamma", axes="b")
DEVICE = EmulatedDevice()
# alike for all topologies whose ends are so many and pay nothing, as texts are, so that each is built once
ALONE, SEVERAL = ("dtw", "edit"), ("subsequence1", "ctc", "affine_gap")
TOPOLOGIES = cases.TOPOLOGIES | {"edit": dp.topologies.edit_distance, "transducer": dp.topologies.transducer}
PAYING = [("two_states", "tropical"), ("two_states", "pairs"), ("rows", "entropy"), ("rows", "real"), ("transducer", "softmin")]


def scaled():
    """A minimum whose choice is asked for in two sweeps: for the parameter, and for each end."""
    scale = {"scale": dp.Param("scale")}
    return replace(
        dp.Tropical, name="scaled", sum=lambda x, p: dp.ops.min(x * p.scale), params=scale, laws=(), positive=("scale",)
    )


SEMIRINGS = {
    "tropical": (dp.Tropical, F64),
    "maxplus": (dp.MaxPlus, F64),
    "softmin": (dp.Softmin(GAMMA), F64),
    "pairs": (dp.Softmin(GAMMA).forms[0], F32),
    "sparsemin": (dp.Sparsemin(GAMMA), F64),
    "smoothmin": (dp.Smoothmin(GAMMA), F64),
    "entropy": (dp.Entropy(GAMMA), F32),
    "log": (dp.Log, F64),
    "real": (dp.Real, F64),
    "counting": (dp.Counting, F64),
    "boolean": (dp.Boolean, F64),
    "kbest": (dp.KBest(2), F64),
    "scaled": (scaled(), F64),
}


def a_run(topology, semiring, real):
    """Values at the ends of a ragged batch: one item holds a NaN, one has no path; 40 columns, more than a warp has lanes."""
    given = random_problem(np.random.default_rng(3), topology, semiring, (2, 40), "ties" if semiring.trace.exact else "holes", 5)
    lengths = np.array([2, 2, 2, 2, 1]), np.array([40, 33, 2, 5, 1])
    for plane in as_planes(topology, given.cost).values():
        plane[2] = np.nan
        plane[3] = semiring.forbid
    solver = cases.reference(topology, semiring)
    result = solver(*cases.as_float(replace(given, lengths=lengths), real).arguments)
    return solver.recurrence, result._run


def there(run, real):
    """The same on the device, in the kind of number that kernels leave."""
    p, to, kinds = run.problem, DEVICE.array, {"f": real, "i": np.int32 if real == F32 else np.int64}
    params = {name: to(a) for name, a in p.params.items()}
    problem = replace(p, place=DEVICE, sites=[to(a) for a in p.sites], nan=to(p.nan), params=params, real=np.dtype(real))
    return Run(problem, run.ends, [to(v.astype(kinds[v.dtype.kind])) for v in run.values])


def found(totals, semiring):
    """All that is known of ends, by name."""
    out = dict(totals.total()) | {"somewhere": totals.somewhere}
    if semiring.trace.selects:
        out["chosen"] = totals.chosen()
    if semiring.derivative:
        flows = totals.flows()
        moving = {f"value {c}": flows.values[c] for c in semiring.trace.moving}
        sites = {f"site {i}": np.where(inside, host(flow), 0.0) for i, (flow, _, _, inside) in flows.sites.items()}
        out |= moving | sites | {f"grad {name}": g for name, g in flows.params.items()}
    return {name: host(value) for name, value in out.items()}


def host(value):
    return DEVICE.host(value) if DEVICE.owns(value) else value


def alike(name, mine, other, real, exact):
    assert list(mine) == list(other)
    for key, value in mine.items():
        near = {"rtol": 1e-6 if real == F32 else 1e-12, "atol": 1e-6 if real == F32 else 1e-12}
        if exact or value.dtype.kind != "f":
            near = {"rtol": 0, "atol": 0}
        np.testing.assert_allclose(value.astype(float), other[key].astype(float), **near, err_msg=f"{name}: {key}")


def check(name, topology, semiring, real):
    recurrence, run = a_run(topology, semiring, real)
    compared(name, recurrence, run, real)


def compared(name, recurrence, run, real):
    """The kernels are what an engine takes, and agree with both."""
    semiring, engine = recurrence.semiring, EmulatedEngine(recurrence, DEVICE)
    here = there(run, real)
    kernels = engine.totals(here)
    assert isinstance(kernels, EndKernels)
    looked = DEVICE.looked
    assert kernels.total() and (not semiring.derivative or kernels.flows()) and DEVICE.looked == looked
    mine = found(kernels, semiring)
    rounded = Run(run.problem, run.ends, [host(v) for v in here.values])
    for plain in (True, False):
        other = found(Totaller(recurrence, rounded, plain), semiring)
        alike(f"{name}, plain {plain}", mine, other, real, semiring.trace.exact)


@pytest.mark.emulation
@pytest.mark.parametrize("semiring", SEMIRINGS)
def test_agrees_with_sums_over_arrays_and_with_the_oracle(semiring):
    semiring, real = SEMIRINGS[semiring]
    for name in ALONE + (SEVERAL if swept(semiring.trace) else ()):
        check(name, TOPOLOGIES[name](), semiring, real)


@pytest.mark.emulation
@pytest.mark.parametrize("topology, semiring", PAYING)
def test_ends_that_pay(topology, semiring):
    check(topology, TOPOLOGIES[topology](), *SEMIRINGS[semiring])


@pytest.mark.emulation
def test_second_order():
    """On dual numbers, of which the tangents are drawn."""
    recurrence, run = a_run(TOPOLOGIES["two_states"](), dp.Softmin(GAMMA), F64)
    over, rng = dual(recurrence), np.random.default_rng(0)
    width, p = len(over.semiring.trace.kinds), run.problem
    values = [*run.values, *(rng.random(run.ends.n.shape) for _ in range(width - len(run.values)))]
    sites = [*p.sites, *(rng.random((p.batch, 1, 1)) for _ in range(len(over.sites) - len(p.sites)))]
    more = [*p.more, *((0, 0) for _ in range(len(over.sites) - len(p.sites)))]
    params = {name: p.params.get(name, np.ones(1)) for name in over.semiring.trace.params}
    compared("dual", over, Run(replace(p, sites=sites, more=more, params=params), run.ends, values), F64)


def test_a_sum_that_sorts_or_iterates_over_several_ends_is_left_to_arrays():
    for semiring in (dp.Sparsemin(GAMMA), dp.KBest(2)):
        recurrence, run = a_run(TOPOLOGIES["ctc"](), semiring, F64)
        assert isinstance(EmulatedEngine(recurrence, DEVICE).totals(there(run, F64)), Totaller)


@pytest.mark.emulation
def test_the_same_bits_whatever_the_launch():
    recurrence, run = a_run(TOPOLOGIES["subsequence1"](), dp.Softmin(GAMMA), F64)
    results = []
    for order, threads in (("ascending", 32), ("shuffled", 96)):
        engine = EmulatedEngine(recurrence, EmulatedDevice(order=order), threads=threads)
        device, here = engine.device, there(run, F64)
        given = [device.array(host(v)) for v in here.values]
        problem = replace(run.problem, place=device, nan=device.array(run.problem.nan))
        problem = replace(problem, params={name: device.array(a) for name, a in run.problem.params.items()})
        totals = engine.totals(Run(problem, run.ends, given))
        results.append([device.host(totals.total()["total"]), device.host(totals.flows().values[0])])
    for one, other in zip(*results):
        np.testing.assert_array_equal(one.view(np.int64), other.view(np.int64))


def test_golden(golden):
    text = cuda_ends(build(TOPOLOGIES["subsequence1"](), dp.Softmin(1.0)), "float32", False).text
    numbers = Path(cuda_text.__file__).with_name("cuda_numbers.cuh").read_text(encoding="utf-8")
    assert numbers in text
    golden("subsequence_softmin_ends.cu", text.replace(numbers, "// ... cuda_numbers.cuh ...\n"))


@pytest.mark.nvidia
def test_compiles_without_spilling():
    module = cuda_ends(build(TOPOLOGIES["two_states"](), dp.Softmin(GAMMA).forms[0]), "float32", False)
    for architecture, compiled in compile_for(module.text).items():
        assert set(compiled.kernels) == {"total", "flows"}, architecture
        assert "warning" not in compiled.log, compiled.log
        for kernel, use in compiled.kernels.items():
            assert use.spill_stores == use.spill_loads == use.stack_bytes == 0, (architecture, kernel, use)
