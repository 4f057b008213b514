"""The kinds of cost that a source is made of: each formula once, and beside it the transpose of its derivative.

All is for one item, cut to its lengths: `x` (N, D) along the rows, `y` (M, D) along the columns, or labels (M,); the
cost is (N, M), and `flow`, of that shape, is what flows back to it. An infinite cost is forbidden and has the flow 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 2**17  # differences held at a time: they should stay in cache


@dataclass(frozen=True)
class Limit:
    """Where the numbers of an input lie, and the mend for one that does not."""

    low: float
    high: float
    mend: str = ""


@dataclass(frozen=True)
class Kind:
    """How a cost is made from its two inputs, what flows back to them (None to labels), and what they may hold."""

    make: Callable[..., np.ndarray]
    back: Callable[..., tuple] | None
    second: str = "features"  # or "labels", or "either": whole numbers are labels then
    limits: Callable[..., tuple] = lambda: (None, None)


# --- squared differences ----------------------------------------------------------------------------


def _sqeuclidean(x, y):
    out = np.empty((len(x), len(y)))
    for rows, apart in _differences(x, y):
        out[rows] = np.einsum("nmd,nmd->nm", apart, apart)
    return out


def _sqeuclidean_back(flow, x, y):
    to_x, to_y = np.zeros(x.shape), np.zeros(y.shape)
    for rows, apart in _differences(_without_infinities(x), _without_infinities(y)):
        to_x[rows] = 2.0 * np.einsum("nm,nmd->nd", flow[rows], apart)
        to_y -= 2.0 * np.einsum("nm,nmd->md", flow[rows], apart)
    return to_x, to_y


def _differences(x, y) -> Iterator[tuple[slice, np.ndarray]]:
    step = max(1, BLOCK // max(1, y.size))
    for n in range(0, len(x), step):
        rows = slice(n, n + step)
        yield rows, x[rows, None] - y


# --- angles -----------------------------------------------------------------------------------------


def _cosine(x, y):
    (u, _, no_x), (v, _, no_y) = _directions(x), _directions(y)
    return 0.5 * _sqeuclidean(u, v) + 0.5 * no_x + 0.5 * no_y.T


def _cosine_back(flow, x, y):
    found = []
    (u, lengths_x, _), (v, lengths_y, _) = _directions(x), _directions(y)
    for to_unit, unit, length in zip(_sqeuclidean_back(0.5 * flow, u, v), (u, v), (lengths_x, lengths_y)):
        across = to_unit - unit * np.sum(unit * to_unit, axis=1, keepdims=True)
        found.append(_product(across, 1.0 / np.where(length == 0.0, np.inf, length)))
    return tuple(found)


def _directions(x):
    """Frames scaled to length 1, their lengths (N, 1), and which of them are zero; these stay so."""
    most = np.max(np.abs(x), axis=1, keepdims=True, initial=0.0)
    scaled = x / np.where(most == 0.0, 1.0, most)
    length = np.sqrt(np.sum(scaled * scaled, axis=1, keepdims=True))
    return scaled / np.where(most == 0.0, 1.0, length), length * most, most == 0.0


# --- likelihoods ------------------------------------------------------------------------------------


def _gather(log_probs, labels):
    return np.take(log_probs, labels, axis=1)


def _gather_back(flow, log_probs, labels):
    out = np.zeros(log_probs.shape, flow.dtype)
    np.add.at(out.T, labels, flow.T)
    return out, None


def _crossing(logs, weights):
    """``-sum over v of weights[m, v] * logs[n, v]``, where 0 * inf = 0."""
    out = 0.0 - _without_infinities(logs) @ weights.T
    for infinity in (np.inf, -np.inf):
        there = logs == infinity
        if there.any():
            out += np.where(there.astype(float) @ (weights > 0.0).T.astype(float) > 0.0, -infinity, 0.0)
    return out


def _crossing_back(flow, logs, weights):
    return -(flow @ weights), -(flow.T @ _without_infinities(logs))


def _nll(log_probs, targets):
    return -_gather(log_probs, targets) if targets.ndim == 1 else _crossing(log_probs, targets)


def _nll_back(flow, log_probs, targets):
    return _gather_back(-flow, log_probs, targets) if targets.ndim == 1 else _crossing_back(flow, log_probs, targets)


def _bce(x, y, logits):
    (yes, _), (no, _) = _logarithms(x, logits)
    return _crossing(yes, y) + _crossing(no, 1.0 - y)


def _bce_back(flow, x, y, logits):
    (yes, slope_of_yes), (no, slope_of_no) = _logarithms(x, logits)
    (to_yes, to_y), (to_no, to_rest) = _crossing_back(flow, yes, y), _crossing_back(flow, no, 1.0 - y)
    return _product(to_yes, slope_of_yes) + _product(to_no, slope_of_no), to_y - to_rest


def _logarithms(x, logits):
    """log p and log(1 - p), each with its derivative by x: a probability p, or the logit of one."""
    if not logits:
        return (np.log(x), 1.0 / x), (np.log1p(-x), -1.0 / (1.0 - x))
    yes, no = -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
    return (yes, np.exp(no)), (no, -np.exp(yes))


# --- what all share ---------------------------------------------------------------------------------


def _without_infinities(x):
    """0 in place of an infinity: whatever it forbids has the flow 0."""
    return np.where(np.isinf(x), 0.0, x)


def _product(flow, slope):
    """flow * slope, where 0 * inf = 0."""
    return np.where(flow == 0.0, 0.0, flow * slope)


PROBABILITY = Limit(0.0, 1.0)
KINDS = {
    "sqeuclidean": Kind(_sqeuclidean, _sqeuclidean_back),
    "cosine": Kind(_cosine, _cosine_back),
    "gather": Kind(_gather, _gather_back, second="labels"),
    "nll": Kind(_nll, _nll_back, second="either", limits=lambda: (None, Limit(0.0, np.finfo(float).max))),
    "bce": Kind(
        _bce,
        _bce_back,
        limits=lambda logits: (None if logits else Limit(0.0, 1.0, "; pass logits=True for logits"), PROBABILITY),
    ),
}
