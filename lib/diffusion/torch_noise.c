// SPDX-License-Identifier: LGPL-2.1-or-later
// torch.randn of the CPU generator: Mersenne Twister 19937, then Box-Muller in blocks of 16 (the order and
// the float polynomials of PyTorch's AVX2 kernel, whose fused multiply-adds are spelled out here) or, below
// 16 elements, one by one in double precision.
#include "diffusion/noise.h"

#include <math.h>
#include <string.h>

#define MAGIC 0x9908b0dfU

void ebb_torch_noise_seed(struct ebb_torch_noise *noise, uint64_t seed)
{
    uint32_t *s = noise->state;
    s[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < 624; i++)
        s[i] = 1812433253U * (s[i - 1] ^ (s[i - 1] >> 30)) + i;
    noise->next = 624;
    noise->has_cached = 0;
    noise->cached = 0;
}

static uint32_t twist(uint32_t a, uint32_t b, uint32_t far)
{
    uint32_t mixed = (a & 0x80000000U) | (b & 0x7fffffffU);
    return far ^ (mixed >> 1) ^ (b & 1 ? MAGIC : 0);
}

static uint32_t word(struct ebb_torch_noise *noise)
{
    uint32_t *s = noise->state;
    if (noise->next >= 624) {
        for (int i = 0; i < 624; i++)
            s[i] = twist(s[i], s[(i + 1) % 624], s[(i + 397) % 624]);
        noise->next = 0;
    }
    uint32_t y = s[noise->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

static double uniform_double(struct ebb_torch_noise *noise)
{
    uint64_t high = word(noise), low = word(noise);
    return (double)(((high << 32) | low) & 0x1FFFFFFFFFFFFF) * 0x1p-53;
}

// Cephes logf for x in (0, 1].
static float log_avx(float x)
{
    if (x <= 0)
        return -INFINITY;
    int e;
    float m = frexpf(x, &e);
    if (m < 0.707106781186547524f) {
        e -= 1;
        float t = m;
        m = m - 1.0f;
        m = m + t;
    } else {
        m = m - 1.0f;
    }

    static const float coefficient[] = {-1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f,
                                        1.4249322787e-1f,  -1.6668057665e-1f, 2.0000714765e-1f,
                                        -2.4999993993e-1f, 3.3333331174e-1f};
    float z = m * m, y = 7.0376836292e-2f;
    for (int i = 0; i < 8; i++)
        y = fmaf(y, m, coefficient[i]);
    y = y * m;
    y = fmaf(y, z, (float)e * -2.12194440e-4f);
    y = fmaf(z, -0.5f, y);
    return fmaf((float)e, 0.693359375f, m + y);
}

// Cephes sincosf for a >= 0.
static void sincos_avx(float a, float *sine, float *cosine)
{
    int j = ((int)(a * 1.27323954473516f) + 1) & ~1;
    float q = (float)j;
    float x = fmaf(q, -0.78515625f, a);
    x = fmaf(q, -2.4187564849853515625e-4f, x);
    x = fmaf(q, -3.77489497744594108e-8f, x);

    float z = x * x;
    float c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = fmaf(c, z, 4.166664568298827e-2f);
    c = c * z;
    c = fmaf(c, z, -(z * 0.5f)) + 1.0f;
    float s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = fmaf(s, z, -1.6666654611e-1f);
    s = s * z;
    s = fmaf(s, x, x);

    *sine = (j & 2) ? c : s;
    *cosine = (j & 2) ? s : c;
    if (j & 4)
        *sine = -*sine;
    if (((j - 2) & 4) == 0)
        *cosine = -*cosine;
}

static void sixteen(float *d)
{
    for (int j = 0; j < 8; j++) {
        float r = sqrtf(-2.0f * log_avx(1.0f - d[j]));
        float s, c;
        sincos_avx((float)(2.0 * 3.14159265358979323846) * d[j + 8], &s, &c);
        d[j] = r * c + 0.0f;
        d[j + 8] = r * s + 0.0f;
    }
}

static void uniforms(struct ebb_torch_noise *noise, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(word(noise) & 0xFFFFFF) * 0x1p-24f;
}

static float one(struct ebb_torch_noise *noise)
{
    if (noise->has_cached) {
        noise->has_cached = 0;
        return (float)noise->cached;
    }
    double u1 = uniform_double(noise), u2 = uniform_double(noise);
    double r = sqrt(-2 * log1p(-u2)), angle = 2 * 3.14159265358979323846 * u1;
    noise->cached = r * sin(angle);
    noise->has_cached = 1;
    return (float)(r * cos(angle));
}

void ebb_torch_noise_draw(struct ebb_torch_noise *noise, size_t count, float *out)
{
    if (count < 16) {
        for (size_t i = 0; i < count; i++)
            out[i] = one(noise);
        return;
    }

    uniforms(noise, out, count);
    for (size_t i = 0; i + 16 <= count; i += 16)
        sixteen(out + i);
    if (count % 16) { // the last sixteen once more, over what overlaps
        uniforms(noise, out + count - 16, 16);
        sixteen(out + count - 16);
    }
}
