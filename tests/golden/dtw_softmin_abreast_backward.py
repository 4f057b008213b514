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
  schedule  abreast: lanes along the items of a batch, strips of some rows
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
from dpsemiring.run.cpu.abreast import *

F = np.float32
I = np.int32
INF = F(np.inf)
NAN = F(np.nan)
V = 16
SWEEP = {"nogil": True, "error_model": "numpy"}
OPTIONS = {**SWEEP, "no_cfunc_wrapper": True}


@called(**OPTIONS)
def backward(retreat_starts, retreat, advance_starts, advance, arena, used, first, last, skip, n_len, m_len, height, span, j_first, j_last, a0, more_n0, more_m0, all_p_gamma, R0, K0, turns, done, HG1_1_0_0, HG1_0_0_0, HG0_1_0_0, end_n, end_m, end_k, dA0, all_dW0, fresh):
    stripe_all = largest(m_len) + 1
    times_all = (height + 1) * stripe_all + 1
    S0 = room(arena, used, times_all * 1 * V, F)
    W0 = room(arena, used, (height * stripe_all + V) * V, np.float32)
    B0 = room(arena, used, (height * stripe_all + V) * V, np.float32)
    seen0 = zeros(arena, used, V, I)
    stops = room(arena, used, V, np.int64)
    G1_1_0_0 = room(arena, used, (times_all + stripe_all) * V, F)
    G1_0_0_0 = room(arena, used, (times_all + stripe_all) * V, F)
    G0_1_0_0 = room(arena, used, (times_all + stripe_all) * V, F)
    A0 = zeros(arena, used, height * stripe_all * V * 1, F)
    dW0 = room(arena, used, (height * stripe_all + V) * V, F)
    for group in range(first, last):
        b0 = group * V
        items = min(V, n_len.size - b0)
        lanes = V
        length, cols = longest(n_len, b0, items) + 0, longest(m_len, b0, items) + 0
        stripe, strips = cols + 1, (length + height - 1) // height
        p_gamma = all_p_gamma[0]
        hem(S0, height + 0, stripe, 1, 1 * lanes, F(np.inf))
        hem(G1_1_0_0, height + 1, stripe, 1, lanes, F(0))
        hem(G1_0_0_0, height + 1, stripe, 1, lanes, F(0))
        hem(G0_1_0_0, height + 1, stripe, 1, lanes, F(0))
        for j in range(strips - 1, -1, -1):
            n0 = j * height
            rows = min(height, length - n0)
            stage_abreast(W0, a0, b0, b0, items, n0, rows, cols, stripe, 1, 0, 0, n_len, more_n0, m_len, more_m0, INF, seen0, stops, 0)
            enter_abreast(S0, R0, group, j, 1 * stripe * 1 * lanes)
            starts = falls_abreast(0, b0, items, n_len, 0, n0, rows) or not advance
            if starts:
                mark_abreast(B0, 0, 0, b0, items, n_len, 0, m_len, 0, n0, rows, cols, stripe, 1, lanes)
                call(advance_starts, S0, W0, B0, p_gamma, 0, rows * stripe, rows, cols, lanes)
            else:
                call(advance, S0, W0, p_gamma, 0, rows * stripe, rows, cols, lanes)
            enter_flows_abreast(G1_1_0_0, rows, 1, stripe, lanes, j == strips - 1, height)
            enter_flows_abreast(G1_0_0_0, rows, 1, stripe, lanes, j == strips - 1, height)
            enter_flows_abreast(G0_1_0_0, rows, 1, stripe, lanes, j == strips - 1, height)
            seeded = 0
            seeded = plant_abreast(A0, dA0, b0, items, end_n, end_m, end_k, n0, rows, stripe, 1, 1, lanes, False)
            if starts:
                call(retreat_starts, S0, W0, B0, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, p_gamma, seeded, 0, rows * stripe, rows, cols, lanes)
            else:
                call(retreat, S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, p_gamma, seeded, 0, rows * stripe, rows, cols, lanes)
            if seeded:
                plant_abreast(A0, dA0, b0, items, end_n, end_m, end_k, n0, rows, stripe, 1, 1, lanes, True)
            unstage_abreast(dW0, all_dW0, b0, b0, items, n0, rows, cols, stripe, 1, 0, 0, n_len, more_n0, m_len, more_m0, fresh, stops, 0)
