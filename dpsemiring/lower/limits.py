"""What a path pays at most, and whether that is beyond a carrier's limits: from the greatest size of each site.

The same functions work on numbers, on arrays by item, and on nodes, of which they make a graph.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from dpsemiring.algebra import ops
from dpsemiring.algebra.expr import Node, postorder, value_of
from dpsemiring.lower.ir import Recurrence, site_number

# of each recurrence, what is the same at every call: the weights that are paid
_weights: WeakKeyDictionary[Recurrence, list[list[Node]]] = WeakKeyDictionary()


def paid(recurrence: Recurrence) -> list[list[Node]]:
    """The nodes of each weight, the weight being the last."""
    found = _weights.get(recurrence)
    if found is None:
        weights = [a.weight for a in recurrence.arcs] + [e.weight for e in recurrence.ends]
        found = _weights[recurrence] = list({id(w[0]): postorder([w[0]]) for w in weights if w is not None}.values())
    return found


def most_paid(recurrence: Recurrence, sizes: list) -> Any:
    """The most that a step may pay, in absolute value, where that is finite."""
    return reduce(_greater, (_bound(order, sizes) for order in paid(recurrence)), 0.0)


def exceeds(most, cells, limits) -> Any:
    """Whether paths of so many cells may be beyond the limits: of what a step pays, what a path does, the cells of a path."""
    step, path, length = limits
    return (most > step) | (most * cells > path) | (cells > length)


def _greater(a, b):
    """The greater of two numbers, or by item."""
    if isinstance(a, float) and isinstance(b, float):
        return max(a, b)
    if isinstance(a, Node) or isinstance(b, Node):
        return ops.maximum(a, b)
    return np.maximum(a, b)


def _bound(order: list[Node], sizes: list):
    """What a weight is at most, in absolute value, where it is finite."""
    value: dict[int, Any] = {}
    for n in order:
        args = [value[id(a)] for a in n.args]
        if n.op == "const":
            x = float(value_of(n))
            value[id(n)] = abs(x) if math.isfinite(x) else 0.0
        elif n.op == "var":
            value[id(n)] = sizes[site_number(n)]
        elif n.kind == "bool":
            value[id(n)] = 0.0
        else:
            value[id(n)] = _RULES[n.op](*args)
    return value[id(order[-1])]


_RULES = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: a,
    "abs": lambda a: a,
    "where": lambda c, a, b: _greater(a, b),
}
