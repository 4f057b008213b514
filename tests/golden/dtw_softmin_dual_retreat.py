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
    k2 = np.float64(1.0)
    u0 = neg(p_gamma)
    u1 = div(k2, p_gamma)
    return (splat(cast(u1, F(0))), splat(cast(u0, F(0))), splat(cast(p_gamma, F(0))))


@straight
def outside():
    return (splat(F(0)), splat(F(0)), splat(F(0)), splat(F(0)), splat(F(0)), splat(F(0)), splat(F(0)))


@straight
def unseeded():
    return (splat(F(0)), splat(F(0)))


@straight
def planted(A0, A1, t, lanes, q):
    return (load(A0, (t * 1 + 0) * lanes + q), load(A1, (t * 1 + 0) * lanes + q))


@straight
def cell(S0, S1, W0, W1, G1_1_0_0, G1_1_0_1, G1_0_0_0, G1_0_0_1, G0_1_0_0, G0_1_0_1, o, i, q, g, pitch, shared, seed):
    (u1_, u0_, p_gamma_) = shared
    c0 = splat(F(np.inf))
    c1 = splat(F(0.0))
    c2 = splat(F(1.0))
    (E0_0, E0_1) = seed
    E0_0 = fadd(E0_0, load(G1_1_0_0, g + 2 * pitch + 1))
    E0_0 = fadd(E0_0, load(G1_0_0_0, g + 1 * pitch + 1))
    E0_0 = fadd(E0_0, load(G0_1_0_0, g + 1 * pitch))
    E0_1 = fadd(E0_1, load(G1_1_0_1, g + 2 * pitch + 1))
    E0_1 = fadd(E0_1, load(G1_0_0_1, g + 1 * pitch + 1))
    E0_1 = fadd(E0_1, load(G0_1_0_1, g + 1 * pitch))
    D0_0_1_1 = load(S0, o - 2 * pitch - 1)
    D0_0_0_0 = load(S0, o)
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    D0_1_1_1 = load(S1, o - 2 * pitch - 1)
    D0_1_1_0 = load(S1, o - 1 * pitch - 1)
    D0_1_0_1 = load(S1, o - 1 * pitch)
    t0 = ne(D0_0_1_1, c0)
    t1 = ne(D0_0_0_0, c0)
    t2 = where(t1, E0_1, c1)
    t3 = minimum(D0_0_1_1, D0_0_1_0)
    t4 = minimum(t3, D0_0_0_1)
    t5 = fsub(t4, D0_0_1_1)
    t6 = fmul(t5, u1_)
    t7 = exp(t6)
    t8 = fsub(t4, D0_0_1_0)
    t9 = fmul(t8, u1_)
    t10 = exp(t9)
    t11 = fadd(t7, t10)
    t12 = fsub(t4, D0_0_0_1)
    t13 = fmul(t12, u1_)
    t14 = exp(t13)
    t15 = fadd(t11, t14)
    t16 = div(u0_, t15)
    t17 = fmul(t16, u1_)
    t18 = neg(t17)
    t19 = fmul(t2, t18)
    t20 = fmul(t19, D0_1_1_1)
    t21 = fmul(t7, D0_1_1_1)
    t22 = fmul(t10, D0_1_1_0)
    t23 = fadd(t21, t22)
    t24 = fmul(t14, D0_1_0_1)
    t25 = fadd(t23, t24)
    t26 = fmul(t2, t25)
    t27 = neg(t26)
    t28 = fmul(t27, u1_)
    t29 = fmul(t28, t16)
    t30 = neg(t29)
    t31 = div(t30, t15)
    t32 = where(t1, E0_0, c1)
    t33 = neg(t32)
    t34 = fmul(t33, p_gamma_)
    t35 = div(t34, t15)
    t36 = fadd(t31, t35)
    t37 = fadd(t20, t36)
    t38 = fmul(t37, t7)
    t39 = fmul(t38, u1_)
    t40 = neg(t39)
    t41 = where(t0, t40, c1)
    t42 = fmul(t19, t7)
    t43 = where(t0, t42, c1)
    t44 = ne(D0_0_1_0, c0)
    t45 = fmul(t19, D0_1_1_0)
    t46 = fadd(t45, t36)
    t47 = fmul(t46, t10)
    t48 = fmul(t47, u1_)
    t49 = neg(t48)
    t50 = where(t44, t49, c1)
    t51 = fmul(t19, t10)
    t52 = where(t44, t51, c1)
    t53 = ne(D0_0_0_1, c0)
    t54 = fmul(t19, D0_1_0_1)
    t55 = fadd(t54, t36)
    t56 = fmul(t55, t14)
    t57 = fmul(t56, u1_)
    t58 = neg(t57)
    t59 = where(t53, t58, c1)
    t60 = fmul(t19, t14)
    t61 = where(t53, t60, c1)
    return (t41, t43, t50, t52, t59, t61, t32)


@straight
def keep(G1_1_0_0, G1_1_0_1, G1_0_0_0, G1_0_0_1, G0_1_0_0, G0_1_0_1, dW0, i, g, q, f):
    (f0, f1, f2, f3, f4, f5, f6) = f
    store(G1_1_0_0, g, f0)
    store(G1_1_0_1, g, f1)
    store(G1_0_0_0, g, f2)
    store(G1_0_0_1, g, f3)
    store(G0_1_0_0, g, f4)
    store(G0_1_0_1, g, f5)
    store(dW0, i, f6)


@c_function("void(CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64, int64)", **SWEEP)
def retreat(S0, S1, W0, W1, G1_1_0_0, G1_1_0_1, G1_0_0_0, G1_0_0_1, G0_1_0_0, G0_1_0_1, A0, A1, dW0, p_gamma, seeded, t0, count, rows, cols, lanes):
    lanes = 32
    pitch = lanes + 16
    shared = common(p_gamma)
    none = outside()
    none_planted = unseeded()
    for t in range(count - 1, -1, -1):
        low = max(0, t0 + t - cols + 1)
        high = min(rows, t0 + t + 1)
        for q in range(0, lanes, V):
            o = (t + 2) * (1 * pitch) + 16 + q
            i = t * lanes + q
            g = t * pitch + q
            seed = none_planted
            if seeded:
                seed = planted(A0, A1, t, lanes, q)
            f = cell(S0, S1, W0, W1, G1_1_0_0, G1_1_0_1, G1_0_0_0, G1_0_0_1, G0_1_0_0, G0_1_0_1, o, i, q, g, pitch, shared, seed)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                f = within(inside, f, none)
            keep(G1_1_0_0, G1_1_0_1, G1_0_0_0, G1_0_0_1, G0_1_0_0, G0_1_0_1, dW0, i, g, q, f)
