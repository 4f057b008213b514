"""Forced alignment: the best of CTC's alignments, with its path."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.ctc import problem
from benchmarks.work import OURS, Way, Work


def works(quick: bool) -> list[Work]:
    frames, labels = (300, 60) if quick else (20000, 4000)
    return [
        Work(
            f"forced alignment, {frames} frames, {labels} labels",
            frames * (2 * labels + 1),
            partial(problem, 1, frames, labels),
            {
                OURS: Way(arrays),
                f"{OURS} torch": Way(tensors),
                "torchaudio forced_align": Way(torchaudio),
                "hirschberg-viterbi hirschberg_viterbi": Way(partial(hirschberg, "hirschberg_viterbi")),
                "hirschberg-viterbi viterbi": Way(partial(hirschberg, "viterbi")),
            },
            {"torchaudio": 5.0, "hirschberg-viterbi": 2.0},
        )
    ]


def score(log_probs, labels):
    """The sum of the log-probabilities of the classes along a path, in float64: what is compared, since ties may fall apart."""
    return np.take_along_axis(log_probs[0].astype(np.float64), np.asarray(labels, np.int64)[:, None], axis=1).sum()


def arrays(log_probs, labels):
    import dpsemiring as dp

    blanks = np.zeros(2 * labels.shape[1] + 1, labels.dtype)
    blanks[1::2] = labels[0]
    solver = dp.compile(dp.topologies.ctc(), dp.Tropical)

    def call():
        result = solver(-dp.costs.gather(log_probs[0], blanks), params={"labels": blanks})
        return score(log_probs, blanks[result.path[:, 1]])

    return call


def tensors(log_probs, labels):
    import torch

    from dpsemiring.torch import forced_align

    given, targets = torch.from_numpy(log_probs[0]), torch.from_numpy(labels[0])
    return lambda: score(log_probs, forced_align(given, targets).labels.numpy())


def torchaudio(log_probs, labels):
    import torch
    from torchaudio.functional import forced_align

    given, targets = torch.from_numpy(log_probs), torch.from_numpy(labels)
    return lambda: score(log_probs, forced_align(given, targets)[0][0].numpy())


def hirschberg(function, log_probs, labels):
    """Its exact methods, with 1 MB for their tables, where that is a choice."""
    import hirschberg_viterbi
    import torch

    given, targets = torch.from_numpy(log_probs), torch.from_numpy(labels.astype(np.int32))
    align = getattr(hirschberg_viterbi, function)
    options = {"soft_mem_limit": 2**20} if function == "hirschberg_viterbi" else {}
    return lambda: score(log_probs, align(given, targets, **options)[0][0].numpy())
