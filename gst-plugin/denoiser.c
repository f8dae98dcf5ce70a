// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoiser.h"

#include <math.h>

// ---- knobs ----

static double number(const struct ebb_recipe *recipe, const char *name, double recommended)
{
    double value = ebb_recipe_number(recipe, name);
    return isnan(value) ? recommended : value;
}

struct denoiser_knobs denoiser_knobs_of(const struct ebb_recipe *recipe, const struct ebb_model_info *info)
{
    return (struct denoiser_knobs){
        .automatic = ebb_recipe_number(recipe, "auto-t") == 1,
        .t = number(recipe, "t", info->t_default),
        .wet = number(recipe, "wet", 1),
        .steps = (gint)number(recipe, "steps", info->steps),
    };
}

enum ebb_result denoiser_turn(struct ebb_denoise *denoiser, struct denoiser_knobs *have,
                              const struct denoiser_knobs *want, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    if (want->automatic != have->automatic)
        result = ebb_denoise_set(denoiser, "auto-t", have->automatic = want->automatic, error);
    if (result == EBB_OK && want->t != have->t)
        result = ebb_denoise_set(denoiser, "t", have->t = want->t, error);
    if (result == EBB_OK && want->wet != have->wet)
        result = ebb_denoise_set(denoiser, "wet", have->wet = want->wet, error);
    if (result == EBB_OK && want->steps != have->steps)
        result = ebb_denoise_set(denoiser, "steps", have->steps = want->steps, error);
    return result;
}

// ---- making one ----

static enum ebb_result write_settings(struct ebb_recipe *recipe, const struct denoiser_knobs *knobs,
                                      const struct denoiser_plan *plan, struct ebb_error *error)
{
    const struct {
        const char *name;
        double value;
    } all[] = {{"t", knobs->t},
               {"auto-t", knobs->automatic},
               {"wet", knobs->wet},
               {"steps", knobs->steps},
               {"live", plan->live},
               {"live-hop", plan->window.hop},
               {"live-ahead", plan->window.ahead}};
    enum ebb_result result = EBB_OK;
    for (gsize i = 0; i < G_N_ELEMENTS(all) && result == EBB_OK; i++)
        result = ebb_recipe_set_number(recipe, all[i].name, all[i].value, error);
    return result;
}

struct ebb_denoise *denoiser_create(const struct denoiser_plan *plan, const struct denoiser_knobs *knobs,
                                    struct ebb_error *error)
{
    struct ebb_recipe *recipe = plan->recipe ? ebb_recipe_copy(plan->recipe) : NULL;
    enum ebb_result result = recipe ? EBB_OK : EBB_OUT_OF_MEMORY;
    if (result != EBB_OK)
        *error = (struct ebb_error){result, "no memory for a recipe"};
    if (result == EBB_OK)
        result = ebb_model_settle(plan->model, recipe, error);
    if (result == EBB_OK)
        result = write_settings(recipe, knobs, plan, error);
    struct ebb_denoise *denoiser = NULL;
    if (result == EBB_OK)
        denoiser = ebb_denoise_create(plan->model, recipe, plan->info->rate, plan->info->channels,
                                      &plan->hooks, error);
    ebb_recipe_destroy(&recipe);
    return denoiser;
}

// ---- measuring one ----

static void fill_with_noise(GRand *random, float *samples, gsize count)
{
    for (gsize i = 0; i < count; i++)
        samples[i] = (float)g_rand_double_range(random, -0.1, 0.1);
}

// The longest time, in µs, that a slice takes which completes a window; the first window, which also plans,
// does not count.
static enum ebb_result time_windows(struct ebb_denoise *denoiser, gsize frames, gsize channels,
                                    float *scratch, gint64 *longest, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    GRand *random = g_rand_new_with_seed(1);
    *longest = 0;
    for (guint64 windows = 0; result == EBB_OK && frames > 0;) {
        gsize part = MIN(frames, DENOISER_SLICE);
        fill_with_noise(random, scratch, part * channels);
        gint64 begin = g_get_monotonic_time();
        result = ebb_denoise_write(denoiser, scratch, part, error);
        if (windows > 0)
            *longest = MAX(*longest, g_get_monotonic_time() - begin);
        windows = ebb_denoise_windows(denoiser);
        while (ebb_denoise_read(denoiser, scratch, NULL, DENOISER_SLICE) > 0)
            ;
        frames -= part;
    }
    g_rand_free(random);
    return result;
}

enum ebb_result denoiser_measure(const struct denoiser_plan *plan, const struct denoiser_knobs *knobs,
                                 gsize frames, float *scratch, GstClockTime *allowance,
                                 struct ebb_error *error)
{
    // The knobs may turn while the latency stays: never measure a denoiser that computes nothing.
    struct denoiser_knobs busy = *knobs;
    busy.automatic = FALSE;
    busy.wet = 1;
    if (knobs->automatic || knobs->t == 0)
        busy.t = ebb_model_info(plan->model)->t_default;
    struct ebb_denoise *denoiser = denoiser_create(plan, &busy, error);
    enum ebb_result result = denoiser ? EBB_OK : error->code;
    gint64 longest = 0;
    if (denoiser)
        result = time_windows(denoiser, frames, (gsize)plan->info->channels, scratch, &longest, error);
    ebb_denoise_destroy(&denoiser);

    // With automatic t, each window asks the network once more. The t that it would choose for noise is no
    // measure.
    if (knobs->automatic)
        longest += longest / knobs->steps;
    const GstClockTime step = 10 * GST_MSECOND;
    GstClockTime needed = (GstClockTime)longest * GST_USECOND * 5 / 4;
    *allowance = MAX(DENOISER_ALLOWANCE, (needed + step - 1) / step * step);
    return result;
}
