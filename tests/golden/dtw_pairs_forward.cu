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
//   schedule  panels of 128 columns, swept by warps: lane l at time t is row t - l, 4 columns; spans of 32 times, borders handed on every 32
//   carrier   (mantissa: float64, exponent: int), multiply-adds allowed
//   states    one, in this order within a cell
//   memory    the last 1 column(s) of each panel and 1 row(s) of each span are kept; the backward pass recomputes

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
constexpr int MARGIN = 1;  // columns that it does
constexpr int STATES = 1;

// ... cuda_panel.cuh ...

__device__ __forceinline__ void advance_starts(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, Rows<I>& X1, const Values<F>& S0,
    const Values<I>& S1, const Site& W0, const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(0.0));
    const I edge1_1_0 = S1.edge(begin + z.lane, z.length, 1, 0, I(0));
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
        const I in1_1_0 = from_left(X1[0][WIDE - 1][0], edge1_1_0, t - begin, z.lane);
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
            const F w0 = row_w0[c];
            const F start0 = n == 0 && m == 0;
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const I D0_1_1_1 = X1[1][MARGIN + c - 1][0];
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const I D0_1_1_0 = X1[1][MARGIN + c][0];
            const F D0_0_0_1 = X0[0][MARGIN + c - 1][0];
            const I D0_1_0_1 = X1[0][MARGIN + c - 1][0];
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
            X0[0][MARGIN + c][0] = ok ? t54 : F(0.0);
            X1[0][MARGIN + c][0] = ok ? t61 : I(0);
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
        if (S1.kept) keep<I>(X1[0], S1.kept + i64(t - begin) * ROW, z.lane);
    }
}

__device__ __forceinline__ void advance(
    const Panel& z, int begin, int stop, const Ends& ends, Rows<F>& X0, Rows<I>& X1, const Values<F>& S0,
    const Values<I>& S1, const Site& W0, const double p_gamma, Seen* seen0
) {
    const double u0 = 1.0 / p_gamma;
    const F u0_ = F(u0);
    const F edge0_1_0 = S0.edge(begin + z.lane, z.length, 1, 0, F(0.0));
    const I edge1_1_0 = S1.edge(begin + z.lane, z.length, 1, 0, I(0));
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
        const I in1_1_0 = from_left(X1[0][WIDE - 1][0], edge1_1_0, t - begin, z.lane);
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
            const F w0 = row_w0[c];
            const F D0_0_1_1 = X0[1][MARGIN + c - 1][0];
            const I D0_1_1_1 = X1[1][MARGIN + c - 1][0];
            const F D0_0_1_0 = X0[1][MARGIN + c][0];
            const I D0_1_1_0 = X1[1][MARGIN + c][0];
            const F D0_0_0_1 = X0[0][MARGIN + c - 1][0];
            const I D0_1_0_1 = X1[0][MARGIN + c - 1][0];
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
            X0[0][MARGIN + c][0] = ok ? t42 : F(0.0);
            X1[0][MARGIN + c][0] = ok ? t49 : I(0);
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
        if (S1.kept) keep<I>(X1[0], S1.kept + i64(t - begin) * ROW, z.lane);
    }
}

extern "C" __global__ void forward(
    i64 items, i64 panels, i64 rows, i64 spans, i64 width, const bool* skip, const i64* n_len, const i64* m_len,
    const F* a0, i64 a0_b, i64 a0_n, i64 a0_m, i64 a0_more_n, i64 a0_more_m, const double* all_p_gamma, i64 own_p_gamma,
    F* R0, I* R1, F* C0, I* C1, int* turn, int* done, const i64* end_n, const i64* end_m, const i64* end_k,
    i64 ends_each, F* D0, I* D1, F* L0, I* L1, i64 lattice_each, I* most0
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
        Rows<I> X1;
        const Values<F> S0 = {p > 0 ? R0 + (task - 1) * rows * MARGIN * STATES : nullptr, another ? R0 + task * rows * MARGIN * STATES : nullptr, nullptr, L0 ? L0 + b * lattice_each : nullptr, D0 + b * ends_each};
        const Values<I> S1 = {p > 0 ? R1 + (task - 1) * rows * MARGIN * STATES : nullptr, another ? R1 + task * rows * MARGIN * STATES : nullptr, nullptr, L1 ? L1 + b * lattice_each : nullptr, D1 + b * ends_each};
        fill<F>(X0, 0.0);
        fill<I>(X1, 0);
        Seen seen0 = {};
        for (int begin = 0; begin < length + LANES - 1; begin += CHUNK) {
            const int stop = begin + CHUNK;
            if (begin % SPAN == 0) save<F>(X0, C0 + (task * spans + begin / SPAN) * HALO * ROW, lane);
            if (begin % SPAN == 0) save<I>(X1, C1 + (task * spans + begin / SPAN) * HALO * ROW, lane);
            if (p > 0) wait_for(done + task - 1, min(stop, length));
            if (z.has_row(0, begin, stop)) advance_starts(z, begin, stop, ends, X0, X1, S0, S1, W0, p_gamma, &seen0);
            else advance(z, begin, stop, ends, X0, X1, S0, S1, W0, p_gamma, &seen0);
            if (another) publish(done + task, min(stop - (LANES - 1), length));
        }
        seen0.gather();
        if (lane == 0) most0[task] = seen0.most;
    }
}
