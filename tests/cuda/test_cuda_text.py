"""The CUDA text itself: what it holds, golden files, and that compilers for real GPUs take it without spilling."""

from pathlib import Path

import numpy as np
import pytest
from cuda_cases import emulated

import dpsemiring as dp
from dpsemiring.lower import cuda_text
from dpsemiring.lower.build import build
from dpsemiring.lower.cuda_judge import cuda_judge
from dpsemiring.lower.cuda_text import cuda_module
from dpsemiring.lower.cuda_whole import cuda_whole
from dpsemiring.lower.forms import compiled_form
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.schedule import panels
from dpsemiring.lower.tangent import dual
from dpsemiring.testing import samples
from dpsemiring.testing.emulation import compile_for

PARTS = [Path(cuda_text.__file__).with_name(f"cuda_{name}.cuh") for name in ("numbers", "panel", "sources")]


def plan(topology, semiring, real):
    return of(build(topology, semiring), real)


def of(recurrence, real, columns=None):
    return Plan(recurrence, panels(recurrence, columns), real)


def every(p):
    """All kernels of a plan."""
    wanted = Wanted(tuple(i for i, site in enumerate(p.recurrence.sites) if site.role != "mask"), True, True)
    return cuda_module(p, forward=True, backward=wanted, paths=p.exact)


def gathered():
    """A plan whose costs are entries of a table, made as they are needed."""
    recurrence = build(CTC(), dp.Softmin(1.0))
    return Plan(recurrence, panels(recurrence), "float32", (("cost", ("entries",)),))


DTW, CTC, GAPS = dp.topologies.dtw, dp.topologies.ctc, dp.topologies.affine_gap
GOLDEN = {
    "dtw_softmin_forward.cu": lambda: cuda_module(plan(DTW(), dp.Softmin(1.0), "float32"), forward=True),
    "dtw_softmin_backward.cu": lambda: cuda_module(plan(DTW(), dp.Softmin(1.0), "float32"), backward=Wanted((0,), True)),
    "dtw_softmin_dual_backward.cu": lambda: cuda_module(
        of(dual(build(DTW(), dp.Softmin(1.0))), "float32"), backward=Wanted((0,))
    ),
    "ctc_tropical_paths.cu": lambda: cuda_module(plan(CTC(), dp.Tropical, "float64"), paths=True),
    "ctc_gathered_backward.cu": lambda: cuda_module(gathered(), backward=Wanted((0,), drains=("cost",))),
    "differences_whole.cu": lambda: cuda_whole(("differences",), "float32", 4),
    "dtw_judge.cu": lambda: cuda_judge(build(DTW(), compiled_form(dp.Softmin(1.0))), "float32", (0,)),
    "dtw_pairs_forward.cu": lambda: cuda_module(plan(DTW(), samples.mantissa_exponent(), "float64"), forward=True),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name, golden):
    """All but the parts that stand in files of their own."""
    text = GOLDEN[name]().text
    for part in PARTS:
        text = text.replace(part.read_text(encoding="utf-8"), f"// ... {part.name} ...\n")
    golden(name, text)


def test_the_text_depends_on_no_value_and_is_the_same_each_time():
    texts = {every(plan(DTW(), dp.Softmin(gamma), "float32")).text for gamma in (1.0, 0.25, 1.0, dp.Param("g"))}
    assert len(texts) == 1


def test_what_the_text_must_not_hold():
    for p in (plan(GAPS(), dp.Softmin(1.0), "float32"), plan(CTC(), dp.Tropical, "float64")):
        text = every(p).text
        assert text.count("atomic") == text.count("atomicAdd(turn, 1)") == 1  # whole numbers: whose turn it is
        assert "#include" not in text
        assert text.isascii()


def test_a_hard_minimum_is_never_contracted():
    """Every sum and product of a cell goes through functions that round."""
    text = every(plan(dp.topologies.weighted_dtw(1.3, dp.Param("w"), 1.9), dp.Tropical, "float64")).text
    cells = [line for line in text.splitlines() if line.strip().startswith("const F t")]
    assert cells and not any(f" {sign} " in line.split(" = ")[1] for line in cells for sign in "+-*")


@pytest.mark.emulation
@pytest.mark.nvidia
def test_names_that_a_compiler_does_not_take():
    """Letters beyond ASCII, and a semiring whose name looks like the end of a comment."""
    semiring = dp.Semiring(
        'of "min" \\\n*/', dp.inf, 0.0, lambda terms, p: dp.ops.min(terms) + p["γ"] - p["γ_all"], lambda a, b, p: a + b,
        {"γ": 1.0, "γ_all": dp.Param("größe")},
    )  # fmt: skip
    solver = emulated(dp.topologies.weighted_dtw(dp.Param("ß", axes="n"), 1.0, 1.0), semiring)
    assert solver(np.ones((3, 4)), None, {"größe": 1.0, "ß": np.ones(3)}).total == 4.0
    module = every(solver.engine.plan(np.dtype("float64"), solver.engine.cut))
    assert module.text.isascii()
    compile_for(module.text, ["sm_90"])


# where kernels with every gradient may spill (see test_cuda_grid), those with that by the cost alone do not
KERNELS = {
    "dtw_softmin": lambda: plan(DTW(), dp.Softmin(1.0), "float32"),
}


@pytest.mark.nvidia
@pytest.mark.parametrize("name", KERNELS)
def test_compiles_without_spilling(name):
    p = KERNELS[name]()
    costs = Wanted(tuple(i for i, site in enumerate(p.recurrence.sites) if site.role == "cost"))
    module = cuda_module(p, forward=True, backward=costs, paths=p.exact)
    for architecture, compiled in compile_for(module.text).items():
        assert set(compiled.kernels) == set(module.kernels), architecture
        assert "warning" not in compiled.log, compiled.log
        for kernel, use in compiled.kernels.items():
            assert use.spill_stores == use.spill_loads == use.stack_bytes == 0, (architecture, kernel, use)
            assert use.registers <= 255
            assert use.shared_bytes <= 1024
