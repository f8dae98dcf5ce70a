// SPDX-License-Identifier: LGPL-2.1-or-later
// Cleaning a recording. Its log-mel is noised to diffusion time t and denoised to 0 by the model. The change
// of the mel becomes a smooth gain on the recording's own STFT, so phases and levels stay.
//
// The output scales with the input: the model sees a recording that is far too quiet or too loud at a usual
// level. Digital silence of 10 ms and more is not changed.
#ifndef EBB_DENOISE_H
#define EBB_DENOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/model.h>
#include <ebb/progress.h>
#include <ebb/recipe.h>

EBB_BEGIN_DECLS

struct ebb_denoise;

// A denoiser for audio of any rate (1000..768000 Hz) and 1..64 channels. Each channel is cleaned on its
// own. `recipe` is of EBB_VERB_DENOISE and is read once; NULL: all settings are open. `model` is borrowed
// and must outlive the denoiser; it is loaded on first use. `hooks` is copied and may be NULL; it is told
// the progress within each window. NULL on failure.
EBB_API struct ebb_denoise *ebb_denoise_create(struct ebb_model *model, const struct ebb_recipe *recipe,
                                               int rate, int channels, const struct ebb_hooks *hooks,
                                               struct ebb_error *error);
EBB_API void ebb_denoise_destroy(struct ebb_denoise **denoise);

// The latency in frames at the caller's rate: of all frames written, at most this many cannot be read yet.
// The time for computing is not included. The latency never changes. Output frame k belongs to input frame k.
EBB_API size_t ebb_denoise_latency(const struct ebb_denoise *denoise);

// Takes `frames` frames, channels interleaved, and computes the windows that they complete. NaN and
// infinities count as 0. A finite sample more than 240 dB over full scale is broken: it comes out as it went
// in, and all other samples as if it were 0. Memory stays bounded as long as the output is read. After a
// failure, or a stop through `progress`, writing and finishing are EBB_INVALID until the denoiser is reset.
EBB_API enum ebb_result ebb_denoise_write(struct ebb_denoise *denoise, const float *input, size_t frames,
                                          struct ebb_error *error);

// Frames ready to be read.
EBB_API size_t ebb_denoise_available(const struct ebb_denoise *denoise);

// Reads up to `frames` frames and returns how many it read. `output` receives the cleaned sound, `removed`
// the removed part: input = output + removed, up to float rounding. Either may be NULL.
EBB_API size_t ebb_denoise_read(struct ebb_denoise *denoise, float *output, float *removed, size_t frames);

// Ends the input and makes the rest of the output available. In total as many frames can be read as were
// written.
EBB_API enum ebb_result ebb_denoise_finish(struct ebb_denoise *denoise, struct ebb_error *error);

// Forgets all audio, as if newly created; settings stay.
EBB_API void ebb_denoise_reset(struct ebb_denoise *denoise);

// Changes a setting between two writes: "t", "auto-t", "wet" or "steps". NAN: as the model recommends. The
// change takes effect from the next window on, without a seam.
EBB_API enum ebb_result ebb_denoise_set(struct ebb_denoise *denoise, const char *name, double value,
                                        struct ebb_error *error);

// Diffusion time t of the last window; with auto-t, the t that was chosen.
EBB_API double ebb_denoise_t(const struct ebb_denoise *denoise);
// The input's estimated signal-to-noise ratio in dB; NAN: not measured.
EBB_API double ebb_denoise_snr(const struct ebb_denoise *denoise);
// Windows computed so far.
EBB_API uint64_t ebb_denoise_windows(const struct ebb_denoise *denoise);

// The least, the mean and the greatest t so far, over the windows of all channels that have sound. Any
// pointer may be NULL. false, and all NAN: there was no such window.
EBB_API bool ebb_denoise_t_range(const struct ebb_denoise *denoise, double *least, double *mean,
                                 double *most);

EBB_END_DECLS

#endif
