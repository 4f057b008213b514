"""Large problems of ours: real chroma features, and, with --huge, series of 100,000 frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import alone, report


def study(settings, options) -> dict:
    """Seconds on all cores of these settings."""
    found, rows = {}, []
    threads = max(options.threads)
    if options.chroma is None:
        print("chroma features: not measured; pass --chroma FILE.npz")
    else:
        calls = {"chroma features, total and path, float64": f"chroma({str(options.chroma.resolve())!r})"}
        found |= {name: alone.run(settings, f"large:{call}", threads=threads) for name, call in calls.items()}
        rows += [[name, *(found[name] or [None] * 2), "0.25"] for name in calls]
    n = 2000 if settings.quick else 100_000 if options.huge else 10_000
    for what in ("soft", "path"):
        name = f"{what}, {n} x {n}, from series of one feature"
        found[name] = alone.run(settings, f"large:series({n}, {what!r})", threads=threads)
        rows.append([name, *(found[name] or [None] * 2), ""])
    print(report.table([f"large problems, {threads} thread(s)", "seconds", "total", "wanted"], rows))
    return found


def chroma(path: str) -> list[float]:
    """The cost is 2 - f1^T f2, given; steps (1, 1), (1, 0), (0, 1)."""
    import dpsemiring as dp

    data = np.load(Path(path))
    cost = 2.0 - data["f_chroma_1"].T.astype(np.float64) @ data["f_chroma_2"].astype(np.float64)
    solver = dp.compile(dp.Topology([dp.Step(1, 1), dp.Step(1, 0), dp.Step(0, 1)]), dp.Tropical)

    def call():
        result = solver(cost)
        return result.total, result.path

    taken = alone.seconds(call, 5)
    return [taken, float(call()[0])]


def series(n: int, what: str) -> list[float]:
    """One call after a small one has compiled: the soft total with its gradient to a series, or the hard path."""
    import time

    import dpsemiring as dp

    random = np.random.default_rng(0)
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0) if what == "soft" else dp.Tropical)

    def call(size):
        x, y = (random.random((size, 1), np.float32) for _ in range(2))
        result = solver(dp.costs.sqeuclidean(x, y))
        return result.total, result.grad("x") if what == "soft" else result.path

    call(300)
    begin = time.perf_counter()
    total = call(n)[0]
    return [time.perf_counter() - begin, float(total)]
