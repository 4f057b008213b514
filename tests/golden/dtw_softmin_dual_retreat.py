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
    u0 = neg(p_gamma)
    u1 = div(k1, p_gamma)
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
    c1 = splat(F(1.0))
    c2 = splat(F(0.0))
    (E0_0, E0_1) = seed
    E0_0 = fadd(E0_0, load(G1_1_0_0, g + 2 * pitch + 1))
    E0_0 = fadd(E0_0, load(G1_0_0_0, g + 1 * pitch + 1))
    E0_0 = fadd(E0_0, load(G0_1_0_0, g + 1 * pitch))
    E0_1 = fadd(E0_1, load(G1_1_0_1, g + 2 * pitch + 1))
    E0_1 = fadd(E0_1, load(G1_0_0_1, g + 1 * pitch + 1))
    E0_1 = fadd(E0_1, load(G0_1_0_1, g + 1 * pitch))
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
    t3 = minimum(t0, t2)
    t4 = fadd(D0_0_0_1, w0)
    t5 = minimum(t3, t4)
    t6 = fsub(t5, t0)
    t7 = fmul(t6, u1_)
    t8 = exp(t7)
    t9 = fsub(t5, t2)
    t10 = fmul(t9, u1_)
    t11 = exp(t10)
    t12 = fadd(t8, t11)
    t13 = fsub(t5, t4)
    t14 = fmul(t13, u1_)
    t15 = exp(t14)
    t16 = fadd(t12, t15)
    t17 = div(u0_, t16)
    t18 = fmul(t17, u1_)
    t19 = neg(t18)
    t20 = fmul(E0_1, t19)
    t21 = fadd(D0_1_1_1, w1)
    t22 = fmul(t20, t21)
    t23 = fmul(t8, t21)
    t24 = fadd(D0_1_1_0, w1)
    t25 = fmul(t11, t24)
    t26 = fadd(t23, t25)
    t27 = fadd(D0_1_0_1, w1)
    t28 = fmul(t15, t27)
    t29 = fadd(t26, t28)
    t30 = fmul(E0_1, t29)
    t31 = neg(t30)
    t32 = fmul(t31, u1_)
    t33 = fmul(t32, t17)
    t34 = neg(t33)
    t35 = div(t34, t16)
    t36 = neg(E0_0)
    t37 = fmul(t36, p_gamma_)
    t38 = div(t37, t16)
    t39 = fadd(t35, t38)
    t40 = fadd(t22, t39)
    t41 = fmul(t40, t8)
    t42 = fmul(t41, u1_)
    t43 = neg(t42)
    t44 = where(t1, t43, c2)
    t45 = fmul(t20, t8)
    t46 = where(t1, t45, c2)
    t47 = ne(t2, c0)
    t48 = fmul(t20, t24)
    t49 = fadd(t48, t39)
    t50 = fmul(t49, t11)
    t51 = fmul(t50, u1_)
    t52 = neg(t51)
    t53 = where(t47, t52, c2)
    t54 = fmul(t20, t11)
    t55 = where(t47, t54, c2)
    t56 = ne(t4, c0)
    t57 = fmul(t20, t27)
    t58 = fadd(t57, t39)
    t59 = fmul(t58, t15)
    t60 = fmul(t59, u1_)
    t61 = neg(t60)
    t62 = where(t56, t61, c2)
    t63 = fmul(t20, t15)
    t64 = where(t56, t63, c2)
    t65 = fadd(t53, t44)
    t66 = fadd(t62, t65)
    return (t44, t46, t53, t55, t62, t64, t66)


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


@cfunc("void(CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64, int64)", **SWEEP)
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
