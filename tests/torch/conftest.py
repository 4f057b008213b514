"""What tests of the CTC family share."""

from functools import partial

import pytest

import dpsemiring as dp


@pytest.fixture
def ctc_engine(request, monkeypatch):
    """The losses on the interpreter, which compiles nothing; or on the engine that a test's parameter names."""
    from dpsemiring.torch import ctc_layout

    monkeypatch.setattr(ctc_layout, "compile", partial(dp.compile, engine=getattr(request, "param", "reference")))
    monkeypatch.setattr(ctc_layout, "_solvers", {})
