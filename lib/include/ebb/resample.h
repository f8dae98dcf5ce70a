// SPDX-License-Identifier: LGPL-2.1-or-later
// Streaming sample rate conversion by speexdsp, aligned to the sample: output frame k is the input at time
// k / out_rate.
#ifndef EBB_RESAMPLE_H
#define EBB_RESAMPLE_H

#include <stddef.h>

#include <ebb/error.h>
#include <ebb/export.h>

EBB_BEGIN_DECLS

struct ebb_resampler;

// Rates 1..1000000 Hz, down by a factor of 1000 at most, 1..1024 channels (interleaved). Equal rates copy.
// NULL on failure.
EBB_API struct ebb_resampler *ebb_resampler_create(int in_rate, int out_rate, int channels,
                                                   struct ebb_error *error);
EBB_API void ebb_resampler_destroy(struct ebb_resampler **resampler);

// Forgets all audio, as if newly created.
EBB_API void ebb_resampler_reset(struct ebb_resampler *resampler);

// Takes `frames` frames; the output that they complete becomes available. Memory is bounded as long as the
// output is read.
EBB_API enum ebb_result ebb_resampler_write(struct ebb_resampler *resampler, const float *input,
                                            size_t frames, struct ebb_error *error);

// Ends the input. In total `total` frames can be read: the output is cut, or zeros are added.
// EBB_RESAMPLE_EXACT: ebb_resample_length() of the frames written. Afterwards only reading and resetting
// are allowed.
#define EBB_RESAMPLE_EXACT ((size_t)-1)
EBB_API enum ebb_result ebb_resampler_finish(struct ebb_resampler *resampler, size_t total,
                                             struct ebb_error *error);

// Frames ready to be read.
EBB_API size_t ebb_resampler_available(const struct ebb_resampler *resampler);
// Reads up to `frames` frames and returns how many it read.
EBB_API size_t ebb_resampler_read(struct ebb_resampler *resampler, float *output, size_t frames);

// The latency in input frames: of all frames written, at most this many are not in the output yet. About 80
// frames of the lower rate (1.8 ms at 44.1 kHz); 0 for equal rates.
EBB_API size_t ebb_resampler_latency(const struct ebb_resampler *resampler);

// round(frames * out_rate / in_rate)
EBB_API size_t ebb_resample_length(size_t frames, int in_rate, int out_rate);

EBB_END_DECLS

#endif
