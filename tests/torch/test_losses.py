"""`AlignmentLoss`: values beside the solver's, normalisation by definition, what is learnt, no path, state."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import dpsemiring as dp
from dpsemiring.torch import AlignmentLoss, GammaSchedule, bce, nll, sqeuclidean

DTW = dp.topologies.dtw()
SOFT = dp.Softmin(0.5)
LENGTHS = torch.tensor([5, 3, 4]), torch.tensor([4, 4, 2])


def series(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def loss_of(topology=DTW, semiring=SOFT, **options):
    return AlignmentLoss(topology, semiring, **{"cost": "sqeuclidean", "reduction": "none", "engine": "reference"} | options)


X, Y = series(3, 5, 2), series(3, 4, 2, seed=1)


def solved(topology=DTW, semiring=SOFT, **options):
    solver = dp.compile(topology, semiring, engine="reference")
    return solver(dp.costs.sqeuclidean(X.numpy(), Y.numpy()), tuple(n.numpy() for n in LENGTHS), **options)


# --- value, normalisation, reduction ----------------------------------------------------------------


def test_value_and_gradient():
    x, y = X.clone().requires_grad_(), Y.clone().requires_grad_()
    found = loss_of()(x, y, LENGTHS)
    found.sum().backward()
    wanted = solved()
    np.testing.assert_allclose(found.detach(), wanted.total, rtol=1e-12)
    np.testing.assert_allclose(x.grad, wanted.grad("x"), atol=1e-12)
    np.testing.assert_allclose(y.grad, wanted.grad("y"), atol=1e-12)


COSTS = {
    "sqeuclidean": (X, Y), "cosine": (X, Y), "bce": (X.sigmoid(), Y.sigmoid()), "bce_logits": (X, Y.sigmoid()),
    "nll": (X.log_softmax(-1), torch.tensor([[0, 1, 0, 0], [1, 1, 0, -7], [1, 0, 9, 9]])),
    "gather": (X.log_softmax(-1), torch.tensor([[0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 9, 9]])),
}  # fmt: skip


@pytest.mark.parametrize("name", COSTS)
def test_costs_by_name(name):
    x, y = COSTS[name]
    m = torch.tensor([4, 3, 2])
    source = {"bce_logits": lambda a, b: dp.costs.bce(a, b, logits=True)}.get(name) or getattr(dp.costs, name)
    semiring = dp.Log if name == "gather" else SOFT
    found = loss_of(semiring=semiring, cost=name)(x, y, (LENGTHS[0], m))
    wanted = dp.compile(DTW, semiring, engine="reference")(source(x.numpy(), y.numpy()), (LENGTHS[0].numpy(), m.numpy()))
    np.testing.assert_allclose(found, wanted.total, rtol=1e-12)


def test_costs_of_ones_own():
    wanted = loss_of(cost=None)(2.0 * sqeuclidean(X, Y) + bce(X, Y.sigmoid(), logits=True), lengths=LENGTHS)

    def both(x, y):
        return 2.0 * sqeuclidean(x, y) + bce(x, y.sigmoid(), logits=True)

    torch.testing.assert_close(loss_of(cost=both)(X, Y, LENGTHS), wanted)
    source = 2.0 * dp.costs.sqeuclidean(X, Y) + dp.costs.bce(X, Y.sigmoid(), logits=True)
    torch.testing.assert_close(loss_of(cost="cost")(source, lengths=LENGTHS), wanted)
    poisoned = X.clone()
    poisoned[1, 3:] = math.nan
    torch.testing.assert_close(loss_of(cost=both)(poisoned, Y, LENGTHS), wanted)


def test_several_planes():
    """Affine gaps whose costs come from the frames, as a dict; normalised by the main plane's lengths."""
    gaps = dp.topologies.affine_gap(1.0, 0.5, deletion="deletion")

    def cost(x, y):
        return {"deletion": x.square().sum(-1, keepdim=True).expand(*x.shape[:-1], y.shape[-2]), "cost": sqeuclidean(x, y)}

    found = loss_of(gaps, cost=cost)(X, Y, LENGTHS)
    planes = {name: plane.numpy() for name, plane in cost(X, Y).items()}
    lengths = tuple(n.numpy() for n in LENGTHS)
    result = dp.compile(gaps, SOFT, engine="reference")(planes, lengths)
    np.testing.assert_allclose(found, result.total, rtol=1e-12)
    np.testing.assert_allclose(loss_of(gaps, cost=cost, normalize="N")(X, Y, LENGTHS), result.total / lengths[0], rtol=1e-12)
    weight = sum(plane.sum((1, 2)) for plane in result.marginals.values())
    np.testing.assert_allclose(loss_of(gaps, cost=cost, normalize="path")(X, Y, LENGTHS), result.total / weight, rtol=1e-12)


def test_reductions():
    each = loss_of()(X, Y, LENGTHS)
    assert each.shape == (3,)
    torch.testing.assert_close(loss_of(reduction="mean")(X, Y, LENGTHS), each.mean())
    torch.testing.assert_close(loss_of(reduction="sum")(X, Y, LENGTHS), each.sum())
    for reduction in ("none", "mean", "sum"):
        one = loss_of(reduction=reduction)(X[1], Y[1], (3, 4))
        assert one.shape == ()
        torch.testing.assert_close(one, each[1])
    assert loss_of(reduction="sum")(X[:0], Y[:0]) == 0.0


@pytest.mark.parametrize("topology", [DTW, dp.topologies.symmetric2(), dp.topologies.asymmetric()])
@pytest.mark.parametrize("semiring", [SOFT, dp.Tropical], ids=lambda s: s.name)
def test_normalisation(topology, semiring):
    result = solved(topology, semiring)
    n, m = (length.numpy() for length in LENGTHS)
    for normalize, divisor in {"N": n, "M": m, "N+M": n + m, "path": result.marginals.sum((1, 2))}.items():
        found = loss_of(topology, semiring, normalize=normalize)(X, Y, LENGTHS)
        np.testing.assert_allclose(found, result.total / divisor, rtol=1e-12)
    full = loss_of(topology, semiring, normalize="N+M")(X, Y)
    torch.testing.assert_close(full, loss_of(topology, semiring)(X, Y) / 9)


def test_the_weight_of_the_path():
    """Under a hard minimum the weights along the path; with weights of 1 the expected number of cells."""
    hard = solved(dp.topologies.symmetric2(), dp.Tropical)
    weights = [1 + sum(2 if min(step) else 1 for step in np.diff(path, axis=0)) for path in hard.path]
    found = loss_of(dp.topologies.symmetric2(), dp.Tropical, normalize="path")(X, Y, LENGTHS)
    np.testing.assert_allclose(found, hard.total / weights)
    assert weights == [n + m - 1 for n, m in zip(*LENGTHS)]
    soft = solved()
    visits = soft.total / soft.occupancy.sum((1, 2))
    np.testing.assert_allclose(loss_of(normalize="path")(X, Y, LENGTHS), visits, rtol=1e-12)


@pytest.mark.parametrize("semiring", [SOFT, dp.Sparsemin(0.5), dp.Smoothmin(0.5), dp.Tropical], ids=lambda s: s.name)
@pytest.mark.parametrize("normalize", [None, "N+M", "path"])
def test_derivatives(semiring, normalize):
    """The path's weight is differentiated too: the gradient is that of the value."""
    loss = loss_of(dp.topologies.symmetric2() if normalize else DTW, semiring, normalize=normalize)
    inputs = series(2, 3, 1).requires_grad_(), series(2, 3, 1, seed=1).requires_grad_()
    lengths = torch.tensor([3, 2]), torch.tensor([2, 3])
    assert gradcheck(lambda x, y: loss(x, y, lengths), inputs)
    if normalize == "path":
        with pytest.raises(NotImplementedError, match="third derivatives"):
            gradgradcheck(lambda x, y: loss(x, y, lengths), inputs)
    else:
        assert gradgradcheck(lambda x, y: loss(x, y, lengths), inputs)


# --- no path ----------------------------------------------------------------------------------------


def test_items_without_a_path():
    """inf, without a gradient; with zero_infinity 0, in a mean over all items."""
    x, y = [X[0], X[1][:1]], [Y[0], Y[1]]  # one frame cannot be taken to four by steps of 2-1
    for normalize in (None, "N", "path"):
        plain = loss_of(dp.topologies.dtw_21(), normalize=normalize)
        kept = loss_of(dp.topologies.dtw_21(), normalize=normalize, zero_infinity=True)
        assert plain(x, y)[1] == math.inf and kept(x, y)[1] == 0.0 and kept(x, y)[0] == plain(x, y)[0]
        torch.testing.assert_close(plain(x, y)[0], plain(X[0], Y[0]))
        kept.reduction = "mean"
        torch.testing.assert_close(kept(x, y), 0.5 * plain(X[0], Y[0]))
        for loss in (plain, kept):
            a, b = X[0].clone().requires_grad_(), X[1][:1].clone().requires_grad_()
            loss([a, b], y).sum().backward()
            assert a.grad.isfinite().all() and a.grad.any() and not b.grad.any()
    scores = loss_of(dp.topologies.dtw_21(), dp.Log, cost="gather", zero_infinity=True)
    assert scores(X[0][:1].log_softmax(-1), torch.tensor([0, 1, 0, 1])) == 0.0


def test_forbidden_cells():
    cost = sqeuclidean(X, Y)
    cost[:, 1, 2] = math.inf
    cost.requires_grad_()
    loss = loss_of(cost=None, reduction="mean", normalize="path")(cost)
    loss.backward()
    assert loss.isfinite() and cost.grad.isfinite().all() and not cost.grad[:, 1, 2].any()


# --- what is learnt ---------------------------------------------------------------------------------


def test_learnt_weights_and_temperatures():
    topology = dp.topologies.weighted_dtw(diagonal=dp.Param("w", axes="m"))
    loss = loss_of(topology, dp.Softmin, gamma=torch.nn.Parameter(torch.tensor(0.5)), normalize="path", reduction="mean")
    weight = torch.nn.Parameter(torch.full((4,), 2.0, dtype=torch.float64))
    assert dict(loss.named_parameters()).keys() == {"gamma"}
    before = loss(X, Y, params={"w": weight})
    before.backward()
    assert weight.grad.shape == (4,) and weight.grad.any() and loss.gamma.grad.isfinite() and loss.gamma.grad != 0.0
    optimizer = torch.optim.SGD([weight, *loss.parameters()], lr=0.01)
    optimizer.step()
    assert loss(X, Y, params={"w": weight}) < before
    named = loss_of(topology, dp.Softmin(dp.Param("gamma")), normalize="path")
    gamma = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda w, g: named(X, Y, params={"w": w, "gamma": g}), (weight, gamma))


def test_a_temperature_given_in_every_way():
    wanted = loss_of()(X, Y, LENGTHS)
    schedule = GammaSchedule(0.5, 0.05, 3)
    for gamma in (0.5, torch.tensor(0.5).double(), torch.full((3,), 0.5).double(), schedule):
        torch.testing.assert_close(loss_of(semiring=dp.Softmin, gamma=gamma)(X, Y, LENGTHS), wanted, rtol=0, atol=0)
    by_name = loss_of(semiring=dp.Softmin(dp.Param("t")))
    torch.testing.assert_close(by_name(X, Y, LENGTHS, {"t": schedule}), wanted, rtol=0, atol=0)


# --- schedules and state ----------------------------------------------------------------------------


def test_schedules():
    geometric, linear = GammaSchedule(2.0, 0.02, 4), GammaSchedule(2.0, 1.0, 4, kind="linear")
    found = []
    for _ in range(6):
        found.append((geometric.gamma, linear.gamma))
        geometric.step()
        linear.step()
    wanted = [(2.0 * 0.01 ** (min(t, 4) / 4), 2.0 - min(t, 4) / 4) for t in range(6)]
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
    assert isinstance(geometric.gamma, float) and geometric().dtype == torch.float64
    rising = GammaSchedule(0.1, 1.0, 1)
    rising.step()
    assert math.isclose(rising.gamma, 1.0)
    for words, arguments in {
        "start must be finite and > 0, found 0.0": (0.0, 1.0, 3),
        "end must be finite and > 0, found nan": (1.0, math.nan, 3),
        "steps is a whole number >= 1, found 0": (1.0, 0.1, 0),
        "kind is 'geometric' or 'linear', found 'cubic'": (1.0, 0.1, 3, "cubic"),
    }.items():
        with pytest.raises(ValueError, match=words):
            GammaSchedule(*arguments)


def test_state():
    def made():
        return torch.nn.ModuleDict({"loss": loss_of(semiring=dp.Softmin, gamma=GammaSchedule(1.0, 0.1, 10))})

    model = made()
    for _ in range(4):
        model["loss"].gamma.step()
    state = model.state_dict()
    assert list(state) == ["loss.gamma.taken"]
    again = made()
    assert again["loss"].gamma.gamma == 1.0
    again.load_state_dict(state)
    assert again["loss"].gamma.gamma == model["loss"].gamma.gamma < 1.0
    assert not loss_of().state_dict()
    fresh = GammaSchedule(1.0, 0.1, 10)
    fresh.load_state_dict(model["loss"].gamma.state_dict())
    fresh.step()
    assert fresh.gamma < again["loss"].gamma.gamma
    twin = copy.deepcopy(model["loss"])
    torch.testing.assert_close(twin(X, Y), model["loss"](X, Y))


def test_it_prints_itself():
    text = repr(loss_of(semiring=dp.Softmin, gamma=GammaSchedule(1.0, 0.1, 10), normalize="N+M"))
    assert "cost='sqeuclidean', reduction='none', normalize='N+M'" in text and "1.0 -> 0.1 in 10 geometric steps, gamma=1" in text
    assert "cost='nll'" in repr(loss_of(cost=nll))


def test_vmap_and_grad():
    loss = loss_of()
    torch.testing.assert_close(torch.vmap(loss)(X, Y), loss(X, Y))
    x = X.clone().requires_grad_()
    loss(x, Y).sum().backward()
    torch.testing.assert_close(torch.vmap(torch.func.grad(loss))(X, Y), x.grad)
    labels = torch.tensor([[0, 1], [1, 0], [0, 0]])
    named = loss_of(cost="nll")
    torch.testing.assert_close(torch.vmap(named)(X.log_softmax(-1), labels), named(X.log_softmax(-1), labels))


REFUSED = {
    "with gamma=, semiring is a function of it, such as dp.Softmin; found": lambda: loss_of(gamma=0.5),
    "cost is one of sqeuclidean, .*, a function of two tensors, or None; found 'l2'": lambda: loss_of(cost="l2"),
    "normalize is one of None, N, M, N[+]M, path, found 'n'": lambda: loss_of(normalize="n"),
    "reduction is one of none, mean, sum, found None": lambda: loss_of(reduction=None),
    "y is missing; with cost='sqeuclidean'": lambda: loss_of()(X),
    "y stands beside it": lambda: loss_of(cost=None)(X, Y),
    "x has 2 features": lambda: loss_of()(X, Y[..., :1]),
    "item 1 has 6 along n; 0 to 5": lambda: loss_of()(X, Y, (torch.tensor([5, 6, 5]), 4)),
    "label 9 of item 2 at column 2": lambda: loss_of(cost="nll")(*COSTS["nll"], (5, torch.tensor([4, 3, 4]))),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused(words):
    with pytest.raises((ValueError, TypeError), match=words):
        REFUSED[words]()


def test_the_alignment_behind_a_loss():
    loss = AlignmentLoss(dp.topologies.dtw(), dp.Softmin, gamma=0.5, cost="sqeuclidean", reduction="none", engine="reference")
    x, y, lengths = torch.randn(2, 5, 3), torch.randn(2, 4, 3), (torch.tensor([5, 3]), torch.tensor([4, 4]))
    result = loss.align(x, y, lengths)
    assert torch.equal(result.total, loss(x, y, lengths))
    assert result.marginals.shape == (2, 5, 4) and not result.marginals[1, 3:].any()
    assert dp.diagnostics.collapse(result).shape == (2,)


@pytest.mark.parametrize(
    "function",
    [lambda x, y: torch.cdist(y, x), lambda x, y: torch.cdist(x, y)[:, :3], lambda x, y: torch.cdist(x, y)[0]],
)
def test_a_cost_of_another_shape_is_refused(function):
    loss = AlignmentLoss(dp.topologies.dtw(), dp.Softmin(0.5), cost=function, engine="reference")
    with pytest.raises(ValueError, match=r"\(2, 9, 5\) is expected"):
        loss(torch.randn(2, 9, 3), torch.randn(2, 5, 3))


def test_lengths_in_the_place_of_params_are_refused():
    loss = AlignmentLoss(dp.topologies.dtw(), dp.Softmin(0.5), cost="sqeuclidean", engine="reference")
    with pytest.raises(TypeError, match=r"params is a dict .* lengths=\(n, m\)"):
        loss(torch.randn(2, 9, 3), torch.randn(2, 5, 3), ([9, 8], [5, 4]), torch.tensor([5, 4]))
    with pytest.raises(ValueError, match=r"lengths is a pair, along x and along y"):
        loss(torch.randn(2, 9, 3), torch.randn(2, 5, 3), torch.tensor([9, 8]))


def test_what_is_learnt_is_no_constant_of_a_declaration():
    """It would get no gradient, silently."""
    learnt = torch.nn.Parameter(torch.tensor(2.0))
    for declare in (lambda: dp.Step(1, 0, weight=learnt), lambda: dp.Step(1, 0, penalty=learnt)):
        with pytest.raises(TypeError, match=r"requires a gradient.*dp.Param"):
            declare()
    with pytest.raises(TypeError, match=r"requires a gradient.*dp.Param"):
        dp.compile(dp.topologies.dtw(), dp.Softmin(learnt))
    with pytest.raises(TypeError, match="requires a gradient"):
        learnt * dp.costs.sqeuclidean(torch.ones(2, 1), torch.ones(2, 1))
