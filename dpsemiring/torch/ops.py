"""The same three functions as `autograd` has, as operators that a compiler can place in its graph.

`torch.compile` does not trace a `torch.autograd.Function` with a forward mode, but takes registered operators as they
are. They keep nothing between them: the gradient runs the forward pass again. A solver goes by a number, which is made of
what it computes: a graph that is exported to another process finds no solver there, or one that computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from weakref import WeakSet

import torch
from torch import Tensor

from dpsemiring.algebra.expr import postorder
from dpsemiring.torch.core import THIRD, Core, Memory, by_item, given

_cores: dict[int, WeakSet[Core]] = {}


def number(core: Core) -> int:
    """The number under which operators find it, for as long as it lives."""
    solver = core.solver
    trace, lines = solver.semiring.trace, []
    index: dict[int, int] = {}
    for node in postorder([*trace.encode, *trace.times, *(trace.sum or trace.fold or ()), *trace.decode.values()]):
        index[id(node)] = len(index)
        lines.append(f"{node.op} {node.payload!r} {[index[id(a)] for a in node.args]}")
    text = [type(solver.engine).__name__, repr(solver.topology), repr(solver.semiring), str(solver.recurrence), *lines]
    handle = int.from_bytes(sha256("\n".join(text).encode()).digest()[:7], "big")
    _cores.setdefault(handle, WeakSet()).add(core)
    return handle


def _core(handle: int) -> Core:
    for core in _cores.get(handle, ()):
        return core
    raise RuntimeError("the solver of this compiled graph is not there: make it, and keep it for as long as the graph")


@torch.library.custom_op("dpsemiring::total", mutates_args=())
def total(handle: int, n_len: Tensor | None, m_len: Tensor | None, inputs: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """(outputs, B): all that the semiring decodes."""
    return torch.stack(_core(handle).totals(Memory(), (n_len, m_len, *inputs, *others)))


@torch.library.custom_op("dpsemiring::gradient", mutates_args=())
def gradient(
    handle: int,
    wanted: Sequence[int],
    n_len: Tensor | None,
    m_len: Tensor | None,
    inputs: Sequence[Tensor],
    others: Sequence[Tensor],
) -> list[Tensor]:
    """d total / d the wanted inputs."""
    return _core(handle).gradient(Memory(), wanted, (n_len, m_len, *inputs, *others))


@torch.library.custom_op("dpsemiring::second", mutates_args=())
def second(
    handle: int,
    wanted: Sequence[int],
    along: Sequence[int],
    n_len: Tensor | None,
    m_len: Tensor | None,
    inputs: Sequence[Tensor],
    others: Sequence[Tensor],
    directions: Sequence[Tensor],
) -> list[Tensor]:
    """The derivative of the gradient in a direction."""
    return _core(handle).second(Memory(), wanted, along, (n_len, m_len, *inputs, *others), directions)


@total.register_fake
def _(handle, n_len, m_len, inputs, others):
    return inputs[0].new_empty((len(_core(handle).outputs), inputs[0].shape[0]))


@gradient.register_fake
def _(handle, wanted, n_len, m_len, inputs, others):
    return [inputs[i].new_empty(inputs[i].shape) for i in wanted]


@second.register_fake
def _(handle, wanted, along, n_len, m_len, inputs, others, directions):
    return [inputs[i].new_empty(inputs[i].shape) for i in wanted]


# --- their derivatives, each the next of the three ------------------------------------------------


def _keep(ctx, handle, n_len, m_len, inputs, others, more=()):
    ctx.handle, ctx.sizes = handle, (len(inputs), len(others))
    ctx.save_for_backward(n_len, m_len, *inputs, *others, *more)


def _kept(ctx):
    """(n_len, m_len, inputs, others), and what is kept beside them: the total, or directions."""
    a, b = 2 + ctx.sizes[0], 2 + sum(ctx.sizes)
    n_len, m_len, *_ = saved = ctx.saved_tensors
    return (n_len, m_len, list(saved[2:a]), list(saved[a:b])), list(saved[b:])


def _needed(flags) -> list[int]:
    return [i for i, needed in enumerate(flags) if needed]


def _flows(ctx, wanted, found):
    """What flows to (n_len, m_len, inputs, others)."""
    places = dict(zip(wanted, found))
    return None, None, [places.get(i) for i in range(ctx.sizes[0])], [None] * ctx.sizes[1]


def _keep_total(ctx, inputs, output):
    _keep(ctx, *inputs, [output[0]])


def _total_backward(ctx, flow):
    tensors, (total,) = _kept(ctx)
    wanted = _needed(ctx.needs_input_grad[3])
    found = gradient(ctx.handle, wanted, *tensors) if wanted else []
    return None, *_flows(ctx, wanted, [by_item(flow[0], f, total) for f in found])


def _keep_gradient(ctx, inputs, output):
    handle, ctx.wanted, *tensors = inputs
    _keep(ctx, handle, *tensors)


def _gradient_backward(ctx, flows):
    tensors, _ = _kept(ctx)
    wanted = _needed(ctx.needs_input_grad[4])
    along, directions = given(ctx.wanted, flows)
    found = second(ctx.handle, wanted, along, *tensors, directions) if wanted and along else []
    return None, None, *_flows(ctx, wanted, found)


def _keep_second(ctx, inputs, output):
    handle, ctx.wanted, ctx.along, *tensors = inputs
    _keep(ctx, handle, *tensors)


def _second_backward(ctx, flows):
    tensors, directions = _kept(ctx)
    if _needed(ctx.needs_input_grad[5]):
        raise NotImplementedError(THIRD)
    along, flows = given(ctx.wanted, flows)
    found = second(ctx.handle, ctx.along, along, *tensors, flows) if along else [None] * len(directions)
    return None, None, None, *_flows(ctx, (), ()), found


total.register_autograd(_total_backward, setup_context=_keep_total)
gradient.register_autograd(_gradient_backward, setup_context=_keep_gradient)
second.register_autograd(_second_backward, setup_context=_keep_second)
