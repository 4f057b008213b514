"""The numbers of one item of a call, read as the declaration says: costs, parameters, masks.

Written for reading, from the declaration alone: no engine's code is used here, so that the two can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.costs import Source
from dpsemiring.declare.param import Differs, Entry, Param
from dpsemiring.declare.step import Term
from dpsemiring.declare.topology import Topology
from dpsemiring.declare.window import Itakura, Ranges, SakoeChiba
from dpsemiring.testing.pairs import read_source

DEEPEST = 200


@dataclass(frozen=True)
class Share:
    """How a real number w depends on one number of the data: d w / d data[name][index] = slope."""

    name: str
    index: tuple[int, ...]
    slope: float


@dataclass(frozen=True)
class Payment:
    """What is paid somewhere: a real number w, and the costs and parameters that it is made of.

    `w` is None where nothing is paid: no terms and no penalty, which is `one` in every semiring.
    """

    w: float | None
    costs: tuple[Share, ...] = ()
    numbers: tuple[Share, ...] = ()


def declared_params(topology: Topology, semiring: Semiring | None = None) -> dict[str, Param]:
    """Every Param of a topology and of a semiring, by name."""
    found = {p.name: p for p in topology.params()}
    for value in {} if semiring is None else semiring.params.values():
        if isinstance(value, Param):
            found[value.name] = value
    return found


def semiring_values(semiring: Semiring, params: Mapping[str, Any] | None) -> dict[str, float]:
    """The semiring's parameters by their own names, as numbers for one item."""
    out = {}
    own: str
    value: Any
    for own, value in semiring.params.items():
        if isinstance(value, Param):
            value = np.asarray(_given(params, value.name), float)
            if value.size != 1:
                raise ValueError(f"params[{own!r}] has the shape {value.shape}; one item has one value")
            value = value.reshape(())
        out[own] = float(value)
    return out


def as_planes(topology: Topology, cost, forbid: float = math.inf) -> dict[str, np.ndarray]:
    """The cost arrays by plane, sources made into arrays; float64."""
    if not isinstance(cost, Mapping):
        names = topology.planes()
        if len(names) != 1:
            raise ValueError(f"cost: the topology reads the planes {', '.join(names) or 'none'}; pass a dict of them")
        cost = {names[0]: cost}
    read = {name: read_source(value, forbid) if isinstance(value, Source) else value for name, value in cost.items()}
    return {name: np.asarray(value, float) for name, value in read.items()}


def main_plane(planes: Mapping[str, object] | Sequence[str]) -> str:
    """The plane whose shape is that of the problem: the one named cost, otherwise the first."""
    return "cost" if "cost" in planes else next(iter(planes))


def _given(params, name):
    if params is None or name not in params:
        raise ValueError(f"params: {name!r} is missing")
    return params[name]


class Item:
    """One item's data under a topology.

    Parameters
    ----------
    topology : Topology
    cost : (N, M) array, source of `dp.costs`, or dict of planes
        Without a batch axis.
    lengths : pair of int, optional
    params : dict
        A value for each Param, over its axes without the batch axis (or with one of length 1).
    forbid : float
        The number that means "not here": +inf for costs, -inf for scores.
    """

    def __init__(self, topology: Topology, cost, lengths=None, params=None, forbid: float = math.inf):
        self.topology, self.forbid = topology, forbid
        planes = as_planes(topology, cost, forbid)
        for name in topology.planes():
            if name not in planes:
                raise ValueError(f"cost: plane {name!r} is missing")
            if planes[name].ndim != 2:
                raise ValueError(f"plane {name!r} has the shape {planes[name].shape}; dp.testing takes one item, (N, M)")
        padded = planes[main_plane(planes)].shape
        self.n, self.m = padded if lengths is None else (int(lengths[0]), int(lengths[1]))
        self.rows, self.cols = self.n + topology.extra[0], self.m + topology.extra[1]
        self.shapes = {name: a.shape for name, a in planes.items()}
        self.planes = {
            name: a[: self.n + a.shape[0] - padded[0], : self.m + a.shape[1] - padded[1]] for name, a in planes.items()
        }
        self.params = {name: self._laid_out(p, np.asarray(_given(params, name))) for name, p in declared_params(topology).items()}
        self.has_nan = any(np.isnan(a).any() for a in self.planes.values())

    @staticmethod
    def _laid_out(param, array):
        """The value over (n, m, *shape), an axis that is not declared having length 1."""
        wanted = len(param.axes) + len(param.shape)
        if param.axes.startswith("b") and array.ndim == wanted:
            if len(array) != 1:
                raise ValueError(f"params[{param.name!r}] has the shape {array.shape}; dp.testing takes one item")
            array = array[0]
            wanted -= 1
        elif param.axes.startswith("b"):
            wanted -= 1
        if array.ndim != wanted:
            raise ValueError(
                f"params[{param.name!r}] has the shape {array.shape}; the axes {param.axes!r} and then {param.shape} are expected"
            )
        for at, axis in enumerate("nm"):
            if axis not in param.axes:
                array = np.expand_dims(array, at)
        return array

    def place(self, param: Param, n: int, m: int, entry: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Where the value for a cell stands in the laid out array; an axis of length 1 serves every index."""
        rows, cols = self.params[param.name].shape[:2]
        return (n if rows > 1 else 0, m if cols > 1 else 0, *entry)

    def number(self, value, n: int, m: int, slope: float) -> tuple[float, tuple[Share, ...]]:
        """A weight or penalty at a cell, and its share in w when w grows with `slope` times it."""
        if not isinstance(value, (Param, Entry)):
            return value, ()
        param, entry = (value.param, value.index) if isinstance(value, Entry) else (value, ())
        place = self.place(param, n, m, entry)
        return float(self.params[param.name][place]), (Share(param.name, place, slope),)

    def exists(self, where: Param | Differs | None, n: int, m: int) -> bool:
        """Whether a mask lets a step into the cell."""
        if where is None:
            return True
        if isinstance(where, Param):
            return bool(self.params[where.name][self.place(where, n, m)] != 0)
        other = m + where.columns
        if not 0 <= other < self.cols:
            return True
        labels = self.params[where.param.name]
        return bool(labels[self.place(where.param, n, m)] != labels[self.place(where.param, n, other)])

    def in_window(self, n: int, m: int) -> bool:
        """Whether the cell exists: in the lattice and in the topology's window."""
        if not (0 <= n < self.rows and 0 <= m < self.cols):
            return False
        window, down, across = self.topology.window, self.rows - 1, self.cols - 1
        if isinstance(window, SakoeChiba):
            centre = Fraction(n * across, down) if down else 0
            return abs(m - centre) <= Fraction(self._of_window(window.radius, n))
        if isinstance(window, Itakura) and down and across:
            s, u, v = Fraction(self._of_window(window.max_slope, n)), Fraction(n, down), Fraction(m, across)
            return u / s <= v <= s * u and (1 - u) / s <= 1 - v <= s * (1 - u)
        if isinstance(window, Ranges):
            return self._of_window(window.lo, n) <= m < self._of_window(window.hi, n)
        return True

    def _of_window(self, value, n: int):
        if isinstance(value, Param):
            return self.params[value.name][self.place(value, n, 0)].item()
        return value[n] if isinstance(value, tuple) else value

    def check_depth(self) -> None:
        """Refuse a lattice too long for a recursion that is written as one."""
        depth = (self.rows + self.cols) * len(self.topology.state_names)
        if depth > DEEPEST:
            raise ValueError(
                f"a lattice of {self.rows} x {self.cols} cells may recurse {depth} deep; dp.testing goes {DEEPEST} deep: "
                "take a smaller one, or compile with engine='reference'"
            )

    def pay(self, terms: tuple[Term, ...], penalty, n: int, m: int) -> Payment | None:
        """What is paid on entering the cell (n, m); None where that is forbidden or reads outside a plane."""
        if not terms and isinstance(penalty, float) and penalty == 0.0:
            return Payment(None)
        w, numbers = self.number(penalty, n, m, 1.0)
        if self._is_forbidden(w, "penalty"):
            return None
        costs: list[Share] = []
        shares = list(numbers)
        for t in terms:
            i, j = n + t.at[0], m + t.at[1]
            plane = self.planes[t.plane]
            if not (0 <= i < plane.shape[0] and 0 <= j < plane.shape[1]):
                return None
            cost = float(plane[i, j])
            weight, numbers = self.number(t.weight, n, m, cost)
            if weight == -math.inf:
                raise ValueError("a weight is -inf, which has no meaning; +inf forbids")
            if self._is_forbidden(cost, f"plane {t.plane!r}") or weight == math.inf:
                return None
            w += weight * cost
            costs.append(Share(t.plane, (i, j), weight))
            shares += numbers
        if math.isnan(w):
            self.has_nan = True
        return Payment(w, tuple(costs), tuple(shares))

    def _is_forbidden(self, number, what):
        if number == -self.forbid:
            raise ValueError(f"{what} holds {number}, which has no meaning where {self.forbid} forbids")
        return number == self.forbid
