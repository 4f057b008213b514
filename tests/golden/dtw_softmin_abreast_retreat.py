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
  schedule  abreast: lanes along the items of a batch, strips of some rows
  carrier   (x: float32), multiply-adds allowed
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
    u0 = div(k2, p_gamma)
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
def cell(S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, o, i, q, g, pitch, stripe, shared, seed):
    (p_gamma_, u0_) = shared
    c0 = splat(F(np.inf))
    c1 = splat(F(0.0))
    c2 = splat(F(1.0))
    (E0_0,) = seed
    E0_0 = fadd(E0_0, load(G1_1_0_0, g + (1 * stripe + 1) * pitch))
    E0_0 = fadd(E0_0, load(G1_0_0_0, g + (1 * stripe + 0) * pitch))
    E0_0 = fadd(E0_0, load(G0_1_0_0, g + (0 * stripe + 1) * pitch))
    D0_0_1_1 = load(S0, o - ((1 * stripe + 1) * 1 - 0) * pitch)
    D0_0_0_0 = load(S0, o - ((0 * stripe + 0) * 1 - 0) * pitch)
    D0_0_1_0 = load(S0, o - ((1 * stripe + 0) * 1 - 0) * pitch)
    D0_0_0_1 = load(S0, o - ((0 * stripe + 1) * 1 - 0) * pitch)
    t0 = ne(D0_0_1_1, c0)
    t1 = ne(D0_0_0_0, c0)
    t2 = where(t1, E0_0, c1)
    t3 = neg(t2)
    t4 = fmul(t3, p_gamma_)
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
    t18 = div(t4, t17)
    t19 = fmul(t18, t9)
    t20 = fmul(t19, u0_)
    t21 = neg(t20)
    t22 = where(t0, t21, c1)
    t23 = ne(D0_0_1_0, c0)
    t24 = fmul(t18, t12)
    t25 = fmul(t24, u0_)
    t26 = neg(t25)
    t27 = where(t23, t26, c1)
    t28 = ne(D0_0_0_1, c0)
    t29 = fmul(t18, t16)
    t30 = fmul(t29, u0_)
    t31 = neg(t30)
    t32 = where(t28, t31, c1)
    return (t22, t27, t32, t2)


@straight
def keep(G1_1_0_0, G1_0_0_0, G0_1_0_0, dW0, i, g, q, f):
    (f0, f1, f2, f3) = f
    store(G1_1_0_0, g, f0)
    store(G1_0_0_0, g, f1)
    store(G0_1_0_0, g, f2)
    store(dW0, i, f3)


@c_function("void(CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), CPointer(float32), float64, int64, int64, int64, int64, int64, int64)", **SWEEP)
def retreat(S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, p_gamma, seeded, t0, count, rows, cols, lanes):
    lanes = V
    stripe = cols + 1
    pitch = lanes
    shared = common(p_gamma)
    none = outside()
    none_planted = unseeded()
    for begin in range(0, rows, 4):
        some = min(4, rows - begin)
        for step in range(cols + some - 1):
            for late in range(some):
                l, m = begin + late, step - late
                l, m = rows - 1 - l, cols - 1 - m
                if 0 <= m < cols:
                    t = l * stripe + 1 + m
                    for q in range(0, lanes, V):
                        o = (t + 1 * stripe) * (1 * pitch) + 0 + q
                        i = t * lanes + q
                        g = t * pitch + q
                        seed = none_planted
                        if seeded:
                            seed = planted(A0, t, lanes, q)
                        f = cell(S0, W0, G1_1_0_0, G1_0_0_0, G0_1_0_0, o, i, q, g, pitch, stripe, shared, seed)
                        keep(G1_1_0_0, G1_0_0_0, G0_1_0_0, dW0, i, g, q, f)
