"""The relatives of CTC, each beside its definition: every labelling of a few frames."""

import itertools
import math

import pytest
import torch
from labellings import agree, alone, collapse, ctc, normalised, runs, summed

import dpsemiring as dp
from dpsemiring.torch import (
    ctc_blank_penalty_loss,
    ctc_duration_loss,
    ctc_loss,
    ctc_prior_loss,
    ctc_star_loss,
    ctc_wildcard_loss,
    ctc_without_blank_loss,
)

pytestmark = pytest.mark.usefixtures("ctc_engine")
INF = math.inf
TARGETS = [[], [1], [1, 1], [1, 2], [2, 1, 2]]
ALIKE = {
    "without_blank": ctc_without_blank_loss,
    "prior": lambda *a, **k: ctc_prior_loss(*a, **k, log_prior=torch.tensor([0.5, 0.3, 0.2]).log(), weight=0.4),
    "blank_penalty": lambda *a, **k: ctc_blank_penalty_loss(*a, **k, penalty=0.7),
    "star": ctc_star_loss,
    "wildcard": ctc_wildcard_loss,
    "duration": lambda *a, **k: ctc_duration_loss(*a, **k, least=1, most=2),
}


# --- each beside its definition ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [[0], [0, 1], [2, 2], [1, 0, 1], [0, 1, 2, 0, 1]])
def test_without_blank(target):
    """Every way to cut the frames into as many parts as there are labels."""
    x = normalised(0, 4, 3)

    def by_cuts(x):
        cuts = itertools.combinations(range(1, len(x)), len(target) - 1)
        found = [sum(x[a:b, v].sum() for v, a, b in zip(target, (0, *cut), (*cut, len(x)))) for cut in cuts]
        return -torch.logsumexp(torch.stack(found), 0) if found else torch.tensor(INF)

    agree(alone(ctc_without_blank_loss, target), by_cuts, x)


def test_without_blank_an_empty_target_fits_no_frames():
    x = normalised(0, 4, 2, 3).requires_grad_()
    loss = ctc_without_blank_loss(x, torch.zeros(2, 0, dtype=torch.long), (4, 0), (0, 0), reduction="none")
    assert loss.tolist() == [INF, 0.0] and not torch.autograd.grad(loss[0], x)[0].any()


@pytest.mark.parametrize("target", TARGETS)
def test_priors(target):
    prior = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)

    def weighted(x):
        return ctc(torch.log(x.exp() / prior**0.3), target)

    agree(alone(ctc_prior_loss, target, log_prior=prior.log(), weight=0.3), weighted, normalised(1, 4, 3))


def test_the_weight_of_a_prior_is_learnable():
    x, prior = normalised(1, 4, 3), torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log().requires_grad_()
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, 2])
    assert torch.autograd.gradcheck(
        lambda w, p: ctc_prior_loss(x, labels, (4,), (2,), log_prior=p, weight=w), (weight, prior), check_forward_ad=True
    )


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", TARGETS)
def test_blank_penalties(target, blank):
    """Every blank of a labelling pays."""
    labels = target if blank == 0 else [v - 1 for v in target]
    penalty = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)

    def paid(x, penalty=penalty):
        found = [
            sum(x[t, v] for t, v in enumerate(labelling)) - penalty * labelling.count(blank)
            for labelling in itertools.product(range(3), repeat=4)
            if collapse(labelling, blank) == labels
        ]
        return -torch.logsumexp(torch.stack(found), 0) if found else torch.tensor(INF)

    loss = alone(ctc_blank_penalty_loss, labels, blank=blank, penalty=penalty)
    agree(loss, paid, normalised(2, 4, 3))
    if target != [2, 1, 2]:
        torch.testing.assert_close(*(torch.autograd.grad(f(normalised(2, 4, 3)), penalty)[0] for f in (loss, paid)))


def star_by_definition(x, target, star, penalty=0.0, anything=False):
    """Labellings of the classes and the star, in which the star's probability is a sum over classes."""
    value = torch.zeros_like(x[:, 0]) if anything else x[:, 1:].exp().sum(1).log()
    return ctc(torch.cat([x, value[:, None] - penalty], 1), [x.shape[1] if v == star else v for v in target])


@pytest.mark.parametrize("target", [[-1], [-1, 1], [1, -1, 2], [-1, -1], [1, 1], []])
@pytest.mark.parametrize("matches", ["labels", "anything"])
def test_stars(target, matches):
    x = normalised(3, 4, 3)
    loss = alone(ctc_star_loss, target, matches=matches, penalty=0.25)
    agree(loss, lambda x: star_by_definition(x, target, -1, 0.25, matches == "anything"), x)
    marked = alone(ctc_star_loss, [7 if v == -1 else v for v in target], matches=matches, penalty=0.25, star=7)
    assert torch.equal(loss(x), marked(x))


def test_a_star_alone_is_every_sequence_of_labels():
    """Frames of labels anywhere in a row, blanks around: what the labellings with one stretch of non-blanks sum to."""
    wanted = lambda x: summed(x, lambda labelling: runs([v != 0 for v in labelling])[0].count(True) == 1)  # noqa: E731
    agree(alone(ctc_star_loss, [-1]), wanted, normalised(4, 4, 3))


def test_a_star_where_no_label_is_possible():
    """All classes but the blank are impossible in a frame: no NaN in the gradient of the sum over none."""
    x = normalised(5, 4, 3)
    x[1] = torch.tensor([0.0, -INF, -INF])
    x.requires_grad_()
    loss = alone(ctc_star_loss, [-1, 1])(x)
    gradient = torch.autograd.grad(loss, x)[0]
    assert torch.isfinite(loss) and torch.isfinite(gradient).all() and gradient[1].tolist() == [-1.0, 0.0, 0.0]


def test_what_a_star_may_not_be():
    with pytest.raises(ValueError, match="star is 2, which is a class"):
        alone(ctc_star_loss, [1], star=2)(normalised(0, 4, 3))
    with pytest.raises(ValueError, match="label -2 of item 0 at place 1 is outside"):
        alone(ctc_star_loss, [-1, -2])(normalised(0, 4, 3))
    with pytest.raises(ValueError, match="matches is one of labels, anything, found 'all'"):
        alone(ctc_star_loss, [-1], matches="all")(normalised(0, 4, 3))


@pytest.mark.parametrize("target", [*TARGETS, [1, 1, 1]])
def test_wildcards(target):
    """The sum over all stretches of frames of the labellings that collapse to the target."""

    def by_stretches(x):
        found = [-ctc(x[a:b], target) for a, b in itertools.combinations(range(len(x) + 1), 2)]
        found = torch.stack([f for f in found if f > -INF] or [torch.tensor(-INF)])
        return -torch.logsumexp(found, 0)

    agree(alone(ctc_wildcard_loss, target), by_stretches, normalised(6, 4, 3))


@pytest.mark.parametrize(("least", "most"), [(1, None), (2, None), (1, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("target", TARGETS)
def test_durations(target, least, most):
    """Labellings in which every run of a label is as long as it may be."""

    def lasts(labelling):
        labels, lengths = runs(labelling)
        legal = all(v == 0 or least <= n <= (most or 99) for v, n in zip(labels, lengths))
        return legal and collapse(labelling, 0) == target

    agree(alone(ctc_duration_loss, target, least=least, most=most), lambda x: summed(x, lasts), normalised(7, 5, 3))


def test_durations_without_limits_are_ctc():
    x, targets = normalised(8, 9, 3, 4), torch.tensor([[1, 2, 2], [3, 3, 0], [1, 0, 0]])
    arguments = x, targets, (9, 7, 5), (3, 2, 0)
    torch.testing.assert_close(ctc_duration_loss(*arguments, reduction="none"), ctc_loss(*arguments, reduction="none"))


@pytest.mark.parametrize(("least", "most"), [(0, None), (2, 1), (1.5, 2), (1, 0)])
def test_durations_that_make_no_sense(least, most):
    with pytest.raises(ValueError, match="1 <= least <= most"):
        dp.topologies.ctc_durations(least, most)


# --- what they share --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ctc_engine", ["cpu"], indirect=True)
@pytest.mark.parametrize("name", ALIKE)
def test_a_ragged_batch_is_its_items(name, ctc_engine):
    """Padding poisoned; padded and concatenated targets; an item without frames; every reduction."""
    loss = ALIKE[name]
    x, sizes, frames = normalised(9, 6, 4, 3), torch.tensor([2, 1, 3, 1]), torch.tensor([6, 4, 5, 0])
    targets = torch.tensor([[1, 2, -9], [2, -9, -9], [1, 2, 1], [1, -9, -9]])
    clean = x.clone().requires_grad_()
    wanted = [
        loss(clean[:n, b], targets[b, :s], (n,), (s,), reduction="sum")
        for b, (n, s) in enumerate(zip(frames.tolist(), sizes.tolist()))
    ]
    wanted = torch.stack(wanted)
    poisoned = x.masked_fill((torch.arange(6)[:, None] >= frames)[..., None], math.nan).requires_grad_()
    safe = torch.where(torch.arange(3) < sizes[:, None], targets, -9)
    joined = targets[torch.arange(3) < sizes[:, None]]
    for labels in (safe, joined):
        found = loss(poisoned, labels, frames, sizes, reduction="none")
        torch.testing.assert_close(found, wanted)
        assert found[3] == INF
    kept = wanted.masked_fill(wanted == INF, 0.0)
    torch.testing.assert_close(loss(poisoned, safe, frames, sizes, zero_infinity=True), (kept / sizes).mean())
    gradients = [torch.autograd.grad(f[:3].sum(), v)[0] for f, v in ((found, poisoned), (wanted, clean))]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", ALIKE)
def test_they_are_differentiable_twice_and_map(name):
    labels = torch.tensor([[1, 2], [1, 1]])
    if name == "star":
        labels = torch.tensor([[1, -1], [1, 1]])

    def loss(x):
        return ALIKE[name](x, labels, (4, 3), (2, 2), reduction="sum")

    x = normalised(10, 4, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(loss, x)
    assert torch.autograd.gradgradcheck(loss, x)
    xs = torch.stack([x.detach(), normalised(11, 4, 2, 3)])
    torch.testing.assert_close(torch.func.vmap(loss)(xs), torch.stack([loss(v) for v in xs]))


@pytest.mark.parametrize("name", ["star", "duration"])
def test_compiled_as_one_graph(name):
    def loss(x):
        return ALIKE[name](x, torch.tensor([[1, 2], [1, 1]]), (4, 3), (2, 2))

    torch.compiler.reset()
    x = normalised(10, 4, 2, 3).requires_grad_()
    found, wanted = torch.compile(loss, fullgraph=True, backend="aot_eager")(x), loss(x)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(*(torch.autograd.grad(f, x)[0] for f in (found, wanted)))
