"""The chart: how many times longer peers take, and what a cell costs by size."""

from __future__ import annotations

from pathlib import Path

from benchmarks.timing import ratios

MOST = 24


def draw(results: dict, path: Path) -> None:
    """A PNG from what `benchmarks.run` keeps; one thread."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in results["work"] if row["threads"] == min(r["threads"] for r in results["work"])]
    found = [(row["work"], ratios(row)) for row in rows]
    found = [(name, r) for name, r in found if r][:MOST]
    peers = sorted({peer for _, r in found for peer in r})
    colours = dict(zip(peers, plt.get_cmap("tab10").colors + plt.get_cmap("Set2").colors))
    sizes = results.get("scaling", {}).get("size", {})
    figure, axes = plt.subplots(
        1, 2 if sizes else 1, figsize=(13, 1.2 + 0.34 * len(found)), squeeze=False, width_ratios=[2, 1][: 1 + bool(sizes)]
    )
    bars = axes[0, 0]
    for i, (_, of_peers) in enumerate(found):
        for peer, r in of_peers.items():
            bars.plot(r["ratio"], i, "o", color=colours[peer], label=peer)
            if r["wanted"]:
                bars.plot(r["wanted"], i, "|", color=colours[peer], markersize=12, markeredgewidth=2)
    bars.axvline(1.0, color="grey", linewidth=0.8)
    bars.set(xscale="log", xlabel="times longer than dpsemiring (float32, one thread); bars: wanted", yticks=range(len(found)))
    bars.set_yticklabels([name for name, _ in found], fontsize=8)
    bars.invert_yaxis()
    bars.grid(axis="x", alpha=0.3)
    handles = dict(zip(*reversed(bars.get_legend_handles_labels())))
    bars.legend(handles.values(), handles, fontsize=7, ncols=6, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    if sizes:
        lines = axes[0, 1]
        for i, label in enumerate(("forward", "forward + backward")):
            points = [(int(n), times[i]) for n, times in sizes.items() if times]
            lines.plot(*zip(*points), "o-", label=label)
        lines.set(xscale="log", yscale="log", xlabel="N = M, soft-DTW, one problem", ylabel="ns a cell")
        lines.grid(alpha=0.3, which="both")
        lines.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
