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
  memory    the last 1 row(s) of each strip are kept; the backward pass recomputes
"""
import numpy as np
from numba import njit

from dpsemiring.run.cpu.borders import *
from dpsemiring.run.cpu.calls import WITHIN
from dpsemiring.run.cpu.compiled import *
from dpsemiring.run.cpu.staging import *
from dpsemiring.run.cpu.vector import *

F = np.float32
I = np.int32
INF = F(np.inf)
NAN = F(np.nan)
V = 16
SWEEP = {"nogil": True, "error_model": "numpy"}
OPTIONS = {**SWEEP, "no_cfunc_wrapper": True}


@called(**OPTIONS)
def forward(advance_starts, advance, arena, used, first, last, skip, n_len, m_len, height, span, j_first, j_last, a0, more_n0, more_m0, all_p_gamma, R0, K0, most0, turns, done, end_n, end_m, end_k, D0, keep, L0):
    cols_all = largest(m_len) + 0
    lanes_all = lane_count(cols_all, height, V, True)
    times_all = min(span, time_count(height, cols_all, True))
    size = (times_all + 2) * 1 * (lanes_all + 16)
    S0 = room(arena, used, size, F)
    W0 = room(arena, used, (times_all + V) * lanes_all, np.float32)
    B0 = room(arena, used, (times_all + V) * lanes_all, np.float32)
    seen0 = zeros(arena, used, V, I)
    for b in range(first, last):
        if skip[b]:
            continue
        length = n_len[b] + 0
        m_all = m_len[b] + 0
        strips = (length + height - 1) // height
        left, cols, known, shift = 0, m_all, m_all, 0
        lanes = lane_count(cols, height, V, True)
        p_gamma = all_p_gamma[b if all_p_gamma.size > 1 else 0]
        while True:
            j = j_first + claim(turns, b)
            if j >= min(strips, j_last):
                break
            n0, slot = j * height, j - j_first
            rows = min(height, length - n0)
            times = time_count(rows, cols, True)
            tiles = (times + span - 1) // span
            begin = ends_before(end_n, end_m, b, n0, 0, 0)
            e = ends_before(end_n, end_m, b, n0 + rows, 0, begin)
            early, late = times_of_ends(end_n, end_m, b, begin, e, n0, left, True)
            for tile in range(tiles):
                t0 = tile * span
                t1 = min(times, t0 + span)
                on_n, on_t = (0, span) if t1 < times else (height, -t0)
                stop = e if early < t1 and t0 <= late else begin
                if slot > 0:
                    wait(done, b, slot, min(known, t1 + 1 + shift))
                stage(W0, a0, b, n0, rows, t0, t1, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, INF, lanes, True, seen0, on_n, on_t)
                enter(S0, R0, K0, b, slot, tile, t0, t1, cols, known, shift, 1, 1, 1, F(np.inf), lanes, 16, 2, True)
                starts = falls(0, 0, length, m_all, n0, rows, t0, t1, left, True) or not advance
                if starts:
                    mark(B0, 0, 0, length, m_all, n0, rows, t0, t1, left, cols, lanes, True)
                    call(advance_starts, S0, W0, B0, p_gamma, t0, t1 - t0, rows, cols, lanes)
                else:
                    call(advance, S0, W0, p_gamma, t0, t1 - t0, rows, cols, lanes)
                collect(S0, D0, b, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, 1, lanes, 16, 2, True)
                if keep:
                    spill(S0, L0, b, n0, rows, t0, t1, left, cols, 1, lanes, 16, 2, True)
                if t1 < times:
                    keep_times(S0, K0, b, slot, tile, t0, t1, 1, lanes, 16, 2)
                if n0 + rows < length:
                    leave(S0, R0, b, slot, t0, t1, height, cols, 1, 1, lanes, 16, 2, True)
                    publish(done, b, slot + 1, cols if t1 == times else t1 - height + 1)
            tell(seen0, most0, b, j)
