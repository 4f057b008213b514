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
