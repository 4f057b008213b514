"""Emitted by dpsemiring; do not edit.

recurrence over dual Softmin(gamma)
  D[n, m] = sum of
    start 0 at [0, 0]: encode(cost[n, m], cost_dot[n, m])
    times(D[n-1, m-1], encode(cost[n, m], cost_dot[n, m]))
    times(D[n-1, m], encode(cost[n, m], cost_dot[n, m]))
    times(D[n, m-1], encode(cost[n, m], cost_dot[n, m]))
  total = decode of sum of
    times(D at [-1, -1], one)
plan
  schedule  skewed strips of 32 rows: lane l at time t is row l, column t - l
  carrier   (x: float32, x_dot: float32), multiply-adds allowed
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
    k1 = np.float64(1.0)
    u0 = div(k1, p_gamma)
    u1 = neg(p_gamma)
    return (splat(cast(u0, F(0))), splat(cast(p_gamma, F(0))), splat(cast(u1, F(0))))


@straight
def outside():
    return (splat(F(np.inf)), splat(F(0.0)))


@straight
def cell(S0, S1, W0, W1, o, i, q, pitch, shared):
    (u0_, p_gamma_, u1_) = shared
    c0 = splat(F(np.inf))
    c1 = splat(F(1.0))
    c2 = splat(F(0.0))
    D0_0_1_1 = load(S0, o - 2 * pitch - 1)
    w0 = load(W0, i)
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    D0_1_1_1 = load(S1, o - 2 * pitch - 1)
    w1 = load(W1, i)
    D0_1_1_0 = load(S1, o - 1 * pitch - 1)
    D0_1_0_1 = load(S1, o - 1 * pitch)
    t0 = fadd(D0_0_1_1, w0)
    t1 = ne(t0, c0)
    t2 = fadd(D0_0_1_0, w0)
    t3 = ne(t2, c0)
    t4 = either(t1, t3)
    t5 = fadd(D0_0_0_1, w0)
    t6 = ne(t5, c0)
    t7 = either(t4, t6)
    t8 = minimum(t0, t2)
    t9 = minimum(t8, t5)
    t10 = fsub(t9, t0)
    t11 = fmul(t10, u0_)
    t12 = exp(t11)
    t13 = fsub(t9, t2)
    t14 = fmul(t13, u0_)
    t15 = exp(t14)
    t16 = fadd(t12, t15)
    t17 = fsub(t9, t5)
    t18 = fmul(t17, u0_)
    t19 = exp(t18)
    t20 = fadd(t16, t19)
    t21 = log(t20)
    t22 = fmul(p_gamma_, t21)
    t23 = fsub(t9, t22)
    t24 = where(t7, t23, c0)
    t25 = div(u1_, t20)
    t26 = fmul(t25, u0_)
    t27 = neg(t26)
    t28 = fadd(D0_1_1_1, w1)
    t29 = fmul(t12, t28)
    t30 = fadd(D0_1_1_0, w1)
    t31 = fmul(t15, t30)
    t32 = fadd(t29, t31)
    t33 = fadd(D0_1_0_1, w1)
    t34 = fmul(t19, t33)
    t35 = fadd(t32, t34)
    t36 = fmul(t27, t35)
    t37 = where(t7, t36, c2)
    return (t24, t37)


@straight
def keep(S0, S1, o, pitch, d):
    (d0_0, d0_1) = d
    store(S0, o, d0_0)
    store(S1, o, d0_1)


@cfunc("void(CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64)", **SWEEP)
def advance(S0, S1, W0, W1, p_gamma, t0, count, rows, cols, lanes):
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
            d = cell(S0, S1, W0, W1, o, i, q, pitch, shared)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                d = within(inside, d, none)
            keep(S0, S1, o, pitch, d)
