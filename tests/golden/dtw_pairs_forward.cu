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

__device__ void advance_starts(const Strip z, const Values<F> S0, const Values<I> S1, const Site W0, const double p_gamma) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
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
            const F t4 = t3 * u0_;
            const F t5 = rint(t4);
            const F t6 = t4 - t5;
            const F t7 = exp2(t6);
            const F t8 = mantissa(t7);
            const F t9 = t2 ? t8 : 0.0;
            const bool t10 = t9 != 0.0;
            const I t11 = exponent(t7);
            const I t12 = integer(t5);
            const I t13 = t11 + t12;
            const I t14 = t2 ? t13 : 0;
            const bool t15 = t14 != 0;
            const bool t16 = t10 || t15;
            const bool t17 = D0_0_1_1 != 0.0;
            const bool t18 = D0_1_1_1 != 0;
            const bool t19 = t17 || t18;
            const bool t20 = t1 && t19;
            const F t21 = D0_0_1_1 * t8;
            const F t22 = mantissa(t21);
            const F t23 = t20 ? t22 : 0.0;
            const bool t24 = t23 != 0.0;
            const I t25 = exponent(t21);
            const I t26 = t25 + D0_1_1_1;
            const I t27 = t26 + t13;
            const I t28 = t20 ? t27 : 0;
            const bool t29 = t28 != 0;
            const bool t30 = t24 || t29;
            const bool t31 = t16 || t30;
            const bool t32 = D0_0_1_0 != 0.0;
            const bool t33 = D0_1_1_0 != 0;
            const bool t34 = t32 || t33;
            const bool t35 = t1 && t34;
            const F t36 = D0_0_1_0 * t8;
            const F t37 = mantissa(t36);
            const F t38 = t35 ? t37 : 0.0;
            const bool t39 = t38 != 0.0;
            const I t40 = exponent(t36);
            const I t41 = t40 + D0_1_1_0;
            const I t42 = t41 + t13;
            const I t43 = t35 ? t42 : 0;
            const bool t44 = t43 != 0;
            const bool t45 = t39 || t44;
            const bool t46 = t31 || t45;
            const bool t47 = D0_0_0_1 != 0.0;
            const bool t48 = D0_1_0_1 != 0;
            const bool t49 = t47 || t48;
            const bool t50 = t1 && t49;
            const F t51 = D0_0_0_1 * t8;
            const F t52 = mantissa(t51);
            const F t53 = t50 ? t52 : 0.0;
            const bool t54 = t53 != 0.0;
            const I t55 = exponent(t51);
            const I t56 = t55 + D0_1_0_1;
            const I t57 = t56 + t13;
            const I t58 = t50 ? t57 : 0;
            const bool t59 = t58 != 0;
            const bool t60 = t54 || t59;
            const bool t61 = t46 || t60;
            const I t62 = t16 ? t14 : -1073741824;
            const I t63 = t30 ? t28 : -1073741824;
            const I t64 = t63 > t62 ? t63 : t62;
            const I t65 = t45 ? t43 : -1073741824;
            const I t66 = t65 > t64 ? t65 : t64;
            const I t67 = t60 ? t58 : -1073741824;
            const I t68 = t67 > t66 ? t67 : t66;
            const I t69 = t14 - t68;
            const F t70 = scale(t9, t69);
            const I t71 = t28 - t68;
            const F t72 = scale(t23, t71);
            const F t73 = t70 + t72;
            const I t74 = t43 - t68;
            const F t75 = scale(t38, t74);
            const F t76 = t73 + t75;
            const I t77 = t58 - t68;
            const F t78 = scale(t53, t77);
            const F t79 = t76 + t78;
            const F t80 = mantissa(t79);
            const F t81 = t61 ? t80 : 0.0;
            const I t82 = exponent(t79);
            const I t83 = t82 + t68;
            const I t84 = t61 ? t83 : 0;
            S0.put(z, l, m, 0, t81);
            S1.put(z, l, m, 0, t84);
        }
        __syncthreads();
    }
}

__device__ void advance(const Strip z, const Values<F> S0, const Values<I> S1, const Site W0, const double p_gamma) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
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
            const F t6 = t5 * u0_;
            const F t7 = rint(t6);
            const F t8 = t6 - t7;
            const F t9 = exp2(t8);
            const F t10 = mantissa(t9);
            const F t11 = D0_0_1_1 * t10;
            const F t12 = mantissa(t11);
            const F t13 = t4 ? t12 : 0.0;
            const bool t14 = t13 != 0.0;
            const I t15 = exponent(t11);
            const I t16 = t15 + D0_1_1_1;
            const I t17 = exponent(t9);
            const I t18 = integer(t7);
            const I t19 = t17 + t18;
            const I t20 = t16 + t19;
            const I t21 = t4 ? t20 : 0;
            const bool t22 = t21 != 0;
            const bool t23 = t14 || t22;
            const bool t24 = D0_0_1_0 != 0.0;
            const bool t25 = D0_1_1_0 != 0;
            const bool t26 = t24 || t25;
            const bool t27 = t0 && t26;
            const F t28 = D0_0_1_0 * t10;
            const F t29 = mantissa(t28);
            const F t30 = t27 ? t29 : 0.0;
            const bool t31 = t30 != 0.0;
            const I t32 = exponent(t28);
            const I t33 = t32 + D0_1_1_0;
            const I t34 = t33 + t19;
            const I t35 = t27 ? t34 : 0;
            const bool t36 = t35 != 0;
            const bool t37 = t31 || t36;
            const bool t38 = t23 || t37;
            const bool t39 = D0_0_0_1 != 0.0;
            const bool t40 = D0_1_0_1 != 0;
            const bool t41 = t39 || t40;
            const bool t42 = t0 && t41;
            const F t43 = D0_0_0_1 * t10;
            const F t44 = mantissa(t43);
            const F t45 = t42 ? t44 : 0.0;
            const bool t46 = t45 != 0.0;
            const I t47 = exponent(t43);
            const I t48 = t47 + D0_1_0_1;
            const I t49 = t48 + t19;
            const I t50 = t42 ? t49 : 0;
            const bool t51 = t50 != 0;
            const bool t52 = t46 || t51;
            const bool t53 = t38 || t52;
            const I t54 = t23 ? t21 : -1073741824;
            const I t55 = t37 ? t35 : -1073741824;
            const I t56 = t55 > t54 ? t55 : t54;
            const I t57 = t52 ? t50 : -1073741824;
            const I t58 = t57 > t56 ? t57 : t56;
            const I t59 = t21 - t58;
            const F t60 = scale(t13, t59);
            const I t61 = t35 - t58;
            const F t62 = scale(t30, t61);
            const F t63 = t60 + t62;
            const I t64 = t50 - t58;
            const F t65 = scale(t45, t64);
            const F t66 = t63 + t65;
            const F t67 = mantissa(t66);
            const F t68 = t53 ? t67 : 0.0;
            const I t69 = exponent(t66);
            const I t70 = t69 + t58;
            const I t71 = t53 ? t70 : 0;
            S0.put(z, l, m, 0, t68);
            S1.put(z, l, m, 0, t71);
        }
        __syncthreads();
    }
}

extern "C" __global__ void forward(
    i64 items, const bool* skip, const i64* n_len, const i64* m_len, i64 width, i64 pitch, i64 blocks, i64 room,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const double* all_p_gamma, i64 own_p_gamma,
    F* R0, I* R1, F* all_S0, I* all_S1, const i64* end_n, const i64* end_m, const i64* end_k, i64 ends_each, F* D0,
    I* D1, F* L0, I* L1, i64 lattice_each
) {
    const i64 border = HALO * STATES * pitch;
    for (i64 b = blockIdx.x; b < items; b += gridDim.x) {
        if (skip[b]) continue;
        const i64 length = n_len[b], cols = m_len[b];
        const Site W0 = {a0 + b * a0_b, a0_n, a0_m, n_len[b] + a0_more_n, m_len[b] + a0_more_m};
        const double p_gamma = all_p_gamma[b * own_p_gamma];
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
