"""The CUDA text, emulated, gives what the reference interpreter gives."""

import cuda_cases as cases
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dpsemiring as dp
from dpsemiring.testing import samples
from dpsemiring.testing.emulation import ORDERS
from dpsemiring.testing.problems import Problem

pytestmark = pytest.mark.emulation

REALS = [np.float32, np.float64]
CONFIGURATIONS = [{"height": 4, "threads": 32}, {"height": 5, "threads": 64, "grid": 3}, {"height": 3, "threads": 96}]

# every topology with every semiring, and with them each kind of number, of cost and of launch
COVER = [
    (t, s, REALS[(i + j) % 2], ["uniform", "holes"][(i + j) // 2 % 2], (i + j) % 3)
    for i, t in enumerate(cases.TOPOLOGIES)
    for j, s in enumerate(cases.SEMIRINGS)
]


def name_of(case):
    topology, semiring, real, kind, configuration = case
    return f"{topology}-{semiring}-{real.__name__}-{kind}-{configuration}"


@pytest.fixture(scope="module")
def built(request):
    def build(case):
        topology, semiring, real, _, configuration = case
        options = CONFIGURATIONS[configuration]
        solver = cases.emulated(cases.TOPOLOGIES[topology](), cases.SEMIRINGS[semiring], together=True, **options)
        solver.engine.emulated("forward", np.dtype(real))

    with cases.ahead(request, build, "case") as wait:
        yield wait


@pytest.mark.parametrize("case", COVER, ids=name_of)
def test_agrees_with_the_reference(case, built):
    built(case)
    topology, semiring, real, kind, configuration = case
    options = CONFIGURATIONS[configuration]
    cases.check(cases.TOPOLOGIES[topology](), cases.SEMIRINGS[semiring], real, kind=kind, together=True, **options)


@pytest.mark.parametrize("make", [samples.expected_cost, samples.folded_scores, samples.tsallis])
def test_semirings_of_a_user(make):
    """A pair of numbers, a fold, a sum that sorts."""
    cases.check(cases.two_states(), make(), together=True)


@settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    topology=dp.testing.strategies.topologies(), semiring=st.sampled_from([dp.Softmin(0.5), dp.Tropical]), seed=st.integers(0, 99)
)
def test_random_topologies(topology, semiring, seed):
    cases.check(topology, semiring, kind="holes", seed=seed, threads=64, grid=3, together=True)


def test_each_kernel_in_a_text_of_its_own():
    cases.check(cases.weighted(), cases.SEMIRINGS["softmin"])
    cases.check(cases.rows(), cases.SEMIRINGS["tropical"])


def same(topology, semiring, data, options, others):
    """One text's results, to the last bit, under other options."""
    first, *rest = (cases.everything(cases.emulated(topology, semiring, together=True, **o), data) for o in (options, *others))
    for found in rest:
        cases.compare(found, first, np.float64, exact=True)


BUILT_IN = [s for s in samples.built_in(0.4) if s.name.lower() not in cases.SEMIRINGS]


@pytest.mark.parametrize("topology, real", [("dtw", np.float64), ("two_states", np.float32)], ids=["dtw", "two_states"])
@pytest.mark.parametrize("semiring", BUILT_IN, ids=str)
def test_further_built_in_semirings(semiring, topology, real):
    """Scores, signed weights, zeros among real numbers, pairs, lists."""
    kind = "ties" if semiring is dp.Real else "holes"
    cases.check(cases.TOPOLOGIES[topology](), semiring, real, kind=kind, together=True)


@pytest.mark.parametrize("topology", ["weighted", "ctc", "two_states"])
def test_the_order_of_threads_changes_nothing(topology):
    t, s = cases.TOPOLOGIES[topology](), cases.SEMIRINGS["softmin"]
    data = cases.problem(t, s, np.float32, 4)
    options = {"height": 4, "threads": 64}
    same(t, s, data, options, [options | {"order": order, "seed": 7} for order in ORDERS[1:]])


@pytest.mark.parametrize("topology, semiring", [("dtw", "tropical"), ("affine_gap", "softmin"), ("several_terms", "softmin")])
def test_strips_as_high_as_on_the_gpu(topology, semiring):
    """The lengths stand around strips of 32 rows; low strips have been compared with the reference."""
    t, s = cases.TOPOLOGIES[topology](), cases.SEMIRINGS[semiring]
    data = cases.problem(t, s, np.float64, 32)
    others = [{"height": 32, "threads": 64}, {"height": 64, "threads": 96}, {"height": 64, "threads": 32}]
    low, *high = (cases.everything(cases.emulated(t, s, together=True, **o), data) for o in [{"height": 7}, *others])
    for found in high:
        for name in found:
            if not name.startswith("grad"):  # sums over cells, in another order
                np.testing.assert_array_equal(found[name], low[name], err_msg=name)
        cases.compare(found, low, np.float64, exact=False)


def test_a_hard_minimum_is_the_same_on_a_compiler_that_contracts():
    same(cases.with_weights(), dp.Tropical, cases.inexact(), {"height": 4}, [{"height": 4, "contract": True}])


@pytest.mark.parametrize("topology", ["rows", "ctc"])
def test_more_columns_than_threads(topology):
    t, s = cases.TOPOLOGIES[topology](), cases.SEMIRINGS["softmin"]
    data = dp.testing.random_problem(np.random.default_rng(0), t, s, (4, 70), batch=2)
    cases.agree(cases.emulated(t, s, threads=64, together=True), data, np.float64)


def test_gathered_costs_with_ragged_labels():
    rng = np.random.default_rng(5)
    n, m = cases.lengths_around(4)
    scores = np.log(rng.dirichlet(np.ones(4), (len(n), n.max()))).astype(np.float32)
    labels = rng.integers(1, 4, (len(m), m.max()))
    labels[:, ::2] = 0
    results = []
    solvers = [make(dp.topologies.ctc(), dp.Softmin(1.0)) for make in (cases.emulated, cases.reference)]
    for solver in solvers:
        results.append(solver(-dp.costs.gather(scores, labels), (n, m), {"labels": labels}))
    found, wanted = results
    np.testing.assert_allclose(found.total, wanted.total, rtol=1e-5)
    np.testing.assert_allclose(found.grad("log_probs"), wanted.grad("log_probs"), atol=1e-5)


def test_parameters_that_are_shorter_than_they_may_be():
    t, s = cases.weighted(), cases.SEMIRINGS["softmin"]
    data = cases.problem(t, s, np.float64, 4)
    short = {"along_m": data.params["along_m"][:1, :1], "everywhere": data.params["everywhere"][:, :1, :1]}
    short |= {"along_n": data.params["along_n"][:1], "open": data.params["open"][:1]}
    data = Problem(data.cost, data.lengths, data.params | short)
    found = cases.everything(cases.emulated(t, s, together=True, height=4), data)
    cases.compare(found, cases.everything(cases.reference(t, s), data), np.float64, exact=False)
    assert found["grad along_m"].shape == (1, 1)


def test_an_item_with_nan_leaves_the_others_alone():
    t, s = dp.topologies.dtw(), cases.SEMIRINGS["softmin"]
    cost = np.random.default_rng(0).random((3, 9, 8))
    cost[1, 4, 4] = np.nan
    solver = cases.emulated(t, s, together=True, height=4)
    gamma = {"gamma": np.ones(3)}
    spoilt, alone = solver(cost, None, gamma), solver(cost[::2], None, {"gamma": np.ones(2)})
    np.testing.assert_array_equal(np.isnan(spoilt.total), [False, True, False])
    np.testing.assert_array_equal(spoilt.marginals[::2], alone.marginals)
    assert np.isnan(spoilt.marginals[1]).all()


def test_an_empty_batch():
    result = cases.emulated(dp.topologies.dtw(), dp.Softmin(1.0))(np.zeros((0, 3, 4)))
    assert result.total.shape == (0,) and result.marginals.shape == (0, 3, 4)
