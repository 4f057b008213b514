"""Every differentiable semiring with presets of every kind: second derivatives against differences of the gradient."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import assert_second_derivatives, samples

t, Param, Window = dp.topologies, dp.Param, dp.Window
GAMMA = Param("gamma", axes="b")

PRESETS = {
    "dtw": t.dtw(),
    "weights": t.weighted_dtw(1.5, Param("stay", axes="m"), Param("both", axes="bnm")),
    "subsequence": t.subsequence_dtw(1, before=Param("before", axes="m"), after=Param("after", axes="m")),
    "two_one": t.dtw_21(1.0, Param("horizontal"), 1.0),
    "ctc": t.ctc(),
    "affine_gap": t.affine_gap(Param("opening"), 0.25, deletion="deletion"),
    "transducer": t.transducer(),
    "hmm": t.hmm(2),
}
SEMIRINGS = {s.name: s for s in (*samples.built_in(GAMMA), *samples.every(Param("gamma"))) if s.derivative}
SMOOTH = ("Softmin", "Sparsemin", "Smoothmin")
GRID = [(p, s) for p in PRESETS for s in SEMIRINGS if p in ("dtw", "affine_gap") or s in SMOOTH]


@pytest.mark.parametrize(("preset", "semiring"), GRID)
def test_second_derivatives(preset, semiring):
    assert_second_derivatives(PRESETS[preset], SEMIRINGS[semiring], engine="reference")


@pytest.mark.parametrize("window", [Window.sakoe_chiba(1.5), Window.itakura(2.0)], ids=str)
def test_in_a_window(window):
    rng = np.random.default_rng(3)
    cost, lengths, gamma = rng.random((3, 6, 5)), ([6, 5, 4], [5, 5, 4]), {"gamma": [0.4, 0.7, 1.0]}
    topology = t.dtw().replace(window=window)
    assert_second_derivatives(topology, dp.Softmin(GAMMA), cost=cost, lengths=lengths, params=gamma, engine="reference")


def test_the_grid_holds_every_semiring_that_has_a_derivative():
    assert {"Tropical", "Log", "Real", "KBest(3)", "Entropy", "Expectation", "folded_scores", "mantissa_exponent"} < set(
        SEMIRINGS
    )
    assert not {"Counting", "Boolean"} & set(SEMIRINGS)


def harmonic():
    """The user's own: parallel resistances, 1 / sum 1 / x, with a power that he learns. Reduces."""

    def total(terms, p):
        return dp.ops.exp(-dp.ops.log(dp.ops.sum(dp.ops.exp(-p.power * dp.ops.log(terms)))) / p.power)

    return dp.Semiring(
        "harmonic", dp.inf, 0.0, total, lambda a, b, p: a + b, {"power": Param("power")}, laws=("identity",),
        positive=("power",),
    )  # fmt: skip


def folded():
    """The same, two at a time."""

    def total(terms, p):
        kept = None
        for x in terms:
            kept = x if kept is None else kept * x / (kept + x)
        return kept

    return dp.Semiring("folded", dp.inf, 0.0, total, lambda a, b, p: a + b, laws=("associative", "identity"))


def regularised():
    """Shannon's and Gini's minima by their regularisers: the one finds its weights by a search, the other sorts."""
    gamma = {"gamma": Param("gamma")}
    by_search = dp.regularised(
        "shannon", lambda q, p: p.gamma * q * dp.ops.log(dp.ops.where(q > 0.0, q, 1.0)), gamma,
        inverse=lambda y, p: dp.ops.exp(y / p.gamma - 1.0), positive=("gamma",),
    )  # fmt: skip
    known = dp.regularised(
        "gini", lambda q, p: 0.5 * p.gamma * (q * q - q), gamma,
        weights=lambda x, p: dp.ops.simplex(-x / p.gamma), positive=("gamma",),
    )  # fmt: skip
    return by_search, known


@pytest.mark.parametrize("semiring", [harmonic(), folded(), *regularised()], ids=lambda s: s.name)
@pytest.mark.parametrize("preset", ["dtw", "hmm"])
def test_semirings_of_a_user(semiring, preset):
    assert_second_derivatives(PRESETS[preset], semiring, engine="reference")


def test_a_number_that_is_zero_has_a_tangent():
    """The product of a row of numbers, one of them 0: what it lacks is the product of the others."""
    row = dp.Topology([dp.Step(0, 1)], dp.Boundary([dp.Start(0, 0)], [dp.End(0, -1)]))
    cost = np.array([[2.0, 0.0, 3.0, 5.0]])
    result = dp.compile(row, dp.Real, engine="reference")(cost)
    along = result.along([[0.0, 1.0, 0.0, 0.0]])
    assert along.total == 30.0
    np.testing.assert_allclose(along.marginals, [[15.0, 0.0, 10.0, 6.0]])
    along = result.along([[1.0, 0.0, 0.0, 0.0]])
    assert along.total == 0.0
    np.testing.assert_allclose(along.marginals, [[0.0, 15.0, 0.0, 0.0]])


def test_the_assertion_finds_what_is_wrong(monkeypatch):
    from dpsemiring.algebra import derive

    monkeypatch.setitem(derive.RULES, "exp", lambda g, n, a: (1.01 * (g * n),))
    derive._vjp.forget()
    try:
        with pytest.raises(AssertionError, match="along a direction the derivative of"):
            assert_second_derivatives(t.dtw(), dp.Softmin(0.31), engine="reference")
    finally:
        derive._vjp.forget()
