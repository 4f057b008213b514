"""What an engine of CUDA text needs of the machine that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Device:
    """A place whose arrays kernels take. Nothing here waits for the device but `host`.

    `processors` is the number of its multiprocessors."""

    name = "device"
    processors: int

    def owns(self, value) -> bool:
        """Whether a value is an array that lives here."""
        raise NotImplementedError

    def empty(self, shape, dtype) -> Any:
        """An array that holds anything."""
        raise NotImplementedError

    def zeros(self, shape, dtype=float) -> Any:
        """An array of zeros."""
        raise NotImplementedError

    def full(self, shape, value, dtype=None) -> Any:
        """An array that holds one value everywhere."""
        raise NotImplementedError

    def array(self, array: np.ndarray) -> Any:
        """A host array, brought here."""
        raise NotImplementedError

    def constant(self, array: np.ndarray) -> Any:
        """The same, not to be changed; one that came by before is not brought over again."""
        raise NotImplementedError

    def host(self, array) -> np.ndarray:
        """An array from here on the host; this waits."""
        raise NotImplementedError

    def blocks(self, wanted: int) -> int:
        """How many CUDA blocks to launch where so many find work."""
        raise NotImplementedError

    def launch(self, text: str, kernel: str, grid: int, threads: int, types: Sequence[str], values: Sequence[Any]) -> None:
        """Run a kernel of a text. `types` are the C types of the arguments; a value is a number, an array of the device, or
        None for a null pointer."""
        raise NotImplementedError

    def add_at(self, array, index: tuple[np.ndarray, ...], values, mask: np.ndarray) -> None:
        """Add values (B, E) to an array at indices (B, E), host arrays of which places may repeat, where a mask holds.

        Places that repeat are added to one after another, in the order of E: so the sums are always the same.
        """
        index = tuple(np.broadcast_to(i, mask.shape)[mask] for i in index)
        if not len(index[0]):
            return
        turns = _turns(np.ravel_multi_index(index, array.shape))
        b, e = np.nonzero(mask)
        for turn in range(turns.max() + 1):
            now = turns == turn
            at = tuple(self.constant(i[now]) for i in index)
            array[at] = array[at] + values[self.constant(b[now]), self.constant(e[now])]


def _turns(places: np.ndarray) -> np.ndarray:
    """How often each place has come before."""
    order = np.argsort(places, kind="stable")
    ranked = places[order]
    first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    turns = np.empty(len(places), np.int64)
    turns[order] = np.arange(len(places)) - np.repeat(first, np.diff([*first, len(places)]))
    return turns
