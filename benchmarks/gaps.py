"""Affine gaps, the best score alone, with a substitution matrix."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.work import OURS, Way, Work

LETTERS = "ARNDCQEGHILKMFPSTWYV"
OPENING, EXTENSION = 11, 1


def works(quick: bool) -> list[Work]:
    n = 200 if quick else 2000
    ways = {OURS: Way(arrays)}
    for name in ("nw_striped_32", "nw_scan_32", "nw_diag_32", "nw_striped_profile_32", "nw_scan_profile_32"):
        ways[f"parasail {name}"] = Way(partial(parasail, name))
    return [Work(f"affine gaps {n} x {n}, score", n * n, partial(problem, n), ways, {"parasail": 0.7}, tolerance=0.0)]


def problem(n):
    """Two related sequences of letters, as numbers, and scores of pairs of letters."""
    random = np.random.default_rng(0)
    half = random.integers(-4, 3, (20, 20))
    scores = np.minimum(half, half.T) + np.diag(random.integers(5, 12, 20))
    a = random.integers(0, 20, n)
    b = np.where(random.random(n) < 0.2, random.integers(0, 20, n), a)
    return a, np.concatenate([b[5:], random.integers(0, 20, 5)]), scores


def arrays(a, b, scores):
    """The sequences are the input, as they are the peers'; the matrix of scores is not made."""
    import dpsemiring as dp

    solver = dp.compile(dp.topologies.affine_gap(-OPENING, -EXTENSION), dp.MaxPlus)
    scores = scores.astype(np.float32)
    return lambda: (solver(dp.costs.lookup(scores, a, b)).total,)


def parasail(function, a, b, scores):
    import parasail

    matrix = parasail.matrix_create(LETTERS, 0, 0)
    for i, row in enumerate(scores):
        for j, value in enumerate(row):
            matrix[i, j] = int(value)
    a, b = ("".join(LETTERS[i] for i in s) for s in (a, b))
    align = getattr(parasail, function)
    if "profile" in function:
        profile = parasail.profile_create_32(a, matrix)
        return lambda: (align(profile, b, OPENING, EXTENSION).score,)
    return lambda: (align(a, b, OPENING, EXTENSION, matrix).score,)
