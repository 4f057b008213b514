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
from numba import njit

from dpsemiring.run.cpu.staging import *
from dpsemiring.run.cpu.vector import *

F = np.float32
I = np.int32
INF = F(np.inf)
NAN = F(np.nan)
V = 16
OPTIONS = {"nogil": True, "error_model": "numpy", "cache": True, "no_cfunc_wrapper": True}
INNER = {**OPTIONS, "no_cpython_wrapper": True}


@njit(**INNER)
def advance_starts(S0, W0, B0, p_gamma, times, rows, cols, lanes):
    pitch = lanes + 1
    k0 = F(0.0)
    k1 = F(np.inf)
    k2 = F(1.0)
    u0 = div(k2, p_gamma)
    c0 = splat(k0)
    c1 = splat(k1)
    c2 = splat(k2)
    u0_ = splat(u0)
    p_gamma_ = splat(p_gamma)
    zero0 = splat(F(np.inf))
    for t in range(times):
        low = max(0, t - cols + 1)
        high = min(rows, t + 1)
        for q in range(0, lanes, V):
            o = (t + 2) * (1 * pitch) + 1 + q
            i = t * lanes + q
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
            d0_0 = t33
            if low > q or high < q + V:
                inside = lanes_between(zero0, low - q, high - q)
                d0_0 = where(inside, d0_0, zero0)
            store(S0, o, d0_0)


@njit(**INNER)
def advance(S0, W0, p_gamma, times, rows, cols, lanes):
    pitch = lanes + 1
    k0 = F(np.inf)
    k1 = F(1.0)
    u0 = div(k1, p_gamma)
    c0 = splat(k0)
    c1 = splat(k1)
    u0_ = splat(u0)
    p_gamma_ = splat(p_gamma)
    zero0 = splat(F(np.inf))
    for t in range(times):
        low = max(0, t - cols + 1)
        high = min(rows, t + 1)
        for q in range(0, lanes, V):
            o = (t + 2) * (1 * pitch) + 1 + q
            i = t * lanes + q
            D0_0_1_1 = load(S0, o - 2 * pitch - 1)
            w0 = load(W0, i)
            D0_0_1_0 = load(S0, o - 1 * pitch - 1)
            D0_0_0_1 = load(S0, o - 1 * pitch)
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
            d0_0 = t24
            if low > q or high < q + V:
                inside = lanes_between(zero0, low - q, high - q)
                d0_0 = where(inside, d0_0, zero0)
            store(S0, o, d0_0)
