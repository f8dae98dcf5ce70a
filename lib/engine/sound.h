// A window's mel as sound, whole or a stretch of it that goes on from sound that is there.
#ifndef EBB_ENGINE_SOUND_H
#define EBB_ENGINE_SOUND_H

#include "engine/engine.h"

struct ebb_sound_job {
    const float *mel; // (n_mels, frames)
    int frames;
    int from, to;     // the frames to make sound of
    int fixed_before, fixed_after; // so many of them, at either end, belong to sound that is there and stays
    int iterations;
    uint64_t seed;
};

// Fills sound[from * hop .. to * hop), except for what the fixed frames hold already: there it goes on from `sound`,
// without a step. `count` samples in all.
enum ebb_result ebb_sound_make(struct ebb_model *model, const struct ebb_sound_job *job, float *sound, size_t count,
                               struct ebb_error *error);

// A seed for the phases of clip `clip`.
uint64_t ebb_sound_seed(uint64_t seed, uint64_t clip);

// Values past +-0.9 are bent so that none leaves [-1, 1].
void ebb_sound_limit(float *samples, size_t count);

// Multiplies the first / last `count` samples by a raised cosine.
void ebb_sound_fade_in(float *samples, size_t count);
void ebb_sound_fade_out(float *samples, size_t count);

#endif
