"""Numbers of ours alone: a function of this package in a process of its own, pinned and with its own kernel caches."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.timing import ROOT, TURN, Settings, environment, pin


def run(settings: Settings, call: str, *, way: str = "dpsemiring", threads: int = 1, cache: Path | None = None, python=None):
    """What `call`, "module:function(arguments)", gives: a value of JSON; None, with a line that says why, where it fails."""
    pin(settings, threads)
    given = environment(settings, way, threads)
    if cache is not None:
        given |= {"DPSEMIRING_CACHE": str(cache / "dpsemiring"), "NUMBA_CACHE_DIR": str(cache / "numba")}
    module, expression = call.split(":", 1)
    code = f"import json, benchmarks.{module} as m; print(json.dumps(m.{expression}))"
    found = subprocess.run([python or sys.executable, "-c", code], cwd=ROOT, env=given, capture_output=True, text=True)
    if found.returncode:
        print(f"failed: {way}, {call}: {(found.stderr.strip() or f'signal {-found.returncode}').splitlines()[-1]}", flush=True)
        return None
    return json.loads(found.stdout.strip().splitlines()[-1])


def seconds(call, rounds: int, least: float = 0.2) -> float:
    """The median of at least so many calls, and of so many seconds of them, after two that are not counted."""
    return in_turns([call], rounds, least)[0]


def in_turns(calls, rounds: int, least: float = 0.2) -> list[float]:
    """The same of several calls, which take turns: what else the machine does meets all of them, and most follow their like."""
    for call in calls:
        call()
        call()
    taken: list[list[float]] = [[] for _ in calls]
    while min(map(len, taken)) < rounds or min(map(sum, taken)) < least:
        for call, times in zip(calls, taken):
            end = time.perf_counter() + TURN
            while (begin := time.perf_counter()) < end:
                call()
                times.append(time.perf_counter() - begin)
    return [statistics.median_high(times) for times in taken]
