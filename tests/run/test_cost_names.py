"""Cost sources: sums, multiples, names, kinds of number, and every refusal."""

import math

import numpy as np
import pytest
from cost_cases import FREE, RNG, SOFT, differences, frames, made

import dpsemiring as dp

# --- sums and names ---------------------------------------------------------------------------------


def test_sums_and_multiples():
    x, y = np.abs(frames(RNG(0), 4, 3)), np.abs(frames(RNG(1), 5, 3))
    a, b = dp.costs.sqeuclidean(x, y), dp.costs.cosine(x, y)
    np.testing.assert_allclose(made(2 * (a - 0.5 * b) - a), made(a) - made(b), rtol=1e-12)
    assert repr(2 * (a - 0.5 * b)) == "2 * sqeuclidean(x, y) + -cosine(x, y)"
    shared = a + dp.costs.cosine(np.stack([x, 2 * x]), y, names=("u", "y"))  # one item's cost and a batch of them
    np.testing.assert_allclose(made(shared), np.stack([made(a + b)] * 2), rtol=1e-12)
    assert SOFT(shared).grad("x").shape == (4, 3) and SOFT(shared).grad("u").shape == (2, 4, 3)


def test_one_array_in_several_atoms_has_the_sum_of_their_gradients():
    x, y = frames(RNG(0), 4, 3), frames(RNG(1), 5, 3)

    def both(a):
        return SOFT(dp.costs.sqeuclidean(a, y) + 3 * dp.costs.cosine(a, y))

    np.testing.assert_allclose(both(x).grad("x"), differences(both, x), atol=1e-7)

    def with_itself(a):
        return FREE(dp.costs.sqeuclidean(a, a, names=("x", "x")))

    np.testing.assert_allclose(with_itself(x).grad("x"), differences(with_itself, x), atol=1e-7)


def test_names_tell_arrays_apart():
    x, y, u, v = (frames(RNG(i), 4, 3) for i in range(4))
    source = dp.costs.sqeuclidean(x, y) + dp.costs.sqeuclidean(u, v, names=("u", "v"))
    result = SOFT(source)
    moved = SOFT(dp.costs.sqeuclidean(x, y) + dp.costs.sqeuclidean(u + 1e-6, v, names=("u", "v")))
    np.testing.assert_allclose((moved.total - result.total) / 1e-6, result.grad("u").sum(), rtol=1e-4)
    unnamed = SOFT(dp.costs.sqeuclidean(x, y) + dp.costs.sqeuclidean(u, y))
    assert np.isfinite(unnamed.total) and unnamed.grad("y").shape == (4, 3)
    with pytest.raises(ValueError, match=r"'x' names 2 different arrays .* names=\('x2', 'y2'\)"):
        unnamed.grad("x")


def test_kinds_of_number():
    half, single, whole = np.ones((2, 3), np.float16), np.ones((2, 3), np.float32), np.ones((2, 3), int)
    assert made(dp.costs.sqeuclidean(half, half)).dtype == np.float32
    assert made(dp.costs.bce(0.5 * single, whole)).dtype == np.float32  # multi-hot whole numbers beside float32
    assert made(dp.costs.sqeuclidean(whole, whole)).dtype == np.float64
    assert made(dp.costs.sqeuclidean(single, single.astype(float))).dtype == np.float64
    assert made(dp.costs.sqeuclidean(single.astype(">f4"), single)).dtype == np.float32
    result = SOFT(dp.costs.sqeuclidean(half, half))
    assert result.total.dtype == result.grad("x").dtype == np.float32


def test_arrays_are_left_alone():
    base = frames(RNG(0), 12, 4)
    x, before = base[::-2, ::2], base.copy()
    x.flags.writeable = False
    np.testing.assert_array_equal(SOFT(dp.costs.cosine(x, x)).grad("x"), SOFT(dp.costs.cosine(x.copy(), x.copy())).grad("x"))
    np.testing.assert_array_equal(base, before)


# --- refusals ---------------------------------------------------------------------------------------

X, Y = np.zeros((4, 3)), np.zeros((5, 3))
REFUSED = {
    "features that differ": (
        lambda: SOFT(dp.costs.sqeuclidean(X, np.zeros((5, 2)))),
        ValueError,
        r"sqeuclidean: x has 3 features \(shape \(4, 3\)\) and y has 2 \(shape \(5, 2\)\)",
    ),
    "one axis": (lambda: SOFT(dp.costs.cosine(X[0], Y)), ValueError, r"x has the shape \(3,\); .*series\[:, None\]"),
    "one axis along m": (lambda: SOFT(dp.costs.cosine(X, Y[:, 0])), ValueError, r"y has the shape \(5,\); \(M, D\)"),
    "batches that differ": (
        lambda: SOFT(dp.costs.bce(np.zeros((2, 4, 3)), np.zeros((3, 5, 3)))),
        ValueError,
        "bce: x and y have the batch sizes 2 and 3",
    ),
    "sizes that differ in a sum": (
        lambda: SOFT(dp.costs.sqeuclidean(X, Y) + dp.costs.sqeuclidean(Y, Y)),
        ValueError,
        r"adds sources of different shapes: \(4, 5\), \(5, 5\)",
    ),
    "batches that differ in a sum": (
        lambda: SOFT(dp.costs.sqeuclidean(np.zeros((2, 4, 3)), Y) + dp.costs.sqeuclidean(np.zeros((3, 4, 3)), Y)),
        ValueError,
        "the sources added have the batch sizes 2 and 3",
    ),
    "complex": (lambda: SOFT(dp.costs.sqeuclidean(X + 0j, Y)), TypeError, "sqeuclidean: x has the dtype complex128"),
    "objects": (lambda: SOFT(dp.costs.cosine(X, [[None, 1, 2]])), TypeError, "cosine: y has the dtype object"),
    "not rectangular": (lambda: SOFT(dp.costs.cosine(X, [[1, 2], [1]])), ValueError, "cosine: y is no rectangular array"),
    "labels that are floats": (lambda: SOFT(dp.costs.gather(X, [0.0])), TypeError, "labels are whole numbers, found float64"),
    "labels of three axes": (lambda: SOFT(dp.costs.gather(X, np.zeros((1, 1, 1), int))), ValueError, r"\(M,\) or \(B, M\)"),
    "a negative label": (lambda: SOFT(dp.costs.nll(X, [0, -1])), ValueError, "label -1 of item 0 at column 1 is outside 0 .. 2"),
    "a label too large": (lambda: SOFT(dp.costs.gather(X, [3])), ValueError, "label 3 of item 0 at column 0 is outside 0 .. 2"),
    "whole numbers that may be one-hot": (
        lambda: SOFT(dp.costs.nll(X, np.eye(3, dtype=int))),
        ValueError,
        r"a batch of labels.*pass floats for soft targets \(M, V\), or log_probs\[None\]",
    ),
    "negative weights": (
        lambda: SOFT(dp.costs.nll(X, -np.ones((5, 3)))), ValueError, r"targets holds -1.0 in item 0 at column 0.*\[0, inf\)",
    ),
    "a prediction above 1": (
        lambda: SOFT(dp.costs.bce(X + [0, 1.5, 0], Y)),
        ValueError,
        r"x holds 1.5 in item 0 at row 0, feature 1; \[0, 1\] is expected; pass logits=True",
    ),
    "a target below 0": (
        lambda: SOFT(dp.costs.bce(X, Y - 1, logits=True)), ValueError, r"y holds -1.0 in item 0 at column 0, feature 0; \[0, 1\]",
    ),
    "beyond float32": (
        lambda: SOFT(dp.costs.sqeuclidean(np.full((2, 1), 1e30, np.float32), np.zeros((2, 1), np.float32))),
        ValueError,
        "a cost of item 0 is beyond the range of float32, 1e[+]60",
    ),
    "an infinite multiple": (lambda: math.inf * dp.costs.sqeuclidean(X, Y), ValueError, "by a finite number, found inf"),
    "an array as a multiple": (lambda: np.ones(3) * dp.costs.sqeuclidean(X, Y), TypeError, "unsupported operand"),
    "a number added": (lambda: dp.costs.sqeuclidean(X, Y) + 1.0, TypeError, "unsupported operand"),
    "one name": (lambda: dp.costs.sqeuclidean(X, Y, names="xy"), ValueError, "names is a pair of Python identifiers"),
    "a name that is none": (lambda: dp.costs.cosine(X, Y, names=("x", "1y")), ValueError, r"found \('x', '1y'\)"),
    "a name that a Param has": (
        lambda: dp.compile(dp.topologies.weighted_dtw(dp.Param("x")), dp.Tropical)(dp.costs.cosine(X, Y), params={"x": 1.0}),
        ValueError,
        "are both named 'x'; rename the Param, or pass names= to the source",
    ),
    "gradient of labels": (lambda: SOFT(dp.costs.nll(X, [0])).grad("targets"), ValueError, "'targets' are labels"),
    "gradient of what is none": (lambda: SOFT(dp.costs.cosine(X, Y)).grad("z"), KeyError, "there are x, y"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_mend(case):
    call, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        call()
