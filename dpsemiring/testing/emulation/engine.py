"""An engine that runs the CUDA text of a recurrence in the emulation: what a GPU would answer, by way of `api`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.plan import Wanted
from dpsemiring.lower.schedule import HEIGHT
from dpsemiring.run.gpu.engine import GpuEngine
from dpsemiring.testing.emulation.emulator import Emulated, Order

_build = functools.lru_cache(maxsize=None)(Emulated)


class EmulatedDevice:
    """A device of which the arrays are NumPy's and the threads are emulated. Slow; for tests.

    Args:
        order, seed: which thread goes on where several can; see ``Emulated.launch``.
        sanitize, races, contract: see ``Emulated``.
        edit: changes a text before it is built, to plant a fault.

    Notes:
        Whatever a kernel is not told to read holds NaN: scratch, borders, and what it must write itself.
    """

    zeros, full = staticmethod(np.zeros), staticmethod(np.full)

    def __init__(
        self,
        *,
        order: Order = "ascending",
        seed: int = 0,
        sanitize: bool = False,
        races: bool = False,
        contract: bool = False,
        edit: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._order, self._seed, self._edit = order, seed, edit
        self._mode = {"sanitize": sanitize, "races": races, "contract": contract, "optimize": contract}

    def empty(self, shape, dtype) -> np.ndarray:
        dtype = np.dtype(dtype)
        return np.full(shape, np.nan if dtype.kind == "f" else np.iinfo(dtype).max // 3, dtype)

    def constant(self, array: np.ndarray) -> np.ndarray:
        return array

    def blocks(self, items: int) -> int:
        return items

    def built(self, text: str) -> Emulated:
        """A text as it is run."""
        return _build(self._edit(text), **self._mode)

    def launch(self, text: str, kernel: str, grid: int, threads: int, types, values) -> None:
        self.built(text).launch(kernel, grid, threads, *values, order=self._order, seed=self._seed)


class EmulatedEngine(GpuEngine):
    """Runs a recurrence as CUDA text on emulated threads.

    Args:
        recurrence: that of a solver, as in ``solver.engine = EmulatedEngine(solver.recurrence)``.
        threads, height, grid, together: see ``GpuEngine``; by default a CUDA block for each item.
        **of_device: see ``EmulatedDevice``.
    """

    device: EmulatedDevice

    def __init__(
        self,
        recurrence: Recurrence,
        *,
        threads: int = 32,
        height: int = HEIGHT,
        grid: int | None = None,
        together: bool = False,
        **of_device,
    ) -> None:
        device = EmulatedDevice(**of_device)
        super().__init__(recurrence, device, threads=threads, height=height, grid=grid, together=together)

    def emulated(self, job: str, real: np.dtype, wanted: Wanted = Wanted()) -> Emulated:
        """The text that holds a kernel, built."""
        return self.device.built(self.module(job, real, wanted).text)
