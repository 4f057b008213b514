"""`dp.costs` over tensors: a source at a call, as a tensor made of torch operations or as a source of NumPy's arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from dpsemiring.declare.costs import Atom, Source
from dpsemiring.torch.checks import common_batch, holds, is_whole, kind_of
from dpsemiring.torch.costs import KINDS, gather
from dpsemiring.torch.sequences import without_padding


class Part(NamedTuple):
    """An atom of a source, its scale, and the tensors that it is of."""

    scale: float
    atom: Atom
    tensors: tuple[torch.Tensor, ...]  # as `atom.inputs` has them, and then the rows, if any
    labels: bool  # whether the second is labels

    @property
    def axes(self) -> tuple[int, ...]:
        """How many each tensor has without a batch axis."""
        return (2, 1 if self.labels else 2, 1)[: len(self.tensors)]

    @property
    def size(self) -> tuple[int, int]:
        """N, M."""
        x, y, *rows = self.tensors
        return (rows[0].shape[-1] if rows else x.shape[-2]), y.shape[-1 if self.labels else -2]


class TensorSource:
    """A source with the tensors of one call; `shape` is that of the cost, (N, M) or (B, N, M), and `kind` its numbers'."""

    def __init__(self, plane: str, parts: Sequence[Part]):
        self.plane, self.parts = plane, parts
        sizes = {part.size for part in parts}
        if len(sizes) > 1:
            raise ValueError(f"plane {plane!r} adds sources of different shapes: {', '.join(map(str, sorted(sizes)))}")
        leads = {a.shape[0] for part in parts for a, axes in zip(part.tensors, part.axes) if a.ndim > axes}
        if len(leads - {1}) > 1:
            found = " and ".join(map(str, sorted(leads)))
            raise ValueError(f"plane {plane!r}: its arrays have the batch sizes {found}; one size, or 1, is expected")
        self.shape = (*([max(leads - {1}, default=1)] if leads else []), *sizes.pop())

    @classmethod
    def of(cls, plane: str, source: Source) -> TensorSource:
        """What a caller passed, checked."""
        return cls(plane, [_part(f"plane {plane!r}: {atom.kind}", scale, atom) for scale, atom in source.parts])

    @property
    def kind(self) -> torch.dtype:
        kinds = [kind_of(*part.tensors[: 1 if part.labels else 2]) for part in self.parts]
        return torch.float64 if torch.float64 in kinds else torch.float32

    def tensors(self) -> Iterator[tuple[torch.Tensor, bool]]:
        """Those of every part, each with a batch axis, and whether it is labels."""
        for part in self.parts:
            for place, (tensor, axes) in enumerate(zip(part.tensors, part.axes)):
                yield (tensor if tensor.ndim > axes else tensor[None]), place == 2 or (place == 1 and part.labels)

    def over(self, tensors: Iterable[torch.Tensor]) -> TensorSource:
        """The same source of other tensors, in the order of `tensors`."""
        rest = iter(tensors)
        return TensorSource(self.plane, [part._replace(tensors=tuple(islice(rest, len(part.tensors)))) for part in self.parts])

    def plain(self, arrays: Iterable[tuple[str, np.ndarray]]) -> Source:
        """The same of named NumPy arrays, in the order of `tensors`."""
        rest, out = iter(arrays), []
        for part in self.parts:
            names, values = zip(*islice(rest, len(part.tensors)))
            inputs = dict(zip(part.atom.inputs, values))
            rows = values[2] if len(values) > 2 else None
            out.append((part.scale, replace(part.atom, inputs=inputs, names=names[:2], rows=rows)))
        return Source(tuple(out))

    def make(self, lengths, size, forbid: float) -> torch.Tensor:
        """The cost; what lies beyond the lengths, (B,) or None, reaches neither value nor gradient.

        Lengths are those of the main plane, whose extents are `size`.
        """
        n_len, m_len = (t if t is None else t + own - main for t, own, main in zip(lengths, self.shape[-2:], size))
        with _naming(self.plane):
            return sum(self._made(part, n_len, m_len, forbid) for part in self.parts).expand(self.shape)

    def _made(self, part, n_len, m_len, forbid):
        if len(self.shape) == 2:
            n_len, m_len = (None if length is None else length[0] for length in (n_len, m_len))
        x, y, *rows = part.tensors
        y = without_padding(y, m_len, part.labels)
        if rows:
            value = gather(_rows_of(part.atom.kind, x, without_padding(rows[0], n_len, labels=True)), y)
        else:  # an entry reaches its own cost alone
            value = KINDS[part.atom.kind](x if part.labels else without_padding(x, n_len), y, **part.atom.options)
        if part.scale:
            return part.scale * value
        return torch.where(value.isinf(), forbid, 0.0 * torch.where(value.isinf(), 0.0, value))


def _part(what, scale, atom: Atom) -> Part:
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
    tensors = tuple(value if isinstance(value, torch.Tensor) else torch.as_tensor(value) for _, value in values)
    labels = atom.kind in ("gather", "lookup") or (atom.kind == "nll" and is_whole(tensors[1]))
    for rows in tensors[2:]:
        if not is_whole(rows) or rows.ndim not in (1, 2):
            raise TypeError(f"{what}: rows are whole numbers (N,) or (B, N), found {rows.dtype} of the shape {tuple(rows.shape)}")
    for (name, _), value, least in zip(values, tensors, (2, 1 if labels else 2)):
        if value.ndim < least:
            raise ValueError(f"{what}: {name} has the shape {tuple(value.shape)}; {least} or {least + 1} axes are expected")
    return Part(scale, atom, tensors, labels)


def _rows_of(what, table, rows):
    """(N, W) or (B, N, W): the rows of a table that are named."""
    count, rows = table.shape[-2], rows.to(torch.int64)
    wrong = (rows < 0) | (rows >= count)
    if holds(wrong):
        *b, n = wrong.nonzero()[0].tolist()
        raise ValueError(f"{what}: label {int(rows[(*b, n)])} of item {b[0] if b else 0} at row {n} is outside 0 .. {count - 1}")
    rows = rows.clamp(0, count - 1)
    lead = common_batch(what, ("table", table.shape[:-2]), ("rows", rows.shape[:-1]))
    shape = (*lead, rows.shape[-1], table.shape[-1])
    found = table.expand(*lead, *table.shape[-2:]).gather(-2, rows[..., None].expand(shape))
    return found if wrong.device.type == "cpu" else torch.where(wrong[..., None], torch.nan, found)


@contextmanager
def _naming(plane) -> Iterator[None]:
    """Messages begin with the plane."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"plane {plane!r}: {error}") from None
