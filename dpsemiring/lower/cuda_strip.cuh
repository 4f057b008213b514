// A strip: some rows of one item's lattice, swept by the threads of one CUDA block.
//
// Threads take lanes, and no lane needs another of its own time. Cell (row l of the strip, column m) is computed at
//
//     skewed      time l + m - left, lane l
//     otherwise   time l, lane m - left
//
// and its numbers stand at time * lanes + lane, so that the threads of a warp touch neighbours. A strip has the columns
// that the window has in any of its rows; borders stand in the columns of the strip that wrote them.

struct Strip {
    i64 n0, rows;      // first row, number of rows
    i64 length, cols;  // of the item's lattice
    i64 width;         // columns of the widest lattice: how far apart the rows of arrays are
    i64 pitch;         // the same for borders
    i64 left, wide;    // first column, number of columns
    i64 left_before, left_after;  // first columns of the strips around it
    const i64 *lo, *hi;           // the window: columns lo[n] <= m < hi[n] of row n

    __device__ i64 lanes() const { return SKEWED ? HEIGHT : wide; }
    __device__ i64 times() const { return SKEWED ? rows + wide - 1 : rows; }
    __device__ i64 row(i64 time, i64 lane) const { return SKEWED ? lane : time; }
    __device__ i64 column(i64 time, i64 lane) const { return left + (SKEWED ? time - lane : lane); }
    // Whether row l of the strip, or of those around it, has the cell of column m.
    __device__ bool has(i64 l, i64 m) const {
        const i64 n = n0 + l;
        if (n < 0 || n >= length) return false;
        return WINDOWED ? lo[n] <= m && m < hi[n] : 0 <= m && m < cols;
    }
    __device__ bool holds(i64 l, i64 m) const { return l < rows && has(l, m); }

    // Where a number of a cell stands, for state k of so many.
    __device__ i64 at(i64 l, i64 m, i64 k = 0, int states = 1) const {
        return SKEWED ? ((l + m - left) * states + k) * HEIGHT + l : (l * states + k) * wide + m - left;
    }

    // Whether a row of the lattice (negative: counted from its end) is one of the strip's.
    __device__ bool has_row(i64 n) const {
        const i64 l = (n < 0 ? length + n : n) - n0;
        return 0 <= l && l < rows;
    }
};

// A number that varies from cell to cell: an item's part of an array, the distance of its rows and columns (0 where
// one number serves all), and its extents.
struct Site {
    const F* part;
    i64 rows_apart, cols_apart, rows, cols;

    __device__ bool has(i64 n, i64 m) const { return 0 <= n && n < rows && 0 <= m && m < cols; }
    __device__ F read(i64 n, i64 m, F outside) const {
        return has(n, m) ? part[n * rows_apart + m * cols_apart] : outside;
    }
    // Into an array laid out like this one.
    __device__ void write(F* to, i64 n, i64 m, F value) const {
        if (has(n, m)) to[n * rows_apart + m * cols_apart] = value;
    }
};

// A component of the accumulated values: those of the strip, and of the HALO rows before it; and where to leave the
// strip's last HALO rows, and all of them (null: nowhere).
template <class T>
struct Values {
    T* strip;
    const T* before;
    T* after;
    T* lattice;

    __device__ T get(const Strip& z, i64 l, i64 m, int k, T zero) const {
        if (!z.has(l, m)) return zero;
        return l >= 0 ? strip[z.at(l, m, k, STATES)] : before[((HALO + l) * STATES + k) * z.pitch + m - z.left_before];
    }
    __device__ void put(const Strip& z, i64 l, i64 m, int k, T value) const {
        strip[z.at(l, m, k, STATES)] = value;
        const i64 left = l - (HEIGHT - HALO);
        if (after && left >= 0) after[(left * STATES + k) * z.pitch + m - z.left] = value;
        if (lattice) lattice[((z.n0 + l) * z.width + m) * STATES + k] = value;
    }
};

// What flows back along a step of `rows` rows: out of the strip's cells, and out of the first rows of the strip after
// it and of its own. The first rows of two strips are kept, in turn.
struct Flow {
    F* strip;
    const F* after;
    F* first;
    int rows;

    __device__ Flow(F* strips, F* pairs, int rows, const Strip& z, i64 room) : strip(strips + blockIdx.x * room), rows(rows) {
        const i64 own = z.n0 / HEIGHT % 2, each = rows * z.pitch;
        after = pairs + (2 * blockIdx.x + (1 - own)) * each;
        first = pairs + (2 * blockIdx.x + own) * each;
    }
    // What the cell (l, m) has sent back along the step; nothing if it is outside of the lattice.
    __device__ F get(const Strip& z, i64 l, i64 m) const {
        if (!z.has(l, m)) return 0;
        return l < HEIGHT ? strip[z.at(l, m)] : after[(l - HEIGHT) * z.pitch + m - z.left_after];
    }
    __device__ void put(const Strip& z, i64 l, i64 m, F value) const {
        strip[z.at(l, m)] = value;
        if (l < rows) first[l * z.pitch + m - z.left] = value;
    }
};

// The ends of an item, in the order of their cells.
struct Ends {
    const i64 *n, *m, *k;
    i64 count;

    // The first that does not lie above a row.
    __device__ i64 from_row(i64 row) const {
        i64 low = 0, high = count;
        while (low < high) {
            const i64 middle = (low + high) / 2;
            if (n[middle] < row) low = middle + 1;
            else high = middle;
        }
        return low;
    }
    __device__ i64 at(const Strip& z, i64 e) const { return z.at(n[e] - z.n0, m[e], k[e], STATES); }
    __device__ bool in_one_cell(i64 e, i64 f) const { return n[e] == n[f] && m[e] == m[f]; }
};

// Reads off the values at the ends from `begin` to `stop`, which lie in the strip.
template <class T>
__device__ void collect(T* to, const T* values, const Strip& z, const Ends& ends, i64 begin, i64 stop) {
    for (i64 e = begin + threadIdx.x; e < stop; e += blockDim.x) to[e] = values[ends.at(z, e)];
}

// Spreads what flows to these ends over the strip's cells. A cell's ends stand together: one thread adds them up.
__device__ void plant(F* seeds, const F* flow, const Strip& z, const Ends& ends, i64 begin, i64 stop) {
    for (i64 i = threadIdx.x; i < z.times() * z.lanes() * STATES; i += blockDim.x) seeds[i] = 0;
    __syncthreads();
    for (i64 e = begin + threadIdx.x; e < stop; e += blockDim.x)
        if (e == begin || !ends.in_one_cell(e - 1, e))
            for (i64 f = e; f < stop && ends.in_one_cell(e, f); f++) seeds[ends.at(z, f)] += flow[f];
    __syncthreads();
}

// Adds every thread's x to a number in memory, always in the same order. All threads of the CUDA block take part.
__device__ void add_over_block(double x, double* to) {
    __shared__ double of_warps[32];
    for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_down_sync(0xffffffffu, x, lanes);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = x;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int warp = 1; warp < blockDim.x / 32; warp++) x += of_warps[warp];
        *to += x;
    }
    __syncthreads();
}

// Binary exponents.
constexpr int MANTISSA = sizeof(F) == 4 ? 23 : 52, BIAS = sizeof(F) == 4 ? 127 : 1023;
__device__ float of_bits(int x) { return __int_as_float(x); }
__device__ double of_bits(i64 x) { return __longlong_as_double(x); }
__device__ int to_bits(float x) { return __float_as_int(x); }
__device__ i64 to_bits(double x) { return __double_as_longlong(x); }
__device__ I binade(F x) { return (to_bits(x) >> MANTISSA) - BIAS; }
__device__ F power_of_two(I e) { return of_bits(I(e + BIAS) << MANTISSA); }
__device__ F exp2_below(I e, I most) { return of_bits(max(BIAS - most + e, I(0)) << MANTISSA); }
__device__ I integer(F x) { return I(x > F(-1073741824) ? x < F(1073741824) ? x : F(1073741824) : F(-1073741824)); }
__device__ F scale(F mantissa, I exponent) { return ldexp(mantissa, int(min(max(exponent, I(-4000)), I(4000)))); }
__device__ F mantissa(F x) {
    int exponent;
    return frexp(x, &exponent);
}
__device__ I exponent(F x) {
    int exponent;
    frexp(x, &exponent);
    return x - x == 0 ? exponent : 0;
}
