// SPDX-License-Identifier: LGPL-2.1-or-later
// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and Box-Muller.
// Logarithm, sine and cosine are plain series in IEEE doubles, so that every platform and C library gives the
// same bits.
#include "diffusion/noise.h"

#include <math.h>
#include <string.h>

void ebb_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k[2] = {key[0], key[1]};
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53 * c[0];
        uint64_t b = (uint64_t)0xCD9E8D57 * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1],
                            (uint32_t)a};
        memcpy(c, next, sizeof(c));
        k[0] += 0x9E3779B9;
        k[1] += 0xBB67AE85;
    }
    memcpy(out, c, sizeof(c));
}

// ln x for x in (0, 1): exponent and mantissa from the bits, then ln m = 2 artanh((m - 1) / (m + 1)) with m
// near 1. Error below 1e-12.
static double series_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000;
    double m;
    memcpy(&m, &bits, sizeof(m));
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }

    double s = (m - 1) / (m + 1), z = s * s, sum = 0;
    for (int n = 15; n >= 1; n -= 2)
        sum = sum * z + 1.0 / n;
    return exponent * 0.69314718055994531 + 2 * s * sum;
}

enum { BLOCK = 32 }; // pairs made at once: a loop over them is one that compilers turn into vectors

// Sine and cosine of 2 pi turn / 2^32: the top two bits are the quadrant, the rest an angle in [0, pi/2) for
// Taylor.
static void series_sincos(const uint32_t *turn, double *sine, double *cosine)
{
    double a[BLOCK], z[BLOCK], s[BLOCK], c[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        a[i] = (int32_t)(turn[i] & 0x3FFFFFFF) * (1.5707963267948966 / 0x40000000);
        z[i] = a[i] * a[i];
        s[i] = c[i] = 1;
    }
    for (int n = 18; n >= 2; n -= 2) {
        const double for_s = n * (n + 1), for_c = n * (n - 1);
        for (int i = 0; i < BLOCK; i++) {
            s[i] = 1 - s[i] * z[i] / for_s;
            c[i] = 1 - c[i] * z[i] / for_c;
        }
    }
    for (int i = 0; i < BLOCK; i++) {
        double up = s[i] * a[i], across = c[i];
        int quadrant = (int)(turn[i] >> 30);
        sine[i] = quadrant & 1 ? across : up;
        cosine[i] = quadrant & 1 ? up : across;
        sine[i] = quadrant & 2 ? -sine[i] : sine[i];
        cosine[i] = quadrant == 1 || quadrant == 2 ? -cosine[i] : cosine[i];
    }
}

// Box and Muller: pairs of words become pairs of normals.
static void box_muller(const uint32_t *word, float *out)
{
    uint32_t turn[BLOCK];
    double r[BLOCK], s[BLOCK], c[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        r[i] = sqrt(-2 * series_log((word[2 * i] + 0.5) * 0x1p-32));
        turn[i] = word[2 * i + 1];
    }
    series_sincos(turn, s, c);
    for (int i = 0; i < BLOCK; i++) {
        out[2 * i] = (float)(r[i] * c[i]);
        out[2 * i + 1] = (float)(r[i] * s[i]);
    }
}

void ebb_noise_philox(uint64_t seed, uint64_t clip, uint32_t draw, size_t first, size_t count, float *out)
{
    enum { ELEMENTS = 2 * BLOCK };
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (size_t i = 0; i < count;) {
        size_t begin = (first + i) / 4 * 4, skip = first + i - begin, left = count - i;
        size_t take = left < ELEMENTS - skip ? left : ELEMENTS - skip;
        uint32_t word[ELEMENTS] = {0};
        float block[ELEMENTS];
        for (size_t k = 0; k < skip + take; k += 4) {
            uint32_t counter[4] = {(uint32_t)((begin + k) / 4), draw, (uint32_t)clip, (uint32_t)(clip >> 32)};
            ebb_philox4x32(counter, key, word + k);
        }
        box_muller(word, block);
        memcpy(out + i, block + skip, take * sizeof(float));
        i += take;
    }
}

void ebb_noise_slerp(float *a, const float *b, double share, size_t count)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < count; i++) {
        dot += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    double size = sqrt(aa * bb), angle = size > 0 ? acos(fmin(fmax(dot / size, -1), 1)) : 0,
           sine = sin(angle);
    if (share <= 0 || sine < 1e-6) // the same draw, or its opposite: there is no one way between
        return;
    double keep = share < 1 ? sin((1 - share) * angle) / sine : 0,
           put = share < 1 ? sin(share * angle) / sine : 1;
    for (size_t i = 0; i < count; i++)
        a[i] = share < 1 ? (float)(keep * a[i] + put * b[i]) : b[i];
}

static void draw_on_path(const struct ebb_noise_path *path, uint64_t clip, uint32_t draw, size_t first,
                         size_t count, float *out, float *scratch)
{
    ebb_noise_philox(path->share < 1 ? path->from : path->to, clip, draw, first, count, out);
    if (path->share <= 0 || path->share >= 1)
        return;
    ebb_noise_philox(path->to, clip, draw, first, count, scratch);
    ebb_noise_slerp(out, scratch, path->share, count);
}

// Turns a draw towards the second channel's own noise, which is that of the nearer seed.
static void depart(const struct ebb_noise_path *path, uint64_t clip, uint32_t draw, size_t first,
                   size_t count, float *out)
{
    enum { PART = 512 };
    const uint32_t second_channel = 0x80000000; // noise_address.h
    double keep = cos(path->apart * M_PI / 2), put = sin(path->apart * M_PI / 2);
    float own[PART];
    for (size_t i = 0; i < count; i += PART) {
        size_t part = count - i < PART ? count - i : PART;
        ebb_noise_philox(ebb_noise_nearer(path), clip, draw + second_channel, first + i, part, own);
        for (size_t k = 0; k < part; k++)
            out[i + k] = (float)(keep * out[i + k] + put * own[k]);
    }
}

void ebb_noise_draw(const struct ebb_noise_path *path, uint64_t clip, uint32_t draw, size_t first,
                    size_t count, float *out, float *scratch)
{
    draw_on_path(path, clip, draw, first, count, out, scratch);
    if (path->apart > 0)
        depart(path, clip, draw, first, count, out);
}

uint64_t ebb_noise_nearer(const struct ebb_noise_path *path)
{
    return path->share < 0.5 ? path->from : path->to;
}
