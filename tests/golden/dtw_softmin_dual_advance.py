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
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    w0 = load(W0, i)
    D0_1_1_1 = load(S1, o - 2 * pitch - 1)
    D0_1_1_0 = load(S1, o - 1 * pitch - 1)
    D0_1_0_1 = load(S1, o - 1 * pitch)
    w1 = load(W1, i)
    t0 = ne(D0_0_1_1, c0)
    t1 = ne(D0_0_1_0, c0)
    t2 = either(t0, t1)
    t3 = ne(D0_0_0_1, c0)
    t4 = either(t2, t3)
    t5 = minimum(D0_0_1_1, D0_0_1_0)
    t6 = minimum(t5, D0_0_0_1)
    t7 = fsub(t6, D0_0_1_1)
    t8 = fmul(t7, u0_)
    t9 = exp(t8)
    t10 = fsub(t6, D0_0_1_0)
    t11 = fmul(t10, u0_)
    t12 = exp(t11)
    t13 = fadd(t9, t12)
    t14 = fsub(t6, D0_0_0_1)
    t15 = fmul(t14, u0_)
    t16 = exp(t15)
    t17 = fadd(t13, t16)
    t18 = log(t17)
    t19 = fmul(p_gamma_, t18)
    t20 = fsub(t6, t19)
    t21 = where(t4, t20, c0)
    t22 = fadd(t21, w0)
    t23 = div(u1_, t17)
    t24 = fmul(t23, u0_)
    t25 = neg(t24)
    t26 = fmul(t9, D0_1_1_1)
    t27 = fmul(t12, D0_1_1_0)
    t28 = fadd(t26, t27)
    t29 = fmul(t16, D0_1_0_1)
    t30 = fadd(t28, t29)
    t31 = fmul(t25, t30)
    t32 = where(t4, t31, c2)
    t33 = fadd(t32, w1)
    return (t22, t33)


@straight
def keep(S0, S1, o, pitch, d):
    (d0_0, d0_1) = d
    store(S0, o, d0_0)
    store(S1, o, d0_1)


@c_function("void(CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64)", **SWEEP)
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
