"""Timing the ways of a piece of work: each in a process of its own, all ready before the first is timed, taking turns."""

from __future__ import annotations

import hashlib
import os
import select
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from multiprocessing.connection import Listener
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.work import OURS, OURS64, Work, difference, peer, too_far

ROOT = Path(__file__).parent.parent
THREADS = ("DPSEMIRING", "NUMBA", "OMP", "MKL", "OPENBLAS")
TURN = 0.05  # seconds that a way is called for before the next has its turn, about
PATIENCE = 600  # seconds until a way must have begun


@dataclass
class Settings:
    """How to measure. `pythons` has the interpreters of peers that cannot live beside the others."""

    rounds: int = 7
    quick: bool = False
    caches: Path = ROOT / "build" / "benchmark-cache"
    pythons: dict[str, str] = field(default_factory=dict)
    cores: list[int] = field(default_factory=lambda: sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [])


def environment(settings: Settings, way: str, threads: int) -> dict[str, str]:
    """The environment of a way's process: its threads, and kernel caches of its own. Python may keep what it compiles."""
    cache = settings.caches / hashlib.sha256(way.encode()).hexdigest()[:12]
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        **{f"{name}_NUM_THREADS": str(threads) for name in THREADS},
        "BENCHMARK_THREADS": str(threads),
        "DPSEMIRING_CACHE": str(cache / "dpsemiring"),
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def pin(settings: Settings, threads: int) -> None:
    """This process, and those that it starts from now on, on as many cores as there are threads."""
    if settings.cores:
        os.sched_setaffinity(0, settings.cores[-threads:])


class Process:
    """One way in its own process. `state` is "ready", "missing" or "failed", `told` what it said then."""

    def __init__(self, listener: Listener, settings: Settings, module: str, work: Work, way: str, threads: int):
        self.way = way
        self.python = settings.pythons.get(peer(way), sys.executable)
        quick = "quick" if settings.quick else "full"
        command = [self.python, "-m", "benchmarks.worker", str(listener.address), module, work.name, way, quick]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(settings, way, threads),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.line, told = None, None
        if self.starts(listener):
            self.line = listener.accept()
            told = self.hear(PATIENCE)
        self.state, *self.told = told or ("failed", self.error())
        if self.state != "ready":
            self.stop()

    def starts(self, listener: Listener) -> bool:
        """Wait until it calls, or has ended."""
        for _ in range(PATIENCE):
            if select.select([listener._listener._socket], [], [], 1.0)[0]:
                return True
            if self.process.poll() is not None:
                return False
        return False

    def error(self) -> str:
        self.process.kill()
        return (self.process.communicate()[1] or "its process ended").strip().splitlines()[-1]

    def hear(self, patience=None):
        try:
            return self.line.recv() if patience is None or self.line.poll(patience) else None
        except EOFError:
            return None

    def time(self, count: int) -> list[float]:
        """Seconds of so many calls; none if the process ends."""
        self.line.send(count)
        return self.hear() or []

    def stop(self) -> None:
        if self.line is not None:
            try:
                if self.state == "ready":
                    self.line.send(None)
            except OSError:
                pass
            self.line.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()


def measure(module: str, work: Work, threads: int, settings: Settings) -> dict:
    """A row: for every way its state, its error against ours, seconds to begin, and ns a cell."""
    pin(settings, threads)
    row = {
        "subject": module.split(".")[-1],
        "work": work.name,
        "threads": threads,
        "cells": work.cells,
        "wanted": work.wanted,
        "ways": {},
    }
    processes: dict[str, Process] = {}
    with TemporaryDirectory() as folder, Listener(f"{folder}/line", "AF_UNIX") as listener:
        try:
            for way in work.ways:
                processes[way] = Process(listener, settings, module, work, way, threads)
                row["ways"][way] = _begun(processes[way], processes[next(iter(processes))], work)
            ready = [way for way, found in row["ways"].items() if found["state"] == "ready"]
            seconds: dict[str, list[float]] = {way: [] for way in ready}
            for r in range(settings.rounds):
                for way in [*ready[r % max(1, len(ready)) :], *ready[: r % max(1, len(ready))]]:
                    count = min(200, max(1, round(TURN / max(1e-6, row["ways"][way]["call, s"]))))
                    seconds[way] += processes[way].time(count)
        finally:
            for process in processes.values():
                if process.state == "ready":
                    process.stop()
    for way, taken in seconds.items():
        if taken:
            found = row["ways"][way]
            found["ns a cell"] = statistics.median(taken) / work.cells * 1e9
            found["fastest ns a cell"] = min(taken) / work.cells * 1e9
    return row


def _begun(process: Process, ours: Process, work: Work) -> dict:
    """What is known of a way before it is timed; one that gives another answer than ours is not."""
    way = work.ways[process.way]
    found = {"state": process.state, "double": way.double, "compared": way.compared}
    if process.state != "ready":
        return found | {"why": process.told[0]}
    seconds, answers = process.told
    found |= {f"{name}, s": value for name, value in seconds.items()}
    if ours.state == "ready" and way.compared:
        found["errors"] = max((difference(answer, ours.told[1][0]) for answer in answers), key=max)
        if too_far(found["errors"], work.tolerance):
            off = ", ".join(f"{error:.2g}" for error in found["errors"])
            found |= {"state": "differs", "why": f"off by {off}, more than {work.tolerance}"}
            process.stop()
            process.state = "differs"
    return found


def best_of_ours(row: dict) -> str | None:
    """Our fastest way in float32 that does the very work."""
    ways = row["ways"].items()
    found = {w: f["ns a cell"] for w, f in ways if peer(w) == OURS and w != OURS64 and f["compared"] and "ns a cell" in f}
    return min(found, key=found.__getitem__) if found else None


def ratios(row: dict) -> dict[str, dict]:
    """For each peer its best way, and how many times longer it takes than our best: medians, and the fastest calls of both,
    which other work on the machine hardly touches; float64 against our float64 beside it."""
    times = {way: found["ns a cell"] for way, found in row["ways"].items() if "ns a cell" in found}
    out: dict[str, dict] = {}
    best = best_of_ours(row)
    mine = times.get(best)
    for way, time in times.items():
        name = peer(way)
        if mine is None or name == OURS or time >= out.get(name, {"ns a cell": float("inf")})["ns a cell"]:
            continue
        fastest = row["ways"][way]["fastest ns a cell"] / row["ways"][best]["fastest ns a cell"]
        out[name] = {
            "way": way, "ns a cell": time, "ratio": time / mine, "fastest": fastest, "wanted": row["wanted"].get(name),
        }  # fmt: skip
        if row["ways"][way]["double"] and OURS64 in times:
            out[name]["float64 ratio"] = time / times[OURS64]
    if out and "fastest" in row["wanted"]:
        first = min(out, key=lambda name: out[name]["ns a cell"])
        out[first]["wanted"] = max(row["wanted"]["fastest"], out[first]["wanted"] or 0.0)
    return out
