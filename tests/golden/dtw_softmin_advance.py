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


@straight
def common(p_gamma):
    k2 = np.float64(1.0)
    u0 = div(k2, p_gamma)
    return (splat(cast(u0, F(0))), splat(cast(p_gamma, F(0))))


@straight
def outside():
    return (splat(F(np.inf)),)


@straight
def cell(S0, W0, B0, o, i, q, pitch, shared):
    (u0_, p_gamma_) = shared
    c0 = splat(F(0.0))
    c1 = splat(F(np.inf))
    c2 = splat(F(1.0))
    start0 = load(B0, i)
    D0_0_1_1 = load(S0, o - 2 * pitch - 1)
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    w0 = load(W0, i)
    t0 = ne(start0, c0)
    t1 = where(t0, c0, c1)
    t2 = ne(t1, c1)
    t3 = ne(D0_0_1_1, c1)
    t4 = either(t2, t3)
    t5 = ne(D0_0_1_0, c1)
    t6 = either(t4, t5)
    t7 = ne(D0_0_0_1, c1)
    t8 = either(t6, t7)
    t9 = minimum(t1, D0_0_1_1)
    t10 = minimum(t9, D0_0_1_0)
    t11 = minimum(t10, D0_0_0_1)
    t12 = fsub(t11, t1)
    t13 = fmul(t12, u0_)
    t14 = exp(t13)
    t15 = fsub(t11, D0_0_1_1)
    t16 = fmul(t15, u0_)
    t17 = exp(t16)
    t18 = fadd(t14, t17)
    t19 = fsub(t11, D0_0_1_0)
    t20 = fmul(t19, u0_)
    t21 = exp(t20)
    t22 = fadd(t18, t21)
    t23 = fsub(t11, D0_0_0_1)
    t24 = fmul(t23, u0_)
    t25 = exp(t24)
    t26 = fadd(t22, t25)
    t27 = log(t26)
    t28 = fmul(p_gamma_, t27)
    t29 = fsub(t11, t28)
    t30 = where(t8, t29, c1)
    t31 = fadd(t30, w0)
    return (t31,)


@straight
def keep(S0, o, pitch, d):
    (d0_0,) = d
    store(S0, o, d0_0)


@c_function("void(CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64)", **SWEEP)
def advance_starts(S0, W0, B0, p_gamma, t0, count, rows, cols, lanes):
    lanes = 32
    pitch = lanes + 16
    shared = common(p_gamma)
    none = outside()
    for t in range(count):
        low = max(0, t0 + t - cols + 1)
        high = min(rows, t0 + t + 1)
        for q in range(0, lanes, V):
            o = (t + 2) * (1 * pitch) + 16 + q
            i = t * lanes + q
            d = cell(S0, W0, B0, o, i, q, pitch, shared)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                d = within(inside, d, none)
            keep(S0, o, pitch, d)
