"""Expressions: the small language in which a semiring is written down once.

    node  := const(value) | var(name) | term(component) | op(node, ...)
    kind  := real | int | bool          int is for binary exponents, bool for conditions
    axis  := None                       a scalar
           | "terms"                    one value for each term that enters a sum
           | "sorted"                   the same after `sort`: positions, no longer terms

Nodes are immutable and interned: structural equality is identity, so common subexpressions are shared
without a pass. `make` is the one constructor; it folds constants and drops neutral operations.
Python's operators build nodes, which is how plain functions are traced.
"""

from __future__ import annotations

import math
import threading
from functools import reduce, wraps
from weakref import WeakValueDictionary

import numpy as np

from dpsemiring.algebra import numeric

REAL, INT, BOOL = "real", "int", "bool"

# operation -> (kinds of its arguments, kind of its result); "num" is real or int, alike in all places
SCALAR_OPS = {
    "add": (("num", "num"), "num"),
    "sub": (("num", "num"), "num"),
    "mul": (("num", "num"), "num"),
    "minimum": (("num", "num"), "num"),
    "maximum": (("num", "num"), "num"),
    "neg": (("num",), "num"),
    "abs": (("num",), "num"),
    "where": ((BOOL, "num", "num"), "num"),
    "lt": (("num", "num"), BOOL),
    "le": (("num", "num"), BOOL),
    "eq": (("num", "num"), BOOL),
    "ne": (("num", "num"), BOOL),
    "and": ((BOOL, BOOL), BOOL),
    "or": ((BOOL, BOOL), BOOL),
    "not": ((BOOL,), BOOL),
    "div": ((REAL, REAL), REAL),
    "exp": ((REAL,), REAL),
    "log": ((REAL,), REAL),
    "exp2": ((REAL,), REAL),
    "log2": ((REAL,), REAL),
    "sqrt": ((REAL,), REAL),
    "floor": ((REAL,), REAL),
    "rint": ((REAL,), REAL),
    "mantissa": ((REAL,), REAL),
    "exponent": ((REAL,), INT),
    "ldexp": ((REAL, INT), REAL),
    "fma": ((REAL, REAL, REAL), REAL),
    "tail": ((REAL,), REAL),
    "exp2_fraction": ((REAL,), REAL),
    "exp2_below": ((INT, INT), REAL),
    "power_of_two": ((INT,), REAL),
    "binade": ((REAL,), INT),
    "nearest": ((REAL,), INT),
    "real": ((INT,), REAL),
    "integer": ((REAL,), INT),
    "spread": ((REAL, REAL), REAL),
    "stop": ((REAL,), REAL),
    "envelope": ((REAL,), REAL),
    "derived_as": ((REAL, REAL), REAL),
}
REDUCTIONS = {
    "reduce_sum": ("num",),
    "reduce_min": ("num",),
    "reduce_max": ("num",),
    "threshold": (REAL,),
}
AXIS_OPS = {
    "first": ((BOOL,), BOOL),
    "sort": ((REAL,), REAL),
    "cumsum": ((REAL,), REAL),
    "suffix_sum": ((REAL,), REAL),
    "unsort": ((REAL, REAL), REAL),
    "arrange": ((REAL, REAL), REAL),
}

_interned: WeakValueDictionary = WeakValueDictionary()
_lock = threading.Lock()


class Iterated(Exception):
    """A sum iterates over its terms: it must be traced at a known arity."""


class Node:
    """One value of an expression graph. Compare with `is`; `==` builds a condition."""

    __slots__ = ("__weakref__", "args", "axis", "kind", "op", "payload")

    def __init__(self, op, args, payload, kind, axis):
        self.op, self.args, self.payload, self.kind, self.axis = op, args, payload, kind, axis

    __hash__ = object.__hash__

    def __add__(self, other):
        return make("add", self, other)

    def __radd__(self, other):
        return make("add", other, self)

    def __sub__(self, other):
        return make("sub", self, other)

    def __rsub__(self, other):
        return make("sub", other, self)

    def __mul__(self, other):
        return make("mul", self, other)

    def __rmul__(self, other):
        return make("mul", other, self)

    def __truediv__(self, other):
        return make("div", self, other)

    def __rtruediv__(self, other):
        return make("div", other, self)

    def __pow__(self, exponent):
        if exponent == 2:
            return make("mul", self, self)
        raise TypeError(f"only ** 2 is defined on expressions, found ** {exponent!r}; use dp.ops.exp and dp.ops.log")

    def __neg__(self):
        return make("neg", self)

    def __abs__(self):
        return make("abs", self)

    def __lt__(self, other):
        return make("lt", self, other)

    def __le__(self, other):
        return make("le", self, other)

    def __gt__(self, other):
        return make("lt", other, self)

    def __ge__(self, other):
        return make("le", other, self)

    def __eq__(self, other):
        return make("eq", self, other)

    def __ne__(self, other):
        return make("ne", self, other)

    def __and__(self, other):
        return make("and", self, other)

    def __rand__(self, other):
        return make("and", other, self)

    def __or__(self, other):
        return make("or", self, other)

    def __ror__(self, other):
        return make("or", other, self)

    def __invert__(self):
        return make("not", self)

    def __bool__(self):
        raise TypeError(
            "a traced value has no truth value: write dp.ops.where(condition, a, b) in place of `if`, "
            "and & | ~ in place of and, or, not; dp.ops.minimum and dp.ops.maximum in place of min and max"
        )

    def __iter__(self):
        if self.axis is None:
            raise TypeError("a scalar was iterated over; a carrier with several components passes a tuple of axes")
        raise Iterated

    def __len__(self):
        return len(list(iter(self)))

    def __array__(self, *args, **kwargs):
        raise TypeError("NumPy cannot evaluate a traced value: use the functions of dp.ops (dp.ops.exp, dp.ops.min, ...)")

    def __repr__(self):
        size = len(postorder([self]))
        return show(self) if size <= 40 else f"<expression of {size} operations>"


def _intern(op, args, payload, kind, axis) -> Node:
    key = (op, tuple(map(id, args)), payload, kind, axis)
    with _lock:  # two threads must not make one node twice: leaves are looked up by identity
        node = _interned.get(key)
        if node is None:
            node = Node(op, args, payload, kind, axis)
            _interned[key] = node
        return node


def const(value, kind: str | None = None) -> Node:
    """A constant; its kind is that of the Python value unless stated (an int is a real until met by an int)."""
    if kind is None:
        kind = BOOL if isinstance(value, bool) else REAL
    value = {REAL: float, INT: int, BOOL: bool}[kind](value)
    # 0.0 and -0.0 are equal as dictionary keys and must not be interned as one node
    sign = math.copysign(1.0, value) if kind == REAL and value == 0.0 else None
    return _intern("const", (), (value, sign), kind, None)


def var(name: str, kind: str = REAL) -> Node:
    """A named scalar leaf."""
    return _intern("var", (), name, kind, None)


def term(component: str, kind: str = REAL) -> Node:
    """The leaf that stands for one component of all the terms of a sum."""
    return _intern("term", (), component, kind, "terms")


def is_const(node: Node, value=None) -> bool:
    return node.op == "const" and (value is None or node.payload[0] == value)


def value_of(node: Node):
    """The Python value of a constant."""
    return node.payload[0]


def make(op: str, *args) -> Node:
    """The node `op(args)`, checked, coerced to one kind and simplified."""
    args = tuple(args)
    if op in REDUCTIONS:
        return _reduction(op, *args)
    kinds, result = SCALAR_OPS[op] if op in SCALAR_OPS else AXIS_OPS[op]
    args, number = _coerce(op, args, kinds)
    axis = _axis(op, args)
    simple = _simplify(op, args)
    if simple is not None:
        return simple
    return _intern(op, args, None, number if result == "num" else result, axis)


class KnownAxis(tuple):
    """The terms of a sum that is traced at a known arity: a tuple of scalars."""


# the operation that a reduction repeats
FOLDS = {"reduce_sum": "add", "reduce_min": "minimum", "reduce_max": "maximum"}


def _reduction(op, x):
    if isinstance(x, KnownAxis) and op in FOLDS:
        return reduce(lambda a, b: make(FOLDS[op], a, b), x)
    if not isinstance(x, Node):
        raise TypeError(
            f"dp.ops.{op.removeprefix('reduce_')} takes an axis (`terms`, or an expression of it), found "
            f"{type(x).__name__}; write dp.ops.sum(dp.ops.exp(terms)) in place of a generator"
        )
    if x.axis is None:
        raise TypeError(f"dp.ops.{op.removeprefix('reduce_')} reduces over the terms, but was given the scalar {x!r}")
    (wanted,) = REDUCTIONS[op]
    if x.kind == BOOL or (wanted == REAL and x.kind != REAL):
        raise TypeError(f"{op} takes numbers, found {x.kind} {x!r}")
    return _intern(op, (x,), None, x.kind, None)


def _coerce(op, args, kinds):
    if len(args) != len(kinds):
        raise TypeError(f"{op} takes {len(kinds)} arguments, found {len(args)}")
    found = {a.kind for a, k in zip(args, kinds) if isinstance(a, Node) and k == "num"}
    number = REAL if REAL in found or not found else INT
    if BOOL in found:
        raise TypeError(f"{op} takes numbers, found a condition; use dp.ops.where(condition, 1.0, 0.0)")
    out = []
    for a, k in zip(args, kinds):
        wanted = number if k == "num" else k
        if not isinstance(a, Node):
            try:
                a = const(a, wanted)
            except (TypeError, ValueError, KeyError):
                raise TypeError(f"{op} takes traced values and plain numbers, found {type(a).__name__}: {a!r}") from None
        if a.kind != wanted:
            if a.kind == INT and wanted == REAL:
                a = make("real", a)
            else:
                raise TypeError(f"{op} takes {wanted}, found {a.kind}: {a!r}")
        out.append(a)
    return tuple(out), number


def _axis(op, args):
    axes = {a.axis for a in args} - {None}
    if op in AXIS_OPS:
        if not axes:
            raise TypeError(f"{op} works along the terms, but was given a scalar")
        if op == "first":
            return axes.pop()
        return "terms" if op == "unsort" else "sorted"
    if len(axes) > 1:
        raise TypeError(
            f"{op} mixes terms with sorted positions; after dp.ops.sort only sorted values belong together, "
            "reduce them to a scalar first"
        )
    return axes.pop() if axes else None


def _simplify(op, args):
    if args and all(a.op == "const" for a in args) and op in SCALAR_OPS and op not in ("stop", "envelope", "derived_as", "tail"):
        kinds, result = SCALAR_OPS[op]
        kind = next(a.kind for a, k in zip(args, kinds) if k == "num") if result == "num" else result
        with np.errstate(all="ignore"):
            return const(numeric.SCALAR[op](*map(value_of, args)), kind)
    x = args[0]
    y = args[1] if len(args) > 1 else None
    zero, unit = (lambda n: is_const(n, 0)), (lambda n: is_const(n, 1))
    match op:
        case "add":
            if zero(x):
                return y
            if zero(y):
                return x
            if y.op == "neg":
                return make("sub", x, y.args[0])
        case "sub":
            if zero(y):
                return x
            if zero(x):
                return make("neg", y)
        case "mul":
            if unit(x):
                return y
            if unit(y):
                return x
            if is_const(x, -1):
                return make("neg", y)
            if is_const(y, -1):
                return make("neg", x)
        case "div":
            if unit(y):
                return x
        case "neg" | "not":
            if x.op == op:
                return x.args[0]
            if x.op == "sub":
                return make("sub", x.args[1], x.args[0])
        case "and":
            if x is y or is_const(y, True):
                return x
            if is_const(x, True):
                return y
        case "or":
            if x is y or is_const(y, False):
                return x
            if is_const(x, False):
                return y
        case "where":
            return _simplify_where(x, y, args[2])
        case "spread":
            if x.axis is not None or y.axis is None:
                return x
        case "stop":
            if x.op in ("stop", "const"):
                return x
        case "envelope":
            if x.op == "const":
                return x
    return None


def _simplify_where(condition, a, b):
    if condition.op == "const":
        return a if value_of(condition) else b
    if a is b:
        return a
    if a.op == "where" and a.args[0] is condition:
        return make("where", condition, a.args[1], b)
    if b.op == "where" and b.args[0] is condition:
        return make("where", condition, a, b.args[2])
    if is_const(b, 0) and vanishes(a, condition):
        return a
    return None


def vanishes(node: Node, condition: Node) -> bool:
    """Whether `node` is certainly 0 wherever `condition` is false, seen from its form."""
    if node.op == "where":
        return node.args[0] is condition and is_const(node.args[2], 0)
    if node.op == "neg":
        return vanishes(node.args[0], condition)
    if node.op == "mul":
        a, b = node.args
        return any(vanishes(x, condition) and y.op == "const" and math.isfinite(value_of(y)) for x, y in ((a, b), (b, a)))
    return False


def remembered(function):
    """Keep the results of a function of nodes: graphs are evaluated at every call and change at none.

    The key is made of identities, for `==` on nodes builds a condition; the nodes are kept, so that no other
    takes over the identity of one.
    """
    kept: dict[tuple, tuple] = {}

    @wraps(function)
    def lookup(*groups):
        key = tuple(tuple(map(id, group)) for group in groups)
        found = kept.get(key)
        if found is None:
            if len(kept) > 4096:
                kept.clear()
            found = kept[key] = (groups, function(*groups))
        return found[1]

    lookup.forget = kept.clear
    return lookup


def postorder(roots) -> list[Node]:
    """Every node that the roots need, arguments before their users."""
    seen, order, stack = set(), [], [(n, False) for n in reversed(list(roots))]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args))
    return order


def substitute(roots, mapping: dict[Node, Node]) -> list[Node]:
    """The roots with leaves replaced, simplified again."""
    new: dict[int, Node] = {}
    for node in postorder(roots):
        if node in mapping:
            new[id(node)] = mapping[node]
        elif not node.args:
            new[id(node)] = node
        else:
            new[id(node)] = make(node.op, *(new[id(a)] for a in node.args))
    return [new[id(r)] for r in roots]


_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "and": "&", "or": "|"}
_NAMES = {"reduce_sum": "sum", "reduce_min": "min", "reduce_max": "max"}


def show(node: Node, outer: bool = False) -> str:
    """The expression as a reader would write it."""
    if node.op == "const":
        return f"{value_of(node):g}" if node.kind != BOOL else str(value_of(node))
    if node.op in ("var", "term"):
        return str(node.payload)
    if node.op in _INFIX:
        a, b = (show(x, True) for x in node.args)
        text = f"{a} {_INFIX[node.op]} {b}"
        return f"({text})" if outer else text
    if node.op in ("neg", "not"):
        return ("-" if node.op == "neg" else "~") + show(node.args[0], True)
    if node.op in ("stop", "envelope", "derived_as"):
        return show(node.args[0], outer)
    return f"{_NAMES.get(node.op, node.op)}({', '.join(map(show, node.args))})"
