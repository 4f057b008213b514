"""Emitted by dpsemiring; do not edit.

recurrence over Tropical()
  D[n, m] = sum of
    start 0 at [0, 0]: encode(cost[n, m])
    start 1 at [0, 1]: encode(cost[n, m])
    times(D[n-1, m], encode(cost[n, m]))
    times(D[n-1, m-1], encode(cost[n, m]))
    times(D[n-1, m-2], encode(cost[n, m]))   where (labels[m] differs -2)
  total = decode of sum of
    times(D at [-1, -1], one)
    times(D at [-1, -2], one)
plan
  schedule  rows (every step has dn >= 1): lanes along m, strips of at most 32 rows
  carrier   (x: float64), exact, never contracted
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

F = np.float64
I = np.int64
INF = F(np.inf)
NAN = F(np.nan)
V = 8
SWEEP = {"nogil": True, "error_model": "numpy"}
OPTIONS = {**SWEEP, "no_cfunc_wrapper": True}


@straight
def candidates(S0, W0, W1, B0, B1, o, i, q, pitch):
    c0 = F(0.0)
    c1 = F(np.inf)
    c2 = I(4)
    c3 = I(-1)
    c4 = I(3)
    c5 = I(2)
    c6 = I(1)
    c7 = I(0)
    start0 = peek(B0, i)
    w0 = peek(W0, i)
    D0_0_0_0 = peek(S0, o)
    start1 = peek(B1, i)
    D0_0_1_0 = peek(S0, o - 1 * pitch)
    D0_0_1_1 = peek(S0, o - 1 * pitch - 1)
    w1 = peek(W1, q)
    D0_0_1_2 = peek(S0, o - 1 * pitch - 2)
    t0 = ne(start0, c0)
    t1 = where(t0, w0, c1)
    t2 = ne(t1, c1)
    t3 = eq(D0_0_0_0, t1)
    t4 = both(t2, t3)
    t5 = ne(start1, c0)
    t6 = where(t5, w0, c1)
    t7 = ne(t6, c1)
    t8 = eq(D0_0_0_0, t6)
    t9 = both(t7, t8)
    t10 = add(D0_0_1_0, w0)
    t11 = ne(t10, c1)
    t12 = eq(D0_0_0_0, t10)
    t13 = both(t11, t12)
    t14 = add(D0_0_1_1, w0)
    t15 = ne(t14, c1)
    t16 = eq(D0_0_0_0, t14)
    t17 = both(t15, t16)
    t18 = ne(w1, c0)
    t19 = add(D0_0_1_2, w0)
    t20 = where(t18, t19, c1)
    t21 = ne(t20, c1)
    t22 = eq(D0_0_0_0, t20)
    t23 = both(t21, t22)
    t24 = where(t23, c2, c3)
    t25 = where(t17, c4, t24)
    t26 = where(t13, c5, t25)
    t27 = where(t9, c6, t26)
    t28 = where(t4, c7, t27)
    return (t28,)


@njit(**WITHIN)
def choose(S0, W0, W1, B0, B1, k, t, q, lanes):
    pitch = lanes + 8
    o = (t + 1) * (1 * pitch) + 8 + q
    i = t * lanes + q
    taken = candidates(S0, W0, W1, B0, B1, o, i, q, pitch)
    if k == 0:
        return np.int64(taken[0])
    return np.int64(-1)

ARC_DN = np.array([[0, 0, 1, 1, 1]], np.int64).reshape(1, 5)

ARC_DM = np.array([[0, 0, 0, 1, 2]], np.int64).reshape(1, 5)

ARC_SOURCE = np.array([[-1, -1, 0, 0, 0]], np.int64).reshape(1, 5)

ARC_STEP = np.array([[-1, -1, 0, 1, 2]], np.int64).reshape(1, 5)


@called(**OPTIONS)
def paths(advance_starts, advance, arena, used, first, last, skip, n_len, m_len, height, span, j_first, j_last, a0, more_n0, more_m0, a1, more_n1, more_m1, R0, K0, from_n, from_m, from_k, visited, counts):
    cols_all = largest(m_len) + 0
    lanes_all = lane_count(cols_all, height, V, False)
    times_all = min(span, time_count(height, cols_all, False))
    size = (times_all + 1) * 1 * (lanes_all + 8)
    S0 = room(arena, used, size, F)
    W0 = room(arena, used, (times_all + V) * lanes_all, np.float64)
    W1 = room(arena, used, (times_all + V) * lanes_all, np.float64)
    B0 = room(arena, used, (times_all + V) * lanes_all, np.float64)
    B1 = room(arena, used, (times_all + V) * lanes_all, np.float64)
    seen0 = zeros(arena, used, V, I)
    seen1 = zeros(arena, used, V, I)
    for b in range(first, last):
        if skip[b] or from_n[b] < 0:
            continue
        length = n_len[b] + 0
        m_all = m_len[b] + 0
        strips = (length + height - 1) // height
        left, cols, known, shift = 0, m_all, m_all, 0
        lanes = lane_count(cols, height, V, False)
        n, m, k, count = from_n[b], from_m[b], from_k[b], counts[b]
        while k >= 0 and n >= j_first * height:
            j = n // height
            n0, slot = j * height, j - j_first
            rows = min(height, length - n0)
            times = time_count(rows, cols, False)
            tiles = (times + span - 1) // span
            tile = 0
            t0 = tile * span
            t1 = min(times, t0 + span)
            on_n, on_t = (0, span) if t1 < times else (height, -t0)
            stage(W0, a0, b, n0, rows, t0, t1, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, INF, lanes, False, seen0, on_n, on_t)
            stage(W1, a1, b, n0, 1, t0, t1, cols, 0, left, n_len[b] + more_n1, m_len[b] + more_m1, F(0.0), lanes, False, seen1, on_n, on_t)
            enter(S0, R0, K0, b, slot, tile, t0, t1, cols, known, shift, 1, 1, 2, F(np.inf), lanes, 8, 1, False)
            starts = falls(0, 0, length, m_all, n0, rows, t0, t1, left, False) or falls(0, 1, length, m_all, n0, rows, t0, t1, left, False) or not advance
            if starts:
                mark(B0, 0, 0, length, m_all, n0, rows, t0, t1, left, cols, lanes, False)
                mark(B1, 0, 1, length, m_all, n0, rows, t0, t1, left, cols, lanes, False)
                call(advance_starts, S0, W0, W1, B0, B1, t0, t1 - t0, rows, cols, lanes)
            else:
                call(advance, S0, W0, W1, t0, t1 - t0, rows, cols, lanes)
            if not starts:
                clear(B0)
                clear(B1)
            while k >= 0 and n >= n0:
                l = n - n0
                t, q = (l, m - left)
                if t < 0:
                    break
                chosen = choose(S0, W0, W1, B0, B1, k, t, q, lanes)
                if chosen < 0:
                    k = -1
                    count = -1
                    break
                visited[b, count, 0], visited[b, count, 1] = n, m
                visited[b, count, 2], visited[b, count, 3] = k, ARC_STEP[k, chosen]
                count += 1
                n, m, k = n - ARC_DN[k, chosen], m - ARC_DM[k, chosen], ARC_SOURCE[k, chosen]
        from_n[b], from_m[b], from_k[b], counts[b] = n, m, k, count
