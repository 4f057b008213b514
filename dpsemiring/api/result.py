"""What a solver gives back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dpsemiring.algebra import posterior
from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.expr import INT
from dpsemiring.api.along import Along
from dpsemiring.api.derivatives import Derivatives
from dpsemiring.api.path import Path
from dpsemiring.run.engine import Engine, Run
from dpsemiring.run.sources import gradient
from dpsemiring.run.walk import walkers

if TYPE_CHECKING:
    from dpsemiring.api.solver import Solver


class Result:
    """The outcome of a call. Nothing but the total is computed before it is asked for.

    Attributes
    ----------
    total : () or (B,)
        The first output that the semiring decodes. Where no path exists it is the decoded zero (+inf for a
        minimum) and every gradient is 0; where an item's costs hold a NaN, both are NaN for that item.
    outputs : dict
        All outputs by name; those whose names are free are attributes as well.
    """

    def __init__(self, solver: Solver, engine: Engine, run: Run):
        self._solver, self._engine, self._run, self._problem = solver, engine, run, run.problem
        self._derivatives = Derivatives(solver, engine, run)
        self.outputs = self._derivatives.outputs()
        for name, value in self.outputs.items():
            if not hasattr(type(self), name):
                setattr(self, name, value)

    @property
    def total(self):
        """The first output that the semiring decodes: () or (B,)."""
        return next(iter(self.outputs.values()))

    @property
    def lengths(self):
        """The true lengths (n, m) of the lattice: a pair of int, or of (B,) int arrays."""
        pairs = zip((self._problem.n_len, self._problem.m_len), self._solver.topology.extra)
        return tuple(x + more if self._problem.batched else int(x[0]) + more for x, more in pairs)

    def __repr__(self):
        p = self._problem
        shape = f"{p.shape[1]} x {p.shape[2]}" if not p.batched else f"batch of {p.shape[0]}, {p.shape[1]} x {p.shape[2]}"
        return f"Result({self._solver.semiring!r}, {shape}, total={self.total})"

    # --- derivatives --------------------------------------------------------------------------------

    @cached_property
    def marginals(self):
        """d total / d cost, shaped like the cost; a dict of planes where the cost was one.

        With unit weights and a closed boundary the expected alignment: under a softmin the probability that a
        path visits the cell, under a hard minimum the indicator of one best path.
        """
        self._need_derivative("marginals")
        return self._derivatives.by_cost()

    @cached_property
    def occupancy(self):
        """(N + x0, M + x1) or (B, N + x0, M + x1): d total / d a penalty for entering the cell, in any state.

        Under a softmin the probability of visiting the cell, whatever the weights; where (0, 0) steps visit it in several
        states, the expected number of visits.
        """
        self._need_derivative("occupancy")
        return self._derivatives.by_cell()

    def grad(self, name: str):
        """d total / d the named Param, in the shape of its value (summed over the batch where it has no batch axis).

        An array of a cost source goes by its own name, ``result.grad("x")``, and shape; the gradient is the sum over
        all places where that very array stands.

        Raises
        ------
        KeyError
            For a name that is no Param of the solver and no array of a source.
        ValueError
            For a mask, labels, an integer parameter or one of a window: these have no derivative. For a name that two
            different arrays of the sources bear.
        """
        if name in self._solver.params:
            self._need_derivative(f"grad({name!r})")
            return self._derivatives.by_param(name)
        bound = self._problem.sources
        known = [*self._solver.params, *dict.fromkeys(n for s in bound.values() for n in sorted(s.names))]
        if name in known:
            if (found := self._derivatives.by_source(name)) is not None:
                return found
            return self._problem.handed(gradient(bound, name, self._derivatives.by_plane()).astype(self._problem.kind))
        if any(name in s.labels() for s in bound.values()):
            raise ValueError(f"grad: {name!r} are labels, which have no derivative")
        if name in self._problem.planes:
            raise KeyError(f"grad: {name!r} is a plane of the cost; its derivative is result.marginals")
        raise KeyError(f"grad: no parameter is named {name!r}; there are {', '.join(known) or 'none'}")

    def along(self, cost=None, params: Mapping[str, object] | None = None) -> Along:
        """How the result changes while costs and Params move in a direction: second derivatives.

        Parameters
        ----------
        cost : array or dict, optional
            The direction of the cost, in its shape; of a dict of planes those that are missing stand still. Of a cost source
            it is that of the plane's array.
        params : dict, optional
            For each Param that moves its direction, in the shape of its value.

        Returns
        -------
        Along
            ``total``, ``marginals``, ``occupancy`` and ``grad(name)``: the derivatives of this result's.

        Raises
        ------
        TypeError
            For a semiring without a derivative.
        ValueError
            For another shape, an unknown name, an infinity, and for a mask, labels or a parameter of a window, which have no
            direction. A NaN makes its item NaN.

        Notes
        -----
        The recurrence runs on dual numbers once forward, and once back when marginals or gradients are asked for: a Hessian
        times a direction in a small multiple of the time of a gradient, with no matrix. A hard minimum is linear but for its
        kinks, so its marginals have the derivative 0.

        Examples
        --------
        >>> import dpsemiring as dp
        >>> cost = [[1.0, 2.0], [3.0, 4.0]]
        >>> result = dp.compile(dp.topologies.dtw(), dp.Softmin(1.0))(cost)
        >>> direction = [[0.0, 1.0], [0.0, 0.0]]
        >>> moved = result.along(direction)
        >>> bool(abs(moved.total - result.marginals[0, 1]) < 1e-12)
        True
        >>> p = result.marginals[0, 1]  # one path of three visits (0, 1): the derivative of p is -p (1 - p) / gamma
        >>> bool(abs(moved.marginals[0, 1] + p * (1 - p)) < 1e-12)
        True
        """
        self._need_derivative("along")
        return Along(self._solver, self._engine, self._run, cost, params)

    def _need_derivative(self, what):
        if not self._solver.semiring.derivative:
            raise TypeError(f"{what}: the semiring {self._solver.semiring.name} is discrete and has no derivative")

    # --- paths and values ---------------------------------------------------------------------------

    @cached_property
    def _paths(self):
        semiring = self._solver.semiring
        if semiring.trace.ranks:
            return [paths[0][0] if paths else np.zeros((0, 4), np.int64) for paths in self._ranked]
        if semiring.trace.selects is None:
            raise TypeError(
                f"path: the sum of {semiring.name} takes no single candidate, so there is no one best path; compile the same "
                f"topology with {'dp.Tropical' if semiring.forbid > 0 else 'dp.MaxPlus'}, look at result.occupancy, or draw "
                "paths with result.sample"
            )
        ends, chosen = self._run.ends, self._derivatives.totals.chosen()
        items = np.arange(self._problem.batch)
        some = (chosen >= 0) & ~self._problem.place.host(self._problem.nan)
        at = np.where(some, chosen, 0)
        places = (np.where(some, x[items, at], -1) for x in (ends.n, ends.m, ends.state)) if len(items) else [items] * 3
        paths = self._engine.paths(self._run, *places)
        for b in np.flatnonzero(some):
            if not len(paths[b]):
                raise RuntimeError(f"path: none of the candidates of a cell of item {b} has its value; please report this")
        return paths

    @property
    def path(self):
        """The best path: an (L, 2) int array of visited cells, or a list of one for each item; empty where none exists.

        Ties go to the first candidate: starts, then steps, as declared; among ends to the first, row by row.
        """
        return self._listed([self._numbers(p[:, :2]) for p in self._paths])

    @property
    def path_states(self):
        """The state in which each cell of the path was visited: an array of L names (None where there is but one)."""
        return self._listed([self._state_names[p[:, 2]] for p in self._paths])

    @property
    def path_steps(self):
        """Which step, counted as declared, led into each cell of the path; -1 for the start."""
        return self._listed([self._numbers(p[:, 3]) for p in self._paths])

    @property
    def paths(self):
        """The best paths of a semiring that keeps several (`KBest`), best first: a list of `Path`, or one for each item.

        Fewer where there are fewer paths; equal ones in the order of candidates. Found by a walk back in float64, which
        takes a fraction of a second for some thousand cells, and needs the whole lattice in memory.
        """
        semiring = self._solver.semiring
        if not semiring.trace.ranks:
            raise TypeError(f"paths: {semiring.name} keeps no list of best paths; compile the same topology with dp.KBest(k)")
        return self._listed([[self._named(*found) for found in paths] for paths in self._ranked])

    @cached_property
    def _ranked(self):
        return [walker.ranked() if walker else [] for walker in walkers(self._solver.plain(self._engine), self._run)]

    def sample(self, n: int = 1, seed: int | None = None):
        """n paths drawn from the posterior: a list of `Path`, or one for each item; empty where there is no path.

        A path is drawn in proportion to its share of the sum over all paths: exp(-cost / gamma) under a soft minimum, the
        product of its numbers for real ones, uniformly in counting. How often a cell is visited tends to its occupancy.

        Parameters
        ----------
        n : int
        seed : int, optional
            The same seed draws the same paths; an item's do not depend on the others in its batch, only on its place.

        Raises
        ------
        TypeError
            For a semiring without a distribution over paths: its sum is not associative, or takes the best alone.
        ValueError
            If real numbers are negative, so that shares are no probabilities.

        Notes
        -----
        A walk back in float64 over the accumulated values, which needs the whole lattice in memory. What enters a cell
        that is visited is computed once; each further path costs some microseconds a cell.
        """
        if reason := posterior.refusal(self._solver.semiring):
            raise TypeError(f"sample: {reason}")
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
            raise ValueError(f"sample: n is a whole number >= 0, found {n!r}")
        out = []
        for walker, own in zip(
            walkers(self._solver.plain(self._engine), self._run), np.random.SeedSequence(seed).spawn(self._problem.batch)
        ):
            drawn = walker.sample(n, np.random.default_rng(own)) if walker else []
            out.append([self._named(*found) for found in drawn])
        return self._listed(out)

    def _named(self, walk, total) -> Path:
        return Path(self._numbers(walk[:, :2]), self._state_names[walk[:, 2]], self._numbers(walk[:, 3]), total)

    def _numbers(self, array):
        """A host array as the caller is given it."""
        return self._problem.home.array(array)

    @cached_property
    def _state_names(self):
        return np.array(self._solver.recurrence.state_names, dtype=object)

    @cached_property
    def accumulated_cost(self):
        """D, decoded: (N + x0, M + x1), with a batch axis before and, for several states, a state axis after."""
        trace = self._engine.recurrence.semiring.trace
        values = self._engine.lattice(self._run)
        first = next(iter(trace.decode.values()))
        params = {leaf: self._problem.params[n].reshape(-1, 1, 1, 1) for n, leaf in trace.params.items()}
        wide = [v.astype(np.int64 if k == INT else np.float64) for v, k in zip(values, trace.kinds)]
        decoded = np.broadcast_to(evaluate([first], dict(zip(trace.x, wide)) | params)[0], wide[0].shape)
        decoded = decoded.astype(self._problem.kind)
        np.copyto(decoded, np.nan, where=self._problem.nan.reshape(-1, 1, 1, 1))
        return self._shaped(decoded if self._solver.topology.states else decoded[..., 0])

    # --- shapes -------------------------------------------------------------------------------------

    def _shaped(self, array):
        return self._derivatives.shaped(array)

    def _listed(self, items):
        return items if self._problem.batched else items[0]
