"""A user's code as his type checker sees it; checked by `make lint`, run by nobody."""

import numpy as np

import dpsemiring as dp

topology: dp.Topology = dp.Topology(
    [dp.Step(1, 0), dp.Step(1, 1, weight=dp.Param("w", axes="m"), where=dp.Param("y", axes="bm").differs(-2))],
    boundary=dp.Boundary.subsequence(axis=1),
)
semiring: dp.Semiring = dp.Softmin(gamma=dp.Param("gamma", axes="b"))
solver: dp.Solver = dp.compile(topology, semiring)
result: dp.Result = solver(np.ones((4, 5)), lengths=(4, 5), params={"w": 1.0, "gamma": 0.1, "y": np.zeros(5, int)})
best = dp.compile(dp.topologies.dtw(), dp.Tropical)([[1.0, 2.0]]).path
own: dp.Semiring = dp.Semiring("own", dp.inf, 0.0, lambda terms, p: dp.ops.min(terms), lambda a, b, p: a + b)
