"""What a window saves: soft-DTW in a Sakoe-Chiba band beside the full lattice, in one run: ``python benchmarks/windows.py``.

Radii take turns, so that a noisy machine disturbs all alike; medians. One thread, float32, costs given, N = M.
"""

import argparse
import os
import statistics
import time

os.environ["DPSEMIRING_NUM_THREADS"] = "1"

import numpy as np

import dpsemiring as dp


def solvers(radii):
    """Radius (None: no window) -> the solver and the parameters of its call."""
    steps = dp.topologies.dtw().steps
    banded = dp.Topology(steps, window=dp.Window.sakoe_chiba(dp.Param("radius")))
    made = dp.compile(banded, dp.Softmin(1.0)), dp.compile(dp.Topology(steps), dp.Softmin(1.0))
    return {r: (made[r is None], {} if r is None else {"radius": r}) for r in radii}


def seconds(work):
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--radii", type=int, nargs="*", default=[10, 50, 200, 1000])
    options = parser.parse_args()
    n = options.size
    cost = np.random.default_rng(0).random((n, n), np.float32)
    ways = solvers([*options.radii, None])
    times = {r: ([], []) for r in ways}
    for solver, params in ways.values():  # compiled before any is timed
        _ = solver(cost, params=params).marginals
    for _ in range(options.rounds):
        for r, (solver, params) in ways.items():
            forward, result = seconds(lambda: solver(cost, params=params))
            backward, _ = seconds(lambda: result.marginals)
            times[r][0].append(forward)
            times[r][1].append(forward + backward)
    full = [statistics.median(t) for t in times[None]]
    print(f"soft-DTW {n} x {n}, float32, one thread, median of {options.rounds}")
    print("| radius | cells | forward, ms | of the full | forward + backward, ms | of the full |")
    print("|---:|---:|---:|---:|---:|---:|")
    for r, (forward, both) in times.items():
        cells = 1.0 if r is None else min(1.0, ((2 * r + 1) * n - r * (r + 1)) / n**2)
        a, b = statistics.median(forward), statistics.median(both)
        name = "none" if r is None else r
        print(f"| {name} | {cells:.1%} | {1e3 * a:.1f} | {a / full[0]:.1%} | {1e3 * b:.1f} | {b / full[1]:.1%} |")


if __name__ == "__main__":
    main()
