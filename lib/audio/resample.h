// Streaming sample rate conversion, aligned to the sample: output frame k is the input at time k / out_rate.
#ifndef EBB_AUDIO_RESAMPLE_H
#define EBB_AUDIO_RESAMPLE_H

#include <stddef.h>

#include <ebb/error.h>

struct ebb_resampler;

// Rates 1..1000000 Hz, 1..1024 channels (interleaved). Equal rates copy. NULL on failure.
struct ebb_resampler *ebb_resampler_create(int in_rate, int out_rate, int channels, struct ebb_error *error);
void ebb_resampler_destroy(struct ebb_resampler **resampler);
void ebb_resampler_reset(struct ebb_resampler *resampler);

// Takes `frames` frames; the output they complete becomes available. Memory is bounded as long as it is read.
enum ebb_result ebb_resampler_write(struct ebb_resampler *resampler, const float *input, size_t frames,
                                    struct ebb_error *error);

// No more input. In total exactly `total` frames come out (cut, or zeros added); EBB_RESAMPLE_EXACT: as many as
// ebb_resample_length() says for what went in. Then only reading or reset is allowed.
#define EBB_RESAMPLE_EXACT ((size_t)-1)
enum ebb_result ebb_resampler_finish(struct ebb_resampler *resampler, size_t total, struct ebb_error *error);

size_t ebb_resampler_available(const struct ebb_resampler *resampler);
size_t ebb_resampler_read(struct ebb_resampler *resampler, float *output, size_t frames); // returns frames read

// Input frames that may have gone in, at most, before the output of the first of them can be read: 97 of the lower rate
// (2.2 ms at 44.1 kHz) for common rates; some 20 ms for odd ones, which are measured in a few milliseconds and leave the
// resampler reset; 0 for equal rates.
size_t ebb_resampler_latency(struct ebb_resampler *resampler);

// round(frames * out_rate / in_rate)
size_t ebb_resample_length(size_t frames, int in_rate, int out_rate);

#endif
