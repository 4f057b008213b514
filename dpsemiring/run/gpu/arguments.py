"""What kernels are given of a problem's numbers, under the names of their parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsemiring.run.arrays import contiguous
from dpsemiring.run.problem import Problem


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
