"""Arrays as they come from the caller, checked and brought to one of two kinds of float."""

from __future__ import annotations

import numpy as np


def some(mask: np.ndarray) -> bool:
    """Whether a mask holds anywhere. Of few numbers NumPy's own `any` takes ten times as long."""
    return b"\1" in mask.tobytes()


def every(mask: np.ndarray) -> bool:
    """Whether a mask holds everywhere."""
    return b"\0" not in mask.tobytes()


def plain_array(what: str, value) -> np.ndarray:
    """A NumPy array of any kind and shape; `what` names it in messages."""
    if type(value).__module__.split(".")[0] in ("torch", "cupy"):
        raise TypeError(
            f"{what} is a {type(value).__module__.split('.')[0]} array; this version takes NumPy arrays: pass "
            "tensor.detach().cpu().numpy() or cupy.asnumpy(array)"
        )
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array; forbid the masked cells instead: numpy.ma.filled(array, numpy.inf)")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{what} is no rectangular array ({error}); pad ragged items and pass lengths=") from None


def real_array(what: str, value) -> np.ndarray:
    """The same as float32 or float64: integers count as float64, half precision as float32."""
    array = plain_array(what, value)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        raise TypeError(f"{what} has the dtype {array.dtype}; real numbers are expected")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
