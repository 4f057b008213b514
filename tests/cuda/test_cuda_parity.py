"""The CUDA text, emulated, gives what the reference interpreter gives."""

import cuda_cases as cases
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dpsemiring as dp
from dpsemiring.testing import samples
from dpsemiring.testing.emulation import ORDERS
from dpsemiring.testing.problems import Problem, random_problem

pytestmark = pytest.mark.emulation

REALS = [np.float32, np.float64]
CONFIGURATIONS = [
    cases.SMALL,  # a warp for each panel, one after another
    {"columns": 1, "span": 5, "chunk": 5, "threads": 64, "grid": 1},  # two warps hand on to each other
    {"columns": 2, "span": 9, "chunk": 3, "threads": 96, "grid": 2},
]

# every topology with two semirings, every semiring with five topologies or more, and with them each kind of number, of cost and
# of launch
COVER = [
    (t, s, REALS[(i + j) % 2], ["uniform", "holes"][(i + j) // 2 % 2], (i + j) % 3)
    for i, t in enumerate(cases.TOPOLOGIES)
    for j, s in enumerate(cases.SEMIRINGS)
    if (i + 2 * j) % 5 < 2
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


@settings(max_examples=3, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    topology=dp.testing.strategies.topologies(), semiring=st.sampled_from([dp.Softmin(0.5), dp.Tropical]), seed=st.integers(0, 99)
)
def test_random_topologies(topology, semiring, seed):
    cases.check(topology, semiring, kind="holes", seed=seed, threads=64, grid=3, together=True)


def test_each_kernel_in_a_text_of_its_own():
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
    data = cases.problem(t, s, np.float32)
    options = {**cases.SMALL, "threads": 96, "grid": 1}
    same(t, s, data, options, [options | {"order": order, "seed": 7} for order in ORDERS[1:]])


@pytest.mark.parametrize("topology, semiring", [("dtw", "tropical"), ("affine_gap", "softmin"), ("several_terms", "softmin")])
def test_panels_as_wide_as_on_the_gpu(topology, semiring):
    """Narrow ones have been compared with the reference."""
    t, s = cases.TOPOLOGIES[topology](), cases.SEMIRINGS[semiring]
    kind = "ties" if semiring == "tropical" else "uniform"
    data = random_problem(np.random.default_rng(0), t, s, (66, 263), kind, batch=1)
    narrow, *wide = (
        cases.everything(cases.emulated(t, s, together=True, threads=64, grid=1, columns=c), data) for c in (2, 4, 8)
    )
    for found in wide:
        for name in found:
            if found[name].dtype.kind == "f" and not name.startswith("grad"):  # sums over cells, in another order
                size = np.abs(narrow[name]).max(initial=1.0, where=np.isfinite(narrow[name]))
                np.testing.assert_allclose(found[name], narrow[name], rtol=0, atol=1e-13 * size, err_msg=name)
        cases.compare(found, narrow, np.float64, exact=False)


def test_a_hard_minimum_is_the_same_on_a_compiler_that_contracts():
    same(cases.with_weights(), dp.Tropical, cases.inexact(), cases.SMALL, [{**cases.SMALL, "contract": True}])


def test_gathered_costs_with_ragged_labels():
    rng = np.random.default_rng(5)
    n, m = cases.lengths_around()
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
    data = cases.problem(t, s, np.float64)
    short = {"along_m": data.params["along_m"][:1, :1], "everywhere": data.params["everywhere"][:, :1, :1]}
    short |= {"along_n": data.params["along_n"][:1], "open": data.params["open"][:1]}
    data = Problem(data.cost, data.lengths, data.params | short)
    found = cases.everything(cases.emulated(t, s, together=True, **cases.SMALL), data)
    cases.compare(found, cases.everything(cases.reference(t, s), data), np.float64, exact=False)
    assert found["grad along_m"].shape == (1, 1)


def test_an_item_with_nan_leaves_the_others_alone():
    t, s = dp.topologies.dtw(), cases.SEMIRINGS["softmin"]
    cost = np.random.default_rng(0).random((3, 9, 8))
    cost[1, 4, 4] = np.nan
    solver = cases.emulated(t, s, together=True, **cases.SMALL)
    gamma = {"gamma": np.ones(3)}
    spoilt, alone = solver(cost, None, gamma), solver(cost[::2], None, {"gamma": np.ones(2)})
    np.testing.assert_array_equal(np.isnan(spoilt.total), [False, True, False])
    np.testing.assert_array_equal(spoilt.marginals[::2], alone.marginals)
    assert np.isnan(spoilt.marginals[1]).all()


def test_a_nan_is_met_wherever_it_lies():
    """In corners, in another panel, and not beyond the lengths."""
    n, m = np.array([40, 40, 33, 40, 20, 40]), np.array([70, 66, 70, 70, 40, 70])
    cost = np.random.default_rng(0).random((6, 40, 70)).astype(np.float32)
    for b, at in enumerate([(0, 0), (39, 65), (0, 69), (39, 0)]):
        cost[b][at] = np.nan
    cost[4, 20:], cost[4, :, 40:] = np.nan, -np.inf
    result = cases.emulated(dp.topologies.dtw(), dp.Softmin(1.0), together=True, **cases.SMALL)(cost, (n, m))
    np.testing.assert_array_equal(np.isnan(result.total), [True] * 4 + [False] * 2)
    assert np.isnan(result.marginals[:4]).all() and np.isfinite(result.marginals[4:]).all()


def test_an_empty_batch():
    result = cases.emulated(dp.topologies.dtw(), dp.Softmin(1.0))(np.zeros((0, 3, 4)))
    assert result.total.shape == (0,) and result.marginals.shape == (0, 3, 4)
