"""Cost sources as kernels take them: arrays linear in N + M, from which parts of the cost are made as they are needed.

A source is a sum of *terms*, each of a kernel kind, which is a form of `run.local_costs`:

    differences   scale * sum over d of (x[n, d] - y[m, d])**2
    products      scale * sum over d of x[n, d] * y[m, d]
    entries       scale * table[rows[n], columns[m]]

The inputs are prepared once, as `local_costs.KINDS` says, and gradients go back through the same preparations. How the arrays
are laid out is the engine's: see `run.cpu.fused` and `run.gpu.fused`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from dpsemiring.run.sources import BoundSource


class Fused(Protocol):
    """A source whose cost is never made as a whole.

    Attributes
    ----------
    kinds : tuple of str
        The kernel kind of each term; it determines the kernels, whatever the numbers.
    nan : (B,) bool
        Items of which a cost that some cell reads is NaN, whatever the kernels fill in. Nobody needs to fill or drain them:
        their share of the gradients is NaN.
    names : set of str
        The inputs that have a gradient.
    seen : bool
        Whether `nan` and `largest` are known without a forward pass.
    largest : float
        No cost is greater than this, in absolute value, where it is finite.
    """

    kinds: tuple[str, ...]
    nan: Any
    names: set[str]
    seen: bool

    @property
    def largest(self) -> float: ...

    def gradients(self) -> Any:
        """Zeros in place of what kernels give."""

    def back(self, name: str, *gradients) -> Any:
        """The gradient of a named input, in its own shape, from the gradients of every worker."""


Fuse = Callable[..., Fused | None]
"""``fuse(source, n_len, m_len, forbid, real, ranges, problem)``: a source as an engine takes it, in that kind of number, or None
if its cost must be made as a whole. The lengths are those within the plane, `ranges`, (lo, hi) for each row, what a window
leaves of its columns. Labels and numbers out of range are refused, by way of the problem."""


def kinds(source: BoundSource) -> tuple[str, ...] | None:
    """The kernel kinds of a source's terms, whatever its numbers; None if there is an own cost among them."""
    if any(a.atom.own is not None for a in source.atoms):
        return None
    return tuple(a.kind.form_of(a.takes_labels) for a in source.atoms)
