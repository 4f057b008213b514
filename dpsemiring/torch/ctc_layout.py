"""What the losses of the CTC family share: their arguments in one layout, the extended target, solving, reduction.

Arguments come as torch's `ctc_loss` has them; inside, the batch is first, (B, T, C), targets are padded, (B, S), and
whatever stands in the padding has been replaced before it is read. Nothing here loops over the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from dpsemiring.algebra.builtins import Softmin
from dpsemiring.api import Solver
from dpsemiring.declare import costs
from dpsemiring.declare.costs import Source
from dpsemiring.torch import reduce
from dpsemiring.torch.checks import NOT_SEEN, extremes, holds, is_whole
from dpsemiring.torch.reduce import check_reduction, without_infinities
from dpsemiring.torch.sequences import within
from dpsemiring.torch.solve import solve

Cost = Tensor | Source
LIKELIHOOD = Softmin(1.0)  # over negative log-probabilities: the negative log of the sum over all alignments


# --- arguments ----------------------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """The arguments of a loss: log_probs (B, T, C), targets (B, S), their lengths (B,), and whether there was a batch."""

    log_probs: Tensor
    targets: Tensor
    frames: Tensor
    sizes: Tensor
    batched: bool

    @property
    def inside(self) -> Tensor:
        """(B, S): which targets are not padding."""
        return within(self.sizes, self.targets.shape[1])


def read(log_probs: Tensor, targets, input_lengths, target_lengths, *, more: int = 0, batch_first: bool = False) -> Batch:
    """Bring the arguments into one layout. `more` is the number of axes that one target has.

    Raises
    ------
    TypeError
        For `log_probs` that are not real tensors.
    ValueError
        For shapes that do not fit, lengths that are not whole numbers or out of range.
    """
    time_batch = "(B, T" if batch_first else "(T, N"
    layout = f"{time_batch}, {'K, V' if more else 'C'}) or (T, {'K, V' if more else 'C'})"
    if not isinstance(log_probs, Tensor) or not log_probs.is_floating_point():
        found = log_probs.dtype if isinstance(log_probs, Tensor) else type(log_probs).__name__
        raise TypeError(f"log_probs is a tensor of real numbers, {layout}; found {found}")
    if log_probs.ndim not in (2 + more, 3 + more):
        raise ValueError(f"log_probs has the shape {tuple(log_probs.shape)}; {layout} is expected")
    batched = log_probs.ndim == 3 + more
    x = log_probs if log_probs.dtype in (torch.float32, torch.float64) else log_probs.float()
    x = x[None] if not batched else x if batch_first else x.transpose(0, 1)
    of = f"log_probs {layout}"
    frames = read_lengths("input_lengths", input_lengths, len(x), x.shape[1], x.device, of)
    sizes = read_lengths("target_lengths", target_lengths, len(x), None, x.device, of)
    return Batch(x, in_rows(torch.as_tensor(targets, device=x.device), sizes, more), frames, sizes, batched)


def read_lengths(name: str, value, batch: int, most: int | None, device, of: str) -> Tensor:
    """(B,) whole numbers between 0 and `most`."""
    value = torch.as_tensor(value, device=device)
    if not value.numel():
        value = value.long()
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"{name} are whole numbers, found {value.dtype}")
    if value.ndim == 0 and batch == 1:
        value = value[None]
    if value.shape != (batch,):
        raise ValueError(f"{name} has the shape {tuple(value.shape)}; ({batch},) is expected, one for each item of {of}")
    seen = extremes(value)
    if seen is not NOT_SEEN and (seen[0] < 0 or (most is not None and seen[1] > most)):
        bad = value < 0 if most is None else (value < 0) | (value > most)
        item = int(bad.nonzero()[0])
        legal = ">= 0" if most is None else f"0 to {most}, the frames of log_probs,"
        raise ValueError(f"{name}: item {item} has {int(value[item])}; {legal} is possible")
    return value.long()


def in_rows(targets: Tensor, sizes: Tensor, more: int) -> Tensor:
    """(B, S, ...): the targets of each item, which come so or one after the other."""
    batch = len(sizes)
    if targets.ndim == 2 + more:
        if len(targets) != batch:
            raise ValueError(f"targets has the shape {tuple(targets.shape)}; padded targets for {batch} items are expected")
        seen = extremes(sizes)
        if seen is not NOT_SEEN and seen[1] > targets.shape[1]:
            item = int((sizes > targets.shape[1]).nonzero()[0])
            raise ValueError(f"target_lengths: item {item} has {int(sizes[item])}, and targets are padded to {targets.shape[1]}")
        return targets
    if targets.ndim != 1 + more:
        raise ValueError(f"targets has the shape {tuple(targets.shape)}; (N, S), or all targets one after the other, is expected")
    if len(targets) != int(sizes.sum()):
        raise ValueError(f"targets, one after the other, are {len(targets)}, and target_lengths add up to {int(sizes.sum())}")
    out = targets.new_zeros(batch, int(sizes.max()) if batch else 0, *targets.shape[1:])
    out[within(sizes, out.shape[1])] = targets
    return out


def clean_labels(batch: Batch, blank: int | None) -> Batch:
    """The same with int64 targets, checked, and some legal label in their padding.

    Raises
    ------
    TypeError
        For targets that are not whole numbers.
    ValueError
        For a blank or a label out of range, and a label equal to the blank.
    """
    labels, classes = batch.targets, batch.log_probs.shape[-1]
    if not is_whole(labels):
        raise TypeError(f"targets are whole numbers, found {labels.dtype}")
    labels = labels.long()
    if blank is not None and not 0 <= blank < classes:
        raise ValueError(f"blank is {blank}; log_probs have the classes 0 to {classes - 1}")
    seen = extremes(labels)
    if seen is not NOT_SEEN and 0 <= seen[0] and seen[1] < classes and (blank is None or not seen[0] <= blank <= seen[1]):
        return batch._replace(targets=labels)  # whatever stands in the padding
    inside = batch.inside
    bad = (labels < 0) | (labels >= classes)
    if blank is not None:
        bad = bad | (labels == blank)
    bad = bad & inside
    if holds(bad):
        item, place = bad.nonzero()[0].tolist()
        label = int(labels[item, place])
        fault = "is the blank" if label == blank else f"is outside 0 .. {classes - 1}"
        raise ValueError(f"targets: label {label} of item {item} at place {place} {fault}")
    return batch._replace(targets=torch.where(inside, labels, 0 if blank is None else blank))


# --- the extended target --------------------------------------------------------------------------------------------------


def between(labels: Tensor, blank) -> Tensor:
    """(..., S) with a blank, a number or (..., 1) or (..., S + 1), before, between and after: (..., 2 S + 1)."""
    if isinstance(blank, int):
        extended = labels.new_full((*labels.shape[:-1], 2 * labels.shape[-1] + 1), blank)
        extended[..., 1::2] = labels
        return extended
    blank = torch.as_tensor(blank, dtype=labels.dtype, device=labels.device)
    blank = blank.expand(*labels.shape[:-1], labels.shape[-1] + 1)
    pairs = torch.stack([blank[..., :-1], labels], dim=-1).flatten(-2)
    return torch.cat([pairs, blank[..., -1:]], dim=-1)


def gathered(log_probs: Tensor, labels: Tensor) -> Source:
    """(B, T, M) costs: the negative log-probability of each label (B, M) in each frame."""
    return -costs.gather(log_probs, labels)


def numbered(targets: Tensor) -> Tensor:
    """(B, S) whole numbers that differ between neighbours exactly where targets (B, S, ...) do."""
    if not targets.shape[1]:
        return targets.new_zeros(targets.shape[:2], dtype=torch.long)
    moved = targets[:, 1:] != targets[:, :-1]
    moved = moved.flatten(2).any(2) if moved.ndim > 2 else moved
    return pad(moved.long().cumsum(1), (1, 0))


# --- solving ------------------------------------------------------------------------------------------------------------


def totals(
    solver: Solver,
    cost: Cost | Mapping[str, Cost],
    frames: Tensor,
    columns: Tensor,
    params: Mapping[str, Tensor],
    nothing: Tensor,
) -> Tensor:
    """(B,): the solver's totals, also for items that leave it no cell.

    Their alignments are those of no frames or of no labels: `nothing` (B,) tells whether there is one.
    """
    planes = dict(cost) if isinstance(cost, Mapping) else {"cost": cost}
    least = 1 - solver.topology.extra[1]
    empty = (frames == 0) | (columns < least)
    if holds(empty) is False:
        return solve(solver, planes, (frames, columns), params).total
    # such an item computes with a cell of cost 0, and what comes of it is thrown away
    planes = {name: _with_a_cell(plane, empty, least) for name, plane in planes.items()}
    found = solve(solver, planes, (frames.clamp(min=1), columns.clamp(min=least)), params).total
    return torch.where(empty, torch.where(nothing, 0.0, torch.inf).to(found.dtype), found)


def _with_a_cell(cost: Cost, empty: Tensor, least: int) -> Cost:
    """At least one row and `least` columns, which cost 0 in the items (B,) that are empty."""
    if isinstance(cost, Tensor):
        grown = pad(cost, (0, max(0, least - cost.shape[2]), 0, max(0, 1 - cost.shape[1])))
        return grown.masked_fill(empty[:, None, None], 0.0)
    ((scale, atom),) = cost.parts
    log_probs, labels = atom.inputs.values()
    log_probs = pad(log_probs, (0, 0, 0, max(0, 1 - log_probs.shape[1]))).masked_fill(empty[:, None, None], 0.0)
    return scale * costs.gather(log_probs, pad(labels, (0, max(0, least - labels.shape[1]))))


def ctc_totals(solver: Solver, cost: Cost, labels: Tensor, frames: Tensor, sizes: Tensor, params=None) -> Tensor:
    """(B,): totals over costs (B, T, 2 S + 1) of an extended target with labels (B, 2 S + 1)."""
    given = {"labels": labels, **(params or {})}
    return totals(solver, cost, frames, 2 * sizes + 1, given, sizes == 0)


def loss_of(losses: Tensor, sizes: Tensor, reduction: str, zero_infinity: bool, batched: bool) -> Tensor:
    """The losses (B,) as torch's `ctc_loss` reduces them: "mean" divides each by its target's length, at least 1, first."""
    check_reduction("ctc", reduction)
    if zero_infinity:
        losses = without_infinities(losses)
    if reduction == "mean":
        losses = losses / sizes.clamp(min=1)
    if reduction == "none" and not batched:
        return losses[0]
    return reduce.reduced(losses, reduction)
