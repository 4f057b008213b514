"""A device that is not there: arrays that cannot be looked at, and kernels that run in the emulation."""

from __future__ import annotations

import functools

import numpy as np

from dpsemiring.run.gpu.device import Device
from dpsemiring.testing.emulation.arrays import DeviceArray
from dpsemiring.testing.emulation.emulator import Emulated, Order

_build = functools.lru_cache(maxsize=None)(Emulated)


class EmulatedDevice(Device):
    """A device of which the arrays are `DeviceArray` and the threads are emulated. Slow; for tests.

    Args:
        order, seed: which thread goes on where several can; see ``Emulated.launch``.
        sanitize, races, contract: see ``Emulated``.

    Attributes:
        brought: how many host arrays have been copied to the device.
        looked: how many arrays have been copied back.

    Notes:
        Whatever a kernel is not told to read holds NaN: scratch, borders, and what it must write itself.
    """

    name = "emulated"
    processors = 1

    def __init__(
        self,
        *,
        order: Order = "ascending",
        seed: int = 0,
        sanitize: bool = False,
        races: bool = False,
        contract: bool = False,
    ) -> None:
        self._order, self._seed = order, seed
        self._mode = {"sanitize": sanitize, "races": races, "contract": contract, "optimize": contract}
        self._constants: dict[tuple, DeviceArray] = {}
        self.brought = self.looked = 0

    def __repr__(self) -> str:
        return f"EmulatedDevice({hex(id(self))})"

    def owns(self, value) -> bool:
        return isinstance(value, DeviceArray) and value.device is self

    def empty(self, shape, dtype) -> DeviceArray:
        dtype = np.dtype(dtype)
        poison = {"f": np.nan, "b": True}.get(dtype.kind)
        return self.full(shape, np.iinfo(dtype).max // 3 if poison is None else poison, dtype)

    def zeros(self, shape, dtype=float) -> DeviceArray:
        return DeviceArray(np.zeros(shape, dtype), self)

    def full(self, shape, value, dtype=None) -> DeviceArray:
        return DeviceArray(np.full(shape, value, dtype), self)

    def array(self, array: np.ndarray) -> DeviceArray:
        self.brought += 1
        return DeviceArray(np.array(array), self)

    def constant(self, array: np.ndarray) -> DeviceArray:
        array = np.ascontiguousarray(array)
        key = array.dtype.char, array.shape, array.tobytes()
        if key not in self._constants:
            self._constants[key] = self.array(array)
        return self._constants[key]

    def host(self, array) -> np.ndarray:
        self.looked += 1
        return array._array.copy()

    def aligned(self, array) -> bool:
        return array._array.ctypes.data % 16 == 0

    def blocks(self, wanted: int) -> int:
        return wanted

    def built(self, text: str) -> Emulated:
        """A text as it is run."""
        return _build(text, **self._mode)

    def launch(self, text: str, kernel: str, grid: int, threads: int, types, values) -> None:
        # an array without a number is a null pointer, as allocators of GPUs have it
        bare = [(v._array if v.size else None) if isinstance(v, DeviceArray) else v for v in values]
        self.built(text).launch(kernel, grid, threads, *bare, order=self._order, seed=self._seed)
