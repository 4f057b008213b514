"""Memory of large results is used again, and never while somebody can see it."""

import gc
import threading

import numpy as np

import dpsemiring as dp
from dpsemiring.run.cpu import memory
from dpsemiring.run.cpu.memory import unfilled


def test_memory_comes_back_when_the_last_view_is_gone(monkeypatch):
    monkeypatch.setattr(memory, "_idle", [])
    first = unfilled((600, 1000), np.float32)
    place, corner = first.ctypes.data, first[1:, 3:]
    del first
    gc.collect()
    second = unfilled((600, 1000), np.float32)
    assert second.ctypes.data != place, "a view still shows it"
    del corner
    gc.collect()
    third = unfilled((300, 1000), np.float64)
    assert third.ctypes.data == place
    assert third.flags.writeable and third.flags.c_contiguous


def test_small_arrays_are_plain_ones():
    assert unfilled((10, 10), np.float32).base is None


def test_no_more_is_kept_than_is_said(monkeypatch):
    monkeypatch.setattr(memory, "_idle", [])
    monkeypatch.setattr(memory, "MOST_KEPT", 3 << 20)
    arrays = [unfilled((1 << 20,), np.uint8) for _ in range(5)]
    del arrays
    gc.collect()
    assert sum(b.nbytes for b in memory._idle) == 3 << 20


def test_results_stay_as_they_are_while_others_come_and_go():
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))
    rng = np.random.default_rng(0)
    costs = [rng.random((520, 530), dtype=np.float32) for _ in range(4)]
    expected = [solver(c).marginals.copy() for c in costs]
    found: dict = {}

    def work(i):
        for _ in range(5):
            found[i] = solver(costs[i]).marginals

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(4):
        np.testing.assert_array_equal(found[i], expected[i])


def test_padding_holds_zeros_though_memory_is_used_again():
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))
    cost = np.random.default_rng(1).random((3, 400, 300), dtype=np.float32)
    for _ in range(3):
        result = solver(cost, ([400, 120, 31], [300, 77, 290]))
        for array in (result.marginals, result.occupancy):
            assert not array[1, 120:].any() and not array[1, :, 77:].any() and not array[2, 31:].any()
            array[:] = np.nan
        del result, array


def test_a_thread_keeps_the_arena_that_its_kernels_want(monkeypatch):
    monkeypatch.setattr(memory, "_of_thread", threading.local())
    monkeypatch.setattr(memory, "MOST_ARENA", 4096)
    found = []

    def kernel(arena, used, wanted):
        found.append((arena.size, arena.ctypes.data % 64))
        used[0] = wanted

    for wanted in (1024, 512, 4096, 4160, 0):
        memory.in_arena(kernel, wanted)
    assert [size for size, _ in found] == [0, 1024, 1024, 4096, 4096], "it grows, up to what may be kept"
    assert all(place == 0 for size, place in found if size)
    other = threading.Thread(target=memory.in_arena, args=(kernel, 64))
    other.start()
    other.join()
    assert found[-1][0] == 0, "another thread has its own"
