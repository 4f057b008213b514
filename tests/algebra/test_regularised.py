"""Minima from a user's own regulariser: against closed forms, and against what a minimum over the simplex must be."""

import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra.numbers import Numbers
from dpsemiring.testing import samples

ops = dp.ops
DTW = dp.topologies.dtw()


def shannon(q, p):
    return p.gamma * q * ops.log(ops.where(q > 0.0, q, 1.0))


def gini(q, p):
    return 0.5 * p.gamma * (q * q - q)


def tsallis(q, p):
    return p.gamma * (4 / 3) * (q * ops.sqrt(q) - q)


def cubic(q, p):
    """Order 3: the inverse has an infinite slope where weights vanish, the hardest case for Newton's method."""
    return p.gamma / 6.0 * (q * q * q - q)


INVERSES = {
    shannon: lambda y, p: ops.exp(y / p.gamma - 1.0),
    gini: lambda y, p: ops.maximum(y / p.gamma + 0.5, 0.0),
    tsallis: lambda y, p: 0.25 * ops.maximum(y / p.gamma + 4 / 3, 0.0) ** 2,
    cubic: lambda y, p: ops.sqrt(ops.maximum(2.0 * y / p.gamma + 1 / 3, 0.0)),
}
CLOSED = {shannon: dp.Softmin, gini: dp.Sparsemin, tsallis: samples.tsallis}


def made(omega, gamma, **changes):
    given = {"inverse": INVERSES[omega], "positive": ("gamma",), **changes}
    return dp.regularised(omega.__name__, omega, {"gamma": gamma}, **given)


def data(seed=0):
    cost = np.random.default_rng(seed).random((3, 7, 6)) * 3.0
    cost[0, 2, 2] = np.inf
    cost[1] = np.inf
    return cost


@pytest.mark.parametrize("gamma", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("omega", CLOSED, ids=lambda f: f.__name__)
def test_the_search_finds_what_is_known(omega, gamma):
    known = CLOSED[omega](dp.Param("g"))
    for cost, topology in ((data(), DTW), (data(1), dp.topologies.subsequence_dtw())):
        mine, wanted = (
            dp.compile(topology, s, engine="reference")(cost, params={"g": gamma}) for s in (made(omega, dp.Param("g")), known)
        )
        np.testing.assert_allclose(mine.total, wanted.total, rtol=1e-12)
        np.testing.assert_allclose(mine.marginals, wanted.marginals, atol=1e-9)
        np.testing.assert_allclose(mine.grad("g"), wanted.grad("g"), rtol=1e-9, atol=1e-12)
    assert mine.total[1] == math.inf and (mine.marginals[1] == 0.0).all()


def test_weights_in_closed_form():
    soft = made(shannon, 0.3, inverse=None, weights=lambda x, p: ops.exp(-x / p.gamma) / ops.sum(ops.exp(-x / p.gamma)))
    sparse = made(gini, 0.3, inverse=None, weights=lambda x, p: ops.simplex(-x / p.gamma))
    for mine, known in ((soft, dp.Softmin(0.3)), (sparse, dp.Sparsemin(0.3))):
        found, wanted = (dp.compile(DTW, s, engine="reference")(data()) for s in (mine, known))
        np.testing.assert_allclose(found.total, wanted.total, rtol=1e-12)
        np.testing.assert_allclose(found.marginals, wanted.marginals, atol=1e-12)


@pytest.mark.parametrize("real, room", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_compiled(real, room):
    cost = data()[[0, 2]].astype(real)
    mine, wanted = (dp.compile(DTW, s)(cost) for s in (made(gini, 0.3), dp.Sparsemin(0.3)))
    np.testing.assert_allclose(mine.total, wanted.total, rtol=room)
    np.testing.assert_allclose(mine.marginals, wanted.marginals, atol=10 * room)


@pytest.mark.parametrize("count", [1, 2, 5, 300])
@pytest.mark.parametrize("omega", INVERSES, ids=lambda f: f.__name__)
def test_the_value_is_the_least_over_the_simplex(omega, count):
    gamma, rng = 0.5, np.random.default_rng(count)
    numbers = Numbers(made(omega, gamma))
    x = rng.normal(size=count)
    terms = [(float(v),) for v in x]
    (value,) = numbers.sum(terms)
    q = numbers.sum_flows(terms, (1.0,))[0][:, 0]
    assert q.sum() == pytest.approx(1.0) and (q >= 0.0).all()

    def objective(q):
        powers = {shannon: q * np.log(np.where(q > 0, q, 1.0)), gini: 0.5 * (q * q - q)}
        powers |= {tsallis: 4 / 3 * (q**1.5 - q), cubic: (q**3 - q) / 6}
        return q @ x + gamma * powers[omega].sum()

    assert value == pytest.approx(objective(q), abs=1e-12)
    for other in [*rng.dirichlet(np.full(count, 0.4), 200), *np.eye(count)]:
        assert value <= objective(other) + 1e-12
        assert value <= objective(0.99 * q + 0.01 * other) + 1e-12


@pytest.mark.parametrize("omega", [tsallis, cubic], ids=lambda f: f.__name__)
def test_gradients(omega):
    dp.testing.assert_gradients(DTW, made(omega, dp.Param("g", axes="b")), engine="reference")


@pytest.mark.parametrize("omega", INVERSES, ids=lambda f: f.__name__)
def test_laws(omega):
    """Shannon's is the only one that sampling does not show to be no associative minimum."""
    findings = dp.laws.check(made(omega, 0.3))
    assert findings.broken == ()
    assert findings["associative"].holds == (omega is shannon)


def test_shannon_may_say_that_it_is_associative():
    semiring = made(shannon, 0.4, laws=dp.Softmin().laws)
    dp.testing.assert_global_equals_recursive(DTW, semiring, cost=data()[2, :3, :3])
    assert len(dp.compile(DTW, semiring, engine="reference")(data()[2]).sample(3, seed=0)) == 3


def test_wrong_declarations_are_refused():
    with pytest.raises(ValueError, match="give inverse, or weights where they are known in closed form, and not both"):
        dp.regularised("neither", gini, {"gamma": 1.0})
    with pytest.raises(ValueError, match="give inverse, or weights"):
        made(gini, 1.0, weights=lambda x, p: ops.simplex(-x))
    with pytest.raises(ValueError, match=r"regularised 'raised': omega\(1\) is 0\.5; subtract it"):
        dp.regularised("raised", lambda q, p: 0.5 * q * q, inverse=lambda y, p: ops.maximum(y, 0.0))
    with pytest.raises(TypeError, match="depend on their first argument"):
        dp.regularised("flat", lambda q, p: p.gamma * 0.0, {"gamma": 1.0}, inverse=lambda y, p: y)
    with pytest.raises(ValueError, match="gamma must be finite and > 0"):
        made(gini, -1.0)
