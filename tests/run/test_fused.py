"""Costs made in strips: against the whole cost and its gradients, for every kind, and what the small arrays show."""

import math

import numpy as np
import pytest
from cost_cases import RNG, frames, log_probs
from numba import njit

import dpsemiring as dp
from dpsemiring.run.cpu import sources as kernels
from dpsemiring.run.cpu.fused import fuse
from dpsemiring.run.fused import kinds
from dpsemiring.run.sources import BoundSource, gradient

fill_differences, drain_differences = kernels.fill_differences, kernels.drain_differences
fill_products, drain_products = kernels.fill_products, kernels.drain_products
fill_entries, drain_entries = kernels.fill_entries, kernels.drain_entries


@njit
def _fill_differences(place, arrays, first):
    fill_differences(*place, *arrays, first)


@njit
def _fill_products(place, arrays, first):
    fill_products(*place, *arrays, first)


@njit
def _fill_entries(place, arrays, first):
    fill_entries(*place, *arrays, first)


@njit
def _drain_differences(place, arrays):
    drain_differences(*place, *arrays)


@njit
def _drain_products(place, arrays):
    drain_products(*place, *arrays)


@njit
def _drain_entries(place, arrays):
    drain_entries(*place, *arrays)


FILL = {"differences": _fill_differences, "products": _fill_products, "entries": _fill_entries}
DRAIN = {"differences": _drain_differences, "products": _drain_products, "entries": _drain_entries}
WIDTH, HEIGHT, LEFT = 37, 18, 3  # of a strip, and of its margin: nothing here is a multiple of a vector


def tiles(n_len, m_len):
    """Of strips from top to bottom, pieces from left to right; the last is what is left."""
    for n in range(0, n_len, HEIGHT):
        for m in range(0, m_len, WIDTH - LEFT - 1):
            yield n, min(n + HEIGHT, n_len), m, min(m + WIDTH - LEFT - 1, m_len)


def filled(fused, shape, lengths, real):
    """The whole cost, put together from strips; no cell beside a piece may be touched."""
    out = np.zeros(shape, real)
    for b, (n_len, m_len) in enumerate(zip(*lengths)):
        for n, n_stop, m, m_stop in tiles(n_len, m_len):
            strip = np.full((HEIGHT, WIDTH), 7, real)
            place = (strip.reshape(-1), WIDTH, LEFT, b, n, n_stop, m, m_stop)
            for i, (kind, arrays) in enumerate(zip(fused.kinds, fused.arrays)):
                FILL[kind](place, arrays, i == 0)
            inside = strip[: n_stop - n, LEFT : LEFT + m_stop - m]
            out[b, n:n_stop, m:m_stop] = inside
            inside[:] = 7
            assert (strip == 7).all()
    return out


def drained(fused, flows, lengths, gradients, items=None):
    """Add the flows to the gradients, piece by piece from right to left; what is beside a piece is NaN."""
    for b, (n_len, m_len) in enumerate(zip(*lengths)):
        for n, n_stop, m, m_stop in reversed(list(tiles(n_len, m_len)) if items is None or b in items else []):
            strip = np.full((HEIGHT, WIDTH), math.nan, flows.dtype)
            strip[: n_stop - n, LEFT : LEFT + m_stop - m] = flows[b, n:n_stop, m:m_stop]
            place = (strip.reshape(-1), WIDTH, LEFT, b, n, n_stop, m, m_stop)
            for kind, arrays, own in zip(fused.kinds, fused.arrays, gradients):
                DRAIN[kind](place, (*arrays, *own))


def zero_frames(rng, *shape):
    x = frames(rng, *shape)
    x[..., :1, :] = 0.0
    return x


def unit(rng, *shape):
    return rng.uniform(0.1, 0.9, shape)


# kind -> (source, kernel kind, first array, second array; None: labels)
KINDS = {
    "sqeuclidean": (dp.costs.sqeuclidean, "differences", frames, frames),
    "cosine": (dp.costs.cosine, "differences", zero_frames, zero_frames),
    "soft nll": (dp.costs.nll, "products", log_probs, unit),
    "bce": (dp.costs.bce, "products", unit, unit),
    "bce of logits": (lambda x, y: dp.costs.bce(x, y, logits=True), "products", frames, unit),
    "nll": (dp.costs.nll, "entries", log_probs, None),
    "gather": (lambda x, y: -0.5 * dp.costs.gather(x, y), "entries", log_probs, None),
    "lookup": (lambda x, y: dp.costs.lookup(x[..., :4, :], RNG(5).integers(0, 4, 30), y), "entries", log_probs, None),
}
# the leading axes of x and of y, lengths
BATCHES = {
    "one": ((), (), ([30], [45])),
    "ragged": ((3,), (3,), ([30, 1, 17], [45, 20, 1])),
    "shared x": ((), (3,), ([30, 4, 30], [45, 3, 33])),
    "shared y": ((3,), (1,), ([30, 4, 9], [45, 3, 45])),
}


def drawn(kind, batch, real, depth=5, seed=0):
    source, _, first, second = KINDS[kind]
    lead_x, lead_y, lengths = BATCHES[batch]
    rng = RNG(seed)
    x = first(rng, *lead_x, 30, depth).astype(real)
    y = rng.integers(0, depth, (*lead_y, 45)) if second is None else second(rng, *lead_y, 45, depth).astype(real)
    lengths = tuple(map(np.array, lengths))
    for a, lead, own in ((x, lead_x, lengths[0]), (y, lead_y, lengths[1])):  # padding is never read
        for b in range(len(own) if lead == (3,) else 0):
            if kind != "lookup" or a is y:
                a[b, own[b] :] = -99 if a.dtype.kind == "i" else math.nan
    if second is None and not lead_x and lead_y:
        x = x[None]
    return source(x, y), lengths


def close(found, expected, real, **more):
    np.testing.assert_allclose(found, expected, rtol=2e-5 if real == np.float32 else 1e-11, **more)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("kind", KINDS)
def test_strips_are_the_cost_and_flows_go_back(kind, batch, real):
    source, lengths = drawn(kind, batch, real)
    bound = BoundSource("cost", source)
    fused = fuse(bound, *lengths, math.inf, real)
    assert fused.kinds == kinds(bound) == (KINDS[kind][1],) and not fused.nan.any()
    shape = (bound.batch, 30, 45)
    whole = bound.make(*lengths, math.inf).reshape(shape)
    close(filled(fused, shape, lengths, real), whole, real, atol=1e-5 if real == np.float32 else 1e-12)
    flows = RNG(9).random(shape).astype(real)
    gradients = fused.gradients()
    drained(fused, flows, lengths, gradients)
    for name in bound.names:
        expected = gradient({"cost": bound}, name, {"cost": flows.astype(np.float64)})
        found = fused.back(name, gradients)
        assert found.shape == expected.shape
        close(found, expected, real, atol=(1e-5 if real == np.float32 else 1e-12) * np.abs(expected).max())


def test_sums_share_a_strip_and_names():
    x, y, labels = frames(RNG(0), 30, 4), frames(RNG(1), 45, 4), RNG(2).integers(0, 6, 45)
    log_p = log_probs(RNG(3), 30, 6)
    source = dp.costs.sqeuclidean(x, y) - 2.0 * dp.costs.gather(log_p, labels) + 0.25 * dp.costs.cosine(x, y)
    bound, lengths = BoundSource("cost", source), (np.array([30]), np.array([45]))
    fused = fuse(bound, *lengths, math.inf, np.float64)
    assert fused.kinds == ("differences", "entries", "differences")
    whole = bound.make(*lengths, math.inf)[None]
    close(filled(fused, (1, 30, 45), lengths, np.float64), whole, np.float64)
    flows, gradients = RNG(9).random((1, 30, 45)), fused.gradients()
    drained(fused, flows, lengths, gradients)
    for name in ("x", "y", "log_probs"):
        close(fused.back(name, gradients), gradient({"cost": bound}, name, {"cost": flows}), np.float64)


def test_workers_share_what_belongs_to_items_alone():
    source, lengths = drawn("sqeuclidean", "shared y", np.float64)
    bound = BoundSource("cost", source)
    fused = fuse(bound, *lengths, math.inf, np.float64)
    flows = RNG(9).random((3, 30, 45))
    first = fused.gradients()
    second = fused.gradients(beside=first)
    assert first[0][0] is second[0][0] and first[0][1] is not second[0][1]
    drained(fused, flows, lengths, first, items=[0, 2])
    drained(fused, flows, lengths, second, items=[1])
    for name in "xy":
        close(fused.back(name, first, second), gradient({"cost": bound}, name, {"cost": flows}), np.float64, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 33])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
def test_small_sizes(depth, size):
    x, y = frames(RNG(0), size[0], depth), frames(RNG(1), size[1], depth)
    bound, lengths = BoundSource("cost", dp.costs.sqeuclidean(x, y)), tuple(np.array([s]) for s in size)
    fused, flows = fuse(bound, *lengths, math.inf, np.float64), RNG(9).random((1, *size))
    close(filled(fused, (1, *size), lengths, np.float64)[0], bound.make(*lengths, math.inf), np.float64)
    gradients = fused.gradients()
    drained(fused, flows, lengths, gradients)
    for name in "xy":
        close(fused.back(name, gradients), gradient({"cost": bound}, name, {"cost": flows}), np.float64, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_items_without_rows_or_columns(kind):
    """As lattices longer than the cost allow them."""
    source, _ = drawn(kind, "ragged", np.float64)
    for lengths in (([0, 1, 0], [0, 0, 1]), ([0, 0, 0], [0, 0, 0])):
        lengths = tuple(map(np.array, lengths))
        bound = BoundSource("cost", source)
        fused = fuse(bound, *lengths, math.inf, np.float64)
        gradients = fused.gradients()
        drained(fused, np.ones((3, 30, 45)), lengths, gradients)
        for name in bound.names:
            assert not fused.back(name, gradients).any()
    empty = BoundSource("cost", dp.costs.cosine(np.zeros((0, 3, 2)), np.zeros((4, 2))))
    fused = fuse(empty, np.zeros(0, int), np.zeros(0, int), math.inf, np.float64)
    assert fused.back("x", fused.gradients()).shape == (0, 3, 2) and fused.back("y", fused.gradients()).shape == (4, 2)


def test_results_are_repeatable_to_the_bit():
    source, lengths = drawn("bce", "shared y", np.float32)
    fused = fuse(BoundSource("cost", source), *lengths, math.inf, np.float32)
    flows, found = RNG(9).random((3, 30, 45)).astype(np.float32), []
    for _ in range(2):
        gradients = fused.gradients()
        drained(fused, flows, lengths, gradients)
        found.append(fused.back("y", gradients))
    np.testing.assert_array_equal(*found)


def test_close_frames_far_from_the_origin():
    """Differences come first, in the strip and in the gradients."""
    rng = RNG(0)
    x, y = ((1000 + 1e-3 * rng.normal(size=(n, 5))).astype(np.float32) for n in (30, 45))
    bound, lengths = BoundSource("cost", dp.costs.sqeuclidean(x, y)), (np.array([30]), np.array([45]))
    fused, flows = fuse(bound, *lengths, math.inf, np.float32), rng.random((1, 30, 45)).astype(np.float32)
    close(filled(fused, (1, 30, 45), lengths, np.float32)[0], bound.make(*lengths, math.inf), np.float32)
    gradients = fused.gradients()
    drained(fused, flows, lengths, gradients)
    expected = gradient({"cost": bound}, "x", {"cost": flows.astype(np.float64)})
    assert np.abs(fused.back("x", gradients) - expected).sum() < 1e-6 * np.abs(expected).sum()


# --- what the small arrays show ---------------------------------------------------------------------


def fused_of(source, lengths=None, forbid=math.inf, real=np.float64, ranges=None):
    bound = BoundSource("cost", source)
    lengths = [np.full(bound.batch, s) for s in bound.shape[-2:]] if lengths is None else list(map(np.array, lengths))
    return fuse(bound, *lengths, forbid, real, ranges)


def test_a_nan_marks_the_items_that_read_it():
    x, y = frames(RNG(0), 3, 6, 2), frames(RNG(1), 5, 2)
    x[1, 4, 0] = math.nan
    assert fused_of(dp.costs.sqeuclidean(x, y)).nan.tolist() == [False, True, False]
    assert not fused_of(dp.costs.sqeuclidean(x, y), ([6, 4, 6], [5, 5, 5])).nan.any()
    y[3] = math.nan
    fused = fused_of(dp.costs.cosine(x, y), ([6, 4, 6], [3, 4, 5]))
    assert fused.nan.tolist() == [False, True, True]
    found = fused.back("x", fused.gradients())
    assert np.isnan(found[1, :4]).all() and not found[1, 4:].any() and not found[0].any()
    assert np.isnan(fused.back("y", fused.gradients())).all()
    log_p = log_probs(RNG(0), 2, 4, 3)
    log_p[1, 2, 1] = math.nan
    labels = np.array([[1, 0], [2, 0]])
    assert not fused_of(dp.costs.nll(log_p, labels)).nan.any()
    fused = fused_of(dp.costs.nll(log_p, labels[::-1]))
    assert fused.nan.tolist() == [False, True]
    found = fused.back("log_probs", fused.gradients())
    assert np.isnan(found[1, :, :2]).all() and np.isfinite(found[1, :, 2]).all() and np.isfinite(found[0]).all()


def test_a_nan_does_not_reach_items_that_do_not_read_it():
    """Also where their strips and vectors go on beyond their lengths, in an array that serves all items."""
    x, y = frames(RNG(0), 20, 3), frames(RNG(1), 20, 3)
    clean = BoundSource("cost", dp.costs.sqeuclidean(np.stack([x] * 2), np.stack([y] * 2)))
    x[10], y[10] = math.nan, math.nan
    lengths, flows = (np.array([10, 20]), np.array([10, 20])), RNG(9).random((2, 20, 20))
    clean.lengths = lengths
    for first, second in ((x, np.stack([y] * 2)), (np.stack([x] * 2), y)):
        fused = fuse(BoundSource("cost", dp.costs.sqeuclidean(first, second)), *lengths, math.inf, np.float64)
        assert fused.nan.tolist() == [False, True]
        gradients = fused.gradients()
        drained(fused, flows, lengths, gradients, items=[0])
        name = "y" if second.ndim == 3 else "x"
        close(fused.back(name, gradients)[0, :10], gradient({"cost": clean}, name, {"cost": flows})[0, :10], np.float64)


def test_a_strip_leaves_the_rows_of_others_alone():
    """Not even a 0 is added, since another worker may be adding there; it would take the sign from a -0."""
    source, lengths = drawn("sqeuclidean", "one", np.float64)
    fused = fuse(BoundSource("cost", source), *lengths, math.inf, np.float64)
    gradients = fused.gradients()
    gradients[0][0][:] = gradients[0][1][:] = -0.0
    strip = np.ones(3 * 16)
    DRAIN["differences"]((strip, 16, 0, 0, 5, 8, 16, 32), (*fused.arrays[0], *gradients[0]))
    rows = gradients[0][0][0, :, :30]
    untouched = np.signbit(rows) & (rows == 0.0)
    assert untouched.all(axis=0).tolist() == [not 5 <= n < 8 for n in range(30)]
    panels = gradients[0][1][0, :, :5]
    untouched = (np.signbit(panels) & (panels == 0.0)).all(axis=(1, 2))
    assert untouched.tolist() == [not 2 <= p < 4 for p in range(6)]


def test_a_window_hides_what_no_cell_reads():
    x, y = frames(RNG(0), 4, 2), frames(RNG(1), 5, 2)
    lo, hi = np.array([[0, 0, 2, 2]]), np.array([[2, 0, 2, 4]])  # rows 1 and 2 and column 4 are not read
    x[1:3], y[4] = math.nan, math.nan
    assert not fused_of(dp.costs.sqeuclidean(x, y), ranges=(lo, hi)).nan.any()
    x[3] = math.nan
    assert fused_of(dp.costs.sqeuclidean(x, y), ranges=(lo, hi)).nan.all()
    log_p = log_probs(RNG(0), 4, 3)
    log_p[0, 2] = math.nan
    assert fused_of(dp.costs.nll(log_p, np.array([0, 0, 1, 1, 2])), ranges=(lo, hi)) is not None  # no column reads it
    log_p[0, 1] = math.nan
    assert fused_of(dp.costs.nll(log_p, np.array([0, 0, 1, 1, 2])), ranges=(lo, hi)) is None  # it may be hidden or not


def test_a_forbidden_entry_stays_in_its_strip():
    log_p, labels = log_probs(RNG(0), 30, 4), RNG(1).integers(0, 4, 45)
    log_p[3, 1] = log_p[20] = -math.inf
    bound, lengths = BoundSource("cost", dp.costs.nll(log_p, labels)), (np.array([30]), np.array([45]))
    fused = fuse(bound, *lengths, math.inf, np.float64)
    np.testing.assert_array_equal(filled(fused, (1, 30, 45), lengths, np.float64)[0], bound.make(*lengths, math.inf))


def test_what_is_made_as_a_whole():
    log_p = np.array([[-math.inf, 0.0], [-1.0, -2.0]])
    assert fused_of(dp.costs.nll(log_p, [0, 1])) is not None
    assert fused_of(dp.costs.nll(log_p, [0, 1]), forbid=-math.inf) is None  # refused, by the whole cost's message
    assert fused_of(dp.costs.gather(log_p, [1, 1])) is not None  # not read
    assert fused_of(dp.costs.gather(log_p, [0, 1]), forbid=-math.inf) is not None
    assert fused_of(dp.costs.gather(log_p, [0, 1])) is None
    assert fused_of(0 * dp.costs.nll(log_p, [0, 1])) is None
    assert fused_of(0 * dp.costs.nll(log_p, [1, 1])) is not None
    assert fused_of(dp.costs.nll(log_p, np.eye(2))) is None  # 0 * inf
    assert fused_of(dp.costs.bce([[0.0]], [[0.0]])) is None
    assert fused_of(dp.costs.sqeuclidean([[math.inf]], [[0.0]])) is None
    assert fused_of(dp.costs.sqeuclidean(np.float32([[1e19]]), np.float32([[-1e19]])), real=np.float32) is None
    assert fused_of(dp.costs.sqeuclidean(np.float32([[1e19]]), np.float32([[-1e19]]))) is not None
    assert fused_of(1e-9 * dp.costs.sqeuclidean(log_p[1:], log_p[1:]), real=np.float32) is None
    assert fused_of(dp.costs.own(log_p, log_p, lambda x, y: x @ y.T)) is None


def test_numbers_out_of_range_are_refused_as_ever():
    with pytest.raises(ValueError, match=r"label 5 of item 0 at column 1 is outside 0 \.\. 1"):
        fused_of(dp.costs.nll(np.zeros((2, 2)), [0, 5]))
    with pytest.raises(ValueError, match=r"x holds 2\.0 in item 0 at row 0, feature 0"):
        fused_of(dp.costs.bce([[2.0]], [[0.5]]))


@pytest.mark.parametrize("kind", ["sqeuclidean", "soft nll", "gather", "lookup"])
def test_single_precision_gradients_of_a_large_problem(kind):
    size = 1500
    source, kernel, first, second = KINDS[kind]
    x = first(RNG(0), size, 8).astype(np.float32)
    if kind == "lookup":
        source = lambda x, y: dp.costs.lookup(x[:8], RNG(5).integers(0, 8, size), y)  # noqa: E731
    y = RNG(1).integers(0, 8, size) if second is None else second(RNG(1), size, 8).astype(np.float32)
    flows = RNG(2).random((1, size, size)).astype(np.float32)
    bound, lengths = BoundSource("cost", source(x, y)), (np.array([size]), np.array([size]))
    fused = fuse(bound, *lengths, math.inf, np.float32)
    bound.lengths = lengths
    gradients = fused.gradients()
    for n in range(0, size, 64):
        strip = np.ascontiguousarray(flows[0, n : n + 64])
        for m in reversed(range(0, size, 128)):
            place = (strip.reshape(-1), size, m, 0, n, n + len(strip), m, min(m + 128, size))
            DRAIN[kernel](place, (*fused.arrays[0], *gradients[0]))
    for name in bound.names:
        expected = gradient({"cost": bound}, name, {"cost": flows.astype(np.float64)})
        assert np.abs(fused.back(name, gradients) - expected).sum() < 2e-6 * np.abs(expected).sum()
