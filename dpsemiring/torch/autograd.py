"""The derivatives of a total as torch knows them: the total, its gradient, and that gradient's derivative in a direction.

Each is a `torch.autograd.Function` over the next, so that whatever torch composes (backward twice, forward mode,
`torch.func`) comes to these three. The tensors of a call are (n_len, m_len, inputs..., others...), see `core`; inputs
are numbered from 0.
"""

from __future__ import annotations

import torch
from torch._functorch.utils import unwrap_dead_wrappers as alive  # of tensors from a transform that has ended

from dpsemiring.torch.core import THIRD, Core, Memory, by_item, given


class Function(torch.autograd.Function):
    """A Function whose call outside of `torch.func` costs little: torch's own binds its arguments by name each time."""

    @classmethod
    def apply(cls, *args):
        if torch._C._are_functorch_transforms_active():
            return super().apply(*args)
        return super(torch.autograd.Function, cls).apply(*alive(args))


class Total(Function):
    """Every output that the semiring decodes, (B,); the first is differentiable."""

    @staticmethod
    def forward(core: Core, memory: Memory, *tensors):
        return tuple(core.totals(memory, tensors))

    @staticmethod
    def setup_context(ctx, inputs, output):
        _keep(ctx, inputs[0], inputs[1], (*inputs[2:], output[0]))
        ctx.mark_non_differentiable(*output[inputs[0].differentiable :])

    @staticmethod
    def backward(ctx, flow, *_):
        again = torch.is_grad_enabled() or torch._C._are_functorch_transforms_active()
        return total_backward(ctx, flow, Gradient.apply if again else None)

    @staticmethod
    def jvp(ctx, core, memory, *tangents):
        along, directions = _moving(ctx, tangents)
        others = [None] * (len(ctx.core.outputs) - 1)
        if not ctx.core.differentiable or not along:
            return None, *others
        *tensors, total = ctx.saved_tensors
        found = Gradient.apply(ctx.core, ctx.memory, along, *tensors)
        products = (f * d for f, d in zip(found, directions))
        moved = sum(p.sum(tuple(range(1, p.ndim))) if p.ndim > 1 else p for p in products)
        return moved.to(total.dtype), *others

    @staticmethod
    def vmap(info, in_dims, core, memory, *tensors):
        folded, batch = _fold(core, info, in_dims[2:], tensors)
        return _unfold(info, batch, Total.apply(core, memory, *folded))


def total_backward(ctx, flow, again):
    """What flows from the totals to (core, memory, tensors...); `again` takes the gradient where it may be differentiated."""
    wanted = _needed(ctx, 2)
    if flow is None or not wanted:
        return (None,) * (2 + ctx.core.count)
    *tensors, total = ctx.saved_tensors
    if again is not None:
        found = again(ctx.core, ctx.memory, wanted, *tensors)
    else:  # what most ask for: a gradient that is not differentiated again
        found = ctx.core.gradient(ctx.memory, wanted, alive(tensors))
        ctx.memory = Memory()  # the run is not kept for as long as the loss is
    own = again is None and not ctx.core.shares
    return None, None, *_at(ctx, wanted, [by_item(flow, f, total, own) for f in found])


class Gradient(Function):
    """d total / d the inputs numbered by `wanted`, each in its input's shape."""

    @staticmethod
    def forward(core: Core, memory: Memory, wanted, *tensors):
        return tuple(core.gradient(memory, wanted, tensors))

    @staticmethod
    def setup_context(ctx, inputs, output):
        _keep(ctx, inputs[0], inputs[1], inputs[3:])
        ctx.wanted = inputs[2]

    @staticmethod
    def backward(ctx, *flows):
        wanted, (along, directions) = _needed(ctx, 3), given(ctx.wanted, flows)
        if not wanted or not along:
            return (None,) * (3 + ctx.core.count)
        found = Second.apply(ctx.core, ctx.memory, wanted, along, *ctx.saved_tensors, *directions)
        return None, None, None, *_at(ctx, wanted, found)

    @staticmethod
    def jvp(ctx, core, memory, wanted, *tangents):
        along, directions = _moving(ctx, tangents)
        if not along:
            return (None,) * len(ctx.wanted)
        return Second.apply(ctx.core, ctx.memory, ctx.wanted, along, *ctx.saved_tensors, *directions)

    @staticmethod
    def vmap(info, in_dims, core, memory, wanted, *tensors):
        folded, batch = _fold(core, info, in_dims[3:], tensors)
        return _unfold(info, batch, Gradient.apply(core, memory, wanted, *folded))


class Second(Function):
    """The derivative of `Gradient` while the inputs numbered by `along` move in the directions that follow the tensors.

    Linear in the directions, and so differentiable in them; a third derivative in the inputs is refused.
    """

    @staticmethod
    def forward(core: Core, memory: Memory, wanted, along, *tensors):
        return tuple(core.second(memory, wanted, along, tensors[: core.count], tensors[core.count :]))

    @staticmethod
    def setup_context(ctx, inputs, output):
        core, memory, ctx.wanted, ctx.along, *tensors = inputs
        _keep(ctx, core, memory, tensors)

    @staticmethod
    def backward(ctx, *flows):
        if _asked_for(ctx, ctx.needs_input_grad[4 : 4 + ctx.core.count]):
            raise NotImplementedError(THIRD)
        tensors, directions = ctx.saved_tensors[: ctx.core.count], ctx.saved_tensors[ctx.core.count :]
        along, flows = given(ctx.wanted, flows)
        if not along:
            return (None,) * (4 + len(tensors) + len(directions))
        # second derivatives are symmetric
        found = Second.apply(ctx.core, ctx.memory, ctx.along, along, *tensors, *flows)
        return (*[None] * (4 + len(tensors)), *found)

    @staticmethod
    def jvp(ctx, core, memory, wanted, along, *tangents):
        if any(t is not None for t in tangents[: ctx.core.count]):
            raise NotImplementedError(THIRD)
        along, directions = given(ctx.along, tangents[ctx.core.count :])
        return Second.apply(ctx.core, ctx.memory, ctx.wanted, along, *ctx.saved_tensors[: ctx.core.count], *directions)

    @staticmethod
    def vmap(info, in_dims, core, memory, wanted, along, *tensors):
        folded, batch = _fold(core, info, in_dims[4:], tensors)
        return _unfold(info, batch, Second.apply(core, memory, wanted, along, *folded))


def _keep(ctx, core, memory, tensors):
    ctx.core, ctx.memory = core, memory
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)
    ctx.set_materialize_grads(False)


def _needed(ctx, first) -> tuple[int, ...]:
    """The inputs whose gradient is asked for; the tensors of the call begin at argument `first`."""
    return tuple(i for i in range(len(ctx.core.inputs)) if ctx.needs_input_grad[first + 2 + i])


def _asked_for(ctx, needed) -> bool:
    """Whether this backward pass asks for the gradient in one of the first tensors, and not only could have it."""
    if not any(needed) or not hasattr(ctx, "next_functions"):
        return any(needed)
    edges = iter(ctx.next_functions)  # of those arguments that are tensors
    nodes = [next(edges)[0] for tensor in ctx.saved_tensors[: ctx.core.count] if tensor is not None]
    return any(node is not None and torch._C._will_engine_execute_node(node) for node in nodes)


def _moving(ctx, tangents):
    """The inputs that have a tangent, and the tangents."""
    return given(range(len(ctx.core.inputs)), tangents[2:])


def _at(ctx, wanted, values):
    """The values in the places of their inputs among the tensors of a call."""
    out = [None] * ctx.core.count
    for i, value in zip(wanted, values):
        out[2 + i] = value
    return out


def _fold(core, info, in_dims, tensors):
    """The mapped axis folded into every tensor's batch axis, and the size of the latter."""
    lead = [t if d is None or t is None else t.movedim(d, 0) for t, d in zip(tensors, in_dims)]
    batch = lead[2].shape[0 if in_dims[2] is None else 1]
    out = []
    for t, d in zip(lead, in_dims):
        if t is not None:
            t = t[None] if d is None else t
            t = t.expand(info.batch_size, batch, *t.shape[2:]).reshape(info.batch_size * batch, *t.shape[2:])
        out.append(t)
    return out, batch


def _unfold(info, batch, outputs):
    return tuple(o.reshape(info.batch_size, batch, *o.shape[1:]) for o in outputs), (0,) * len(outputs)
