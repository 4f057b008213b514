"""Losses on the expected alignment: soft targets, an alignment prior, and a self-similarity term beside them."""

from __future__ import annotations

import torch

from dpsemiring.torch.checks import product
from dpsemiring.torch.costs import cosine
from dpsemiring.torch.reduce import check_reduction, reduced
from dpsemiring.torch.sequences import padded, within, without_padding
from dpsemiring.torch.solve import TensorResult


def soft_targets(result: TensorResult | torch.Tensor, y: torch.Tensor, *, normalize: bool = True, detach: bool = False):
    """``marginals @ y``: for each input frame the mean of the targets over the expected alignment.

    With A the marginals, ``t[n] = sum over m of A[n, m] y[m]``, divided by ``sum over m of A[n, m]`` where `normalize`.
    Targets without durations so become frame-wise ones, for any frame-wise loss.

    Parameters
    ----------
    result : TensorResult, or (N, M) or (B, N, M) tensor
        A result with marginals of one plane, or such marginals.
    y : (M, C) or (B, M, C) tensor
        What stands for each target frame; labels are made such by ``torch.nn.functional.one_hot(labels, C).float()``.
    normalize : bool
        Whether each row of the alignment is scaled to a distribution. A row of no weight (a frame that no path visits or
        pays for, or one beyond an item's length) gives zeros.
    detach : bool
        Whether the alignment is taken as given: no derivative flows through it. Otherwise it is differentiated as well,
        by the second derivative of the total.

    Returns
    -------
    (N, C) or (B, N, C) tensor

    Notes
    -----
    What `y` holds in columns that have no weight, such as padding, may be NaN or infinite.
    Source: the E-step view of Cuturi and Blondel, Soft-DTW, ICML 2017, section 2.3, in which the gradient is the expected
    alignment.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import soft_targets
    >>> alignment = torch.tensor([[1.0, 0.0], [0.5, 1.0]])
    >>> soft_targets(alignment, torch.tensor([[3.0], [6.0]]))
    tensor([[3.],
            [5.]])
    """
    weights = _marginals("soft_targets", result, detach)
    if not isinstance(y, torch.Tensor) or y.ndim not in (2, 3) or y.shape[-2] != weights.shape[-1]:
        found = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        raise ValueError(
            f"soft_targets: y is {found}; ({weights.shape[-1]}, C), or with a batch axis, is expected for marginals "
            f"{tuple(weights.shape)}"
        )
    kind = torch.promote_types(weights.dtype, y.dtype)
    weights, y = weights.to(kind), y.to(kind)
    unused = ~weights.detach().ne(0.0).any(-2)[..., None]
    out = product(weights, torch.where(unused & ~y.isfinite(), 0.0, y))
    if not normalize:
        return out
    whole = weights.sum(-1, keepdim=True)
    return out / torch.where(whole == 0.0, 1.0, whole)


def alignment_prior_loss(result: TensorResult | torch.Tensor, prior: torch.Tensor, *, reduction: str = "mean") -> torch.Tensor:
    """``sum over n, m of A[n, m] prior[n, m]``: what the expected alignment pays on a second matrix, a loss on where it runs.

    With `temporal_distortion` as the prior this is the temporal term of DILATE, the expected temporal distortion index.

    Parameters
    ----------
    result : TensorResult, or (N, M) or (B, N, M) tensor
        A result with marginals of one plane, or such marginals A; differentiated by the second derivative of the total.
    prior : (N, M) or (B, N, M) tensor
        Penalties; not looked at where A is 0 and they are no finite numbers.
    reduction : {"none", "mean", "sum"}
        Over the batch.

    Source: Le Guen and Thome, Shape and Time Distortion Loss for Training Deep Time Series Forecasting Models, NeurIPS
    2019, equation 4.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import alignment_prior_loss, temporal_distortion
    >>> late = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    >>> alignment_prior_loss(late, temporal_distortion(2, 2))
    tensor(0.2500)
    """
    check_reduction("alignment_prior_loss", reduction)
    weights = _marginals("alignment_prior_loss", result, False)
    prior = torch.as_tensor(prior, device=weights.device)
    if prior.shape[-2:] != weights.shape[-2:] or prior.ndim > weights.ndim:
        raise ValueError(f"alignment_prior_loss: prior has the shape {tuple(prior.shape)}; {tuple(weights.shape)} is expected")
    prior = torch.where((weights.detach() == 0.0) & ~prior.isfinite(), 0.0, prior)
    return reduced((weights * prior).sum((-2, -1)), reduction)


def temporal_distortion(n: int, m: int, lengths=None, *, dtype=None) -> torch.Tensor:
    """``(i / n - j / m)**2``: how far cell (i, j) is from the diagonal, as a share of the length; the prior of DILATE.

    Parameters
    ----------
    n, m : int
        The shape, N and M.
    lengths : pair of int or (B,) tensors, optional
        The items' own n and m in place of these; the result then is (B, N, M), and 0 beyond them.
    dtype : torch.dtype, optional

    Source: Le Guen and Thome, NeurIPS 2019, section 3.2, where n = m = k and the penalty is ``(i - j)**2 / k**2``.

    Examples
    --------
    >>> from dpsemiring.torch import temporal_distortion
    >>> temporal_distortion(2, 4)
    tensor([[0.0000, 0.0625, 0.2500, 0.5625],
            [0.2500, 0.0625, 0.0000, 0.0625]])
    """
    own = [torch.as_tensor(length)[..., None] for length in ((n, m) if lengths is None else lengths)]
    at = [torch.arange(size, dtype=dtype or torch.get_default_dtype()) for size in (n, m)]
    rows, columns = (i / length.clamp(min=1) for i, length in zip(at, own))
    inside = [i < length for i, length in zip(at, own)]
    apart = (rows[..., :, None] - columns[..., None, :]) ** 2
    return torch.where(inside[0][..., :, None] & inside[1][..., None, :], apart, 0.0)


def similarity_loss(prediction, x, *, lengths=None, similarity=None, reduction: str = "mean") -> torch.Tensor:
    """How much the self-similarity of a prediction differs from that of the input: a term against temporal shift.

    With S(z)[i, j] the similarity of frames i and j of one series,

        loss = mean over i, j of (S(prediction)[i, j] - S(x)[i, j])**2

    over the frames within an item's length. An alignment is blind to a prediction that comes early or late by the same
    amount everywhere; its self-similarity is not, since changes then stand at other frames than those of the input. Add it
    to an alignment loss: ``loss(prediction, y) + 0.1 * similarity_loss(prediction, x)``.

    Parameters
    ----------
    prediction : (N, C) or (B, N, C) tensor, or ragged series as in `padded`
    x : (N, D) or (B, N, D) tensor, or the same
        The input features, frame by frame.
    lengths : int or (B,) tensor, optional
    similarity : f(z) -> (N, N) or (B, N, N) tensor, optional
        By default the cosine of two frames, 0 where one of them is zero.
    reduction : {"none", "mean", "sum"}
        Over the batch.

    Raises
    ------
    ValueError
        Where the frames of one are not those of the other.

    Notes
    -----
    Time and memory are O(N**2) for each item. Both arguments are differentiated; ``x.detach()`` where `x` is learnt too.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import similarity_loss
    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> same, late = torch.tensor([[0.0, 2.0], [0.0, 2.0], [2.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> similarity_loss(same, x), similarity_loss(late, x)
    (tensor(0.), tensor(0.4444))
    """
    check_reduction("similarity_loss", reduction)
    (prediction, own), (x, other) = padded(prediction, "prediction"), padded(x, "x")
    if prediction.ndim not in (2, 3) or prediction.shape[:-1] != x.shape[:-1]:
        raise ValueError(
            f"similarity_loss: prediction has the shape {tuple(prediction.shape)} and x {tuple(x.shape)}; frame by frame, (N, C) "
            "and (N, D), or (B, N, C) and (B, N, D), are expected"
        )
    if own is not None and other is not None and not torch.equal(own, other):
        raise ValueError(f"similarity_loss: the lengths of prediction, {own.tolist()}, are not those of x, {other.tolist()}")
    lengths = own if own is not None else other if other is not None else lengths
    similarity = similarity or _cosines
    found, wanted = (similarity(without_padding(z, lengths)) for z in (prediction, x))
    if lengths is None:
        return reduced(((found - wanted) ** 2).mean((-2, -1)), reduction)
    lengths = torch.as_tensor(lengths, device=found.device)
    inside = within(lengths, found.shape[-1])
    both = inside[..., :, None] & inside[..., None, :]
    return reduced((torch.where(both, found - wanted, 0.0) ** 2).sum((-2, -1)) / (lengths * lengths).clamp(min=1), reduction)


def _cosines(z):
    return 1.0 - cosine(z, z)


def _marginals(what, result, detach):
    found = result if isinstance(result, torch.Tensor) else result.marginals
    if isinstance(found, dict):
        raise TypeError(
            f"{what}: the result has the planes {', '.join(found)}; pass the marginals of one: result.marginals[name]"
        )
    if not isinstance(found, torch.Tensor):
        raise TypeError(f"{what}: marginals are a torch tensor, found {type(found).__name__}; give the solver tensors")
    if found.ndim not in (2, 3):
        raise ValueError(f"{what}: marginals have the shape {tuple(found.shape)}; (N, M) or (B, N, M) is expected")
    return found.detach() if detach else found
