"""The README's Python runs as it stands, in order, in one name space."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)


def test_every_block_runs(capsys):
    space: dict = {}
    for block in BLOCKS:
        exec(compile(block, str(README), "exec"), space)
    printed = capsys.readouterr().out
    assert "associative" in printed
    assert space["result"].grad("log_probs").shape == (12, 5)
    np.testing.assert_allclose(space["result"].grad("log_probs").sum(axis=1), -1.0)


def test_a_strangers_example_is_under_twenty_lines():
    block = next(b for b in BLOCKS if "Bottleneck" in b)
    lines = [line for line in block.splitlines() if line.strip() and not line.startswith("import")]
    assert len(lines) < 20
    for wanted in (".total", ".marginals", ".path", "assert_global_equals_recursive"):
        assert wanted in block


def test_the_printed_recurrence_is_the_real_one():
    space: dict = {}
    exec(BLOCKS[0], space)
    assert str(space["weighted"]) in README.read_text()
