"""What flows from a total back along arcs, gathered at the costs, parameters and cells that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsemiring.algebra.numbers import Number, Numbers
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.param import Param
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.lattice import Arc, Lattice
from dpsemiring.testing.reading import declared_params


@dataclass(frozen=True)
class Gradients:
    """The derivatives of one item's total.

    Attributes
    ----------
    planes : dict
        d total / d cost for each plane, shaped like it.
    params : dict
        d total / d Param, by name, in the shape of the value; masks and labels are left out.
    occupancy : (N + x0, M + x1) array
        d total / d a penalty for entering the cell, in any state.
    """

    planes: dict[str, np.ndarray]
    params: dict[str, np.ndarray]
    occupancy: np.ndarray


class Gathering:
    """Adds up flows, arc by arc."""

    def __init__(self, topology: Topology, semiring: Semiring, lattice: Lattice, numbers: Numbers):
        if not semiring.derivative:
            raise TypeError(f"the semiring {semiring.name} is discrete and has no derivative")
        self.topology, self.semiring, self.numbers, self.item = topology, semiring, numbers, lattice.item
        self.planes = {name: np.zeros(shape) for name, shape in self.item.shapes.items()}
        self.params = {name: np.zeros(value.shape) for name, value in self.item.params.items()}
        self.own = dict.fromkeys(semiring.params, 0.0)
        self.occupancy = np.zeros((self.item.rows, self.item.cols))

    def add_own(self, found: Mapping[str, float]) -> None:
        """What flows to the semiring's own parameters."""
        for name, flow in found.items():
            self.own[name] += flow

    def through(self, arc: Arc, before: Number | None, bars: np.ndarray) -> np.ndarray | None:
        """From bars at the candidate times(before, encode(w)): gather at w; give back what flows to `before`.

        `before` is None at a start.
        """
        paid = self.numbers.encode(0.0 if arc.w is None else arc.w)
        to_before, to_paid = None, bars
        own: dict[str, float] = {}
        if before is not None:
            to_before, to_paid, own = self.numbers.times_flows(before, paid, tuple(bars))
        (to_w,), more = self.numbers.encode_flows(0.0 if arc.w is None else arc.w, tuple(to_paid))
        if arc.target is not None:
            self.occupancy[arc.target[:2]] += to_w
        if arc.w is None:  # nothing is paid: the candidate is `before` itself
            return None if before is None else bars
        self.add_own(own)
        self.add_own(more)
        for share in arc.payment.costs:
            self.planes[share.name][share.index] += to_w * share.slope
        for share in arc.payment.numbers:
            self.params[share.name][share.index] += to_w * share.slope
        return to_before

    def result(self, params: Mapping[str, Any] | None, nan: bool = False) -> Gradients:
        """Everything gathered, in the caller's shapes; NaN throughout for an item that holds a NaN."""
        out = {}
        paying = {s.name for arc in self._payers() for s in arc}
        for name in declared_params(self.topology, self.semiring):
            own = [o for o, v in self.semiring.params.items() if isinstance(v, Param) and v.name == name]
            if name not in paying and not own:
                continue
            shape = np.shape((params or {})[name])
            total = np.zeros(shape) if name not in self.params else self.params[name].reshape(shape)
            out[name] = total + sum(self.own[o] for o in own)
        fill = np.nan if nan else 0.0
        return Gradients(
            {name: a + fill for name, a in self.planes.items()},
            {name: a + fill for name, a in out.items()},
            self.occupancy + fill,
        )

    def _payers(self):
        for payer in self.topology.payers():
            values = [payer.penalty, *(t.weight for t in payer.terms)]
            yield [p for p in (getattr(v, "param", v) for v in values) if isinstance(p, Param)]
