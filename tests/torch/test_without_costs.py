"""Totals of sources on tensors without their costs: against the costs as tensors, for every kind and everything torch asks."""

import math
from functools import partial

import pytest
import torch
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual
from torch.nn.functional import ctc_loss as torch_ctc_loss

import dpsemiring as dp
from dpsemiring.run import inputs
from dpsemiring.torch import AlignmentLoss, ctc_duration_loss, ctc_loss, forced_align, soft_dtw
from dpsemiring.torch import sources as tensor_sources
from dpsemiring.torch.fused import Fused

B, N, M, D = 3, 21, 17, 5
GENERATOR = torch.Generator().manual_seed(0)
X = torch.rand(B, N, D, generator=GENERATOR)
Y = torch.rand(B, M, D, generator=GENERATOR)
LABELS = torch.randint(0, D, (B, M), generator=GENERATOR)
LENGTHS = torch.tensor([N, 12, 1]), torch.tensor([M, 16, 5])
DTW = dp.compile(dp.topologies.dtw(), dp.Softmin(dp.Param("gamma", axes="b")))
GAMMA = torch.tensor([0.5])
SOURCES = {
    "sqeuclidean": dp.costs.sqeuclidean,
    "cosine": lambda x, y: dp.costs.cosine(x - 0.5, y - 0.5),
    "gather": lambda x, y: dp.costs.gather(x, LABELS),
    "nll of labels": lambda x, y: dp.costs.nll(x.log(), LABELS.to(torch.uint8)),
    "nll": lambda x, y: dp.costs.nll(x.log(), y),
    "bce": dp.costs.bce,
    "bce of logits": lambda x, y: dp.costs.bce(x, y, logits=True),
    "lookup": lambda x, y: dp.costs.lookup(y[0], LABELS[:, :1].int().expand(B, N) + torch.arange(N) % 5, LABELS),
    "a sum": lambda x, y: dp.costs.sqeuclidean(x, y) - 0.5 * dp.costs.gather(x, LABELS) + 2.0 * dp.costs.cosine(x, y[:1]),
}


@pytest.fixture
def fused(monkeypatch):
    """Small costs are not made either; `made` counts those that torch makes nevertheless."""
    monkeypatch.setattr(inputs, "WORTH_FUSING", 0)
    made = []
    own = tensor_sources.TensorSource.make
    monkeypatch.setattr(tensor_sources.TensorSource, "make", lambda *a: (made.append(1), own(*a))[1])
    return made


def leaves(*tensors):
    return [t.clone().requires_grad_() for t in tensors]


def both_ways(monkeypatch, function, *tensors):
    """The value and the gradients without costs, and with them."""
    out = []
    for worth in (0, 1 << 40):
        monkeypatch.setattr(inputs, "WORTH_FUSING", worth)
        own = leaves(*tensors)
        value = function(*own)
        out.append((value, *torch.autograd.grad(value.sum(), own, allow_unused=True)))
    return out


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind not in ("cosine", "gather")])  # these are in the sum
def test_values_and_gradients_are_those_of_costs_as_tensors(kind, fused, monkeypatch):
    def total(x, y, gamma):
        return DTW(SOURCES[kind](x, y), LENGTHS, {"gamma": gamma}).total * torch.tensor([1.0, 2.0, 3.0])

    found, wanted = both_ways(monkeypatch, total, X, Y, GAMMA)
    assert len(fused) == 1  # by the second way
    for ours, theirs in zip(found, wanted):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)


def test_no_cost_is_made_for_a_training_step(fused):
    x, y = leaves(X, Y)
    soft_dtw(x, y, 0.5, lengths=LENGTHS).backward()
    AlignmentLoss(dp.topologies.dtw(), dp.Softmin(0.5), cost="cosine", normalize="N+M")(x, y).backward()
    ctc_loss(x.transpose(0, 1), LABELS[:, :5] % 4 + 1, (21, 12, 6), (5, 2, 0)).backward()
    assert not fused


def test_what_serves_all_items_gets_the_sum_of_what_flows(fused, monkeypatch):
    def total(x, y):
        return DTW(dp.costs.sqeuclidean(x, y), None, {"gamma": GAMMA}).total * torch.tensor([1.0, 2.0, -3.0])

    for x, y in ((X, Y[0]), (X[:1], Y), (X[0], Y)):
        for ours, theirs in zip(*both_ways(monkeypatch, total, x, y)):
            torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)


def test_one_item_without_a_batch_axis_and_other_kinds_of_numbers(fused):
    for kind in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        x, y = leaves(X[0].to(kind), Y[0].to(kind))
        result = DTW(dp.costs.sqeuclidean(x, y), None, {"gamma": GAMMA})
        assert result.total.shape == () and not fused
        result.total.backward()
        wide = [t.detach().double().requires_grad_() for t in (x, y)]
        DTW((wide[0][:, None] - wide[1]).square().sum(-1), None, {"gamma": GAMMA.double()}).total.backward()
        assert x.grad.dtype == kind
        for ours, theirs in zip((x, y), wide):
            torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-2 if x.element_size() == 2 else 1e-4, atol=1e-3)


def test_one_tensor_in_two_places(fused, monkeypatch):
    def total(x):
        return DTW(dp.costs.sqeuclidean(x[:, :9], x) + dp.costs.nll(x[:, :9], x.flip(1)), None, {"gamma": GAMMA}).total

    for ours, theirs in zip(*both_ways(monkeypatch, total, X)):
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)
    x = X.double().requires_grad_()
    f = lambda x: DTW(dp.costs.sqeuclidean(x, x), None, {"gamma": GAMMA}).total.sum()  # noqa: E731
    h = torch.autograd.functional.hvp(f, x, torch.ones_like(x))[1]
    torch.testing.assert_close(h, torch.zeros_like(h), atol=1e-9, rtol=0.0)  # both series move alike


# --- whatever needs the cost -----------------------------------------------------------------------


def squares(x, y):
    return DTW(dp.costs.sqeuclidean(x, y), LENGTHS, {"gamma": GAMMA}).total


def test_second_derivatives(fused):
    x, y = leaves(X[:, :6, :2].double(), Y[:, :4, :2].double())

    def total(x, y, gamma):
        lengths = torch.tensor([6, 3, 1]), torch.tensor([4, 4, 2])
        return DTW(dp.costs.sqeuclidean(x, y) + dp.costs.cosine(x, y), lengths, {"gamma": gamma}).total

    gamma = GAMMA.double().requires_grad_()
    assert torch.autograd.gradcheck(total, (x, y, gamma), atol=1e-6)
    assert torch.autograd.gradgradcheck(total, (x, y, gamma), atol=1e-5)


def test_forward_mode(fused):
    direction = torch.ones_like(X)
    with dual_level():
        moved = unpack_dual(squares(make_dual(X, direction), Y)).tangent
    (gradient,) = torch.autograd.grad(squares(x := leaves(X)[0], Y).sum(), x)
    torch.testing.assert_close(moved, (gradient * direction).sum((1, 2)), rtol=1e-4, atol=1e-4)


def test_transforms_and_batched_gradients(fused):
    x = leaves(X)[0]
    (wanted,) = torch.autograd.grad(squares(x, Y).sum(), x)
    found = torch.func.grad(lambda x: squares(x, Y).sum())(X)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.func.jvp(lambda x: squares(x, Y), (X,), (X,))[1], (wanted * X).sum((1, 2)))
    del fused[:]
    jacobian = torch.autograd.functional.jacobian(lambda x: squares(x, Y), X, vectorize=True)
    torch.testing.assert_close(jacobian.sum(0), wanted, rtol=1e-5, atol=1e-6)
    assert not fused


@pytest.mark.parametrize("create_graph", [False, True])
def test_batched_gradients(create_graph, fused):
    x = leaves(X)[0]
    (found,) = torch.autograd.grad(squares(x, Y), x, torch.eye(3), is_grads_batched=True, create_graph=create_graph)
    for b in range(B):
        (wanted,) = torch.autograd.grad(squares(x, Y)[b], x)
        torch.testing.assert_close(found[b], wanted, rtol=1e-4, atol=1e-5)


def test_backward_twice_and_after_a_change(fused):
    x = leaves(X)[0]
    loss = squares(x, Y).sum()
    first, second = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)
    with torch.no_grad():
        x += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_rest_of_a_result(fused):
    x, gamma = leaves(X, GAMMA)
    source, cost = dp.costs.sqeuclidean(x, Y), torch.cdist(x, Y).square()
    found, wanted = (DTW(c, LENGTHS, {"gamma": gamma}) for c in (source, cost))
    torch.testing.assert_close(found.occupancy, wanted.occupancy, rtol=1e-3, atol=1e-4)
    assert not fused and found.lengths[0].tolist() == wanted.lengths[0].tolist()
    torch.testing.assert_close(found.marginals, wanted.marginals, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.grad("gamma"), wanted.grad("gamma"), rtol=1e-3, atol=1e-4)
    by_x = [torch.autograd.grad(r.marginals.square().sum(), x, retain_graph=True)[0] for r in (found, wanted)]
    torch.testing.assert_close(*by_x, rtol=1e-2, atol=1e-3)


def test_a_divisor_by_the_path_is_differentiated(fused, monkeypatch):
    loss = AlignmentLoss(dp.topologies.symmetric2(), dp.Softmin(0.5), cost="sqeuclidean", normalize="path", reduction="none")
    for ours, theirs in zip(*both_ways(monkeypatch, partial(loss, lengths=LENGTHS), X, Y)):
        torch.testing.assert_close(ours, theirs)


# --- CTC -----------------------------------------------------------------------------------------------


def ragged(seed):
    g = torch.Generator().manual_seed(seed)
    scores = 3.0 * torch.randn(30, 8, 6, generator=g)
    frames, sizes = torch.randint(0, 31, (8,), generator=g), torch.randint(0, 9, (8,), generator=g)
    frames[0], sizes[0] = 30, 8
    return scores, torch.randint(1, 6, (8, 8), generator=g), frames, sizes


@pytest.mark.parametrize("seed", range(4))
def test_ragged_problems_have_torchs_value_and_gradient(seed, fused):
    scores, targets, frames, sizes = ragged(seed)
    found = []
    for loss, kind in ((ctc_loss, torch.float32), (torch_ctc_loss, torch.float64)):
        x = scores.to(kind, copy=True).requires_grad_()
        log_probs = x.log_softmax(-1)
        values = loss(log_probs, targets, frames, sizes, reduction="none", zero_infinity=True)
        (values * torch.arange(1.0, 9.0)).sum().backward()
        found.append((values.detach().double(), x.grad.double()))
    assert not fused
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_labels_and_layouts_of_all_kinds(kind, fused):
    scores, targets, frames, sizes = ragged(9)
    x = scores.log_softmax(-1)
    wanted = ctc_loss(x, targets, frames, sizes, reduction="none")
    rows = x.transpose(0, 1).contiguous()
    for layout in (x, rows.transpose(0, 1), torch.stack([x, x], -1)[..., 0], x.mT.contiguous().mT):
        torch.testing.assert_close(ctc_loss(layout, targets.to(kind), frames, sizes, reduction="none"), wanted, rtol=0, atol=0)
    torch.testing.assert_close(
        ctc_duration_loss(x, targets.to(kind), frames, sizes, reduction="none"), wanted, rtol=1e-5, atol=1e-5
    )
    assert not fused


def test_infinities_nan_and_padding(fused):
    scores, targets, frames, sizes = ragged(3)
    frames, sizes = torch.tensor([30, 20, 10, 5, 0, 0, 7, 30]), torch.tensor([8, 3, 0, 8, 0, 2, 2, 3])
    clean = scores.log_softmax(-1)
    clean[:, 1, 5] = -math.inf  # a class that item 1 may not take
    targets[1, :3] = torch.tensor([1, 5, 2])
    targets[7, :3] = torch.tensor([1, 2, 1])
    wanted = ctc_loss(clean, targets, frames, sizes, reduction="none")
    x = clean.clone()
    for b in range(8):
        x[frames[b] :, b] = math.nan
    targets[:, -1][sizes < 8] = -100
    x.requires_grad_()
    values = ctc_loss(x, targets, frames, sizes, reduction="none")
    torch.testing.assert_close(values, wanted)
    assert values[[1, 3, 5]].tolist() == [math.inf] * 3 and values[4] == 0.0
    values.sum().backward()
    for b in range(8):
        inside = x.grad[: frames[b], b]
        assert (x.grad[frames[b] :, b] == 0.0).all() and inside.isfinite().all()
        expected = -1.0 if values[b].isfinite() else 0.0
        torch.testing.assert_close(inside.sum(-1), torch.full((int(frames[b]),), expected), rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        x[3, 7, 1] = math.nan
    x.grad = None
    values = ctc_loss(x, targets, frames, sizes, reduction="none")
    values.sum().backward()
    torch.testing.assert_close(values[:7], wanted[:7])
    assert values[7].isnan() and x.grad[:, 7].isnan().any() and not x.grad[:, :7].isnan().any()
    assert not fused


def test_the_path_of_forced_alignment(fused, monkeypatch):
    scores, targets, frames, sizes = ragged(5)
    x, frames = scores.log_softmax(-1).transpose(0, 1), frames.clamp(min=0)
    found = forced_align(x, targets, frames, sizes)
    assert not fused
    monkeypatch.setattr(inputs, "WORTH_FUSING", 1 << 40)
    wanted = forced_align(x, targets, frames, sizes)
    assert (found.labels == wanted.labels).all() and (found.places == wanted.places).all() and fused


def test_errors_name_what_was_found(fused):
    with pytest.raises(ValueError, match=r"gather: label 9 of item 1 at column 3 is outside 0 \.\. 4"):
        labels = LABELS.clone()
        labels[1, 3] = 9
        DTW(dp.costs.gather(X, labels), LENGTHS, {"gamma": GAMMA})
    with pytest.raises(TypeError, match="complex"):
        DTW(dp.costs.sqeuclidean(X.to(torch.complex64), Y), LENGTHS, {"gamma": GAMMA})
    with pytest.raises(TypeError, match="on the device meta"):
        DTW(dp.costs.sqeuclidean(X.to("meta"), Y), LENGTHS, {"gamma": GAMMA})
    assert not fused


def test_a_param_may_have_the_name_of_an_input():
    solver = dp.compile(dp.topologies.dtw(), dp.Softmin(dp.Param("cost_0", axes="b")))
    assert Fused(_core(solver), {"cost": _source()}).inputs == ("cost_0_", "cost_1", "cost_0")


def _core(solver):
    from dpsemiring.torch.solve import core_of

    return core_of(solver)


def _source():
    return tensor_sources.TensorSource.of("cost", dp.costs.sqeuclidean(X, Y))


def test_the_order_of_axes_in_memory_and_equal_flows_change_nothing():
    """Frames before items in memory or after them; a gradient that is large, so that a product with ones is spared."""
    log_probs = torch.randn(700, 3, 32, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    targets = torch.randint(1, 32, (3, 40), generator=torch.Generator().manual_seed(2))
    first = log_probs.clone().requires_grad_()
    later = log_probs.transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    lengths = (700, 650, 30), (40, 30, 40)  # the last does not fit
    totals = [ctc_loss(x, targets, *lengths, reduction="none") for x in (first, later)]
    assert torch.equal(*totals) and totals[0][2] == math.inf
    (once,) = torch.autograd.grad(totals[0].sum(), first)
    (again,) = torch.autograd.grad(totals[1].sum(), later)
    assert torch.equal(once, again) and not once[:, 2].any()
    fits = ctc_loss(first, targets, (700, 650, 600), lengths[1], reduction="none")
    flows = torch.tensor([1.0, 2.0, 4.0])
    (plain,) = torch.autograd.grad(fits.sum(), first)
    fits = ctc_loss(first, targets, (700, 650, 600), lengths[1], reduction="none")
    (scaled,) = torch.autograd.grad(fits, first, flows)
    assert torch.equal(scaled, plain * flows[:, None])
    torch.testing.assert_close(plain[:600].sum(-1), -torch.ones(600, 3), atol=2e-5, rtol=0)
