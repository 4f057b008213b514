"""Soft-DTW beside tslearn's and ddtw's Numba kernels, in one run: ``python benchmarks/softdtw.py [--json out.json]``.

Steps (1, 0), (0, 1), (1, 1), unit weights, a given cost matrix; forward is the total, forward + backward the total and its
gradient with respect to the cost. Every way of calling a library runs in a process of its own: in one process, an @njit
helper of tslearn's takes over fastmath from whichever caller compiles it first, and its other kernels then lose their
infinities. The processes take turns, a few calls at a time, so that a noisy machine disturbs all of them alike. What a way
returns is compared with a plain float64 recursion before it is timed.
"""

import argparse
import importlib.metadata
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

STEPS = ((1, 0), (0, 1), (1, 1))
TOLERANCE = 1e-5  # of a total, relative


# --- The ways: name -> function(minimum, gamma, shape, dtype) -> (forward(cost) -> total, both(cost) -> (total, gradient)).


def dpsemiring(minimum, gamma, shape, dtype):
    import dpsemiring as dp

    semiring = {"softmin": dp.Softmin(gamma), "hardmin": dp.Tropical, "sparsemin": dp.Sparsemin(gamma)}[minimum]
    solver = dp.compile(dp.topologies.dtw(), semiring)

    def both(cost):
        result = solver(cost)
        return result.total, result.marginals

    return lambda cost: solver(cost).total, both


def tslearn_fast(minimum, gamma, shape, dtype, reuse=False):
    """The float64 kernels under tslearn.metrics.SoftDTW; `reuse`: without the time to allocate their arrays."""
    from tslearn.metrics.soft_dtw_fast import _njit_soft_dtw, _njit_soft_dtw_grad

    n, m = shape

    def allocate():
        return np.zeros((n + 1, m + 1)), np.zeros((n + 2, m + 2)), np.zeros((n + 2, m + 2))

    kept = allocate()

    def forward(cost):
        accumulated = kept[1] if reuse else np.zeros((n + 2, m + 2))
        _njit_soft_dtw(cost.astype(np.float64), accumulated, gamma)
        return accumulated[n, m]

    def both(cost):
        padded, accumulated, expected = kept if reuse else allocate()
        padded[:n, :m] = cost
        _njit_soft_dtw(padded[:n, :m].copy(), accumulated, gamma)
        total = accumulated[n, m]
        _njit_soft_dtw_grad(padded, accumulated, expected, gamma)
        return total, expected[1:-1, 1:-1]

    return forward, both


def tslearn_fast_reused(minimum, gamma, shape, dtype):
    return tslearn_fast(minimum, gamma, shape, dtype, reuse=True)


def tslearn_new(minimum, gamma, shape, dtype):
    """The kernels under tslearn.metrics.soft_dtw_alignment (0.10), in the cost's own dtype."""
    from tslearn.metrics._soft_dtw import _njit_accumulated_matrix_from_distance_matrix, _njit_soft_dtw_grad

    mask = np.ones(shape, dtype=np.bool_)

    def both(cost):
        accumulated = _njit_accumulated_matrix_from_distance_matrix(cost, mask, gamma)
        return accumulated[-1, -1], _njit_soft_dtw_grad(cost, accumulated, gamma)

    return lambda cost: _njit_accumulated_matrix_from_distance_matrix(cost, mask, gamma)[-1, -1], both


def tslearn_hard(minimum, gamma, shape, dtype):
    """The kernel under tslearn.metrics.dtw_path_from_metric; it has no gradient."""
    from tslearn.metrics._dtw import _njit_acc_matrix_from_dist_matrix

    mask = np.ones(shape, dtype=np.bool_)
    return lambda cost: _njit_acc_matrix_from_dist_matrix(cost, mask)[-1, -1], None


def ddtw_class(minimum, gamma, shape, dtype):
    """The public torch modules SDTW, DTW and sparseDTW with their Numba backend."""
    import ddtw
    import torch

    torch.set_num_threads(1)
    settings = {"backend": "cpu_numba", "normalization": "none", "dtype_float": getattr(torch, dtype)}
    name = {"softmin": "SDTW", "hardmin": "DTW", "sparsemin": "sparseDTW"}[minimum]
    module = getattr(ddtw, name)(**settings | ({} if minimum == "hardmin" else {"gamma": gamma}))

    def forward(cost):
        with torch.no_grad():
            return float(module(C=torch.from_numpy(cost)[None]))

    def both(cost):
        c = torch.from_numpy(cost)[None].requires_grad_()
        total = module(C=c)
        total.backward()
        return float(total.detach()), c.grad[0].numpy()

    return forward, both


def ddtw_kernels(minimum, gamma, shape, dtype, reuse=False):
    """The kernels under those modules; `reuse`: without the time to allocate their arrays."""
    from ddtw.backend import backend_cpu_numba as backend

    (n, m), s = shape, len(STEPS)
    which = getattr(backend, f"MINFUNC_{minimum.upper()}")
    steps, rows, columns = np.array(STEPS, np.int16), np.array([n], np.int16), np.array([m], np.int16)
    end, ends = np.array([[[n - 1, m - 1]]], np.int16), np.ones(1, np.int32)
    weights = np.broadcast_to(np.ones(s, dtype), (1, n, m, s))

    def allocate():
        start = np.full((1, n, m), np.inf, dtype)
        return start, *(np.zeros((1, n, m), dtype) for _ in range(4)), np.zeros((1, n, m, s + 1), dtype)

    kept = allocate()

    def run(cost):
        arrays = start, accumulated, local, at_end, _, weight = kept if reuse else allocate()
        start[0, 0, 0] = cost[0, 0]
        small = [np.zeros((1, 1), dtype), np.full((1, 1), np.inf, dtype), np.zeros((1, 1), dtype)]
        total, scratch = np.zeros(1, dtype), [np.empty((1, s + 1), dtype) for _ in range(2)]
        backend.compute_dDTW_forward_numba(
            cost[None], accumulated, local, at_end, weight, weights, start, end, *small, total, gamma, which, rows, columns,
            steps, ends, *scratch,
        )  # fmt: skip
        return total[0], arrays

    def both(cost):
        total, (_, _, local, at_end, expected, weight) = run(cost)
        backend.compute_dDTW_backward_numba(expected, at_end, weight, rows, columns, steps)
        return total, (expected * local)[0]

    return lambda cost: run(cost)[0], both


def ddtw_kernels_reused(minimum, gamma, shape, dtype):
    return ddtw_kernels(minimum, gamma, shape, dtype, reuse=True)


OURS = "dpsemiring"
DDTW = {
    "ddtw class": ddtw_class,
    "ddtw kernels": ddtw_kernels,
    "ddtw kernels, arrays reused": ddtw_kernels_reused,
}
WAYS = {
    "softmin": {
        OURS: dpsemiring,
        "tslearn soft_dtw_fast": tslearn_fast,
        "tslearn soft_dtw_fast, arrays reused": tslearn_fast_reused,
        "tslearn _soft_dtw": tslearn_new,
        **DDTW,
    },
    "hardmin": {OURS: dpsemiring, "tslearn _dtw": tslearn_hard, **DDTW},
    "sparsemin": {OURS: dpsemiring, **DDTW},
}


# --- The truth: float64, one anti-diagonal at a time.


def softmin(v, gamma):
    low = v.min(axis=0)
    weight = np.exp((low - v) / gamma)
    total = weight.sum(axis=0)
    return low - gamma * np.log(total), weight / total


def hardmin(v, gamma):
    return v.min(axis=0), (np.arange(len(v))[:, None] == v.argmin(axis=0)).astype(float)


def sparsemin(v, gamma):
    low = v.min(axis=0)
    z = (low - v) / gamma
    ordered = -np.sort(-z, axis=0)
    size = np.arange(1.0, len(v) + 1)[:, None]
    excess = (np.cumsum(ordered, axis=0) - 1.0) / size
    support = (ordered > excess).sum(axis=0)
    weight = np.maximum(z - excess[support - 1, np.arange(v.shape[1])], 0.0)
    paid = weight * np.where(weight > 0.0, v - low, 0.0)
    return low + paid.sum(axis=0) + gamma / 2 * ((weight**2).sum(axis=0) - 1.0), weight


def truth(cost, minimum, gamma):
    """Total and gradient."""
    smallest, (n, m) = globals()[minimum], cost.shape
    d = np.full((n + 1, m + 1), np.inf)
    d[0, 0] = 0.0

    def diagonal(k):
        i = np.arange(max(1, k - m), min(n, k - 1) + 1)
        before = [(i - dn, k - i - dm) for dn, dm in STEPS]
        return i, k - i, before, *smallest(np.stack([d[p] for p in before]), gamma)

    for k in range(2, n + m + 1):
        i, j, _, value, _ = diagonal(k)
        d[i, j] = cost[i - 1, j - 1].astype(np.float64) + value
    e = np.zeros((n + 1, m + 1))
    e[n, m] = 1.0
    for k in range(n + m, 1, -1):
        i, j, before, _, weight = diagonal(k)
        for p, w in zip(before, weight):
            e[p] += e[i, j] * w
    return d[n, m], e[1:, 1:]


# --- In the process of one way.


def first_calls(connection, way, minimum, gamma, cost):
    """Seconds until the library is imported and the problem set up; of the first forward; of the first with gradient."""
    times = [time.perf_counter()]
    forward, both = WAYS[minimum][way](minimum, gamma, cost.shape, cost.dtype.name)
    times.append(time.perf_counter())
    for call in (forward, both):
        if call is not None:
            call(cost)
            times.append(time.perf_counter())
    connection.send([after - before for before, after in itertools.pairwise(times)])


def serve(connection, way, minimum, gamma, cost):
    """First the outcome of both calls, twice, then seconds a call for as long as (task, number of calls) come in."""
    calls = dict(zip(("forward", "both"), WAYS[minimum][way](minimum, gamma, cost.shape, cost.dtype.name)))
    for _ in range(2):
        total = calls["forward"](cost)
        again, gradient = calls["both"](cost) if calls["both"] else (total, None)
        connection.send((float(total), float(again), None if gradient is None else np.array(gradient, np.float64)))
    while (request := connection.recv()) is not None:
        task, count = request
        seconds = []
        for _ in range(count if calls[task] else 0):
            start = time.perf_counter()
            calls[task](cost)
            seconds.append(time.perf_counter() - start)
        connection.send(seconds)


# --- In the process that asks.


def start_process(target, cache, *arguments):
    """A line to a new interpreter with its own kernel caches."""
    os.environ["DPSEMIRING_CACHE"], os.environ["NUMBA_CACHE_DIR"] = f"{cache}/dpsemiring", f"{cache}/numba"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(target=target, args=(theirs, *arguments), daemon=True).start()
    theirs.close()
    return ours


def hear(line, way):
    """The next message of a process."""
    try:
        return line.recv()
    except EOFError:
        raise SystemExit(f"{way}: its process ended; its error stands above") from None


def time_first_calls(way, minimum, gamma, cost, cache):
    """The same twice: with empty caches, then with the caches that the first process left."""
    found = []
    for _ in range(2):
        found.append(hear(start_process(first_calls, cache, way, minimum, gamma, cost), way))
    return dict(zip(("empty cache", "warm cache"), found))


def time_all(minimum, gamma, cost, caches, rounds, count):
    """For each way its errors and ns a cell; all processes stand ready and are asked in turn."""
    total, gradient = truth(cost, minimum, gamma)
    lines, rows = {}, {}
    for way in WAYS[minimum]:
        lines[way] = start_process(serve, caches[way], way, minimum, gamma, cost)
        for _ in range(2):
            once, again, found = hear(lines[way], way)
            error = max(abs(once - total), abs(again - total)) / abs(total)
            if not error <= TOLERANCE:
                raise SystemExit(f"{way}, {minimum}: the totals {once} and {again} should be {total}; not timed")
        rows[way] = {"total error": error, "gradient error": None if found is None else abs(found - gradient).max()}
    for task in ("forward", "both"):
        seconds = {way: [] for way in lines}
        for r in range(rounds):
            for way in [*lines][r % len(lines) :] + [*lines][: r % len(lines)]:
                lines[way].send((task, count))
                seconds[way] += hear(lines[way], way)
        for way, s in seconds.items():
            rows[way][task] = statistics.median(s) / cost.size * 1e9 if s else None
            rows[way][f"{task}, fastest"] = min(s) / cost.size * 1e9 if s else None
    for line in lines.values():
        line.send(None)
    return rows


def time_import(repeats=7):
    """Seconds that `import dpsemiring` takes beyond NumPy: the median over fresh interpreters."""
    code = "import time, numpy; t = time.perf_counter(); import dpsemiring; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(repeats)]
    return statistics.median(float(r.stdout) for r in runs)


def machine():
    """What the numbers were measured on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]

    def git(*arguments):
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=Path(__file__).parent)
        return found.stdout.strip()

    names = ("numpy", "numba", "llvmlite", "tslearn", "ddtw", "torch")
    return {
        "date": date.today().isoformat(),
        "machine": f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores seen",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "commit": git("rev-parse", "--short", "HEAD")
        + (" with changes" if git("status", "--porcelain", "--", "../dpsemiring") else ""),
        "versions": {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in names},
    }


# --- The tables.


def table(head, rows):
    """Markdown, first column to the left."""
    cells = [head, *([c if isinstance(c, str) else "" if c is None else f"{c:.3g}" for c in row] for row in rows)]
    width = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, width))) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(width)) + "|"
    print("\n".join([lines[0], rule, *lines[1:]]) + "\n", flush=True)


def print_first_calls(minimum, gamma, cost, caches):
    """One table."""
    found = {way: time_first_calls(way, minimum, gamma, cost, caches[way]) for way in WAYS[minimum]}
    print(f"{minimum}: seconds of the first calls in a process, with empty caches, then in a second process")
    head = ["", *["import, set up", "forward", "then with gradient"] * 2]
    table(head, [[way, *itertools.chain(*((t + [None])[:3] for t in both.values()))] for way, both in found.items()])
    return found


def print_times(title, rows):
    """One table, and how many times faster than the best way of each peer."""
    print(f"{title}: ns a cell, median and fastest; ratio of the medians to ours, forward and forward + backward")
    times = {task: {way: row[task] for way, row in rows.items() if row[task] is not None} for task in ("forward", "both")}
    ratio = {task: {way: t / found[OURS] for way, t in found.items()} for task, found in times.items()}
    head = ["", "forward", "fastest", "forward + backward", "fastest", "ratio", "ratio", "total error", "gradient error"]
    columns = [f"{task}{fastest}" for task in times for fastest in ("", ", fastest")]
    errors = ("total error", "gradient error")
    table(
        head,
        [
            [way, *(row[c] for c in columns), *(found.get(way) for found in ratio.values())]
            + ["" if row[e] is None else f"{row[e]:.0e}" for e in errors]
            for way, row in rows.items()
        ],
    )
    best = {}
    for task, label in (("forward", "forward"), ("both", "forward + backward")):
        for peer in ("tslearn", "ddtw"):
            if found := [r for way, r in ratio[task].items() if way.startswith(peer)]:
                best[f"{peer}, {label}"] = min(found)
    print("best way of a peer over ours: " + "; ".join(f"{k} {v:.1f}" for k, v in best.items()) + "\n", flush=True)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000], help="N = M, one table each")
    parser.add_argument("--minima", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1, help="threads and cores that each way may use")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=3, help="calls a round")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    a = parser.parse_args()

    for variable in ("DPSEMIRING_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(a.threads)  # before any process starts
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-a.threads :])
    out = {
        "environment": machine(),
        "settings": {k: v for k, v in vars(a).items() if k != "json"},
        "times": {},
        "first calls": {},
    }
    for key, value in out["environment"].items():
        print(f"{key}: {', '.join(f'{k} {v}' for k, v in value.items()) if isinstance(value, dict) else value}")
    out["import"] = time_import()
    print(f"import dpsemiring, beyond numpy: {out['import'] * 1e3:.0f} ms\n", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        caches = {way: f"{folder}/{i}" for i, way in enumerate(dict.fromkeys(w for ways in WAYS.values() for w in ways))}
        costs = {size: np.random.default_rng(0).random((size, size)).astype(a.dtype) for size in a.sizes}
        out["first calls"] = print_first_calls(a.minima[0], a.gamma, costs[a.sizes[0]], caches)
        for minimum, (size, cost) in itertools.product(a.minima, costs.items()):
            rows = time_all(minimum, a.gamma, cost, caches, a.rounds, a.calls)
            best = print_times(f"{minimum}, {size} x {size} {a.dtype}, gamma {a.gamma:g}, {a.threads} thread(s)", rows)
            out["times"][f"{minimum} {size}"] = {"ways": rows, "best peer over ours": best}
    if a.json:
        a.json.write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
