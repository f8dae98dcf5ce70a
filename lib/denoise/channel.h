// SPDX-License-Identifier: LGPL-2.1-or-later
// One channel of a denoiser at the model's rate: the channel's samples go in, the removed part comes out,
// computed in windows that overlap.
//
// Frames of the STFT are cleaned `hop` at a time. The network sees `frames` of them: the past, the hop, and
// `ahead` frames of the future. The gains of the frames ahead are kept, and fade into those of the next hop.
// Live, few frames are ahead, and at a window's very end the network is unsure and leaves noise. So the last
// `mirrored` frames are made up: those before them, mirrored.
#ifndef EBB_DENOISE_CHANNEL_H
#define EBB_DENOISE_CHANNEL_H

#include "model/workspace.h"

struct ebb_denoise_channel;

struct ebb_denoise_channel_size {
    int frames, hop, ahead, mirrored;
};

// Settings and measurements that all channels of a recording share. Settings may change between windows.
struct ebb_denoise_channel_settings {
    bool automatic; // t is chosen from the measured noise (auto-t)
    double t;
    double wet; // share of the cleaned sound in the output, 0..1
    int steps;
    const char *sampler; // from ebb_sampler_next()
    uint64_t seed;
    enum ebb_precision precision;
    struct ebb_progress_span progress;
    double used_t, snr; // of the last window
    uint64_t windows;
    struct ebb_denoise_range {
        double least, most, sum;
        uint64_t count;
    } range; // of t, over the windows that have sound
};

// `model` and `settings` are borrowed. The model must be ready when samples come in.
struct ebb_denoise_channel *ebb_denoise_channel_create(struct ebb_model *model,
                                                       struct ebb_denoise_channel_settings *settings,
                                                       const struct ebb_denoise_channel_size *size,
                                                       struct ebb_error *error);
void ebb_denoise_channel_destroy(struct ebb_denoise_channel **channel);
void ebb_denoise_channel_reset(struct ebb_denoise_channel *channel);

// The latency in samples: of all samples written, at most this many cannot be read yet.
size_t ebb_denoise_channel_latency(const struct ebb_model *model,
                                   const struct ebb_denoise_channel_size *size);

enum ebb_result ebb_denoise_channel_write(struct ebb_denoise_channel *channel, const float *samples,
                                          size_t count, struct ebb_error *error);
// Ends the input. In total as many samples can be read as were written.
enum ebb_result ebb_denoise_channel_finish(struct ebb_denoise_channel *channel, struct ebb_error *error);

// Reads up to `count` samples of the removed part and returns how many it read.
size_t ebb_denoise_channel_read(struct ebb_denoise_channel *channel, float *removed, size_t count);

#endif
