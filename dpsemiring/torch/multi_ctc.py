"""CTC beyond single labels: targets of several categories at once, and features of any kind."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from dpsemiring import topologies
from dpsemiring.algebra.builtins import Softmin
from dpsemiring.declare.param import Param
from dpsemiring.torch.checks import holds, product
from dpsemiring.torch.ctc_layout import LIKELIHOOD, Batch, between, ctc_totals, loss_of, numbered, read, read_lengths
from dpsemiring.torch.sequences import within
from dpsemiring.torch.solvers import solver_of

ANY_TEMPERATURE = Softmin(Param("gamma"))


def ctc_like(
    cost: Tensor,
    blank_cost: Tensor,
    input_lengths=None,
    target_lengths=None,
    *,
    targets: Tensor | None = None,
    gamma: float | Tensor = 1.0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """CTC's alignment for targets of any kind, given what it costs a frame to be each of them, or to be blank.

    The soft minimum over all ways to give every frame a target or the blank in between, targets in order and each for one
    frame or more; a blank may be left out between targets that differ. So CTC is soft DTW on a target with blanks in it,
    with steps that skip them: negative log-probabilities as costs make it `ctc_loss`, squared distances a soft DTW whose
    targets may have frames of nothing between them.

    Parameters
    ----------
    cost : (B, N, M) or (N, M) float tensor
        **Batch first**, as in the rest of the package: N frames, M targets. +inf forbids.
    blank_cost : (B, N) tensor, or (B, N, M + 1), or a number; unbatched without B
        Of the blank in each frame; or of the blank before each target and after the last.
    input_lengths, target_lengths : (B,) tensor, tuple or list of int, optional
        By default N and M. What lies beyond is never read.
    targets : (B, M), (B, M, D) or unbatched tensor, optional
        Tells which neighbours are equal, entry by entry, and need a blank between. By default all differ.
    gamma : float or () tensor
        Temperature, > 0; differentiable.
    reduction, zero_infinity
        As for `ctc_loss`; "mean" divides by the number of targets.

    Returns
    -------
    Tensor
        () or (B,), differentiable in `cost`, `blank_cost` and `gamma`.

    Notes
    -----
    Source: Zeitler and Müller, 2026 (CTC as soft DTW on an extended target with skips); Graves et al., ICML 2006.

    >>> x, y = torch.tensor([[0.0], [9.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    >>> cost = (x[:, None] - y).square().sum(2)
    >>> loss = ctc_like(cost, torch.tensor(0.5), gamma=0.01, reduction="sum")
    >>> round(loss.item(), 3)  # the frame in the middle is blank
    0.5
    """
    if not isinstance(cost, Tensor) or not cost.is_floating_point() or cost.ndim not in (2, 3):
        found = tuple(cost.shape) if isinstance(cost, Tensor) and cost.is_floating_point() else getattr(cost, "dtype", type(cost))
        raise ValueError(f"cost is a tensor of real numbers, (B, N, M) or (N, M); found {found}")
    batched = cost.ndim == 3
    cost = cost if batched else cost[None]
    (batch, rows, columns), device = cost.shape, cost.device
    blank = given = torch.as_tensor(blank_cost, dtype=cost.dtype, device=device)
    if blank.ndim and not batched:
        blank = blank[None]
    if blank.shape not in ((), (batch, rows), (batch, rows, columns + 1)):
        wanted = [(batch, rows)[1 - batched :], (batch, rows, columns + 1)[1 - batched :]]
        raise ValueError(f"blank_cost has the shape {tuple(given.shape)}; {wanted[0]}, {wanted[1]} or a number is expected")
    blank = blank[..., None] if blank.ndim == 2 else blank
    frames, sizes = (
        read_lengths(name, [most] * batch if value is None else value, batch, most, device, "the cost (B, T, S)")
        for name, value, most in (("input_lengths", input_lengths, rows), ("target_lengths", target_lengths, columns))
    )
    if targets is None:
        ids = torch.arange(columns, device=device).expand(batch, columns)
    else:
        targets = targets if batched else targets[None]
        if targets.shape[:2] != (batch, columns):
            raise ValueError(f"targets has the shape {tuple(targets.shape)}; one for each column of the cost {tuple(cost.shape)}")
        ids = numbered(targets)
    solver = solver_of(ANY_TEMPERATURE, topologies.ctc)
    losses = ctc_totals(solver, between(cost, blank), between(ids, -1), frames, sizes, {"gamma": gamma})
    return loss_of(losses, sizes, reduction, zero_infinity, batched)


def mctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths,
    target_lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    overall: Tensor | None = None,
) -> Tensor:
    r"""Multi-label CTC: a target is one component in each of K categories, such as the pitches that sound together.

    The categories are independent given the frame, so the cost of a frame t and a target y is a sum over them,

    .. math:: c(t, y) = -\sum_k \sum_v y_{k v}\, \text{log\_probs}[t, k, v]

    and that of the blank, which is the blank in every category, :math:`-\sum_k \text{log\_probs}[t, k, \text{blank}]`. The
    alignment is that of CTC; equal targets in a row need a blank between.

    Parameters
    ----------
    log_probs : (T, N, K, V) or (T, K, V) float tensor
        **Time first, then batch**, as for `ctc_loss`. Log-probabilities of the V components of each category, the blank
        among them.
    targets : (N, S, K) or (sum of target_lengths, K) tensor
        Whole numbers: the component of each category; beside two components, the blank 0 and 1, a multi-hot table. Real
        numbers y, 0 to 1: the weight of "on", the last component that is not the blank, ``1 - y`` being that of "off", the
        other one (beside two components: the blank). With (blank, off, on) they cost their binary cross-entropy.
    input_lengths, target_lengths, blank, reduction, zero_infinity
        As for `ctc_loss`.
    overall : (T, N, 2) or (T, 2) tensor, optional
        Log-probabilities of a blank for all categories together, (blank, no blank). Then the categories are not read
        where it is the blank, and `blank` is but one of their components.

    Raises
    ------
    ValueError
        As `ctc_loss`; for targets that are the blank in every category (which beside two components is what silence would
        be: give the categories a component "off"), real ones outside 0 to 1 or beside more than three components.

    Notes
    -----
    `overall` is the encoding "with epsilon" of Weiß and Peeters, without it "no epsilon". The gradient is the true one: in
    every frame and category it sums to -1 (without `overall`).

    Source: Wigington, Price and Cohen, Multi-label connectionist temporal classification, ICDAR 2019; Weiß and Peeters,
    Training deep pitch-class representations with a multi-label CTC loss, ISMIR 2021; real-valued targets: Krause, Weiß
    and Müller, Soft dynamic time warping for multi-pitch estimation and beyond, ICASSP 2023
    (there by soft DTW).

    >>> p = torch.tensor([[[0.5, 0.5], [0.9, 0.1]], [[0.8, 0.2], [0.7, 0.3]]])  # two frames, two categories, blank or on
    >>> loss = mctc_loss(p.log(), torch.tensor([[1, 0]]), (2,), (1,), reduction="sum")
    >>> round(loss.neg().exp().item(), 4)  # (0.5 * 0.9) * (0.2 * 0.7 + 0.8 * 0.7) + (0.5 * 0.9) * (0.2 * 0.7)
    0.378
    """
    batch = read(log_probs, targets, input_lengths, target_lengths, more=1)
    weights = _weights(batch, blank, overall is None)
    x = torch.where(within(batch.frames, batch.log_probs.shape[1])[..., None, None], batch.log_probs, 0.0)
    cost, blanks = _products(x, weights), x[..., blank].neg().sum(2)
    if overall is not None:
        if overall.shape != (*log_probs.shape[:-2], 2):
            raise ValueError(f"overall has the shape {tuple(overall.shape)}; {(*log_probs.shape[:-2], 2)} is expected")
        both = (overall.transpose(0, 1) if batch.batched else overall[None]).to(x.dtype)
        cost, blanks = cost - both[..., 1, None], -both[..., 0]
    ids = between(numbered(batch.targets), -1)
    losses = ctc_totals(solver_of(LIKELIHOOD, topologies.ctc), between(cost, blanks[..., None]), ids, batch.frames, batch.sizes)
    return loss_of(losses, batch.sizes, reduction, zero_infinity, batch.batched)


def _weights(batch: Batch, blank: int, blank_is_refused: bool) -> Tensor:
    """(B, S, K, V): the weight of each component in each target, 0 in the padding; the targets are checked."""
    targets, (categories, components) = batch.targets, batch.log_probs.shape[2:]
    if targets.shape[2] != categories:
        raise ValueError(f"targets have {targets.shape[2]} categories and log_probs {categories}")
    if not 0 <= blank < components:
        raise ValueError(f"blank is {blank}; log_probs have the components 0 to {components - 1}")
    inside, real = batch.inside[..., None], targets.is_floating_point()
    if real and components not in (2, 3):
        raise ValueError(f"real targets are for two or three components of a category, and log_probs have {components}")
    others = [v for v in range(components) if v != blank]
    off, on = ([blank, *others])[-2:]
    legal = (targets >= 0) & (targets <= (1 if real else components - 1))
    silent = ((targets == 0) & (off == blank) if real else targets == blank).all(2, keepdim=True) & blank_is_refused
    for bad, fault in (
        (~legal, f"is outside 0 .. {1 if real else components - 1}"),
        (silent, "is the blank in every category"),
    ):
        if holds(bad := (bad & inside).any(2)):
            item, place = bad.nonzero()[0].tolist()
            raise ValueError(f"targets: {targets[item, place].tolist()} of item {item} at place {place} {fault}")
    if not real:
        return one_hot(torch.where(inside, targets.long(), 0), components).to(batch.log_probs.dtype) * inside[..., None]
    y = torch.where(inside, targets.to(batch.log_probs.dtype), 0.0)[..., None]
    place = torch.arange(components, device=y.device)
    return (torch.where(place == on, y, 0.0) + torch.where(place == off, 1.0 - y, 0.0)) * inside[..., None]


def _products(x: Tensor, weights: Tensor) -> Tensor:
    """(B, T, S): minus the sums of log-probabilities (B, T, K, V) times weights; -inf forbids where it has a weight."""
    x, weights = x.flatten(2), weights.flatten(2).transpose(1, 2)
    dead = x == -torch.inf
    if holds(dead) is False:
        return -product(x, weights)
    forbidden = dead.to(x.dtype) @ (weights != 0).to(x.dtype) > 0
    return (-product(x.masked_fill(dead, 0.0), weights)).masked_fill(forbidden, torch.inf)
