// SPDX-License-Identifier: LGPL-2.1-or-later
// Changing a recording with a generating model. An edit makes a span or a band of the recording anew, adds
// sound before or after it, moves the whole recording nearer to a label, or makes variations of it.
//
// Every edit is one process. The recording's spectrogram is noised to diffusion time t and denoised by the
// model. The parts that stay are held at every step (masked generation, Lugmayr 2022). The settings t and
// vary say where the process starts:
//   t = 1            The process starts from noise alone (RePaint). The span's old sound has no influence.
//   t below 1        The process starts from the noised recording (SDEdit, Meng 2022). The nearer t is to
//                    0, the more of the recording stays.
//   vary below 90    The process starts from the recording's own noise, which inversion finds (DDIM, Song
//                    2021), turned by `vary` degrees towards fresh noise. The result is a variation. At 0
//                    it is the recording itself, up to the inversion's error.
//
// Samples outside the span and 5 ms on either side of it stay the input's bits. Inside the span, the new
// sound goes on from the recording in phase and in loudness. Recordings may have any rate and length. A
// span longer than a network window is made window by window, each held to the one before.
//
// An event begins where the span begins, as loud as the network makes it. A texture, and an edit without a
// label, goes on from the recording: band by band it is as loud as the recording at either end of the span.
//
// Channels: one new sound is made for all channels, from their mean power. Each channel receives it at the
// channel's own loudness, band by band, and in phase with the channel. Channels that are alike (correlation
// above 0.5 around the span) share their grain, other channels each have their own. So sounds in the middle
// stay in the middle, and wide sounds stay wide.
//
// The network works on a grid of cells. A cell of models/sfx is 8 mel bands high and 8 frames (85 ms) long.
// The grid begins at the span's start. At the span's end, and in frequency, the network makes up to one
// cell more than the edit uses.
#ifndef EBB_EDIT_H
#define EBB_EDIT_H

#include <stddef.h>

#include <ebb/audio.h>
#include <ebb/error.h>
#include <ebb/model.h>
#include <ebb/progress.h>
#include <ebb/recipe.h>

EBB_BEGIN_DECLS

// In all calls of this header `recipe` is of EBB_VERB_EDIT; NULL: all settings are open.

// Frames of the edited sound. 0 with the error filled: the recipe does not fit the model or the recording.
// Reads only frames, channels and rate of `input`; the model need not be loaded.
EBB_API size_t ebb_edit_frames(const struct ebb_model *model, const struct ebb_recipe *recipe,
                               const struct ebb_sound *input, struct ebb_error *error);

// Edits `input` into `output`. `output` is overwritten and belongs to the caller, who clears it; it has the
// rate and channels of `input`, and no comment. A model that is not loaded is loaded on the default device.
// One call at a time per model. `hooks` may be NULL; an edit does not call its `watch`.
EBB_API enum ebb_result ebb_edit(struct ebb_model *model, const struct ebb_recipe *recipe,
                                 const struct ebb_sound *input, struct ebb_sound *output,
                                 const struct ebb_hooks *hooks, struct ebb_error *error);

EBB_END_DECLS

#endif
