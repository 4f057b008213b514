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
