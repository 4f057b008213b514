"""`ctc_loss`: torch's values, the true gradient, and the edges at which others fail."""

import math

import pytest
import torch
from labellings import ctc, normalised, ragged
from torch.nn.functional import ctc_loss as torch_ctc_loss

from dpsemiring.torch import ctc_loss

INF = math.inf


# --- beside torch's ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_two_hundred_ragged_problems_have_torchs_value(dtype, relative):
    for seed in range(10):
        blank = (0, 5, 2)[seed % 3]
        scores, targets, frames, sizes = ragged(seed, blank=blank, dtype=dtype)
        data = scores.log_softmax(-1), targets, frames, sizes
        ours, theirs = (f(*data, blank=blank, reduction="none") for f in (ctc_loss, torch_ctc_loss))
        assert ours.dtype == dtype and (theirs < INF).sum() > 15
        torch.testing.assert_close(ours, theirs, rtol=relative, atol=0.0)


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_reductions_and_layouts_of_targets(reduction, zero_infinity):
    """Padded and concatenated, lengths as tensors, tuples and lists, int32; an empty target and one that does not fit."""
    log_probs, sizes = normalised(0, 6, 3, 4), [2, 0, 3]
    targets = torch.tensor([[1, 2, 0], [0, 0, 0], [3, 3, 3]])
    how = {"reduction": reduction, "zero_infinity": zero_infinity}
    wanted = torch_ctc_loss(log_probs, targets, (6, 5, 4), tuple(sizes), **how)
    joined = torch.cat([row[:size] for row, size in zip(targets, sizes)])
    for given in (targets, targets.int(), joined, joined.int()):
        for lengths in ([6, 5, 4], (6, 5, 4), torch.tensor([6, 5, 4]), torch.tensor([6, 5, 4], dtype=torch.int32)):
            found = ctc_loss(
                log_probs, given, lengths, type(lengths)(sizes) if isinstance(lengths, (list, tuple)) else sizes, **how
            )
            torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_one_item_without_a_batch(reduction):
    log_probs, targets = normalised(1, 6, 4), torch.tensor([1, 3, 3])
    wanted = torch_ctc_loss(log_probs, targets, (6,), (3,), reduction=reduction)
    for lengths in (((6,), (3,)), (torch.tensor(6), torch.tensor(3)), (6, 3)):
        found = ctc_loss(log_probs, targets, *lengths, reduction=reduction)
        assert found.shape == ()
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("blank", [0, 5])
def test_after_a_log_softmax_the_gradients_agree(blank):
    scores, targets, frames, sizes = ragged(3, blank=blank)
    found = []
    for loss in (ctc_loss, torch_ctc_loss):
        x = scores.clone().requires_grad_()
        loss(x.log_softmax(-1), targets, frames, sizes, blank=blank, zero_infinity=True).backward()
        found.append(x.grad)
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-12)
    assert found[0].abs().max() > 1e-3


def test_on_log_probs_themselves_they_differ_by_the_probabilities():
    scores, targets, frames, sizes = ragged(4, labels=5)
    log_probs = scores.log_softmax(-1).requires_grad_()
    ours, theirs = (
        torch.autograd.grad(f(log_probs, targets, frames, sizes, reduction="sum"), log_probs)[0]
        for f in (ctc_loss, torch_ctc_loss)
    )
    inside = (torch.arange(30)[:, None] < frames)[..., None]
    torch.testing.assert_close(theirs, torch.where(inside, log_probs.exp() + ours, 0.0), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(ours.sum(-1), -inside[..., 0].double())


# --- beside enumeration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [[], [1], [1, 1], [1, 2], [2, 1, 2], [1, 1, 2]])
@pytest.mark.parametrize("normal", [True, False])
def test_value_and_gradient_are_those_of_all_labellings(target, normal):
    """Also of scores that are not normalised, with the blank first and last."""
    for blank, labels in ((0, target), (2, [label - 1 for label in target])):
        x = normalised(len(target), 5, 3) if normal else 3 * normalised(len(target), 5, 3) + 1
        x.requires_grad_()
        found = ctc_loss(x, torch.tensor(labels, dtype=torch.long), (5,), (len(labels),), blank, "sum")
        wanted = ctc(x, labels, blank)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in (found, wanted)), rtol=1e-10, atol=1e-14)


def test_second_derivatives_are_those_of_all_labellings():
    x, labels = normalised(2, 4, 3), torch.tensor([1, 1])
    found, wanted = (
        torch.autograd.functional.hessian(f, x)
        for f in (lambda x: ctc_loss(x, labels, (4,), (2,), reduction="sum"), lambda x: ctc(x, [1, 1]))
    )
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    assert found.abs().max() > 0.01


# --- what torch composes ---------------------------------------------------------------------------------------------------

SMALL = (torch.tensor([[1, 2], [3, 3], [1, 1]]), (5, 4, 2), (2, 2, 1))


def mean_loss(scores):
    return ctc_loss(scores.log_softmax(-1), *SMALL)


def test_gradcheck_to_second_order():
    x = normalised(0, 5, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(mean_loss, x, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(mean_loss, x)


def test_a_penalty_on_the_gradient():
    """Double backward, as a gradient penalty has it: beside differences of the gradient."""
    x = normalised(1, 5, 3, 4).requires_grad_()

    def penalty(x):
        (gradient,) = torch.autograd.grad(mean_loss(x), x, create_graph=True)
        return gradient.square().sum()

    (found,) = torch.autograd.grad(penalty(x), x)
    step = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    slope = (penalty(x + 1e-6 * step) - penalty(x - 1e-6 * step)) / 2e-6
    assert (found * step).sum().item() == pytest.approx(slope.item(), rel=1e-6)


def test_vmap_and_functional_derivatives():
    xs = normalised(0, 4, 5, 3, 4)
    torch.testing.assert_close(torch.func.vmap(mean_loss)(xs), torch.stack([mean_loss(x) for x in xs]))
    each = torch.func.vmap(torch.func.grad(mean_loss))(xs)
    torch.testing.assert_close(each[2], torch.func.grad(mean_loss)(xs[2]))
    moved = torch.func.jvp(mean_loss, (xs[0],), (xs[1],))[1]
    torch.testing.assert_close(moved, (torch.func.grad(mean_loss)(xs[0]) * xs[1]).sum())


def test_compiled_as_one_graph():
    torch.compiler.reset()
    compiled = torch.compile(mean_loss, fullgraph=True, backend="aot_eager")
    x = normalised(0, 5, 3, 4).requires_grad_()
    found, wanted = compiled(x), mean_loss(x)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in (found, wanted)))
