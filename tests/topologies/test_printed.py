"""The recurrences that docstrings print, and the numbers beside them."""

import doctest
import importlib

import pytest

import dpsemiring as dp

MODULES = ["dtw", "edit", "elastic", "patterns", "speech"]


@pytest.mark.parametrize("module", MODULES)
def test_the_docstrings_of(module):
    outcome = doctest.testmod(importlib.import_module(f"dpsemiring.topologies.{module}"))
    assert outcome.attempted and not outcome.failed


def presets(module):
    return [n for n in dp.topologies.__all__ if getattr(dp.topologies, n).__module__ == f"dpsemiring.topologies.{module}"]


@pytest.mark.parametrize("name", [n for module in MODULES for n in presets(module)])
def test_each_prints_its_recurrence_and_names_its_source(name):
    text = getattr(dp.topologies, name).__doc__
    assert name == "step_pattern" or (f">>> print({name}(" in text and "total = sum of" in text and "Source:" in text)
