"""float32 against float64: totals, gradients and the gradient at the corners, which are 1 exactly."""

from __future__ import annotations

import numpy as np

from benchmarks import alone, report
from benchmarks.ctc import by_log_probs, optax_loss, problem, tensors, torch_loss

WANTED = "wanted: 2e-7, 1e-5, 1e-5"


def study(settings, options) -> dict:
    """Two tables: soft-DTW, and CTC beside torch and optax."""
    n, long = (300, (400, 80)) if settings.quick else (4000, (20000, 4000))
    found, rows = {}, []
    for kind in ("uniform", "steep"):
        for gamma in (1.0, 0.01, 0.001) if kind == "uniform" else (0.001,):
            name = f"{n} x {n}, gamma {gamma:g}" if kind == "uniform" else f"{n // 2} x {n // 4}, 10 + 0.01 u, gamma {gamma:g}"
            errors = alone.run(settings, f"accuracy:soft_dtw({kind!r}, {n}, {gamma})")
            found[f"soft-DTW {name}"] = errors
            rows.append([name, *(errors or [None] * 3)])
    print(report.table([f"soft-DTW in float32 ({WANTED})", "total, relative", "gradient, L1", "corners"], rows))
    rows = []
    for scale in (1.0, 50.0):
        for way in ("dpsemiring", "torch", "optax"):
            errors = alone.run(settings, f"accuracy:ctc({way!r}, {long[0]}, {long[1]}, {scale})", way=way)
            name = f"{way}, {long[0]} frames, {long[1]} labels, logits x {scale:g}"
            found[f"CTC {name}"] = errors
            rows.append([name, *(errors or [None] * 2)])
    print(report.table([f"CTC in float32 ({WANTED})", "total, relative", "gradient, L1"], rows))
    return found


def soft_dtw(kind: str, n: int, gamma: float) -> list[float]:
    """Errors of the total (relative), the gradient (L1, relative), the gradient at the corners."""
    import dpsemiring as dp

    random = np.random.default_rng(0)
    if kind == "uniform":
        topology, cost = dp.topologies.dtw(), random.random((n, n), np.float32)
    else:
        topology = dp.Topology([dp.Step(1, 0), dp.Step(1, 1)])
        cost = 10 + np.float32(0.01) * random.random((n // 2, n // 4), np.float32)
    solver = dp.compile(topology, dp.Softmin(gamma))
    mine = solver(cost)
    total, gradient = np.float64(mine.total), mine.marginals
    del mine
    truth = solver(cost.astype(np.float64))
    expected = truth.marginals
    corners = max(abs(float(gradient[0, 0]) - 1.0), abs(float(gradient[-1, -1]) - 1.0))
    return [float(abs(total - truth.total) / abs(truth.total)), _l1(gradient, expected), corners]


def ctc(way: str, frames: int, labels: int, scale: float) -> list[float]:
    """Errors of the total (relative) and of the gradient by the log-probabilities (L1, relative to ours in float64)."""
    from benchmarks.ctc import arrays

    log_probs, targets = problem(1, frames, labels)
    logits = scale * log_probs.astype(np.float64)
    logits -= np.logaddexp.reduce(logits, axis=2, keepdims=True)
    log_probs = logits.astype(np.float32)
    make = {"dpsemiring": tensors, "torch": torch_loss, "optax": optax_loss}[way]
    total, gradient = by_log_probs(make(log_probs, targets)())
    expected_total, expected = arrays("float64", log_probs, targets)()
    return [float(abs(total[0] - expected_total[0]) / abs(expected_total[0])), _l1(gradient, expected)]


def _l1(found, expected):
    return float(np.abs(found - expected).sum() / np.abs(expected).sum())
