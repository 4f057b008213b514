"""Connectionist temporal classification as torch has it, with the true gradient: `dp.topologies.ctc` over a soft minimum."""

from __future__ import annotations

from torch import Tensor

from dpsemiring import topologies
from dpsemiring.torch.ctc_layout import LIKELIHOOD, between, clean_labels, ctc_totals, gathered, loss_of, read
from dpsemiring.torch.solvers import solver_of


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths,
    target_lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    r"""Minus the log-probability of the targets, summed over all their alignments with the frames.

    With :math:`\mathcal{B}` removing repeats and then blanks,

    .. math:: -\log \sum_{\pi :\, \mathcal{B}(\pi) = \text{target}} \exp \sum_t \text{log\_probs}[t, \pi_t]

    A drop-in for ``torch.nn.functional.ctc_loss``: same arguments, same value. The gradient is the true one, see Notes.

    Parameters
    ----------
    log_probs : (T, N, C) or (T, C) float tensor
        **Time first, then batch**, as in torch and unlike the rest of this package. They need not be normalised. -inf
        forbids a class in its frame.
    targets : (N, S) or (sum of target_lengths,) integer tensor
        Padded, or one target after the other; (S,) beside unbatched `log_probs`. Repeats are legal.
    input_lengths, target_lengths : (N,) tensor, tuple or list of int
        Frames and labels of each item. Frames and labels beyond them are never read.
    blank : int
        The class of the blank.
    reduction : {"none", "mean", "sum"}
        "mean" divides each loss by its target's length, counted as 1 at least, and takes the mean over the batch.
    zero_infinity : bool
        Replace losses of +inf, of targets that do not fit into their frames, by 0.

    Returns
    -------
    Tensor
        (), or (N,) for reduction "none" of a batch, in the kind of `log_probs`; half and bfloat16 are computed, and
        returned, in float32. Differentiable twice in `log_probs`.

    Raises
    ------
    TypeError
        For targets that are not whole numbers, `log_probs` that are not real ones.
    ValueError
        For a label that is negative, too large or equal to the blank (the item and the place are named), a blank out
        of range, lengths that are not whole numbers or out of range, shapes that do not fit.

    Notes
    -----
    The gradient is that of the function above in `log_probs`: minus the probability that a frame has a class, given the
    target. In every frame it sums to -1. What torch returns is ``exp(log_probs)`` plus that, the gradient in the scores
    before a ``log_softmax``, whatever was passed: after a ``log_softmax`` both give the same scores the same gradient,
    elsewhere only this one is the derivative.

    A target that does not fit (two equal labels need a blank between) has the loss +inf and the gradient 0, not NaN. An
    item without frames has the loss 0 if its target is empty, else +inf. The mean over an empty batch is NaN, as in
    torch every mean of nothing.

    No cost for each frame and label is made, neither here nor in the backward pass: memory is linear in T + S, beside
    one copy of `log_probs` and its gradient. (Second derivatives, transforms and small problems make it.)

    The labels are not checked within ``torch.compile``, where one beyond the classes is an error of the gathering.

    Source: Graves et al., ICML 2006.

    Examples
    --------
    "a" in two frames is "aa", "a-" or "-a":

    >>> import torch
    >>> p = torch.tensor([[0.6, 0.4], [0.3, 0.7]], dtype=torch.float64)  # blank, a
    >>> x = p.log().requires_grad_()
    >>> loss = ctc_loss(x, torch.tensor([1]), (2,), (1,), reduction="sum")
    >>> round(loss.neg().exp().item(), 6)  # 0.4 * 0.7 + 0.4 * 0.3 + 0.6 * 0.7
    0.82
    >>> loss.backward()
    >>> (-x.grad).round(decimals=3).tolist()  # the probability of each class in each frame, given "a"
    [[0.512, 0.488], [0.146, 0.854]]
    """
    batch = clean_labels(read(log_probs, targets, input_lengths, target_lengths), blank)
    labels = between(batch.targets, blank)
    losses = ctc_totals(
        solver_of(LIKELIHOOD, topologies.ctc), gathered(batch.log_probs, labels), labels, batch.frames, batch.sizes
    )
    return loss_of(losses, batch.sizes, reduction, zero_infinity, batch.batched)
