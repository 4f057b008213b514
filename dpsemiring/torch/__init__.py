"""Alignments in torch: solvers on tensors are differentiable, and losses are thin declarations over them.

- `dp.compile(topology, semiring)(cost)` with tensors gives a `TensorResult`, differentiable twice.
- Losses: `AlignmentLoss` for any topology, `soft_dtw`, `sharp_soft_dtw`, `mean_cost`, `path_entropy`, `soft_dtw_divergence`;
  `GammaSchedule` for a temperature that falls; `padded` for ragged series.
- Local costs: `sqeuclidean`, `cosine`, `bce`, `nll`, `gather`.
- CTC: `ctc_loss` and its variants `ctc_*_loss`, `mctc_loss`, `ctc_like`; `forced_align`.
- On the expected alignment: `soft_targets`, `alignment_prior_loss`, `temporal_distortion`, `similarity_loss`.

Documents: docs/torch.md, docs/ctc.md, docs/learning.md.
"""

from dpsemiring.torch.costs import bce, cosine, gather, nll, sqeuclidean
from dpsemiring.torch.ctc import ctc_loss
from dpsemiring.torch.ctc_variants import (
    ctc_blank_penalty_loss,
    ctc_duration_loss,
    ctc_prior_loss,
    ctc_star_loss,
    ctc_wildcard_loss,
    ctc_without_blank_loss,
)
from dpsemiring.torch.forced_alignment import Alignment, Span, forced_align
from dpsemiring.torch.losses import AlignmentLoss
from dpsemiring.torch.multi_ctc import ctc_like, mctc_loss
from dpsemiring.torch.schedule import GammaSchedule
from dpsemiring.torch.sequences import padded
from dpsemiring.torch.softdtw import mean_cost, path_entropy, sharp_soft_dtw, soft_dtw, soft_dtw_divergence
from dpsemiring.torch.solve import TensorResult
from dpsemiring.torch.targets import alignment_prior_loss, similarity_loss, soft_targets, temporal_distortion

__all__ = [
    "Alignment",
    "AlignmentLoss",
    "GammaSchedule",
    "Span",
    "TensorResult",
    "alignment_prior_loss",
    "bce",
    "cosine",
    "ctc_blank_penalty_loss",
    "ctc_duration_loss",
    "ctc_like",
    "ctc_loss",
    "ctc_prior_loss",
    "ctc_star_loss",
    "ctc_wildcard_loss",
    "ctc_without_blank_loss",
    "forced_align",
    "gather",
    "mctc_loss",
    "mean_cost",
    "nll",
    "padded",
    "path_entropy",
    "sharp_soft_dtw",
    "similarity_loss",
    "soft_dtw",
    "soft_dtw_divergence",
    "soft_targets",
    "sqeuclidean",
    "temporal_distortion",
]
