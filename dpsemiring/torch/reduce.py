"""From one number for each item to a loss."""

from __future__ import annotations

import torch

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(what: str, reduction: str) -> str:
    if reduction not in REDUCTIONS:
        raise ValueError(f"{what}: reduction is one of {', '.join(REDUCTIONS)}, found {reduction!r}")
    return reduction


def reduced(values: torch.Tensor, reduction: str) -> torch.Tensor:
    """() or (B,) as they are, their mean or their sum."""
    if reduction == "none":
        return values
    return values.mean() if reduction == "mean" else values.sum()


def without_infinities(values: torch.Tensor) -> torch.Tensor:
    """0, without a derivative, in place of an infinity."""
    return torch.where(values.isinf(), 0.0, values)
