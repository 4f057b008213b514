"""What tests of the CTC family share."""

from functools import partial

import pytest

import dpsemiring as dp


@pytest.fixture
def ctc_engine(request, monkeypatch):
    """The losses on the interpreter, which compiles nothing; or on the engine that a test's parameter names."""
    from dpsemiring.torch import solvers

    monkeypatch.setattr(solvers, "compile", partial(dp.compile, engine=getattr(request, "param", "reference")))
    monkeypatch.setattr(solvers, "_solvers", {})
    monkeypatch.setattr(solvers, "_names", {})
