"""What the tests of cost sources share."""

import math

import numpy as np

import dpsemiring as dp
from dpsemiring.run.sources import BoundSource

DTW = dp.topologies.dtw()
SOFT = dp.compile(DTW, dp.Softmin(0.5), engine="reference")
HARD = dp.compile(DTW, dp.Tropical, engine="reference")
FREE = dp.compile(dp.Topology(DTW.steps, dp.Boundary.anywhere()), dp.Softmin(0.5), engine="reference")
RNG = np.random.default_rng


def made(source, forbid=math.inf):
    bound = BoundSource("cost", source)
    return bound.make(*(np.full(bound.batch, size) for size in bound.shape[-2:]), forbid)


def frames(rng, *shape):
    return rng.normal(size=shape)


def log_probs(rng, *shape):
    x = frames(rng, *shape)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def differences(call, array, step=1e-6):
    """Central differences of a sum of totals by each entry of an array."""
    out = np.zeros(array.shape)
    for place in np.ndindex(array.shape):
        moved = [array.copy(), array.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (float(np.sum(call(m).total)) for m in moved)
        out[place] = (up - down) / (2 * step)
    return out
