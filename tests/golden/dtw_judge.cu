// Emitted by dpsemiring; do not edit.

typedef long long i64;
typedef float F;  // numbers
typedef int I;  // binary exponents
#define INF __int_as_float(0x7f800000)
#define NAN_ __int_as_float(0x7fffffff)

// ... cuda_numbers.cuh ...

extern "C" __global__ void judge(
    i64 items, i64 panels, bool* nan, double cells, const I* most0, const double* all_p0, i64 own_p0
) {
    const i64 thread = blockIdx.x * i64(blockDim.x) + threadIdx.x, warps = gridDim.x * i64(blockDim.x) / 32;
    for (i64 b = thread / 32; b < items; b += warps) {
        bool lost = false;
        I bits0 = 0;
        for (i64 p = thread % 32; p < panels; p += 32) bits0 = max(bits0, most0[b * panels + p]);
        #pragma unroll
        for (int far = 16; far > 0; far /= 2) bits0 = max(bits0, __shfl_xor_sync(0xffffffffu, bits0, far));
        const double size0 = of_bits(bits0);
        lost |= bits0 >= to_bits(F(INF));  // beyond infinity are NaN
        const double p0 = all_p0[b * own_p0];
        const double t0 = -1.0 / p0;
        const double t1 = 0.6931471805599453 / t0;
        const double t2 = t1 < 0 ? -t1 : t1;
        const double t3 = 1048576.0 * t2;
        const double t4 = size0 > 0.0 ? size0 : 0.0;
        const bool t5 = t3 < t4;
        const double t6 = 268435456.0 * t2;
        const double t7 = t4 * cells;
        const bool t8 = t6 < t7;
        const bool t9 = t5 || t8;
        const bool t10 = 4194304.0 < cells;
        const bool t11 = t9 || t10;
        lost |= t11;
        if (lost && thread % 32 == 0) nan[b] = true;
    }
}
