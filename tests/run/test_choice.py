"""The schedule that a problem is swept by is the one that is predicted to take least, and any other gives the same."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.run.cpu import choice
from dpsemiring.run.cpu.engine import CpuEngine


def chosen(topology, shape, lengths=None, **params):
    result = dp.compile(topology, dp.Softmin(1.0))(np.ones(shape, np.float32), lengths, params)
    schedule = result._run.kept.tiling.plan.schedule
    return schedule.kind, schedule.height


def test_few_rows_go_into_low_strips_and_narrow_bands_too():
    dtw = dp.topologies.dtw()
    assert chosen(dtw, (20, 300)) == ("skewed", 32)
    assert chosen(dtw, (300, 300)) == ("skewed", 64)
    assert chosen(dtw.replace(window=dp.Window.sakoe_chiba(5)), (300, 300)) == ("skewed", 32)


def test_time_synchronous_lattices_go_by_rows_while_these_are_short():
    ctc = dp.topologies.ctc()
    assert chosen(ctc, (1, 100, 41), labels=np.ones((1, 41), int))[0] == "rows"
    assert chosen(ctc, (1, 300, 4001), labels=np.ones((1, 4001), int))[0] == "skewed"


def test_the_prediction_counts_what_lies_beside_the_lattice():
    n, m = np.array([64, 64]), np.array([100, 100])
    one = choice.predicted(("skewed", 64), n, m, 16, 1)
    assert one == pytest.approx(2 * (163 * 4 * choice.VECTOR_NS["skewed", 64] + choice.STRIP_NS))
    assert choice.predicted(("skewed", 64), n, m, 16, 8) == pytest.approx(one / 2), "two strips: no more than two threads"
    uneven = choice.predicted(("abreast", 64), np.full(16, 20), np.array([10] * 15 + [100]), 16, 1)
    assert uneven == pytest.approx(20 * 100 * choice.VECTOR_NS["abreast", 64] + choice.STRIP_NS), (
        "all are as large as the largest"
    )


def test_every_schedule_gives_the_same():
    rng = np.random.default_rng(5)
    cost, lengths = rng.random((17, 70, 45)), (rng.integers(40, 71, 17), rng.integers(20, 46, 17))
    found = []
    for only in (("skewed", 32), ("skewed", 64), ("abreast", 64)):

        class Fixed(CpuEngine):
            def choice(self, *_, only=only):
                return only

        solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5))
        solver.engine = Fixed(solver.engine.recurrence)
        result = solver(cost, lengths)
        assert result._run.kept.tiling.plan.schedule.kind == only[0]
        found.append((result.total, result.marginals))
    for total, marginals in found[1:]:
        np.testing.assert_allclose(total, found[0][0], rtol=1e-14)
        np.testing.assert_allclose(marginals, found[0][1], atol=1e-13)


def test_a_solver_prints_the_model():
    text = str(dp.compile(dp.topologies.dtw(), dp.Softmin(1.0)))
    assert "choice    the least predicted time" in text and f"skewed 64 {choice.VECTOR_NS['skewed', 64]:g}" in text
