"""Costs that are laid straight into skewed tiles: each stands where its lane and time say, for every kind."""

import numpy as np
import pytest
from cost_cases import RNG
from numba import njit

import dpsemiring as dp
from dpsemiring.run.cpu import slanted as kernels
from dpsemiring.run.cpu.fused import fuse
from dpsemiring.run.sources import BoundSource

breadth_frames, hold_frames = kernels.breadth_frames, kernels.hold_frames
breadth_entries, hold_entries = kernels.breadth_entries, kernels.hold_entries
lay_differences, lay_products, lay_entries = kernels.lay_differences, kernels.lay_products, kernels.lay_entries
LANES = 32


@njit
def _differences(buffer, strip, tile, arrays, first):
    held = np.full(breadth_frames(tile[2] - tile[1] + LANES, *arrays) * LANES, np.nan, buffer.dtype)
    hold_frames(held, LANES, *strip, *arrays)
    lay_differences(buffer, held, LANES, *strip[:2], *tile, *arrays, first)


@njit
def _products(buffer, strip, tile, arrays, first):
    held = np.full(breadth_frames(tile[2] - tile[1] + LANES, *arrays) * LANES, np.nan, buffer.dtype)
    hold_frames(held, LANES, *strip, *arrays)
    lay_products(buffer, held, LANES, *strip[:2], *tile, *arrays, first)


@njit
def _entries(buffer, strip, tile, arrays, first):
    held = np.full(breadth_entries(tile[2] - tile[1] + LANES, *arrays) * LANES, np.nan, buffer.dtype)
    hold_entries(held, LANES, *strip, *arrays)
    lay_entries(buffer, held, LANES, *strip[:2], *tile, *arrays, first)


LAY = {"differences": _differences, "products": _products, "entries": _entries}


def frames(n, depth=3):
    return RNG(n).normal(size=(2, n, depth))


def weights(n):
    return RNG(n).uniform(0.1, 0.9, (2, n, 3))


def labels(n, classes):
    return RNG(n).integers(0, classes, (2, n))


# of 45 rows and 70 columns, for two items
SOURCES = {
    "differences": lambda: dp.costs.sqeuclidean(frames(45), frames(70)),
    "sum": lambda: dp.costs.sqeuclidean(frames(45, 1), frames(70, 1)) + 0.5 * dp.costs.cosine(frames(45)[:1], frames(70)),
    "products": lambda: 2.0 * dp.costs.nll(frames(45), weights(70)),
    "entries": lambda: 0.3 * dp.costs.lookup(RNG(1).random((7, 9)), labels(45, 7), labels(70, 9)),
    "entries by columns": lambda: dp.costs.gather(RNG(1).random((1, 45, 300)), labels(70, 300)),
}
# (first row, rows, first time, last time, the column of time 0): whole tiles, pieces, beyond every edge
TILES = [
    (0, 32, 0, 101, 0),
    (32, 13, 0, 82, 0),
    (0, 32, 48, 64, 0),
    (-1, 32, 0, 70, -1),
    (31, 15, 16, 117, -3),
    (2, 5, 32, 40, 9),
]


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("kind", SOURCES)
def test_costs_stand_in_their_lanes(kind, real):
    source = BoundSource("cost", SOURCES[kind]())
    lengths = np.array([45, 40]), np.array([70, 33])
    whole = source.make(*lengths, np.inf)
    fused = fuse(source, *lengths, np.inf, real)
    for item, (n_len, m_len) in enumerate(zip(*lengths)):
        for n, rows, t0, t1, m in TILES:
            rows = min(rows, n_len - n + 1)
            buffer = np.full((t1 - t0 + 17, LANES), 7, real)
            strip, tile = (item, n, n_len, 80), (rows, t0, t1, m, n_len, m_len, 80, real(np.inf))
            for i, (form, arrays) in enumerate(zip(fused.kinds, fused.arrays)):
                LAY[form](buffer.reshape(-1), strip, tile, arrays, i == 0)
            t, l = np.ogrid[t0:t1, :rows]
            there = np.pad(whole[item, :n_len, :m_len], 200, constant_values=np.inf)[200 + n + l, 200 + m + t - l]
            np.testing.assert_allclose(
                buffer[: t1 - t0, :rows],
                there,
                rtol=2e-5 if real is np.float32 else 1e-11,
                atol=1e-6 if real is np.float32 else 1e-13,
            )
            assert (buffer[t1 - t0 + kernels.COLUMNS :] == 7).all()
