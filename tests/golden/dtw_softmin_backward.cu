// Emitted by dpsemiring; do not edit.
//
// recurrence over Softmin(gamma)
//   D[n, m] = sum of
//     start 0 at [0, 0]: encode(cost[n, m])
//     times(D[n-1, m-1], encode(cost[n, m]))
//     times(D[n-1, m], encode(cost[n, m]))
//     times(D[n, m-1], encode(cost[n, m]))
//   total = decode of sum of
//     times(D at [-1, -1], one)
// plan
//   schedule  skewed strips of 32 rows: lane l at time t is row l, column t - l
//   carrier   (x: float32), multiply-adds allowed
//   states    one, in this order within a cell
//   memory    the last 1 row(s) of each strip are kept; the backward pass recomputes

typedef long long i64;
typedef float F;  // numbers
typedef int I;  // binary exponents
#define INF __int_as_float(0x7f800000)
#define NAN_ __int_as_float(0x7fffffff)
constexpr bool SKEWED = true;
constexpr bool WINDOWED = false;
constexpr i64 HEIGHT = 32;  // rows of a strip
constexpr i64 HALO = 1;  // rows that it needs of the one before
constexpr int STATES = 1;

// ... cuda_strip.cuh ...

__device__ void advance_starts(const Strip z, const Values<F> S0, const Site W0, const double p_gamma) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F w0 = W0.read(n, m, INF);
            const bool t0 = start0 != 0.0f;
            const F t1 = t0 ? 0.0f : INF;
            const bool t2 = t1 != INF;
            const bool t3 = D0_0_1_1 != INF;
            const bool t4 = t2 || t3;
            const bool t5 = D0_0_1_0 != INF;
            const bool t6 = t4 || t5;
            const bool t7 = D0_0_0_1 != INF;
            const bool t8 = t6 || t7;
            const F t9 = D0_0_1_1 < t1 ? D0_0_1_1 : t1;
            const F t10 = D0_0_1_0 < t9 ? D0_0_1_0 : t9;
            const F t11 = D0_0_0_1 < t10 ? D0_0_0_1 : t10;
            const F t12 = t11 - t1;
            const F t13 = t12 * u0_;
            const F t14 = expf(t13);
            const F t15 = t11 - D0_0_1_1;
            const F t16 = t15 * u0_;
            const F t17 = expf(t16);
            const F t18 = t14 + t17;
            const F t19 = t11 - D0_0_1_0;
            const F t20 = t19 * u0_;
            const F t21 = expf(t20);
            const F t22 = t18 + t21;
            const F t23 = t11 - D0_0_0_1;
            const F t24 = t23 * u0_;
            const F t25 = expf(t24);
            const F t26 = t22 + t25;
            const F t27 = logf(t26);
            const F t28 = p_gamma_ * t27;
            const F t29 = t11 - t28;
            const F t30 = t8 ? t29 : INF;
            const F t31 = t30 + w0;
            S0.put(z, l, m, 0, t31);
        }
        __syncthreads();
    }
}

__device__ void advance(const Strip z, const Values<F> S0, const Site W0, const double p_gamma) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F w0 = W0.read(n, m, INF);
            const bool t0 = D0_0_1_1 != INF;
            const bool t1 = D0_0_1_0 != INF;
            const bool t2 = t0 || t1;
            const bool t3 = D0_0_0_1 != INF;
            const bool t4 = t2 || t3;
            const F t5 = D0_0_1_0 < D0_0_1_1 ? D0_0_1_0 : D0_0_1_1;
            const F t6 = D0_0_0_1 < t5 ? D0_0_0_1 : t5;
            const F t7 = t6 - D0_0_1_1;
            const F t8 = t7 * u0_;
            const F t9 = expf(t8);
            const F t10 = t6 - D0_0_1_0;
            const F t11 = t10 * u0_;
            const F t12 = expf(t11);
            const F t13 = t9 + t12;
            const F t14 = t6 - D0_0_0_1;
            const F t15 = t14 * u0_;
            const F t16 = expf(t15);
            const F t17 = t13 + t16;
            const F t18 = logf(t17);
            const F t19 = p_gamma_ * t18;
            const F t20 = t6 - t19;
            const F t21 = t4 ? t20 : INF;
            const F t22 = t21 + w0;
            S0.put(z, l, m, 0, t22);
        }
        __syncthreads();
    }
}

__device__ void retreat_starts(const Strip z, const Values<F> S0, const Site W0, const double p_gamma, const Flow G1_1_0_0, const Flow G1_0_0_0, const Flow G0_1_0_0, bool seeded, const F* A0, F* dW0, double& dp_gamma) {
    const double u0 = 1.0 / p_gamma;
    const F p_gamma_ = F(p_gamma);
    const F u0_ = F(u0);
    for (i64 t = z.times() - 1; t >= 0; t--) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            F E0_0 = seeded ? A0[z.at(l, m, 0, STATES)] : 0;
            E0_0 += G1_1_0_0.get(z, l + 1, m + 1);
            E0_0 += G1_0_0_0.get(z, l + 1, m);
            E0_0 += G0_1_0_0.get(z, l, m + 1);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F D0_0_0_0 = S0.get(z, l, m, 0, INF);
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const bool t0 = D0_0_1_1 != INF;
            const bool t1 = D0_0_0_0 != INF;
            const F t2 = t1 ? E0_0 : 0.0f;
            const F t3 = -t2;
            const F t4 = t3 * p_gamma_;
            const bool t5 = start0 != 0.0f;
            const F t6 = t5 ? 0.0f : INF;
            const F t7 = D0_0_1_1 < t6 ? D0_0_1_1 : t6;
            const F t8 = D0_0_1_0 < t7 ? D0_0_1_0 : t7;
            const F t9 = D0_0_0_1 < t8 ? D0_0_0_1 : t8;
            const F t10 = t9 - t6;
            const F t11 = t10 * u0_;
            const F t12 = expf(t11);
            const F t13 = t9 - D0_0_1_1;
            const F t14 = t13 * u0_;
            const F t15 = expf(t14);
            const F t16 = t12 + t15;
            const F t17 = t9 - D0_0_1_0;
            const F t18 = t17 * u0_;
            const F t19 = expf(t18);
            const F t20 = t16 + t19;
            const F t21 = t9 - D0_0_0_1;
            const F t22 = t21 * u0_;
            const F t23 = expf(t22);
            const F t24 = t20 + t23;
            const F t25 = t4 / t24;
            const F t26 = t25 * t15;
            const F t27 = t26 * u0_;
            const F t28 = -t27;
            const F t29 = t0 ? t28 : 0.0f;
            const bool t30 = D0_0_1_0 != INF;
            const F t31 = t25 * t19;
            const F t32 = t31 * u0_;
            const F t33 = -t32;
            const F t34 = t30 ? t33 : 0.0f;
            const bool t35 = D0_0_0_1 != INF;
            const F t36 = t25 * t23;
            const F t37 = t36 * u0_;
            const F t38 = -t37;
            const F t39 = t35 ? t38 : 0.0f;
            const bool t40 = t6 != INF;
            const bool t41 = t40 || t0;
            const bool t42 = t41 || t30;
            const bool t43 = t42 || t35;
            const F t44 = logf(t24);
            const F t45 = t3 * t44;
            const F t46 = t25 * t12;
            const F t47 = t46 * t11;
            const F t48 = -t47;
            const F t49 = t48 * u0_;
            const F t50 = t40 ? t49 : 0.0f;
            const F t51 = t26 * t14;
            const F t52 = -t51;
            const F t53 = t52 * u0_;
            const F t54 = t0 ? t53 : 0.0f;
            const F t55 = t50 + t54;
            const F t56 = t31 * t18;
            const F t57 = -t56;
            const F t58 = t57 * u0_;
            const F t59 = t30 ? t58 : 0.0f;
            const F t60 = t55 + t59;
            const F t61 = t36 * t22;
            const F t62 = -t61;
            const F t63 = t62 * u0_;
            const F t64 = t35 ? t63 : 0.0f;
            const F t65 = t60 + t64;
            const F t66 = t45 + t65;
            const F t67 = t43 ? t66 : 0.0f;
            G1_1_0_0.put(z, l, m, t29);
            G1_0_0_0.put(z, l, m, t34);
            G0_1_0_0.put(z, l, m, t39);
            W0.write(dW0, n, m, t2);
            dp_gamma += t67;
        }
        __syncthreads();
    }
}

__device__ void retreat(const Strip z, const Values<F> S0, const Site W0, const double p_gamma, const Flow G1_1_0_0, const Flow G1_0_0_0, const Flow G0_1_0_0, bool seeded, const F* A0, F* dW0, double& dp_gamma) {
    const double u0 = 1.0 / p_gamma;
    const F p_gamma_ = F(p_gamma);
    const F u0_ = F(u0);
    for (i64 t = z.times() - 1; t >= 0; t--) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            F E0_0 = seeded ? A0[z.at(l, m, 0, STATES)] : 0;
            E0_0 += G1_1_0_0.get(z, l + 1, m + 1);
            E0_0 += G1_0_0_0.get(z, l + 1, m);
            E0_0 += G0_1_0_0.get(z, l, m + 1);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F D0_0_0_0 = S0.get(z, l, m, 0, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const bool t0 = D0_0_1_1 != INF;
            const bool t1 = D0_0_0_0 != INF;
            const F t2 = t1 ? E0_0 : 0.0f;
            const F t3 = -t2;
            const F t4 = t3 * p_gamma_;
            const F t5 = D0_0_1_0 < D0_0_1_1 ? D0_0_1_0 : D0_0_1_1;
            const F t6 = D0_0_0_1 < t5 ? D0_0_0_1 : t5;
            const F t7 = t6 - D0_0_1_1;
            const F t8 = t7 * u0_;
            const F t9 = expf(t8);
            const F t10 = t6 - D0_0_1_0;
            const F t11 = t10 * u0_;
            const F t12 = expf(t11);
            const F t13 = t9 + t12;
            const F t14 = t6 - D0_0_0_1;
            const F t15 = t14 * u0_;
            const F t16 = expf(t15);
            const F t17 = t13 + t16;
            const F t18 = t4 / t17;
            const F t19 = t18 * t9;
            const F t20 = t19 * u0_;
            const F t21 = -t20;
            const F t22 = t0 ? t21 : 0.0f;
            const bool t23 = D0_0_1_0 != INF;
            const F t24 = t18 * t12;
            const F t25 = t24 * u0_;
            const F t26 = -t25;
            const F t27 = t23 ? t26 : 0.0f;
            const bool t28 = D0_0_0_1 != INF;
            const F t29 = t18 * t16;
            const F t30 = t29 * u0_;
            const F t31 = -t30;
            const F t32 = t28 ? t31 : 0.0f;
            const bool t33 = t0 || t23;
            const bool t34 = t33 || t28;
            const F t35 = logf(t17);
            const F t36 = t3 * t35;
            const F t37 = t19 * t8;
            const F t38 = -t37;
            const F t39 = t38 * u0_;
            const F t40 = t0 ? t39 : 0.0f;
            const F t41 = t24 * t11;
            const F t42 = -t41;
            const F t43 = t42 * u0_;
            const F t44 = t23 ? t43 : 0.0f;
            const F t45 = t40 + t44;
            const F t46 = t29 * t15;
            const F t47 = -t46;
            const F t48 = t47 * u0_;
            const F t49 = t28 ? t48 : 0.0f;
            const F t50 = t45 + t49;
            const F t51 = t36 + t50;
            const F t52 = t34 ? t51 : 0.0f;
            G1_1_0_0.put(z, l, m, t22);
            G1_0_0_0.put(z, l, m, t27);
            G0_1_0_0.put(z, l, m, t32);
            W0.write(dW0, n, m, t2);
            dp_gamma += t52;
        }
        __syncthreads();
    }
}

extern "C" __global__ void backward(
    i64 items, const bool* skip, const i64* n_len, const i64* m_len, i64 width, i64 pitch, i64 blocks, i64 room,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const double* all_p_gamma, i64 own_p_gamma,
    const F* R0, F* all_S0, const i64* end_n, const i64* end_m, const i64* end_k, i64 ends_each, const F* dA0,
    F* all_dW0, i64 dW0_b, double* all_dp_gamma, F* all_G1_1_0_0, F* all_G1_0_0_0, F* all_G0_1_0_0, F* G1_1_0_0_rows,
    F* G1_0_0_0_rows, F* G0_1_0_0_rows, F* all_A0
) {
    const i64 border = HALO * STATES * pitch;
    for (i64 b = blockIdx.x; b < items; b += gridDim.x) {
        if (skip[b]) continue;
        const i64 length = n_len[b], cols = m_len[b];
        const Site W0 = {a0 + b * a0_b, a0_n, a0_m, n_len[b] + a0_more_n, m_len[b] + a0_more_m};
        const double p_gamma = all_p_gamma[b * own_p_gamma];
        const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};
        F* const A0 = all_A0 + blockIdx.x * room * STATES;
        F* const dW0 = all_dW0 + b * dW0_b;
        double dp_gamma = 0;
        for (i64 j = (length - 1) / HEIGHT; j >= 0; j--) {
            Strip z = {j * HEIGHT, min(HEIGHT, length - j * HEIGHT), length, cols, width, pitch, 0, cols};
            const Values<F> S0 = {all_S0 + blockIdx.x * room * STATES, R0 + (b * blocks + j) * border, nullptr, nullptr};
            if (z.has_row(0)) advance_starts(z, S0, W0, p_gamma);
            else advance(z, S0, W0, p_gamma);
            const Flow G1_1_0_0(all_G1_1_0_0, G1_1_0_0_rows, 1, z, room);
            const Flow G1_0_0_0(all_G1_0_0_0, G1_0_0_0_rows, 1, z, room);
            const Flow G0_1_0_0(all_G0_1_0_0, G0_1_0_0_rows, 0, z, room);
            const i64 begin = ends.from_row(z.n0), stop = ends.from_row(z.n0 + z.rows);
            const bool seeded = begin < stop;
            if (seeded) plant(A0, dA0 + b * ends_each, z, ends, begin, stop);
            if (z.has_row(0)) retreat_starts(z, S0, W0, p_gamma, G1_1_0_0, G1_0_0_0, G0_1_0_0, seeded, A0, dW0, dp_gamma);
            else retreat(z, S0, W0, p_gamma, G1_1_0_0, G1_0_0_0, G0_1_0_0, seeded, A0, dW0, dp_gamma);
        }
        add_over_block(dp_gamma, all_dp_gamma + b);
    }
}
