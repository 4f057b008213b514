"""Every preset and every semiring, on lattices so small that their paths can be enumerated."""

import dpsemiring as dp
from dpsemiring.testing import samples

t, Param = dp.topologies, dp.Param
BATCH_GAMMA = Param("gamma", axes="b")

# name -> (topology, the longest lengths). A family has members that differ in kind: every production, weighting, boundary
PRESETS = {
    "dtw": (t.dtw(), (4, 4)),
    "weighted_dtw": (t.weighted_dtw(1.5, Param("stay", axes="m"), Param("both", axes="bnm")), (4, 4)),
    "subsequence_dtw": (t.subsequence_dtw(0), (4, 4)),
    "subsequence_dtw compensated": (
        t.subsequence_dtw(1, before=Param("before", axes="m"), after=Param("after", axes="m")),
        (4, 4),
    ),
    "partial_matching": (t.partial_matching(), (3, 4)),
    "affine_gap": (t.affine_gap(deletion="deletion"), (3, 3)),
    "ctc": (t.ctc(), (3, 5)),
}
SEMIRINGS = {
    "Tropical": dp.Tropical,
    "Softmin": dp.Softmin(BATCH_GAMMA),
    "Sparsemin": dp.Sparsemin(BATCH_GAMMA),
    "Counting": dp.Counting,
    "mantissa_exponent": samples.mantissa_exponent(BATCH_GAMMA),
}
