// Phase for magnitudes: fast Griffin-Lim (Perraudin, Balazs, Sondergaard 2013) on whole signals and on endless ones.
#ifndef EBB_AUDIO_PHASE_H
#define EBB_AUDIO_PHASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/stft.h"

// ---- one signal ----

// Workspace for up to `capacity` frames. Fill magnitude, start, iterate, take the sound. One thread at a time.
struct ebb_phase {
    struct ebb_stft *stft; // borrowed, must outlive it
    size_t capacity;       // frames
    float *magnitude;      // wanted, stft->real_stride floats a frame
    float *bins;           // estimate, stft->bin_stride floats a frame: magnitude with the phase found so far
    float *previous;       // last iteration's transform
    float *signal;         // (capacity - 1) * hop + n_fft samples, from half a window before frame 0's centre on
    float *scale;          // 1 / sum of squared windows, for each of them
    float *frame;          // scratch
    struct ebb_gradient *gradient;
};
struct ebb_phase *ebb_phase_create(struct ebb_stft *stft, size_t capacity); // NULL: memory
void ebb_phase_destroy(struct ebb_phase **phase);

// What to work on. Frames 0..frames-1, of which the first `fixed_before` and the last `fixed_after` keep the bins they
// have. Samples outside support_from..support_to (indices into signal) are held at zero.
struct ebb_phase_span {
    size_t frames, fixed_before, fixed_after;
    size_t support_from, support_to;
};

// The span of a signal of `count` samples in `frames` frames, of a piece of a longer signal.
struct ebb_phase_span ebb_phase_whole(const struct ebb_phase *phase, size_t frames, size_t count);
struct ebb_phase_span ebb_phase_piece(const struct ebb_phase *phase, size_t frames);

// A start: bins = magnitude with phases for the frames that are not fixed. What is drawn in frame k follows from
// (seed, first + k) alone. `integrate` follows the gradient of the magnitude (gradient.c) from the loudest cell, or from
// the fixed frames, whose magnitudes it takes from their bins: 16 iterations from there are as good as 32 from `random`,
// which draws uniformly.
void ebb_phase_integrate(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed, uint64_t first);
void ebb_phase_random(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed, uint64_t first);

// `count` uniform numbers in [0, 1) that follow from (seed, frame).
void ebb_phase_draw(float *numbers, size_t count, uint64_t seed, uint64_t frame);

// `iterations` of fast Griffin-Lim from the phases in bins, momentum 0.99; 0 does nothing.
void ebb_phase_iterate(struct ebb_phase *phase, const struct ebb_phase_span *span, int iterations);

// bins -> signal, zero outside the support.
void ebb_phase_synthesise(struct ebb_phase *phase, const struct ebb_phase_span *span);

// |signal's transform| against magnitude, || |STFT(x)| - S || / || S || (lower is better), after synthesise.
double ebb_phase_convergence(struct ebb_phase *phase, const struct ebb_phase_span *span);

// The integration's own workspace.
struct ebb_gradient *ebb_gradient_create(size_t cells); // frames * stft->bins; NULL: memory
void ebb_gradient_destroy(struct ebb_gradient **gradient);

// ---- a signal without end ----

// Magnitudes in, frame after frame; samples out; phase runs on without a join. Frames are worked on in blocks on a grid
// from frame 0: even blocks by themselves (with `context` frames to either side for company), odd blocks between
// their two neighbours, held to their edges. So any sample follows from a bounded stretch of frames, whatever was
// played before, and a stream can be entered anywhere.
struct ebb_phase_stream;

struct ebb_phase_stream_params {
    int block;      // frames, stft->overlap .. 4096; default 32
    int context;    // frames, 0 .. block; default 8
    int iterations; // default 16
    uint64_t seed;  // default 0
};
void ebb_phase_stream_params_default(struct ebb_phase_stream_params *params);

// `stft` is borrowed. NULL: params out of range, or memory.
struct ebb_phase_stream *ebb_phase_stream_create(struct ebb_stft *stft, const struct ebb_phase_stream_params *params);
void ebb_phase_stream_destroy(struct ebb_phase_stream **stream);

// Frames before the first wanted one that must be written so that what follows is the continuous stream's, bit for bit:
// to play from sample f * hop on, start at frame max(0, f - lead_in) and drop the samples before f * hop.
size_t ebb_phase_stream_lead_in(const struct ebb_phase_stream *stream);

// Frames after frame f, at most, that must be written before all samples up to f * hop can be read.
size_t ebb_phase_stream_look_ahead(const struct ebb_phase_stream *stream);

// Forgets everything; the next frame written is number `frame`, the next sample read number frame * hop.
void ebb_phase_stream_start(struct ebb_phase_stream *stream, uint64_t frame);

// The next frame: n_fft / 2 + 1 magnitudes (unscaled STFT). -1: memory.
int ebb_phase_stream_write(struct ebb_phase_stream *stream, const float *magnitude);

// The stream ends after the last frame written, number f: the samples up to f * hop can be read. Then start again. -1: memory.
int ebb_phase_stream_finish(struct ebb_phase_stream *stream);

size_t ebb_phase_stream_available(const struct ebb_phase_stream *stream);
// Reads up to `count` samples, returns how many. Unread samples are kept.
size_t ebb_phase_stream_read(struct ebb_phase_stream *stream, float *samples, size_t count);

#endif
