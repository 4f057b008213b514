"""Cost sources: values against plain definitions and other libraries, gradients against differences, edges, padding."""

import doctest
import math

import numpy as np
import pytest
from cost_cases import DTW, FREE, HARD, RNG, SOFT, differences, frames, log_probs, made

import dpsemiring as dp
import dpsemiring.declare.costs as costs
from dpsemiring.testing.pairs import read_source


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cross(p, y):
    p, y = p[..., :, None, :], y[..., None, :, :]
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(-1)


def labelled(log_p, labels):
    return np.stack([np.take_along_axis(log_p, np.broadcast_to(l, log_p.shape[:-1])[..., None], -1)[..., 0] for l in labels], -1)


def angle(x, y):
    lengths = np.linalg.norm(x, axis=-1)[..., :, None] * np.linalg.norm(y, axis=-1)[..., None, :]
    return 1 - x @ np.swapaxes(y, -1, -2) / lengths


# kind -> (source of two arrays, the first, the second, the plain definition)
KINDS = {
    "sqeuclidean": (dp.costs.sqeuclidean, frames, frames, lambda x, y: ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1)),
    "cosine": (dp.costs.cosine, frames, frames, angle),
    "soft nll": (
        dp.costs.nll, log_probs, lambda r, *s: np.exp(log_probs(r, *s)), lambda x, y: -x @ np.swapaxes(y, -1, -2),
    ),
    "bce": (dp.costs.bce, lambda r, *s: r.uniform(0.1, 0.9, s), lambda r, *s: r.random(s), cross),
    "bce of logits": (
        lambda x, y, **k: dp.costs.bce(x, y, logits=True, **k), frames, lambda r, *s: r.random(s),
        lambda x, y: cross(sigmoid(x), y),
    ),
}  # fmt: skip
NAMES = {"soft nll": ("log_probs", "targets")}


def drawn(kind, shape_x, shape_y, seed=0):
    source, first, second, plain = KINDS[kind]
    rng = RNG(seed)
    return source, first(rng, *shape_x), second(rng, *shape_y), plain


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (2,)], ids=["one", "batch"])
def test_values(kind, batch):
    source, x, y, plain = drawn(kind, (*batch, 5, 3), (*batch, 4, 3))
    np.testing.assert_allclose(made(source(x, y)), plain(x, y), rtol=1e-12)
    np.testing.assert_allclose(read_source(source(x, y), math.inf), plain(x, y), rtol=1e-12)


def test_values_of_labels():
    log_p, labels = log_probs(RNG(0), 5, 4), np.array([1, 3, 1])
    for found, sign in ((dp.costs.gather(log_p, labels), 1.0), (dp.costs.nll(log_p, labels), -1.0)):
        np.testing.assert_array_equal(made(found), sign * labelled(log_p, labels))
        np.testing.assert_array_equal(read_source(found, math.inf), sign * labelled(log_p, labels))
    one_hot = np.eye(4)[labels]
    np.testing.assert_allclose(made(dp.costs.nll(log_p, one_hot)), -labelled(log_p, labels), rtol=1e-15)
    np.testing.assert_array_equal(made(dp.costs.nll(log_p, one_hot.astype(bool))), made(dp.costs.nll(log_p, one_hot)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shapes", [((4, 2), (3, 2)), ((2, 4, 2), (3, 2)), ((4, 2), (2, 3, 2))], ids=["one", "shared y", "shared x"]
)
def test_gradients(kind, shapes):
    """Through a solver, on ragged batches; an array that serves every item gets the sum over them."""
    source, x, y, _ = drawn(kind, *shapes)
    if kind.startswith("bce"):
        y = np.clip(y, 0.1, 0.9)
    lengths = ([3, 4], [3, 2]) if 3 in map(len, shapes) else None
    first, second = NAMES.get(kind, ("x", "y"))
    result = FREE(source(x, y), lengths)
    np.testing.assert_allclose(result.grad(first), differences(lambda a: FREE(source(a, y), lengths), x), atol=1e-7)
    np.testing.assert_allclose(result.grad(second), differences(lambda a: FREE(source(x, a), lengths), y), atol=1e-7)
    assert result.grad(first).shape == x.shape and result.grad(second).shape == y.shape


def test_gradients_of_labels():
    log_p, labels = log_probs(RNG(0), 2, 4, 5), np.array([1, 0, 1])
    for source in (dp.costs.nll, lambda a, l: -dp.costs.gather(a, l)):
        found = SOFT(source(log_p, labels))
        np.testing.assert_allclose(found.grad("log_probs"), differences(lambda a: SOFT(source(a, labels)), log_p), atol=1e-7)
        assert not found.grad("log_probs")[..., 2:].any()  # entries that no label reads
    one_for_all = SOFT(-dp.costs.gather(log_p[0], np.array([[1, 0], [2, 2], [3, 0]])))
    assert one_for_all.total.shape == (3,) and one_for_all.grad("log_probs").shape == (4, 5)


def test_the_compiled_engine():
    x, y = frames(RNG(0), 3, 6, 4), frames(RNG(1), 3, 5, 4)
    solver = dp.compile(DTW, dp.Softmin(0.5))
    source, lengths = dp.costs.sqeuclidean(x, y) + 2 * dp.costs.cosine(x, y), ([6, 2, 4], [1, 5, 5])
    for name in "xy":
        np.testing.assert_allclose(solver(source, lengths).grad(name), SOFT(source, lengths).grad(name), atol=1e-12)
    low = source.parts[0][1].inputs
    single = solver(dp.costs.sqeuclidean(*(a.astype(np.float32) for a in low.values())), lengths)
    assert single.total.dtype == single.grad("x").dtype == np.float32
    np.testing.assert_allclose(single.total, solver(dp.costs.sqeuclidean(x, y), lengths).total, rtol=1e-5)


# --- accuracy and edges -----------------------------------------------------------------------------


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_close_frames_far_from_the_origin(real):
    rng = RNG(0)
    x = (1000 + 1e-3 * rng.normal(size=(8, 5))).astype(real)
    y = np.concatenate([x[:4], (1000 + 1e-3 * rng.normal(size=(3, 5))).astype(real)])
    exact = ((x[:, None].astype(np.longdouble) - y[None].astype(np.longdouble)) ** 2).sum(-1)
    found = made(dp.costs.sqeuclidean(x, y))
    assert found.dtype == real and (found >= 0).all() and not found[range(4), range(4)].any()
    np.testing.assert_allclose(found, exact.astype(float), rtol=1e-6 if real == np.float32 else 1e-14)
    nearly = made(dp.costs.cosine(x, y))
    assert (nearly >= 0).all() and not nearly[range(4), range(4)].any()


def test_cosine_of_nearly_parallel_frames():
    turned = np.array([[1.0, 1e-9]])
    np.testing.assert_allclose(made(dp.costs.cosine(np.array([[1.0, 0.0]]), turned)), [[0.5e-18]], rtol=1e-9)


def test_cosine_is_defined_for_frames_of_any_length():
    x = np.array([[0.0, 0.0], [3e-200, 4e-200], [3e200, 4e200], [-1.0, 0.0]])
    y = np.array([[0.0, 0.0], [0.6, 0.8], [1.0, 0.0]])
    wanted = [[1, 1, 1], [1, 0, 0.4], [1, 0, 0.4], [1, 1.6, 2]]
    np.testing.assert_allclose(made(dp.costs.cosine(x, y)), wanted, atol=1e-15)
    result = SOFT(dp.costs.cosine(x[[0, 3]], y))
    assert np.isfinite(result.grad("x")).all() and np.isfinite(result.grad("y")).all()
    assert not result.grad("x")[0].any() and not result.grad("y")[0].any()
    assert result.grad("x")[1].any()


def test_bce_at_certain_predictions():
    """0 * log 0 = 0; what contradicts a certainty is forbidden; no NaN anywhere."""
    x, y = np.array([[0.0, 1.0], [0.5, 1.0], [0.0, 0.25]]), np.array([[0.0, 1.0], [0.5, 1.0], [1.0, 0.0]])
    two, four = math.log(2), math.log(4)
    wanted = [[0, math.inf, math.inf], [two, two, math.inf], [four, math.inf, math.inf]]
    np.testing.assert_allclose(made(dp.costs.bce(x, y)), wanted)
    np.testing.assert_allclose(read_source(dp.costs.bce(x, y), math.inf), wanted)
    result = FREE(dp.costs.bce(x, y))
    assert np.isfinite(result.total)
    assert np.isfinite(result.grad("x")).all() and np.isfinite(result.grad("y")).all()
    certain = np.array([[-math.inf, math.inf], [0.0, math.inf]])
    np.testing.assert_allclose(made(dp.costs.bce(certain, y, logits=True)), wanted[:2])
    result = FREE(dp.costs.bce(certain, y, logits=True))
    assert np.isfinite(result.grad("x")).all() and np.isfinite(result.grad("y")).all()


def test_bce_of_large_logits():
    logits = np.array([[800.0, -800.0], [1e-3, 40.0]])
    found = made(dp.costs.bce(logits, np.array([[0.0, 1.0]]), logits=True))
    np.testing.assert_allclose(found[:, 0], [1600.0, math.log1p(math.exp(1e-3)) + math.log1p(math.exp(-40.0))], rtol=1e-15)


def test_soft_targets_may_leave_out_impossible_classes():
    log_p = np.array([[-math.inf, 0.0], [math.log(0.5), math.log(0.5)]])
    targets = np.array([[0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(made(dp.costs.nll(log_p, targets)), [[0, math.inf], [math.log(2), math.log(2)]], atol=1e-16)
    result = FREE(dp.costs.nll(log_p, targets))
    assert result.grad("log_probs")[0, 0] == 0.0
    assert np.isfinite(result.grad("targets")).all() and np.isfinite(result.grad("log_probs")).all()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("source", [0 * -dp.costs.gather([[-math.inf, 0.0]], [0]), 0 * dp.costs.gather([[-math.inf, 0.0]], [0])])
def test_a_forbidden_cost_wins_over_a_zero_multiple(source, engine):
    for semiring, forbid in ((dp.Tropical, math.inf), (dp.MaxPlus, -math.inf)):
        result = dp.compile(DTW, semiring, engine=engine)(source)
        assert result.total == forbid and not result.grad("log_probs").any()
        assert dp.testing.recursive_total(DTW, semiring, source) == forbid
    assert HARD(0 * dp.costs.gather([[-math.inf, -3.0]], [1])).total == 0.0


def test_infinite_features_forbid():
    x = np.array([[0.0, 1.0], [math.inf, 1.0], [2.0, 0.0]])
    result = FREE(dp.costs.sqeuclidean(x, np.zeros((2, 2))))
    assert np.isfinite(result.total) and np.isfinite(result.grad("x")).all() and not result.grad("x")[1].any()
    assert np.isfinite(result.grad("y")).all()


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("kind", [*KINDS, "gather", "nll"])
def test_padding_is_never_read(kind, poison):
    """Neither by values nor by gradients, nor by the checks of ranges; also where one array serves all items."""
    labels = kind in ("gather", "nll")
    if labels:
        source, x, y = getattr(dp.costs, kind), log_probs(RNG(0), 2, 5, 3), RNG(1).integers(0, 3, (2, 4))
        if kind == "gather":
            source = lambda a, b: -dp.costs.gather(a, b)  # noqa: E731
    else:
        source, x, y, _ = drawn(kind, (2, 5, 3), (2, 4, 3))
    first, second = "log_probs" if labels else NAMES.get(kind, ("x", "y"))[0], NAMES.get(kind, ("x", "y"))[1]
    n, m = np.array([3, 5]), np.array([4, 2])
    clean = SOFT(source(x, y), (n, m))
    dirty_x, dirty_y = x.copy(), y.copy()
    dirty_x[0, 3:], dirty_y[1, 2:] = poison, -99 if labels else poison
    dirty = SOFT(source(dirty_x, dirty_y), (n, m))
    np.testing.assert_array_equal(clean.total, dirty.total)
    np.testing.assert_array_equal(clean.grad(first), dirty.grad(first))
    assert not dirty.grad(first)[0, 3:].any()
    if not labels:
        np.testing.assert_array_equal(clean.grad(second), dirty.grad(second))
        shared = SOFT(source(dirty_x, y[0]), (n, 4))
        np.testing.assert_array_equal(shared.grad(second), SOFT(source(x, y[0]), (n, 4)).grad(second))


def test_a_nan_stays_in_its_item():
    x, y = frames(RNG(0), 2, 4, 3), frames(RNG(1), 3, 3)
    x[1, 2, 0] = math.nan
    result = SOFT(dp.costs.sqeuclidean(x, y) + dp.costs.cosine(x, y))
    assert np.isnan(result.total).tolist() == [False, True]
    assert np.isfinite(result.grad("x")[0]).all() and np.isnan(result.grad("x")[1]).all()
    assert np.isnan(result.grad("y")).all()  # it is shared


def test_empty_batches():
    result = SOFT(dp.costs.sqeuclidean(np.zeros((0, 4, 2)), np.zeros((3, 2))))
    assert result.total.shape == (0,) and result.grad("x").shape == (0, 4, 2)
    np.testing.assert_array_equal(result.grad("y"), np.zeros((3, 2)))


def test_planes_longer_than_the_main_one():
    """The rows beyond the cost that a gap beside its last column reads are no padding."""
    gaps = dp.topologies.affine_gap(1.0, 0.5, deletion="deletion")
    x, y = frames(RNG(0), 2, 4, 2), frames(RNG(1), 2, 3, 2)
    longer = frames(RNG(2), 2, 4, 2)
    cost = {"cost": dp.costs.sqeuclidean(x, y), "deletion": dp.costs.sqeuclidean(x, longer, names=("x", "gaps"))}
    plain = {name: made(source) for name, source in cost.items()}
    solver, lengths = dp.compile(gaps, dp.Softmin(1.0), engine="reference"), ([4, 2], [3, 1])
    np.testing.assert_allclose(solver(cost, lengths).total, solver(plain, lengths).total, rtol=1e-14)

    def again(a):
        return solver(
            {"cost": dp.costs.sqeuclidean(a, y), "deletion": dp.costs.sqeuclidean(a, longer, names=("x", "gaps"))}, lengths
        )

    np.testing.assert_allclose(solver(cost, lengths).grad("x"), differences(again, x), atol=1e-7)


# --- other libraries --------------------------------------------------------------------------------


def test_against_torch():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def expected(cost, *arrays):
        """The total of torch's cost, and its gradients back through torch."""
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        matrix = cost(*tensors)
        result = SOFT(matrix.detach().numpy())
        matrix.backward(torch.tensor(result.marginals))
        return result.total, [t.grad.numpy() for t in tensors]

    def check(source, cost, *arrays, names=("x", "y")):
        total, gradients = expected(cost, *arrays)
        result = SOFT(source(*arrays))
        np.testing.assert_allclose(result.total, total, rtol=1e-9)
        for name, gradient in zip(names, gradients):
            np.testing.assert_allclose(result.grad(name), gradient, atol=1e-9)

    x, y = frames(RNG(0), 6, 4), frames(RNG(1), 5, 4)
    p, q = sigmoid(x), sigmoid(y)
    check(dp.costs.sqeuclidean, lambda a, b: torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") ** 2, x, y)
    check(dp.costs.cosine, lambda a, b: 1 - functional.cosine_similarity(a[:, None], b[None], dim=-1), x, y)

    def entropy(of):
        def cost(a, b):
            both = torch.broadcast_tensors(a[:, None], b[None])
            return of(*both, reduction="none").sum(-1)

        return cost

    check(dp.costs.bce, entropy(functional.binary_cross_entropy), p, q)
    check(lambda a, b: dp.costs.bce(a, b, logits=True), entropy(functional.binary_cross_entropy_with_logits), x, q)
    labels = np.array([3, 0, 0, 2])
    check(
        lambda a: dp.costs.nll(a, labels),
        lambda a: functional.nll_loss(a[:, :, None].expand(6, 4, 4), torch.tensor(labels)[None].expand(6, 4), reduction="none"),
        log_probs(RNG(2), 6, 4),
        names=("log_probs",),
    )


def test_the_examples_of_the_docstrings():
    assert doctest.testmod(costs).attempted > 0 and doctest.testmod(costs).failed == 0


# --- a cost of the user's own -----------------------------------------------------------------------


def cityblock(x, y):
    return np.abs(x[:, None] - y).sum(axis=2)


def cityblock_back(flow, x, y):
    sign = flow[:, :, None] * np.sign(x[:, None] - y)
    return sign.sum(axis=1), -sign.sum(axis=0)


def test_a_cost_of_ones_own():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 5, 3)), rng.random((2, 4, 3))
    x[1, 3:], y[1, 2:] = np.nan, np.nan
    lengths = np.array([5, 3]), np.array([4, 2])
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5), engine="reference")
    result = solver(2.0 * dp.costs.own(x, y, cityblock, cityblock_back), lengths)
    for b, (n, m) in enumerate(zip(*lengths)):
        assert result.total[b] == solver(2.0 * cityblock(x[b, :n], y[b, :m])).total
        np.testing.assert_array_equal(
            result.grad("x")[b, :n], 2.0 * cityblock_back(result.marginals[b, :n, :m], x[b, :n], y[b, :m])[0]
        )
    item = dp.costs.own(x[0], y[0], cityblock)
    assert np.isclose(dp.testing.global_total(dp.topologies.dtw(), dp.Tropical, item), solver_total(item))


def solver_total(cost):
    return dp.compile(dp.topologies.dtw(), dp.Tropical, engine="reference")(cost).total


def test_what_a_cost_of_ones_own_must_be():
    x, y = np.zeros((3, 1)), np.zeros((2, 1))
    with pytest.raises(TypeError, match="cityblock: make is a function of arrays, found str"):
        dp.costs.own(x, y, "cityblock", kind="cityblock")
    with pytest.raises(ValueError, match=r"make gives an array \(2, 3\); the costs \(3, 2\) of one item are expected"):
        solver_total(dp.costs.own(x, y, lambda x, y: cityblock(y, x)))
    result = dp.compile(dp.topologies.dtw(), dp.Softmin(), engine="reference")(dp.costs.own(x, y, cityblock))
    with pytest.raises(ValueError, match="'x' has no gradient, since own was given no back="):
        result.grad("x")


# --- tables of pairs --------------------------------------------------------------------------------


def test_lookup_is_a_substitution_matrix():
    rng = RNG(0)
    table, rows, columns = rng.normal(size=(4, 3)), rng.integers(0, 4, (2, 6)), rng.integers(0, 3, (2, 5))
    source, lengths = -dp.costs.lookup(table, rows, columns), ([6, 3], [5, 4])
    np.testing.assert_array_equal(made(source), [-table[np.ix_(r, c)] for r, c in zip(rows, columns)])
    np.testing.assert_array_equal(read_source(source, math.inf), made(source))
    np.testing.assert_array_equal(made(dp.costs.lookup(table, rows[0], columns)), made(dp.costs.gather(table[rows[0]], columns)))
    each = rng.normal(size=(2, 4, 3))
    found = made(dp.costs.lookup(each, rows[0], columns[1]))
    np.testing.assert_array_equal(found, each[:, rows[0]][:, :, columns[1]])
    np.testing.assert_array_equal(read_source(dp.costs.lookup(each, rows[0], columns[1]), math.inf), found)
    rows[1, 3:], columns[1, 4:] = -99, 99  # padding

    def call(a):
        return SOFT(dp.costs.lookup(a, rows, columns), lengths)

    np.testing.assert_allclose(call(table).grad("table"), differences(call, table), atol=1e-7)
    np.testing.assert_allclose(call(each).grad("table"), differences(call, each), atol=1e-7)


def test_what_a_lookup_must_be():
    table = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"lookup: label 4 of item 0 at row 1 is outside 0 \.\. 3"):
        SOFT(dp.costs.lookup(table, [0, 4], [0]))
    with pytest.raises(ValueError, match=r"lookup: label 3 of item 0 at column 0 is outside 0 \.\. 2"):
        SOFT(dp.costs.lookup(table, [0, 1], [3]))
    with pytest.raises(TypeError, match="lookup: rows are whole numbers, found float64"):
        SOFT(dp.costs.lookup(table, [0.0], [0]))
    with pytest.raises(ValueError, match=r"rows are whole numbers of the shape \(\); \(N,\) or \(B, N\) is expected"):
        SOFT(dp.costs.lookup(table, 0, [0]))
    with pytest.raises(ValueError, match=r"table has the shape \(4,\); \(V, W\) or \(B, V, W\) is expected"):
        SOFT(dp.costs.lookup(table[:, 0], [0], [0]))
    with pytest.raises(ValueError, match="table and columns and rows have the batch sizes 1 and 3 and 2"):
        SOFT(dp.costs.lookup(table, np.zeros((2, 5), int), np.zeros((3, 5), int)))
    with pytest.raises(ValueError, match="'rows' are labels, which have no derivative"):
        SOFT(dp.costs.lookup(table, [0], [0])).grad("rows")
