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
from dpsemiring.topologies.edit import affine_gap, edit_distance, needleman_wunsch, smith_waterman
from dpsemiring.topologies.elastic import edr, erp, lcss, msm, twe, wdtw
from dpsemiring.topologies.patterns import mori2006, myers, rabiner_juang, sakoe_chiba, step_pattern
from dpsemiring.topologies.speech import asg, ctc, ctc_durations, ctc_wildcard, ctc_without_blank, hmm, transducer

__all__ = [
    "affine_gap", "asg", "asymmetric", "ctc", "ctc_durations", "ctc_wildcard", "ctc_without_blank", "dtw", "dtw_21",
    "edit_distance", "edr", "erp", "hmm", "lcss", "mori2006", "msm", "mvm", "myers", "needleman_wunsch", "partial_matching",
    "rabiner_juang", "rigid", "sakoe_chiba", "smith_waterman", "step_pattern", "subsequence_dtw", "symmetric1", "symmetric2",
    "transducer", "twe", "wdtw", "weighted_dtw",
]  # fmt: skip
