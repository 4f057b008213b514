"""Cost sources (`dp.costs`): costs given by what they are made of, accepted wherever a plane is.

A source is data: sums and scalar multiples of atoms, each of which holds its two arrays, one along the rows of the
lattice and one along its columns. Time comes first, channels last: ``x`` is (N, D) or (B, N, D), ``y`` is (M, D) or
(B, M, D); an array without a batch axis, or with one of length 1, serves every item. What lies beyond an item's
lengths is never looked at.

Gradients come under the names of the arrays, ``result.grad("x")``, in the arrays' own shapes. If several atoms of a
call use one name, it must be for one and the same array, whose gradient is then the sum over them; `names` tells
different arrays apart. A zero multiple of an infinite cost still forbids.

>>> import dpsemiring as dp
>>> x, y = [[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [1.0, 2.0]]
>>> cost = dp.costs.sqeuclidean(x, y) + 0.5 * dp.costs.cosine(x, y)
>>> cost
sqeuclidean(x, y) + 0.5 * cosine(x, y)
>>> result = dp.compile(dp.topologies.dtw(), dp.Tropical)(dp.costs.sqeuclidean(x, y))
>>> float(result.total), result.grad("y").tolist()
(4.0, [[0.0, 0.0], [0.0, 4.0]])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dpsemiring.declare.param import is_real


@dataclass(frozen=True, eq=False)
class Atom:
    """One kind of cost between rows and columns; `kind` names how the engine makes it."""

    kind: str
    inputs: dict[str, Any]  # argument -> its array: first the one along the rows, then the one along the columns
    names: tuple[str, str]  # under which their gradients are asked for
    options: Mapping[str, Any] = field(default_factory=dict)
    own: tuple[Callable, Callable | None] | None = None  # make and back, of a kind that the library does not know
    rows: Any = None  # labels: which row of the first array each row of the lattice reads; None: its own
    symmetric: bool = False  # whether exchanging its two arrays transposes the cost

    def __post_init__(self):
        names = tuple(self.names) if isinstance(self.names, (tuple, list)) else ()
        if len(names) != 2 or not all(isinstance(n, str) and n.isidentifier() for n in names):
            raise ValueError(
                f"{self.kind}: names is a pair of Python identifiers, one for {' and one for '.join(self.inputs)}; "
                f"found {self.names!r}"
            )
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, eq=False, repr=False)
class Source:
    """A sum of scaled atoms, supporting ``+``, ``-`` and multiplication by a plain number."""

    parts: tuple[tuple[float, Atom], ...]

    __array_ufunc__ = None  # a NumPy array times a source is refused, not spread over its elements

    def __add__(self, other):
        if not isinstance(other, Source):
            return NotImplemented
        return Source(self.parts + other.parts)

    def __mul__(self, scale):
        if getattr(scale, "requires_grad", False):
            raise TypeError(
                "a cost source is multiplied by a plain number, found a tensor that requires a gradient; multiply the tensors of "
                "dpsemiring.torch.costs instead, or put a dp.Param on the step's weight"
            )
        if isinstance(scale, bool) or not is_real(scale):
            return NotImplemented
        scale = float(scale)
        if scale - scale != 0.0:
            raise ValueError(f"a cost source is multiplied by a finite number, found {scale}")
        return Source(tuple((scale * s, atom) for s, atom in self.parts))

    __rmul__ = __mul__

    def __truediv__(self, divisor):
        if isinstance(divisor, bool) or not is_real(divisor) or float(divisor) == 0.0:
            return NotImplemented
        return self * (1.0 / float(divisor))

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        if not isinstance(other, Source):
            return NotImplemented
        return self + -other

    def __repr__(self):
        scaled = [
            ("" if s == 1.0 else "-" if s == -1.0 else f"{s:g} * ") + f"{a.kind}({', '.join(a.names)})" for s, a in self.parts
        ]
        return " + ".join(scaled)


def _atom(kind, inputs, names, symmetric=False, **options) -> Source:
    return Source(((1.0, Atom(kind, inputs, names, options, symmetric=symmetric)),))


def sqeuclidean(x, y, *, names: tuple[str, str] = ("x", "y")) -> Source:
    """``sum over d of (x[n, d] - y[m, d])**2``: the squared Euclidean distance of two frames, never below 0.

    Differences are taken before they are squared, in float64, so that close frames far from the origin lose nothing.

    Parameters
    ----------
    x : (N, D) or (B, N, D) float
    y : (M, D) or (B, M, D) float
    names : pair of str
        Under which ``result.grad`` knows `x` and `y`.

    Raises
    ------
    ValueError, TypeError
        At the call: for numbers of features that differ, other shapes, data that is not real.
    """
    return _atom("sqeuclidean", {"x": x, "y": y}, names, symmetric=True)


def cosine(x, y, *, names: tuple[str, str] = ("x", "y")) -> Source:
    """``1 - <x[n], y[m]> / (|x[n]| |y[m]|)``: 0 for frames of one direction, 1 for orthogonal ones, 2 for opposite ones.

    A frame of zeros has no direction: its cost is 1 with every frame, another frame of zeros included, and its
    gradient 0. The value is computed as half the squared distance of the frames scaled to length 1, which is
    accurate for frames that are nearly parallel.

    Parameters
    ----------
    x : (N, D) or (B, N, D) float
    y : (M, D) or (B, M, D) float
    names : pair of str
        Under which ``result.grad`` knows `x` and `y`.
    """
    return _atom("cosine", {"x": x, "y": y}, names, symmetric=True)


def gather(log_probs, labels, *, names: tuple[str, str] = ("log_probs", "labels")) -> Source:
    """``log_probs[n, labels[m]]``: the entry of each frame for each label, as it stands; ``-gather(...)`` is the cost.

    Parameters
    ----------
    log_probs : (N, V) or (B, N, V) float
    labels : (M,) or (B, M) int
        In 0 .. V - 1 within each item's length; entries beyond it are not looked at.
    names : pair of str
        Under which ``result.grad`` knows `log_probs`; labels have no derivative.
    """
    return _atom("gather", {"log_probs": log_probs, "labels": labels}, names)


def lookup(table, rows, columns, *, names: tuple[str, str] = ("table", "columns")) -> Source:
    """``table[rows[n], columns[m]]``: the entry of a table for two symbols, as it stands.

    The cost of a substitution matrix: neither the array of all pairs nor one of scores for each symbol of a sequence is
    made of it. ``gather`` is the same with a row of the table for each row of the lattice.

    Parameters
    ----------
    table : (V, W) or (B, V, W) float
        A score is maximised; ``-lookup(...)`` is a cost.
    rows : (N,) or (B, N) int
        In 0 .. V - 1 within each item's length; entries beyond it are not looked at.
    columns : (M,) or (B, M) int
        In 0 .. W - 1, likewise.
    names : pair of str
        Under which ``result.grad`` knows `table`; labels have no derivative.

    Raises
    ------
    ValueError, TypeError
        At the call: for labels outside the table, by their place; other shapes; labels that are no whole numbers.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> mismatch = [[0.0, 1.0, 1.0], [1.0, 0.0, 0.5], [1.0, 0.5, 0.0]]
    >>> pairs = lookup(mismatch, rows=[0, 1, 2], columns=[0, 2, 2])
    >>> result = dp.compile(dp.topologies.edit_distance(), dp.Tropical, engine="reference")(pairs)
    >>> float(result.total), result.grad("table").tolist()
    (0.5, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    """
    return Source(((1.0, Atom("lookup", {"table": table, "columns": columns}, names, rows=rows)),))


def nll(log_probs, targets, *, names: tuple[str, str] = ("log_probs", "targets")) -> Source:
    """The negative log-likelihood of labels, or the cross-entropy with soft targets.

    ``-log_probs[n, targets[m]]`` for whole numbers, which are labels: the same as ``-gather(log_probs, targets)``;
    ``-sum over v of targets[m, v] * log_probs[n, v]`` for floats (and booleans), which weigh the V classes. Here
    0 * inf = 0: a class of weight 0 may have the log-probability -inf; one of positive weight then forbids the cell.

    Parameters
    ----------
    log_probs : (N, V) or (B, N, V) float
        Taken as they stand: nothing is normalised.
    targets : (M,) or (B, M) int, or (M, V) or (B, M, V) float or bool
        Labels in 0 .. V - 1, or weights >= 0; a distribution's sum to 1, multi-hot targets' need not.
    names : pair of str
        Under which ``result.grad`` knows `log_probs` and soft `targets`.
    """
    return _atom("nll", {"log_probs": log_probs, "targets": targets}, names)


def bce(x, y, *, logits: bool = False, names: tuple[str, str] = ("x", "y")) -> Source:
    """``-sum over d of y[m, d] log p[n, d] + (1 - y[m, d]) log(1 - p[n, d])``: the binary cross-entropy of two frames.

    The cost of multi-label targets, such as several pitches at a time; ``p`` is `x`, or its logistic function where
    `x` holds logits. Here 0 * log 0 = 0; a prediction of 0 where the target is above 0, or of 1 where it is below 1,
    costs inf and forbids the cell (nothing is clipped). At a prediction of exactly 0 or 1 the gradient with respect to
    `y` leaves the infinite logarithm out.

    Parameters
    ----------
    x : (N, D) or (B, N, D) float
        Predictions in [0, 1], or logits.
    y : (M, D) or (B, M, D) float or bool
        Targets in [0, 1].
    logits : bool
        Whether `x` holds logits; more accurate where predictions come near 0 and 1.
    names : pair of str
        Under which ``result.grad`` knows `x` and `y`.
    """
    return _atom("bce", {"x": x, "y": y}, names, logits=bool(logits))


def own(
    x,
    y,
    make: Callable,
    back: Callable | None = None,
    *,
    kind: str = "own",
    names: tuple[str, str] = ("x", "y"),
    symmetric: bool = False,
) -> Source:
    """A cost of your own between the frames of two series, usable wherever the others are.

    Parameters
    ----------
    x : (N, D) or (B, N, D) float
    y : (M, D) or (B, M, D) float
    make : f(x, y)
        The (N, M) costs of one item, from float64 arrays (N, D) and (M, D) cut to its lengths; +inf forbids.
    back : f(flow, x, y), optional
        What flows to x, (N, D), and to y, (M, D), from the (N, M) flow to the costs: the transpose of the derivative.
        Without it the arrays have no gradient.
    kind : str
        What messages call it.
    names : pair of str
        Under which ``result.grad`` knows `x` and `y`.
    symmetric : bool
        Whether ``make(y, x)`` is the transpose of ``make(x, y)``, which `dp.pairwise` makes use of.

    Examples
    --------
    >>> import numpy as np
    >>> import dpsemiring as dp
    >>> def make(x, y):
    ...     return np.abs(x[:, None] - y).sum(axis=2)
    >>> def back(flow, x, y):
    ...     sign = flow[:, :, None] * np.sign(x[:, None] - y)
    ...     return sign.sum(axis=1), -sign.sum(axis=0)
    >>> cityblock = own([[0.0], [3.0]], [[1.0], [1.0]], make, back, kind="cityblock")
    >>> result = dp.compile(dp.topologies.dtw(), dp.Tropical, engine="reference")(cityblock)
    >>> float(result.total), result.grad("x").tolist()
    (3.0, [[-1.0], [1.0]])
    """
    for name, function in (("make", make), ("back", back)):
        if not callable(function) and (name == "make" or function is not None):
            raise TypeError(f"{kind}: {name} is a function of arrays, found {type(function).__name__}")
    return Source(((1.0, Atom(kind, {"x": x, "y": y}, names, own=(make, back), symmetric=bool(symmetric))),))
