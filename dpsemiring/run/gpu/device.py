"""What an engine of CUDA text needs of the machine that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Device(Protocol):
    """Makes arrays and launches kernels. Nothing here waits for the device."""

    def empty(self, shape, dtype) -> Any:
        """An array that holds anything."""

    def zeros(self, shape, dtype) -> Any:
        """An array of zeros."""

    def full(self, shape, value, dtype) -> Any:
        """An array that holds one value everywhere."""

    def constant(self, array: np.ndarray) -> Any:
        """A host array on the device, not to be changed; one that came by before need not be brought over again."""

    def blocks(self, items: int) -> int:
        """How many CUDA blocks serve so many items."""

    def launch(self, text: str, kernel: str, grid: int, threads: int, types: Sequence[str], values: Sequence[Any]) -> None:
        """Run a kernel of a text. `types` are the C types of the arguments; a value is a number, an array of the device, or
        None for a null pointer."""
