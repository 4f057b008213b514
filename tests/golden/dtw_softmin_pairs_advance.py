"""Emitted by dpsemiring; do not edit.

recurrence over Softmin on mantissas and exponents(gamma)
  D[n, m] = sum of
    start 0 at [0, 0]: encode(cost[n, m])
    times(D[n-1, m-1], encode(cost[n, m]))
    times(D[n-1, m], encode(cost[n, m]))
    times(D[n, m-1], encode(cost[n, m]))
  total = decode of sum of
    times(D at [-1, -1], one)
plan
  schedule  skewed strips of 32 rows: lane l at time t is row l, column t - l
  carrier   (mantissa: float32, exponent: int), multiply-adds allowed
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
    k1 = np.float64(-1.0)
    k2 = np.float64(1.4426950408889634)
    u0 = div(k1, p_gamma)
    u1 = fmul(u0, k2)
    u2 = tail(u1, F(0))
    return (splat(cast(u1, F(0))), splat(cast(u2, F(0))))


@straight
def outside():
    return (splat(F(0.0)), splat(I(-1000000000)))


@straight
def cell(S0, S1, W0, o, i, q, pitch, shared):
    (u1_, u2_) = shared
    c0 = splat(F(np.inf))
    c1 = splat(F(-1.0))
    c2 = splat(F(1.4426950408889634))
    c3 = splat(F(0.0))
    c4 = splat(I(-1000000000))
    w0 = load(W0, i)
    D0_0_1_1 = load(S0, o - 2 * pitch - 1)
    D0_1_1_1 = load(S1, o - 2 * pitch - 1)
    D0_1_1_0 = load(S1, o - 1 * pitch - 1)
    D0_1_0_1 = load(S1, o - 1 * pitch)
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    t0 = ne(w0, c0)
    t1 = maximum(D0_1_1_1, D0_1_1_0)
    t2 = maximum(t1, D0_1_0_1)
    t3 = exp2_below(D0_1_1_1, t2)
    t4 = fmul(D0_0_1_1, t3)
    t5 = exp2_below(D0_1_1_0, t2)
    t6 = fmul(D0_0_1_0, t5)
    t7 = fadd(t4, t6)
    t8 = exp2_below(D0_1_0_1, t2)
    t9 = fmul(D0_0_0_1, t8)
    t10 = fadd(t7, t9)
    t11 = binade(t10)
    t12 = neg(t11)
    t13 = power_of_two(t12)
    t14 = fmul(t10, t13)
    t15 = fmul(w0, u1_)
    t16 = rint(t15)
    t17 = neg(t16)
    t18 = fma(w0, u1_, t17)
    t19 = fma(w0, u2_, t18)
    t20 = exp2_fraction(t19)
    t21 = fmul(t14, t20)
    t22 = where(t0, t21, c3)
    t23 = fadd(t2, t11)
    t24 = nearest(t15)
    t25 = fadd(t23, t24)
    t26 = where(t0, t25, c4)
    return (t22, t26)


@straight
def keep(S0, S1, o, pitch, d):
    (d0_0, d0_1) = d
    store(S0, o, d0_0)
    store(S1, o, d0_1)


@c_function("void(CPointer(float32), CPointer(int32), CPointer(float32), float64, int64, int64, int64, int64, int64)", **SWEEP)
def advance(S0, S1, W0, p_gamma, t0, count, rows, cols, lanes):
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
            d = cell(S0, S1, W0, o, i, q, pitch, shared)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                d = within(inside, d, none)
            keep(S0, S1, o, pitch, d)
