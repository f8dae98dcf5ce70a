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
