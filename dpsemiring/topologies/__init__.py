"""Ready-made topologies: declarations, nothing but declarations (`dp.topologies`)."""

from dpsemiring.topologies.dtw import dtw, subsequence_dtw, weighted_dtw
from dpsemiring.topologies.edit import affine_gap
from dpsemiring.topologies.speech import ctc

__all__ = ["affine_gap", "ctc", "dtw", "subsequence_dtw", "weighted_dtw"]
