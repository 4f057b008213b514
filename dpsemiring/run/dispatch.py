"""Which engine runs a recurrence.

Arrays of other libraries choose theirs by their own type, in `run.inputs`; an engine is imported when it is
first asked for, so that `import dpsemiring` needs NumPy alone.
"""

from __future__ import annotations

from dpsemiring.lower.ir import Recurrence
from dpsemiring.run.engine import Engine

ENGINES = ("cpu", "reference")


def make_engine(name: str, recurrence: Recurrence, memory: int | None = None) -> Engine:
    """The engine of that name; `memory` is what a compiled one may keep between passes, in bytes."""
    if name == "reference":
        from dpsemiring.run.reference import ReferenceEngine

        return ReferenceEngine(recurrence)
    from dpsemiring.run.cpu.engine import CpuEngine

    return CpuEngine(recurrence, memory)
