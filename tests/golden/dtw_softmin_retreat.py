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
    k1 = np.float64(1.0)
    u0 = div(k1, p_gamma)
    return (splat(cast(p_gamma, F(0))), splat(cast(u0, F(0))))


@straight
def outside():
    return (splat(F(0)), splat(F(0)), splat(F(0)), splat(F(0)))


@straight
def unseeded():
    return (splat(F(0)),)


@straight
def planted(A0, t, lanes, q):
    return (load(A0, (t * 1 + 0) * lanes + q),)


@straight
def cell(S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, o, i, q, g, pitch, shared, seed):
    (p_gamma_, u0_) = shared
    c0 = splat(F(np.inf))
    c1 = splat(F(1.0))
    c2 = splat(F(0.0))
    (E0_0,) = seed
    E0_0 = fadd(E0_0, load(G1_1_0_0, g + 2 * pitch + 1))
    E0_0 = fadd(E0_0, load(G1_0_0_0, g + 1 * pitch + 1))
    E0_0 = fadd(E0_0, load(G0_1_0_0, g + 1 * pitch))
    D0_0_1_1 = load(S0, o - 2 * pitch - 1)
    w0 = load(W0, i)
    D0_0_1_0 = load(S0, o - 1 * pitch - 1)
    D0_0_0_1 = load(S0, o - 1 * pitch)
    t0 = fadd(D0_0_1_1, w0)
    t1 = ne(t0, c0)
    t2 = neg(E0_0)
    t3 = fmul(t2, p_gamma_)
    t4 = fadd(D0_0_1_0, w0)
    t5 = minimum(t0, t4)
    t6 = fadd(D0_0_0_1, w0)
    t7 = minimum(t5, t6)
    t8 = fsub(t7, t0)
    t9 = fmul(t8, u0_)
    t10 = exp(t9)
    t11 = fsub(t7, t4)
    t12 = fmul(t11, u0_)
    t13 = exp(t12)
    t14 = fadd(t10, t13)
    t15 = fsub(t7, t6)
    t16 = fmul(t15, u0_)
    t17 = exp(t16)
    t18 = fadd(t14, t17)
    t19 = div(t3, t18)
    t20 = fmul(t19, t10)
    t21 = fmul(t20, u0_)
    t22 = neg(t21)
    t23 = where(t1, t22, c2)
    t24 = ne(t4, c0)
    t25 = fmul(t19, t13)
    t26 = fmul(t25, u0_)
    t27 = neg(t26)
    t28 = where(t24, t27, c2)
    t29 = ne(t6, c0)
    t30 = fmul(t19, t17)
    t31 = fmul(t30, u0_)
    t32 = neg(t31)
    t33 = where(t29, t32, c2)
    t34 = fadd(t28, t23)
    t35 = fadd(t33, t34)
    return (t23, t28, t33, t35)


@straight
def keep(G1_1_0_0, G1_0_0_0, G0_1_0_0, dW0, i, g, q, f):
    (f0, f1, f2, f3) = f
    store(G1_1_0_0, g, f0)
    store(G1_0_0_0, g, f1)
    store(G0_1_0_0, g, f2)
    store(dW0, i, f3)


@cfunc("void(CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64, int64)", **SWEEP)
def retreat(S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, p_gamma, seeded, t0, count, rows, cols, lanes):
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
                seed = planted(A0, t, lanes, q)
            f = cell(S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, o, i, q, g, pitch, shared, seed)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                f = within(inside, f, none)
            keep(G1_1_0_0, G1_0_0_0, G0_1_0_0, dW0, i, g, q, f)
