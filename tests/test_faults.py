"""Planted faults: each must turn the suite's own checks red. (Those in the CUDA text stand in tests/cuda.)"""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra import derive
from dpsemiring.declare.topology import Topology
from dpsemiring.run.cpu import engine as cpu

T = dp.topologies.weighted_dtw(1.0, dp.Param("h"), 2.0)


def semiring():
    """Made anew, since a semiring keeps its trace."""
    return dp.Softmin(0.5)


def check_all():
    dp.testing.assert_global_equals_recursive(T, semiring())
    dp.testing.assert_gradients(T, semiring())
    dp.testing.assert_engines_agree(T, semiring())


@pytest.fixture
def emitted(monkeypatch):
    """Change the text of a job as it is emitted."""

    def plant(job, old, new):
        original = getattr(cpu, f"{job}_text")

        def faulty(*args):
            text = original(*args)
            assert old in text, f"the text to change is gone: {old}"
            return text.replace(old, new)

        monkeypatch.setattr(cpu, f"{job}_text", faulty)

    return plant


def test_the_suite_is_green_without_a_fault():
    check_all()


@pytest.fixture
def fresh_derivatives():
    """Derivatives are remembered: those of a faulty rule must be neither hidden by good ones nor left behind."""
    derive._vjp.forget()
    yield
    derive._vjp.forget()


def test_a_flipped_sign_in_the_adjoint(monkeypatch, fresh_derivatives):
    monkeypatch.setitem(derive.RULES, "log", lambda g, n, a: (-g / a,))
    with pytest.raises(AssertionError):
        dp.testing.assert_gradients(T, semiring())


def test_a_flipped_sign_in_the_emitted_adjoint(emitted):
    emitted("retreat", "neg(E0_0)", "absolute(E0_0)")
    with pytest.raises(AssertionError):
        dp.testing.assert_engines_agree(T, semiring())


def test_a_dropped_step_in_the_compiler(monkeypatch):
    build = dp.api.solver.build

    def forgetful(topology: Topology, over):
        return build(Topology(topology.steps[:-1], topology.boundary), over)

    monkeypatch.setattr(dp.api.solver, "build", forgetful)
    with pytest.raises(AssertionError):
        dp.testing.assert_global_equals_recursive(dp.topologies.dtw(), semiring())


def test_a_dropped_step_in_the_emitted_text(emitted):
    emitted("advance", "D0_0_0_1 = load(S0, o - 1 * pitch)", "D0_0_0_1 = splat(F(np.inf))")
    with pytest.raises(AssertionError):
        dp.testing.assert_engines_agree(T, semiring())


def test_swapped_axes(monkeypatch):
    build = dp.api.solver.build

    def crossed(topology: Topology, over):
        steps = [dp.Step(s.dm, s.dn, terms=s.terms, penalty=s.penalty) for s in topology.steps]
        return build(Topology(steps, topology.boundary), over)

    monkeypatch.setattr(dp.api.solver, "build", crossed)
    with pytest.raises(AssertionError):
        dp.testing.assert_global_equals_recursive(T, semiring())


def test_a_border_that_is_not_handed_on(emitted):
    """A strip that hands on the row above its last: seen only on lattices higher than a strip."""
    emitted("forward", "leave(S0, R0, b, slot, t0, t1, height, cols,", "leave(S0, R0, b, slot, t0, t1, height - 1, cols,")
    cost = np.random.default_rng(0).random((80, 20))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            dp.compile(T, semiring())(cost, params={"h": 1.0}).total,
            dp.compile(T, semiring(), engine="reference")(cost, params={"h": 1.0}).total,
        )
