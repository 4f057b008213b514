"""Compilers for real GPUs take the kernels of topologies over semirings, and spill no more than is stated.

CI takes a cover, in which kinds of number and architectures take turns, ``--full-product`` every combination.
"""

from itertools import product

import pytest

from benchmarks.kernels import ARCHITECTURES, DUAL, FULL, REALS, SEMIRINGS, TOPOLOGIES, compiled, cover, lost, spilled

pytestmark = pytest.mark.nvidia


def pytest_generate_tests(metafunc):
    if "cell" in metafunc.fixturenames:
        cells = FULL if metafunc.config.getoption("--full-product") else cover()
        metafunc.parametrize("cell", cells, ids=" ".join)


def test_compiles(cell):
    kernels, log = compiled(cell)
    assert "warning" not in log, log
    for name, use in kernels.items():
        assert lost(use) <= spilled(cell), (name, use)
        assert use.stack_bytes == 0 or cell[0] == "hmm" or spilled(cell), (name, use)
        assert use.registers <= 255 and use.shared_bytes <= 1024


def test_every_cell_is_compiled_and_every_choice_comes_to_every_architecture():
    cells = cover()
    assert {cell[:2] for cell in cells} == set(product(TOPOLOGIES, SEMIRINGS)) | {("dtw", DUAL)}
    for axis, choices in enumerate((TOPOLOGIES, SEMIRINGS, REALS)):
        assert {(c[axis], c[3]) for c in cells} >= set(product(choices, ARCHITECTURES))
        assert {(c[axis], c[2]) for c in cells} >= set(product(choices, REALS)) or choices is REALS
