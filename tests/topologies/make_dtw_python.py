"""Writes dtw_python.json: totals and paths of every named step pattern by the package dtw-python, on a few random costs.

Run it where dtw-python is installed: ``python tests/topologies/make_dtw_python.py``.
"""

import io
import json
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path

import numpy as np

with redirect_stdout(io.StringIO()):  # the package greets
    from dtw import dtw, rabinerJuangStepPattern, stepPattern

SHAPES = [(8, 8), (9, 6), (6, 11), (4, 5), (1, 4)]


def patterns():
    """Each pattern under the name by which `dpsemiring.topologies.step_pattern` knows it."""
    for name, pattern in vars(stepPattern).items():
        if isinstance(pattern, stepPattern.StepPattern) and not name.startswith("_"):
            yield name, pattern
    for kind in range(1, 8):
        for slope in "abcd":
            for smoothed in (False, True):
                yield f"rj{kind}{slope}{'s' * smoothed}", rabinerJuangStepPattern(kind, slope, smoothed)


def solved(cost, pattern):
    """[total, rows of the path, its columns], or None where there is no path."""
    try:
        found = dtw(np.array(cost), step_pattern=pattern)
    except ValueError as error:
        assert "No warping path" in str(error), error
        return None
    return [float(found.distance), [int(n) for n in found.index1s], [int(m) for m in found.index2s]]


def main():
    rng = np.random.default_rng(1978)
    costs = [rng.uniform(0.0, 2.0, shape).round(3).tolist() for shape in SHAPES]
    lines = [f"{json.dumps(name)}: {json.dumps([solved(c, p) for c in costs])}" for name, p in patterns()]
    text = ",\n".join(lines)
    head = f'"version": {json.dumps("dtw-python " + version("dtw-python"))},\n"costs": {json.dumps(costs)}'
    (Path(__file__).parent / "dtw_python.json").write_text(f'{{{head},\n"solved": {{\n{text}\n}}}}\n')


if __name__ == "__main__":
    main()
