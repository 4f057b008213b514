"""Expression graphs evaluated on arrays: the NumPy form of a semiring, its derivative and its total.

The terms of a sum lie along axis 0; further axes are independent problems. `live` is a mask of that shape:
absent terms take no part in any reduction, whatever they hold.
"""

from __future__ import annotations

import numpy as np

from dpsemiring.algebra import numeric
from dpsemiring.algebra.expr import Node, postorder, remembered, value_of

_NEUTRAL = {"reduce_sum": 0, "reduce_min": np.inf, "reduce_max": -np.inf, "threshold": -np.inf}
_REDUCE = {
    "reduce_sum": lambda x: x.sum(axis=0),
    "reduce_min": lambda x: x.min(axis=0),
    "reduce_max": lambda x: x.max(axis=0),
    "threshold": numeric.threshold,
}


def evaluate(roots: list[Node], leaves: dict[Node, object], live=None) -> list[np.ndarray]:
    """The value of each root, given a number or an array for each leaf.

    With `live` the absent terms are left out; graphs that sort need `live=None` and the absent terms removed,
    since a position among sorted terms counts only those present.
    """
    value: dict[int, object] = {}
    with np.errstate(all="ignore"):
        for node in _order(tuple(roots)):
            value[id(node)] = _one(node, [value[id(a)] for a in node.args], leaves, live)
    return [np.asarray(value[id(r)]) for r in roots]


_order = remembered(postorder)


def _one(node, args, leaves, live):
    if node in leaves:
        return leaves[node]
    if node.op == "const":
        return value_of(node)
    if node.op in numeric.SCALAR:
        return numeric.SCALAR[node.op](*args)
    if node.op in _REDUCE:
        x = np.asarray(args[0])
        if live is not None:
            x = np.where(live, x, _neutral(node.op, x.dtype))
        return _REDUCE[node.op](x)
    if node.op in numeric.AXIS:
        if live is not None:
            if node.op != "first":
                raise NotImplementedError(f"{node.op} over masked terms")
            args = [args[0] & live]
        return numeric.AXIS[node.op](*map(np.asarray, args))
    raise KeyError(f"no value was given for the leaf {node!r}")


def _neutral(op, dtype):
    if np.issubdtype(dtype, np.integer):
        return {"reduce_sum": 0, "reduce_min": np.iinfo(dtype).max, "reduce_max": np.iinfo(dtype).min}[op]
    return _NEUTRAL[op]


@remembered
def sorts(roots: tuple[Node, ...]) -> bool:
    """Whether the graph depends on the order of its terms by size."""
    return any(n.op in ("sort", "unsort", "arrange", "cumsum", "suffix_sum") for n in postorder(roots))
