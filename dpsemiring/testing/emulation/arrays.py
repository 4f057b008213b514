"""Arrays of a device that is not there: they behave as CuPy's do, and no number in them is looked at unnoticed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

#: NumPy's functions that the library calls on the arrays of a device, with the keywords that it passes.
FUNCTIONS: dict[str, set[str]] = {
    "arange": set(),
    "broadcast_to": set(),
    "clip": set(),
    "concatenate": {"axis"},
    "copyto": {"where"},
    "cumsum": {"axis"},
    "einsum": set(),
    "empty_like": {"dtype", "shape"},
    "full_like": {"dtype", "shape"},
    "max": {"axis", "keepdims"},
    "ndim": set(),
    "ones_like": {"dtype", "shape"},
    "shape": set(),
    "sort": {"axis"},
    "split": {"axis"},
    "sum": {"axis", "keepdims"},
    "take": {"axis"},
    "where": set(),
    "zeros_like": {"dtype", "shape"},
}


class HostLook(RuntimeError):
    """Something would have waited for the device, or would be refused by CuPy."""


def _refused(what: str):
    def method(self, *args, **kwargs):
        raise HostLook(f"{what} of a device array: this waits for the device")

    return method


class DeviceArray(NDArrayOperatorsMixin):
    """A NumPy array that stands for one on a device.

    It takes part in NumPy's ufuncs and in those of its functions that CuPy has too, beside other arrays of its device and
    plain numbers. Whatever would bring its numbers to the host raises `HostLook`, and so does a NumPy array beside it.
    """

    def __init__(self, array: np.ndarray, device) -> None:
        self._array, self.device = array, device

    # --- what is known without a look ---------------------------------------------------------------

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    nbytes = property(lambda self: self._array.nbytes)
    itemsize = property(lambda self: self._array.itemsize)
    strides = property(lambda self: self._array.strides)
    data = property(lambda self: SimpleNamespace(ptr=self._array.ctypes.data))
    T = property(lambda self: self._wrap(self._array.T))

    def __len__(self) -> int:
        return len(self._array)

    def __repr__(self) -> str:
        return f"DeviceArray({self.shape}, {self.dtype})"

    # --- looks ----------------------------------------------------------------------------------------

    __array__ = _refused("a NumPy array")
    __bool__ = _refused("the truth")
    __float__ = __int__ = __index__ = __complex__ = item = tolist = tobytes = _refused("a number")
    __iter__ = __contains__ = _refused("iteration")

    # --- arithmetic -----------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__" or set(kwargs) - {"out", "dtype", "casting"}:
            raise HostLook(f"np.{ufunc.__name__}.{method} with {', '.join(kwargs) or 'no keyword'}: not for device arrays")
        arrays = [x for x in inputs if isinstance(x, DeviceArray)]
        if any(isinstance(x, float) for x in inputs) and not any(x.dtype.kind == "f" for x in arrays):
            raise HostLook(f"np.{ufunc.__name__} of a float and of whole numbers: CuPy may choose half precision")
        return self._wrap(getattr(ufunc, method)(*self._bare(inputs), **self._bare(kwargs)), kwargs.get("out"))

    def __array_function__(self, func, types, args, kwargs):
        if not set(kwargs) <= FUNCTIONS.get(func.__name__, set()) or func.__name__ not in FUNCTIONS:
            raise HostLook(f"np.{func.__name__} with {', '.join(kwargs) or 'no keyword'} is not among those for device arrays")
        return self._wrap(func(*self._bare(args), **self._bare(kwargs)))

    def astype(self, dtype, order="K", copy=True):
        found = self._array.astype(dtype, order=order, copy=copy)
        return self if found is self._array else self._wrap(found)

    def view(self, dtype):
        return self._wrap(self._array.view(dtype))

    def _method(name):
        def method(self, *args, **kwargs):
            return self._wrap(getattr(self._array, name)(*self._bare(args), **self._bare(kwargs)))

        return method

    reshape, copy, swapaxes = _method("reshape"), _method("copy"), _method("swapaxes")
    sum, any = _method("sum"), _method("any")

    def min(self, axis):
        return self._least_or_greatest("min", axis)

    def max(self, axis):
        return self._least_or_greatest("max", axis)

    def _least_or_greatest(self, name, axis):
        if not self.size:
            raise HostLook(f"{name} of nothing: CuPy refuses it whatever the axis")
        return self._wrap(getattr(self._array, name)(axis=axis))

    def __getitem__(self, index):
        return self._wrap(self._array[self._index(index)])

    def __setitem__(self, index, value):
        self._array[self._index(index)] = self._bare(value)

    # --- around ---------------------------------------------------------------------------------------

    def _index(self, index):
        found = self._bare(index)
        for i in found if isinstance(found, tuple) else (found,):
            if isinstance(i, np.ndarray) and i.dtype == bool:
                raise HostLook("a mask as an index: this waits for the device")
        return found

    def _bare(self, value):
        if isinstance(value, DeviceArray):
            if value.device is not self.device:
                raise HostLook("arrays of two devices")
            return value._array
        if isinstance(value, np.ndarray):
            raise HostLook(f"a NumPy array {value.shape} beside a device array")
        if isinstance(value, (tuple, list)):
            return type(value)(map(self._bare, value))
        if isinstance(value, dict):
            return {name: self._bare(v) for name, v in value.items()}
        return value

    def _wrap(self, value, out=None):
        if out is not None:
            return out[0]
        if isinstance(value, (np.ndarray, np.generic)):
            return DeviceArray(np.asarray(value), self.device)
        if isinstance(value, (tuple, list)) and any(isinstance(v, (np.ndarray, np.generic)) for v in value):
            return type(value)(map(self._wrap, value))
        return value
