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
    k4 = np.float64(0.6931471805599453)
    u0 = div(k1, p_gamma)
    u1 = fmul(u0, k2)
    u2 = tail(u1, F(0))
    u3 = fmul(k4, u0)
    u4 = fmul(u3, k2)
    return (splat(cast(u1, F(0))), splat(cast(u2, F(0))), splat(cast(u4, F(0))))


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
def cell(S0, S1, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, o, i, q, g, pitch, shared, seed):
    (u1_, u2_, u4_) = shared
    c0 = splat(F(np.inf))
    c1 = splat(F(-1.0))
    c2 = splat(F(1.4426950408889634))
    c3 = splat(F(0.0))
    c4 = splat(F(0.6931471805599453))
    (E0_0,) = seed
    E0_0 = fadd(E0_0, load(G1_1_0_0, g + 2 * pitch + 1))
    E0_0 = fadd(E0_0, load(G1_0_0_0, g + 1 * pitch + 1))
    E0_0 = fadd(E0_0, load(G0_1_0_0, g + 1 * pitch))
    w0 = load(W0, i)
    D0_1_1_1 = load(S1, o - 2 * pitch - 1)
    D0_1_0_0 = load(S1, o)
    D0_1_1_0 = load(S1, o - 1 * pitch - 1)
    D0_1_0_1 = load(S1, o - 1 * pitch)
    D0_0_0_0 = load(S0, o)
    t0 = ne(w0, c0)
    t1 = fmul(w0, u1_)
    t2 = rint(t1)
    t3 = neg(t2)
    t4 = fma(w0, u1_, t3)
    t5 = fma(w0, u2_, t4)
    t6 = exp2_fraction(t5)
    t7 = fmul(E0_0, t6)
    t8 = nearest(t1)
    t9 = fsub(D0_1_0_0, t8)
    t10 = exp2_below(D0_1_1_1, t9)
    t11 = fmul(t7, t10)
    t12 = where(t0, t11, c3)
    t13 = exp2_below(D0_1_1_0, t9)
    t14 = fmul(t7, t13)
    t15 = where(t0, t14, c3)
    t16 = exp2_below(D0_1_0_1, t9)
    t17 = fmul(t7, t16)
    t18 = where(t0, t17, c3)
    t19 = fmul(D0_0_0_0, E0_0)
    t20 = fmul(t19, u4_)
    t21 = where(t0, t20, c3)
    return (t12, t15, t18, t21)


@straight
def keep(G1_1_0_0, G1_0_0_0, G0_1_0_0, dW0, i, g, q, f):
    (f0, f1, f2, f3) = f
    store(G1_1_0_0, g, f0)
    store(G1_0_0_0, g, f1)
    store(G0_1_0_0, g, f2)
    store(dW0, i, f3)


@c_function("void(CPointer(float32), CPointer(int32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64, int64)", **SWEEP)
def retreat(S0, S1, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, p_gamma, seeded, t0, count, rows, cols, lanes):
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
            f = cell(S0, S1, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, o, i, q, g, pitch, shared, seed)
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                f = within(inside, f, none)
            keep(G1_1_0_0, G1_0_0_0, G0_1_0_0, dW0, i, g, q, f)
