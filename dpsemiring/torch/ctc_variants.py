"""Relatives of CTC: each a declaration, or other log-probabilities, and nothing else beside `ctc_loss`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from dpsemiring import topologies
from dpsemiring.torch.ctc import ctc_loss
from dpsemiring.torch.ctc_layout import LIKELIHOOD, between, clean_labels, ctc_totals, gathered, loss_of, read, totals
from dpsemiring.torch.sequences import within
from dpsemiring.torch.solvers import solver_of


def ctc_without_blank_loss(
    log_probs: Tensor, targets: Tensor, input_lengths, target_lengths, reduction: str = "mean", zero_infinity: bool = False
) -> Tensor:
    """CTC without a blank: each label lasts for one frame or more, and every class may be a label.

    Arguments, returns and errors as for `ctc_loss`, but that there is no blank. Two equal labels in a row are two
    labels, one after the other. An empty target fits no frames: +inf.

    Notes
    -----
    Source: Graves et al., ICML 2006, without the blank; `dp.topologies.ctc_without_blank`.

    >>> x = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]).log()
    >>> loss = ctc_without_blank_loss(x, torch.tensor([0, 1]), (3,), (2,), reduction="sum")
    >>> round(loss.neg().exp().item(), 4)  # "001" and "011": 0.9 * 0.8 * 0.7 + 0.9 * 0.2 * 0.7
    0.63
    """
    batch = clean_labels(read(log_probs, targets, input_lengths, target_lengths), None)
    nothing = (batch.frames == 0) & (batch.sizes == 0)
    cost = gathered(batch.log_probs, batch.targets)
    losses = totals(solver_of(LIKELIHOOD, topologies.ctc_without_blank), cost, batch.frames, batch.sizes, {}, nothing)
    return loss_of(losses, batch.sizes, reduction, zero_infinity, batch.batched)


def ctc_prior_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths,
    target_lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    log_prior: Tensor,
    weight: float | Tensor = 1.0,
) -> Tensor:
    """CTC on log-probabilities divided by a label prior: ``ctc_loss(log_probs - weight * log_prior, ...)``.

    A prior that favours the blank makes it dear, so that alignments are less peaked.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity
        As for `ctc_loss`.
    log_prior : (C,) tensor, or one that broadcasts with `log_probs`
        Finite where a target or the blank reads it: the class frequencies of the training set, or a running mean of the
        model's own; ``detach`` it where it should not be trained.
    weight : float or tensor
        Of the prior, usually 0.2 to 1.

    Notes
    -----
    Source: Zeyer, Schlüter and Ney, Why does CTC result in peaky behavior?, arXiv 2105.14849, 2021; Huang et al., Less
    peaky and more accurate CTC forced alignment by label priors, ICASSP 2024.

    >>> x = torch.full((2, 2), 0.5).log()
    >>> loss = ctc_prior_loss(x, torch.tensor([1]), (2,), (1,), log_prior=torch.tensor([0.8, 0.2]).log())
    >>> round(loss.neg().exp().item(), 4)  # "aa" 2.5 * 2.5, "a-" and "-a" 2.5 * 0.625 each
    9.375
    """
    log_prior = torch.as_tensor(log_prior, device=log_probs.device)
    none = log_prior == -torch.inf  # a class that nothing reads; its prior has no derivative by the weight
    scores = _wide(log_probs) - torch.where(none, log_prior, weight * log_prior.masked_fill(none, 0.0))
    return ctc_loss(scores, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)


def ctc_blank_penalty_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths,
    target_lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    penalty: float | Tensor,
) -> Tensor:
    """CTC in which every frame of blank pays a penalty more: it is subtracted from the blank's log-probability.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity
        As for `ctc_loss`.
    penalty : float or tensor
        In natural logarithms, > 0 against blanks; a tensor broadcasts with ``log_probs[..., blank]``. May be learned.

    Notes
    -----
    Source: the blank penalty of k2's recipes (icefall), there in decoding; compare Yang et al., Blank-regularized CTC for
    frame skipping in neural transducer, Interspeech 2023.

    >>> x = torch.full((2, 2), 0.5).log()
    >>> loss = ctc_blank_penalty_loss(x, torch.tensor([1]), (2,), (1,), penalty=torch.tensor(2.0).log())
    >>> round(loss.neg().exp().item(), 4)  # "aa" 0.5 * 0.5, "a-" and "-a" 0.5 * 0.25 each
    0.5
    """
    if not 0 <= blank < log_probs.shape[-1]:
        raise ValueError(f"blank is {blank}; log_probs have the classes 0 to {log_probs.shape[-1] - 1}")
    log_probs = _wide(log_probs)
    at_blank = one_hot(torch.tensor(blank), log_probs.shape[-1]).bool().to(log_probs.device)
    paid = torch.as_tensor(penalty, dtype=log_probs.dtype, device=log_probs.device)[..., None]
    scores = torch.where(at_blank, log_probs - paid, log_probs)
    return ctc_loss(scores, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)


def ctc_star_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths,
    target_lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    star: int = -1,
    matches: str = "labels",
    penalty: float | Tensor = 0.0,
) -> Tensor:
    """CTC on targets that contain stars: a star stands for whatever was said there, one frame of it or more.

    A star is one more class, whose log-probability in a frame is the log of the sum over the classes that it matches,
    less a penalty. Between a star and a label no blank is needed. What a star matches may also be what stands beside it, so
    one labelling of the frames can be cut in several places and counts as often: the loss ranks and trains, but is not
    minus a log-probability, and may be negative.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity
        As for `ctc_loss`; targets may contain `star`.
    star : int
        The number that marks a star in `targets`: none of the classes.
    matches : {"labels", "anything"}
        "labels": all classes but the blank, log sum exp of their log-probabilities. "anything": any frame with
        log-probability 0, whatever the log-probabilities are.
    penalty : float or tensor
        Paid for every frame of a star.

    Notes
    -----
    Source: the star token and its sum over the non-blank tokens: Pratap et al., Star temporal classification, NeurIPS 2022
    (which lets a star match nothing too, and excludes the label after it); as a class of log-probability 0: Pratap et al.,
    Scaling speech technology to 1,000+ languages, 2023. For wildcards of any length, 0 included, at both ends see
    `ctc_wildcard_loss`.

    >>> x = torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]).log()
    >>> loss = ctc_star_loss(x, torch.tensor([-1, 2]), (2,), (2,), reduction="sum")
    >>> round(loss.neg().exp().item(), 4)  # (0.5 + 0.3) * 0.2
    0.16
    """
    batch = read(log_probs, targets, input_lengths, target_lengths)
    classes, stars = batch.log_probs.shape[2], batch.targets == star
    if 0 <= star < classes:
        raise ValueError(f"star is {star}, which is a class; a number outside 0 .. {classes - 1} is expected")
    if matches not in ("labels", "anything"):
        raise ValueError(f"matches is one of labels, anything, found {matches!r}")
    clean_labels(batch._replace(targets=torch.where(stars, (blank + 1) % classes, batch.targets)), blank)
    # a frame beyond the length may hold a NaN, which the derivative of the sum over its classes would keep
    seen = within(batch.frames, batch.log_probs.shape[1])[..., None]
    x = torch.where(seen, batch.log_probs, 0.0)
    others = torch.cat([x[..., :blank], x[..., blank + 1 :]], dim=2)
    value = log_sum_exp(others) if matches == "labels" else torch.zeros_like(x[..., 0])
    scores = torch.cat([x, (value - penalty)[..., None]], dim=2).transpose(0, 1)
    labels = torch.where(stars, classes, batch.targets)
    losses = ctc_loss(scores, labels, batch.frames, batch.sizes, blank, "none")
    return loss_of(losses, batch.sizes, reduction, zero_infinity, batch.batched)


def _wide(x: Tensor) -> Tensor:
    """At least float32: what is added to half precision would be lost."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def log_sum_exp(x: Tensor) -> Tensor:
    """log sum exp over the last axis, whose gradient is 0, not NaN, where all of it is -inf."""
    dead = (x == -torch.inf).all(-1, keepdim=True)
    return x.masked_fill(dead, 0.0).logsumexp(-1).masked_fill(dead[..., 0], -torch.inf)


def ctc_wildcard_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths,
    target_lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """CTC with a wildcard at both ends: the target is what was said somewhere within the frames.

    The wildcards match any number of frames, none included, with probability 1, so the loss is minus the log of the sum,
    over all stretches of frames, of the target's probability there. It may be negative, since one labelling of the frames
    may be cut in several places. Arguments, returns and errors as for `ctc_loss`.

    Notes
    -----
    Source: Cai, Yuan and Ma, W-CTC: a connectionist temporal classification loss with wild cards, ICLR 2022, summed over
    the ends (which is one of their variants; another weights the ends by their softmax); `dp.topologies.ctc_wildcard`.

    >>> x = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log()
    >>> loss = ctc_wildcard_loss(x, torch.tensor([1]), (2,), (1,), reduction="sum")
    >>> round(loss.neg().exp().item(), 4)  # frame 0: 0.1; frame 1: 0.8; both: 0.1 * 0.8 + 0.1 * 0.2 + 0.9 * 0.8
    1.72
    """
    batch = clean_labels(read(log_probs, targets, input_lengths, target_lengths), blank)
    labels = between(batch.targets, blank)
    cost, solver = gathered(batch.log_probs, labels), solver_of(LIKELIHOOD, topologies.ctc_wildcard)
    losses = ctc_totals(solver, cost, labels, batch.frames, batch.sizes)
    return loss_of(losses, batch.sizes, reduction, zero_infinity, batch.batched)


def ctc_duration_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths,
    target_lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    least: int = 1,
    most: int | None = None,
) -> Tensor:
    """CTC in which every label lasts for `least` to `most` frames each time that it is written.

    With the defaults it is `ctc_loss`. Arguments, returns and errors as there.

    Parameters
    ----------
    log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity
        As for `ctc_loss`.
    least, most : int
        Frames of a label at least and at most, 1 <= least <= most; None: without limit. Each frame up to `most` (up to
        `least` where there is no limit) is a state of the lattice, which costs time and, at the first call, compilation.

    Notes
    -----
    Source: Graves et al., ICML 2006, with durations by chains of states; `dp.topologies.ctc_durations`.

    >>> x = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]).log()
    >>> loss = ctc_duration_loss(x, torch.tensor([1]), (3,), (1,), reduction="sum", least=2)
    >>> round(loss.neg().exp().item(), 4)  # "aaa", "aa-" and "-aa": 0.1 * 0.8 * 0.3 + 0.1 * 0.8 * 0.7 + 0.9 * 0.8 * 0.3
    0.296
    """
    batch = clean_labels(read(log_probs, targets, input_lengths, target_lengths), blank)
    labels = pad(batch.targets, (0, 1), value=blank)
    blanks = gathered(batch.log_probs, torch.full_like(labels, blank))
    planes, params = {"cost": gathered(batch.log_probs, batch.targets), "blank": blanks}, {"labels": labels}
    solver = solver_of(LIKELIHOOD, topologies.ctc_durations, least, most)
    losses = totals(solver, planes, batch.frames, batch.sizes, params, batch.sizes == 0)
    return loss_of(losses, batch.sizes, reduction, zero_infinity, batch.batched)
