"""Numbers of ours alone: a function of this package in a process of its own, pinned and with its own kernel caches."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.timing import ROOT, Settings, environment, pin


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
    call()
    call()
    taken: list[float] = []
    while len(taken) < rounds or sum(taken) < least:
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[len(taken) // 2]
