"""Dynamic time warping."""

from __future__ import annotations

from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.step import Numeric, Step, Term
from dpsemiring.declare.topology import Topology


def dtw() -> Topology:
    """Classical DTW: steps (1, 1), (1, 0), (0, 1), every cell pays its cost once.

    Also known as symmetric1.

    Source: White and Neely, IEEE Trans. ASSP 24, 1976; Müller, Fundamentals of Music Processing, section 3.2.

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
    """DTW with a multiplicative weight for each direction; 1, 1, 2 (symmetric2) favours no diagonal.

    Parameters
    ----------
    vertical, horizontal, diagonal : float or Param
        Weights of the steps (1, 0), (0, 1) and (1, 1); a Param learns them, for each cell, row or column if it
        has those axes.

    Source: Sakoe and Chiba, 1978; Müller, Fundamentals of Music Processing, section 3.2.2.

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


def symmetric1() -> Topology:
    """`dtw` by its name among the step patterns: every step pays its cell once.

    Source: White and Neely, IEEE Trans. ASSP 24, 1976.

    >>> print(symmetric1())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return dtw()


def symmetric2() -> Topology:
    """DTW whose diagonal step pays its cell twice, as much as the two steps that it replaces.

    The weights beside the first cell's sum to N + M - 2 on every closed path.

    Source: Sakoe and Chiba, IEEE Trans. ASSP 26, 1978, table I, P = 0, symmetric.

    >>> print(symmetric2())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + 2 * cost[n, m]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return weighted_dtw(1.0, 1.0, 2.0)


def dtw_21(vertical: Numeric = 1.0, horizontal: Numeric = 1.0, diagonal: Numeric = 1.0) -> Topology:
    """DTW without repetitions ("2-1" steps): (1, 1), (2, 1) and (1, 2), so that the slope lies within 1/2 .. 2.

    Rows and columns that a step jumps over are paid by nobody. There is no path where one length exceeds twice the
    other less one.

    Parameters
    ----------
    vertical, horizontal, diagonal : float or Param
        Weights of the steps (2, 1), (1, 2) and (1, 1).

    Source: Müller, Fundamentals of Music Processing, section 3.2.2.

    >>> print(dtw_21(vertical=2.0))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + cost[n, m]
        D[n-2, m-1] + 2 * cost[n, m]
        D[n-1, m-2] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return Topology([Step(1, 1, weight=diagonal), Step(2, 1, weight=vertical), Step(1, 2, weight=horizontal)])


def asymmetric() -> Topology:
    """DTW that takes every row once: steps (1, 0), (1, 1) and (1, 2), so that a closed path pays exactly N cells.

    Source: Sakoe and Chiba, IEEE Trans. ASSP 26, 1978, table III (White and Neely's asymmetric form).

    >>> print(asymmetric())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m] + cost[n, m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m-2] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return Topology([Step(1, 0), Step(1, 1), Step(1, 2)])


def rigid() -> Topology:
    """The one step (1, 1): no warping. Of use with an open boundary, to find a part without gaps.

    Source: the limit of Sakoe and Chiba's constraint, P tending to infinity; "rigid" in the R and Python packages dtw.

    >>> print(rigid())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    return Topology([Step(1, 1)])


def mvm(elasticity: int = 20) -> Topology:
    """Minimum variance matching: every row takes a column, in order, and up to ``elasticity - 1`` columns are left out.

    Parameters
    ----------
    elasticity : int
        The greatest step along the columns, at least 1.

    Raises
    ------
    ValueError
        For an elasticity below 1.

    Source: Latecki et al., An elastic partial shape matching technique, Pattern Recognition 40, 2007.

    >>> print(mvm(2))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m-2] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    if not isinstance(elasticity, int) or elasticity < 1:
        raise ValueError(f"mvm: elasticity is a whole number, at least 1, found {elasticity!r}")
    return Topology([Step(1, dm) for dm in range(1, elasticity + 1)])


def subsequence_dtw(axis: int = 1, before: Numeric = 0.0, after: Numeric = 0.0) -> Topology:
    """DTW of one whole sequence with the best part of the other, which lies along `axis`.

    Without compensation short parts are favoured, where costs are not negative. With it each element that is left out
    pays too: before the part the cost of the path's first cell, after it that of its last cell.

    Parameters
    ----------
    axis : 0 or 1
        The axis of the sequence of which a part is taken.
    before, after : float or Param
        How often the first cell's cost is paid beside the once, and the last cell's beside what the step into it pays.
        To compensate, give Params along `axis` (for a ragged batch with "b") whose values are the numbers of elements
        before and after each index; an entry of +inf forbids to start or to end there.

    Source: Müller, Fundamentals of Music Processing, section 7.2.3; the compensation: Zeitler and Müller, Subsequence
    Soft Dynamic Time Warping, ICASSP 2026.

    >>> print(subsequence_dtw(axis=1))
    D[n, m] = sum of
        cost[n, m]   at [0, any m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, any m]

    The compensated form; for M columns ``params={"before": np.arange(M), "after": np.arange(M)[::-1]}``.

    >>> from dpsemiring.declare.param import Param
    >>> print(subsequence_dtw(1, Param("before", axes="m"), Param("after", axes="m")))
    D[n, m] = sum of
        cost[n, m] + before[m] * cost[n, m]   at [0, any m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, any m] + after[m] * cost[n, m]
    """
    plain = Boundary.subsequence(axis)
    (start,), (end,) = plain.starts, plain.ends
    starts = Start(start.n, start.m, terms=(Term(), *_extra(before)))
    return Topology(dtw().steps, boundary=Boundary(starts, End(end.n, end.m, terms=_extra(after))))


def _extra(weight: Numeric) -> tuple[Term, ...]:
    """The cost of a boundary cell once more, so many times."""
    return () if weight == 0.0 else (Term(weight=weight),)


def partial_matching() -> Topology:
    """The best chain of matches: pairs of elements in strict order along both axes, each paying its cost, the rest left out.

    A path starts at any cell and pays it; a step (1, 1) matches the cell that it enters and pays it; steps (1, 0) and
    (0, 1) leave an element out and pay nothing, also over forbidden cells. It ends anywhere. A chain has at least one match;
    it is worth more than one where costs are negative: for a similarity S align ``-S``.

    Notes
    -----
    One chain belongs to many paths, which differ in the order of what they leave out: a hard minimum does not care, a soft
    one counts each of them. The form that begins with the empty chain (Müller, section 7.3) is ``min(0, total)``.

    Source: Müller, Fundamentals of Music Processing, section 7.3; in this form, with every cell a start and an end, Zeitler and
    Müller, A Unified Perspective on CTC and Soft-DTW Using Differentiable DTW, IEEE Trans. ASLP 34, 2026.

    >>> print(partial_matching())
    D[n, m] = sum of
        cost[n, m]   at [any n, any m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m]
        D[n, m-1]
    total = sum of
        D[any n, any m]
    """
    steps = [Step(1, 1), Step(1, 0, terms=()), Step(0, 1, terms=())]
    return Topology(steps, boundary=Boundary.anywhere())
