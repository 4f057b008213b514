"""Learning to hear pitch classes from scores without durations: ``python examples/pitch_class.py [picture.png]``.

A small network looks at a spectrogram and says for each frame which of the twelve pitch classes sound. What it learns
from is the recording and the sequence of pitch-class sets in the score, one for each change: the order is known, the
timing is not. The loss is the soft minimum, over all alignments of frames with that sequence, of the binary
cross-entropy. Compared are

1. strong supervision, which is told the set of every frame;
2. plain soft-DTW, which collapses: a few targets get nearly all frames, and the network learns to predict those;
3. two cures, and both of them together. Weights: a frame that enters a target counts ten times as much as one that stays
   in it, so no target can be given up for the sake of another. A schedule: gamma falls, so that at first, while the
   network knows nothing, all alignments count;
4. the hard minimum in place of the soft one: the classic way, which finds the best alignment and then learns from it.

The music: chorales by J. S. Bach from the corpus of music21 (Cuthbert and Ariza, ISMIR 2010). They are played here, each
with its own tempo, tuning, timbre and noise, and turned into log-frequency spectrograms. The task: Zeitler, Deniffel,
Krause and Müller, Stabilizing Training with Soft Dynamic Time Warping: A Case Study for Pitch Class Estimation with Weakly
Aligned Targets, ISMIR 2023. Needs ``requirements/learning.txt``.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import music21
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

import dpsemiring as dp
from dpsemiring import diagnostics, plot
from dpsemiring.torch import AlignmentLoss, GammaSchedule, bce

# --- The methods: one topology and two minima, whose numbers differ.

topology = dp.topologies.weighted_dtw(vertical=dp.Param("stay"), horizontal=dp.Param("skip"), diagonal=dp.Param("enter"))


@dataclass(frozen=True)
class Method:
    """`weights`: of one more frame in a target, of one more target in a frame, and of a new frame in a new target."""

    name: str
    weights: tuple = (1.0, 1.0, 1.0)
    gamma: tuple | None = (1.0, 1.0)  # at first, and from 60 % of the training on; None for the hard minimum
    strong: bool = False

    def loss(self, steps):
        """The mean over pieces of the total, divided by the number of frames."""
        if self.gamma is None:
            return AlignmentLoss(topology, dp.Tropical, cost="bce_logits", normalize="N")
        schedule = GammaSchedule(*self.gamma, steps=round(0.6 * steps))
        return AlignmentLoss(topology, dp.Softmin, cost="bce_logits", gamma=schedule, normalize="N")

    def params(self):
        return dict(zip(("stay", "skip", "enter"), self.weights))


PLAIN = Method("soft-DTW")
CURED = Method("weights and schedule", weights=(1.0, 10.0, 10.0), gamma=(30.0, 1.0))
METHODS = [
    Method("strong supervision", strong=True),
    PLAIN,
    Method("weights 1, 1, 2", weights=(1.0, 1.0, 2.0)),
    Method("weights 1, 10, 10", weights=CURED.weights),
    Method("schedule 30 to 1", gamma=CURED.gamma),
    CURED,
    Method("weights, hard minimum", weights=CURED.weights, gamma=None),
]
PITCH_CLASSES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"]

# --- The music.

RATE, HOP, WINDOW, FFT = 8000, 800, 2400, 4096  # samples a second, from frame to frame, in a frame, in its transform
LOWEST, SEMITONES, BINS = 36, 60, 3  # the spectrogram's lowest pitch, and its bins a semitone
CHORALES = range(300, 332)  # their numbers in Schmieder's catalogue


def read_score(number, beats):
    """(notes, 3): onset and end in quarter notes, and the MIDI pitch, of the first beats of a chorale."""
    score = music21.corpus.parse(f"bach/bwv{number}", forceSource=True)
    notes = [
        (float(note.offset), min(float(note.offset + note.quarterLength), beats), pitch.midi)
        for part in score.parts
        for note in part.flatten().stripTies().notes
        for pitch in note.pitches
        if note.offset < beats
    ]
    return np.array([note for note in notes if note[0] < note[1]])


def perform(notes, rng):
    """The notes with onsets and ends in seconds, at a tempo that wanders."""
    count = int(np.ceil(notes[:, 1].max()))
    wander = np.clip(np.cumsum(rng.normal(0, 0.08, count)), -0.3, 0.3)
    seconds = np.cumsum([0.0, *(60 / rng.uniform(70, 110) * np.exp(wander))])
    return np.column_stack([np.interp(notes[:, :2], np.arange(count + 1), seconds), notes[:, 2]])


def play(notes, rng):
    """The waveform: decaying harmonic tones, in one tuning and timbre, and noise 15 to 35 dB below."""
    wave = np.zeros(int((notes[:, 1].max() + 0.3) * RATE))
    tuning, slope, even = rng.uniform(-0.3, 0.3), rng.uniform(0.6, 1.8), rng.uniform(0.3, 1.0)
    decay, attack = rng.uniform(0.3, 3.0), rng.uniform(0.01, 0.06)
    for onset, end, pitch in notes:
        frequency = 440 * 2 ** ((pitch - 69 + tuning + rng.normal(0, 0.03)) / 12)
        harmonic = np.arange(1, min(10, int(0.47 * RATE / frequency)) + 1)
        strength = harmonic**-slope * np.where(harmonic % 2, 1, even) * rng.uniform(0.5, 1.5, len(harmonic))
        t = np.arange(int((end - onset + 0.15) * RATE)) / RATE
        envelope = np.minimum(1, t / attack) * np.exp(-t * decay - np.maximum(0, t - (end - onset)) / 0.04)
        cycles = frequency * harmonic[:, None] * t + rng.random((len(harmonic), 1))
        tone = strength @ np.sin((2 * np.pi * cycles).astype(np.float32))
        wave[int(onset * RATE) :][: len(t)] += rng.uniform(0.5, 1) * envelope * tone
    return wave + rng.normal(0, wave.std() * 10 ** (-rng.uniform(15, 35) / 20), len(wave))


def filters():
    """(FFT / 2 + 1, SEMITONES * BINS): triangles a bin wide to either side; where they fall between two frequencies, those."""
    places = 440 * 2 ** ((LOWEST - 69 + (np.arange(-2, SEMITONES * BINS) / BINS)) / 12) * FFT / RATE
    k = np.arange(FFT // 2 + 1)[:, None]
    below, centre, above = places[:-2], places[1:-1], places[2:]
    below, above = np.minimum(below, centre - 1), np.maximum(above, centre + 1)
    made = np.maximum(0, np.minimum((k - below) / (centre - below), (above - k) / (above - centre)))
    return made / made.sum(axis=0)


def spectrogram(wave, bank):
    """(N, SEMITONES * BINS) float32: ten frames a second, log-compressed, standardised."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, (WINDOW - HOP) // 2), WINDOW)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), FFT)) @ bank
    x = np.log1p(100 * magnitude / magnitude.max())
    return ((x - x.mean()) / x.std()).astype(np.float32)


@dataclass
class Piece:
    x: np.ndarray  # (N, SEMITONES * BINS) float32: the spectrogram
    y: np.ndarray  # (M, 12) float32: the pitch-class sets, one for each change
    at: np.ndarray  # (N,): to which of them each frame belongs; strong supervision alone is told


def make_piece(notes, rng, bank):
    """The Piece of notes with onsets and ends in seconds."""
    x = spectrogram(play(notes, rng), bank)
    times = np.unique(notes[:, :2])
    times = times[np.diff(times, prepend=-1) > 1e-6]
    middles = (times[1:] + times[:-1]) / 2
    sounds = (notes[:, 0] <= middles[:, None]) & (middles[:, None] < notes[:, 1])
    sets = (sounds @ np.eye(12)[notes[:, 2].astype(int) % 12] > 0).astype(np.float32)
    new = np.array([True, *(sets[1:] != sets[:-1]).any(axis=1)])
    centres = (np.arange(len(x)) + 0.5) * HOP / RATE
    within = centres < times[-1]
    at = np.searchsorted(times[:-1][new], centres[within], side="right") - 1
    return Piece(x[within], sets[new], at)


# --- The network and its training.


class Network(nn.Module):
    """(B, N, SEMITONES * BINS) spectrograms to (B, N, 12) logits; it looks at three frames."""

    def __init__(self):
        super().__init__()
        self.partials = nn.Conv2d(1, 8, (3, 5), stride=(1, BINS), padding=(1, 2))  # one place for each semitone
        self.chords = nn.Sequential(nn.Linear(8 * SEMITONES, 64), nn.ReLU(), nn.Linear(64, 12))  # frame by frame

    def forward(self, x):
        return self.chords(self.partials(x[:, None]).relu().transpose(1, 2).flatten(2))


def pad(arrays):
    """(B, longest, ...), with zeros."""
    out = torch.zeros(len(arrays), max(len(a) for a in arrays), *arrays[0].shape[1:])
    for row, array in zip(out, arrays):
        row[: len(array)] = torch.from_numpy(array)
    return out


def lengths(pieces):
    return torch.tensor([len(p.x) for p in pieces]), torch.tensor([len(p.y) for p in pieces])


def train(method, pieces, steps, seed, size=8, rate=5e-3):
    """A network, and the loss that it was trained with."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network, loss = Network(), method.loss(steps)
    optimiser = torch.optim.Adam(network.parameters(), rate)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        batch = [pieces[i] for i in rng.choice(len(pieces), size, replace=False)]
        logits = network(pad([p.x for p in batch]))
        if method.strong:
            told, wanted = zip(*((z[: len(p.x)], torch.from_numpy(p.y[p.at])) for z, p in zip(logits, batch)))
            value = binary_cross_entropy_with_logits(torch.cat(told), torch.cat(wanted))
        else:
            value = loss(logits, pad([p.y for p in batch]), lengths(batch), method.params())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        rates.step()
        if method.gamma:
            loss.gamma.step()
    return network, loss


# --- What came of it.


@torch.no_grad()
def evaluate(method, network, loss, pieces):
    """The row of the table, the logits, and the expected alignments: of the strong network by plain soft-DTW."""
    logits, extents = network(pad([p.x for p in pieces])), lengths(pieces)
    cost = bce(logits, pad([p.y for p in pieces]), logits=True)
    gamma = {"gamma": loss.gamma()[None]} if method.gamma else {}
    A = loss.solver(cost, extents, method.params() | gamma).occupancy.numpy()
    truth = pad([np.eye(A.shape[2], dtype=np.float32)[p.at] for p in pieces]).numpy()
    known = np.concatenate([p.y[p.at] > 0 for p in pieces])
    heard = np.concatenate([z[: len(p.x)].numpy() > 0 for z, p in zip(logits, pieces)])  # a probability above 1/2
    row = {
        "F": 200 * (known & heard).sum() / (known.sum() + heard.sum()),
        "largest": 100 * diagnostics.shares(A, extents).max(axis=1).mean(),
        "collapse": diagnostics.collapse(A, truth.sum(axis=1), extents).mean(),
        "entropy": diagnostics.alignment_entropy(A, extents).mean(),
        "diagonality": diagnostics.diagonality(A, extents).mean(),
        "shift": np.abs(diagnostics.temporal_shift(A, truth, extents)).mean(),
        "temperature": diagnostics.effective_temperature(cost, loss.gamma.gamma if method.gamma else 0.0, extents).mean(),
    }
    return row, logits, A


def picture(piece, found, name):
    """The features and the truth; beside them the alignment and the prediction by each method in `found`."""
    figure, axes = plt.subplots(2, 1 + len(found), figsize=(12, 6), layout="constrained", sharex=True)
    N, M = len(piece.x), len(piece.y)
    second = {"origin": (0, 0.5 * HOP / RATE), "step": (1, HOP / RATE)}
    pitch = {"origin": (LOWEST, 0.5 * HOP / RATE), "step": (1 / BINS, HOP / RATE)}
    plot.matrix(axes[0, 0], piece.x.T, **pitch)
    axes[0, 0].set(title="features", ylabel="MIDI pitch")
    plot.matrix(axes[1, 0], piece.y[piece.at].T, **second, interpolation="nearest")
    axes[1, 0].set(title="pitch classes in the score")
    for (method, (logits, A)), (above, below) in zip(found.items(), axes.T[1:]):
        plot.matrix(above, A[:N, :M].T, kind="posterior", **second)
        above.plot((np.arange(N) + 0.5) * HOP / RATE, piece.at, color=plot.PATH_COLOUR, lw=0.8, label="true")
        above.legend(loc="upper left")
        above.set(title=f"{method}: alignment", ylabel="target")
        plot.matrix(below, logits[:N].sigmoid().T, **second, interpolation="nearest")
        below.set(title="probabilities of the network")
    for ax in axes[1]:
        ax.set_yticks(range(12), PITCH_CLASSES, fontsize=7)
        ax.set_xlabel("seconds")
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(name, dpi=100)
    plt.close(figure)
    Image.open(name).convert("RGB").quantize(256, kmeans=1).save(name, optimize=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("picture", nargs="?", default="build/pitch_class.png")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--pieces", type=int, default=len(CHORALES), help="of which a quarter is kept for testing")
    parser.add_argument("--beats", type=int, default=24, help="of each piece")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # so small a network is faster on one core than on two

    began = time.perf_counter()
    rng, bank = np.random.default_rng(0), filters()
    pieces = [make_piece(perform(read_score(number, chosen.beats), rng), rng, bank) for number in CHORALES[: chosen.pieces]]
    frames, targets = (sum(len(a) for a in arrays) for arrays in ([p.x for p in pieces], [p.y for p in pieces]))
    seconds = time.perf_counter() - began
    print(f"{len(pieces)} pieces, {frames} frames, {targets} targets: made in {seconds:.1f} s")

    rows, shown = {}, {}
    for method in METHODS:
        began, found = time.perf_counter(), []
        for seed in range(chosen.seeds):
            order = np.random.default_rng(seed).permutation(len(pieces))
            test, known = np.split(order, [len(pieces) // 4])
            network, loss = train(method, [pieces[i] for i in known], chosen.steps, seed)
            row, logits, A = evaluate(method, network, loss, [pieces[i] for i in test])
            found.append(row)
            if seed == 0 and method in (PLAIN, CURED):
                shown[method.name] = logits[0], A[0]
                example = pieces[test[0]]
        row = {f"F, {seed}": r["F"] for seed, r in enumerate(found)}
        row |= {name: np.mean([r[name] for r in found]) for name in found[0]}
        row["seconds"] = time.perf_counter() - began
        if not rows:
            print(f"{'':22}", *(f"{column:>{max(8, len(column))}}" for column in row))
        rows[method.name] = row
        print(f"{method.name:22}", *(f"{x:{max(8, len(column))}.2f}" for column, x in row.items()), flush=True)
    picture(example, shown, chosen.picture)
    return rows


if __name__ == "__main__":
    main()
