"""`solver(cost)` on tensors: inputs checked and given a batch axis, results as tensors that torch can differentiate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import torch

from dpsemiring.api import Solver
from dpsemiring.declare.costs import Source
from dpsemiring.run.shapes import main_plane, param_shape, params_by_name, plane_shapes, planes_by_name
from dpsemiring.torch import bridge, ops
from dpsemiring.torch.autograd import Gradient, Total
from dpsemiring.torch.checks import check_one_device, check_place, real_tensor
from dpsemiring.torch.core import Core, Memory
from dpsemiring.torch.fused import Fused, TotalOfSources, costs, kind_of_all, may_fuse
from dpsemiring.torch.sources import TensorSource

_cores: WeakKeyDictionary[Solver, Core] = WeakKeyDictionary()


@torch.compiler.assume_constant_result
def core_of(solver: Solver) -> Core:
    """What calls of this solver share; made once."""
    core = _cores.get(solver)
    if core is None:
        core = _cores[solver] = Core.of(solver)
        core.number = ops.number(core)
    return core


def solve(solver: Solver, cost, lengths=None, params: Mapping[str, object] | None = None, check: bool = False) -> TensorResult:
    """What ``solver(cost, lengths, params)`` gives for tensors; see `Solver.__call__`."""
    recurrence, core = solver.recurrence, core_of(solver)
    planes, as_dict = planes_by_name(recurrence, cost)
    planes = {
        name: TensorSource.of(name, p) if isinstance(p, Source) else real_tensor(f"plane {name!r}", p)
        for name, p in planes.items()
    }
    for name, plane in planes.items():
        if len(plane.shape) not in (2, 3):
            raise ValueError(f"plane {name!r} has the shape {tuple(plane.shape)}; (N, M) or (B, N, M) is expected")
    batched, shapes = plane_shapes({name: tuple(p.shape) for name, p in planes.items()}, recurrence)
    shape = shapes[main_plane(recurrence)]
    given = params_by_name(solver.params, params, shape, recurrence.extra)
    lengths = _lengths(lengths, shape[0])
    kind = kind_of_all(planes.values())
    numbers, whole_numbers = [], []
    named = [(f"plane {name!r}", tensor) for name, plane in planes.items() for tensor in _tensors_of(plane)]
    for what, tensor in named:
        check_place(what, tensor)
    values = {name: _number(name, value, named[0][1].device) for name, value in given.items()}
    check_one_device([*named, *((f"params[{name!r}]", value) for name, value in values.items())])
    for name in core.reals + core.others:
        value, param = values[name], solver.params[name]
        full = param_shape(param, tuple(value.shape), shape, batched, recurrence.extra)
        lead = full if "b" in param.axes else (1, *full)
        value = value.reshape(lead)
        if name in core.reals:
            value = value.to(torch.promote_types(value.dtype, torch.float32)) if value.is_floating_point() else value.to(kind)
            numbers.append(value.expand(shape[0], *lead[1:]))
        else:
            whole_numbers.append(value.detach())
    rest = batched, as_dict, {name: tuple(v.shape) for name, v in values.items()}
    if may_fuse(core, planes, shape, numbers):
        fused = Fused(core, planes)
        return FusedResult(fused, fused.tensors(lengths, shape[0], numbers, whole_numbers), *rest, check=check)
    tensors = [*lengths, *costs(core, planes, lengths), *numbers, *whole_numbers]
    return TensorResult(core, tensors, *rest, check=check)


LOST = "torch takes this derivative for 0, without a word"


@torch.compiler.assume_constant_result  # while a graph is traced too the stack is that of the call
def _forward_modes() -> int:
    """How many forward modes of `torch.func` are at work around this call."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    return sum(level.key() == torch._C._functorch.TransformType.Jvp for level in stack)


def _tensors_of(plane) -> list[torch.Tensor]:
    return [tensor for tensor, _ in plane.tensors()] if isinstance(plane, TensorSource) else [plane]


def _number(name, value, device: torch.device) -> torch.Tensor:
    """A Param's value as a tensor; single numbers need not lie on the cost's device."""
    what = f"params[{name!r}]"
    if isinstance(value, np.ndarray):
        raise TypeError(f"{what} is a NumPy array and the cost a torch tensor; use one library: torch.as_tensor(array)")
    if not isinstance(value, torch.Tensor):
        made = torch.as_tensor(value)  # plain numbers come in torch's default kind, and would be rounded to it
        kind = torch.float64 if made.is_floating_point() else made.dtype
        if device.type != "cpu" and made.ndim == 0:  # a fill, where a copy could not be captured
            return torch.full((), value, dtype=kind, device=device)
        return torch.as_tensor(value, dtype=kind, device=device)
    check_place(what, value)
    if value.numel() == 1:
        value = value.to(device)
    if value.is_complex():
        raise TypeError(f"{what} has the dtype {value.dtype}; real numbers are expected")
    return value


def _lengths(lengths, batch) -> list[torch.Tensor | None]:
    """Both lengths, (B,); None for the full ones."""
    if lengths is None:
        return [None, None]
    if isinstance(lengths, Mapping) or not isinstance(lengths, (tuple, list)) or len(lengths) != 2:
        raise ValueError(f"lengths is a pair (n, m) of whole numbers, or of tensors of shape ({batch},); found {lengths!r}")
    out: list[torch.Tensor | None] = []
    for axis, value in zip("nm", lengths):
        if value is None:
            out.append(None)
            continue
        value = torch.as_tensor(value)
        if value.is_floating_point() or value.dtype == torch.bool or value.is_complex():
            raise ValueError(f"lengths: those along {axis} are whole numbers, found {value.dtype}")
        if value.ndim > 1 or (value.ndim == 1 and value.shape[0] != batch):
            raise ValueError(f"lengths: those along {axis} have the shape {tuple(value.shape)}; ({batch},) is expected")
        out.append(value.cpu().expand(batch))
    return out


class TensorResult:
    """The outcome of a call on tensors: as `Result`, its numbers being tensors.

    The total, the marginals and the gradients of Params are differentiable, so that a loss may be made of any of them;
    the other outputs, the occupancy, the accumulated cost and the paths are not.

    Attributes
    ----------
    total : () or (B,)
        The first output that the semiring decodes.
    outputs : dict
        All outputs by name; those whose names are free are attributes as well.
    """

    def __init__(self, core: Core, tensors, batched: bool, as_dict: bool, shapes, check: bool = False):
        self._core, self._tensors, self._batched, self._as_dict, self._shapes = core, tensors, batched, as_dict, shapes
        self._memory = Memory(check=check)
        self.outputs = {name: self._shaped(value) for name, value in zip(core.outputs, self._totals())}

    def _totals(self):
        core = self._core
        if torch.compiler.is_compiling():
            if _forward_modes():
                raise NotImplementedError(f"forward mode inside torch.compile: {LOST}; take the derivative outside of the graph")
            total, *rest = ops.total(core.number, *self._apart())
            return [total if core.differentiable else total.detach(), *(o.detach() for o in rest)]
        if torch._C._are_functorch_transforms_active() and _forward_modes() > 1:
            raise NotImplementedError(
                f"forward mode over forward mode: {LOST}; use torch.func.hessian (forward over reverse), or jacrev twice"
            )
        return Total.apply(core, self._memory, *self._tensors)

    @property
    def total(self) -> torch.Tensor:
        """The first output that the semiring decodes: () or (B,)."""
        return self.outputs[self._core.outputs[0]]

    def __getattr__(self, name):
        if not name.startswith("_") and name in self.outputs:
            return self.outputs[name]
        raise AttributeError(f"the result has no {name!r}")

    @property
    def lengths(self):
        """As `Result.lengths`."""
        found = self._plain.lengths
        return found if self._batched else tuple(int(x[0]) for x in found)

    def __repr__(self):
        return f"TensorResult({self._core.solver.semiring!r}, total={self.total})"

    # --- first derivatives, which may be differentiated once more -------------------------------------

    @property
    def marginals(self) -> torch.Tensor | dict[str, torch.Tensor]:
        """d total / d cost, shaped like the cost; a dict of planes where the cost was one."""
        found = self._gradient(tuple(range(len(self._core.planes))), "marginals")
        planes = {name: self._shaped(array) for name, array in zip(self._core.planes, found)}
        return planes if self._as_dict else next(iter(planes.values()))

    def grad(self, name: str) -> torch.Tensor:
        """d total / d the named Param, in the shape of its value (summed over the batch where it has no batch axis).

        For the tensors that a cost was made of, ask torch: ``torch.autograd.grad(result.total.sum(), x)``.

        Raises
        ------
        KeyError
            For a name that is no Param with a derivative.
        """
        if name not in self._core.reals:
            known = ", ".join(self._core.reals) or "none"
            raise KeyError(f"grad: {name!r} is no Param with a derivative; there are {known}")
        (found,) = self._gradient((self._core.inputs.index(name),), f"grad({name!r})")
        shape = self._shapes[name]
        if found.numel() != math.prod(shape):  # one value served all items
            found = found.sum(0, keepdim=True)
        return found.reshape(shape)

    def _gradient(self, wanted, what):
        if not self._core.solver.semiring.derivative:
            raise TypeError(f"{what}: the semiring {self._core.solver.semiring.name} is discrete and has no derivative")
        if torch.compiler.is_compiling():
            return ops.gradient(self._core.number, list(wanted), *self._apart())
        # copies: what the passes share must not be written over
        return [g.clone() for g in Gradient.apply(self._core, self._memory, wanted, *self._tensors)]

    def _apart(self):
        """The tensors as operators take them: n_len, m_len, inputs, others."""
        n_len, m_len, *values = self._tensors
        count = len(self._core.inputs)
        return n_len, m_len, values[:count], values[count:]

    # --- what has no derivative -----------------------------------------------------------------------

    @property
    def _plain(self):
        """The same result in NumPy, (B, ...)."""
        return self._core.result(self._memory, [None if t is None else t.detach() for t in self._tensors])

    @property
    def occupancy(self) -> torch.Tensor:
        """As `Result.occupancy`."""
        with bridge.beside(self._tensors):
            return self._shaped(bridge.tensor_of(self._plain.occupancy.copy()))

    @property
    def accumulated_cost(self) -> torch.Tensor:
        """As `Result.accumulated_cost`."""
        with bridge.beside(self._tensors):
            return self._shaped(bridge.tensor_of(self._plain.accumulated_cost.copy()))

    @property
    def path(self):
        """As `Result.path`: an (L, 2) int64 tensor, or a list of one for each item."""
        with bridge.beside(self._tensors):
            return self._listed([bridge.tensor_of(p.copy()) for p in self._plain.path])

    @property
    def path_states(self):
        """As `Result.path_states`: NumPy arrays of names."""
        return self._listed(self._plain.path_states)

    @property
    def path_steps(self):
        """As `Result.path_steps`: int64 tensors."""
        with bridge.beside(self._tensors):
            return self._listed([bridge.tensor_of(p.copy()) for p in self._plain.path_steps])

    @property
    def paths(self):
        """As `Result.paths`: lists of `Path`."""
        return self._listed(self._plain.paths)

    def sample(self, n: int = 1, seed: int | None = None):
        """As `Result.sample`: lists of `Path`."""
        return self._listed(self._plain.sample(n, seed))

    def _shaped(self, value):
        return value if self._batched else value.squeeze(0)

    def _listed(self, items):
        return items if self._batched else items[0]


class FusedResult(TensorResult):
    """A result whose total and whose first derivatives by the tensors of its sources are made without any cost.

    All else that torch may differentiate is read from the result on costs, which is made when it is asked for.
    """

    def _totals(self):
        return TotalOfSources.apply(self._core, self._memory, *self._tensors)

    @cached_property
    def _whole(self):
        check = self._memory.check
        return TensorResult(self._core.core, self._core.whole(self._tensors), self._batched, self._as_dict, self._shapes, check)

    @property
    def marginals(self):
        return self._whole.marginals

    def grad(self, name: str):
        return self._whole.grad(name)
