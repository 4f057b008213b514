"""The emitted Numba text, kept as golden files so that a change of the compiler shows as a difference."""

import pytest

import dpsemiring as dp
from dpsemiring.lower.build import build
from dpsemiring.lower.numba_abreast import abreast_backward_text, abreast_forward_text
from dpsemiring.lower.numba_text import advance_text, backward_text, forward_text, paths_text, retreat_text
from dpsemiring.lower.plan import Wanted, make_plan
from dpsemiring.lower.tangent import dual

OFFSETS = [dp.Step(1, 0), dp.Step(0, 1), dp.Step(2, 1, terms=[dp.Term(at=(-1, 0)), dp.Term()])]
PLANS = {
    "dtw_softmin": lambda: make_plan(build(dp.topologies.dtw(), dp.Softmin(1.0)), "float32"),
    "dtw_softmin_pairs": lambda: make_plan(build(dp.topologies.dtw(), dp.Softmin(1.0).forms[0]), "float32"),
    "dtw_softmin_dual": lambda: make_plan(dual(build(dp.topologies.dtw(), dp.Softmin(1.0))), "float32"),
    "dtw_softmin_abreast": lambda: make_plan(build(dp.topologies.dtw(), dp.Softmin(1.0)), "float32", kind="abreast"),
    "offsets": lambda: make_plan(build(dp.Topology(OFFSETS), dp.Softmin(1.0).forms[0]), "float32"),
    "ctc_tropical": lambda: make_plan(build(dp.topologies.ctc(), dp.Tropical), "float64"),
}
TEXTS = {
    "dtw_softmin_advance.py": lambda: advance_text(PLANS["dtw_softmin"](), starts=True),
    "dtw_softmin_retreat.py": lambda: retreat_text(PLANS["dtw_softmin"](), starts=False, wanted=Wanted((0,))),
    "dtw_softmin_forward.py": lambda: forward_text(PLANS["dtw_softmin"]()),
    "dtw_softmin_backward.py": lambda: backward_text(PLANS["dtw_softmin"](), Wanted((0,))),
    "dtw_softmin_pairs_advance.py": lambda: advance_text(PLANS["dtw_softmin_pairs"](), starts=False),
    "dtw_softmin_pairs_retreat.py": lambda: retreat_text(PLANS["dtw_softmin_pairs"](), starts=False, wanted=Wanted((0,))),
    "dtw_softmin_dual_advance.py": lambda: advance_text(PLANS["dtw_softmin_dual"](), starts=False),
    "dtw_softmin_dual_retreat.py": lambda: retreat_text(PLANS["dtw_softmin_dual"](), starts=False, wanted=Wanted((0,))),
    "dtw_softmin_abreast_retreat.py": lambda: retreat_text(PLANS["dtw_softmin_abreast"](), starts=False, wanted=Wanted((0,))),
    "dtw_softmin_abreast_forward.py": lambda: abreast_forward_text(PLANS["dtw_softmin_abreast"]()),
    "dtw_softmin_abreast_backward.py": lambda: abreast_backward_text(PLANS["dtw_softmin_abreast"](), Wanted((0,))),
    "offsets_retreat.py": lambda: retreat_text(PLANS["offsets"](), starts=False, wanted=Wanted((0, 1))),
    "ctc_tropical_advance.py": lambda: advance_text(PLANS["ctc_tropical"](), starts=True),
    "ctc_tropical_paths.py": lambda: paths_text(PLANS["ctc_tropical"]()),
}


@pytest.mark.parametrize("name", TEXTS)
def test_golden(name, golden):
    golden(name, TEXTS[name]())


def test_text_does_not_depend_on_values():
    """A parameter's value is given at the call: another gamma is the same kernel."""
    one, other = (make_plan(build(dp.topologies.dtw(), dp.Softmin(g)), "float32") for g in (1.0, 0.25))
    assert advance_text(one, True) == advance_text(other, True)
    learnt = make_plan(build(dp.topologies.dtw(), dp.Softmin(dp.Param("gamma", axes="b"))), "float32")
    assert advance_text(one, True) == advance_text(learnt, True)


def test_text_is_the_same_each_time():
    """Nothing in it depends on the order of sets or on addresses: the cache is found by its hash."""
    first, second = (TEXTS["dtw_softmin_retreat.py"]() for _ in range(2))
    assert first == second


def test_a_hard_minimum_is_never_contracted():
    hard, soft = (advance_text(PLANS[name](), True) for name in ("ctc_tropical", "dtw_softmin"))
    assert "fadd(" not in hard and "fadd(" in soft
