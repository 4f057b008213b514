"""Soft-DTW, its divergences, and what they are made of: the cost of the mean alignment, the entropy of all.

With the paths A of two series, each a matrix of weights, and their distribution ``p(A) ~ exp(-<A, C> / gamma)``:

    soft    V = -gamma log sum over A of exp(-<A, C> / gamma) = E - gamma H
    sharp   E = sum over A of p(A) <A, C>
    entropy H = -sum over A of p(A) log p(A)
    mean    the plain mean of <A, C> over all paths, the limit of E for large gamma
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch

from dpsemiring.algebra.builtins import Softmin
from dpsemiring.algebra.semiring import Semiring
from dpsemiring.algebra.structured import Entropy, Expectation
from dpsemiring.declare.param import Param
from dpsemiring.declare.topology import Topology
from dpsemiring.topologies import dtw
from dpsemiring.torch.losses import check_normalize, checked_cost, finished, gamma_value, local_cost
from dpsemiring.torch.reduce import check_reduction, reduced
from dpsemiring.torch.solvers import solver_of


def soft_dtw(
    x,
    y,
    gamma=1.0,
    *,
    cost: str | Callable | None = "sqeuclidean",
    lengths=None,
    topology: Topology | None = None,
    params=None,
    normalize: str | None = None,
    zero_infinity: bool = False,
    reduction: str = "mean",
) -> torch.Tensor:
    """``-gamma log sum over paths of exp(-cost of the path / gamma)``: the soft minimum of all alignment costs.

    Parameters
    ----------
    x : (B, N, D) or (N, D) tensor, list of tensors, PackedSequence or nested tensor
    y : the same with M frames, or labels where the cost takes them
    gamma : float, () or (B,) tensor, or GammaSchedule
        Temperature, > 0; may be learnt.
    cost : str, function or None
        As for `AlignmentLoss`.
    lengths : pair of int or of (B,) tensors, optional
        The true lengths along x and along y.
    topology : Topology, optional
        Steps, weights, boundary and window: `dp.topologies.dtw()` by default. Its Params come in `params`.
    normalize, zero_infinity, reduction
        As for `AlignmentLoss`.

    Returns
    -------
    () or (B,) tensor
        In the kind of the cost. It may be negative, and is not least where the series are equal: see
        `soft_dtw_divergence`.

    Source: Cuturi and Blondel, Soft-DTW: a Differentiable Loss Function for Time-Series, ICML 2017, equation 1.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import soft_dtw
    >>> soft_dtw(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]]), gamma=1.0)  # -log(1 + 2 exp(-1))
    tensor(-0.5514)
    """
    check_reduction("soft_dtw", reduction)
    check_normalize("soft_dtw", normalize)
    found, cost, lengths = _aligned("soft_dtw", SOFT, x, y, gamma, cost, lengths, topology, params, normalize == "path")
    return finished(found, cost, lengths, normalize, zero_infinity, reduction)


def sharp_soft_dtw(x, y, gamma=1.0, *, cost="sqeuclidean", lengths=None, topology=None, params=None, reduction="mean"):
    """``sum over paths A of p(A) <A, C>``: the mean cost of a path under the soft alignment, soft-DTW without its entropy.

    ``soft_dtw + gamma * path_entropy``. It is the total of `dp.Expectation`, so its gradient is the derivative of
    that mean (a covariance), not the expected alignment. Arguments and shapes as for `soft_dtw`.

    Source: Blondel, Mensch and Vert, Differentiable Divergences Between Time Series, AISTATS 2021, section 3.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import sharp_soft_dtw
    >>> x = torch.tensor([[0.0], [1.0]])
    >>> sharp_soft_dtw(x, x, gamma=1.0)  # 2 exp(-1) / (1 + 2 exp(-1))
    tensor(0.4239)
    """
    check_reduction("sharp_soft_dtw", reduction)
    found, cost, lengths = _aligned("sharp_soft_dtw", SHARP, x, y, gamma, cost, lengths, topology, params)
    return finished(found, cost, lengths, None, False, reduction)


def path_entropy(x, y, gamma=1.0, *, cost="sqeuclidean", lengths=None, topology=None, params=None, reduction="mean"):
    """``-sum over paths A of p(A) log p(A)``: the entropy of the soft alignment, in nats; ``-d soft_dtw / d gamma``.

    0 where one path has all the weight, or where there is none; at most the logarithm of the number of paths.
    Differentiable, so that blur may be punished or asked for. Arguments and shapes as for `soft_dtw`.

    Source: Blondel, Mensch and Vert, AISTATS 2021, section 3.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import path_entropy
    >>> path_entropy(torch.zeros(2, 1), torch.zeros(2, 1))  # three paths of equal cost: log 3
    tensor(1.0986)
    """
    check_reduction("path_entropy", reduction)
    found, cost, lengths = _aligned("path_entropy", ENTROPY, x, y, gamma, cost, lengths, topology, params)
    return finished(found, cost, lengths, None, False, reduction)


def mean_cost(x, y, *, cost="sqeuclidean", lengths=None, topology=None, params=None, reduction="mean"):
    """``(1 / number of paths) * sum over paths A of <A, C>``: the mean cost of all alignments, each weighted alike.

    The limit of `sharp_soft_dtw` for large gamma. It is linear in the costs: each is weighted by the mean of its weights
    over all paths, which depend on the lengths, on forbidden cells and on the weights' Params. Arguments and shapes are
    those of `soft_dtw`.

    Raises
    ------
    ValueError
        For a topology with penalties, or with several planes of costs.

    Source: Blondel, Mensch and Vert, AISTATS 2021, section 3.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import mean_cost
    >>> x = torch.tensor([[0.0], [1.0]])
    >>> mean_cost(x, x)  # of the three paths two pay a cell of cost 1
    tensor(0.6667)
    """
    check_reduction("mean_cost", reduction)
    if not _has_costs_alone(topology):
        raise ValueError(
            "mean_cost: weighs all paths alike by their costs alone; a topology of one plane, without penalties, is expected"
        )
    made, lengths = local_cost(checked_cost("mean_cost", cost), x, y, lengths, whole=True)
    values = next(iter(made.values())) if isinstance(made, dict) else made
    free = torch.where(values.isinf(), values, 0.0 * values.nan_to_num()).detach()
    found = solver_of(SOFT, _given, topology)(free, lengths, {**(params or {}), "gamma": gamma_value(1.0)})
    share = found.marginals
    total = (torch.where(share == 0.0, 0.0, values) * share).sum((-2, -1))
    return finished(_Total(torch.where(found.total.isinf(), math.inf, total)), made, lengths, None, False, reduction)


VARIANTS: dict[str, Callable[..., torch.Tensor]] = {
    "soft": soft_dtw,
    "sharp": sharp_soft_dtw,
    "mean_cost": lambda x, y, gamma, **options: mean_cost(x, y, **options),
}


def soft_dtw_divergence(
    x,
    y,
    gamma=1.0,
    *,
    variant: str = "soft",
    cost: str | Callable = "sqeuclidean",
    lengths=None,
    topology: Topology | None = None,
    params=None,
    reduction: str = "mean",
) -> torch.Tensor:
    """``D(x, y) - (D(x, x) + D(y, y)) / 2``: soft-DTW without its bias, 0 where the series are equal.

    Parameters
    ----------
    x, y, gamma, lengths, reduction
        As for `soft_dtw`.
    variant : {"soft", "sharp", "mean_cost"}
        What D is: `soft_dtw`, `sharp_soft_dtw` or `mean_cost` (which has no temperature).
    cost : str or function
        A symmetric one, the same for all three pairs.
    topology : Topology, optional
        A symmetric one; `dp.topologies.dtw()` by default.

    Returns
    -------
    () or (B,) tensor

    Notes
    -----
    With the soft variant it is proven to be >= 0 where ``exp(-D / gamma)`` is a positive definite kernel, as for the
    cost ``d + gamma * log(2 - exp(-d / gamma))`` with d the squared Euclidean distance (a function may be passed as the
    cost). For the squared Euclidean distance itself this is observed and not proven. The other variants are made of no
    kernel: they are 0 with a gradient of 0 for equal series too, but can be negative for series of different lengths, the
    sharp one slightly, `mean_cost` by much.
    Three alignments are computed, of N x M, N x N and M x M cells.

    Source: Blondel, Mensch and Vert, Differentiable Divergences Between Time Series, AISTATS 2021; the kernel: Cuturi, Fast
    Global Alignment Kernels, ICML 2011.

    Examples
    --------
    >>> import torch
    >>> from dpsemiring.torch import soft_dtw_divergence
    >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0], [1.0]])
    >>> soft_dtw_divergence(x, x), soft_dtw_divergence(x, y)
    (tensor(0.), tensor(1.2000))
    """
    check_reduction("soft_dtw_divergence", reduction)
    if variant not in VARIANTS:
        raise ValueError(f"soft_dtw_divergence: variant is one of {', '.join(VARIANTS)}, found {variant!r}")
    if cost is None or cost == "cost":
        raise ValueError("soft_dtw_divergence: x and y are aligned with themselves too; pass series and name their cost")
    n, m = (None, None) if lengths is None else lengths
    options = dict(cost=cost, topology=topology, params=params, reduction="none")
    between, of_x, of_y = (
        VARIANTS[variant](a, b, gamma, lengths=pair, **options) for a, b, pair in ((x, y, (n, m)), (x, x, (n, n)), (y, y, (m, m)))
    )
    value = between - 0.5 * (of_x + of_y)
    return reduced(value, reduction)


# --- what they share --------------------------------------------------------------------------------


class _Total:
    """A result that is a total alone."""

    def __init__(self, total):
        self.total = total


def _entropy(gamma) -> Semiring:
    """`Entropy` with the entropy as the total that is differentiated."""
    return replace(Entropy(gamma), name="EntropyOfPaths", decode=lambda x, p: {"total": x[1], "softmin": x[0]})


GAMMA = Param("gamma", axes="b")
SOFT, SHARP, ENTROPY = Softmin(GAMMA), Expectation(GAMMA), _entropy(GAMMA)


def _given(topology: Topology | None) -> Topology:
    return topology or dtw()


def _aligned(what, minimum, x, y, gamma, cost, lengths, topology, params, whole=False):
    made, lengths = local_cost(checked_cost(what, cost), x, y, lengths, whole)
    params = {**(params or {}), "gamma": gamma_value(gamma)}
    return solver_of(minimum, _given, topology)(made, lengths, params), made, lengths


@torch.compiler.assume_constant_result
def _has_costs_alone(topology) -> bool:
    """Whether what its paths pay is made of the one plane of costs and nothing else."""
    topology = _given(topology)
    return len(topology.planes()) == 1 and all(payer.penalty == 0.0 for payer in topology.payers())
