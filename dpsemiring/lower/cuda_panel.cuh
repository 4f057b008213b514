// A panel: the columns of one item's lattice that one warp sweeps, row after row, in registers.
//
// Each lane has COLUMNS columns side by side. At time t it computes row t - lane: the lane on its left had that row one
// time before, so what it needs from there comes by a shuffle. A panel gets the last columns of the one on its left from
// memory, CHUNK rows at a time, as soon as the warp there has published them. Every SPAN times the lanes save the rows
// that they hold: from there a span can be computed again. The way back is the same with left and right, first and last
// exchanged.

constexpr int LANES = 32;
constexpr int WIDE = MARGIN + COLUMNS;         // columns that a lane knows of: MARGIN of the lane on its left, its own
constexpr int ROW = STATES * WIDE * LANES;     // numbers that a warp keeps of one time
constexpr int WIDTH = LANES * COLUMNS;         // columns of a panel
constexpr unsigned WARP = 0xffffffffu;
constexpr int PACK = sizeof(F) == 4 && COLUMNS % 4 == 0 ? 4 : COLUMNS % 2 == 0 ? 2 : 1;  // numbers fetched at once

// By rows back from the one at hand, columns, states.
template <class T>
using Rows = T[HALO + 1][WIDE][STATES];

// Which of a lane's columns the lattice has in some row.
struct Held {
    int from, to;

    __device__ bool has(int c) const { return from <= c && c < to; }
};

struct Panel {
    int length, cols;  // of the item's lattice
    int left, lane;    // the lane's first column, its number
    i64 width;         // columns of the widest lattice: how far apart the rows of arrays are
    const i64 *lo, *hi;  // the window: columns lo[n] <= m < hi[n] of row n

    __device__ Held row(int n) const {
        const bool inside = 0 <= n && n < length;
        if (WINDOWED) return {inside ? max(int(lo[n]) - left, 0) : 0, inside ? min(int(hi[n]) - left, COLUMNS) : 0};
        return {0, inside ? cols - left : 0};
    }
    // Whether some lane has a row of the lattice (negative: counted from its end) between two times.
    __device__ bool has_row(int n, int begin, int stop) const {
        const int row = n < 0 ? length + n : n;
        return begin - (LANES - 1) <= row && row < stop;
    }
    // Whether some row that lanes have between two times has a column of the panel, or nothing tells.
    __device__ bool meets(int begin, int stop) const {
        if (!WINDOWED || HALO > CHUNK) return true;
        const int first = left - lane * COLUMNS;
        bool found = false;
        for (int n = max(begin - (LANES - 1) + lane, lane); n < min(stop, length); n += LANES)
            found |= lo[n] < hi[n] && lo[n] < first + WIDTH && hi[n] > first;
        return __any_sync(WARP, found);
    }
};

struct alignas(PACK * sizeof(F)) Pack {
    F x[PACK];
};

// A lane's columns from memory that is aligned to packs, and to it.
__device__ __forceinline__ void fetch(F (&to)[COLUMNS], const F* from) {
#pragma unroll
    for (int i = 0; i < COLUMNS / PACK; i++) {
        const Pack pack = ((const Pack*)from)[i];
#pragma unroll
        for (int j = 0; j < PACK; j++) to[i * PACK + j] = pack.x[j];
    }
}
__device__ __forceinline__ void put(F* to, const F (&values)[COLUMNS]) {
#pragma unroll
    for (int i = 0; i < COLUMNS / PACK; i++) {
        Pack pack;
#pragma unroll
        for (int j = 0; j < PACK; j++) pack.x[j] = values[i * PACK + j];
        ((Pack*)to)[i] = pack;
    }
}

// A number that varies from cell to cell: an item's part of an array, the distance of its rows and columns (0 where
// one number serves all), and its extents. `packed`: whether a lane's columns can be moved PACK at a time.
struct Site {
    const F* part;
    i64 rows_apart, cols_apart;
    int rows, cols;
    bool packed;

    __device__ Site(const F* part, i64 rows_apart, i64 cols_apart, int rows, int cols, int shift)
        : part(part), rows_apart(rows_apart), cols_apart(cols_apart), rows(rows), cols(cols) {
        packed = cols_apart == 1 && (rows_apart | shift) % PACK == 0 && (unsigned long long)part % sizeof(Pack) == 0;
    }
    __device__ bool has(int n, int m) const { return 0 <= n && n < rows && 0 <= m && m < cols; }
    __device__ F read(int n, int m, F outside) const {
        return has(n, m) ? part[n * rows_apart + m * cols_apart] : outside;
    }
    // The numbers of a lane's columns, of which m is the first, in row n.
    __device__ void load(F (&to)[COLUMNS], int n, int m, F outside) const {
        if (packed && has(n, m) && m + COLUMNS <= cols) {
            fetch(to, part + n * rows_apart + m);
        } else {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) to[c] = read(n, m + c, outside);
        }
    }
    // Those that `held` has, into an array laid out like this one.
    __device__ void store(F* to, const F (&values)[COLUMNS], int n, int m, Held held) const {
        F* const at = to + n * rows_apart + m;
        const bool even = (unsigned long long)at % sizeof(Pack) == 0;  // items need not lie as they do in `part`
        if (packed && even && has(n, m) && m + COLUMNS <= cols && held.from == 0 && held.to >= COLUMNS) {
            put(at, values);
        } else {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++)
                if (held.has(c) && has(n, m + c)) to[n * rows_apart + (m + c) * cols_apart] = values[c];
        }
    }
};

// Where a panel's numbers of one kind come from and go to; a null pointer: nowhere.
template <class T>
struct Values {
    const T* before;  // the columns beyond the panel that it needs, by rows
    T* after;         // where it leaves its own for the next
    T* kept;          // every row from the first time on, ROW numbers each
    T* lattice;       // the item's part of an array of the whole lattice
    T* ends;          // the values at the ends

    // Of row n, that of state k in the column at distance j.
    __device__ T edge(int n, int length, int j, int k, T zero) const {
        return before && 0 <= n && n < length ? __ldcg(before + (i64(n) * MARGIN + j - 1) * STATES + k) : zero;
    }
    __device__ void leave(int n, int j, int k, T value) const { after[(i64(n) * MARGIN + j - 1) * STATES + k] = value; }
};

// What rows of a span were kept, and HALO times before it.
template <class T>
struct Kept {
    const T *span, *before;
    int first;

    __device__ const T* row(int time) const {
        return time >= first ? span + i64(time - first) * ROW : before + i64(time - first + HALO) * ROW;
    }
    __device__ T at(int time, int lane, int column, int k) const { return row(time)[(k * WIDE + column) * LANES + lane]; }
};

template <class T>
__device__ __forceinline__ void fill(Rows<T>& x, T value) {
#pragma unroll
    for (int h = 0; h <= HALO; h++)
#pragma unroll
        for (int i = 0; i < WIDE; i++)
#pragma unroll
            for (int k = 0; k < STATES; k++) x[h][i][k] = value;
}

template <class T>
__device__ __forceinline__ bool is_zero(const Rows<T>& x) {
    bool zero = true;
#pragma unroll
    for (int h = 0; h <= HALO; h++)
#pragma unroll
        for (int i = 0; i < WIDE; i++)
#pragma unroll
            for (int k = 0; k < STATES; k++) zero &= x[h][i][k] == 0;
    return zero;
}

template <class T>
__device__ __forceinline__ void copy_row(T (&to)[WIDE][STATES], const T (&from)[WIDE][STATES]) {
#pragma unroll
    for (int i = 0; i < WIDE; i++)
#pragma unroll
        for (int k = 0; k < STATES; k++) to[i][k] = from[i][k];
}

// Every row becomes the one before; what the first holds then is to be overwritten.
template <class T>
__device__ __forceinline__ void age(Rows<T>& x) {
#pragma unroll
    for (int h = HALO; h > 0; h--) copy_row<T>(x[h], x[h - 1]);
}

// The other way round.
template <class T>
__device__ __forceinline__ void rejuvenate(Rows<T>& x) {
#pragma unroll
    for (int h = 0; h < HALO; h++) copy_row<T>(x[h], x[h + 1]);
}

template <class T>
__device__ __forceinline__ void keep(const T (&x)[WIDE][STATES], T* to, int lane) {
#pragma unroll
    for (int i = 0; i < WIDE; i++)
#pragma unroll
        for (int k = 0; k < STATES; k++) to[(k * WIDE + i) * LANES + lane] = x[i][k];
}

template <class T>
__device__ __forceinline__ void recall(T (&x)[WIDE][STATES], const T* from, int lane) {
#pragma unroll
    for (int i = 0; i < WIDE; i++)
#pragma unroll
        for (int k = 0; k < STATES; k++) x[i][k] = from[(k * WIDE + i) * LANES + lane];
}

// The rows that lanes hold between two spans.
template <class T>
__device__ __forceinline__ void save(const Rows<T>& x, T* to, int lane) {
#pragma unroll
    for (int h = 0; h < HALO; h++) keep<T>(x[h], to + (HALO - 1 - h) * ROW, lane);
}

template <class T>
__device__ __forceinline__ void restore(Rows<T>& x, const T* from, int lane) {
#pragma unroll
    for (int h = 0; h < HALO; h++) recall<T>(x[h], from + (HALO - 1 - h) * ROW, lane);
}

// A chunk in which the window has nothing of the panel, forward: what lanes hold then, and what they leave.
template <class T>
__device__ __forceinline__ void rest(Rows<T>& x, const Panel& z, int begin, int stop, const Values<T>& s, T zero) {
    fill<T>(x, zero);
    const int row = begin - (LANES - 1) + z.lane;
#pragma unroll
    for (int j = 1; j <= MARGIN; j++)
#pragma unroll
        for (int k = 0; k < STATES; k++) {
#pragma unroll
            for (int h = 0; h < HALO; h++)
                if (z.lane == 0) x[h][MARGIN - j][k] = s.edge(stop - 1 - h, z.length, j, k, zero);
            if (s.after && z.lane < CHUNK && 0 <= row && row < z.length) s.leave(row, j, k, zero);
        }
#pragma unroll
    for (int h = 0; h < HALO; h++)
        if (s.kept) keep<T>(x[h], s.kept + i64(stop - 1 - h - begin) * ROW, z.lane);
}

// The same on the way back: what the rows after the chunk have sent to the left still goes there.
__device__ __forceinline__ void rest_back(Rows<F>& y, const Panel& z, int begin, int stop, const Values<F>& a) {
    const int row = begin + z.lane;
#pragma unroll
    for (int j = 1; j <= MARGIN; j++)
#pragma unroll
        for (int k = 0; k < STATES; k++) {
#pragma unroll
            for (int h = 1; h <= HALO; h++)
                if (a.after && z.lane == 0 && 0 <= stop - h && stop - h < z.length) a.leave(stop - h, j, k, y[h][MARGIN - j][k]);
            if (a.after && row < stop - HALO && row < z.length) a.leave(row, j, k, 0);
        }
    fill<F>(y, 0);
}

// What the lane on the left, or on the right, holds; the outermost lane takes the i-th lane's `edge` instead.
template <class T>
__device__ T from_left(T own, T edge, int i, int lane) {
    const T inner = __shfl_up_sync(WARP, own, 1), outer = __shfl_sync(WARP, edge, i);
    return lane == 0 ? outer : inner;
}
template <class T>
__device__ T from_right(T own, T edge, int i, int lane) {
    const T inner = __shfl_down_sync(WARP, own, 1), outer = __shfl_sync(WARP, edge, i);
    return lane == LANES - 1 ? outer : inner;
}

// The ends of an item, in the order of their cells; those that are absent come last.
struct Ends {
    const i64 *n, *m, *k;
    i64 count;

    // The first that does not come before a cell.
    __device__ i64 first(int row, int column) const {
        i64 low = 0, high = count;
        while (low < high) {
            const i64 middle = (low + high) / 2;
            if (n[middle] < row || (n[middle] == row && m[middle] < column)) low = middle + 1;
            else high = middle;
        }
        return low;
    }
    // Whether an end lies among the columns of row n from `left` on.
    __device__ bool at(i64 e, int row, int left) const { return e < count && n[e] == row && m[e] - left < COLUMNS; }
};

// Which panel is this warp's next: they are given out in order, so that whoever waits for another waits for one that
// is under way.
__device__ i64 take(int* turn) {
    int mine = 0;
    if (threadIdx.x % LANES == 0) mine = atomicAdd(turn, 1);
    return __shfl_sync(WARP, mine, 0);
}

// Waits until so many rows of another panel are in memory.
__device__ void wait_for(const int* done, int rows) {
    while (*(const volatile int*)done < rows) __nanosleep(20);
    __threadfence();
    __syncwarp();
}

// Says that so many rows of this panel are.
__device__ void publish(int* done, int rows) {
    __threadfence();
    __syncwarp();
    if (threadIdx.x % LANES == 0) *(volatile int*)done = rows;
}

// The sum over a warp's lanes, always in the same order; all of them get it.
__device__ double over_warp(double x) {
#pragma unroll
    for (int lanes = LANES / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(WARP, x, lanes);
    return x;
}

// The greatest size of a number that a lane has met, as bits; what forbids a cell aside. An infinity's is that which is refused, and
// beyond it are NaN.
struct Seen {
    I most;

    __device__ void look(F x, F forbid) {
        const I size = x == forbid ? I(0) : to_bits(x) & ~(I(1) << (8 * sizeof(I) - 1));
        most = size > most ? size : most;
    }
    // That of all lanes, which all of them get.
    __device__ void gather() {
#pragma unroll
        for (int lanes = LANES / 2; lanes > 0; lanes /= 2) {
            const I other = __shfl_xor_sync(WARP, most, lanes);
            most = other > most ? other : most;
        }
    }
};
