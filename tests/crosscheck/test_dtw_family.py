"""The DTW family beside other libraries, where they compute the same; where one differs, the test says how."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from math import inf
from pathlib import Path

import numpy as np
import pytest

import dpsemiring as dp

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the others

SHAPES = [(1, 1), (1, 5), (4, 4), (7, 5), (6, 9)]
SEMIRINGS = {"hardmin": dp.Tropical, "softmin": dp.Softmin(0.4), "sparsemin": dp.Sparsemin(0.4)}


def solve(topology, cost, semiring=dp.Tropical, **params):
    return dp.compile(topology, semiring, engine="reference")(np.asarray(cost, float), params=params)


def costs(shapes=SHAPES):
    rng = np.random.default_rng(29)
    return [rng.uniform(0.1, 2.0, shape) for shape in shapes]


def sequences(shapes=SHAPES):
    rng = np.random.default_rng(31)
    return [(rng.normal(size=n), rng.normal(size=m)) for n, m in shapes]


def squares(x, y):
    return np.subtract.outer(x, y) ** 2


# dtw-python


def test_dtw_python_still_gives_the_numbers_of_the_file():
    pytest.importorskip("dtw")
    spec = spec_from_file_location("make", Path(__file__).parents[1] / "topologies" / "make_dtw_python.py")
    make = module_from_spec(spec)
    spec.loader.exec_module(make)
    kept = json.loads((Path(make.__file__).parent / "dtw_python.json").read_text())
    for name, pattern in make.patterns():
        found = [make.solved(cost, pattern) for cost in kept["costs"]]
        assert [f and f[1:] for f in found] == [k and k[1:] for k in kept["solved"][name]], name
        np.testing.assert_allclose([f[0] for f in found if f], [k[0] for k in kept["solved"][name] if k], rtol=1e-12)


@pytest.mark.parametrize("name", ["symmetricP1", "asymmetricP05", "typeIIIc", "mori2006", "rj7d"])
def test_dtw_python_counts_the_same_paths(name):
    make = pytest.importorskip("dtw")
    kind = dict(rj7d=lambda: make.rabinerJuangStepPattern(7, "d")).get(name, lambda: getattr(make.stepPattern, name))
    found = make.dtw(np.ones((8, 8)), step_pattern=kind(), keep_internals=True)
    assert make.countPaths(found) == solve(dp.topologies.step_pattern(name), np.ones((8, 8)), dp.Counting).total


def test_dtw_python_minimum_variance_matching():
    peer = pytest.importorskip("dtw")
    for cost in costs([(3, 9), (4, 7), (5, 5)]):
        found = peer.dtw(cost, step_pattern=peer.mvmStepPattern(4))
        mine = solve(dp.topologies.mvm(4), cost)
        assert mine.total == pytest.approx(float(found.distance), rel=1e-12)
        assert mine.path[:, 1].tolist() == found.index2.tolist()


def test_dtw_python_open_end_of_asymmetric():
    """Its open begin is another: a row of zeros before the first, from which the steps lead; (1, 2) leaves out a column."""
    peer = pytest.importorskip("dtw")
    steps = dp.topologies.asymmetric().steps
    for cost in costs([(4, 7), (6, 9)]):
        found = peer.dtw(cost, step_pattern="asymmetric", open_end=True)
        assert solve(dp.Topology(steps, dp.Boundary.open_end(1)), cost).total == pytest.approx(float(found.distance), rel=1e-12)
        found = peer.dtw(cost, step_pattern="asymmetric", open_end=True, open_begin=True)
        mine = solve(dp.Topology(steps, dp.Boundary.subsequence(1)), cost)
        assert mine.total == pytest.approx(float(found.distance), rel=1e-12)


# librosa


def librosa_dtw(cost, steps=None, multiply=None, add=None, **options):
    """Accumulated cost and path. For a part of the shorter sequence its path has the columns exchanged: mended here."""
    peer = pytest.importorskip("librosa")
    weights = dict(step_sizes_sigma=np.array(steps), weights_mul=np.array(multiply), weights_add=np.array(add))
    accumulated, path = peer.sequence.dtw(C=cost, **({} if steps is None else weights), **options)
    exchanged = options.get("subseq") and cost.shape[0] > cost.shape[1]
    return accumulated, path[::-1, ::-1] if exchanged else path[::-1]


def test_librosa_default_steps():
    for cost in costs():
        accumulated, path = librosa_dtw(cost)
        mine = solve(dp.topologies.dtw(), cost)
        np.testing.assert_allclose(mine.accumulated_cost, accumulated, rtol=1e-12)
        assert np.array_equal(mine.path, path)


@pytest.mark.parametrize("subsequence", [False, True])
def test_librosa_custom_steps_with_both_kinds_of_weight(subsequence):
    """Each step pays ``mul * cost + add`` on the cell that it enters, a long step nothing between; the start pays 1 * cost."""
    steps = [(1, 1), (1, 2), (2, 1), (1, 0), (1, 3)]
    multiply, add = np.array([1.0, 2.5, 0.5, 1.5, 1.0]), np.array([0.0, 0.3, 0.7, 0.2, 1.1])
    mine = dp.Topology(
        [dp.Step(*s, weight=dp.Param(f"mul{i}"), penalty=dp.Param(f"add{i}")) for i, s in enumerate(steps)],
        dp.Boundary.subsequence(1) if subsequence else dp.Boundary.closed(),
    )
    params = {f"mul{i}": w for i, w in enumerate(multiply)} | {f"add{i}": w for i, w in enumerate(add)}
    for cost in costs([(4, 4), (7, 5), (6, 9), (4, 9)]):
        accumulated, path = librosa_dtw(cost, steps, multiply, add, subseq=subsequence)
        result = solve(mine, cost, **params)
        assert result.total == pytest.approx(accumulated[-1].min() if subsequence else accumulated[-1, -1], rel=1e-12)
        assert np.array_equal(result.path, path)
        taken = np.bincount(result.path_steps[result.path_steps >= 0], minlength=5)
        assert [result.grad(f"add{i}") for i in range(5)] == taken.tolist()


def test_librosa_2_1_and_subsequence():
    for cost in costs([(4, 4), (7, 5), (6, 9)]):
        accumulated, path = librosa_dtw(cost, [(1, 1), (2, 1), (1, 2)], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
        mine = solve(dp.topologies.dtw_21(), cost)
        assert mine.total == pytest.approx(accumulated[-1, -1], rel=1e-12) and np.array_equal(mine.path, path)
        accumulated, path = librosa_dtw(cost, subseq=True)
        mine = solve(dp.topologies.subsequence_dtw(), cost)
        assert mine.total == pytest.approx(accumulated[-1].min(), rel=1e-12) and np.array_equal(mine.path, path)


# tslearn, dtaidistance: root of the total over squared differences


def test_tslearn():
    peer = pytest.importorskip("tslearn.metrics")
    for x, y in sequences():
        cost = squares(x, y)
        mine = solve(dp.topologies.dtw(), cost)
        path, distance = peer.dtw_path(x, y)
        assert mine.total == pytest.approx(distance**2, rel=1e-12) and np.array_equal(mine.path, path)
        path, distance = peer.dtw_subsequence_path(x, y)
        mine = solve(dp.topologies.subsequence_dtw(), cost)
        assert mine.total == pytest.approx(distance**2, rel=1e-12)
        assert np.array_equal(mine.path, path)


def test_tslearn_soft():
    peer = pytest.importorskip("tslearn.metrics")
    for x, y in sequences():
        mine = solve(dp.topologies.dtw(), squares(x, y), dp.Softmin(0.3))
        alignment, total = peer.soft_dtw_alignment(x, y, gamma=0.3)
        assert mine.total == pytest.approx(float(total), rel=1e-9)
        np.testing.assert_allclose(mine.marginals, alignment, atol=1e-9)


def test_dtaidistance():
    """Its penalty is squared, and added for steps to the side; psi relaxes both ends of both sequences."""
    peer = pytest.importorskip("dtaidistance.dtw")
    steps = [dp.Step(1, 1), dp.Step(1, 0, penalty=0.49), dp.Step(0, 1, penalty=0.49)]
    for x, y in sequences():
        cost = squares(x, y)
        assert solve(dp.topologies.dtw(), cost).total == pytest.approx(peer.distance(x, y) ** 2, rel=1e-12)
        assert solve(dp.Topology(steps), cost).total == pytest.approx(peer.distance(x, y, penalty=0.7) ** 2, rel=1e-12)
        free = peer.distance(x, y, psi=(0, 0, len(y), len(y)))
        assert solve(dp.topologies.subsequence_dtw(), cost).total == pytest.approx(free**2, rel=1e-12)


# ddtw


def ddtw(kind, cost, min_function, **options):
    """Total and gradient by a class of ddtw, in float64."""
    torch, peer = pytest.importorskip("torch"), pytest.importorskip("ddtw")
    if kind != "SDTW":
        options["min_function"] = min_function
    C = torch.tensor(cost[None], dtype=torch.float64, requires_grad=True)
    calls = {k: options.pop(k) for k in ("B_start", "B_end") if k in options}
    loss = getattr(peer, kind)(normalization="none", gamma=0.4, backend="torch", dtype_float=torch.float64, **options)(
        C=C, **calls
    )
    loss.backward()
    return float(loss), C.grad[0].numpy()


def agree(mine, found):
    assert mine.total == pytest.approx(found[0], rel=1e-9)
    np.testing.assert_allclose(mine.marginals, found[1], atol=1e-9)


@pytest.mark.parametrize("min_function", SEMIRINGS)
def test_ddtw_weights(min_function):
    for cost in costs():
        found = ddtw("dDTW", cost, min_function, global_step_weights=[1.5, 0.5, 2.0])
        agree(solve(dp.topologies.weighted_dtw(1.5, 0.5, 2.0), cost, SEMIRINGS[min_function]), found)


def without_the_outer_columns(weights):
    """ddtw neither starts in the last row or column nor ends in the first: +inf weights say the same here."""
    before, after = np.array(weights), np.array(weights[::-1])
    before[-1] = after[0] = inf
    return dict(before=before, after=after)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("min_function", SEMIRINGS)
def test_ddtw_subsequence(min_function, axis):
    mine = dp.topologies.subsequence_dtw(axis, dp.Param("before", axes="nm"[axis]), dp.Param("after", axes="nm"[axis]))
    for cost in costs([(4, 4), (7, 5), (6, 9)]):
        for compensate in (False, True):
            found = ddtw("subSDTW", cost, min_function, sub_X=axis == 0, sub_Y=axis == 1, compensate_subseq=compensate)
            weights = without_the_outer_columns(np.arange(float(cost.shape[axis])) * compensate)
            result = solve(mine, cost, SEMIRINGS[min_function], **weights)
            if not compensate:
                agree(result, found)
                continue
            assert result.total == pytest.approx(found[0], rel=1e-9)


@pytest.mark.parametrize("min_function", SEMIRINGS)
def test_ddtw_parts_of_both(min_function):
    """Its default: starts on the first row and the first column, ends on the last; the shared corner counts once."""
    side = dict(no_start=dp.Param("no_start", axes="n"), no_end=dp.Param("no_end", axes="n"))
    across = dict(no_start=dp.Param("no_start_m", axes="m"), no_end=dp.Param("no_end_m", axes="m"))
    boundary = dp.Boundary(
        [dp.Start(0, None, penalty=across["no_start"]), dp.Start(None, 0, penalty=side["no_start"])],
        [dp.End(-1, None, penalty=across["no_end"]), dp.End(None, -1, penalty=side["no_end"])],
    )
    for cost in costs([(4, 4), (7, 5), (6, 9)]):
        n, m = (np.arange(x) for x in cost.shape)
        params = dict(
            no_start=np.where((n > 0) & (n < n[-1]), 0.0, inf), no_start_m=np.where(m < m[-1], 0.0, inf),
            no_end=np.where((n > 0) & (n < n[-1]), 0.0, inf), no_end_m=np.where(m > 0, 0.0, inf),
        )  # fmt: skip
        mine = solve(dp.Topology(dp.topologies.dtw().steps, boundary), cost, SEMIRINGS[min_function], **params)
        agree(mine, ddtw("subSDTW", cost, min_function, compensate_subseq=False))


def test_ddtw_leaves_the_compensation_out_of_the_gradient():
    """The total is right; the weights of starts and ends are missing in its gradient, as differences of its total show."""
    (cost,) = costs([(4, 5)])
    options = dict(min_function="softmin", sub_X=False, compensate_subseq=True)
    _, gradient = ddtw("subSDTW", cost, **options)
    mine = dp.topologies.subsequence_dtw(1, dp.Param("before", axes="m"), dp.Param("after", axes="m"))
    marginals = solve(mine, cost, dp.Softmin(0.4), **without_the_outer_columns(np.arange(5.0))).marginals
    differences = np.zeros_like(cost)
    for cell in np.ndindex(cost.shape):
        more, less = cost.copy(), cost.copy()
        more[cell] += 1e-5
        less[cell] -= 1e-5
        differences[cell] = (ddtw("subSDTW", more, **options)[0] - ddtw("subSDTW", less, **options)[0]) / 2e-5
    np.testing.assert_allclose(marginals, differences, atol=1e-8)
    assert np.abs(gradient - differences).max() > 0.01


def test_ddtw_misses_a_part_that_lies_in_the_last_column():
    cost = np.ones((3, 4))
    cost[:, 3] = 0.0
    assert solve(dp.topologies.subsequence_dtw(), cost).total == 0.0
    assert ddtw("subSDTW", cost, "hardmin", sub_X=False, compensate_subseq=False)[0] == 1.0


@pytest.mark.parametrize("min_function", SEMIRINGS)
def test_ddtw_partial_matching(min_function):
    for cost in costs([(1, 1), (3, 4), (5, 4)]):
        agree(
            solve(dp.topologies.partial_matching(), cost - 1.0, SEMIRINGS[min_function]),
            ddtw("partial_matching", cost - 1.0, min_function),
        )


def test_ddtw_gives_a_gradient_where_there_is_no_path():
    cost = np.ones((3, 4))
    total, gradient = ddtw("dDTW", cost, "softmin", step_sizes=[[1, 1]], global_step_weights=[1.0])
    assert total == inf and np.abs(gradient).sum() > 0.0
    mine = solve(dp.topologies.rigid(), cost, dp.Softmin(0.4))
    assert mine.total == inf and not mine.marginals.any()


@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
def test_soft_dtw(gamma):
    """The reference implementation of Blondel; it has to be compiled where it is installed."""
    peer = pytest.importorskip("sdtw")
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(gamma), engine="reference")
    for shape in ((6, 6), (5, 9), (1, 4)):
        cost = np.random.default_rng(shape).random(shape)
        theirs, mine = peer.SoftDTW(cost, gamma=gamma), solver(cost)
        assert mine.total == pytest.approx(theirs.compute(), rel=1e-12)
        np.testing.assert_allclose(mine.marginals, theirs.grad(), atol=1e-12)
