// Emitted by dpsemiring; do not edit.
//
// recurrence over Softmin(gamma)
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
//   carrier   (x: float32), multiply-adds allowed
//   states    one, in this order within a cell
//   memory    the last 2 column(s) of each panel and 1 row(s) of each span are kept; the backward pass recomputes

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
constexpr int MARGIN = 2;  // columns that it does
constexpr int STATES = 1;

// ... cuda_panel.cuh ...

constexpr int JOINED = 4;
// ... cuda_sources.cuh ...

__device__ __forceinline__ void advance_starts(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Ring& W0,
    const Site& W1, const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    const F edge0_2_0 = S0.edge(begin + z.lane, z.length, 2, 0, F(INF));
    int n = begin - 1 - z.lane;
    F next_row_w1[COLUMNS];
    F next_row_w0[COLUMNS];
    W1.load(next_row_w1, n + 1, z.left, 0.0f);
    W0.load(next_row_w0, n + 1, z.left, INF);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w1[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w1[c] = next_row_w1[c];
        W1.load(next_row_w1, n + 1, z.left, 0.0f);
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
            const bool t0 = start0 != 0.0f;
            const F t1 = t0 ? 0.0f : INF;
            const bool t2 = t1 != INF;
            const bool t3 = start1 != 0.0f;
            const F t4 = t3 ? 0.0f : INF;
            const bool t5 = t4 != INF;
            const bool t6 = t2 || t5;
            const bool t7 = D0_0_1_0 != INF;
            const bool t8 = t6 || t7;
            const bool t9 = D0_0_1_1 != INF;
            const bool t10 = t8 || t9;
            const bool t11 = w1 != 0.0f;
            const F t12 = t11 ? D0_0_1_2 : INF;
            const bool t13 = t12 != INF;
            const bool t14 = t10 || t13;
            const F t15 = t4 < t1 ? t4 : t1;
            const F t16 = D0_0_1_0 < t15 ? D0_0_1_0 : t15;
            const F t17 = D0_0_1_1 < t16 ? D0_0_1_1 : t16;
            const F t18 = t12 < t17 ? t12 : t17;
            const F t19 = t18 - t1;
            const F t20 = t19 * u0_;
            const F t21 = expf(t20);
            const F t22 = t18 - t4;
            const F t23 = t22 * u0_;
            const F t24 = expf(t23);
            const F t25 = t21 + t24;
            const F t26 = t18 - D0_0_1_0;
            const F t27 = t26 * u0_;
            const F t28 = expf(t27);
            const F t29 = t25 + t28;
            const F t30 = t18 - D0_0_1_1;
            const F t31 = t30 * u0_;
            const F t32 = expf(t31);
            const F t33 = t29 + t32;
            const F t34 = t18 - t12;
            const F t35 = t34 * u0_;
            const F t36 = expf(t35);
            const F t37 = t33 + t36;
            const F t38 = logf(t37);
            const F t39 = p_gamma_ * t38;
            const F t40 = t18 - t39;
            const F t41 = t14 ? t40 : INF;
            const F t42 = t41 + w0;
            X0[0][MARGIN + c][0] = ok ? t42 : F(INF);
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
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Ring& W0,
    const Site& W1, const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    const F edge0_2_0 = S0.edge(begin + z.lane, z.length, 2, 0, F(INF));
    int n = begin - 1 - z.lane;
    F next_row_w1[COLUMNS];
    F next_row_w0[COLUMNS];
    W1.load(next_row_w1, n + 1, z.left, 0.0f);
    W0.load(next_row_w0, n + 1, z.left, INF);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w1[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w1[c] = next_row_w1[c];
        W1.load(next_row_w1, n + 1, z.left, 0.0f);
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
            const bool t0 = D0_0_1_0 != INF;
            const bool t1 = D0_0_1_1 != INF;
            const bool t2 = t0 || t1;
            const bool t3 = w1 != 0.0f;
            const F t4 = t3 ? D0_0_1_2 : INF;
            const bool t5 = t4 != INF;
            const bool t6 = t2 || t5;
            const F t7 = D0_0_1_1 < D0_0_1_0 ? D0_0_1_1 : D0_0_1_0;
            const F t8 = t4 < t7 ? t4 : t7;
            const F t9 = t8 - D0_0_1_0;
            const F t10 = t9 * u0_;
            const F t11 = expf(t10);
            const F t12 = t8 - D0_0_1_1;
            const F t13 = t12 * u0_;
            const F t14 = expf(t13);
            const F t15 = t11 + t14;
            const F t16 = t8 - t4;
            const F t17 = t16 * u0_;
            const F t18 = expf(t17);
            const F t19 = t15 + t18;
            const F t20 = logf(t19);
            const F t21 = p_gamma_ * t20;
            const F t22 = t8 - t21;
            const F t23 = t6 ? t22 : INF;
            const F t24 = t23 + w0;
            X0[0][MARGIN + c][0] = ok ? t24 : F(INF);
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

__device__ __forceinline__ void retreat_starts(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Ring& W0,
    const Site& W1, const double p_gamma, const Kept<F>& K0, Rows<F>& Y0, const Values<F>& A0, const F* dA0,
    const Ring& dW0
) {
    const double u0 = 1.0 / p_gamma;
    const F p_gamma_ = F(p_gamma);
    const F u0_ = F(u0);
    const F edge0_1_0 = A0.edge(begin + z.lane - (LANES - 1), z.length, 1, 0, F(0));
    const F edge0_2_0 = A0.edge(begin + z.lane - (LANES - 1), z.length, 2, 0, F(0));
    for (int t = stop - 1; t >= begin; t--) {
        const int n = t - z.lane;
        const Held held = z.row(n);
        F row_w1[COLUMNS];
        W1.load(row_w1, n, z.left, 0.0f);
        rejuvenate(X0);
        recall(X0[HALO], K0.row(t - HALO), z.lane);
        const F in0_1_0 = from_right(Y0[0][MARGIN - 1][0], edge0_1_0, t - begin, z.lane);
        const F in0_2_0 = from_right(Y0[0][MARGIN - 2][0], edge0_2_0, t - begin, z.lane);
        rejuvenate(Y0);
        #pragma unroll
        for (int i = 0; i < WIDE; i++) {
            Y0[HALO][i][0] = 0;
        }
        Y0[0][WIDE - 1][0] += in0_1_0;
        Y0[0][WIDE - 2][0] += in0_2_0;
        if (n >= 0 && ((n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS) || (n == z.length - 1 && z.left <= z.cols - 2 && z.cols - 2 < z.left + COLUMNS))) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) Y0[0][MARGIN + c][0] += dA0[e];
                }
            }
        }
        F dW0_row[COLUMNS];
        #pragma unroll
        for (int c = COLUMNS - 1; c >= 0; c--) {
            const int m = z.left + c;
            const bool ok = held.has(c);
            const F E0_0 = ok ? Y0[0][MARGIN + c][0] : 0;
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_0_0 = X0[0][MARGIN + c][0];
            const F start0 = n == 0 && m == 0;
            const F start1 = n == 0 && m == 1;
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F w1 = row_w1[c];
            const F D0_0_1_2 = X0[1][MARGIN + c - 2][0];
            const bool t0 = D0_0_1_0 != INF;
            const bool t1 = D0_0_0_0 != INF;
            const F t2 = t1 ? E0_0 : 0.0f;
            const F t3 = -t2;
            const F t4 = t3 * p_gamma_;
            const bool t5 = start0 != 0.0f;
            const F t6 = t5 ? 0.0f : INF;
            const bool t7 = start1 != 0.0f;
            const F t8 = t7 ? 0.0f : INF;
            const F t9 = t8 < t6 ? t8 : t6;
            const F t10 = D0_0_1_0 < t9 ? D0_0_1_0 : t9;
            const F t11 = D0_0_1_1 < t10 ? D0_0_1_1 : t10;
            const bool t12 = w1 != 0.0f;
            const F t13 = t12 ? D0_0_1_2 : INF;
            const F t14 = t13 < t11 ? t13 : t11;
            const F t15 = t14 - t6;
            const F t16 = t15 * u0_;
            const F t17 = expf(t16);
            const F t18 = t14 - t8;
            const F t19 = t18 * u0_;
            const F t20 = expf(t19);
            const F t21 = t17 + t20;
            const F t22 = t14 - D0_0_1_0;
            const F t23 = t22 * u0_;
            const F t24 = expf(t23);
            const F t25 = t21 + t24;
            const F t26 = t14 - D0_0_1_1;
            const F t27 = t26 * u0_;
            const F t28 = expf(t27);
            const F t29 = t25 + t28;
            const F t30 = t14 - t13;
            const F t31 = t30 * u0_;
            const F t32 = expf(t31);
            const F t33 = t29 + t32;
            const F t34 = t4 / t33;
            const F t35 = t34 * t24;
            const F t36 = t35 * u0_;
            const F t37 = -t36;
            const F t38 = t0 ? t37 : 0.0f;
            const bool t39 = D0_0_1_1 != INF;
            const F t40 = t34 * t28;
            const F t41 = t40 * u0_;
            const F t42 = -t41;
            const F t43 = t39 ? t42 : 0.0f;
            const bool t44 = t13 != INF;
            const F t45 = t34 * t32;
            const F t46 = t45 * u0_;
            const F t47 = -t46;
            const F t48 = t44 ? t47 : 0.0f;
            Y0[1][MARGIN + c][0] += ok ? t38 : 0;
            Y0[1][MARGIN + c - 1][0] += ok ? t43 : 0;
            Y0[1][MARGIN + c - 2][0] += ok ? t48 : 0;
            dW0_row[c] = t2;
        }
        dW0.gather(dW0_row, n, z.left, held);
        if (A0.after && z.lane == 0 && 0 <= n && n < z.length) {
            A0.leave(n, 1, 0, Y0[0][MARGIN - 1][0]);
            A0.leave(n, 2, 0, Y0[0][MARGIN - 2][0]);
        }
    }
}

__device__ __forceinline__ void retreat(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, const Values<F>& S0, const Ring& W0,
    const Site& W1, const double p_gamma, const Kept<F>& K0, Rows<F>& Y0, const Values<F>& A0, const F* dA0,
    const Ring& dW0
) {
    const double u0 = 1.0 / p_gamma;
    const F p_gamma_ = F(p_gamma);
    const F u0_ = F(u0);
    const F edge0_1_0 = A0.edge(begin + z.lane - (LANES - 1), z.length, 1, 0, F(0));
    const F edge0_2_0 = A0.edge(begin + z.lane - (LANES - 1), z.length, 2, 0, F(0));
    for (int t = stop - 1; t >= begin; t--) {
        const int n = t - z.lane;
        const Held held = z.row(n);
        F row_w1[COLUMNS];
        W1.load(row_w1, n, z.left, 0.0f);
        rejuvenate(X0);
        recall(X0[HALO], K0.row(t - HALO), z.lane);
        const F in0_1_0 = from_right(Y0[0][MARGIN - 1][0], edge0_1_0, t - begin, z.lane);
        const F in0_2_0 = from_right(Y0[0][MARGIN - 2][0], edge0_2_0, t - begin, z.lane);
        rejuvenate(Y0);
        #pragma unroll
        for (int i = 0; i < WIDE; i++) {
            Y0[HALO][i][0] = 0;
        }
        Y0[0][WIDE - 1][0] += in0_1_0;
        Y0[0][WIDE - 2][0] += in0_2_0;
        if (n >= 0 && ((n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS) || (n == z.length - 1 && z.left <= z.cols - 2 && z.cols - 2 < z.left + COLUMNS))) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) Y0[0][MARGIN + c][0] += dA0[e];
                }
            }
        }
        F dW0_row[COLUMNS];
        #pragma unroll
        for (int c = COLUMNS - 1; c >= 0; c--) {
            const bool ok = held.has(c);
            const F E0_0 = ok ? Y0[0][MARGIN + c][0] : 0;
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_0_0 = X0[0][MARGIN + c][0];
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F w1 = row_w1[c];
            const F D0_0_1_2 = X0[1][MARGIN + c - 2][0];
            const bool t0 = D0_0_1_0 != INF;
            const bool t1 = D0_0_0_0 != INF;
            const F t2 = t1 ? E0_0 : 0.0f;
            const F t3 = -t2;
            const F t4 = t3 * p_gamma_;
            const F t5 = D0_0_1_1 < D0_0_1_0 ? D0_0_1_1 : D0_0_1_0;
            const bool t6 = w1 != 0.0f;
            const F t7 = t6 ? D0_0_1_2 : INF;
            const F t8 = t7 < t5 ? t7 : t5;
            const F t9 = t8 - D0_0_1_0;
            const F t10 = t9 * u0_;
            const F t11 = expf(t10);
            const F t12 = t8 - D0_0_1_1;
            const F t13 = t12 * u0_;
            const F t14 = expf(t13);
            const F t15 = t11 + t14;
            const F t16 = t8 - t7;
            const F t17 = t16 * u0_;
            const F t18 = expf(t17);
            const F t19 = t15 + t18;
            const F t20 = t4 / t19;
            const F t21 = t20 * t11;
            const F t22 = t21 * u0_;
            const F t23 = -t22;
            const F t24 = t0 ? t23 : 0.0f;
            const bool t25 = D0_0_1_1 != INF;
            const F t26 = t20 * t14;
            const F t27 = t26 * u0_;
            const F t28 = -t27;
            const F t29 = t25 ? t28 : 0.0f;
            const bool t30 = t7 != INF;
            const F t31 = t20 * t18;
            const F t32 = t31 * u0_;
            const F t33 = -t32;
            const F t34 = t30 ? t33 : 0.0f;
            Y0[1][MARGIN + c][0] += ok ? t24 : 0;
            Y0[1][MARGIN + c - 1][0] += ok ? t29 : 0;
            Y0[1][MARGIN + c - 2][0] += ok ? t34 : 0;
            dW0_row[c] = t2;
        }
        dW0.gather(dW0_row, n, z.left, held);
        if (A0.after && z.lane == 0 && 0 <= n && n < z.length) {
            A0.leave(n, 1, 0, Y0[0][MARGIN - 1][0]);
            A0.leave(n, 2, 0, Y0[0][MARGIN - 2][0]);
        }
    }
}

extern "C" __global__ void backward(
    i64 items, i64 panels, i64 rows, i64 spans, i64 width, const bool* skip, const i64* n_len, const i64* m_len,
    i64 a0_n, i64 a0_more_n, i64 a0_more_m, const F* a1, i64 a1_b, i64 a1_n, i64 a1_m, i64 a1_more_n, i64 a1_more_m,
    const double* all_p_gamma, i64 own_p_gamma, const F* R0, const F* C0, const F* P0_0_table, i64 P0_0_table_b,
    const int* P0_0_labels, i64 P0_0_labels_b, i64 P0_0_apart, i64 P0_0_wide, double P0_0_scale, F* all_W0, F* all_Q0,
    int* all_P0_0, int* turn, int* done, F* all_V0, const i64* end_n, const i64* end_m, const i64* end_k, i64 ends_each,
    const F* all_dA0, F* GA0, F* dP0_0_table, i64 dP0_0_table_b
) {
    const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;
    F* const V0 = all_V0 + warp * SPAN * ROW;
    const int lane = threadIdx.x % LANES;
    for (i64 q; (q = take(turn)) < items * panels;) {
        const i64 b = q % items, p = panels - 1 - q / items, task = b * panels + p;
        if (skip[b]) continue;
        const int length = n_len[b], cols = m_len[b];
        const Entries P0_0 = {P0_0_table + b * P0_0_table_b, nullptr, P0_0_labels + b * P0_0_labels_b, P0_0_apart, P0_0_wide, F(P0_0_scale), all_P0_0 + warp * 2 * WIDTH, all_P0_0 + (warp * 2 + 1) * WIDTH};
        const Site W1(a1 + b * a1_b, a1_n, a1_m, int(n_len[b] + a1_more_n), int(m_len[b] + a1_more_m), 0);
        const double p_gamma = all_p_gamma[b * own_p_gamma];
        if (p * WIDTH >= cols) continue;
        const bool another = (p + 1) * WIDTH < cols;
        const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};
        const Panel z = {length, cols, int(p) * WIDTH + lane * COLUMNS, lane, width, nullptr, nullptr};
        Rows<F> X0;
        const Ring W0 = {all_W0 + warp * 64 * WIDTH, int(m_len[b] + a0_more_m) > 0 ? int(n_len[b] + a0_more_n) : 0, int(m_len[b] + a0_more_m), int(p) * WIDTH, lane, WIDTH, 63, WIDTH, a0_n, INF};
        Rows<F> Y0;
        fill<F>(Y0, 0);
        const Values<F> A0 = {another ? GA0 + (task + 1) * rows * MARGIN * STATES : nullptr, p > 0 ? GA0 + (task) * rows * MARGIN * STATES : nullptr, nullptr, nullptr, nullptr};
        const F* const dA0 = all_dA0 + b * ends_each;
        const Ring Q0 = {all_Q0 + warp * 64 * WIDTH, int(m_len[b] + a0_more_m) > 0 ? int(n_len[b] + a0_more_n) : 0, int(m_len[b] + a0_more_m), int(p) * WIDTH, lane, WIDTH, 63, WIDTH, 0, 0};
        Q0.clear(0, 64);
        sort(W0, P0_0);
        int made = 0x7fffffff;  // rows from here on
        int reached = 0x7fffffff;  // rows from here on may have flows
        for (int j = (length + LANES - 2) / SPAN; j >= 0; j--) {
            const int first = j * SPAN, last = min(first + SPAN, (length + LANES - 2) / CHUNK * CHUNK + CHUNK);
            const int top = max(first - (LANES - 1), 0);
            if (another) wait_for(done + task + 1, length - top);
            bool none = ends.first(top, 0) == ends.first(last, 0);
            none &= is_zero<F>(Y0);
            for (int n = top + lane; another && n < min(last, length); n += LANES) {
                none &= A0.edge(n, length, 1, 0, 0) == 0;
                none &= A0.edge(n, length, 2, 0, 0) == 0;
            }
            if (__all_sync(WARP, none)) {
                if (reached < last) {
                    if (W0.cols > 0) {
                        const int from = max(max(first, reached), 0), to = min(last, W0.rows);
                        __syncwarp();
                        if (Q0.flows(from, to)) {
                            drain(Q0, P0_0, dP0_0_table + b * dP0_0_table_b, from, to);
                            __syncwarp();
                            Q0.clear(from, to);
                        }
                    }
                }
                for (int begin = last - CHUNK; begin >= first; begin -= CHUNK) {
                    rest_back(Y0, z, begin, begin + CHUNK, A0);
                    if (p > 0) publish(done + task, length - begin);
                }
                continue;
            }
            if (z.meets(first, last)) {
                if (W0.cols > 0) {
                    const int from = max(first - (LANES - 1), 0), to = min(min(last, made), W0.rows);
                    fill(W0, P0_0, from, to, true);
                }
                made = first - (LANES - 1);
            }
            const Kept<F> K0 = {V0, C0 + (task * spans + j) * HALO * ROW, first};
            restore<F>(X0, K0.before, lane);
            for (int begin = first; begin < last; begin += CHUNK) {
                const int stop = begin + CHUNK;
                const Values<F> S0 = {p > 0 ? R0 + (task - 1) * rows * MARGIN * STATES : nullptr, nullptr, V0 + i64(begin - first) * ROW, nullptr, nullptr};
                if (z.has_row(0, begin, stop)) advance_starts(z, begin, stop, ends, X0, S0, W0, W1, p_gamma, nullptr);
                else advance(z, begin, stop, ends, X0, S0, W0, W1, p_gamma, nullptr);
            }
            for (int begin = last - CHUNK; begin >= first; begin -= CHUNK) {
                const int stop = begin + CHUNK;
                const Values<F> S0 = {p > 0 ? R0 + (task - 1) * rows * MARGIN * STATES : nullptr, nullptr, nullptr, nullptr, nullptr};
                #pragma unroll
                for (int h = 1; h <= HALO; h++) recall<F>(X0[h], K0.row(stop - h), lane);
                if (z.has_row(0, begin, stop)) retreat_starts(z, begin, stop, ends, X0, S0, W0, W1, p_gamma, K0, Y0, A0, dA0, Q0);
                else retreat(z, begin, stop, ends, X0, S0, W0, W1, p_gamma, K0, Y0, A0, dA0, Q0);
                if (W0.cols > 0) {
                    const int from = max(begin, 0), to = min(stop, W0.rows);
                    __syncwarp();
                    if (Q0.flows(from, to)) {
                        drain(Q0, P0_0, dP0_0_table + b * dP0_0_table_b, from, to);
                        __syncwarp();
                        Q0.clear(from, to);
                    }
                }
                reached = begin - (LANES - 1);
                if (p > 0) publish(done + task, length - begin);
            }
        }
    }
}
