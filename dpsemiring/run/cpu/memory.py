"""Memory that is used again and again: of large arrays that are given away, once a result is gone, and of kernels at work.

A system hands out large blocks page by page, each filled with zeros when it is first touched, which for a gradient takes
longer than to write it, and for the buffers of a small problem as long as to sweep it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np

# smaller arrays are quick to come by; more than this in all is not kept
WORTH_KEEPING, MOST_KEPT = 1 << 17, 1 << 28

# what each thread keeps for kernels, at most
MOST_ARENA = 1 << 24

_idle: list[np.ndarray] = []
_of_thread = threading.local()


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
    for i in range(len(_idle) - 1, -1, -1):  # the last one that came back is still in cache
        try:
            if not size <= _idle[i].nbytes <= 2 * size:
                continue
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


def in_arena(kernel: Callable, *arguments) -> None:
    """Call a kernel with an arena for its buffers, which the thread keeps, and a count of what it takes: one that wanted more
    finds that next time."""
    arena = getattr(_of_thread, "arena", None)
    if arena is None:
        arena = np.empty(0, np.uint8)
    used = np.zeros(1, np.int64)
    kernel(arena, used, *arguments)
    if arena.size < used[0] <= MOST_ARENA:
        block = np.empty(int(used[0]) + 63, np.uint8)
        begin = -block.ctypes.data % 64
        _of_thread.arena = block[begin : begin + int(used[0])]
