"""A GPU by way of CuPy. The one file that imports it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from threading import RLock
from typing import Any

import numpy as np

from dpsemiring.run.gpu.device import Device

try:
    import cupy
except ImportError:
    cupy = None

OPTIONS = ("--std=c++17",)
BLOCKS_EACH = 4  # CUDA blocks for each multiprocessor: more wait in line without need, and each has scratch of its own
MOST_CONSTANTS = 1 << 26  # bytes of constants that are kept

_KINDS = {"i64": np.int64, "int": np.int32, "float": np.float32, "double": np.float64}


def _need_cupy() -> None:
    if cupy is None:
        raise ImportError(
            "a GPU is reached by way of CuPy, which is not installed: pip install dpsemiring[gpu-cuda12], or [gpu-cuda13], "
            "whichever CUDA version nvidia-smi shows"
        )


def device_of(array) -> CupyDevice:
    """The device of a CuPy array."""
    return _known(array.device.id)


def device(number: int | None = None) -> CupyDevice:
    """A device by its number; by default the current one.

    Raises
    ------
    ImportError
        Without CuPy.
    RuntimeError
        If there is none.
    """
    _need_cupy()
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        count, why = 0, f" ({error})"
    else:
        why = ""
    if not count:
        raise RuntimeError(
            f"CuPy finds no CUDA device{why}; where there is one, install what fits its driver: pip install "
            "dpsemiring[gpu-cuda12], or [gpu-cuda13], whichever CUDA version nvidia-smi shows"
        )
    return _known(cupy.cuda.Device().id if number is None else number)


@cache
def _known(number: int) -> CupyDevice:
    return CupyDevice(number)


class CupyDevice(Device):
    """One GPU. Arrays come from CuPy's current allocator, and kernels run on its current stream."""

    def __init__(self, number: int):
        self.number = number
        self.name = f"CuPy (device {number})"
        self.processors = cupy.cuda.Device(number).attributes["MultiProcessorCount"]
        self._constants = _Constants(number)

    def owns(self, value) -> bool:
        return isinstance(value, cupy.ndarray) and value.device.id == self.number

    def empty(self, shape, dtype) -> Any:
        with cupy.cuda.Device(self.number):
            return cupy.empty(shape, dtype)

    def zeros(self, shape, dtype=float) -> Any:
        with cupy.cuda.Device(self.number):
            return cupy.zeros(shape, dtype)

    def full(self, shape, value, dtype=None) -> Any:
        with cupy.cuda.Device(self.number):
            return cupy.full(shape, value, dtype)

    def array(self, array: np.ndarray) -> Any:
        with cupy.cuda.Device(self.number):
            return cupy.asarray(array)

    def constant(self, array: np.ndarray) -> Any:
        return self._constants.of(np.asarray(array))

    def host(self, array) -> np.ndarray:
        return cupy.asnumpy(array)

    def aligned(self, array) -> bool:
        return array.data.ptr % 16 == 0

    def blocks(self, wanted: int) -> int:
        return max(1, min(wanted, BLOCKS_EACH * self.processors))

    def launch(self, text: str, kernel: str, grid: int, threads: int, types: Sequence[str], values: Sequence[Any]) -> None:
        with cupy.cuda.Device(self.number):
            _kernel(text, kernel, self.number)((grid,), (threads,), tuple(map(_passed, types, values)))


@lru_cache(maxsize=4096)
def _module(text: str):
    """The text, compiled when a kernel of it is first launched; CuPy keeps the result on disk."""
    return cupy.RawModule(code=text, options=OPTIONS)


@lru_cache(maxsize=4096)
def _kernel(text: str, name: str, _: int):
    """A kernel of a text, on a device."""
    return _module(text).get_function(name)


def _passed(kind: str, value):
    """An argument as a launch takes it: of just the declared kind."""
    if kind.endswith("*"):
        return np.uintp(0) if value is None else value
    return _KINDS[kind](value)


class _Constants:
    """Small host arrays on a device, by what they hold: those that come by again need no copy.

    They are brought over on a stream of their own, which alone is waited for: a constant can be read on every stream, and a
    CUDA graph can be captured once the same call has run before. One that was read in a capture is never let go.
    """

    def __init__(self, number: int):
        self._number, self._lock, self._bytes = number, RLock(), 0
        self._known: OrderedDict[tuple, Any] = OrderedDict()
        self._captured: dict[tuple, Any] = {}
        self._aside: list[Any] = []
        with cupy.cuda.Device(number):
            self._stream = cupy.cuda.Stream(non_blocking=True)
            self._pool = cupy.cuda.MemoryPool()

    def of(self, array: np.ndarray):
        key = array.dtype.char, array.shape, array.tobytes()
        with self._lock, cupy.cuda.Device(self._number):
            found = self._captured.get(key)
            if found is None and (found := self._known.get(key)) is None:
                found = self._known[key] = self._brought(array)
                self._bytes += array.nbytes
            capturing = cupy.cuda.get_current_stream().is_capturing()
            if capturing:
                self._captured[key] = found
            elif self._bytes > MOST_CONSTANTS:
                self._let_go(key)
            return found

    def _brought(self, array):
        with cupy.cuda.using_allocator(self._pool.malloc), self._stream:
            found = cupy.asarray(np.ascontiguousarray(array))
        self._stream.synchronize()
        return found

    def _let_go(self, but) -> None:
        """Of those that were set aside the last time, once no kernel reads them. All others but one are set aside now: a kernel
        that is not yet launched may have been promised them."""
        cupy.cuda.Device(self._number).synchronize()
        kept, self._aside = self._known[but], list(self._known.values())
        self._known.clear()
        self._known[but], self._bytes = kept, kept.nbytes


@contextmanager
def beside(stream, allocate: Callable[[int, int, int], int], free: Callable[[int], None]):
    """CuPy on the stream and out of the memory of another library, whose stream and allocator these are."""
    _need_cupy()
    current = _stream(stream)

    def taken(size: int, number: int) -> int:
        return allocate(size, number, current.ptr) if size else 0

    def left(pointer: int, _) -> None:
        if pointer:
            free(pointer)

    allocator = cupy.cuda.PythonFunctionAllocator(taken, left)
    with cupy.cuda.Device(stream.device_index), cupy.cuda.using_allocator(allocator.malloc), current:
        yield


def _stream(stream):
    """Another library's stream as CuPy's."""
    if hasattr(cupy.cuda.Stream, "from_external") and hasattr(stream, "__cuda_stream__"):
        return cupy.cuda.Stream.from_external(stream)
    return cupy.cuda.ExternalStream(stream.cuda_stream, stream.device_index)


def view(array):
    """An array of another library, which answers by DLPack, as CuPy's, on the same memory."""
    return cupy.from_dlpack(array)
