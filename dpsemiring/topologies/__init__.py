"""Ready-made topologies: declarations, nothing but declarations (`dp.topologies`)."""

from dpsemiring.topologies.dtw import (
    asymmetric,
    dtw,
    dtw_21,
    mvm,
    partial_matching,
    rigid,
    subsequence_dtw,
    symmetric1,
    symmetric2,
    weighted_dtw,
)
from dpsemiring.topologies.edit import affine_gap
from dpsemiring.topologies.patterns import mori2006, myers, rabiner_juang, sakoe_chiba, step_pattern
from dpsemiring.topologies.speech import ctc

__all__ = [
    "affine_gap", "asymmetric", "ctc", "dtw", "dtw_21", "mori2006", "mvm", "myers", "partial_matching", "rabiner_juang",
    "rigid", "sakoe_chiba", "step_pattern", "subsequence_dtw", "symmetric1", "symmetric2", "weighted_dtw",
]  # fmt: skip
