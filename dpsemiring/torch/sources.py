"""`dp.costs` over tensors: a source at a call as a tensor made of torch operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from dpsemiring.declare.costs import Atom, Source
from dpsemiring.torch.checks import common_batch, holds, is_whole
from dpsemiring.torch.costs import KINDS, gather
from dpsemiring.torch.sequences import without_padding


class TensorSource:
    """A source with the tensors of one call; `shape` is that of the cost, (N, M) or (B, N, M)."""

    def __init__(self, plane: str, source: Source):
        self.plane = plane
        self.parts = [(scale, atom, *_inputs(f"plane {plane!r}: {atom.kind}", atom)) for scale, atom in source.parts]
        sizes = {((x if rows is None else rows[..., None]).shape[-2], y.shape[axis]) for _, _, x, rows, y, axis in self.parts}
        if len(sizes) > 1:
            raise ValueError(f"plane {plane!r} adds sources of different shapes: {', '.join(map(str, sorted(sizes)))}")
        arrays = [pair for _, _, x, rows, y, axis in self.parts for pair in ((x, 2), (rows, 1), (y, -axis))]
        leads = {a.shape[0] for a, axes in arrays if a is not None and a.ndim > axes}
        if len(leads - {1}) > 1:
            found = " and ".join(map(str, sorted(leads)))
            raise ValueError(f"plane {plane!r}: its arrays have the batch sizes {found}; one size, or 1, is expected")
        self.shape = (*([max(leads - {1}, default=1)] if leads else []), *sizes.pop())

    def make(self, n_len, m_len, forbid: float) -> torch.Tensor:
        """The cost; what lies beyond the lengths, (B,) or None, reaches neither value nor gradient."""
        with _naming(self.plane):
            return sum(self._made(*part, n_len, m_len, forbid) for part in self.parts).expand(self.shape)

    def _made(self, scale, atom, x, rows, y, axis, n_len, m_len, forbid):
        if len(self.shape) == 2:
            n_len, m_len = (None if length is None else length[0] for length in (n_len, m_len))
        y = without_padding(y, m_len, labels=axis == -1)
        if rows is None:
            value = KINDS[atom.kind](without_padding(x, n_len), y, **atom.options)
        else:
            value = gather(_rows_of(atom.kind, x, without_padding(rows, n_len, labels=True)), y)
        if scale:
            return scale * value
        return torch.where(value.isinf(), forbid, 0.0 * torch.where(value.isinf(), 0.0, value))


def _inputs(what, atom: Atom) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, int]:
    """An atom's first tensor, the labels of its rows or None, its second, and which axis of that is that of the columns."""
    if atom.own is not None:
        raise TypeError(
            f"{what}: a cost of your own is made of NumPy arrays, and values of the call are torch tensors; compute the cost "
            "with torch and pass the tensor, (N, M) or (B, N, M)"
        )
    values = [*atom.inputs.items(), *([] if atom.rows is None else [("rows", atom.rows)])]
    for name, value in values:
        if isinstance(value, np.ndarray):
            raise TypeError(
                f"{what}: {name} is a NumPy array and other values of the call are torch tensors; use one library: "
                "torch.as_tensor(array)"
            )
    x, y, *more = (value if isinstance(value, torch.Tensor) else torch.as_tensor(value) for _, value in values)
    rows = more[0] if more else None
    labels = atom.kind in ("gather", "lookup") or (atom.kind == "nll" and is_whole(y))
    if rows is not None and (not is_whole(rows) or rows.ndim not in (1, 2)):
        raise TypeError(f"{what}: rows are whole numbers (N,) or (B, N), found {rows.dtype} of the shape {tuple(rows.shape)}")
    for (name, _), value, least in zip(values, (x, y), (2, 1 if labels else 2)):
        if value.ndim < least:
            raise ValueError(f"{what}: {name} has the shape {tuple(value.shape)}; {least} or {least + 1} axes are expected")
    return x, rows, y, -1 if labels else -2


def _rows_of(what, table, rows):
    """(N, W) or (B, N, W): the rows of a table that are named."""
    count, rows = table.shape[-2], rows.to(torch.int64)
    wrong = (rows < 0) | (rows >= count)
    if holds(wrong):
        *b, n = wrong.nonzero()[0].tolist()
        raise ValueError(f"{what}: label {int(rows[(*b, n)])} of item {b[0] if b else 0} at row {n} is outside 0 .. {count - 1}")
    lead = common_batch(what, ("table", table.shape[:-2]), ("rows", rows.shape[:-1]))
    shape = (*lead, rows.shape[-1], table.shape[-1])
    return table.expand(*lead, *table.shape[-2:]).gather(-2, rows[..., None].expand(shape))


@contextmanager
def _naming(plane) -> Iterator[None]:
    """Messages begin with the plane."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"plane {plane!r}: {error}") from None
