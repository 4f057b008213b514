"""A call's numbers as engines take them, and the same with whole costs, on the host, in another kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dpsemiring.lower.ir import Recurrence
from dpsemiring.run.arrays import HOST, Place, contiguous, some
from dpsemiring.run.fused import Fuse, Fused
from dpsemiring.run.sources import BoundSource
from dpsemiring.run.windows import Rows, read_ranges


@dataclass(eq=False)
class Problem:
    """A call's numbers. Sites are (B or 1, n or 1, m or 1) arrays; `more` is how much a site's extent exceeds N, M.

    Lengths and windows are the host's; all other arrays live in `place`, and results go to `home`. With `checked` numbers
    may be looked at, even if that waits for a device.
    """

    batched: bool
    real: np.dtype
    shape: tuple[int, int, int]  # B, N, M
    n_len: np.ndarray
    m_len: np.ndarray
    sites: list[np.ndarray]
    more: list[tuple[int, int]]
    params: dict[str, np.ndarray]  # of the semiring: (B,) or (1,) float64
    planes: dict[str, np.ndarray]  # (B, N + i, M + j)
    given: dict[str, np.ndarray]  # every Param's value as an array
    shapes: dict[str, tuple[int, ...]]  # of these values as they were passed
    sources: dict[str, BoundSource]
    as_dict: bool
    reading: Reading | None = None
    fused: dict[str, Fused] = field(default_factory=dict)  # sources whose cost is not an array: their plane is zeros
    unseen: dict[str, Any] = field(default_factory=dict)  # planes that were not surveyed: once it is known, what `settle` takes
    window: Rows | None = None
    nan: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    asked: np.dtype | None = None  # the kind of the cost, where it is run in another
    place: Place = HOST
    home: Place = HOST
    checked: bool = True
    sizes: dict[str, Any] = field(default_factory=dict)  # planes whose largest sizes, by item, the survey has found
    judged: bool = False  # whether items that hold what is refused, or too much for the carrier, have been marked on the way

    def handed(self, array):
        """An array as the caller is given it."""
        return array if self.home is self.place else self.place.host(array)

    def refuse(self, bad, error: Callable[[int], Exception]) -> None:
        """Raise for the first item that is bad, (B,) or (1,); where numbers are not looked at, bad items are NaN."""
        if not some(bad):
            return
        if self.checked:
            for b in np.flatnonzero(self.place.host(bad)):
                raise error(int(b))
        else:
            self.nan |= bad

    def refuse_in(self, b: int, wrong, error: Callable[..., Exception]) -> None:
        """The same for the numbers of one item, `error(*index)` being that of a wrong one."""
        if self.checked:
            for index in np.argwhere(self.place.host(wrong)):
                raise error(*index)
        else:
            self.nan[b] |= wrong.any()

    @property
    def kind(self) -> np.dtype:
        """The kind of number of what a result gives: that of the cost."""
        return self.asked or self.real

    @property
    def batch(self) -> int:
        return self.shape[0]

    @property
    def cells(self) -> np.ndarray:
        """(B,): how many cells there are, about."""
        return self.n_len * self.m_len if self.window is None else (self.window[1] - self.window[0]).sum(axis=1)


@dataclass(frozen=True)
class Reading:
    """How the planes of a problem are read: what it takes to make the cost of a source."""

    recurrence: Recurrence
    excess: Mapping[str, tuple[int, ...]]
    makes: Fuse | None = None

    def fuse(self, problem: Problem, real) -> dict[str, Fused]:
        """The sources whose cost need not be made as a whole."""
        found: dict[str, Fused] = {}
        for name, source in problem.sources.items() if self.makes else ():
            ranges = None if problem.window is None else read_columns(self.recurrence, problem, name, self.excess[name])
            forbid = self.recurrence.semiring.forbid
            made = self.makes(source, *self._lengths(problem, name), forbid, real, ranges, problem.refuse)
            if made is not None:
                problem.nan |= made.nan
                found[name] = made
        return found

    def made(self, problem: Problem, name: str) -> np.ndarray:
        """The cost of a source as an array (B, N + i, M + j)."""
        source, plane = problem.sources[name], problem.planes[name]
        cost = source.make(*self._lengths(problem, name), self.recurrence.semiring.forbid, problem.refuse_in)
        return contiguous(cost.reshape(plane.shape), plane.dtype)

    def _lengths(self, problem, name):
        n, m = self.excess[name]
        return problem.n_len + n, problem.m_len + m


def whole(problem: Problem) -> Problem:
    """The same with the cost of every source as an array."""
    if not problem.fused:
        return problem
    planes = {n: problem.reading.made(problem, n) if n in problem.fused else a for n, a in problem.planes.items()}
    sites = problem.reading.recurrence.sites
    named = [planes[site.name] if site.role == "cost" else a for site, a in zip(sites, problem.sites)]
    return replace(problem, planes=planes, sites=named, fused={})


def on_host(problem: Problem) -> Problem:
    """The same with NumPy's arrays."""
    host = problem.place.host
    by_name = {name: {k: host(a) for k, a in getattr(problem, name).items()} for name in ("params", "planes", "given")}
    return replace(problem, place=HOST, sites=[host(a) for a in problem.sites], nan=host(problem.nan), **by_name)


def in_float64(problem: Problem) -> Problem:
    """The same numbers as float64."""
    wide = np.dtype(np.float64)
    fused = problem.reading.fuse(problem, wide) if problem.fused else {}
    if len(fused) < len(problem.fused):
        problem, fused = whole(problem), {}
    roles = [(site.role, site.name) for site in problem.reading.recurrence.sites]
    sites = [
        np.broadcast_to(problem.place.constant(np.zeros((), wide)), s.shape)
        if role == "cost" and name in fused
        else contiguous(s, wide)
        for (role, name), s in zip(roles, problem.sites)
    ]
    return replace(problem, real=wide, sites=sites, asked=problem.kind, fused=fused)


def read_columns(recurrence, problem, name, excess):
    """Of each row of a plane, the range of columns that some cell may read; of all rows alike where there is no window."""
    lo, hi = np.zeros((problem.batch, 1), np.int64), (problem.m_len + excess[1])[:, None]
    if problem.window is None:
        return lo, hi
    shifts = [site.at for site in recurrence.sites if site.role == "cost" and site.name == name]
    return read_ranges(problem.window, shifts, problem.planes[name].shape[1], hi)
