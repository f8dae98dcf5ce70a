// SPDX-License-Identifier: LGPL-2.1-or-later
// Making one sound: noise -> reverse process -> (decoder of the autoencoder) -> mel -> waveform.
#ifndef EBB_GENERATE_H
#define EBB_GENERATE_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>
#include <ebb/model.h>
#include <ebb/progress.h>
#include <ebb/recipe.h>

EBB_BEGIN_DECLS

// In all calls of this header `recipe` is of EBB_VERB_GENERATE; NULL: all settings are open. The same seed
// and index make the same sound on one device. A sound longer than a network window is made of windows that
// agree where they overlap.

// Number of samples of each channel that ebb_generate() makes, at the model's rate. 0 with the error filled:
// the recipe does not fit the model. The model need not be loaded.
EBB_API size_t ebb_generate_length(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                   struct ebb_error *error);

// Channels that ebb_generate() makes: the recipe's setting "channels", 1 or 2.
EBB_API int ebb_generate_channels(const struct ebb_recipe *recipe);

// Makes one sound, its peak at -1 dB at most. `samples` has `count` floats for each of the recipe's channels,
// interleaved, and belongs to the caller; its content is undefined unless the result is EBB_OK. `count` must
// be the answer of ebb_generate_length(). `hooks` may be NULL. A model that is not loaded is loaded on the
// default device. One call at a time per model.
EBB_API enum ebb_result ebb_generate(struct ebb_model *model, const struct ebb_recipe *recipe, float *samples,
                                     size_t count, const struct ebb_hooks *hooks, struct ebb_error *error);

// Receives the next `frames` frames of a sound, interleaved; it may change them, and they are gone when it
// returns. To stop the call, return false: it then returns EBB_CANCELLED.
typedef bool (*ebb_take_frames)(void *user, float *samples, size_t frames);

// Makes the sound that ebb_generate() makes, and hands on each part as soon as it is made. A sound of many
// windows takes the memory of a few of them, however long it is. A loop, and a sound of one window, come in
// one part. `take` is called on the calling thread, with `user`, for ebb_generate_length() frames in all.
EBB_API enum ebb_result ebb_generate_parts(struct ebb_model *model, const struct ebb_recipe *recipe,
                                           ebb_take_frames take, void *user, const struct ebb_hooks *hooks,
                                           struct ebb_error *error);

EBB_END_DECLS

#endif
