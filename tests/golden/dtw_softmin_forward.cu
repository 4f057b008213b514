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
//   schedule  panels of 128 columns, swept by warps: lane l at time t is row t - l, 4 columns; spans of 32 times, borders handed on every 32
//   carrier   (x: float32), multiply-adds allowed
//   states    one, in this order within a cell
//   memory    the last 1 column(s) of each panel and 1 row(s) of each span are kept; the backward pass recomputes

typedef long long i64;
typedef float F;  // numbers
typedef int I;  // binary exponents
#define INF __int_as_float(0x7f800000)
#define NAN_ __int_as_float(0x7fffffff)

// ... cuda_numbers.cuh ...

constexpr bool WINDOWED = false;
constexpr int COLUMNS = 4;  // of a lane
constexpr int SPAN = 32;  // times between two that are saved
constexpr int CHUNK = 32;  // times between two at which a panel hands on
constexpr int HALO = 1;  // rows that a cell looks back
constexpr int MARGIN = 1;  // columns that it does
constexpr int STATES = 1;

// ... cuda_panel.cuh ...

__device__ __forceinline__ void advance_starts(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Site& W0,
    const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    int n = begin - 1 - z.lane;
    F next_row_w0[COLUMNS];
    W0.load(next_row_w0, n + 1, z.left, INF);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w0[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w0[c] = next_row_w0[c];
        W0.load(next_row_w0, n + 1, z.left, INF);
        const F in0_1_0 = from_left(X0[0][WIDE - 1][0], edge0_1_0, t - begin, z.lane);
        age(X0);
        X0[0][MARGIN - 1][0] = in0_1_0;
        if (seen0) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) seen0->look(row_w0[c], INF);
        }
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const int m = z.left + c;
            const bool ok = held.has(c);
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_0_1 = X0[0][MARGIN + c - 1][0];
            const F w0 = row_w0[c];
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
            X0[0][MARGIN + c][0] = ok ? t31 : F(INF);
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
        if (S0.ends && n >= 0 && (n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS)) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S0.ends[e] = X0[0][MARGIN + c][0];
                }
            }
        }
        if (S0.after && z.lane == LANES - 1 && 0 <= n && n < z.length) {
            S0.leave(n, 1, 0, X0[0][WIDE - 1][0]);
        }
        if (S0.kept) keep<F>(X0[0], S0.kept + i64(t - begin) * ROW, z.lane);
    }
}

__device__ __forceinline__ void advance(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Site& W0,
    const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    int n = begin - 1 - z.lane;
    F next_row_w0[COLUMNS];
    W0.load(next_row_w0, n + 1, z.left, INF);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w0[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w0[c] = next_row_w0[c];
        W0.load(next_row_w0, n + 1, z.left, INF);
        const F in0_1_0 = from_left(X0[0][WIDE - 1][0], edge0_1_0, t - begin, z.lane);
        age(X0);
        X0[0][MARGIN - 1][0] = in0_1_0;
        if (seen0) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) seen0->look(row_w0[c], INF);
        }
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const bool ok = held.has(c);
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_0_1 = X0[0][MARGIN + c - 1][0];
            const F w0 = row_w0[c];
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
            X0[0][MARGIN + c][0] = ok ? t22 : F(INF);
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
        if (S0.ends && n >= 0 && (n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS)) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S0.ends[e] = X0[0][MARGIN + c][0];
                }
            }
        }
        if (S0.after && z.lane == LANES - 1 && 0 <= n && n < z.length) {
            S0.leave(n, 1, 0, X0[0][WIDE - 1][0]);
        }
        if (S0.kept) keep<F>(X0[0], S0.kept + i64(t - begin) * ROW, z.lane);
    }
}

extern "C" __global__ void forward(
    i64 items, i64 panels, i64 rows, i64 spans, i64 width, const bool* skip, const i64* n_len, const i64* m_len,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const double* all_p_gamma, i64 own_p_gamma,
    F* R0, F* C0, int* turn, int* done, const i64* end_n, const i64* end_m, const i64* end_k, i64 ends_each, F* D0,
    F* L0, i64 lattice_each, I* most0
) {
    const int lane = threadIdx.x % LANES;
    for (i64 q; (q = take(turn)) < items * panels;) {
        const i64 b = q % items, p = q / items, task = b * panels + p;
        if (skip[b]) continue;
        const int length = n_len[b], cols = m_len[b];
        const Site W0(a0 + b * a0_b, a0_n, a0_m, int(n_len[b] + a0_more_n), int(m_len[b] + a0_more_m), 0);
        const double p_gamma = all_p_gamma[b * own_p_gamma];
        if (p * WIDTH >= cols) continue;
        const bool another = (p + 1) * WIDTH < cols;
        const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};
        const Panel z = {length, cols, int(p) * WIDTH + lane * COLUMNS, lane, width, nullptr, nullptr};
        Rows<F> X0;
        const Values<F> S0 = {p > 0 ? R0 + (task - 1) * rows * MARGIN * STATES : nullptr, another ? R0 + task * rows * MARGIN * STATES : nullptr, nullptr, L0 ? L0 + b * lattice_each : nullptr, D0 + b * ends_each};
        fill<F>(X0, INF);
        Seen seen0 = {};
        for (int begin = 0; begin < length + LANES - 1; begin += CHUNK) {
            const int stop = begin + CHUNK;
            if (begin % SPAN == 0) save<F>(X0, C0 + (task * spans + begin / SPAN) * HALO * ROW, lane);
            if (p > 0) wait_for(done + task - 1, min(stop, length));
            if (z.has_row(0, begin, stop)) advance_starts(z, begin, stop, ends, X0, S0, W0, p_gamma, &seen0);
            else advance(z, begin, stop, ends, X0, S0, W0, p_gamma, &seen0);
            if (another) publish(done + task, min(stop - (LANES - 1), length));
        }
        seen0.gather();
        if (lane == 0) most0[task] = seen0.most;
    }
}
