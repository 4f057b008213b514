"""Alignments in torch: solvers on tensors are differentiable, and losses are thin declarations over them."""

from dpsemiring.torch.costs import bce, cosine, gather, nll, sqeuclidean
from dpsemiring.torch.losses import AlignmentLoss
from dpsemiring.torch.schedule import GammaSchedule
from dpsemiring.torch.sequences import padded
from dpsemiring.torch.softdtw import alignment_entropy, mean_cost, sharp_soft_dtw, soft_dtw, soft_dtw_divergence
from dpsemiring.torch.solve import TensorResult
from dpsemiring.torch.targets import alignment_prior_loss, similarity_loss, soft_targets, temporal_distortion

__all__ = [
    "AlignmentLoss",
    "GammaSchedule",
    "TensorResult",
    "alignment_entropy",
    "alignment_prior_loss",
    "bce",
    "cosine",
    "gather",
    "mean_cost",
    "nll",
    "padded",
    "sharp_soft_dtw",
    "similarity_loss",
    "soft_dtw",
    "soft_dtw_divergence",
    "soft_targets",
    "sqeuclidean",
    "temporal_distortion",
]
