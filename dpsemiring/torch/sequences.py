"""Ragged series, however torch holds them, as a padded tensor and lengths; and padding that nothing can come out of."""

from __future__ import annotations

import torch
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence, pad_sequence


def padded(x, what: str = "x") -> tuple[torch.Tensor, torch.Tensor | None]:
    """A batch of series as a tensor, batch first and padded with zeros, and the length of each; gradients flow back.

    Parameters
    ----------
    x : tensor, list of tensors, PackedSequence, or nested tensor
        A dense tensor is given back as it is, with None for the lengths. Else B series (N_b, D), or B rows of labels
        (M_b,): a list or tuple of tensors; `torch.nn.utils.rnn.PackedSequence`, in the order in which it was packed;
        `torch.nested` of the strided or the jagged layout.
    what : str
        What messages call it.

    Returns
    -------
    tensor : (B, N, D) or (B, M), or what was given
    lengths : (B,) int64 tensor, or None

    Raises
    ------
    TypeError, ValueError
        For what is no batch of series, an empty list, series of different numbers of features.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import padded
    >>> tensor, lengths = padded([torch.ones(2, 1), torch.ones(3, 1)])
    >>> tuple(tensor.shape), lengths.tolist()
    ((2, 3, 1), [2, 3])
    """
    if isinstance(x, PackedSequence):
        tensor, lengths = pad_packed_sequence(x, batch_first=True)
        return tensor, lengths.to(tensor.device)
    if isinstance(x, torch.Tensor):
        return _joined(what, list(x.unbind())) if x.is_nested else (x, None)
    if isinstance(x, (list, tuple)) and all(isinstance(item, torch.Tensor) for item in x):
        return _joined(what, list(x))
    found = f"a {type(x).__name__}" + (f" with a {type(x[0]).__name__}" if isinstance(x, (list, tuple)) and x else "")
    raise TypeError(f"{what} is {found}; a tensor, a list of tensors, a PackedSequence or a nested tensor is expected")


def _joined(what, items):
    if not items:
        raise ValueError(f"{what} has no series; an empty batch is a tensor of the shape (0, N, D)")
    shapes = {(item.ndim, *item.shape[1:]) for item in items}
    if len(shapes) > 1 or items[0].ndim not in (1, 2):
        found = ", ".join(sorted({str(tuple(item.shape)) for item in items}))
        raise ValueError(f"{what} has series of the shapes {found}; (length, D) with one D, or labels (length,), are expected")
    kind = items[0].dtype
    for item in items:
        kind = torch.promote_types(kind, item.dtype)
    lengths = torch.tensor([len(item) for item in items], device=items[0].device)
    return pad_sequence([item.to(kind) for item in items], batch_first=True), lengths


def within(lengths: torch.Tensor, most: int) -> torch.Tensor:
    """(..., most): which places lie within each length."""
    return torch.arange(most, device=lengths.device) < lengths[..., None]


def without_padding(x: torch.Tensor, lengths, labels: bool = False) -> torch.Tensor:
    """The series with their first frames in place of what lies beyond the lengths, of which nothing can come then.

    Parameters
    ----------
    x : (N, D) or (B, N, D), for labels (N,) or (B, N)
    lengths : int or (B,) tensor, or None for the full ones
    labels : bool
        Whether frames are single numbers.
    """
    if lengths is None or (isinstance(lengths, int) and lengths == x.shape[-1 if labels else -2]):
        return x
    axis = x.ndim - (1 if labels else 2)
    lengths = torch.as_tensor(lengths, device=x.device)
    inside = within(lengths, x.shape[axis])
    some = lengths[..., None] > 0
    if not labels:
        inside, some = inside[..., None], some[..., None]
    if x.shape[axis] == 0:
        return x
    first = torch.where(some, x.detach().narrow(axis, 0, 1), torch.zeros((), dtype=x.dtype, device=x.device))
    return torch.where(inside, x, first)
