"""`dp.costs` over tensors: a source at a call as a tensor made of torch operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from dpsemiring.declare.costs import Atom, Source
from dpsemiring.torch.checks import is_whole
from dpsemiring.torch.costs import KINDS
from dpsemiring.torch.sequences import without_padding


class TensorSource:
    """A source with the tensors of one call; `shape` is that of the cost, (N, M) or (B, N, M)."""

    def __init__(self, plane: str, source: Source):
        self.plane = plane
        self.parts = [(scale, atom, *_inputs(f"plane {plane!r}: {atom.kind}", atom)) for scale, atom in source.parts]
        sizes = {(x.shape[-2], y.shape[axis]) for _, _, x, y, axis in self.parts}
        if len(sizes) > 1:
            raise ValueError(f"plane {plane!r} adds sources of different shapes: {', '.join(map(str, sorted(sizes)))}")
        leads = {a.shape[0] for _, _, x, y, axis in self.parts for a, axes in ((x, 2), (y, -axis)) if a.ndim > axes}
        if len(leads - {1}) > 1:
            found = " and ".join(map(str, sorted(leads)))
            raise ValueError(f"plane {plane!r}: its arrays have the batch sizes {found}; one size, or 1, is expected")
        self.shape = (*([max(leads - {1}, default=1)] if leads else []), *sizes.pop())

    def make(self, n_len, m_len, forbid: float) -> torch.Tensor:
        """The cost; what lies beyond the lengths, (B,) or None, reaches neither value nor gradient."""
        with _naming(self.plane):
            return sum(self._made(*part, n_len, m_len, forbid) for part in self.parts).expand(self.shape)

    def _made(self, scale, atom, x, y, axis, n_len, m_len, forbid):
        if len(self.shape) == 2:
            n_len, m_len = (None if length is None else length[0] for length in (n_len, m_len))
        x, y = without_padding(x, n_len), without_padding(y, m_len, labels=axis == -1)
        value = KINDS[atom.kind](x, y, **atom.options)
        if scale:
            return scale * value
        return torch.where(value.isinf(), forbid, 0.0 * torch.where(value.isinf(), 0.0, value))


def _inputs(what, atom: Atom) -> tuple[torch.Tensor, torch.Tensor, int]:
    """An atom's two tensors, and which axis of the second is that of the columns."""
    if atom.own is not None:
        raise TypeError(
            f"{what}: a cost of your own is made of NumPy arrays, and values of the call are torch tensors; compute the cost "
            "with torch and pass the tensor, (N, M) or (B, N, M)"
        )
    values = list(atom.inputs.items())
    for name, value in values:
        if isinstance(value, np.ndarray):
            raise TypeError(
                f"{what}: {name} is a NumPy array and other values of the call are torch tensors; use one library: "
                "torch.as_tensor(array)"
            )
    x, y = (value if isinstance(value, torch.Tensor) else torch.as_tensor(value) for _, value in values)
    labels = atom.kind == "gather" or (atom.kind == "nll" and is_whole(y))
    for (name, _), value, least in zip(values, (x, y), (2, 1 if labels else 2)):
        if value.ndim < least:
            raise ValueError(f"{what}: {name} has the shape {tuple(value.shape)}; {least} or {least + 1} axes are expected")
    return x, y, -1 if labels else -2


@contextmanager
def _naming(plane) -> Iterator[None]:
    """Messages begin with the plane."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"plane {plane!r}: {error}") from None
