"""Memory beyond what is given and what is asked for: the highest resident set during a call, less that before it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from benchmarks import alone, report, softdtw
from benchmarks.work import OURS, peer

WAYS = {
    OURS: softdtw.ours.ways(softdtw.soft, softdtw.ours.total_and_gradient)[OURS],
    **softdtw.ways_of_others(True),
}


def study(settings, options) -> dict:
    """A table: MB beside the cost and the gradient, and their share of the cost."""
    n = 500 if settings.quick else 4000
    found, rows = {}, []
    for way in WAYS:
        python = settings.pythons.get(peer(way))
        beyond = alone.run(settings, f"memory:soft_dtw({way!r}, {n})", way=way, python=python)
        found[way] = beyond
        if beyond is not None:
            rows.append([way, beyond / 2**20, beyond / (4.0 * n * n), 0.125 if way == OURS else None])
    for features in (1, 64):
        beyond = alone.run(settings, f"memory:from_series({n}, {features})")
        found[f"{OURS}, from series of {features} features"] = beyond
        if beyond is not None:
            rows.append([f"{OURS}, from series of {features} features", beyond / 2**20, beyond / (4.0 * n * n), None])
    title = f"soft-DTW {n} x {n} float32, forward + backward: memory beside cost and gradient"
    print(report.table([title, "MB", "of the cost", "wanted"], rows))
    return found


def soft_dtw(way: str, n: int) -> int:
    """Bytes beside cost and gradient; arrays that a way keeps between its calls count."""
    _measured(WAYS[way].make, softdtw.ours.series((1, 200, 200))())  # compiled, and whatever comes with a first call
    (cost,) = softdtw.ours.series((1, n, n))()
    return _measured(WAYS[way].make, (cost,)) - cost.nbytes


def from_series(n: int, features: int) -> int:
    """Bytes beside the series and their gradients."""
    ways = softdtw.ours.ways(softdtw.soft, lambda r: (r.total, r.grad("x")), lambda dp, x, y: dp.costs.sqeuclidean(x, y))
    _measured(ways[OURS].make, softdtw.ours.series((200, features), (200, features))())
    data = softdtw.ours.series((n, features), (n, features))()
    return _measured(ways[OURS].make, data) - data[0].nbytes


def _measured(make, data) -> int:
    """How much more is resident at the height of the first call than before anything was set up."""
    for array in data:
        array += 0  # every page is there
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
    result = make(*data)()
    kept = [np.asarray(part) for part in result]
    del kept
    return _resident("VmHWM") - before


def _resident(what: str) -> int:
    return int(re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
