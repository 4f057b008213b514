"""The harness of the benchmarks: what it compares, what it says of a peer that is missing or differs, its ratios."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import report, timing  # noqa: E402
from benchmarks.work import OURS, OURS64, SUBJECTS, difference, digest, too_far, works  # noqa: E402


@pytest.mark.parametrize("subject", SUBJECTS)
def test_work_is_found_by_name_and_begins_with_ours(subject):
    for quick in (True, False):
        found = works(f"benchmarks.{subject}", quick)
        assert found and len({w.name for w in found}) == len(found)
        assert all(next(iter(w.ways)) == OURS and w.cells > 0 for w in found)


@pytest.mark.parametrize("size", [10, 100_000])
def test_answers_are_compared(size):
    random = np.random.default_rng(0)
    array = random.random(size)
    other = array + 1e-3 * random.normal(size=size)
    assert difference(digest((1.0, array)), digest((1.0, array))) == [0.0, 0.0]
    errors = difference(digest((1.0, other)), digest((1.0, array)))
    assert errors[0] == 0.0 and 1e-6 < errors[1] < 1e-1
    assert too_far(errors, 1e-7) and too_far(errors, (1.0, 1e-7)) and not too_far(errors, (0.0, 1e-1))
    assert difference(digest((2.0, array)), digest((1.0, array)))[0] >= 1.0
    assert difference(digest((np.nan, array)), digest((1.0, array)))[0] == np.inf
    assert difference(digest((1.0,)), digest((1.0, array))) == [np.inf] and too_far([np.inf], (1.0, 1.0))


SUMS = """
import numpy as np
from benchmarks.work import Way, Work

def absent(x):
    import no_such_library

def works(quick):
    ways = {
        "dpsemiring": Way(lambda x: lambda: x.sum()),
        "slow way": Way(lambda x: lambda: np.sort(np.tile(x, 2000)).sum() / 2000, double=True),
        "wrong way": Way(lambda x: lambda: x.sum() + 1.0),
        "absent way": Way(absent),
        "failing way": Way(lambda x: 1 / 0),
    }
    return [Work("sums", 100, lambda: (np.arange(100.0),), ways, {"slow": 2.0, "fastest": 3.0})]
"""


def test_ways_take_turns_in_their_own_processes(tmp_path, monkeypatch):
    (tmp_path / "sums_for_a_test.py").write_text(SUMS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = timing.Settings(rounds=2, quick=True, caches=tmp_path, cores=[])
    row = timing.measure("sums_for_a_test", works("sums_for_a_test", True)[0], 1, settings)
    states = {way: found["state"] for way, found in row["ways"].items()}
    assert states == {
        OURS: "ready", "slow way": "ready", "wrong way": "differs", "absent way": "missing", "failing way": "failed",
    }  # fmt: skip
    found = timing.ratios(row)
    assert set(found) == {"slow"} and found["slow"]["ratio"] > 2.0 and found["slow"]["wanted"] == 3.0
    said = "\n".join(report.troubles([row]))
    assert "missing: absent way: ModuleNotFoundError" in said and "failed: failing way (sums): ZeroDivisionError" in said
    assert "differs: wrong way (sums): off by" in said
    text = report.table(report.HEAD, report.lines(row))
    assert "slow way" in text and "wrong way: differs" in text and "absent way: missing" in text


def test_ratios_take_the_best_way_of_a_peer():
    def way(time, **more):
        fastest = time / 2 if time > 1.0 else time
        return {"state": "ready", "double": False, "compared": True, "ns a cell": time, "fastest ns a cell": fastest} | more

    ways = {
        OURS: way(1.0),
        OURS64: way(2.0),
        "peer a": way(9.0),
        "peer b": way(6.0),
        f"{OURS} slow": way(7.0),
        "other": way(8.0, double=True),
    }
    found = timing.ratios({"ways": ways, "wanted": {"other": 4.0, "fastest": 5.0}})
    assert found["peer"] == {"way": "peer b", "ns a cell": 6.0, "ratio": 6.0, "fastest": 3.0, "wanted": 5.0}
    assert found["other"]["ratio"] == 8.0 and found["other"]["float64 ratio"] == 4.0 and found["other"]["wanted"] == 4.0
