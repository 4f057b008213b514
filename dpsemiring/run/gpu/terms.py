"""The terms of a cost source as CUDA kernels take them, and what flows back to them.

Frames are those of all items, rows after rows, and those of the columns turned as well, by the columns of the lattice.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dpsemiring.lower.cuda_sources import ARRAYS, MOVING
from dpsemiring.run.arrays import every
from dpsemiring.run.local_costs import Prepared, as_it_stands
from dpsemiring.run.sources import BoundAtom

QUAD = 4  # features that kernels fetch at once


class Frames:
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
        flow = _cut(self.bound, flow[:, : array.shape[1]], self.lengths[place])
        if len(array) != len(flow):
            flow = flow.sum(axis=0, keepdims=True)
        if found is None:
            return flow[:, :, : array.shape[2]].reshape(self.bound.shapes[place])
        flow = flow[:, :, : found.array.shape[1]].reshape(-1, found.array.shape[1])
        flow = found.back(flow.astype(np.float64)).reshape(array.shape)
        own = self.lengths[place] if len(array) > 1 else self.lengths[place].max(initial=0)[None]
        return _cut(self.bound, flow, own).reshape(self.bound.shapes[place])


class Entries:
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
            flow = _cut(self.bound, flow, self.lengths[0])
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


def _cut(atom: BoundAtom, flow, lengths: np.ndarray):
    """What flows to the frames of each item, 0 beyond its length."""
    return flow if every(lengths == flow.shape[1]) else np.where(inside(atom, flow.shape[1], lengths)[:, :, None], flow, 0.0)


def inside(atom: BoundAtom, extent: int, lengths):
    """(B, n): the frames or labels of each item's own."""
    return atom.place.constant(np.arange(extent) < np.asarray(lengths)[:, None])


def inputs_of(plane: str, terms, between: str = "_") -> dict[str, Any]:
    return {f"{plane}{between}{k}_{name}": value for k, t in enumerate(terms) for name, value in t.inputs().items()}


def taken_of(plane: str, terms, given, between: str = "_") -> list[dict[str, Any]]:
    return [{a: given.get(f"d{plane}{between}{k}_{a}") for a in MOVING[t.kind]} for k, t in enumerate(terms)]


def back_to(name: str, terms, gradients) -> Any:
    with np.errstate(all="ignore"):
        found = [
            term.back(place, own)
            for term, own in zip(terms, gradients)
            for place in term.places
            if term.bound.atom.names[place] == name
        ]
    return sum(found[1:], found[0])
