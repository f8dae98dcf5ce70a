// A window's mel as sound, whole or a stretch of it that goes on from sound that is there.
#ifndef EBB_ENGINE_SOUND_H
#define EBB_ENGINE_SOUND_H

#include "engine/engine.h"

enum { EBB_SOUND_ITERATIONS = 16 };

struct ebb_sound_job {
    const float *mel; // (n_mels, frames)
    int frames;
    int from, to;     // the frames to make sound of
    int fixed_before, fixed_after; // so many of them, at either end, belong to sound that is there and stays
    int iterations; // of Griffin-Lim, from a start that is near already: EBB_SOUND_ITERATIONS by default
    uint64_t seed;
    uint64_t at; // frame of a longer sound that the mel starts at: what is drawn follows from (seed, at + frame)
};

// Fills sound[from * hop .. to * hop), except for what the fixed frames hold already: there it goes on from `sound`,
// without a step. `count` samples in all.
enum ebb_result ebb_sound_make(struct ebb_model *model, const struct ebb_sound_job *job, float *sound, size_t count,
                               struct ebb_error *error);

// A seed for the phases of clip `clip`.
uint64_t ebb_sound_seed(uint64_t seed, uint64_t clip);

// What to multiply a window's sound by: 1, or less if it is louder than -1 dB at its peak, as guidance likes to make it. An
// image of relative levels (diffusers' Mel) says nothing about loudness: its peak goes to -1 dB.
float ebb_sound_level(const struct ebb_model *model, const float *samples, size_t count);

// A last guard: values past +-0.9 are bent so that none leaves [-1, 1].
void ebb_sound_limit(float *samples, size_t count);

// The limit, and no click where a sound begins (1 ms) and where it ends (10 ms, or as much as there is).
void ebb_sound_finish(const struct ebb_model *model, float *samples, size_t count, bool first, bool last);

// A raised cosine from 0 to 1 over `count` samples, and the first / last `count` samples multiplied by it.
float ebb_sound_rise(size_t i, size_t count);
void ebb_sound_fade_in(float *samples, size_t count);
void ebb_sound_fade_out(float *samples, size_t count);

#endif
