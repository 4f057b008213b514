"""Arrays of other libraries: whose they are, and which room answers for them.

A library is never imported here; a room of ours that needs one is, once an array of that library has come by.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

from dpsemiring.declare.costs import Source

# library -> (the type of its arrays, our room, its function for a call of a solver)
_ROOMS = {"torch": ("Tensor", "dpsemiring.torch.solve", "solve")}
_ready: dict[str, tuple[type, Callable]] = {}


def prepare() -> None:
    """Make ready what answers for the libraries that are imported already."""
    for library, (kind, room, function) in _ROOMS.items():
        if library in sys.modules and library not in _ready and hasattr(sys.modules[library], kind):
            front = getattr(import_module(room), function)
            _ready[library] = (getattr(sys.modules[library], kind), front)


def of(cost, params: Mapping[str, object] | None) -> Callable | None:
    """What answers a call with these arrays; None for NumPy's and plain numbers."""
    if len(_ready) < len(_ROOMS):
        prepare()
    for kind, front in _ready.values():
        if _any(kind, cost) or _any(kind, params):
            return front
    return None


def _any(kind, value) -> bool:
    if isinstance(value, kind):
        return True
    if isinstance(value, Mapping):
        return any(_any(kind, v) for v in value.values())
    if isinstance(value, Source):
        return any(_any(kind, atom.inputs) for _, atom in value.parts)
    return False
