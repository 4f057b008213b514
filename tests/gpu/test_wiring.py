"""The file that speaks to CuPy, with a library in CuPy's place that has just what it calls: its kernels run in the emulation."""

import weakref
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.api import fronts
from dpsemiring.run.gpu import cupy_device
from dpsemiring.testing.emulation import Emulated
from dpsemiring.testing.emulation.arrays import DeviceArray

pytestmark = pytest.mark.emulation


class NoCuPy:
    """What of CuPy is called. `calls` tells in which order what mattered was done."""

    ndarray = DeviceArray

    def __init__(self):
        self.calls: list = []
        self.capturing = False
        this, place = self, SimpleNamespace(id=0, attributes={"MultiProcessorCount": 2})
        self.place = place

        @contextmanager
        def device(number=0):
            assert number == 0
            yield place

        class Device:
            id, attributes = 0, place.attributes

            def __init__(self, number=0):
                self.scope = device(number)

            def __enter__(self):
                return self.scope.__enter__()

            def __exit__(self, *error):
                return self.scope.__exit__(*error)

            def synchronize(self):
                this.calls.append("wait for the device")

        class Stream:
            ptr = 7

            def __init__(self, non_blocking=False):
                pass

            def __enter__(self):
                this.calls.append("aside")

            def __exit__(self, *_):
                pass

            def synchronize(self):
                this.calls.append("wait for the copy")

            def is_capturing(self):
                return this.capturing

            @classmethod
            def from_external(cls, stream):
                this.calls.append(f"on stream {stream.cuda_stream}")
                return cls()

        self.cuda = SimpleNamespace(
            Device=Device,
            Stream=Stream,
            MemoryPool=lambda: SimpleNamespace(malloc=None),
            get_current_stream=Stream,
            using_allocator=lambda malloc: this.calls.append(malloc) or nullcontext(),
            PythonFunctionAllocator=lambda malloc, free: SimpleNamespace(malloc=(malloc, free)),
            runtime=SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=RuntimeError),
        )

    def _array(self, array):
        return DeviceArray(np.array(array), self.place)

    def asarray(self, array):
        self.calls.append("over")
        return self._array(array)

    def asnumpy(self, array):
        return array._array.copy()

    def zeros(self, shape, dtype):
        return self._array(np.zeros(shape, dtype))

    def full(self, shape, value, dtype):
        return self._array(np.full(shape, value, dtype))

    def empty(self, shape, dtype):
        return self._array(np.zeros(shape, dtype))

    def RawModule(self, code, options):
        emulated = Emulated(code, optimize=False)
        assert options == ("--std=c++17",)

        def function(name):
            def launch(grid, block, arguments):
                self.calls.append(name)
                assert all(isinstance(a, (DeviceArray, np.generic)) for a in arguments)
                bare = (a._array if isinstance(a, DeviceArray) else None if isinstance(a, np.uintp) else a for a in arguments)
                emulated.launch(name, grid, block, *bare)

            return launch

        return SimpleNamespace(get_function=function)


@pytest.fixture
def no_cupy(monkeypatch):
    library = NoCuPy()
    monkeypatch.setattr(cupy_device, "cupy", library)
    for known in (cupy_device._known, cupy_device._module, cupy_device._kernel):
        known.cache_clear()
    monkeypatch.setitem(fronts._ready, "cupy", None)
    fronts.register("cupy", DeviceArray, cupy_device.device_of)
    yield library
    for known in (cupy_device._known, cupy_device._module, cupy_device._kernel):
        known.cache_clear()


def test_arrays_go_to_their_device_and_constants_once(no_cupy):
    cost = np.random.default_rng(0).random((2, 4, 5)).astype(np.float32)
    wanted = dp.compile(dp.topologies.dtw(), dp.Tropical, engine="reference")(cost)
    solver, there = dp.compile(dp.topologies.dtw(), dp.Tropical), no_cupy._array(cost)

    def call():
        result = solver(there)
        return result.total, result.marginals

    total, marginals = call()
    np.testing.assert_allclose(no_cupy.asnumpy(total), wanted.total)
    np.testing.assert_allclose(no_cupy.asnumpy(marginals), wanted.marginals)
    assert no_cupy.calls.count("over") == no_cupy.calls.count("wait for the copy") > 0
    no_cupy.calls.clear()
    call()
    assert no_cupy.calls == ["forward", "judge", "total", "flows", "backward"]


def test_numpy_there_and_back(no_cupy):
    cost = np.random.default_rng(0).random((2, 4, 5)).astype(np.float32)
    result = dp.compile(dp.topologies.dtw(), dp.Tropical, engine="gpu")(cost)
    assert isinstance(result.total, np.ndarray) and isinstance(result.path[0], np.ndarray)
    np.testing.assert_allclose(result.marginals, dp.compile(dp.topologies.dtw(), dp.Tropical, engine="reference")(cost).marginals)


def test_what_a_capture_has_read_is_never_let_go(no_cupy, monkeypatch):
    monkeypatch.setattr(cupy_device, "MOST_CONSTANTS", 64)
    device = cupy_device.device()
    first = device.constant(np.arange(4))
    assert device.constant(np.arange(4)) is first and device.constant(np.arange(4.0)) is not first
    no_cupy.capturing = True
    assert device.constant(np.arange(4)) is first
    no_cupy.capturing = False
    for k in range(4):
        device.constant(np.full(8, k))
    assert "wait for the device" in no_cupy.calls  # before constants are let go
    assert device.constant(np.arange(4)) is first and len(device._constants._known) == 1


def test_a_constant_outlives_the_next_ones(no_cupy, monkeypatch):
    """It is let go one round later: until then its memory is no other's, whatever kernel may read it."""
    monkeypatch.setattr(cupy_device, "MOST_CONSTANTS", 100)
    device = cupy_device.device()
    held = weakref.ref(device.constant(np.arange(4)))
    for k in range(2):
        device.constant(np.full(8, k))  # 64 bytes
    assert len(device._constants._known) == 1 and held() is not None
    device.constant(np.full(8, 2))
    assert held() is None


def test_beside_another_library(no_cupy):
    """On its stream, out of its memory: sizes and pointers as CuPy hands them to functions in Python."""
    taken, left = [], []
    stream = SimpleNamespace(__cuda_stream__=None, cuda_stream=7, device_index=0)
    with cupy_device.beside(stream, lambda *size: taken.append(size) or 96, left.append):
        (malloc, free) = next(call for call in no_cupy.calls if isinstance(call, tuple))
        assert malloc(16, 0) == 96 and malloc(0, 0) == 0
        free(96, 0)
        free(0, 0)
    assert taken == [(16, 0, 7)] and left == [96] and "on stream 7" in no_cupy.calls and "aside" in no_cupy.calls


def test_arguments_are_of_just_the_declared_kind():
    passed = cupy_device._passed
    assert type(passed("i64", 3)) is np.int64 and type(passed("double", 3)) is np.float64 and passed("const F*", None) == 0
