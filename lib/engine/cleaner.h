// One channel at the model's rate: samples in, what is to be taken away out, in windows that overlap.
//
// Frames of the STFT are worked on `hop` at a time. The network sees `frames` of them: the past, the hop, and `ahead`
// frames of future, whose gains are also kept: the next hop's own ones fade in over them.
#ifndef EBB_ENGINE_CLEANER_H
#define EBB_ENGINE_CLEANER_H

#include "engine/engine.h"
#include "engine/snr.h"

struct ebb_cleaner;

struct ebb_cleaner_size {
    int frames, hop, ahead;
};

// Shared by the channels of a recording; may change between windows.
struct ebb_cleaner_settings {
    double t;   // EBB_T_AUTO: by the measured noise
    double wet;
    int steps;
    const char *sampler; // from ebb_sampler_next()
    uint64_t seed;
    struct ebb_pulse pulse;
    double used_t, snr;  // of the last window
    uint64_t windows;
};

// `model` and `settings` are borrowed. The model must be ready when samples come in.
struct ebb_cleaner *ebb_cleaner_create(struct ebb_model *model, struct ebb_cleaner_settings *settings,
                                       const struct ebb_cleaner_size *size, struct ebb_error *error);
void ebb_cleaner_destroy(struct ebb_cleaner **cleaner);
void ebb_cleaner_reset(struct ebb_cleaner *cleaner);

// At any time all samples but the last so many that went in have come out.
size_t ebb_cleaner_latency(const struct ebb_model *model, const struct ebb_cleaner_size *size);

enum ebb_result ebb_cleaner_write(struct ebb_cleaner *cleaner, const float *samples, size_t count,
                                  struct ebb_error *error);
// The end: as many samples have come out as went in.
enum ebb_result ebb_cleaner_finish(struct ebb_cleaner *cleaner, struct ebb_error *error);

size_t ebb_cleaner_read(struct ebb_cleaner *cleaner, float *removed, size_t count);

#endif
