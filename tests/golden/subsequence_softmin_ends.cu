// Emitted by dpsemiring; do not edit.

typedef long long i64;
typedef double F;  // numbers
typedef i64 I;  // binary exponents
#define INF __longlong_as_double(0x7ff0000000000000ll)
#define NAN_ __longlong_as_double(0x7fffffffffffffffll)

// ... cuda_numbers.cuh ...

constexpr int LANES = 32;  // that serve an item
constexpr unsigned WARP = 0xffffffffu;

extern "C" __global__ void total(
    i64 items, i64 each, const bool* skip, const bool* stands, const double* all_p0, i64 own_p0, const float* D0,
    double* out0, bool* some
) {
    const i64 thread = blockIdx.x * i64(blockDim.x) + threadIdx.x, threads = gridDim.x * i64(blockDim.x);
    const int lane = thread % LANES;
    for (i64 b = thread / LANES; b < items; b += threads / LANES) {
        const bool lost = skip[b];
        const double p0 = all_p0[b * own_p0];
        double x10 = -INF;
        double x13 = INF;
        for (i64 from = 0; from < each; from += LANES) {
            const bool here = from + lane < each;
            const i64 e = here ? from + lane : each - 1, at = b * each + e;
            const bool exist = here && !skip[b] && (!stands || stands[at]);
            const double v0 = D0[at];
            const bool t6 = v0 != INF;
            const bool t7 = exist && t6;
            const double t9 = t7 ? 1.0 : 0.0;
            const double t12 = t7 ? v0 : INF;
            x10 = t9 > x10 ? t9 : x10;
            x13 = t12 < x13 ? t12 : x13;
        }
        #pragma unroll
        for (int far = LANES / 2; far > 0; far /= 2) {
            const double far_x10 = __shfl_down_sync(WARP, x10, far);
            x10 = far_x10 > x10 ? far_x10 : x10;
            const double far_x13 = __shfl_down_sync(WARP, x13, far);
            x13 = far_x13 < x13 ? far_x13 : x13;
        }
        x10 = __shfl_sync(WARP, x10, 0);
        x13 = __shfl_sync(WARP, x13, 0);
        const bool x11 = 0.0 < x10;
        double x19 = 0.0;
        for (i64 from = 0; from < each; from += LANES) {
            const bool here = from + lane < each;
            const i64 e = here ? from + lane : each - 1, at = b * each + e;
            const bool exist = here && !skip[b] && (!stands || stands[at]);
            const double v0 = D0[at];
            const bool t6 = v0 != INF;
            const bool t7 = exist && t6;
            const double t15 = __dsub_rn(x13, v0);
            const double t16 = t15 / p0;
            const double t17 = exp(t16);
            const double t18 = t7 ? t17 : 0.0;
            x19 = __dadd_rn(x19, t18);
        }
        #pragma unroll
        for (int far = LANES / 2; far > 0; far /= 2) {
            const double far_x19 = __shfl_down_sync(WARP, x19, far);
            x19 = __dadd_rn(x19, far_x19);
        }
        x19 = __shfl_sync(WARP, x19, 0);
        const double x20 = log(x19);
        const double x21 = __dmul_rn(p0, x20);
        const double x22 = __dsub_rn(x13, x21);
        const double x23 = x11 ? x22 : INF;
        const double x24 = lost ? NAN_ : x23;
        if (lane == 0) out0[b] = x24;
        if (lane == 0) some[b] = x11;
    }
}

extern "C" __global__ void flows(
    i64 items, i64 each, const bool* skip, const bool* stands, const double* all_p0, i64 own_p0, const float* D0,
    double* dp0, float* dA0
) {
    const i64 thread = blockIdx.x * i64(blockDim.x) + threadIdx.x, threads = gridDim.x * i64(blockDim.x);
    const int lane = thread % LANES;
    for (i64 b = thread / LANES; b < items; b += threads / LANES) {
        const bool lost = skip[b];
        const double p0 = all_p0[b * own_p0];
        const double x20 = -p0;
        double x8 = -INF;
        double x11 = INF;
        for (i64 from = 0; from < each; from += LANES) {
            const bool here = from + lane < each;
            const i64 e = here ? from + lane : each - 1, at = b * each + e;
            const bool exist = here && !skip[b] && (!stands || stands[at]);
            const double v0 = D0[at];
            const bool t4 = v0 != INF;
            const bool t5 = exist && t4;
            const double t7 = t5 ? 1.0 : 0.0;
            const double t10 = t5 ? v0 : INF;
            x8 = t7 > x8 ? t7 : x8;
            x11 = t10 < x11 ? t10 : x11;
        }
        #pragma unroll
        for (int far = LANES / 2; far > 0; far /= 2) {
            const double far_x8 = __shfl_down_sync(WARP, x8, far);
            x8 = far_x8 > x8 ? far_x8 : x8;
            const double far_x11 = __shfl_down_sync(WARP, x11, far);
            x11 = far_x11 < x11 ? far_x11 : x11;
        }
        x8 = __shfl_sync(WARP, x8, 0);
        x11 = __shfl_sync(WARP, x11, 0);
        const bool x9 = 0.0 < x8;
        double x17 = 0.0;
        for (i64 from = 0; from < each; from += LANES) {
            const bool here = from + lane < each;
            const i64 e = here ? from + lane : each - 1, at = b * each + e;
            const bool exist = here && !skip[b] && (!stands || stands[at]);
            const double v0 = D0[at];
            const bool t4 = v0 != INF;
            const bool t5 = exist && t4;
            const double t12 = __dsub_rn(x11, v0);
            const double t14 = t12 / p0;
            const double t15 = exp(t14);
            const double t16 = t5 ? t15 : 0.0;
            x17 = __dadd_rn(x17, t16);
        }
        #pragma unroll
        for (int far = LANES / 2; far > 0; far /= 2) {
            const double far_x17 = __shfl_down_sync(WARP, x17, far);
            x17 = __dadd_rn(x17, far_x17);
        }
        x17 = __shfl_sync(WARP, x17, 0);
        const double x18 = log(x17);
        const double x19 = -x18;
        const double x21 = x20 / x17;
        double x27 = 0.0;
        for (i64 from = 0; from < each; from += LANES) {
            const bool here = from + lane < each;
            const i64 e = here ? from + lane : each - 1, at = b * each + e;
            const bool exist = here && !skip[b] && (!stands || stands[at]);
            const double v0 = D0[at];
            const bool t4 = v0 != INF;
            const bool t5 = exist && t4;
            const double t12 = __dsub_rn(x11, v0);
            const double t14 = t12 / p0;
            const double t15 = exp(t14);
            const double t22 = __dmul_rn(x21, t15);
            const double t23 = __dmul_rn(t22, t14);
            const double t24 = -t23;
            const double t25 = t24 / p0;
            const double t26 = t5 ? t25 : 0.0;
            x27 = __dadd_rn(x27, t26);
        }
        #pragma unroll
        for (int far = LANES / 2; far > 0; far /= 2) {
            const double far_x27 = __shfl_down_sync(WARP, x27, far);
            x27 = __dadd_rn(x27, far_x27);
        }
        x27 = __shfl_sync(WARP, x27, 0);
        const double x28 = __dadd_rn(x19, x27);
        const double x29 = x9 ? x28 : 0.0;
        if (lane == 0) dp0[b] = x29;
        for (i64 from = 0; from < each; from += LANES) {
            const bool here = from + lane < each;
            const i64 e = here ? from + lane : each - 1, at = b * each + e;
            const bool exist = here && !skip[b] && (!stands || stands[at]);
            const double v0 = D0[at];
            const bool t4 = v0 != INF;
            const bool t5 = exist && t4;
            const double t12 = __dsub_rn(x11, v0);
            const double t14 = t12 / p0;
            const double t15 = exp(t14);
            const double t22 = __dmul_rn(x21, t15);
            const double t32 = t22 / p0;
            const double t33 = -t32;
            const double t34 = t5 ? t33 : 0.0;
            const double t35 = lost ? NAN_ : t34;
            if (here) dA0[at] = t35;
        }
    }
}
