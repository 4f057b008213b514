"""A declared alignment as a loss: series in, local cost, total, normalisation, reduction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch

from dpsemiring.algebra.semiring import Semiring, in_its_place
from dpsemiring.api import compile
from dpsemiring.declare import costs
from dpsemiring.declare.param import Param
from dpsemiring.declare.topology import Topology
from dpsemiring.run.shapes import main_plane
from dpsemiring.torch.checks import is_whole
from dpsemiring.torch.costs import KINDS, bce
from dpsemiring.torch.reduce import check_reduction, reduced, without_infinities
from dpsemiring.torch.schedule import GammaSchedule
from dpsemiring.torch.sequences import padded, without_padding
from dpsemiring.torch.solve import TensorResult
from dpsemiring.torch.sources import TensorSource

COSTS: dict[str, Callable] = {**KINDS, "bce_logits": partial(bce, logits=True)}
SOURCES: dict[str, Callable] = {**{kind: getattr(costs, kind) for kind in KINDS}, "bce_logits": partial(costs.bce, logits=True)}
OF_LABELS = ("gather", "nll")
NORMALIZE = (None, "N", "M", "N+M", "path")


class AlignmentLoss(torch.nn.Module):
    """The total of an alignment of two series, as a loss.

    Parameters
    ----------
    topology : Topology
        Such as ``dp.topologies.dtw()``, or your own.
    semiring : Semiring, or function of gamma
        Such as ``dp.Tropical`` or ``dp.Softmin(0.1)``; with `gamma`, what makes one of it: ``dp.Softmin``.
    cost : str, function or None
        The local cost: ``"sqeuclidean"``, ``"cosine"``, ``"bce"``, ``"bce_logits"``, ``"nll"``, ``"gather"`` (see
        `dpsemiring.torch.costs`); a function of two tensors that gives (N, M) or (B, N, M), or a dict with one for each
        plane of the topology; None or ``"cost"`` where the first argument of the call is the cost itself.
    gamma : float, tensor, torch.nn.Parameter or GammaSchedule, optional
        The temperature, (): or (B,). Its value never recompiles; a Parameter is learnt.
    reduction : {"mean", "sum", "none"}
        Over the batch.
    normalize : {None, "N", "M", "N+M", "path"}
        What each item's total is divided by: its lengths, or the weight of its path; see below.
    zero_infinity : bool
        Whether an item without a path counts as 0. Its gradient is 0 in any case.
    engine : {"cpu", "reference"}
        As for `dp.compile`.

    Notes
    -----
    **Shapes.** Called with x, (B, N, D) or (N, D), and y, (B, M, D) or (M, D), or labels (B, M) or (M,); either may
    be ragged, as in `padded`. Padding reaches neither the value nor a gradient, whatever it holds.

    **Normalisation.** "N+M" is the classic one of step patterns whose weights sum to it (symmetric2), "N" and "M" of
    those that pay every row, or column, once. With "path" the total V is divided by the path's sum of weights,

        W = d V(cost + e) / d e at e = 0 = sum over cells of the marginals,

    which is exact: under a hard minimum the sum of the weights along the best path, under a soft one its expectation
    over paths; with weights of 1 it is the number of cells, the sum of the occupancy. V / W is the cost of a path for
    each unit of weight. W is differentiated as well (its derivative is the second derivative of V; 0 under a hard
    minimum), so that the gradient is that of the value; a second derivative of V / W would need a third one of V and is
    refused.

    **No path.** The total of such an item is the semiring's zero, +inf for a minimum, and its gradient 0. A mean with
    it is +inf unless `zero_infinity`; it then counts as 0 in a mean over all items, as in torch's ``ctc_loss``.

    Examples
    --------
    >>> import torch
    >>> import dpsemiring as dp
    >>> from dpsemiring.torch import AlignmentLoss
    >>> loss = AlignmentLoss(dp.topologies.symmetric2(), dp.Softmin, gamma=0.1, cost="sqeuclidean", normalize="N+M")
    >>> x = torch.tensor([[0.0], [0.5], [1.0]], requires_grad=True)
    >>> value = loss(x, torch.tensor([[0.0], [1.0]]))
    >>> value.backward()
    >>> round(value.item(), 4), [round(g, 4) for g in x.grad.flatten().tolist()]
    (0.047, [-0.0, 0.1436, 0.0])
    """

    def __init__(
        self,
        topology: Topology,
        semiring: Semiring | Callable[[Param], Semiring],
        *,
        cost: str | Callable | None,
        gamma=None,
        reduction: str = "mean",
        normalize: str | None = None,
        zero_infinity: bool = False,
        engine: str = "cpu",
    ):
        super().__init__()
        if gamma is not None:
            if isinstance(semiring, Semiring) or not callable(semiring):
                raise TypeError(
                    f"AlignmentLoss: with gamma=, semiring is a function of it, such as dp.Softmin; found {semiring!r}; leave "
                    "gamma out for a semiring that has its own"
                )
            semiring = semiring(Param("gamma", axes="b"))
        elif not isinstance(semiring, Semiring):
            raise TypeError(f"AlignmentLoss: semiring is a dp.Semiring, found {in_its_place(semiring)}; or pass gamma= beside it")
        self.cost = checked_cost("AlignmentLoss", cost)
        self.gamma = gamma
        self.reduction = check_reduction("AlignmentLoss", reduction)
        self.normalize = check_normalize("AlignmentLoss", normalize)
        self.zero_infinity = zero_infinity
        self.solver = compile(topology, semiring, engine=engine)

    def forward(self, x, y=None, lengths=None, params: Mapping[str, object] | None = None) -> torch.Tensor:
        """The loss: () or, where nothing is reduced, (B,).

        Parameters
        ----------
        x, y : tensor, list of tensors, PackedSequence or nested tensor
            The series. With ``cost=None`` x is the cost itself (a tensor, a source of `dp.costs`, or a dict with one for
            each plane) and y is left out.
        lengths : pair of int or of (B,) tensors, optional
            The true lengths along x and along y; None for one that x or y brings along, or for the full one.
        params : dict, optional
            A value for each Param of the topology and the semiring; a `GammaSchedule` stands for its temperature.

        Raises
        ------
        ValueError, TypeError
            For shapes that do not fit, lengths given twice, a cost outside its domain; all that a solver refuses.
        """
        result, cost, lengths = self._aligned(x, y, lengths, params)
        return finished(result, cost, lengths, self.normalize, self.zero_infinity, self.reduction)

    def align(self, x, y=None, lengths=None, params: Mapping[str, object] | None = None) -> TensorResult:
        """The result behind the loss, from the same arguments: its total, expected alignment, gradients and paths."""
        return self._aligned(x, y, lengths, params)[0]

    def _aligned(self, x, y, lengths, params):
        """The result, and the cost and the lengths that it is of."""
        cost, lengths = local_cost(self.cost, x, y, lengths, whole=self.normalize == "path")
        if params is None or isinstance(params, Mapping):
            params = {name: v() if isinstance(v, GammaSchedule) else v for name, v in (params or {}).items()}
            if self.gamma is not None:
                params["gamma"] = gamma_value(self.gamma)
        return self.solver(cost, lengths, params), cost, lengths

    def extra_repr(self) -> str:
        cost = self.cost if isinstance(self.cost, (str, type(None))) else getattr(self.cost, "__name__", "own")
        return f"{self.solver!r}, cost={cost!r}, reduction={self.reduction!r}, normalize={self.normalize!r}"


# --- the parts, which other losses share ------------------------------------------------------------


def local_cost(cost, x, y, lengths, whole: bool):
    """The cost that a solver takes, a tensor if it is wanted as a whole, and the lengths along both of its axes."""
    if cost is None or cost == "cost":
        if y is not None:
            raise TypeError("the cost is given as it is (cost=None), and y stands beside it; name the cost that x and y have")
        return x, lengths
    if y is None:
        raise TypeError(f"y is missing; with cost={cost!r} the loss takes two series")
    (x, own_x), (y, own_y) = padded(x, "x"), padded(y, "y")
    given = (None, None) if lengths is None else lengths
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ValueError(f"lengths is a pair, along x and along y: lengths=(n, m); found {lengths!r}")
    n, m = (_lengths(name, own, length) for name, own, length in zip("xy", (own_x, own_y), given))
    labels = y.ndim == 1 or (is_whole(y) and y.ndim == 2 and x.ndim == 3 and (callable(cost) or cost in OF_LABELS))
    if isinstance(cost, str) and not whole:
        made = SOURCES[cost](x, y)
    else:
        function = COSTS[cost] if isinstance(cost, str) else cost
        made = function(without_padding(x, n), without_padding(y, m, labels))
    if callable(cost) and isinstance(made, torch.Tensor):
        _check_own(made, x, y, labels)
    if n is None and m is None:
        return made, None
    return made, (x.shape[-2] if n is None else n, y.shape[-1 if labels else -2] if m is None else m)


def _check_own(made, x, y, labels):
    """Refuse what a caller's function made where it is not a cost of the frames of x with those of y."""
    batches = [len(a) for a, axes in ((x, 2), (y, 1 if labels else 2)) if a.ndim > axes]
    wanted = (*([max(batches)] if batches else []), x.shape[-2], y.shape[-1 if labels else -2])
    if tuple(made.shape) != wanted:
        raise ValueError(
            f"cost: the function of x {tuple(x.shape)} and y {tuple(y.shape)} gives {tuple(made.shape)}; {wanted} is expected, "
            "frames of x along rows and those of y along columns"
        )


def _lengths(name, own, given):
    if own is not None and given is not None:
        raise ValueError(f"lengths: {name} is ragged and brings its own; pass None in their place")
    if own is not None or given is None or isinstance(given, int):
        return own if given is None else given
    return torch.as_tensor(given)


def finished(result, cost, lengths, normalize, zero_infinity, reduction) -> torch.Tensor:
    """The total, divided, with infinities taken out, reduced."""
    total = result.total
    if normalize is not None:
        total = total / _divisor(result, cost, lengths, normalize).to(total)
    return reduced(without_infinities(total) if zero_infinity else total, reduction)


def _divisor(result, cost, lengths, normalize):
    if normalize == "path":
        planes = result.marginals
        planes = planes.values() if isinstance(planes, dict) else [planes]
        weight = sum(plane.sum((-2, -1)) for plane in planes)
        return torch.where(weight == 0.0, 1.0, weight)  # no path, or nothing paid
    main = cost[main_plane(result._core.solver.recurrence)] if isinstance(cost, Mapping) else cost
    n, m = main.shape[-2:] if isinstance(main, torch.Tensor) else TensorSource.of("cost", main).shape[-2:]
    n, m = (torch.as_tensor(length) for length in ((n, m) if lengths is None else lengths))
    return {"N": n, "M": m, "N+M": n + m}[normalize].clamp(min=1)


def gamma_value(gamma) -> torch.Tensor:
    """A temperature as (1,) or (B,)."""
    if isinstance(gamma, GammaSchedule):
        gamma = gamma()
    return gamma.reshape(-1) if isinstance(gamma, torch.Tensor) else torch.tensor([float(gamma)], dtype=torch.float64)


def check_normalize(what, normalize):
    if normalize not in NORMALIZE:
        raise ValueError(f"{what}: normalize is one of {', '.join(map(str, NORMALIZE))}, found {normalize!r}")
    return normalize


def checked_cost(what, cost):
    if not (cost is None or callable(cost) or cost == "cost" or cost in COSTS):
        raise ValueError(f"{what}: cost is one of {', '.join(COSTS)}, a function of two tensors, or None; found {cost!r}")
    return cost
