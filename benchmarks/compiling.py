"""The first call of a new topology in a process with empty caches, the same in a second process, and the import."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import alone, report

TOPOLOGIES = ("dtw()", "rabiner_juang(3, 'c')", "affine_gap(1.0, 0.5)", "ctc()")


def study(settings, options) -> dict:
    """A table; all in seconds."""
    rows, found = [], {}
    with TemporaryDirectory() as folder:
        alone.run(settings, "compiling:first('dtw_21()')", cache=Path(folder))  # what all topologies share
        for name in TOPOLOGIES[:2] if settings.quick else TOPOLOGIES:
            both = [alone.run(settings, f"compiling:first({name!r})", cache=Path(folder)) for _ in range(2)]
            found[name] = dict(zip(("new", "second process"), both))
            rows.append([name, *(value for times in both for value in times or (None, None))])
    imports = [alone.run(settings, "compiling:importing()") for _ in range(3 if settings.quick else 7)]
    found["import, beyond numpy"] = statistics.median(i for i in imports if i is not None)
    head = ["first calls, s (wanted: 2, then 0.1)", "new: forward", "then gradient", "second process: forward", "then gradient"]
    print(report.table(head, rows))
    print(f"import dpsemiring, beyond numpy: {found['import, beyond numpy'] * 1e3:.0f} ms")
    return found


def first(name: str) -> list[float]:
    """Seconds of the first total and of the first gradient of a topology; Numba itself is started before."""
    import time

    import numba
    import numpy as np

    import dpsemiring as dp

    numba.njit(lambda x: x + 1)(1)
    topology = eval(f"dp.topologies.{name}", {"dp": dp})
    cost = np.random.default_rng(0).random((100, 81), np.float32)
    params = {p.name: np.ones(81, int) for p in topology.params()}
    begin = time.perf_counter()
    result = dp.compile(topology, dp.Softmin(1.0))(cost, params=params)
    total = time.perf_counter()
    _ = result.marginals
    return [total - begin, time.perf_counter() - total]


def importing() -> float:
    """Seconds of ``import dpsemiring`` where NumPy is imported already."""
    import time

    import numpy  # noqa: F401

    begin = time.perf_counter()
    import dpsemiring  # noqa: F401

    return time.perf_counter() - begin
