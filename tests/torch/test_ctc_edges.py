"""`ctc_loss` at the edges at which others fail, and what it refuses."""

import math

import pytest
import torch
from labellings import ctc, normalised, ragged
from torch.nn.functional import ctc_loss as torch_ctc_loss

from dpsemiring.torch import ctc_loss, ctc_prior_loss, forced_align, mctc_loss

INF = math.inf


# --- edges ---------------------------------------------------------------------------------------------------------------


def one(log_probs, target, **how):
    """Loss and gradient of one item."""
    x = log_probs.clone().requires_grad_()
    loss = ctc_loss(x, torch.tensor(target, dtype=torch.long), (len(x),), (len(target),), reduction="sum", **how)
    loss.backward()
    return loss.item(), x.grad


def test_an_empty_target_is_all_blank():
    x = normalised(0, 4, 3)
    loss, gradient = one(x, [])
    assert loss == pytest.approx(-x[:, 0].sum().item())
    torch.testing.assert_close(gradient, torch.tensor([-1.0, 0.0, 0.0]).expand(4, 3).to(gradient), rtol=0, atol=1e-15)


def test_a_target_that_just_fits():
    """As many frames as labels, and as many more as there are repeats."""
    x = normalised(0, 3, 3)
    assert one(x, [1, 2, 1])[0] == pytest.approx(-(x[0, 1] + x[1, 2] + x[2, 1]).item())
    assert one(x, [1, 1])[0] == pytest.approx(-(x[0, 1] + x[1, 0] + x[2, 1]).item())


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_a_target_that_does_not_fit_has_no_gradient(reduction):
    x = normalised(0, 3, 2, 3).requires_grad_()
    arguments = x, torch.tensor([[1, 1, 1], [1, 2, 0]]), (3, 3), (3, 2)
    loss = ctc_loss(*arguments, reduction=reduction)
    assert loss.max() == INF
    gradient = torch.autograd.grad(loss.sum(), x)[0]
    assert (gradient[:, 0] == 0.0).all() and gradient[:, 1].abs().sum() > 0.0
    kept = ctc_loss(*arguments, reduction=reduction, zero_infinity=True)
    assert torch.isfinite(kept).all()
    torch.testing.assert_close(torch.autograd.grad(kept.sum(), x)[0], gradient)
    # and no second derivative
    (first,) = torch.autograd.grad(ctc_loss(*arguments, reduction="sum"), x, create_graph=True)
    second = torch.autograd.grad(first.square().sum(), x)[0]
    assert (second[:, 0] == 0.0).all() and torch.isfinite(second).all()


def test_certain_frames():
    """Probability 1 along one labelling and 0 elsewhere: the loss is 0, -inf forbids, nothing is NaN."""
    x = torch.full((3, 3), -INF)
    x[[0, 1, 2], [1, 0, 1]] = 0.0
    loss, gradient = one(x, [1, 1])
    assert loss == 0.0 and (gradient == torch.where(x == 0.0, -1.0, 0.0)).all()
    loss, gradient = one(x, [1, 2])
    assert loss == INF and (gradient == 0.0).all()


def test_a_class_that_is_impossible_in_some_frames():
    scores = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scores[1, 2] = scores[3, 0] = -INF
    x = scores.requires_grad_()
    log_probs = x.log_softmax(-1)
    loss = ctc_loss(log_probs, torch.tensor([1, 2]), (5,), (2,), reduction="sum")
    torch.testing.assert_close(loss, ctc(log_probs.detach(), [1, 2]))
    assert torch.isfinite(torch.autograd.grad(loss, x)[0]).all()


def test_padding_is_never_read():
    """Frames beyond an item's own are NaN, labels beyond its target nonsense; so is everything of an item without frames."""
    scores, targets, frames, sizes = ragged(5, items=6, labels=5)
    frames[4], sizes[4], frames[5], sizes[5] = 0, 0, 0, 2
    clean = scores.log_softmax(-1)
    poisoned = clean.masked_fill((torch.arange(30)[:, None] >= frames)[..., None], math.nan)
    nonsense = torch.where(torch.arange(5) < sizes[:, None], targets, -99)
    found = []
    for x, labels in ((clean, targets), (poisoned, nonsense)):
        x = x.clone().requires_grad_()
        loss = ctc_loss(x, labels, frames, sizes, reduction="none")
        (gradient,) = torch.autograd.grad(loss[:5].sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(gradient.nan_to_num().square().sum(), x)
        found.append((loss, gradient, second))
    for ours, wanted in zip(*found[::-1]):
        assert torch.equal(ours, wanted)
    assert found[1][0][4] == 0.0 and found[1][0][5] == INF


@pytest.mark.parametrize("rows", [0, 4])
def test_items_without_frames_are_as_torch_has_them(rows):
    x = normalised(0, rows, 2, 3).requires_grad_()
    loss = ctc_loss(x, torch.tensor([[1], [1]]), (0, 0), (0, 1), reduction="none")
    assert loss.tolist() == [0.0, INF]
    if rows:
        assert torch.equal(loss, torch_ctc_loss(x, torch.tensor([[1], [1]]), (0, 0), (0, 1), reduction="none"))
    assert not torch.autograd.grad(loss.sum(), x)[0].any()


def test_an_empty_batch():
    x = torch.zeros(4, 0, 3, requires_grad=True)
    for targets in (torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long)):
        assert ctc_loss(x, targets, (), (), reduction="none").shape == (0,)
        loss = ctc_loss(x, targets, [], [], reduction="sum")
        assert loss == 0.0 and torch.autograd.grad(loss, x)[0].shape == x.shape
        assert ctc_loss(x, targets, (), ()).isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    scores, targets, frames, sizes = ragged(6, labels=5, dtype=torch.float32)
    half = scores.log_softmax(-1).to(dtype).requires_grad_()
    single = half.detach().float().requires_grad_()
    losses = [ctc_loss(x, targets, frames, sizes) for x in (half, single)]
    assert losses[0].dtype == torch.float32 and torch.equal(*losses)
    gradients = [torch.autograd.grad(loss, x)[0] for loss, x in zip(losses, (half, single))]
    assert gradients[0].dtype == dtype and torch.equal(gradients[0], gradients[1].to(dtype))


def test_views_are_not_written_to():
    """Expanded, and with the axes exchanged."""
    base = normalised(0, 2, 6, 4)
    x = base.transpose(0, 1)
    kept = base.clone()
    found = ctc_loss(x, torch.tensor([1, 2]).expand(2, 2), (6, 6), (2, 2), reduction="none")
    torch.testing.assert_close(found, ctc_loss(x.contiguous(), torch.tensor([[1, 2], [1, 2]]), (6, 6), (2, 2), reduction="none"))
    assert torch.equal(base, kept)
    shared = base[:1].expand(2, 6, 4).transpose(0, 1)
    assert len(set(ctc_loss(shared, torch.tensor([[1, 2], [1, 2]]), (6, 6), (2, 2), reduction="none").tolist())) == 1


def test_long_problems_keep_their_gradient_in_single_precision():
    """The error in L1 beside double precision: some 1e-4 for 3000 frames, where torch has 5e-3."""
    scores, targets, _, _ = ragged(7, items=1, frames=3000, labels=200)
    found = []
    for loss, dtype in ((ctc_loss, torch.float64), (ctc_loss, torch.float32), (torch_ctc_loss, torch.float32)):
        x = scores.to(dtype).requires_grad_()
        value = loss(x.log_softmax(-1), targets, (3000,), (200,), reduction="sum")
        found.append((value.double(), torch.autograd.grad(value, x)[0].double()))
    exact, ours, theirs = found
    torch.testing.assert_close(ours[0], exact[0], rtol=1e-5, atol=0.0)
    errors = [((gradient - exact[1]).abs().sum() / exact[1].abs().sum()).item() for _, gradient in (ours, theirs)]
    assert errors[0] < 5e-4 and errors[0] < errors[1] / 5


# --- what is refused -------------------------------------------------------------------------------------------------------

X = torch.zeros(5, 2, 4)
T = torch.tensor([[1, 2], [3, 1]])


@pytest.mark.parametrize(
    ("arguments", "how", "message"),
    [
        ((X, torch.tensor([[1, 2], [3, -1]]), (5, 5), (2, 2)), {}, r"label -1 of item 1 at place 1 is outside 0 \.\. 3"),
        ((X, torch.tensor([[1, 4], [3, 1]]), (5, 5), (2, 2)), {}, r"label 4 of item 0 at place 1 is outside 0 \.\. 3"),
        ((X, torch.tensor([[1, 2], [0, 1]]), (5, 5), (2, 2)), {}, "label 0 of item 1 at place 0 is the blank"),
        ((X, torch.tensor([1, 2, 3]), (5, 5), (1, 2)), {"blank": 3}, "label 3 of item 1 at place 1 is the blank"),
        ((X, T, (5, 6), (2, 2)), {}, "input_lengths: item 1 has 6; 0 to 5"),
        ((X, T, (-1, 5), (2, 2)), {}, "input_lengths: item 0 has -1"),
        ((X, T, (5, 5), (2, 3)), {}, "target_lengths: item 1 has 3, and targets are padded to 2"),
        ((X, T, (5, 5), (2, -2)), {}, "target_lengths: item 1 has -2"),
        ((X, T, (5.0, 5.0), (2, 2)), {}, "input_lengths are whole numbers, found torch.float32"),
        ((X, T, (5,), (2, 2)), {}, r"input_lengths has the shape \(1,\); \(2,\) is expected"),
        ((X, T[:1], (5, 5), (2, 2)), {}, "padded targets for 2 items"),
        ((X, T.flatten(), (5, 5), (2, 1)), {}, "are 4, and target_lengths add up to 3"),
        ((X, T[None], (5, 5), (2, 2)), {}, "targets has the shape"),
        ((X[None], T, (5, 5), (2, 2)), {}, "log_probs has the shape"),
        ((X, T, (5, 5), (2, 2)), {"blank": 4}, "blank is 4; log_probs have the classes 0 to 3"),
        ((X, T, (5, 5), (2, 2)), {"blank": -1}, "blank is -1"),
        ((X, T, (5, 5), (2, 2)), {"reduction": "average"}, "reduction is one of none, mean, sum, found 'average'"),
        ((X + INF, T, (5, 5), (2, 2)), {}, "-inf"),
    ],
)
def test_bad_values_are_refused(arguments, how, message):
    with pytest.raises(ValueError, match=message):
        ctc_loss(*arguments, **how)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, T.float(), (5, 5), (2, 2)), "targets are whole numbers"),
        ((X.long(), T, (5, 5), (2, 2)), "log_probs is a tensor of real numbers"),
        ((X.numpy(), T, (5, 5), (2, 2)), "log_probs is a tensor of real numbers"),
    ],
)
def test_bad_kinds_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        ctc_loss(*arguments)


def test_a_nan_stays_in_its_item():
    x = normalised(0, 5, 2, 4)
    x[2, 0, 1] = math.nan
    x.requires_grad_()
    loss = ctc_loss(x, T, (5, 5), (2, 2), reduction="none")
    gradient = torch.autograd.grad(loss.sum(), x)[0]
    assert loss.isnan().tolist() == [True, False] and gradient[:, 0].isnan().any() and torch.isfinite(gradient[:, 1]).all()


def test_mapped_targets(ctc_engine):
    """Inside vmap numbers are not looked at, and so are not refused; what comes out is each item's own."""
    x = torch.randn(3, 9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log_softmax(-1)
    targets = torch.tensor([[1, 2], [3, 3], [4, 1]])
    mapped = torch.func.vmap(lambda a, t: ctc_loss(a, t, (9,), (2,), reduction="sum"))(x, targets)
    one_by_one = torch.stack([ctc_loss(a, t, (9,), (2,), reduction="sum") for a, t in zip(x, targets)])
    torch.testing.assert_close(mapped, one_by_one)


@pytest.mark.parametrize("kind, classes", [(torch.uint8, 256), (torch.int8, 200), (torch.int16, 5), (torch.int32, 5)])
def test_targets_of_every_whole_kind(ctc_engine, kind, classes):
    x = torch.randn(9, 1, classes, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    wide = ctc_loss(x, torch.tensor([[1, 3]]), (9,), (2,))
    assert torch.equal(ctc_loss(x, torch.tensor([[1, 3]], dtype=kind), (9,), (2,)), wide)


def test_no_frames_align_with_no_labels_alone(ctc_engine):
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    found = forced_align(x, torch.tensor([[1], [2], [3]]), [0, 3, 0], [1, 1, 0])
    assert found.score[0] == -torch.inf and torch.isfinite(found.score[1]) and found.score[2] == 0.0


def test_autocast_changes_no_loss(ctc_engine):
    """Whatever is summed, is summed in float32."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(12, 2, 3, 2, generator=g).log_softmax(-1)
    targets = torch.tensor([[[1, 0, 1], [0, 1, 0]], [[1, 1, 1], [0, 0, 1]]])
    wanted = mctc_loss(x, targets, (12, 10), (2, 2), reduction="none")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(mctc_loss(x, targets, (12, 10), (2, 2), reduction="none"), wanted)
    short = torch.randn(12, 2, 5, generator=g).log_softmax(-1).bfloat16()
    prior = torch.full((5,), 0.2).log()
    arguments = torch.tensor([[1, 2], [3, 1]]), (12, 10), (2, 2)
    torch.testing.assert_close(
        ctc_prior_loss(short, *arguments, log_prior=prior), ctc_prior_loss(short.float(), *arguments, log_prior=prior)
    )
    weight = torch.tensor(0.5, requires_grad=True)
    prior[4] = -torch.inf  # a class that no target has
    ctc_prior_loss(short.float(), *arguments, log_prior=prior, weight=weight).backward()
    assert torch.isfinite(weight.grad)
