"""The hard minimum as expectation-maximisation: ``python examples/em.py``.

Classic training of a recogniser takes turns: align every string by the best path under the present network (E step), then
train the network on the labels that its columns got, as if they were known (M step). The derivative of the hard total is
one such step,

    d/dw min over paths of sum of cost(path; w)  =  d/dw sum of cost(best path; w),  the best path held fixed,

and that of the soft total is the same with the expected alignment in place of the best path: labels in shares, as in
Baum-Welch training. The script

1. shows both equalities on the weights of a network;
2. trains with the hard and with the soft minimum on one small set of strings of handwritten digits (see `digits.py`):
   aligned once for some passes over the set (EM), or anew for each gradient step (the total as the loss). It prints the
   errors on unseen strings after as many gradient steps. Best paths under a network that knows nothing are arbitrary, and
   EM learns them by heart; so classic training has a flat start: in the first round all halves are equally wide.

The target is the left half and the right half of each digit in turn; a path gives each column one of them.
"""

import argparse
import time

import numpy as np
import torch
from digits import METHODS, Batch, Digits, Network, edits, local_cost, read, targets
from torch.nn.functional import nll_loss

import dpsemiring as dp

HALVES = METHODS[1]  # how digits are spelled and read; the steps here are (1, 0) and (1, 1)
SOLVERS = {
    "hard": dp.compile(dp.topologies.ctc_without_blank(), dp.Tropical),
    "soft": dp.compile(dp.topologies.ctc_without_blank(), dp.Softmin(gamma=1.0)),
}
EM, FLAT, TOTAL = "EM", "EM from a flat start", "its total as the loss"


# --- The equality.


def slopes(network, loss):
    """d loss / d the network's weights, as one vector."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)])


def compare(network, batch):
    """For each minimum the derivative of its total, and that of the training step with its alignment held fixed."""
    labels, lengths = targets(HALVES, batch)
    log_probs = network(batch.images)
    cost = local_cost(log_probs, labels)

    hard = SOLVERS["hard"](cost, lengths=lengths)
    known = torch.full(log_probs.shape[:2], -1)
    for columns, row, path in zip(known, labels, hard.path):
        columns[: len(path)] = torch.from_numpy(row)[path[:, 1]]  # E step: each column gets a label
    m_step = nll_loss(log_probs.flatten(0, 1), known.flatten(), ignore_index=-1, reduction="sum")
    yield "hard", slopes(network, hard.total.sum()), slopes(network, m_step)

    soft = SOLVERS["soft"](cost, lengths=lengths)
    m_step = (soft.marginals.detach() * cost).sum()  # each column gets labels in shares
    yield "soft", slopes(network, soft.total.sum()), slopes(network, m_step)


# --- The ways to train.


def pick(batch, some):
    """A Batch of some of the strings."""
    return Batch(batch.images[some], batch.columns[some], *([x[i] for i in some] for x in (batch.digits, batch.middles)))


def e_step(network, solver, batch):
    """(B, N, M): how the network aligns each string with its target, held fixed."""
    labels, lengths = targets(HALVES, batch)
    with torch.no_grad():
        return solver(local_cost(network.eval()(batch.images), labels), lengths=lengths).marginals


def flat_start(batch):
    """(B, N, M): all elements of a target equally wide."""
    labels, (columns, lengths) = targets(HALVES, batch)
    fixed = torch.zeros(len(labels), int(columns.max()), labels.shape[1])
    for item, N, M in zip(fixed, columns, lengths):
        item[np.arange(N), np.arange(N) * M // N] = 1.0
    return fixed


def train(solver, batch, unseen, rounds, passes, way, seed, size=16, rate=3e-3):
    """The percentage of errors on unseen strings after each round, which is so many passes over the set."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(len(HALVES.letters))
    optimiser = torch.optim.Adam(network.parameters(), rate)
    for r in range(rounds):
        if way != TOTAL:
            fixed = flat_start(batch) if way == FLAT and r == 0 else e_step(network, solver, batch)
        network.train()
        for _ in range(passes):
            for some in rng.permutation(len(batch.digits)).reshape(-1, size):
                part = pick(batch, some)
                labels, lengths = targets(HALVES, part)
                cost = local_cost(network(part.images), labels)
                if way == TOTAL:
                    loss = solver(cost, lengths=lengths).total.sum()
                else:
                    loss = (fixed[some, :, : cost.shape[2]] * cost).sum()
                optimiser.zero_grad()
                (loss / part.columns.sum()).backward()
                optimiser.step()
        yield errors(network, unseen)


def errors(network, batch):
    with torch.no_grad():
        log_probs = network.eval()(batch.images).numpy()
    return 100 * edits(read(HALVES, log_probs, batch.columns), batch.digits).sum() / sum(map(len, batch.digits))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--passes", type=int, default=4, help="over the set, in each round")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)

    data = Digits(chosen.seed)
    batch = data.strings(np.random.default_rng([chosen.seed, 2]), data.train, 256, lengths=(2, 4))
    unseen = data.strings(np.random.default_rng([chosen.seed, 1]), data.test, 200, lengths=(2, 4))

    torch.manual_seed(chosen.seed)
    differences = {}
    for name, total, m_step in compare(Network(len(HALVES.letters)), pick(batch, np.arange(16))):
        differences[name] = float((total - m_step).norm() / total.norm())
        print(
            f"{name}: derivative of the total, length {total.norm():.3f}; off that of the M step by {differences[name]:.1e} of it"
        )

    print(f"\nerrors in % after round {'':9}", *(f"{r + 1:6}" for r in range(chosen.rounds)), "  seconds")
    table = {}
    for name, solver in SOLVERS.items():
        for way in (EM, FLAT, TOTAL):
            began = time.perf_counter()
            row = table[name, way] = list(train(solver, batch, unseen, chosen.rounds, chosen.passes, way, chosen.seed))
            print(f"{name + ', ' + way:33}", *(f"{x:6.1f}" for x in row), f"{time.perf_counter() - began:9.1f}", flush=True)
    return differences, table


if __name__ == "__main__":
    main()
