"""Soft-DTW and its divergences: against NumPy, published numbers and brute force, and as torch differentiates them."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import dpsemiring as dp
from dpsemiring.torch import (
    GammaSchedule,
    mean_cost,
    path_entropy,
    sharp_soft_dtw,
    soft_dtw,
    soft_dtw_divergence,
    sqeuclidean,
)

DTW = dp.topologies.dtw()
ALL = [soft_dtw, sharp_soft_dtw, path_entropy, mean_cost]


def series(*shape, seed=0, **kind):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape), **kind)


def leaves(*shapes):
    return tuple(series(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes))


def paths(n, m):
    """Every path of DTW, as a matrix of visits."""
    found = []

    def walk(i, j, cells):
        cells = [*cells, (i, j)]
        if (i, j) == (n - 1, m - 1):
            matrix = np.zeros((n, m))
            matrix[tuple(zip(*cells))] = 1.0
            found.append(matrix)
        for di, dj in ((1, 1), (1, 0), (0, 1)):
            if i + di < n and j + dj < m:
                walk(i + di, j + dj, cells)

    walk(0, 0, [])
    return np.array(found)


def by_hand(cost, gamma):
    """Soft minimum, mean and entropy under p, plain mean: over all enumerated paths."""
    pay = (paths(*cost.shape) * np.where(np.isinf(cost), 0.0, cost)).sum((1, 2))
    pay[(paths(*cost.shape) * np.isinf(cost)).any((1, 2))] = np.inf
    pay = pay[np.isfinite(pay)]
    weights = np.exp(-(pay - pay.min()) / gamma)
    p = weights / weights.sum()
    return {
        soft_dtw: pay.min() - gamma * np.log(weights.sum()),
        sharp_soft_dtw: (p * pay).sum(),
        path_entropy: -(p * np.log(np.maximum(p, 1e-300))).sum(),
        mean_cost: pay.mean(),
    }


@pytest.mark.parametrize("gamma", [0.05, 1.0, 20.0])
def test_enumeration(gamma):
    x, y = series(4, 2), series(3, 2, seed=1)
    wanted = by_hand(sqeuclidean(x, y).numpy(), gamma)
    for function in ALL:
        found = function(x, y) if function is mean_cost else function(x, y, gamma)
        np.testing.assert_allclose(found, wanted[function], rtol=1e-10)
    cost = sqeuclidean(x, y)
    cost[1, 1] = math.inf
    wanted = by_hand(cost.numpy(), gamma)
    for function in ALL:
        found = function(cost, None, cost=None) if function is mean_cost else function(cost, None, gamma, cost=None)
        np.testing.assert_allclose(found, wanted[function], rtol=1e-10)


def test_numpy():
    """Value and gradient of a ragged batch, beside the same problem without torch."""
    x, y = leaves((3, 7, 2), (3, 5, 2))
    lengths = np.array([7, 4, 6]), np.array([5, 5, 2])
    found = soft_dtw(x, y, 0.3, lengths=tuple(map(torch.tensor, lengths)), reduction="sum")
    found.backward()
    wanted = dp.compile(DTW, dp.Softmin(0.3))(dp.costs.sqeuclidean(x.detach().numpy(), y.detach().numpy()), lengths)
    np.testing.assert_allclose(found.item(), wanted.total.sum(), rtol=1e-12)
    np.testing.assert_allclose(x.grad, wanted.grad("x"), atol=1e-12)
    np.testing.assert_allclose(y.grad, wanted.grad("y"), atol=1e-12)


X = [[0.0, 0.3], [-0.27, -0.89], [-0.45, -0.99], [0.06, 1.34], [-0.49, -0.62]]
Y = [[0.49, 0.36], [0.11, -0.93], [-0.03, 0.7], [-1.34, -0.46]]
# tslearn 0.10.0: gamma -> SoftDTW(SquaredEuclidean(X, Y), gamma).compute(), jacobian_product(grad())
TSLEARN = {
    1.0: (
        1.226444007785459,
        [
            [-1.0127568674063399, 0.24651865601125722], [-0.9527992187213029, -0.37721194844061257],
            [-1.1491467001500282, -0.4764093225398901], [0.19596568112259213, 1.3296832029056846],
            [1.5837708096143728, -0.6495451203815505],
        ],
    ),
    0.1: (
        1.8726999755802178,
        [
            [-0.9800000524121214, -0.11999941393720316], [-0.760000002433485, 0.07999999308962086],
            [-1.1199999999996053, -0.1200000000054864], [0.18000000000000008, 1.280000000000001],
            [1.6999999969961819, -0.3200000086196523],
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("gamma", TSLEARN)
def test_known_numbers(gamma):
    total, gradient = TSLEARN[gamma]
    x, y = torch.tensor(X, dtype=torch.float64, requires_grad=True), torch.tensor(Y, dtype=torch.float64)
    found = soft_dtw(x, y, gamma)
    found.backward()
    np.testing.assert_allclose(found.item(), total, rtol=1e-12)
    np.testing.assert_allclose(x.grad, gradient, atol=1e-12)


# --- derivatives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
def test_first_derivatives(function):
    x, y = leaves((2, 4, 2), (2, 3, 2))
    lengths = torch.tensor([4, 3]), torch.tensor([2, 3])
    call = partial(function, lengths=lengths, reduction="none")
    arguments = (x, y) if function is mean_cost else (x, y, torch.tensor([0.7, 1.5], dtype=torch.float64, requires_grad=True))
    assert gradcheck(call, arguments, check_forward_ad=True, check_batched_grad=True)


@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
def test_second_derivatives(function):
    x, y = leaves((1, 3, 1), (1, 3, 1))
    gamma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert gradgradcheck(function, (x, y) if function is mean_cost else (x, y, gamma))


@pytest.mark.parametrize("variant", ["soft", "sharp", "mean_cost"])
def test_derivatives_of_divergences(variant):
    x, y = leaves((2, 3, 1), (2, 2, 1))
    call = partial(soft_dtw_divergence, gamma=0.7, variant=variant)
    assert gradcheck(call, (x, y)) and gradgradcheck(call, (x, y))


def test_the_identities_of_the_entropy():
    """soft = sharp - gamma * entropy; d soft / d gamma = -entropy; d soft / d cost = marginals."""
    x, y = series(5, 2), series(6, 2, seed=1)
    gamma = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    soft, sharp, entropy = (f(x, y, gamma) for f in (soft_dtw, sharp_soft_dtw, path_entropy))
    torch.testing.assert_close(soft, sharp - gamma * entropy)
    (slope,) = torch.autograd.grad(soft, gamma)
    torch.testing.assert_close(slope, -entropy.detach())


def test_functions_of_torch_func():
    x, y = series(3, 4, 2), series(3, 5, 2, seed=1)
    each = torch.vmap(partial(soft_dtw, gamma=0.5))
    torch.testing.assert_close(each(x, y), soft_dtw(x, y, 0.5, reduction="none"))
    grads = torch.vmap(torch.func.grad(partial(soft_dtw, gamma=0.5)))(x, y)
    leaf = x.clone().requires_grad_()
    soft_dtw(leaf, y, 0.5, reduction="sum").backward()
    torch.testing.assert_close(grads, leaf.grad)
    hessian = torch.func.hessian(partial(soft_dtw, gamma=0.5))(x[0], y[0])
    torch.testing.assert_close(hessian, torch.autograd.functional.hessian(lambda a: soft_dtw(a, y[0], 0.5), x[0]))
    torch.testing.assert_close(hessian, hessian.permute(2, 3, 0, 1))


@pytest.mark.parametrize("function", [soft_dtw, soft_dtw_divergence, mean_cost], ids=lambda f: f.__name__)
def test_compiled_graphs(function):
    """In one graph, with the topology made inside or outside of it."""
    x, y = leaves((2, 5, 2), (2, 4, 2))
    outside = dp.topologies.symmetric2()
    for topology in (None, outside):
        torch.compiler.reset()
        compiled = torch.compile(lambda a, b: function(a, b, topology=topology), fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(x, y), function(x, y, topology=topology))
        torch.testing.assert_close(
            torch.autograd.grad(compiled(x, y), x), torch.autograd.grad(function(x, y, topology=topology), x)
        )


# --- properties -------------------------------------------------------------------------------------


def test_mean_cost_is_the_limit_of_the_sharp_value():
    x, y = series(5, 2), series(4, 2, seed=1)
    torch.testing.assert_close(sharp_soft_dtw(x, y, 1e7), mean_cost(x, y), rtol=1e-5, atol=0)
    torch.testing.assert_close(sharp_soft_dtw(x, y, 1e-3), soft_dtw(x, y, 1e-3), rtol=1e-3, atol=1e-3)
    weighted = dp.topologies.symmetric2()
    torch.testing.assert_close(
        sharp_soft_dtw(x, y, 1e7, topology=weighted), mean_cost(x, y, topology=weighted), rtol=1e-5, atol=0
    )


def divisible(x, y, gamma=1.0):
    """A cost under which exp(-soft_dtw / gamma) is a positive definite kernel."""
    d = sqeuclidean(x, y)
    return d + gamma * torch.log(2.0 - torch.exp(-d / gamma))


@pytest.mark.parametrize("cost", ["sqeuclidean", divisible], ids=["sqeuclidean", "divisible"])
def test_divergences_are_never_negative(cost):
    generator = torch.Generator().manual_seed(0)
    for scale in (0.1, 1.0, 3.0):
        x = [scale * torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in (3, 5, 8, 1, 12, 6)]
        y = [scale * torch.randn(m, 2, generator=generator, dtype=torch.float64) for m in (4, 5, 2, 7, 12, 1)]
        near = [a + 0.01 * torch.randn(a.shape, generator=generator, dtype=torch.float64) for a in x]
        for other in (y, near):
            value = soft_dtw_divergence(x, other, cost=cost, reduction="none")
            assert (value >= 0.0).all()
            torch.testing.assert_close(value, soft_dtw_divergence(other, x, cost=cost, reduction="none"))
        assert (soft_dtw_divergence(x, y, cost=cost, reduction="none") > 1e-6).all()


@pytest.mark.parametrize("variant", ["soft", "sharp", "mean_cost"])
def test_divergences_of_equal_series(variant):
    x = [series(n, 2, seed=n).requires_grad_() for n in (3, 5, 1)]
    value = soft_dtw_divergence(x, [a.detach().clone() for a in x], variant=variant, reduction="none")
    assert not value.any()
    value.sum().backward()
    assert all(a.grad.abs().max() < 1e-12 for a in x)
    near = [a.detach() + 0.01 * series(*a.shape, seed=9) for a in x]
    assert (soft_dtw_divergence(x, near, variant=variant, reduction="none") > 0.0).all()
    assert soft_dtw(x[1], x[1]) < 0.0  # which soft-DTW itself is not


@pytest.mark.parametrize("variant", ["soft", "sharp", "mean_cost"])
def test_divergences_are_made_of_three(variant):
    function = {"soft": soft_dtw, "sharp": sharp_soft_dtw, "mean_cost": lambda x, y, g, **k: mean_cost(x, y, **k)}[variant]
    x, y = series(2, 4, 2), series(2, 3, 2, seed=1)
    n, m = torch.tensor([4, 2]), torch.tensor([1, 3])
    found = soft_dtw_divergence(x, y, 0.5, variant=variant, lengths=(n, m), reduction="sum")
    parts = [function(x[b, :i], y[b, :j], 0.5) for b, (i, j) in enumerate(zip(n, m))]
    own = [function(z[b, :i], z[b, :i], 0.5) for z, lengths in ((x, n), (y, m)) for b, i in enumerate(lengths)]
    torch.testing.assert_close(found, sum(parts) - 0.5 * sum(own))


# --- inputs -----------------------------------------------------------------------------------------


def test_kinds_of_numbers():
    x, y = series(2, 6, 3), series(2, 5, 3, seed=1)
    wanted = soft_dtw(x, y, 0.1)
    for kind, bound in ((torch.float32, 1e-5), (torch.float16, 1e-2), (torch.bfloat16, 5e-2)):
        a = x.to(kind).requires_grad_()
        found = soft_dtw(a, y.to(kind), 0.1)
        found.backward()
        assert found.dtype == torch.float32 and a.grad.dtype == kind and a.grad.isfinite().all()
        torch.testing.assert_close(found.double(), wanted, rtol=bound, atol=bound)
    layer = torch.nn.Linear(3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x.float())
        loss = soft_dtw(out, y.float(), 0.1)
        assert out.dtype == torch.bfloat16 and loss.dtype == torch.float32
    loss.backward()
    torch.testing.assert_close(loss, soft_dtw(out.float(), y.float(), 0.1))
    assert layer.weight.grad.isfinite().all() and layer.weight.grad.any()


def test_views_and_empty_batches():
    base = series(8, 6, 4)
    x, y = base[::2, 1::2, ::2], base.transpose(0, 2)[:, :4, :2][..., :2]
    torch.testing.assert_close(soft_dtw(x, y), soft_dtw(x.clone(), y.clone()))
    one = series(6, 2).requires_grad_()
    soft_dtw(one.expand(3, 6, 2), y[0], reduction="sum").backward()
    expanded, one.grad = one.grad, None
    soft_dtw(one, y[0]).backward()
    torch.testing.assert_close(expanded, 3.0 * one.grad)
    none = torch.zeros(0, 4, 2, requires_grad=True)
    found = soft_dtw(none, torch.zeros(0, 3, 2), reduction="none")
    assert found.shape == (0,)
    found.sum().backward()
    assert none.grad.shape == (0, 4, 2)


def test_temperatures():
    x, y = series(2, 4, 1), series(2, 5, 1, seed=1)
    schedule = GammaSchedule(1.0, 0.1, 1)
    for gamma in (1.0, 0.1):
        wanted = torch.stack([soft_dtw(a, b, gamma) for a, b in zip(x, y)])
        torch.testing.assert_close(soft_dtw(x, y, schedule, reduction="none"), wanted)
        torch.testing.assert_close(soft_dtw(x, y, torch.tensor([gamma, gamma]).double(), reduction="none"), wanted)
        schedule.step()
    for gamma in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="must be finite and > 0"):
            soft_dtw(x, y, gamma)


def test_other_topologies():
    x, y = series(2, 7, 2), series(2, 5, 2, seed=1)
    weighted = dp.topologies.weighted_dtw(diagonal=dp.Param("w"))
    weight = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    found = soft_dtw(x, y, 0.5, topology=weighted, params={"w": weight}, reduction="none")
    wanted = dp.compile(weighted, dp.Softmin(0.5), engine="reference")(
        dp.costs.sqeuclidean(x.numpy(), y.numpy()), params={"w": 1.7}
    )
    np.testing.assert_allclose(found.detach(), wanted.total)
    found.sum().backward()
    np.testing.assert_allclose(weight.grad, wanted.grad("w"))


def test_windows():
    x, y = series(4, 2), series(4, 2, seed=1)
    band = dp.Window.ranges(np.array([0, 0, 1, 2]), np.array([2, 3, 4, 4]))
    topology = dp.topologies.dtw().replace(window=band)
    wanted = dp.compile(topology, dp.Softmin(1.0), engine="reference")(sqeuclidean(x, y)).total
    torch.testing.assert_close(soft_dtw(x, y, topology=topology), wanted)


def test_what_is_refused():
    x, y = torch.zeros(2, 3, 1), torch.zeros(2, 4, 1)
    for error, words, call in (
        (ValueError, "variant is one of soft, sharp, mean_cost, found 'flat'", lambda: soft_dtw_divergence(x, y, variant="flat")),
        (ValueError, "reduction is one of none, mean, sum, found 'max'", lambda: soft_dtw(x, y, reduction="max")),
        (ValueError, "normalize is one of None, N, M, ", lambda: soft_dtw(x, y, normalize="K")),
        (ValueError, "cost is one of sqeuclidean, .* found 'euclid'", lambda: soft_dtw(x, y, cost="euclid")),
        (ValueError, "pass series and name their cost", lambda: soft_dtw_divergence(x, y, cost=None)),
        (ValueError, "without penalties", lambda: mean_cost(x, y, topology=dp.Topology([dp.Step(1, 1, penalty=1.0)]))),
        (TypeError, "y stands beside it", lambda: soft_dtw(x, y, cost=None)),
        (TypeError, "y is missing", lambda: soft_dtw(x, None)),
        (ValueError, "item 1 has 5 along m; 0 to 4", lambda: soft_dtw(x, y, lengths=(3, torch.tensor([4, 5])))),
    ):
        with pytest.raises(error, match=words):
            call()


def test_the_mean_cost_depends_on_the_weights():
    topology = dp.topologies.weighted_dtw(diagonal=dp.Param("d"))
    x, y = torch.rand(2, 4, 2, dtype=torch.float64), torch.rand(2, 3, 2, dtype=torch.float64)
    d = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda d: mean_cost(x, y, topology=topology, params={"d": d}), d)
    assert gradcheck(lambda d: soft_dtw_divergence(x, y, variant="mean_cost", topology=topology, params={"d": d}), d)


def test_a_schedule_is_exact_in_float64():
    schedule = GammaSchedule(1.0, 0.01, steps=3)
    schedule.step()
    assert schedule.gamma == pytest.approx(0.01 ** (1 / 3), rel=1e-15)
