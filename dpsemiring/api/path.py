"""A path, with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Path:
    """One path through a lattice of L cells. As an array, and in a loop, it is its cells.

    Attributes
    ----------
    cells : (L, 2) int array
        The cells visited; a (0, 0) step visits its cell once more.
    states : (L,) array
        The name of the state in which each was visited (None where there is but one).
    steps : (L,) int array
        Which step, counted as declared, led into each; -1 for the start.
    total : float
        What the total would be, were this the only path: its cost under a minimum, its product of real numbers.
    """

    cells: np.ndarray
    states: np.ndarray
    steps: np.ndarray
    total: float

    def __len__(self):
        return len(self.cells)

    def __iter__(self):
        return iter(self.cells)

    def __getitem__(self, index):
        return self.cells[index]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.cells, dtype=dtype, copy=copy)

    def __repr__(self):
        return f"Path({len(self)} cells, total={self.total:g})"
