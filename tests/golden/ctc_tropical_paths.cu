// Emitted by dpsemiring; do not edit.
//
// recurrence over Tropical()
//   D[n, m] = sum of
//     start 0 at [0, 0]: encode(cost[n, m])
//     start 1 at [0, 1]: encode(cost[n, m])
//     times(D[n-1, m], encode(cost[n, m]))
//     times(D[n-1, m-1], encode(cost[n, m]))
//     times(D[n-1, m-2], encode(cost[n, m]))   where (labels[m] differs -2)
//   total = decode of sum of
//     times(D at [-1, -1], one)
//     times(D at [-1, -2], one)
// plan
//   schedule  rows (every step has dn >= 1): lanes along m, strips of at most 32 rows
//   carrier   (x: float64), exact, never contracted
//   states    one, in this order within a cell
//   memory    the last 1 row(s) of each strip are kept; the backward pass recomputes

typedef long long i64;
typedef double F;  // numbers
typedef i64 I;  // binary exponents
#define INF __longlong_as_double(0x7ff0000000000000ll)
#define NAN_ __longlong_as_double(0x7fffffffffffffffll)
constexpr bool SKEWED = false;
constexpr bool WINDOWED = false;
constexpr i64 HEIGHT = 32;  // rows of a strip
constexpr i64 HALO = 1;  // rows that it needs of the one before
constexpr int STATES = 1;

// ... cuda_strip.cuh ...

__device__ void advance_starts(const Strip z, const Values<F> S0, const Site W0, const Site W1) {
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F start0 = n == 0 && m == 0;
            const F start1 = n == 0 && m == 1;
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F w1 = W1.read(n, m, 0.0);
            const F D0_0_1_2 = S0.get(z, l - 1, m - 2, 0, INF);
            const F w0 = W0.read(n, m, INF);
            const bool t0 = start0 != 0.0;
            const F t1 = t0 ? 0.0 : INF;
            const bool t2 = start1 != 0.0;
            const F t3 = t2 ? 0.0 : INF;
            const F t4 = t3 < t1 ? t3 : t1;
            const F t5 = D0_0_1_0 < t4 ? D0_0_1_0 : t4;
            const F t6 = D0_0_1_1 < t5 ? D0_0_1_1 : t5;
            const bool t7 = w1 != 0.0;
            const F t8 = t7 ? D0_0_1_2 : INF;
            const F t9 = t8 < t6 ? t8 : t6;
            const F t10 = __dadd_rn(t9, w0);
            S0.put(z, l, m, 0, t10);
        }
        __syncthreads();
    }
}

__device__ void advance(const Strip z, const Values<F> S0, const Site W0, const Site W1) {
    for (i64 t = 0; t < z.times(); t++) {
        for (i64 q = threadIdx.x; q < z.lanes(); q += blockDim.x) {
            const i64 l = z.row(t, q), m = z.column(t, q), n = z.n0 + l;
            if (!z.holds(l, m)) continue;
            const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
            const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
            const F w1 = W1.read(n, m, 0.0);
            const F D0_0_1_2 = S0.get(z, l - 1, m - 2, 0, INF);
            const F w0 = W0.read(n, m, INF);
            const F t0 = D0_0_1_1 < D0_0_1_0 ? D0_0_1_1 : D0_0_1_0;
            const bool t1 = w1 != 0.0;
            const F t2 = t1 ? D0_0_1_2 : INF;
            const F t3 = t2 < t0 ? t2 : t0;
            const F t4 = __dadd_rn(t3, w0);
            S0.put(z, l, m, 0, t4);
        }
        __syncthreads();
    }
}
__constant__ int ARC_DN[1][5] = {{0, 0, 1, 1, 1}};
__constant__ int ARC_DM[1][5] = {{0, 0, 0, 1, 2}};
__constant__ int ARC_SOURCE[1][5] = {{-1, -1, 0, 0, 0}};
__constant__ int ARC_STEP[1][5] = {{-1, -1, 0, 1, 2}};

// The arc, counted within its state, along which the best path came into state k of a cell; -1 for none.
__device__ I choose(const Strip z, const Values<F> S0, const Site W0, const Site W1, i64 l, i64 m, i64 k) {
    const i64 n = z.n0 + l;
    const F start0 = n == 0 && m == 0;
    const F w0 = W0.read(n, m, INF);
    const F D0_0_0_0 = S0.get(z, l, m, 0, INF);
    const F start1 = n == 0 && m == 1;
    const F D0_0_1_0 = S0.get(z, l - 1, m, 0, INF);
    const F D0_0_1_1 = S0.get(z, l - 1, m - 1, 0, INF);
    const F w1 = W1.read(n, m, 0.0);
    const F D0_0_1_2 = S0.get(z, l - 1, m - 2, 0, INF);
    const bool t0 = start0 != 0.0;
    const F t1 = t0 ? w0 : INF;
    const bool t2 = t1 != INF;
    const bool t3 = D0_0_0_0 == t1;
    const bool t4 = t2 && t3;
    const bool t5 = start1 != 0.0;
    const F t6 = t5 ? w0 : INF;
    const bool t7 = t6 != INF;
    const bool t8 = D0_0_0_0 == t6;
    const bool t9 = t7 && t8;
    const F t10 = __dadd_rn(D0_0_1_0, w0);
    const bool t11 = t10 != INF;
    const bool t12 = D0_0_0_0 == t10;
    const bool t13 = t11 && t12;
    const F t14 = __dadd_rn(D0_0_1_1, w0);
    const bool t15 = t14 != INF;
    const bool t16 = D0_0_0_0 == t14;
    const bool t17 = t15 && t16;
    const bool t18 = w1 != 0.0;
    const F t19 = __dadd_rn(D0_0_1_2, w0);
    const F t20 = t18 ? t19 : INF;
    const bool t21 = t20 != INF;
    const bool t22 = D0_0_0_0 == t20;
    const bool t23 = t21 && t22;
    const I t24 = t23 ? 4 : -1;
    const I t25 = t17 ? 3 : t24;
    const I t26 = t13 ? 2 : t25;
    const I t27 = t9 ? 1 : t26;
    const I t28 = t4 ? 0 : t27;
    if (k == 0) return t28;
    return -1;
}

extern "C" __global__ void paths(
    i64 items, const bool* skip, const i64* n_len, const i64* m_len, i64 width, i64 pitch, i64 blocks, i64 room,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const F* a1, i64 a1_b, i64 a1_n, i64 a1_m,
    i64 a1_more_n, i64 a1_more_m, const F* R0, F* all_S0, const i64* from_n, const i64* from_m, const i64* from_k,
    i64* visited, i64 visited_b, i64* counts
) {
    __shared__ i64 here[4];
    const i64 border = HALO * STATES * pitch;
    for (i64 b = blockIdx.x; b < items; b += gridDim.x) {
        if (skip[b] || from_n[b] < 0) continue;
        const i64 length = n_len[b], cols = m_len[b];
        const Site W0 = {a0 + b * a0_b, a0_n, a0_m, n_len[b] + a0_more_n, m_len[b] + a0_more_m};
        const Site W1 = {a1 + b * a1_b, a1_n, a1_m, n_len[b] + a1_more_n, m_len[b] + a1_more_m};
        i64 n = from_n[b], m = from_m[b], k = from_k[b], count = 0;
        while (k >= 0) {
            const i64 j = n / HEIGHT;
            Strip z = {j * HEIGHT, min(HEIGHT, length - j * HEIGHT), length, cols, width, pitch, 0, cols};
            const Values<F> S0 = {all_S0 + blockIdx.x * room * STATES, R0 + (b * blocks + j) * border, nullptr, nullptr};
            if (z.has_row(0)) advance_starts(z, S0, W0, W1);
            else advance(z, S0, W0, W1);
            if (threadIdx.x == 0) {
                while (k >= 0 && n >= z.n0) {
                    const I taken = choose(z, S0, W0, W1, n - z.n0, m, k);
                    if (taken < 0) {
                        count = -1;
                        break;
                    }
                    i64* const cell = visited + b * visited_b + 4 * count++;
                    cell[0] = n, cell[1] = m, cell[2] = k, cell[3] = ARC_STEP[k][taken];
                    n -= ARC_DN[k][taken], m -= ARC_DM[k][taken], k = ARC_SOURCE[k][taken];
                }
                here[0] = n, here[1] = m, here[2] = count < 0 ? -1 : k, here[3] = count;
            }
            __syncthreads();
            n = here[0], m = here[1], k = here[2], count = here[3];
        }
        if (threadIdx.x == 0) counts[b] = count;
    }
}
