"""Random problems for a topology: costs, lengths and a sensible value for each of its Params."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.param import Differs, Entry, Param
from dpsemiring.declare.topology import Topology
from dpsemiring.testing.reading import as_planes, declared_params, main_plane

KINDS = ("uniform", "ties", "holes")
HAVE_DERIVATIVE = ("positive", "semiring", "weight", "penalty")  # of the roles


@dataclass(frozen=True)
class Problem:
    """The arguments of a solver's call."""

    cost: Any
    lengths: tuple | None
    params: Mapping[str, Any]

    @property
    def arguments(self) -> tuple:
        return self.cost, self.lengths, self.params

    def item(self, topology: Topology, semiring: Semiring, b: int) -> Problem:
        """One item of a batch, cut to its lengths, as a problem without a batch axis."""
        planes = self.cost if isinstance(self.cost, Mapping) else {topology.planes()[0]: self.cost}
        planes = {name: np.asarray(a)[b] for name, a in planes.items()}
        padded = planes[main_plane(planes)].shape
        n, m = padded if self.lengths is None else (int(x[b] if x.ndim else x) for x in map(np.asarray, self.lengths))
        sizes = {"n": (n + topology.extra[0], padded[0] + topology.extra[0])}
        sizes["m"] = (m + topology.extra[1], padded[1] + topology.extra[1])
        planes = {k: a[: n + a.shape[0] - padded[0], : m + a.shape[1] - padded[1]] for k, a in planes.items()}
        params = {}
        for name, param in declared_params(topology, semiring).items():
            value = np.asarray(self.params[name])
            if "b" in param.axes:
                value = value[b if len(value) > 1 else 0]
            for at, axis in enumerate(a for a in param.axes if a != "b"):
                wanted, full = sizes[axis]
                if value.shape[at] == full:
                    value = np.take(value, range(wanted), axis=at)
            params[name] = value
        return Problem(planes if isinstance(self.cost, Mapping) else next(iter(planes.values())), None, params)


def roles(topology: Topology, semiring: Semiring) -> dict[str, str]:
    """What each Param is used for: "label", "mask", "window:" with its place, "positive", "semiring", "weight" or "penalty",
    the strictest of them."""
    found: dict[str, set[str]] = {name: set() for name in declared_params(topology, semiring)}
    for payer in topology.payers():
        where = getattr(payer, "where", None)
        if isinstance(where, Differs):
            found[where.param.name].add("label")
        elif where is not None:
            found[where.name].add("mask")
        value: Any
        for value, role in [(payer.penalty, "penalty"), *((t.weight, "weight") for t in payer.terms)]:
            value = value.param if isinstance(value, Entry) else value
            if isinstance(value, Param):
                found[value.name].add(role)
    for place in () if topology.window is None else fields(topology.window):
        value = getattr(topology.window, place.name)
        if isinstance(value, Param):
            found[value.name].add(f"window:{place.name}")
    for own, value in semiring.params.items():
        if isinstance(value, Param):
            found[value.name].add("positive" if own in semiring.positive else "semiring")
    order = (
        "label",
        "mask",
        "window:lo",
        "window:hi",
        "window:radius",
        "window:max_slope",
        "positive",
        "semiring",
        "weight",
        "penalty",
    )
    return {name: min(uses, key=order.index) for name, uses in found.items()}


def random_cost(rng: np.random.Generator, shape: tuple[int, ...], kind: str, forbid: float = math.inf) -> np.ndarray:
    """Random costs.

    Parameters
    ----------
    kind : {"uniform", "ties", "holes"}
        Of 0 to 1; small whole numbers, so that many paths are equal; uniform, an eighth of the cells forbidden.
    """
    if kind == "ties":
        return rng.integers(0, 3, shape).astype(float)
    cost = rng.random(shape)
    if kind == "holes":
        cost[rng.random(shape) < 0.125] = forbid
    return cost


def random_param(rng: np.random.Generator, param: Param, role: str, sizes: Mapping[str, int]) -> np.ndarray:
    """A random value over the Param's axes, of the lengths in `sizes`, and its shape."""
    shape = tuple(sizes[a] for a in param.axes) + param.shape
    match role:
        case "label":
            return rng.integers(0, 3, shape)
        case "mask":
            return (rng.random(shape) < 0.8).astype(float)
        case "window:lo":
            return rng.integers(-2, 1, shape)
        case "window:hi" | "window:radius" | "window:max_slope":  # a window must not exclude every path
            return np.full(shape, 1000)
        case "positive" | "weight":
            return rng.uniform(0.4, 2.0, shape)
        case "semiring":
            return rng.uniform(0.5, 1.5, shape)
        case _:
            return rng.uniform(-0.5, 1.0, shape)


def random_params(
    rng: np.random.Generator, topology: Topology, semiring: Semiring, shape: tuple[int, int], batch: int = 1
) -> dict[str, np.ndarray]:
    """A random value for every Param, for costs of the shape (N, M)."""
    uses = roles(topology, semiring)
    sizes = {"b": batch, "n": shape[0] + topology.extra[0], "m": shape[1] + topology.extra[1]}
    return {name: random_param(rng, p, uses[name], sizes) for name, p in declared_params(topology, semiring).items()}


def random_problem(
    rng: np.random.Generator,
    topology: Topology,
    semiring: Semiring,
    shape: tuple[int, int],
    kind: str = "uniform",
    batch: int | None = None,
) -> Problem:
    """Random costs and Params of one item, or of a ragged batch whose first item has the full lengths.

    Planes are as much longer than ``cost`` as the lattice is, so that every term finds its cost; where a topology reads
    one plane alone it has the shape (N, M).
    """
    names = topology.planes()
    lead = () if batch is None else (batch,)
    main = main_plane(names)
    planes = {}
    for name in names:
        longer = (0, 0) if name == main else topology.extra
        planes[name] = random_cost(rng, (*lead, shape[0] + longer[0], shape[1] + longer[1]), kind, semiring.forbid)
    lengths = None
    if batch is not None:
        lengths = tuple(np.concatenate([[x], rng.integers(max(1, x - 3), x + 1, batch - 1)])[:batch] for x in shape)
    params = random_params(rng, topology, semiring, shape, batch or 1)
    return Problem(planes if len(names) > 1 else planes[main], lengths, params)


def with_given(topology: Topology, semiring: Semiring, cost, lengths, params, rng: np.random.Generator) -> Problem:
    """The caller's cost, with random values for the Params that he left out."""
    planes = as_planes(topology, cost)
    shape = planes[main_plane(planes)].shape
    batch = shape[0] if len(shape) == 3 else 1
    drawn = random_params(rng, topology, semiring, shape[-2:], batch)
    return Problem(cost, lengths, {**drawn, **(params or {})})


def given_or_drawn(topology: Topology, semiring: Semiring, cost, lengths, params, rng: np.random.Generator) -> list[Problem]:
    """The caller's problem; without a cost of his, ragged batches, with and without forbidden cells."""
    if cost is not None:
        return [with_given(topology, semiring, cost, lengths, params, rng)]
    drawn = [random_problem(rng, topology, semiring, (3, 4), kind, batch=3) for kind in ("uniform", "holes")]
    return [replace(p, params={**p.params, **(params or {})}) for p in drawn]


def as_float(problem: Problem, dtype) -> Problem:
    """The same with costs of another kind of float."""
    cost = problem.cost
    cast = {k: np.asarray(v, dtype) for k, v in cost.items()} if isinstance(cost, Mapping) else np.asarray(cost, dtype)
    return replace(problem, cost=cast)


def describe(problem: Problem, topology: Topology) -> str:
    """A problem and its topology, for a message that can be copied into a test."""
    planes = as_planes(topology, problem.cost)
    n, m = planes[main_plane(planes)].shape[-2:]
    lines = [f"on a lattice for {n} x {m} costs:"]
    given = [(name, a.tolist()) for name, a in planes.items()]
    given += [(f"params[{name!r}]", np.asarray(v).tolist()) for name, v in problem.params.items()]
    lines += [f"  {name} = {value}" for name, value in given]
    return "\n".join([*lines, *([] if problem.lengths is None else [f"  lengths = {problem.lengths}"]), "of", str(topology)])
