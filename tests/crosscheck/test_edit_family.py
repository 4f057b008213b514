"""Alignments with gaps against parasail and dtaidistance."""

import numpy as np
import pytest

import dpsemiring as dp

T = dp.topologies
LETTERS, RESIDUES = "ACGT", "ARNDCQEGHILKMFPSTWYVBZX*"


def words(seed, count=12, most=12):
    rng = np.random.default_rng(seed)
    return [tuple("".join(rng.choice(list(LETTERS), rng.integers(1, most))) for _ in range(2)) for _ in range(count)]


def cost_of(matrix, a, b, letters=LETTERS):
    """A score for each pair, from parasail's table."""
    index = [[letters.index(c) for c in word] for word in (a, b)]
    return np.asarray(matrix.matrix, float)[np.ix_(*index)]


def ours(topology, cost):
    return float(dp.compile(topology, dp.MaxPlus, engine="reference")(cost).total)


# name of parasail -> (free_begin, free_end): rows are the query (q), columns the database (d)
SIDES = {
    "sg": ((0, 1), (0, 1)),
    "sg_qb": ((0,), ()), "sg_qe": ((), (0,)), "sg_qx": ((0,), (0,)),
    "sg_db": ((1,), ()), "sg_de": ((), (1,)), "sg_dx": ((1,), (1,)),
    "sg_qb_de": ((0,), (1,)), "sg_qe_db": ((1,), (0,)), "sg_qb_db": ((0, 1), ()), "sg_qe_de": ((), (0, 1)),
}  # fmt: skip
GAPS = [(3, 1), (2, 2), (5, 2)]


@pytest.mark.parametrize("opening, extension", GAPS)
@pytest.mark.parametrize("name, ends", [("nw", "global"), ("sw", "local")])
def test_affine_gaps(name, ends, opening, extension):
    """parasail too takes `open` for a gap's first element and `extend` for each further one, both as positive numbers."""
    parasail = pytest.importorskip("parasail")
    matrix = parasail.matrix_create(LETTERS, 2, -3)
    topology = T.affine_gap(-opening, -extension, ends=ends)
    for a, b in words(opening):
        wanted = getattr(parasail, name)(a, b, opening, extension, matrix).score
        assert ours(topology, cost_of(matrix, a, b)) == wanted, (a, b)


@pytest.mark.parametrize("opening, extension", GAPS)
@pytest.mark.parametrize("name", SIDES)
def test_free_ends(name, opening, extension):
    """parasail ends no alignment in the border, where one of the sequences is left out entirely; we do.

    So its ``sg`` can be below 0, though leaving out everything is free. Over the other ends the two agree.
    """
    parasail = pytest.importorskip("parasail")
    matrix = parasail.matrix_create(LETTERS, 5, -3)
    begin, end = SIDES[name]
    topology = T.affine_gap(-opening, -extension, ends="semi-global", free_begin=begin, free_end=end)
    equal = 0
    for a, b in words(opening, count=20):
        theirs = getattr(parasail, name)(a, b, opening, extension, matrix).score
        result = dp.compile(topology, dp.MaxPlus, engine="reference")(cost_of(matrix, a, b))
        cells = result.accumulated_cost.max(axis=2)
        inner = [cells[-1, -1]] + ([cells[1:, -1].max()] if 0 in end else []) + ([cells[-1, 1:].max()] if 1 in end else [])
        assert max(inner) == theirs, (a, b)
        assert result.total >= theirs
        equal += result.total == theirs
    assert equal >= 10  # most alignments end within
    if name in ("sg_qb", "sg_db"):
        assert equal == 20


@pytest.mark.parametrize("name, topology", [("nw", T.needleman_wunsch), ("sw", T.smith_waterman)])
def test_linear_gaps(name, topology):
    """Opening and extension alike."""
    parasail = pytest.importorskip("parasail")
    matrix = parasail.matrix_create(LETTERS, 3, -2)
    for a, b in words(0):
        assert ours(topology(gap=-2.0), cost_of(matrix, a, b)) == getattr(parasail, name)(a, b, 2, 2, matrix).score


@pytest.mark.parametrize("name, ends", [("nw", "global"), ("sw", "local"), ("sg", "semi-global")])
def test_proteins(name, ends):
    parasail = pytest.importorskip("parasail")
    a, b = "HEAGAWGHEEPAWHEAE", "PAWHEAEHEAGAWGHE"
    wanted = getattr(parasail, name)(a, b, 11, 1, parasail.blosum62).score
    assert ours(T.affine_gap(-11.0, -1.0, ends=ends), cost_of(parasail.blosum62, a, b, RESIDUES)) == wanted


def test_the_alignment_of_parasail_is_one_of_the_best():
    """Ties may be broken otherwise, so its path is scored by ours: the pairs that it aligns, the gaps between them."""
    parasail = pytest.importorskip("parasail")
    matrix = parasail.matrix_create(LETTERS, 2, -3)
    for a, b in words(3):
        trace = parasail.nw_trace(a, b, 3, 1, matrix).traceback
        score, before = 0.0, None
        for q, d in zip(trace.query, trace.ref):
            kind = "d" if d == "-" else "i" if q == "-" else "m"
            score += (2 if q == d else -3) if kind == "m" else (-1 if kind == before else -3)
            before = kind
        assert score == ours(T.affine_gap(-3.0, -1.0), cost_of(matrix, a, b))


def test_needleman_wunsch_of_dtaidistance():
    """Its default: a match +1, a mismatch and a left-out element -1."""
    alignment = pytest.importorskip("dtaidistance.alignment")
    for a, b in words(5, most=8):
        cost = np.array([[1.0 if x == y else -1.0 for y in b] for x in a])
        assert ours(T.needleman_wunsch(gap=-1.0), cost) == alignment.needleman_wunsch(a, b)[0]
