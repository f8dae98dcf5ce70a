// The part of a recording that an edit looks at, at the model's rate, and the work on it: spectrogram, networks, sound.
#ifndef EBB_ENGINE_REGION_H
#define EBB_ENGINE_REGION_H

#include "engine/retake.h"
#include "engine/splice.h"

// What is asked for, in frames of the recording (which may hold silence where new sound is to come).
struct ebb_region_job {
    const struct ebb_sound *sound; // borrowed
    size_t from, to;               // to be made
    size_t here_from, here_to;     // recorded
    double low, high;              // Hz, 0 and INFINITY: all
    const struct ebb_recipe *recipe;
    uint64_t clip, seed; // of noise; of phases and grain
    double angle;        // radians
    bool from_recording, starts; // see engine/retake.h
    int iterations;
    size_t fade; // frames on either side that are blended
    struct ebb_pulse pulse;
};

// Writes the edited frames from - fade .. to + fade into `output`, interleaved, as many frames as the recording; it may be the
// recording itself. The model must be ready.
enum ebb_result ebb_region_edit(struct ebb_model *model, const struct ebb_region_job *job, float *output,
                                struct ebb_error *error);

#endif
