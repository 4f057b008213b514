"""Arrays of a device in, arrays of that device out, the same numbers, and nothing looked at on the way.

Every test runs on the stand-in, and on CuPy where there is a GPU.
"""

import cuda_cases as cases
import numpy as np
import pytest
from gpus import missing_gpu

import dpsemiring as dp
from dpsemiring.run.gpu import cupy_device
from dpsemiring.testing.emulation.arrays import FUNCTIONS, HostLook
from dpsemiring.testing.emulation.device import EmulatedDevice
from dpsemiring.testing.problems import HAVE_DERIVATIVE, as_float, roles

F32, F64 = np.float32, np.float64
# (topology, semiring, kind of number): those whose texts tests/cuda builds too
CASES = [
    ("dtw", "tropical", F32),
    ("dtw", "softmin", F64),
    ("weighted", "softmin", F32),
    ("two_states", "softmin", F32),
    ("rows", "softmin", F64),
    ("rows", "tropical", F32),
    ("ctc", "softmin", F64),
    ("subsequence1", "sparsemin", F32),
]


def derivatives(result, topology, semiring):
    """All that is differentiable, by name, as it comes."""
    if not semiring.derivative:
        return {}
    marginals = result.marginals if isinstance(result.marginals, dict) else {"cost": result.marginals}
    found = {f"marginals {name}": value for name, value in marginals.items()} | {"occupancy": result.occupancy}
    named = roles(topology, semiring).items()
    return found | {f"grad {name}": result.grad(name) for name, role in named if role in HAVE_DERIVATIVE}


def alike(found, wanted, real):
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        cases.compare({name: value}, {name: np.asarray(wanted[name])}, real, exact=False)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}-{c[2].__name__}")
def test_agrees_with_the_reference_without_a_look(bench, case):
    topology, semiring, real = cases.TOPOLOGIES[case[0]](), cases.SEMIRINGS[case[1]], case[2]
    given = cases.problem(topology, semiring, real, "holes")
    solver, call = bench.solver(topology, semiring), (bench.to(given.cost), given.lengths, bench.to(given.params))

    def everything(result):
        found = derivatives(result, topology, semiring)
        return result, dict(result.outputs) | found | {"accumulated_cost": result.accumulated_cost}

    result, found = bench.unseen(lambda: everything(solver(*call)))
    wanted, wanted_all = everything(cases.reference(topology, semiring)(*as_float(given, F64).arguments))
    alike(bench.back(found), wanted_all, real)
    if semiring.trace.selects:
        for b, path in enumerate(result.path):
            np.testing.assert_array_equal(bench.back(path), wanted.path[b])
            np.testing.assert_array_equal(bench.back(result.path_steps[b]), wanted.path_steps[b])
            assert list(result.path_states[b]) == list(wanted.path_states[b])


def test_a_second_call_brings_nothing_over(emulated):
    bench = emulated
    topology, semiring = cases.rows(), cases.SEMIRINGS["softmin"]
    given = cases.problem(topology, semiring, F64)
    cost, params = bench.to(given.cost), bench.to(given.params)
    solver = bench.solver(topology, semiring)

    def call():
        return derivatives(solver(cost, given.lengths, params), topology, semiring)

    call()
    before = bench.device.brought
    call()
    assert bench.device.brought == before and bench.device.looked == 0


def test_one_item_without_a_batch_axis(bench):
    topology, semiring = dp.topologies.dtw(), cases.SEMIRINGS["softmin"]
    cost = np.random.default_rng(0).random((6, 7))
    result = bench.solver(topology, semiring)(bench.to(cost), None, {"gamma": 0.5})
    wanted = cases.reference(topology, semiring)(cost, None, {"gamma": 0.5})
    assert result.total.shape == () and result.lengths == (6, 7)
    alike(bench.back(derivatives(result, topology, semiring)), derivatives(wanted, topology, semiring), F64)


def test_second_derivatives(bench):
    topology, semiring = cases.two_states(), cases.SEMIRINGS["softmin"]
    given, rng = cases.problem(topology, semiring, F64, seed=2), np.random.default_rng(5)
    direction = np.where(np.isnan(given.cost), 0.0, rng.standard_normal(given.cost.shape))
    moving = {"along_m": rng.standard_normal(given.params["along_m"].shape), "gamma": rng.standard_normal(len(given.cost))}
    result = bench.solver(topology, semiring)(bench.to(given.cost), given.lengths, bench.to(given.params))
    direction_there, moving_there = bench.to(direction), bench.to(moving)

    def second():
        along = result.along(direction_there, moving_there)
        return {"total": along.total} | derivatives(along, topology, semiring)

    found = bench.unseen(second)
    wanted = cases.reference(topology, semiring)(*given.arguments).along(direction, moving)
    alike(bench.back(found), {"total": wanted.total} | derivatives(wanted, topology, semiring), F64)


@pytest.mark.parametrize("named", [False, True])
def test_a_window(bench, named):
    radius = dp.Param("radius") if named else 3
    topology = dp.Topology(dp.topologies.dtw().steps, window=dp.Window.sakoe_chiba(radius))
    given = cases.problem(dp.topologies.dtw(), dp.Softmin(0.5), F64)
    lengths = (given.lengths[0], given.lengths[0])
    cost = np.random.default_rng(1).random((len(given.cost), max(lengths[0]), max(lengths[0])))
    params = {"radius": 3.0} if named else None
    result = bench.solver(topology, dp.Softmin(0.5))(bench.to(cost), tuple(map(bench.to, lengths)), params)
    wanted = cases.reference(topology, dp.Softmin(0.5))(cost, lengths, params)
    np.testing.assert_allclose(bench.back(result.total), wanted.total)
    np.testing.assert_allclose(bench.back(result.marginals), wanted.marginals, atol=1e-12)


def test_lengths_on_the_device_are_looked_at_once(emulated):
    bench = emulated
    cost = bench.to(np.ones((2, 4, 5)))
    lengths = bench.to(np.array([3, 4])), bench.to(np.array([5, 2]))
    result = bench.solver(dp.topologies.dtw(), dp.Tropical)(cost, lengths)
    result.marginals  # noqa: B018
    assert bench.device.looked == 2
    np.testing.assert_array_equal(bench.back(result.total), [5.0, 4.0])


# --- sources ----------------------------------------------------------------------------------------


def sources(rng):
    """Sources on arrays that `a` brings to their place."""
    x, y = rng.random((3, 6, 2)), rng.random((3, 5, 2))
    scores, labels = np.log(rng.dirichlet(np.ones(4), (3, 6))).astype(F32), rng.integers(0, 4, (3, 5))
    table, rows = rng.random((4, 4)), rng.integers(0, 4, (3, 6))
    p, soft = rng.uniform(0.1, 0.9, (3, 6, 2)), rng.dirichlet(np.ones(4), (3, 5))
    return {
        "sqeuclidean": lambda a: dp.costs.sqeuclidean(a(x), a(y)),
        "cosine": lambda a: 2.0 * dp.costs.cosine(a(x), a(y)) + 0.0 * dp.costs.sqeuclidean(a(x), a(y)),
        "gather": lambda a: -dp.costs.gather(a(scores), a(labels)),
        "lookup": lambda a: dp.costs.lookup(a(table), a(rows), a(labels)),
        "nll": lambda a: dp.costs.nll(a(scores), a(soft)),
        "bce": lambda a: dp.costs.bce(a(p), a(y)),
    }


def with_gradients(result):
    return result, {name: result.grad(name) for name in result._problem.sources["cost"].names}


@pytest.mark.parametrize("kind", ["sqeuclidean", "cosine", "gather", "lookup", "nll", "bce"])
def test_sources(bench, kind):
    rng = np.random.default_rng(3)
    make = sources(rng)[kind]
    lengths = np.array([6, 4, 5]), np.array([3, 5, 5])
    kept = {}

    def once(work):
        return lambda array: kept.setdefault((work, array.tobytes()), work(array))

    topology, semiring = dp.topologies.dtw(), dp.Softmin(0.5)
    source, solver = make(once(bench.to)), bench.solver(topology, semiring)
    found, flows = bench.unseen(lambda: with_gradients(solver(source, lengths)))
    wanted = cases.reference(topology, semiring)(make(once(np.asarray)), lengths)
    np.testing.assert_allclose(bench.back(found.total), wanted.total, rtol=1e-5)
    for name, flow in flows.items():
        np.testing.assert_allclose(bench.back(flow), wanted.grad(name), atol=1e-5)


# --- data that is refused, or spoils its item ---------------------------------------------------------


def spoilt(rng, batch=4):
    cost = rng.random((batch, 5, 6))
    cost[1, 2, 3] = np.nan
    cost[2, 0, 0] = -np.inf
    cost[3] = np.inf
    return cost


def test_nan_and_a_refused_infinity_spoil_their_item_alone(bench):
    cost = spoilt(np.random.default_rng(0))
    topology = dp.Topology([*dp.topologies.dtw().steps[:2], dp.Step(1, 1, penalty=dp.Param("p"))])
    solver = bench.solver(topology, dp.Softmin(0.5))
    there, ones = bench.to(cost), bench.to(np.ones_like(cost))

    def everything():
        result = solver(there, None, {"p": 0.25})
        along = result.along(ones)
        return result, derivatives(result, topology, dp.Softmin(0.5)), (along.total, along.marginals)

    result, found, moved = bench.unseen(everything)
    wanted = cases.reference(topology, dp.Softmin(0.5))(cost[[0, 3]], None, {"p": 0.25})
    np.testing.assert_array_equal(np.isnan(bench.back(result.total)), [False, True, True, False])
    np.testing.assert_allclose(bench.back(result.total)[[0, 3]], wanted.total)
    np.testing.assert_allclose(bench.back(result.marginals)[[0, 3]], wanted.marginals, atol=1e-12)
    assert np.isnan(bench.back(result.marginals)[1:3]).all() and np.isnan(bench.back(result.occupancy)[1:3]).all()
    assert np.isnan(bench.back(found["grad p"]))
    assert all(np.isnan(bench.back(m)[1:3]).all() and not np.isnan(bench.back(m)[[0, 3]]).any() for m in moved)


def test_with_check_it_is_refused(bench):
    cost = spoilt(np.random.default_rng(0))
    solver = bench.solver(dp.topologies.dtw(), dp.Softmin(0.5))
    with pytest.raises(ValueError, match="plane 'cost' holds -inf in item 2"):
        solver(bench.to(cost), check=True)
    with pytest.raises(ValueError, match="plane 'cost' holds -inf in item 2"):
        solver(cost)  # NumPy's arrays come back to the host in any case
    labels = np.array([[0, 1, 7]])
    gathered = dp.costs.gather(bench.to(np.zeros((1, 4, 3))), bench.to(labels))
    with pytest.raises(ValueError, match="label 7 of item 0 at column 2 is outside"):
        solver(gathered, check=True)
    assert np.isnan(bench.back(solver(gathered).total)).all()
    p = np.full((2, 4, 1), 0.5)
    p[1, 2, 0] = 1.5
    crossed = dp.costs.bce(bench.to(p), bench.to(np.ones((2, 4, 1))))
    with pytest.raises(ValueError, match=r"x holds 1\.5 in item 1 at row 2, feature 0"):
        solver(crossed, check=True)
    np.testing.assert_array_equal(np.isnan(bench.back(solver(crossed).total)), [False, True])


def test_a_temperature_on_the_device(bench):
    cost, gamma = np.random.default_rng(0).random((3, 5, 5)), np.array([0.5, -1.0, 2.0])
    semiring = dp.Softmin(dp.Param("gamma", axes="b"))
    solver = bench.solver(dp.topologies.dtw(), semiring)
    result = solver(bench.to(cost), None, {"gamma": bench.to(gamma)})
    total, slope = bench.back(result.total), bench.back(result.grad("gamma"))
    wanted = cases.reference(dp.topologies.dtw(), semiring)(cost[::2], None, {"gamma": gamma[::2]})
    np.testing.assert_array_equal(np.isnan(total), [False, True, False])
    np.testing.assert_allclose(total[::2], wanted.total)
    np.testing.assert_allclose(slope[::2], wanted.grad("gamma"))
    with pytest.raises(ValueError, match="must be finite and > 0, found -1"):
        solver(bench.to(cost), None, {"gamma": bench.to(gamma)}, check=True)


def test_beyond_the_exponents_an_item_is_nan_and_with_check_it_is_computed(bench):
    cost = np.random.default_rng(0).random((2, 5, 5)).astype(F32)
    cost[1] *= F32(1e12)
    solver = bench.solver(dp.topologies.dtw(), dp.Softmin(0.01))
    assert solver.engine.recurrence.semiring is not solver.semiring  # a form whose exponents are bounded
    found = bench.back(solver(bench.to(cost)).total)
    wanted = cases.reference(dp.topologies.dtw(), dp.Softmin(0.01))(cost.astype(F64)).total
    np.testing.assert_allclose(found, [wanted[0], np.nan], rtol=1e-6)
    np.testing.assert_allclose(bench.back(solver(bench.to(cost), check=True).total), wanted, rtol=1e-6)


def test_an_empty_batch(bench):
    result = bench.solver(dp.topologies.dtw(), dp.Softmin(0.5))(bench.to(np.zeros((0, 3, 4))))
    assert bench.back(result.total).shape == (0,) and bench.back(result.marginals).shape == (0, 3, 4)
    assert bench.back(result.occupancy).shape == (0, 3, 4)


# --- which engine -------------------------------------------------------------------------------------


def test_arrays_choose_their_engine(bench):
    """By default NumPy's go to the CPU and a device's to it; NumPy's come back from a device as NumPy's."""
    cost = np.random.default_rng(0).random((2, 4, 5))
    solver = dp.compile(dp.topologies.dtw(), dp.Tropical)
    on_cpu, on_device = solver(cost), solver(bench.to(cost))
    assert isinstance(on_cpu.total, np.ndarray)
    np.testing.assert_allclose(bench.back(on_device.total), on_cpu.total)
    np.testing.assert_allclose(bench.back(on_device.marginals), on_cpu.marginals)
    there = bench.solver(dp.topologies.dtw(), dp.Tropical)(cost)
    assert all(isinstance(x, np.ndarray) for x in (there.total, there.marginals, there.occupancy, there.path[0]))
    np.testing.assert_allclose(there.marginals, on_cpu.marginals)
    assert isinstance(there.along(cost).total, np.ndarray)
    assert f"CUDA on {bench.device.name}" in str(bench.solver(dp.topologies.dtw(), dp.Tropical))


def test_paths_of_walks(bench):
    cost = np.random.default_rng(0).random((2, 4, 5))
    several = bench.solver(dp.topologies.dtw(), dp.KBest(2))(bench.to(cost))
    wanted = cases.reference(dp.topologies.dtw(), dp.KBest(2))(cost)
    for own, others in zip(several.paths, wanted.paths):
        assert [bench.back(p.cells).tolist() for p in own] == [p.cells.tolist() for p in others]
    drawn = bench.solver(dp.topologies.dtw(), dp.Softmin(0.5))(bench.to(cost)).sample(3, seed=1)
    expected = cases.reference(dp.topologies.dtw(), dp.Softmin(0.5))(cost).sample(3, seed=1)
    assert [bench.back(p.cells).tolist() for p in drawn[1]] == [p.cells.tolist() for p in expected[1]]


def test_frames_that_begin_anywhere(bench):
    """Kernels read them by vectors, of which theirs is no multiple."""
    rng = np.random.default_rng(3)
    room, y = rng.random(1 + 2 * 5 * 4), rng.random((2, 6, 4))
    x = bench.to(room)[1:].reshape(2, 5, 4)
    assert not bench.device.aligned(x)
    solver = bench.solver(dp.topologies.dtw(), dp.Softmin(0.5))
    found = solver(dp.costs.sqeuclidean(x, bench.to(y)))
    wanted = cases.reference(dp.topologies.dtw(), dp.Softmin(0.5))(dp.costs.sqeuclidean(room[1:].reshape(2, 5, 4), y))
    np.testing.assert_allclose(bench.back(found.total), wanted.total)
    np.testing.assert_allclose(bench.back(found.grad("x")), wanted.grad("x"), atol=1e-12)


def test_pairs(bench):
    rng = np.random.default_rng(2)
    series = [rng.random((length, 3)) for length in (5, 9, 7)]
    how = {"topology": dp.topologies.dtw(), "semiring": dp.Softmin(0.5)}
    found = dp.pairwise([bench.to(s) for s in series], **how)
    np.testing.assert_allclose(bench.back(found), dp.pairwise(series, **how, engine="reference"))
    with pytest.raises(ValueError, match="leave it out"):
        dp.pairwise([bench.to(s) for s in series], **how, parallel=map)


def test_mixed_arrays_are_refused_with_both_names(emulated):
    bench = emulated
    cost, weight = np.ones((2, 3, 3)), dp.Param("w", axes="m")
    solver = bench.solver(dp.Topology([dp.Step(1, 1, weight=weight), dp.Step(1, 0), dp.Step(0, 1)]), dp.Softmin(0.5))
    with pytest.raises(TypeError, match=r"params\['w'\] is a NumPy array where emulated arrays are expected; use one library"):
        solver(bench.to(cost), None, {"w": np.ones(3)})
    with pytest.raises(TypeError, match=r"plane 'cost' is a NumPy array where emulated arrays are expected"):
        solver(cost, None, {"w": bench.to(np.ones(3))})
    other = EmulatedDevice().array(np.ones(3))
    with pytest.raises(TypeError, match=r"params\['w'\] is a DeviceArray on EmulatedDevice.* where emulated arrays are expected"):
        solver(bench.to(cost), None, {"w": other})
    with pytest.raises(TypeError, match="engine='cpu' takes NumPy arrays, found emulated arrays"):
        dp.compile(dp.topologies.dtw(), dp.Softmin(0.5), engine="cpu")(bench.to(cost))
    with pytest.raises(TypeError, match="the direction of plane 'cost' is a NumPy array where emulated arrays"):
        solver(bench.to(cost), None, {"w": bench.to(np.ones(3))}).along(cost)


# --- the stand-in -------------------------------------------------------------------------------------


def test_the_stand_in_refuses_every_look(emulated):
    array = emulated.to(np.arange(3.0))
    for look in (bool, float, int, list, np.asarray, np.any, lambda a: a.item(), lambda a: a.tobytes(), lambda a: a[a > 1]):
        with pytest.raises(HostLook):
            look(array)
    with pytest.raises(HostLook):
        array + np.ones(3)


def test_cupy_has_what_the_stand_in_allows():
    """The functions and keywords that the library uses on the arrays of a device are those of CuPy."""
    cupy = pytest.importorskip("cupy")
    import inspect

    for name, keywords in FUNCTIONS.items():
        assert keywords <= set(inspect.signature(getattr(cupy, name)).parameters), name


def test_without_a_gpu_the_hint(monkeypatch):
    """Asking for the GPU where there is no CuPy, or no device, says what to install."""
    monkeypatch.setattr(cupy_device, "cupy", None)
    with pytest.raises(ImportError, match=r"pip install dpsemiring\[gpu-cuda12\], or \[gpu-cuda13\]"):
        dp.compile(dp.topologies.dtw(), dp.Tropical, engine="gpu")


@pytest.mark.skipif(missing_gpu() is None, reason="there is a GPU")
def test_without_a_device_the_hint():
    pytest.importorskip("cupy")
    with pytest.raises(RuntimeError, match=r"CuPy finds no CUDA device.*gpu-cuda12"):
        dp.compile(dp.topologies.dtw(), dp.Tropical, engine="gpu")
