// SPDX-License-Identifier: LGPL-2.1-or-later
// For researchers: one window of a recording as latents, its inversion to noise, and the return.
#include <ebb/latents.h>

#include <stdlib.h>

#include "audio/mel_coding.h"
#include "base/base.h"
#include "generate/window.h"

static enum ebb_result check_shape(const struct ebb_model *model, size_t count, struct ebb_error *error)
{
    if (ebb_check_kind(model, EBB_MODEL_GENERATE, error) != EBB_OK)
        return error->code;
    if (count != ebb_window_count(model))
        return ebb_fail(error, EBB_INVALID, "room for %zu floats, the state has %zu", count,
                        ebb_window_count(model));
    return EBB_OK;
}

enum ebb_result ebb_edit_latents(struct ebb_model *model, const float *samples, size_t length, float *latents,
                                 size_t count, int shape[4], struct ebb_error *error)
{
    error = EBB_ERROR(error);
    ebb_window_shape(model, model->state[2], shape);
    enum ebb_result result = check_shape(model, latents ? count : ebb_window_count(model), error);
    if (result != EBB_OK || !latents)
        return result;
    result = ebb_model_ready(model, error);
    struct ebb_mel *mel = result == EBB_OK ? ebb_workspace_mel(model, error) : NULL;
    if (!mel)
        return error->code;

    size_t frames = (size_t)model->state[2] * model->state_stride, bands = model->info.n_mels;
    size_t whole = (frames - 1) * model->info.hop; // samples that the frames cover
    float *power = ebb_alloc(2 * frames * bands, sizeof(float)), *state = ebb_alloc(count, sizeof(float));
    if (!power || !state)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    for (size_t k = 0; k < frames && result == EBB_OK; k++) {
        ebb_stft_frame_of(mel->stft, samples, length < whole ? length : whole, k, mel->bins);
        ebb_mel_power(mel, mel->bins, mel->band_power);
        for (size_t band = 0; band < bands; band++)
            power[band * frames + k] = mel->band_power[band];
    }
    if (result == EBB_OK) {
        ebb_mel_encode(mel, power, frames, power + frames * bands);
        result = ebb_workspace_encode(model, power + frames * bands, model->state[2], state, error);
    }
    if (result == EBB_OK)
        ebb_window_to_latents(model, model->state[2], state, latents);
    free(power);
    free(state);
    return result;
}

// ---- to the noise and back ----

// The way of one window up to diffusion time t, or down from it to the clean state.
struct inversion {
    bool up;
    double t;
    const float *from;
    float *to;
    size_t count; // floats of each
    const struct ebb_hooks *hooks;
};

// From the state `from`, which becomes the noise that a run begins with.
static enum ebb_result go_down(struct ebb_model *model, const struct ebb_settled *settled, float *from,
                               const struct ebb_progress_span *progress, float *to, struct ebb_error *error)
{
    double alpha, sigma;
    enum ebb_result result = ebb_window_start(settled, &alpha, &sigma, error);
    if (result != EBB_OK)
        return result;
    for (size_t i = 0; i < ebb_window_count(model); i++)
        from[i] = (float)(from[i] / sigma); // the run multiplies its noise by sigma
    struct ebb_window_job job = {.first = from, .progress = *progress};
    return ebb_window_make(model, settled, &job, to, error);
}

static enum ebb_result go(struct ebb_model *model, const struct ebb_settled *settled,
                          const struct inversion *way, struct ebb_error *error)
{
    struct ebb_progress_span progress = ebb_progress_whole(way->hooks);
    float *states = ebb_alloc(2 * way->count, sizeof(float));
    if (!states)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    float *from = states, *to = states + way->count;
    ebb_window_from_latents(model, model->state[2], way->from, from);
    enum ebb_result result = way->up ? ebb_window_invert(model, settled, from, &progress, to, error)
                                     : go_down(model, settled, from, &progress, to, error);
    if (result == EBB_OK)
        ebb_window_to_latents(model, model->state[2], to, way->to);
    free(states);
    return result;
}

static enum ebb_result settle_and_go(struct ebb_model *model, const struct ebb_recipe *recipe,
                                     const struct inversion *way, struct ebb_error *error)
{
    struct ebb_settled settled;
    error = EBB_ERROR(error);
    enum ebb_result result = check_shape(model, way->count, error);
    if (result == EBB_OK)
        result = ebb_settle_inverted(model, recipe, way->t, &settled, error);
    if (result == EBB_OK)
        result = ebb_model_ready(model, error);
    return result == EBB_OK ? go(model, &settled, way, error) : result;
}

enum ebb_result ebb_edit_invert(struct ebb_model *model, const struct ebb_recipe *recipe, double t,
                                const float *latents, float *state, size_t count,
                                const struct ebb_hooks *hooks, struct ebb_error *error)
{
    const struct inversion up = {true, t, latents, state, count, hooks};
    return settle_and_go(model, recipe, &up, error);
}

enum ebb_result ebb_edit_return(struct ebb_model *model, const struct ebb_recipe *recipe, double t,
                                const float *state, float *latents, size_t count,
                                const struct ebb_hooks *hooks, struct ebb_error *error)
{
    const struct inversion down = {false, t, state, latents, count, hooks};
    return settle_and_go(model, recipe, &down, error);
}
