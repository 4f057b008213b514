"""What each operation means on numbers: the NumPy interpretation, in float64 and along axis 0."""

from __future__ import annotations

import numpy as np

HOST = np.ndarray, np.generic, float, int
_LEAST = -1023  # below the exponents of normal numbers


def as_array(x):
    """A number as an array; arrays, whosever they are, as they stand."""
    return x if hasattr(x, "__array_function__") else np.asarray(x)


def _power_of_two(e):
    if isinstance(e, HOST):
        return np.ldexp(1.0, np.asarray(e).astype(np.int32, copy=False))
    # a device's library may take a plain 1.0 beside int32 for half precision
    return np.ldexp(np.ones_like(e, dtype=np.float64), e.astype(np.int32, copy=False))


def _exp2_below(e, most):
    if e is most:  # of a single term
        return 1.0
    below = np.subtract(e, most)
    return _power_of_two(np.maximum(below, _LEAST)) * (below > _LEAST)


SCALAR = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "neg": np.negative,
    "abs": np.abs,
    "where": np.where,
    "lt": np.less,
    "le": np.less_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "exp": np.exp,
    "log": np.log,
    "exp2": np.exp2,
    "log2": np.log2,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "rint": np.rint,
    "mantissa": lambda x: np.frexp(x)[0],
    "exponent": lambda x: np.frexp(x)[1],
    "ldexp": lambda m, e: np.ldexp(m, np.clip(e, -(2**30), 2**30).astype(np.int32)),
    "fma": lambda a, b, c: a * b + c,
    "tail": lambda x: np.zeros(np.shape(x)) if isinstance(x, HOST) else np.zeros_like(x, dtype=np.float64),
    "exp2_fraction": np.exp2,
    "exp2_below": _exp2_below,
    "power_of_two": _power_of_two,
    "binade": lambda x: np.where(np.not_equal(x, 0.0), np.frexp(x)[1] - 1, _LEAST),
    "nearest": lambda x: np.rint(x).astype(np.int64),
    "real": lambda e: as_array(e).astype(np.float64, copy=False),
    "integer": lambda x: as_array(x).astype(np.int64),
    "spread": lambda x, terms: np.broadcast_to(x, np.broadcast_shapes(np.shape(x), np.shape(terms))),
    "stop": lambda x: x,
    "envelope": lambda x: x,
    "derived_as": lambda x, other: x,
}


def threshold(x):
    """tau with sum(max(x - tau, 0)) = 1 along axis 0; -inf stands for an absent entry.

    The projection of x onto the simplex is max(x - tau, 0) (Held, Wolfe and Crowder, 1974). tau is the
    greatest of (sum of the j largest - 1) / j, since each is a lower bound and the support attains it.
    """
    falling = -np.sort(-x, axis=0)
    rank = np.cumsum(np.ones_like(falling), axis=0)
    return np.max((np.cumsum(falling, axis=0) - 1.0) / rank, axis=0)


def first(mask):
    """The mask with only the first true entry along axis 0 kept."""
    return mask & (np.cumsum(mask, axis=0) == 1)


def unsort(values, keys):
    """Values that stand in the order of the sorted keys, put back in the order of the keys."""
    out = np.empty_like(values)
    np.put_along_axis(out, np.argsort(keys, axis=0, kind="stable"), values, axis=0)
    return out


def arrange(values, keys):
    """Values put into the order of the sorted keys."""
    return np.take_along_axis(values, np.argsort(keys, axis=0, kind="stable"), axis=0)


AXIS = {
    "first": first,
    "sort": lambda x: np.sort(x, axis=0),
    "cumsum": lambda x: np.cumsum(x, axis=0),
    "suffix_sum": lambda x: np.cumsum(x[::-1], axis=0)[::-1],
    "unsort": unsort,
    "arrange": arrange,
}


def _reduce(ufunc, name):
    """Along axis 0; arrays of a device have a method for it, which may refuse an array without a number."""

    def reduced(x):
        if isinstance(x, np.ndarray):
            return ufunc.reduce(x, axis=0)
        return getattr(x, name if x.size else "sum")(axis=0)

    return reduced


REDUCE = {
    "reduce_sum": _reduce(np.add, "sum"),
    "reduce_min": _reduce(np.minimum, "min"),
    "reduce_max": _reduce(np.maximum, "max"),
    "threshold": threshold,
}

# the same along an axis of one term, left out
ALONE = {
    **dict.fromkeys(["spread", "reduce_min", "reduce_max", *AXIS], lambda x, *_: x),
    "reduce_sum": lambda x: np.add(x, 0),  # as NumPy has it: no -0
    "threshold": lambda x: np.subtract(x, 1.0),
}
