"""Tensors as the arrays that engines take, and results as tensors, on the same memory.

Tensors on the CPU are NumPy's arrays, those on a GPU CuPy's, which there works on torch's current stream and out of the
memory of torch's caching allocator.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch


def array_of(tensor: torch.Tensor):
    """The tensor's numbers as an array."""
    plain = tensor.detach().resolve_neg()
    return plain.numpy() if plain.device.type == "cpu" else _cupy().view(plain)


def tensor_of(array) -> torch.Tensor:
    """A result as a tensor."""
    return torch.from_numpy(array) if isinstance(array, np.ndarray) else torch.from_dlpack(array)


def beside(tensors: Iterable[torch.Tensor | None]) -> AbstractContextManager:
    """Around all work with arrays of these tensors."""
    for tensor in tensors:
        if tensor is not None and tensor.device.type == "cuda":
            stream = torch.cuda.current_stream(tensor.device)
            return _cupy().beside(stream, torch.cuda.caching_allocator_alloc, torch.cuda.caching_allocator_delete)
    return nullcontext()


def _cupy():
    from dpsemiring.run.gpu import cupy_device

    return cupy_device
