"""Cost sources read cell by cell, straight from their definitions: slow, and shared with no engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dpsemiring.declare.costs import Atom, Source


def _crossing(weight: float, logarithm: float) -> float:
    """-weight * logarithm, where 0 * inf = 0."""
    return 0.0 if weight == 0.0 else -weight * logarithm


def _log(p: float) -> float:
    return math.log(p) if p > 0.0 else -math.inf


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x > 0.0 else math.exp(x) / (1.0 + math.exp(x))


def _sqeuclidean(x, y):
    return math.fsum((a - b) ** 2 for a, b in zip(x, y))


def _cosine(x, y):
    lengths = math.hypot(*x) * math.hypot(*y)
    return 1.0 if lengths == 0.0 else 1.0 - math.fsum(a * b for a, b in zip(x, y)) / lengths


def _gather(log_probs, label):
    return log_probs[label]


def _nll(log_probs, target):
    return -log_probs[target] if np.ndim(target) == 0 else sum(map(_crossing, target, log_probs))


def _bce(x, y, logits):
    """One of the two logarithms of a logit is that of its negative, so that neither loses digits."""
    total = 0.0
    for a, b in zip(x, y):
        p, q = (_sigmoid(a), _sigmoid(-a)) if logits else (a, 1.0 - a)
        total += _crossing(b, _log(p)) + _crossing(1.0 - b, _log(q))
    return total


DEFINITIONS: dict[str, Callable[..., float]] = {
    "sqeuclidean": _sqeuclidean,
    "cosine": _cosine,
    "gather": _gather,
    "lookup": _gather,
    "nll": _nll,
    "bce": _bce,
}


def read_source(source: Source, forbid: float) -> np.ndarray:
    """The (N, M) or (B, N, M) array of a source; an infinite cost forbids, also where its scale is 0."""
    total: np.ndarray | float = 0.0
    for scale, atom in source.parts:
        cost = _read_atom(atom)
        lost = np.isinf(cost) & (scale == 0.0)
        total = total + np.where(lost, forbid, scale * np.where(lost, 0.0, cost))
    return np.asarray(total)


def _read_atom(atom: Atom) -> np.ndarray:
    x, y = map(np.asarray, atom.inputs.values())
    if atom.rows is not None:
        return _read_atom(replace(atom, inputs=dict(zip(atom.inputs, (_rows_of(x, np.asarray(atom.rows)), y))), rows=None))
    axes = 1 if y.dtype.kind in "iu" and atom.kind in ("gather", "lookup", "nll") else 2
    if x.ndim == 2 and y.ndim == axes and atom.own is not None:
        return np.array([[atom.own[0](a[None], b[None])[0, 0] for b in y] for a in x], float)
    if x.ndim == 2 and y.ndim == axes:
        return np.array([[DEFINITIONS[atom.kind](a, b, **atom.options) for b in y.tolist()] for a in x.tolist()])
    x, y = x if x.ndim == 3 else x[None], y if y.ndim > axes else y[None]
    batch = max(len(x), len(y))
    items = zip(np.broadcast_to(x, (batch, *x.shape[1:])), np.broadcast_to(y, (batch, *y.shape[1:])))
    return np.array([_read_atom(replace(atom, inputs=dict(zip(atom.inputs, pair)))) for pair in items])


def _rows_of(table, rows):
    """(N, W) or (B, N, W): the rows that are named, of a table for all items or of one for each."""
    if table.ndim == 2:
        return table[rows]
    batch = max(len(table), len(rows) if rows.ndim > 1 else 1)
    return np.stack(
        [t[r] for t, r in zip(np.broadcast_to(table, (batch, *table.shape[1:])), np.broadcast_to(rows, (batch, rows.shape[-1])))]
    )
