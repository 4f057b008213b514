"""What is printed and kept: tables, results.json, the machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import date
from pathlib import Path

from benchmarks.timing import ROOT, Settings, best_of_ours, ratios
from benchmarks.work import OURS, OURS64, peer

PACKAGES = (
    "numpy", "numba", "llvmlite", "torch", "jax", "ddtw", "tslearn", "soft-dtw", "ott-jax", "optax", "librosa", "dtaidistance",
    "aeon", "parasail", "torchaudio", "hirschberg-viterbi",
)  # fmt: skip


def machine(settings: Settings) -> dict:
    """What the numbers were measured on and with."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    versions = {name: _version(name) for name in PACKAGES}
    for name, python in settings.pythons.items():
        code = f"import importlib.metadata as m; print(m.version({name!r}), '(numba ' + m.version('numba') + ')')"
        found = subprocess.run([python, "-c", code], capture_output=True, text=True)
        versions[name] = found.stdout.strip() or None
    changed = _git("status", "--porcelain", "--", "dpsemiring")
    return {
        "date": date.today().isoformat(),
        "machine": f"{models[0] if models else platform.processor()}, {len(settings.cores) or os.cpu_count()} cores",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "commit": _git("rev-parse", "--short", "HEAD") + (" with changes" if changed else ""),
        "versions": {"python": platform.python_version()} | versions,
    }


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT).stdout.strip()


def print_machine(found: dict) -> None:
    """One line for each thing known."""
    for key, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items() if v) + "".join(f", no {k}" for k, v in value.items() if not v)
        print(f"{key}: {value}")
    print(flush=True)


def table(head, rows) -> str:
    """Markdown, the first column to the left."""
    cells = [list(map(_text, row)) for row in [head, *rows]]
    width = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, width))) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(width)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _text(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.3g}"


HEAD = [
    "work", "threads", "ours, ns a cell", "peer, its best way", "ns a cell", "ratio", "of fastest", "wanted", "ratio in float64",
    "wanted",
]  # fmt: skip


def lines(row: dict) -> list[list]:
    """The lines of one piece of work: one for each peer, those without a time included."""
    ways = row["ways"]
    best = best_of_ours(row)
    mine = ways[best]["ns a cell"] if best else None
    start = [row["work"], str(row["threads"]), mine]
    out = []
    found = ratios(row)
    for r in sorted(found.values(), key=lambda r: r["ns a cell"]):
        double = r.get("float64 ratio")
        half = r["wanted"] / 2 if double and r["wanted"] else None
        out.append([*start, r["way"], r["ns a cell"], r["ratio"], r["fastest"], r["wanted"], double, half])
        start = ["", "", None]
    for way, f in ways.items():  # other ways of ours
        if peer(way) == OURS and way not in (best, OURS64) and "ns a cell" in f:
            out.append([*start, way, f["ns a cell"], mine and f["ns a cell"] / mine, *[None] * 4])
            start = ["", "", None]
    timed = {peer(way) for way, f in ways.items() if "ns a cell" in f}
    for way, f in ways.items():
        if "ns a cell" not in f and (peer(way) not in timed or way in (OURS, OURS64)):
            out.append([*start, f"{way}: {f['state']}", *[None] * 6])
            start = ["", "", None]
    return out or [[*start, "", *[None] * 6]]


def troubles(rows: list[dict]) -> list[str]:
    """Every way that could not be timed, and why."""
    found = {}
    for row in rows:
        for way, f in row["ways"].items():
            if "why" in f:
                where = "" if f["state"] == "missing" else f" ({row['work']})"
                found[f"{f['state']}: {way}{where}: {f['why'].strip().splitlines()[-1]}"] = None
    return list(found)


def write(path: Path, results: dict) -> None:
    """All numbers, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
