"""What goes wrong when one learns from alignments, as numbers (`dp.diagnostics`).

Each function reads an expected alignment ``A``: ``A[n, m]`` is the probability that a path visits the cell, which is a
result's `occupancy`, or its `marginals` where all weights are 1; a hard path's indicator is one too. It stands for three
distributions, of which everything here is made:

    q(n, m) = A(n, m) / sum of A             a visited cell, drawn from all of them
    a(m | n) = A(n, m) / sum over m of A     the target to which a frame of the input belongs
    s(m) = mean over n of a(m | n)           the share of the input that a target gets

What is seen, by which number, and what to change:

- blurring, frames that belong to many targets: `alignment_entropy`, `effective_temperature`; a smaller gamma, or one that
  falls in training;
- collapse, a few targets that get nearly all of the input: `shares`, `collapse`; weights of the steps that make entering
  a target some ten times as dear as staying (``dp.topologies.weighted_dtw(1, 10, 10)``), a gamma that keeps the effective
  temperature well above 1 in the first steps of training, 2-1 steps on a stretched target;
- diagonalisation, a path that ignores the data: `diagonality`; the weights 1, 1, 2 (`dp.topologies.symmetric2`), with
  which the diagonal is no short cut;
- a network that answers early or late: `temporal_shift`; a smaller receptive field, a similarity to the input in the
  loss, or the shift taken back afterwards (compensation).

Parameters that recur
---------------------
alignment : Result, or (N, M) or (B, N, M) array
    Of NumPy or torch; tensors are detached. Rows are the input, columns the target. Entries are >= 0. A row without mass,
    such as padding or a frame that a step jumps over, takes no part.
lengths : pair of int or of (B,) int arrays, optional
    The true lengths of each item along both axes of the alignment; what lies beyond is not looked at. A `Result` knows them.

Every answer is a float64 number, () or (B,). It is NaN for an item without mass (no path) or with a NaN.
"""

from __future__ import annotations

import numpy as np

__all__ = ["alignment_entropy", "collapse", "diagonality", "effective_temperature", "shares", "temporal_shift"]


def alignment_entropy(alignment, lengths=None):
    """How undecided a frame is between targets, in nats: 0 for a hard path, log M for a uniform row.

        H = - sum over n, m of q(n, m) log a(m | n)

    the entropy of the target, given the frame. ``exp(H)`` is the number of targets among which a frame wavers; the
    alignment is the sharper the smaller it is. A path that visits several targets in one frame has an entropy too.

    >>> alignment_entropy([[1.0, 0.0], [0.5, 0.5]]).round(4), (np.log(2) / 2).round(4)
    (np.float64(0.3466), np.float64(0.3466))
    """
    A, _, shaped = _read(alignment, lengths)
    a = _ratio(A, A.sum(axis=2, keepdims=True), empty=1.0)
    return shaped(-_ratio((A * np.log(np.where(A > 0, a, 1.0))).sum(axis=(1, 2)), A.sum(axis=(1, 2))))


def shares(alignment, lengths=None):
    """``s``, (M,) or (B, M): the share of the input that is spent on each target; sums to 1. Beyond a length it is 0.

    >>> shares([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]).tolist()
    [0.625, 0.375]
    """
    A, _, shaped = _read(alignment, lengths)
    return shaped(_shares(A))


def collapse(alignment, reference=None, lengths=None):
    """The share of the input that lies on the wrong targets: 0 for none, near 1 when one of many targets takes all.

        1/2 sum over m of |s(m) - r(m)|

    Parameters
    ----------
    reference : (M,) or (B, M) array, optional
        r: the shares as they should be, such as known durations; scaled to sum to 1. By default all alike, where one
        target that takes all gives 1 - 1 / M.

    >>> collapse([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # shares 3/4 and 1/4 in place of halves
    np.float64(0.25)
    >>> collapse([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], reference=[3, 1])
    np.float64(0.0)
    """
    A, (_, columns), shaped = _read(alignment, lengths)
    if reference is None:
        r = columns.astype(float)
    else:
        r = _per_target("reference", reference, A, shaped)
        if (r < 0).any():
            raise ValueError(f"diagnostics: reference holds shares, which are >= 0; found {r.min():g}")
        r = np.where(columns, r, 0.0)
    return shaped(np.abs(_shares(A) - _ratio(r, r.sum(axis=1, keepdims=True))).sum(axis=1) / 2)


def diagonality(alignment, lengths=None):
    """How near the alignment lies to the diagonal: 1 on it, near 0 for a path along two sides of a large lattice.

        1 - 2 sum over n, m of q(n, m) |n / (N - 1) - m / (M - 1)|

    With one row or one column there is no other way, and it is 1. Near 1 throughout training, on data whose timing
    varies, it says that the steps decide and not the costs.

    >>> diagonality([[1.0, 0.0], [0.0, 1.0]]), diagonality([[1.0, 1.0], [0.0, 1.0]]).round(4)  # 2/3 = 1/3 off
    (np.float64(1.0), np.float64(0.3333))
    """
    A, inside, shaped = _read(alignment, lengths)
    n, m = (np.cumsum(i, axis=1) - 1 for i in inside)
    N, M = (i.sum(axis=1)[:, None] - 1 for i in inside)
    away = np.abs(_ratio(n, N, empty=0.0)[:, :, None] - _ratio(m, M, empty=0.0)[:, None, :])
    away = np.where(((N > 0) & (M > 0))[:, :, None], away, 0.0)
    return shaped(1.0 - 2.0 * _ratio((A * away).sum(axis=(1, 2)), A.sum(axis=(1, 2))))


def temporal_shift(alignment, reference, lengths=None):
    """How much later than the reference the targets are, in frames; negative for earlier.

        mean over m of t(m) - t_reference(m),   t(m) = sum over n of n A(n, m) / sum over n of A(n, m)

    over the targets that both have.

    Parameters
    ----------
    reference : like `alignment`, or (M,) or (B, M) array
        Another alignment, or the frame at which each target has its middle, NaN where that is unknown.

    >>> temporal_shift([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])  # 1 - 0 and 2 - 1.5
    np.float64(0.75)
    >>> temporal_shift([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 1.5])
    np.float64(0.75)
    """
    A, (_, columns), shaped = _read(alignment, lengths)
    if not _is_result(reference) and np.ndim(_numpy(reference)) == shaped.axes - 1:
        t = _per_target("reference", reference, A, shaped)
    else:
        R, _, same = _read(reference, lengths)
        if R.shape != A.shape or same.axes != shaped.axes:
            raise ValueError(f"diagnostics: alignment and reference differ in shape: {A.shape} and {R.shape}")
        t = _times(R)
    later = _times(A) - t
    known = ~np.isnan(later) & columns
    mean = _ratio(np.where(known, later, 0.0).sum(axis=1), known.sum(axis=1))
    return shaped(np.where(np.isnan(A).any(axis=(1, 2)), np.nan, mean))


def effective_temperature(cost, gamma, lengths=None):
    """gamma in units of the local cost: far below 1 the minimum is nearly hard, far above 1 the costs hardly matter.

        gamma / sigma,   sigma^2 = mean over n, m of (C(n, m) - mean over m of C(n, m))^2

    over the cells with a finite cost. Only cost / gamma decides, so a gamma says nothing without sigma, by which the
    targets differ within a frame. What is added to a whole frame does not count: where paths visit each frame once it
    changes none of them. Costs that do not differ give inf. As a network learns, sigma grows and the minimum hardens at a
    constant gamma; the same gamma is colder for costs summed over more features.

    Parameters
    ----------
    cost : (N, M) or (B, N, M) array
        +inf forbids a cell.
    gamma : float or (B,) array
        Above 0, or 0 for the hard minimum, whose temperature is 0.

    >>> effective_temperature([[0.0, 4.0], [9.0, 5.0]], gamma=1.0)  # each row deviates from its mean by 2
    np.float64(0.5)
    """
    C, inside, shaped = _batched(_numpy(cost), lengths, "cost")
    gamma = np.asarray(_numpy(gamma), float)
    if gamma.shape not in ((), (len(C),)) or not (gamma >= 0).all():
        raise ValueError(f"diagnostics: gamma is a number >= 0, or one for each item, found {gamma.tolist()}")
    if np.isneginf(C).any():
        raise ValueError("diagnostics: a cost is a number or +inf, found -inf")
    some = _cells(inside) & ~np.isposinf(C)
    C = np.where(some, C, 0.0)
    off = np.where(some, C - _ratio(C.sum(axis=2), some.sum(axis=2), empty=0.0)[:, :, None], 0.0)
    sigma = np.sqrt(_ratio((off**2).sum(axis=(1, 2)), some.sum(axis=(1, 2))))
    return shaped(np.where(gamma == 0, 0.0 * sigma, _ratio(gamma, sigma, empty=np.inf)))


# --- reading ----------------------------------------------------------------------------------------


def _ratio(x, y, empty=np.nan):
    """x / y, and `empty` where y is 0."""
    x, y = np.broadcast_arrays(np.asarray(x, float), y)
    return np.divide(x, y, out=np.full(x.shape, empty), where=y != 0)


def _shares(A):
    rows = A.sum(axis=2, keepdims=True)
    return _ratio(_ratio(A, rows, empty=0.0).sum(axis=1), (rows != 0).sum(axis=1))


def _times(A):
    """(B, M): the mean frame of each target; NaN for one without mass."""
    return _ratio((A * np.arange(A.shape[1])[:, None]).sum(axis=1), A.sum(axis=1))


def _is_result(x):
    return hasattr(x, "occupancy")


def _numpy(x):
    """As NumPy; a tensor leaves its graph and its device, without torch being named here."""
    if not hasattr(x, "detach"):
        return np.asarray(x)
    x = x.detach().cpu()
    return np.asarray((x.double() if x.is_floating_point() else x).numpy())  # NumPy knows no bfloat16


def _read(alignment, lengths):
    """(B, N, M) float64 with 0 beyond the lengths; which rows and columns are within; what shapes an answer."""
    if _is_result(alignment):
        lengths = alignment.lengths if lengths is None else lengths
        alignment = alignment.occupancy
    A, inside, shaped = _batched(_numpy(alignment), lengths, "alignment")
    A = np.where(_cells(inside), A, 0.0)
    if (wrong := (A < 0) | np.isinf(A)).any():
        raise ValueError(
            f"diagnostics: an expected alignment has finite entries >= 0, found {A[wrong].min():g}; signed marginals, such as a "
            "smooth minimum's, are none"
        )
    return A, inside, shaped


def _batched(array, lengths, what):
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiub":
        raise ValueError(
            f"diagnostics: {what} is an (N, M) or (B, N, M) array of real numbers, found {array.dtype} {array.shape}"
        )
    shaped = _Shaped(array.ndim)
    array = array.astype(float).reshape((1,) * (3 - array.ndim) + array.shape)
    B, *extents = array.shape
    inside = []
    for extent, length in zip(extents, extents if lengths is None else lengths):
        length = np.asarray(_numpy(length))
        if length.dtype.kind not in "iu" or length.shape not in ((), (B,)) or (length < 0).any() or (length > extent).any():
            raise ValueError(f"diagnostics: lengths lie in 0 .. {extent}, one for each of {B} items; found {length.tolist()}")
        inside.append(np.arange(extent) < np.broadcast_to(length, B)[:, None])
    return array, tuple(inside), shaped


def _cells(inside):
    rows, columns = inside
    return rows[:, :, None] & columns[:, None, :]


def _per_target(name, values, A, shaped):
    values = np.asarray(_numpy(values), float)
    expected = (A.shape[0], A.shape[2])[3 - shaped.axes :]
    if values.shape != expected:
        raise ValueError(f"diagnostics: {name} has a number for each target, {expected}; found the shape {values.shape}")
    return values.reshape(A.shape[0], A.shape[2])


class _Shaped:
    """An answer without the batch axis where the question had none."""

    def __init__(self, axes):
        self.axes = axes

    def __call__(self, answer):
        return answer if self.axes == 3 else answer[0]
