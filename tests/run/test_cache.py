"""Emitted source on disk: written once, found by a second process, and no obstacle where it cannot be written."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dpsemiring.run import cache

PROGRAM = """
import time, numpy as np, dpsemiring as dp
solver = dp.compile(dp.topologies.dtw(), dp.Softmin(float({gamma})))
cost = np.ones((8, 8))
import dpsemiring.run.cpu.staging
begin = time.perf_counter()
solver(cost).marginals
print(time.perf_counter() - begin)
"""


def run(folder, gamma=0.5, **environment):
    env = {**os.environ, "DPSEMIRING_CACHE": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(gamma=gamma)], env=env, capture_output=True, text=True, check=True
    )
    return float(done.stdout), done.stderr


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    first, _ = run(tmp_path)
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert {p.name.split("_")[0] for p in tmp_path.glob("*.py")} == {"advance", "retreat", "forward", "backward"}
    second, _ = run(tmp_path, gamma=0.25)  # another temperature is no other kernel
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == files, "nothing is compiled again"
    assert second < first


@pytest.mark.skipif(os.name != "posix", reason="permissions of posix")
def test_an_unwritable_folder_warns_and_works(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    _, stderr = run(blocked / "cache")
    assert "cannot be written" in stderr and "DPSEMIRING_CACHE" in stderr


def test_the_name_depends_on_text_and_context():
    assert cache.digest("a", "b") != cache.digest("a", "c") != cache.digest("ab")
    assert cache.digest("a", "b") == cache.digest("a", "b")


def test_half_a_file_is_never_seen(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(cache.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.write_atomically(tmp_path / "kernel.py", "text")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_named_by_the_environment(monkeypatch):
    monkeypatch.setenv("DPSEMIRING_CACHE", "/somewhere")
    assert cache.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("DPSEMIRING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache.cache_folder() == Path("/elsewhere/dpsemiring")


def test_loading_is_done_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DPSEMIRING_CACHE", str(tmp_path))
    text = f"stamp = {time.time_ns()}\n"
    assert cache.load_source(text, "stamp") is cache.load_source(text, "stamp")
