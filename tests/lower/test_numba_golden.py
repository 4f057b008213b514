"""The emitted Numba text, kept as golden files so that a change of the compiler shows as a difference."""

import pytest

import dpsemiring as dp
from dpsemiring.lower.build import build
from dpsemiring.lower.numba_text import backward_text, forward_text, paths_text, sweep_text
from dpsemiring.lower.plan import Wanted, make_plan

PLANS = {
    "dtw_softmin": lambda: make_plan(build(dp.topologies.dtw(), dp.Softmin(1.0)), "float32"),
    "ctc_tropical": lambda: make_plan(build(dp.topologies.ctc(), dp.Tropical), "float64"),
}
TEXTS = {
    "dtw_softmin_sweep.py": lambda: sweep_text(PLANS["dtw_softmin"]()),
    "dtw_softmin_forward.py": lambda: forward_text(PLANS["dtw_softmin"](), "sweep"),
    "dtw_softmin_backward.py": lambda: backward_text(PLANS["dtw_softmin"](), "sweep", Wanted((0,))),
    "ctc_tropical_sweep.py": lambda: sweep_text(PLANS["ctc_tropical"]()),
    "ctc_tropical_paths.py": lambda: paths_text(PLANS["ctc_tropical"](), "sweep"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_golden(name, golden):
    golden(name, TEXTS[name]())


def test_text_does_not_depend_on_values():
    """A parameter's value is given at the call: another gamma is the same kernel."""
    one, other = (make_plan(build(dp.topologies.dtw(), dp.Softmin(g)), "float32") for g in (1.0, 0.25))
    assert sweep_text(one) == sweep_text(other)
    learnt = make_plan(build(dp.topologies.dtw(), dp.Softmin(dp.Param("gamma", axes="b"))), "float32")
    assert sweep_text(one) == sweep_text(learnt)


def test_text_is_the_same_each_time():
    """Nothing in it depends on the order of sets or on addresses: the cache is found by its hash."""
    first, second = (TEXTS["dtw_softmin_backward.py"]() for _ in range(2))
    assert first == second


def test_a_hard_minimum_is_never_contracted():
    assert "fadd(" not in sweep_text(PLANS["ctc_tropical"]()) and "fadd(" in sweep_text(PLANS["dtw_softmin"]())
