"""Losses on the expected alignment: soft targets, priors on where it runs, self-similarity."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import dpsemiring as dp
from dpsemiring.torch import (
    alignment_prior_loss,
    similarity_loss,
    soft_dtw,
    soft_targets,
    sqeuclidean,
    temporal_distortion,
)

SOLVER = dp.compile(dp.topologies.dtw(), dp.Softmin(0.5), engine="reference")
HARD = dp.compile(dp.topologies.dtw(), dp.Tropical, engine="reference")
LENGTHS = torch.tensor([5, 3]), torch.tensor([4, 2])


def series(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


X, Y, T = series(2, 5, 2), series(2, 4, 2, seed=1), series(2, 4, 3, seed=2).softmax(-1)


def aligned(x=X, y=Y, lengths=LENGTHS):
    return SOLVER(dp.costs.sqeuclidean(x, y), lengths)


# --- soft targets -----------------------------------------------------------------------------------


def test_soft_targets_by_definition():
    result = aligned()
    plain = soft_targets(result, T, normalize=False)
    rows = soft_targets(result, T)
    for b, (n, m) in enumerate(zip(*LENGTHS)):
        marginals = result.marginals[b, :n, :m]
        torch.testing.assert_close(plain[b, :n], marginals @ T[b, :m])
        torch.testing.assert_close(rows[b, :n], marginals / marginals.sum(-1, keepdim=True) @ T[b, :m])
        torch.testing.assert_close(rows[b, :n].sum(-1), torch.ones(int(n), dtype=torch.float64))  # distributions stay so
        assert not rows[b, n:].any() and not plain[b, n:].any()
    torch.testing.assert_close(soft_targets(result.marginals, T), rows)
    torch.testing.assert_close(soft_targets(result, T[0])[0], rows[0])  # one that serves every item
    one = SOLVER(sqeuclidean(X[0], Y[0]))
    torch.testing.assert_close(soft_targets(one, T[0]), rows[0])


def test_under_a_hard_minimum_they_are_targets():
    result = HARD(sqeuclidean(X[0], Y[0]))
    one_hot = torch.nn.functional.one_hot(torch.tensor([0, 1, 0, 2]), 3)
    path = result.path
    for n, row in enumerate(soft_targets(result, one_hot)):
        torch.testing.assert_close(row, one_hot[path[path[:, 0] == n, 1]].double().mean(0))


def test_their_derivatives():
    def targets(x, t):
        return soft_targets(aligned(x), t)

    x, t = X.clone().requires_grad_(), T.clone().requires_grad_()
    assert gradcheck(targets, (x, t))  # through the second derivative of the total
    held = soft_targets(aligned(x), t, detach=True)
    (to_t,) = torch.autograd.grad(held.sum(), t)
    assert not torch.autograd.grad(soft_targets(aligned(x), t.detach()).square().sum(), x)[0].eq(0.0).all() and to_t.any()
    assert not soft_targets(aligned(x), t.detach(), detach=True).requires_grad
    matrix = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    assert gradgradcheck(soft_targets, (matrix, T[0].clone().requires_grad_()))


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_padding_of_targets_is_not_read(poison):
    wrong = T.clone()
    wrong[1, 2:] = poison
    leaf = wrong.requires_grad_()
    found = soft_targets(aligned(), leaf)
    torch.testing.assert_close(found, soft_targets(aligned(), T), rtol=0, atol=0)
    found.sum().backward()
    assert leaf.grad.isfinite().all() and not leaf.grad[1, 2:].any()
    inside = T.clone()
    inside[1, 1] = math.nan
    assert soft_targets(aligned(), inside)[1, :3].isnan().any() and soft_targets(aligned(), inside)[0].isfinite().all()


def test_a_column_without_weight_keeps_its_derivative():
    weights = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    soft_targets(weights, torch.tensor([[1.0], [5.0]]).double(), normalize=False).sum().backward()
    assert weights.grad.tolist() == [[1.0, 5.0]]


# --- priors -----------------------------------------------------------------------------------------


def test_temporal_distortion_is_that_of_dilate():
    k = 6
    i = np.arange(k)
    np.testing.assert_allclose(temporal_distortion(k, k, dtype=torch.float64), (i[:, None] - i) ** 2 / k**2)
    ragged = temporal_distortion(5, 4, LENGTHS)
    for b, (n, m) in enumerate(zip(*LENGTHS)):
        torch.testing.assert_close(ragged[b, :n, :m], temporal_distortion(int(n), int(m)))
        assert not ragged[b, n:].any() and not ragged[b, :, m:].any()


def test_prior_loss_by_definition():
    prior = temporal_distortion(5, 4, LENGTHS, dtype=torch.float64)
    result = aligned()
    each = alignment_prior_loss(result, prior, reduction="none")
    torch.testing.assert_close(each, (result.marginals * prior).sum((1, 2)))
    torch.testing.assert_close(alignment_prior_loss(result, prior), each.mean())
    torch.testing.assert_close(alignment_prior_loss(result.marginals, prior, reduction="sum"), each.sum())
    padded = prior.clone()
    padded[1, 3:], padded[1, :, 2:] = math.nan, math.inf
    torch.testing.assert_close(alignment_prior_loss(result, padded, reduction="none"), each)
    ones = SOLVER(torch.zeros(3, 3, dtype=torch.float64))
    diagonal = alignment_prior_loss(HARD(1.0 - torch.eye(3)), temporal_distortion(3, 3))
    assert diagonal == 0.0 < alignment_prior_loss(ones, temporal_distortion(3, 3))


def test_prior_loss_is_differentiated_through_the_alignment():
    prior = temporal_distortion(5, 4, LENGTHS, dtype=torch.float64)
    x, y = X.clone().requires_grad_(), Y.clone().requires_grad_()
    assert gradcheck(lambda a, b: alignment_prior_loss(aligned(a, b), prior), (x, y))
    loss = soft_dtw(x, y, 0.5, lengths=LENGTHS) + 2.0 * alignment_prior_loss(aligned(x, y), prior)  # they compose by +
    loss.backward()
    parts = [torch.func.grad(f)(X) for f in (
        lambda a: soft_dtw(a, Y, 0.5, lengths=LENGTHS),
        lambda a: 2.0 * alignment_prior_loss(aligned(a), prior),
    )]  # fmt: skip
    torch.testing.assert_close(x.grad, sum(parts))
    free = SOLVER(series(4, 4).requires_grad_())
    assert not torch.autograd.grad(alignment_prior_loss(free, torch.zeros(4, 4)), free._tensors[2])[0].any()


def test_descending_it_straightens_an_alignment():
    cost = (3.0 * series(6, 6)).requires_grad_()
    prior = temporal_distortion(6, 6, dtype=torch.float64)
    found = []
    for _ in range(30):
        loss = alignment_prior_loss(SOLVER(cost), prior)
        found.append(loss.item())
        (slope,) = torch.autograd.grad(loss, cost)
        cost = (cost - 5.0 * slope).detach().requires_grad_()
    assert found[-1] < 0.5 * found[0]


# --- self-similarity --------------------------------------------------------------------------------


def test_similarity_by_definition():
    z = series(2, 5, 3, seed=3)

    def cosines(a):
        a = a / a.norm(dim=-1, keepdim=True)
        return a @ a.T

    wanted = torch.stack([(cosines(z[b, :n]) - cosines(X[b, :n])).square().mean() for b, n in enumerate(LENGTHS[0])])
    torch.testing.assert_close(similarity_loss(z, X, lengths=LENGTHS[0], reduction="none"), wanted)
    torch.testing.assert_close(similarity_loss(z, X, lengths=LENGTHS[0]), wanted.mean())
    torch.testing.assert_close(similarity_loss(z[0], X[0]), wanted[0])
    torch.testing.assert_close(similarity_loss(z[1], X[1], lengths=3), wanted[1])
    poisoned, leaf = X.clone(), z.clone()
    poisoned[1, 3:], leaf[1, 3:] = math.nan, math.nan
    leaf.requires_grad_()
    found = similarity_loss(leaf, poisoned, lengths=LENGTHS[0], reduction="none")
    torch.testing.assert_close(found, wanted)
    found.sum().backward()
    assert leaf.grad.isfinite().all() and not leaf.grad[1, 3:].any()


def test_similarity_feels_a_shift_to_which_alignment_is_blind():
    steps = torch.repeat_interleave(torch.eye(3, dtype=torch.float64), 4, dim=0)
    late = torch.roll(steps, 2, dims=0)
    late[:2] = steps[0]
    blind = soft_dtw(late, torch.eye(3).double(), 1e-3), soft_dtw(steps, torch.eye(3).double(), 1e-3)
    torch.testing.assert_close(*blind, rtol=0, atol=0.01)
    assert similarity_loss(steps, 5.0 * steps) < 1e-15 < 0.1 < similarity_loss(late, steps)


def test_derivatives_of_similarity():
    z, x = series(1, 4, 3, seed=3).requires_grad_(), series(1, 4, 2).requires_grad_()
    assert gradcheck(similarity_loss, (z, x)) and gradgradcheck(similarity_loss, (z, x))
    silent = z.detach().clone()
    silent[0, 1] = 0.0
    silent.requires_grad_()
    similarity_loss(silent, x).backward()
    assert silent.grad.isfinite().all() and not silent.grad[0, 1].any()


def test_a_similarity_of_ones_own():
    def products(z):
        return z @ z.mT

    torch.testing.assert_close(similarity_loss(2.0 * X, X, similarity=products), (3.0 * X @ X.mT).square().mean())


def test_what_is_refused():
    two = dp.compile(dp.topologies.affine_gap(1.0, 0.5, deletion="deletion"), dp.Softmin(1.0), engine="reference")
    counting = dp.compile(dp.topologies.dtw(), dp.Counting, engine="reference")
    cost = sqeuclidean(X, Y)
    planes = {"cost": cost, "deletion": cost}
    for error, words, call in (
        (ValueError, r"y is \(2, 5, 2\); \(4, C\)", lambda: soft_targets(aligned(), X)),
        (ValueError, "y is list", lambda: soft_targets(aligned(), [1.0])),
        (ValueError, r"marginals have the shape \(4,\)", lambda: soft_targets(torch.zeros(4), T)),
        (
            TypeError,
            "the result has the planes cost, deletion; pass",
            lambda: soft_targets(two(planes), T),
        ),
        (
            TypeError,
            "is discrete and has no derivative",
            lambda: soft_targets(counting(cost), T),
        ),
        (TypeError, "marginals are a torch tensor, found ndarray; give", lambda: soft_targets(HARD(cost.numpy()), T)),
        (ValueError, r"prior has the shape \(4, 5\)", lambda: alignment_prior_loss(aligned(), torch.zeros(4, 5))),
        (ValueError, "reduction is one of", lambda: alignment_prior_loss(aligned(), torch.zeros(5, 4), reduction="all")),
        (ValueError, r"prediction has the shape \(2, 4, 2\) and x \(2, 5, 2\)", lambda: similarity_loss(Y, X)),
    ):
        with pytest.raises(error, match=words):
            call()
