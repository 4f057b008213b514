"""Training steps in torch beside ddtw and torch's own CTC, in one run: ``python benchmarks/torch_training.py``.

What the way through torch costs over the bare engine, in microseconds; a training step (a linear layer, a loss, its
gradient, SGD) with soft-DTW and with CTC; a step with a loss on the gradient, which needs second derivatives. All ways
take turns, so that a noisy machine disturbs all alike; medians. One thread. Losses are compared before they are timed.
"""

import argparse
import os
import statistics
import time

os.environ["DPSEMIRING_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"

import torch

import dpsemiring as dp
from dpsemiring.torch import ctc_loss
from dpsemiring.torch.costs import sqeuclidean

torch.set_num_threads(1)


def by_turns(ways, rounds, calls):
    """Median and fastest seconds of each way; each is called twice before."""
    for way in ways.values():
        way()
        way()
    seconds = {name: [] for name in ways}
    for r in range(rounds):
        for name in [*ways][r % len(ways) :] + [*ways][: r % len(ways)]:
            for _ in range(calls):
                begin = time.perf_counter()
                ways[name]()
                seconds[name].append(time.perf_counter() - begin)
    return {name: (statistics.median(s), min(s)) for name, s in seconds.items()}


def show(title, found, unit, base):
    """A table; ratios to `base`."""
    scale = {"us": 1e6, "ms": 1e3}[unit]
    print(f"{title}\n\n| | {unit}, median | fastest | ratio |\n|---|---:|---:|---:|")
    for name, (median, fastest) in found.items():
        print(f"| {name} | {median * scale:.3g} | {fastest * scale:.3g} | {median / found[base][0]:.2f} |")
    print(flush=True)


def overhead(shape, rounds, calls):
    """The engine on NumPy arrays, and the same on tensors."""
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))
    tensor = torch.rand(shape)
    array, leaf = tensor.numpy(), tensor.clone().requires_grad_()

    def step():
        leaf.grad = None
        solver(leaf).total.sum().backward()

    found = by_turns(
        {
            "engine, total": lambda: solver(array).total,
            "tensors, total": lambda: solver(tensor).total,
            "engine, total and gradient": lambda: solver(array).marginals,
            "tensors, total and backward": step,
        },
        rounds,
        calls,
    )
    show(f"soft-DTW of {shape}, float32", found, "us", "engine, total")


class Step:
    """One step of SGD over a linear layer with a given loss; `last` is the loss of the first."""

    def __init__(self, inputs, outputs, loss):
        torch.manual_seed(0)
        self.network, self.loss, self.first = torch.nn.Linear(inputs, outputs), loss, None
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=1e-6)

    def __call__(self):
        self.optimiser.zero_grad()
        loss = self.loss(self.network)
        if self.first is None:
            self.first = loss.item()
        loss.backward()
        self.optimiser.step()


def agree(steps, tolerance=1e-4):
    for name, step in steps.items():
        step()
        first = next(iter(steps.values())).first
        if abs(step.first - first) > tolerance * abs(first):
            raise SystemExit(f"{name}: the loss {step.first} should be {first}; not timed")


def soft_dtw(batch, n, m, features, rounds, calls):
    torch.manual_seed(1)
    x, y = torch.rand(batch, n, 32), torch.rand(batch, m, features)
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))

    def cost(network):
        return sqeuclidean(network(x), y) / features

    def prior(network):
        expected = solver(cost(network)).marginals
        return (expected * distance).sum((1, 2)).mean()

    distance = (torch.arange(n)[:, None] / n - torch.arange(m) / m).square()
    steps = {"dpsemiring": Step(32, features, lambda net: solver(cost(net)).total.mean())}
    try:
        import ddtw

        module = ddtw.SDTW(gamma=1.0, backend="cpu_numba", normalization="none", dtype_float=torch.float32)
        steps["ddtw"] = Step(32, features, lambda net: module(C=cost(net)).mean())
    except ImportError:
        print("ddtw is not installed")
    agree(steps)
    steps["the same network without an alignment"] = Step(32, features, lambda net: cost(net).mean())
    steps["dpsemiring, loss on the expected alignment (second derivatives)"] = Step(32, features, prior)
    found = by_turns(steps, rounds, calls)
    show(f"training step with soft-DTW: batch {batch}, {n} x {m}, {features} features", found, "ms", "dpsemiring")


def ctc(batch, frames, classes, labels, rounds, calls):
    torch.manual_seed(2)
    x, targets = torch.rand(batch, frames, 64), torch.randint(1, classes, (batch, labels))
    long, short = torch.full((batch,), frames), torch.full((batch,), labels)

    def with_loss(loss):
        return lambda net: loss(net(x).log_softmax(-1).transpose(0, 1), targets, long, short)

    steps = {
        "dpsemiring": Step(64, classes, with_loss(ctc_loss)),
        "torch": Step(64, classes, with_loss(torch.nn.functional.ctc_loss)),
    }
    agree(steps)
    steps["the same network without an alignment"] = Step(64, classes, lambda net: net(x).log_softmax(-1).mean())
    found = by_turns(steps, rounds, calls)
    show(f"training step with CTC: batch {batch}, {frames} frames, {classes} classes, {labels} labels", found, "ms", "dpsemiring")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    print(f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n")
    for shape in ((30, 30), (8, 30, 30)):
        overhead(shape, options.rounds, 30)
    for batch, n, m in ((16, 200, 60), (8, 1000, 300)):
        soft_dtw(batch, n, m, 12, options.rounds, 3)
    for batch, frames, classes, labels in ((16, 200, 32, 30), (16, 1000, 100, 100)):
        ctc(batch, frames, classes, labels, options.rounds, 3)


if __name__ == "__main__":
    main()
