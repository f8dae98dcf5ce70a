// Noise, made on the host: the same bits for every device, batch and starting point.
#ifndef EBB_DIFFUSION_NOISE_H
#define EBB_DIFFUSION_NOISE_H

#include <stddef.h>
#include <stdint.h>

// Standard normal noise, counter based (Philox4x32-10, Salmon 2011; Box-Muller with our own log, sine and cosine, no
// libm): element i of draw `draw` of clip `clip` under `seed` never depends on anything else. The counter layout is a
// versioned format: EBB_NOISE_VERSION is stored in every recipe. Version 1: key = seed (low word first), counter =
// (element / 4, draw, clip low, clip high), the four words make elements 4k..4k+3 as two Box-Muller pairs (cosine, sine).
// At most 2^34 elements.
#define EBB_NOISE_VERSION 1
void ebb_noise_philox(uint64_t seed, uint64_t clip, uint32_t draw, size_t first, size_t count, float *out);

// The same draw of two seeds, and what lies between them: spherical interpolation (Shoemake 1985) with the angle w between
// the draws as they are, sin((1 - share) w) / sin w * a + sin(share w) / sin w * b. Share 0 is `from` and share 1 is `to`, bit
// for bit.
struct ebb_noise_path {
    uint64_t from, to;
    double share; // 0..1
};
void ebb_noise_slerp(float *a, const float *b, double share, size_t count); // `a` becomes what lies between
// As ebb_noise_philox(); `scratch` holds `count` floats, NULL: taken for share 0 or 1.
void ebb_noise_draw(const struct ebb_noise_path *path, uint64_t clip, uint32_t draw, size_t first, size_t count, float *out,
                    float *scratch);
uint64_t ebb_noise_nearer(const struct ebb_noise_path *path); // the seed for what cannot lie between

// The generator itself, for its known-answer tests.
void ebb_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

// torch.Generator("cpu").manual_seed(seed) and torch.randn, bit for bit (x86-64 with AVX2), draws in a row.
struct ebb_torch_noise {
    uint32_t state[624];
    int next;
    int has_cached;
    double cached;
};
void ebb_torch_noise_seed(struct ebb_torch_noise *noise, uint64_t seed);
void ebb_torch_noise_draw(struct ebb_torch_noise *noise, size_t count, float *out);

#endif
