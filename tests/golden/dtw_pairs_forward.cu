// Emitted by dpsemiring; do not edit.
//
// recurrence over mantissa_exponent(gamma)
//   D[n, m] = sum of
//     start 0 at [0, 0]: encode(cost[n, m])
//     times(D[n-1, m-1], encode(cost[n, m]))
//     times(D[n-1, m], encode(cost[n, m]))
//     times(D[n, m-1], encode(cost[n, m]))
//   total = decode of sum of
//     times(D at [-1, -1], one)
// plan
//   schedule  skewed strips of 32 rows: lane l at time t is row l, column t - l
//   carrier   (mantissa: float64, exponent: int), multiply-adds allowed
//   states    one, in this order within a cell
//   memory    borders of 1 row(s) for each 32; the backward pass recomputes

typedef long long i64;
typedef double F;  // numbers
typedef i64 I;  // binary exponents
#define INF __longlong_as_double(0x7ff0000000000000ll)
#define NAN_ __longlong_as_double(0x7fffffffffffffffll)
constexpr bool SKEWED = true;
constexpr bool WINDOWED = false;
constexpr i64 HEIGHT = 32;  // rows of a strip
constexpr i64 HALO = 1;  // rows that it needs of the one before
constexpr int STATES = 1;

// ... cuda_strip.cuh ...

__device__ void advance_starts(const Strip z, const Values<F> S0, const Values<I> S1, const Site W0, const F p_gamma) {
    const F u0 = 1.0 / p_gamma;
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F start0 = n == 0 && m == 0;
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, 0.0);
            const I D0_1_1_1 = S1.get(z, l - 1, m - 1, 0, 0);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, 0.0);
            const I D0_1_1_0 = S1.get(z, l - 1, m, 0, 0);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, 0.0);
            const I D0_1_0_1 = S1.get(z, l, m - 1, 0, 0);
            const bool t0 = start0 != 0.0;
            const bool t1 = w0 != INF;
            const bool t2 = t0 && t1;
            const F t3 = w0 * -1.4426950408889634;
            const F t4 = t3 * u0;
            const F t5 = rint(t4);
            const F t6 = t4 - t5;
            const F t7 = exp2(t6);
            const F t8 = t2 ? t7 : 0.0;
            const bool t9 = t8 != 0.0;
            const I t10 = integer(t5);
            const I t11 = t2 ? t10 : 0;
            const bool t12 = t11 != 0;
            const bool t13 = t9 || t12;
            const bool t14 = D0_0_1_1 != 0.0;
            const bool t15 = D0_1_1_1 != 0;
            const bool t16 = t14 || t15;
            const bool t17 = t1 && t16;
            const F t18 = D0_0_1_1 * t7;
            const F t19 = mantissa(t18);
            const F t20 = t17 ? t19 : 0.0;
            const bool t21 = t20 != 0.0;
            const I t22 = exponent(t18);
            const I t23 = t22 + D0_1_1_1;
            const I t24 = t23 + t10;
            const I t25 = t17 ? t24 : 0;
            const bool t26 = t25 != 0;
            const bool t27 = t21 || t26;
            const bool t28 = t13 || t27;
            const bool t29 = D0_0_1_0 != 0.0;
            const bool t30 = D0_1_1_0 != 0;
            const bool t31 = t29 || t30;
            const bool t32 = t1 && t31;
            const F t33 = D0_0_1_0 * t7;
            const F t34 = mantissa(t33);
            const F t35 = t32 ? t34 : 0.0;
            const bool t36 = t35 != 0.0;
            const I t37 = exponent(t33);
            const I t38 = t37 + D0_1_1_0;
            const I t39 = t38 + t10;
            const I t40 = t32 ? t39 : 0;
            const bool t41 = t40 != 0;
            const bool t42 = t36 || t41;
            const bool t43 = t28 || t42;
            const bool t44 = D0_0_0_1 != 0.0;
            const bool t45 = D0_1_0_1 != 0;
            const bool t46 = t44 || t45;
            const bool t47 = t1 && t46;
            const F t48 = D0_0_0_1 * t7;
            const F t49 = mantissa(t48);
            const F t50 = t47 ? t49 : 0.0;
            const bool t51 = t50 != 0.0;
            const I t52 = exponent(t48);
            const I t53 = t52 + D0_1_0_1;
            const I t54 = t53 + t10;
            const I t55 = t47 ? t54 : 0;
            const bool t56 = t55 != 0;
            const bool t57 = t51 || t56;
            const bool t58 = t43 || t57;
            const I t59 = t13 ? t11 : -1073741824;
            const I t60 = t27 ? t25 : -1073741824;
            const I t61 = t60 > t59 ? t60 : t59;
            const I t62 = t42 ? t40 : -1073741824;
            const I t63 = t62 > t61 ? t62 : t61;
            const I t64 = t57 ? t55 : -1073741824;
            const I t65 = t64 > t63 ? t64 : t63;
            const I t66 = t11 - t65;
            const F t67 = scale(t8, t66);
            const I t68 = t25 - t65;
            const F t69 = scale(t20, t68);
            const F t70 = t67 + t69;
            const I t71 = t40 - t65;
            const F t72 = scale(t35, t71);
            const F t73 = t70 + t72;
            const I t74 = t55 - t65;
            const F t75 = scale(t50, t74);
            const F t76 = t73 + t75;
            const F t77 = mantissa(t76);
            const F t78 = t58 ? t77 : 0.0;
            const I t79 = exponent(t76);
            const I t80 = t79 + t65;
            const I t81 = t58 ? t80 : 0;
            S0.put(z, l, m, 0, t78);
            S1.put(z, l, m, 0, t81);
        }
        __syncthreads();
    }
}

__device__ void advance(const Strip z, const Values<F> S0, const Values<I> S1, const Site W0, const F p_gamma) {
    const F u0 = 1.0 / p_gamma;
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, 0.0);
            const I D0_1_1_1 = S1.get(z, l - 1, m - 1, 0, 0);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, 0.0);
            const I D0_1_1_0 = S1.get(z, l - 1, m, 0, 0);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, 0.0);
            const I D0_1_0_1 = S1.get(z, l, m - 1, 0, 0);
            const bool t0 = w0 != INF;
            const bool t1 = D0_0_1_1 != 0.0;
            const bool t2 = D0_1_1_1 != 0;
            const bool t3 = t1 || t2;
            const bool t4 = t0 && t3;
            const F t5 = w0 * -1.4426950408889634;
            const F t6 = t5 * u0;
            const F t7 = rint(t6);
            const F t8 = t6 - t7;
            const F t9 = exp2(t8);
            const F t10 = D0_0_1_1 * t9;
            const F t11 = mantissa(t10);
            const F t12 = t4 ? t11 : 0.0;
            const bool t13 = t12 != 0.0;
            const I t14 = exponent(t10);
            const I t15 = t14 + D0_1_1_1;
            const I t16 = integer(t7);
            const I t17 = t15 + t16;
            const I t18 = t4 ? t17 : 0;
            const bool t19 = t18 != 0;
            const bool t20 = t13 || t19;
            const bool t21 = D0_0_1_0 != 0.0;
            const bool t22 = D0_1_1_0 != 0;
            const bool t23 = t21 || t22;
            const bool t24 = t0 && t23;
            const F t25 = D0_0_1_0 * t9;
            const F t26 = mantissa(t25);
            const F t27 = t24 ? t26 : 0.0;
            const bool t28 = t27 != 0.0;
            const I t29 = exponent(t25);
            const I t30 = t29 + D0_1_1_0;
            const I t31 = t30 + t16;
            const I t32 = t24 ? t31 : 0;
            const bool t33 = t32 != 0;
            const bool t34 = t28 || t33;
            const bool t35 = t20 || t34;
            const bool t36 = D0_0_0_1 != 0.0;
            const bool t37 = D0_1_0_1 != 0;
            const bool t38 = t36 || t37;
            const bool t39 = t0 && t38;
            const F t40 = D0_0_0_1 * t9;
            const F t41 = mantissa(t40);
            const F t42 = t39 ? t41 : 0.0;
            const bool t43 = t42 != 0.0;
            const I t44 = exponent(t40);
            const I t45 = t44 + D0_1_0_1;
            const I t46 = t45 + t16;
            const I t47 = t39 ? t46 : 0;
            const bool t48 = t47 != 0;
            const bool t49 = t43 || t48;
            const bool t50 = t35 || t49;
            const I t51 = t20 ? t18 : -1073741824;
            const I t52 = t34 ? t32 : -1073741824;
            const I t53 = t52 > t51 ? t52 : t51;
            const I t54 = t49 ? t47 : -1073741824;
            const I t55 = t54 > t53 ? t54 : t53;
            const I t56 = t18 - t55;
            const F t57 = scale(t12, t56);
            const I t58 = t32 - t55;
            const F t59 = scale(t27, t58);
            const F t60 = t57 + t59;
            const I t61 = t47 - t55;
            const F t62 = scale(t42, t61);
            const F t63 = t60 + t62;
            const F t64 = mantissa(t63);
            const F t65 = t50 ? t64 : 0.0;
            const I t66 = exponent(t63);
            const I t67 = t66 + t55;
            const I t68 = t50 ? t67 : 0;
            S0.put(z, l, m, 0, t65);
            S1.put(z, l, m, 0, t68);
        }
        __syncthreads();
    }
}

extern "C" __global__ void forward(
    i64 items, const bool* skip, const i64* n_len, const i64* m_len, i64 width, i64 pitch, i64 blocks, i64 room,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const F* all_p_gamma, i64 own_p_gamma,
    F* R0, I* R1, F* all_S0, I* all_S1, const i64* end_n, const i64* end_m, const i64* end_k, i64 ends_each, F* D0,
    I* D1, F* L0, I* L1, i64 lattice_each
) {
    const i64 border = HALO * STATES * pitch;
    for (i64 b = blockIdx.x; b < items; b += gridDim.x) {
        if (skip[b]) continue;
        const i64 length = n_len[b], cols = m_len[b];
        const Site W0 = {a0 + b * a0_b, a0_n, a0_m, n_len[b] + a0_more_n, m_len[b] + a0_more_m};
        const F p_gamma = all_p_gamma[b * own_p_gamma];
        const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};
        i64 e = 0;
        for (i64 j = 0; j * HEIGHT < length; j++) {
            Strip z = {j * HEIGHT, min(HEIGHT, length - j * HEIGHT), length, cols, width, pitch, 0, cols};
            const Values<F> S0 = {all_S0 + blockIdx.x * room * STATES, R0 + (b * blocks + j) * border, z.n0 + HEIGHT < length ? R0 + (b * blocks + j) * border + border : nullptr, L0 ? L0 + b * lattice_each : nullptr};
            const Values<I> S1 = {all_S1 + blockIdx.x * room * STATES, R1 + (b * blocks + j) * border, z.n0 + HEIGHT < length ? R1 + (b * blocks + j) * border + border : nullptr, L1 ? L1 + b * lattice_each : nullptr};
            if (z.has_row(0)) advance_starts(z, S0, S1, W0, p_gamma);
            else advance(z, S0, S1, W0, p_gamma);
            const i64 begin = e;
            e = ends.from_row(z.n0 + z.rows);
            collect(D0 + b * ends_each, S0.strip, z, ends, begin, e);
            collect(D1 + b * ends_each, S1.strip, z, ends, begin, e);
            __syncthreads();
        }
    }
}
