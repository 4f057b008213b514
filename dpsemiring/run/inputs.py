"""The arrays of a call, checked and brought into the form in which every engine takes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.costs import Source
from dpsemiring.declare.param import Param
from dpsemiring.lower.ir import Recurrence, Site
from dpsemiring.run.arrays import HOST, Place, contiguous, every, plain_array, real_array
from dpsemiring.run.fused import Fuse
from dpsemiring.run.problem import Problem, Reading, read_columns
from dpsemiring.run.shapes import main_plane, param_shape, params_by_name, plane_shapes, planes_by_name
from dpsemiring.run.sources import BoundSource
from dpsemiring.run.windows import row_ranges

WORTH_FUSING = 1 << 14  # cells of a batch: smaller costs are made as a whole, which takes no longer and less to compile


def bind(
    recurrence: Recurrence,
    declared: Mapping[str, Param],
    cost,
    lengths,
    params: Mapping[str, object] | None,
    survey,
    fuse: Fuse | None = None,
    looks: bool = False,
    place: Place = HOST,
    home: Place = HOST,
    checked: bool = True,
) -> Problem:
    """Check a call's arrays and lay them out.

    `survey(array, rows, lo, hi, refused, nan, bad)` looks for NaN and refused infinities; the engines bring their own, and
    with `fuse` what takes sources without their whole cost. One that `looks` finds the largest size of planes while it runs,
    and `settle` surveys those alone that hold an infinity or a NaN. The arrays live in `place`.
    """
    cost, as_dict = planes_by_name(recurrence, cost)
    bound = {name: BoundSource(name, c, place) for name, c in cost.items() if isinstance(c, Source)}
    found = {name: bound[name] if name in bound else _array(f"plane {name!r}", c, place) for name, c in cost.items()}
    batched, shapes = plane_shapes({name: a.shape for name, a in found.items()}, recurrence)
    shape = shapes[main_plane(recurrence)]
    excess = {name: tuple(a - b for a, b in zip(s[1:], shape[1:])) for name, s in shapes.items()}
    n_len, m_len = _lengths(lengths, shape, batched, recurrence.extra, place)
    for name, source in bound.items():
        for clash in source.names & set(declared):
            raise ValueError(
                f"plane {name!r}: its source's array and a Param are both named {clash!r}; rename the Param, or pass names= to "
                "the source"
            )
    real = np.result_type(*(found[name].real if name in bound else found[name].dtype for name in found))
    arrays = {
        name: np.broadcast_to(place.constant(np.zeros((), real)), shapes[name])
        if name in bound
        else contiguous(a.reshape(shapes[name]), real)
        for name, a in found.items()
    }
    params = params_by_name(declared, params, shape, recurrence.extra)
    given = {name: _value(declared[name], value, shape, batched, recurrence.extra, place) for name, value in params.items()}
    problem = Problem(
        batched=batched,
        real=real,
        shape=shape,
        n_len=n_len,
        m_len=m_len,
        sites=[],
        more=[],
        params={},
        planes=arrays,
        given=given,
        shapes={name: np.shape(value) for name, value in params.items()},
        sources=bound,
        as_dict=as_dict,
        nan=place.zeros(shape[0], bool),
        place=place,
        home=home,
        checked=checked,
    )
    problem.params = _semiring_params(recurrence.semiring, problem)
    if recurrence.window is not None:
        lattice = [length + more for length, more in zip((n_len, m_len), recurrence.extra)]
        numbers = {param.name: place.host(given[param.name]) for param in recurrence.window.params()}
        problem.window = row_ranges(recurrence.window, *lattice, shape[1] + recurrence.extra[0], numbers)
    problem.reading = Reading(recurrence, excess, fuse)
    if fuse is not None and worth_fusing(recurrence, shape, place is not HOST):
        problem.fused = problem.reading.fuse(problem, real)
    for name in bound:
        if name not in problem.fused:
            arrays[name] = problem.reading.made(problem, name)
    for site in recurrence.sites:
        problem.sites.append(_site(site, problem, recurrence.extra))
        problem.more.append(excess[site.name] if site.role == "cost" else recurrence.extra)
    if looks:
        met = {s.name for s in recurrence.sites if s.role == "cost" and s.at == (0, 0)} if recurrence.window is None else set()
        apart = {name for name, fused in problem.fused.items() if not fused.seen}  # of these nothing else can be surveyed
        problem.unseen = dict.fromkeys((met - set(problem.fused)) | apart, np.nan)
    _survey(recurrence, problem, set(problem.planes) - set(problem.fused) - set(problem.unseen), survey)
    _survey_params(recurrence, problem)
    return problem


def worth_fusing(recurrence: Recurrence, shape: tuple[int, int, int], on_device: bool) -> bool:
    """Whether an engine that has kernels for the costs of sources is asked to use them, for a main plane of that shape. On a
    device always: otherwise costs are made item by item."""
    return on_device or (math.prod(shape) >= WORTH_FUSING and not recurrence.ends_read)


def settle(problem: Problem, survey) -> None:
    """Survey the planes in which a forward pass has met more than finite numbers: their items may become NaN. On a device it
    has found itself what a survey finds, of the planes that it has met whole."""
    if problem.place is HOST:
        some, seen = {name for name, size in problem.unseen.items() if not np.isfinite(size)}, {}
    else:
        seen = {name: x for name, x in problem.unseen.items() if isinstance(x, tuple)}
        some = {name for name in problem.unseen if name in seen or name not in problem.fused}
    _survey(problem.reading.recurrence, problem, some, survey, seen)


# --- planes -----------------------------------------------------------------------------------------


def _array(what, value, place):
    array = real_array(what, value, place)
    if array.ndim not in (2, 3):
        raise ValueError(f"{what} has the shape {array.shape}; (N, M) or (B, N, M) is expected")
    return array


def _lengths(lengths, shape, batched, extra, place):
    batch = shape[0]
    lengths = place.host(lengths) if place.owns(lengths) else lengths
    if lengths is None and all(size + more >= 1 for size, more in zip(shape[1:], extra)):
        return [np.full(batch, size) for size in shape[1:]]
    if lengths is None:
        pair = (shape[1], shape[2])
    else:
        if isinstance(lengths, Mapping):
            raise ValueError("lengths is a pair (n, m), found a dict; parameters are passed by name: params={...}")
        if not isinstance(lengths, tuple) and np.shape(lengths) == (2, 2):
            raise ValueError("lengths of the shape (2, 2) may mean two things; pass a tuple: (all along n, all along m)")
        try:
            pair = tuple(lengths)
        except TypeError:
            pair = ()
        if len(pair) != 2:
            raise ValueError(f"lengths is a pair (n, m) of whole numbers, or of arrays of shape ({batch},); found {lengths!r}")
    out = []
    for axis, (value, padded, more) in enumerate(zip(pair, shape[1:], extra)):
        name = "nm"[axis]
        value = np.asarray(place.host(value) if place.owns(value) else value)
        if value.dtype.kind not in "iu":
            raise ValueError(f"lengths: those along {name} are whole numbers, found {value.dtype}")
        if value.shape not in ((), (batch,)):
            wanted = f"({batch},)" if batched else "()"
            raise ValueError(f"lengths: those along {name} have the shape {value.shape}; {wanted} is expected")
        value = np.full(batch, value, np.int64)
        least, most = (value.min(), value.max()) if batch else (1, 0)
        if least < 0 or most > padded:
            b = np.flatnonzero((value < 0) | (value > padded))[0]
            raise ValueError(f"lengths: item {b} has {value[b]} along {name}; 0 to {padded} (the array's size) is possible")
        if least + more < 1:
            b = np.argmin(value)
            raise ValueError(f"lengths: item {b} has length 0 along {name}, so that its lattice has no cell; leave it out")
        out.append(value)
    return out


# --- parameters -------------------------------------------------------------------------------------


def _value(param: Param, value, shape, batched, extra, place):
    """The value as an array with every declared axis."""
    what = f"params[{param.name!r}]"
    array = plain_array(what, value, place)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} has the dtype {array.dtype}; real numbers are expected")
    return array.reshape(param_shape(param, array.shape, shape, batched, extra))


_numbers: WeakKeyDictionary[Semiring, dict[np.dtype, dict[str, np.ndarray]]] = WeakKeyDictionary()


def _semiring_params(semiring: Semiring, problem: Problem):
    """The parameters' values; of a semiring that has numbers alone they are made once, and not to be changed."""
    if any(isinstance(value, Param) for value in semiring.params.values()):
        return _make_semiring_params(semiring, problem)
    known, real = _numbers.setdefault(semiring, {}), problem.real
    if real not in known:
        known[real] = _make_semiring_params(semiring, replace(problem, place=HOST, checked=True))
    return {name: problem.place.constant(array) for name, array in known[real].items()}


def _make_semiring_params(semiring, problem):
    out, real = {}, problem.real
    least, most = np.finfo(real).tiny, np.finfo(real).max
    for name, value in semiring.params.items():
        if isinstance(value, Param):
            array = problem.given[value.name].astype(np.float64, copy=False).reshape(-1)
            shown = f"params[{value.name!r}]"
        else:
            array, shown = problem.place.constant(np.array([float(value)])), name

        def found(b, array=array):
            return problem.place.host(array)[b]

        if name in semiring.positive:
            wrong = ~((array > 0) & (array < np.inf))
            problem.refuse(wrong, lambda b: ValueError(f"{semiring.name}: {shown} must be finite and > 0, found {found(b)}"))
            array = np.maximum(array, least)  # a number too small for the cost's kind must not become 0
        problem.refuse(
            np.isfinite(array) & (np.abs(array) > most),
            lambda b: ValueError(f"{semiring.name}: {shown} is {found(b)}, beyond the range of {real}; pass float64 costs"),
        )
        out[name] = array
    return out


# --- sites ------------------------------------------------------------------------------------------


def spread(param_axes: str, array: np.ndarray) -> np.ndarray:
    """An array over some of the axes b, n, m as one over all three."""
    index = tuple(slice(None) if a in param_axes else None for a in "bnm")
    return array[index]


def _site(site: Site, problem: Problem, extra: tuple[int, int]) -> np.ndarray:
    if site.role == "cost":
        return problem.planes[site.name]
    value = problem.given[site.name]
    value = spread(site.axes, value[(..., *site.entry)])
    if site.differs is not None:
        value = _differs(site, value, problem.m_len + extra[1], problem.shape[2] + extra[1], problem.place)
    elif site.role == "mask":
        value = value != 0
    with np.errstate(over="ignore"):
        out = contiguous(value, problem.real)
    if site.role == "number":
        lost = np.isinf(out) & np.isfinite(value) & _inside(problem, extra, out.shape)

        def error(b):
            huge = problem.place.host(np.broadcast_to(value, lost.shape)[b])[problem.place.host(lost[b])][0]
            return ValueError(f"params[{site.name!r}] holds {huge}, beyond the range of {problem.real}; pass float64 costs")

        problem.refuse(lost.any(axis=(1, 2)), error)
    return out


def _differs(site, value, lengths, columns, place):
    """The mask over all columns; `lengths` are those of the items' own lattices, beyond which nothing is compared."""
    if value.dtype.kind not in "iu":
        raise TypeError(f"params[{site.name!r}] is compared with itself: whole numbers are expected, found {value.dtype}")
    if value.shape[2] != columns:
        value = np.broadcast_to(value, (*value.shape[:2], columns))
    out, apart = place.full(value.shape, True), site.differs
    here, there = slice(max(0, -apart), max(0, columns - apart)), slice(max(0, apart), max(0, columns + apart))
    out[:, :, here] = value[:, :, here] != value[:, :, there]
    if apart > 0 and not every(lengths == columns):
        out = out | place.constant((np.arange(columns) + apart >= lengths[:, None])[:, None])
    return out


def _survey(recurrence, problem, names, survey, seen=MappingProxyType({})):
    """NaN makes an item NaN; the infinity that is no "forbidden" is refused by name. `seen`: what is known of planes, by item:
    whether there is a NaN, whether that infinity, the greatest size."""
    forbid, excess = recurrence.semiring.forbid, problem.reading.excess
    refused = -forbid

    def error(b):
        return ValueError(
            f"plane {name!r} holds {refused:+} in item {b}; over this semiring {forbid:+} forbids a cell, and {refused:+} "
            "has no meaning"
        )

    for name, plane in problem.planes.items():
        if name not in names:
            continue
        bad = problem.place.zeros(problem.batch, bool)
        rows, (lo, hi) = problem.n_len + excess[name][0], read_columns(recurrence, problem, name, excess[name])
        if name in seen:
            holds, bad, sizes = seen[name]
            problem.nan |= holds
        else:
            sizes = survey(plane, rows, lo, hi, refused, problem.nan, bad)
        if sizes is not None:
            problem.sizes[name] = sizes
        problem.refuse(bad, error)


def _survey_params(recurrence, problem):
    """The same for Params."""
    forbid = recurrence.semiring.forbid
    for i, site in enumerate(recurrence.sites):
        if site.role == "mask" and site.differs is None:
            raw = spread(site.axes, problem.given[site.name])
            text = f"params[{site.name!r}] is a mask and holds a NaN; 0 or False forbids, anything else allows"
            wrong = np.isnan(raw) & _inside(problem, recurrence.extra, raw.shape)
            problem.refuse(wrong.any(axis=tuple(range(1, wrong.ndim))), lambda b: ValueError(text))
        if site.role == "number":
            values = problem.sites[i]
            inside = _inside(problem, recurrence.extra, values.shape)
            problem.nan |= (np.isnan(values) & inside).any(axis=(1, 2))
            # a weight forbids by +inf whatever the semiring, a penalty by the infinity that forbids a cost
            allowed = forbid if i in recurrence.penalties else np.inf
            text = f"params[{site.name!r}] holds {-allowed:+}; a step is forbidden by {allowed:+}"
            problem.refuse(((values == -allowed) & inside).any(axis=(1, 2)), lambda b: ValueError(text))
    for name, value in recurrence.semiring.params.items():
        if isinstance(value, Param):
            problem.nan |= np.isnan(problem.params[name])


def _inside(problem, extra, shape):
    """(B, n, m): which entries of a parameter's array belong to cells of each item's own lattice."""
    sizes = zip(shape[1:], (problem.n_len, problem.m_len), extra)
    n, m = (problem.place.constant(np.arange(size) < (length + x)[:, None]) for size, length, x in sizes)
    return n[:, :, None] & m[:, None]
