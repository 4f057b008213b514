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
//   memory    the last 1 row(s) of each strip are kept; the backward pass recomputes

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
            const F w0 = W0.read(n, m, INF);
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, 0.0);
            const I D0_1_1_1 = S1.get(z, l - 1, m - 1, 0, 0);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, 0.0);
            const I D0_1_1_0 = S1.get(z, l - 1, m, 0, 0);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, 0.0);
            const I D0_1_0_1 = S1.get(z, l, m - 1, 0, 0);
            const bool t0 = w0 != INF;
            const bool t1 = start0 != 0.0;
            const F t2 = t1 ? 0.5 : 0.0;
            const bool t3 = t2 != 0.0;
            const I t4 = t1 ? 1 : 0;
            const bool t5 = t4 != 0;
            const bool t6 = t3 || t5;
            const bool t7 = D0_0_1_1 != 0.0;
            const bool t8 = D0_1_1_1 != 0;
            const bool t9 = t7 || t8;
            const bool t10 = t6 || t9;
            const bool t11 = D0_0_1_0 != 0.0;
            const bool t12 = D0_1_1_0 != 0;
            const bool t13 = t11 || t12;
            const bool t14 = t10 || t13;
            const bool t15 = D0_0_0_1 != 0.0;
            const bool t16 = D0_1_0_1 != 0;
            const bool t17 = t15 || t16;
            const bool t18 = t14 || t17;
            const I t19 = t6 ? t4 : -1073741824;
            const I t20 = t9 ? D0_1_1_1 : -1073741824;
            const I t21 = t20 > t19 ? t20 : t19;
            const I t22 = t13 ? D0_1_1_0 : -1073741824;
            const I t23 = t22 > t21 ? t22 : t21;
            const I t24 = t17 ? D0_1_0_1 : -1073741824;
            const I t25 = t24 > t23 ? t24 : t23;
            const I t26 = t4 - t25;
            const F t27 = scale(t2, t26);
            const I t28 = D0_1_1_1 - t25;
            const F t29 = scale(D0_0_1_1, t28);
            const F t30 = t27 + t29;
            const I t31 = D0_1_1_0 - t25;
            const F t32 = scale(D0_0_1_0, t31);
            const F t33 = t30 + t32;
            const I t34 = D0_1_0_1 - t25;
            const F t35 = scale(D0_0_0_1, t34);
            const F t36 = t33 + t35;
            const F t37 = mantissa(t36);
            const F t38 = t18 ? t37 : 0.0;
            const bool t39 = t38 != 0.0;
            const I t40 = exponent(t36);
            const I t41 = t40 + t25;
            const I t42 = t18 ? t41 : 0;
            const bool t43 = t42 != 0;
            const bool t44 = t39 || t43;
            const bool t45 = t0 && t44;
            const F t46 = w0 * -1.4426950408889634;
            const F t47 = t46 * u0_;
            const F t48 = rint(t47);
            const F t49 = t47 - t48;
            const F t50 = exp2(t49);
            const F t51 = mantissa(t50);
            const F t52 = t38 * t51;
            const F t53 = mantissa(t52);
            const F t54 = t45 ? t53 : 0.0;
            const I t55 = exponent(t52);
            const I t56 = t55 + t42;
            const I t57 = exponent(t50);
            const I t58 = integer(t48);
            const I t59 = t57 + t58;
            const I t60 = t56 + t59;
            const I t61 = t45 ? t60 : 0;
            S0.put(z, l, m, 0, t54);
            S1.put(z, l, m, 0, t61);
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
            const bool t4 = D0_0_1_0 != 0.0;
            const bool t5 = D0_1_1_0 != 0;
            const bool t6 = t4 || t5;
            const bool t7 = t3 || t6;
            const bool t8 = D0_0_0_1 != 0.0;
            const bool t9 = D0_1_0_1 != 0;
            const bool t10 = t8 || t9;
            const bool t11 = t7 || t10;
            const I t12 = t3 ? D0_1_1_1 : -1073741824;
            const I t13 = t6 ? D0_1_1_0 : -1073741824;
            const I t14 = t13 > t12 ? t13 : t12;
            const I t15 = t10 ? D0_1_0_1 : -1073741824;
            const I t16 = t15 > t14 ? t15 : t14;
            const I t17 = D0_1_1_1 - t16;
            const F t18 = scale(D0_0_1_1, t17);
            const I t19 = D0_1_1_0 - t16;
            const F t20 = scale(D0_0_1_0, t19);
            const F t21 = t18 + t20;
            const I t22 = D0_1_0_1 - t16;
            const F t23 = scale(D0_0_0_1, t22);
            const F t24 = t21 + t23;
            const F t25 = mantissa(t24);
            const F t26 = t11 ? t25 : 0.0;
            const bool t27 = t26 != 0.0;
            const I t28 = exponent(t24);
            const I t29 = t28 + t16;
            const I t30 = t11 ? t29 : 0;
            const bool t31 = t30 != 0;
            const bool t32 = t27 || t31;
            const bool t33 = t0 && t32;
            const F t34 = w0 * -1.4426950408889634;
            const F t35 = t34 * u0_;
            const F t36 = rint(t35);
            const F t37 = t35 - t36;
            const F t38 = exp2(t37);
            const F t39 = mantissa(t38);
            const F t40 = t26 * t39;
            const F t41 = mantissa(t40);
            const F t42 = t33 ? t41 : 0.0;
            const I t43 = exponent(t40);
            const I t44 = t43 + t30;
            const I t45 = exponent(t38);
            const I t46 = integer(t36);
            const I t47 = t45 + t46;
            const I t48 = t44 + t47;
            const I t49 = t33 ? t48 : 0;
            S0.put(z, l, m, 0, t42);
            S1.put(z, l, m, 0, t49);
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
