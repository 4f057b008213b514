"""What the shapes and names of a call's arrays must be, whatever library they are of."""

from __future__ import annotations

from collections.abc import Mapping

from dpsemiring.declare.param import Param
from dpsemiring.lower.ir import Recurrence

Shape = tuple[int, ...]


def planes_by_name(recurrence: Recurrence, cost) -> tuple[dict, bool]:
    """The cost as a dict with an entry for each plane, and whether it was one."""
    names = recurrence.planes
    if isinstance(cost, Mapping):
        unknown = [n for n in cost if n not in names]
        missing = [n for n in names if n not in cost]
        if unknown or missing:
            what = f"unknown plane {unknown[0]!r}" if unknown else f"missing plane {missing[0]!r}"
            raise ValueError(f"cost: {what}; the topology reads {', '.join(map(repr, names))}")
        return dict(cost), True
    if len(names) != 1:
        raise ValueError(
            f"cost: the topology reads the planes {', '.join(map(repr, names)) or 'none'}; pass a dict with an array for each"
        )
    return {names[0]: cost}, False


def main_plane(recurrence: Recurrence) -> str:
    """The plane whose shape gives N and M."""
    return "cost" if "cost" in recurrence.planes else recurrence.planes[0]


def plane_shapes(shapes: Mapping[str, Shape], recurrence: Recurrence) -> tuple[bool, dict[str, Shape]]:
    """Whether the planes, (N, M) or (B, N, M), have a batch axis, and their shapes with one."""
    main = main_plane(recurrence)
    batched = len(shapes[main]) == 3
    full = {name: _batch(name, shape, batched, main) for name, shape in shapes.items()}
    for name, shape in full.items():
        _excess(name, shape, full[main], main, recurrence.extra)
    return batched, full


def _batch(name, shape, batched, main):
    if (len(shape) == 3) != batched:
        raise ValueError(f"plane {name!r} has {len(shape)} axes and plane {main!r} {3 if batched else 2}; batch all or none")
    return shape if batched else (1, *shape)


def _excess(name, shape, main_shape, main, extra):
    excess = (a - b for a, b in zip(shape[1:], main_shape[1:]))
    if shape[0] != main_shape[0] or any(not 0 <= e <= x for e, x in zip(excess, extra)):
        room = "" if extra == (0, 0) else f", or up to {extra} longer where it is read beyond them"
        raise ValueError(f"plane {name!r} has the shape {shape}; that of plane {main!r} is expected: {main_shape}{room}")


def params_by_name(declared: Mapping[str, Param], params: Mapping[str, object] | None, shape: Shape, extra) -> dict[str, object]:
    """The values by name: one for every Param and no others."""
    if params is not None and not isinstance(params, Mapping):
        raise TypeError(
            f"params is a dict with a value for each Param, found {type(params).__name__}; lengths are a pair: lengths=(n, m)"
        )
    params = dict(params or {})
    unknown = [n for n in params if n not in declared]
    missing = [n for n in declared if n not in params]
    if unknown:
        known = f"those declared are {', '.join(declared)}" if declared else "none is declared"
        raise ValueError(f"params: unknown parameter {unknown[0]!r}; {known}")
    if missing:
        wanted = ", ".join(f"{n!r}: {_wanted(declared[n], shape, extra)}" for n in missing)
        verb = "is" if len(missing) == 1 else "are"
        raise ValueError(f"params: {', '.join(map(repr, missing))} {verb} missing; pass params={{{wanted}}}")
    return params


def _wanted(param, shape, extra):
    if not param.axes and not param.shape:
        return "a number"
    return f"an array {_full_shape(param, shape, extra)}"


def _full_shape(param, shape, extra):
    size = {"b": shape[0], "n": shape[1] + extra[0], "m": shape[2] + extra[1]}
    return tuple(size[a] for a in param.axes) + param.shape


def param_shape(param: Param, found: Shape, shape: Shape, batched: bool, extra: tuple[int, int]) -> Shape:
    """The shape of a Param's value with every declared axis; an unbatched call may leave the batch axis out, and a single
    number stands for all."""
    full = _full_shape(param, shape, extra)
    if not found and not param.shape:
        return (1,) * len(full)
    own = (1, *found) if not batched and param.axes.startswith("b") and len(found) == len(full) - 1 else found
    fits = len(own) == len(full) and all(a == f or (a == 1 and i < len(param.axes)) for i, (a, f) in enumerate(zip(own, full)))
    if not fits:
        raise ValueError(
            f"params[{param.name!r}] has the shape {found}; {full} (axes {param.axes!r}) is expected, or 1 along an axis"
        )
    return own
