"""Dynamic time warping."""

from __future__ import annotations

from dpsemiring.declare.boundary import Boundary
from dpsemiring.declare.step import Numeric, Step
from dpsemiring.declare.topology import Topology


def dtw() -> Topology:
    """Classical DTW: steps (1, 1), (1, 0), (0, 1), every cell pays its cost once.

    Source: Sakoe and Chiba, 1978, symmetric0; Müller, Fundamentals of Music Processing, section 3.2.

    >>> print(dtw())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return weighted_dtw(1.0, 1.0, 1.0)


def weighted_dtw(vertical: Numeric = 1.0, horizontal: Numeric = 1.0, diagonal: Numeric = 2.0) -> Topology:
    """DTW with a multiplicative weight for each direction; 1, 1, 2 favours no diagonal.

    Parameters
    ----------
    vertical, horizontal, diagonal : float or Param
        Weights of the steps (1, 0), (0, 1) and (1, 1); a Param learns them, for each cell, row or column if it
        has those axes.

    Source: Sakoe and Chiba, 1978; Müller, section 3.2.1.

    >>> from dpsemiring.declare.param import Param
    >>> print(weighted_dtw(horizontal=Param("stay", axes="m")))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + 2 * cost[n, m]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + stay[m] * cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return Topology([Step(1, 1, weight=diagonal), Step(1, 0, weight=vertical), Step(0, 1, weight=horizontal)])


def subsequence_dtw(axis: int = 1) -> Topology:
    """DTW of one whole sequence with the best part of the other, which lies along `axis`.

    Source: Müller, section 7.2.2.

    >>> print(subsequence_dtw(axis=1))
    D[n, m] = sum of
        cost[n, m]   at [0, any m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, any m]
    """
    return Topology(dtw().steps, boundary=Boundary.subsequence(axis))
