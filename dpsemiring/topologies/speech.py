"""Alignment of frames with labels."""

from __future__ import annotations

from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.param import Param
from dpsemiring.declare.step import Step
from dpsemiring.declare.topology import Topology


def ctc() -> Topology:
    """Connectionist temporal classification, on a target with a blank before, between and after its labels.

    Rows are frames, columns the ``2 U + 1`` entries of the extended target, which the call passes as the integer
    parameter ``labels``; the cost of a cell is the negative log-probability of its label in its frame,
    ``-dp.costs.gather(log_probs, labels)``. A blank may be skipped between labels that differ.

    Source: Graves et al., ICML 2006.

    >>> print(ctc())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        cost[n, m]   at [0, 1]
        D[n-1, m] + cost[n, m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m-2] + cost[n, m]   where labels[b, m] != labels[b, m-2]
    total = sum of
        D[N-1, M-1]
        D[N-1, M-2]
    """
    skip = Param("labels", axes="bm").differs(-2)
    steps = [Step(1, 0), Step(1, 1), Step(1, 2, where=skip)]
    return Topology(steps, Boundary([Start(0, 0), Start(0, 1)], [End(-1, -1), End(-1, -2)]))
