"""A direction in which a call's numbers move: its tangents, laid out as a problem of the dual recurrence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dpsemiring.algebra.tangent import tangent_params
from dpsemiring.declare.param import Param
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.tangent import moving_sites
from dpsemiring.run.arrays import contiguous, every, plain_array, real_array
from dpsemiring.run.engine import Engine
from dpsemiring.run.inputs import spread
from dpsemiring.run.problem import Problem, read_columns


def with_tangents(
    recurrence: Recurrence,
    declared: Mapping[str, Param],
    problem: Problem,
    cost,
    params: Mapping[str, object] | None,
    engine: Engine,
) -> Problem:
    """The problem of the dual recurrence: all of `problem`, and what moves.

    `cost` is shaped like the cost, or a dict of planes; `params` holds arrays in the shapes of the Params' values. What is
    missing stands still. A NaN makes its item NaN; infinities are refused.
    """
    planes = _planes(problem, cost)
    given = {name: _param(recurrence, declared, problem, name, value) for name, value in (params or {}).items()}
    problem = replace(problem, nan=problem.nan.copy(), sizes=dict(problem.sizes))
    for name, plane in planes.items():
        _survey(recurrence, problem, name, plane, engine)
    for name, array in given.items():
        _survey_param(recurrence, declared[name], problem, name, array)
    still = problem.place.zeros((1, 1, 1), problem.real)

    def tangent(site):
        if site.role == "cost":
            return planes.get(site.name, still)
        if site.name not in given:
            return still
        with np.errstate(over="ignore"):  # beyond the lengths
            return contiguous(spread(site.axes, given[site.name][(..., *site.entry)]), problem.real)

    own = {}
    for name, dot in tangent_params(recurrence.semiring).items():
        value = given.get(recurrence.semiring.params[name].name)
        own[dot] = problem.place.zeros(1) if value is None else value.astype(np.float64, copy=False).reshape(-1)
    moving = moving_sites(recurrence)
    return replace(
        problem,
        sites=[*problem.sites, *(tangent(recurrence.sites[i]) for i in moving)],
        more=[*problem.more, *(problem.more[i] for i in moving)],
        params={**problem.params, **own},
    )


def _survey(recurrence, problem, name, plane, engine):
    """NaN makes an item NaN; an infinity is refused."""
    more = tuple(a - b for a, b in zip(plane.shape[1:], problem.shape[1:]))
    rows, (lo, hi) = problem.n_len + more[0], read_columns(recurrence, problem, name, more)
    for infinity in (np.inf, -np.inf):
        bad = problem.place.zeros(problem.batch, bool)
        engine.survey(plane, rows, lo, hi, infinity, problem.nan, bad)
        text = f"along: the direction of plane {name!r} holds {infinity:+} in item"
        problem.refuse(bad, lambda b: ValueError(f"{text} {b}; a direction is finite"))


def _planes(problem, cost) -> dict[str, np.ndarray]:
    """The planes that move, (B, N + i, M + j)."""
    if cost is None:
        return {}
    names = list(problem.planes)
    if not isinstance(cost, Mapping):
        if len(names) != 1:
            raise ValueError(
                f"along: the cost has the planes {', '.join(map(repr, names))}; pass a dict with a direction for some"
            )
        cost = {names[0]: cost}
    out = {}
    for name, value in cost.items():
        if name not in problem.planes:
            raise ValueError(f"along: unknown plane {name!r}; the topology reads {', '.join(map(repr, names))}")
        array = real_array(f"along: the direction of plane {name!r}", value, problem.place)
        wanted = problem.planes[name].shape[0 if problem.batched else 1 :]
        if array.shape != wanted:
            raise ValueError(f"along: the direction of plane {name!r} has the shape {array.shape}; that of the cost is {wanted}")
        with np.errstate(over="ignore"):
            out[name] = contiguous(array.reshape(problem.planes[name].shape), problem.real)
    return out


def _param(recurrence, declared, problem, name, value) -> np.ndarray:
    """The direction of a Param with every axis that its value has in the problem."""
    if name not in declared:
        raise ValueError(f"along: no parameter is named {name!r}; there are {', '.join(declared) or 'none'}")
    if name not in recurrence.differentiable:
        raise ValueError(f"along: {name!r} is a mask, a label or a window's, which has no derivative")
    array = plain_array(f"along: the direction of {name!r}", value, problem.place)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"along: the direction of {name!r} has the dtype {array.dtype}; real numbers are expected")
    if array.shape != problem.shapes[name]:
        raise ValueError(
            f"along: the direction of {name!r} has the shape {array.shape}; that of its value is {problem.shapes[name]}"
        )
    return array.reshape(problem.given[name].shape)


def _survey_param(recurrence, param, problem, name, array) -> None:
    """The same for the direction of a Param."""
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(problem.real))
    if every(finite):
        return
    worst = np.where(finite, 0, np.where(np.isnan(array), 2, 1))
    if param.shape:
        worst = worst.max(axis=tuple(range(len(param.axes), array.ndim)))
    wide = spread(param.axes, worst)
    sizes = (problem.n_len + recurrence.extra[0], problem.m_len + recurrence.extra[1])
    constant = problem.place.constant
    n, m = (constant(np.arange(size) < length[:, None]) for size, length in zip(wide.shape[1:], sizes))
    read = np.where(n[:, :, None] & m[:, None], wide, 0)
    text = f"along: the direction of {name!r} holds an infinity of {problem.real}; a direction is finite"
    problem.refuse((read == 1).any(axis=(1, 2)), lambda b: ValueError(text))
    problem.nan |= (read == 2).any(axis=(1, 2))
