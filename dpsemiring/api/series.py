"""Collections of series of different lengths, as they come from the caller, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dpsemiring.run.arrays import plain_array, real_array


@dataclass(frozen=True, eq=False)
class Collection:
    """Series by falling length: number `order[i]` of the caller's is `series[i]`, (T_i, D) real or (T_i,) labels."""

    series: list[np.ndarray]
    sizes: np.ndarray
    order: np.ndarray

    def __len__(self):
        return len(self.series)

    def padded(self, first: int, stop: int) -> np.ndarray:
        """Some of them as one array, 0 beyond their lengths."""
        some = self.series[first:stop]
        out = np.zeros((len(some), *some[0].shape), some[0].dtype)
        for row, one in zip(out, some):
            row[: len(one)] = one
        return out


def collect(what: str, value, lengths, labels: bool) -> list[np.ndarray]:
    """The series of a list, or of a padded array, cut to their lengths: (T_i, D) float32 or float64.

    With `labels`, series (T_i,) of whole numbers are labels and stay as they are.
    """
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        raise TypeError(f"pairwise: {what} is a list of series, or an array of padded ones; found {type(value).__name__}")
    if not len(value):
        raise ValueError(f"pairwise: {what} is empty; at least one series is expected")
    cut = _lengths(what, lengths, len(value))
    out = []
    for i, one in enumerate(value):
        name = f"pairwise: {what}[{i}]"
        series = plain_array(name, one)
        if series.ndim not in (1, 2):
            hint = f"; {what} is a list of series: [{what}] where there is one" if series.ndim == 0 else ""
            raise ValueError(f"{name} has the shape {series.shape}; (T,) or (T, D) is expected, time first{hint}")
        if cut is not None:
            if not 0 <= cut[i] <= len(series):
                raise ValueError(f"pairwise: lengths give {cut[i]} for {what}[{i}], which has {len(series)} frames")
            series = series[: cut[i]]
        if not (labels and series.ndim == 1 and series.dtype.kind in "iu"):
            series = real_array(name, series)
            series = series[:, None] if series.ndim == 1 else series
        out.append(series)
    return out


def _lengths(what, lengths, count):
    if lengths is None:
        return None
    found = plain_array("pairwise: lengths", lengths)
    if found.dtype.kind not in "iu" or found.shape != (count,):
        raise ValueError(
            f"pairwise: lengths of {what} are {count} whole numbers, found {found.dtype} of the shape {found.shape}; with Y they "
            "are a pair: lengths=(those of X, those of Y)"
        )
    return found


def check(what: str, series: list[np.ndarray], shortest: int) -> None:
    """All are labels or all have one number of features, and none has fewer frames than `shortest`."""
    first = series[0]
    for i, one in enumerate(series):
        if one.ndim != first.ndim:
            raise ValueError(f"pairwise: {what}[{i}] and {what}[0] differ in kind: one holds labels, the other features")
        if one.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"pairwise: {what}[{i}] has {one.shape[1]} features (shape {one.shape}) and {what}[0] has {first.shape[1]}; all "
                "have the same number: time comes first, channels last"
            )
        if len(one) < shortest:
            raise ValueError(f"pairwise: {what}[{i}] has no frames, so that its lattices have no cell; leave it out")


def by_length(series: list[np.ndarray], real: np.dtype) -> Collection:
    """Sorted, the longest first; features in one kind of float."""
    sizes = np.array([len(s) for s in series])
    order = np.argsort(-sizes, kind="stable")
    taken = [series[i] if series[i].ndim == 1 else np.ascontiguousarray(series[i], real) for i in order]
    return Collection(taken, sizes[order], order)
