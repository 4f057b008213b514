"""Reading strings of handwritten digits without being told where they are: ``python examples/digits.py [picture.png]``.

A small network looks at an image column by column and gives each column a probability for each class. What it learns from
is the image and the digits in it, no more: the loss is the soft minimum, over all alignments of columns with a target, of
the negative log-likelihood. Three methods differ in their target, their steps, and nothing else:

1. CTC: a blank before, between and after the digits, that may be skipped between digits that differ;
2. soft-DTW without a blank: two classes for each digit, its left half and its right half, in turn. Thus a 4 after a 4 is
   seen without a blank between them, as left, right, left, right;
3. 2-1 soft-DTW: the same halves, each repeated so often that the target is as long as the image, and steps (1, 1), (2, 1)
   and (1, 2): a half lasts between a half and twice its share.

Reading takes the best class of each column and merges runs of one class; CTC drops blanks, the others count a digit where
its left half is followed by its right half. The errors are insertions, deletions and substitutions for each digit of
strings that are made of images which no training string contains.

Data: the 1,797 images, 8 x 8 pixels, of handwritten digits that come with scikit-learn (Alpaydin and Kaynak, Optical
Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998). Needs ``requirements/learning.txt``.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import dpsemiring as dp
from dpsemiring import diagnostics, plot

# --- The data: digits side by side, with gaps, and sometimes one column over each other.

SIZE, GAPS, LENGTHS = 8, (-1, 3), (3, 7)


@dataclass
class Batch:
    """B strings; what lies beyond the true number of columns is 0."""

    images: torch.Tensor  # (B, 1, 8, N)
    columns: np.ndarray  # (B,): the true N of each
    digits: list  # of B arrays (U,)
    middles: list  # of B arrays (U,): the columns where the digits have their middles; no method is told


class Digits:
    """The images, and strings made of some of them."""

    def __init__(self, seed):
        data = load_digits()
        self.images, self.labels = (data.images / 16).astype(np.float32), data.target
        order = np.random.default_rng(seed).permutation(len(self.labels))
        self.test, self.train = order[:450], order[450:]

    def strings(self, rng, pool, B, lengths=LENGTHS):
        """A Batch of random strings of the images in the pool; repeated digits are as likely as others."""
        made = []
        for _ in range(B):
            chosen = rng.choice(pool, rng.integers(lengths[0], lengths[1] + 1))
            before, *gaps, after = rng.integers(GAPS[0], GAPS[1] + 1, len(chosen) + 1)
            starts = max(before, 0) + np.cumsum([0, *(SIZE + gap for gap in gaps)])
            image = np.zeros((SIZE, starts[-1] + SIZE + max(after, 0)), np.float32)
            for start, i in zip(starts, chosen):
                place = image[:, start : start + SIZE]
                np.maximum(place, self.images[i], out=place)
            made.append((image, self.labels[chosen], starts + (SIZE - 1) / 2))
        columns = np.array([image.shape[1] for image, _, _ in made])
        images = torch.zeros(B, 1, SIZE, int(columns.max()))
        for row, (image, _, _) in zip(images, made):
            row[0, :, : image.shape[1]] = torch.from_numpy(image)
        return Batch(images, columns, [d for _, d, _ in made], [m for _, _, m in made])


# --- The network: a column sees four more to either side, and no more.


class Network(nn.Module):
    """(B, 1, 8, N) images to (B, N, V) log-probabilities."""

    def __init__(self, classes, width=24):
        super().__init__()
        self.strokes = nn.Sequential(
            *(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d((2, 1))),
            *(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()),
        )
        self.shapes = nn.Sequential(
            *(nn.Conv1d(width * SIZE // 2, 64, 5, padding=2), nn.BatchNorm1d(64), nn.ReLU()),
            nn.Conv1d(64, classes, 1),
        )

    def forward(self, images):
        return self.shapes(self.strokes(images).flatten(1, 2)).transpose(1, 2).log_softmax(dim=-1)


# --- The three methods.

BLANK = 10


@dataclass(frozen=True)
class Method:
    name: str
    letters: list  # what the classes are called
    topology: dp.Topology
    spell: Callable  # digits -> their spelling, in classes
    target: Callable  # (digits, N) -> of which entry of the spelling each element of the target is a copy
    read: Callable  # the runs of classes -> digits


def with_blanks(digits):
    spelling = np.full(2 * len(digits) + 1, BLANK)
    spelling[1::2] = digits
    return spelling


def halves(digits):
    return np.stack([2 * digits, 2 * digits + 1], axis=1).ravel()


def read_halves(runs):
    left = runs[:-1]
    return left[(left % 2 == 0) & (runs[1:] == left + 1)] // 2


DIGITS = [str(d) for d in range(10)]
HALVES = [d + half for d in DIGITS for half in "lr"]
METHODS = [
    Method(
        name="CTC",
        letters=[*DIGITS, "-"],
        topology=dp.topologies.ctc(),
        spell=with_blanks,
        target=lambda digits, N: np.arange(2 * len(digits) + 1),
        read=lambda runs: runs[runs != BLANK],
    ),
    Method(
        name="soft-DTW",
        letters=HALVES,
        topology=dp.topologies.dtw(),
        spell=halves,
        target=lambda digits, N: np.arange(2 * len(digits)),
        read=read_halves,
    ),
    Method(
        name="2-1 soft-DTW",
        letters=HALVES,
        topology=dp.topologies.dtw_21(),
        spell=halves,
        target=lambda digits, N: np.arange(N) * 2 * len(digits) // N,
        read=read_halves,
    ),
]


def targets(method, batch):
    """(B, M) labels, padded, and the true lengths (B,) of both axes."""
    rows = [method.spell(d)[method.target(d, N)] for d, N in zip(batch.digits, batch.columns)]
    lengths = np.array([len(row) for row in rows])
    labels = np.zeros((len(rows), lengths.max()), np.int64)
    for row, known in zip(labels, rows):
        row[: len(known)] = known
    return labels, (batch.columns, lengths)


def local_cost(log_probs, labels):
    """(B, N, M): minus the log-probability of each label of the target in each column."""
    return -log_probs.gather(2, torch.from_numpy(labels)[:, None, :].expand(-1, log_probs.shape[1], -1))


def align(solver, cost, labels, lengths):
    """The result of the solver, whose steps may ask for the labels: CTC's skips do."""
    return solver(cost, lengths=lengths, params={"labels": torch.from_numpy(labels)} if "labels" in solver.params else None)


def train(method, data, steps, seed, gamma=1.0, size=16, rate=3e-3):
    """A network trained on new random strings at each step, and the solver whose total is its loss."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network, solver = Network(len(method.letters)), dp.compile(method.topology, dp.Softmin(gamma))
    optimiser = torch.optim.Adam(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(steps):
        batch = data.strings(rng, data.train, size)
        labels, lengths = targets(method, batch)
        totals = align(solver, local_cost(network(batch.images), labels), labels, lengths).total
        loss = (totals / torch.from_numpy(batch.columns)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval(), solver


# --- What came of it.


def read(method, log_probs, columns):
    """The digits that a network reads, string by string."""
    best = [rows[:N].argmax(axis=-1) for rows, N in zip(log_probs, columns)]
    return [method.read(b[np.insert(np.diff(b) != 0, 0, True)]) for b in best]


def edits(found, known):
    """(B,): how many insertions, deletions and substitutions make each string found the one known."""
    lengths = np.array([len(x) for x in found]), np.array([len(y) for y in known])
    differs = np.ones((len(found), max(1, lengths[0].max()), lengths[1].max()))
    for item, x, y in zip(differs, found, known):
        item[: len(x), : len(y)] = np.not_equal.outer(x, y)
    return dp.compile(dp.topologies.edit_distance(), dp.Tropical)(differs, lengths=lengths).total


def by_entry(method, batch, marginals):
    """For each string the (N, entries) expected alignment with its spelling: elements that repeat an entry are summed."""
    for rows, digits, N in zip(marginals, batch.digits, batch.columns):
        entry = method.target(digits, N)
        yield rows[:N, : len(entry)] @ np.eye(entry[-1] + 1)[entry]


def by_digit(method, alignment):
    """(N, digits): the columns of the digits alone, or both halves of each."""
    return alignment[:, 1::2] if method.letters[-1] == "-" else alignment[:, ::2] + alignment[:, 1::2]


def evaluate(method, network, solver, batch, gamma=1.0):
    """The row of the table, and the expected alignments."""
    with torch.no_grad():
        log_probs = network(batch.images)
    labels, lengths = targets(method, batch)
    result = align(solver, local_cost(log_probs, labels), labels, lengths)
    log_probs = log_probs.numpy()
    alignments = list(by_entry(method, batch, result.marginals.numpy()))
    costs = [-x[:N][:, method.spell(d)] for x, d, N in zip(log_probs, batch.digits, batch.columns)]
    wrong = edits(read(method, log_probs, batch.columns), batch.digits)
    length = np.array([len(d) for d in batch.digits])
    twice = np.array([(np.diff(d) == 0).any() for d in batch.digits])
    best = np.concatenate([x[:N].argmax(axis=-1) for x, N in zip(log_probs, batch.columns)])
    row = {
        "errors": 100 * wrong.sum() / length.sum(),
        "of repeats": 100 * wrong[twice].sum() / max(1, length[twice].sum()),
        "entropy": np.mean([diagnostics.alignment_entropy(a) for a in alignments]),
        "blank": 100 * np.mean(np.array(method.letters)[best] == "-"),
        "collapse": np.mean([diagnostics.collapse(a) for a in alignments]),
        "shift": np.mean([diagnostics.temporal_shift(by_digit(method, a), m) for a, m in zip(alignments, batch.middles)]),
        "temperature": np.mean([diagnostics.effective_temperature(c, gamma) for c in costs]),
    }
    return row, alignments


def picture(batch, item, alignments, name):
    """One string, and below it its expected alignment by each method."""
    figure, (above, *panels) = plt.subplots(
        len(alignments) + 1, 1, figsize=(9, 10), height_ratios=[1, 2.2, 2, 2], layout="constrained", sharex=True
    )
    digits, N = batch.digits[item], batch.columns[item]
    above.imshow(batch.images[item, 0, :, :N].numpy(), cmap="Greys", aspect="auto")
    above.set(title="a string of unseen digits", yticks=[])
    for ax, method in zip(panels, METHODS):
        plot.matrix(ax, alignments[method.name][item].T, kind="posterior")
        names = [method.letters[c] for c in method.spell(digits)]
        ax.set_yticks(range(len(names)), names, fontsize=7)
        ax.set_title(f"{method.name}: expected alignment of columns with the target")
        ax.set_aspect("auto")
        for middle in batch.middles[item]:
            ax.axvline(middle, color="#00b4d8", lw=0.7)
    panels[-1].set_xlabel("column; lines: true middles of the digits")
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(name, dpi=110)
    plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("picture", nargs="?", default="build/digits.png")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--gamma", type=float, default=1.0, help="of the soft minimum; at 1 the total is -log p(target)")
    parser.add_argument("--strings", type=int, default=300, help="how many strings to test with")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # so small a network is faster on one core than on two

    data = Digits(chosen.seed)
    batch = data.strings(np.random.default_rng([chosen.seed, 1]), data.test, chosen.strings)
    rows, alignments = {}, {}
    for method in METHODS:
        began = time.perf_counter()
        network, solver = train(method, data, chosen.steps, chosen.seed, chosen.gamma)
        seconds = time.perf_counter() - began
        rows[method.name], alignments[method.name] = evaluate(method, network, solver, batch, chosen.gamma)
        rows[method.name]["seconds"] = seconds
        if method is METHODS[0]:
            print(f"{'':14}", *(f"{column:>11}" for column in rows[method.name]))
        print(f"{method.name:14}", *(f"{x:11.2f}" for x in rows[method.name].values()), flush=True)
    repeated = next((b for b, d in enumerate(batch.digits) if (np.diff(d) == 0).any()), 0)
    picture(batch, repeated, alignments, chosen.picture)
    return rows


if __name__ == "__main__":
    main()
