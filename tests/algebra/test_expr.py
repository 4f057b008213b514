"""Expressions: simplification, kinds, axes, and messages that tell a user what to write instead."""

import copy
import math
import operator

import numpy as np
import pytest

import dpsemiring as dp
from dpsemiring.algebra import expr, numeric, ops
from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.expr import INT, const, make, postorder, substitute, term, var

X, Y, Z = var("x"), var("y"), var("z")
K, L = var("k", INT), var("l", INT)
T = term("x")
C = X < Y


@pytest.mark.parametrize(
    "made, simple",
    [
        (X + 0.0, X),
        (0.0 + X, X),
        (X - 0.0, X),
        (0.0 - X, -X),
        (X * 1.0, X),
        (1.0 * X, X),
        (X * -1.0, -X),
        (X / 1.0, X),
        (make("neg", -X), X),
        (X + (-Y), X - Y),
        (~~C, C),
        (C & C, C),
        (C & True, C),
        (make("and", True, C), C),
        (C | False, C),
        (C | C, C),
        (ops.where(C, X, X), X),
        (ops.where(C, ops.where(C, X, Y), Z), ops.where(C, X, Z)),
        (ops.where(C, X, ops.where(C, Y, Z)), ops.where(C, X, Z)),
        (ops.where(C, ops.where(C, X, 0.0) * 2.0, 0.0), ops.where(C, X, 0.0) * 2.0),
        (ops.stop_gradient(ops.stop_gradient(X)), ops.stop_gradient(X)),
        (make("spread", X, Y), X),
        (make("spread", T, T), T),
    ],
)
def test_simplifications(made, simple):
    assert made is simple


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, math.inf, -math.inf])
def test_a_constant_keeps_its_value_and_its_sign(value):
    found = expr.value_of(const(value))
    assert found == value and math.copysign(1.0, found) == math.copysign(1.0, value)


def test_structure_is_shared():
    assert X + Y is X + Y
    assert const(0.0) is not const(-0.0)
    assert const(1, INT) is not const(1.0)
    assert len(postorder([(X + Y) * (X + Y)])) == 4


def test_constants_are_folded():
    two = const(2.0)
    assert expr.value_of(ops.exp(two) / two) == pytest.approx(math.exp(2.0) / 2.0)
    assert expr.value_of(make("div", 1.0, const(0.0))) == math.inf
    assert expr.value_of(make("lt", const(1.0), 2.0)) is True
    assert expr.value_of(make("mul", const(3, INT), const(4, INT))) == 12


@pytest.mark.parametrize("x, y, z", [(1.0, 2.0, 3.0), (2.0, 1.0, -1.0), (0.0, 0.0, 0.0), (-0.5, math.inf, 2.0)])
def test_simplified_graphs_have_the_value_of_the_plain_formula(x, y, z):
    made = {
        "sum": ((X + 0.0) + (-Y) * 1.0, x - y),
        "where": (ops.where(X < Y, ops.where(X < Y, Z, X), Y), z if x < y else y),
        "nested": (ops.where(X < Y, X, ops.where(X < Y, Y, Z)) * -1.0, -(x if x < y else z)),
        "guarded": (ops.where(X < Y, -ops.where(X < Y, Z, 0.0), 0.0), -z if x < y else 0.0),
    }
    found = evaluate([g for g, _ in made.values()], {X: x, Y: y, Z: z})
    np.testing.assert_array_equal(found, [v for _, v in made.values()])


def test_substitution_simplifies_again():
    (found,) = substitute([X * Y + Z], {X: const(1.0), Z: const(0.0)})
    assert found is Y


def test_every_operation_has_a_meaning_on_numbers():
    assert set(expr.SCALAR_OPS) == set(numeric.SCALAR)
    assert set(expr.AXIS_OPS) == set(numeric.AXIS)


def test_integers_become_real_beside_reals_but_not_the_other_way():
    assert (K + 1).kind == INT and (K + X).kind == "real"
    with pytest.raises(TypeError, match="takes int, found real"):
        ops.ldexp(X, Y)


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda: bool(X < Y), r"dp\.ops\.where\(condition, a, b\) in place of `if`"),
        (lambda: np.exp(X), r"dp\.ops\.exp"),
        (lambda: X**3, r"only \*\* 2"),
        (lambda: list(X), "scalar was iterated over"),
        (lambda: (X < Y) + 1.0, r"dp\.ops\.where\(condition, 1\.0, 0\.0\)"),
        (lambda: ops.sum(X), "reduces over the terms, but was given the scalar"),
        (lambda: ops.sum([X, Y]), r"takes an axis"),
        (lambda: ops.min(v for v in (X, Y)), r"in place of a generator"),
        (lambda: ops.cumsum(T), r"dp\.ops\.sort first"),
        (lambda: ops.sort(T) + T, "mixes terms with sorted positions"),
        (lambda: X + "one", "plain numbers, found str"),
        (lambda: X + np.zeros(3), "plain numbers, found ndarray"),
        (lambda: make("sort", X), "along the terms"),
    ],
)
def test_messages_name_the_mend(write, message):
    with pytest.raises(TypeError, match=message):
        write()


def test_square_and_comparisons():
    found = evaluate([X**2, abs(X), X >= Y, X > Y, ops.equal(X, Y), ops.not_equal(X, Y)], {X: -3.0, Y: -3.0})
    assert [v.item() for v in found] == [9.0, 3.0, True, False, True, False]


def tropical(**changes):
    given = {"name": "mine", "zero": math.inf, "one": 0.0, "sum": lambda t, p: ops.min(t), "times": lambda a, b, p: a + b}
    return dp.Semiring(**{**given, **changes})


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"sum": lambda t, p: t}, TypeError, "one value for each term where one in all is expected: reduce it"),
        ({"sum": lambda t, p: p.gamma * ops.min(t)}, AttributeError, "has no parameter 'gamma'; it has: none"),
        ({"times": lambda a, b, p: (a, b)}, ValueError, "times gives 2 components, the carrier has 1"),
        ({"zero": (0.0, 1.0)}, ValueError, "zero gives 2 components"),
        ({"encode": lambda w, p: w < 0.0}, TypeError, r"dp\.ops\.where\(condition, 1\.0, 0\.0\)"),
        ({"sum": lambda t, p: np.min(t)}, TypeError, "NumPy cannot evaluate a traced value"),
        ({"sum": lambda t, p: min(t), "laws": ()}, ValueError, "must be associative"),
        ({"sum": lambda t, p: min(t)}, TypeError, "no truth value"),
        ({"decode": lambda x, p: {"total": ops.frexp(x)[1] < 3}}, TypeError, "decode"),
    ],
)
def test_tracing_a_wrong_function_says_what_is_wrong(changes, error, message):
    with pytest.raises(error, match=message) as caught:
        tropical(**changes).trace  # noqa: B018 - traced when first read
    assert "mine" in str(caught.value)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"laws": ("commutative",)}, "unknown law 'commutative'; the laws are associative"),
        ({"carrier": "x"}, "tuple of distinct names"),
        ({"forbid": 1.0}, r"\+inf \(costs\) or -inf \(scores\)"),
        ({"positive": ("gamma",)}, "which is no parameter"),
        ({"positive": ("gamma",), "params": {"gamma": 0.0}}, "gamma must be finite and > 0, found 0.0"),
        ({"positive": ("gamma",), "params": {"gamma": math.inf}}, "finite and > 0"),
        ({"positive": ("gamma",), "params": {"gamma": math.nan}}, "finite and > 0"),
    ],
)
def test_a_semiring_is_checked_when_made(changes, message):
    with pytest.raises(ValueError, match=message):
        tropical(**changes)


def test_a_trace_may_be_made_of_python_operators_alone():
    plain = tropical(times=lambda a, b, p: operator.add(a, b), decode=lambda x, p: {"total": x, "twice": 2 * x})
    assert list(plain.trace.decode) == ["total", "twice"]
    assert copy.copy(plain).trace.times == plain.trace.times
