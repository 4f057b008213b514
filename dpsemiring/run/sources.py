"""Cost sources made into arrays, and gradients carried back to what they are made of.

One entry of `ATOMS` is one kind of cost: how it is made, and the transpose of its derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dpsemiring.declare.costs import Source


@dataclass(frozen=True)
class Kind:
    """How one kind of atom is made from its inputs, and what flows back to each of them."""

    make: Callable
    back: Callable


def _gather(log_probs, labels):
    values, index = _gather_inputs(log_probs, labels)
    return np.take_along_axis(values, index[..., None, :], axis=-1)


def _gather_inputs(log_probs, labels):
    values, index = np.asarray(log_probs), np.asarray(labels)
    if index.dtype.kind not in "iu":
        raise TypeError(f"gather: labels are whole numbers, found {index.dtype}")
    if values.ndim not in (2, 3) or index.ndim != values.ndim - 1 or values.shape[:-2] != index.shape[:-1]:
        raise ValueError(
            f"gather: log_probs have the shape {values.shape} and labels {index.shape}; (N, V) with (M,), or (B, N, V) with "
            "(B, M), is expected"
        )
    if not values.shape[-1]:
        raise ValueError(f"gather: log_probs have the shape {values.shape}, without an entry to gather")
    return values, np.clip(index, 0, values.shape[-1] - 1)


def _gather_back(flow, log_probs, labels):
    values, index = _gather_inputs(log_probs, labels)
    out = np.zeros(values.shape, flow.dtype)
    flat = out.reshape(-1, *values.shape[-2:])
    flow, index = flow.reshape(-1, *flow.shape[-2:]), index.reshape(-1, index.shape[-1])
    for b in range(len(flat)):
        np.add.at(flat[b].T, index[b], flow[b].T)
    return {"log_probs": out}


ATOMS = {"gather": Kind(_gather, _gather_back)}


def materialise(plane: str, source: Source) -> np.ndarray:
    """The array of a source."""
    parts = [scale * ATOMS[atom.kind].make(**atom.inputs) for scale, atom in source.parts]
    shapes = {p.shape for p in parts}
    if len(shapes) > 1:
        raise ValueError(f"plane {plane!r} adds sources of different shapes: {', '.join(map(str, sorted(shapes)))}")
    return sum(parts[1:], parts[0])


def check_labels(plane: str, source: Source, m_len: np.ndarray) -> None:
    """Refuse labels outside the vocabulary, within each item's length."""
    for _, atom in source.parts:
        if atom.kind != "gather":
            continue
        vocabulary = np.shape(atom.inputs["log_probs"])[-1]
        labels = np.atleast_2d(np.asarray(atom.inputs["labels"]))
        for b, (row, m) in enumerate(zip(labels, m_len)):
            wrong = (row[:m] < 0) | (row[:m] >= vocabulary)
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                raise ValueError(f"plane {plane!r}: label {row[at]} of item {b} at column {at} is outside 0 .. {vocabulary - 1}")


def inputs(source: Source) -> set[str]:
    """The names under which gradients can be asked for."""
    return {name for _, atom in source.parts for name in atom.inputs if name in ("log_probs",)}


def gradient(source: Source, name: str, flow: np.ndarray) -> np.ndarray:
    """What flows to the named input from what flows to the source's array."""
    total = None
    for scale, atom in source.parts:
        if name in atom.inputs:
            part = scale * ATOMS[atom.kind].back(flow, **atom.inputs)[name]
            total = part if total is None else total + part
    return total
