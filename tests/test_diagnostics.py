"""Alignments made by hand, whose numbers are known, and those of solvers."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring import diagnostics

HARD = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
UNIFORM = np.full((4, 3), 1 / 3)
ALL = {
    "alignment_entropy": diagnostics.alignment_entropy,
    "shares": diagnostics.shares,
    "collapse": diagnostics.collapse,
    "diagonality": diagnostics.diagonality,
    "temporal_shift": lambda a, lengths=None: diagnostics.temporal_shift(a, np.moveaxis(a, -1, -2)[..., ::-1], lengths),
}


def test_all_are_tested():
    assert {*ALL, "effective_temperature"} == set(diagnostics.__all__)
    assert dp.diagnostics is diagnostics


def test_entropy_of_hard_uniform_and_mixed():
    assert diagnostics.alignment_entropy(HARD) == 0.0
    np.testing.assert_allclose(diagnostics.alignment_entropy(UNIFORM), np.log(3))
    # rows weigh as they are visited: 2 of 5 visits waver between two targets
    np.testing.assert_allclose(diagnostics.alignment_entropy([[1, 0], [1, 1], [0, 1], [0, 1]]), 2 / 5 * np.log(2))


def test_shares_and_collapse():
    np.testing.assert_allclose(diagnostics.shares(HARD), [1 / 2, 1 / 4, 1 / 4])
    np.testing.assert_allclose(diagnostics.collapse(HARD), 1 / 2 - 1 / 3)
    assert diagnostics.collapse(UNIFORM) == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(diagnostics.collapse([[1, 0, 0, 0]] * 5), 3 / 4)
    assert diagnostics.collapse(HARD, reference=[4, 2, 2]) == 0.0


def test_diagonality_of_the_diagonal_the_corner_and_the_middle():
    assert diagnostics.diagonality(np.eye(5)) == 1.0
    for size, known in ((3, 1 / 5), (100, 1 / 199)):  # 2 size - 1 cells, their distances summing to size - 1
        corner = np.zeros((size, size))
        corner[0], corner[:, -1] = 1, 1
        np.testing.assert_allclose(diagnostics.diagonality(corner), known)
    # 1 - 2 * mean |i - j| / 2 over 3 x 3 equally likely cells: the mean distance is 4/9
    np.testing.assert_allclose(diagnostics.diagonality(np.ones((3, 3))), 1 - 8 / 9)
    assert diagnostics.diagonality(np.ones((1, 4))) == diagnostics.diagonality(np.ones((4, 1))) == 1.0


def test_temporal_shift():
    later = np.roll(np.pad(HARD, ((0, 2), (0, 0))), 2, axis=0)
    assert diagnostics.temporal_shift(later, np.pad(HARD, ((0, 2), (0, 0)))) == 2.0
    assert diagnostics.temporal_shift(HARD, [1.5, np.nan, 2.0]) == 0.0  # 0.5 - 1.5 and 3 - 2
    batch = diagnostics.temporal_shift(np.stack([HARD, HARD]), [[0.5, 2.0, 3.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(batch, [0.0, 5.5 / 3])
    assert np.isnan(diagnostics.temporal_shift(HARD, [np.nan] * 3))


def test_effective_temperature_is_in_units_of_the_costs():
    cost = np.random.default_rng(0).random((6, 5))
    known = diagnostics.effective_temperature(cost, 0.1)
    np.testing.assert_allclose(known, 0.1 / np.sqrt(cost.var(axis=1).mean()))
    np.testing.assert_allclose(diagnostics.effective_temperature(7 * cost + np.arange(6)[:, None], 0.7), known)


def test_effective_temperature_leaves_out_forbidden_cells_and_padding():
    cost = np.array([[0.0, 4.0, np.inf], [9.0, 5.0, np.nan]])
    assert diagnostics.effective_temperature(cost, 1.0, lengths=(2, 2)) == 0.5
    assert np.isnan(diagnostics.effective_temperature(cost, 1.0))
    assert diagnostics.effective_temperature([[0.0, 4.0, np.inf], [np.inf, np.inf, np.inf]], 3.0) == 1.5
    assert diagnostics.effective_temperature(np.ones((2, 2)), 3.0) == np.inf
    assert np.isnan(diagnostics.effective_temperature(np.full((2, 2), np.inf), 3.0))
    both = diagnostics.effective_temperature([[[0.0, 4.0]], [[0.0, 2.0]]], np.array([1.0, 0.0]))
    assert both.tolist() == [0.5, 0.0]


@pytest.mark.parametrize("name", ALL)
def test_a_ragged_batch_is_its_items(name):
    rng = np.random.default_rng(1)
    lengths = np.array([4, 2, 3, 1]), np.array([3, 2, 1, 3])
    batch = np.full((4, 4, 4), np.nan)
    items = [rng.random((n, m)) for n, m in zip(*lengths)]
    if name == "temporal_shift":
        refs = np.full((4, 4), np.nan)
        positions = [rng.random(m) for m in lengths[1]]
        for row, p in zip(refs, positions):
            row[: len(p)] = p
        function = diagnostics.temporal_shift
        alone = [function(a, p) for a, p in zip(items, positions)]
    else:
        function, refs = ALL[name], None
        alone = [function(a) for a in items]
    for b, a in enumerate(items):
        batch[b, : a.shape[0], : a.shape[1]] = a
    together = function(batch, lengths=lengths) if refs is None else function(batch, refs, lengths)
    for got, expected in zip(together, alone):
        np.testing.assert_allclose(np.resize(got, np.shape(expected)), expected, rtol=1e-12, atol=1e-15)
        if name == "shares":
            assert not got[len(expected) :].any()


@pytest.mark.parametrize("name", ALL)
def test_items_without_mass_or_with_a_nan_are_nan_alone(name):
    square = np.eye(3)
    batch = np.stack([square, np.zeros((3, 3)), np.where(square, np.nan, 0.0)])
    answer = ALL[name](batch)
    assert np.isfinite(answer[0]).all() and np.isnan(answer[1:]).all()
    assert answer.shape[0] == 3 and answer.dtype == np.float64
    assert ALL[name](np.zeros((0, 3, 3))).shape[0] == 0


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("diagonality", "temporal_shift")])
def test_a_row_without_mass_takes_no_part(name):
    np.testing.assert_allclose(ALL[name](np.insert(HARD, 2, 0, axis=0)), ALL[name](HARD))


def test_a_softmins_entropy_grows_with_gamma_and_forbidden_cells_get_nothing():
    cost = np.random.default_rng(3).random((6, 5))
    cost[:2, 2] = np.inf
    soft = [dp.compile(dp.topologies.ctc_without_blank(), dp.Softmin(g), engine="reference")(cost) for g in (0.001, 0.3, 3.0)]
    hard = dp.compile(dp.topologies.ctc_without_blank(), dp.Tropical, engine="reference")(cost)
    values = [diagnostics.alignment_entropy(r) for r in soft]
    assert 0 <= values[0] < 0.01 < values[1] < values[2] < np.log(5)
    assert diagnostics.alignment_entropy(hard) == 0.0
    np.testing.assert_allclose(diagnostics.shares(soft[0]), diagnostics.shares(hard), atol=1e-3)


def test_a_result_knows_its_lengths_and_is_read_by_visits():
    cost = np.random.default_rng(2).random((2, 5, 4))
    weighted = dp.compile(dp.topologies.weighted_dtw(1, 1, 2), dp.Softmin(0.2), engine="reference")
    batch, alone = weighted(cost, lengths=([5, 3], [4, 2])), weighted(cost[1, :3, :2])
    assert [x.tolist() for x in batch.lengths] == [[5, 3], [4, 2]] and alone.lengths == (3, 2)
    for function in (diagnostics.alignment_entropy, diagnostics.collapse, diagnostics.diagonality):
        np.testing.assert_allclose(function(batch)[1], function(alone), rtol=1e-12)
        np.testing.assert_allclose(function(alone), function(alone.occupancy), rtol=1e-12)
    np.testing.assert_allclose(diagnostics.shares(batch)[1], [*diagnostics.shares(alone), 0, 0], rtol=1e-12)
    np.testing.assert_allclose(diagnostics.temporal_shift(batch, batch), 0.0)
    edits = dp.compile(dp.topologies.edit_distance(), dp.Softmin(1.0), engine="reference")(cost[0])
    assert edits.lengths == (6, 5) == edits.occupancy.shape
    assert 0 < diagnostics.alignment_entropy(edits) < np.log(5)


def test_tensors_are_read_like_arrays():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    a = torch.tensor(UNIFORM, requires_grad=True)
    for name, function in ALL.items():
        if name != "temporal_shift":
            np.testing.assert_array_equal(function(a), function(UNIFORM))
    t = torch.tensor([0.0, 1.0, 2.0])
    np.testing.assert_array_equal(diagnostics.temporal_shift(a, t), diagnostics.temporal_shift(UNIFORM, [0, 1, 2]))
    assert diagnostics.effective_temperature(torch.tensor([[0.0, 4.0]]), torch.tensor(1.0)) == 0.5
    solver = dp.compile(dp.topologies.weighted_dtw(1, 1, 2), dp.Softmin(0.2), engine="reference")
    cost, lengths = np.random.default_rng(4).random((2, 5, 4)), ([5, 3], [4, 2])
    ragged = solver(torch.tensor(cost, requires_grad=True), lengths=lengths)
    np.testing.assert_array_equal(diagnostics.diagonality(ragged), diagnostics.diagonality(solver(cost, lengths=lengths)))
    one = solver(torch.tensor(cost[0]))
    assert one.lengths == (5, 4) and diagnostics.collapse(one) == diagnostics.collapse(solver(cost[0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.shares([1.0, 0.0]), r"\(N, M\) or \(B, N, M\)"),
        (lambda: diagnostics.shares([[1j]]), "real numbers"),
        (lambda: diagnostics.alignment_entropy([[1.0, -0.5]]), "found -0.5; signed"),
        (lambda: diagnostics.alignment_entropy([[1.0, np.inf]]), "found inf"),
        (lambda: diagnostics.shares(HARD, lengths=(5, 3)), r"lengths lie in 0 .. 4"),
        (lambda: diagnostics.shares(HARD, lengths=(1.0, 3)), "lengths"),
        (lambda: diagnostics.shares([HARD], lengths=([4, 4], 3)), "lengths"),
        (lambda: diagnostics.collapse(HARD, reference=[1, 2]), r"reference .* \(3,\); found the shape \(2,\)"),
        (lambda: diagnostics.collapse(HARD, reference=[1, -2, 0]), ">= 0; found -2"),
        (lambda: diagnostics.temporal_shift(HARD, HARD.T), "differ in shape"),
        (lambda: diagnostics.temporal_shift([HARD], HARD), r"\(1, 3\); found the shape \(4, 3\)"),
        (lambda: diagnostics.effective_temperature(HARD, -1.0), "gamma is a number >= 0"),
        (lambda: diagnostics.effective_temperature(HARD, [1.0, 1.0]), "gamma"),
        (lambda: diagnostics.effective_temperature([[-np.inf]], 1.0), "-inf"),
    ],
)
def test_refusals_name_what_was_found(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_tensors_of_half_precision():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    alignment = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.bfloat16)
    assert diagnostics.shares(alignment).tolist() == [0.75, 0.25]
