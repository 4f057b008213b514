"""A semiring on dual numbers: each value with its tangent, the derivative in one direction.

    f' = sum over the leaves of f:  (d f / d leaf) * leaf'

On pairs (x, x') the recurrence finds, beside the total, its derivative in a direction. Nothing is written down for it:
d f / d leaf is what `derive` gives. The adjoint of that recurrence, from the total's tangent, is the derivative of the
gradient, the Hessian times the direction (forward over reverse; Pearlmutter, Fast exact multiplication by the Hessian,
Neural Computation 6, 1994).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import REAL, Node, const, is_const, make, term, var
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.algebra.trace import ONE, Trace

NOTHING = const(0.0)


def dual(semiring: Semiring) -> Semiring:
    """The semiring on dual numbers.

    Its carrier is that of `semiring` and, behind it, a tangent for each real component; integers are locally constant and
    have none. A step pays a real number and its tangent. A parameter that is no plain number has a tangent as well, a
    parameter of its own (`tangent_params`). The first output is the total's tangent; the outputs of `semiring` follow.
    """
    dots = tangent_params(semiring)
    names = _fresh((c for c, k in zip(semiring.carrier, semiring.trace.kinds) if k == REAL), semiring.carrier)
    made = replace(
        semiring,
        name=f"dual {semiring.name}",
        carrier=(*semiring.carrier, *names.values()),
        params={**semiring.params, **dict.fromkeys(dots.values(), 0.0)},
        forms=(),
    )
    # the functions are those of the primal: this stands in place of tracing them
    vars(made)["trace"] = _trace(semiring.trace, names, dots)
    return made


def tangent_params(semiring: Semiring) -> dict[str, str]:
    """The semiring's parameters that have a tangent in its dual, each with the name of that."""
    moving = (name for name, value in semiring.params.items() if not isinstance(value, (int, float)))
    return _fresh(moving, semiring.params)


def directional(node: Node, dots: Mapping[Node, Node]) -> Node:
    """The tangent of a graph, given those of its leaves; 0 where it depends on none of them."""
    total = NOTHING
    for grad, dot in zip(vjp([(node, ONE)], list(dots)), dots.values()):
        if grad is not None:
            total = total + _summed(_times(grad, dot))
    return total


def _summed(node: Node) -> Node:
    """The sum over the terms, if the node has one value for each; factors that all share are multiplied once."""
    if node.axis is None:
        return node
    shared, own = _factors(node)
    return shared * make("reduce_sum", own)


def _factors(node: Node) -> tuple[Node, Node]:
    """A scalar and an axis whose product is the node."""
    if node.op == "neg":
        shared, own = _factors(node.args[0])
        return -shared, own
    if node.op == "mul":
        a, b = node.args
        if a.axis is None or b.axis is None:
            scalar, other = (a, b) if a.axis is None else (b, a)
            shared, own = _factors(other)
            return scalar * shared, own
        (shared, own), (more, other) = _factors(a), _factors(b)
        return shared * more, own * other
    if node.op == "div" and node.args[0].axis is not None and node.args[1].axis is None:
        shared, own = _factors(node.args[0])
        return shared / node.args[1], own
    return ONE, node


def _times(grad: Node, dot: Node) -> Node:
    """grad * dot, taken into a choice between grad and 0: what is not chosen is not multiplied."""
    if grad.op == "where" and is_const(grad.args[2], 0):
        return make("where", grad.args[0], _times(grad.args[1], dot), 0.0)
    return grad * dot


def _fresh(names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """For each name another for its tangent, unlike all that are taken."""
    known, out = set(taken), {}
    for name in names:
        new = f"{name}_dot"
        while new in known:
            new += "_"
        known.add(new)
        out[name] = new
    return out


def _trace(t: Trace, names: Mapping[str, str], dots: Mapping[str, str]) -> Trace:
    real = [c for c, kind in enumerate(t.kinds) if kind == REAL]

    def tangents(leaves):
        return {leaves[c]: var(f"{leaves[c].payload.split('.')[0]}.{name}") for c, name in zip(real, names.values())}

    a, b, x, bars = map(tangents, (t.a, t.b, t.x, t.bars))
    terms = {t.terms[c]: term(name) for c, name in zip(real, names.values())}
    w = {t.w[0]: var("w_dot")}
    params = {t.params[name]: var(f"p.{dot}") for name, dot in dots.items()}

    def both(roots, leaves):
        return None if roots is None else (*roots, *(directional(roots[c], leaves | params) for c in real))

    total = next(iter(t.decode.values()))
    tangent = next(iter(_fresh(["total"], t.decode).values()))
    return Trace(
        kinds=(*t.kinds, *(REAL for _ in real)),
        laws=t.laws,
        w=(*t.w, *w.values()),
        a=(*t.a, *a.values()),
        b=(*t.b, *b.values()),
        x=(*t.x, *x.values()),
        terms=(*t.terms, *terms.values()),
        bars=(*t.bars, *bars.values()),
        params={**t.params, **{dot: params[t.params[name]] for name, dot in dots.items()}},
        zero=(*t.zero, *(NOTHING for _ in real)),
        one=(*t.one, *(NOTHING for _ in real)),
        encode=both(t.encode, w),
        times=both(t.times, a | b),
        decode={tangent: directional(total, x | params), **t.decode},
        sum=both(t.sum, terms),
        fold=both(t.fold, a | b),
        tells=t.tells,
        limits=t.limits,
        of=t,
    )
