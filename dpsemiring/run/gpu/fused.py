"""Cost sources as CUDA kernels take them; see `run.fused`.

Frames are those of all items, rows after rows, and those of the columns turned as well, by the columns of the lattice. No number
is looked at: the forward pass itself finds what the whole cost would show, and says NaN where a cost exceeds its kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from dpsemiring.lower.cuda_sources import ARRAYS, FORMS, MOVING
from dpsemiring.lower.cuda_whole import BLOCK, JOINED, cuda_whole
from dpsemiring.lower.schedule import LANES
from dpsemiring.run.arrays import contiguous
from dpsemiring.run.fused import kinds
from dpsemiring.run.local_costs import Prepared, as_it_stands
from dpsemiring.run.sources import BoundAtom, BoundSource

QUAD = 4  # features that kernels fetch at once
MOST_ENTRIES = 1 << 12  # of a table whose rows are named
MOST_PARTS = 1 << 30  # bytes of flows to a table, where items or panels that share it have parts of their own
THREADS = 128  # of a CUDA block


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
    def terms(self) -> list[_Frames | _Entries]:
        """As sweeps take them."""
        return self._terms(self.shift)

    @cached_property
    def whole(self) -> Whole:
        """The cost as a whole."""
        return Whole(self.source, self.lengths, self.real, self.terms if self.shift == 0 else self._terms(0), self.nan)

    def _terms(self, shift: int):
        with np.errstate(all="ignore"):
            return [
                _Frames(a, kind, self.lengths, self.real, shift, self.step)
                if kind in FORMS
                else _Entries(a, kind, self.lengths, self.real)
                for kind, a in zip(self.kinds, self.source.atoms)
            ]

    def inputs(self, plane: str) -> dict[str, Any]:
        """What kernels are given, by name; `plane` as in `Term.name`."""
        return _inputs(plane, self.terms)

    def taken(self, plane: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        """What kernels gave, by term and array."""
        return _taken(plane, self.terms, given)

    def gradients(self) -> list[dict[str, Any]]:
        """Zeros in place of that."""
        found = ((t.inputs(), MOVING[t.kind]) for t in self.terms)
        zeros, items = self.source.place.zeros, len(self.nan)
        return [{a: zeros((items, *(own[e] for e in extents))) for a, extents in moving.items()} for own, moving in found]

    def back(self, name: str, gradients) -> Any:
        """The gradient of a named input, in its own shape, from what kernels gave."""
        return _back(name, self.terms, gradients)


class Whole:
    """The cost of a source as an array, and what flows back from that: by a launch, and one or two for each term."""

    def __init__(self, source: BoundSource, lengths: tuple, real: np.dtype, terms: list[_Frames | _Entries], wrong):
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
        return _back(name, self.terms, _taken("P", self.terms, given, ""))

    def _launch(self, kernel: str, given: dict[str, Any], tasks: int) -> None:
        items, rows, width = self.shape
        arguments = self.module.kernels[kernel]
        grid = self.place.blocks(-(-items * tasks * LANES // THREADS))
        sizes = {"items": items, "panels": self.blocks, "warps": grid * THREADS // LANES, "across": self.across}
        constant = self.place.constant
        given |= {"items": items, "rows": rows, "width": width, "panels": self.panels, "blocks": self.blocks, "skip": self.wrong}
        given |= {"n_len": constant(self.lengths[0]), "m_len": constant(self.lengths[1])} | _inputs("P", self.terms, "")
        for a in arguments:
            if a.shape and a.name not in given:
                shape = tuple(s if isinstance(s, int) else sizes.get(s, given.get(s)) for s in a.shape)
                array = given[a.name] = self.place.empty(shape, np.int32 if a.type == "int*" else self.real)
                given[f"{a.name}_b"] = math.prod(shape[-2:])
                if a.cleared:
                    array[...] = np.where(self.wrong, np.nan, 0.0).reshape(-1, *[1] * (array.ndim - 1))
        if items and rows and width:
            values = [given[a.name] for a in arguments]
            self.place.launch(self.module.text, kernel, grid, THREADS, [a.type for a in arguments], values)


_text = lru_cache(maxsize=256)(cuda_whole)


def _inputs(plane: str, terms, between: str = "_") -> dict[str, Any]:
    return {f"{plane}{between}{k}_{name}": value for k, t in enumerate(terms) for name, value in t.inputs().items()}


def _taken(plane: str, terms, given, between: str = "_") -> list[dict[str, Any]]:
    return [{a: given.get(f"d{plane}{between}{k}_{a}") for a in MOVING[t.kind]} for k, t in enumerate(terms)]


def _back(name: str, terms, gradients) -> Any:
    with np.errstate(all="ignore"):
        found = [
            term.back(place, own)
            for term, own in zip(terms, gradients)
            for place in term.places
            if term.bound.atom.names[place] == name
        ]
    return sum(found[1:], found[0])


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
            inside = _inside(atom, wrong.shape[1], own)
            flat = wrong if wrong.ndim == 2 else wrong.any(axis=2)
            yield (flat & inside).any(axis=1)


def _inside(atom: BoundAtom, extent: int, lengths):
    """(B, n): the frames or labels of each item's own."""
    return atom.place.constant(np.arange(extent) < np.asarray(lengths)[:, None])


class _Frames:
    """A term that sums over features."""

    places = (0, 1)

    def __init__(self, atom: BoundAtom, kind: str, lengths: tuple, real: np.dtype, shift: int, step: int):
        self.bound, self.kind, self.lengths = atom, kind, lengths
        self.prepared: list[Prepared | None] = []
        place, options, frames = atom.place, atom.atom.options, []
        for array, side in zip(atom.arrays, (atom.kind.rows, atom.kind.columns)):
            found = None
            if side is not as_it_stands:  # frame by frame
                found = side(array.reshape(-1, array.shape[2]).astype(np.float64), **options)
                array = found.array.reshape(*array.shape[:2], -1)
            self.prepared.append(found)
            frames.append(array)
        depth = max(QUAD, -(-frames[0].shape[2] // QUAD) * QUAD)
        x, y = (self._laid(place, f, (f.shape[1], depth), real) for f in frames)
        wide = -(-max(1, y.shape[1] - shift) // step) * step  # columns of the lattice, to the last that reads a frame
        down = place.zeros((len(y), depth, wide), real)
        self.turned = _overlap(y.shape[1], wide, shift)
        to, of = self.turned
        down[:, :, to] = y[:, of].swapaxes(1, 2)
        self.arrays = dict(zip(ARRAYS[self.kind], (x, y, down)))

    @staticmethod
    def _laid(place, frames, shape, real):
        """With as many features as are fetched together, so that they can be."""
        if frames.shape[1:] == shape and place.aligned(found := frames.astype(real, order="C", copy=False)):
            return found
        out = place.zeros((len(frames), *shape), real)
        out[:, :, : frames.shape[2]] = frames
        return out

    def inputs(self) -> dict[str, Any]:
        x, down = self.arrays["x"], self.arrays["down"]
        scale = self.bound.scale * self.bound.kind.factor
        return {"tall": x.shape[1], "depth": x.shape[2], "wide": down.shape[2], "scale": scale} | _laid_out(self.arrays)

    def back(self, place: int, gradients: dict[str, Any]) -> Any:
        """What flows to an input, from what flows to its prepared frames, 0 beyond the lengths."""
        array, found = self.bound.arrays[place], self.prepared[place]
        if place:
            flow, (to, of) = gradients["down"], self.turned
            turned = np.zeros_like(flow, shape=(len(flow), array.shape[1], flow.shape[1]))
            turned[:, of] = flow[:, :, to].swapaxes(1, 2)
            flow = turned
        else:
            flow = gradients["x"]
        inside = _inside(self.bound, array.shape[1], self.lengths[place])[:, :, None]
        flow = np.where(inside, flow, 0.0)
        if len(array) != len(flow):
            flow = flow.sum(axis=0, keepdims=True)
            inside = inside.any(axis=0, keepdims=True)
        if found is None:
            return flow[:, :, : array.shape[2]].reshape(self.bound.shapes[place])
        flow = flow[:, :, : found.array.shape[1]].reshape(-1, found.array.shape[1])
        flow = found.back(flow.astype(np.float64)).reshape(array.shape)
        return np.where(inside, flow, 0.0).reshape(self.bound.shapes[place])


class _Entries:
    """A term that looks entries up."""

    places = (0,)

    def __init__(self, atom: BoundAtom, kind: str, lengths: tuple, real: np.dtype):
        self.bound, self.kind, self.lengths = atom, kind, lengths
        table, labels = atom.arrays
        self.tall, self.wide = table.shape[1:]
        self.rows_first = len(table) > 1 and _in_order(table.swapaxes(0, 1))  # torch's CTC has frames before items
        table = table.swapaxes(0, 1) if self.rows_first else table
        self.arrays = {"table": table.astype(real, order="C", copy=False), "labels": labels.astype(np.int32, order="C")}
        if atom.rows is not None:
            self.arrays["rows"] = atom.rows.astype(np.int32, order="C")

    def inputs(self) -> dict[str, Any]:
        scale = self.bound.scale * self.bound.kind.factor
        found = {"tall": self.tall, "wide": self.wide, "apart": self.wide, "scale": scale} | _laid_out(self.arrays)
        if self.rows_first:
            found |= {"table_b": self.wide, "apart": self.wide * self.arrays["table"].shape[1]}
        return found

    def back(self, place: int, gradients: dict[str, Any]) -> Any:
        """What flows to the table."""
        flow = gradients["table"]
        if self.kind == "lookups":
            flow = flow if flow.ndim == 3 else flow.sum(axis=1)
        else:
            flow = np.where(_inside(self.bound, self.tall, self.lengths[0])[:, :, None], flow, 0.0)
        return (flow.sum(axis=0) if len(self.bound.arrays[0]) != len(flow) else flow).reshape(self.bound.shapes[0])


def _laid_out(arrays: dict[str, Any]) -> dict[str, Any]:
    """Arrays, and how far apart their items are."""
    apart = {f"{name}_b": math.prod(a.shape[1:]) if len(a) > 1 else 0 for name, a in arrays.items()}
    return arrays | apart


def _in_order(array) -> bool:
    """Whether an array lies row after row in memory."""
    apart = (math.prod(array.shape[axis + 1 :]) * array.itemsize for axis in range(array.ndim))
    return array.strides == tuple(apart)


def _overlap(frames: int, wide: int, shift: int) -> tuple[slice, slice]:
    """Which columns of the lattice read frames, and which frames these are."""
    begin, stop = max(0, -shift), min(wide, frames - shift)
    return slice(begin, max(begin, stop)), slice(begin + shift, max(begin, stop) + shift)
