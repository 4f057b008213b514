"""Kernels on several threads: over items, or over the strips of one item."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

# below so many cells a pool costs more than it brings
WORTH_A_THREAD = 100_000

# and so many are enough for one call of a kernel: between calls an interrupt is heard
CELLS_A_CALL = 50_000_000

_pools: dict[int, ThreadPoolExecutor] = {}


def thread_count() -> int:
    """Threads for a call: ``$DPSEMIRING_NUM_THREADS``, otherwise the cores that this process may use."""
    if text := os.environ.get("DPSEMIRING_NUM_THREADS"):
        return max(1, int(text))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def useful_threads(cells: np.ndarray) -> int:
    """How many threads are worth their while for items of so many cells."""
    return min(thread_count(), max(1, int(cells.sum()) // WORTH_A_THREAD))


if hasattr(os, "register_at_fork"):
    # a pool's threads do not survive a fork: the child makes its own
    os.register_at_fork(after_in_child=_pools.clear)


def spread(work: Callable[[int, int], object], cells: np.ndarray, divisible: bool) -> None:
    """Run work(first, last) over all items, of which `cells` tells the sizes; on several threads where that pays.

    With `divisible`, several threads may work on the same items: each call of `work` takes the strips that nobody has taken.
    """
    batch, every = len(cells), int(cells.sum())
    if not batch:
        return
    threads = useful_threads(cells)
    if threads == 1 and every <= CELLS_A_CALL:
        work(0, batch)
        return
    sizes = np.cumsum(cells)
    if divisible and batch < 2 * threads:
        ranges = [(0, batch)] * threads
    else:
        threads = min(threads, batch)
        parts = min(batch, max(threads, every // CELLS_A_CALL))
        cuts = np.searchsorted(sizes, every * np.arange(1, parts) / parts) + 1
        bounds = np.unique(np.clip([0, *cuts, batch], 0, batch)).tolist()
        ranges = list(pairwise(bounds))
    if threads == 1:
        for first, last in ranges:
            work(first, last)
        return
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="dpsemiring")
    jobs = [_pools[threads].submit(work, first, last) for first, last in ranges]
    try:
        for job in jobs:
            job.result()
    finally:
        for job in jobs:  # after an interrupt the rest is not begun
            job.cancel()
