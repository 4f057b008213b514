// The words of CUDA C++ for a host compiler, so that g++ builds the text that a GPU would run.
//
// CUDA threads are fibers, run one at a time between the points at which they wait for each other
// (cuda_scheduler.cpp). This file holds what the kernel text itself needs: keywords, built-in
// variables and built-in functions. A name that is missing here stays an error, as it should.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <type_traits>

// NVRTC reads a text without any header, so what only a header gives must be missing here too.
#undef INFINITY
#undef NAN

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// A section of its own lets the scheduler fill it with garbage before every block.
#define __shared__ static __attribute__((section("emulated_shared")))

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
// Not const: the scheduler changes threadIdx at every switch, behind the compiler's back.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(16) double2 { double x, y; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

namespace emulation {
extern char dynamic_shared[];
int lane();
[[noreturn]] void fault(const char* format, ...) __attribute__((format(printf, 1, 2)));
int barrier(const char* name, int predicate, int line);  // returns how many predicates held
void fence();
void give_way();
// All lanes named by the mask meet. `source` >= 0: the value that lane sent; ALL: one bit a lane.
constexpr int ALL = -1;
unsigned long long meet(const char* name, unsigned mask, unsigned long long value, int source,
                        int line);

template <class T>
auto exchange(const char* name, unsigned mask, T value, int source, int line) {
    auto sent = +value;  // CUDA too promotes narrow integers to int
    static_assert(sizeof sent == 4 || sizeof sent == 8, "shuffles move 4 or 8 bytes");
    unsigned long long bits = 0;
    memcpy(&bits, &sent, sizeof sent);
    bits = meet(name, mask, bits, source, line);
    memcpy(&sent, &bits, sizeof sent);
    return sent;
}

inline int first_of_segment(int width) {
    if (width < 1 || width > 32 || (width & (width - 1)))
        fault("a shuffle's width is %d; it must be a power of two up to 32", width);
    return lane() & ~(width - 1);
}
}  // namespace emulation

// The trailing `line` is the caller's: it tells one waiting point from another, and goes into
// messages.
#define EMULATION_LINE int line = __builtin_LINE()

inline void __syncthreads(EMULATION_LINE) { emulation::barrier("__syncthreads", 0, line); }
inline int __syncthreads_count(int predicate, EMULATION_LINE) {
    return emulation::barrier("__syncthreads_count", predicate, line);
}
inline int __syncthreads_or(int predicate, EMULATION_LINE) {
    return emulation::barrier("__syncthreads_or", predicate, line) != 0;
}
inline int __syncthreads_and(int predicate, EMULATION_LINE) {
    return emulation::barrier("__syncthreads_and", !predicate, line) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATION_LINE) {
    emulation::meet("__syncwarp", mask, 0, emulation::ALL, line);
}
inline void __threadfence() { emulation::fence(); }
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) { emulation::give_way(); }
[[noreturn]] inline void __trap() { emulation::fault("__trap() was reached"); }

template <class T>
auto __shfl_sync(unsigned mask, T value, int source, int width = 32, EMULATION_LINE) {
    const int first = emulation::first_of_segment(width);
    return emulation::exchange("__shfl_sync", mask, value, first + (source & (width - 1)), line);
}
template <class T>
auto __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATION_LINE) {
    const int own = emulation::lane(), room = own - emulation::first_of_segment(width);
    const int source = delta > unsigned(room) ? own : own - int(delta);
    return emulation::exchange("__shfl_up_sync", mask, value, source, line);
}
template <class T>
auto __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATION_LINE) {
    const int own = emulation::lane();
    const int room = emulation::first_of_segment(width) + width - 1 - own;
    const int source = delta > unsigned(room) ? own : own + int(delta);
    return emulation::exchange("__shfl_down_sync", mask, value, source, line);
}
template <class T>
auto __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, EMULATION_LINE) {
    const int own = emulation::lane(), other = own ^ bits;
    const int last = emulation::first_of_segment(width) + width - 1;
    const int source = unsigned(other) > unsigned(last) ? own : other;
    return emulation::exchange("__shfl_xor_sync", mask, value, source, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATION_LINE) {
    return unsigned(
        emulation::meet("__ballot_sync", mask, predicate != 0, emulation::ALL, line));
}
inline int __any_sync(unsigned mask, int predicate, EMULATION_LINE) {
    return emulation::meet("__any_sync", mask, predicate != 0, emulation::ALL, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EMULATION_LINE) {
    return emulation::meet("__all_sync", mask, predicate == 0, emulation::ALL, line) == 0;
}

// Fibers switch only where they wait, so plain code is atomic; the race checker looks away.
#define EMULATION_ATOMIC(name, update)                                                       \
    template <class T>                                                                       \
    __attribute__((noinline, no_sanitize("thread"))) T name(T* at, std::common_type_t<T> v) { \
        const T old = *at;                                                                   \
        *at = update;                                                                        \
        return old;                                                                          \
    }
EMULATION_ATOMIC(atomicAdd, T(old + v))
EMULATION_ATOMIC(atomicSub, T(old - v))
EMULATION_ATOMIC(atomicMin, (v < old ? v : old))
EMULATION_ATOMIC(atomicMax, (old < v ? v : old))
EMULATION_ATOMIC(atomicOr, T(old | v))
EMULATION_ATOMIC(atomicAnd, T(old & v))
EMULATION_ATOMIC(atomicExch, v)
template <class T>
__attribute__((noinline, no_sanitize("thread"))) T atomicCAS(T* at, std::common_type_t<T> compare,
                                                             std::common_type_t<T> v) {
    const T old = *at;
    if (old == compare) *at = v;
    return old;
}

template <class To, class From>
inline To emulation_bits(From value) {
    static_assert(sizeof(To) == sizeof(From), "");
    To result;
    memcpy(&result, &value, sizeof result);
    return result;
}
inline int __float_as_int(float x) { return emulation_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emulation_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emulation_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emulation_bits<float>(x); }
inline long long __double_as_longlong(double x) { return emulation_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return emulation_bits<double>(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __float2int_rn(float x) { return int(rintf(x)); }
inline int __float2int_rd(float x) { return int(floorf(x)); }

template <class T> T __ldg(const T* at) { return *at; }
template <class T> T __ldcg(const T* at) { return *at; }
template <class T> T __ldcs(const T* at) { return *at; }
template <class T> void __stcg(T* at, T value) { *at = value; }
template <class T> void __stcs(T* at, T value) { *at = value; }

// Macros, since glibc declares some of these names without defining them. The accuracy of the
// fast ones is the host's, better than a GPU's.
#define __expf expf
#define __exp10f exp10f
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __powf powf
#define __fsqrt_rn sqrtf
#define __dsqrt_rn sqrt
#define __fmaf_rn fmaf
#define __fma_rn fma
// Out of line, for they are never to be contracted into a fused multiply-add.
#define EMULATION_ROUNDED(type, name, operation) \
    __attribute__((noinline)) inline type name(type a, type b) { return a operation b; }
EMULATION_ROUNDED(float, __fadd_rn, +)
EMULATION_ROUNDED(float, __fsub_rn, -)
EMULATION_ROUNDED(float, __fmul_rn, *)
EMULATION_ROUNDED(float, __fdiv_rn, /)
EMULATION_ROUNDED(float, __fdividef, /)
EMULATION_ROUNDED(double, __dadd_rn, +)
EMULATION_ROUNDED(double, __dsub_rn, -)
EMULATION_ROUNDED(double, __dmul_rn, *)
EMULATION_ROUNDED(double, __ddiv_rn, /)
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __saturatef(float x) { return x > 0.0f ? fminf(x, 1.0f) : 0.0f; }

template <class A, class B>
std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return fmin(T(a), T(b));
    else return T(a) < T(b) ? T(a) : T(b);
}
template <class A, class B>
std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return fmax(T(a), T(b));
    else return T(a) < T(b) ? T(b) : T(a);
}
