"""How a problem is cut on a GPU: by predicted time, and by memory, which is told from shapes and is what is asked for."""

import cuda_cases as cases
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.lower.build import build
from dpsemiring.lower.forms import compiled_form, over
from dpsemiring.run.gpu.choice import NEARLY, choose, options
from dpsemiring.run.gpu.memory import beside
from dpsemiring.testing.emulation.device import EmulatedDevice
from dpsemiring.testing.emulation.engine import EmulatedEngine

SOFT = over(build(dp.topologies.dtw(), dp.Softmin(1.0)), compiled_form(dp.Softmin(1.0)))
SIZES = [
    (256, 512, 512),
    (2048, 512, 512),
    (32, 1024, 1024),
    (1, 10_000, 10_000),
    (64, 128, 128),
    (0, 3, 4),
    (2, 0, 4),
    (1, 1, 1),
]


class Large(EmulatedDevice):
    """One with as many multiprocessors as an H100, which takes as many blocks as they have room for."""

    processors = 132

    def blocks(self, wanted):
        return max(1, min(wanted, 4 * self.processors))


def chosen(size, memory=None, recurrence=SOFT, **cut):
    return choose(recurrence, np.dtype(np.float32), size, Large(), 128, options(recurrence, **cut), memory=memory)


class Counting(EmulatedDevice):
    """One that remembers how many bytes it was asked for."""

    asked = 0

    def _counted(self, array):
        self.asked += array.nbytes
        return array

    def zeros(self, shape, dtype=float):
        return self._counted(super().zeros(shape, dtype))

    def full(self, shape, value, dtype=None):  # empty arrays are made by it
        return self._counted(super().full(shape, value, dtype))


class Told(EmulatedEngine):
    """One that remembers how many bytes each launch asked for."""

    def _launch(self, job, *args, **more):
        before = self.device.asked
        super()._launch(job, *args, **more)
        self.made = {**getattr(self, "made", {}), job: self.device.asked - before}


@pytest.mark.emulation
@pytest.mark.parametrize("topology", ["dtw", "two_states", "rows"])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_what_is_predicted_is_asked_for(topology, real):
    """What the forward pass leaves, and what the backward pass takes beside the gradient."""
    solver = dp.compile(cases.TOPOLOGIES[topology](), cases.SEMIRINGS["mantissa_exponent"])
    engine = solver.engine = Told(solver.recurrence, Counting(), columns=2, span=16, chunk=8, grid=2)
    given = cases.problem(solver.topology, solver.semiring, real)
    result = solver(*given.arguments)
    left, gradient = sum(array.nbytes for array in result._run.kept.arrays.values()), result.marginals.nbytes
    (items, rows, cols), (x0, x1) = given.cost.shape, solver.topology.extra
    choice = engine.choice_for(result._run.problem)
    assert choice.memory == beside(engine.recurrence, np.dtype(real), choice.schedule, (items, rows + x0, cols + x1), 2)
    assert left + engine.made["backward"] == choice.memory + gradient


@pytest.mark.emulation
def test_rings_of_costs_that_sweeps_make_are_told():
    """Beside the gradients of the frames, which are as large as these. On the way forward a ring has room for a chunk alone."""
    solver = cases.reference(dp.topologies.dtw(), dp.Softmin(0.3))
    engine = solver.engine = Told(solver.recurrence, Counting(), span=128, chunk=32, grid=2, needed=True)
    x, y = np.ones((2, 40, 4)), np.ones((2, 32, 4))
    result = solver(dp.costs.sqeuclidean(x, y))
    result.grad("x")
    left, gradients = sum(array.nbytes for array in result._run.kept.arrays.values()), x.nbytes + y.nbytes
    assert left + engine.made["backward"] == engine.choice_for(result._run.problem).memory + gradients
    assert engine.made["forward"] < left + 2 * 64 * 128 * x.itemsize + 64


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [1, 4, 8, 16, 64, np.inf])
def test_memory_is_kept_to_where_that_can_be(size, share):
    limit = int(4 * np.prod(size) / share)
    choice = chosen(size, limit)
    least = min(chosen(size, limit, columns=c, span=s).memory for c in (1, 2, 4) for s in (32, 64, 128, 256, 512))
    assert choice.memory <= max(limit, least)
    assert choice.blocks >= 1


@pytest.mark.parametrize("size", SIZES)
def test_memory_decides_between_times_that_are_nearly_the_same(size):
    quickest, choice = chosen(size, 1 << 60), chosen(size)
    assert choice.cycles <= NEARLY * quickest.cycles
    assert choice.memory <= max(quickest.memory, 4 * np.prod(size) // 8)


@pytest.mark.parametrize("size, most", list(zip(SIZES, (0.27, 0.125, 0.19, 0.125))))
def test_memory_of_soft_dtw_is_small_beside_its_costs(size, most):
    assert chosen(size).memory <= most * 4 * np.prod(size)


def test_what_is_asked_for_is_not_chosen():
    only = options(SOFT, 2, 24, 8)
    assert [(s.columns, s.height, s.chunk) for s in only] == [(2, 24, 8)]
    assert {s.height for s in options(SOFT, chunk=12)} == {36, 72, 132, 264, 516}, "spans are whole chunks"
    assert choose(SOFT, np.dtype(np.float32), (256, 512, 512), Large(), 128, only, grid=7).blocks == 7


@pytest.mark.emulation
def test_less_memory_changes_no_result(emulated):
    """The kernels are others, and fewer warps go back."""
    cost = np.random.default_rng(0).random((5, 70, 300))
    there = emulated.to(cost)
    options = {"columns": 2, "span": None, "chunk": 32}
    plenty, little = (emulated.solver(dp.topologies.dtw(), dp.Tropical, memory=m, **options) for m in (None, 0))
    found = [solver(there) for solver in (plenty, little)]
    cuts = [result._engine.choice_for(result._run.problem) for result in found]
    assert cuts[1].memory < cuts[0].memory and cuts[1].blocks == 1 < cuts[0].blocks
    np.testing.assert_array_equal(emulated.back(found[0].marginals), emulated.back(found[1].marginals))
    for a, b in zip(found[0].path, found[1].path):
        np.testing.assert_array_equal(emulated.back(a), emulated.back(b))


def test_a_solver_hands_its_memory_on(emulated):
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0), memory=12345)
    engine = solver.on(emulated.device)
    assert [e.memory for e in (engine, engine.another(solver.recurrence), solver.plain(engine), solver.dual(engine))] == [
        12345
    ] * 4
