"""The CUDA text has no race and no stray access; and each fault planted in it is found."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import cuda_cases as cases
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing.emulation import CompilationError, EmulationError

Step, Start, End, Param = dp.Step, dp.Start, dp.End, dp.Param
pytestmark = pytest.mark.emulation

CLEAN = [("weighted", "mantissa_exponent"), ("rows", "softmin"), ("two_states", "tropical")]
BARRIER = "__syncthreads();"


@pytest.mark.parametrize("topology, semiring", CLEAN)
@pytest.mark.parametrize("mode", ["races", "sanitize"])
def test_clean(topology, semiring, mode):
    options = {"together": True, "threads": 64, "grid": 2, mode: True}
    cases.check(cases.TOPOLOGIES[topology](), cases.SEMIRINGS[semiring], np.float32, **options)


def states_and_ends_everywhere():
    """Time-synchronous, and each cell is an end twice: threads read what others have computed."""
    steps = [Step(1, m, source=a, target=b) for m, a, b in [(0, "a", "a"), (1, "a", "b"), (0, "b", "b")]]
    return dp.Topology(steps, dp.Boundary([Start(state="a")], [End(None, None)]), states=("a", "b"))


def test_every_barrier_is_needed():
    """Whichever is left out, two threads meet in memory: in a sweep, between strips, between items, in a sum."""
    topologies = [dp.topologies.weighted_dtw(Param("down"), Param("across"), 2.0), states_and_ends_everywhere()]
    options = {"together": True, "height": 4, "threads": 64, "grid": 2, "races": True}

    def raced(left_out):
        def edit(text):
            parts = text.split(BARRIER)
            assert len(parts) == 11
            return "".join(part + BARRIER * (i != left_out) for i, part in enumerate(parts[:-1])) + parts[-1]

        for t in topologies:
            try:
                solver = cases.emulated(t, dp.Tropical, edit=edit, **options)
                cases.everything(solver, cases.problem(t, dp.Tropical, np.float64, 4))
            except EmulationError as error:
                return "data race" in str(error)
        return False

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        assert list(pool.map(raced, range(11))) == [True] * 10 + [False]  # at last none is left out


def replacing(old, new, count=-1):
    def edit(text):
        assert re.search(old, text), f"the text to change is gone: {old}"
        return re.sub(old, new, text, count=max(count, 0))

    return edit


FAULTS = {
    "a sign in the adjoint": ("dtw", "softmin", replacing(r"(void retreat\([\s\S]*?) = -t", r"\1 = t", 1)),
    "a dropped flow": ("dtw", "softmin", replacing(r"E0_0 \+= G0_1_0_0.*", "")),
    "a dropped step": ("dtw", "tropical", replacing(r"S0.get\(z, l, m - 1, 0, INF\)", "INF")),
    "a weight of the wrong column": ("weighted", "softmin", replacing(r"W(\d).read\(n, m, 0.0\)", r"W\1.read(n, m - 1, 0.0)")),
    "the rows of a border in the wrong order": ("long_steps", "tropical", replacing(r"HALO \+ l", "-1 - l")),
    "the border of another strip": ("dtw", "softmin", replacing(r"\(1 - own\)", "own")),
    "a border above the first strip": ("dtw", "softmin", replacing(r"if \(n < 0 \|\| n >= length\)", "if (n >= length)")),
    "a border that is not left": ("dtw", "counting", replacing(r"left >= 0", "left > 0")),
    "flows from beyond the last column": ("long_steps", "softmin", replacing(r" && m < cols", "")),
    "a start in the second row": ("subsequence1", "tropical", replacing(r"n == 0", "n == 1")),
    "an end in the strip after": ("subsequence0", "softmin", replacing(r"n\[middle\] < row", "n[middle] <= row")),
    "seeds that are not cleared": ("anywhere", "softmin", replacing(r"seeds\[i\] = 0;", ";")),
    "an end counted once of twice": ("rows", "softmin", replacing(r"f < stop && ends.in_one_cell\(e, f\)", "f == e")),
    "a column added to twice": ("weighted", "softmin", replacing(r"\[m\] \+= (t\d+);", r"[m] += 2 * \1;")),
    "a read outside of the plane": ("several_terms", "softmin", replacing(r"return has\(n, m\) \?", "return true ?")),
    "a step of the wrong length": ("long_steps", "tropical", replacing(r"ARC_DN\[k\]\[taken\]", "1")),
    "a path that loses its state": ("two_states", "tropical", replacing(r"k = ARC_SOURCE\[k\]\[taken\]", "k = 0")),
}


@pytest.fixture(scope="module")
def check(request):
    def run(fault):
        topology, semiring, edit = FAULTS[fault]
        options = {"together": True, "threads": 64, "grid": 2, "edit": edit}
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


@pytest.mark.parametrize("old, new", [(r"warp < blockDim.x / 32", "warp < 1"), (r"int lanes = 16", "int lanes = 8")])
def test_a_part_left_out_of_a_sum(old, new):
    """On as many columns as fill the warps."""
    t, s = cases.rows(), cases.SEMIRINGS["softmin"]
    given = dp.testing.random_problem(np.random.default_rng(0), t, s, (4, 70), batch=2)
    with pytest.raises(AssertionError):
        cases.agree(cases.emulated(t, s, threads=64, together=True, edit=replacing(old, new)), given, np.float64)


@pytest.mark.parametrize("old, new", [(r"strip\[z.at\(l, m, k, STATES\)\] = value", "strip[z.at(l, m + 99, k, STATES)] = value"),
                                      (r"visited_b \+ 4 \* count\+\+", "visited_b + 4 * (99 + count++)")])  # fmt: skip
def test_a_write_outside_of_an_array_is_found(old, new):
    solver = cases.emulated(dp.topologies.dtw(), dp.Tropical, sanitize=True, together=True, edit=replacing(old, new))
    with pytest.raises(EmulationError, match=r"of argument \d+|overflow"):
        assert solver(np.ones((3, 4))).path is None


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
