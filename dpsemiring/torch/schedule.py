"""A temperature that changes while a network learns."""

from __future__ import annotations

import math

import torch


class GammaSchedule(torch.nn.Module):
    """A temperature that goes from `start` to `end` in a number of steps, and stays there.

    After t of T steps it is ``start * (end / start) ** (t / T)`` if geometric, ``start + (end - start) * t / T`` if
    linear. Pass it as ``gamma=`` to `AlignmentLoss` or `soft_dtw`, and call ``step()`` after each batch or epoch. A new
    temperature never recompiles. The steps taken are a buffer, and so part of the ``state_dict`` of whatever holds it.

    Parameters
    ----------
    start, end : float
        Temperatures, finite and > 0.
    steps : int
        How many calls of ``step()`` lead from one to the other, at least 1.
    kind : {"geometric", "linear"}

    Attributes
    ----------
    gamma : float
        The temperature now; calling the schedule gives it as a float64 tensor.

    Examples
    --------
    >>> from dpsemiring.torch import GammaSchedule
    >>> schedule = GammaSchedule(1.0, 0.01, steps=2)
    >>> for _ in range(4):
    ...     print(round(schedule.gamma, 12))
    ...     schedule.step()
    1.0
    0.1
    0.01
    0.01
    """

    taken: torch.Tensor

    def __init__(self, start: float, end: float, steps: int, kind: str = "geometric"):
        super().__init__()
        for name, value in (("start", start), ("end", end)):
            if not (0.0 < value < math.inf):
                raise ValueError(f"GammaSchedule: {name} must be finite and > 0, found {value}")
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"GammaSchedule: steps is a whole number >= 1, found {steps!r}")
        if kind not in ("geometric", "linear"):
            raise ValueError(f"GammaSchedule: kind is 'geometric' or 'linear', found {kind!r}")
        self.start, self.end, self.steps, self.kind = float(start), float(end), steps, kind
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    def forward(self) -> torch.Tensor:
        share = self.taken.to(torch.float64) / self.steps
        if self.kind == "linear":
            return self.start * (1.0 - share) + self.end * share
        return torch.exp(math.log(self.start) * (1.0 - share) + math.log(self.end) * share)

    @property
    def gamma(self) -> float:
        return float(self())

    def step(self) -> None:
        """Go on by one step."""
        self.taken = (self.taken + 1).clamp(max=self.steps)

    def extra_repr(self) -> str:
        return f"{self.start} -> {self.end} in {self.steps} {self.kind} steps, gamma={self.gamma:g}"
