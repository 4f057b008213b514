"""Second derivatives against an enumeration of all paths, which shares nothing with duals: H v = -Cov(c, c v) / gamma.

Under a soft minimum paths have the distribution exp(-cost / gamma); the marginals are the mean of the counts c, how often a
path pays each cell, and the derivative of a mean of an exponential family is a covariance.
"""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import enumerate_paths

t = dp.topologies
GAMMA = 0.6
TOPOLOGIES = {
    "dtw": t.dtw(),
    "weights": t.weighted_dtw(1.5, 0.5, 2.0),
    "subsequence": t.subsequence_dtw(1),
    "states": t.affine_gap(0.7, 0.3),
    "several terms": t.sakoe_chiba(1),
    "time-synchronous": t.hmm(2),
}


def counts(topology, cost, params):
    """(paths, cells): how much of each cost a path pays; and (paths,): what it pays in all."""
    paid, totals = [], []
    for path in enumerate_paths(topology, cost, None, params):
        own = np.zeros(np.shape(cost))
        for arc in path.arcs:
            for share in arc.payment.costs:
                own[share.index] += share.slope
        paid.append(own.ravel())
        totals.append(path.cost)
    return np.array(paid), np.array(totals)


@pytest.mark.parametrize(("name", "engine"), [*((n, "reference") for n in TOPOLOGIES), ("dtw", "cpu"), ("states", "cpu")])
def test_softmin_is_a_covariance(name, engine):
    topology, rng = TOPOLOGIES[name], np.random.default_rng(5)
    cost, v = rng.random((4, 4)), rng.standard_normal((4, 4))
    solver = dp.compile(topology, dp.Softmin(GAMMA), engine=engine)
    params = {p: rng.random(solver.params[p].shape or (4,) * len(solver.params[p].axes)) for p in solver.params}
    paid, totals = counts(topology, cost, params)
    q = np.exp(-(totals - totals.min()) / GAMMA)
    q /= q.sum()
    mean = q @ paid
    covariance = (paid * q[:, None]).T @ paid - np.outer(mean, mean)
    along = solver(cost, None, params).along(v)
    np.testing.assert_allclose(along.total, mean @ v.ravel(), rtol=1e-10)
    np.testing.assert_allclose(along.marginals.ravel(), -covariance @ v.ravel() / GAMMA, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["dtw", "states"])
def test_the_derivative_by_gamma(name):
    """d mean / d gamma = Cov(c, cost) / gamma^2; the total's is minus the entropy of the paths."""
    topology, rng = TOPOLOGIES[name], np.random.default_rng(6)
    cost = rng.random((4, 3))
    paid, totals = counts(topology, cost, {})
    q = np.exp(-(totals - totals.min()) / GAMMA)
    q /= q.sum()
    solver = dp.compile(topology, dp.Softmin(dp.Param("gamma")), engine="reference")
    along = solver(cost, None, {"gamma": GAMMA}).along(params={"gamma": 1.0})
    np.testing.assert_allclose(along.total, np.sum(q * np.log(q)), rtol=1e-10)
    wanted = (q * totals) @ paid - (q @ totals) * (q @ paid)
    np.testing.assert_allclose(along.marginals.ravel(), wanted / GAMMA**2, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(along.grad("gamma"), -(q @ totals**2 - (q @ totals) ** 2) / GAMMA**3, rtol=1e-9)


@pytest.mark.parametrize("semiring", [dp.Tropical, dp.KBest(2)], ids=repr)
def test_a_hard_minimum_moves_along_its_path_and_does_not_bend(semiring):
    rng = np.random.default_rng(7)
    cost, v = rng.integers(0, 3, (6, 5)).astype(float), rng.standard_normal((6, 5))  # with ties
    result = dp.compile(t.dtw(), semiring)(cost)
    along = result.along(v)
    np.testing.assert_allclose(along.total, sum(v[n, m] for n, m in result.path), rtol=1e-12)
    assert (along.marginals == 0.0).all() and (along.occupancy == 0.0).all()
