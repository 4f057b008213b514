"""CTC for targets of any kind, and of several categories, beside what it costs to be each of them."""

import itertools
import math

import pytest
import torch
from labellings import agree, alone, ctc, normalised

from dpsemiring.torch import ctc_like, ctc_loss, mctc_loss

pytestmark = pytest.mark.usefixtures("ctc_engine")
INF = math.inf


# --- CTC for targets of any kind --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [[1], [1, 1], [1, 2, 1]])
def test_ctc_like_is_ctc_on_negative_log_probabilities(target):
    labels = torch.tensor(target)
    loss = lambda x: ctc_like(-x[:, target], -x[:, 0], targets=labels, reduction="sum")  # noqa: E731
    agree(loss, lambda x: ctc(x, target), normalised(12, 5, 3))


def test_ctc_like_on_features_at_a_temperature():
    """Every alignment of three targets, the first two of them equal, with blanks that cost differently between them."""
    generator = torch.Generator().manual_seed(0)
    cost, blank, gamma = (torch.rand(shape, dtype=torch.float64, generator=generator) for shape in ((5, 3), (5, 4), ()))
    features = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]])

    def by_alignments(cost, blank, gamma):
        columns = torch.stack([blank[:, 0], cost[:, 0], blank[:, 1], cost[:, 1], blank[:, 2], cost[:, 2], blank[:, 3]], 1)
        found = []
        for path in itertools.product(range(7), repeat=5):
            moves = [(a, b) for a, b in itertools.pairwise(path)]
            legal = all(b - a in (0, 1) or (b - a == 2 and b % 2 and (a, b) != (1, 3)) for a, b in moves)
            if legal and path[0] <= 1 and path[-1] >= 5:
                found.append(columns[range(5), path].sum())
        return -gamma * torch.logsumexp(-torch.stack(found) / gamma, 0)

    inputs = tuple(v.requires_grad_() for v in (cost, blank, gamma))
    found = ctc_like(cost, blank, targets=features, gamma=gamma, reduction="sum")
    wanted = by_alignments(*inputs)
    torch.testing.assert_close(found, wanted)
    for ours, theirs in zip(torch.autograd.grad(found, inputs), torch.autograd.grad(wanted, inputs)):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
    assert torch.autograd.gradgradcheck(lambda *v: ctc_like(v[0], v[1], targets=features, gamma=v[2]), inputs)


def test_ctc_like_in_a_ragged_batch():
    generator = torch.Generator().manual_seed(1)
    cost, blank = torch.rand(2, 5, 3, generator=generator), torch.rand(2, 5, generator=generator)
    wanted = [ctc_like(cost[0], blank[0]), ctc_like(cost[1, :4, :2], blank[1, :4])]
    cost[1, 4], cost[1, :, 2], blank[1, 4] = math.nan, math.nan, math.nan
    found = ctc_like(cost, blank, (5, 4), (3, 2), reduction="none")
    torch.testing.assert_close(found / torch.tensor([3.0, 2.0]), torch.stack(wanted))
    assert ctc_like(cost, 0.5, (5, 4), (3, 2), reduction="none").shape == (2,)
    assert ctc_like(torch.zeros(4, 0), 0.5, reduction="sum") == pytest.approx(2.0)  # no target: four blanks


def test_what_ctc_like_refuses():
    with pytest.raises(ValueError, match=r"blank_cost has the shape \(3,\); \(4,\), \(4, 3\) or a number"):
        ctc_like(torch.zeros(4, 2), torch.zeros(3))
    with pytest.raises(ValueError, match="targets has the shape"):
        ctc_like(torch.zeros(4, 2), 0.0, targets=torch.zeros(3))
    with pytest.raises(ValueError, match="cost is a tensor of real numbers"):
        ctc_like(torch.zeros(4), 0.0)


# --- multi-label CTC --------------------------------------------------------------------------------------------------


def as_symbols(x, extra=()):
    """(T, K, V) of independent categories as (T, V^K) log-probabilities of whole symbols, the first being all blank."""
    symbols = list(itertools.product(range(x.shape[2]), repeat=x.shape[1]))
    return torch.stack([sum(x[:, k, v] for k, v in enumerate(symbol)) for symbol in symbols], 1), symbols


@pytest.mark.parametrize("target", [[(0, 1)], [(1, 1), (1, 1)], [(1, 0), (0, 1)], [(2, 1), (1, 2)]])
def test_mctc_is_ctc_over_whole_symbols(target):
    x = normalised(13, 4, 2, 3)

    def over_symbols(x):
        scores, symbols = as_symbols(x)
        return ctc_loss(scores, torch.tensor([symbols.index(s) for s in target]), (4,), (len(target),), reduction="sum")

    agree(alone(mctc_loss, target), over_symbols, x)
    gradient = torch.func.grad(alone(mctc_loss, target))(x)
    torch.testing.assert_close(gradient.sum(-1), -torch.ones(4, 2, dtype=torch.float64))


def test_mctc_by_all_labellings():
    """Two frames of two categories with two components: small enough to write down."""
    x = normalised(14, 3, 2, 2)

    def by_labellings(x):
        return ctc(as_symbols(x)[0], [2, 1])  # (1, 0), then (0, 1)

    agree(alone(mctc_loss, [(1, 0), (0, 1)]), by_labellings, x)


def test_mctc_with_an_overall_blank():
    """Weiß and Peeters' encoding with epsilon: the categories count only where the overall blank is off."""
    x, overall = normalised(15, 4, 2, 2), normalised(16, 4, 2)
    target = [(0, 1), (0, 0)]  # a target without any component is legal here

    def over_symbols(x, overall):
        scores, symbols = as_symbols(x)
        scores = torch.cat([overall[:, :1], scores + overall[:, 1:]], 1)
        return ctc(scores, [1 + symbols.index(s) for s in target])

    agree(alone(mctc_loss, target, overall=overall), lambda x: over_symbols(x, overall), x)
    loss = lambda overall: alone(mctc_loss, target, overall=overall)(x)  # noqa: E731
    agree(loss, lambda overall: over_symbols(x, overall), overall)


def test_real_targets_cost_their_cross_entropy():
    """With components blank, off and on: c(t, y) = binary cross-entropy, and 0 / 1 targets are those of whole numbers."""
    x, y = normalised(17, 5, 2, 3), torch.tensor([[0.0, 0.3], [1.0, 0.5], [1.0, 0.5]], dtype=torch.float64)

    def by_hand(x):
        cost = -(x[:, None, :, 2] * y + x[:, None, :, 1] * (1 - y)).sum(-1)
        return ctc_like(cost, -x[..., 0].sum(-1), targets=y, reduction="sum")

    agree(lambda x: mctc_loss(x, y, (5,), (3,), reduction="sum"), by_hand, x)
    hard = torch.tensor([[0, 1], [1, 1]])
    found, wanted = (mctc_loss(x, t, (5,), (2,)) for t in (hard.double(), hard + 1))
    torch.testing.assert_close(found, wanted)
    two = normalised(18, 5, 2, 2)
    torch.testing.assert_close(mctc_loss(two, hard.float(), (5,), (2,)), mctc_loss(two, hard, (5,), (2,)))
    y = torch.tensor([[0.2, 0.3], [0.9, 0.5], [0.4, 0.7]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: mctc_loss(x, y, (5,), (3,)), y)


def test_mctc_in_a_ragged_batch_with_impossible_components():
    x = normalised(19, 5, 2, 2, 3)
    x[2, 0, 1, 2] = x[1, 1, 0, 0] = -INF
    targets = torch.tensor([[[1, 2], [2, 2]], [[2, 1], [-7, -7]]])
    wanted = torch.stack([alone(mctc_loss, [(1, 2), (2, 2)])(x[:, 0]), alone(mctc_loss, [(2, 1)])(x[:3, 1])])
    poisoned = x.clone()
    poisoned[3:, 1] = math.nan
    poisoned.requires_grad_()
    for labels in (targets, torch.tensor([[1, 2], [2, 2], [2, 1]])):
        found = mctc_loss(poisoned, labels, (5, 3), (2, 1), reduction="none")
        torch.testing.assert_close(found, wanted)
    gradient = torch.autograd.grad(found.sum(), poisoned)[0]
    assert torch.isfinite(gradient).all() and not gradient[3:, 1].any()


def test_padding_does_not_reach_the_gradient_of_real_targets():
    x, y = (
        normalised(20, 5, 2, 2, 3),
        torch.tensor([[[0.2, 0.3], [0.9, 0.5]], [[0.4, 0.7], [math.nan, math.nan]]], dtype=torch.float64),
    )
    x[3:, 1] = math.nan
    x.requires_grad_(), y.requires_grad_()
    loss = mctc_loss(x, y, (5, 3), (2, 1), reduction="none")
    ours = torch.autograd.grad(loss.sum(), (x, y))
    assert torch.isfinite(loss).all() and all(torch.isfinite(g).all() for g in ours)
    assert not ours[0][3:, 1].any() and not ours[1][1, 1].any()
    alone_x, alone_y = (v.detach().clone().requires_grad_() for v in (x[:3, 1], y[1, :1]))
    wanted = torch.autograd.grad(mctc_loss(alone_x, alone_y, (3,), (1,), reduction="sum"), (alone_x, alone_y))
    torch.testing.assert_close((ours[0][:3, 1], ours[1][1, :1]), wanted)


@pytest.mark.parametrize(
    ("target", "how", "message"),
    [
        ([[0, 0]], {}, r"\[0, 0\] of item 0 at place 0 is the blank in every category"),
        ([[1, 3]], {}, r"\[1, 3\] of item 0 at place 0 is outside 0 \.\. 2"),
        ([[0.5, 1.5]], {}, r"is outside 0 \.\. 1"),
        ([[1, 1, 1]], {}, "targets have 3 categories and log_probs 2"),
        ([[1, 1]], {"blank": 3}, "blank is 3"),
        ([[1, 1]], {"overall": torch.zeros(4, 1)}, "overall has the shape"),
    ],
)
def test_what_mctc_refuses(target, how, message):
    with pytest.raises(ValueError, match=message):
        mctc_loss(normalised(0, 4, 2, 3), torch.tensor(target), (4,), (1,), **how)
