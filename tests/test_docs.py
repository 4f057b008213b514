"""The examples of the documents and of every docstring run, and say what is so.

A document's blocks are either doctests (``>>>``), which print what they say, or plain Python, run in order in one name space.
"""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import dpsemiring as dp


def blocks(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.S)


ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCTESTS = [path for path in DOCS if ">>> " in path.read_text(encoding="utf-8")]
PLAIN = [path for path in DOCS if path not in DOCTESTS and blocks(path)]
MODULES = [m.name for m in pkgutil.walk_packages(dp.__path__, "dpsemiring.")]


def regularisers(space, printed):
    assert "True\nassociative: not stated, refuted" in printed
    known = dp.compile(space["dtw"], dp.testing.samples.tsallis(0.2))(space["cost"])
    np.testing.assert_allclose(space["result"].total, known.total, rtol=1e-12)
    np.testing.assert_allclose(space["result"].marginals, known.marginals, atol=1e-12)


# document -> what must hold of the names it leaves and of what it prints
AFTERWARDS = {"regularisers.md": regularisers}


@pytest.mark.parametrize("path", DOCTESTS, ids=lambda p: p.name)
def test_a_document_prints_what_it_says(path):
    failed, tried = doctest.testfile(str(path), module_relative=False)
    assert tried and not failed


@pytest.mark.parametrize("path", PLAIN, ids=lambda p: p.name)
def test_every_block_runs(path, capsys):
    space: dict = {}
    for block in blocks(path):
        exec(compile(block, str(path), "exec"), space)
    AFTERWARDS.get(path.name, lambda *_: None)(space, capsys.readouterr().out)


def test_every_check_has_its_document():
    assert AFTERWARDS.keys() <= {path.name for path in PLAIN}


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed


def body_lines(function):
    """Lines of a function's body, without its docstring."""
    tree = ast.parse(inspect.getsource(function)).body[0]
    body = tree.body[isinstance(tree.body[0], ast.Expr) :]
    return body[-1].end_lineno - body[0].lineno + 1


def test_the_table_of_methods_is_complete_and_counts_right():
    rows = re.findall(r"(?m)^\| (`[^|]*`) \| ([\d, ]+) \|", (ROOT / "docs" / "methods.md").read_text(encoding="utf-8"))
    counted = {n: int(c) for names, counts in rows for n, c in zip(re.findall(r"`(\w+)`", names), counts.split(","))}
    assert counted == {name: body_lines(getattr(dp.topologies, name)) for name in dp.topologies.__all__}


def test_the_table_of_planes_and_params_is_right():
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| ((?:`\w+`(?:, )?)+) \| ([^|]*) \|([^|]*)\|$", text)
    said = {n: (p, q) for names, p, q in rows for n in re.findall(r"`(\w+)`", names)}
    assert len(said) >= 11
    for name, (planes, params) in said.items():
        topology = getattr(dp.topologies, name)(*((3,) if name == "hmm" else ()))
        assert list(topology.planes()) == re.findall(r"(?:^|, )(\w+)(?=$|,| \(|:)", re.sub(r"`[^`]*`", "", planes)), name
        assert {p.name: p.axes for p in topology.params()} == {
            n: a for n, a in re.findall(r"(\w+)(?: \((\w*)[^)]*\))?", re.sub(r": .*", "", params)) if n
        }, name
