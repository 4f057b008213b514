"""Emitted by dpsemiring; do not edit.

recurrence over Softmin(gamma)
  D[n, m] = sum of
    start 0 at [0, 0]: encode(cost[n, m])
    times(D[n-1, m-1], encode(cost[n, m]))
    times(D[n-1, m], encode(cost[n, m]))
    times(D[n, m-1], encode(cost[n, m]))
  total = decode of sum of
    times(D at [-1, -1], one)
plan
  schedule  skewed strips of 32 rows: lane l at time t is row l, column t - l
  carrier   (x: float32), multiply-adds allowed
  states    one, in this order within a cell
  memory    borders of 1 row(s) for each 32; the backward pass recomputes
"""
import numpy as np
from numba import cfunc, njit

from dpsemiring.run.cpu.staging import *
from dpsemiring.run.cpu.vector import *

F = np.float32
I = np.int32
INF = F(np.inf)
NAN = F(np.nan)
V = 16
SWEEP = {"nogil": True, "error_model": "numpy", "cache": True}
OPTIONS = {**SWEEP, "no_cfunc_wrapper": True}
INNER = {**OPTIONS, "no_cpython_wrapper": True}


@njit(**OPTIONS)
def forward(advance_starts, advance, first, last, skip, n_len, m_len, a0, more_n0, more_m0, all_p_gamma, R0, end_n, end_m, end_k, D0, keep, L0):
    cols_all = largest(m_len) + 0
    lanes_all = lane_count(cols_all, 32, V, True)
    times_all = time_count(32, cols_all, True)
    size = (times_all + 2) * 1 * (lanes_all + 1)
    S0 = room(size, F)
    W0 = room(times_all * lanes_all, np.float32)
    B0 = room(times_all * lanes_all, np.float32)
    for b in range(first, last):
        if skip[b]:
            continue
        length = n_len[b] + 0
        m_all = m_len[b] + 0
        left, cols, known, shift = 0, m_all, m_all, 0
        lanes = lane_count(cols, 32, V, True)
        p_gamma = all_p_gamma[b if all_p_gamma.size > 1 else 0]
        e = 0
        for j in range((length + 31) // 32):
            n0 = j * 32
            rows = min(32, length - n0)
            times = time_count(rows, cols, True)
            stage(W0, a0, b, n0, rows, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, INF, lanes, True)
            enter(S0, R0, b, j, cols, known, shift, 1, 1, 1, F(np.inf), lanes, 1, 2, times, True)
            starts = falls(0, length, n0, rows) or not advance
            if starts:
                mark(B0, 0, False, 0, False, length, m_all, n0, rows, left, cols, lanes, True)
                call(advance_starts, S0, W0, B0, p_gamma, times, rows, cols, lanes)
            else:
                call(advance, S0, W0, p_gamma, times, rows, cols, lanes)
            begin = e
            e = ends_before(end_n, b, n0 + rows, begin)
            collect(S0, D0, b, end_n, end_m, end_k, begin, e, n0, left, 1, lanes, 1, 2, True)
            if keep:
                spill(S0, L0, b, n0, rows, left, cols, 1, lanes, 1, 2, True)
            if n0 + rows < length:
                leave(S0, R0, b, j, 32, cols, 1, 1, lanes, 1, 2, True)
