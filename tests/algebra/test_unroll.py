"""A sum over any number of terms unrolled for some candidates equals the sum over those present."""

import itertools
import math

import numpy as np
import pytest

from dpsemiring.algebra import expr, ops, ranges
from dpsemiring.algebra.arrays import evaluate
from dpsemiring.algebra.derive import vjp
from dpsemiring.algebra.expr import INT, const, make, term, var
from dpsemiring.algebra.unroll import unroll

T, E = term("t"), term("e", INT)
G, BAR = var("g"), var("bar")
PARAMS = {G: 0.6, BAR: 0.8}
REDUCTIONS = {
    "sum": ops.sum(T * T),
    "sum of a scalar": ops.sum(T - G),
    "min": ops.min(T),
    "max": ops.max(-T),
    "integer max": ops.real(ops.max(E)) + ops.real(ops.min(E)),
    "ldexp": ops.sum(ops.ldexp(T, E - ops.max(E))),
    "threshold": make("threshold", T / G),
    "simplex": ops.sum(ops.simplex(-T / G) * T),
    "sort": ops.sum(ops.sort(T) * ops.sort(T)),
    "cumsum": ops.max(ops.cumsum(ops.sort(T))) + ops.sum(ops.cumsum(ops.sort(T)) * G),
    "suffix": ops.min(make("suffix_sum", ops.sort(T))),
    "rank": ops.sum(ops.sort(T) / ops.cumsum(ops.sort(T) * 0.0 + 1.0)),
    "softmin": -G * ops.log(ops.sum(ops.exp(-(T - ops.min(T)) / G))),
}
AXES = {
    "first": ops.where(make("first", ops.equal(T, ops.min(T))), 1.0, 0.0),
    "weights": ops.simplex(-T / G),
    "flow of sort": vjp([(ops.sum(ops.exp(ops.sort(T))), BAR)], [T])[0],
    "flow of cumsum": vjp([(ops.sum(ops.exp(ops.cumsum(ops.sort(T)))), BAR)], [T])[0],
    "flow of a plain cumsum": vjp([(ops.sum(ops.cumsum(ops.sort(T))), BAR)], [T])[0],
    "flow of the greatest cumsum": vjp([(ops.max(ops.cumsum(ops.sort(-T))), BAR)], [T])[0],
    "flow of threshold": vjp([(make("threshold", T / G), BAR)], [T])[0],
    "flow of softmin": vjp([(REDUCTIONS["softmin"], BAR)], [T])[0],
}
SAMPLES = [
    [0.4, -1.0, 2.5, 0.9],
    [1.0, 1.0, 0.25, 0.25],
    [0.0, 0.0, 0.0, 0.0],
    [3.0, 2.0, 1.0, 0.5],
]


def values(live, sample, exponents=(2, -3, 5, 0)):
    """The candidates as leaves, and what they hold: rubbish where absent, which must not count."""
    leaves = [var(f"t{i}") for i in range(len(live))]
    powers = [var(f"e{i}", INT) for i in range(len(live))]
    here = [var(f"live{i}", "bool") for i in range(len(live))]
    held = dict(PARAMS)
    for i, present in enumerate(live):
        held[leaves[i]] = sample[i] if present else -7.5
        held[powers[i]] = np.int64(exponents[i] if present else 99)
        held[here[i]] = np.bool_(present)
    return leaves, powers, here, held


def unrolled(graph, live, sample):
    leaves, powers, here, held = values(live, sample)
    (found,) = unroll([graph], {T: leaves, E: powers}, here, {}, {T: ranges.FINITE}, {T: ranges.FINITE})
    return evaluate(found if isinstance(found, list) else [found], held)


def direct(graph, live, sample, exponents=(2, -3, 5, 0)):
    kept = [i for i, present in enumerate(live) if present]
    terms = {T: np.array(sample)[kept], E: np.array(exponents, np.int64)[kept]}
    return evaluate([graph], terms | PARAMS)[0]


SOME = [live for live in itertools.product([True, False], repeat=4) if any(live)]


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    for live, sample in itertools.product(SOME, SAMPLES):
        found, wanted = unrolled(REDUCTIONS[name], live, sample)[0], direct(REDUCTIONS[name], live, sample)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12, err_msg=f"{live} {sample}")


@pytest.mark.parametrize("name", AXES)
def test_one_value_for_each_term(name):
    for live, sample in itertools.product(SOME, SAMPLES):
        found = np.array(unrolled(AXES[name], live, sample), float)[list(live)]
        np.testing.assert_allclose(found, direct(AXES[name], live, sample), rtol=1e-12, atol=1e-12, err_msg=f"{live} {sample}")


@pytest.mark.parametrize("name", ["sum", "min", "max", "threshold", "simplex", "softmin", "weights", "first"])
def test_masked_arrays_equal_the_terms_alone(name):
    """`evaluate` with a mask over many problems at once, as the total of a batch is summed."""
    graph = {**REDUCTIONS, **AXES}[name]
    rng = np.random.default_rng(0)
    terms, live = rng.normal(size=(6, 20)), rng.random((6, 20)) < 0.6
    live[0] = True
    terms[~live] = np.nan
    found = evaluate([graph], {T: terms} | PARAMS, live)[0]
    for j in range(terms.shape[1]):
        wanted = evaluate([graph], {T: terms[live[:, j], j]} | PARAMS)[0]
        mine = found[live[:, j], j] if graph.axis else found[j]
        np.testing.assert_allclose(mine, wanted, rtol=1e-12, atol=1e-14)


def test_no_axis_is_left_after_unrolling():
    leaves, powers, here, _ = values([True] * 3, [1.0, 2.0, 3.0])
    graphs = [*REDUCTIONS.values(), *AXES.values()]
    found = unroll(graphs, {T: leaves, E: powers}, here, {}, {}, {})
    flat = [n for f in found for n in (f if isinstance(f, list) else [f])]
    assert all(n.axis is None and n.op not in ("spread", "term") for n in expr.postorder(flat))


def test_guards_are_left_out_where_the_absent_value_is_neutral_already():
    leaves, _, here, _ = values([True] * 3, [1.0, 2.0, 3.0])
    present = {T: ranges.FINITE | ranges.NEG_INF}
    (least,) = unroll([ops.min(T)], {T: leaves}, here, {}, present, {T: ranges.POS_INF})
    assert not [n for n in expr.postorder([least]) if n.op == "where"]
    (most,) = unroll([ops.max(T)], {T: leaves}, here, {}, present, {T: ranges.POS_INF})
    assert [n for n in expr.postorder([most]) if n.op == "where"]
    (total,) = unroll([ops.sum(ops.exp(-T))], {T: leaves}, here, {}, present, {T: ranges.POS_INF})
    assert not [n for n in expr.postorder([total]) if n.op == "where"]


CLASSES = [(-math.inf, ranges.NEG_INF), (-1.7, ranges.NEG), (-1e-200, ranges.NEG), (0.0, ranges.ZERO), (1e-200, ranges.POS),
           (0.6, ranges.POS), (3.0, ranges.POS), (math.inf, ranges.POS_INF)]  # fmt: skip


@pytest.mark.parametrize("op", [op for op, (kinds, _) in expr.SCALAR_OPS.items() if set(kinds) <= {"real", "num"}])
def test_ranges_never_say_too_little(op):
    """The class of every value lies in the range that is told for it."""
    kinds, _ = expr.SCALAR_OPS[op]
    arguments = [var(f"v{i}") for i in range(len(kinds))]
    if op in ("integer", "exponent"):
        return  # of an infinity they have no value
    graph = make(op, *arguments)
    if graph.op != op:
        return
    for chosen in itertools.product(CLASSES, repeat=len(kinds)):
        leaves = dict(zip(arguments, (v for v, _ in chosen)))
        value = evaluate([graph], leaves)[0].item()
        told = ranges.range_of(graph, dict(zip(arguments, (r for _, r in chosen))))
        assert ranges.of_value(value) & told, f"{op}{tuple(leaves.values())} = {value}"


def test_ranges_of_reductions():
    for classes in itertools.product(CLASSES, repeat=2):
        sample = np.array([v for v, _ in classes])
        both = classes[0][1] | classes[1][1]
        for op in ("reduce_sum", "reduce_min", "reduce_max"):
            value = evaluate([make(op, T)], {T: sample})[0].item()
            assert ranges.of_value(value) & ranges.range_of(make(op, T), {T: both}), (op, sample)


def test_a_constant_is_told_exactly():
    assert ranges.range_of(const(0.0), {}) == ranges.ZERO
    assert ranges.range_of(const(-2.0), {}) == ranges.NEG
