"""How far float32 results are from float64 ones in the log domain: totals, gradients (L1), corners. Prints a table.

    python benchmarks/accuracy.py [part of a row's name ...]

The comparison runs the semiring as it is declared, without its forms, in float64.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

import dpsemiring as dp

TWO = dp.Topology([dp.Step(1, 0), dp.Step(1, 1)])


def alignment(n, m, gamma, topology=None, base=0.0, scale=1.0):
    """A cost of uniform random numbers."""
    cost = (base + scale * np.random.default_rng(0).random((n, m))).astype(np.float32)
    return topology or dp.topologies.dtw(), dp.Softmin(gamma), cost, None


def ctc(frames, labels, sharpness, vocabulary=32):
    """The log-probabilities of random logits, gathered by random labels between blanks."""
    rng = np.random.default_rng(0)
    logits = sharpness * rng.standard_normal((frames, vocabulary))
    log_probs = (
        logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) - logits.max(1, keepdims=True)
    )
    extended = np.zeros(2 * labels + 1, np.int64)
    extended[1::2] = rng.integers(1, vocabulary, labels)
    return dp.topologies.ctc(), dp.Log, np.ascontiguousarray(log_probs[:, extended], np.float32), {"labels": extended}


ROWS = {
    "soft-DTW 4000 x 4000, gamma 1": lambda: alignment(4000, 4000, 1.0),
    "soft-DTW 4000 x 4000, gamma 0.01": lambda: alignment(4000, 4000, 0.01),
    "soft-DTW 4000 x 4000, gamma 0.001": lambda: alignment(4000, 4000, 0.001),
    "10 + 0.01 u, steps (1, 0), (1, 1), 2000 x 1000, gamma 0.001": lambda: alignment(2000, 1000, 0.001, TWO, 10.0, 0.01),
    "CTC 4000 x 800": lambda: ctc(4000, 800, 1.0),
    "CTC 4000 x 800, logits x 50": lambda: ctc(4000, 800, 50.0),
    "long CTC 20000 x 4000": lambda: ctc(20000, 4000, 1.0),
    "long CTC 20000 x 4000, logits x 50": lambda: ctc(20000, 4000, 50.0),
}


def compare(topology, semiring, cost, params):
    """Errors of the total and the gradient, relative; of the gradient's corners; seconds of the float32 run."""
    begin = time.perf_counter()
    found = dp.compile(topology, semiring)(cost, None, params)
    total, gradient = float(found.total), found.marginals
    seconds = time.perf_counter() - begin
    del found
    wanted = dp.compile(topology, replace(semiring, forms=()))(cost.astype(np.float64), None, params)
    exact, size, error = wanted.marginals, 0.0, 0.0
    for mine, theirs in zip(gradient, exact):
        size += np.abs(theirs).sum()
        error += np.abs(mine - theirs).sum()
    corners = (abs(float(gradient[at]) - exact[at]) for at in ((0, 0), (-1, -1)))
    return abs(total / float(wanted.total) - 1), error / size, *corners, seconds


def main():
    chosen = [name for name in ROWS if not sys.argv[1:] or any(part in name for part in sys.argv[1:])]
    print(f"{'float32 against float64':60}  {'total':>8}  {'gradient':>8}  {'first':>8}  {'last':>8}  {'s':>5}")
    for name in chosen:
        total, gradient, first, last, seconds = compare(*ROWS[name]())
        print(f"{name:60}  {total:8.1e}  {gradient:8.1e}  {first:8.1e}  {last:8.1e}  {seconds:5.1f}", flush=True)


if __name__ == "__main__":
    main()
