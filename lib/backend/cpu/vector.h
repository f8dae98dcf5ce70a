// SPDX-License-Identifier: LGPL-2.1-or-later
// Vectors of floats, by the compiler's vector extensions. A vector fills one register of the instruction
// set that the file is compiled for.
#ifndef EBB_BACKEND_CPU_VECTOR_H
#define EBB_BACKEND_CPU_VECTOR_H

#include <stdint.h>
#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#if defined(__AVX2__) && !defined(__AVX512F__)
#define CPU_AVX2
#include <immintrin.h>
#endif

#if defined(__aarch64__) && defined(__ARM_NEON)
#define CPU_NEON
#include <arm_neon.h>
#endif

// Arrays of vectors stay in registers only where loops over them are unrolled.
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t veci __attribute__((vector_size(4 * LANES)));
typedef uint16_t vech __attribute__((vector_size(2 * LANES)));

static inline vec load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void store(float *p, vec v)
{
    memcpy(p, &v, sizeof(v));
}

static inline vec splat(float x)
{
    return x - (vec){0};
}

// load_some() has the first `count` lanes, the rest 0; store_some() writes the first `count`. A processor
// with masks needs an instruction for that: one lane after another would go through memory.
#if defined(__AVX512F__)
static inline vec load_some(const float *p, int count)
{
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}

static inline void store_some(float *p, vec v, int count)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
}
#elif defined(CPU_AVX2)
static inline vec load_some(const float *p, int count)
{
    veci lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (vec)_mm256_maskload_ps(p, (__m256i)(lane < (count - (veci){0})));
}

// By fours, twos and ones: a store with a mask is slow on some processors.
static inline void store_some(float *p, vec v, int count)
{
    __m128 part = _mm256_castps256_ps128((__m256)v);
    if (count & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps((__m256)v, 1);
    }
    p += count & 4;
    if (count & 2) {
        _mm_storel_pi((__m64 *)(void *)p, part);
        part = _mm_movehl_ps(part, part);
    }
    p += count & 2;
    if (count & 1)
        _mm_store_ss(p, part);
}
#else
static inline vec load_some(const float *p, int count)
{
    vec v = {0};
    for (int i = 0; i < count; i++)
        v[i] = p[i];
    return v;
}

static inline void store_some(float *p, vec v, int count)
{
    for (int i = 0; i < count; i++)
        p[i] = v[i];
}
#endif

// `count` is LANES, as the compiler can see, or a count of load_some().
INLINE vec load_lanes(const float *p, const int count)
{
    return count == LANES ? load(p) : load_some(p, count);
}

INLINE void store_lanes(float *p, vec v, const int count)
{
    if (count == LANES)
        store(p, v);
    else
        store_some(p, v, count);
}

enum { HALF = LANES / 2 }; // doubles of one register
typedef double vecd_half __attribute__((vector_size(8 * HALF)));
typedef float vec_half __attribute__((vector_size(4 * HALF)));

INLINE vecd_half load_wide(const float *p)
{
#if defined(__AVX512F__) // gcc 12 does it by halves
    return (vecd_half)_mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif defined(CPU_AVX2)
    return (vecd_half)_mm256_cvtps_pd(_mm_loadu_ps(p));
#else
    vec_half v;
    memcpy(&v, p, sizeof(v));
    return __builtin_convertvector(v, vecd_half);
#endif
}

static inline vec choose(veci mask, vec a, vec b)
{
    return (vec)(((veci)a & mask) | ((veci)b & ~mask));
}

// The larger or smaller of two numbers; b if one of them is none.
static inline vec larger(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(CPU_AVX2)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return choose(a > b, a, b);
#endif
}

static inline vec smaller(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(CPU_AVX2)
    return (vec)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return choose(a < b, a, b);
#endif
}

// 2^n p, n a whole number from -126 to 127, and what the addition of `magic` to n has made of it.
#define EXP_MAGIC 12582912.0f // 1.5 * 2^23: adding it rounds to an integer, found in the low bits
INLINE vec scale_by_power(vec p, vec n, vec shifted)
{
#ifdef __AVX512F__
    return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    veci scale = ((veci)shifted - (veci)splat(EXP_MAGIC) + 127) << 23;
    return p * (vec)scale;
#endif
}

// e^x, x clamped to where the result is a normal number; within 2 units in the last place. x = n ln 2 + r,
// the polynomial is Cephes' expf.
static inline vec vexp(vec x)
{
    x = smaller(splat(88.0f), larger(splat(-87.0f), x));
    const vec magic = splat(EXP_MAGIC);
    vec shifted = x * splat(1.44269504f) + magic, n = shifted - magic;
    vec r = x - n * splat(0.693359375f) - n * splat(-2.12194440e-4f);
    vec y = splat(1.9875691500e-4f);
    y = y * r + splat(1.3981999507e-3f);
    y = y * r + splat(8.3334519073e-3f);
    y = y * r + splat(4.1665795894e-2f);
    y = y * r + splat(1.6666665459e-1f);
    y = y * r + splat(5.0000001201e-1f);
    y = y * r * r + r + splat(1.0f);
    return scale_by_power(y, n, shifted);
}

// 2^x, x up to 127; at least 2^-126. Within 1 unit in the last place, and 1 where x is 0. Of polynomials of
// degree 6 this one has the least relative error from -1/2 to 1/2, 2e-9.
static inline vec vexp2(vec x)
{
    const vec magic = splat(EXP_MAGIC);
    x = larger(splat(-126.0f), x);
    vec shifted = x + magic, n = shifted - magic, r = x - n;
    vec y = splat(1.534581097e-4f);
    y = y * r + splat(1.33999309e-3f);
    y = y * r + splat(9.618489072e-3f);
    y = y * r + splat(5.550328642e-2f);
    y = y * r + splat(2.402264625e-1f);
    y = y * r + splat(6.931471825e-1f);
    y = y * r + splat(1.0f);
    return scale_by_power(y, n, shifted);
}

#endif
