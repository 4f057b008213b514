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
//   schedule  panels of 128 columns, swept by warps: lane l at time t is row t - l, 4 columns; spans of 32 times, borders handed on every 32
//   carrier   (x: float32, x_dot: float32), multiply-adds allowed
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
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, Rows<F>& X1, const Values<F>& S0,
    const Values<F>& S1, const Site& W0, const Site& W1, const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const double u1 = -p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F u1_ = F(u1);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    const F edge1_1_0 = S1.edge(begin + z.lane, z.length, 1, 0, F(0.0f));
    int n = begin - 1 - z.lane;
    F next_row_w0[COLUMNS];
    F next_row_w1[COLUMNS];
    W0.load(next_row_w0, n + 1, z.left, INF);
    W1.load(next_row_w1, n + 1, z.left, 0.0f);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w0[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w0[c] = next_row_w0[c];
        W0.load(next_row_w0, n + 1, z.left, INF);
        F row_w1[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w1[c] = next_row_w1[c];
        W1.load(next_row_w1, n + 1, z.left, 0.0f);
        const F in0_1_0 = from_left(X0[0][WIDE - 1][0], edge0_1_0, t - begin, z.lane);
        const F in1_1_0 = from_left(X1[0][WIDE - 1][0], edge1_1_0, t - begin, z.lane);
        age(X0);
        X0[0][MARGIN - 1][0] = in0_1_0;
        age(X1);
        X1[0][MARGIN - 1][0] = in1_1_0;
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
            const F D0_1_1_1 = X1[1][MARGIN + c - 1][0];
            const F D0_1_1_0 = X1[1][MARGIN + c][0];
            const F D0_1_0_1 = X1[0][MARGIN + c - 1][0];
            const F w1 = row_w1[c];
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
            const F t32 = u1_ / t26;
            const F t33 = t32 * u0_;
            const F t34 = -t33;
            const F t35 = t14 * 0.0f;
            const F t36 = t17 * D0_1_1_1;
            const F t37 = t35 + t36;
            const F t38 = t21 * D0_1_1_0;
            const F t39 = t37 + t38;
            const F t40 = t25 * D0_1_0_1;
            const F t41 = t39 + t40;
            const F t42 = t34 * t41;
            const F t43 = t8 ? t42 : 0.0f;
            const F t44 = t43 + w1;
            X0[0][MARGIN + c][0] = ok ? t31 : F(INF);
            X1[0][MARGIN + c][0] = ok ? t44 : F(0.0f);
        }
        if (S0.lattice) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int m = z.left + c;
                const bool ok = held.has(c);
                if (ok) {
                    S0.lattice[(n * z.width + m) * STATES + 0] = X0[0][MARGIN + c][0];
                    S1.lattice[(n * z.width + m) * STATES + 0] = X1[0][MARGIN + c][0];
                }
            }
        }
        if (S0.ends && n >= 0 && (n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS)) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S0.ends[e] = X0[0][MARGIN + c][0];
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S1.ends[e] = X1[0][MARGIN + c][0];
                }
            }
        }
        if (S0.after && z.lane == LANES - 1 && 0 <= n && n < z.length) {
            S0.leave(n, 1, 0, X0[0][WIDE - 1][0]);
            S1.leave(n, 1, 0, X1[0][WIDE - 1][0]);
        }
        if (S0.kept) keep<F>(X0[0], S0.kept + i64(t - begin) * ROW, z.lane);
        if (S1.kept) keep<F>(X1[0], S1.kept + i64(t - begin) * ROW, z.lane);
    }
}

__device__ __forceinline__ void advance(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, Rows<F>& X1, const Values<F>& S0,
    const Values<F>& S1, const Site& W0, const Site& W1, const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const double u1 = -p_gamma;
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F u1_ = F(u1);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(INF));
    const F edge1_1_0 = S1.edge(begin + z.lane, z.length, 1, 0, F(0.0f));
    int n = begin - 1 - z.lane;
    F next_row_w0[COLUMNS];
    F next_row_w1[COLUMNS];
    W0.load(next_row_w0, n + 1, z.left, INF);
    W1.load(next_row_w1, n + 1, z.left, 0.0f);
    for (int t = begin; t < stop; t++) {
        n = t - z.lane;
        const Held held = z.row(n);
        F row_w0[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w0[c] = next_row_w0[c];
        W0.load(next_row_w0, n + 1, z.left, INF);
        F row_w1[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; c++) row_w1[c] = next_row_w1[c];
        W1.load(next_row_w1, n + 1, z.left, 0.0f);
        const F in0_1_0 = from_left(X0[0][WIDE - 1][0], edge0_1_0, t - begin, z.lane);
        const F in1_1_0 = from_left(X1[0][WIDE - 1][0], edge1_1_0, t - begin, z.lane);
        age(X0);
        X0[0][MARGIN - 1][0] = in0_1_0;
        age(X1);
        X1[0][MARGIN - 1][0] = in1_1_0;
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
            const F D0_1_1_1 = X1[1][MARGIN + c - 1][0];
            const F D0_1_1_0 = X1[1][MARGIN + c][0];
            const F D0_1_0_1 = X1[0][MARGIN + c - 1][0];
            const F w1 = row_w1[c];
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
            const F t23 = u1_ / t17;
            const F t24 = t23 * u0_;
            const F t25 = -t24;
            const F t26 = t9 * D0_1_1_1;
            const F t27 = t12 * D0_1_1_0;
            const F t28 = t26 + t27;
            const F t29 = t16 * D0_1_0_1;
            const F t30 = t28 + t29;
            const F t31 = t25 * t30;
            const F t32 = t4 ? t31 : 0.0f;
            const F t33 = t32 + w1;
            X0[0][MARGIN + c][0] = ok ? t22 : F(INF);
            X1[0][MARGIN + c][0] = ok ? t33 : F(0.0f);
        }
        if (S0.lattice) {
            #pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int m = z.left + c;
                const bool ok = held.has(c);
                if (ok) {
                    S0.lattice[(n * z.width + m) * STATES + 0] = X0[0][MARGIN + c][0];
                    S1.lattice[(n * z.width + m) * STATES + 0] = X1[0][MARGIN + c][0];
                }
            }
        }
        if (S0.ends && n >= 0 && (n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS)) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S0.ends[e] = X0[0][MARGIN + c][0];
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) S1.ends[e] = X1[0][MARGIN + c][0];
                }
            }
        }
        if (S0.after && z.lane == LANES - 1 && 0 <= n && n < z.length) {
            S0.leave(n, 1, 0, X0[0][WIDE - 1][0]);
            S1.leave(n, 1, 0, X1[0][WIDE - 1][0]);
        }
        if (S0.kept) keep<F>(X0[0], S0.kept + i64(t - begin) * ROW, z.lane);
        if (S1.kept) keep<F>(X1[0], S1.kept + i64(t - begin) * ROW, z.lane);
    }
}

__device__ __forceinline__ void retreat_starts(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, Rows<F>& X1, const Values<F>& S0,
    const Values<F>& S1, const Site& W0, const Site& W1, const double p_gamma, const Kept<F>& K0, const Kept<F>& K1,
    Rows<F>& Y0, Rows<F>& Y1, const Values<F>& A0, const Values<F>& A1, const F* dA0, const F* dA1, F* dW0
) {
    const double u0 = -p_gamma;
    const double u1 = 1.0 / p_gamma;
    const F u1_ = F(u1);
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F edge0_1_0 = A0.edge(begin + z.lane - (LANES - 1), z.length, 1, 0, F(0));
    const F edge1_1_0 = A1.edge(begin + z.lane - (LANES - 1), z.length, 1, 0, F(0));
    for (int t = stop - 1; t >= begin; t--) {
        const int n = t - z.lane;
        const Held held = z.row(n);
        rejuvenate(X0);
        recall(X0[HALO], K0.row(t - HALO), z.lane);
        rejuvenate(X1);
        recall(X1[HALO], K1.row(t - HALO), z.lane);
        const F in0_1_0 = from_right(Y0[0][MARGIN - 1][0], edge0_1_0, t - begin, z.lane);
        const F in1_1_0 = from_right(Y1[0][MARGIN - 1][0], edge1_1_0, t - begin, z.lane);
        rejuvenate(Y0);
        #pragma unroll
        for (int i = 0; i < WIDE; i++) {
            Y0[HALO][i][0] = 0;
        }
        Y0[0][WIDE - 1][0] += in0_1_0;
        rejuvenate(Y1);
        #pragma unroll
        for (int i = 0; i < WIDE; i++) {
            Y1[HALO][i][0] = 0;
        }
        Y1[0][WIDE - 1][0] += in1_1_0;
        if (n >= 0 && (n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS)) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) Y0[0][MARGIN + c][0] += dA0[e];
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) Y1[0][MARGIN + c][0] += dA1[e];
                }
            }
        }
        F dW0_row[COLUMNS];
        #pragma unroll
        for (int c = COLUMNS - 1; c >= 0; c--) {
            const int m = z.left + c;
            const bool ok = held.has(c);
            const F E0_0 = ok ? Y0[0][MARGIN + c][0] : 0;
            const F E0_1 = ok ? Y1[0][MARGIN + c][0] : 0;
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F D0_0_0_0 = X0[0][MARGIN + c][0];
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_0_1 = X0[0][MARGIN + c - 1][0];
            const F D0_1_1_1 = X1[1][MARGIN + c - 1][0];
            const F D0_1_1_0 = X1[1][MARGIN + c][0];
            const F D0_1_0_1 = X1[0][MARGIN + c - 1][0];
            const bool t0 = D0_0_1_1 != INF;
            const bool t1 = D0_0_0_0 != INF;
            const F t2 = t1 ? E0_1 : 0.0f;
            const bool t3 = start0 != 0.0f;
            const F t4 = t3 ? 0.0f : INF;
            const F t5 = D0_0_1_1 < t4 ? D0_0_1_1 : t4;
            const F t6 = D0_0_1_0 < t5 ? D0_0_1_0 : t5;
            const F t7 = D0_0_0_1 < t6 ? D0_0_0_1 : t6;
            const F t8 = t7 - t4;
            const F t9 = t8 * u1_;
            const F t10 = expf(t9);
            const F t11 = t7 - D0_0_1_1;
            const F t12 = t11 * u1_;
            const F t13 = expf(t12);
            const F t14 = t10 + t13;
            const F t15 = t7 - D0_0_1_0;
            const F t16 = t15 * u1_;
            const F t17 = expf(t16);
            const F t18 = t14 + t17;
            const F t19 = t7 - D0_0_0_1;
            const F t20 = t19 * u1_;
            const F t21 = expf(t20);
            const F t22 = t18 + t21;
            const F t23 = u0_ / t22;
            const F t24 = t23 * u1_;
            const F t25 = -t24;
            const F t26 = t2 * t25;
            const F t27 = t26 * D0_1_1_1;
            const F t28 = t10 * 0.0f;
            const F t29 = t13 * D0_1_1_1;
            const F t30 = t28 + t29;
            const F t31 = t17 * D0_1_1_0;
            const F t32 = t30 + t31;
            const F t33 = t21 * D0_1_0_1;
            const F t34 = t32 + t33;
            const F t35 = t2 * t34;
            const F t36 = -t35;
            const F t37 = t36 * u1_;
            const F t38 = t37 * t23;
            const F t39 = -t38;
            const F t40 = t39 / t22;
            const F t41 = t1 ? E0_0 : 0.0f;
            const F t42 = -t41;
            const F t43 = t42 * p_gamma_;
            const F t44 = t43 / t22;
            const F t45 = t40 + t44;
            const F t46 = t27 + t45;
            const F t47 = t46 * t13;
            const F t48 = t47 * u1_;
            const F t49 = -t48;
            const F t50 = t0 ? t49 : 0.0f;
            const F t51 = t26 * t13;
            const F t52 = t0 ? t51 : 0.0f;
            const bool t53 = D0_0_1_0 != INF;
            const F t54 = t26 * D0_1_1_0;
            const F t55 = t54 + t45;
            const F t56 = t55 * t17;
            const F t57 = t56 * u1_;
            const F t58 = -t57;
            const F t59 = t53 ? t58 : 0.0f;
            const F t60 = t26 * t17;
            const F t61 = t53 ? t60 : 0.0f;
            const bool t62 = D0_0_0_1 != INF;
            const F t63 = t26 * D0_1_0_1;
            const F t64 = t63 + t45;
            const F t65 = t64 * t21;
            const F t66 = t65 * u1_;
            const F t67 = -t66;
            const F t68 = t62 ? t67 : 0.0f;
            const F t69 = t26 * t21;
            const F t70 = t62 ? t69 : 0.0f;
            Y0[1][MARGIN + c - 1][0] += ok ? t50 : 0;
            Y1[1][MARGIN + c - 1][0] += ok ? t52 : 0;
            Y0[1][MARGIN + c][0] += ok ? t59 : 0;
            Y1[1][MARGIN + c][0] += ok ? t61 : 0;
            Y0[0][MARGIN + c - 1][0] += ok ? t68 : 0;
            Y1[0][MARGIN + c - 1][0] += ok ? t70 : 0;
            dW0_row[c] = t41;
        }
        W0.store(dW0, dW0_row, n, z.left, held);
        if (A0.after && z.lane == 0 && 0 <= n && n < z.length) {
            A0.leave(n, 1, 0, Y0[0][MARGIN - 1][0]);
            A1.leave(n, 1, 0, Y1[0][MARGIN - 1][0]);
        }
    }
}

__device__ __forceinline__ void retreat(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, Rows<F>& X1, const Values<F>& S0,
    const Values<F>& S1, const Site& W0, const Site& W1, const double p_gamma, const Kept<F>& K0, const Kept<F>& K1,
    Rows<F>& Y0, Rows<F>& Y1, const Values<F>& A0, const Values<F>& A1, const F* dA0, const F* dA1, F* dW0
) {
    const double u0 = -p_gamma;
    const double u1 = 1.0 / p_gamma;
    const F u1_ = F(u1);
    const F u0_ = F(u0);
    const F p_gamma_ = F(p_gamma);
    const F edge0_1_0 = A0.edge(begin + z.lane - (LANES - 1), z.length, 1, 0, F(0));
    const F edge1_1_0 = A1.edge(begin + z.lane - (LANES - 1), z.length, 1, 0, F(0));
    for (int t = stop - 1; t >= begin; t--) {
        const int n = t - z.lane;
        const Held held = z.row(n);
        rejuvenate(X0);
        recall(X0[HALO], K0.row(t - HALO), z.lane);
        rejuvenate(X1);
        recall(X1[HALO], K1.row(t - HALO), z.lane);
        const F in0_1_0 = from_right(Y0[0][MARGIN - 1][0], edge0_1_0, t - begin, z.lane);
        const F in1_1_0 = from_right(Y1[0][MARGIN - 1][0], edge1_1_0, t - begin, z.lane);
        rejuvenate(Y0);
        #pragma unroll
        for (int i = 0; i < WIDE; i++) {
            Y0[HALO][i][0] = 0;
        }
        Y0[0][WIDE - 1][0] += in0_1_0;
        rejuvenate(Y1);
        #pragma unroll
        for (int i = 0; i < WIDE; i++) {
            Y1[HALO][i][0] = 0;
        }
        Y1[0][WIDE - 1][0] += in1_1_0;
        if (n >= 0 && (n == z.length - 1 && z.left <= z.cols - 1 && z.cols - 1 < z.left + COLUMNS)) {
            for (i64 e = ends.first(n, z.left); ends.at(e, n, z.left); e++) {
                #pragma unroll
                for (int c = 0; c < COLUMNS; c++) {
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) Y0[0][MARGIN + c][0] += dA0[e];
                    if (ends.m[e] == z.left + c && ends.k[e] == 0) Y1[0][MARGIN + c][0] += dA1[e];
                }
            }
        }
        F dW0_row[COLUMNS];
        #pragma unroll
        for (int c = COLUMNS - 1; c >= 0; c--) {
            const bool ok = held.has(c);
            const F E0_0 = ok ? Y0[0][MARGIN + c][0] : 0;
            const F E0_1 = ok ? Y1[0][MARGIN + c][0] : 0;
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const F D0_0_0_0 = X0[0][MARGIN + c][0];
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const F D0_0_0_1 = X0[0][MARGIN + c - 1][0];
            const F D0_1_1_1 = X1[1][MARGIN + c - 1][0];
            const F D0_1_1_0 = X1[1][MARGIN + c][0];
            const F D0_1_0_1 = X1[0][MARGIN + c - 1][0];
            const bool t0 = D0_0_1_1 != INF;
            const bool t1 = D0_0_0_0 != INF;
            const F t2 = t1 ? E0_1 : 0.0f;
            const F t3 = D0_0_1_0 < D0_0_1_1 ? D0_0_1_0 : D0_0_1_1;
            const F t4 = D0_0_0_1 < t3 ? D0_0_0_1 : t3;
            const F t5 = t4 - D0_0_1_1;
            const F t6 = t5 * u1_;
            const F t7 = expf(t6);
            const F t8 = t4 - D0_0_1_0;
            const F t9 = t8 * u1_;
            const F t10 = expf(t9);
            const F t11 = t7 + t10;
            const F t12 = t4 - D0_0_0_1;
            const F t13 = t12 * u1_;
            const F t14 = expf(t13);
            const F t15 = t11 + t14;
            const F t16 = u0_ / t15;
            const F t17 = t16 * u1_;
            const F t18 = -t17;
            const F t19 = t2 * t18;
            const F t20 = t19 * D0_1_1_1;
            const F t21 = t7 * D0_1_1_1;
            const F t22 = t10 * D0_1_1_0;
            const F t23 = t21 + t22;
            const F t24 = t14 * D0_1_0_1;
            const F t25 = t23 + t24;
            const F t26 = t2 * t25;
            const F t27 = -t26;
            const F t28 = t27 * u1_;
            const F t29 = t28 * t16;
            const F t30 = -t29;
            const F t31 = t30 / t15;
            const F t32 = t1 ? E0_0 : 0.0f;
            const F t33 = -t32;
            const F t34 = t33 * p_gamma_;
            const F t35 = t34 / t15;
            const F t36 = t31 + t35;
            const F t37 = t20 + t36;
            const F t38 = t37 * t7;
            const F t39 = t38 * u1_;
            const F t40 = -t39;
            const F t41 = t0 ? t40 : 0.0f;
            const F t42 = t19 * t7;
            const F t43 = t0 ? t42 : 0.0f;
            const bool t44 = D0_0_1_0 != INF;
            const F t45 = t19 * D0_1_1_0;
            const F t46 = t45 + t36;
            const F t47 = t46 * t10;
            const F t48 = t47 * u1_;
            const F t49 = -t48;
            const F t50 = t44 ? t49 : 0.0f;
            const F t51 = t19 * t10;
            const F t52 = t44 ? t51 : 0.0f;
            const bool t53 = D0_0_0_1 != INF;
            const F t54 = t19 * D0_1_0_1;
            const F t55 = t54 + t36;
            const F t56 = t55 * t14;
            const F t57 = t56 * u1_;
            const F t58 = -t57;
            const F t59 = t53 ? t58 : 0.0f;
            const F t60 = t19 * t14;
            const F t61 = t53 ? t60 : 0.0f;
            Y0[1][MARGIN + c - 1][0] += ok ? t41 : 0;
            Y1[1][MARGIN + c - 1][0] += ok ? t43 : 0;
            Y0[1][MARGIN + c][0] += ok ? t50 : 0;
            Y1[1][MARGIN + c][0] += ok ? t52 : 0;
            Y0[0][MARGIN + c - 1][0] += ok ? t59 : 0;
            Y1[0][MARGIN + c - 1][0] += ok ? t61 : 0;
            dW0_row[c] = t32;
        }
        W0.store(dW0, dW0_row, n, z.left, held);
        if (A0.after && z.lane == 0 && 0 <= n && n < z.length) {
            A0.leave(n, 1, 0, Y0[0][MARGIN - 1][0]);
            A1.leave(n, 1, 0, Y1[0][MARGIN - 1][0]);
        }
    }
}

extern "C" __global__ void backward(
    i64 items, i64 panels, i64 rows, i64 spans, i64 width, const bool* skip, const i64* n_len, const i64* m_len,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const F* a1, i64 a1_b, i64 a1_n, i64 a1_m,
    i64 a1_more_n, i64 a1_more_m, const double* all_p_gamma, i64 own_p_gamma, const F* R0, const F* R1, const F* C0,
    const F* C1, int* turn, int* done, F* all_V0, F* all_V1, const i64* end_n, const i64* end_m, const i64* end_k,
    i64 ends_each, const F* all_dA0, const F* all_dA1, F* GA0, F* GA1, F* all_dW0, i64 dW0_b
) {
    const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;
    F* const V0 = all_V0 + warp * SPAN * ROW;
    F* const V1 = all_V1 + warp * SPAN * ROW;
    const int lane = threadIdx.x % LANES;
    for (i64 q; (q = take(turn)) < items * panels;) {
        const i64 b = q % items, p = panels - 1 - q / items, task = b * panels + p;
        if (skip[b]) continue;
        const int length = n_len[b], cols = m_len[b];
        const Site W0(a0 + b * a0_b, a0_n, a0_m, int(n_len[b] + a0_more_n), int(m_len[b] + a0_more_m), 0);
        const Site W1(a1 + b * a1_b, a1_n, a1_m, int(n_len[b] + a1_more_n), int(m_len[b] + a1_more_m), 0);
        const double p_gamma = all_p_gamma[b * own_p_gamma];
        if (p * WIDTH >= cols) continue;
        const bool another = (p + 1) * WIDTH < cols;
        const Ends ends = {end_n + b * ends_each, end_m + b * ends_each, end_k + b * ends_each, ends_each};
        const Panel z = {length, cols, int(p) * WIDTH + lane * COLUMNS, lane, width, nullptr, nullptr};
        Rows<F> X0;
        Rows<F> X1;
        Rows<F> Y0;
        fill<F>(Y0, 0);
        const Values<F> A0 = {another ? GA0 + (task + 1) * rows * MARGIN * STATES : nullptr, p > 0 ? GA0 + (task) * rows * MARGIN * STATES : nullptr, nullptr, nullptr, nullptr};
        const F* const dA0 = all_dA0 + b * ends_each;
        Rows<F> Y1;
        fill<F>(Y1, 0);
        const Values<F> A1 = {another ? GA1 + (task + 1) * rows * MARGIN * STATES : nullptr, p > 0 ? GA1 + (task) * rows * MARGIN * STATES : nullptr, nullptr, nullptr, nullptr};
        const F* const dA1 = all_dA1 + b * ends_each;
        F* const dW0 = all_dW0 + b * dW0_b;
        for (int j = (length + LANES - 2) / SPAN; j >= 0; j--) {
            const int first = j * SPAN, last = min(first + SPAN, (length + LANES - 2) / CHUNK * CHUNK + CHUNK);
            const int top = max(first - (LANES - 1), 0);
            if (another) wait_for(done + task + 1, length - top);
            bool none = ends.first(top, 0) == ends.first(last, 0);
            none &= is_zero<F>(Y0);
            none &= is_zero<F>(Y1);
            for (int n = top + lane; another && n < min(last, length); n += LANES) {
                none &= A0.edge(n, length, 1, 0, 0) == 0;
                none &= A1.edge(n, length, 1, 0, 0) == 0;
            }
            if (__all_sync(WARP, none)) {
                for (int begin = last - CHUNK; begin >= first; begin -= CHUNK) {
                    rest_back(Y0, z, begin, begin + CHUNK, A0);
                    rest_back(Y1, z, begin, begin + CHUNK, A1);
                    if (p > 0) publish(done + task, length - begin);
                }
                continue;
            }
            const Kept<F> K0 = {V0, C0 + (task * spans + j) * HALO * ROW, first};
            restore<F>(X0, K0.before, lane);
            const Kept<F> K1 = {V1, C1 + (task * spans + j) * HALO * ROW, first};
            restore<F>(X1, K1.before, lane);
            for (int begin = first; begin < last; begin += CHUNK) {
                const int stop = begin + CHUNK;
                const Values<F> S0 = {p > 0 ? R0 + (task - 1) * rows * MARGIN * STATES : nullptr, nullptr, V0 + i64(begin - first) * ROW, nullptr, nullptr};
                const Values<F> S1 = {p > 0 ? R1 + (task - 1) * rows * MARGIN * STATES : nullptr, nullptr, V1 + i64(begin - first) * ROW, nullptr, nullptr};
                if (z.has_row(0, begin, stop)) advance_starts(z, begin, stop, ends, X0, X1, S0, S1, W0, W1, p_gamma, nullptr);
                else advance(z, begin, stop, ends, X0, X1, S0, S1, W0, W1, p_gamma, nullptr);
            }
            for (int begin = last - CHUNK; begin >= first; begin -= CHUNK) {
                const int stop = begin + CHUNK;
                const Values<F> S0 = {p > 0 ? R0 + (task - 1) * rows * MARGIN * STATES : nullptr, nullptr, nullptr, nullptr, nullptr};
                const Values<F> S1 = {p > 0 ? R1 + (task - 1) * rows * MARGIN * STATES : nullptr, nullptr, nullptr, nullptr, nullptr};
                #pragma unroll
                for (int h = 1; h <= HALO; h++) recall<F>(X0[h], K0.row(stop - h), lane);
                #pragma unroll
                for (int h = 1; h <= HALO; h++) recall<F>(X1[h], K1.row(stop - h), lane);
                if (z.has_row(0, begin, stop)) retreat_starts(z, begin, stop, ends, X0, X1, S0, S1, W0, W1, p_gamma, K0, K1, Y0, Y1, A0, A1, dA0, dA1, dW0);
                else retreat(z, begin, stop, ends, X0, X1, S0, S1, W0, W1, p_gamma, K0, K1, Y0, Y1, A0, A1, dA0, dA1, dW0);
                if (p > 0) publish(done + task, length - begin);
            }
        }
    }
}
