"""Cost sources as the CPU's kernels take them; see `run.fused`.

Of a table kernels take the rows of all items as one. What the whole cost would show (a NaN, an infinity that is refused, a
number out of range) is found in the small arrays; where they do not show it for certain, `fuse` gives None and the cost is
made as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dpsemiring.run.arrays import every
from dpsemiring.run.cpu.memory import unfilled
from dpsemiring.run.fused import kinds
from dpsemiring.run.local_costs import Prepared, as_it_stands
from dpsemiring.run.sources import BoundAtom, BoundSource

ROWS = 8  # that kernels take at a time: `x` has so many rows, less one, beyond the last
LINE = 64  # bytes of a vector
ORDINARY = 1e6  # a scale between this and its inverse neither loses nor exceeds what single precision holds


@dataclass(frozen=True, eq=False)
class Reads:
    """Which rows and columns of a plane of some size some cell reads.

    `ranges`, of columns (lo, hi) for each row, where there is a window."""

    size: tuple[int, int]
    n_len: np.ndarray
    m_len: np.ndarray
    ranges: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def rows(self) -> np.ndarray:
        """(B, N)"""
        return self._both[0]

    @property
    def columns(self) -> np.ndarray:
        """(B, M)"""
        return self._both[1]

    @cached_property
    def _both(self):
        """Found when it is asked for, since that is seldom."""
        n, m = (np.arange(extent) < length[:, None] for extent, length in zip(self.size, (self.n_len, self.m_len)))
        if self.ranges is None:
            return n & (self.m_len > 0)[:, None], m & (self.n_len > 0)[:, None]
        lo, hi = (np.clip(np.broadcast_to(r, n.shape), 0, self.m_len[:, None]) for r in self.ranges)
        n = n & (lo < hi)
        steps = np.zeros((len(n), self.size[1] + 1), np.int64)
        for b in range(len(n)):
            np.add.at(steps[b], lo[b, n[b]], 1)
            np.add.at(steps[b], hi[b, n[b]], -1)
        return n, steps.cumsum(axis=1)[:, :-1] > 0


class CpuFused:
    """A source whose cost is never made as a whole; see `Fused`.

    Attributes
    ----------
    arrays : tuple of tuples of arrays
        For each term those that its kernels take, in their order.
    """

    seen = True

    def __init__(self, terms: list[_Frames | _Entries], nan: np.ndarray):
        self.terms, self.nan = terms, nan
        self.kinds = tuple(t.kind for t in terms)
        self.arrays = tuple(t.arrays for t in terms)
        self.names = {t.atom.names[place] for t in terms for place in t.places}

    @property
    def largest(self) -> float:
        """No cost is greater than this, in absolute value, where it is finite."""
        return sum(term.largest() for term in self.terms)

    @property
    def by_rows(self) -> bool:
        """Whether different rows of an item add to different entries of every gradient by rows."""
        return all(isinstance(t, _Frames) or t.bound.rows is None for t in self.terms)

    def gradients(self, beside=None) -> tuple[tuple[np.ndarray, ...], ...]:
        """Zeros for the kernels to add to, for each term in their order.

        With `beside`, gradients that another worker adds to at the same time: those that have a part for each item are
        shared, since no two workers have an item in common; those that serve every item are new.
        """
        if beside is None:
            return tuple(t.zeros() for t in self.terms)
        return tuple(
            tuple(g if len(of) > 1 else np.zeros_like(g) for g, of in zip(own, t.moving)) for own, t in zip(beside, self.terms)
        )

    def back(self, name: str, *gradients) -> np.ndarray:
        """The gradient of a named input, in its own shape, from the gradients of every worker."""
        found = []
        for i, term in enumerate(self.terms):
            for place in term.places:
                if term.atom.names[place] == name:
                    distinct = list({id(g[i][place]): g[i][place] for g in gradients}.values())
                    found.append(term.back(place, sum(distinct[1:], distinct[0]), np.flatnonzero(self.nan)))
        return sum(found[1:], found[0])


def fuse(source: BoundSource, n_len, m_len, forbid: float, real, ranges=None, refuse=None) -> CpuFused | None:
    """A source as kernels of that kind of number take it, or None if its cost must be made as a whole.

    Parameters
    ----------
    n_len, m_len : (B,) int
        The lengths of each item within the plane.
    forbid : float
        The infinity that forbids a cell; the other is refused.
    real : dtype
        In which the kernels work.
    ranges : pair of (B, N) int, optional
        With a window the columns ``lo <= m < hi`` that some cell reads, for each row of the plane.
    refuse
        Not used: NumPy's numbers are refused at once.

    Raises
    ------
    ValueError
        For labels and numbers out of range, as `BoundSource.make`.
    """
    if kinds(source) is None:
        return None
    source.lengths = n_len, m_len
    reads = Reads(source.shape[-2:], n_len, m_len, ranges)
    nan = np.zeros(len(n_len), bool)
    terms: list[_Frames | _Entries] = []
    room = np.finfo(real).max / (2 * len(source.atoms))  # for each term of the sum
    with np.errstate(all="ignore"):
        for atom in source.atoms:
            term = (_Entries if atom.takes_labels else _Frames)(atom, np.dtype(real))
            for b, (n, m) in () if atom.surely_legal() else enumerate(zip(n_len, m_len)):
                atom.check(b, *atom.cut(b, n, m))
            term.prepare(n_len, m_len)
            if not term.shows(reads, forbid, nan, room):
                return None
            terms.append(term)
    return CpuFused(terms, nan)


# --- frames -----------------------------------------------------------------------------------------


class _Frames:
    """A term that sums over features."""

    places = (0, 1)

    def __init__(self, atom: BoundAtom, real: np.dtype):
        self.atom, self.real = atom.atom, real
        self.bound, self.kind = atom, atom.kind.form
        self.scale = atom.scale * atom.kind.factor
        self.frames: list[np.ndarray] = []  # of either input, prepared: (B or 1, N, D), 0 beyond the lengths
        self.prepared: list[list[Prepared] | None] = []  # by item, where there is something to prepare
        self.most = 0.0  # no sum over features is greater, in absolute value, once `shows` has looked

    def prepare(self, n_len, m_len) -> None:
        """Lay the prepared frames out."""
        self.lengths = n_len, m_len
        kind, options = self.bound.kind, self.bound.atom.options
        for array, lengths, side in zip(self.bound.arrays, self.lengths, (kind.rows, kind.columns)):
            own = lengths if len(array) > 1 else np.full(1, lengths.max(initial=0))
            found = None
            if side is not as_it_stands:
                found = [side(a[:n].astype(np.float64, copy=False), **options) for a, n in zip(array, own)]
                array = _padded([p.array for p in found], array.shape)
            elif not every(own == array.shape[1]):
                array = np.where((np.arange(array.shape[1]) < own[:, None])[..., None], array, array.dtype.type(0))
            self.frames.append(array)
            self.prepared.append(found)
        self.moving = self._rows(self.frames[0]), self._columns(self.frames[1])
        self.arrays = (*self.moving, np.array([self.scale], self.real))

    def _rows(self, frames):
        batch, n, depth = frames.shape
        out = np.zeros((batch, n + ROWS - 1, depth), self.real)
        out[:, :n] = frames
        return out

    def _columns(self, frames):
        """In panels of as many columns as a vector has lanes, with an odd number of lines."""
        batch, m, depth = frames.shape
        lanes = LINE // self.real.itemsize
        whole, rest = divmod(m, lanes)
        out = np.zeros((batch, -(-m // lanes), depth | 1, lanes), self.real)
        out[:, :whole, :depth] = frames[:, : whole * lanes].reshape(batch, whole, lanes, depth).swapaxes(2, 3)
        if rest:
            out[:, whole, :depth, :rest] = frames[:, whole * lanes :].swapaxes(1, 2)
        return out

    def shows(self, reads: Reads, forbid: float, nan, room: float) -> bool:
        """Whether the frames show for certain what the cost would; marks the items with a NaN."""
        x, y = (_largest(a, nan=np.inf) for a in self.moving)
        finite = x + y < np.inf
        if not finite:
            x, y = (_largest(a) for a in self.moving)
        self.most = self.moving[0].shape[2] * ((x + y) ** 2 if self.kind == "differences" else x * y)
        if not max(1.0, abs(self.scale)) * self.most < room:  # infinities too
            return False
        if self.scale and not 1.0 / ORDINARY <= abs(self.scale) <= ORDINARY:
            return False
        if finite:
            return True
        for frames, laid, axis in zip(self.frames, self.moving, ("rows", "columns")):
            if not np.isnan(laid.sum()):
                continue
            bad = np.isnan(frames).any(axis=2)
            nan |= (bad & getattr(reads, axis)).any(axis=1)
            laid[np.isnan(laid)] = 0.0  # a flow of 0 to a frame that another item reads, or none, must stay 0
        return True

    def zeros(self) -> tuple[np.ndarray, ...]:
        """What flows to the rows, feature by feature, and to the columns, in their panels.

        Features lie an odd number of lines apart, for the same reason as panels."""
        (x, y), lanes = self.moving, LINE // self.real.itemsize
        return np.zeros((len(x), x.shape[2], (-(-x.shape[1] // lanes) | 1) * lanes), self.real), np.zeros_like(y)

    def largest(self) -> float:
        return abs(self.scale) * self.most

    def back(self, place: int, gradient, lost) -> np.ndarray:
        """What flows to an input, from what flows to its prepared frames; NaN in the items that are lost."""
        array, found = self.bound.arrays[place], self.prepared[place]
        out = np.zeros(array.shape, self.real if found is None else np.float64)
        if place:
            gradient = gradient.swapaxes(2, 3).reshape(len(array), gradient.shape[1] * gradient.shape[3], gradient.shape[2])
        else:
            gradient = gradient.swapaxes(1, 2)
        with np.errstate(all="ignore"):
            if found is None:
                out[:] = gradient[:, : out.shape[1], : out.shape[2]]
            for to, flow, p in zip(out, gradient, found or ()):
                n, depth = p.array.shape
                to[:n] = p.back(flow[:n, :depth].astype(np.float64))
        for b in lost:
            out[b if len(out) > 1 else 0, : self.lengths[place][b]] = np.nan
        return out.reshape(self.bound.shapes[place])


# --- tables -----------------------------------------------------------------------------------------


class _Entries:
    """A term that looks entries up."""

    places = (0,)

    def __init__(self, atom: BoundAtom, real: np.dtype):
        self.atom, self.real = atom.atom, real
        self.bound, self.kind = atom, "entries"
        self.scale = atom.scale * atom.kind.factor
        self.most: float | None = None  # the greatest finite size of an entry, once it is known

    def prepare(self, n_len, m_len) -> None:
        """Lay the table and the indices out; what lies beyond the lengths reads the entry 0."""
        self.lengths = n_len, m_len
        table, columns = self.bound.arrays
        rows = np.arange(table.shape[1])[None] if self.bound.rows is None else _within(self.bound.rows, n_len)
        table = table.astype(self.real, copy=False)
        self.rows_first = len(table) > 1 and table.swapaxes(0, 1).flags.c_contiguous
        if not self.rows_first:
            table = np.ascontiguousarray(table)
        self.moving = (table,)
        self.indices = rows, _within(columns, m_len)
        if len(table) > 1:  # to kernels a table is the rows of all items, as they lie in memory
            items = np.arange(len(table))[:, None]
            rows = rows * len(table) + items if self.rows_first else rows + items * table.shape[1]
        laid = (i.astype(np.uint32) for i in (rows, self.indices[1]))
        self.arrays = (self._flat(table), *laid, np.array([self.scale], self.real))

    def _flat(self, table):
        """(B, V, W) as (B V, W) or (V B, W)."""
        return (table.swapaxes(0, 1) if self.rows_first else table).reshape(-1, table.shape[2])

    def shows(self, reads: Reads, forbid: float, nan, room: float) -> bool:
        """Whether the entries that are read show for certain what the cost would; marks the items with a NaN."""
        table = self.moving[0]
        most = _largest(self.arrays[0], nan=np.inf)
        if table.size and abs(self.scale) * most < room:
            self.most = most
            return True
        for b in range(len(nan)):
            rows, columns = (
                np.unique(i[b if len(i) > 1 else 0][read[b]]) for i, read in zip(self.indices, (reads.rows, reads.columns))
            )
            part = table[b if len(table) > 1 else 0][rows][:, columns]
            bad, infinite = np.isnan(part), np.isinf(part)
            lost = infinite & (np.sign(self.scale) * part != forbid)  # refused, or forbidden though its scale is 0
            huge = abs(self.scale) * np.max(np.abs(part), initial=0.0, where=~(bad | infinite)) >= room
            if lost.any() or huge or (bad.any() and reads.ranges is not None):
                return False
            nan[b] |= bad.any()
        return True

    def zeros(self) -> tuple[np.ndarray, ...]:
        """What flows to the table."""
        gradient = unfilled(self.arrays[0].shape, self.real)
        gradient[:] = 0
        return (gradient,)

    def largest(self) -> float:
        if self.most is None:
            table = self.moving[0]
            self.most = float(np.max(np.abs(table), initial=0.0, where=np.isfinite(table)))
        return abs(self.scale) * self.most

    def back(self, place: int, gradient, lost) -> np.ndarray:
        """What flows to the table; NaN to the entries of items that are lost."""
        batch, n, wide = self.moving[0].shape
        gradient = gradient.reshape(n, batch, wide).swapaxes(0, 1) if self.rows_first else gradient.reshape(batch, n, wide)
        for b in lost:
            rows, columns = (i[b if len(i) > 1 else 0, : n[b]] for i, n in zip(self.indices, self.lengths))
            gradient[b if len(gradient) > 1 else 0][np.ix_(np.unique(rows), np.unique(columns))] = np.nan
        return gradient.reshape(self.bound.shapes[place])


def _padded(frames, shape):
    """Some (n, D) arrays as one, (B, N, D), 0 beyond their lengths; of the given shape where there is none."""
    out = np.zeros((*shape[:2], frames[0].shape[1] if frames else shape[2]))
    for to, own in zip(out, frames):
        to[: len(own)] = own
    return out


def _largest(array, nan=0.0):
    """The largest size of a number; `nan` where there is one, if that is more."""
    most = max(float(array.max(initial=0.0)), -float(array.min(initial=0.0)))
    if most == most:
        return most
    return max(nan, float(np.max(np.abs(array), initial=0.0, where=~np.isnan(array))))


def _within(indices, lengths):
    """0 in place of what lies beyond the lengths."""
    longest = lengths[:, None] if len(indices) > 1 else np.max(lengths, initial=0)
    return np.where(np.arange(indices.shape[1]) < longest, indices, 0)
