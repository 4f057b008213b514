"""The emulation runs right kernels right, and exposes wrong ones."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dpsemiring.testing.emulation import (
    ORDERS,
    CompilationError,
    Emulated,
    EmulationError,
    compile_for,
    missing_compiler,
    missing_cuda_compiler,
)

needs_gxx = pytest.mark.emulation
needs_cuda_compiler = pytest.mark.nvidia

# One text, so that each mode costs one run of the compiler.
TEXT = r"""
#define FULL 0xffffffffu
typedef long long i64;

// Two static shared variables, in an inline function and in a template.
__device__ __forceinline__ float sum_before_warp(float own_total, int warp, int lane) {
    __shared__ float totals[32];
    if (lane == min((int)(blockDim.x - 32 * warp), 32) - 1) totals[warp] = own_total;
    __syncthreads();
    float sum = 0.0f;
    for (int w = 0; w < warp; w++) sum += totals[w];
    __syncthreads();
    return sum;
}

template <class T>
__device__ T sum_of_block(T value) {
    __shared__ T values[1024];
    values[threadIdx.x] = value;
    __syncthreads();
    for (int half = 512; half > 0; half /= 2) {
        if (threadIdx.x < half && threadIdx.x + half < blockDim.x)
            values[threadIdx.x] += values[threadIdx.x + half];
        __syncthreads();
    }
    return values[0];
}

extern "C" __global__ void __launch_bounds__(1024)
prefix_sum(const float* __restrict__ x, float* __restrict__ y, i64 n) {
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    float sum = i < n ? __ldg(x + i) : 0.0f;
    for (int delta = 1; delta < 32; delta *= 2) {
        const float before = __shfl_up_sync(FULL, sum, delta);
        if (lane >= delta) sum = __fadd_rn(sum, before);
    }
    sum += sum_before_warp(sum, warp, lane);
    if (i < n) y[i] = sum;
}

extern "C" __global__ void block_sums(const double* x, double* sums, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const double sum = sum_of_block<double>(i < n ? x[i] : 0.0);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// v(t, l) = cost(t, l) + max(v(t-1, l), v(t-1, l-1)), one thread a column l.
template <bool ORDERED, class Buffer>
__device__ void wavefront(const float* cost, Buffer buffer, float* last, int steps) {
    const int l = threadIdx.x, width = blockDim.x;
    float own = 0.0f;
    for (int t = 0; t < steps; t++) {
        float left = own;
        if (l > 0 && t > 0) left = buffer[(t - 1) % 2 * width + l - 1];
        own = cost[t * width + l] + fmaxf(own, left);
        buffer[t % 2 * width + l] = own;
        if (ORDERED) __syncthreads();
    }
    last[l] = own;
}

extern "C" __global__ void wavefront_shared(const float* cost, float* last, int steps) {
    extern __shared__ __align__(16) float rows[];
    wavefront<true>(cost, rows, last, steps);
}
extern "C" __global__ void wavefront_shared_unordered(const float* cost, float* last, int steps) {
    extern __shared__ float rows[];
    wavefront<false>(cost, rows, last, steps);
}
extern "C" __global__ void wavefront_global(const float* cost, float* rows, float* last,
                                            int steps) {
    wavefront<true>(cost, rows, last, steps);
}

// The whole history stays in memory, so running the columns one by one, left to right, is right.
extern "C" __global__ void wavefront_history(const float* cost, float* v, int steps, int ordered) {
    const int l = threadIdx.x, width = blockDim.x;
    float own = 0.0f;
    for (int t = 0; t < steps; t++) {
        const float left = l > 0 && t > 0 ? v[(t - 1) * width + l - 1] : own;
        own = cost[t * width + l] + fmaxf(own, left);
        v[t * width + l] = own;
        if (ordered) __syncthreads();
    }
}

// Within a warp by shuffles, between warps through shared memory: a missing barrier concerns the
// warps only, and each step's shuffle would keep them in time under a fair schedule.
extern "C" __global__ void wavefront_warps(const float* cost, float* last, int steps, int ordered) {
    __shared__ float border[2][32];
    const int l = threadIdx.x, width = blockDim.x, warp = l / 32, lane = l % 32;
    float own = 0.0f;
    for (int t = 0; t < steps; t++) {
        float left = __shfl_up_sync(FULL, own, 1);
        if (lane == 0) left = warp > 0 && t > 0 ? border[(t - 1) % 2][warp - 1] : own;
        own = cost[t * width + l] + fmaxf(own, left);
        if (lane == 31) border[t % 2][warp] = own;
        if (ordered) __syncthreads();
    }
    last[l] = own;
}

extern "C" __global__ void shuffles(int* up, long long* down, double* xor_, float* from,
                                    int width) {
    const int l = threadIdx.x;
    up[l] = __shfl_up_sync(FULL, l, 3, width);
    down[l] = __shfl_down_sync(FULL, (long long)l << 40, 2, width);
    xor_[l] = __shfl_xor_sync(FULL, l + 0.25, 5, width);
    from[l] = __shfl_sync(FULL, l + 0.5f, 6, width);
}

extern "C" __global__ void votes(const int* x, unsigned* ballots, int* any, int* all, int* count) {
    const int l = threadIdx.x;
    ballots[l] = __ballot_sync(FULL, x[l] > 0);
    if (l % 32 < 16) {
        any[l] = __any_sync(0x0000ffffu, x[l] > 1);
        all[l] = __all_sync(0x0000ffffu, x[l] > 0);
    }
    count[l] = __syncthreads_count(x[l] > 0);
}

extern "C" __global__ void coordinates(int* seen) {
    const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    seen[block * blockDim.x * blockDim.y * blockDim.z + thread]++;
}

// Tiles are handed out by a ticket, so that a tile always finds its predecessor begun.
extern "C" __global__ void chain(int* ticket, volatile int* done, long long* sums, int n) {
    __shared__ int tile;
    if (threadIdx.x == 0) tile = atomicAdd(ticket, 1);
    __syncthreads();
    if (threadIdx.x == 0) {
        long long before = 0;
        if (tile > 0) {
            while (done[tile - 1] == 0) __nanosleep(100);
            __threadfence();
            before = sums[tile - 1];
        }
        sums[tile] = before + tile;
        __threadfence();
        done[tile] = 1;
    }
}

extern "C" __global__ void numbers(float* out, float f, double d, int i, long long big, bool b) {
    out[0] = f; out[1] = (float)d; out[2] = i; out[3] = (float)(big >> 32); out[4] = b;
    out[5] = __int_as_float(__float_as_int(f) + 1);
    out[6] = (float)__longlong_as_double(__double_as_longlong(d));
    out[7] = ldexpf(exp2f(f), 3) + max(i, 2) + __expf(0.0f);
}

// ---- wrong on purpose ----

extern "C" __global__ void divergent_barrier(int how) {
    if (how == 0 && threadIdx.x >= 7) return;
    if (how == 1 && threadIdx.x < 32) __syncwarp();
    if (how == 2 && threadIdx.x % 2) __syncthreads();
    else if (how == 3 && threadIdx.x >= 32) __ballot_sync(threadIdx.x == 32 ? FULL : ~1u, 1);
    else __syncthreads();
}

extern "C" __global__ void lane_missing(float* y, unsigned mask) {
    if (threadIdx.x != 5) y[threadIdx.x] = __shfl_down_sync(mask, 1.0f, 1);
}

extern "C" __global__ void from_nowhere(float* y) {
    const unsigned mask = __ballot_sync(FULL, threadIdx.x < 4);
    if (threadIdx.x < 4) y[threadIdx.x] = __shfl_sync(mask, 1.0f, 2 * threadIdx.x);
}

extern "C" __global__ void uninitialised(float* y, double* z) {
    __shared__ float values[33];
    extern __shared__ double more[];
    y[threadIdx.x] = values[threadIdx.x];
    z[threadIdx.x] = more[threadIdx.x];
    __syncthreads();
    values[threadIdx.x] = 0.0f;
    more[threadIdx.x] = 0.0;
}

extern "C" __global__ void out_of_bounds(const float* x, float* y, int read, int write, int shared,
                                         int dynamic, int local) {
    __shared__ float values[32];
    extern __shared__ float staged[];
    float registers[4] = {0, 1, 2, 3};
    const int l = threadIdx.x;
    values[l] = staged[l] = x[l];
    __syncthreads();
    registers[l % 4] += 1.0f;
    const float sum = values[l + shared] + staged[l + dynamic] + registers[l % 4 + local];
    y[l + write] = x[l + read] + sum;
}

__device__ __noinline__ float at(const float* values, int i) { return values[i]; }

extern "C" __global__ void beyond(float* y, int which, int offset) {
    __shared__ float shared[32];
    float local[32];
    float* const values = which ? local : shared;
    for (int i = 0; i < 32; i++) values[i] = i;
    __syncthreads();
    y[threadIdx.x] = at(values, threadIdx.x + offset);
}

extern "C" __global__ void overflow(int* x) { x[0] += 1; }

extern "C" __global__ void lost_update(float* total, int how) {
    if (how == 0) total[0] += 1.0f;
    if (how == 1) atomicAdd(total, 1.0f);
}

extern "C" __global__ void between_lanes(float* y, int ordered) {
    __shared__ float values[32];
    values[threadIdx.x] = threadIdx.x;
    if (ordered) __syncwarp();
    else __shfl_sync(FULL, 0, 0);
    y[threadIdx.x] = values[threadIdx.x ^ 1];
}

extern "C" __global__ void between_blocks(float* y) {
    if (blockIdx.x == 0) y[0] = 1.0f;
    else y[1] = y[0];
}

extern "C" __global__ void endless(volatile int* flag) { while (*flag == 0) __nanosleep(1); }

extern "C" __global__ void wild(float* y) { y[(1ll << 44) + threadIdx.x] = 1.0f; }
"""

PRINTS = r"""
extern "C" __global__ void k(const void* nothing) {
    if (!nothing) printf("thread %d\n", threadIdx.x);
}"""


def has_fma():
    cpu = Path("/proc/cpuinfo")
    return cpu.exists() and re.search(r"\bfma\b|\basimd\b", cpu.read_text()) is not None


@pytest.fixture(scope="module")
def emulate():
    return functools.cache(lambda **mode: Emulated(TEXT, **mode))


@pytest.fixture(params=ORDERS)
def order(request):
    return request.param


def wavefront(cost):
    v = np.zeros(cost.shape[1], np.float32)
    for row in cost:
        v = row + np.maximum(v, np.concatenate([v[:1], v[:-1]]))
    return v


def make_cost(steps, width):
    return np.random.default_rng(0).normal(size=(steps, width)).astype(np.float32)


def run_wavefront(emulated, kernel, cost, order, *more):
    """The last row that a kernel finds; NaN where it has written none."""
    steps, width = cost.shape
    last = np.full(width, np.nan, np.float32)
    shared = 2 * 4 * width if "shared" in kernel else 0
    rows = [np.full((2, width), np.nan, np.float32)] if "global" in kernel else []
    arguments = (cost, *rows, last, steps, *more)
    emulated.launch(kernel, 1, width, *arguments, shared_bytes=shared, order=order)
    return last


@needs_gxx
@pytest.mark.parametrize("mode", [{}, {"sanitize": True}, {"races": True}], ids=str)
class TestRightKernels:
    @pytest.fixture
    def emulated(self, emulate, mode):
        return emulate(**mode)

    def test_prefix_sum_of_several_blocks_with_a_partial_warp(self, emulated, order):
        x = np.random.default_rng(1).integers(-9, 9, size=3 * 104 - 7).astype(np.float32)
        y = np.full_like(x, np.nan)
        emulated.launch("prefix_sum", 3, 104, x, y, x.size, order=order)
        expected = np.concatenate([np.cumsum(x[i : i + 104]) for i in range(0, x.size, 104)])
        np.testing.assert_array_equal(y, expected)

    def test_sums_of_doubles_in_blocks_of_40(self, emulated, order):
        x = np.arange(100, dtype=np.float64) + 2.0**-40
        sums = np.full(3, np.nan)
        emulated.launch("block_sums", 3, 40, x, sums, np.int32(x.size), order=order)
        np.testing.assert_allclose(sums, [x[:40].sum(), x[40:80].sum(), x[80:].sum()], rtol=1e-15)

    @pytest.mark.parametrize("kernel", ["wavefront_shared", "wavefront_global"])
    def test_time_wavefront(self, emulated, kernel, order):
        cost = make_cost(20, 40)
        found = run_wavefront(emulated, kernel, cost, order)
        np.testing.assert_array_equal(found, wavefront(cost))

    def test_wavefront_across_warps(self, emulated, order):
        cost = make_cost(20, 96)
        found = run_wavefront(emulated, "wavefront_warps", cost, order, 1)
        np.testing.assert_array_equal(found, wavefront(cost))

    def test_tiles_that_wait_for_each_other(self, emulated, order):
        ticket, done = np.zeros(1, np.int32), np.zeros(5, np.int32)
        sums = np.zeros(5, np.int64)
        emulated.launch("chain", 5, 2, ticket, done, sums, 5, order=order)
        assert sums.tolist() == [0, 1, 3, 6, 10]


@needs_gxx
class TestLanguage:
    @pytest.mark.parametrize("width", [32, 8])
    def test_shuffles(self, emulate, width, order):
        up, down = np.zeros(32, np.int32), np.zeros(32, np.int64)
        xor, source = np.zeros(32), np.zeros(32, np.float32)
        emulate().launch("shuffles", 1, 32, up, down, xor, source, width, order=order)
        lane = np.arange(32)
        at = lane % width
        np.testing.assert_array_equal(up, np.where(at >= 3, lane - 3, lane))
        np.testing.assert_array_equal(down >> 40, np.where(at + 2 < width, lane + 2, lane))
        np.testing.assert_array_equal(xor, (lane ^ 5) + 0.25)
        np.testing.assert_array_equal(source, lane - at + 6.5)

    def test_votes_in_a_partial_warp(self, emulate, order):
        x = np.ones(40, np.int32)
        x[[3, 37]] = 0
        x[35] = 2
        ballots, out = np.zeros(40, np.uint32), np.full((3, 40), -1, np.int32)
        # A mask may name lanes beyond the block, but not ones that wait elsewhere.
        emulate().launch("votes", 1, 40, x, ballots, *out, order=order)
        assert set(ballots[:32]) == {0xFFFFFFFF ^ 1 << 3}
        assert set(ballots[32:]) == {0xFF ^ 1 << 5}
        assert out[0, [0, 15, 16, 32, 39]].tolist() == [0, 0, -1, 1, 1]
        assert out[1, [0, 15, 16, 32, 39]].tolist() == [0, 0, -1, 0, 0]
        assert set(out[2]) == {38}

    def test_coordinates_in_three_dimensions(self, emulate, order):
        seen = np.zeros((24, 30), np.int32)
        emulate().launch("coordinates", (2, 3, 4), (5, 3, 2), seen, order=order)
        assert (seen == 1).all()

    def test_numbers(self, emulate):
        out = np.zeros(8, np.float32)
        emulate().launch("numbers", 1, 1, out, 1, np.float64(0.1), 7, 5 << 32, True)
        one_ulp_up = np.nextafter(np.float32(1), np.float32(2))
        expected = [1, np.float32(0.1), 7, 5, 1, one_ulp_up, np.float32(0.1), 16 + 7 + 1]
        np.testing.assert_array_equal(out, np.array(expected, np.float32))

    def test_shared_memory_starts_as_garbage_in_every_block(self, emulate):
        y, z = np.zeros(32, np.float32), np.zeros(32)
        emulate().launch("uninitialised", 2, 32, y, z, shared_bytes=32 * 8)
        assert np.isnan(y).all() and np.isnan(z).all()

    def test_a_value_from_a_lane_that_takes_no_part_is_garbage(self, emulate):
        y = np.zeros(4, np.float32)
        emulate().launch("from_nowhere", 1, 32, y)
        np.testing.assert_array_equal(y, [1, 1, np.nan, np.nan])

    @pytest.mark.skipif(not has_fma(), reason="this processor has no fused multiply-add")
    def test_contraction_spares_the_rounded_functions(self):
        text = """
        extern "C" __global__ void k(float a, float c, float* y) {
            y[0] = a * a + c; y[1] = __fadd_rn(__fmul_rn(a, a), c); y[2] = __fmaf_rn(a, a, c);
        }"""
        fused = 2.0**-24
        for contract, expected in [(False, [0, 0, fused]), (True, [fused, 0, fused])]:
            y = np.ones(3, np.float32)
            emulated = Emulated(text, contract=contract)
            emulated.launch("k", 1, 1, 1 + 2.0**-12, -(1 + 2.0**-11), y)
            assert y.tolist() == expected

    def test_printing(self, emulate, capsys):
        Emulated(PRINTS).launch("k", 1, 2, None, order="descending")
        assert capsys.readouterr().out == "thread 1\nthread 0\n"

    def test_compiler_errors_name_the_line_of_the_text(self):
        with pytest.raises(CompilationError, match=r"kernel\.cu:3:.*INFINITY"):
            Emulated('\n\nextern "C" __global__ void k(float* y) { *y = INFINITY; }')


@needs_gxx
class TestArguments:
    @pytest.mark.parametrize(
        "arguments, message",
        [
            ((np.zeros(8), 1.0, 1.0, 1, 1, True), "argument 1 is an array of f8.*declares f4"),
            ((np.zeros(8, np.float32), np.float64(1), 1.0, 1, 1, True), "argument 2 is f8.*f4"),
            ((np.zeros(8, np.float32), 1.0, 1.0, 1.5, 1, True), "argument 4 is real.*i4"),
            ((np.zeros(8, np.float32), 1.0, 1.0, 1 << 31, 1, True), "argument 4 .*cannot hold"),
            ((np.zeros(8, np.float32), 1.0, 1.0, 1, np.int32(1), True), "argument 5 is i4.*i8"),
            ((np.zeros(8, np.float32), 1.0, 1.0, 1, 1), "5 arguments are given to a kernel of 6"),
            ((1.0, 1.0, 1.0, 1, 1, True), "argument 1 is the number"),
        ],
    )
    def test_that_do_not_fit_the_signature(self, emulate, arguments, message):
        with pytest.raises(EmulationError, match=message):
            emulate().launch("numbers", 1, 1, *arguments)

    def test_a_read_only_array_is_no_output(self, emulate):
        out = np.zeros(8, np.float32)
        out.flags.writeable = False
        with pytest.raises(EmulationError, match="read-only"):
            emulate().launch("numbers", 1, 1, out, 1.0, 1.0, 1, 1, True)

    def test_an_array_given_twice_is_one_array(self, emulate):
        x = np.ones(5, np.float32)
        emulate().launch("prefix_sum", 1, 5, x, x, 5)
        assert x.tolist() == [1, 2, 3, 4, 5]

    def test_refused_before_the_launch(self, emulate):
        x = np.ones(10, np.float32)
        launch = emulate().launch
        for arguments, shape, message in [
            ((x, x[1:], 5), {}, "overlaps"),
            ((x[::2], x, 5), {}, "C-contiguous"),
            ((x, x, 5), {"block": 1025}, "1024"),
            ((x, x, 5), {"grid": 0}, "at least 1"),
            ((x, x, 5), {"order": "sideways"}, "expected one of"),
            ((x, x, 5), {"shared_bytes": 1 << 20}, "shared_bytes"),
        ]:
            shape = {"grid": 1, "block": 1, **shape}
            with pytest.raises(ValueError, match=message):
                launch("prefix_sum", shape.pop("grid"), shape.pop("block"), *arguments, **shape)
        with pytest.raises(TypeError, match="argument 3 is a str"):
            launch("prefix_sum", 1, 1, x, x, "5")
        with pytest.raises(ValueError, match="no kernel"):
            launch("suffix_sum", 1, 1)


@needs_gxx
class TestFaults:
    @pytest.mark.parametrize(
        "how, message",
        [
            (0, r"divergent barrier(.|\n)*0-6: wait in __syncthreads(.|\n)*7-39: ended"),
            (2, r"divergent barrier: threads of one block wait at different ones"),
            (3, r"lanes 1 2 3 4 5 6 7 of warp 1 (.|\n)*0-31: wait in __syncthreads"),
        ],
    )
    def test_divergent_barrier(self, emulate, order, how, message):
        with pytest.raises(EmulationError, match=message):
            emulate().launch("divergent_barrier", 1, 40, how, order=order)

    @pytest.mark.parametrize("mode", [{}, {"sanitize": True}, {"races": True}], ids=str)
    def test_lane_missing_in_a_shuffle(self, emulate, mode, order):
        y = np.zeros(32, np.float32)
        with pytest.raises(EmulationError, match="lanes 5 of warp 0 are named by mask 0xffffffff"):
            emulate(**mode).launch("lane_missing", 1, 32, y, 0xFFFFFFFF, order=order)
        emulate(**mode).launch("lane_missing", 1, 32, y, 0xFFFFFFFF ^ 1 << 5, order=order)

    def test_a_mask_without_the_caller(self, emulate):
        with pytest.raises(EmulationError, match="does not name lane 0"):
            emulate().launch("lane_missing", 1, 32, np.zeros(32, np.float32), 0xFFFFFFFE)

    @pytest.mark.parametrize(
        "kernel, more",
        [("wavefront_shared_unordered", ()), ("wavefront_warps", (0,))],
    )
    def test_missing_barrier_is_exposed_by_an_order(self, emulate, kernel, more):
        cost = make_cost(20, 96)
        right = [np.array_equal(run_wavefront(emulate(), kernel, cost, order, *more), wavefront(cost)) for order in ORDERS]
        assert not any(right)

    def test_missing_barrier_that_the_ascending_order_hides(self, emulate):
        cost = make_cost(20, 96)
        right = {}
        for order in ORDERS:
            v = np.full_like(cost, np.nan)
            emulate().launch("wavefront_history", 1, 96, cost, v, 20, 0, order=order)
            right[order] = np.array_equal(v[-1], wavefront(cost))
        assert right == {"ascending": True, "descending": False, "shuffled": False}

    def test_missing_barrier_is_a_race(self, emulate, order):
        cost = make_cost(20, 96)
        with pytest.raises(EmulationError, match=r"data race: byte \d+ of static shared memory"):
            run_wavefront(emulate(races=True), "wavefront_warps", cost, order, 0)
        v = np.full_like(cost, np.nan)
        emulate(races=True).launch("wavefront_history", 1, 96, cost, v, 20, 1, order=order)
        with pytest.raises(EmulationError, match=r"data race: .* of argument 2 ") as caught:
            emulate(races=True).launch("wavefront_history", 1, 96, cost, v, 20, 0, order=order)
        lines = re.findall(r"at line (\d+)", str(caught.value))
        assert len(lines) == 2
        assert all("v[" in TEXT.splitlines()[int(line) - 1] for line in lines)

    def test_races_that_no_order_exposes(self, emulate):
        total, y = np.zeros(1, np.float32), np.zeros(32, np.float32)
        for how, count in [(0, 40), (1, 80)]:
            emulate().launch("lost_update", 1, 40, total, how)
            assert total[0] == count
        races = emulate(races=True)
        races.launch("lost_update", 1, 40, total, 1)
        with pytest.raises(EmulationError, match="data race"):
            races.launch("lost_update", 1, 40, total, 0)
        races.launch("between_lanes", 1, 32, y, 1)
        with pytest.raises(EmulationError, match="data race"):
            races.launch("between_lanes", 1, 32, y, 0)
        with pytest.raises(EmulationError, match=r"of block 0 .*no __threadfence"):
            races.launch("between_blocks", 2, 1, y)

    @pytest.mark.parametrize(
        "offsets, message",
        [
            ((1, 0, 0, 0, 0), r"thread 31 .*\n  at byte 128 of argument 1, which has 128 bytes"),
            ((-1, 0, 0, 0, 0), r"thread 0 .*\n  at byte -4 of argument 1"),
            ((5000, 0, 0, 0, 0), r"at byte 20000 of argument 1"),
            ((1 << 30, 0, 0, 0, 0), r"SEGV"),
            ((0, 1, 0, 0, 0), r"thread 31 .*\n  at byte 128 of argument 2(.|\n)*kernel\.cu:\d"),
            ((0, -3, 0, 0, 0), r"thread 0 .*\n  at byte -12 of argument 2"),
            ((0, 0, 1, 0, 0), r"thread 31 of block \(0, 0, 0\)(.|\n)*index 32 out of bounds"),
            ((0, 0, -2, 0, 0), r"thread 0 .*(.|\n)*index -2 out of bounds"),
            ((0, 0, 0, 2, 0), r"thread 30 .*\n  at byte 128 of dynamic shared memory"),
            ((0, 0, 0, 0, 1), r"thread 3 .*(.|\n)*index 4 out of bounds"),
        ],
    )
    def test_out_of_bounds(self, emulate, offsets, message):
        x, y = np.ones(32, np.float32), np.zeros(32, np.float32)
        sanitized = emulate(sanitize=True)
        sanitized.launch("out_of_bounds", 1, 32, x, y, 0, 0, 0, 0, 0, shared_bytes=128)
        with pytest.raises(EmulationError, match=message):
            sanitized.launch("out_of_bounds", 1, 32, x, y, *offsets, shared_bytes=128)

    @pytest.mark.parametrize("which, name", [(0, "global"), (1, "stack")])
    def test_out_of_bounds_through_a_pointer(self, emulate, which, name):
        y = np.zeros(32, np.float32)
        emulate(sanitize=True).launch("beyond", 1, 32, y, which, 0)
        with pytest.raises(EmulationError, match=f"thread 31 (.|\n)*{name}-buffer-overflow"):
            emulate(sanitize=True).launch("beyond", 1, 32, y, which, 1)

    def test_undefined_arithmetic(self, emulate):
        with pytest.raises(EmulationError, match="signed integer overflow"):
            emulate(sanitize=True).launch("overflow", 1, 1, np.array([2**31 - 1], np.int32))

    def test_a_hang_and_a_crash_are_errors(self, emulate):
        with pytest.raises(EmulationError, match=r"not at its end after 0\.2 s"):
            emulate().launch("endless", 1, 32, np.zeros(1, np.int32), timeout=0.2)
        with pytest.raises(EmulationError, match="SIGSEGV"):
            emulate().launch("wild", 1, 32, np.zeros(1, np.float32))

    def test_modes_exclude_each_other(self):
        with pytest.raises(ValueError, match="exclude each other"):
            Emulated(TEXT, sanitize=True, races=True)


@needs_cuda_compiler
class TestArchitectures:
    def test_reports_of_four(self):
        reports = compile_for(TEXT)
        assert list(reports) == ["sm_75", "sm_80", "sm_90", "sm_120"]
        for report in reports.values():
            use = report.kernels["wavefront_warps"]
            assert 0 < use.registers <= 255 and use.spill_stores == 0
            assert use.shared_bytes == 2 * 32 * 4

    @pytest.mark.parametrize("compiler", ["nvcc", "nvrtc"])
    def test_a_wrong_text_raises_with_the_log(self, compiler):
        text = 'extern "C" __global__ void k(float* y) { *y = no_such_name; }'
        with pytest.raises(CompilationError, match=f"no_such_name|found no {compiler}"):
            compile_for(text, ["sm_80"], compiler=compiler)


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "g++" in missing_compiler()
    with pytest.raises(CompilationError, match=r"g\+\+"):
        Emulated(TEXT)
    if missing_cuda_compiler() is None:  # then NVRTC is here
        assert compile_for(PRINTS, ["sm_80"])["sm_80"].compiler == "nvrtc"
    with pytest.raises(CompilationError, match="found no nvcc"):
        compile_for(PRINTS, compiler="nvcc")


def test_import_needs_numpy_alone():
    program = "import sys, dpsemiring.testing.emulation\nprint(*{'numba', 'cupy', 'cupy_backends', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
