"""Soft-DTW: steps (1, 0), (0, 1), (1, 1), unit weights, gamma 1; and the sparse minimum on the same lattice."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import ours
from benchmarks.work import Way, Work

GAMMA = 1.0
STEPS = ((1, 0), (0, 1), (1, 1))


def soft(dp):
    return dp.topologies.dtw(), dp.Softmin(GAMMA)


def sparse(dp):
    return dp.topologies.dtw(), dp.Sparsemin(GAMMA)


def works(quick: bool) -> list[Work]:
    shapes = [(1, 200, 200), (8, 60, 50)] if quick else [(1, 1000, 1000), (1, 4000, 4000), (32, 512, 512), (128, 128, 100)]
    found = []
    for shape in shapes:
        given, size = f"soft-DTW {' x '.join(map(str, shape))}, cost given", int(np.prod(shape))
        forward, both = ours.ways(soft) | ways_of_others(False), ours.ways(soft, ours.total_and_gradient) | ways_of_others(True)
        found.append(Work(f"{given}, forward", size, ours.series(shape), forward, {"ddtw": 50.0, "fastest": 25.0}, summed))
        wanted = {"ddtw": 20.0, "fastest": 20.0}
        found.append(Work(f"{given}, forward + backward", size, ours.series(shape), both, wanted, summed, (1e-4, 5e-3)))
    found += from_series(*((2, 64, 16) if quick else (32, 512, 64)))
    n = 150 if quick else 1000
    ways = ours.ways(sparse, ours.total_and_gradient, double=False) | ddtw_ways("sparse", True)
    found.append(
        Work(f"sparse minimum {n} x {n}, forward + backward", n * n, ours.series((1, n, n)), ways, {"ddtw": 10.0}, summed)
    )
    return found


def ways_of_others(both):
    return {
        "tslearn soft_dtw_fast": Way(partial(tslearn_fast, both), double=True),
        "tslearn _soft_dtw": Way(partial(tslearn_new, both)),
        "soft-dtw": Way(partial(mblondel, both), double=True),
        "ott-jax": Way(partial(ott, both)),
        **ddtw_ways("soft", both),
    }


def ddtw_ways(minimum, both):
    return {"ddtw class": Way(partial(ddtw_class, minimum, both)), "ddtw kernels": Way(partial(ddtw_kernels, minimum, both))}


# --- a given cost -----------------------------------------------------------------------------------


def tslearn_fast(both, cost):
    """The float64 kernels under tslearn.metrics.SoftDTW, on arrays that are allocated once."""
    from tslearn.metrics.soft_dtw_fast import _njit_soft_dtw, _njit_soft_dtw_grad

    batch, n, m = cost.shape
    cost = cost.astype(np.float64)
    padded, accumulated, expected = np.zeros((batch, n + 1, m + 1)), np.zeros((n + 2, m + 2)), np.zeros((batch, n + 2, m + 2))
    padded[:, :n, :m] = cost

    def forward():
        totals = np.empty(batch)
        for b in range(batch):
            _njit_soft_dtw(cost[b], accumulated, GAMMA)
            totals[b] = accumulated[n, m]
            if both:
                expected[b] = 0.0
                _njit_soft_dtw_grad(padded[b], accumulated, expected[b], GAMMA)
        return (totals, expected[:, 1:-1, 1:-1]) if both else (totals,)

    return forward


def tslearn_new(both, cost):
    """The kernels under tslearn.metrics.soft_dtw_alignment, in the cost's own dtype."""
    from tslearn.metrics._soft_dtw import _njit_accumulated_matrix_from_distance_matrix, _njit_soft_dtw_grad

    mask = np.ones(cost.shape[1:], dtype=np.bool_)

    def call():
        totals, gradient = np.empty(len(cost)), np.empty(cost.shape, cost.dtype) if both else None
        for b, item in enumerate(cost):
            accumulated = _njit_accumulated_matrix_from_distance_matrix(item, mask, GAMMA)
            totals[b] = accumulated[-1, -1]
            if both:
                gradient[b] = _njit_soft_dtw_grad(item, accumulated, GAMMA)
        return (totals, gradient) if both else (totals,)

    return call


def mblondel(both, cost):
    """The Cython kernels of soft-dtw, the first implementation, through its class."""
    from sdtw import SoftDTW

    cost = cost.astype(np.float64)

    def call():
        items = [SoftDTW(item, gamma=GAMMA) for item in cost]
        totals = np.array([item.compute() for item in items])
        return (totals, np.array([item.grad() for item in items])) if both else (totals,)

    return call


def ott(both, cost):
    """ott-jax's scan over anti-diagonals, compiled by XLA; its cost function hands on the cost."""
    import jax
    import jax.numpy as jnp
    from ott.geometry.costs import SoftDTW, SqEuclidean

    class Given(SqEuclidean):
        def all_pairs(self, x, y):
            return x

    jax.tree_util.register_pytree_node_class(Given)
    align = SoftDTW(GAMMA, ground_cost=Given())
    columns = jnp.zeros((cost.shape[2], 1))

    def one(c):
        return align(c, columns)

    call = jax.jit(jax.vmap(jax.value_and_grad(one) if both else one))
    taken = jnp.asarray(cost)
    return lambda: tuple(map(np.asarray, jax.block_until_ready(call(taken) if both else (call(taken),))))


def ddtw_class(minimum, both, cost):
    """The public torch modules with their Numba backend, which give the mean over the batch."""
    import ddtw
    import torch

    settings = {"backend": "cpu_numba", "normalization": "none", "dtype_float": torch.float32}
    kind = {"soft": partial(ddtw.SDTW, gamma=GAMMA), "sparse": partial(ddtw.sparseDTW, gamma=GAMMA), "hard": ddtw.DTW}[minimum]
    module, batch = kind(**settings), torch.from_numpy(cost)

    def forward():
        with torch.no_grad():
            return (float(module(C=batch)) * len(batch),)

    def call():
        leaf = batch.clone().requires_grad_()
        total = module(C=leaf) * len(batch)
        total.backward()
        return float(total.detach()), leaf.grad.numpy()

    return call if both else forward


def summed(result):
    """What is compared: the sum over the batch, since ddtw's class gives no more, and its gradient."""
    return np.sum(np.asarray(result[0], np.float64)), *result[1:]


def ddtw_kernels(minimum, both, cost):
    """The Numba kernels under those modules, on arrays that are allocated once."""
    from ddtw.backend import backend_cpu_numba as backend

    (batch, n, m), s, kind = cost.shape, len(STEPS), cost.dtype
    which = getattr(backend, {"soft": "MINFUNC_SOFTMIN", "sparse": "MINFUNC_SPARSEMIN", "hard": "MINFUNC_HARDMIN"}[minimum])
    steps = np.array(STEPS, np.int16)
    rows, columns = np.full(batch, n, np.int16), np.full(batch, m, np.int16)
    end, ends = np.full((batch, 1, 2), (n - 1, m - 1), np.int16), np.ones(batch, np.int32)
    weights = np.broadcast_to(np.ones(s, kind), (batch, n, m, s))
    start = np.full((batch, n, m), np.inf, kind)
    accumulated, local, at_end, expected = (np.zeros((batch, n, m), kind) for _ in range(4))
    weight = np.zeros((batch, n, m, s + 1), kind)

    def call():
        start[:, 0, 0] = cost[:, 0, 0]
        small = [np.zeros((batch, 1), kind), np.full((batch, 1), np.inf, kind), np.zeros((batch, 1), kind)]
        totals, scratch = np.zeros(batch, kind), [np.empty((batch, s + 1), kind) for _ in range(2)]
        backend.compute_dDTW_forward_numba(
            cost, accumulated, local, at_end, weight, weights, start, end, *small, totals, GAMMA, which, rows, columns,
            steps, ends, *scratch,
        )  # fmt: skip
        if not both:
            return (totals,)
        backend.compute_dDTW_backward_numba(expected, at_end, weight, rows, columns, steps)
        return totals, expected * local

    return call


# --- from series ------------------------------------------------------------------------------------


def from_series(batch, n, features) -> list[Work]:
    title = f"soft-DTW {batch} x {n} x {n}, from series of {features} features"
    shape, size = (batch, n, features), batch * n * n

    def gradient(result):
        return result.total, result.grad("x")

    def cost(dp, x, y):
        return dp.costs.sqeuclidean(x, y)

    forward = ours.ways(soft, cost=cost) | {
        "aeon": Way(aeon, double=True),
        "tslearn soft_dtw": Way(tslearn_series, double=True),
        "ott-jax": Way(partial(ott_series, False)),
    }
    both = ours.ways(soft, gradient, cost) | {
        "soft-dtw": Way(mblondel_series, double=True),
        "tslearn SoftDTWLossPyTorch": Way(tslearn_torch),
        "ddtw class": Way(ddtw_series),
        "ott-jax": Way(partial(ott_series, True)),
    }
    return [
        Work(f"{title}, forward", size, ours.series(shape, shape), forward, {}, summed, 1e-3),
        Work(f"{title}, forward + backward", size, ours.series(shape, shape), both, {"fastest": 10.0}, summed, 1e-3),
    ]


def aeon(x, y):
    """aeon.distances.soft_dtw_distance, which knows no gradient; channels first there."""
    from aeon.distances import soft_dtw_distance

    x, y = (np.ascontiguousarray(a.transpose(0, 2, 1), np.float64) for a in (x, y))
    return lambda: (np.array([soft_dtw_distance(a, b, gamma=GAMMA) for a, b in zip(x, y)]),)


def tslearn_series(x, y):
    from tslearn.metrics import soft_dtw

    x, y = x.astype(np.float64), y.astype(np.float64)
    return lambda: (np.array([soft_dtw(a, b, gamma=GAMMA) for a, b in zip(x, y)]),)


def mblondel_series(x, y):
    from sdtw import SoftDTW
    from sdtw.distance import SquaredEuclidean

    def call():
        totals, gradients = [], []
        for a, b in zip(x, y):
            distance = SquaredEuclidean(a, b)
            item = SoftDTW(distance, gamma=GAMMA)
            totals.append(item.compute())
            gradients.append(distance.jacobian_product(item.grad()))
        return np.array(totals), np.array(gradients)

    return call


def tslearn_torch(x, y):
    import torch
    from tslearn.metrics import SoftDTWLossPyTorch

    return _by_torch(SoftDTWLossPyTorch(gamma=GAMMA), x, y, torch)


def ddtw_series(x, y):
    """With the costs from a matrix product, as fast as torch makes them. It gives the batch's mean."""
    import ddtw
    import torch

    module = ddtw.SDTW(gamma=GAMMA, backend="cpu_numba", normalization="none", dtype_float=torch.float32)

    def loss(a, b):
        squares = a.square().sum(2)[:, :, None] + b.square().sum(2)[:, None] - 2.0 * torch.bmm(a, b.transpose(1, 2))
        return module(C=squares) * len(a)

    return _by_torch(loss, x, y, torch)


def _by_torch(loss, x, y, torch):
    y = torch.from_numpy(y)

    def call():
        leaf = torch.from_numpy(x).requires_grad_()
        totals = loss(leaf, y)
        totals.sum().backward()
        return totals.detach().numpy(), leaf.grad.numpy()

    return call


def ott_series(both, x, y):
    import jax
    import jax.numpy as jnp
    from ott.geometry.costs import SoftDTW

    one = SoftDTW(GAMMA)
    call = jax.jit(jax.vmap(jax.value_and_grad(one) if both else one))
    x, y = jnp.asarray(x), jnp.asarray(y)
    return lambda: tuple(map(np.asarray, jax.block_until_ready(call(x, y) if both else (call(x, y),))))
