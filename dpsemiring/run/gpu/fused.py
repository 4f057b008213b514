"""Cost sources of which CUDA kernels make the cost, where sweeps need it or as a whole; see `run.fused`.

No number is looked at: the forward pass itself finds what the whole cost would show, and says NaN where a cost exceeds its kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from dpsemiring.lower.cuda_sources import FORMS, MOVING
from dpsemiring.lower.cuda_whole import BLOCK, JOINED, cuda_whole
from dpsemiring.lower.schedule import LANES
from dpsemiring.run.arrays import contiguous
from dpsemiring.run.fused import kinds
from dpsemiring.run.gpu.arguments import THREADS, launch, result
from dpsemiring.run.gpu.terms import QUAD, Entries, Frames, back_to, inputs_of, inside, taken_of
from dpsemiring.run.sources import BoundAtom, BoundSource

MOST_ENTRIES = 1 << 12  # of a table whose rows are named
MOST_PARTS = 1 << 30  # bytes of flows to a table, where items or panels that share it have parts of their own


class GpuFused:
    """A source of which kernels make the cost; see `Fused`. They may also make it as a whole.

    Parameters
    ----------
    source : BoundSource
    lengths : pair of (B,) int
        Those of each item within the plane.
    real : dtype
        In which the kernels work.
    shift : int
        Which column of the plane cells read, from their own.
    wrong : (B,) bool
        Items that hold what they must not, of which nothing is read.
    columns : int
        The most that a lane has, a power of 2.
    """

    seen = False
    largest = 0.0  # of a plane that no cell reads

    def __init__(self, source: BoundSource, lengths: tuple, real: np.dtype, shift: int, wrong, columns: int):
        self.source, self.lengths, self.real, self.shift, self.nan = source, lengths, real, shift, wrong
        self.step = max(LANES, columns)  # frames of the columns are so many, or a multiple
        kinds = (("entries" if a.rows is None else "lookups") if a.takes_labels else a.kind.form for a in source.atoms)
        self.kinds = tuple(kinds)
        self.names = {name for name, _, _ in source.named()}

    @cached_property
    def terms(self) -> list[Frames | Entries]:
        """As sweeps take them."""
        return self._terms(self.shift)

    @cached_property
    def whole(self) -> Whole:
        """The cost as a whole."""
        return Whole(self.source, self.lengths, self.real, self.terms if self.shift == 0 else self._terms(0), self.nan)

    def _terms(self, shift: int):
        with np.errstate(all="ignore"):
            return [
                Frames(a, kind, self.lengths, self.real, shift, self.step)
                if kind in FORMS
                else Entries(a, kind, self.lengths, self.real)
                for kind, a in zip(self.kinds, self.source.atoms)
            ]

    def inputs(self, plane: str) -> dict[str, Any]:
        """What kernels are given, by name; `plane` as in `Term.name`."""
        return inputs_of(plane, self.terms)

    def taken(self, plane: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        """What kernels gave, by term and array."""
        return taken_of(plane, self.terms, given)

    def gradients(self) -> list[dict[str, Any]]:
        """Zeros in place of that."""
        found = ((t.inputs(), MOVING[t.kind]) for t in self.terms)
        zeros, items = self.source.place.zeros, len(self.nan)
        return [{a: zeros((items, *(own[e] for e in extents))) for a, extents in moving.items()} for own, moving in found]

    def back(self, name: str, gradients) -> Any:
        """The gradient of a named input, in its own shape, from what kernels gave."""
        return back_to(name, self.terms, gradients)


class Whole:
    """The cost of a source as an array, and what flows back from that: by a launch, and one or two for each term."""

    def __init__(self, source: BoundSource, lengths: tuple, real: np.dtype, terms: list[Frames | Entries], wrong):
        self.place, self.lengths, self.real, self.terms, self.wrong = source.place, lengths, real, terms, wrong
        self.shape = len(wrong), *source.shape[-2:]
        columns = JOINED if self.shape[2] % JOINED == 0 else 1
        self.panels, self.blocks = -(-self.shape[2] // (LANES * columns)), -(-self.shape[1] // BLOCK)
        self.module = _text(tuple(t.kind for t in terms), real.name, columns)
        self.across = LANES * columns

    def make(self, forbid: float) -> Any:
        """(B, N, M)"""
        plane = self.place.zeros(self.shape, self.real)
        self._launch("make", {"plane": plane, "forbid": forbid}, self.panels * self.blocks)
        return plane

    def back(self, name: str, flow) -> Any:
        """The gradient of a named input, in its own shape, from what flows to the cost."""
        given: dict[str, Any] = {"plane": contiguous(flow, self.real)}
        for k, term in enumerate(self.terms):
            for place in term.places:
                if term.bound.atom.names[place] == name:
                    kernel = ("columns" if place else "rows") if term.kind in FORMS else "table"
                    self._launch(f"{kernel}{k}", given, max(self.panels * QUAD, self.blocks * QUAD))
        return back_to(name, self.terms, taken_of("P", self.terms, given, ""))

    def _launch(self, kernel: str, given: dict[str, Any], tasks: int) -> None:
        items, rows, width = self.shape
        grid = self.place.blocks(-(-items * tasks * LANES // THREADS))
        sizes = {"items": items, "panels": self.blocks, "warps": grid * THREADS // LANES, "across": self.across}
        constant = self.place.constant
        given |= {"items": items, "rows": rows, "width": width, "panels": self.panels, "blocks": self.blocks, "skip": self.wrong}
        given |= {"n_len": constant(self.lengths[0]), "m_len": constant(self.lengths[1])} | inputs_of("P", self.terms, "")
        for a in self.module.kernels[kernel]:
            if a.shape and a.name not in given:
                shape = tuple(s if isinstance(s, int) else sizes.get(s, given.get(s)) for s in a.shape)
                kind = np.dtype(np.int32) if a.type == "int*" else self.real
                given[a.name] = result(self.place, shape, kind, self.wrong) if a.cleared else self.place.empty(shape, kind)
                given[f"{a.name}_b"] = math.prod(shape[-2:])
        if items and rows and width:
            launch(self.place, self.module, kernel, grid, THREADS, given)


_text = lru_cache(maxsize=256)(cuda_whole)


def fuse(source: BoundSource, lengths: tuple, real, shift: int, refuse, columns: int = LANES) -> GpuFused | None:
    """A source as kernels of that kind of number take it, or None if they do not know it; arguments as in `GpuFused`.

    ``refuse(bad, error)`` raises ``error(b)`` for the first item that is bad, or makes such items NaN.
    """
    if kinds(source) is None:
        return None
    source.lengths, nan = lengths, source.place.zeros(len(lengths[0]), bool)
    for atom in source.atoms:
        if atom.takes_labels and not _has_room(atom, len(lengths[0]), np.dtype(real)):
            return None
        for wrong in _wrong(atom, lengths):
            refuse(wrong, lambda b, atom=atom: atom.refusal(b, *(own[b] for own in lengths)))
            nan = nan | wrong
    return GpuFused(source, lengths, np.dtype(real), shift, nan, columns)


def _has_room(atom: BoundAtom, items: int, real: np.dtype) -> bool:
    """Whether the parts of what flows to a table are small enough."""
    table, labels = atom.arrays
    size = math.prod(table.shape[1:])
    if atom.rows is None:
        parts = items if len(table) < items else 0
    else:
        parts = items * -(-labels.shape[1] // LANES)
    return (atom.rows is None or size <= MOST_ENTRIES) and parts * size * real.itemsize <= MOST_PARTS


def _wrong(atom: BoundAtom, lengths) -> Iterator:
    """(B,): the items that hold a number which an input must not."""
    for wrong, own in zip(atom.illegal(), (*lengths, lengths[0])):  # the last: labels of rows
        if wrong is not None:
            own_part = inside(atom, wrong.shape[1], own)
            flat = wrong if wrong.ndim == 2 else wrong.any(axis=2)
            yield (flat & own_part).any(axis=1)
