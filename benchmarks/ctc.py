"""CTC, forward + backward: the loss and its gradient, from log-probabilities."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.work import OURS, OURS64, Way, Work

CLASSES = 32


def works(quick: bool) -> list[Work]:
    shapes = [(2, 60, 12)] if quick else [(16, 500, 100), (32, 1000, 200), (1, 20000, 4000)]
    return [
        Work(
            f"CTC {batch} x {frames} frames x {labels} labels, forward + backward",
            batch * frames * (2 * labels + 1),
            partial(problem, batch, frames, labels),
            {
                OURS: Way(partial(arrays, "float32")),
                f"{OURS} torch": Way(tensors, by_log_probs),
                OURS64: Way(partial(arrays, "float64")),
                "torch": Way(torch_loss, by_log_probs),
                "optax": Way(optax_loss, by_log_probs),
            },
            {"torch": 15.0, "optax": 6.0},
            # float32 is where peers fail on long input: benchmarks/accuracy.py has the errors
            tolerance=1e-3 if frames < 5000 else (1e-3, 0.3),
        )
        for batch, frames, labels in shapes
    ]


def problem(batch, frames, labels):
    """Log-probabilities (B, T, V), as after a log-softmax, and labels (B, U) in 1 .. V - 1; 0 is the blank."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(batch, frames, CLASSES)).astype(np.float32)
    logits -= logits.max(axis=2, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=2, keepdims=True)), random.integers(1, CLASSES, (batch, labels))


def by_log_probs(result):
    """The loss, and its gradient by independent log-probabilities.

    The losses of torch and optax come with the gradient through a softmax, which adds the probabilities.
    """
    total, gradient, log_probs = result
    return total, np.asarray(gradient, np.float64) - (0.0 if log_probs is None else np.exp(np.asarray(log_probs, np.float64)))


def arrays(kind, log_probs, labels):
    import dpsemiring as dp

    blanks = np.zeros((len(labels), 2 * labels.shape[1] + 1), labels.dtype)
    blanks[:, 1::2] = labels
    solver, log_probs = dp.compile(dp.topologies.ctc(), dp.Softmin(1.0)), log_probs.astype(kind)

    def call():
        result = solver(-dp.costs.gather(log_probs, blanks), params={"labels": blanks})
        return result.total, result.grad("log_probs")

    return call


def tensors(log_probs, labels):
    """dpsemiring.torch.ctc_loss, whose gradient is that by the log-probabilities."""
    from dpsemiring.torch import ctc_loss

    loss = _by_torch(ctc_loss, log_probs, labels)
    return lambda: (*loss()[:2], None)


def torch_loss(log_probs, labels):
    import torch

    return _by_torch(torch.nn.functional.ctc_loss, log_probs, labels)


def _by_torch(loss, log_probs, labels):
    import torch

    torch.set_num_threads(_threads())
    batch, frames, _ = log_probs.shape
    given = torch.from_numpy(np.ascontiguousarray(log_probs.transpose(1, 0, 2)))
    targets = torch.from_numpy(labels)
    sizes = torch.full((batch,), frames), torch.full((batch,), labels.shape[1])

    def call():
        leaf = given.requires_grad_()
        leaf.grad = None
        totals = loss(leaf, targets, *sizes, reduction="none")
        totals.sum().backward()
        return totals.detach().numpy(), leaf.grad.numpy().transpose(1, 0, 2), log_probs

    return call


def optax_loss(log_probs, labels):
    import jax
    import jax.numpy as jnp
    import optax

    batch, frames, _ = log_probs.shape
    padding = jnp.zeros((batch, frames)), jnp.zeros(labels.shape)
    targets, given = jnp.asarray(labels), jnp.asarray(log_probs)

    def loss(logits):
        totals = optax.ctc_loss(logits, padding[0], targets, padding[1])
        return totals.sum(), totals

    compiled = jax.jit(jax.value_and_grad(loss, has_aux=True))

    def call():
        (_, totals), gradient = jax.block_until_ready(compiled(given))
        return np.asarray(totals), np.asarray(gradient), log_probs

    return call


def _threads():
    import os

    return int(os.environ.get("BENCHMARK_THREADS", "1"))
