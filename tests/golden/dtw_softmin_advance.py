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
    w0 = load(W0, i)
    D0_0_1_1 = load(S0, o - 2 * pitch - 1)
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    t0 = ne(start0, c0)
    t1 = where(t0, w0, c1)
    t2 = ne(t1, c1)
    t3 = fadd(D0_0_1_1, w0)
    t4 = ne(t3, c1)
    t5 = either(t2, t4)
    t6 = fadd(D0_0_1_0, w0)
    t7 = ne(t6, c1)
    t8 = either(t5, t7)
    t9 = fadd(D0_0_0_1, w0)
    t10 = ne(t9, c1)
    t11 = either(t8, t10)
    t12 = minimum(t1, t3)
    t13 = minimum(t12, t6)
    t14 = minimum(t13, t9)
    t15 = fsub(t14, t1)
    t16 = fmul(t15, u0_)
    t17 = exp(t16)
    t18 = fsub(t14, t3)
    t19 = fmul(t18, u0_)
    t20 = exp(t19)
    t21 = fadd(t17, t20)
    t22 = fsub(t14, t6)
    t23 = fmul(t22, u0_)
    t24 = exp(t23)
    t25 = fadd(t21, t24)
    t26 = fsub(t14, t9)
    t27 = fmul(t26, u0_)
    t28 = exp(t27)
    t29 = fadd(t25, t28)
    t30 = log(t29)
    t31 = fmul(p_gamma_, t30)
    t32 = fsub(t14, t31)
    t33 = where(t11, t32, c1)
    return (t33,)


@straight
def keep(S0, o, pitch, d):
    (d0_0,) = d
    store(S0, o, d0_0)


@cfunc("void(CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64)", **SWEEP)
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
