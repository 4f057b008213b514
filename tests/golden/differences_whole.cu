// Emitted by dpsemiring; do not edit.

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
constexpr int MARGIN = 0;  // columns that it does
constexpr int STATES = 1;

// ... cuda_panel.cuh ...

constexpr int JOINED = 4;
// ... cuda_sources.cuh ...

extern "C" __global__ void make(
    i64 items, i64 rows, i64 width, i64 panels, i64 blocks, const bool* skip, const i64* n_len, const i64* m_len,
    F* plane, double forbid, const F* P0_x, i64 P0_x_b, const F* P0_y, i64 P0_y_b, const F* P0_down, i64 P0_down_b,
    i64 P0_depth, i64 P0_wide, double P0_scale
) {
    const int lane = threadIdx.x % LANES;
    const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;
    for (i64 q = warp; q < items * panels * blocks; q += i64(gridDim.x) * blockDim.x / LANES) {
        i64 rest = q;
        const i64 p = rest % (panels);
        rest /= panels;
        const i64 block = rest % (blocks);
        rest /= blocks;
        const i64 b = rest;
        if (skip[b] || !n_len[b] || !m_len[b]) continue;
        const Frames P0 = {P0_x + b * P0_x_b, P0_y + b * P0_y_b, P0_down + b * P0_down_b, P0_wide, int(P0_depth), F(P0_scale)};
        const int first = int(p) * WIDTH, across = int(min(i64(WIDTH), width - first));
        F* const part = plane + b * rows * width + first;
        const Ring W = {part, int(n_len[b]), int(m_len[b]), first, lane, across, -1, width, width, F(forbid)};
        const int from = int(block) * 32, to = int(min(n_len[b], i64(from + 32)));
        fill<Differences>(W, P0, first + lane * COLUMNS, from, to, true);
    }
}

extern "C" __global__ void columns0(
    i64 items, i64 rows, i64 width, i64 panels, i64 blocks, const bool* skip, const i64* n_len, const i64* m_len,
    F* plane, const F* P0_x, i64 P0_x_b, const F* P0_y, i64 P0_y_b, const F* P0_down, i64 P0_down_b, i64 P0_depth,
    i64 P0_wide, double P0_scale, F* dP0_down, i64 dP0_down_b
) {
    const int lane = threadIdx.x % LANES;
    const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;
    for (i64 q = warp; q < items * ((P0_depth + QUAD - 1) / QUAD) * panels; q += i64(gridDim.x) * blockDim.x / LANES) {
        i64 rest = q;
        const i64 quad = rest % (((P0_depth + QUAD - 1) / QUAD));
        rest /= ((P0_depth + QUAD - 1) / QUAD);
        const i64 p = rest % (panels);
        rest /= panels;
        const i64 b = rest;
        if (skip[b] || !n_len[b] || !m_len[b]) continue;
        const Frames P0 = {P0_x + b * P0_x_b, P0_y + b * P0_y_b, P0_down + b * P0_down_b, P0_wide, int(P0_depth), F(P0_scale)};
        const int first = int(p) * WIDTH, across = int(min(i64(WIDTH), width - first));
        F* const part = plane + b * rows * width + first;
        const Ring Q = {part, int(n_len[b]), int(m_len[b]), first, lane, across, -1, width, width, 0};
        drain_columns<Differences>(Q, P0, dP0_down + b * dP0_down_b, first + lane * COLUMNS, 0, Q.rows, int(quad) * QUAD, int(quad + 1) * QUAD);
    }
}

extern "C" __global__ void rows0(
    i64 items, i64 rows, i64 width, i64 panels, i64 blocks, const bool* skip, const i64* n_len, const i64* m_len,
    F* plane, const F* P0_x, i64 P0_x_b, const F* P0_y, i64 P0_y_b, const F* P0_down, i64 P0_down_b, i64 P0_depth,
    i64 P0_wide, double P0_scale, F* dP0_x, i64 dP0_x_b
) {
    const int lane = threadIdx.x % LANES;
    const i64 warp = (blockIdx.x * i64(blockDim.x) + threadIdx.x) / LANES;
    for (i64 q = warp; q < items * ((P0_depth + LANES - 1) / LANES) * ((rows + TALL - 1) / TALL); q += i64(gridDim.x) * blockDim.x / LANES) {
        i64 rest = q;
        const i64 field = rest % (((P0_depth + LANES - 1) / LANES));
        rest /= ((P0_depth + LANES - 1) / LANES);
        const i64 few = rest % (((rows + TALL - 1) / TALL));
        rest /= ((rows + TALL - 1) / TALL);
        const i64 b = rest;
        if (skip[b] || !n_len[b] || !m_len[b]) continue;
        const Frames P0 = {P0_x + b * P0_x_b, P0_y + b * P0_y_b, P0_down + b * P0_down_b, P0_wide, int(P0_depth), F(P0_scale)};
        const int from = int(few) * TALL, to = int(min(n_len[b], i64(from + TALL)));
        for (i64 p = 0; p < panels && p * WIDTH < m_len[b]; p++) {
            const int first = int(p) * WIDTH, across = int(min(i64(WIDTH), width - first));
            F* const part = plane + b * rows * width + first;
            const Ring Q = {part, int(n_len[b]), int(m_len[b]), first, lane, across, -1, width, width, 0};
            drain_rows<Differences>(Q, P0, dP0_x + b * dP0_x_b, from, to, int(field) * LANES, min(int(field + 1) * LANES, P0.depth));
        }
    }
}
