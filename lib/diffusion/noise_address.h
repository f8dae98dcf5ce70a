// SPDX-License-Identifier: LGPL-2.1-or-later
// The noise address: which of a seed's noise values a sound is made of. The layout is a file format: every
// recipe carries its version (EBB_NOISE_VERSION, noise.h), and the layout of a version never changes.
//
// Noise has a key, and is counted by clip, draw and element; noise.h says how these make Philox's counter.
// The versions differ in the key alone.
//
// clang-format off
//     version  key
//     1        the seed. Sounds of two labels with one seed and index start from the same noise, and so they
//              have one outline in time.
//     2        the seed, exclusive or a hash of the labels: FNV-1a of 64 bits over the names of all labels
//              whose share is above 0, in the order of strcmp(), each with its ending zero. Without a label
//              the key is the seed.
//
//     clip     bits 63..60  span     0, or 1 for the span of an edit that is made second
//              bits 59..40  window   0: a sound of one window; n + 1: window n of a longer sound;
//                                    n: window n of an edit; of a loop, the attempt, 0, 1 or 2
//              bits 39..0   index    the recipe's index, or the clip of a stream of events
//              Of a denoised recording the clip is the column: samples from its start
//              / (hop * frames a column).
//     draw     bit  31      channel  0, or 1: noise of its own for a second channel; in stereo, what the
//                                    second channel departs by from the first (noise.h)
//              bits 30..0   of a state: 0 the start, then 1, 2, ... in the order in which the sampler asks.
//              A timeline (windows joined without a seam) has rows of columns instead of the start:
//              0x40000000                                  what all windows have in common
//              0x50000000 + attempt << 28 + column >> 16   65536 columns each
//     element  of a state, in the order (c, h, w), where w of a loop is its ring's columns;
//              of a column, (column & 0xffff) * (c * h) + k * h + y
// clang-format on
//
// Fields are added, not masked: an index of 2^40 and more runs into the window.
#ifndef EBB_DIFFUSION_NOISE_ADDRESS_H
#define EBB_DIFFUSION_NOISE_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

uint64_t ebb_noise_key(int version, uint64_t seed, const char *const *labels, int count);

// The key of a seed under these labels (version as above; `labels` in any order, names unlike each other).
uint64_t ebb_noise_key(int version, uint64_t seed, const char *const *labels, int count);

enum ebb_noise_kind {
    EBB_NOISE_STATE,  // a whole state, of draw `draw`
    EBB_NOISE_COMMON, // the column that all windows of a timeline have in common
    EBB_NOISE_COLUMN, // column `column` of a timeline, at attempt `attempt`
};

struct ebb_noise_address {
    enum ebb_noise_kind kind;
    uint64_t index;  // below 2^40
    uint64_t window; // the field `window` above
    unsigned span, channel;
    uint32_t draw;    // EBB_NOISE_STATE: below 2^30
    unsigned attempt; // EBB_NOISE_COLUMN: 0, 1 or 2
    uint64_t column;
    size_t column_height; // EBB_NOISE_COLUMN: c * h of the state
};

// A noise address as numbers, for ebb_noise_draw().
struct ebb_noise_place {
    uint64_t clip;
    uint32_t draw;
    size_t first; // element
};
struct ebb_noise_place ebb_noise_place(const struct ebb_noise_address *address);

#endif
