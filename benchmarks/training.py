"""Training steps in torch: a linear layer, a loss, its gradient, SGD; and what tensors cost over arrays."""

from __future__ import annotations

import os
from functools import partial

import numpy as np

from benchmarks import ours
from benchmarks.softdtw import soft
from benchmarks.work import OURS, Way, Work


def works(quick: bool) -> list[Work]:
    aligned = [(2, 60, 20)] if quick else [(16, 200, 60), (8, 1000, 300)]
    labelled = [(2, 60, 8, 10)] if quick else [(16, 200, 32, 30), (16, 1000, 100, 100)]
    found = []
    for batch, n, m in aligned:
        found.append(
            Work(
                f"training step, soft-DTW, batch {batch}, {n} x {m}",
                batch * n * m,
                partial(tuple, (batch, n, m, 12)),
                {
                    OURS: Way(partial(step, soft_dtw, "ours")),
                    "ddtw class": Way(partial(step, soft_dtw, "ddtw")),
                    f"{OURS} loss on the expected alignment": Way(partial(step, soft_dtw, "expected"), compared=False),
                    "network alone": Way(partial(step, soft_dtw, "none"), compared=False),
                },
            )
        )
    for batch, frames, classes, labels in labelled:
        found.append(
            Work(
                f"training step, CTC, batch {batch}, {frames} frames, {classes} classes, {labels} labels",
                batch * frames * (2 * labels + 1),
                partial(tuple, (batch, frames, classes, labels)),
                {
                    OURS: Way(partial(step, ctc, "ours")),
                    "torch": Way(partial(step, ctc, "torch")),
                    "network alone": Way(partial(step, ctc, "none"), compared=False),
                },
            )
        )
    for shape in ((1, 30, 30), (8, 30, 30)):
        mine = ours.ways(soft, ours.total_and_gradient, double=False)
        ways = mine | {f"{OURS} torch": Way(tensors)}
        found.append(Work(f"a call, soft-DTW {' x '.join(map(str, shape))}", int(np.prod(shape)), ours.series(shape), ways))
    return found


def step(loss_of, whose, *sizes):
    """A step; it gives the loss of the first."""
    import torch

    torch.set_num_threads(int(os.environ.get("BENCHMARK_THREADS", "1")))
    torch.manual_seed(0)
    inputs, outputs, loss = loss_of(torch, whose, *sizes)
    network = torch.nn.Linear(inputs, outputs)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-6)
    first = []

    def call():
        optimiser.zero_grad()
        value = loss(network)
        value.backward()
        optimiser.step()
        first.append(float(value.detach())) if not first else None
        return first[0]

    return call


def soft_dtw(torch, whose, batch, n, m, features):
    torch.manual_seed(1)
    x, y = torch.rand(batch, n, 32), torch.rand(batch, m, features)

    def cost(network):
        difference = network(x)[:, :, None] - y[:, None]
        return difference.square().sum(3) / features

    if whose == "none":
        return 32, features, lambda net: cost(net).mean()
    if whose == "ddtw":
        import ddtw

        module = ddtw.SDTW(gamma=1.0, backend="cpu_numba", normalization="none", dtype_float=torch.float32)
        return 32, features, lambda net: module(C=cost(net))
    import dpsemiring as dp

    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))
    late = (torch.arange(n)[:, None] / n - torch.arange(m) / m).square()
    if whose == "expected":
        return 32, features, lambda net: (solver(cost(net)).marginals * late).sum((1, 2)).mean()
    return 32, features, lambda net: solver(cost(net)).total.mean()


def ctc(torch, whose, batch, frames, classes, labels):
    torch.manual_seed(2)
    x, targets = torch.rand(batch, frames, 64), torch.randint(1, classes, (batch, labels))
    sizes = torch.full((batch,), frames), torch.full((batch,), labels)
    if whose == "none":
        return 64, classes, lambda net: net(x).log_softmax(-1).mean()
    if whose == "ours":
        from dpsemiring.torch import ctc_loss as loss
    else:
        loss = torch.nn.functional.ctc_loss
    return 64, classes, lambda net: loss(net(x).log_softmax(-1).transpose(0, 1), targets, *sizes)


def tensors(cost):
    import torch

    import dpsemiring as dp

    solver = dp.compile(*soft(dp))
    leaf = torch.from_numpy(cost).requires_grad_()

    def call():
        leaf.grad = None
        total = solver(leaf).total
        total.sum().backward()
        return total.detach().numpy(), leaf.grad.numpy()

    return call
