// Emitted by dpsemiring; do not edit.
//
// recurrence over dual Softmin(gamma)
//   D[n, m] = sum of
//     start 0 at [0, 0]: encode(cost[n, m], cost_dot[n, m])
//     times(D[n-1, m-1], encode(cost[n, m], cost_dot[n, m]))
//     times(D[n-1, m], encode(cost[n, m], cost_dot[n, m]))
//     times(D[n, m-1], encode(cost[n, m], cost_dot[n, m]))
//   total = decode of sum of
//     times(D at [-1, -1], one)
// plan
//   schedule  skewed strips of 32 rows: lane l at time t is row l, column t - l
//   carrier   (x: float32, x_dot: float32), multiply-adds allowed
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

__device__ void advance_starts(const Strip z, const Values<F> S0, const Values<F> S1, const Site W0, const Site W1, const double p_gamma) {
    const double u0 = 1.0 / p_gamma;
    const double u1 = -p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F u1_ = F(u1);
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F start0 = n == 0 && m == 0;
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F w1 = W1.read(n, m, 0.0f);
            const F D0_1_1_1 = S1.get(z, l - 1, m - 1, 0, 0.0f);
            const F D0_1_1_0 = S1.get(z, l - 1, m, 0, 0.0f);
            const F D0_1_0_1 = S1.get(z, l, m - 1, 0, 0.0f);
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
            const F t34 = u1_ / t29;
            const F t35 = t34 * u0_;
            const F t36 = -t35;
            const F t37 = t0 ? w1 : 0.0f;
            const F t38 = t17 * t37;
            const F t39 = D0_1_1_1 + w1;
            const F t40 = t20 * t39;
            const F t41 = t38 + t40;
            const F t42 = D0_1_1_0 + w1;
            const F t43 = t24 * t42;
            const F t44 = t41 + t43;
            const F t45 = D0_1_0_1 + w1;
            const F t46 = t28 * t45;
            const F t47 = t44 + t46;
            const F t48 = t36 * t47;
            const F t49 = t11 ? t48 : 0.0f;
            S0.put(z, l, m, 0, t33);
            S1.put(z, l, m, 0, t49);
        }
        __syncthreads();
    }
}

__device__ void advance(const Strip z, const Values<F> S0, const Values<F> S1, const Site W0, const Site W1, const double p_gamma) {
    const double u0 = 1.0 / p_gamma;
    const double u1 = -p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F u1_ = F(u1);
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F D0_1_1_1 = S1.get(z, l - 1, m - 1, 0, 0.0f);
            const F w1 = W1.read(n, m, 0.0f);
            const F D0_1_1_0 = S1.get(z, l - 1, m, 0, 0.0f);
            const F D0_1_0_1 = S1.get(z, l, m - 1, 0, 0.0f);
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
            const F t25 = u1_ / t20;
            const F t26 = t25 * u0_;
            const F t27 = -t26;
            const F t28 = D0_1_1_1 + w1;
            const F t29 = t12 * t28;
            const F t30 = D0_1_1_0 + w1;
            const F t31 = t15 * t30;
            const F t32 = t29 + t31;
            const F t33 = D0_1_0_1 + w1;
            const F t34 = t19 * t33;
            const F t35 = t32 + t34;
            const F t36 = t27 * t35;
            const F t37 = t7 ? t36 : 0.0f;
            S0.put(z, l, m, 0, t24);
            S1.put(z, l, m, 0, t37);
        }
        __syncthreads();
    }
}

__device__ void retreat_starts(const Strip z, const Values<F> S0, const Values<F> S1, const Site W0, const Site W1, const double p_gamma, const Flow G1_1_0_0, const Flow G1_1_0_1, const Flow G1_0_0_0, const Flow G1_0_0_1, const Flow G0_1_0_0, const Flow G0_1_0_1, bool seeded, const F* A0, const F* A1, F* dW0) {
    const double u0 = -p_gamma;
    const double u1 = 1.0 / p_gamma;
    const F u1_ = F(u1);
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    for (i64 t = z.times() - 1; t >= 0; t--) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            F E0_0 = seeded ? A0[z.at(l, m, 0, STATES)] : 0;
            E0_0 += G1_1_0_0.get(z, l + 1, m + 1);
            E0_0 += G1_0_0_0.get(z, l + 1, m);
            E0_0 += G0_1_0_0.get(z, l, m + 1);
            F E0_1 = seeded ? A1[z.at(l, m, 0, STATES)] : 0;
            E0_1 += G1_1_0_1.get(z, l + 1, m + 1);
            E0_1 += G1_0_0_1.get(z, l + 1, m);
            E0_1 += G0_1_0_1.get(z, l, m + 1);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F w0 = W0.read(n, m, INF);
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F D0_1_1_1 = S1.get(z, l - 1, m - 1, 0, 0.0f);
            const F w1 = W1.read(n, m, 0.0f);
            const F D0_1_1_0 = S1.get(z, l - 1, m, 0, 0.0f);
            const F D0_1_0_1 = S1.get(z, l, m - 1, 0, 0.0f);
            const F t0 = D0_0_1_1 + w0;
            const bool t1 = t0 != INF;
            const bool t2 = start0 != 0.0f;
            const F t3 = t2 ? w0 : INF;
            const F t4 = t0 < t3 ? t0 : t3;
            const F t5 = D0_0_1_0 + w0;
            const F t6 = t5 < t4 ? t5 : t4;
            const F t7 = D0_0_0_1 + w0;
            const F t8 = t7 < t6 ? t7 : t6;
            const F t9 = t8 - t3;
            const F t10 = t9 * u1_;
            const F t11 = expf(t10);
            const F t12 = t8 - t0;
            const F t13 = t12 * u1_;
            const F t14 = expf(t13);
            const F t15 = t11 + t14;
            const F t16 = t8 - t5;
            const F t17 = t16 * u1_;
            const F t18 = expf(t17);
            const F t19 = t15 + t18;
            const F t20 = t8 - t7;
            const F t21 = t20 * u1_;
            const F t22 = expf(t21);
            const F t23 = t19 + t22;
            const F t24 = u0_ / t23;
            const F t25 = t24 * u1_;
            const F t26 = -t25;
            const F t27 = E0_1 * t26;
            const F t28 = D0_1_1_1 + w1;
            const F t29 = t27 * t28;
            const F t30 = t2 ? w1 : 0.0f;
            const F t31 = t11 * t30;
            const F t32 = t14 * t28;
            const F t33 = t31 + t32;
            const F t34 = D0_1_1_0 + w1;
            const F t35 = t18 * t34;
            const F t36 = t33 + t35;
            const F t37 = D0_1_0_1 + w1;
            const F t38 = t22 * t37;
            const F t39 = t36 + t38;
            const F t40 = E0_1 * t39;
            const F t41 = -t40;
            const F t42 = t41 * u1_;
            const F t43 = t42 * t24;
            const F t44 = -t43;
            const F t45 = t44 / t23;
            const F t46 = -E0_0;
            const F t47 = t46 * p_gamma_;
            const F t48 = t47 / t23;
            const F t49 = t45 + t48;
            const F t50 = t29 + t49;
            const F t51 = t50 * t14;
            const F t52 = t51 * u1_;
            const F t53 = -t52;
            const F t54 = t1 ? t53 : 0.0f;
            const F t55 = t27 * t14;
            const F t56 = t1 ? t55 : 0.0f;
            const bool t57 = t5 != INF;
            const F t58 = t27 * t34;
            const F t59 = t58 + t49;
            const F t60 = t59 * t18;
            const F t61 = t60 * u1_;
            const F t62 = -t61;
            const F t63 = t57 ? t62 : 0.0f;
            const F t64 = t27 * t18;
            const F t65 = t57 ? t64 : 0.0f;
            const bool t66 = t7 != INF;
            const F t67 = t27 * t37;
            const F t68 = t67 + t49;
            const F t69 = t68 * t22;
            const F t70 = t69 * u1_;
            const F t71 = -t70;
            const F t72 = t66 ? t71 : 0.0f;
            const F t73 = t27 * t22;
            const F t74 = t66 ? t73 : 0.0f;
            const bool t75 = t3 != INF;
            const F t76 = t27 * t30;
            const F t77 = t76 + t49;
            const F t78 = t77 * t11;
            const F t79 = t78 * u1_;
            const F t80 = -t79;
            const F t81 = t75 ? t80 : 0.0f;
            const F t82 = t54 + t81;
            const F t83 = t63 + t82;
            const F t84 = t72 + t83;
            G1_1_0_0.put(z, l, m, t54);
            G1_1_0_1.put(z, l, m, t56);
            G1_0_0_0.put(z, l, m, t63);
            G1_0_0_1.put(z, l, m, t65);
            G0_1_0_0.put(z, l, m, t72);
            G0_1_0_1.put(z, l, m, t74);
            W0.write(dW0, n, m, t84);
        }
        __syncthreads();
    }
}

__device__ void retreat(const Strip z, const Values<F> S0, const Values<F> S1, const Site W0, const Site W1, const double p_gamma, const Flow G1_1_0_0, const Flow G1_1_0_1, const Flow G1_0_0_0, const Flow G1_0_0_1, const Flow G0_1_0_0, const Flow G0_1_0_1, bool seeded, const F* A0, const F* A1, F* dW0) {
    const double u0 = -p_gamma;
    const double u1 = 1.0 / p_gamma;
    const F u1_ = F(u1);
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    for (i64 t = z.times() - 1; t >= 0; t--) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            F E0_0 = seeded ? A0[z.at(l, m, 0, STATES)] : 0;
            E0_0 += G1_1_0_0.get(z, l + 1, m + 1);
            E0_0 += G1_0_0_0.get(z, l + 1, m);
            E0_0 += G0_1_0_0.get(z, l, m + 1);
            F E0_1 = seeded ? A1[z.at(l, m, 0, STATES)] : 0;
            E0_1 += G1_1_0_1.get(z, l + 1, m + 1);
            E0_1 += G1_0_0_1.get(z, l + 1, m);
            E0_1 += G0_1_0_1.get(z, l, m + 1);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F w0 = W0.read(n, m, INF);
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_0_1 = S0.get(z, l, m - 1, 0, INF);
            const F D0_1_1_1 = S1.get(z, l - 1, m - 1, 0, 0.0f);
            const F w1 = W1.read(n, m, 0.0f);
            const F D0_1_1_0 = S1.get(z, l - 1, m, 0, 0.0f);
            const F D0_1_0_1 = S1.get(z, l, m - 1, 0, 0.0f);
            const F t0 = D0_0_1_1 + w0;
            const bool t1 = t0 != INF;
            const F t2 = D0_0_1_0 + w0;
            const F t3 = t2 < t0 ? t2 : t0;
            const F t4 = D0_0_0_1 + w0;
            const F t5 = t4 < t3 ? t4 : t3;
            const F t6 = t5 - t0;
            const F t7 = t6 * u1_;
            const F t8 = expf(t7);
            const F t9 = t5 - t2;
            const F t10 = t9 * u1_;
            const F t11 = expf(t10);
            const F t12 = t8 + t11;
            const F t13 = t5 - t4;
            const F t14 = t13 * u1_;
            const F t15 = expf(t14);
            const F t16 = t12 + t15;
            const F t17 = u0_ / t16;
            const F t18 = t17 * u1_;
            const F t19 = -t18;
            const F t20 = E0_1 * t19;
            const F t21 = D0_1_1_1 + w1;
            const F t22 = t20 * t21;
            const F t23 = t8 * t21;
            const F t24 = D0_1_1_0 + w1;
            const F t25 = t11 * t24;
            const F t26 = t23 + t25;
            const F t27 = D0_1_0_1 + w1;
            const F t28 = t15 * t27;
            const F t29 = t26 + t28;
            const F t30 = E0_1 * t29;
            const F t31 = -t30;
            const F t32 = t31 * u1_;
            const F t33 = t32 * t17;
            const F t34 = -t33;
            const F t35 = t34 / t16;
            const F t36 = -E0_0;
            const F t37 = t36 * p_gamma_;
            const F t38 = t37 / t16;
            const F t39 = t35 + t38;
            const F t40 = t22 + t39;
            const F t41 = t40 * t8;
            const F t42 = t41 * u1_;
            const F t43 = -t42;
            const F t44 = t1 ? t43 : 0.0f;
            const F t45 = t20 * t8;
            const F t46 = t1 ? t45 : 0.0f;
            const bool t47 = t2 != INF;
            const F t48 = t20 * t24;
            const F t49 = t48 + t39;
            const F t50 = t49 * t11;
            const F t51 = t50 * u1_;
            const F t52 = -t51;
            const F t53 = t47 ? t52 : 0.0f;
            const F t54 = t20 * t11;
            const F t55 = t47 ? t54 : 0.0f;
            const bool t56 = t4 != INF;
            const F t57 = t20 * t27;
            const F t58 = t57 + t39;
            const F t59 = t58 * t15;
            const F t60 = t59 * u1_;
            const F t61 = -t60;
            const F t62 = t56 ? t61 : 0.0f;
            const F t63 = t20 * t15;
            const F t64 = t56 ? t63 : 0.0f;
            const F t65 = t53 + t44;
            const F t66 = t62 + t65;
            G1_1_0_0.put(z, l, m, t44);
            G1_1_0_1.put(z, l, m, t46);
            G1_0_0_0.put(z, l, m, t53);
            G1_0_0_1.put(z, l, m, t55);
            G0_1_0_0.put(z, l, m, t62);
            G0_1_0_1.put(z, l, m, t64);
            W0.write(dW0, n, m, t66);
        }
        __syncthreads();
    }
}

extern "C" __global__ void backward(
    i64 items, const bool* skip, const i64* n_len, const i64* m_len, i64 width, i64 pitch, i64 blocks, i64 room,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const F* a1, i64 a1_b, i64 a1_n, i64 a1_m,
    i64 a1_more_n, i64 a1_more_m, const double* all_p_gamma, i64 own_p_gamma, const F* R0, const F* R1, F* all_S0,
    F* all_S1, const i64* end_n, const i64* end_m, const i64* end_k, i64 ends_each, const F* dA0, const F* dA1,
    F* all_dW0, i64 dW0_b, F* all_G1_1_0_0, F* all_G1_1_0_1, F* all_G1_0_0_0, F* all_G1_0_0_1, F* all_G0_1_0_0,
    F* all_G0_1_0_1, F* G1_1_0_0_rows, F* G1_1_0_1_rows, F* G1_0_0_0_rows, F* G1_0_0_1_rows, F* G0_1_0_0_rows,
    F* G0_1_0_1_rows, F* all_A0, F* all_A1
) {
    const i64 border = HALO * STATES * pitch;
    for (i64 b = blockIdx.x; b < items; b += gridDim.x) {
        if (skip[b]) continue;
        const i64 length = n_len[b], cols = m_len[b];
        const Site W0 = {a0 + b * a0_b, a0_n, a0_m, n_len[b] + a0_more_n, m_len[b] + a0_more_m};
        const Site W1 = {a1 + b * a1_b, a1_n, a1_m, n_len[b] + a1_more_n, m_len[b] + a1_more_m};
        const double p_gamma = all_p_gamma[b * own_p_gamma];
        const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};
        F* const A0 = all_A0 + blockIdx.x * room * STATES;
        F* const A1 = all_A1 + blockIdx.x * room * STATES;
        F* const dW0 = all_dW0 + b * dW0_b;
        for (i64 j = (length - 1) / HEIGHT; j >= 0; j--) {
            Strip z = {j * HEIGHT, min(HEIGHT, length - j * HEIGHT), length, cols, width, pitch, 0, cols};
            const Values<F> S0 = {all_S0 + blockIdx.x * room * STATES, R0 + (b * blocks + j) * border, nullptr, nullptr};
            const Values<F> S1 = {all_S1 + blockIdx.x * room * STATES, R1 + (b * blocks + j) * border, nullptr, nullptr};
            if (z.has_row(0)) advance_starts(z, S0, S1, W0, W1, p_gamma);
            else advance(z, S0, S1, W0, W1, p_gamma);
            const Flow G1_1_0_0(all_G1_1_0_0, G1_1_0_0_rows, 1, z, room);
            const Flow G1_1_0_1(all_G1_1_0_1, G1_1_0_1_rows, 1, z, room);
            const Flow G1_0_0_0(all_G1_0_0_0, G1_0_0_0_rows, 1, z, room);
            const Flow G1_0_0_1(all_G1_0_0_1, G1_0_0_1_rows, 1, z, room);
            const Flow G0_1_0_0(all_G0_1_0_0, G0_1_0_0_rows, 0, z, room);
            const Flow G0_1_0_1(all_G0_1_0_1, G0_1_0_1_rows, 0, z, room);
            const i64 begin = ends.from_row(z.n0), stop = ends.from_row(z.n0 + z.rows);
            const bool seeded = begin < stop;
            if (seeded) plant(A0, dA0 + b * ends_each, z, ends, begin, stop);
            if (seeded) plant(A1, dA1 + b * ends_each, z, ends, begin, stop);
            if (z.has_row(0)) retreat_starts(z, S0, S1, W0, W1, p_gamma, G1_1_0_0, G1_1_0_1, G1_0_0_0, G1_0_0_1, G0_1_0_0, G0_1_0_1, seeded, A0, A1, dW0);
            else retreat(z, S0, S1, W0, W1, p_gamma, G1_1_0_0, G1_1_0_1, G1_0_0_0, G1_0_0_1, G0_1_0_0, G0_1_0_1, seeded, A0, A1, dW0);
        }
    }
}
