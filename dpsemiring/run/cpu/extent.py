"""Looking arrays over: how large their numbers are, and whether some are none."""

from __future__ import annotations

import numpy as np

from dpsemiring.run.cpu.compiled import called


def largest(array, rows, lo, hi) -> float:
    """The greatest finite absolute value in rows ``:rows[b]``, columns ``lo[b, n] <= m < hi[b, n]``."""
    if not array.size:
        return 0.0
    whole = np.dtype(np.int32 if array.dtype == np.float32 else np.int64)
    infinite = array.dtype.type(np.inf).view(whole)
    bits = np.array([_largest(array.view(whole), rows, lo, hi, infinite, whole.type(np.iinfo(whole).max))], whole)
    return float(bits.view(array.dtype)[0])


@called(nogil=True)
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


@called(nogil=True)
def survey(array, rows, lo, hi, refused, nan, bad):
    """Mark items whose numbers in rows ``:rows[b]``, columns ``lo[b, n] <= m < hi[b, n]``, hold a NaN, or the refused
    infinity. An axis of length 1 of `lo` and `hi` serves every row."""
    for b in range(rows.size):
        for n in range(min(rows[b], array.shape[1])):
            at = n if lo.shape[1] > 1 else 0
            part = array[b, n, max(lo[b, at], 0) : max(hi[b, at], 0)]  # a loop from 0 is a vector loop
            unequal = 0
            hits = 0
            for m in range(part.size):
                unequal += part[m] != part[m]
                hits += part[m] == refused
            if unequal:
                nan[b] = True
            if hits:
                bad[b] = True
