"""Emitted by dpsemiring; do not edit.

recurrence over Softmin on mantissas and exponents(gamma)
  D[n, m] = sum of
    start 0 at [0, 0]: encode(cost[n, m])
    times(D[n-1, m], encode(cost[n, m]))
    times(D[n, m-1], encode(cost[n, m]))
    times(D[n-2, m-1], encode(cost[n-1, m] + cost[n, m]))
  total = decode of sum of
    times(D at [-1, -1], one)
plan
  schedule  skewed strips of 32 rows: lane l at time t is row l, column t - l
  carrier   (mantissa: float32, exponent: int), multiply-adds allowed
  states    one, in this order within a cell
  memory    the last 2 row(s) of each strip are kept; the backward pass recomputes
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
    k5 = np.float64(0.6931471805599453)
    u0 = div(k1, p_gamma)
    u1 = fmul(u0, k2)
    u2 = tail(u1, F(0))
    u3 = fmul(k5, u0)
    u4 = fmul(u3, k2)
    return (splat(cast(u1, F(0))), splat(cast(u2, F(0))), splat(cast(u4, F(0))))


@straight
def outside():
    return (splat(F(0)), splat(F(0)), splat(F(0)), splat(F(0)), splat(F(0)))


@straight
def unseeded():
    return (splat(F(0)),)


@straight
def planted(A0, t, lanes, q):
    return (load(A0, (t * 1 + 0) * lanes + q),)


@straight
def cell(S0, S1, W0, G1_0_0_0, G0_1_0_0, G2_1_0_0, o, i, q, g, pitch, r, line, shared, seed):
    (u1_, u2_, u4_) = shared
    c0 = splat(F(np.inf))
    c1 = splat(F(-1.0))
    c2 = splat(F(1.4426950408889634))
    c3 = splat(I(-1000000000))
    c4 = splat(F(0.0))
    c5 = splat(F(0.6931471805599453))
    (E0_0,) = seed
    E0_0 = fadd(E0_0, load(G1_0_0_0, g + 1 * pitch + 1))
    E0_0 = fadd(E0_0, load(G0_1_0_0, g + 1 * pitch))
    E0_0 = fadd(E0_0, load(G2_1_0_0, g + 3 * pitch + 2))
    w0 = load(W0, r)
    D0_1_1_0 = load(S1, o - 1 * pitch - 1)
    D0_1_0_0 = load(S1, o)
    D0_1_0_1 = load(S1, o - 1 * pitch)
    w1 = load(W0, r - 1 * line - 1)
    D0_1_2_1 = load(S1, o - 3 * pitch - 2)
    D0_0_2_1 = load(S0, o - 3 * pitch - 2)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    t0 = ne(w0, c0)
    t1 = fmul(w0, u1_)
    t2 = nearest(t1)
    t3 = fadd(D0_1_1_0, t2)
    t4 = where(t0, t3, c3)
    t5 = exp2_below(t4, D0_1_0_0)
    t6 = fmul(E0_0, t5)
    t7 = where(t0, t6, c4)
    t8 = rint(t1)
    t9 = neg(t8)
    t10 = fma(w0, u1_, t9)
    t11 = fma(w0, u2_, t10)
    t12 = exp2_fraction(t11)
    t13 = fmul(t7, t12)
    t14 = where(t0, t13, c4)
    t15 = fadd(D0_1_0_1, t2)
    t16 = where(t0, t15, c3)
    t17 = exp2_below(t16, D0_1_0_0)
    t18 = fmul(E0_0, t17)
    t19 = where(t0, t18, c4)
    t20 = fmul(t19, t12)
    t21 = where(t0, t20, c4)
    t22 = fadd(w1, w0)
    t23 = ne(t22, c0)
    t24 = fmul(t22, u1_)
    t25 = nearest(t24)
    t26 = fadd(D0_1_2_1, t25)
    t27 = where(t23, t26, c3)
    t28 = exp2_below(t27, D0_1_0_0)
    t29 = fmul(E0_0, t28)
    t30 = where(t23, t29, c4)
    t31 = rint(t24)
    t32 = neg(t31)
    t33 = fma(t22, u1_, t32)
    t34 = fma(t22, u2_, t33)
    t35 = exp2_fraction(t34)
    t36 = fmul(t30, t35)
    t37 = where(t23, t36, c4)
    t38 = fmul(t30, D0_0_2_1)
    t39 = fmul(t38, t35)
    t40 = fmul(t39, u4_)
    t41 = where(t23, t40, c4)
    t42 = fmul(t19, D0_0_0_1)
    t43 = fmul(t42, t12)
    t44 = fmul(t43, u4_)
    t45 = where(t0, t44, c4)
    t46 = fmul(t7, D0_0_1_0)
    t47 = fmul(t46, t12)
    t48 = fmul(t47, u4_)
    t49 = where(t0, t48, c4)
    t50 = fadd(t45, t49)
    t51 = fadd(t41, t50)
    return (t14, t21, t37, t51, t41)


@straight
def keep(G1_0_0_0, G0_1_0_0, G2_1_0_0, dW0, i, g, q, r, line, f):
    (f0, f1, f2, f3, f4) = f
    store(G1_0_0_0, g, f0)
    store(G0_1_0_0, g, f1)
    store(G2_1_0_0, g, f2)
    store(dW0, r, fadd(load(dW0, r), f3))
    store(dW0, r - 1 * line - 1, fadd(load(dW0, r - 1 * line - 1), f4))


@c_function("void(CPointer(float32), CPointer(int32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64, int64)", **SWEEP)
def retreat(S0, S1, W0, G1_0_0_0, G0_1_0_0, G2_1_0_0, A0, dW0, p_gamma, seeded, t0, count, rows, cols, lanes):
    lanes = 32
    pitch = lanes + 16
    line = lanes + 16
    shared = common(p_gamma)
    none = outside()
    none_planted = unseeded()
    for t in range(count - 1, -1, -1):
        low = max(0, t0 + t - cols + 1)
        high = min(rows, t0 + t + 1)
        for q in range(0, lanes, V):
            o = (t + 3) * (1 * pitch) + 16 + q
            i = t * lanes + q
            g = t * pitch + q
            r = (t + 1) * line + 16 + q
            seed = none_planted
            if seeded:
                seed = planted(A0, t, lanes, q)
            f = cell(S0, S1, W0, G1_0_0_0, G0_1_0_0, G2_1_0_0, o, i, q, g, pitch, r, line, shared, seed)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                f = within(inside, f, none)
            keep(G1_0_0_0, G0_1_0_0, G2_1_0_0, dW0, i, g, q, r, line, f)
