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
//   memory    borders of 1 row(s) for each 32; the backward pass recomputes

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
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const bool t0 = start0 != 0.0f;
            const F t1 = t0 ? w0 : INF;
            const bool t2 = t1 != INF;
            const F t3 = D0_0_1_1 + w0;
            const bool t4 = t3 != INF;
            const bool t5 = t2 || t4;
            const F t6 = D0_0_1_0 + w0;
            const bool t7 = t6 != INF;
            const bool t8 = t5 || t7;
            const F t9 = D0_0_0_1 + w0;
            const bool t10 = t9 != INF;
            const bool t11 = t8 || t10;
            const F t12 = t3 < t1 ? t3 : t1;
            const F t13 = t6 < t12 ? t6 : t12;
            const F t14 = t9 < t13 ? t9 : t13;
            const F t15 = t14 - t1;
            const F t16 = t15 * u0_;
            const F t17 = expf(t16);
            const F t18 = t14 - t3;
            const F t19 = t18 * u0_;
            const F t20 = expf(t19);
            const F t21 = t17 + t20;
            const F t22 = t14 - t6;
            const F t23 = t22 * u0_;
            const F t24 = expf(t23);
            const F t25 = t21 + t24;
            const F t26 = t14 - t9;
            const F t27 = t26 * u0_;
            const F t28 = expf(t27);
            const F t29 = t25 + t28;
            const F t30 = logf(t29);
            const F t31 = p_gamma_ * t30;
            const F t32 = t14 - t31;
            const F t33 = t11 ? t32 : INF;
            S0.put(z, l, m, 0, t33);
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
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F t0 = D0_0_1_1 + w0;
            const bool t1 = t0 != INF;
            const F t2 = D0_0_1_0 + w0;
            const bool t3 = t2 != INF;
            const bool t4 = t1 || t3;
            const F t5 = D0_0_0_1 + w0;
            const bool t6 = t5 != INF;
            const bool t7 = t4 || t6;
            const F t8 = t2 < t0 ? t2 : t0;
            const F t9 = t5 < t8 ? t5 : t8;
            const F t10 = t9 - t0;
            const F t11 = t10 * u0_;
            const F t12 = expf(t11);
            const F t13 = t9 - t2;
            const F t14 = t13 * u0_;
            const F t15 = expf(t14);
            const F t16 = t12 + t15;
            const F t17 = t9 - t5;
            const F t18 = t17 * u0_;
            const F t19 = expf(t18);
            const F t20 = t16 + t19;
            const F t21 = logf(t20);
            const F t22 = p_gamma_ * t21;
            const F t23 = t9 - t22;
            const F t24 = t7 ? t23 : INF;
            S0.put(z, l, m, 0, t24);
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
            const F w0 = W0.read(n, m, INF);
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F t0 = D0_0_1_1 + w0;
            const bool t1 = t0 != INF;
            const F t2 = -E0_0;
            const F t3 = t2 * p_gamma_;
            const bool t4 = start0 != 0.0f;
            const F t5 = t4 ? w0 : INF;
            const F t6 = t0 < t5 ? t0 : t5;
            const F t7 = D0_0_1_0 + w0;
            const F t8 = t7 < t6 ? t7 : t6;
            const F t9 = D0_0_0_1 + w0;
            const F t10 = t9 < t8 ? t9 : t8;
            const F t11 = t10 - t5;
            const F t12 = t11 * u0_;
            const F t13 = expf(t12);
            const F t14 = t10 - t0;
            const F t15 = t14 * u0_;
            const F t16 = expf(t15);
            const F t17 = t13 + t16;
            const F t18 = t10 - t7;
            const F t19 = t18 * u0_;
            const F t20 = expf(t19);
            const F t21 = t17 + t20;
            const F t22 = t10 - t9;
            const F t23 = t22 * u0_;
            const F t24 = expf(t23);
            const F t25 = t21 + t24;
            const F t26 = t3 / t25;
            const F t27 = t26 * t16;
            const F t28 = t27 * u0_;
            const F t29 = -t28;
            const F t30 = t1 ? t29 : 0.0f;
            const bool t31 = t7 != INF;
            const F t32 = t26 * t20;
            const F t33 = t32 * u0_;
            const F t34 = -t33;
            const F t35 = t31 ? t34 : 0.0f;
            const bool t36 = t9 != INF;
            const F t37 = t26 * t24;
            const F t38 = t37 * u0_;
            const F t39 = -t38;
            const F t40 = t36 ? t39 : 0.0f;
            const bool t41 = t5 != INF;
            const F t42 = t26 * t13;
            const F t43 = t42 * u0_;
            const F t44 = -t43;
            const F t45 = t41 ? t44 : 0.0f;
            const F t46 = t30 + t45;
            const F t47 = t35 + t46;
            const F t48 = t40 + t47;
            const bool t49 = t41 || t1;
            const bool t50 = t49 || t31;
            const bool t51 = t50 || t36;
            const F t52 = logf(t25);
            const F t53 = t2 * t52;
            const F t54 = t42 * t12;
            const F t55 = -t54;
            const F t56 = t55 * u0_;
            const F t57 = t41 ? t56 : 0.0f;
            const F t58 = t27 * t15;
            const F t59 = -t58;
            const F t60 = t59 * u0_;
            const F t61 = t1 ? t60 : 0.0f;
            const F t62 = t57 + t61;
            const F t63 = t32 * t19;
            const F t64 = -t63;
            const F t65 = t64 * u0_;
            const F t66 = t31 ? t65 : 0.0f;
            const F t67 = t62 + t66;
            const F t68 = t37 * t23;
            const F t69 = -t68;
            const F t70 = t69 * u0_;
            const F t71 = t36 ? t70 : 0.0f;
            const F t72 = t67 + t71;
            const F t73 = t53 + t72;
            const F t74 = t51 ? t73 : 0.0f;
            G1_1_0_0.put(z, l, m, t30);
            G1_0_0_0.put(z, l, m, t35);
            G0_1_0_0.put(z, l, m, t40);
            W0.write(dW0, n, m, t48);
            dp_gamma += t74;
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
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F t0 = D0_0_1_1 + w0;
            const bool t1 = t0 != INF;
            const F t2 = -E0_0;
            const F t3 = t2 * p_gamma_;
            const F t4 = D0_0_1_0 + w0;
            const F t5 = t4 < t0 ? t4 : t0;
            const F t6 = D0_0_0_1 + w0;
            const F t7 = t6 < t5 ? t6 : t5;
            const F t8 = t7 - t0;
            const F t9 = t8 * u0_;
            const F t10 = expf(t9);
            const F t11 = t7 - t4;
            const F t12 = t11 * u0_;
            const F t13 = expf(t12);
            const F t14 = t10 + t13;
            const F t15 = t7 - t6;
            const F t16 = t15 * u0_;
            const F t17 = expf(t16);
            const F t18 = t14 + t17;
            const F t19 = t3 / t18;
            const F t20 = t19 * t10;
            const F t21 = t20 * u0_;
            const F t22 = -t21;
            const F t23 = t1 ? t22 : 0.0f;
            const bool t24 = t4 != INF;
            const F t25 = t19 * t13;
            const F t26 = t25 * u0_;
            const F t27 = -t26;
            const F t28 = t24 ? t27 : 0.0f;
            const bool t29 = t6 != INF;
            const F t30 = t19 * t17;
            const F t31 = t30 * u0_;
            const F t32 = -t31;
            const F t33 = t29 ? t32 : 0.0f;
            const F t34 = t28 + t23;
            const F t35 = t33 + t34;
            const bool t36 = t1 || t24;
            const bool t37 = t36 || t29;
            const F t38 = logf(t18);
            const F t39 = t2 * t38;
            const F t40 = t20 * t9;
            const F t41 = -t40;
            const F t42 = t41 * u0_;
            const F t43 = t1 ? t42 : 0.0f;
            const F t44 = t25 * t12;
            const F t45 = -t44;
            const F t46 = t45 * u0_;
            const F t47 = t24 ? t46 : 0.0f;
            const F t48 = t43 + t47;
            const F t49 = t30 * t16;
            const F t50 = -t49;
            const F t51 = t50 * u0_;
            const F t52 = t29 ? t51 : 0.0f;
            const F t53 = t48 + t52;
            const F t54 = t39 + t53;
            const F t55 = t37 ? t54 : 0.0f;
            G1_1_0_0.put(z, l, m, t23);
            G1_0_0_0.put(z, l, m, t28);
            G0_1_0_0.put(z, l, m, t33);
            W0.write(dW0, n, m, t35);
            dp_gamma += t55;
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
