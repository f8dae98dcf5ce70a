// Changing a recording with a generating model: a span or a band of it made anew between what stays, new sound before or
// after it, the whole of it nearer to a label, or variations of it.
//
// Every edit is one process: the recording's spectrogram, noised to diffusion time t with some noise, is denoised under the
// model, and what is to stay is held at every step (masked generation, Lugmayr 2022).
//   t = 1            from noise alone: what was there counts for nothing (replacement, RePaint)
//   t below 1        from the recording: the nearer to 0, the more of it stays (SDEdit, Meng 2022)
//   angle below 90   from the recording's own noise, found by running the process backwards (DDIM inversion, Song 2021),
//                    turned by so much towards fresh noise: variations; 0 gives the recording back, up to the inversion's error
//
// Samples outside the edited span and 5 ms on either side of it are not touched: they are the input's bits. Inside, the sound
// goes on from the recording in phase and at the level around it. Any rate, any length; where the span is longer than a
// network window, windows are made one after another, each held to the one before.
//
// A label that is an event begins where the span does, and is as loud as the network makes it. Textures, and edits without a
// label, go on from their surroundings: they are as loud, band by band, as what they meet at either end.
//
// Channels: one sound is made for all of them, from their mean power. Each gets it at its own level, band by band, and in
// phase with its own surroundings; channels that are alike (correlation above 0.5 around the span) get the same grain, others
// their own, so that what is in the middle stays there and what is wide stays wide.
//
// What the network decides on is a grid of cells: a cell of models/sfx is 8 mel bands high and 8 frames (85 ms) long. The grid
// begins at the span's start; towards its end and in frequency the network makes up to a cell more than is used.
#ifndef EBB_EDIT_H
#define EBB_EDIT_H

#include <stddef.h>

#include <ebb/audio.h>
#include <ebb/error.h>
#include <ebb/generate.h>
#include <ebb/model.h>

struct ebb_edit_params {
    // Label, seed, steps, sampler, guidance, ... as for a new sound. `seconds` is not looked at; `watch` must be NULL and the
    // noise EBB_NOISE_PHILOX. With an angle below 90, steps left to the model are EBB_EDIT_INVERSION_STEPS, and sampler and
    // guidance ddim and 1: the way back is the way there.
    struct ebb_generate_params generate;
    double from, to;      // seconds: the span. Default 0 and INFINITY, the recording's end
    double low, high;     // Hz: the band. Default 0 and INFINITY, up to what the rates can carry
    double before, after; // seconds of new sound in front and behind, 0 (default)..600. Then from, to, low, high, t and angle
                          // must be their defaults: nothing of the recording is edited
    double t;             // above 0, at most 1; NAN (default): 1, or EBB_EDIT_INVERSION_T with an angle below 90
    double angle;         // degrees, 0 (its own noise) .. 90 (fresh noise, default)
    int resample;         // RePaint: how often each step is done, 1 (replacement) .. 100. 0 (default): EBB_EDIT_RESAMPLE where
                          // something beside the edit is to be gone on from and the sampler can, otherwise 1
};
enum { EBB_EDIT_RESAMPLE = 4 };
enum { EBB_EDIT_INVERSION_STEPS = 50 };
#define EBB_EDIT_INVERSION_T 0.9 // of rain, 60 steps there and back miss 4 % (docs/diffusion.md); all the way to 1, everything
EBB_API void ebb_edit_params_default(struct ebb_edit_params *params);

// Frames of the edited sound. 0 with the error filled: what is wrong with the parameters, for this model and this recording.
// Looks at frames, channels and rate of `input` alone; needs no loaded model.
EBB_API size_t ebb_edit_frames(const struct ebb_model *model, const struct ebb_edit_params *params,
                               const struct ebb_sound *input, struct ebb_error *error);

// Edits `input` into `output` (overwritten; to be cleared by the caller; rate and channels are the input's, comment NULL).
// Loads the model on the default device if it is not loaded. One call at a time per model.
EBB_API enum ebb_result ebb_edit(struct ebb_model *model, const struct ebb_edit_params *params, const struct ebb_sound *input,
                                 struct ebb_sound *output, struct ebb_error *error);

// ---- for researchers: one window of a recording and the noise it comes from ----

// The model's x_0 of a window: `samples` are mono at the model's rate, cut or followed by silence to one window. (1, c, h, w)
// row-major as in ebb_generate_latents(), whose rules for `latents`, `count` and `shape` hold.
EBB_API enum ebb_result ebb_edit_latents(struct ebb_model *model, const float *samples, size_t length, float *latents,
                                         size_t count, int shape[4], struct ebb_error *error);

// x_0 -> x_t at diffusion time t, above 0 and at most 1: DDIM run backwards. And back, from there to x_0. Label, steps, sampler
// (of the way back; default here: ddim) and guidance (default here: 1) are those of `params`, NULL: all defaults. What is
// missing after both falls with the steps. At t = 1 little of the sound is left in x_t for a network to find: a way that is to
// come back should end below.
EBB_API enum ebb_result ebb_edit_invert(struct ebb_model *model, const struct ebb_generate_params *params, double t,
                                        const float *latents, float *state, size_t count, struct ebb_error *error);
EBB_API enum ebb_result ebb_edit_return(struct ebb_model *model, const struct ebb_generate_params *params, double t,
                                        const float *state, float *latents, size_t count, struct ebb_error *error);

#endif
