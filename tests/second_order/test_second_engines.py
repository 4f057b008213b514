"""`Result.along`: the engines agree, the edges of the domain hold, mistakes are refused by name."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import random_problem, samples
from dpsemiring.testing.emulation.engine import EmulatedEngine

t, Param, Step = dp.topologies, dp.Param, dp.Step
GAMMA = Param("gamma", axes="b")


def everything():
    """Weights of every kind, a mask, an end that pays, a parameter for each item."""
    steps = [
        Step(1, 1, weight=Param("along_m", axes="bm"), penalty=Param("table", axes="b", shape=(2,))[1]),
        Step(1, 0, weight=Param("along_n", axes="n")),
        Step(0, 1, penalty=Param("everywhere", axes="bnm"), where=Param("open", axes="nm")),
    ]
    ends = [dp.End(-1, None, terms=[dp.Term(weight=0.5)], penalty=Param("late"))]
    return dp.Topology(steps, dp.Boundary([dp.Start()], ends))


CASES = {
    "everything": (everything, dp.Softmin(GAMMA)),
    "affine_gap": (lambda: t.affine_gap(deletion="deletion"), dp.Sparsemin(Param("gamma"))),
    "ctc": (t.ctc, samples.mantissa_exponent(GAMMA)),
    "hard": (t.dtw_21, dp.Tropical),
    "fold": (t.dtw, samples.folded_scores()),
}


def drawn(topology, semiring, shape, kind="holes", batch=4, seed=0):
    """A ragged batch and a direction for all that has one."""
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, topology, semiring, shape, kind, batch)
    planes = problem.cost if isinstance(problem.cost, dict) else {"cost": problem.cost}
    reals = dp.compile(topology, semiring, engine="reference").recurrence.sites
    masks = {s.name for s in reals if s.role == "mask"}
    cost = {name: rng.uniform(-1.0, 1.0, plane.shape) for name, plane in planes.items()}
    params = {n: rng.uniform(-1.0, 1.0, np.shape(v)) for n, v in problem.params.items() if n not in masks}
    return planes, problem.lengths, problem.params, cost, params


def found(solver, planes, lengths, params, cost, directions, real=np.float64):
    along = solver({n: a.astype(real) for n, a in planes.items()}, lengths, params).along(cost, directions)
    out = {"total": along.total, "occupancy": along.occupancy} | along.marginals
    return out | {name: along.grad(name) for name in directions}


def agree(mine, wanted, rtol):
    for name, value in wanted.items():
        room = rtol * max(1.0, np.abs(value).max(initial=0.0))
        np.testing.assert_allclose(mine[name], value, rtol=0.0, atol=room, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_the_compiled_engine_agrees_with_the_reference(case):
    topology, semiring = CASES[case][0](), CASES[case][1]
    problem = drawn(topology, semiring, (37, 11))
    wanted = found(dp.compile(topology, semiring, engine="reference"), *problem)
    agree(found(dp.compile(topology, semiring), *problem), wanted, 1e-10)


def test_float32_is_close_to_float64():
    topology, semiring = everything(), dp.Softmin(GAMMA)
    problem, solver = drawn(topology, semiring, (37, 11)), dp.compile(everything(), semiring)
    single = found(solver, *problem, real=np.float32)
    assert single["total"].dtype == single["cost"].dtype == np.float32
    agree(single, found(solver, *problem), 2e-4)


@pytest.mark.emulation
@pytest.mark.parametrize("case", ["everything", "affine_gap", "hard"])
def test_emulated_cuda_agrees_with_the_reference(case):
    topology, semiring = CASES[case][0](), CASES[case][1]
    problem = drawn(topology, semiring, (9, 7))
    solver = dp.compile(topology, semiring, engine="reference")
    wanted = found(solver, *problem)
    solver.engine = EmulatedEngine(solver.recurrence, columns=1, span=8, together=True, chunk=4)
    agree(found(solver, *problem), wanted, 1e-10)


# --- the edges of the domain ------------------------------------------------------------------------

DTW = dp.compile(t.dtw(), dp.Softmin(0.5), engine="reference")
LEARNT = dp.compile(t.weighted_dtw(Param("w", axes="m"), 1.0, 1.0), dp.Softmin(GAMMA), engine="reference")


SOFT = [dp.Softmin(0.5), dp.Smoothmin(0.5), dp.Log, samples.mantissa_exponent(0.5)]


@pytest.mark.parametrize(
    "semiring, engine", [*((s, "reference") for s in SOFT), *((s, "cpu") for s in SOFT if s is not dp.Log)], ids=str
)
def test_without_a_path_nothing_moves(semiring, engine):
    cost = np.random.default_rng(0).random((2, 4, 4))
    cost[1, 2] = semiring.forbid
    cost[0, 1, 2] = semiring.forbid
    along = dp.compile(t.dtw(), semiring, engine=engine)(cost).along(np.ones_like(cost))
    assert along.total[0] > 0.0 and along.total[1] == 0.0
    assert (along.marginals[1] == 0.0).all() and (along.occupancy[1] == 0.0).all()
    assert along.marginals[0, 1, 2] == 0.0 and np.isfinite(along.marginals[0]).all() and along.marginals[0].any()


def test_a_mean_without_a_path_does_not_move():
    along = dp.compile(t.dtw(), samples.expected_cost(), engine="reference")([[np.inf, 1.0], [1.0, np.inf]]).along(
        np.ones((2, 2))
    )
    assert along.total == 0.0 and (along.marginals == 0.0).all()


def test_a_nan_stays_in_its_item_and_padding_is_not_read():
    cost, v = np.ones((3, 3, 3)), np.ones((3, 3, 3))
    v[1, 0, 1] = np.nan
    v[2, 2, 2] = np.nan
    cost[2, 2, 2] = np.nan
    v[2, 0, 2] = np.inf
    along = DTW(cost, lengths=([3, 3, 2], [3, 3, 2])).along(v)
    assert np.isnan(along.total[1]) and np.isnan(along.marginals[1]).all()
    assert np.isfinite(along.total[[0, 2]]).all() and np.isfinite(along.marginals[[0, 2]]).all()


def test_a_nan_in_a_param_that_all_share_is_in_every_item():
    result = LEARNT(np.ones((2, 3, 3)), None, {"w": np.ones(3), "gamma": np.ones(2)})
    assert np.isnan(result.along(params={"w": [0.0, np.nan, 0.0]}).total).all()
    assert np.isnan(result.along(params={"gamma": [0.0, np.nan]}).total).tolist() == [False, True]


def test_shapes():
    cost = np.random.default_rng(0).random((3, 4))
    one = DTW(cost).along(np.ones((3, 4)))
    assert one.total.shape == () and one.marginals.shape == one.occupancy.shape == (3, 4)
    named = DTW({"cost": cost}).along({"cost": np.ones((3, 4))})
    assert list(named.marginals) == ["cost"] and named.total == one.total
    nothing = DTW(cost).along()
    assert nothing.total == 0.0 and not nothing.marginals.any()
    empty = DTW(np.zeros((0, 3, 3))).along(np.zeros((0, 3, 3)))
    assert empty.total.shape == (0,) and empty.marginals.shape == (0, 3, 3)
    result = LEARNT(np.stack([cost, cost]), None, {"w": np.ones(4), "gamma": np.ones(2)})
    along = result.along(params={"w": np.ones(4)})
    assert along.grad("w").shape == (4,) and along.grad("gamma").shape == (2,)


def test_directions_add_up():
    """The derivative is linear in its direction, costs and Params together."""
    rng = np.random.default_rng(1)
    result = LEARNT(rng.random((2, 3, 3)), None, {"w": np.ones(3), "gamma": np.ones(2)})
    v, w, gamma = rng.standard_normal((2, 3, 3)), rng.standard_normal(3), rng.standard_normal(2)
    parts = result.along(v), result.along(params={"w": w}), result.along(params={"gamma": gamma})
    whole = result.along(v, {"w": w, "gamma": gamma})
    for get in (lambda a: a.total, lambda a: a.marginals, lambda a: a.grad("w"), lambda a: a.grad("gamma")):
        np.testing.assert_allclose(get(whole), sum(map(get, parts)), rtol=1e-12, atol=1e-13)


def test_of_a_cost_source_the_direction_is_that_of_its_array():
    rng = np.random.default_rng(2)
    x, y, v = rng.random((4, 2)), rng.random((3, 2)), rng.standard_normal((4, 3))
    source = dp.costs.sqeuclidean(x, y)
    array = ((x[:, None] - y) ** 2).sum(axis=2)
    np.testing.assert_allclose(DTW(source).along(v).marginals, DTW(array).along(v).marginals, rtol=1e-9)


def test_the_dual_engine_is_made_once_for_an_engine():
    solver = dp.compile(t.dtw(), dp.Softmin(0.5), engine="reference")
    first = solver.dual()
    assert solver.dual() is first and type(first) is type(solver.engine)
    solver.engine = solver.engine.another(solver.recurrence)
    assert solver.dual() is not first


# --- refusals ---------------------------------------------------------------------------------------


def test_mistakes_are_refused_by_name():
    result = DTW(np.ones((2, 2)))
    for direction, text in [
        (np.ones((2, 3)), r"shape \(2, 3\); that of the cost is \(2, 2\)"),
        ({"other": np.ones((2, 2))}, "unknown plane 'other'"),
        ([[0.0, np.inf], [0.0, 0.0]], r"plane 'cost' holds \+inf in item 0"),
        ([[0.0, -np.inf], [0.0, 0.0]], r"plane 'cost' holds -inf in item 0"),
    ]:
        with pytest.raises(ValueError, match=text):
            result.along(direction)
    with pytest.raises(KeyError, match="no parameter is named 'gamma'"):
        result.along().grad("gamma")
    with pytest.raises(TypeError, match="along: the semiring Counting is discrete"):
        dp.compile(t.dtw(), dp.Counting, engine="reference")(np.ones((2, 2))).along()
    planes = {"cost": np.ones((2, 2)), "deletion": np.ones((3, 3))}
    gaps = dp.compile(t.affine_gap(1.0, 0.5, deletion="deletion"), dp.Softmin(1.0), engine="reference")(planes)
    with pytest.raises(ValueError, match="pass a dict"):
        gaps.along(np.ones((2, 2)))


def test_params_that_cannot_move_are_refused_by_name():
    ctc = dp.compile(t.ctc(), dp.Softmin(1.0), engine="reference")(np.ones((4, 3)), None, {"labels": np.array([0, 1, 0])})
    with pytest.raises(ValueError, match="'labels' is a mask, a label or a window's"):
        ctc.along(params={"labels": np.ones(3)})
    banded = t.dtw().replace(window=dp.Window.sakoe_chiba(Param("radius")))
    result = dp.compile(banded, dp.Softmin(1.0), engine="reference")(np.ones((3, 3)), None, {"radius": 2.0})
    with pytest.raises(ValueError, match="'radius' is a mask, a label or a window's"):
        result.along(params={"radius": 1.0})
    result = LEARNT(np.ones((1, 3, 3)), None, {"w": np.ones(3), "gamma": np.ones(1)})
    for direction, text in [
        ({"v": 1.0}, "no parameter is named 'v'; there are w, gamma"),
        ({"w": np.ones(2)}, r"'w' has the shape \(2,\); that of its value is \(3,\)"),
        ({"w": [0.0, np.inf, 0.0]}, "'w' holds an infinity"),
        ({"gamma": [np.inf]}, "'gamma' holds an infinity"),
    ]:
        with pytest.raises(ValueError, match=text):
            result.along(params=direction)
    single = LEARNT(np.ones((1, 3, 3), np.float32), None, {"w": np.ones(3), "gamma": np.ones(1)})
    with pytest.raises(ValueError, match="'w' holds an infinity of float32"):
        single.along(params={"w": [0.0, 1e300, 0.0]})
    with pytest.raises(TypeError, match="real numbers"):
        result.along(params={"w": np.array(["a", "b", "c"])})
