"""Speed and memory on a GPU, beside torch's and ddtw's kernels, on torch's tensors.

    python -m benchmarks.gpu [--rounds 20] [--json benchmarks/gpu.json]

needs a CUDA device, torch with CUDA, CuPy, and ddtw where it is to be compared with; without a device it prints the memory that
is told from shapes. Times are medians between CUDA events, after three calls; they hold whatever Python takes where that is
longer than the kernels.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

import dpsemiring as dp
from dpsemiring.lower.build import build
from dpsemiring.lower.forms import compiled_form, over
from dpsemiring.run.gpu.choice import Choice, choose, options
from dpsemiring.run.gpu.cupy_device import BLOCKS_EACH
from dpsemiring.run.gpu.device import Device
from dpsemiring.run.gpu.engine import THREADS

SOFT = dp.topologies.dtw(), dp.Softmin(1.0)
SHAPES = (256, 512, 512), (2048, 512, 512), (32, 1024, 1024), (1, 10_000, 10_000)
PROCESSORS = 132  # of an H100 SXM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, help="a file for the results")
    given = parser.parse_args()
    print(*memory(), sep="\n")
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("benchmarks.gpu: torch finds no CUDA device")
    about = _machine(torch)
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n")
    rows = []
    for work, ways in works(torch).items():
        size, wanted = work[1:]
        for name, make in ways.items():
            row = {"work": work[0], "way": name} | _measured(torch, make, size, given.rounds)
            rows.append(row)
            said = row.get("error") or f"{row['ms']:.3f} ms   {row['Gcells/s']:.1f} Gcells/s   beside {row['beside']:.3f}"
            print(f"{work[0]:60s} {name:10s} {said}   wanted: {wanted}")
    if given.json:
        given.json.write_text(json.dumps({"machine": about, "results": rows}, indent=1) + "\n")


class Shapes(Device):
    """A device of which only the size is known."""

    def __init__(self, processors: int):
        self.processors = processors

    def blocks(self, wanted):
        return max(1, min(wanted, BLOCKS_EACH * self.processors))


def predicted(shape: tuple[int, int, int], processors: int = PROCESSORS, memory: int | None = None) -> Choice:
    """How soft-DTW in float32 is cut, and the memory of its forward and backward pass beside costs and gradients."""
    topology, semiring = SOFT
    recurrence = over(build(topology, semiring), compiled_form(semiring))
    among = options(recurrence)
    return choose(recurrence, np.dtype(np.float32), shape, Shapes(processors), THREADS, among, memory=memory)


def memory(processors: int = PROCESSORS) -> list[str]:
    """A table of that, by default and where `memory` is an eighth of the cost."""
    rows = [
        "| soft-DTW, float32 | columns | span | warps back | beside the cost | `memory=` | columns | span | warps back | time |",
        "|---" * 10 + "|",
    ]
    for shape in SHAPES:
        cost = 4 * shape[0] * shape[1] * shape[2]
        parts = []
        for bound in (None, cost // 8):
            choice = predicted(shape, processors, bound)
            warps = choice.blocks * THREADS // 32
            share = f"{choice.memory / cost:.3f}"
            parts += [str(choice.schedule.columns), str(choice.schedule.height), str(warps)]
            parts += [share, "1/8"] if bound is None else [f"x {choice.cycles / predicted(shape, processors).cycles:.1f}"]
        rows.append(f"| {' x '.join(map(str, shape))} | {' | '.join(parts)} |")
    return rows


def works(torch) -> dict[tuple, dict]:
    """By name, cells and what is wanted: the ways, each of which makes a call."""
    found = {}
    for shape in ((256, 512, 512), (2048, 512, 512), (1, 10_000, 10_000)):
        name, cells = " x ".join(map(str, shape)), shape[0] * shape[1] * shape[2]
        for both in (False, True):
            large = shape[0] == 1
            wanted = ("3 ms" if both else "") if large else "100 Gcells/s" if both else "300 Gcells/s"
            ways = {"dpsemiring": partial(soft_dtw, torch, shape, both)}
            if min(shape[1:]) <= 1024:  # ddtw's kernels take no more
                ways["ddtw"] = partial(ddtw, torch, shape, both)
            found[f"soft-DTW {name}, {'forward + backward' if both else 'forward'}", cells, wanted] = ways
    shape = 32, 1024, 1024
    found["soft-DTW from series 32 x 1024^2, D = 64, forward + backward", 32 * 1024**2, "2 ms"] = {
        "dpsemiring": partial(from_series, torch, shape, 64)
    }
    for classes in (128, 5000):
        cells = 32 * 1000 * 401
        found[f"CTC 32 x 1000 frames x 200 labels, V = {classes}, forward + backward", cells, "3 x torch"] = {
            "dpsemiring": partial(ctc, torch, classes, None),
            "torch": partial(ctc, torch, classes, torch.nn.functional.ctc_loss),
        }
    return found


def soft_dtw(torch, shape, both):
    cost = torch.rand(shape, device="cuda", requires_grad=both)
    solver = dp.compile(*SOFT)

    def call():
        total = solver(cost).total
        return torch.autograd.grad(total.sum(), cost) if both else total

    return call


def ddtw(torch, shape, both):
    import ddtw as package

    cost = torch.rand(shape, device="cuda", requires_grad=both)
    module = package.SDTW(gamma=1.0, backend="cuda_cpp", normalization="none", dtype_float=torch.float32)

    def call():
        total = module(C=cost)
        return torch.autograd.grad(total, cost) if both else total

    return call


def from_series(torch, shape, features):
    x, y = (torch.rand((shape[0], n, features), device="cuda", requires_grad=True) for n in shape[1:])
    solver = dp.compile(*SOFT)
    return lambda: torch.autograd.grad(solver(dp.costs.sqeuclidean(x, y)).total.sum(), (x, y))


def ctc(torch, classes, loss):
    """torch's own kernels take targets on the device; those of cuDNN take them on the host."""
    if loss is None:
        from dpsemiring.torch import ctc_loss as loss
    scores = torch.rand((1000, 32, classes), device="cuda").log_softmax(2).requires_grad_()
    targets = torch.randint(1, classes, (32, 200), device="cuda")
    frames, labels = torch.full((32,), 1000), torch.full((32,), 200)
    return lambda: torch.autograd.grad(loss(scores, targets, frames, labels, reduction="sum"), scores)


def _measured(torch, make, cells: int, rounds: int) -> dict:
    """Milliseconds, and the memory beside what goes in and comes out, as a share of a float32 cost."""
    try:
        call = make()
        for _ in range(3):
            result = call()
        torch.cuda.synchronize()
        times = []
        for _ in range(rounds):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            result = call()
            stop.record()
            stop.synchronize()
            times.append(start.elapsed_time(stop))
        del result
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        result = call()
        torch.cuda.synchronize()
        beside = torch.cuda.max_memory_allocated() - before
        given = sum(x.nbytes for x in (result if isinstance(result, tuple) else (result,)))
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    ms = median(times)
    return {"ms": ms, "Gcells/s": cells / ms / 1e6, "beside": (beside - given) / (4 * cells)}


def _machine(torch) -> dict[str, str]:
    versions = {}
    for name in ("dpsemiring", "torch", "ddtw", "cupy-cuda12x", "cupy-cuda13x"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": date.today().isoformat(),
        "device": torch.cuda.get_device_name(),
        "python": platform.python_version(),
        **versions,
        "command": "python -m benchmarks.gpu",
    }


if __name__ == "__main__":
    main()
