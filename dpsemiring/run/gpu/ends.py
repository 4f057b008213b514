"""The total and what flows back from it on a device: a kernel for each."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dpsemiring.lower.cuda_text import Module
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.schedule import LANES
from dpsemiring.run.engine import Run
from dpsemiring.run.gpu.arguments import launch, of_item, of_site
from dpsemiring.run.gpu.device import Device
from dpsemiring.run.total import Flows, read_at

_KINDS = {"float*": np.float32, "double*": np.float64, "i64*": np.int64, "bool*": np.bool_}


class EndKernels:
    """The n-ary sum over the ends of every item, and its derivative, by the kernels of a text of `cuda_ends`.

    Nothing here waits for the device but `chosen`.
    """

    def __init__(self, recurrence: Recurrence, device: Device, module: Module, run: Run, threads: int):
        self.r, self.device, self.module, self.run, self._threads = recurrence, device, module, run, threads

    def total(self) -> dict[str, Any]:
        """Every output by name, (B,)."""
        return {name: self._forward[f"out{i}"] for i, name in enumerate(self.r.semiring.trace.decode)}

    @property
    def somewhere(self):
        return self._forward["some"]

    def chosen(self) -> np.ndarray:
        """(B,), on the host: the position of the end that a selecting sum takes; -1 for none."""
        return self.device.host(self._forward["chosen"])

    def flows(self) -> Flows:
        found, r, run = self._launched("flows"), self.r, self.run
        values = [found[f"dA{c}"] for c in range(len(run.values))]
        sites = {i: (found[f"dS{i}"], *read_at(r, run.problem, run.ends, i)) for i in range(len(r.sites)) if f"dS{i}" in found}
        return Flows(values, sites, {name: found[f"dp{i}"] for i, name in enumerate(r.semiring.trace.params)})

    @cached_property
    def _forward(self) -> dict[str, Any]:
        return self._launched("total")

    def _launched(self, kernel: str) -> dict[str, Any]:
        """What a kernel gives, by the names of its parameters."""
        items, each = self.run.ends.n.shape
        arguments, given, sizes = self.module.kernels[kernel], self._inputs, {"items": items, "each": each}
        found = {a.name: self.device.empty([sizes[s] for s in a.shape], _KINDS[a.type]) for a in arguments if a.shape}
        if items:
            grid = self.device.blocks(-(-items * (LANES if each > 1 else 1) // self._threads))
            launch(self.device, self.module, kernel, grid, self._threads, given | found)
        return found

    @cached_property
    def _inputs(self) -> dict[str, Any]:
        p, ends, constant = self.run.problem, self.run.ends, self.device.constant
        items, each = ends.n.shape
        given: dict[str, Any] = {"items": items, "each": each, "skip": p.nan}
        given["stands"] = None if ends.whole else constant(ends.exist)
        given |= {f"D{c}": value for c, value in enumerate(self.run.values)}
        for i, name in enumerate(self.r.semiring.trace.params):
            given |= of_item(f"p{i}", p.params[name])
        asked = {a.name for a in self.module.kernels["total"]}
        if "end_n" in asked:
            listed = {"end_n": ends.n, "end_m": ends.m, "end_which": ends.which, "n_len": p.n_len, "m_len": p.m_len}
            given |= {name: constant(np.ascontiguousarray(a, np.int64)) for name, a in listed.items()}
        for i in range(len(self.r.sites)):
            if f"a{i}" in asked:
                given |= of_site(p, i)
        return given
