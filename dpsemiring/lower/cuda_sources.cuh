// Costs that are made of frames and tables: a panel's part of a plane, some rows at a time, in a ring of rows that its warp owns.
// It has room for all rows that lanes come to during a span, or, on the way forward, a chunk. What flows to them is gathered in
// another ring, and goes on to what the costs are made of once a row is complete. Panels add to the same frame or row of a table
// one after the other, in the order in which they hand on. A plane as a whole is made, and taken back, by the same functions.

constexpr int ROOM = 128 / (COLUMNS * int(sizeof(F)));
constexpr int TALL = ROOM > 8 ? 8 : ROOM < 2 ? 2 : ROOM;  // rows made together
constexpr int QUAD = 4;  // features fetched at once; frames have a multiple

struct alignas(16) Quad {
    F x[QUAD];
};
struct alignas(JOINED > 1 ? 16 : sizeof(F)) Joined {  // flows fetched at once
    F x[JOINED];
};

__device__ F mad(float x, float y, float z) { return fmaf(x, y, z); }
__device__ F mad(double x, double y, double z) { return fma(x, y, z); }
__device__ bool is_finite(F x) { return x - x == 0; }
__device__ bool is_infinite(F x) { return x == INF || x == -INF; }
__device__ F or_zero(F x) { return is_finite(x) ? x : F(0); }

// Rows and columns are those of the plane; `first` is the panel's first column, there is room for `across`. Row n stands at
// n & mask, rows being so far `apart`; in an array of the whole plane they are `wide`. `forbid` is what forbids a cell.
struct Ring {
    F* part;
    int rows, cols, first, lane, across, mask;
    i64 apart, wide;
    F forbid;

    __device__ bool has(int n, int m) const { return 0 <= n && n < rows && 0 <= m && m < cols; }
    __device__ F* row(int n) const { return part + (n & mask) * apart; }
    __device__ bool holds() const { return lane * COLUMNS < across; }
    __device__ int column(int m) const { return min(max(m, 0), cols - 1); }
    __device__ F read(int n, int m, F outside) const { return has(n, m) ? row(n)[m - first] : outside; }
    // As those of a `Site`.
    __device__ void load(F (&to)[COLUMNS], int n, int m, F outside) const {
        if (0 <= n && n < rows) {
            fetch(to, row(n) + (m - first));
        } else {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) to[c] = outside;
        }
    }
    __device__ void store(F* to, const F (&values)[COLUMNS], int n, int m, Held held) const {
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            if (held.has(c) && has(n, m + c)) to[n * wide + m + c] = values[c];
    }
    // Keep what flows to a lane's columns of row n until it goes on.
    __device__ void gather(const F (&values)[COLUMNS], int n, int m, Held held) const {
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            if (held.has(c) && has(n, m + c)) row(n)[m + c - first] = values[c];
    }
    // Zeros in rows `from` to `to`.
    __device__ void clear(int from, int to) const {
        for (int n = from; n < to; n++)
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) row(n)[lane * COLUMNS + c] = 0;
    }
    // Whether some number of these rows is not 0.
    __device__ bool flows(int from, int to) const {
        bool found = false;
        for (int n = from; n < to; n++)
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) found |= row(n)[lane * COLUMNS + c] != 0;
        return __any_sync(WARP, found);
    }
    // Give a lane's columns of row n a term of their costs, or add it to those before; what the plane does not have is
    // forbidden. A number that exceeds its kind is NaN: an infinity would say that the cell is forbidden.
    __device__ void give(const F (&values)[COLUMNS], int n, F scale, bool anew) const {
        if (!holds()) return;
        F* const to = row(n) + lane * COLUMNS;
        F sums[COLUMNS];
        if (!anew) fetch(sums, to);
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
            const F value = values[c], own = scale != 0 ? scale * value : is_infinite(value) ? forbid : 0 * value;
            const F both = anew ? own : sums[c] + own;
            const bool may = is_infinite(value) || (!anew && is_infinite(sums[c]));
            const int m = first + lane * COLUMNS + c;
            sums[c] = m < 0 || cols <= m ? forbid : is_infinite(both) && !may ? NAN_ : both;
        }
        put(to, sums);
    }
};

// --- sums over features ---------------------------------------------------------------------------

// An item's frames: those of the rows, those of the columns, and these turned, by the lattice's columns and `wide` apart.
struct Frames {
    const F *x, *y, *down;
    i64 wide;
    int depth;
    F scale;
};

struct Differences {
    static constexpr int FACTOR = 2;
    __device__ static F pair(F x, F y, F sum) { return mad(x - y, x - y, sum); }
    __device__ static F by_x(F x, F y) { return x - y; }
    __device__ static F by_y(F x, F y) { return y - x; }
};
struct Products {  // in which 0 times infinity is 0
    static constexpr int FACTOR = 1;
    __device__ static F pair(F x, F y, F sum) { return y == 0 ? (x == x ? sum : x) : mad(x, y, sum); }
    __device__ static F by_x(F x, F y) { return y; }
    __device__ static F by_y(F x, F y) { return x; }
};

// Whether the sum over two frames exceeds what its kind of number holds: it is infinite, and no feature is.
template <class Form>
__device__ __noinline__ bool exceeds(const F* x, const F* y, int depth) {
    F sum = 0;
    bool found = false;
    for (int d = 0; d < depth; d++) sum = Form::pair(x[d], y[d], sum), found |= is_infinite(x[d]) || is_infinite(y[d]);
    return !found && !is_finite(sum);
}

// The costs of rows `from` to `to`; `left` is the lane's first column of the lattice.
template <class Form>
__device__ void fill(const Ring& w, const Frames& f, int left, int from, int to, bool anew) {
    const i64 at = min(i64(left), f.wide - COLUMNS);
    for (int n = from; n < to; n += TALL) {
        F sum[TALL][COLUMNS] = {};
        for (int d = 0; d < f.depth; d += QUAD) {
            F y[QUAD][COLUMNS];
#pragma unroll
            for (int i = 0; i < QUAD; i++) fetch(y[i], f.down + (d + i) * f.wide + at);
#pragma unroll
            for (int r = 0; r < TALL; r++) {
                const Quad x = *(const Quad*)(f.x + i64(min(n + r, w.rows - 1)) * f.depth + d);
#pragma unroll
                for (int i = 0; i < QUAD; i++)
#pragma unroll
                    for (int c = 0; c < COLUMNS; c++) sum[r][c] = Form::pair(x.x[i], y[i][c], sum[r][c]);
            }
        }
        bool odd = false;
#pragma unroll
        for (int r = 0; r < TALL; r++) {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) odd |= !is_finite(sum[r][c]);
            if (n + r < to) w.give(sum[r], n + r, f.scale, anew);
        }
        for (int i = 0; odd && i < TALL * COLUMNS; i++) {
            const int row = n + i / COLUMNS, column = w.first + w.lane * COLUMNS + i % COLUMNS;
            if (row >= to || !w.has(row, column) || !w.holds()) continue;
            F& cost = w.row(row)[column - w.first];
            if (is_infinite(cost) && exceeds<Form>(f.x + i64(row) * f.depth, f.y + i64(column) * f.depth, f.depth)) cost = NAN_;
        }
    }
}

// What flows to rows `from` to `to` goes on to features of the columns' frames, from `first` to `stop`; an infinite feature has
// forbidden what it is in, and counts as 0.
template <class Form>
__device__ void drain_columns(const Ring& q, const Frames& f, F* to_down, int left, int from, int to, int first, int stop) {
    const F by = f.scale * Form::FACTOR;
    for (int d = first; d < stop && left + COLUMNS <= f.wide && q.holds(); d += QUAD) {
        F y[QUAD][COLUMNS], sum[QUAD][COLUMNS] = {};
#pragma unroll
        for (int i = 0; i < QUAD; i++) fetch(y[i], f.down + (d + i) * f.wide + left);
#pragma unroll
        for (int i = 0; i < QUAD; i++)
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) y[i][c] = or_zero(y[i][c]);
        for (int n = from; n < to; n++) {
            F flow[COLUMNS];
            fetch(flow, q.row(n) + q.lane * COLUMNS);
            const Quad x = *(const Quad*)(f.x + i64(n) * f.depth + d);
#pragma unroll
            for (int i = 0; i < QUAD; i++)
#pragma unroll
                for (int c = 0; c < COLUMNS; c++) sum[i][c] = mad(flow[c], Form::by_y(or_zero(x.x[i]), y[i][c]), sum[i][c]);
        }
#pragma unroll
        for (int i = 0; i < QUAD; i++) {
            F* const place = to_down + (d + i) * f.wide + left;
            fetch(y[i], place);
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) y[i][c] += by * sum[i][c];
            put(place, y[i]);
        }
    }
}

// The same for frames of the rows, with lanes that have a feature each.
template <class Form>
__device__ void drain_rows(const Ring& q, const Frames& f, F* to_x, int from, int to, int first, int stop) {
    const F by = f.scale * Form::FACTOR;
    for (int d = first + q.lane; d - q.lane < stop; d += LANES) {
        const int own = min(d, f.depth - 1);
        for (int n = from; n < to; n += TALL) {
            F x[TALL], sum[TALL] = {};
#pragma unroll
            for (int r = 0; r < TALL; r++) x[r] = or_zero(f.x[i64(min(n + r, to - 1)) * f.depth + own]);
            for (int j = 0; j < q.across; j += JOINED) {
                F y[JOINED];
#pragma unroll
                for (int i = 0; i < JOINED; i++) y[i] = or_zero(f.y[i64(q.column(q.first + j + i)) * f.depth + own]);
#pragma unroll
                for (int r = 0; r < TALL; r++) {
                    const Joined flow = *(const Joined*)(q.row(min(n + r, to - 1)) + j);
#pragma unroll
                    for (int i = 0; i < JOINED; i++) sum[r] = mad(flow.x[i], Form::by_x(x[r], y[i]), sum[r]);
                }
            }
#pragma unroll
            for (int r = 0; r < TALL; r++) {
                F* const place = to_x + i64(n + r) * f.depth + d;
                if (n + r < to && d < f.depth) *place = __ldcg(place) + by * sum[r];
            }
        }
    }
}

template <class Form>
__device__ void drain(const Ring& q, const Frames& f, F* to_x, F* to_down, int left, int from, int to) {
    drain_columns<Form>(q, f, to_down, left, from, to, 0, f.depth);
    drain_rows<Form>(q, f, to_x, from, to, 0, f.depth);
}

// --- tables ---------------------------------------------------------------------------------------

constexpr int NO_LABEL = 0x7fffffff;

// An item's table of rows that are `apart`, and of what flows to them, `wide`; which of them each row of the plane reads, if
// not its own; which entry each column does. `place` and `label` are the panel's columns and their labels in the order of labels.
struct Entries {
    const F* table;
    const int *rows, *labels;
    i64 apart, wide;
    F scale;
    int *place, *label;

    __device__ i64 row(int n) const { return rows ? rows[n] : n; }
    // The label of a panel's column; NO_LABEL where the plane has no such column.
    __device__ int of(const Ring& w, int j) const {
        const int m = w.first + j;
        return 0 <= m && m < w.cols ? labels[m] : NO_LABEL;
    }
};

__device__ void fill(const Ring& w, const Entries& e, int from, int to, bool anew) {
    int label[COLUMNS];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) label[c] = e.labels[w.column(w.first + w.lane * COLUMNS + c)];
#pragma unroll 4
    for (int n = from; n < to; n++) {
        const F* const entries = e.table + e.row(n) * e.apart;
        F values[COLUMNS];
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) values[c] = entries[label[c]];
        w.give(values, n, e.scale, anew);
    }
}

// The panel's columns in the order of their labels, those that it does not have last.
__device__ void sort(const Ring& w, const Entries& e) {
    for (int c = 0; c < COLUMNS; c++) {
        const int j = w.lane * COLUMNS + c, own = e.of(w, j);
        int rank = 0;
        for (int i = 0; i < WIDTH; i++) {
            const int other = e.of(w, i);
            rank += other < own || (other == own && i < j);
        }
        e.place[rank] = j, e.label[rank] = own;
    }
    __syncwarp();
}

// What flows to rows `from` to `to` goes on to the entries that they have read: columns of one label are added up first.
__device__ void drain(const Ring& q, const Entries& e, F* to_table, int from, int to) {
    for (int group = 0; group < WIDTH; group += LANES) {
        const int own = e.label[group + q.lane], column = e.place[group + q.lane], after = __shfl_down_sync(WARP, own, 1);
        const bool last = (q.lane == LANES - 1 || after != own) && own != NO_LABEL;
        for (int n = from; n < to; n += TALL) {
            F sum[TALL];
            bool some = false;
#pragma unroll
            for (int r = 0; r < TALL; r++) {
                sum[r] = n + r < to && column < q.across ? q.row(n + r)[column] : 0;
                some |= sum[r] != 0;
            }
            if (!__any_sync(WARP, some)) continue;
#pragma unroll
            for (int apart = 1; apart < LANES; apart *= 2) {
                const int other = __shfl_up_sync(WARP, own, apart);
                const bool same = q.lane >= apart && other == own;
#pragma unroll
                for (int r = 0; r < TALL; r++) {
                    const F before = __shfl_up_sync(WARP, sum[r], apart);
                    sum[r] += same ? before : 0;
                }
            }
            F found[TALL];
#pragma unroll
            for (int r = 0; r < TALL; r++)
                if (!e.rows) found[r] = last && n + r < to ? __ldcg(to_table + e.row(n + r) * e.wide + own) : 0;
#pragma unroll
            for (int r = 0; r < TALL; r++) {
                F* const place = to_table + (n + r < to ? e.row(n + r) : 0) * e.wide + own;
                if (e.rows && last) found[r] = __ldcg(place);  // the row before may have been the same
                if (last && n + r < to) *place = found[r] + e.scale * sum[r];
            }
        }
        __syncwarp();
    }
}
