"""Graphs written anew, for fewer operations: each function gives, for every node that the roots need, what takes its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from dpsemiring.algebra.expr import INT, REAL, Node, make, postorder

Places = dict[int, Node]


def with_known(roots: list[Node], known: dict[Node, Node]) -> Places:
    """Values that are at hand in place of what computes them: `known` has the leaf of each.

    A known product stands in for its two factors wherever both are multiplied, a known sum of integers gives its first
    term back by subtraction. Where a known value is guarded, what is inside the guard counts: elsewhere it is not used.
    """
    at_hand: dict[Node, Node] = {}
    products: dict[tuple[Node, ...], Node] = {}
    for node, leaf in known.items():
        at_hand[node] = leaf
        inner = node.args[1] if node.op == "where" else node
        if not inner.args:
            continue
        at_hand[inner] = leaf
        if inner.op == "mul":
            products[inner.args] = leaf
        elif inner.op == "add" and inner.kind == INT and inner.args[0].args:
            at_hand[inner.args[0]] = make("sub", leaf, inner.args[1])
    whole = {id(factor) for pair in products for factor in pair}
    new: Places = {}
    for n in postorder(roots):
        if n in at_hand:
            new[id(n)] = at_hand[n]
        elif n.op == "mul" and (rest := _without_product(_factors(n, whole), products)):
            leaf, others = rest
            new[id(n)] = _product([leaf, *(new[id(f)] for f in others)])
        else:
            new[id(n)] = make(n.op, *(new[id(a)] for a in n.args)) if n.args else n
    return new


def with_reciprocals(roots: list[Node], uniform: Callable[[Node], bool]) -> Places:
    """Divisions by numbers that all cells share as products with their reciprocals, and the factors of a product that all
    cells share multiplied first. `uniform` tells which leaves these are."""
    new: Places = {}
    same: dict[int, bool] = {}
    for n in postorder(roots):
        same[id(n)] = all(same[id(a)] for a in n.args) if n.args else n.op == "const" or uniform(n)
        args = [new[id(a)] for a in n.args]
        if n.op == "div" and same[id(n.args[1])] and not same[id(n.args[0])]:
            new[id(n)] = args[0] * make("div", 1.0, args[1])
        elif n.op == "mul" and not same[id(n)] and n.kind == REAL:
            own, shared = [], []
            for f in _factors(n, set()):
                (shared if same[id(f)] else own).append(new[id(f)])
            new[id(n)] = make("mul", *([_product(own), _product(shared)] if len(shared) > 1 else args))
        else:
            new[id(n)] = make(n.op, *args) if n.args else n
    return new


def _factors(node: Node, whole: set[int]) -> list[Node]:
    """What a product is made of; the nodes in `whole` are not taken apart."""
    if node.op != "mul" or id(node) in whole:
        return [node]
    return [f for arg in node.args for f in _factors(arg, whole)]


def _product(factors: list[Node]) -> Node:
    return reduce(lambda x, y: make("mul", x, y), factors)


def _without_product(factors: list[Node], products: dict[tuple[Node, ...], Node]) -> tuple[Node, list[Node]] | None:
    """A known product whose factors are among these, and the others; each is taken once."""
    for pair, leaf in products.items():
        others = list(factors)
        for wanted in pair:
            at = next((i for i, f in enumerate(others) if f is wanted), None)
            if at is None:
                break
            del others[at]
        else:
            return leaf, others
    return None
