"""Costs that panels make as they need them: the CUDA text, emulated, gives what the reference gives from whole costs."""

import re

import cuda_cases as cases
import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.lower.cuda_text import cuda_module
from dpsemiring.lower.cuda_whole import cuda_whole
from dpsemiring.lower.plan import Plan, Wanted
from dpsemiring.lower.schedule import panels
from dpsemiring.run import problem
from dpsemiring.run.arrays import HOST
from dpsemiring.run.gpu import fused
from dpsemiring.testing.emulation import compile_for, missing_cuda_compiler

pytestmark = pytest.mark.emulation

RNG = np.random.default_rng(0)
B, N, M, D, V = 3, 19, 45, 5, 9
RAGGED = np.array([19, 7, 12]), np.array([45, 33, 1])
X, Y, Z = RNG.random((B, N, D)), RNG.random((B, M, D)), RNG.random((B, M, D))
SHARED = X[0].copy()
LOG_PROBS, SOFT = np.log(RNG.dirichlet(np.ones(V), (B, N))), RNG.random((B, M, V)) * (RNG.random((B, M, V)) > 0.5)
LABELS, ROWS, COLUMNS = RNG.integers(0, V, (B, M)), RNG.integers(0, 5, (B, N)), RNG.integers(0, 6, (B, M))
TABLES = RNG.random((B, 5, 6))
SOFTMIN = dp.Softmin(0.3)
BAND = dp.Topology(dp.topologies.dtw().steps, window=dp.Window.sakoe_chiba(9))
ALL = np.full(B, N), np.full(B, M)

SOURCES = {
    "sqeuclidean": (dp.topologies.dtw(), SOFTMIN, lambda: dp.costs.sqeuclidean(X, Y), RAGGED),
    "a sum, shared frames": (
        dp.topologies.dtw(),
        SOFTMIN,
        lambda: dp.costs.cosine(SHARED, Y) + 0.5 * dp.costs.sqeuclidean(SHARED, Z, names=("x", "z")),
        RAGGED,
    ),
    "path": (dp.topologies.dtw(), dp.Tropical, lambda: dp.costs.sqeuclidean(np.round(X * 4), np.round(Y * 4)), RAGGED),
    "band": (BAND, SOFTMIN, lambda: dp.costs.sqeuclidean(X, Y), RAGGED[:1] + (np.array([45, 20, 9]),)),
    "gather": (dp.topologies.dtw(), SOFTMIN, lambda: -dp.costs.gather(LOG_PROBS, LABELS), RAGGED),
    "gather, shared": (dp.topologies.dtw(), SOFTMIN, lambda: -dp.costs.gather(LOG_PROBS[0], LABELS), RAGGED),
    "lookup": (dp.topologies.edit_distance(), SOFTMIN, lambda: dp.costs.lookup(TABLES[0], ROWS, COLUMNS), RAGGED),
    "lookup, tables": (cases.with_weights(), SOFTMIN, lambda: dp.costs.lookup(TABLES, ROWS[0], COLUMNS), ALL),
    "soft labels": (dp.topologies.dtw(), SOFTMIN, lambda: dp.costs.nll(LOG_PROBS, SOFT), RAGGED),
    "bce": (dp.topologies.dtw(), SOFTMIN, lambda: dp.costs.bce(X, (Y > 0.5).astype(float)), RAGGED),
}
CTC = dp.topologies.ctc(), dp.Softmin(1.0)


@pytest.fixture
def never_whole(monkeypatch):
    """Nobody makes a cost as a whole but the reference."""
    made = problem.Reading.made

    def watched(self, problem, name):
        assert problem.place is HOST
        return made(self, problem, name)

    monkeypatch.setattr(problem.Reading, "made", watched)


def agree(topology, semiring, source, lengths, params=None, room=1e-10, marginals=True, **options):
    wanted = cases.reference(topology, semiring)(source, lengths, params)
    found = cases.emulated(topology, semiring, **({**cases.SMALL, "needed": True} | options))(source, lengths, params)
    np.testing.assert_allclose(found.total, wanted.total, rtol=room)
    for _, atom in source.parts:
        for name in [atom.names[0]] if np.asarray(atom.inputs[list(atom.inputs)[1]]).dtype.kind in "iu" else atom.names:
            own, of = found.grad(name), wanted.grad(name)
            assert own.shape == of.shape
            np.testing.assert_allclose(own, of, rtol=0, atol=room * max(1.0, np.abs(of).max()), err_msg=name)
    if marginals:
        np.testing.assert_allclose(found.marginals, wanted.marginals, rtol=0, atol=room)
    if semiring.trace.selects:
        for own, of in zip(found.path, wanted.path):
            np.testing.assert_array_equal(own, of)


@pytest.mark.parametrize("case", SOURCES)
def test_agrees_with_whole_costs(case, never_whole):
    topology, semiring, source, lengths = SOURCES[case]
    agree(topology, semiring, source(), lengths, marginals=case in ("sqeuclidean", "path", "lookup"))


@pytest.mark.parametrize("case", SOURCES)
def test_whole_costs_made_by_kernels(case):
    topology, semiring, source, lengths = SOURCES[case]
    agree(topology, semiring, source(), lengths, marginals=False, needed=False)


def test_whole_costs_four_columns_at_once():
    """Where rows have a multiple of them; with no stray and no race."""
    y, labels = RNG.random((B, 140, D)), RNG.integers(0, V, (B, 140))
    source = dp.costs.sqeuclidean(X, y) - dp.costs.gather(LOG_PROBS, labels)
    lengths = np.array([19, 7, 12]), np.array([139, 64, 1])
    for mode in ({"races": True, "threads": 64}, {"sanitize": True}):
        agree(dp.topologies.dtw(), SOFTMIN, source, lengths, columns=4, span=32, chunk=32, marginals=False, needed=False, **mode)


def test_panels_as_wide_as_on_the_gpu(never_whole):
    """Two panels of 128 columns, two warps in a block, a grid that goes round."""
    y, labels = RNG.random((B, 150, D)), RNG.integers(0, V, (B, 150))
    source = dp.costs.sqeuclidean(X, y) - dp.costs.gather(LOG_PROBS, labels)
    agree(dp.topologies.dtw(), SOFTMIN, source, None, columns=4, span=32, chunk=32, threads=64, grid=2, marginals=False)


def test_single_precision(never_whole):
    x, y = X.astype(np.float32), Y.astype(np.float32)
    agree(dp.topologies.dtw(), SOFTMIN, dp.costs.sqeuclidean(x, y), RAGGED, room=2e-5, columns=2, marginals=False)


def test_ctc(never_whole):
    """Labels that repeat, blanks at every other place; log-probabilities of -inf."""
    labels = np.array([[0, 3, 0, 3, 0, 5, 0], [0, 1, 0, 2, 0, 1, 0]])
    log_probs = np.log(RNG.dirichlet(np.ones(V), (2, N)))
    log_probs[:, 4, 7] = -np.inf
    log_probs[0, 3, 5] = -np.inf
    differs = dict.fromkeys(dp.compile(*CTC).params, labels)
    agree(*CTC, -dp.costs.gather(log_probs, labels), (np.array([19, 11]), np.array([7, 5])), differs, marginals=False)


def test_the_order_of_threads_changes_nothing():
    """Panels add to the same frames one after the other."""

    def found(**options):
        result = cases.emulated(dp.topologies.dtw(), SOFTMIN, **cases.SMALL, needed=True, threads=64, grid=1, **options)(
            dp.costs.sqeuclidean(X, Y)
        )
        return result.total, result.grad("x"), result.grad("y")

    for own, other in zip(found(), found(order="shuffled", seed=3)):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("case", ["sqeuclidean", "gather", "lookup"])
def test_no_races_and_no_strays(case):
    topology, semiring, source, lengths = SOURCES[case]
    agree(topology, semiring, source(), lengths, marginals=False, threads=64, races=True)
    if case != "gather":
        agree(topology, semiring, source(), lengths, marginals=False, sanitize=True)


def test_a_missing_barrier_is_caught():
    """Without it a lane clears what another has yet to add up."""

    def without(text):
        found, count = re.subn(r"__syncwarp\(\);\s+Q0\.clear\(from", "Q0.clear(from", text)
        assert count == text.count("Q0.clear(from")
        return found

    solver = cases.emulated(dp.topologies.dtw(), SOFTMIN, **cases.SMALL, needed=True, races=True, edit=without)
    with pytest.raises(Exception, match="race"):
        solver(dp.costs.sqeuclidean(X, Y)).grad("x")


@pytest.mark.parametrize("needed", [True, False])
def test_what_a_whole_cost_would_show(needed):
    """NaN spoils its item; an infinite feature forbids; a cost beyond the range is no infinity; padding is not looked at."""
    x, y = X.copy(), Y.copy()
    x[0, 3, 1] = np.nan
    x[1, 2, 0], x[1, 8:] = np.inf, np.nan
    y[2, 4, 2] = 1e200
    lengths = np.array([19, 8, 12]), np.array([45, 33, 9])
    solver = cases.emulated(dp.topologies.dtw(), dp.Softmin(0.5), **cases.SMALL, needed=needed)
    result = solver(dp.costs.sqeuclidean(x, y), lengths)
    assert np.isnan(result.total).tolist() == [True, False, True] and np.isposinf(result.total[1])
    grad = result.grad("x")
    assert np.isnan(grad[0]).all() and np.isnan(grad[2, :12]).all()
    assert not grad[1].any() and not grad[2, 12:].any()
    steps = [dp.Step(1, 0), dp.Step(1, 1), dp.Step(2, 1), dp.Step(0, 1)]  # (2, 1) leaps over the row that is forbidden
    agree(dp.Topology(steps), dp.Softmin(0.5), dp.costs.sqeuclidean(x[1:2, :8], y[1:2]), None, marginals=False, needed=needed)


def sweeping(topology):
    return cases.emulated(topology, SOFTMIN, **cases.SMALL, needed=True)


def test_what_cells_beside_their_own_place_read():
    """Cells of an edit distance read the plane one row above and one column to the left."""
    tables = TABLES[0].copy()
    tables[ROWS[1, 2], COLUMNS[1, 3]] = -np.inf
    with pytest.raises(ValueError, match="holds -inf in item 1"):
        sweeping(dp.topologies.edit_distance())(dp.costs.lookup(tables, ROWS[:2, :5], COLUMNS[:2, :9]), ([1, 5], [9, 9]))


def test_a_plane_without_columns():
    """Where none is made nothing is read, whatever a ring holds; the first item finds it as it was allocated."""
    source = dp.costs.lookup(TABLES[0], ROWS, COLUMNS)
    agree(dp.topologies.edit_distance(), SOFTMIN, source, (np.array([19, 7, 0]), np.array([0, 33, 9])), marginals=False)


def test_infinities_in_two_terms():
    """An infinity of the one is no excess of the other, where both are in rows that are made together."""
    x, z = X.copy(), Z[:, :N].copy()
    x[0, 3, 1], z[0, 4, 2] = np.inf, np.inf
    source = dp.costs.sqeuclidean(x, Y) + dp.costs.sqeuclidean(z, Z, names=("z", "w"))
    result = sweeping(dp.topologies.dtw())(source)
    assert np.isposinf(result.total).tolist() == [True, False, False] and not np.isnan(result.grad("x")).any()


def test_lanes_of_more_columns_than_a_warp_has_lanes():
    """A step so long asks for 64: frames of columns that no lane of fewer has are there."""
    topology = dp.Topology([*dp.topologies.dtw().steps, dp.Step(1, 40)])
    x, y = X[:2, :5, :4], Y[:2, :, :4]
    agree(topology, SOFTMIN, dp.costs.sqeuclidean(x, y), None, marginals=False)


def test_only_an_infinity_times_zero_is_zero():
    log_probs = LOG_PROBS.copy()
    log_probs[0, 2, 4], log_probs[1, 2, 4] = np.nan, -np.inf
    soft = SOFT.copy()
    soft[:, :, 4] = 0
    result = sweeping(dp.topologies.dtw())(dp.costs.nll(log_probs, soft))
    assert np.isnan(result.total).tolist() == [True, False, False] and np.isfinite(result.total[1])


@pytest.mark.parametrize("needed", [True, False])
def test_an_empty_batch(needed):
    """What serves all items serves none of them."""
    solver = cases.emulated(dp.topologies.dtw(), SOFTMIN, needed=needed)
    result = solver(dp.costs.sqeuclidean(SHARED, Y[:0]) - dp.costs.gather(LOG_PROBS[0], LABELS[:0]))
    for name, array in ("x", SHARED), ("y", Y[:0]), ("log_probs", LOG_PROBS[0]):
        np.testing.assert_array_equal(result.grad(name), np.zeros_like(array))


def test_large_parts_of_what_flows_to_a_table_are_not_made(monkeypatch):
    topology, semiring, source, lengths = SOURCES["gather, shared"]
    monkeypatch.setattr(fused, "MOST_PARTS", 1)
    result = cases.emulated(topology, semiring, **cases.SMALL)(source(), lengths)
    assert not result._problem.fused and result._problem.sources["cost"].made_by is None


@pytest.mark.skipif(missing_cuda_compiler() is not None, reason=f"{missing_cuda_compiler()}")
@pytest.mark.parametrize(
    "kinds, real, architectures",
    [(("differences",), "float32", ("sm_75", "sm_90")), (("products", "entries"), "float64", ("sm_80", "sm_120"))],
    ids=["float32", "float64"],
)
def test_compiles_for_gpus(kinds, real, architectures):
    """What sweeps make, and whole costs, without a spill."""
    recurrence = dp.compile(dp.topologies.dtw(), SOFTMIN).engine.recurrence
    plan = Plan(recurrence, panels(recurrence, 4), real, (("cost", kinds),))
    swept = cuda_module(plan, forward=True, backward=Wanted((0,), drains=("cost",)))
    for text in (swept.text, cuda_whole((*kinds, "lookups"), real, 4).text):
        for found in compile_for(text, architectures).values():
            assert all(not use.spill_stores and not use.spill_loads for use in found.kernels.values()), found.log
