"""Cost sources at a call: shapes and names checked, made into arrays, gradients carried back to what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from dpsemiring.algebra.numeric import as_array
from dpsemiring.declare.costs import Atom, Source
from dpsemiring.run.arrays import HOST, Place, plain_array, real_array
from dpsemiring.run.local_costs import KINDS, Own, add_rows

Refuse = Callable[[int, Any, Callable[..., Exception]], None]
"""``refuse(b, wrong, error)`` raises ``error(*index)`` for the first wrong number of item b, or makes the item NaN."""


def _raise(b: int, wrong, error: Callable[..., Exception]) -> None:
    for index in np.argwhere(wrong):
        raise error(*index)


class BoundAtom:
    """An atom whose arrays are checked: `arrays` are (B or 1, N, ...) and (B or 1, M, ...).

    Where `rows`, (B or 1, N), is not None, row n of the lattice reads row ``rows[n]`` of the first array.
    """

    def __init__(self, plane: str, scale: float, atom: Atom, place: Place = HOST):
        self.place, self.refuse = place, _raise
        self.what, self.scale, self.atom = f"plane {plane!r}: {atom.kind}", scale, atom
        self.kind = KINDS[atom.kind] if atom.own is None else Own(*atom.own)
        self.arguments = tuple(atom.inputs)
        x, y = (plain_array(f"{self.what}: {name}", value, place) for name, value in atom.inputs.items())
        floats = [a.dtype for a in (x, y) if a.dtype.kind == "f"]
        self.takes_labels = self._are_labels(y)
        rows = None if atom.rows is None else self._row_labels(plain_array(f"{self.what}: rows", atom.rows, place))
        x = real_array(f"{self.what}: {self.arguments[0]}", x, place)
        y = y if self.takes_labels else real_array(f"{self.what}: {self.arguments[1]}", y, place)
        self._check_axes(x, y)
        self.shapes = x.shape, y.shape
        single = (2, 1 if self.takes_labels else 2)
        self.batched = any(a.ndim > axes for a, axes in zip((x, y), single)) or (rows is not None and rows.ndim > 1)
        self.rows = rows if rows is None or rows.ndim > 1 else rows[None]
        self.arrays = tuple(a if a.ndim > axes else a[None] for a, axes in zip((x, y), single))
        named = dict(zip(self.arguments, self.arrays)) | ({} if rows is None else {"rows": self.rows})
        self.batch = _common(f"{self.what}: {' and '.join(named)}", [len(a) for a in named.values()])
        self.real = real_array("", np.zeros(0, np.result_type(*floats) if floats else np.float64)).dtype

    @property
    def size(self) -> tuple[int, int]:
        """N, M."""
        return (self.arrays[0] if self.rows is None else self.rows).shape[1], self.arrays[1].shape[1]

    def _are_labels(self, y):
        whole = y.dtype.kind in "iu"
        if self.kind.second == "labels" and not whole:
            raise TypeError(f"{self.what}: {self.arguments[1]} are whole numbers, found {y.dtype}")
        return whole and self.kind.second != "features"

    def _row_labels(self, rows):
        if rows.dtype.kind not in "iu":
            raise TypeError(f"{self.what}: rows are whole numbers, found {rows.dtype}")
        if rows.ndim not in (1, 2):
            raise ValueError(f"{self.what}: rows are whole numbers of the shape {rows.shape}; (N,) or (B, N) is expected")
        return rows

    def _check_axes(self, x, y):
        first, second = self.arguments
        last = "D" if self.kind.second == "features" else "V"
        wanted_x = f"(N, {last}) or (B, N, {last})" if self.atom.rows is None else "(V, W) or (B, V, W)"
        if x.ndim not in (2, 3):
            raise ValueError(f"{self.what}: {first} has the shape {x.shape}; {wanted_x} is expected{_one_feature(x)}")
        if self.takes_labels:
            if y.ndim not in (1, 2):
                raise ValueError(f"{self.what}: {second} are whole numbers of the shape {y.shape}; (M,) or (B, M) is expected")
            if not x.shape[-1]:
                raise ValueError(f"{self.what}: {first} has the shape {x.shape}, without an entry to gather")
            if self.kind.second == "either" and x.ndim == y.ndim == 2:
                raise ValueError(
                    f"{self.what}: {second} are whole numbers of the shape {y.shape}, which would be a batch of labels, and "
                    f"{first} has no batch axis; pass floats for soft targets (M, {last}), or {first}[None] for one item"
                )
            return
        if y.ndim not in (2, 3):
            raise ValueError(
                f"{self.what}: {second} has the shape {y.shape}; (M, {last}) or (B, M, {last}) is expected{_one_feature(y)}"
            )
        if x.shape[-1] != y.shape[-1]:
            raise ValueError(
                f"{self.what}: {first} has {x.shape[-1]} features (shape {x.shape}) and {second} has {y.shape[-1]} (shape "
                f"{y.shape}); the last axes must be equal: time comes first, channels last"
            )

    def cut(self, b: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
        """The inputs of one item, cut to its lengths."""
        x, y = (a[b if len(a) > 1 else 0] for a in self.arrays)
        x, y = (x[:n] if self.rows is None else x[self._within(self._below(b, n), len(x))]), y[:m]
        return x, self._within(y, x.shape[-1]) if self.takes_labels else y

    def _within(self, labels, count: int):
        """Labels that name an entry: those that do not have been refused, or have made their item NaN."""
        return labels if self.place is HOST else np.clip(labels, 0, count - 1)

    def _below(self, b: int, n: int) -> np.ndarray:
        """Which rows of the first array the rows of an item read."""
        rows = self.rows[b if len(self.rows) > 1 else 0, :n]
        self._check_labels(b, rows, self.arrays[0].shape[1], "row")
        return rows

    def _check_labels(self, b, labels, count, axis):
        def error(i):
            label = self.place.host(labels)[i]
            return ValueError(f"{self.what}: label {label} of item {b} at {axis} {i} is outside 0 .. {count - 1}")

        self.refuse(b, _outside(labels, count), error)

    def illegal(self) -> tuple:
        """Of each input, and of the labels of rows, which numbers it must not hold, (B or 1, N[, D]); None: it may hold any."""
        x, y = self.arrays
        if self.takes_labels:
            rows = None if self.rows is None else _outside(self.rows, x.shape[1])
            return None, _outside(y, x.shape[2]), rows
        limits = self.kind.limits(**self.atom.options)
        return *(None if limit is None else limit.excludes(a) for a, limit in zip((x, y), limits)), None

    def refusal(self, b: int, n: int, m: int) -> Exception:
        """The error for an item that holds such a number."""
        before, self.refuse = self.refuse, lambda b, wrong, error: _raise(b, self.place.host(wrong), error)
        try:
            self.check(b, *self.cut(b, n, m))
        except ValueError as error:
            return error
        finally:
            self.refuse = before
        raise AssertionError(f"{self.what}: item {b} holds nothing illegal")

    def item(self, b: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
        """The same in float64 where there is something to add up."""
        x, y = self.cut(b, n, m)
        return (x, y) if self.takes_labels else (x.astype(np.float64), y.astype(np.float64))

    def surely_legal(self) -> bool:
        """Whether `check` refuses no item, padding included, where that is seen at a glance."""
        if not self.takes_labels:
            return not any(self.kind.limits(**self.atom.options))
        pairs = ((self.rows, self.arrays[0].shape[1]), (self.arrays[1], self.arrays[0].shape[2]))
        return all(a is None or not a.size or (a.min() >= 0 and a.max() < count) for a, count in pairs)

    def check(self, b: int, x: np.ndarray, y: np.ndarray) -> None:
        """Refuse numbers that an input must not hold."""
        if self.takes_labels:
            y = self.arrays[1][b if len(self.arrays[1]) > 1 else 0][: len(y)]
            self._check_labels(b, y, x.shape[-1], "column")
            return
        for name, axis, array, limit in zip(self.arguments, ("row", "column"), (x, y), self.kind.limits(**self.atom.options)):
            if limit is not None:

                def error(at, d):
                    span = "[0, 1]" if limit.high == 1.0 else "[0, inf)"
                    return ValueError(
                        f"{self.what}: {name} holds {self.place.host(array)[at, d]} in item {b} at {axis} {at}, feature {d}; "
                        f"{span} is expected{limit.mend}"
                    )

                self.refuse(b, limit.excludes(array), error)

    def make(self, b: int, n: int, m: int, forbid: float) -> np.ndarray:
        """The scaled (n, m) costs of one item; an infinity forbids, whatever its sign, where the scale is 0."""
        x, y = self.item(b, n, m)
        self.check(b, x, y)
        value = as_array(self.kind.make(x, y, **self.atom.options))
        if value.shape != (n, m):
            raise ValueError(f"{self.what}: make gives an array {value.shape}; the costs ({n}, {m}) of one item are expected")
        return self.scale * value if self.scale else np.where(np.isinf(value), forbid, 0.0 * value)

    def back(self, place: int, flow: np.ndarray, lengths) -> np.ndarray:
        """What flows to the input at that place, in its own shape, from (B, N, M) flows at the cost."""
        if self.kind.back is None:
            raise ValueError(f"grad: {self.atom.names[place]!r} has no gradient, since {self.atom.kind} was given no back=")
        out = np.zeros_like(self.arrays[place], dtype=flow.dtype if self.takes_labels else np.float64)
        for b, (n, m) in enumerate(zip(*lengths)):
            x, y = self.item(b, n, m)
            found = self.scale * self.kind.back(flow[b, :n, :m], x, y, **self.atom.options)[place]
            own = out[b if len(out) > 1 else 0]
            if place or self.rows is None:
                own[: len(found)] += found
            else:
                add_rows(own, self._within(self._below(b, n), len(own)), found)
        return out.reshape(self.shapes[place])


class BoundSource:
    """A source with the arrays of one call.

    `shape` is that of the cost, (N, M) or (B, N, M).
    """

    def __init__(self, plane: str, source: Source, place: Place = HOST):
        self.plane, self.place = plane, place
        self.made_by: Any = None  # an engine's kernels, where these make the cost and take back what flows to it
        self.atoms = [BoundAtom(plane, scale, atom, place) for scale, atom in source.parts]
        sizes = {a.size for a in self.atoms}
        if len(sizes) > 1:
            raise ValueError(f"plane {plane!r} adds sources of different shapes: {', '.join(map(str, sorted(sizes)))}")
        self.batch = _common(f"plane {plane!r}: the sources added", [a.batch for a in self.atoms])
        lead = (self.batch,) if any(a.batched for a in self.atoms) else ()
        self.shape = (*lead, *self.atoms[0].size)
        self.real = np.result_type(*(a.real for a in self.atoms))

    def make(self, n_len: np.ndarray, m_len: np.ndarray, forbid: float, refuse: Refuse = _raise) -> np.ndarray:
        """The cost, 0 beyond the lengths."""
        self.lengths = n_len, m_len
        if self.made_by is not None:
            return self.made_by.whole.make(forbid).reshape(self.shape)
        for atom in self.atoms:
            atom.refuse = refuse
        out = self.place.zeros((self.batch, *self.shape[-2:]), self.real)
        with np.errstate(all="ignore"):
            for b, (n, m) in enumerate(zip(n_len, m_len)):
                wide = sum((a.make(b, n, m, forbid) for a in self.atoms[1:]), self.atoms[0].make(b, n, m, forbid))
                out[b, :n, :m] = wide
                if wide.dtype != self.real:

                    def error(n, m, b=b, wide=wide):
                        wide = self.place.host(wide)
                        return ValueError(
                            f"plane {self.plane!r}: a cost of item {b} is beyond the range of {self.real}, "
                            f"{np.abs(wide[np.isfinite(wide)]).max():.3g}; scale the features or pass them as float64"
                        )

                    refuse(b, np.isinf(out[b, :n, :m]) & np.isfinite(wide), error)
        return out.reshape(self.shape)

    def named(self) -> Iterable[tuple[str, BoundAtom, int]]:
        """(name, atom, place) of each input that has a derivative."""
        for atom in self.atoms:
            yield from ((name, atom, i) for i, name in enumerate(atom.atom.names) if i == 0 or not atom.takes_labels)

    @property
    def names(self) -> set[str]:
        return {name for name, _, _ in self.named()}

    def labels(self) -> set[str]:
        """The names of the inputs that have none."""
        return {a.atom.names[1] for a in self.atoms if a.takes_labels} | {"rows" for a in self.atoms if a.rows is not None}


def gradient(sources: Mapping[str, BoundSource], name: str, flows: Mapping[str, np.ndarray]) -> np.ndarray:
    """What flows to the named array, from what flows to each plane, (N, M) or (B, N, M)."""
    with np.errstate(all="ignore"):
        parts, known = [], set()
        for source, atom, i in uses(sources, name):
            flow = flows[source.plane].reshape(source.batch, *source.shape[-2:])
            if source.made_by is None:
                parts.append(atom.back(i, flow, source.lengths))
            elif source.plane not in known:  # of all its terms
                parts.append(source.made_by.whole.back(name, flow))
                known.add(source.plane)
    return sum(parts[1:], parts[0])


def uses(sources: Mapping[str, BoundSource], name: str) -> list[tuple[BoundSource, BoundAtom, int]]:
    """(source, atom, place) of each place at which the named array stands; refused where it is not one array."""
    found = [(source, atom, place) for source in sources.values() for own, atom, place in source.named() if own == name]
    arrays = [list(atom.atom.inputs.values())[place] for _, atom, place in found]
    if any(a is not arrays[0] for a in arrays):
        raise ValueError(
            f"grad: {name!r} names {len({id(a) for a in arrays})} different arrays of the cost's sources; tell them apart, as in "
            f"dp.costs.{found[-1][1].atom.kind}(..., names=({', '.join(repr(n + '2') for n in found[-1][1].atom.names)}))"
        )
    return found


def _outside(labels, count: int):
    return (labels < 0) | (labels >= count)


def _common(what, sizes):
    """The batch size that all share, 1 serving every item."""
    found = set(sizes) - {1}
    if len(found) > 1:
        raise ValueError(f"{what} have the batch sizes {' and '.join(map(str, sizes))}; one size, or 1, is expected")
    return found.pop() if found else 1


def _one_feature(array):
    return "; a series of one feature is series[:, None]" if array.ndim == 1 else ""
