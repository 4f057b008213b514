"""An engine that runs the CUDA text of a recurrence in the emulation: what a GPU would answer, by way of `api`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dpsemiring.lower.cuda_text import Module
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.schedule import LANES
from dpsemiring.run.gpu.engine import GpuEngine
from dpsemiring.testing.emulation.device import EmulatedDevice
from dpsemiring.testing.emulation.emulator import Emulated


class EmulatedEngine(GpuEngine):
    """Runs a recurrence as CUDA text on emulated threads. NumPy's arrays are brought to an `EmulatedDevice` and back.

    Args:
        recurrence: that of a solver, as in ``solver.engine = EmulatedEngine(solver.recurrence)``.
        device: an `EmulatedDevice`, for arrays that live there; by default one is made of ``of_device``.
        threads, columns, span, chunk, grid, together, memory, needed: see ``GpuEngine``; by default a warp for each panel.
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
        columns: int | None = None,
        span: int | None = None,
        chunk: int = LANES,
        grid: int | None = None,
        together: bool = False,
        memory: int | None = None,
        needed: bool | None = None,
        edit: Callable[[str], str] = lambda text: text,
        **of_device,
    ) -> None:
        of_engine = {"threads": threads, "columns": columns, "span": span, "chunk": chunk, "grid": grid}
        of_engine |= {"together": together, "memory": memory, "needed": needed}
        super().__init__(recurrence, device or EmulatedDevice(**of_device), **of_engine)
        self._edit = edit

    def another(self, recurrence: Recurrence) -> EmulatedEngine:
        options = {"threads": self._threads, "grid": self._grid, "together": self._together, "memory": self.memory}
        options["needed"] = self._needed
        return EmulatedEngine(recurrence, self.device, edit=self._edit, **options, **self._cut)

    def module(self, job: str, plan: Plan, wanted: Wanted = Wanted()) -> Module:
        found = super().module(job, plan, wanted)
        return replace(found, text=self._edit(found.text))

    def emulated(self, job: str, real: np.dtype, wanted: Wanted = Wanted()) -> Emulated:
        """The text that holds a kernel, built."""
        return self.device.built(self.module(job, self.plan(real, self.cut), wanted).text)
