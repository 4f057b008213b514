"""Symbolic differentiation: the vector-Jacobian product of an expression graph, in reverse mode.

Each operation's rule stands in `RULES` once; everything that is ever differentiated (cells, totals, second
derivatives) goes through them. Reductions and axis operations have rules like the others, so a sum's
derivative is found before its number of terms is known.
"""

from __future__ import annotations

import math

from dpsemiring.algebra.expr import AXIS_OPS, INT, REAL, Node, make, postorder, remembered

LN2 = math.log(2.0)


def _where(condition, a, b):
    return make("where", condition, a, b)


def _selected(x, extreme):
    """One-hot over the terms: the first that equals the extreme."""
    return make("first", make("eq", x, extreme))


def _threshold_rule(g, node, x):
    inside = make("lt", node, x)
    count = make("reduce_sum", _where(inside, 1.0, 0.0))
    return (_where(inside, make("div", g, count), 0.0),)


# op -> f(g, node, *args): what flows to each argument when g flows into the node; None is nothing
RULES = {
    "add": lambda g, n, a, b: (g, g),
    "sub": lambda g, n, a, b: (g, -g),
    "mul": lambda g, n, a, b: (g * b, g * a),
    "div": lambda g, n, a, b: (g / b, -(g * n) / b),
    "neg": lambda g, n, a: (-g,),
    "abs": lambda g, n, a: (_where(a < 0.0, -g, g),),
    "minimum": lambda g, n, a, b: (_where(a <= b, g, 0.0), _where(a <= b, 0.0, g)),
    "maximum": lambda g, n, a, b: (_where(b <= a, g, 0.0), _where(b <= a, 0.0, g)),
    "where": lambda g, n, c, a, b: (None, _where(c, g, 0.0), _where(c, 0.0, g)),
    "exp": lambda g, n, a: (g * n,),
    "log": lambda g, n, a: (g / a,),
    "exp2": lambda g, n, a: (g * (n * LN2),),
    "log2": lambda g, n, a: (g / (a * LN2),),
    "sqrt": lambda g, n, a: (g / (2.0 * n),),
    "mantissa": lambda g, n, a: (make("ldexp", g, -make("exponent", a)),),
    "ldexp": lambda g, n, m, e: (make("ldexp", g, e), None),
    "fma": lambda g, n, a, b, c: (g * b, g * a, g),
    "exp2_fraction": lambda g, n, a: (g * (n * LN2),),
    "exp2_below": None,
    "power_of_two": None,
    "tail": None,
    "spread": lambda g, n, a, terms: (g, None),
    "floor": None,
    "rint": None,
    "stop": None,
    "envelope": None,
    "derived_as": lambda g, n, a, other: (None, g),
    "real": None,
    "reduce_sum": lambda g, n, x: (g,),
    "reduce_min": lambda g, n, x: (_where(_selected(x, n), g, 0.0),),
    "reduce_max": lambda g, n, x: (_where(_selected(x, n), g, 0.0),),
    "threshold": _threshold_rule,
    "unsort": lambda g, n, values, keys: (make("arrange", g, keys), None),
    "arrange": lambda g, n, values, keys: (make("unsort", g, keys), None),
    "sort": lambda g, n, x: (make("unsort", g, x),),
    "cumsum": lambda g, n, x: (make("suffix_sum", g),),
    "suffix_sum": lambda g, n, x: (make("cumsum", g),),
}


def _bare(order: list[Node]) -> dict[int, Node]:
    """The nodes without envelope marks, wherever these stand: inside a derivative the optimum counts in full."""
    out: dict[int, Node] = {}
    for node in order:
        args = [out[id(a)] for a in node.args]
        if node.op == "envelope":
            out[id(node)] = args[0]
        else:
            out[id(node)] = node if all(x is a for x, a in zip(args, node.args)) else make(node.op, *args)
    return out


def vjp(outputs: list[tuple[Node, Node]], wanted: list[Node]) -> list[Node | None]:
    """What flows to each wanted leaf when g flows into each output, for `outputs` a list of (node, g).

    None where nothing depends on the leaf. Integers and conditions are locally constant.
    """
    return _vjp(tuple(n for n, _ in outputs), tuple(g for _, g in outputs), tuple(wanted))


@remembered
def _vjp(roots: tuple[Node, ...], bars: tuple[Node, ...], wanted: tuple[Node, ...]) -> list[Node | None]:
    order = postorder(roots)
    needed: set[int] = {id(w) for w in wanted}
    for node in order:
        if any(id(a) in needed for a in node.args):
            needed.add(id(node))
    flow: dict[int, Node] = {}
    bare = _bare(order)

    def collect(node, g):
        if node.kind != REAL or g is None or id(node) not in needed:
            return
        if g.axis is not None and node.axis is None:
            g = make("reduce_sum", g)
        flow[id(node)] = g if id(node) not in flow else flow[id(node)] + g

    for node, g in zip(roots, bars):
        collect(node, g)
    for node in reversed(order):
        g = flow.get(id(node))
        if g is None or not node.args or node.kind == INT:
            continue
        if node.op not in RULES:
            raise NotImplementedError(f"no derivative is known for {node.op}: {node!r}")
        rule = RULES[node.op]
        if rule is None:
            continue
        if node.axis is not None and g.axis is None and (node.op in AXIS_OPS or any(a.axis is None for a in node.args)):
            g = make("spread", g, node)  # alike for all terms, and their number counts
        for a, ga in zip(node.args, rule(g, bare[id(node)], *(bare[id(x)] for x in node.args))):
            collect(a, ga)
    return [flow.get(id(w)) for w in wanted]
