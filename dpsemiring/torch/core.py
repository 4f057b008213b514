"""What torch's functions call: a solver on arrays of one layout, in which every tensor begins with a batch axis.

The differentiable inputs of a call are its planes (B, N + i, M + j) and its real parameters (B, ...); masks, labels and
windows are others, (B, ...) or (1, ...). With a batch axis everywhere, whatever maps over a call (`vmap`, a Jacobian)
can fold its own axis into it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import torch

from dpsemiring.api import Result, Solver
from dpsemiring.run.shapes import main_plane
from dpsemiring.torch import bridge
from dpsemiring.torch.checks import holds

LARGE = 1 << 16  # numbers: it pays to see whether a product can be spared
THIRD = "third derivatives of a total are not available: the gradient may be differentiated once more, not twice"


@dataclass(eq=False)
class Memory:
    """The forward run that the passes over one call's tensors share, for as long as the tensors are the same."""

    result: Result | None = None
    tensors: tuple = ()  # held, so that no others can take their place
    places: tuple = ()
    check: bool = False  # whether numbers on a GPU are looked at

    def keep(self, result: Result, tensors) -> None:
        self.result = result
        self.tensors = tuple(None if t is None else t.detach() for t in tensors)
        self.places = tuple(map(_place, tensors))

    def holds(self, tensors) -> bool:
        return self.result is not None and self.places == tuple(map(_place, tensors))


def by_item(flow, array, total, own=False):
    """``flow * array``: one flow for each item of an array (B, ...), in its place if it is nobody else's.

    An item without a path has no derivative, whatever flows.
    """
    flow = torch.where(total.isinf(), 0.0, flow).reshape(-1, *[1] * (array.ndim - 1))
    if own:
        if array.numel() > LARGE and holds(flow != 1.0) is False:  # a sum of totals
            return array
        with suppress(RuntimeError):  # vmap's refusal: several flows at once need more room
            return array.mul_(flow)
    return array * flow


def given(numbers, flows) -> tuple[list, list]:
    """Those of the numbered inputs to which anything flows, and what does."""
    found = [(i, f) for i, f in zip(numbers, flows) if f is not None]
    return [i for i, _ in found], [f for _, f in found]


def _place(tensor):
    """Where a tensor's numbers are, and how often they were written over."""
    if tensor is None:
        return None
    version = 0 if tensor.is_inference() else tensor._version
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, version


@dataclass(eq=False)
class Core:
    """A solver whose every Param has a batch axis, and the names of its inputs in their order."""

    solver: Solver
    planes: tuple[str, ...]
    reals: tuple[str, ...]  # differentiable parameters
    others: tuple[str, ...]
    inputs: tuple[str, ...] = field(init=False)  # all that is differentiable
    shares = True  # gradients with a result that may be read
    number: int = 0  # by which `ops` know it: an attribute, since a graph that is traced can read one and not make it

    def __post_init__(self):
        self.inputs = self.planes + self.reals
        self.count = 2 + len(self.inputs) + len(self.others)  # tensors of a call: n_len, m_len, inputs, others
        self.outputs = tuple(self.solver.semiring.trace.decode)
        self.differentiable = int(self.solver.semiring.derivative)  # how many of the outputs are

    @classmethod
    def of(cls, solver: Solver) -> Core:
        real = solver.recurrence.differentiable
        return cls(
            solver.per_item(),
            solver.recurrence.planes,
            tuple(n for n in solver.params if n in real),
            tuple(n for n in solver.params if n not in real),
        )

    def result(self, memory: Memory, tensors) -> Result:
        """The run over the tensors of a call."""
        if not memory.holds(tensors):
            with bridge.beside(tensors):
                n_len, m_len = (None if t is None else bridge.array_of(t) for t in tensors[:2])
                values = dict(zip(self.inputs + self.others, map(bridge.array_of, tensors[2:])))
                planes, full = self.cost(values)
                lengths = None
                if n_len is not None or m_len is not None:
                    lengths = (full[0] if n_len is None else n_len, full[1] if m_len is None else m_len)
                params = {name: values[name] for name in self.solver.params}
                memory.keep(self.solver(planes, lengths, params, check=memory.check), tensors)
        assert memory.result is not None
        return memory.result

    def cost(self, values) -> tuple[dict, tuple[int, int]]:
        """The planes, from a call's arrays by name, and the extents N and M."""
        planes = {name: values[name] for name in self.planes}
        return planes, planes[main_plane(self.solver.recurrence)].shape[1:]

    def totals(self, memory, tensors) -> list[torch.Tensor]:
        """Every output, (B,); the first is the total."""
        with bridge.beside(tensors):
            return [bridge.tensor_of(o) for o in self.result(memory, tensors).outputs.values()]

    def gradient(self, memory, wanted, tensors) -> list[torch.Tensor]:
        """d total / d the inputs numbered by `wanted`, like these."""
        with bridge.beside(tensors):
            return self._read(self.result(memory, tensors), wanted, tensors[2:])

    def second(self, memory, wanted, along, tensors, directions) -> list[torch.Tensor]:
        """d (d total / d the wanted inputs), while the inputs numbered by `along` move in these directions."""
        with bridge.beside(tensors):
            # what flows in may be infinite, where a loss is; a direction must not be
            arrays = (np.where(np.isinf(a), np.nan, a) for a in map(bridge.array_of, directions))
            moving = {self.inputs[i]: a for i, a in zip(along, arrays)}
            cost = {name: moving.pop(name) for name in self.planes if name in moving}
            return self._read(self.result(memory, tensors).along(cost=cost, params=moving), wanted, tensors[2:])

    def _read(self, found, wanted, inputs):
        arrays = (found.marginals[self.inputs[i]] if i < len(self.planes) else found.grad(self.inputs[i]) for i in wanted)
        return [bridge.tensor_of(np.asarray(a) if np.isscalar(a) else a).to(inputs[i].dtype) for i, a in zip(wanted, arrays)]
