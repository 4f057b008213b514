"""What is measured: pieces of work, each done in several ways.

A subject is a module with ``works(quick)``. Every way of doing a piece of work is a function of its data that sets up all it
needs and returns the call to be timed; it runs in a process of its own, where its library is imported. What a call gives is
compared with what ours gives before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

OURS, OURS64 = "dpsemiring", "dpsemiring float64"
SUBJECTS = ("softdtw", "dtw", "ctc", "alignment", "gaps", "pairs", "training")


@dataclass(frozen=True)
class Way:
    """One way to do a piece of work.

    `answer` turns what the call gives into what is compared, outside the time; `double` says that the library knows
    float64 alone, `compared` whether the work is the same: a part of it, or more, may stand beside the others.
    """

    make: Callable[..., Callable[[], Any]]
    answer: Callable[[Any], Any] = lambda result: result
    double: bool = False
    compared: bool = True


@dataclass(frozen=True)
class Work:
    """A piece of work of so many lattice cells.

    `wanted` has the ratios asked for, by peer or for the "fastest" of them; `answer` is what is compared of all ways, with one
    tolerance for all of its parts or one for each.
    """

    name: str
    cells: int
    data: Callable[[], tuple]
    ways: dict[str, Way]
    wanted: dict[str, float] = field(default_factory=dict)
    answer: Callable[[Any], Any] = lambda result: result
    tolerance: float | tuple[float, ...] = 1e-4


def peer(way: str) -> str:
    """The library of a way: the first word of its name."""
    return way.split()[0]


def works(module: str, quick: bool) -> list[Work]:
    """Everything that is measured of a subject, by the name of its module."""
    return import_module(module).works(quick)


def find(module: str, name: str, quick: bool) -> Work:
    """A piece of work by name."""
    return next(w for w in works(module, quick) if w.name == name)


# --- answers ----------------------------------------------------------------------------------------

KEPT = 20_000  # a larger array is compared by projections


def digest(answer) -> list[tuple[np.ndarray, float]]:
    """Few numbers for each array of an answer, and the scale of their error: the arrays themselves, or projections of them."""
    out = []
    for part in answer if isinstance(answer, (tuple, list)) else [answer]:
        array = np.asarray(part, np.float64).ravel()
        if array.size <= KEPT:
            out.append((array, float(np.abs(array).max(initial=0.0))))
            continue
        random = np.random.default_rng(7)
        sums = [array.sum(), np.abs(array).sum(), *(array @ random.uniform(-1.0, 1.0, array.size) for _ in range(4))]
        out.append((np.array(sums), float(np.abs(array).sum())))
    return out


def difference(found, expected) -> list[float]:
    """The largest error of each part, relative to its scale; inf where they do not compare."""
    if len(found) != len(expected) or any(a.shape != b.shape for (a, _), (b, _) in zip(found, expected)):
        return [np.inf]
    with np.errstate(invalid="ignore"):
        errors = [np.abs(a - b).max(initial=0.0) / (scale or 1.0) for (a, _), (b, scale) in zip(found, expected)]
    return [float(np.nan_to_num(error, nan=np.inf)) for error in errors]


def too_far(errors: list[float], tolerance: float | tuple[float, ...]) -> bool:
    """Whether a part is off by more than its tolerance."""
    each = tolerance if isinstance(tolerance, tuple) else (tolerance,) * len(errors)
    return len(each) != len(errors) or any(error > most for error, most in zip(errors, each))
