// SPDX-License-Identifier: LGPL-2.1-or-later
// Vectors of floats from numbers of 16 bits.
#ifndef EBB_BACKEND_CPU_WIDEN_H
#define EBB_BACKEND_CPU_WIDEN_H

#include "backend/cpu/vector.h"
#include "backend/weight.h"

INLINE vec widen_f16(const uint16_t *p)
{
#ifdef __AVX512F__
    return (vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
#elif defined(CPU_AVX2)
    return (vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
#elif defined(CPU_NEON)
    return (vec)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
#else // exponent and mantissa move into place, and 2^112 corrects the bias; panels hold finite numbers only
    vech bits;
    memcpy(&bits, p, sizeof(bits));
    veci wide = __builtin_convertvector(bits, veci);
    vec size = (vec)((wide & 0x7fff) << 13) * splat(0x1p112f);
    return (vec)((veci)size | (wide & 0x8000) << 16);
#endif
}

INLINE vec widen_bf16(const uint16_t *p)
{
    vech bits;
    memcpy(&bits, p, sizeof(bits));
    return (vec)(__builtin_convertvector(bits, veci) << 16);
}

// LANES numbers of an array, from `index` on.
INLINE vec load_number(const void *array, size_t index, const enum ebb_number number)
{
    if (number == EBB_FLOAT16)
        return widen_f16((const uint16_t *)array + index);
    if (number == EBB_BFLOAT16)
        return widen_bf16((const uint16_t *)array + index);
    return load((const float *)array + index);
}

#endif
