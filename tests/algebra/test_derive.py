"""Every derivative rule against differences, through `evaluate`; and derivatives of derivatives."""

import numpy as np
import pytest

from dpsemiring.algebra import derive, expr, numeric, ops
from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import const, make, term, var

A, B, S = var("a"), var("b"), var("s")
T, U = term("t"), term("u")
BAR, BARS = var("bar"), term("bar")
TERMS = np.array([0.7, -0.4, 1.9, 0.2])
OTHERS = np.array([1.3, 0.6, -0.8, 2.1])
LEAVES = {A: 0.83, B: 1.37, S: 0.45, T: TERMS, U: OTHERS}

SCALARS = {
    "add": lambda: A + B,
    "sub": lambda: A - B,
    "mul": lambda: A * B,
    "div": lambda: A / B,
    "neg": lambda: -A,
    "abs": lambda: abs(A) + abs(A - B),
    "minimum": lambda: ops.minimum(A, B) + ops.minimum(A * 3.0, B),
    "maximum": lambda: ops.maximum(A, B) + ops.maximum(A * 3.0, B),
    "where": lambda: ops.where(A < B, A * A, B) + ops.where(B < A, A, B * B),
    "exp": lambda: ops.exp(A * B),
    "log": lambda: ops.log(A * B),
    "exp2": lambda: ops.exp2(A * B),
    "log2": lambda: ops.log2(A * B),
    "sqrt": lambda: ops.sqrt(A * B),
    "mantissa": lambda: ops.frexp(A * B)[0] * 3.0 + ops.frexp(B * 8.0)[0],
    "ldexp": lambda: ops.ldexp(A * B, ops.frexp(B * 9.0)[1]),
    "floor": lambda: A * ops.floor(B * 5.3),
    "rint": lambda: A * ops.rint(B * 5.3),
    "fma": lambda: ops.fma(A, B, A * B * B),
    "derived_as": lambda: ops.exp(ops.derived_as(A * B, B * A)) * ops.derived_as(A * A, ops.exp(2.0 * ops.log(A))),
    "tail": lambda: ops.fma(A, ops.tail(B), A * B),
    "exp2_fraction": lambda: ops.exp2_fraction(A * B),
    "exp2_below": lambda: A * ops.exp2_below(ops.binade(B), ops.binade(A * 9.0)),
    "power_of_two": lambda: B * ops.power_of_two(-ops.binade(A * B)),
    "real": lambda: A * ops.real(ops.frexp(B * 9.0)[1]),
}
AXES = {
    "reduce_sum": lambda: ops.sum(T * T * A),
    "reduce_min": lambda: ops.min(T * A),
    "reduce_max": lambda: ops.max(T * A),
    "threshold": lambda: make("threshold", T * A),
    "simplex": lambda: ops.sum(ops.simplex(T * A) * U),
    "sort": lambda: ops.sum(ops.exp(ops.sort(T * A))) + ops.sum(ops.sort(T)),
    "cumsum": lambda: ops.sum(ops.exp(ops.cumsum(ops.sort(T * A)))) + ops.sum(ops.cumsum(ops.sort(T))),
    "extremes of sorted": lambda: ops.max(ops.cumsum(ops.sort(T)) * A) + ops.min(ops.sort(T * T)),
    "unsort": lambda: ops.sum(ops.exp(make("unsort", ops.cumsum(ops.sort(T * A)), U))),
    "arrange": lambda: ops.sum(ops.exp(ops.cumsum(make("arrange", T * A, U)))),
    "suffix_sum": lambda: ops.sum(ops.exp(make("suffix_sum", ops.sort(T * A)))) + ops.sum(make("suffix_sum", ops.sort(T))),
    "spread": lambda: ops.sum(make("spread", A * A, T)),
    "spread scalar": lambda: ops.sum((T - A) + 0.0) + ops.sum(-(T / B)) + ops.sum(A + T) * B,
    "shifted": lambda: ops.min(T) + A * ops.sum(T - ops.min(T)),
    "chosen": lambda: ops.sum(ops.where(T < A, T, B)) + ops.sum(ops.where(A < B, T, A)),
    "two axes": lambda: ops.sum(T * U) / ops.sum(ops.exp(T)) + ops.max(T + U),
    "softmin": lambda: -A * ops.log(ops.sum(ops.exp(-T / A))),
}


def differences(graph, leaf, step=1e-6):
    """Central differences of a scalar graph by each entry of a leaf."""

    def at(place, move):
        value = np.array(LEAVES[leaf], float)
        value[place] += move
        return evaluate([graph], {**LEAVES, leaf: value})[0]

    found = np.zeros(np.shape(LEAVES[leaf]))
    for place in np.ndindex(found.shape):
        found[place] = (at(place, step) - at(place, -step)) / (2 * step)
    return found


@pytest.mark.parametrize("name", [*SCALARS, *AXES])
def test_rules_against_differences(name):
    graph = {**SCALARS, **AXES}[name]()
    leaves = [A, B, T, U]
    for leaf, flow in zip(leaves, vjp([(graph, const(1.0))], leaves)):
        found = np.broadcast_to(0.0 if flow is None else evaluate([flow], LEAVES)[0], np.shape(LEAVES[leaf]))
        np.testing.assert_allclose(found, differences(graph, leaf), rtol=1e-6, atol=1e-8, err_msg=str(leaf))


def test_no_rule_is_left_out():
    tried = {node.op for make_graph in [*SCALARS.values(), *AXES.values()] for node in expr.postorder([make_graph()])}
    assert set(derive.RULES) - tried <= {"stop", "envelope"}
    without = set(numeric.SCALAR) | set(numeric.AXIS) | set(expr.REDUCTIONS)
    conditions = {"lt", "le", "eq", "ne", "and", "or", "not", "first", "exponent", "integer", "binade", "nearest"}
    assert not without - set(derive.RULES) - conditions


SMOOTH = (
    "mul", "div", "exp", "log", "sqrt", "mantissa", "ldexp", "reduce_sum", "simplex", "softmin", "two axes", "shifted", "chosen",
    "sort", "cumsum",
)  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_of_derivatives(name):
    graph = {**SCALARS, **AXES}[name]()
    (first,) = vjp([(graph, S)], [T if name in AXES else A])
    weighted = ops.sum(first * U) if first.axis else first
    for leaf, flow in zip([A, B, T, S], vjp([(weighted, const(1.0))], [A, B, T, S])):
        found = np.broadcast_to(0.0 if flow is None else evaluate([flow], LEAVES)[0], np.shape(LEAVES[leaf]))
        np.testing.assert_allclose(found, differences(weighted, leaf), rtol=1e-5, atol=1e-7, err_msg=str(leaf))


def test_an_optimum_counts_in_full_inside_a_derivative_also_where_it_stands_in_a_product():
    """V = y y T - (2/3) y^3 at its optimum y = T, which is T^3 / 3: first and second derivative T^2 and 2 T."""
    y = ops.envelope(ops.exp(ops.log(A)))
    (first,) = vjp([(y * y * A - (2.0 / 3.0) * (y * y * y), const(1.0))], [A])
    (second,) = vjp([(first, const(1.0))], [A])
    a = LEAVES[A]
    np.testing.assert_allclose([evaluate([f], LEAVES)[0] for f in (first, second)], [a * a, 2 * a])


def test_a_shared_value_gathers_all_that_flows_to_it():
    shared = ops.exp(A)
    flows = vjp([(shared * B, S), (shared + A, const(2.0))], [A])
    e = np.exp(LEAVES[A])
    np.testing.assert_allclose(evaluate(flows, LEAVES)[0], LEAVES[S] * e * LEAVES[B] + 2 * (e + 1))


def test_ties_give_all_to_the_first():
    tied = {T: np.array([2.0, 1.0, 1.0, 3.0]), A: 1.0, B: 1.0}
    assert evaluate(vjp([(ops.min(T), const(1.0))], [T]), tied)[0].tolist() == [0, 1, 0, 0]
    assert evaluate(vjp([(ops.max(-T), const(1.0))], [T]), tied)[0].tolist() == [0, -1, 0, 0]
    to_a, to_b = vjp([(ops.minimum(A, B), const(1.0))], [A, B])
    assert [evaluate([f], tied)[0].item() for f in (to_a, to_b)] == [1, 0]
    to_a, to_b = vjp([(ops.maximum(A, B), const(1.0))], [A, B])
    assert [evaluate([f], tied)[0].item() for f in (to_a, to_b)] == [1, 0]


def test_a_stopped_value_is_constant_to_all_orders():
    (flow,) = vjp([(A * ops.stop_gradient(A), const(1.0))], [A])
    assert evaluate([flow], LEAVES)[0] == LEAVES[A]
    assert vjp([(flow, const(1.0))], [A]) == [None]


def test_an_optimum_is_constant_once_and_counts_in_full_after():
    # V(a) = min over y of y^2 - 2 a y = -a^2, attained at y = a
    y = ops.envelope(A * 1.5 / 1.5)
    (first,) = vjp([(y * y - 2.0 * A * y, const(1.0))], [A])
    (second,) = vjp([(first, const(1.0))], [A])
    assert evaluate([first], LEAVES)[0] == pytest.approx(-2 * LEAVES[A])
    assert evaluate([second], LEAVES)[0] == pytest.approx(-2.0)


def test_what_does_not_depend_gets_nothing():
    assert vjp([(ops.exp(A), const(1.0))], [B, T]) == [None, None]
    (flow,) = vjp([(ops.where(A < B, 1.0, 2.0) * B, const(1.0))], [A])
    assert flow is None


def test_an_unknown_rule_is_named(monkeypatch):
    monkeypatch.delitem(derive.RULES, "unsort")
    derive._vjp.forget()
    with pytest.raises(NotImplementedError, match="unsort"):
        vjp([(make("reduce_sum", make("unsort", ops.sort(T), T)), const(1.0))], [T])
