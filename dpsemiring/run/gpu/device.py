"""What an engine of CUDA text needs of the machine that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dpsemiring.run.arrays import Place


class Device(Place):
    """A place whose arrays kernels take. Nothing here waits for the device but `host`.

    `processors` is the number of its multiprocessors."""

    processors: int

    def blocks(self, wanted: int) -> int:
        """How many CUDA blocks to launch where so many find work."""
        raise NotImplementedError

    def launch(self, text: str, kernel: str, grid: int, threads: int, types: Sequence[str], values: Sequence[Any]) -> None:
        """Run a kernel of a text. `types` are the C types of the arguments; a value is a number, an array of the device, or
        None for a null pointer."""
        raise NotImplementedError

    def aligned(self, array) -> bool:
        """Whether kernels may read vectors of 16 bytes from the beginning of an array on."""
        raise NotImplementedError

    def add_at(self, array, index: tuple[np.ndarray, ...], values, mask: np.ndarray) -> None:
        """Places that repeat are added to one after another, in the order of E: so the sums are always the same."""
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
