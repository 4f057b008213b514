"""Edit distances and gaps: textbook numbers, and what one declaration says about another."""

import itertools
import math

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.testing import (
    global_total,
    recursive_total,
)

T = dp.topologies
SEMI = {"ends": "semi-global"}


def solve(topology, cost, semiring=dp.Tropical, **params):
    return dp.compile(topology, semiring, engine="reference")(cost, params=params)


def differ(a, b):
    return np.array([[float(x != y) for y in b] for x in a]).reshape(len(a), len(b))


def scores(a, b, match, mismatch):
    return np.array([[match if x == y else mismatch for y in b] for x in a], float).reshape(len(a), len(b))


# --- edit distance -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, b, wanted",
    [
        ("kitten", "sitting", 3), ("saturday", "sunday", 3), ("intention", "execution", 5), ("flaw", "lawn", 2),
        ("", "", 0), ("", "abc", 3), ("abcd", "", 4), ("same", "same", 0),
    ],
)  # fmt: skip
def test_levenshtein(a, b, wanted):
    for engine in ("cpu", "reference"):
        assert dp.compile(T.edit_distance(), dp.Tropical, engine=engine)(differ(a, b)).total == wanted


def test_the_path_of_kitten_and_sitting():
    result = solve(T.edit_distance(), differ("kitten", "sitting"))
    assert result.path.tolist() == [[i, i] for i in range(7)] + [[6, 7]]  # k/s, i, t, t, e/i, n, then a g is inserted
    assert result.path_steps.tolist() == [-1, *[0] * 6, 2]


def test_the_number_of_alignments_is_that_of_delannoy():
    def delannoy(n, m):
        return sum(math.comb(n, k) * math.comb(m, k) * 2**k for k in range(min(n, m) + 1))

    for n, m in itertools.product(range(4), repeat=2):
        assert solve(T.edit_distance(), np.zeros((n, m)), dp.Counting).total == delannoy(n, m)


def test_a_ragged_batch_with_empty_words():
    pairs = [("kitten", "sitting"), ("", "abc"), ("ab", ""), ("", ""), ("flaw", "lawn")]
    cost = np.full((5, 6, 7), np.nan)
    for b, (x, y) in enumerate(pairs):
        cost[b, : len(x), : len(y)] = differ(x, y)
    lengths = tuple(np.array([len(p[side]) for p in pairs]) for side in (0, 1))
    result = dp.compile(T.edit_distance(), dp.Tropical)(cost, lengths=lengths)
    assert result.total.tolist() == [3, 3, 2, 0, 2]
    assert np.isfinite(result.marginals).all() and not result.marginals[3].any()


def test_a_price_for_each_element():
    """The entry n is that of the n-th element, counted from 1."""
    deletion, insertion = np.array([np.nan, 1.0, 20.0, 300.0]), np.array([np.nan, 0.5])
    deletion[0] = insertion[0] = 1e6  # never paid
    topology = T.edit_distance(dp.Param("deletion", axes="n"), dp.Param("insertion", axes="m"))
    result = solve(topology, np.array([[9.0], [9.0], [9.0]]), deletion=deletion, insertion=insertion)
    assert result.total == 1 + 20 + 9  # the third row is the dearest to leave out
    assert result.grad("deletion").tolist() == [0, 1, 1, 0] and result.grad("insertion").tolist() == [0, 0]


def test_the_weight_of_a_substitution():
    """Where a substitution costs two, the distance counts what lies outside the longest common subsequence."""
    assert solve(T.edit_distance(substitution=2.0), differ("kitten", "sitting")).total == 6 + 7 - 2 * len("ittn")


# --- scores ------------------------------------------------------------------------------------------------------------


def test_needleman_wunsch_textbook():
    """GCATGCG and GATTACA with +1, -1, -1: the usual lecture example, score 0; all 48,639 alignments say the same."""
    cost = scores("GCATGCG", "GATTACA", 1.0, -1.0)
    topology = T.needleman_wunsch(gap=-1.0)
    assert solve(topology, cost, dp.MaxPlus).total == global_total(topology, dp.MaxPlus, cost) == 0
    assert solve(T.needleman_wunsch(gap=1.0), -cost).total == 0  # the same as costs, under a minimum


def test_smith_waterman_textbook():
    """TGTTACGG and GGTTGACTA with +3, -3, -2: score 13, GTT-AC above GTTGAC."""
    cost = scores("TGTTACGG", "GGTTGACTA", 3.0, -3.0)
    result = solve(T.smith_waterman(gap=-2.0), cost, dp.MaxPlus)
    assert result.total == recursive_total(T.smith_waterman(gap=-2.0), dp.MaxPlus, cost) == 13
    assert result.path.tolist() == [[1, 1], [2, 2], [3, 3], [4, 4], [4, 5], [5, 6], [6, 7]]


def test_a_local_alignment_of_what_does_not_fit_is_empty():
    for topology in (T.smith_waterman(gap=-1.0), T.affine_gap(-2.0, -1.0, ends="local")):
        result = solve(topology, scores("AAA", "CCCC", 1.0, -1.0), dp.MaxPlus)
        assert result.total == 0 and len(result.path) == 1
        assert not result.marginals.any()


def test_nothing_aligned_with_something():
    assert solve(T.needleman_wunsch(gap=-2.0), np.zeros((0, 3)), dp.MaxPlus).total == -6
    assert solve(T.smith_waterman(gap=-2.0), np.zeros((0, 3)), dp.MaxPlus).total == 0
    assert solve(T.affine_gap(-5.0, -2.0), np.zeros((3, 0)), dp.MaxPlus).total == -9


# --- affine gaps -------------------------------------------------------------------------------------------------------


def test_a_long_gap_pays_once_for_its_opening():
    cost = scores("ACGT", "ACCCCGT", 2.0, -1.0)
    assert solve(T.affine_gap(-3.0, -1.0), cost, dp.MaxPlus).total == 4 * 2 - (3 + 1 + 1)
    assert solve(T.needleman_wunsch(gap=-3.0), cost, dp.MaxPlus).total == 4 * 2 - 3 * 3


@pytest.mark.parametrize("semiring", [dp.MaxPlus, dp.Log, dp.Softmin(0.5)], ids=lambda s: s.name)
@pytest.mark.parametrize("ends, linear", [("global", T.needleman_wunsch), ("local", T.smith_waterman)])
def test_equal_gaps_are_the_linear_gap(ends, linear, semiring):
    """Path by path, so under every sum."""
    sign = -1.0 if semiring.forbid < 0 else 1.0
    for seed in range(3):
        cost = np.random.default_rng(seed).normal(size=(3, 4))
        mine = solve(T.affine_gap(0.7 * sign, 0.7 * sign, ends=ends), cost, semiring).total
        assert mine == pytest.approx(solve(linear(0.7 * sign), cost, semiring).total, rel=1e-12)


def globally(cost, opening, extension):
    """The best global alignment by the three matrices of Gotoh, written out; scores."""
    n, m = cost.shape
    best = {s: np.full((n + 1, m + 1), -math.inf) for s in "mdi"}
    best["m"][0, 0] = 0.0
    for i, j in itertools.product(range(n + 1), range(m + 1)):
        if i and j:
            best["m"][i, j] = cost[i - 1, j - 1] + max(best[s][i - 1, j - 1] for s in "mdi")
        if i:
            best["d"][i, j] = max(best[s][i - 1, j] + (extension if s == "d" else opening) for s in "mdi")
        if j:
            best["i"][i, j] = max(best[s][i, j - 1] + (extension if s == "i" else opening) for s in "mdi")
    return max(best[s][n, m] for s in "mdi")


SIDES = [((), ()), ((0,), ()), ((1,), ()), ((), (0,)), ((), (1,)), ((1,), (1,)), ((0,), (1,)), ((0, 1), (0, 1)), (None, None)]


@pytest.mark.parametrize("begin, end", SIDES)
def test_semi_global_is_the_best_of_all_free_cuts(begin, end):
    """One axis is cut at each side, at any place; what remains is aligned globally."""
    for seed in range(4):
        cost = np.random.default_rng(seed).integers(-3, 4, (3, 4)).astype(float)
        firsts = cuts((0, 1) if begin is None else begin, cost.shape)
        lasts = [(3 - i, 4 - j) for i, j in cuts((0, 1) if end is None else end, cost.shape)]
        # a cut beyond the other side's: both ends of the part are within it
        wanted = max(
            globally(cost[a:c, b:d], -3.0, -1.0) for (a, b), (c, d) in itertools.product(firsts, lasts) if a <= c and b <= d
        )
        found = solve(T.affine_gap(-3.0, -1.0, free_begin=begin, free_end=end, **SEMI), cost, dp.MaxPlus).total
        assert found == wanted


def cuts(axes, shape):
    return [(0, 0)] + [(i, 0) for i in range(shape[0] + 1) if 0 in axes] + [(0, j) for j in range(shape[1] + 1) if 1 in axes]


def test_local_is_the_best_of_all_parts():
    for seed in range(4):
        cost = np.random.default_rng(seed).integers(-3, 4, (3, 4)).astype(float)
        parts = itertools.product(range(4), range(5), range(4), range(5))
        wanted = max(globally(cost[a:c, b:d], -3.0, -1.0) for a, b, c, d in parts if a <= c and b <= d)
        assert solve(T.affine_gap(-3.0, -1.0, ends="local"), cost, dp.MaxPlus).total == wanted


def test_a_path_that_leaves_out_nothing_is_two_to_a_sum():
    """As documented: it starts on both lines. One free axis leaves every alignment one path."""
    both = solve(T.affine_gap(1.0, 1.0, **SEMI), np.zeros((1, 1)), dp.Counting).total
    one = solve(T.affine_gap(1.0, 1.0, free_begin=(1,), free_end=(), **SEMI), np.zeros((1, 1)), dp.Counting).total
    # from (0, 0): three ways to (1, 1), one each from (0, 1) and (1, 0); ends likewise
    assert one == 3 + 1
    starts = {(0, 0): 2, (1, 0): 1, (0, 1): 1}
    ends = {(1, 1): 2, (1, 0): 1, (0, 1): 1}
    ways = {(0, 0, 1, 1): 3, (0, 0, 1, 0): 1, (0, 0, 0, 1): 1, (1, 0, 1, 1): 1, (0, 1, 1, 1): 1, (1, 0, 1, 0): 1, (0, 1, 0, 1): 1}
    assert both == sum(a * b * ways.get((*s, *e), 0) for s, a in starts.items() for e, b in ends.items())


@pytest.mark.parametrize(
    "given, message",
    [
        ({"ends": "glocal"}, "ends is 'global', 'local' or 'semi-global', found 'glocal'"),
        ({"free_begin": (1,)}, "go with ends='semi-global', found ends='global'"),
        ({"ends": "local", "free_end": ()}, "go with ends='semi-global', found ends='local'"),
        ({"ends": "semi-global", "free_end": (2,)}, r"free_end holds axes, 0 \(rows\) or 1 \(columns\), found \(2,\)"),
    ],
)
def test_wrong_ends_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        T.affine_gap(1.0, 1.0, **given)
