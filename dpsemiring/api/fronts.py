"""Arrays of other libraries: whose they are, and what answers for them.

A library is never imported here; a room of ours that needs one is, once an array of that library has come by.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from dpsemiring.declare.costs import Source
from dpsemiring.run.arrays import Place

# library -> (the type of its arrays, our room, its function for a call of a solver)
_ROOMS = {"torch": ("Tensor", "dpsemiring.torch.solve", "solve")}
# library -> (the type of its arrays, our room, its function that tells the device of an array)
_DEVICES = {"cupy": ("ndarray", "dpsemiring.run.gpu.cupy_device", "device_of")}
_ALL = _ROOMS | _DEVICES
_ready: dict[str, tuple[type, Callable]] = {}
_places: dict[type, Callable[[Any], Place]] = {}


def prepare() -> None:
    """Make ready what answers for the libraries that are imported already."""
    for library in _ALL:
        if library not in sys.modules or library in _ready:
            continue
        kind, room, function = _ALL[library]
        if hasattr(sys.modules[library], kind):
            found = getattr(import_module(room), function)
            array = getattr(sys.modules[library], kind)
            if library in _ROOMS:
                _ready[library] = array, found
            else:
                register(library, array, found)


def register(library: str, array: type, device_of: Callable[[Any], Place]) -> None:
    """Let arrays of that type be computed with on their devices."""
    _ready[library] = array, partial(_on_device, array, device_of)
    _places[array] = device_of


def of(cost, params: Mapping[str, object] | None) -> Callable | None:
    """What answers a call with these arrays; None for NumPy's and plain numbers."""
    if len(_ready) < len(_ALL):
        prepare()
    for kind, front in _ready.values():
        if _first(kind, cost) is not None or _first(kind, params) is not None:
            return front
    return None


def device_of(value) -> Place | None:
    """The device where an array lives, if it is of a library that has one."""
    if len(_ready) < len(_ALL):
        prepare()
    return next((found(value) for kind, found in _places.items() if isinstance(value, kind)), None)


def _on_device(kind, device_of, solver, cost, lengths, params, check):
    first = _first(kind, cost)
    device = device_of(_first(kind, params) if first is None else first)
    return solver.run(solver.on(device), device, cost, lengths, params, check)


def carried(cost, params: Mapping[str, object] | None, device: Place):
    """A call's NumPy arrays on a device; an array that stands in two places remains one."""
    known: dict[int, Any] = {}

    def carry(value):
        if isinstance(value, Mapping):
            return {name: carry(v) for name, v in value.items()}
        if isinstance(value, Source):
            atoms = ((scale, replace(a, inputs=carry(a.inputs), rows=carry(a.rows))) for scale, a in value.parts)
            return Source(tuple(atoms))
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and not isinstance(value, np.ma.MaskedArray):
            if id(value) not in known:
                native = value.astype(value.dtype.newbyteorder("="), copy=False)
                known[id(value)] = device.array(native.astype(np.float64) if native.itemsize > 8 else native)
            return known[id(value)]
        return value

    return carry(cost), carry(params)


def _first(kind, value):
    """The first array of a kind among the values of a call."""
    if isinstance(value, kind):
        return value
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, Source):
        parts = [v for _, atom in value.parts for v in (*atom.inputs.values(), atom.rows)]
    else:
        return None
    return next((found for v in parts if (found := _first(kind, v)) is not None), None)
