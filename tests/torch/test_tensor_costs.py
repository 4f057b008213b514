"""Local costs on tensors: equal to `dp.costs` in value and gradient, edges included, and differentiable again and again."""

import math
from functools import partial

import numpy as np
import pytest
import torch

import dpsemiring as dp
from dpsemiring.run.sources import BoundSource
from dpsemiring.torch import bce, cosine, gather, nll, sqeuclidean

INF, NAN = math.inf, math.nan
DTW = dp.topologies.dtw()
FREE = dp.compile(dp.Topology(DTW.steps, dp.Boundary.anywhere()), dp.Softmin(0.5), engine="reference")


def real(rng, *shape):
    return rng.normal(size=shape)


def share(rng, *shape):
    return rng.uniform(0.05, 0.95, shape)


# kind -> (function of tensors, source of arrays, what the first and the second hold)
KINDS = {
    "sqeuclidean": (sqeuclidean, dp.costs.sqeuclidean, real, real),
    "cosine": (cosine, dp.costs.cosine, real, real),
    "nll": (nll, partial(dp.costs.nll, names=("x", "y")), real, share),
    "bce": (bce, dp.costs.bce, share, share),
    "bce of logits": (partial(bce, logits=True), partial(dp.costs.bce, logits=True), real, share),
}


def drawn(kind, n, m, seed=0):
    function, source, first, second = KINDS[kind]
    rng = np.random.default_rng(seed)
    return function, source, first(rng, *n), second(rng, *m)


def made(source):
    bound = BoundSource("cost", source)
    return bound.make(*(np.full(bound.batch, size) for size in bound.shape[-2:]), INF)


def leaf(array):
    return torch.tensor(array, requires_grad=True)


def compare(function, source, x, y, rtol=1e-12, atol=1e-12):
    """Value, and the gradients through a solver that starts and ends anywhere, against NumPy's."""
    a, b = leaf(x), leaf(y)
    cost = function(a, b)
    np.testing.assert_allclose(cost.detach().numpy(), made(source(x, y)), rtol=rtol, atol=atol)
    wanted = FREE(source(x, y))
    found = FREE(cost)
    np.testing.assert_allclose(found.total.detach().numpy(), wanted.total, rtol=1e-9)
    found.total.sum().backward()
    for tensor, name in ((a, "x"), (b, "y")):
        np.testing.assert_allclose(tensor.grad.numpy(), wanted.grad(name), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shapes", [((4, 3), (5, 3)), ((2, 4, 3), (2, 5, 3)), ((2, 4, 3), (5, 3)), ((4, 3), (2, 5, 3))])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients(kind, shapes):
    compare(*drawn(kind, *shapes))


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_of_both_orders(kind):
    function, _, x, y = drawn(kind, (2, 3, 2), (2, 2, 2))
    assert torch.autograd.gradcheck(function, (leaf(x), leaf(y)), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(function, (leaf(x), leaf(y)))


@pytest.mark.parametrize("kind", KINDS)
def test_third_derivatives(kind):
    function, _, x, y = drawn(kind, (2, 2), (1, 2))

    def slope(x, y):
        return torch.autograd.grad((function(x, y) ** 2).sum(), (x, y), create_graph=True)

    assert torch.autograd.gradgradcheck(slope, (leaf(x), leaf(y)))


@pytest.mark.parametrize("kind", KINDS)
def test_vmap_is_the_batch(kind):
    function, _, x, y = drawn(kind, (3, 4, 2), (3, 5, 2))
    x, y = torch.tensor(x), torch.tensor(y)
    torch.testing.assert_close(torch.vmap(function)(x, y), function(x, y))
    torch.testing.assert_close(torch.vmap(function, in_dims=(0, None))(x, y[0]), function(x, y[0]))


def test_labels():
    rng = np.random.default_rng(0)
    log_p = real(rng, 2, 4, 5)
    log_p[0, 1, 3] = -INF
    for labels in (np.array([1, 3, 1]), np.array([[1, 3, 1], [0, 0, 4]])):
        for function, source in ((nll, dp.costs.nll), (lambda a, l: -gather(a, l), lambda a, l: -dp.costs.gather(a, l))):
            x = leaf(log_p)
            cost = function(x, torch.tensor(labels))
            np.testing.assert_array_equal(cost.detach().numpy(), made(source(log_p, labels)))
            FREE(cost).total.sum().backward()
            np.testing.assert_allclose(x.grad.numpy(), FREE(source(log_p, labels)).grad("log_probs"), atol=1e-12)
    labels = torch.tensor([1, 3, 1])
    assert gather(torch.tensor(log_p[0]), labels).shape == (4, 3)
    assert torch.autograd.gradgradcheck(lambda a: gather(a, labels) ** 3, leaf(real(rng, 2, 4)))
    torch.testing.assert_close(torch.vmap(partial(nll, targets=labels))(torch.tensor(log_p)), nll(torch.tensor(log_p), labels))


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_numbers(kind):
    function, _, x, y = drawn(kind, (2, 4, 3), (2, 5, 3))
    wanted = function(torch.tensor(x), torch.tensor(y))
    for kind, bound in ((torch.float32, 1e-6), (torch.float16, 1e-2), (torch.bfloat16, 5e-2)):
        a, b = leaf(x).to(kind), leaf(y).to(kind)
        found = function(a, b)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), wanted, rtol=bound, atol=bound)
        # what was rounded is the input alone
        torch.testing.assert_close(found.double(), function(a.double(), b.double()), rtol=1e-6, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(function(torch.tensor(x), torch.tensor(y)), wanted)
        assert function(leaf(x).float(), leaf(y).float()).dtype == torch.float32
    assert function(torch.tensor(x).float(), torch.tensor(y)).dtype == torch.float64
    assert sqeuclidean(torch.tensor([[1]]), torch.tensor([[3]])).dtype == torch.float64


@pytest.mark.parametrize("kind", KINDS)
def test_views(kind):
    function, _, x, y = drawn(kind, (6, 8), (5, 8))
    x, y = torch.tensor(x), torch.tensor(y)
    torch.testing.assert_close(function(x[::2, 1::3], y[:, 1::3]), function(x[::2, 1::3].clone(), y[:, 1::3].clone()))
    torch.testing.assert_close(function(x.expand(3, 6, 8), y), function(x, y).expand(3, 6, 5))
    assert function(x[:0], y).shape == (0, 5) and function(x.expand(0, 6, 8), y).shape == (0, 6, 5)


# --- edges ------------------------------------------------------------------------------------------


def second_derivatives(function, x, y):
    """Of a weighted sum of the finite costs, differentiated twice along a fixed direction."""
    a, b = leaf(x), leaf(y)
    cost = function(a, b)
    flow = torch.where(cost.isfinite(), torch.arange(1.0, cost.numel() + 1).reshape(cost.shape), 0.0)
    first = torch.autograd.grad(cost, (a, b), flow, create_graph=True)
    loss = sum((g * torch.linspace(1.0, 2.0, g.numel()).reshape(g.shape)).sum() for g in first)
    return [*first, *torch.autograd.grad(loss, (a, b), allow_unused=True, materialize_grads=True)]


EDGES = {
    "zeros under cosine": (cosine, dp.costs.cosine, [[0.0, 0.0], [1.0, 2.0], [-1.0, 0.0]], [[0.0, 0.0], [2.0, 4.0]]),
    "long and short frames": (cosine, dp.costs.cosine, [[3e-200, 4e-200], [3e200, 4e200]], [[0.6, 0.8], [1.0, 0.0]]),
    "equal frames": (sqeuclidean, dp.costs.sqeuclidean, [[1.0, 2.0], [0.5, 0.5]], [[1.0, 2.0], [1.0, 2.0]]),
    "infinite features": (sqeuclidean, dp.costs.sqeuclidean, [[0.0, 1.0], [INF, 1.0], [2.0, -INF]], [[0.0, 0.0], [-1.0, 0.5]]),
    "infinities apart": (sqeuclidean, dp.costs.sqeuclidean, [[0.0, 1.0], [INF, 1.0]], [[-INF, 0.0], [-1.0, 0.5]]),
    "certain predictions": (
        bce, dp.costs.bce, [[0.0, 1.0], [0.5, 1.0], [0.0, 0.25]], [[0.0, 1.0], [0.5, 1.0], [1.0, 0.0], [0.0, 0.5]],
    ),
    "certain logits": (
        partial(bce, logits=True), partial(dp.costs.bce, logits=True), [[-INF, INF], [0.0, INF], [800.0, -800.0]],
        [[0.0, 1.0], [0.5, 1.0], [1.0, 0.0]],
    ),
    "impossible classes": (
        nll, partial(dp.costs.nll, names=("x", "y")), [[-INF, 0.0], [math.log(0.5)] * 2], [[0.0, 1.0], [0.5, 0.5]],
    ),
    "impossible everywhere": (
        nll, partial(dp.costs.nll, names=("x", "y")), [[-INF, -INF], [-1.0, -2.0]], [[1.0, 0.0], [0.5, 0.5]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("edge", EDGES)
def test_edges(edge):
    function, source, x, y = EDGES[edge]
    x, y = np.array(x), np.array(y)
    compare(function, source, x, y, atol=1e-15)
    for derivative in second_derivatives(function, x, y):
        assert not derivative.isnan().any()
    cost = function(torch.tensor(x), torch.tensor(y))
    torch.testing.assert_close(torch.vmap(function)(torch.tensor(x)[None], torch.tensor(y)[None])[0], cost, equal_nan=True)


def test_one_infinity_from_another_is_no_number():
    x = torch.tensor([[INF, 0.0], [INF, -INF]])
    wanted = made(dp.costs.sqeuclidean(x.numpy(), x.numpy()))
    np.testing.assert_array_equal(sqeuclidean(x, x).numpy(), wanted)
    assert sqeuclidean(x, x).isnan().all()


def test_a_frame_of_zeros_has_no_derivative():
    first = second_derivatives(cosine, np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[1.0, 0.0]]))
    assert not first[0][0].any() and first[0][1].any() and not first[2][0].any()


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_close_frames_far_from_the_origin(offset):
    """The error is that of the spread, wherever the origin is."""
    rng = np.random.default_rng(0)
    x, y = offset + rng.normal(size=(40, 5)), offset + rng.normal(size=(30, 5))
    y[:10] = x[:10]
    exact = made(dp.costs.sqeuclidean(x, y))
    found = sqeuclidean(torch.tensor(x), torch.tensor(y)).numpy()
    assert (found >= 0.0).all()
    np.testing.assert_allclose(found, exact, rtol=0, atol=4e-16 * 40)


def test_a_clamped_value_keeps_its_derivatives():
    """Equal frames, whose distance rounding has led below 0 here and there: the second derivative is 2 all the same."""
    x, y = leaf(real(np.random.default_rng(0), 200, 3)), leaf(real(np.random.default_rng(0), 200, 3))
    cost = sqeuclidean(x, y)
    assert (cost >= 0.0).all() and 0 < (cost.diagonal() == 0.0).sum() < 200
    (slope,) = torch.autograd.grad(cost.diagonal().sum(), x, create_graph=True)
    torch.testing.assert_close(slope, torch.zeros_like(x), rtol=0, atol=1e-12)
    for tensor, wanted in ((x, 2.0), (y, -2.0)):
        (second,) = torch.autograd.grad(slope.sum(), tensor, retain_graph=True)
        torch.testing.assert_close(second, torch.full_like(x, wanted))


REFUSED = {
    "x has 2 features .* and y has 3": lambda: sqeuclidean(torch.ones(4, 2), torch.ones(4, 3)),
    r"x has the shape \(4,\); \(N, D\) or \(B, N, D\) is expected; .* x\[:, None\]": lambda: cosine(
        torch.ones(4), torch.ones(4, 1)
    ),
    "the batch sizes differ, x 2 and y 3": lambda: bce(torch.zeros(2, 4, 1), torch.zeros(3, 4, 1)),
    "label 5 of item 1 at column 0 is outside 0 .. 4": lambda: gather(torch.zeros(2, 3, 5), torch.tensor([[0, 1], [5, 0]])),
    "nll: label -1 of item 0 at column 1": lambda: nll(torch.zeros(3, 5), torch.tensor([0, -1])),
    "which would be a batch of labels": lambda: nll(torch.zeros(3, 5), torch.tensor([[0, 1]])),
    r"y holds 2.0 in item 0 at column 1, feature 0; \[0, 1\] is expected": lambda: bce(
        torch.zeros(1, 1), torch.tensor([[1.0], [2.0]])
    ),
    r"x holds -3.0 in item 0 at row 0, feature 0; \[0, 1\] .* logits=True": lambda: bce(
        torch.tensor([[-3.0]]), torch.zeros(1, 1)
    ),
    r"targets holds -1.0 in item 0 at column 0, feature 1; \[0, inf\)": lambda: nll(
        torch.zeros(1, 2), torch.tensor([[0.5, -1.0]])
    ),
    "beyond the range of torch.float32, 9e[+]60": lambda: sqeuclidean(torch.tensor([[3e30]]), torch.tensor([[0.0]])),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused(words):
    with pytest.raises(ValueError, match=words):
        REFUSED[words]()


def test_a_nan_stays_in_its_item():
    x, y = torch.tensor(real(np.random.default_rng(0), 2, 4, 3)), torch.tensor(real(np.random.default_rng(1), 3, 3))
    x[1, 2, 0] = NAN
    x.requires_grad_()
    y.requires_grad_()
    cost = sqeuclidean(x, y) + cosine(x, y)
    assert cost.isnan().any(-1).tolist() == [[False] * 4, [False, False, True, False]]
    total = FREE(cost).total
    total.sum().backward()
    assert total.isnan().tolist() == [False, True]
    assert x.grad[0].isfinite().all() and x.grad[1].isnan().all() and y.grad.isnan().all()
    huge = torch.tensor([[[NAN]], [[3e30]]])
    with pytest.raises(ValueError, match=r"beyond the range of torch.float32"):
        sqeuclidean(huge, torch.zeros(1, 1))


def test_kinds_that_are_refused():
    with pytest.raises(TypeError, match=r"labels are whole numbers, found torch.float32"):
        gather(torch.zeros(1, 2), torch.zeros(1))
    with pytest.raises(TypeError, match="y is a NumPy array and other values are torch tensors; use one library"):
        sqeuclidean(torch.zeros(1, 2), np.zeros((1, 2)))
    with pytest.raises(TypeError, match=r"x has the dtype torch.complex64"):
        sqeuclidean(torch.zeros(1, 2, dtype=torch.complex64), torch.zeros(1, 2))
    with pytest.raises(TypeError, match="x is a nested tensor; padded"):
        sqeuclidean(torch.nested.nested_tensor([torch.zeros(1, 2)], layout=torch.jagged), torch.zeros(1, 2))


# --- sources of dp.costs over tensors ---------------------------------------------------------------


def sources(x, y, log_p, labels):
    return {
        "a sum": dp.costs.sqeuclidean(x, y) + 0.5 * dp.costs.cosine(x, y) - 0.1 * dp.costs.sqeuclidean(x, y),
        "labels": dp.costs.nll(log_p, labels) - dp.costs.gather(log_p, labels),
        "logits": dp.costs.bce(x, (y > 0), logits=True) / 2,
        "nothing": 0 * dp.costs.cosine(x, y) + dp.costs.sqeuclidean(x, y),
    }


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("name", ["a sum", "labels", "logits", "nothing"])
def test_sources(name, batch):
    rng = np.random.default_rng(0)
    x, y, log_p, labels = (
        real(rng, *batch, 4, 3),
        real(rng, *batch, 5, 3),
        real(rng, *batch, 4, 6),
        rng.integers(0, 6, (*batch, 5)),
    )
    wanted = FREE(sources(x, y, log_p, labels)[name])
    tensors = leaf(x), leaf(y), leaf(log_p), torch.tensor(labels)
    found = FREE(sources(*tensors)[name])
    np.testing.assert_allclose(found.total.detach(), wanted.total, rtol=1e-12)
    np.testing.assert_allclose(found.marginals.detach(), wanted.marginals, atol=1e-12)
    found.total.sum().backward()
    for tensor, known in zip(tensors, ("x", "y", "log_probs")):
        if tensor.grad is not None and not (known == "y" and name == "logits"):
            np.testing.assert_allclose(tensor.grad, wanted.grad(known), atol=1e-12)


@pytest.mark.parametrize("poison", [NAN, INF, -INF, 1e300])
@pytest.mark.parametrize("kind", [*KINDS, "labels"])
def test_padding_reaches_neither_value_nor_gradient(kind, poison):
    rng = np.random.default_rng(0)
    if kind == "labels":
        source, x, y = dp.costs.nll, real(rng, 2, 5, 3), rng.integers(0, 3, (2, 4))
    else:
        _, source, x, y = drawn(kind, (2, 5, 3), (2, 4, 3))
    lengths = torch.tensor([3, 5]), torch.tensor([4, 2])
    wrong_x, wrong_y = x.copy(), y.copy()
    wrong_x[0, 3:], wrong_y[1, 2:] = poison, -99 if kind == "labels" else poison
    found = []
    for a, b in ((x, y), (wrong_x, wrong_y)):
        a, b = leaf(a), torch.tensor(b, requires_grad=kind != "labels")
        total = FREE(source(a, b), lengths).total
        total.sum().backward()
        found.append((total.detach(), a.grad, torch.zeros(()) if b.grad is None else b.grad))
    for clean, dirty in zip(*found):
        assert torch.equal(clean, dirty)
    assert not found[1][1][0, 3:].any() and found[1][1][0, :3].any()
    if kind != "labels":  # one that serves every item
        np.testing.assert_array_equal(
            FREE(source(torch.tensor(wrong_x), torch.tensor(y[0])), (lengths[0], 4)).total,
            FREE(source(torch.tensor(x), torch.tensor(y[0])), (lengths[0], 4)).total,
        )
        one = FREE(source(torch.tensor(wrong_x[0]), torch.tensor(y[0])), (3, 4)).total
        np.testing.assert_allclose(one, found[0][0][0] if kind else one, rtol=1e-12)


def test_planes_longer_than_the_main_one():
    gaps = dp.compile(dp.topologies.affine_gap(1.0, 0.5, deletion="deletion"), dp.Softmin(1.0), engine="reference")
    rng = np.random.default_rng(0)
    x, y, longer = real(rng, 2, 4, 2), real(rng, 2, 3, 2), real(rng, 2, 4, 2)
    x[1, 2:], y[1, 1:], longer[1, 2:] = NAN, NAN, NAN
    lengths = np.array([4, 2]), np.array([3, 1])

    def cost(x, y, longer):
        return {"cost": dp.costs.sqeuclidean(x, y), "deletion": dp.costs.sqeuclidean(x, longer, names=("x", "gaps"))}

    tensors = leaf(x), leaf(y), leaf(longer)
    found, wanted = gaps(cost(*tensors), tuple(map(torch.tensor, lengths))), gaps(cost(x, y, longer), lengths)
    np.testing.assert_allclose(found.total.detach(), wanted.total, rtol=1e-12)
    found.total.sum().backward()
    for tensor, name in zip(tensors, ("x", "y", "gaps")):
        np.testing.assert_allclose(tensor.grad, wanted.grad(name), atol=1e-12)


def test_a_forbidden_cost_wins_over_a_zero_multiple():
    for semiring, forbid in ((dp.Tropical, INF), (dp.MaxPlus, -INF)):
        solve = dp.compile(DTW, semiring, engine="reference")
        log_p = torch.tensor([[-INF, 0.0]], requires_grad=True)
        total = solve(0 * dp.costs.gather(log_p, torch.tensor([0]))).total
        assert total == forbid
        total.backward()
        assert not log_p.grad.any()


@pytest.mark.parametrize("each", [False, True])
def test_lookup(each):
    """A table for all items or one for each, symbols in the padding, twice differentiable."""
    rng = np.random.default_rng(0)
    table, rows, columns = real(rng, *((2,) if each else ()), 4, 3), rng.integers(0, 4, (2, 5)), rng.integers(0, 3, (2, 6))
    rows[1, 3:], columns[0, 4:] = -99, 99
    lengths = np.array([5, 3]), np.array([4, 6])
    wanted = FREE(dp.costs.lookup(table, rows, columns), lengths)
    tensor, labels = leaf(table), (torch.tensor(rows), torch.tensor(columns))
    found = FREE(dp.costs.lookup(tensor, *labels), tuple(map(torch.tensor, lengths)))
    np.testing.assert_allclose(found.total.detach(), wanted.total, rtol=1e-12)
    found.total.sum().backward()
    np.testing.assert_allclose(tensor.grad, wanted.grad("table"), atol=1e-12)
    with pytest.raises(ValueError, match=r"lookup: label -99 of item 1 at row 3 is outside 0 \.\. 3"):
        FREE(dp.costs.lookup(tensor, *labels))
    with pytest.raises(TypeError, match="rows are whole numbers"):
        FREE(dp.costs.lookup(tensor, tensor, labels[1]))


def test_sources_that_are_refused():
    x, y = torch.zeros(3, 2), torch.zeros(4, 2)
    cases = {
        "y is a NumPy array and other values of the call are torch tensors": dp.costs.sqeuclidean(x, y.numpy()),
        "a cost of your own is made of NumPy arrays": dp.costs.own(x, y, lambda a, b: a @ b.T),
    }
    for words, source in cases.items():
        with pytest.raises(TypeError, match=words):
            FREE(source)
    cases = {
        r"plane 'cost' adds sources of different shapes: \(3, 3\), \(3, 4\)": dp.costs.sqeuclidean(x, y) + dp.costs.cosine(x, x),
        "plane 'cost': sqeuclidean: x has 2 features": dp.costs.sqeuclidean(x, y[:, :1]),
        "plane 'cost': gather: label 2 of item 0": dp.costs.gather(x, [0, 2]),
        "batch sizes 2 and 3": dp.costs.sqeuclidean(x.expand(2, 3, 2), y.expand(3, 4, 2)),
    }
    for words, source in cases.items():
        with pytest.raises(ValueError, match=words):
            FREE(source)
