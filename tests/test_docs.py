"""The examples of the documents and of every docstring run, and print what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import dpsemiring

DOCS = sorted((Path(__file__).parent.parent / "docs").glob("*.md"))
MODULES = [m.name for m in pkgutil.walk_packages(dpsemiring.__path__, "dpsemiring.")]


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_a_documents_examples_run(path):
    failed, _ = doctest.testfile(str(path), module_relative=False)
    assert not failed


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_examples_run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed
