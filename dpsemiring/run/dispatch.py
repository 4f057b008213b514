"""Which engine runs a recurrence.

An engine is imported when it is first asked for, so that `import dpsemiring` needs NumPy alone.
"""

from __future__ import annotations

from dpsemiring.lower.ir import Recurrence
from dpsemiring.run.engine import Engine

ENGINES = ("auto", "cpu", "gpu", "reference")


def make_engine(name: str, recurrence: Recurrence, memory: int | None = None) -> Engine:
    """The engine of that name; `memory` is what a call may keep beside costs and gradients, in bytes.

    "auto" is that for NumPy's arrays: those of a device have theirs, see `on_device`.
    """
    if name == "reference":
        from dpsemiring.run.reference import ReferenceEngine

        return ReferenceEngine(recurrence)
    if name == "gpu":
        from dpsemiring.run.gpu.cupy_device import device

        return on_device(recurrence, device(), memory)
    from dpsemiring.run.cpu.engine import CpuEngine

    return CpuEngine(recurrence, memory)


def on_device(recurrence: Recurrence, device, memory: int | None = None) -> Engine:
    """The engine for arrays that live on a device."""
    from dpsemiring.run.gpu.engine import GpuEngine

    return GpuEngine(recurrence, device, memory=memory)
