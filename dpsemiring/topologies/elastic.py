"""Elastic measures of time series, as the literature defines them.

They differ from each other in what a step pays. Whatever depends on the series comes at the call: a cost for each pair,
a price for each element of one of them. So gradients end at those numbers; the two or three lines that make them from
the series x, of shape (N,), and y, of shape (M,), stand in each docstring. What the literature divides by a length, or
turns from a similarity into a distance, is arithmetic on the total.
"""

from __future__ import annotations

from dpsemiring.declare.boundary import Boundary, Start
from dpsemiring.declare.param import Param
from dpsemiring.declare.step import Numeric, Step, Term
from dpsemiring.declare.topology import Topology
from dpsemiring.topologies.edit import edit_distance, needleman_wunsch


def wdtw() -> Topology:
    """Weighted DTW: every cell pays its cost times a weight of its own, which grows with the distance to the diagonal.

    The weight is the param ``weight``, (N, M), of any shape over the lattice; the logistic one of the paper is below.

    Source: Jeong, Jeong and Omitaomu, Pattern Recognition 44, 2011.

    >>> print(wdtw())
    D[n, m] = sum of
        weight[n, m] * cost[n, m]   at [0, 0]
        D[n-1, m-1] + weight[n, m] * cost[n, m]
        D[n-1, m] + weight[n, m] * cost[n, m]
        D[n, m-1] + weight[n, m] * cost[n, m]
    total = sum of
        D[N-1, M-1]

    >>> import dpsemiring as dp
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0, 3.0]), np.array([0.0, 3.0, 2.0])
    >>> away = np.abs(np.arange(4)[:, None] - np.arange(3))
    >>> weight = 1.0 / (1.0 + np.exp(-0.05 * (away - max(4, 3) / 2)))
    >>> solver = dp.compile(wdtw(), dp.Tropical, engine="reference")
    >>> float(solver((x[:, None] - y) ** 2, params={"weight": weight}).total.round(6))  # 1 and 1, one off the diagonal
    0.975005
    """
    weight = Param("weight", axes="nm")
    steps = [Step(dn, dm, weight=weight) for dn, dm in ((1, 1), (1, 0), (0, 1))]
    return Topology(steps, Boundary(Start(terms=[Term(weight=weight)])))


def erp() -> Topology:
    """Edit distance with real penalty: an element left out pays its distance to the constant g. A metric.

    The params ``deletion`` (N + 1,) and ``insertion`` (M + 1,), or (B, N + 1) and (B, M + 1), hold these distances;
    their entry 0 is not used.

    Source: Chen and Ng, On the marriage of Lp-norms and edit distance, VLDB 2004.

    >>> print(erp())
    D[n, m] = sum of
        one   at [0, 0]
        D[n-1, m-1] + cost[n-1, m-1]
        D[n-1, m] + deletion[b, n]
        D[n, m-1] + insertion[b, m]
    total = sum of
        D[N, M]

    >>> import dpsemiring as dp
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0, 3.0]), np.array([0.0, 3.0, 2.0])
    >>> g = 0.0
    >>> gaps = {"deletion": np.abs(np.append(g, x) - g), "insertion": np.abs(np.append(g, y) - g)}
    >>> float(dp.compile(erp(), dp.Tropical, engine="reference")(np.abs(x[:, None] - y), params=gaps).total)
    2.0
    """
    return edit_distance(Param("deletion", axes="bn"), Param("insertion", axes="bm"))


def edr() -> Topology:
    """Edit distance on real sequences: elements within epsilon of each other are equal.

    The threshold is taken before the call, so epsilon has no gradient.

    Source: Chen, Özsu and Oria, Robust and fast similarity search for moving object trajectories, SIGMOD 2005.

    >>> print(edr())
    D[n, m] = sum of
        one   at [0, 0]
        D[n-1, m-1] + cost[n-1, m-1]
        D[n-1, m] + 1
        D[n, m-1] + 1
    total = sum of
        D[N, M]

    >>> import dpsemiring as dp
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0, 3.0]), np.array([0.0, 3.0, 2.0])
    >>> epsilon = 0.5
    >>> int(dp.compile(edr(), dp.Tropical, engine="reference")(np.abs(x[:, None] - y) > epsilon).total)
    2
    """
    return edit_distance()


def lcss() -> Topology:
    """Longest common subsequence: pairs within epsilon score 1, other pairs are forbidden, leaving out is free.

    Best over scores, with a semiring that maximises; over costs, negate the score: -1 and +inf. Pairs that must be near
    in time are forbidden in the same way. The literature's distance is ``1 - total / min(N, M)``.

    The literature takes a pair whenever it matches and looks at the other two moves only else. The best total is the
    same, but not a sum over paths: this declaration counts those that leave out a match too. Epsilon has no gradient.

    Source: Vlachos, Kollios and Gunopulos, Discovering similar multidimensional trajectories, ICDE 2002.

    >>> print(lcss())
    D[n, m] = sum of
        one   at [0, 0]
        D[n-1, m-1] + cost[n-1, m-1]
        D[n-1, m]
        D[n, m-1]
    total = sum of
        D[N, M]

    >>> import dpsemiring as dp
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0, 3.0]), np.array([0.0, 3.0, 2.0])
    >>> epsilon, delta = 0.5, 2
    >>> away = np.abs(np.arange(4)[:, None] - np.arange(3))
    >>> match = (np.abs(x[:, None] - y) <= epsilon) & (away <= delta)
    >>> int(-dp.compile(lcss(), dp.Tropical, engine="reference")(np.where(match, -1.0, np.inf)).total)
    2
    """
    return needleman_wunsch(gap=0.0)


def msm(c: Numeric = Param("c")) -> Topology:
    """Move, split, merge: an element that repeats its neighbour pays c, and its way there unless it lies between. A metric.

    Three planes (N, M): ``cost`` of a move; ``split`` and ``merge``, what is paid beyond c for going on along x alone,
    along y alone. The first row of one and the first column of the other are not used.

    Parameters
    ----------
    c : float or Param
        Price of a split or a merge.

    Source: Stefan, Athitsos and Das, The move-split-merge metric for time series, IEEE TKDE 25, 2013.

    >>> print(msm(c=0.5))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m] + split[n, m] + 0.5
        D[n, m-1] + merge[n, m] + 0.5
    total = sum of
        D[N-1, M-1]

    >>> import dpsemiring as dp
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0, 3.0]), np.array([0.0, 3.0, 2.0])
    >>> def beyond(a, b, d):  # 0 where a lies between b and d, else the distance to the nearer of them
    ...     return np.where((a - b) * (a - d) <= 0, 0.0, np.minimum(np.abs(a - b), np.abs(a - d)))
    >>> column = x[:, None]
    >>> split, merge = beyond(column, np.roll(column, 1), y), beyond(y, column, np.roll(y, 1))
    >>> planes = {"cost": np.abs(column - y), "split": split, "merge": merge}
    >>> float(dp.compile(msm(c=0.5), dp.Tropical, engine="reference")(planes).total)
    2.5
    """
    steps = [Step(1, 1), Step(1, 0, terms=[Term("split")], penalty=c), Step(0, 1, terms=[Term("merge")], penalty=c)]
    return Topology(steps)


def twe() -> Topology:
    """Time warp edit distance: a match pays for both ends of two segments and their shift in time, an edit its segment.

    The params ``deletion`` (N,) and ``insertion`` (M,), or with a batch axis before, do not use their entry 0.

    The literature pads both series with a 0 at time 0 and lets no path leave out a first element, so all begin with the
    first pair, which pays its cost: here the start. A step pays one penalty, so stiffness, penalty and segment are
    summed before the call: the gradient in lam is the sum of ``grad("deletion")`` and ``grad("insertion")``.

    Source: Marteau, Time warp edit distance with stiffness adjustment, IEEE TPAMI 31, 2009.

    >>> print(twe())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m-1] + cost[n, m] + cost[n-1, m-1]
        D[n-1, m] + deletion[b, n]
        D[n, m-1] + insertion[b, m]
    total = sum of
        D[N-1, M-1]

    >>> import dpsemiring as dp
    >>> import numpy as np
    >>> x, y = np.array([0.0, 1.0, 3.0, 3.0]), np.array([0.0, 3.0, 2.0])
    >>> s, t, nu, lam = np.arange(4), np.arange(3), 0.25, 1.0  # time stamps, stiffness, penalty of an edit
    >>> edits = {
    ...     "deletion": np.abs(np.diff(x, prepend=x[0])) + nu * np.diff(s, prepend=s[0]) + lam,
    ...     "insertion": np.abs(np.diff(y, prepend=y[0])) + nu * np.diff(t, prepend=t[0]) + lam,
    ... }
    >>> cost = np.abs(x[:, None] - y) + nu * np.abs(s[:, None] - t)
    >>> float(dp.compile(twe(), dp.Tropical, engine="reference")(cost, params=edits).total)
    5.25
    """
    steps = [
        Step(1, 1, terms=[Term(), Term(at=(-1, -1))]),
        Step(1, 0, terms=(), penalty=Param("deletion", axes="bn")),
        Step(0, 1, terms=(), penalty=Param("insertion", axes="bm")),
    ]
    return Topology(steps)
