"""Local costs on tensors: the atoms of `dp.costs` made of torch operations, and so differentiable to every order.

Time comes first, channels last: ``x`` is (N, D) or (B, N, D) and ``y`` (M, D) or (B, M, D); the cost is (N, M), or
(B, N, M) where either has a batch axis. Values and first derivatives are those of `dp.costs`: +inf forbids a cell, a
forbidden cell has no derivative, 0 * inf = 0. They are sums of float64 numbers and come in float64 where an input is
float64, else in float32 (also for half precision, with or without autocast). Several features are added as tensors are:

>>> import torch
>>> from dpsemiring.torch import bce, sqeuclidean
>>> onsets, frames = torch.tensor([[0.5], [0.5]]), torch.tensor([[0.0], [1.0]])
>>> 2.0 * bce(onsets, torch.tensor([[1.0]])) + sqeuclidean(frames, torch.tensor([[1.0]]))
tensor([[2.3863],
        [1.3863]])

What infinities need is done before a function is taken, never after it: a masked result still has the derivative of the
function at the masked place, which is NaN. Numbers outside a cost's domain (labels beyond the classes, probabilities
beyond [0, 1]) are refused, except where they may not be looked at: inside `torch.vmap` and `torch.compile`.
"""

from __future__ import annotations

import math

import torch

from dpsemiring.torch.checks import (
    all_finite,
    bare,
    check_axes,
    common_batch,
    features,
    holds,
    is_whole,
    kind_of,
    narrowed,
    raised,
    refuse,
    tensor_of,
)


def sqeuclidean(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """``sum over d of (x[n, d] - y[m, d])**2``, never below 0.

    Parameters
    ----------
    x : (N, D) or (B, N, D) real tensor
    y : (M, D) or (B, M, D) real tensor

    Returns
    -------
    (N, M) or (B, N, M) tensor

    Notes
    -----
    One matrix product of frames centred on the mean of `x`, in float64; no (N, M, D) array is made. The error is that of
    rounding numbers of the size of the largest squared distance from that mean, about 1e-16 of it, wherever the origin
    is. `dp.costs.sqeuclidean`, which takes differences first, is as good for frames much closer than that.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import sqeuclidean
    >>> sqeuclidean(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 2.0]]))
    tensor([[5.],
            [4.]])
    """
    x, y, kind = features("sqeuclidean", x, y)
    if all_finite(x) and all_finite(y):
        return raised(narrowed("sqeuclidean", _apart(x, y), kind))
    value = raised(narrowed("sqeuclidean", _apart(bare(x), bare(y)), kind))
    signs = torch.where(x.isinf(), x.sign(), 0.0).detach(), torch.where(y.isinf(), y.sign(), 0.0).detach()
    alike = (signs[0] @ signs[1].mT + signs[0].abs() @ signs[1].abs().mT) > 0.0  # inf - inf
    some = signs[0].abs().sum(-1)[..., :, None] + signs[1].abs().sum(-1)[..., None, :] > 0.0
    return torch.where(some & ~value.isnan(), torch.where(alike, math.nan, math.inf), value)


def _apart(u, v, own_u=0.0, own_v=0.0):
    """``|u[n] - v[m]|**2 + own_u[n] + own_v[m]`` as one product of matrices, off 0 by rounding."""
    centre = u.nanmean(-2, keepdim=True).nan_to_num().detach()  # no value depends on it
    u, v = u - centre, v - centre
    own_u, own_v = (u * u).sum(-1, keepdim=True) + own_u, (v * v).sum(-1, keepdim=True) + own_v
    left = torch.cat([u, own_u, torch.ones_like(own_u)], -1)
    return left @ torch.cat([-2.0 * v, torch.ones_like(own_v), own_v], -1).mT


def cosine(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """``1 - <x[n], y[m]> / (|x[n]| |y[m]|)``, between 0 and 2.

    A frame of zeros has no direction: its cost is 1 with every frame, and its derivatives are 0. Computed as half the squared
    distance of the frames scaled to length 1, as `sqeuclidean` is.

    Parameters
    ----------
    x : (N, D) or (B, N, D) real tensor
    y : (M, D) or (B, M, D) real tensor

    Returns
    -------
    (N, M) or (B, N, M) tensor

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import cosine
    >>> cosine(torch.tensor([[3.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]))
    tensor([[0., 1., 2.],
            [1., 1., 1.]])
    """
    x, y, kind = features("cosine", x, y)
    (u, no_x), (v, no_y) = _directions(x), _directions(y)
    half = math.sqrt(0.5)
    return raised(_apart(half * u, half * v, 0.5 * no_x, 0.5 * no_y).to(kind))


def _directions(x):
    """Frames scaled to length 1, and which of them are zero; these stay so, and have no derivative."""
    most = x.detach().abs().amax(-1, keepdim=True) if x.shape[-1] else x.detach().sum(-1, keepdim=True)
    none = most == 0.0
    scaled = torch.where(none, 0.0, x) / torch.where(none, 1.0, most)  # a direction does not depend on the scale
    return scaled / torch.where(none, 1.0, (scaled * scaled).sum(-1, keepdim=True)).sqrt(), none.to(x.dtype)


def gather(log_probs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """``log_probs[n, labels[m]]``, the entries as they stand: a score, and ``-gather(...)`` the cost.

    Parameters
    ----------
    log_probs : (N, V) or (B, N, V) real tensor
    labels : (M,) or (B, M) tensor of whole numbers in 0 .. V - 1

    Returns
    -------
    (N, M) or (B, N, M) tensor

    Raises
    ------
    ValueError
        For a label outside 0 .. V - 1, by its place.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import gather
    >>> gather(torch.tensor([[-1.0, -2.0, -3.0]]), torch.tensor([2, 0, 2]))
    tensor([[-3., -1., -3.]])
    """
    return _gather("gather", log_probs, labels)


def _gather(what, log_probs, labels):
    second = "labels" if what == "gather" else "targets"
    log_probs, labels = tensor_of(what, "log_probs", log_probs, labels), tensor_of(what, second, labels, log_probs)
    if not is_whole(labels):
        raise TypeError(f"{what}: {second} are whole numbers, found {labels.dtype}")
    check_axes(what, "log_probs", log_probs, (2, 3), "(N, V) or (B, N, V)")
    check_axes(what, second, labels, (1, 2), "(M,) or (B, M)")
    if not log_probs.shape[-1]:
        raise ValueError(f"{what}: log_probs has the shape {tuple(log_probs.shape)}, without an entry to gather")
    labels = labels.to(torch.int64)
    wrong = (labels < 0) | (labels >= log_probs.shape[-1])
    if holds(wrong):
        *b, m = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"{what}: label {int(labels[(*b, m)])} of item {b[0] if b else 0} at column {m} is outside "
            f"0 .. {log_probs.shape[-1] - 1}"
        )
    labels = labels.clamp(0, log_probs.shape[-1] - 1)
    lead = common_batch(what, ("log_probs", log_probs.shape[:-2]), (second, labels.shape[:-1]))
    rows = log_probs.to(kind_of(log_probs)).expand(*lead, *log_probs.shape[-2:])
    found = rows.gather(-1, labels[..., None, :].expand(*lead, log_probs.shape[-2], labels.shape[-1]))
    return found if wrong.device.type == "cpu" else torch.where(wrong[..., None, :], math.nan, found)


def nll(log_probs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The negative log-likelihood of labels, or the cross-entropy with soft targets.

    ``-log_probs[n, targets[m]]`` for whole numbers; ``-sum over v of targets[m, v] * log_probs[n, v]`` for floats and
    booleans, where a class of weight 0 may have the log-probability -inf, and one of positive weight then forbids the cell.

    Parameters
    ----------
    log_probs : (N, V) or (B, N, V) real tensor
        Taken as they stand: nothing is normalised.
    targets : (M,) or (B, M) tensor of whole numbers, or (M, V) or (B, M, V) tensor of floats >= 0 or booleans

    Returns
    -------
    (N, M) or (B, N, M) tensor

    Raises
    ------
    ValueError
        For labels outside 0 .. V - 1 or weights outside [0, inf), by place; for shapes that do not fit.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import nll
    >>> log_probs = torch.tensor([[-1.0, -2.0, -torch.inf]])
    >>> nll(log_probs, torch.tensor([1, 2]))
    tensor([[2., inf]])
    >>> nll(log_probs, torch.tensor([[0.5, 0.5, 0.0]]))
    tensor([[1.5000]])
    """
    if isinstance(targets, torch.Tensor) and is_whole(targets):
        if isinstance(log_probs, torch.Tensor) and log_probs.ndim == targets.ndim == 2:
            raise ValueError(
                f"nll: targets are whole numbers of the shape {tuple(targets.shape)}, which would be a batch of labels, and "
                "log_probs has no batch axis; pass floats for soft targets (M, V), or log_probs[None] for one item"
            )
        return -_gather("nll", log_probs, targets)
    x, y, kind = features("nll", log_probs, targets, ("log_probs", "targets"), "V")
    refuse("nll", "targets", y, (y < 0.0) | y.isinf(), "[0, inf)")
    positive, negative = x == math.inf, x == -math.inf
    return narrowed("nll", _crossing(bare(x), y, positive, negative), kind)


def bce(x: torch.Tensor, y: torch.Tensor, logits: bool = False) -> torch.Tensor:
    """``-sum over d of y[m, d] log p[n, d] + (1 - y[m, d]) log(1 - p[n, d])``: the binary cross-entropy of two frames.

    Here 0 * log 0 = 0. A prediction of 0 where the target is above 0, or of 1 where it is below 1, costs inf and forbids
    the cell; nothing is clipped. At a prediction of exactly 0 or 1 the derivatives leave the infinite logarithm out.

    Parameters
    ----------
    x : (N, D) or (B, N, D) real tensor
        Predictions p in [0, 1], or their logits.
    y : (M, D) or (B, M, D) real tensor
        Targets in [0, 1].
    logits : bool
        Whether `x` holds logits, p being their logistic function: more accurate near 0 and 1.

    Returns
    -------
    (N, M) or (B, N, M) tensor

    Raises
    ------
    ValueError
        For numbers outside [0, 1], by place; for shapes that do not fit.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import bce
    >>> bce(torch.tensor([[0.5, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[0.6931,    inf]])
    """
    x, y, kind = features("bce", x, y)
    refuse("bce", "y", y, (y < 0.0) | (y > 1.0), "[0, 1]")
    if logits:
        never, always = x == -math.inf, x == math.inf
        inside = torch.where(never | always, 0.0, x)
        yes, no = torch.nn.functional.logsigmoid(inside), torch.nn.functional.logsigmoid(-inside)
        yes, no = (torch.where(never | always, 0.0, log) for log in (yes, no))
    else:
        refuse("bce", "x", x, (x < 0.0) | (x > 1.0), "[0, 1]", "; pass logits=True for logits")
        never, always = x == 0.0, x == 1.0
        yes, no = torch.where(never, 1.0, x).log(), torch.log1p(-torch.where(always, 0.0, x))
    return narrowed(
        "bce", _crossing(torch.cat([yes, no], -1), torch.cat([y, 1.0 - y], -1), None, torch.cat([never, always], -1)), kind
    )


def _crossing(logs, weights, positive, negative):
    """``-sum over v of weights[m, v] * logs[n, v]``; `logs` hold 0 for the infinities that the masks tell of."""
    out = -(logs @ weights.mT)
    for there, infinity in ((positive, -math.inf), (negative, math.inf)):
        if there is not None and holds(there) is not False:
            met = there.to(weights.dtype) @ (weights.detach() > 0.0).to(weights.dtype).mT
            out = out + torch.where(met > 0.0, infinity, 0.0)
    return out


KINDS = {"sqeuclidean": sqeuclidean, "cosine": cosine, "gather": gather, "nll": nll, "bce": bce}
