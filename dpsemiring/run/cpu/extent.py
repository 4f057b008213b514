"""How large the numbers of an array are."""

from __future__ import annotations

import numpy as np
from numba import njit


def largest(array, rows, lo, hi) -> float:
    """The greatest finite absolute value in rows ``:rows[b]``, columns ``lo[b, n] <= m < hi[b, n]``."""
    if not array.size:
        return 0.0
    whole = np.dtype(np.int32 if array.dtype == np.float32 else np.int64)
    infinite = array.dtype.type(np.inf).view(whole)
    bits = np.array([_largest(array.view(whole), rows, lo, hi, infinite, whole.type(np.iinfo(whole).max))], whole)
    return float(bits.view(array.dtype)[0])


@njit(nogil=True, cache=True)
def _largest(bits, rows, lo, hi, infinite, unsigned):
    """Without its sign a number is the greater the greater its bits are as an integer; an integer maximum is a vector loop."""
    nothing = infinite ^ infinite
    most = nothing
    for b in range(rows.size):
        for n in range(min(rows[b], bits.shape[1])):
            at = n if lo.shape[1] > 1 else 0
            part = bits[b, n, max(lo[b, at], 0) : max(hi[b, at], 0)]
            for m in range(part.size):
                size = part[m] & unsigned
                most = max(most, size if size < infinite else nothing)
    return most
