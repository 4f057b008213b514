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
def backward(retreat_starts, retreat, advance_starts, advance, arena, used, first, last, skip, n_len, m_len, height, span, j_first, j_last, a0, more_n0, more_m0, all_p_gamma, R0, K0, turns, done, HG1_1_0_0, HG1_0_0_0, HG0_1_0_0, end_n, end_m, end_k, dA0, all_dW0, fresh):
    cols_all = largest(m_len) + 0
    lanes_all = lane_count(cols_all, height, V, True)
    times_all = min(span, time_count(height, cols_all, True))
    size = (times_all + 2) * 1 * (lanes_all + 16)
    S0 = room(arena, used, size, F)
    W0 = room(arena, used, (times_all + V) * lanes_all, np.float32)
    B0 = room(arena, used, (times_all + V) * lanes_all, np.float32)
    seen0 = zeros(arena, used, V, I)
    G1_1_0_0 = room(arena, used, (times_all + 2) * (lanes_all + 16), F)
    G1_0_0_0 = room(arena, used, (times_all + 2) * (lanes_all + 16), F)
    G0_1_0_0 = room(arena, used, (times_all + 2) * (lanes_all + 16), F)
    A0 = zeros(arena, used, times_all * lanes_all * 1, F)
    dW0 = zeros(arena, used, (times_all + V) * lanes_all, F)
    still = False
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
            j = min(strips, j_last) - 1 - claim(turns, b)
            if j < j_first:
                break
            n0, slot = j * height, j - j_first
            rows = min(height, length - n0)
            times = time_count(rows, cols, True)
            tiles = (times + span - 1) // span
            begin = ends_before(end_n, end_m, b, n0, 0, 0)
            e = ends_before(end_n, end_m, b, n0 + rows, 0, begin)
            early, late = times_of_ends(end_n, end_m, b, begin, e, n0, left, True)
            for tile in range(tiles - 1, -1, -1):
                t0 = tile * span
                t1 = min(times, t0 + span)
                on_n, on_t = (0, -span) if tile > 0 else (-height, (tiles - 1) * span)
                stop = e if early < t1 and t0 <= late else begin
                if j + 1 < min(strips, j_last):
                    wait(done, b, slot + 1, known - max(0, t0 - height - 1 + shift))
                entered, seeded = False, 0
                entered |= enter_flows(G1_1_0_0, HG1_1_0_0, b, j, t0, t1, height, cols, known, shift, 1, lanes, 16, 2, times, True)
                entered |= enter_flows(G1_0_0_0, HG1_0_0_0, b, j, t0, t1, height, cols, known, shift, 1, lanes, 16, 2, times, True)
                entered |= enter_flows(G0_1_0_0, HG0_1_0_0, b, j, t0, t1, height, cols, known, shift, 1, lanes, 16, 2, times, True)
                seeded += plant(A0, dA0, b, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, 1, lanes, True)
                if entered or seeded > 0:
                    still = False
                    stage(W0, a0, b, n0, rows, t0, t1, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, INF, lanes, True, seen0, on_n, on_t)
                    enter(S0, R0, K0, b, slot, tile, t0, t1, cols, known, shift, 1, 1, 1, F(np.inf), lanes, 16, 2, True)
                    starts = falls(0, 0, length, m_all, n0, rows, t0, t1, left, True) or not advance
                    if starts:
                        mark(B0, 0, 0, length, m_all, n0, rows, t0, t1, left, cols, lanes, True)
                        call(advance_starts, S0, W0, B0, p_gamma, t0, t1 - t0, rows, cols, lanes)
                    else:
                        call(advance, S0, W0, p_gamma, t0, t1 - t0, rows, cols, lanes)
                    if starts:
                        call(retreat_starts, S0, W0, B0, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, p_gamma, seeded, t0, t1 - t0, rows, cols, lanes)
                    else:
                        call(retreat, S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, p_gamma, seeded, t0, t1 - t0, rows, cols, lanes)
                    if seeded:
                        uproot(A0, b, end_n, end_m, end_k, begin, stop, n0, t0, t1, left, 1, lanes, True)
                    unstage(dW0, all_dW0, b, n0, rows, t0, t1, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, lanes, True, fresh, on_n, on_t)
                else:
                    if not still:
                        clear(G1_1_0_0)
                        clear(G1_0_0_0)
                        clear(G0_1_0_0)
                        still = True
                    if fresh:
                        blank(all_dW0, b, n0, rows, t0, t1, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, True)
                        pass
                leave_flows(G1_1_0_0, HG1_1_0_0, b, j, t0, t1, rows, cols, lanes, 16, True)
                leave_flows(G1_0_0_0, HG1_0_0_0, b, j, t0, t1, rows, cols, lanes, 16, True)
                leave_flows(G0_1_0_0, HG0_1_0_0, b, j, t0, t1, rows, cols, lanes, 16, True)
                publish(done, b, slot, cols - t0)
