"""Straight code and calls within compiled functions: the operations against NumPy, on lanes and on scalars."""

import numpy as np
import pytest
from numba import njit

from dpsemiring.run.cpu.vector import straight

X = np.linspace(0.3, 4.0, 16)
Y = X[::-1] * np.where(np.arange(16) % 2, 1, -1)
UNARY = {
    "neg": np.negative,
    "absolute": np.abs,
    "floor": np.floor,
    "rint": np.rint,
    "exp": np.exp,
    "exp2": np.exp2,
    "mantissa": lambda x: np.frexp(x)[0],
}
BINARY = {"add": np.add, "sub": np.subtract, "fmul": np.multiply, "div": np.divide, "minimum": np.minimum, "maximum": np.maximum}


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_operations_are_those_of_numpy(real):
    """All in one function: a tuple of lanes out, its items stored."""
    names = [*UNARY, *BINARY]
    V = 16 if real == np.float32 else 8

    @straight
    def cell(x, y, i):
        x, y = load(x, i), load(y, i)  # noqa: F821
        return (
            neg(y), absolute(y), floor(y), rint(y), exp(y), exp2(y), mantissa(y),  # noqa: F821
            add(x, y), sub(x, y), fmul(x, y), div(x, y), minimum(x, y), maximum(x, y),  # noqa: F821
        )  # fmt: skip

    @straight
    def keep(out, i, pitch, values):
        for k, value in enumerate(values):
            store(out, i + k * pitch, value)  # noqa: F821

    @njit
    def run(x, y, out):
        for i in range(0, 16, V):
            keep(out, i, 16, cell(x, y, i))

    x, y = X.astype(real), Y.astype(real)
    out = np.zeros((len(names), 16), real)
    run(x, y, out.reshape(-1))
    for name, row in zip(names, out):
        expected = UNARY[name](y) if name in UNARY else BINARY[name](x, y)
        np.testing.assert_allclose(row, expected, rtol=4e-7 if real == np.float32 else 1e-15, err_msg=name)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_binary_powers_are_those_of_numpy(real):
    """What a mantissa and an exponent are worked with, at the ends of the range too."""
    whole = np.int32 if real == np.float32 else np.int64
    least = -127 if real == np.float32 else -1023
    f = np.linspace(-0.5, 0.5, 16).astype(real)
    x = np.array([0.0, 1.0, 1.9999, 2.0, 0.5, 3e-5, np.finfo(real).max, np.finfo(real).tiny] * 2, real)
    e = np.array([0, -1, -126, -127, -128, -(10**9), 5, least + 1] * 2, whole)
    V = 16 if real == np.float32 else 8

    @straight
    def cell(f, x, e, i):
        f, x, e = load(f, i), load(x, i), load(e, i)  # noqa: F821
        most = sub(e, e)  # noqa: F821
        k = binade(x)  # noqa: F821
        rounded = nearest(mul(f, x))  # noqa: F821
        return exp2_fraction(f), exp2_below(e, most), k, mul(x, power_of_two(neg(k))), fma(f, f, x), rounded  # noqa: F821

    @straight
    def keep(powers, below, k, scaled, fused, rounded, i, values):
        for out, value in zip((powers, below, k, scaled, fused, rounded), values):
            store(out, i, value)  # noqa: F821

    @njit
    def run(f, x, e, powers, below, k, scaled, fused, rounded):
        for i in range(0, 16, V):
            keep(powers, below, k, scaled, fused, rounded, i, cell(f, x, e, i))

    x[6] = x[14] = 100.5
    powers, below, scaled, fused = (np.zeros(16, real) for _ in range(4))
    k, rounded = np.zeros(16, whole), np.zeros(16, whole)
    run(f, x, e, powers, below, k, scaled, fused, rounded)
    np.testing.assert_allclose(powers, np.exp2(f.astype(np.float64)), rtol=1.3e-7 if real == np.float32 else 3e-16)
    assert np.exp2(real(0)) == 1.0
    np.testing.assert_array_equal(below, np.where(e > least, np.ldexp(1.0, e), 0.0).astype(real))
    np.testing.assert_array_equal(k, np.where(x > 0, np.frexp(x)[1] - 1, least))
    np.testing.assert_array_equal(scaled, np.where(x > 0, 2 * np.frexp(x)[0], 0.0))
    np.testing.assert_array_equal(fused, (f.astype(np.longdouble) ** 2 + x).astype(real))
    np.testing.assert_array_equal(rounded, np.rint(f * x))


def test_a_tail_is_what_rounding_loses():
    @straight
    def split(x):
        return cast(x, np.float32(0)), cast(tail(x, np.float32(0)), np.float32(0)), tail(x, np.float64(0))  # noqa: F821

    @njit
    def run(x):
        return split(x)

    head, rest, nothing = run(1 / 3)
    assert head == np.float32(1 / 3) and nothing == 0.0
    assert abs(float(head) + float(rest) - 1 / 3) < 1e-15 < abs(float(head) - 1 / 3)


def test_numbers_in_straight_code_are_constants_and_tuples_stay_tuples():
    @straight
    def cell(pair, i):
        x, y = pair
        found = where(lt(x, y), x, np.float64(7.0))  # noqa: F821
        return i + 2 * i - 1, found

    @njit
    def run(x, y, i):
        return cell((x, y), i)

    assert run(1.0, 2.0, 5) == (14, 1.0) and run(3.0, 2.0, 0) == (-1, 7.0)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_parts_of_vectors_and_totals_of_lanes(real):
    """Lanes beyond a part are neither read nor written; each vector's lanes are added up."""

    @straight
    def move(out, x, low, high):
        store_part(out, -2, load_part(x, -2, low, high), low, high)  # noqa: F821

    @straight
    def keep(sums, x):
        store(sums, 0, totals(*(load(x, i) for i in range(8))))  # noqa: F821

    @njit
    def run(x, out, sums, low, high):
        move(out, x, low, high)
        keep(sums, x)

    x, out = np.arange(1.0, 41.0).astype(real), np.zeros(40, real)
    V = 64 // x.itemsize
    sums = np.zeros(V, real)
    run(x, out, sums, 3, 6)
    assert sums[:8].tolist() == [x[i : i + V].sum() for i in range(8)]
    assert out[1:4].tolist() == [2.0, 3.0, 4.0] and not out[4:].any() and not out[0]
