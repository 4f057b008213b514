"""Problems of the catalogue as tensors, and as functions of those that torch differentiates."""

from collections.abc import Mapping
from zlib import crc32

import numpy as np
import torch
from catalogue import PRESETS, SEMIRINGS

import dpsemiring as dp
from dpsemiring.testing import random_problem
from dpsemiring.testing.problems import HAVE_DERIVATIVE, roles


class Case:
    """A random problem; `inputs` are its differentiable tensors, and `solve(*inputs)` its result."""

    def __init__(self, preset, semiring, *, batch=2, dtype=torch.float64, engine="reference", shape=None):
        (self.topology, most), self.semiring = PRESETS[preset], SEMIRINGS[semiring]
        rng = np.random.default_rng(crc32(f"{preset} {semiring}".encode()))
        problem = random_problem(rng, self.topology, self.semiring, shape or most, "uniform", batch)
        self.solver = dp.compile(self.topology, self.semiring, engine=engine)
        planes = problem.cost if isinstance(problem.cost, Mapping) else {self.topology.planes()[0]: problem.cost}
        self.planes = tuple(planes)
        params = {name: torch.tensor(np.asarray(value)) for name, value in problem.params.items()}
        uses = roles(self.topology, self.semiring)
        self.reals = tuple(n for n in params if uses[n] in HAVE_DERIVATIVE)
        self.fixed = {n: v for n, v in params.items() if n not in self.reals}
        self.lengths = None if problem.lengths is None else tuple(map(torch.as_tensor, problem.lengths))
        self.names = self.planes + self.reals
        values = [torch.tensor(a) for a in planes.values()] + [params[n] for n in self.reals]
        self.inputs = tuple(v.to(dtype).requires_grad_() for v in values)
        self.reached = torch.isfinite(self.solve(*values).total.detach())  # items that have a path

    def solve(self, *inputs, lengths="own"):
        values = dict(zip(self.names, inputs))
        cost = {name: values[name] for name in self.planes}
        params = self.fixed | {name: values[name] for name in self.reals}
        return self.solver(cost, self.lengths if lengths == "own" else lengths, params)

    def total(self, *inputs):
        """Of the items that have a path: at an infinity there are no differences to take."""
        return self.solve(*inputs).total[self.reached]
