"""The CPU engine against the reference interpreter, over shapes, kinds of number, batches and threads."""

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.run.cpu import choice

TIGHT = {np.float64: 1e-11, np.float32: 2e-4}
M = dp.Term
PARAM = dp.Param("w", axes="bm")


def several_terms():
    """Steps that pay two cells, as in the Sakoe-Chiba patterns with P = 1."""
    return dp.Topology(
        [
            dp.Step(2, 1, terms=[M(at=(-1, 0), weight=2.0), M()]),
            dp.Step(1, 1, weight=2.0),
            dp.Step(1, 2, terms=[M(at=(0, -1), weight=2.0), M()], penalty=0.1),
        ]
    )


def two_states():
    """A (0, 0) step between the states, and states that pay differently."""
    return dp.Topology(
        [
            dp.Step(0, 0, terms=(), penalty=0.3, source="a", target="b"),
            dp.Step(1, 0, source="a", target="a"),
            dp.Step(1, 1, weight=PARAM, source="b", target="a"),
            dp.Step(0, 1, weight=0.5, source="b", target="b"),
        ],
        states=("b", "a"),
        boundary=dp.Boundary([dp.Start(state="a")], [dp.End(), dp.End(-1, None, terms=[M()], penalty=1.0, state="b")]),
    )


def slow_rows():
    """Time-synchronous, looking back two rows."""
    steps = [dp.Step(1, 0, penalty=dp.Param("stay")), dp.Step(1, 1), dp.Step(2, 3, weight=dp.Param("jump", axes="n"))]
    return dp.Topology(steps, boundary=dp.Boundary([dp.Start(None, 0), dp.Start(0, None, penalty=0.2)], dp.End(-1, None)))


TOPOLOGIES = {
    "dtw": dp.topologies.dtw,
    "weighted": lambda: dp.topologies.weighted_dtw(PARAM, dp.Param("h", axes="n"), dp.Param("d")),
    "affine_gap": dp.topologies.affine_gap,
    "affine_gap_planes": lambda: dp.topologies.affine_gap(deletion="deletion", insertion="insertion"),
    "ctc": dp.topologies.ctc,
    "subsequence0": lambda: dp.topologies.subsequence_dtw(0),
    "subsequence1": lambda: dp.topologies.subsequence_dtw(1),
    "several_terms": several_terms,
    "two_states": two_states,
    "slow_rows": slow_rows,
    "anywhere": lambda: dp.Topology(dp.topologies.dtw().steps, dp.Boundary.anywhere()),
}
SEMIRINGS = {
    "tropical": dp.Tropical,
    "softmin": dp.Softmin(dp.Param("gamma", axes="b")),
    "sparsemin": dp.Sparsemin(0.3),
    "counting": dp.Counting,
}


def data(topology, semiring, shape, real, seed):
    """Random costs for every plane, and a value for every Param."""
    rng = np.random.default_rng(seed)
    b, n, m = shape
    x0, x1 = topology.extra
    planes = {p: rng.random(shape) + 0.1 for p in topology.planes()}
    if "deletion" in planes:
        planes["deletion"], planes["insertion"] = rng.random((b, n, m + 1)), rng.random((b, n + 1, m))
    planes = {p: a.astype(real) for p, a in planes.items()}
    sizes = {"b": b, "n": n + x0, "m": m + x1}
    params = {}
    declared = list(topology.params()) + [v for v in semiring.params.values() if isinstance(v, dp.Param)]
    for p in declared:
        size = tuple(sizes[a] for a in p.axes)
        params[p.name] = rng.integers(0, 3, size) if p.name == "labels" else rng.random(size) + 0.2
    return (planes if len(planes) > 1 else planes["cost"]), params


def flat(x):
    return list(x.values()) if isinstance(x, dict) else [x]


def agree(topology, semiring, shape, real=np.float64, seed=0, lengths=None):
    """Everything a Result offers, from both engines."""
    cost, params = data(topology, semiring, shape, real, seed)
    ours = dp.compile(topology, semiring)(cost, lengths, params)
    oracle = dp.compile(topology, semiring, engine="reference")
    true = oracle(
        {k: v.astype(float) for k, v in cost.items()} if isinstance(cost, dict) else cost.astype(float), lengths, params
    )
    tolerance = dict(rtol=TIGHT[real], atol=TIGHT[real])
    np.testing.assert_allclose(ours.total, true.total, **tolerance)
    np.testing.assert_allclose(ours.accumulated_cost, true.accumulated_cost, **tolerance)
    if semiring.derivative:
        for a, b in zip(flat(ours.marginals), flat(true.marginals)):
            assert a.dtype == real
            np.testing.assert_allclose(a, b, **tolerance)
        np.testing.assert_allclose(ours.occupancy, true.occupancy, **tolerance)
        for name in params:
            if name != "labels":
                assert ours.grad(name).shape == np.shape(params[name])
                np.testing.assert_allclose(ours.grad(name), true.grad(name), **tolerance)
    if semiring is dp.Tropical and real is np.float64:
        for a, b in zip(ours.path + ours.path_steps, true.path + true.path_steps):
            np.testing.assert_array_equal(a, b)
        assert [list(s) for s in ours.path_states] == [list(s) for s in true.path_states]


# every topology, every semiring, both kinds of number: a cover, for each kernel costs seconds to compile
PAIRS = [
    ("dtw", "softmin", np.float32),
    ("dtw", "tropical", np.float64),
    ("weighted", "softmin", np.float64),
    ("weighted", "counting", np.float64),
    ("affine_gap", "softmin", np.float64),
    ("affine_gap_planes", "tropical", np.float64),
    ("ctc", "softmin", np.float32),
    ("ctc", "tropical", np.float64),
    ("subsequence0", "sparsemin", np.float64),
    ("subsequence1", "softmin", np.float64),
    ("several_terms", "sparsemin", np.float32),
    ("two_states", "softmin", np.float64),
    ("slow_rows", "softmin", np.float64),
    ("anywhere", "softmin", np.float64),
]


@pytest.mark.parametrize("topology, semiring, real", PAIRS, ids=lambda x: getattr(x, "__name__", x))
def test_agrees_with_the_reference(topology, semiring, real):
    """Ragged, more than one strip high and more than one vector wide."""
    t = TOPOLOGIES[topology]()
    agree(t, SEMIRINGS[semiring], (3, 37, 21), real, lengths=([37, 5, 33], [21, 6, 13]))


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 65])
@pytest.mark.parametrize("m", [1, 7, 8, 9, 17])
def test_every_edge_of_strips_and_vectors(n, m):
    agree(TOPOLOGIES["dtw"](), SEMIRINGS["tropical"], (1, n, m), seed=n * 100 + m)
    agree(TOPOLOGIES["ctc"](), SEMIRINGS["softmin"], (1, n, m), np.float32, seed=n * 100 + m)


def test_a_sweep_with_starts_does_for_blocks_without():
    """A problem of one block compiles that sweep alone, also where no cell of it is a start."""
    t = dp.Topology(TOPOLOGIES["dtw"]().steps, dp.Boundary([dp.Start(5, 0), dp.Start(0, 1)], [dp.End()]))
    agree(t, SEMIRINGS["tropical"], (2, 8, 6), lengths=([3, 8], [4, 6]))
    late = dp.Topology(TOPOLOGIES["dtw"]().steps, dp.Boundary([dp.Start(5, 0)], [dp.End()]))
    solver = dp.compile(late, dp.Tropical)
    assert solver(np.ones((3, 3))).total == np.inf  # its start lies below
    assert solver(np.ones((6, 1))).total == 1.0
    tall = np.random.default_rng(0).random((70, 40))
    assert solver(tall).total == dp.compile(late, dp.Tropical, engine="reference")(tall).total


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_short_cells_put_their_predecessors_together_from_two_vectors(real):
    topology = dp.Topology([dp.Step(0, 1), dp.Step(3, 0), dp.Step(1, 1)])
    cost, lengths = np.random.default_rng(0).random((2, 100, 30)).astype(real), ([100, 70], [30, 20])
    found, expected = (dp.compile(topology, dp.Tropical, engine=engine)(cost, lengths) for engine in ("cpu", "reference"))
    np.testing.assert_allclose(found.total, expected.total, rtol=1e-6 if real is np.float32 else 1e-14)
    for a, b in zip(found.path, expected.path):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n, m", [(1, 1), (2, 1), (1, 2), (33, 2), (64, 5)])
def test_edges_with_a_longer_lattice_and_longer_steps(n, m):
    agree(TOPOLOGIES["affine_gap"](), SEMIRINGS["softmin"], (2, n, m))
    agree(TOPOLOGIES["several_terms"](), SEMIRINGS["tropical"], (2, n, m))
    agree(TOPOLOGIES["slow_rows"](), SEMIRINGS["softmin"], (2, n, m))


@pytest.mark.parametrize(
    "name, semiring", [("weighted", "softmin"), ("two_states", "softmin"), ("affine_gap_planes", "tropical")]
)
def test_padding_is_never_read(name, semiring):
    t, s = TOPOLOGIES[name](), SEMIRINGS[semiring]
    cost, params = data(t, s, (3, 40, 20), np.float64, 1)
    n_len, m_len = np.array([40, 3, 35]), np.array([4, 20, 11])
    clean = dp.compile(t, s)(cost, (n_len, m_len), params)
    planes = {k: v.copy() for k, v in (cost.items() if isinstance(cost, dict) else [("cost", cost)])}
    for array in planes.values():
        more_n, more_m = array.shape[1] - 40, array.shape[2] - 20
        for b in range(3):
            array[b, n_len[b] + more_n :] = np.nan
            array[b, :, m_len[b] + more_m :] = np.nan
    poisoned = dp.compile(t, s)(planes if isinstance(cost, dict) else planes["cost"], (n_len, m_len), params)
    np.testing.assert_array_equal(clean.total, poisoned.total)
    for a, b in zip(flat(clean.marginals), flat(poisoned.marginals)):
        np.testing.assert_array_equal(a, b)
    for p in params:
        np.testing.assert_array_equal(clean.grad(p), poisoned.grad(p))


def test_items_are_alike_alone_in_a_batch_and_in_any_order():
    cost = np.random.default_rng(3).random((5, 45, 30))
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.2))
    batch, order = solver(cost), [3, 0, 4, 1, 2]
    np.testing.assert_array_equal(solver(cost[order]).marginals, batch.marginals[order])
    for b in range(5):
        alone = solver(cost[b])
        assert alone.total == batch.total[b] and alone.total.ndim == 0
        np.testing.assert_array_equal(alone.marginals, batch.marginals[b])


def test_threads_change_nothing(monkeypatch):
    cost = np.random.default_rng(3).random((9, 210, 230), dtype=np.float32)
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.2))
    results = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("DPSEMIRING_NUM_THREADS", threads)
        results.append(solver(cost).marginals)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_calls_from_several_threads():
    from concurrent.futures import ThreadPoolExecutor

    cost = np.random.default_rng(3).random((4, 60, 70))
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.2))
    expected = solver(cost).marginals
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: solver(cost).marginals, range(12)):
            np.testing.assert_array_equal(found, expected)


def test_a_forked_child_can_call():
    import multiprocessing
    import warnings

    cost = np.random.default_rng(3).random((6, 200, 230), dtype=np.float32)
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.2))
    expected = solver(cost).total
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads about is the point here
        child = context.Process(target=lambda: queue.put(solver(cost).total))
        child.start()
    np.testing.assert_array_equal(queue.get(timeout=60), expected)
    child.join(timeout=60)
    assert child.exitcode == 0


def test_transposition():
    """DTW's steps are symmetric, so the transposed cost has the transposed alignment."""
    cost = np.random.default_rng(5).random((50, 41))
    for s in (dp.Softmin(0.1), dp.Tropical):
        solver = dp.compile(dp.topologies.dtw(), s)
        np.testing.assert_allclose(solver(cost).marginals, solver(np.ascontiguousarray(cost.T)).marginals.T, atol=1e-12)


def test_views_are_read_right_and_left_alone():
    base = np.random.default_rng(6).random((30, 80))
    view = base[::-1, ::3]
    before = base.copy()
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.1))
    plain = solver(view.copy())
    view.flags.writeable = False
    assert solver(view).total == plain.total
    np.testing.assert_array_equal(solver(view).marginals, plain.marginals)
    np.testing.assert_array_equal(base, before)
    spread = np.broadcast_to(base, (3, 30, 80))
    assert len(set(solver(spread).total.tolist())) == 1


def test_float32_total_is_as_good_as_its_sum():
    cost = np.random.default_rng(7).random((300, 300), dtype=np.float32)
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.1))
    low, high = solver(cost), solver(cost.astype(np.float64))
    assert low.total.dtype == np.float32
    np.testing.assert_allclose(low.total, high.total, rtol=1e-5)
    assert np.abs(low.marginals - high.marginals).sum() / high.marginals.sum() < 1e-3


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_interrupt_is_heard_between_items(threads, monkeypatch):
    import signal
    import threading
    import time

    from dpsemiring.run.cpu import threads as pools

    monkeypatch.setenv("DPSEMIRING_NUM_THREADS", threads)
    monkeypatch.setattr(pools, "CELLS_A_CALL", 1)
    monkeypatch.setattr(pools, "WORTH_A_THREAD", 1)
    done, lock = [], threading.Lock()

    def work(first, last):
        with lock:
            done.append((first, last))
            if len(done) == 3:
                signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore interrupts
    try:
        with pytest.raises(KeyboardInterrupt):
            pools.spread(work, np.full(50, 4), divisible=False)
    finally:
        signal.signal(signal.SIGINT, before)
    time.sleep(0.05)
    assert 3 <= len(done) < 40 and all(last - first == 1 for first, last in done)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "boundary, window",
    [(dp.Boundary.anywhere(), None), (dp.Boundary.closed(), dp.Window.sakoe_chiba(40))],
    ids=["anywhere", "closed, in a window"],
)
def test_threads_that_share_an_item_change_nothing(batch, boundary, window, monkeypatch):
    """Strips of one problem on several threads: the same bits as on one, and with ends and starts in every strip."""
    rng = np.random.default_rng(8)
    cost = rng.random((batch, 700, 650), dtype=np.float32)
    lengths = (rng.integers(500, 700, batch), rng.integers(600, 650, batch))
    steps = [dp.Step(1, 0), dp.Step(0, 1, weight=dp.Param("w")), dp.Step(2, 1, terms=[dp.Term(at=(-1, 0)), dp.Term()])]
    solver = dp.compile(dp.Topology(steps, boundary, window=window), dp.Softmin(0.5))
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("DPSEMIRING_NUM_THREADS", threads)
        result = solver(cost, lengths, params={"w": 1.5})
        found.append((result.total, result.occupancy, result.marginals, result.grad("w")))
    for other in found[1:]:
        for x, y in zip(found[0], other):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", ["ctc", "two_rows"])
def test_keeping_less_changes_nothing(name):
    """With next to no memory every segment is one strip; totals, gradients and paths have the same bits."""
    rng = np.random.default_rng(9)
    topology = {
        "ctc": dp.topologies.ctc(),
        "two_rows": dp.Topology([dp.Step(2, 1, weight=dp.Param("w")), dp.Step(0, 1), dp.Step(1, 1)], dp.Boundary.subsequence(1)),
    }[name]
    cost = rng.random((2, 300, 90))
    lengths, params = ([300, 170], [90, 65]), {}
    if name == "ctc":
        params = {"labels": np.where(np.arange(90) % 2, rng.integers(1, 5, (2, 90)), 0)}
    if name == "two_rows":
        params = {"w": 1.5}
    for semiring in (dp.Softmin(0.3), dp.Tropical):
        results = [dp.compile(topology, semiring, memory=memory)(cost, lengths, params) for memory in (None, 0, 100_000)]
        for other in results[1:]:
            np.testing.assert_array_equal(other.total, results[0].total)
            np.testing.assert_array_equal(other.marginals, results[0].marginals)
            np.testing.assert_array_equal(other.occupancy, results[0].occupancy)
            if semiring is dp.Tropical:
                for x, y in zip(other.path, results[0].path):
                    np.testing.assert_array_equal(x, y)


def test_tiles_that_nothing_flows_to_are_zero():
    """A hard path leaves most tiles alone, also before its end and where it enters one from below or from the right."""
    rng = np.random.default_rng(10)
    cost = rng.random((2, 300, 900))
    for ends in ([dp.End()], [dp.End(-1, 30), dp.End(70, -1, penalty=-100.0)]):
        solver = dp.compile(dp.Topology(dp.topologies.dtw().steps, dp.Boundary([dp.Start()], ends)), dp.Tropical)
        for lengths in ([300, 170], [900, 500]), ([290, 300], [890, 90]):
            result = solver(cost, lengths)
            visited = np.zeros(cost.shape)
            for item, path in zip(visited, result.path):
                item[tuple(path.T)] = 1.0
            np.testing.assert_array_equal(result.marginals, visited)
            np.testing.assert_array_equal(result.occupancy, visited)


def test_memory_is_a_number_of_bytes():
    with pytest.raises(ValueError, match="memory is a number of bytes, found '1 GB'"):
        dp.compile(dp.topologies.dtw(), dp.Tropical, memory="1 GB")


def test_what_is_kept_between_calls_goes_by_their_lengths():
    """Ends and tilings are kept: calls of other shapes and lengths between two alike change neither."""
    topology, rng = dp.topologies.subsequence_dtw(0), np.random.default_rng(5)
    solver = dp.compile(topology, dp.Softmin(0.5))
    calls = [
        (rng.random((2, n, m)), ([n, n - a], [m, m - b]))
        for n, m, a, b in ((9, 7, 2, 3), (9, 7, 3, 2), (7, 9, 0, 1), (40, 7, 5, 0))
    ]
    found = [(r.total, r.marginals) for r in (solver(*call) for call in calls * 2)]
    for (total, marginals), call in zip(found, calls * 2):
        fresh = dp.compile(topology, dp.Softmin(0.5))(*call)
        np.testing.assert_array_equal(total, fresh.total)
        np.testing.assert_array_equal(marginals, fresh.marginals)


def test_time_synchronous_lattices_can_be_swept_in_skewed_tiles(monkeypatch):
    rng = np.random.default_rng(11)
    labels = np.where(np.arange(301) % 2, rng.integers(1, 5, (2, 301)), 0)
    cost, lengths = rng.random((2, 400, 301)), ([400, 330], [301, 201])
    for semiring in (dp.Softmin(0.5), dp.Tropical):
        found = []
        for of_rows in (54.0, 1e9):
            monkeypatch.setitem(choice.VECTOR_NS, ("rows", 64), of_rows)
            solver = dp.compile(dp.topologies.ctc(), semiring)
            result = solver(cost, lengths, {"labels": labels})
            found.append((result._run.kept.tiling.plan.schedule.kind, result))
        (rows, one), (skewed, other) = found
        assert (rows, skewed) == ("rows", "skewed")
        np.testing.assert_allclose(one.total, other.total, rtol=1e-14)
        np.testing.assert_allclose(one.marginals, other.marginals, atol=1e-12)
        if semiring is dp.Tropical:
            for x, y in zip(one.path, other.path):
                np.testing.assert_array_equal(x, y)
