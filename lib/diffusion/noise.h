// SPDX-License-Identifier: LGPL-2.1-or-later
// Noise. It is made on the host, with the same bits for every device and every size of batch.
#ifndef EBB_DIFFUSION_NOISE_H
#define EBB_DIFFUSION_NOISE_H

#include <stddef.h>
#include <stdint.h>

// Standard normal noise, counter based (Philox4x32-10, Salmon 2011; Box-Muller with our own log, sine and
// cosine, no libm): element i of draw `draw` of clip `clip` under key `seed` never depends on anything else.
// Key: low word first. Counter: (element / 4, draw, clip low, clip high). The four words make elements
// 4k..4k+3 as two Box-Muller pairs (cosine, sine). At most 2^34 elements. What goes into key, clip and draw
// is the noise address (noise_address.h), whose version every recipe stores.
#define EBB_NOISE_VERSION 2

void ebb_noise_philox(uint64_t seed, uint64_t clip, uint32_t draw, size_t first, size_t count, float *out);

// A path between the noise of two seeds, by spherical interpolation (Shoemake 1985): sin((1 - share) w) /
// sin w * a + sin(share w) / sin w * b, where a and b are the same draw of both seeds and w is the angle
// between them. Share 0 is `from` and share 1 is `to`, bit for bit.
struct ebb_noise_path {
    uint64_t from, to;
    double share; // 0..1
    // Of a second channel: how far it departs from the noise of the first, 0 (not at all) to 1 (it has its
    // own). Draws are cos(apart * 90 degrees) times the first channel's and sin(...) times its own (bit 31 of
    // the draw).
    double apart;
};
void ebb_noise_slerp(float *a, const float *b, double share, size_t count); // the result replaces `a`
// Noise of a path, otherwise as ebb_noise_philox(). `scratch` holds `count` floats; it may be NULL for
// share 0 or 1.
void ebb_noise_draw(const struct ebb_noise_path *path, uint64_t clip, uint32_t draw, size_t first,
                    size_t count, float *out, float *scratch);
uint64_t ebb_noise_nearer(const struct ebb_noise_path *path); // the seed at the nearer end, for phases

enum ebb_noise_source {
    EBB_NOISE_PHILOX, // ebb_noise_philox()
    EBB_NOISE_TORCH,  // torch.Generator("cpu").manual_seed(seed + index), for comparison with diffusers
};

// The generator itself, for its known-answer tests.
void ebb_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

// torch.Generator("cpu").manual_seed(seed), and torch.randn() from it, one draw after the other: the same
// bits as PyTorch on x86-64 with AVX2.
struct ebb_torch_noise {
    uint32_t state[624];
    int next;
    int has_cached;
    double cached;
};
void ebb_torch_noise_seed(struct ebb_torch_noise *noise, uint64_t seed);
void ebb_torch_noise_draw(struct ebb_torch_noise *noise, size_t count, float *out);

#endif
