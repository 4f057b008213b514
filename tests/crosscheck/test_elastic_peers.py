"""Elastic measures against tslearn and dtaidistance; for aeon see tests/topologies/test_elastic.py."""

import math

import numpy as np
import pytest

import dpsemiring as dp

T = dp.topologies
# tslearn still imports what its own dependencies have deprecated
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def series(seed, n, m):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=n)), np.cumsum(rng.normal(size=m))


@pytest.mark.parametrize("shape", [(8, 8), (9, 6), (5, 11)])
def test_lcss_of_tslearn(shape):
    """A similarity: the length over that of the shorter series."""
    metrics = pytest.importorskip("tslearn.metrics")
    solver = dp.compile(T.lcss(), dp.MaxPlus, engine="reference")
    for seed in range(5):
        x, y = series(seed, *shape)
        match = np.abs(x[:, None] - y) <= 0.5
        length = solver(np.where(match, 1.0, -math.inf)).total
        assert length / min(shape) == pytest.approx(metrics.lcss(x, y, eps=0.5), abs=1e-12)
        path, _ = metrics.lcss_path(x, y, eps=0.5)
        assert len(path) == length


def msm(x, y, c):
    def beyond(a, b, d):
        return np.where((a - b) * (a - d) <= 0, 0.0, np.minimum(np.abs(a - b), np.abs(a - d)))

    column = x[:, None]
    planes = {
        "cost": np.abs(column - y),
        "split": beyond(column, np.roll(column, 1), y),
        "merge": beyond(y, column, np.roll(y, 1)),
    }
    return float(dp.compile(T.msm(), dp.Tropical, engine="reference")(planes, params={"c": c}).total)


def test_msm_of_dtaidistance():
    """For two series of one length: its loops mix up the two lengths, and fail where these differ."""
    peer = pytest.importorskip("dtaidistance.msm")
    for seed in range(5):
        x, y = series(seed, 8, 8)
        assert msm(x, y, 0.3) == pytest.approx(peer.distance(x, y, sm_cost=0.3), rel=1e-12)
    for shape in ((6, 8), (8, 6)):
        x, y = series(0, *shape)
        assert math.isfinite(msm(x, y, 0.3))
        with pytest.raises(IndexError):
            peer.distance(x, y, sm_cost=0.3)
