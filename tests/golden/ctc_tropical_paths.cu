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
//   schedule  panels of 128 columns, swept by warps: lane l at time t is row t - l, 4 columns; spans of 32 times, borders handed on every 32
//   carrier   (x: float64), exact, never contracted
//   states    one, in this order within a cell
//   memory    the last 2 column(s) of each panel and 1 row(s) of each span are kept; the backward pass recomputes

typedef long long i64;
typedef double F;  // numbers
typedef i64 I;  // binary exponents
#define INF __longlong_as_double(0x7ff0000000000000ll)
#define NAN_ __longlong_as_double(0x7fffffffffffffffll)

// ... cuda_numbers.cuh ...

constexpr bool WINDOWED = false;
constexpr int COLUMNS = 4;  // of a lane
constexpr int SPAN = 32;  // times between two that are saved
constexpr int CHUNK = 32;  // times between two at which a panel hands on
constexpr int HALO = 1;  // rows that a cell looks back
constexpr int MARGIN = 2;  // columns that it does
constexpr int STATES = 1;

// ... cuda_panel.cuh ...

__device__ __forceinline__ void advance_starts(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Site& W0,
    const Site& W1, Seen* seen0
) {
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    const F edge0_2_0 = S0.edge(begin + z.lane, z.length, 2, 0, F(INF));
    int n = begin - 1 - z.lane;
    F next_row_w1[COLUMNS];
    F next_row_w0[COLUMNS];
    W1.load(next_row_w1, n + 1, z.left, 0.0);
    W0.load(next_row_w0, n + 1, z.left, INF);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w1[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w1[c] = next_row_w1[c];
        W1.load(next_row_w1, n + 1, z.left, 0.0);
        F row_w0[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w0[c] = next_row_w0[c];
        W0.load(next_row_w0, n + 1, z.left, INF);
        const F in0_1_0 = from_left(X0[0][WIDE - 1][0], edge0_1_0, t - begin, z.lane);
        const F in0_2_0 = from_left(X0[0][WIDE - 2][0], edge0_2_0, t - begin, z.lane);
        age(X0);
        X0[0][MARGIN - 1][0] = in0_1_0;
        X0[0][MARGIN - 2][0] = in0_2_0;
        if (seen0) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) seen0->look(row_w0[c], INF);
        }
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int m = z.left + c;
            const bool ok = held.has(c);
            const F start0 = n == 0 && m == 0;
            const F start1 = n == 0 && m == 1;
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F w1 = row_w1[c];
            const F D0_0_1_2 = X0[1][MARGIN + c - 2][0];
            const F w0 = row_w0[c];
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
            X0[0][MARGIN + c][0] = ok ? t10 : F(INF);
        }
        if (S0.lattice) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int m = z.left + c;
                const bool ok = held.has(c);
                if (ok) {
                    S0.lattice[(n * z.width + m) * STATES + 0] = X0[0][MARGIN + c][0];
                }
            }
        }
        if (S0.ends && n >= 0 && ((n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS) || (n == z.length - 1 && z.left <= z.cols - 2 && z.cols - 2 < z.left + COLUMNS))) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S0.ends[e] = X0[0][MARGIN + c][0];
                }
            }
        }
        if (S0.after && z.lane == LANES - 1 && 0 <= n && n < z.length) {
            S0.leave(n, 1, 0, X0[0][WIDE - 1][0]);
            S0.leave(n, 2, 0, X0[0][WIDE - 2][0]);
        }
        if (S0.kept) keep<F>(X0[0], S0.kept + i64(t - begin) * ROW, z.lane);
    }
}

__device__ __forceinline__ void advance(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Site& W0,
    const Site& W1, Seen* seen0
) {
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    const F edge0_2_0 = S0.edge(begin + z.lane, z.length, 2, 0, F(INF));
    int n = begin - 1 - z.lane;
    F next_row_w1[COLUMNS];
    F next_row_w0[COLUMNS];
    W1.load(next_row_w1, n + 1, z.left, 0.0);
    W0.load(next_row_w0, n + 1, z.left, INF);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w1[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w1[c] = next_row_w1[c];
        W1.load(next_row_w1, n + 1, z.left, 0.0);
        F row_w0[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w0[c] = next_row_w0[c];
        W0.load(next_row_w0, n + 1, z.left, INF);
        const F in0_1_0 = from_left(X0[0][WIDE - 1][0], edge0_1_0, t - begin, z.lane);
        const F in0_2_0 = from_left(X0[0][WIDE - 2][0], edge0_2_0, t - begin, z.lane);
        age(X0);
        X0[0][MARGIN - 1][0] = in0_1_0;
        X0[0][MARGIN - 2][0] = in0_2_0;
        if (seen0) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) seen0->look(row_w0[c], INF);
        }
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const bool ok = held.has(c);
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F w1 = row_w1[c];
            const F D0_0_1_2 = X0[1][MARGIN + c - 2][0];
            const F w0 = row_w0[c];
            const F t0 = D0_0_1_1 < D0_0_1_0 ? D0_0_1_1 : D0_0_1_0;
            const bool t1 = w1 != 0.0;
            const F t2 = t1 ? D0_0_1_2 : INF;
            const F t3 = t2 < t0 ? t2 : t0;
            const F t4 = __dadd_rn(t3, w0);
            X0[0][MARGIN + c][0] = ok ? t4 : F(INF);
        }
        if (S0.lattice) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int m = z.left + c;
                const bool ok = held.has(c);
                if (ok) {
                    S0.lattice[(n * z.width + m) * STATES + 0] = X0[0][MARGIN + c][0];
                }
            }
        }
        if (S0.ends && n >= 0 && ((n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS) || (n == z.length - 1 && z.left <= z.cols - 2 && z.cols - 2 < z.left + COLUMNS))) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S0.ends[e] = X0[0][MARGIN + c][0];
                }
            }
        }
        if (S0.after && z.lane == LANES - 1 && 0 <= n && n < z.length) {
            S0.leave(n, 1, 0, X0[0][WIDE - 1][0]);
            S0.leave(n, 2, 0, X0[0][WIDE - 2][0]);
        }
        if (S0.kept) keep<F>(X0[0], S0.kept + i64(t - begin) * ROW, z.lane);
    }
}
__constant__ int ARC_DN[1][5] = {{0, 0, 1, 1, 1}};
__constant__ int ARC_DM[1][5] = {{0, 0, 0, 1, 2}};
__constant__ int ARC_SOURCE[1][5] = {{-1, -1, 0, 0, 0}};
__constant__ int ARC_STEP[1][5] = {{-1, -1, 0, 1, 2}};

// The arc, counted within its state, along which the best path came into state k of a cell; -1 for none.
__device__ I choose(
    const Panel& z, int time, int lane, int c, int n, int m, int k, const Kept<F>& K0, const Site& W0, const Site& W1
) {
    const F start0 = n == 0 && m == 0;
    const F w0 = W0.read(n, m, INF);
    const F D0_0_0_0 = K0.at(time, lane, MARGIN + c, 0);
    const F start1 = n == 0 && m == 1;
    const F D0_0_1_0 = K0.at(time - 1, lane, MARGIN + c, 0);
    const F D0_0_1_1 = K0.at(time - 1, lane, MARGIN + c - 1, 0);
    const F w1 = W1.read(n, m, 0.0);
    const F D0_0_1_2 = K0.at(time - 1, lane, MARGIN + c - 2, 0);
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
    i64 items, i64 panels, i64 rows, i64 spans, i64 width, const bool* skip, const i64* n_len, const i64* m_len,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const F* a1, i64 a1_b, i64 a1_n, i64 a1_m,
    i64 a1_more_n, i64 a1_more_m, const F* R0, const F* C0, F* all_V0, const i64* from_n, const i64* from_m,
    const i64* from_k, i64* visited, i64 visited_b, i64* counts
) {
    const int lane = threadIdx.x % LANES;
    const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;
    F* const V0 = all_V0 + warp * SPAN * ROW;
    for (i64 b = warp; b < items; b += i64(gridDim.x) * blockDim.x / LANES) {
        if (skip[b] || from_n[b] < 0) continue;
        const int length = n_len[b], cols = m_len[b];
        const Site W0(a0 + b * a0_b, a0_n, a0_m, int(n_len[b] + a0_more_n), int(m_len[b] + a0_more_m), 0);
        const Site W1(a1 + b * a1_b, a1_n, a1_m, int(n_len[b] + a1_more_n), int(m_len[b] + a1_more_m), 0);
        const Ends ends = {nullptr, nullptr, nullptr, 0};
        int n = from_n[b], m = from_m[b], k = from_k[b];
        i64 count = 0;
        while (k >= 0) {
            const i64 p = m / WIDTH, task = b * panels + p;
            const int j = (n + m % WIDTH / COLUMNS) / SPAN;
            const Panel z = {length, cols, int(p) * WIDTH + lane * COLUMNS, lane, width, nullptr, nullptr};
            Rows<F> X0;
            const int first = j * SPAN, last = min(first + SPAN, (length + LANES - 2) / CHUNK * CHUNK + CHUNK);
            const Kept<F> K0 = {V0, C0 + (task * spans + j) * HALO * ROW, first};
            restore<F>(X0, K0.before, lane);
            for (int begin = first; begin < last; begin += CHUNK) {
                const int stop = begin + CHUNK;
                const Values<F> S0 = {p > 0 ? R0 + (task - 1) * rows * MARGIN * STATES : nullptr, nullptr, V0 + i64(begin - first) * ROW, nullptr, nullptr};
                if (z.has_row(0, begin, stop)) advance_starts(z, begin, stop, ends, X0, S0, W0, W1, nullptr);
                else advance(z, begin, stop, ends, X0, S0, W0, W1, nullptr);
            }
            __syncwarp();
            if (lane == 0) {
                while (k >= 0 && m >= p * WIDTH) {
                    const int walker = m % WIDTH / COLUMNS;
                    if (n + walker < first) break;
                    const I taken = choose(z, n + walker, walker, m % COLUMNS, n, m, k, K0, W0, W1);
                    if (taken < 0) {
                        count = -1, k = -1;
                        break;
                    }
                    i64* const cell = visited + b * visited_b + 4 * count++;
                    cell[0] = n, cell[1] = m, cell[2] = k, cell[3] = ARC_STEP[k][taken];
                    n -= ARC_DN[k][taken], m -= ARC_DM[k][taken], k = ARC_SOURCE[k][taken];
                }
            }
            n = __shfl_sync(WARP, n, 0);
            m = __shfl_sync(WARP, m, 0);
            k = __shfl_sync(WARP, k, 0);
            count = __shfl_sync(WARP, count, 0);
            __syncwarp();
        }
        if (lane == 0) counts[b] = count;
    }
}
