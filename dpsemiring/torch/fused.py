"""Totals of cost sources whose costs are never made: the engine is given the tensors' memory, and gives their gradients.

That is what the total and its first derivative take. Whatever else torch may ask for (a gradient that is differentiated
again, forward mode, `torch.func`, `torch.compile`) is composed of torch operations on whole costs, see `costs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch.autograd.forward_ad import unpack_dual

from dpsemiring.run.inputs import worth_fusing
from dpsemiring.run.shapes import main_plane
from dpsemiring.torch.autograd import Function, Total, total_backward
from dpsemiring.torch.checks import check_place, real_tensor
from dpsemiring.torch.core import Core, Memory
from dpsemiring.torch.sources import TensorSource

Planes = Mapping[str, torch.Tensor | TensorSource]


def kind_of_all(planes: Iterable[torch.Tensor | TensorSource]) -> torch.dtype:
    """The kind of the cost."""
    found = None
    for plane in planes:
        kind = plane.kind if isinstance(plane, TensorSource) else plane.dtype
        found = kind if found is None else torch.promote_types(found, kind)
    assert found is not None
    return found


def costs(core: Core, planes: Planes, lengths) -> list[torch.Tensor]:
    """Every plane as a tensor (B, N + i, M + j), all of one kind; views, since of a leaf torch does not tell whether a
    backward pass will reach it."""
    recurrence, made = core.solver.recurrence, []
    size = planes[main_plane(recurrence)].shape[-2:]
    for name in core.planes:
        plane = planes[name]
        if isinstance(plane, TensorSource):
            plane = real_tensor(f"plane {name!r}", plane.make(lengths, size, recurrence.semiring.forbid))
        made.append(plane.reshape(plane.shape if plane.ndim == 3 else (1, *plane.shape)))
    kind = kind_of_all(made)
    return [plane.to(kind) for plane in made]


def may_fuse(core: Core, planes: Planes, shape, numbers) -> bool:
    """Whether a call comes out the same without its costs: these pay, and no transform of torch is at work."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    tensors = list(numbers)
    for plane in planes.values():
        if not isinstance(plane, TensorSource):
            return False
        tensors += (tensor for tensor, _ in plane.tensors())
    if any(unpack_dual(tensor).tangent is not None for tensor in tensors):
        return False
    on_device = any(tensor.device.type != "cpu" for tensor in tensors)
    return core.solver.engine.fuse is not None and worth_fusing(core.solver.recurrence, shape, on_device)


class Fused(Core):
    """A core whose inputs are, in place of planes, the tensors that its sources are made of; `core` is that of the planes."""

    shares = False

    def __init__(self, core: Core, sources: Mapping[str, TensorSource]):
        self.solver, self.core, self.sources = core.solver, core, sources
        self.outputs, self.differentiable = core.outputs, core.differentiable
        self.planes, self.reals = (), core.reals
        self.names: dict[str, list[str]] = {}  # plane -> the names of its tensors
        features: list[str] = []
        labels: list[str] = []
        for plane, source in sources.items():
            own = self.names[plane] = []
            for i, (_, is_labels) in enumerate(source.tensors()):
                name = f"{plane}_{i}"
                while name in core.solver.params:
                    name += "_"
                own.append(name)
                (labels if is_labels else features).append(name)
        self.inputs = (*features, *core.reals)
        self.others = (*labels, *core.others)
        self.count = 2 + len(self.inputs) + len(self.others)

    def tensors(self, lengths, batch: int, numbers, whole_numbers) -> list[torch.Tensor | None]:
        """The tensors of a call in the order of `inputs` and `others`; those that need a gradient have one for each item."""
        features: list[torch.Tensor] = []
        labels: list[torch.Tensor] = []
        for plane, source in self.sources.items():
            for tensor, is_labels in source.tensors():
                check_place(f"plane {plane!r}", tensor)
                if is_labels:
                    labels.append(tensor.detach())
                    continue
                if tensor.is_floating_point() or tensor.is_complex():
                    tensor = real_tensor(f"plane {plane!r}", tensor)
                features.append(tensor.expand(batch, *tensor.shape[1:]) if tensor.requires_grad else tensor)
        return [*lengths, *features, *numbers, *labels, *whole_numbers]

    def cost(self, values):
        found = {
            plane: source.plain((name, values[name]) for name in self.names[plane]) for plane, source in self.sources.items()
        }
        return found, self.sources[main_plane(self.solver.recurrence)].shape[-2:]

    def whole(self, tensors) -> list[torch.Tensor | None]:
        """The tensors of the same call of `core`, made by torch."""
        values = dict(zip(self.inputs + self.others, tensors[2:]))
        planes = {plane: source.over(values[name] for name in self.names[plane]) for plane, source in self.sources.items()}
        rest = (values[name] for name in self.core.reals + self.core.others)
        return [*tensors[:2], *costs(self.core, planes, tensors[:2]), *rest]


class TotalOfSources(Function):
    """`autograd.Total` of sources."""

    forward = Total.forward
    setup_context = Total.setup_context

    @staticmethod
    def backward(ctx, flow, *_):
        return total_backward(ctx, flow, _again if torch.is_grad_enabled() else None)


def _again(fused: Fused, memory: Memory, wanted, *tensors):
    """The gradient as torch composes it, so that it may be differentiated."""
    apart = [t if t is None else t.view_as(t) for t in tensors]  # should one tensor stand in two places
    total, *_ = Total.apply(fused.core, Memory(), *fused.whole(apart))
    moving = [apart[2 + i] for i in wanted]
    return torch.autograd.grad(total.sum(), moving, create_graph=True, materialize_grads=True)
