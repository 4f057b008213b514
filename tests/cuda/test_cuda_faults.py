"""The CUDA text has no race and no stray access; and each fault planted in it is found."""

import re

import cuda_cases as cases
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing.emulation import ORDERS, CompilationError, EmulationError

Param = dp.Param
pytestmark = pytest.mark.emulation

CLEAN = [("weighted", "mantissa_exponent"), ("rows", "softmin"), ("two_states", "tropical")]


@pytest.mark.parametrize("topology, semiring", CLEAN)
@pytest.mark.parametrize("mode", ["races", "sanitize"])
def test_clean(topology, semiring, mode):
    options = {"together": True, "threads": 96, "grid": 1, mode: True}
    cases.check(cases.TOPOLOGIES[topology](), cases.SEMIRINGS[semiring], np.float32, **options)


WAITING = {
    "a panel that does not wait": (r"if \(p > 0\) wait_for\(", "if (p > 9) wait_for("),
    "a panel that waits for too little": (r"done \+ task - 1, min\(stop, length\)", "done + task - 1, min(begin, length)"),
    "rows that are handed on too early": (r"min\(stop - \(LANES - 1\), length\)", "min(stop - (LANES - 1) + CHUNK, length)"),
    "a way back that does not wait": (r"if \(another\) wait_for\(", "if (p > 9) wait_for("),
    "a way back that hands on too early": (
        r"publish\(done \+ task, length - begin\)",
        "publish(done + task, length - begin + CHUNK)",
    ),
    "no fence before handing on": (r"(void publish[^}]*?)__threadfence\(\);", r"\1"),
    "no fence after waiting": (r"(void wait_for[^}]*?)__threadfence\(\);", r"\1"),
    "a walk before the span is kept": (r"__syncwarp\(\);(\s+if \(lane == 0\) \{\s+while)", r"\1"),
    "a span kept before the walk is over": (r"(count = __shfl_sync\(WARP, count, 0\);\s+)__syncwarp\(\);", r"\1"),
}


@pytest.fixture(scope="module")
def raced(request):
    def run(fault):
        old, new = WAITING[fault]
        options = {**cases.SMALL, "together": True, "threads": 96, "grid": 1, "races": True, "edit": replacing(old, new, 1)}
        t = dp.topologies.weighted_dtw(Param("down"), Param("across"), 2.0)
        given = dp.testing.random_problem(np.random.default_rng(0), t, dp.Tropical, (40, 70), "ties", batch=1)
        try:
            for order in ORDERS:
                cases.everything(cases.emulated(t, dp.Tropical, order=order, **options), given)
        except EmulationError as error:
            return str(error)
        return None

    with cases.ahead(request, run, "fault") as found:
        yield found


@pytest.mark.parametrize("fault", WAITING)
def test_whatever_warps_wait_for_is_needed(fault, raced):
    """Without it two of them meet in memory."""
    assert "data race" in str(raced(fault))


def replacing(old, new, count=-1):
    def edit(text):
        assert re.search(old, text), f"the text to change is gone: {old}"
        return re.sub(old, new, text, count=max(count, 0))

    return edit


FAULTS = {
    "a sign in the adjoint": ("dtw", "softmin", replacing(r"(void retreat\([\s\S]*?) = -t", r"\1 = t", 1)),
    "a dropped flow": ("dtw", "softmin", replacing(r"Y0\[1\]\[MARGIN \+ c\]\[0\] \+= .*", "")),
    "a dropped step": ("dtw", "tropical", replacing(r"= X0\[0\]\[MARGIN \+ c - 1\]\[0\]", "= INF")),
    "a weight of the wrong column": (
        "weighted",
        "softmin",
        replacing(r"W(\d).load\((\w+), n, z.left, 0.0", r"W\1.load(\2, n, z.left - 1, 0.0"),
    ),
    "rows that age in the wrong order": (
        "long_steps",
        "tropical",
        replacing(r"int h = HALO; h > 0; h--", "int h = 1; h <= HALO; h++"),
    ),
    "saved rows in the wrong order": ("long_steps", "softmin", replacing(r"(recall<T>\(x\[h\], from \+ \()HALO - 1 - h", r"\1h")),
    "the border of another panel": ("dtw", "softmin", replacing(r"\(task - 1\) \* rows", "task * rows")),
    "a lane that gets no border": ("dtw", "softmin", replacing(r"lane == 0 \? outer", "lane == 99 ? outer")),
    "a lane on the right that gets none": ("dtw", "softmin", replacing(r"lane == LANES - 1 \? outer", "lane == 99 ? outer")),
    "a border of the wrong row": ("dtw", "counting", replacing(r"X0\[0\]\[WIDE - 1\]\[0\]\);", "X0[1][WIDE - 1][0]);")),
    "a first row that is none": ("long_steps", "softmin", replacing(r"0 <= n && n < length;", "0 < n && n < length;")),
    "flows from beyond the last column": (
        "long_steps",
        "softmin",
        replacing(r"inside \? cols - left : 0", "inside ? COLUMNS : 0"),
    ),
    "a start in the second row": ("subsequence1", "tropical", replacing(r"n == 0", "n == 1")),
    "an end in another column": (
        "subsequence0",
        "softmin",
        replacing(r"ends.m\[e\] == z.left \+ c", "ends.m[e] == z.left + c + 1"),
    ),
    "an end counted once of twice": ("rows", "softmin", replacing(r"\+= dA0\[e\];", "= dA0[e];")),
    "a row's sum that forgets a lane": (
        "rows",
        "softmin",
        replacing(r"__shfl_down_sync\(WARP, row_", "__shfl_down_sync(WARP, z.lane == 3 ? 0 : row_"),
    ),
    "a column added to twice": ("weighted", "softmin", replacing(r"(dW\d\[c\]) \+= ok \? (t\d+)", r"\1 += ok ? 2 * \2")),
    "a sum over half of a warp": ("weighted", "softmin", replacing(r"int lanes = LANES / 2", "int lanes = LANES / 4")),
    "a read outside of the plane": ("several_terms", "softmin", replacing(r"return has\(n, m\) \?", "return true ?")),
    "a step of the wrong length": ("long_steps", "tropical", replacing(r"ARC_DN\[k\]\[taken\]", "1")),
    "a path that loses its state": ("two_states", "tropical", replacing(r"k = ARC_SOURCE\[k\]\[taken\]", "k = 0")),
    "a walk beyond its span": ("dtw", "tropical", replacing(r"if \(n \+ walker < first\) break;", "")),
}


@pytest.fixture(scope="module")
def check(request):
    def run(fault):
        topology, semiring, edit = FAULTS[fault]
        options = {"together": True, "threads": 96, "grid": 1, "edit": edit}
        try:
            cases.check(cases.TOPOLOGIES[topology](), cases.SEMIRINGS[semiring], **options)
        except CompilationError:
            raise  # a fault that does not compile is no fault
        except (AssertionError, RuntimeError) as error:
            return str(error)
        return None

    with cases.ahead(request, run, "fault") as found:
        yield found


@pytest.mark.parametrize("fault", FAULTS)
def test_planted(fault, check):
    found = check(fault)
    assert found is not None
    assert "the text to change is gone" not in found


@pytest.mark.parametrize("old, new", [(r"visited_b \+ 4 \* count\+\+", "visited_b + 4 * (99 + count++)"),
                                      (r"to\[\(k \* WIDE \+ i\)", "to[9 * ROW + (k * WIDE + i)")])  # fmt: skip
def test_a_write_outside_of_an_array_is_found(old, new):
    solver = cases.emulated(dp.topologies.dtw(), dp.Tropical, sanitize=True, together=True, edit=replacing(old, new))
    with pytest.raises(EmulationError, match=r"of argument \d+|overflow"):
        assert solver(np.ones((3, 4))).path is None


PASSED_BY = {
    "none is": (r"__all_sync\(WARP, none\)", "__all_sync(WARP, none) && p < 0", True),
    "in spite of later rows": (r"none &= is_zero<F>\(Y0\);", "", False),
    "in spite of the right": (r"none &= A0.edge\(.*", "", False),
    "in spite of an end": (r"bool none = .*", "bool none = true;", False),
    "something is handed on": (r"a.leave\(row, j, k, 0\)", "a.leave(row, j, k, 1)", False),
    "a row's sum is lost": (r"(dW\d)\[last - lane\] \+= row_dW\d;", r"\1[last - lane] += 0;", False),
}


@pytest.mark.parametrize("fault", PASSED_BY)
def test_spans_into_which_nothing_flows(fault):
    """Whether they are passed by or not is the same; and it is seen where that is done wrong. Paths begin and end within."""
    old, new, harmless = PASSED_BY[fault]
    topology = cases.weighted().replace(boundary=dp.Boundary([dp.Start(30, 20)], [dp.End(150, -1)]))
    given = dp.testing.random_problem(np.random.default_rng(1), topology, dp.Tropical, (190, 70), "ties", batch=1)
    options = {**cases.SMALL, "together": True}
    right = cases.everything(cases.emulated(topology, dp.Tropical, **options), given)
    found = cases.everything(cases.emulated(topology, dp.Tropical, edit=replacing(old, new), **options), given)
    same = all(np.array_equal(value, right[name]) for name, value in found.items() if "path" not in name)
    assert same == harmless


@pytest.mark.parametrize("checked", [True, False])
def test_numbers_are_moved_together_only_where_they_lie_so(checked):
    """Items of one row may lie evenly in the cost and not in its gradient. The last item is short: nothing is read beyond."""
    cost, lengths = np.ones((3, 1, 5), np.float32), (np.ones(3, int), np.array([5, 5, 2]))
    shifted = replacing(r"W0\(a0 \+ b", "W0(a0 + 3 + b")
    unchecked = replacing(r"if \(packed && even", "if (packed")
    solver = cases.emulated(
        dp.topologies.dtw(),
        dp.Softmin(1.0),
        columns=4,
        sanitize=True,
        edit=lambda text: shifted(text) if checked or "void backward" not in text else unchecked(shifted(text)),
    )
    if checked:
        np.testing.assert_array_equal(solver(cost, lengths).marginals[:2], 1.0)
    else:
        with pytest.raises(EmulationError, match="misaligned"):
            solver(cost, lengths).marginals  # noqa: B018


def test_contraction_would_have_changed_the_hard_minimum():
    """The test that a hard minimum is the same on a compiler that contracts can fail."""
    given = cases.inexact()

    def plain(text):
        return re.sub(r"__f(add|mul)_rn\((\S+), (\S+)\)", lambda m: f"{m[2]} {'+*'[m[1] == 'mul']} {m[3]}", text)

    totals = [
        cases.emulated(cases.with_weights(), dp.Tropical, contract=contract, edit=edit)(*given.arguments).total
        for contract, edit in [(False, plain), (True, plain), (True, str)]
    ]
    np.testing.assert_array_equal(totals[0], totals[2])
    if (totals[0] == totals[1]).all():
        pytest.skip("this processor has no fused multiply-add")
