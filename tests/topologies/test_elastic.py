"""Elastic measures against their published recurrences, written out cell by cell; metric laws."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

import dpsemiring as dp

T = dp.topologies
SHAPES = [(1, 1), (1, 4), (4, 1), (2, 3), (6, 6), (7, 4), (4, 7)]


# --- what the docstrings say: from two series to a call -----------------------------------------------------------------


def total(topology, cost, semiring=dp.Tropical, **params):
    return float(dp.compile(topology, semiring, engine="reference")(cost, params=params).total)


def wdtw(x, y, g=0.05):
    away = np.abs(np.arange(len(x))[:, None] - np.arange(len(y)))
    weight = 1.0 / (1.0 + np.exp(-g * (away - max(len(x), len(y)) / 2)))
    return total(T.wdtw(), (x[:, None] - y) ** 2, weight=weight)


def erp(x, y, g=0.0):
    return total(T.erp(), np.abs(x[:, None] - y), deletion=np.abs(np.append(g, x) - g), insertion=np.abs(np.append(g, y) - g))


def edr(x, y, epsilon=0.5):
    return total(T.edr(), np.abs(x[:, None] - y) > epsilon)


def lcss(x, y, epsilon=0.5, delta=math.inf):
    away = np.abs(np.arange(len(x))[:, None] - np.arange(len(y)))
    match = (np.abs(x[:, None] - y) <= epsilon) & (away <= delta)
    return total(T.lcss(), np.where(match, 1.0, -math.inf), dp.MaxPlus)


def msm(x, y, c=0.5):
    def beyond(a, b, d):
        return np.where((a - b) * (a - d) <= 0, 0.0, np.minimum(np.abs(a - b), np.abs(a - d)))

    column = x[:, None]
    split, merge = beyond(column, np.roll(column, 1), y), beyond(y, column, np.roll(y, 1))
    return total(T.msm(), {"cost": np.abs(column - y), "split": split, "merge": merge}, c=c)


def twe(x, y, nu=0.05, lam=1.0):
    s, t = np.arange(len(x)), np.arange(len(y))
    return total(
        T.twe(),
        np.abs(x[:, None] - y) + nu * np.abs(s[:, None] - t),
        deletion=np.abs(np.diff(x, prepend=x[0])) + nu * np.diff(s, prepend=s[0]) + lam,
        insertion=np.abs(np.diff(y, prepend=y[0])) + nu * np.diff(t, prepend=t[0]) + lam,
    )


MEASURES = {"wdtw": wdtw, "erp": erp, "edr": edr, "lcss": lcss, "msm": msm, "twe": twe}


# --- the published recurrences, indices from 1 as there ------------------------------------------------------------------


def table(n, m, border, cell):
    """D over 0 .. n and 0 .. m, cell by cell."""
    d = {}
    for i, j in itertools.product(range(n + 1), range(m + 1)):
        d[i, j] = border(d, i, j) if i == 0 or j == 0 else cell(d, i, j)
    return d[n, m]


def from_the_corner(d, i, j):
    return 0.0 if i == j == 0 else math.inf


def published_wdtw(x, y, g=0.05):
    def cell(d, i, j):
        weight = 1 / (1 + math.exp(-g * (abs(i - j) - max(len(x), len(y)) / 2)))
        return weight * (x[i - 1] - y[j - 1]) ** 2 + min(d[i - 1, j], d[i, j - 1], d[i - 1, j - 1])

    return table(len(x), len(y), from_the_corner, cell)


def published_erp(x, y, g=0.0):
    def border(d, i, j):
        return sum(abs(v - g) for v in x[:i]) + sum(abs(v - g) for v in y[:j])

    def cell(d, i, j):
        a, b = x[i - 1], y[j - 1]
        return min(d[i - 1, j - 1] + abs(a - b), d[i - 1, j] + abs(a - g), d[i, j - 1] + abs(b - g))

    return table(len(x), len(y), border, cell)


def published_edr(x, y, epsilon=0.5):
    def cell(d, i, j):
        differ = 0 if abs(x[i - 1] - y[j - 1]) <= epsilon else 1
        return min(d[i - 1, j - 1] + differ, d[i - 1, j] + 1, d[i, j - 1] + 1)

    return table(len(x), len(y), lambda d, i, j: i + j, cell)


def published_lcss(x, y, epsilon=0.5, delta=math.inf):
    def cell(d, i, j):
        if abs(x[i - 1] - y[j - 1]) <= epsilon and abs(i - j) <= delta:
            return d[i - 1, j - 1] + 1
        return max(d[i - 1, j], d[i, j - 1])

    return table(len(x), len(y), lambda d, i, j: 0, cell)


def published_msm(x, y, c=0.5):
    def price(new, before, other):
        if before <= new <= other or before >= new >= other:
            return c
        return c + min(abs(new - before), abs(new - other))

    d = {}
    for i, j in itertools.product(range(len(x)), range(len(y))):
        ways = [abs(x[0] - y[0])] if i == j == 0 else []
        if i and j:
            ways.append(d[i - 1, j - 1] + abs(x[i] - y[j]))
        if i:
            ways.append(d[i - 1, j] + price(x[i], x[i - 1], y[j]))
        if j:
            ways.append(d[i, j - 1] + price(y[j], x[i], y[j - 1]))
        d[i, j] = min(ways)
    return d[len(x) - 1, len(y) - 1]


def published_twe(x, y, nu=0.05, lam=1.0):
    """Both series padded with 0 at time 0, times counted from 1."""
    a, b = [0.0, *x], [0.0, *y]

    def cell(d, i, j):
        match = d[i - 1, j - 1] + abs(a[i] - b[j]) + abs(a[i - 1] - b[j - 1]) + nu * 2 * abs(i - j)
        delete_a = d[i - 1, j] + abs(a[i] - a[i - 1]) + nu + lam
        delete_b = d[i, j - 1] + abs(b[j] - b[j - 1]) + nu + lam
        return min(match, delete_a, delete_b)

    return table(len(x), len(y), from_the_corner, cell)


PUBLISHED = {
    "wdtw": published_wdtw, "erp": published_erp, "edr": published_edr, "lcss": published_lcss, "msm": published_msm,
    "twe": published_twe,
}  # fmt: skip


def series(seed, *lengths):
    """Random ones; of whole numbers, for ties, with an odd seed."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=n) if seed % 2 == 0 else rng.integers(-2, 3, n).astype(float) for n in lengths]


@pytest.mark.parametrize("measure", MEASURES)
def test_the_published_recurrence(measure):
    for seed, shape in itertools.product(range(4), SHAPES):
        x, y = series(seed, *shape)
        assert MEASURES[measure](x, y) == pytest.approx(PUBLISHED[measure](x, y), rel=1e-12, abs=1e-12), (seed, shape)


@pytest.mark.parametrize(
    "measure, options",
    [
        ("wdtw", {"g": 0.7}), ("erp", {"g": 0.6}), ("edr", {"epsilon": 1.0}), ("lcss", {"epsilon": 1.0, "delta": 1}),
        ("msm", {"c": 0.0}), ("msm", {"c": 2.0}), ("twe", {"nu": 0.0, "lam": 0.0}), ("twe", {"nu": 0.5, "lam": 0.3}),
    ],
)  # fmt: skip
def test_its_constants(measure, options):
    for seed in range(4):
        x, y = series(seed, 6, 5)
        assert MEASURES[measure](x, y, **options) == pytest.approx(PUBLISHED[measure](x, y, **options), rel=1e-12, abs=1e-12)


# --- numbers of another library ------------------------------------------------------------------------------------------

FOUND = json.loads(Path(__file__).with_name("elastic_numbers.json").read_text())  # by make_elastic_numbers.py
SERIES = [[np.array(v) for v in pair] for pair in FOUND["series"]]


def test_aeon():
    """Its lcss is a distance. For its edr and erp, whose borders differ, see the tests below."""
    for entry in FOUND["distances"]:
        measure, options = entry["measure"], entry["options"]
        options = {"lam" if name == "lmbda" else name: value for name, value in options.items()}
        for (x, y), wanted in zip(SERIES, entry["values"]):
            if measure == "lcss":
                assert 1 - lcss(x, y, **options) / min(len(x), len(y)) == pytest.approx(wanted, abs=1e-12)
            elif measure not in ("edr", "erp"):
                assert MEASURES[measure](x, y, **options) == pytest.approx(wanted, rel=1e-12)
    assert {entry["measure"] for entry in FOUND["distances"]} == set(MEASURES)


def test_the_erp_of_aeon_has_a_dearer_border():
    """Its D[i, 0] is the gap of all of x for every i >= 1, where the paper has that of the first i elements; so for y."""

    def as_there(x, y, g):
        def border(d, i, j):
            return (i > 0) * sum(abs(v - g) for v in x) + (j > 0) * sum(abs(v - g) for v in y)

        def cell(d, i, j):
            a, b = x[i - 1], y[j - 1]
            return min(d[i - 1, j - 1] + abs(a - b), d[i - 1, j] + abs(a - g), d[i, j - 1] + abs(b - g))

        return table(len(x), len(y), border, cell)

    equal = []
    for entry in FOUND["distances"]:
        if entry["measure"] == "erp":
            g = entry["options"]["g"]
            for (x, y), wanted in zip(SERIES, entry["values"]):
                assert as_there(x, y, g) == pytest.approx(wanted, rel=1e-12)
                assert erp(x, y, g) <= wanted + 1e-12
                equal.append(erp(x, y, g) == pytest.approx(wanted, rel=1e-12))
    assert any(equal) and not all(equal)


def test_the_edr_of_aeon_leaves_out_the_first_elements_free():
    """Its D[i, 0] and D[0, j] are 0, where the paper has i and j: so it is the edit distance with an open begin."""
    corner = [dp.Start(None, 0, terms=()), dp.Start(0, None, terms=())]
    as_there = dp.Topology(T.edr().steps, dp.Boundary(corner, dp.End()), extra=(1, 1))
    (entry,) = (e for e in FOUND["distances"] if e["measure"] == "edr")
    below = 0
    for (x, y), wanted in zip(SERIES, entry["values"]):
        longer, epsilon = max(len(x), len(y)), entry["options"]["epsilon"]
        assert total(as_there, np.abs(x[:, None] - y) > epsilon) / longer == pytest.approx(wanted, rel=1e-12)
        below += edr(x, y, epsilon) / longer > wanted
    assert below >= 2  # it is not the published distance


@pytest.mark.parametrize("measure", ["erp", "msm", "twe"])
def test_a_metric(measure):
    """Symmetry, identity, and the triangle inequality, which DTW lacks."""
    distance = MEASURES[measure]
    for seed in range(6):
        x, y, z = series(seed, 5, 4, 6)
        assert distance(x, x) == 0.0
        assert distance(x, y) == pytest.approx(distance(y, x))
        assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-12


def test_lengths_of_common_subsequences():
    """All subsequences of one that the other has."""
    for seed in (1, 3, 5):
        x, y = series(seed, 5, 6)

        def subsequences(v):
            return {tuple(c) for size in range(len(v) + 1) for c in itertools.combinations(v, size)}

        assert lcss(x, y, epsilon=0.0) == max(map(len, subsequences(x) & subsequences(y)))


def test_a_batch_with_prices_of_its_own():
    """Params over (B, N + 1) and (B, M + 1)."""
    x, y = np.array(series(0, 4, 4)), np.array(series(2, 3, 3))
    first = np.zeros((2, 1))
    result = dp.compile(T.erp(), dp.Tropical, engine="reference")(
        np.abs(x[:, :, None] - y[:, None, :]),
        params={"deletion": np.abs(np.hstack([first, x])), "insertion": np.abs(np.hstack([first, y]))},
    )
    np.testing.assert_allclose(result.total, [published_erp(a, b) for a, b in zip(x, y)])


def test_the_price_of_a_split_is_learnable():
    """Its gradient under a minimum is the number of splits and merges on the best path."""
    x, y = np.array([0.0, 1.0, 1.0, 1.0, 4.0]), np.array([0.0, 1.0, 4.0])
    cost = np.abs(x[:, None] - y)
    planes = {"cost": cost, "split": 10 * cost, "merge": 10 * cost}
    result = dp.compile(T.msm(), dp.Tropical, engine="reference")(planes, params={"c": 0.25})
    assert result.total == 0.5 and result.grad("c") == 2.0


def test_the_weight_of_a_cell_has_a_gradient():
    """Under a minimum the cost of each cell that the best path visits, the start included."""
    cost = np.array([[1.0, 5.0], [2.0, 3.0]])
    result = dp.compile(T.wdtw(), dp.Tropical, engine="reference")(cost, params={"weight": np.ones((2, 2))})
    assert result.grad("weight").tolist() == [[1.0, 0.0], [0.0, 3.0]]
