"""Which buffers of numbers a tile has, and how far they reach beyond its cells.

A site that alone reads its plane or parameter has a buffer with a number for each cell. Where costs are turned round, in skewed
strips, a plane that several sites read, each at another place, stands in one buffer, laid out about the place furthest on: what
cells read before that is found some times earlier and some lanes lower, as accumulated values are, and what flows to all these
sites is added up there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dpsemiring.lower.ir import Site
from dpsemiring.lower.schedule import Schedule


@dataclass(frozen=True)
class Buffer:
    """A buffer, named after the first site that reads it; `at` is the place that stands where a cell's own number does."""

    site: int
    at: tuple[int, int]
    shared: bool = False


class Buffers:
    """The buffers of some sites. Those that sites share have numbers of up to `reach` rows and columns before: `before` times
    earlier and `below` lanes lower."""

    def __init__(self, sites: tuple[Site, ...], read: tuple[int, ...], schedule: Schedule):
        self._of: dict[int, Buffer] = {}
        self.reach = (0, 0)
        for i in read:
            same = [j for j in read if (sites[j].role, sites[j].name) == ("cost", sites[i].name)]
            if len(same) < 2 or schedule.kind != "skewed":
                self._of[i] = Buffer(i, sites[i].at)
                continue
            (n, first_n), (m, first_m) = ((max(x), min(x)) for x in zip(*(sites[j].at for j in same)))
            self._of[i] = Buffer(same[0], (n, m), shared=True)
            self.reach = max(self.reach[0], n - first_n), max(self.reach[1], m - first_m)
        self.all = tuple(dict.fromkeys(self._of.values()))
        self.shared = any(buffer.shared for buffer in self.all)
        self.before, self.below = (schedule.delay(*self.reach), schedule.shift(*self.reach)) if self.shared else (0, 0)

    def __getitem__(self, site: int) -> Buffer:
        return self._of[site]

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def apart(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Of some sites, those that no other of them shares its buffer with, and the first of those that share one."""
        found: dict[Buffer | int, int] = {}
        for i in wanted:
            found.setdefault(self._of.get(i, i), i)
        return tuple(found.values())
