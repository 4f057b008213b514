"""The kinds of cost that a source is made of: each formula once.

A kind prepares the frames of either input by themselves, and pairs them by one of three forms:

    differences   sum over d of (x[n, d] - y[m, d])**2
    products      sum over d of x[n, d] * y[m, d]
    entries       x[n, y[m]], y being labels

What flows to a cost goes back through the form and through each preparation. Whoever makes the costs, from NumPy's
arrays here or in strips (`run.fused`), takes the preparations and the factor from the same statement, `KINDS`.

All is for one item, cut to its lengths: `x` (N, D) along the rows, `y` (M, D) along the columns, or labels (M,); the
cost is (N, M), and `flow`, of that shape, is what flows back to it. An infinite cost is forbidden and has the flow 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dpsemiring.run.arrays import some

BLOCK = 2**17  # differences held at a time: they should stay in cache
DEVICE_BLOCK = 2**24  # on a device each block costs several launches


@dataclass(frozen=True)
class Form:
    """How prepared inputs are paired, and what flows back to them (None to labels)."""

    make: Callable[..., np.ndarray]
    back: Callable[..., tuple]


@dataclass(frozen=True)
class Prepared:
    """An input as its form takes it; `back` takes what flows to that to what flows to the input."""

    array: np.ndarray
    back: Callable[[np.ndarray], np.ndarray] = lambda flow: flow


def as_it_stands(x, **options) -> Prepared:
    """No preparation."""
    return Prepared(x)


@dataclass(frozen=True)
class Limit:
    """Where the numbers of an input lie, and the mend for one that does not."""

    low: float
    high: float
    mend: str = ""

    def excludes(self, x):
        """Where a number lies outside."""
        return (x < self.low) | (x > self.high)


@dataclass(frozen=True)
class Kind:
    """A cost: factor * form(rows(x), columns(y)); where `y` are labels the form is `entries`."""

    form: str
    factor: float = 1.0
    rows: Callable[..., Prepared] = as_it_stands
    columns: Callable[..., Prepared] = as_it_stands
    second: str = "features"  # or "labels", or "either": whole numbers are labels then
    limits: Callable[..., tuple] = lambda **options: (None, None)

    def form_of(self, labels: bool) -> str:
        """The form for labels, or for features."""
        return "entries" if labels else self.form

    def make(self, x, y, **options) -> np.ndarray:
        """The (N, M) costs."""
        form = FORMS[self.form_of(y.ndim == 1)]
        value = form.make(self.rows(x, **options).array, self.columns(y, **options).array)
        return value if self.factor == 1.0 else self.factor * value + 0.0  # no -0

    def back(self, flow, x, y, **options) -> tuple:
        """What flows to x and to y."""
        u, v = self.rows(x, **options), self.columns(y, **options)
        to_u, to_v = FORMS[self.form_of(y.ndim == 1)].back(flow, u.array, v.array)
        return self.factor * u.back(to_u), None if to_v is None else self.factor * v.back(to_v)


@dataclass(frozen=True)
class Own:
    """A kind that the library does not know, by its functions; it has no form."""

    make: Callable[..., np.ndarray]
    back: Callable[..., tuple] | None
    second: str = "features"
    limits: Callable[..., tuple] = lambda: (None, None)


# --- forms ------------------------------------------------------------------------------------------


def _differences(x, y):
    out = np.empty_like(x, shape=(len(x), len(y)))
    for rows, apart in _apart(x, y):
        out[rows] = np.einsum("nmd,nmd->nm", apart, apart)
    return out


def _differences_back(flow, x, y):
    to_x, to_y = np.zeros_like(x), np.zeros_like(y)
    for rows, apart in _apart(_without_infinities(x), _without_infinities(y)):
        to_x[rows] = 2.0 * np.einsum("nm,nmd->nd", flow[rows], apart)
        to_y -= 2.0 * np.einsum("nm,nmd->md", flow[rows], apart)
    return to_x, to_y


def _apart(x, y) -> Iterator[tuple[slice, np.ndarray]]:
    step = max(1, (BLOCK if isinstance(x, np.ndarray) else DEVICE_BLOCK) // max(1, y.size))
    for n in range(0, len(x), step):
        rows = slice(n, n + step)
        yield rows, x[rows, None] - y


def _products(x, y):
    """With weights y >= 0, and 0 * inf = 0."""
    out = _without_infinities(x) @ y.T
    for infinity in (np.inf, -np.inf):
        there = x == infinity
        if some(there):
            out += np.where(there.astype(float) @ (y > 0.0).T.astype(float) > 0.0, infinity, 0.0)
    return out


def _products_back(flow, x, y):
    return flow @ y, flow.T @ _without_infinities(x)


def _entries(x, labels):
    return np.take(x, labels, axis=1)


def _entries_back(flow, x, labels):
    out = np.zeros_like(x, dtype=flow.dtype)
    add_rows(out.T, labels, flow.T)
    return out, None


def add_rows(to, labels, rows) -> None:
    """Add rows to those that the labels name, which may repeat; on a device as a product of matrices, without atomics."""
    if isinstance(to, np.ndarray):
        np.add.at(to, labels, rows)
    else:
        to += (np.arange(len(to), like=labels)[:, None] == labels).astype(rows.dtype) @ rows


FORMS = {
    "differences": Form(_differences, _differences_back),
    "products": Form(_products, _products_back),
    "entries": Form(_entries, _entries_back),
}


# --- preparations -----------------------------------------------------------------------------------


def _direction(x, place) -> Prepared:
    """Frames scaled to length 1. Frames of zeros stay so, and have 1 in one of two further features, which is half a
    squared distance of their own from every other frame."""
    most = np.max(np.abs(x), axis=1, keepdims=True) if x.size else np.zeros_like(x, shape=(len(x), 1))
    scaled = x / np.where(most == 0.0, 1.0, most)
    scaled_length = np.sqrt(np.sum(scaled * scaled, axis=1, keepdims=True))
    unit, length = scaled / np.where(most == 0.0, 1.0, scaled_length), scaled_length * most
    own = np.zeros_like(x, shape=(len(x), 2))
    own[:, place] = (most == 0.0)[:, 0]

    def back(flow):
        flow = flow[:, :-2]
        across = flow - unit * np.sum(unit * flow, axis=1, keepdims=True)
        return _product(across, 1.0 / np.where(length == 0.0, np.inf, length))

    return Prepared(np.concatenate([unit, own], axis=1), back)


def _logarithms(x, logits) -> Prepared:
    """log p and log(1 - p) as 2 D features: of a probability p, or of the logit of one."""
    if logits:
        yes, no = -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
        slopes = np.exp(no), -np.exp(yes)
    else:
        yes, no = np.log(x), np.log1p(-x)
        slopes = 1.0 / x, -1.0 / (1.0 - x)

    def back(flow):
        return sum(map(_product, np.split(flow, 2, axis=1), slopes))

    return Prepared(np.concatenate([yes, no], axis=1), back)


def _either_way(y, logits) -> Prepared:
    """y and 1 - y as 2 D features."""

    def back(flow):
        yes, no = np.split(flow, 2, axis=1)
        return yes - no

    return Prepared(np.concatenate([y, 1.0 - y], axis=1), back)


def _without_infinities(x):
    """0 in place of an infinity: whatever it forbids has the flow 0."""
    return np.where(np.isinf(x), 0.0, x)


def _product(flow, slope):
    """flow * slope, where 0 * inf = 0."""
    return np.where(flow == 0.0, 0.0, flow * slope)


PROBABILITY = Limit(0.0, 1.0)
KINDS = {
    "sqeuclidean": Kind("differences"),
    "cosine": Kind("differences", 0.5, lambda x: _direction(x, 0), lambda y: _direction(y, 1)),
    "gather": Kind("entries", second="labels"),
    "lookup": Kind("entries", second="labels"),  # of the table's rows that the lattice's rows name
    "nll": Kind("products", -1.0, second="either", limits=lambda: (None, Limit(0.0, np.finfo(float).max))),
    "bce": Kind(
        "products",
        -1.0,
        _logarithms,
        _either_way,
        limits=lambda logits: (None if logits else Limit(0.0, 1.0, "; pass logits=True for logits"), PROBABILITY),
    ),
}
