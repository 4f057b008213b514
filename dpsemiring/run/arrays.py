"""Arrays as they come from the caller, checked and brought to one of two kinds of float; and the places where they live.

NumPy's functions work on the arrays of a device too, which answer for them by NumPy's own protocols. A `Place` has what
these cannot do: making arrays, bringing them from the host and to it. The numbers of a device are not looked at on the
way, since that would wait for it: whoever asks `some` or `every` is told what is sure without.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Place(Protocol):
    """Where the arrays of a call live."""

    name: str

    def owns(self, value) -> bool:
        """Whether a value is an array that lives here."""

    def empty(self, shape, dtype) -> Any:
        """An array that holds anything."""

    def zeros(self, shape, dtype=float) -> Any:
        """An array of zeros."""

    def full(self, shape, value, dtype=None) -> Any:
        """An array that holds one value everywhere."""

    def array(self, array: np.ndarray) -> Any:
        """A host array, brought here."""

    def constant(self, array: np.ndarray) -> Any:
        """The same, not to be changed; one that came by before need not be brought over again."""

    def host(self, array) -> np.ndarray:
        """An array from here on the host; this waits."""

    def add_at(self, array, index: tuple[np.ndarray, ...], values, mask: np.ndarray) -> None:
        """Add values (B, E) to an array at indices (B, E), host arrays of which places may repeat, where a mask holds."""


class Host:
    """Where NumPy's arrays live: on the CPU, where numbers may be looked at."""

    name = "NumPy"
    empty, zeros, full = staticmethod(np.empty), staticmethod(np.zeros), staticmethod(np.full)

    def owns(self, value) -> bool:
        return isinstance(value, np.ndarray)

    def array(self, array):
        return array

    def constant(self, array):
        return array

    def host(self, array):
        return array

    def add_at(self, array, index, values, mask) -> None:
        np.add.at(array, tuple(np.where(mask, i, 0) for i in index), np.where(mask, values, 0.0))


HOST = Host()
_LOOKED_AT = np.ndarray, np.generic


def some(mask) -> bool:
    """Whether a mask may hold anywhere. Of few numbers NumPy's own `any` takes ten times as long."""
    return b"\1" in mask.tobytes() if isinstance(mask, _LOOKED_AT) else True


def every(mask) -> bool:
    """Whether a mask is sure to hold everywhere."""
    return b"\0" not in mask.tobytes() if isinstance(mask, _LOOKED_AT) else False


def contiguous(array, dtype):
    """The array, row after row in memory and of that kind; itself if it is so."""
    if isinstance(array, np.ndarray):
        return np.ascontiguousarray(array, dtype=dtype)
    return array.astype(dtype, order="C", copy=False)


def plain_array(what: str, value, place: Place = HOST):
    """An array of any kind and shape, in its place; `what` names it in messages. Numbers and lists are brought there."""
    if place is HOST and type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array; forbid the masked cells instead: numpy.ma.filled(array, numpy.inf)")
    if place is not HOST and place.owns(value):
        return value
    foreign = hasattr(value, "__array_function__") and getattr(value, "dtype", np.dtype(float)).kind in "fiub"
    if _library(value) in _MENDS or (place is not HOST and foreign):
        mend = _MENDS.get(_library(value), "") if place is HOST else ""
        raise TypeError(
            f"{what} is a {described(value)} where {place.name} arrays are expected; use one library and one device{mend}"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{what} is no rectangular array ({error}); pad ragged items and pass lengths=") from None
    return array if place is HOST or array.dtype.kind not in "fiub" else place.array(array)


_MENDS = {"torch": ", say tensor.detach().cpu().numpy()", "cupy": ", say cupy.asnumpy(array)"}


def _library(value) -> str:
    return type(value).__module__.split(".")[0]


def described(value) -> str:
    """What an array is, for messages."""
    known = {"numpy": "NumPy array", "torch": "torch tensor", "cupy": "CuPy array"}
    found, device = known.get(_library(value), type(value).__name__), getattr(value, "device", None)
    return found if device is None or str(device) == "cpu" else f"{found} on {device}"


def real_array(what: str, value, place: Place = HOST):
    """The same as float32 or float64: integers count as float64, half precision as float32."""
    array = plain_array(what, value, place)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        raise TypeError(f"{what} has the dtype {array.dtype}; real numbers are expected")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.dtype.isnative:
        return array
    return array.astype(array.dtype.newbyteorder("="))
