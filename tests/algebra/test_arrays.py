"""Graphs as functions over arrays: sums of one term and masks that hold everywhere are no cases of their own."""

import numpy as np
import pytest

from dpsemiring.algebra import ops
from dpsemiring.algebra.arrays import evaluate, sorts, written
from dpsemiring.algebra.expr import INT, term, var
from dpsemiring.run.arrays import every, some
from dpsemiring.testing import samples

SUMMED = [s for s in samples.built_in() if s.trace.sum is not None]
SUMMED += [form for s in SUMMED for form in s.forms]


def graphs_of(trace):
    """What a total evaluates: the sum, and its flows to terms and parameters."""
    to_terms, to_params = trace.sum_backward
    return [*trace.sum, *to_terms, *to_params.values()]


def drawn(trace, shape, rng):
    """Values for the leaves: terms (E, B), bars (B,), parameters (1,)."""
    terms = [rng.integers(-5, 5, shape) if k == INT else rng.uniform(0.5, 3.0, shape) for k in trace.kinds]
    bars = [rng.uniform(-1.0, 1.0, shape[1:]) for _ in trace.kinds]
    return terms, bars, [rng.uniform(0.5, 2.0, 1) for _ in trace.params]


@pytest.mark.parametrize("semiring", SUMMED, ids=lambda s: s.name)
def test_a_single_term_is_an_axis_of_length_one(semiring):
    trace = semiring.trace
    terms, bars, params = drawn(trace, (1, 4), np.random.default_rng(3))
    leaves = (*trace.terms, *trace.bars, *trace.params.values())
    graphs = graphs_of(trace)
    wanted = written(graphs, leaves)(*terms, *bars, *params)
    found = written(graphs, leaves, "one")(*(t[0] for t in terms), *bars, *params)
    for graph, a, b in zip(graphs, wanted, found):
        if graph is None:
            assert a is None and b is None
        else:
            np.testing.assert_array_equal(np.broadcast_to(np.squeeze(a), 4), np.broadcast_to(b, 4))


@pytest.mark.parametrize("semiring", SUMMED, ids=lambda s: s.name)
def test_a_mask_that_holds_everywhere_changes_nothing(semiring):
    trace = semiring.trace
    graphs = graphs_of(trace)
    if sorts(tuple(g for g in graphs if g is not None)):
        pytest.skip("sums that sort are found item by item")
    terms, bars, params = drawn(trace, (3, 4), np.random.default_rng(4))
    leaves = (*trace.terms, *trace.bars, *trace.params.values())
    wanted = written(graphs, leaves)(*terms, *bars, *params)
    found = written(graphs, leaves, "live")(*terms, *bars, *params, np.ones((3, 4), bool))
    for a, b in zip(wanted, found):
        np.testing.assert_array_equal(a, b)


def test_leaves_come_in_the_order_given_whether_used_or_not():
    x, y, z = var("x"), var("y"), var("z")
    assert written([x - z, None, z], (z, y, x))(1.0, 100.0, 5.0) == [4.0, None, 1.0]


def test_a_leaf_without_a_value_is_named():
    with pytest.raises(KeyError, match="no value was given for the leaf y"):
        evaluate([var("x") + var("y")], {var("x"): 1.0})
    with pytest.raises(NotImplementedError, match="sort over masked terms"):
        evaluate([ops.sum(ops.sort(term("x")))], {term("x"): np.ones(2)}, np.ones(2, bool))


def test_masks_somewhere_and_everywhere():
    for mask in (np.zeros((2, 3), bool), np.ones((2, 3), bool), np.eye(3, dtype=bool).T, np.zeros(0, bool)):
        assert some(mask) == mask.any() and every(mask) == mask.all()
