"""Windows: which cells exist, on every engine, and that the others cost nothing."""

import cuda_cases as cases
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dpsemiring as dp
from dpsemiring.run.windows import row_ranges
from dpsemiring.testing import count_paths, random_problem, recursive_gradients, strategies
from dpsemiring.testing.lattice import unroll

Step, Term, Param, Window = dp.Step, dp.Term, dp.Param, dp.Window

RANGES = Window.ranges(Param("lo", axes="bn"), Param("hi", axes="bn"))
SOFTMIN = dp.Softmin(0.7)


def two_one():
    """Terms that read other rows, a step over three of them, starts and ends along a line."""
    half = Step(2, 1, terms=[Term(at=(-1, 0), weight=0.5), Term()])
    return dp.Topology(
        [Step(1, 1), Step(1, 2), half, Step(3, 0, penalty=Param("p", axes="m"))], dp.Boundary.subsequence(1), RANGES
    )


def local_gaps():
    """Three states, a lattice longer than the cost."""
    gaps = dp.topologies.affine_gap(0.75, 0.25)
    boundary = dp.Boundary(dp.Start(None, 0, terms=(), state="match"), dp.End(-1, None))
    return dp.Topology(gaps.steps, boundary, RANGES, gaps.states, gaps.extra)


WINDOWED = {
    "dtw": lambda: dp.topologies.dtw().replace(window=RANGES),
    "two_one": two_one,
    "ctc": lambda: dp.topologies.ctc().replace(window=RANGES),
    "local_gaps": local_gaps,
}


def wandering(topology, rng, n, m, width):
    """Data for three items, with ranges that wander about the diagonal; NaN in every cost that no cell reads."""
    x0, x1 = topology.extra
    rows, cols = n + x0, m + x1
    lengths = np.array([n, n - 3, n // 2]), np.array([m, m, m - 2])
    lo, hi = np.zeros((2, 3, rows), int)
    for b, (last, stop) in enumerate(zip(lengths[0] + x0, lengths[1] + x1)):
        centre = np.linspace(0, stop - 1, last).round().astype(int)
        lo[b, :last], hi[b, :last] = centre - rng.integers(0, width, last), centre + rng.integers(1, width + 1, last)
        lo[b, 1:last] = np.minimum(lo[b, 1:last], hi[b, : last - 1] - 1)
    cost = rng.random((3, n, m))
    reach = 1 + max(abs(a) for t in topology.terms() for a in t.at)
    for b in range(3):
        read = np.zeros((rows + reach, cols + reach), bool)
        for i in range(rows):
            for dn in range(reach):
                read[max(0, i - dn), max(0, lo[b, i] - reach) : max(0, hi[b, i])] = True
        cost[b][~read[:n, :m]] = np.nan
    params = {"lo": lo, "hi": hi, "p": rng.random(cols), "labels": rng.integers(0, 3, (3, m))}
    return dp.testing.problems.Problem(cost, lengths, {p.name: params[p.name] for p in topology.params()})


@pytest.mark.parametrize("n, m, width", [(70, 35, 12), (100, 9, 5), (80, 39, 30)])
@pytest.mark.parametrize(
    "name, semiring", [("dtw", SOFTMIN), ("two_one", dp.Tropical), ("ctc", dp.Tropical), ("local_gaps", SOFTMIN)]
)
def test_the_cpu_engine_agrees_with_the_reference(name, semiring, n, m, width):
    topology = WINDOWED[name]()
    given = wandering(topology, np.random.default_rng(n), n, m, width)
    wanted = cases.everything(cases.reference(topology, semiring), given)
    assert np.isfinite(wanted["output total"]).all()
    cases.compare(cases.everything(dp.compile(topology, semiring), given), wanted, np.float64, exact=False)


@pytest.mark.emulation
@pytest.mark.parametrize(
    "name, semiring, m", [("dtw", SOFTMIN, 72), ("two_one", dp.Tropical, 72), ("ctc", SOFTMIN, 40), ("local_gaps", SOFTMIN, 72)]
)
def test_the_cuda_text_agrees_with_the_reference(name, semiring, m):
    """Some of what a panel passes by has nothing of the window."""
    topology = WINDOWED[name]()
    given = wandering(topology, np.random.default_rng(2), 80, m, 9)
    wanted = cases.everything(cases.reference(topology, semiring), given)
    assert np.isfinite(wanted["output total"]).all()
    waiting = {"columns": 1, "span": 16, "chunk": 8, "threads": 96, "grid": 1, "order": "descending"}
    for options in ({**cases.SMALL, "sanitize": True}, waiting):
        solver = cases.emulated(topology, semiring, together=True, **options)
        cases.compare(cases.everything(solver, given), wanted, np.float64, exact=False)


BAND = Window.sakoe_chiba(3)
STAIR = Window.ranges(np.where(np.arange(71) < 48, 0, 30), np.where(np.arange(71) < 36, 32, 71))  # a panel is 32 wide


@pytest.mark.emulation
@pytest.mark.parametrize("name, chunk, window", [("dtw", 1, BAND), ("dtw", 4, STAIR), ("long_steps", 4, STAIR)])
def test_a_window_goes_from_panel_to_panel(name, chunk, window):
    """It enters one and leaves one at the edges of chunks that have nothing of it."""
    topology = cases.TOPOLOGIES[name]().replace(window=window)
    lengths = np.array([70, 71, 64, 66]), np.array([70, 66, 65, 71])
    rng = np.random.default_rng(0)
    params = {param.name: rng.random((1, 71) if param.axes == "bm" else 71) for param in topology.params()}
    given = dp.testing.problems.Problem(rng.random((4, 71, 71)), lengths, params)
    wanted = cases.everything(cases.reference(topology, SOFTMIN), given)
    solver = cases.emulated(topology, SOFTMIN, together=True, columns=1, span=8, chunk=chunk)
    cases.compare(cases.everything(solver, given), wanted, np.float64, exact=False)


# --- which cells ------------------------------------------------------------------------------------


SHAPES = [(1, 1), (1, 4), (4, 1), (5, 5), (7, 4), (4, 7), (6, 11), (11, 6)]
BANDS = [Window.sakoe_chiba(r) for r in (0, 0.5, 1, 1.5, 2.25, 100)]
WINDOWS = BANDS + [Window.itakura(s) for s in (1, 1.25, 2, 3.5)] + [Window.ranges(-1, 3), Window.ranges(2, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_row_has_the_columns_of_the_definition(window, shape):
    lo, hi = row_ranges(window, np.array([shape[0]]), np.array([shape[1]]), shape[0] + 2, {})
    found = {(n, m) for n in range(shape[0] + 2) for m in range(lo[0, n], hi[0, n])}
    topology = dp.Topology([Step(1, 0), Step(0, 1)], window=window)
    assert found == {node[:2] for node in unroll(topology, np.zeros(shape)).nodes}


def test_sequences_of_columns_are_one_for_each_row():
    topology = dp.topologies.dtw().replace(window=Window.ranges(np.array([0, 0, 1]), (2, 3, 3)))
    result = dp.compile(topology, dp.Counting, engine="reference")(np.zeros((3, 3)))
    assert result.accumulated_cost.tolist() == [[1, 1, 0], [1, 3, 4], [0, 4, 11]]
    with pytest.raises(ValueError, match="lo has 3 rows, the lattice 4"):
        dp.compile(topology, dp.Counting, engine="reference")(np.zeros((4, 3)))


@pytest.mark.parametrize("window", [Window.sakoe_chiba(1.5), Window.itakura(2)], ids=str)
@pytest.mark.parametrize("semiring", [SOFTMIN, dp.Sparsemin(0.7), dp.Tropical, dp.Counting], ids=str)
def test_global_equals_recursive_in_a_window(window, semiring):
    topology = dp.topologies.dtw().replace(window=window)
    rng = np.random.default_rng(4)
    for shape in ((5, 5), (4, 5), (3, 4)):
        cost = rng.random(shape)
        total = dp.compile(topology, semiring, engine="reference")(cost).total
        assert np.isclose(total, dp.testing.recursive_total(topology, semiring, cost), rtol=1e-12)
        if semiring.has("associative"):
            assert np.isclose(total, dp.testing.global_total(topology, semiring, cost), rtol=1e-12)


def test_a_window_is_a_cost_of_infinity_outside():
    rng = np.random.default_rng(5)
    cost = rng.random((40, 70))
    n, m = np.indices(cost.shape)
    outside = np.abs(m - n * 69 / 39) > 6
    inside = dp.compile(dp.topologies.dtw().replace(window=Window.sakoe_chiba(6)), SOFTMIN)(cost)
    walled = dp.compile(dp.topologies.dtw(), SOFTMIN)(np.where(outside, np.inf, cost))
    assert np.isclose(inside.total, walled.total, rtol=1e-12)
    np.testing.assert_allclose(inside.marginals, walled.marginals, atol=1e-12)
    assert not inside.marginals[outside].any() and np.isinf(inside.accumulated_cost[outside]).all()


def test_each_item_has_the_window_of_its_own_lengths():
    topology = dp.topologies.dtw().replace(window=Window.sakoe_chiba(Param("radius", axes="b")))
    solver = dp.compile(topology, SOFTMIN)
    rng = np.random.default_rng(6)
    cost, n, m, radius = rng.random((3, 50, 45)), np.array([50, 37, 20]), np.array([30, 45, 41]), np.array([3, 4.5, 40])
    batch = solver(cost, (n, m), {"radius": radius})
    for b in range(3):
        one = solver(cost[b, : n[b], : m[b]], params={"radius": radius[b : b + 1]})
        assert one.total == batch.total[b]
        np.testing.assert_array_equal(one.marginals, batch.marginals[b, : n[b], : m[b]])


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), semiring=st.sampled_from([SOFTMIN, dp.Tropical, dp.Counting, dp.Sparsemin(0.7)]))
def test_random_topologies_in_random_windows(data, semiring):
    """The solver gives the witness's number, or says that there is no path when there is none."""
    topology = data.draw(strategies.topologies(max_states=2, max_steps=4))
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    topology = topology.replace(window=data.draw(strategies.windows(shape[0] + topology.extra[0])))
    problem = random_problem(np.random.default_rng(data.draw(st.integers(0, 99))), topology, semiring, shape, "holes")
    try:
        result = dp.compile(topology, semiring, engine="reference")(*problem.arguments)
    except ValueError as error:
        assert "excludes every path" in str(error)
        assert count_paths(topology, *problem.arguments, forbid=semiring.forbid) == 0
        return
    assert np.isclose(result.total, dp.testing.recursive_total(topology, semiring, *problem.arguments), rtol=1e-10)
    if semiring.derivative:
        wanted = recursive_gradients(topology, semiring, *problem.arguments)
        np.testing.assert_allclose(result.occupancy, wanted.occupancy, atol=1e-10)


# --- what it costs ----------------------------------------------------------------------------------


def test_borders_are_as_wide_as_the_window():
    topology = dp.topologies.dtw().replace(window=Window.sakoe_chiba(Param("radius")))
    solver = dp.compile(topology, SOFTMIN)
    result = solver(np.zeros((400, 400)), params={"radius": 5})
    kept = result._run.kept
    border, exponents = kept.whole.borders
    height = kept.tiling.height
    assert border.shape == exponents.shape == (1, -(-400 // height) + 1, 1, 1, height - 1 + 11)


@pytest.mark.parametrize("slope", [1.0, 1.1, 1.2, 4 / 3, 1.7, 3.0])
def test_an_itakura_window_keeps_both_corners_and_is_symmetric(slope):
    for rows in range(2, 30):
        for cols in range(2, 30):
            lo, hi = row_ranges(Window.itakura(slope), np.array([rows]), np.array([cols]), rows, {})
            assert lo[0, 0] == 0 < hi[0, 0] and lo[0, -1] < hi[0, -1] == cols, (rows, cols)
            if (lo < hi).all():
                assert np.array_equal(lo[0], cols - hi[0, ::-1])


# --- what is refused --------------------------------------------------------------------------------


def test_a_window_that_excludes_every_path_is_refused():
    topology = dp.Topology([Step(1, 1), Step(0, 1)]).replace(window=Window.sakoe_chiba(0.5))
    solver = dp.compile(topology, dp.Tropical, engine="reference")
    with pytest.raises(ValueError, match=r"excludes every path of item 0, of 4 rows and 9 columns; widen it"):
        solver(np.zeros((4, 9)))
    assert solver(np.full((4, 4), np.inf)).total == np.inf  # the costs exclude it, not the window
    assert solver(np.zeros((9, 4))).total == np.inf  # the steps do


def test_values_of_a_window_are_checked():
    band = dp.topologies.dtw().replace(window=Window.sakoe_chiba(Param("radius")))
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"params\['radius'\] is the window's radius, finite and >= 0"):
            dp.compile(band, SOFTMIN, engine="reference")(np.zeros((3, 3)), params={"radius": bad})
    topology = dp.topologies.dtw().replace(window=RANGES)
    with pytest.raises(TypeError, match=r"params\['lo'\] gives a window's columns: whole numbers are expected, found float64"):
        dp.compile(topology, SOFTMIN, engine="reference")(np.zeros((3, 3)), params={"lo": np.zeros((1, 3)), "hi": [[3, 3, 3]]})
    result = dp.compile(band, SOFTMIN, engine="reference")(np.zeros((3, 3)), params={"radius": 2})
    with pytest.raises(ValueError, match="'radius' is a mask, a label or a window's"):
        result.grad("radius")


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Window.sakoe_chiba(-1), ValueError, "radius is >= 0, found -1"),
        (lambda: Window.sakoe_chiba("5"), TypeError, "radius is a number or a Param, found str"),
        (lambda: Window.sakoe_chiba(Param("r", axes="n")), ValueError, "one number for each item"),
        (lambda: Window.itakura(0.5), ValueError, "max_slope is finite and >= 1, found 0.5"),
        (lambda: Window.ranges([0, 0], [1, 2, 3]), ValueError, "lo has 2 rows and hi 3"),
        (lambda: Window.ranges(0, 2.5), TypeError, "hi is a whole number, a sequence with one for each row, or a dp.Param"),
        (lambda: Window.ranges(Param("lo", axes="nm"), 3), ValueError, "'n' or 'bn' and no shape are expected"),
        (lambda: dp.Topology([Step(1, 1)], window=5), TypeError, r"window is a dp.Window, as in .*, found int: 5"),
    ],
)
def test_declarations_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_it_is_printed():
    topology = dp.topologies.dtw().replace(window=Window.sakoe_chiba(3))
    assert str(topology).endswith("window: |m - n (cols-1)/(rows-1)| <= 3")
    assert "|m - n (cols-1)/(rows-1)| <= 3" in str(dp.compile(topology, dp.Tropical))
