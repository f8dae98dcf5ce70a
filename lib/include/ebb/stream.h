// SPDX-License-Identifier: LGPL-2.1-or-later
// Sound without end: clips of one label, one after the other; any clip can be computed first.
//
// Clips of a texture are joined without a seam: even windows are independent, and each odd window is
// generated between its two neighbours and held to their edges. All clips of a seed sound alike: a seed of
// "rain" is one kind of rain. A texture does not stop: a window in which the model falls silent is made
// again, at most twice.
//
// With the setting `loop`, every clip is the same sound, of `seconds`, whose end runs into its start.
//
// Clips of an event are separate, with a gap of silence. No clip's peak is above -1 dB.
#ifndef EBB_STREAM_H
#define EBB_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/model.h>
#include <ebb/progress.h>
#include <ebb/recipe.h>

EBB_BEGIN_DECLS

struct ebb_stream;

// `recipe` is of EBB_VERB_STREAM and is copied; NULL: all settings are open, the label is the model's
// default. `model` is borrowed and must outlive the stream; it is loaded on first use. `hooks` is copied
// and may be NULL; it is told the progress within each clip. NULL on failure.
EBB_API struct ebb_stream *ebb_stream_create(struct ebb_model *model, const struct ebb_recipe *recipe,
                                             const struct ebb_hooks *hooks, struct ebb_error *error);
EBB_API void ebb_stream_destroy(struct ebb_stream **stream);

// Channels of a clip: 1, or 2 where the recipe has a width above 0. In the calls below a sample stands for
// one float of each channel, interleaved: `samples` has `count` floats for each channel.
EBB_API int ebb_stream_channels(const struct ebb_stream *stream);

// Samples of silence at the end of each clip: the gap of an event, 0 for a texture.
EBB_API size_t ebb_stream_gap(const struct ebb_stream *stream);

// Samples of one clip, gap included. All clips of a stream have this length: clip i starts at sample i *
// length.
EBB_API size_t ebb_stream_clip_length(const struct ebb_stream *stream);

// Computes clip `index` into `samples`, at the model's rate, owned by the caller. Clips may be computed in
// any order; windows that neighbours share are kept. `count` is the clip length, or the clip length less the
// gap to leave out the silence. Clips in a row make the continuous stream, sample for sample, whatever was
// computed before. EBB_INVALID: `index` is past the last clip, or `count` is neither length.
EBB_API enum ebb_result ebb_stream_clip(struct ebb_stream *stream, uint64_t index, float *samples,
                                        size_t count, struct ebb_error *error);

// Reads the next `count` samples from the stream's position, which starts at 0. `*got` < count only at the
// end. A call that reaches a new clip computes the whole clip.
EBB_API enum ebb_result ebb_stream_read(struct ebb_stream *stream, float *samples, size_t count, size_t *got,
                                        struct ebb_error *error);

// Moves the position of ebb_stream_read() to a sample. One past the last clip is the end: nothing is read.
EBB_API void ebb_stream_seek(struct ebb_stream *stream, uint64_t sample);

EBB_END_DECLS

#endif
