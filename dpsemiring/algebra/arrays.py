"""Expression graphs evaluated on arrays: the NumPy form of a semiring, its derivative and its total.

The terms of a sum lie along axis 0; further axes are independent problems. A graph is written down once as a Python
function, a line for each node, and kept: graphs are evaluated at every call and change at none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from dpsemiring.algebra import numeric
from dpsemiring.algebra.expr import Node, postorder, remembered, value_of

_NEUTRAL = {"reduce_sum": 0, "reduce_min": np.inf, "reduce_max": -np.inf, "threshold": -np.inf}


def evaluate(roots, leaves: Mapping[Node, object], live=None) -> list[np.ndarray]:
    """The value of each root, given a number or an array for each leaf.

    `live` is a mask of the terms' shape: absent terms take no part in any reduction, whatever they hold. Graphs that sort need
    `live=None` and the absent terms removed, since a position among sorted terms counts only those present.
    """
    if live is None:
        return _run(_of_all, roots, leaves)
    return _run(_of_live, roots, leaves, live)


def written(roots: Sequence[Node | None], leaves: Sequence[Node], terms: str = "all") -> Callable[..., list]:
    """A function of arrays, one for each leaf, that gives the value of each root; None for a root that is None.

    `terms` says of which terms there are sums: "all" along axis 0, "live" ones there, by a mask that is a further argument, or
    "one", which has no axis. Warnings of NumPy are the caller's to silence.
    """
    meaning, more = {"all": (_over_all, ""), "live": (_over_live, "live"), "one": (_over_one, "")}[terms]
    return _write(meaning, more, roots, leaves)[0]


def _run(written, roots, leaves, *more):
    function, needed = written(tuple(roots))
    with np.errstate(all="ignore"):
        try:
            given = [leaves[leaf] for leaf in needed]
            values = function(*given, *more)
        except KeyError as error:
            raise KeyError(f"no value was given for the leaf {error.args[0]!r}") from None
    if not all(isinstance(v, numeric.HOST) for v in given) or not given:
        return values  # numbers stay what they are: no array of NumPy can stand beside those of a device
    return [np.asarray(v) for v in values]


# --- what an operation means: over all terms, over those that are live, and over a single one ------------


def _over_all(op):
    if op in numeric.SCALAR:
        return numeric.SCALAR[op]
    function = numeric.REDUCE.get(op) or numeric.AXIS[op]
    return lambda *args: function(*map(numeric.as_array, args))


def _over_live(op):
    if op in numeric.SCALAR:
        return numeric.SCALAR[op]
    if op in numeric.REDUCE:
        return lambda x, live: _reduce_live(op, numeric.as_array(x), live)
    if op == "first":
        return lambda mask, live: numeric.first(mask & live)
    raise NotImplementedError(f"{op} over masked terms")


def _over_one(op):
    return numeric.ALONE.get(op) or numeric.SCALAR[op]


def _reduce_live(op, x, live):
    return numeric.REDUCE[op](np.where(live, x, _neutral(op, x.dtype)))


def _neutral(op, dtype):
    if np.issubdtype(dtype, np.integer):
        return {"reduce_sum": 0, "reduce_min": np.iinfo(dtype).max, "reduce_max": np.iinfo(dtype).min}[op]
    return _NEUTRAL[op]


# --- graphs as functions ------------------------------------------------------------------------------


def _write(meaning: Callable[[str], Callable], more: str, roots, leaves=()) -> tuple[Callable, list[Node]]:
    """A function of the leaves, those given and any others, that gives the roots' values; and these leaves in their order.

    With `more` it has one more argument of that name, which is passed on to operations along the terms.
    """
    leaves = list(leaves)
    names = {id(leaf): f"v{i}" for i, leaf in enumerate(leaves)}
    scope: dict[str, object] = {}
    lines = []
    for i, node in enumerate(postorder([r for r in roots if r is not None])):
        name = names.setdefault(id(node), f"x{i}")
        if node.op == "const":
            scope[name] = value_of(node)
        elif not node.args:
            leaves.extend([node] if name[0] == "x" else [])
        else:
            args = [names[id(a)] for a in node.args]
            if more and node.op not in numeric.SCALAR:
                args.append(more)
            scope["np_" + node.op] = meaning(node.op)
            lines.append(f"    {name} = np_{node.op}({', '.join(args)})")
    head = f"def function({', '.join([names[id(leaf)] for leaf in leaves] + [more] * bool(more))}):"
    back = f"    return [{', '.join('None' if r is None else names[id(r)] for r in roots)}]"
    exec("\n".join([head, *lines, back]), scope)
    return scope["function"], leaves


_of_all = remembered(partial(_write, _over_all, ""))
_of_live = remembered(partial(_write, _over_live, "live"))


@remembered
def sorts(roots: tuple[Node, ...]) -> bool:
    """Whether the graph depends on the order of its terms by size."""
    return any(n.op in ("sort", "unsort", "arrange", "cumsum", "suffix_sum") for n in postorder(roots))
