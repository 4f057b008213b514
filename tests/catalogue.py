"""Every preset and every semiring, on lattices so small that their paths can be enumerated."""

from fractions import Fraction

import dpsemiring as dp
from dpsemiring.testing import samples

t, Param, Window = dp.topologies, dp.Param, dp.Window
BATCH_GAMMA = Param("gamma", axes="b")


# name -> (topology, the longest lengths). A family has members that differ in kind: productions, weights, boundaries
PRESETS = {
    "dtw": (t.dtw(), (4, 4)),
    "dtw in a band": (t.dtw().replace(window=Window.sakoe_chiba(2.5)), (6, 6)),
    "dtw in a parallelogram": (t.dtw().replace(window=Window.itakura(3)), (6, 6)),
    "dtw_21": (t.dtw_21(), (6, 5)),
    "weighted_dtw": (t.weighted_dtw(1.5, Param("stay", axes="m"), Param("both", axes="bnm")), (4, 4)),
    "symmetric1": (t.symmetric1(), (3, 4)),
    "symmetric2": (t.symmetric2(), (3, 4)),
    "asymmetric": (t.asymmetric(), (4, 4)),
    "rigid": (t.rigid(), (3, 3)),
    "mvm": (t.mvm(3), (3, 6)),
    "sakoe_chiba symmetric": (t.sakoe_chiba(Fraction(1, 2)), (5, 5)),
    "sakoe_chiba asymmetric": (t.sakoe_chiba(2, symmetric=False), (5, 5)),
    "rabiner_juang 3a": (t.rabiner_juang(3, "a"), (5, 5)),
    "rabiner_juang 5cs": (t.rabiner_juang(5, "c", smoothed=True), (5, 5)),
    "rabiner_juang 7d": (t.rabiner_juang(7, "d"), (5, 5)),
    "myers": (t.myers(1, "b"), (5, 5)),
    "mori2006": (t.mori2006(), (5, 5)),
    "step_pattern": (t.step_pattern("rj6ds"), (6, 6)),
    "subsequence_dtw": (t.subsequence_dtw(0), (4, 4)),
    "subsequence_dtw compensated": (
        t.subsequence_dtw(1, before=Param("before", axes="m"), after=Param("after", axes="m")),
        (4, 4),
    ),
    "partial_matching": (t.partial_matching(), (3, 4)),
    "edit_distance": (t.edit_distance(Param("deletion", axes="bn"), 1.0, Param("substitution")), (3, 3)),
    "needleman_wunsch": (t.needleman_wunsch(), (3, 3)),
    "smith_waterman": (t.smith_waterman(), (2, 3)),
    "affine_gap": (t.affine_gap(deletion="deletion"), (3, 3)),
    "affine_gap local": (t.affine_gap(0.75, 0.25, ends="local"), (2, 2)),
    "affine_gap semi-global": (t.affine_gap(ends="semi-global"), (2, 2)),
    "affine_gap one-sided": (t.affine_gap(insertion="insertion", ends="semi-global", free_begin=(1,), free_end=()), (2, 3)),
    "ctc": (t.ctc(), (3, 5)),
    "ctc_durations": (t.ctc_durations(), (4, 3)),
    "ctc_durations to 2": (t.ctc_durations(1, 2), (4, 2)),
    "ctc_wildcard": (t.ctc_wildcard(), (4, 3)),
    "ctc_without_blank": (t.ctc_without_blank(), (5, 3)),
    "asg": (t.asg(), (4, 3)),
    "transducer": (t.transducer(), (4, 3)),
    "transducer monotonic": (t.transducer(monotonic=True), (5, 3)),
    "hmm": (t.hmm(3), (4, 3)),
    "wdtw": (t.wdtw(), (4, 4)),
    "erp": (t.erp(), (3, 3)),
    "edr": (t.edr(), (3, 3)),
    "lcss": (t.lcss(), (3, 3)),
    "msm": (t.msm(), (4, 4)),
    "twe": (t.twe(), (4, 4)),
}
SEMIRINGS = {
    "Tropical": dp.Tropical,
    "MaxPlus": dp.MaxPlus,
    "Softmin": dp.Softmin(BATCH_GAMMA),
    "Log": dp.Log,
    "Sparsemin": dp.Sparsemin(BATCH_GAMMA),
    "Smoothmin": dp.Smoothmin(BATCH_GAMMA),
    "Real": dp.Real,
    "Counting": dp.Counting,
    "Boolean": dp.Boolean,
    "Entropy": dp.Entropy(BATCH_GAMMA),
    "Expectation": dp.Expectation(BATCH_GAMMA),
    "KBest": dp.KBest(3),
    "mantissa_exponent": samples.mantissa_exponent(BATCH_GAMMA),
}
