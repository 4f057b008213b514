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

extern "C" __global__ void forward(
    i64 items, const bool* skip, const i64* n_len, const i64* m_len, i64 width, i64 pitch, i64 blocks, i64 room,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const double* all_p_gamma, i64 own_p_gamma,
    F* R0, F* all_S0, const i64* end_n, const i64* end_m, const i64* end_k, i64 ends_each, F* D0, F* L0,
    i64 lattice_each
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
            if (z.has_row(0)) advance_starts(z, S0, W0, p_gamma);
            else advance(z, S0, W0, p_gamma);
            const i64 begin = e;
            e = ends.from_row(z.n0 + z.rows);
            collect(D0 + b * ends_each, S0.strip, z, ends, begin, e);
            __syncthreads();
        }
    }
}
