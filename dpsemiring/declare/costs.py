"""Cost sources (`dp.costs`): costs given by what they are made of, accepted wherever a plane is.

A source is data: sums and scalar multiples of atoms, each of which holds its arrays. Its gradient comes under
the names of those arrays: ``result.grad("log_probs")``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dpsemiring.declare.param import is_real


@dataclass(frozen=True, eq=False)
class Atom:
    """One kind of cost over named arrays; `kind` names how the engine makes it."""

    kind: str
    inputs: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Source:
    """A sum of scaled atoms, supporting ``+``, unary ``-`` and multiplication by a plain number."""

    parts: tuple[tuple[float, Atom], ...]

    __array_ufunc__ = None  # a NumPy array times a source is refused, not spread over its elements

    def __add__(self, other):
        if not isinstance(other, Source):
            return NotImplemented
        return Source(self.parts + other.parts)

    def __mul__(self, scale):
        if isinstance(scale, bool) or not is_real(scale):
            return NotImplemented
        return Source(tuple((float(scale) * s, atom) for s, atom in self.parts))

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        if not isinstance(other, Source):
            return NotImplemented
        return self + -other


def gather(log_probs, labels) -> Source:
    """``log_probs[n, labels[m]]``: the entry of each frame for each label, as it stands; ``-gather(...)`` is the cost.

    Parameters
    ----------
    log_probs : (N, V) or (B, N, V) float
    labels : (M,) or (B, M) int
        In 0 .. V - 1 within each item's length; entries beyond it are not looked at.
    """
    return Source(((1.0, Atom("gather", {"log_probs": log_probs, "labels": labels})),))
