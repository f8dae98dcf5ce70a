// SPDX-License-Identifier: LGPL-2.1-or-later
// Lab (see ebb/lab.h): the state that the process works on, of generated sounds and of recordings.
//
// Latents are (1, c, h, w), row-major as in PyTorch. `shape` receives the four sizes; a call with `latents`
// NULL gives the shape alone. `recipe` is of EBB_VERB_GENERATE; NULL: all settings are open. `error` may be
// NULL.
#ifndef EBB_LATENTS_H
#define EBB_LATENTS_H

#include <stddef.h>

#include <ebb/error.h>
#include <ebb/generate.h>
#include <ebb/model.h>

EBB_BEGIN_DECLS

// One state of a run, with the mel that it stands for. A model with an autoencoder decodes the state at
// every step for it. The mel is (n_mels, frames), row-major, row 0 the lowest band; its values may leave
// [-1, 1] while there is noise. ebb_hooks.watch receives it on the calling thread and returns false to stop
// the run. Only a sound of one window can be watched.
struct ebb_generate_step {
    int step, steps; // steps completed, of how many; step 0 is the noise at the start
    double abar;     // share of signal in the state's power: x ~ sqrt(abar) x_0 + sqrt(1 - abar) eps
    const float *mel;
    int n_mels, frames;
    const float *latents; // the state itself
    int shape[4];
};

// The last state of the reverse process, before decoding and clamping.
EBB_API enum ebb_result ebb_generate_latents(struct ebb_model *model, const struct ebb_recipe *recipe,
                                             float *latents, size_t count, int shape[4],
                                             const struct ebb_hooks *hooks, struct ebb_error *error);

// The mel that latents stand for: (n_mels, window_frames), row-major, row 0 the lowest band. The latents
// may hold noise. A model that is not loaded is loaded on the default device.
EBB_API enum ebb_result ebb_generate_mel(struct ebb_model *model, const float *latents, size_t count,
                                         float *mel, size_t mel_count, struct ebb_error *error);

// The clean state x_0 of a recording. `samples` are mono at the model's rate; they are cut, or silence is
// added, to the length of one window.
EBB_API enum ebb_result ebb_edit_latents(struct ebb_model *model, const float *samples, size_t length,
                                         float *latents, size_t count, int shape[4], struct ebb_error *error);

// Inversion: the state x_t at diffusion time t (above 0, at most 1) from which DDIM leads to the clean
// state `latents`. Label, seed, steps and guidance are those of the recipe; while they are open, 50 steps
// and guidance 1. More steps make the inversion and the return more exact. At t = 1 the network finds
// little of the sound in x_t; to return to the sound, invert to a t below 1.
EBB_API enum ebb_result ebb_edit_invert(struct ebb_model *model, const struct ebb_recipe *recipe, double t,
                                        const float *latents, float *state, size_t count,
                                        const struct ebb_hooks *hooks, struct ebb_error *error);
// The return: from the state x_t at diffusion time t to the clean state `latents`. Settings as for the
// inversion, and the recipe's sampler; while it is open, ddim.
EBB_API enum ebb_result ebb_edit_return(struct ebb_model *model, const struct ebb_recipe *recipe, double t,
                                        const float *state, float *latents, size_t count,
                                        const struct ebb_hooks *hooks, struct ebb_error *error);

EBB_END_DECLS

#endif
