"""What a value can be, told by sign and infinity alone: enough to see where a guard is superfluous.

A range is a set of classes, as bits: -inf, negative, 0, positive, +inf, NaN; true, false for conditions.
Every rule here may say too much, never too little; rounding to 0 counts, overflow of finite numbers does not.
An integer has no infinity: one beyond `FAR` stands for it, since adding what is finite does not bring it back.
"""

from __future__ import annotations

import math

from dpsemiring.algebra.expr import BOOL, Node, postorder, value_of

NEG_INF, NEG, ZERO, POS, POS_INF, NAN, TRUE, FALSE = (1 << i for i in range(8))
FINITE = NEG | ZERO | POS
NUMBER = NEG_INF | FINITE | POS_INF
ANYTHING = NUMBER | NAN
EITHER = TRUE | FALSE
FAR = 2**29
_ORDER = (NEG_INF, NEG, ZERO, POS, POS_INF)
_FLIP = {NEG_INF: POS_INF, NEG: POS, ZERO: ZERO, POS: NEG, POS_INF: NEG_INF, NAN: NAN}


def of_value(x) -> int:
    """The class of a known number."""
    if isinstance(x, bool):
        return TRUE if x else FALSE
    if isinstance(x, int) and abs(x) >= FAR:
        return POS_INF if x > 0 else NEG_INF
    if math.isnan(x):
        return NAN
    if math.isinf(x):
        return POS_INF if x > 0 else NEG_INF
    return ZERO if x == 0 else POS if x > 0 else NEG


def _bits(r):
    return [1 << i for i in range(8) if r >> i & 1]


def _each(rule):
    """Lift a rule on single classes to ranges."""

    def lifted(*ranges):
        out = 0
        combinations = [()]
        for r in ranges:
            combinations = [c + (b,) for c in combinations for b in _bits(r)]
        for c in combinations:
            out |= NAN if NAN in c else rule(*c)
        return out

    return lifted


def _add(a, b):
    if {a, b} == {NEG_INF, POS_INF}:
        return NAN
    for infinite in (NEG_INF, POS_INF):
        if infinite in (a, b):
            return infinite
    if ZERO in (a, b):
        return b if a == ZERO else a
    return a if a == b else FINITE


def _mul(a, b):
    infinite = {a, b} & {NEG_INF, POS_INF}
    if ZERO in (a, b):
        return NAN if infinite else ZERO
    negative = (a in (NEG_INF, NEG)) != (b in (NEG_INF, NEG))
    if infinite:
        return NEG_INF if negative else POS_INF
    return (NEG if negative else POS) | ZERO


def _reciprocal(a):
    return {NEG_INF: ZERO, NEG: NEG | ZERO, ZERO: NEG_INF | POS_INF, POS: POS | ZERO, POS_INF: ZERO}[a]


def _div(a, b):
    if {a, b} <= {NEG_INF, POS_INF} or (a == ZERO and b == ZERO):
        return NAN
    if b == ZERO:
        return NEG_INF | POS_INF
    return _each(_mul)(a, _reciprocal(b) & ~(ZERO if b in (NEG, POS) and a in (NEG_INF, POS_INF) else 0))


def _compare(decided):
    def rule(a, b):
        i, j = _ORDER.index(a), _ORDER.index(b)
        if i == j and a in (NEG, POS):
            return EITHER
        return TRUE if decided(i, j) else FALSE

    return _each(rule)


_SCALAR = {
    "add": _each(_add),
    "sub": _each(lambda a, b: _add(a, _FLIP[b])),
    "mul": _each(_mul),
    "div": _each(_div),
    "neg": _each(lambda a: _FLIP[a]),
    "abs": _each(lambda a: POS if a == NEG else POS_INF if a == NEG_INF else a),
    "minimum": _each(lambda a, b: min(a, b, key=_ORDER.index)),
    "maximum": _each(lambda a, b: max(a, b, key=_ORDER.index)),
    "lt": _compare(lambda i, j: i < j),
    "le": _compare(lambda i, j: i <= j),
    "eq": _compare(lambda i, j: i == j),
    "ne": _compare(lambda i, j: i != j),
    "and": lambda a, b: (TRUE if a & TRUE and b & TRUE else 0) | (FALSE if (a | b) & FALSE else 0),
    "or": lambda a, b: (TRUE if (a | b) & TRUE else 0) | (FALSE if a & FALSE and b & FALSE else 0),
    "not": lambda a: (TRUE if a & FALSE else 0) | (FALSE if a & TRUE else 0),
    "where": lambda c, a, b: (a if c & TRUE else 0) | (b if c & FALSE else 0),
    "exp": _each(lambda a: {NEG_INF: ZERO, NEG: POS | ZERO, ZERO: POS, POS: POS, POS_INF: POS_INF}[a]),
    "log": _each(lambda a: {ZERO: NEG_INF, POS: FINITE, POS_INF: POS_INF}.get(a, NAN)),
    "sqrt": _each(lambda a: a if a in (ZERO, POS, POS_INF) else NAN),
    "rint": lambda a: a | (ZERO if a & (NEG | POS) else 0),
    "floor": lambda a: a | (ZERO if a & POS else 0),
    "mantissa": lambda a: a,
    "fma": lambda a, b, c: _each(_add)(_each(_mul)(a, b), c),
    "tail": lambda a: FINITE,
    "exp2_fraction": lambda a: POS if not a & ~FINITE else ANYTHING,
    "exp2_below": lambda e, most: ZERO if e == NEG_INF and not most & ~FINITE else POS | ZERO,
    "power_of_two": lambda e: POS | ZERO,
    "binade": lambda a: FINITE,
    "nearest": lambda a: NUMBER if a & ~FINITE else FINITE,
    "ldexp": lambda m, e: m | (ZERO if m & (NEG | POS) else 0),
    "real": lambda a: a | FINITE if a & ~FINITE else a,
    "integer": lambda a: FINITE,
    "exponent": lambda a: FINITE,
    "spread": lambda a, terms: a,
    "stop": lambda a: a,
    "envelope": lambda a: a,
    "derived_as": lambda a, other: a,
}
_SCALAR["exp2"], _SCALAR["log2"] = _SCALAR["exp"], _SCALAR["log"]


def _sum_of_some(r):
    total = r
    while (wider := total | _SCALAR["add"](total, r)) != total:
        total = wider
    return total


_REDUCE = {
    "reduce_min": lambda r: r,
    "reduce_max": lambda r: r,
    "reduce_sum": _sum_of_some,
    "threshold": lambda r: FINITE,
}


def range_of(node: Node, leaves: dict[Node, int], one_term: dict[Node, int] | None = None) -> int:
    """The range of a node, given ranges for its leaves (unknown leaves can be any number).

    `one_term` gives, for the axis leaves, the range of one particular term (an absent one, say); the
    reductions still run over terms of the ranges in `leaves`.
    """
    usual: dict[int, int] = {}
    special: dict[int, int] = {}
    for n in postorder([node]):
        for table, overlay in ((usual, {}), (special, one_term or {})):
            table[id(n)] = _one(n, table, usual, leaves, overlay)
    return special[id(node)]


def _one(n, table, usual, leaves, overlay):
    if n in overlay:
        return overlay[n]
    if n in leaves:
        return leaves[n]
    if n.op == "const":
        return of_value(value_of(n))
    if n.op in _REDUCE:
        return _REDUCE[n.op](usual[id(n.args[0])])
    if n.op in _SCALAR:
        return _SCALAR[n.op](*(table[id(a)] for a in n.args))
    return EITHER if n.kind == BOOL else NUMBER if not n.args else ANYTHING
