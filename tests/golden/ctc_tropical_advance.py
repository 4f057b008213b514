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
def outside():
    return (splat(F(np.inf)),)


@straight
def cell(S0, W0, W1, B0, B1, o, i, q, pitch):
    c0 = splat(F(0.0))
    c1 = splat(F(np.inf))
    start0 = load(B0, i)
    start1 = load(B1, i)
    D0_0_1_0 = load(S0, o - 1 * pitch)
    D0_0_1_1 = load(S0, o - 1 * pitch - 1)
    w1 = load(W1, q)
    D0_0_1_2 = load(S0, o - 1 * pitch - 2)
    w0 = load(W0, i)
    t0 = ne(start0, c0)
    t1 = where(t0, c0, c1)
    t2 = ne(start1, c0)
    t3 = where(t2, c0, c1)
    t4 = minimum(t1, t3)
    t5 = minimum(t4, D0_0_1_0)
    t6 = minimum(t5, D0_0_1_1)
    t7 = ne(w1, c0)
    t8 = where(t7, D0_0_1_2, c1)
    t9 = minimum(t6, t8)
    t10 = add(t9, w0)
    return (t10,)


@straight
def keep(S0, o, pitch, d):
    (d0_0,) = d
    store(S0, o, d0_0)


@c_function("void(CPointer(float64), CPointer(float64), CPointer(float64), CPointer(float64), CPointer(float64), int64, int64, int64, int64, int64)", **SWEEP)
def advance_starts(S0, W0, W1, B0, B1, t0, count, rows, cols, lanes):
    pitch = lanes + 8
    none = outside()
    for t in range(count):
        low, high = 0, cols
        for q in range(0, lanes, V):
            o = (t + 1) * (1 * pitch) + 8 + q
            i = t * lanes + q
            d = cell(S0, W0, W1, B0, B1, o, i, q, pitch)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                d = within(inside, d, none)
            keep(S0, o, pitch, d)
