"""Schedules follow from the steps; cells carry no more work than they must."""

import pytest

import dpsemiring as dp
from dpsemiring.algebra.expr import postorder
from dpsemiring.lower.build import build
from dpsemiring.lower.plan import Wanted, make_plan
from dpsemiring.lower.schedule import schedule


def of(*steps):
    return schedule(build(dp.Topology([dp.Step(*s) for s in steps]), dp.Tropical))


@pytest.mark.parametrize(
    "steps, kind, halo, margin",
    [
        ([(1, 1), (1, 0), (0, 1)], "skewed", 1, 1),
        ([(1, 0), (1, 1), (1, 2)], "rows", 1, 2),
        ([(2, 1), (1, 2), (1, 1)], "rows", 2, 2),
        ([(0, 1)], "skewed", 0, 1),
        ([(1, 0), (0, 3), (2, 0)], "skewed", 2, 3),
        ([(40, 1), (0, 1)], "skewed", 40, 1),
    ],
)
def test_schedule_from_steps(steps, kind, halo, margin):
    s = of(*steps)
    assert (s.kind, s.halo, s.margin) == (kind, halo, margin)
    assert s.height >= s.halo
    for dn, dm in steps:
        assert s.delay(dn, dm) >= 1, "no cell needs another of its own time"
        assert s.shift(dn, dm) >= 0


def test_states_are_ordered_by_steps_within_a_cell():
    inside = [("c", "b"), ("b", "a")]
    steps = [dp.Step(0, 0, terms=(), source=s, target=t) for s, t in inside] + [dp.Step(1, 1, source="a", target="c")]
    t = dp.Topology(steps, states=("a", "b", "c"))
    assert t.state_order() == ("c", "b", "a")
    assert [build(t, dp.Tropical).state_names[k] for k in build(t, dp.Tropical).order] == ["c", "b", "a"]


def operations(cell):
    return [n.op for n in postorder(cell.roots) if n.args and n.op not in ("stop", "envelope")]


def test_a_softmin_cell_has_one_exponential_for_each_step():
    plan = make_plan(build(dp.topologies.dtw(), dp.Softmin(1.0)), "float32")
    inner = operations(plan.forward(starts=False))
    assert inner.count("exp") == 3 and inner.count("log") == 1
    assert operations(plan.forward(starts=True)).count("exp") == 4
    back = operations(plan.backward(False, Wanted((0,))))
    assert back.count("exp") == 3 and back.count("log") == 0 and back.count("div") <= 2  # one by gamma is hoisted


def test_guards_are_left_out_where_ranges_show_them_superfluous():
    """A hard minimum needs none at all: +inf is its neutral element and absorbs."""
    plan = make_plan(build(dp.topologies.dtw(), dp.Tropical), "float32")
    assert sorted(operations(plan.forward(starts=False))) == ["add"] + ["minimum"] * 2
    softmin = make_plan(build(dp.topologies.dtw(), dp.Softmin(1.0)), "float32")
    assert operations(softmin.forward(starts=False)).count("where") == 1  # the cell that no path reaches


def test_pairs_have_no_guard_but_that_of_a_forbidden_cost():
    """Of mantissa and exponent; and on the way back of each flow and of the cost's, all by one comparison."""
    plan = make_plan(build(dp.topologies.dtw(), dp.Softmin(1.0).forms[0]), "float32")
    forward, backward = operations(plan.forward(False)), operations(plan.backward(False, Wanted((0,))))
    assert forward.count("ne") == backward.count("ne") == 1
    assert forward.count("where") == 2 and backward.count("where") == 4
    assert forward.count("exp2_fraction") == backward.count("exp2_fraction") == 1
    assert backward.count("maximum") == backward.count("binade") == 0  # the sum is not computed again: its exponent is at hand


@pytest.mark.parametrize("semiring", [dp.Tropical, dp.Sparsemin(1.0), dp.Smoothmin(1.0), dp.Softmin(1.0)], ids=str)
def test_what_all_candidates_pay_is_paid_once(semiring):
    for topology in (dp.topologies.dtw(), dp.topologies.ctc()):
        cell = make_plan(build(topology, semiring), "float32").forward(starts=True)
        paid = [n for n in postorder(cell.roots) if any(a.op == "var" and a.payload.startswith("site0") for a in n.args)]
        assert len(paid) == 1
    weighted = make_plan(build(dp.topologies.weighted_dtw(1.0, 2.0, 3.0), semiring), "float32").forward(starts=False)
    assert operations(weighted).count("mul") >= 2  # different weights stay where they are
