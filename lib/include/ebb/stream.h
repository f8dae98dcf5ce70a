// Sound without end: clips of one label, one after the other, seekable by clip. A texture's clips are joined without
// a seam (even windows are independent, each odd window is generated between its two neighbours, held to their
// edges; all of one stream are of one kind, a seed is a kind of rain); an event's clips are separate, with a gap. No clip is
// louder than -1 dB at its peak. A texture does not stop: a window in which the model falls silent is made anew, twice at
// most.
#ifndef EBB_STREAM_H
#define EBB_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/generate.h>
#include <ebb/model.h>

struct ebb_stream;

struct ebb_stream_params {
    int label;           // index, -1: the model's default label (or none if it has no labels). Default -1
    uint64_t seed;       // default 0
    int steps;           // 0: as recommended (default)
    const char *sampler; // NULL: as recommended
    double guidance;     // NAN (default): as recommended
    double classifier_guidance; // as in generate.h. Default 0: off
    double crossfade;    // seconds two texture windows overlap, 0.05 .. half a window; NAN (default): a quarter window
    double gap;          // seconds of silence after an event clip, >= 0. Default 0.25
    uint64_t clips;      // how many clips, 0: without end (default)
    ebb_progress progress; // as in generate.h; fraction is of the clip under way
    void *user;
};
EBB_API void ebb_stream_params_default(struct ebb_stream_params *params);

// `model` is borrowed, must be open and outlive the stream; it is loaded on first use. NULL on failure.
EBB_API struct ebb_stream *ebb_stream_create(struct ebb_model *model, const struct ebb_stream_params *params,
                                             struct ebb_error *error);
EBB_API void ebb_stream_destroy(struct ebb_stream **stream);

// Samples of silence behind each clip with these params, part of its length: the gap of an event, 0 for a texture.
EBB_API size_t ebb_stream_gap(const struct ebb_model *model, const struct ebb_stream_params *params);

// Samples of one clip, gap included: every clip of a stream has the same length, so clip i starts at i * length.
EBB_API size_t ebb_stream_clip_length(const struct ebb_stream *stream);

// Computes clip `index` (any order; neighbours are cached) into `samples` (ebb_stream_clip_length() floats, mono at the
// model's rate, owned by the caller). Clips in a row concatenate to the continuous stream, sample for sample, whatever
// was asked for before. EBB_INVALID past the last clip.
EBB_API enum ebb_result ebb_stream_clip(struct ebb_stream *stream, uint64_t index, float *samples, size_t count,
                                        struct ebb_error *error);

// The convenient form: the next `count` samples from the stream's own position, which starts at 0. `*got` < count only
// at the end. Computes clips when needed (one such call takes as long as a clip takes).
EBB_API enum ebb_result ebb_stream_read(struct ebb_stream *stream, float *samples, size_t count, size_t *got,
                                        struct ebb_error *error);

// Moves the position of ebb_stream_read() to a sample.
EBB_API void ebb_stream_seek(struct ebb_stream *stream, uint64_t sample);

#endif
