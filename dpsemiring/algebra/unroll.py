"""From a sum over any number of terms to straight code for a known number of candidates.

Candidates equal to the semiring's zero are dropped before a sum. In straight code that is a guard: an absent
candidate enters each reduction as that reduction's neutral element. Where its own value is neutral already,
as the range analysis shows, the guard is left out.
"""

from __future__ import annotations

from functools import reduce

from dpsemiring.algebra import ranges
from dpsemiring.algebra.expr import BOOL, FOLDS, INT, Node, const, make, postorder

NEUTRAL = {
    "reduce_sum": (0, ranges.ZERO),
    "reduce_min": (float("inf"), ranges.POS_INF),
    "reduce_max": (-float("inf"), ranges.NEG_INF),
    "threshold": (-float("inf"), ranges.NEG_INF),
}
_INT_LIMIT = 2**30


def unroll(
    roots: list[Node],
    terms: dict[Node, list[Node]],
    live: list[Node],
    scalars: dict[Node, Node],
    facts: dict[Node, int],
    absent: dict[Node, int],
) -> list:
    """The roots for candidates whose components stand in `terms`; an axis root gives a list, one for each.

    `live` holds the condition under which each candidate is present. `facts` and `absent` are the ranges of
    the leaves of present terms, and of an absent one, for the guards.
    """
    count = len(live)
    value: dict[int, object] = {}
    for node in postorder(roots):
        if node in terms:
            value[id(node)] = terms[node]
        elif node in scalars:
            value[id(node)] = scalars[node]
        elif not node.args:
            value[id(node)] = node
        elif node.op in ("envelope", "derived_as"):  # a mark for derivatives, which are taken before
            value[id(node)] = value[id(node.args[0])]
        elif node.op in NEUTRAL:
            value[id(node)] = _reduce(node, value[id(node.args[0])], live, facts, absent)
        elif node.axis is None:
            value[id(node)] = make(node.op, *(value[id(a)] for a in node.args))
        elif node.op in _ALONG:
            here = _present_when_sorted(live) if node.op == "first" and node.axis == "sorted" else live
            value[id(node)] = _ALONG[node.op](here, *(value[id(a)] for a in node.args))
        else:
            columns = [value[id(a)] if a.axis else [value[id(a)]] * count for a in node.args]
            value[id(node)] = [make(node.op, *row) for row in zip(*columns)]
    return [value[id(r)] for r in roots]


def _reduce(node, xs, live, facts, absent):
    x = node.args[0]
    if x.axis == "sorted":
        live = _present_when_sorted(live)
    if x.axis == "sorted" or ranges.range_of(x, facts, absent) != NEUTRAL[node.op][1]:
        xs = [make("where", a, v, neutral(node)) for a, v in zip(live, xs)]
    if node.op == "threshold":
        return _threshold(xs)
    return reduce(lambda a, b: make(FOLDS[node.op], a, b), xs)


def neutral(reduction: Node) -> Node:
    """What stands in a reduction for a candidate that is absent."""
    (value, _), kind = NEUTRAL[reduction.op], reduction.args[0].kind
    if kind == INT and value:
        value = _INT_LIMIT if value > 0 else -_INT_LIMIT
    return const(value, kind)


def _threshold(xs):
    falling = list(reversed(_sort(None, xs)))
    best, total = None, None
    for j, x in enumerate(falling, start=1):
        total = x if total is None else total + x
        bound = (total - 1.0) * (1.0 / j)
        best = bound if best is None else make("maximum", best, bound)
    return best


def _first(live, mask):
    out, before = [], const(False)
    for a, m in zip(live, mask):
        m = make("and", a, m)
        out.append(make("and", m, make("not", before)))
        before = make("or", before, m)
    return out


def _sort(live, xs):
    """Rising order by compare and exchange; absent candidates go to the end as +inf."""
    xs = list(xs) if live is None else [make("where", a, x, float("inf")) for a, x in zip(live, xs)]
    for i in range(1, len(xs)):
        for j in range(i, 0, -1):
            low, high = make("minimum", xs[j - 1], xs[j]), make("maximum", xs[j - 1], xs[j])
            xs[j - 1], xs[j] = low, high
    return xs


def _present_when_sorted(live):
    """Absent candidates stand behind the others: position j is taken when more than j are present."""
    count = reduce(lambda a, b: a + b, [make("where", a, 1.0, 0.0) for a in live])
    return [make("lt", float(j), count) for j in range(len(live))]


def _cumsum(live, xs):
    out = [xs[0]]
    for x in xs[1:]:
        out.append(out[-1] + x)
    return out


def _suffix_sum(live, xs):
    xs = [make("where", a, x, 0.0) for a, x in zip(_present_when_sorted(live), xs)]
    return list(reversed(_cumsum(live, list(reversed(xs)))))


def _ranks(live, keys):
    """The rank of each candidate: the number of keys before its own."""
    keys = [make("where", a, k, float("inf")) for a, k in zip(live, keys)]
    out = []
    for i, key in enumerate(keys):
        before = [make("le" if j < i else "lt", keys[j], key) for j in range(len(keys)) if j != i]
        out.append(reduce(lambda a, b: a + b, [make("where", b, 1.0, 0.0) for b in before], const(0.0)))
    return out


def _picked(values, conditions):
    """The value whose condition holds, 0 if none does."""
    return reduce(lambda a, vc: make("where", vc[1], vc[0], a), zip(values, conditions), const(0.0))


def _unsort(live, values, keys):
    """Each candidate's value is the one at its rank."""
    return [_picked(values, [make("eq", rank, float(j)) for j in range(len(values))]) for rank in _ranks(live, keys)]


def _arrange(live, values, keys):
    """At each position the value of the candidate with that rank."""
    ranks = _ranks(live, keys)
    return [_picked(values, [make("eq", rank, float(j)) for rank in ranks]) for j in range(len(values))]


_ALONG = {
    "first": _first,
    "sort": _sort,
    "cumsum": _cumsum,
    "suffix_sum": _suffix_sum,
    "unsort": _unsort,
    "arrange": _arrange,
}


def any_of(conditions: list[Node]) -> Node:
    """Whether at least one condition holds."""
    return reduce(lambda a, b: make("or", a, b), conditions, const(False, BOOL))
