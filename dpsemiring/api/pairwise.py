"""The totals of all pairs of two collections of series."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import isqrt
from typing import Any

import numpy as np

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.api import fronts
from dpsemiring.api.series import Collection, by_length, check, collect
from dpsemiring.api.solver import Solver, compile
from dpsemiring.api.workers import pack, spread
from dpsemiring.declare import costs
from dpsemiring.declare.costs import Source
from dpsemiring.declare.symmetry import symmetric as unchanged_by_exchange
from dpsemiring.declare.topology import Topology
from dpsemiring.run.arrays import Place
from dpsemiring.run.local_costs import KINDS
from dpsemiring.run.windows import row_ranges

# a job for a worker: enough cells that sending it costs little, and so many jobs that all have something to do
JOBS, LEAST_CELLS, MOST_CELLS = 64, 2**22, 2**28
# the shortest series of a group has at least this share of the frames of its longest, so that padding is small
ALIKE = 0.75


def pairwise(
    X,
    Y=None,
    *,
    topology: Topology,
    semiring: Semiring,
    cost: str | Callable = "sqeuclidean",
    lengths=None,
    params: Mapping[str, object] | None = None,
    symmetric: bool | None = None,
    progress: Callable[[int, int], object] | None = None,
    parallel=None,
    block: int = 2**24,
    engine: str = "auto",
) -> np.ndarray:
    """The total of every series of `X` with every one of `Y`, or of `X` with itself.

    Pairs of similar sizes go through a solver together, some hundreds or thousands in a call, over the solver's own
    threads; memory beside the series and the matrix is bounded by `block`.

    Parameters
    ----------
    X, Y : sequence of (T_i, D) or (T_i,) arrays, or a padded (n, T, D) or (n, T) array
        Series of any lengths, along the rows and the columns of the lattice. Without `Y`, `X` with itself. CuPy's series are
        computed with on their GPU, and so is the matrix given back.
        (T_i,) is one feature; series of whole numbers are labels where the cost takes labels.
    topology : Topology
    semiring : Semiring
    cost : str or f(x, y)
        ``"sqeuclidean"``, ``"cosine"`` or another source of `dp.costs` by name, or a function of padded batches x (B, N, D)
        and y (B, M, D) that gives such a source, a (B, N, M) array, or a dict with one for each plane. To a function
        series (T_i,) of whole numbers are labels, (B, N).
    lengths : (n,) int array, or with `Y` a pair of them, optional
        The true lengths of padded series; either of the pair may be None.
    params : dict, optional
        A value for each Param, for all pairs alike. An array along rows or columns has the length of the longest series
        (and ``extra``), or 1; shorter ones take its beginning.
    symmetric : bool, optional
        Without `Y`: whether total(x, y) = total(y, x), so that half the pairs need no computing. By default that is
        derived: the topology stays the same when rows and columns are exchanged, the cost is a source that is declared
        symmetric, the sum does not depend on the order of its terms, and a window is its own mirror image and all series have
        one length. Where this cannot be seen, all pairs are computed. True is your own statement, and not checked.
    progress : f(done, total), optional
        Called with the numbers of pairs after every block. What it raises ends the work.
    parallel : "joblib", or a joblib.Parallel, a Dask client, an executor, or a map function, optional
        Who computes the blocks, over as many machines as it was set up for; ``"joblib"`` is what ``joblib.parallel_config``
        says. Functions of the semiring and the cost that `pickle` refuses are sent by cloudpickle.
    block : int
        About how many lattice cells a call of the solver has.
    engine : {"auto", "cpu", "gpu", "reference"}
        As in `compile`.

    Returns
    -------
    (n, n) or (n, n_Y) array
        The first output of the semiring, in the kind of the series: NaN for pairs with a NaN in either series, the decoded
        zero (+inf for a minimum) for pairs without a path.

    Raises
    ------
    ValueError
        For an empty collection, series without frames, numbers of features or lengths that do not fit, a Param that varies
        over the batch, a window that excludes every path of a pair, and as `Solver` does.
    TypeError
        For data that is not real numbers, or functions that cannot be sent to other processes.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> series = [[0.0, 1.0, 2.0], [0.0, 2.0], [1.0]]
    >>> dp.pairwise(series, topology=dp.topologies.dtw(), semiring=dp.Tropical, engine="reference").tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 0.0]]
    """
    solver = compile(topology, semiring, engine=engine)
    X, Y, place = _at_home(X, Y)
    if place is not None and parallel is not None:
        raise ValueError(f"pairwise: parallel= spreads NumPy's series over processes, found {place.name} arrays; leave it out")
    if isinstance(block, bool) or not isinstance(block, int) or block < 1:
        raise ValueError(f"pairwise: block is a number of cells, at least 1, found {block!r}")
    rows, cols, same = _collections(X, Y, lengths, solver, cost)
    problem = _Pairs(solver, _cost(cost), dict(params or {}), (int(rows.sizes.max()), int(cols.sizes.max())), block, place)
    problem.check_params()
    half = same and (_symmetric(problem, rows) if symmetric is None else symmetric)
    if symmetric and not same:
        raise ValueError("pairwise: symmetric speaks of X with itself; without Y")
    jobs = _Jobs(rows, cols, half, block if parallel is None else _job_cells(rows, cols, block))
    work: Callable
    if parallel is None:
        work = problem.totals
    else:
        what = f"pairwise: the semiring {semiring!r} or the cost"
        work = partial(_work, pack(what, (topology, semiring, engine, problem.cost, problem.params, problem.longest, block)))
    found = jobs.run(work, parallel, progress)
    return found if place is None else place.array(found)


# --- what is asked ----------------------------------------------------------------------------------


def _at_home(X, Y) -> tuple[Any, Any, Place | None]:
    """The series as NumPy's arrays, and the device where they live, if they do."""
    listed = [[] if given is None else given if isinstance(given, (list, tuple)) else [given] for given in (X, Y)]
    places = {id(p): p for given in listed for one in given if (p := fronts.device_of(one)) is not None}
    if len(places) > 1:
        raise TypeError(f"pairwise: series of {' and '.join(p.name for p in places.values())}; bring all to one device")
    place = next(iter(places.values()), None)
    if place is None:
        return X, Y, None
    hosts = ([place.host(one) if place.owns(one) else one for one in given] for given in listed)
    x, y = (own if isinstance(given, (list, tuple)) or given is None else own[0] for own, given in zip(hosts, (X, Y)))
    return x, None if Y is None else y, place


def _collections(X, Y, lengths, solver, cost) -> tuple[Collection, Collection, bool]:
    """Rows and columns, sorted by length, in one kind of float; and whether they are the same."""
    named = isinstance(cost, str)
    labels = named and cost in KINDS and KINDS[cost].second != "features"
    cuts: Any
    if Y is None:
        cuts = lengths, None
    elif lengths is None or (isinstance(lengths, (tuple, list)) and len(lengths) == 2):
        cuts = lengths or (None, None)
    else:
        raise ValueError("pairwise: with Y, lengths are a pair: lengths=(those of X, those of Y); either may be None")
    lists = [collect("X", X, cuts[0], labels=not named)]
    if Y is not None:
        lists.append(collect("Y", Y, cuts[1], labels=labels or not named))
    for what, series, more in zip("XY", lists, solver.topology.extra):
        least = 1 - (more if Y is not None else min(solver.topology.extra))
        check(what, series, least)
    features = [s.dtype for series in lists for s in series if s.ndim == 2]
    found = [by_length(series, np.result_type(*features) if features else np.dtype(float)) for series in lists]
    return found[0], found[-1], Y is None


def _cost(cost) -> Callable:
    if callable(cost):
        return cost
    if not isinstance(cost, str) or cost not in KINDS:
        raise ValueError(f"pairwise: cost is one of {', '.join(KINDS)}, or a function of (x, y); found {cost!r}")
    return getattr(costs, cost)


def _symmetric(problem: _Pairs, found: Collection) -> bool:
    """Whether the declarations say that total(x, y) = total(y, x)."""
    topology, semiring = problem.solver.topology, problem.solver.semiring
    # a sum that iterates over its terms may depend on their order; reductions do not
    if semiring.trace.sum is None or not unchanged_by_exchange(topology):
        return False
    x, y = problem.here(found.padded(0, 1)), problem.here(found.padded(0, 1))
    made = problem.cost(x, y)
    for source in made.values() if isinstance(made, Mapping) else [made]:
        if not isinstance(source, Source):
            return False
        for _, atom in source.parts:
            a, b = atom.inputs.values()
            if not atom.symmetric or a is not x or b is not y:
                return False
    return topology.window is None or (found.sizes[0] == found.sizes[-1] and _mirrored(problem, int(found.sizes[0])))


def _mirrored(problem, size):
    """Whether the window's cells are the same with rows and columns exchanged, in the square lattice of that size."""
    cells = size + problem.solver.topology.extra[0]
    given = {name: np.asarray(value)[..., None] for name, value in problem.params.items() if np.ndim(value) == 0}
    if any(p.name not in given for p in problem.solver.topology.window.params()):
        return False
    lo, hi = row_ranges(problem.solver.topology.window, np.array([cells]), np.array([cells]), cells, given)
    columns = np.arange(cells)
    inside = (lo[0][:, None] <= columns) & (columns < hi[0][:, None])
    return bool(np.array_equal(inside, inside.T))


# --- what is computed -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Job:
    """Pairs (rows[i[p]], cols[j[p]]) of padded series; `number` tells which job it was."""

    number: int
    x: np.ndarray
    y: np.ndarray
    x_sizes: np.ndarray
    y_sizes: np.ndarray
    i: np.ndarray
    j: np.ndarray


@dataclass(frozen=True, eq=False)
class _Pairs:
    """How the totals of pairs are computed."""

    solver: Solver
    cost: Callable
    params: dict[str, Any]
    longest: tuple[int, int]
    block: int
    place: Place | None = None  # the device on which series are paired

    def here(self, array):
        """An array where series are paired."""
        return array if self.place is None else self.place.array(array)

    def check_params(self) -> None:
        """Refuse values for each item: pairs have no place in a batch that a caller knows of."""
        for name, value in self.params.items():
            param = self.solver.params.get(name)
            if param is None or np.ndim(value) != len(param.axes) + len(param.shape):
                continue
            if param.axes.startswith("b") and np.shape(value)[0] != 1:
                raise ValueError(
                    f"pairwise: params[{name!r}] has the shape {np.shape(value)}, one value for each item; pairs are no batch of "
                    "yours: give one value for all"
                )

    def totals(self, job: _Job) -> tuple[int, np.ndarray]:
        """The job's number and the totals of its pairs."""
        n, m = job.x.shape[1], job.y.shape[1]
        step = max(1, self.block // max(1, n * m))
        found = [self._call(job, slice(p, p + step), n, m) for p in range(0, len(job.i), step)]
        return job.number, np.concatenate(found)

    def _call(self, job, some, n, m):
        i, j = job.i[some], job.j[some]
        sizes = job.x_sizes[i], job.y_sizes[j]
        params = {name: self._cut(name, value, n, m) for name, value in self.params.items()}
        try:
            cost = self.cost(self.here(job.x.take(i, axis=0)), self.here(job.y.take(j, axis=0)))
            total = self.solver(cost, sizes, params, check=True).total
            return total if self.place is None else self.place.host(total)
        except ValueError as error:
            error.add_note("(an item is one of the pairs that dp.pairwise aligns in one call)")
            raise

    def _cut(self, name, value, n, m):
        """The beginning of a value along rows and columns, as long as the lattices of a call."""
        param, array = self.solver.params.get(name), np.asarray(value)
        without_batch = param is not None and array.ndim == len(param.axes) + len(param.shape) - 1 and "b" in param.axes
        axes = "" if param is None else param.axes[without_batch:]
        for axis, longest, now, more in zip("nm", self.longest, (n, m), self.solver.topology.extra):
            place = axes.find(axis)
            if 0 <= place < array.ndim and array.shape[place] == longest + more:
                array = array[(slice(None),) * place + (slice(None, now + more),)]
        return array[None] if without_batch and array.ndim else array


@lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> _Pairs:
    topology, semiring, engine, *rest = pickle.loads(packed)
    return _Pairs(compile(topology, semiring, engine=engine), *rest)


def _work(packed: bytes, job: _Job) -> tuple[int, np.ndarray]:
    """A job in whatever process it comes to; the solver is built there once."""
    return _unpacked(packed).totals(job)


# --- in which order ---------------------------------------------------------------------------------


def _job_cells(rows, cols, block):
    return int(max(min(block, LEAST_CELLS), min(MOST_CELLS, int(rows.sizes.sum()) * int(cols.sizes.sum()) // JOBS)))


@dataclass(frozen=True, eq=False)
class _Jobs:
    """All pairs in jobs of about so many cells; with `half`, of (i, j) and (j, i) but one."""

    rows: Collection
    cols: Collection
    half: bool
    cells: int

    def run(self, work, parallel, progress) -> np.ndarray:
        """The matrix, in the caller's order."""
        places: list[tuple[np.ndarray, np.ndarray]] = []
        n, m = len(self.rows), len(self.cols)
        total, done = n * (n + 1) // 2 if self.half else n * m, 0
        out: Any = None
        results = spread(work, self._jobs(places), parallel)
        try:
            for number, totals in results:
                out = np.empty((n, m), totals.dtype) if out is None else out
                i, j = places[number]
                out[i, j] = totals
                if self.half:
                    out[j, i] = totals
                done += len(totals)
                if progress is not None:
                    progress(done, total)
        finally:
            results.close()
        return out

    def _jobs(self, places) -> Iterator[_Job]:
        """Appends to `places` where the totals of each job belong."""
        for first, stop in _groups(self.rows.sizes, 0, lambda size: max(1, isqrt(self.cells) // max(1, size))):
            size = int(self.rows.sizes[first]) * (stop - first)
            x = self.rows.padded(first, stop)
            start = first if self.half else 0
            for left, right in _groups(self.cols.sizes, start, lambda other: max(1, self.cells // max(1, size * other))):
                i, j = np.indices((stop - first, right - left)).reshape(2, -1)
                if self.half:
                    once = left + j >= first + i
                    i, j = i[once], j[once]
                places.append((self.rows.order[first + i], self.cols.order[left + j]))
                sizes = self.rows.sizes[first:stop], self.cols.sizes[left:right]
                yield _Job(len(places) - 1, x, self.cols.padded(left, right), *sizes, i, j)


def _groups(sizes: np.ndarray, first: int, most: Callable[[int], int]) -> Iterator[tuple[int, int]]:
    """Ranges of series of similar length, from `first` on, each of at most most(its longest)."""
    while first < len(sizes):
        longest = int(sizes[first])
        alike = int(np.searchsorted(-sizes, -int(ALIKE * longest), side="right"))
        stop = max(first + 1, min(alike, first + most(longest), len(sizes)))
        yield first, stop
        first = stop
