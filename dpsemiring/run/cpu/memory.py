"""Large arrays that are given away again and again: their memory is used once more when a result is gone.

A system hands out large blocks page by page, each filled with zeros when it is first touched, which for a gradient takes
longer than to write it.
"""

from __future__ import annotations

import math

import numpy as np

# smaller arrays are quick to come by; more than this in all is not kept
WORTH_KEEPING, MOST_KEPT = 1 << 17, 1 << 28

_idle: list[np.ndarray] = []


class _Lease:
    """Memory as NumPy takes it; back with the others once no array is left that uses it."""

    def __init__(self, block: np.ndarray):
        self.block = block

    @property
    def __array_interface__(self):
        return self.block.__array_interface__

    def __del__(self):
        if sum(b.nbytes for b in _idle) + self.block.nbytes <= MOST_KEPT:
            _idle.append(self.block)


def unfilled(shape: tuple[int, ...], dtype) -> np.ndarray:
    """An array that holds anything."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not WORTH_KEEPING <= size <= MOST_KEPT:
        return np.empty(shape, dtype)
    block = None
    for i, idle in enumerate(_idle):
        if size <= idle.nbytes <= 2 * size:
            try:
                block = _idle.pop(i)
            except IndexError:  # another thread was quicker
                continue
            if size <= block.nbytes:
                break
            _idle.append(block)
            block = None
    if block is None:
        block = np.empty(size, np.uint8)
    return np.asarray(_Lease(block))[:size].view(dtype).reshape(shape)
