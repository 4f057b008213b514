"""torch.func, forward mode, hessians, operators and graphs over one solver, and what these do at the edges."""

import math

import numpy as np
import pytest
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import dpsemiring as dp
from dpsemiring.torch import ops
from dpsemiring.torch.solve import core_of

W, G = dp.Param("w"), dp.Param("gamma", axes="b")
TOPOLOGY = dp.Topology([dp.Step(1, 0, weight=W), dp.Step(0, 1, penalty=dp.Param("p", axes="m")), dp.Step(1, 1)])


@pytest.fixture(scope="module", params=["reference", "cpu"])
def solver(request):
    return dp.compile(TOPOLOGY, dp.Softmin(G), engine=request.param)


def values(batch=2, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    cost, p = torch.rand(batch, 4, 3, generator=g, dtype=dtype), torch.rand(3, generator=g, dtype=dtype)
    return cost, torch.tensor(1.3, dtype=dtype), p, torch.linspace(0.5, 0.8, batch, dtype=dtype)


def total(solver, lengths=None):
    return lambda cost, w, p, gamma: solver(cost, lengths, {"w": w, "p": p, "gamma": gamma}).total


def summed(solver):
    return lambda *v: total(solver)(*v).sum()


def test_gradients_are_those_of_numpy(solver):
    cost, w, p, gamma = leaves = [v.requires_grad_() for v in values()]
    lengths = (torch.tensor([4, 3]), torch.tensor([3, 2]))
    result = solver(cost, lengths, {"w": w, "p": p, "gamma": gamma})
    plain = solver(
        cost.detach().numpy(),
        tuple(x.numpy() for x in lengths),
        {"w": 1.3, "p": p.detach().numpy(), "gamma": gamma.detach().numpy()},
    )
    torch.testing.assert_close(result.total.detach(), torch.tensor(plain.total))
    found = torch.autograd.grad(result.total.sum(), leaves)
    wanted = [plain.marginals, plain.grad("w"), plain.grad("p"), plain.grad("gamma")]
    for a, b in zip(found, wanted):
        torch.testing.assert_close(a, torch.as_tensor(b))
    torch.testing.assert_close(result.marginals.detach(), torch.tensor(plain.marginals))
    torch.testing.assert_close(result.occupancy, torch.tensor(plain.occupancy))
    torch.testing.assert_close(result.accumulated_cost, torch.tensor(plain.accumulated_cost))
    for name in ("w", "p", "gamma"):
        torch.testing.assert_close(result.grad(name).detach(), torch.as_tensor(plain.grad(name)))


def test_plain_numbers_are_not_rounded(solver):
    cost, w, p, _ = values()
    exact = solver(cost, params={"w": w, "p": p, "gamma": torch.tensor([0.1], dtype=torch.float64)}).total
    assert torch.equal(solver(cost, params={"w": 1.3, "p": p, "gamma": [0.1]}).total, exact)


def test_grad_in_the_values_own_shape(solver):
    """Also where one value of a Param over the batch serves all items."""
    cost, w, p, _ = values()
    gamma = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    result = solver(cost, params={"w": w, "p": p, "gamma": gamma})
    (flow,) = torch.autograd.grad(result.total.sum(), gamma, retain_graph=True)
    assert result.grad("gamma").shape == gamma.shape == flow.shape
    torch.testing.assert_close(result.grad("gamma"), flow)
    single = solver(cost[0], params={"w": w, "p": p, "gamma": torch.tensor(0.7)})
    assert single.total.shape == () and single.marginals.shape == (4, 3) and single.grad("gamma").shape == ()


def test_hessian_is_symmetric_and_that_of_backward_twice(solver):
    found = hessian(summed(solver), (0, 1, 2, 3))(*values())
    leaves = [v.requires_grad_() for v in values()]
    first = torch.autograd.grad(summed(solver)(*leaves), leaves, create_graph=True)
    for i, flow in enumerate(first):
        rows = [torch.autograd.grad(x, leaves, retain_graph=True) for x in flow.flatten()]
        for j, leaf in enumerate(leaves):
            wanted = torch.stack([r[j] for r in rows]).reshape(flow.shape + leaf.shape)
            torch.testing.assert_close(found[i][j], wanted, rtol=1e-10, atol=1e-10)
            turned = found[j][i].movedim(tuple(range(leaf.ndim)), tuple(range(-leaf.ndim, 0)))
            torch.testing.assert_close(found[i][j], turned, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("outer, inner", [(jacfwd, jacrev), (jacrev, jacrev), (jacrev, jacfwd)])
def test_every_order_of_modes(solver, outer, inner):
    cost, *rest = values(1)
    wanted = hessian(lambda c: total(solver)(c, *rest).sum())(cost)
    torch.testing.assert_close(outer(inner(lambda c: total(solver)(c, *rest).sum()))(cost), wanted, rtol=1e-10, atol=1e-10)


def test_forward_over_forward_is_refused(solver):
    """torch takes the inner derivative of any `autograd.Function` for a constant there, silently."""
    cost, *rest = values(1)
    with pytest.raises(NotImplementedError, match="hessian"):
        jacfwd(jacfwd(lambda c: total(solver)(c, *rest).sum()))(cost)


def test_jvp_and_vjp_are_transposes(solver):
    point, along = values(), values(seed=1)
    out, moved = jvp(total(solver), point, along)
    torch.testing.assert_close(out, total(solver)(*point))
    _, back = vjp(total(solver), *point)
    u = torch.tensor([0.3, -1.2], dtype=torch.float64)
    torch.testing.assert_close((u * moved).sum(), sum((a * b).sum() for a, b in zip(back(u), along)))
    h = 1e-6
    ahead, behind = (total(solver)(*(v + s * h * d for v, d in zip(point, along))) for s in (1, -1))
    torch.testing.assert_close(moved, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-8)


def test_a_gradient_penalty_trains(solver):
    """A loss of the gradient of the total, and of the marginals: its own gradient beside differences."""
    cost, *rest = values()

    def penalty(c):
        return grad(lambda x: total(solver)(x, *rest).sum())(c).square().sum()

    def prior(c):
        return (solver(c, params=dict(zip(("w", "p", "gamma"), rest))).marginals * torch.arange(3.0).double()).square().sum()

    for loss in (penalty, prior):
        found = grad(loss)(cost)
        assert found.abs().max() > 1e-3
        h = 1e-6
        for at in [(0, 1, 1), (1, 3, 2), (0, 0, 0)]:
            step = torch.zeros_like(cost)
            step[at] = h
            torch.testing.assert_close(found[at], (loss(cost + step) - loss(cost - step)) / (2 * h), rtol=1e-5, atol=1e-7)


def test_losses_on_grads_of_params(solver):
    cost, w, p, gamma = values()

    def loss(w):
        return solver(cost, params={"w": w, "p": p, "gamma": gamma}).grad("p").square().sum()

    h = 1e-6
    torch.testing.assert_close(grad(loss)(w), (loss(w + h) - loss(w - h)) / (2 * h), rtol=1e-6, atol=1e-8)


def test_a_third_derivative_is_refused(solver):
    cost, *rest = values(1)
    third = grad(lambda c: grad(lambda d: grad(lambda e: total(solver)(e, *rest).sum())(d).square().sum())(c).square().sum())
    with pytest.raises(NotImplementedError, match="third derivatives"):
        third(cost)


def test_nested_maps(solver):
    cost, _, p, gamma = values()
    stack = torch.stack([torch.stack([cost, cost + 1]), torch.stack([cost * 2, cost * 3])])
    weights = torch.tensor([1.0, 2.0], dtype=torch.float64)
    found = vmap(vmap(total(solver), (0, None, None, None)), (0, 0, None, None))(stack, weights, p, gamma)
    for i in range(2):
        for j in range(2):
            torch.testing.assert_close(found[i, j], total(solver)(stack[i, j], weights[i], p, gamma))


def test_lengths_and_labels_are_mapped():
    solver = dp.compile(dp.topologies.ctc(), dp.Softmin(1.0), engine="reference")
    g = torch.Generator().manual_seed(0)
    cost = torch.rand(3, 5, 5, generator=g, dtype=torch.float64)
    labels = torch.tensor([[0, 1, 0, 1, 0], [0, 1, 0, 2, 0], [0, 2, 0, 2, 0]])
    n = torch.tensor([5, 4, 5])
    found = vmap(lambda c, a, n: solver(c, (n, 5), {"labels": a}).total)(cost, labels, n)
    torch.testing.assert_close(found, solver(cost, (n, 5), {"labels": labels}).total)


# --- operators and graphs -----------------------------------------------------------------------------


def test_operators_keep_their_contracts(solver):
    core = core_of(solver)
    cost, w, p, gamma = values()
    by_name = {"cost": cost, "w": w.expand(2).clone(), "p": p.expand(2, 3).clone(), "gamma": gamma}
    inputs = [by_name[name].requires_grad_() for name in core.inputs]
    n, m = torch.tensor([4, 3]), torch.tensor([3, 3])
    tests = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(ops.total, (core.number, n, m, inputs, []), test_utils=tests)
    torch.library.opcheck(ops.total, (core.number, None, None, inputs, []), test_utils=tests)
    torch.library.opcheck(ops.gradient, (core.number, [0, 1], n, m, inputs, []), test_utils=tests)
    direction = [torch.rand_like(inputs[0])]
    torch.library.opcheck(
        ops.second, (core.number, [0, 2], [0], n, m, [v.detach() for v in inputs], [], direction), test_utils=tests
    )


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_training_step_compiles_without_breaks(solver, backend):
    network = torch.nn.Linear(5, 3, dtype=torch.float64)
    x, (_, w, p, gamma) = torch.rand(2, 4, 5, dtype=torch.float64), values()

    def loss(x, n, m):
        result = solver(network(x).square(), (n, m), {"w": w, "p": p, "gamma": gamma})
        return result.total.sum() + 0.1 * result.marginals.square().sum()

    torch.compiler.reset()
    n, m = torch.tensor([4, 3]), torch.tensor([3, 2])
    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    found = torch.autograd.grad(compiled(x, n, m), network.parameters())
    for a, b in zip(found, torch.autograd.grad(loss(x, n, m), network.parameters())):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_a_graph_takes_other_sizes():
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0), engine="reference")
    compiled = torch.compile(lambda c: solver(c * 2).total.sum(), fullgraph=True, dynamic=True, backend="aot_eager")
    for size in [(2, 3, 4), (3, 4, 2), (1, 5, 5)]:
        cost = torch.rand(size, requires_grad=True)
        torch.testing.assert_close(compiled(cost), solver(cost * 2).total.sum())
        (found,) = torch.autograd.grad(compiled(cost), cost)
        torch.testing.assert_close(found, solver(cost.detach() * 2).marginals * 2)


# --- tensors of every make ----------------------------------------------------------------------------


def test_autocast(solver):
    """A cost made in bfloat16 is aligned in float32, and the gradient goes back to where it came from."""
    network = torch.nn.Linear(5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        cost = network(torch.rand(2, 4, 5))
        assert cost.dtype == torch.bfloat16
        found = solver(cost, params={"w": 1.3, "p": torch.rand(3), "gamma": torch.full((2,), 0.5)}).total
    assert found.dtype == torch.float32
    found.sum().backward()
    assert network.weight.grad.dtype == torch.float32 and torch.isfinite(network.weight.grad).all()


def test_views_are_read_as_they_are_and_never_written(solver):
    cost, *rest = values(1)
    wanted = total(solver)(cost.expand(2, 4, 3).contiguous(), rest[0], rest[1], torch.tensor([0.5, 0.5]).double())
    strided = torch.empty(3, 4, 2, dtype=torch.float64).copy_(cost.expand(2, 4, 3).permute(2, 1, 0)).permute(2, 1, 0)
    for view in (cost.expand(2, 4, 3), strided):
        leaf = view.detach().requires_grad_()
        found = total(solver)(leaf, rest[0], rest[1], torch.tensor([0.5, 0.5]).double())
        torch.testing.assert_close(found.detach(), wanted)
        (flow,) = torch.autograd.grad(found.sum(), leaf)
        torch.testing.assert_close(flow[0], flow[1])
        torch.testing.assert_close(leaf.detach(), cost.expand(2, 4, 3))


def test_an_empty_batch(solver):
    cost, w, p, gamma = (v.requires_grad_() for v in values(0))
    result = solver(cost, params={"w": w, "p": p, "gamma": gamma})
    assert result.total.shape == (0,) and result.marginals.shape == (0, 4, 3)
    for flow, leaf in zip(torch.autograd.grad(result.total.sum(), (cost, w, p, gamma)), (cost, w, p, gamma)):
        assert flow.shape == leaf.shape and not flow.any()


def test_padding_is_never_read(solver):
    cost, w, p, gamma = values()
    cost[1, 3:] = math.nan
    cost[1, :, 2:] = math.nan
    cost.requires_grad_()
    result = solver(cost, (torch.tensor([4, 3]), torch.tensor([3, 2])), {"w": w, "p": p, "gamma": gamma})
    assert torch.isfinite(result.total).all()
    (flow,) = torch.autograd.grad(result.total.sum() + result.marginals.square().sum(), cost)
    assert torch.isfinite(flow).all() and not flow[1, 3:].any() and not flow[1, :, 2:].any()


def test_a_nan_and_an_item_without_a_path_stay_where_they_are(solver):
    cost, w, p, gamma = values(3)
    cost[0, 1, 1] = math.nan
    cost[1, 0, 0] = math.inf
    cost.requires_grad_()
    result = solver(cost, params={"w": w, "p": p, "gamma": gamma})
    assert torch.isnan(result.total[0]) and result.total[1] == math.inf and torch.isfinite(result.total[2])
    (flow,) = torch.autograd.grad(result.total[1:].sum(), cost, create_graph=True)
    assert not flow[1].any() and torch.isfinite(flow[2]).all()
    (second,) = torch.autograd.grad(flow[1:].square().sum(), cost)
    assert not second[1].any() and torch.isfinite(second[2]).all() and second[2].any()


def test_writing_over_a_cost_is_noticed(solver):
    cost, w, p, gamma = values()
    cost.requires_grad_()
    moved = cost * 1.0
    out = solver(moved, params={"w": w, "p": p, "gamma": gamma}).total.sum()
    with torch.no_grad():
        moved.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_marginals_are_the_callers_own(solver):
    cost, w, p, gamma = values()
    result = solver(cost, params={"w": w, "p": p, "gamma": gamma})
    result.marginals.zero_()
    assert result.marginals.abs().sum() > 1.0


def test_inference_mode_and_no_grad(solver):
    cost, w, p, gamma = values()
    with torch.inference_mode():
        result = solver(cost * 1.0, params={"w": w, "p": p, "gamma": gamma})
        assert result.marginals.shape == cost.shape and not result.total.requires_grad


def test_paths_and_other_outputs():
    cost = torch.tensor([[1.0, 5.0], [2.0, 1.0]], requires_grad=True)
    result = dp.compile(dp.topologies.dtw(), dp.Tropical)(cost)
    assert result.path.tolist() == [[0, 0], [1, 1]] and result.path.dtype == torch.int64
    result.total.backward()
    assert cost.grad.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    entropy = dp.compile(dp.topologies.dtw(), dp.Entropy(1.0))(cost)
    assert entropy.entropy == entropy.outputs["entropy"] and not entropy.entropy.requires_grad
    with pytest.raises(AttributeError, match="no 'entropie'"):
        _ = entropy.entropie
    drawn = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))(cost).sample(3, seed=0)
    assert len(drawn) == 3


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda s: s(torch.ones(2, 4, 3), params=VALUES | {"w": np.ones(())}), TypeError, "NumPy array and the cost a torch"),
        (lambda s: s(torch.ones(2, 4, 3), params=VALUES | {"w": torch.ones(1)}), ValueError, r"'w'\] has the shape \(1,\)"),
        (lambda s: s(torch.ones(4), params={}), ValueError, r"shape \(4,\); \(N, M\) or"),
        (lambda s: s(torch.ones(2, 4, 3)), ValueError, "'w', 'p', 'gamma' are missing"),
        (lambda s: s(torch.ones(4, 3, dtype=torch.complex64)), TypeError, "complex64; real numbers"),
        (lambda s: s(torch.ones(4, 3, device="meta")), TypeError, "on the device meta"),
        (lambda s: s(torch.ones(4, 3).to_sparse()), TypeError, "dense"),
        (lambda s: s(torch.ones(2, 4, 3), (torch.tensor([4.0, 3.0]), 3), VALUES), ValueError, "whole numbers"),
        (lambda s: s(torch.ones(2, 4, 3), (torch.tensor([4, 5]), 3), VALUES), ValueError, "item 1 has 5 along n"),
        (lambda s: s(-torch.full((2, 4, 3), math.inf), params=VALUES), ValueError, "-inf"),
        (lambda s: s(torch.ones(2, 4, 3), params=VALUES | {"gamma": torch.tensor([1.0, -1.0])}), ValueError, "finite and > 0"),
    ],
)  # fmt: skip
def test_refusals(solver, call, error, words):
    with pytest.raises(error, match=words):
        call(solver)


VALUES = {"w": torch.tensor(1.0), "p": torch.zeros(3), "gamma": torch.ones(2)}


# --- what a hostile reader tried -------------------------------------------------------------------------


def test_a_flow_into_an_item_without_a_path_does_not_poison():
    cost = torch.rand(2, 3, 3, dtype=torch.float64)
    cost[0] = math.inf
    cost.requires_grad_()
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5), engine="reference")
    for compiled in (lambda c: solver(c).total, torch.compile(lambda c: solver(c).total, backend="aot_eager")):
        (flow,) = torch.autograd.grad((compiled(cost) ** 2)[1], cost)
        assert not flow[0].any() and torch.isfinite(flow[1]).all() and flow[1].any()


def test_hessian_vector_products_of_every_make(solver):
    cost, w, p, gamma = values()
    f = lambda c: total(solver)(c, w, p, gamma).sum()  # noqa: E731
    v = torch.rand_like(cost)
    wanted = torch.func.jvp(grad(f), (cost,), (v,))[1]
    for product in (torch.autograd.functional.hvp, torch.autograd.functional.vhp):
        torch.testing.assert_close(product(f, cost, v)[1], wanted)
    x, u = cost.clone().requires_grad_(), v.clone().requires_grad_()
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    (h,) = torch.autograd.grad(g, x, u, create_graph=True)
    (back,) = torch.autograd.grad((h * h.detach()).sum(), u, retain_graph=True)  # H H u
    torch.testing.assert_close(back, torch.func.jvp(grad(f), (cost,), (wanted,))[1])
    with pytest.raises(NotImplementedError, match="third derivatives"):
        torch.autograd.grad(h.sum(), x)


def test_forward_mode_in_a_graph_is_refused():
    """torch takes it for 0 there, silently."""
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5), engine="reference")
    f = torch.compile(lambda c, v: jvp(lambda a: solver(a).total, (c,), (v,))[1], backend="aot_eager", fullgraph=True)
    with pytest.raises(Exception, match=r"forward mode inside torch\.compile"):
        f(torch.rand(2, 3, 3), torch.rand(2, 3, 3))


@pytest.mark.parametrize("axes, shape", [("", ()), ("b", (2,)), ("n", (4,)), ("m", (3,)), ("bn", (2, 4)), ("bm", (1, 3))])
def test_grad_of_a_param_in_a_graph(axes, shape):
    solver = dp.compile(
        dp.Topology([dp.Step(1, 0, weight=dp.Param("w", axes)), dp.Step(1, 1)]), dp.Softmin(0.5), engine="reference"
    )
    w, cost = 1.0 + torch.rand(shape), torch.rand(2, 4, 3)
    f = lambda w: solver(cost, params={"w": w}).grad("w").square().sum()  # noqa: E731
    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(f, backend="aot_eager", fullgraph=True)(w), f(w))


def test_a_param_that_is_weight_and_mask():
    w = dp.Param("w", axes="m")
    solver = dp.compile(dp.Topology([dp.Step(1, 0, weight=w, where=w), dp.Step(1, 1)]), dp.Softmin(0.5), engine="reference")
    cost, value = torch.rand(4, 3, dtype=torch.float64), torch.tensor([0.5, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    result = solver(cost, params={"w": value})
    (flow,) = torch.autograd.grad(result.total, value, retain_graph=True)
    plain = solver(cost.numpy(), params={"w": value.detach().numpy()})
    torch.testing.assert_close(flow, torch.tensor(plain.grad("w")))
    torch.testing.assert_close(result.grad("w").detach(), flow)


def test_forward_mode_along_what_has_no_derivative(solver):
    masked = dp.compile(
        dp.Topology([dp.Step(1, 0, where=dp.Param("on", axes="m")), dp.Step(1, 1)]), dp.Softmin(0.5), engine="reference"
    )
    cost, on = torch.rand(4, 3), torch.ones(3)
    _, moved = jvp(lambda a: masked(cost, params={"on": a}).total, (on,), (on,))
    assert not moved.any()
    gamma = torch.tensor([0.5, 0.6], dtype=torch.float64)
    cost, w, p, _ = values(dtype=torch.float32)
    out, moved = jvp(lambda g: total(solver)(cost, w, p, g), (gamma,), (torch.ones_like(gamma),))
    assert out.dtype == moved.dtype == torch.float32


def test_the_run_goes_with_the_graph():
    """A loss that is kept, for a log, does not keep the costs and the lattice of its call."""
    import gc
    import weakref

    from dpsemiring.api import Result

    cost = torch.rand(20, 20, requires_grad=True)
    loss = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5), engine="reference")(cost).total
    gc.collect()
    alive = [weakref.ref(o) for o in gc.get_objects() if type(o) is Result and o.total == loss.item()]
    assert alive
    loss.backward(retain_graph=True)
    gc.collect()
    assert not any(r() for r in alive)
    first = cost.grad.clone()
    loss.backward()  # a second time: computed anew
    torch.testing.assert_close(cost.grad, 2 * first)


def test_one_length_alone_and_negated_views(solver):
    cost, w, p, gamma = values()
    params = {"w": w, "p": p, "gamma": gamma}
    m = torch.tensor([3, 2])
    torch.testing.assert_close(solver(cost, (None, m), params).total, solver(cost, (torch.tensor([4, 4]), m), params).total)
    negated = torch.conj(torch.complex(torch.zeros_like(cost), -cost)).imag
    assert negated.is_neg()
    torch.testing.assert_close(solver(negated, None, params).total, solver(cost, None, params).total)


def test_solvers_made_in_threads_are_their_own():
    import threading

    from dpsemiring.torch import solvers

    semirings = [dp.Softmin(1.0 + 0.1 * i) for i in range(4)]
    barrier, found = threading.Barrier(4), {}

    def ask(i):
        barrier.wait()
        found[i] = solvers.solver_of(semirings[i], dp.topologies.symmetric1)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [found[i].semiring for i in range(4)] == semirings


def test_a_number_tells_what_a_solver_computes():
    def number_of(topology, semiring):
        return core_of(dp.compile(topology, semiring, engine="reference")).number

    same = number_of(dp.topologies.dtw(), dp.Softmin(0.5))
    assert same == number_of(dp.topologies.dtw(), dp.Softmin(0.5))
    others = [
        (dp.topologies.dtw(), dp.Softmin(0.6)),
        (dp.topologies.dtw(), dp.Tropical),
        (dp.topologies.symmetric2(), dp.Softmin(0.5)),
    ]
    others.append((dp.topologies.dtw().replace(window=dp.Window.sakoe_chiba(3)), dp.Softmin(0.5)))
    assert len({same, *(number_of(*o) for o in others)}) == 5
    with pytest.raises(RuntimeError, match="not there"):
        ops.total(1, None, None, [torch.rand(1, 2, 2)], [])
