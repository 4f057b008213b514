"""The ends of an alignment: which cells they are, what is paid there, the total, and what flows back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from dpsemiring.algebra.arrays import evaluate, sorts
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import INT, value_of
from dpsemiring.algebra.numbers import Numbers
from dpsemiring.lower.ends import FLOWS, given
from dpsemiring.lower.ir import Recurrence, sites_of
from dpsemiring.run.arrays import HOST, every, some
from dpsemiring.run.graphs import ForTerms, graphs_of
from dpsemiring.run.problem import Problem

if TYPE_CHECKING:
    from dpsemiring.run.engine import Run

NOWHERE = np.iinfo(np.int64).max


@dataclass(eq=False)
class Ends:
    """The end cells of every item, row-major, each with its declaration's index; absent ones last, at row NOWHERE."""

    n: np.ndarray  # (B, E)
    m: np.ndarray
    state: np.ndarray
    which: np.ndarray

    @cached_property
    def exist(self) -> np.ndarray:
        return self.n != NOWHERE

    @cached_property
    def whole(self) -> bool:
        """Whether none is absent."""
        return every(self.exist)


# the ends of problems with few items, by their lengths: these are often the same from call to call
_known: WeakKeyDictionary[Recurrence, dict[tuple, Ends]] = WeakKeyDictionary()
FEW_LENGTHS, FEW_PROBLEMS, MOST_ENDS = 1024, 256, 1 << 17


def list_ends(recurrence: Recurrence, problem: Problem) -> Ends:
    """The end cells of each item in row-major order; within a cell, as declared. Shared between calls: not to be changed."""
    if problem.window is not None or problem.batch > FEW_LENGTHS:
        return _list_ends(recurrence, problem)
    known = _known.setdefault(recurrence, {})
    key = problem.n_len.tobytes(), problem.m_len.tobytes()
    ends = known.get(key)
    if ends is None:
        ends = _list_ends(recurrence, problem)
        if ends.n.size <= MOST_ENDS:
            if len(known) >= FEW_PROBLEMS or ends.n.size + sum(e.n.size for e in known.values()) > MOST_ENDS:
                known.clear()
            known[key] = ends
    return ends


def _list_ends(recurrence, problem):
    rows = problem.n_len + recurrence.extra[0]
    cols = problem.m_len + recurrence.extra[1]
    parts = []
    for which, end in enumerate(recurrence.ends):
        n, m = (_indices(index, length) for index, length in zip(end.pattern, (rows, cols)))
        grid = np.broadcast_arrays(n[:, :, None], m[:, None, :])
        n, m = (g.reshape(problem.batch, g.shape[1] * g.shape[2]) for g in grid)
        parts.append((n, m, np.full(n.shape, end.state), np.full(n.shape, which)))
    n, m, state, which = (np.concatenate(p, axis=1) for p in zip(*parts))
    inside = (n >= 0) & (n < rows[:, None]) & (m >= 0) & (m < cols[:, None])
    if problem.window is not None:
        items = np.arange(problem.batch)[:, None]
        lo, hi = (a[items, np.where(inside, n, 0)] for a in problem.window)
        inside &= (lo <= m) & (m < hi)
    width = int(cols.max(initial=1))
    key = np.where(inside, n * width + m, NOWHERE)
    if len(recurrence.ends) > 1 or not inside.all():
        order = np.argsort(key, axis=1, kind="stable")
        n, m, state, which, inside = (np.take_along_axis(a, order, axis=1) for a in (n, m, state, which, inside))
    return Ends(np.where(inside, n, NOWHERE), np.where(inside, m, 0), state, which)


def read_at(recurrence: Recurrence, problem: Problem, ends: Ends, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(B, E), on the host: where site i is read for every end cell, and whether there is such a place."""
    at, more = recurrence.sites[i].at, problem.more[i]
    n, m = ends.n + at[0] * ends.exist, ends.m + at[1]
    rows, cols = (length[:, None] + x for length, x in zip((problem.n_len, problem.m_len), more))
    return n, m, ends.exist & (n >= 0) & (m >= 0) & (n < rows) & (m < cols)


def _indices(index, lengths):
    if index is None:
        return np.broadcast_to(np.arange(int(lengths.max(initial=0))), (len(lengths), int(lengths.max(initial=0))))
    return np.where(index >= 0, index, lengths + index)[:, None]


@dataclass(eq=False)
class Flows:
    """What flows from the first output to the ends' values, to sites at the ends, and to the semiring's parameters."""

    values: list[np.ndarray]  # component -> (B, E)
    sites: dict[int, tuple[np.ndarray, ...]]  # site -> flow, and n, m, whether they are a place, on the host; each (B, E)
    params: dict[str, np.ndarray]  # (B,)


class Totals(Protocol):
    """The outputs of a run, and what flows back from the first."""

    @property
    def somewhere(self) -> Any:
        """(B,): whether there is a path."""

    def total(self) -> dict[str, np.ndarray]:
        """Every output by name, (B,)."""

    def flows(self) -> Flows:
        """What flows to the ends."""

    def chosen(self) -> np.ndarray:
        """(B,), on the host: the position of the end that a selecting sum takes; -1 for none."""


class Totaller:
    """The n-ary sum over the ends of every item, and its derivative.

    With `plain`, or where the sum sorts or iterates over its terms, each item is summed on its own: on the host. On a device
    kernels do all that can be swept (`lower.ends.swept`) and single ends; what they leave is, of several ends, sums that
    project onto the simplex, which are arrays there, and sums that sort or iterate, which wait for the device.
    """

    def __init__(self, recurrence: Recurrence, run: Run, plain: bool = False):
        self.r, self.problem, self.ends = recurrence, run.problem, run.ends
        self.semiring, self.trace = recurrence.semiring, recurrence.semiring.trace
        self.graphs, home = graphs_of(recurrence), self.problem.place
        self.plain = plain or self.trace.sum is None or sorts(self.trace.sum)
        self.place = HOST if self.plain else home
        self.moved = self.plain and home is not HOST  # from a device to the host, and results back
        # the order in memory is that in which numbers are added up
        kinds = [np.int64 if k == INT else np.float64 for k in self.trace.kinds]
        self.values = [v.T.astype(kind, order="C") for v, kind in zip(self.here(*run.values), kinds)]
        self.params = dict(zip(self.trace.params.values(), self.here(*(self.problem.params[name] for name in self.trace.params))))
        self.stand = self.ends.exist.T.copy()  # on the host
        self.exist = self.place.constant(self.stand)
        (self.lost,) = self.here(self.problem.nan)
        self.nan = self.lost if some(self.lost) else None
        self.w, self.pays = self._weights()
        self.reached = self._differs(self.values)
        self.candidates, self.live = self._candidates()
        self.every = every(self.live)

    def here(self, *arrays):
        """Arrays of the problem where the sum is computed."""
        return map(self.problem.place.host, arrays) if self.moved else arrays

    def there(self, array):
        """An array where those of the problem are."""
        return self.problem.place.array(array) if self.moved else array

    def _weights(self):
        """(E, B): the real number (and its tangent) that each end pays, and whether it pays one; None where none does."""
        if all(end.weight is None for end in self.r.ends):
            return [], None
        pays, constant = np.zeros(self.ends.n.T.shape, bool), self.place.constant
        w = [self.place.zeros(pays.shape) for _ in self.trace.w]
        for which, end in enumerate(self.r.ends):
            if end.weight is not None:
                here = (self.ends.which.T == which) & self.stand
                leaves = {leaf: self._read(i) for leaf, i in sites_of(end.weight)}
                w = [np.where(constant(here), new, old) for new, old in zip(evaluate(end.weight, leaves), w)]
                pays = pays | here
        return (w, constant(pays)) if some(pays) else ([], None)

    def _read(self, i):
        """(E, B): site i at every end cell; the forbidden value outside its extents."""
        site, array = self.r.sites[i], self.problem.sites[i]
        n, m, inside = self._inside(i)
        n, m = np.where(inside, n, 0), np.where(inside, m, 0)
        items = np.arange(self.problem.batch)
        at = items * (array.shape[0] > 1), n * (array.shape[1] > 1), m * (array.shape[2] > 1)
        (read,) = self.here(array[tuple(map(self.problem.place.constant, at))])
        outside = self.semiring.forbid if site.role == "cost" else 0.0
        return np.where(self.place.constant(inside), read.astype(np.float64), outside)

    def _inside(self, i):
        """(E, B), on the host: the same as `read_at`."""
        return [x.T for x in read_at(self.r, self.problem, self.ends, i)]

    def _candidates(self):
        t = self.trace
        candidates, live = self.values, self.exist
        if self.pays is not None:
            encoded = evaluate(t.encode, dict(zip(t.w, self.w)) | self.params)
            paid = evaluate(t.times, dict(zip(t.a + t.b, [*self.values, *encoded])) | self.params)
            candidates = [np.where(self.pays & self.reached, p, v) for p, v in zip(paid, self.values)]
            live = live & ~(self.pays & (self.w[0] == self.semiring.forbid))
        if not t.adds:
            live = live & self.reached
            if self.pays is not None:
                live = live & self._differs(candidates)
        return candidates, live

    def _differs(self, values):
        """Where a value is not the zero."""
        found = [v != value_of(z) for v, z in zip(values[: self.trace.telling], self.trace.zero)]
        return reduce(np.logical_or, found)

    def _over_terms(self, graphs: ForTerms, *more) -> list:
        """What graphs of a sum's terms come to: arrays (B,), or (E, B) for each term. Anything where no term is live."""
        params = self.params.values()
        if len(self.live) == 1:
            return graphs["one"](*[c[0] for c in self.candidates], *more, *params)
        if self.every:
            return graphs["all"](*self.candidates, *more, *params)
        return graphs["live"](*self.candidates, *more, *params, self.live)

    def total(self) -> dict[str, np.ndarray]:
        """Every output by name, (B,)."""
        with np.errstate(all="ignore"):
            return self._total()

    def _total(self):
        t, batch = self.trace, self.problem.batch
        if self.plain:
            sums = self._each(lambda numbers, terms, b: numbers.sum(terms))
            summed = [np.array([s[c] for s in sums]) for c in range(len(t.kinds))]
            found = self.live.any(axis=0)
        else:
            found = self.live[0] if len(self.live) == 1 else self.live.any(axis=0)
            whole = self.every and len(self.live) > 0
            summed = [_where(found, whole, s, value_of(z)) for s, z in zip(self._over_terms(self.graphs.sum), t.zero)]
        self.summed = [s if s.shape == (batch,) else np.broadcast_to(s, (batch,)) for s in summed]
        self.some = self._differs(self.summed) if t.adds else found
        decoded = self.graphs.decode(*self.summed, *self.params.values())
        found = [_where(~self.lost, self.nan is None, d, np.nan) for d in decoded]
        return dict(zip(t.decode, map(self.there, found) if self.moved else found))

    @property
    def somewhere(self):
        return self.there(self.some)

    def chosen(self) -> np.ndarray:
        """Call `total` first."""
        hit = self.place.host(self.live & (self.candidates[0] == self.summed[0]))
        return np.where(hit.any(axis=0), hit.argmax(axis=0), -1) if len(hit) else np.full(self.problem.batch, -1)

    def flows(self) -> Flows:
        """Call `total` first."""
        with np.errstate(all="ignore"):
            return self._flows()

    def _flows(self):
        t, shape = self.trace, self.live.shape
        values = self.graphs.decode_backward(*self.summed, *self.params.values())
        zeros, whole = self.place.zeros(self.problem.batch), every(self.some)
        bars = [
            zeros if v is None else _where(self.some if whole else self.some | np.isfinite(v), whole, v, 0.0)
            for v in values[: len(t.x)]
        ]
        params = {n: zeros if v is None else _where(self.some, whole, v, 0.0) for n, v in zip(t.params, values[len(t.x) :])}
        to_terms = self._sum_flows(bars, params, whole)
        to_values, to_w = self._step_flows(to_terms, params)
        sites = {}
        for which, end in enumerate(self.r.ends):
            if end.weight is not None:
                here = self.place.constant(self.ends.which.T == which) & self.live
                for leaf, i in sites_of(end.weight):
                    self._site_flow(sites, i, end.weight, leaf, [np.where(here, g, 0.0) for g in to_w])
        if self.nan is not None or any(v.shape != shape for v in to_values):
            to_values = [np.where(self.lost, np.nan, np.broadcast_to(v, shape)) for v in to_values]
        params = {n: _where(self.some, True, p, 0.0) for n, p in params.items()}
        if self.moved:
            to_values, params = list(map(self.there, to_values)), {n: self.there(p) for n, p in params.items()}
        return Flows([v.T for v in to_values], sites, params)

    def _sum_flows(self, bars, params, whole):
        t = self.trace
        if self.plain:
            out = [np.zeros(self.live.shape) for _ in t.kinds]

            def each(numbers, terms, b):
                got, more = numbers.sum_flows(terms, [bar[b] for bar in bars])
                for c in range(len(t.kinds)):
                    out[c][:, b] = got[:, c]
                return more

            for b, more in enumerate(self._each(each)):
                for n, g in more.items():
                    params[n] = params[n] + g * (np.arange(self.problem.batch) == b)
            return [np.where(self.live, o, 0.0) for o in out]
        found = self._over_terms(self.graphs.sum_backward, *bars)
        to_terms, to_params = found[: len(t.terms)], found[len(t.terms) :]
        for n, f in zip(t.params, to_params):
            if f is not None:
                params[n] = params[n] + _where(self.some, whole, f, 0.0)
        return [self.place.zeros(self.live.shape) if f is None else _where(self.live, self.every, f, 0.0) for f in to_terms]

    def _step_flows(self, to_terms, params):
        """Through times(value, encode(w)) where an end pays; straight to the value where it does not."""
        t = self.trace
        if self.pays is None:
            return to_terms, [self.place.zeros(self.live.shape) for _ in t.w]
        encoded = evaluate(t.encode, dict(zip(t.w, self.w)) | self.params)
        leaves = dict(zip(t.a + t.b, [*self.values, *encoded])) | dict(zip(t.bars, to_terms)) | self.params
        found = vjp(list(zip(t.times, t.bars)), [*t.a, *t.b, *t.params.values()])
        paid = self.pays & self.live
        got = [np.where(paid, 0.0 if f is None else f, 0.0) for f in given(found, lambda roots: evaluate(roots, leaves))]
        paid &= self.reached
        width = len(t.kinds)
        to_values = [np.where(self.pays, g, straight) for g, straight in zip(got[:width], to_terms)]
        more = dict(zip(t.w, self.w)) | dict(zip(t.bars, got[width : 2 * width])) | self.params
        through = vjp(list(zip(t.encode, t.bars)), [*t.w, *t.params.values()])
        through = [np.where(paid, 0.0 if f is None else f, 0.0) for f in given(through, lambda roots: evaluate(roots, more))]
        for n, direct, coded in zip(t.params, got[2 * width :], through[len(t.w) :]):
            params[n] = params[n] + np.where(paid, direct + coded, 0.0).sum(axis=0)
        return to_values, through[: len(t.w)]

    def _site_flow(self, sites, i, weight, leaf, flows):
        (f,) = vjp(list(zip(weight, FLOWS)), [leaf])
        if f is None or self.r.sites[i].role == "mask":
            return
        leaves = {other: self._read(j) for other, j in sites_of(weight)} | dict(zip(FLOWS, flows))
        some = reduce(np.logical_or, [flow != 0.0 for flow in flows])
        value = self.there(np.where(some, evaluate([f], leaves)[0], 0.0).T)
        before = sites.get(i)
        sites[i] = (value if before is None else before[0] + value, *read_at(self.r, self.problem, self.ends, i))

    def _each(self, work):
        out = []
        for b in range(self.problem.batch):
            values = zip(self.trace.params, self.params.values())
            numbers = Numbers(self.semiring, {n: float(v[b if len(v) > 1 else 0]) for n, v in values})
            terms = [
                tuple(c[e, b].item() for c in self.candidates) if self.live[e, b] else numbers.zero
                for e in range(self.live.shape[0])
            ]
            out.append(work(numbers, terms, b))
        return out


def _where(mask, whole, value, other):
    """`value`, in the shape of a mask, where that holds; it may be known to hold as a `whole`."""
    if whole:
        return value if getattr(value, "shape", ()) == mask.shape else np.broadcast_to(value, mask.shape)
    return np.where(mask, value, other)
