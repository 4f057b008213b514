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

from sweep import advance_starts, advance


@njit(**INNER)
def retreat_starts(S0, W0, B0, p_gamma, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, seeded, times, rows, cols, lanes):
    pitch = lanes + 1
    after = lanes + 1
    k0 = F(np.inf)
    k1 = F(0.0)
    k2 = F(1.0)
    u0 = div(k2, p_gamma)
    c0 = splat(k0)
    c1 = splat(k1)
    c2 = splat(k2)
    p_gamma_ = splat(p_gamma)
    u0_ = splat(u0)
    none = splat(F(0))
    for t in range(times - 1, -1, -1):
        low = max(0, t - cols + 1)
        high = min(rows, t + 1)
        for q in range(0, lanes, V):
            o = (t + 2) * (1 * pitch) + 1 + q
            i = t * lanes + q
            g = t * after + q
            E0_0 = none
            if seeded:
                E0_0 = load(A0, (t * 1 + 0) * lanes + q)
            E0_0 = fadd(E0_0, load(G1_1_0_0, g + 2 * after + 1))
            E0_0 = fadd(E0_0, load(G1_0_0_0, g + 1 * after + 1))
            E0_0 = fadd(E0_0, load(G0_1_0_0, g + 1 * after))
            D0_0_1_1 = load(S0, o - 2 * pitch - 1)
            w0 = load(W0, i)
            start0 = load(B0, i)
            D0_0_1_0 = load(S0, o - 1 * pitch - 1)
            D0_0_0_1 = load(S0, o - 1 * pitch)
            t0 = fadd(D0_0_1_1, w0)
            t1 = ne(t0, c0)
            t2 = neg(E0_0)
            t3 = fmul(t2, p_gamma_)
            t4 = ne(start0, c1)
            t5 = where(t4, w0, c0)
            t6 = minimum(t5, t0)
            t7 = fadd(D0_0_1_0, w0)
            t8 = minimum(t6, t7)
            t9 = fadd(D0_0_0_1, w0)
            t10 = minimum(t8, t9)
            t11 = fsub(t10, t5)
            t12 = fmul(t11, u0_)
            t13 = exp(t12)
            t14 = fsub(t10, t0)
            t15 = fmul(t14, u0_)
            t16 = exp(t15)
            t17 = fadd(t13, t16)
            t18 = fsub(t10, t7)
            t19 = fmul(t18, u0_)
            t20 = exp(t19)
            t21 = fadd(t17, t20)
            t22 = fsub(t10, t9)
            t23 = fmul(t22, u0_)
            t24 = exp(t23)
            t25 = fadd(t21, t24)
            t26 = div(t3, t25)
            t27 = fmul(t26, t16)
            t28 = fmul(t27, u0_)
            t29 = neg(t28)
            t30 = where(t1, t29, c1)
            t31 = ne(t7, c0)
            t32 = fmul(t26, t20)
            t33 = fmul(t32, u0_)
            t34 = neg(t33)
            t35 = where(t31, t34, c1)
            t36 = ne(t9, c0)
            t37 = fmul(t26, t24)
            t38 = fmul(t37, u0_)
            t39 = neg(t38)
            t40 = where(t36, t39, c1)
            t41 = ne(t5, c0)
            t42 = fmul(t26, t13)
            t43 = fmul(t42, u0_)
            t44 = neg(t43)
            t45 = where(t41, t44, c1)
            t46 = fadd(t30, t45)
            t47 = fadd(t35, t46)
            t48 = fadd(t40, t47)
            f0 = t30
            f1 = t35
            f2 = t40
            f3 = t48
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                f0 = where(inside, f0, none)
                f1 = where(inside, f1, none)
                f2 = where(inside, f2, none)
                f3 = where(inside, f3, none)
            store(G1_1_0_0, g, f0)
            store(G1_0_0_0, g, f1)
            store(G0_1_0_0, g, f2)
            store(dW0, i, f3)


@njit(**INNER)
def retreat(S0, W0, p_gamma, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, seeded, times, rows, cols, lanes):
    pitch = lanes + 1
    after = lanes + 1
    k0 = F(np.inf)
    k1 = F(1.0)
    k2 = F(0.0)
    u0 = div(k1, p_gamma)
    c0 = splat(k0)
    c1 = splat(k1)
    c2 = splat(k2)
    p_gamma_ = splat(p_gamma)
    u0_ = splat(u0)
    none = splat(F(0))
    for t in range(times - 1, -1, -1):
        low = max(0, t - cols + 1)
        high = min(rows, t + 1)
        for q in range(0, lanes, V):
            o = (t + 2) * (1 * pitch) + 1 + q
            i = t * lanes + q
            g = t * after + q
            E0_0 = none
            if seeded:
                E0_0 = load(A0, (t * 1 + 0) * lanes + q)
            E0_0 = fadd(E0_0, load(G1_1_0_0, g + 2 * after + 1))
            E0_0 = fadd(E0_0, load(G1_0_0_0, g + 1 * after + 1))
            E0_0 = fadd(E0_0, load(G0_1_0_0, g + 1 * after))
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
            f0 = t23
            f1 = t28
            f2 = t33
            f3 = t35
            if low > q or high < q + V:
                inside = lanes_between(none, low - q, high - q)
                f0 = where(inside, f0, none)
                f1 = where(inside, f1, none)
                f2 = where(inside, f2, none)
                f3 = where(inside, f3, none)
            store(G1_1_0_0, g, f0)
            store(G1_0_0_0, g, f1)
            store(G0_1_0_0, g, f2)
            store(dW0, i, f3)


@njit(**OPTIONS)
def backward(first, last, skip, n_len, m_len, a0, more_n0, more_m0, all_p_gamma, R0, end_n, end_m, end_k, dA0, all_dW0):
    cols_all = m_len.max() + 0
    lanes_all = lane_count(cols_all, 32, V, True)
    times_all = time_count(32, cols_all, True)
    size = (times_all + 2) * 1 * (lanes_all + 1)
    S0 = np.empty(size, F)
    W0 = np.empty(times_all * lanes_all, np.float32)
    B0 = np.empty(times_all * lanes_all, np.float32)
    G1_1_0_0 = np.empty((times_all + 2) * (lanes_all + 1), F)
    HG1_1_0_0 = np.zeros((1, cols_all), F)
    G1_0_0_0 = np.empty((times_all + 2) * (lanes_all + 1), F)
    HG1_0_0_0 = np.zeros((1, cols_all), F)
    G0_1_0_0 = np.empty((times_all + 2) * (lanes_all + 1), F)
    HG0_1_0_0 = np.zeros((0, cols_all), F)
    A0 = np.zeros(times_all * lanes_all * 1, F)
    dW0 = np.zeros(times_all * lanes_all, F)
    for b in range(first, last):
        if skip[b]:
            continue
        length = n_len[b] + 0
        m_all = m_len[b] + 0
        left, cols, known, shift = 0, m_all, m_all, 0
        lanes = lane_count(cols, 32, V, True)
        p_gamma = all_p_gamma[b if all_p_gamma.size > 1 else 0]
        HG1_1_0_0[:] = 0
        HG1_0_0_0[:] = 0
        HG0_1_0_0[:] = 0
        for j in range((length - 1) // 32, -1, -1):
            n0 = j * 32
            rows = min(32, length - n0)
            times = time_count(rows, cols, True)
            stage(W0, a0, b, n0, rows, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, INF, lanes, True)
            enter(S0, R0, b, j, cols, known, shift, 1, 1, 1, F(np.inf), lanes, 1, 2, times, True)
            starts = falls(0, length, n0, rows)
            if starts:
                mark(B0, 0, False, 0, False, length, m_all, n0, rows, left, cols, lanes, True)
                advance_starts(S0, W0, B0, p_gamma, times, rows, cols, lanes)
            else:
                advance(S0, W0, p_gamma, times, rows, cols, lanes)
            enter_flows(G1_1_0_0, HG1_1_0_0, 32, cols, known, shift, 1, lanes, 1, 2, times, True)
            enter_flows(G1_0_0_0, HG1_0_0_0, 32, cols, known, shift, 1, lanes, 1, 2, times, True)
            enter_flows(G0_1_0_0, HG0_1_0_0, 32, cols, known, shift, 1, lanes, 1, 2, times, True)
            begin = ends_before(end_n, b, n0, 0)
            e = ends_before(end_n, b, n0 + rows, begin)
            plant(A0, dA0, b, end_n, end_m, end_k, begin, e, n0, left, 1, lanes, True)
            if starts:
                retreat_starts(S0, W0, B0, p_gamma, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, e > begin, times, rows, cols, lanes)
            else:
                retreat(S0, W0, p_gamma, G1_1_0_0, G1_0_0_0, G0_1_0_0, A0, dW0, e > begin, times, rows, cols, lanes)
            uproot(A0, b, end_n, end_m, end_k, begin, e, n0, left, 1, lanes, True)
            leave_flows(G1_1_0_0, HG1_1_0_0, rows, cols, lanes, 1, True)
            leave_flows(G1_0_0_0, HG1_0_0_0, rows, cols, lanes, 1, True)
            leave_flows(G0_1_0_0, HG0_1_0_0, rows, cols, lanes, 1, True)
            unstage(dW0, all_dW0, b, n0, rows, cols, 0, left, n_len[b] + more_n0, m_len[b] + more_m0, lanes, True)
