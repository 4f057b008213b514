"""What kernels are given, under the names of their parameters, and their launch."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsemiring.lower.cuda_text import Module
from dpsemiring.run.arrays import contiguous
from dpsemiring.run.gpu.device import Device
from dpsemiring.run.problem import Problem

THREADS = 128  # of a CUDA block; warps of a block have nothing in common


def of_site(problem: Problem, i: int) -> dict[str, Any]:
    """Site i: its array, how far apart its items, rows and columns are, 0 where one serves all, and its extents."""
    array = contiguous(problem.sites[i], problem.real)
    apart = (s // array.itemsize if size > 1 else 0 for s, size in zip(array.strides, array.shape))
    given = {f"a{i}": array, **dict(zip((f"a{i}_b", f"a{i}_n", f"a{i}_m"), apart))}
    return given | dict(zip((f"a{i}_more_n", f"a{i}_more_m"), problem.more[i]))


def of_item(name: str, array) -> dict[str, Any]:
    """A number that each item has, or one for all."""
    array = contiguous(array.reshape(-1), np.float64)
    return {f"all_{name}": array, f"own_{name}": int(array.size > 1)}


def result(device: Device, shape: tuple[int, ...], kind, nan) -> Any:
    """Zeros for a kernel to add to, by item; NaN for the items that it leaves out."""
    array = device.empty(shape, kind)
    array[...] = np.where(nan, np.nan, 0.0).reshape(-1, *[1] * (array.ndim - 1))
    return array


def launch(device: Device, module: Module, kernel: str, grid: int, threads: int, given: dict[str, Any]) -> None:
    """Run a kernel of a module on what it is given by name."""
    arguments = module.kernels[kernel]
    device.launch(module.text, kernel, grid, threads, [a.type for a in arguments], [given[a.name] for a in arguments])
