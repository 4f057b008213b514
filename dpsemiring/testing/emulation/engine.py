"""An engine that runs the CUDA text of a recurrence in the emulation: what a GPU would answer, by way of `api`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dpsemiring.lower.cuda_text import Module
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.plan import Wanted
from dpsemiring.lower.schedule import HEIGHT
from dpsemiring.run.gpu.engine import GpuEngine
from dpsemiring.testing.emulation.device import EmulatedDevice
from dpsemiring.testing.emulation.emulator import Emulated


class EmulatedEngine(GpuEngine):
    """Runs a recurrence as CUDA text on emulated threads. NumPy's arrays are brought to an `EmulatedDevice` and back.

    Args:
        recurrence: that of a solver, as in ``solver.engine = EmulatedEngine(solver.recurrence)``.
        device: an `EmulatedDevice`, for arrays that live there; by default one is made of ``of_device``.
        threads, height, grid, together: see ``GpuEngine``; by default a CUDA block for each item.
        edit: changes a text before it is built, to plant a fault.
        **of_device: see ``EmulatedDevice``.
    """

    device: EmulatedDevice

    def __init__(
        self,
        recurrence: Recurrence,
        device: EmulatedDevice | None = None,
        *,
        threads: int = 32,
        height: int = HEIGHT,
        grid: int | None = None,
        together: bool = False,
        edit: Callable[[str], str] = lambda text: text,
        **of_device,
    ) -> None:
        device = device or EmulatedDevice(**of_device)
        super().__init__(recurrence, device, threads=threads, height=height, grid=grid, together=together)
        self._edit = edit

    def another(self, recurrence: Recurrence) -> EmulatedEngine:
        options = {"threads": self._threads, "height": self._height, "grid": self._grid, "together": self._together}
        return EmulatedEngine(recurrence, self.device, edit=self._edit, **options)

    def module(self, job: str, real: np.dtype, wanted: Wanted = Wanted()) -> Module:
        found = super().module(job, real, wanted)
        return replace(found, text=self._edit(found.text))

    def emulated(self, job: str, real: np.dtype, wanted: Wanted = Wanted()) -> Emulated:
        """The text that holds a kernel, built."""
        return self.device.built(self.module(job, real, wanted).text)
