#include "engine/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "diffusion/compat.h"
#include "engine/sound.h"

// ---- settings ----

static enum ebb_result check(const struct ebb_model *model, const struct ebb_generate_params *p, struct ebb_error *error)
{
    const struct ebb_model_info *info = &model->info;
    if (info->kind != EBB_MODEL_GENERATE)
        return ebb_fail(error, EBB_WRONG_TYPE, "%s cleans recordings, it does not generate", info->path);
    if (p->label < -1 || p->label >= info->label_count)
        return ebb_fail(error, EBB_INVALID, "label %d: %s has %d labels (-1: none)", p->label, info->name,
                        info->label_count);
    if (p->steps < 0 || p->steps > 1000)
        return ebb_fail(error, EBB_INVALID, "steps is %d, allowed are 0 (as recommended) to 1000", p->steps);
    if (p->sampler && !ebb_sampler_find(p->sampler))
        return ebb_fail(error, EBB_NOT_FOUND, "there is no sampler \"%s\"", p->sampler);
    if (isinf(p->guidance) || fabs(p->guidance) > 1000)
        return ebb_fail(error, EBB_INVALID, "guidance is %g, allowed are -1000 to 1000", p->guidance);
    if (p->eta != EBB_ETA_OWN && !(p->eta >= 0 && p->eta <= 1))
        return ebb_fail(error, EBB_INVALID, "eta is %g, allowed are 0 to 1", p->eta);
    if (!(p->share >= 0 && p->share <= 1))
        return ebb_fail(error, EBB_INVALID, "share is %g, allowed are 0 (seed alone) to 1 (to_seed alone)", p->share);
    if (!(p->seconds >= 0 && p->seconds <= 86400))
        return ebb_fail(error, EBB_INVALID, "seconds is %g, allowed are 0 to 86400", p->seconds);
    if (p->phase_iterations < -1 || p->phase_iterations > 1000)
        return ebb_fail(error, EBB_INVALID, "phase_iterations is %d, allowed are -1 to 1000", p->phase_iterations);
    return EBB_OK;
}

// Diffusion times within which guidance acts. One that is asked for stands alone; torch's noise is there to be compared with
// diffusers, which knows no such times.
static void choose_times(const struct ebb_model *model, const struct ebb_generate_params *p, struct ebb_guidance *g)
{
    bool open = isnan(p->guidance_from) && isnan(p->guidance_to) && p->noise != EBB_NOISE_TORCH;
    g->from = open ? model->info.guidance_from : isnan(p->guidance_from) ? 0 : p->guidance_from;
    g->to = open ? model->info.guidance_to : isnan(p->guidance_to) ? 1 : p->guidance_to;
}

// The mixture asked for, or the one label.
static enum ebb_result choose_labels(const struct ebb_model *model, const struct ebb_generate_params *p,
                                     struct ebb_recipe *recipe, struct ebb_error *error)
{
    const struct ebb_model_info *info = &model->info;
    struct ebb_guidance *g = &recipe->guidance;
    recipe->item[0] = p->label >= 0 ? p->label : model->no_label;
    recipe->label[0] = p->label;
    if (p->mix_count < 0 || p->mix_count > EBB_GUIDANCE_LABELS)
        return ebb_fail(error, EBB_INVALID, "%d labels mixed, allowed are 0 to %d", p->mix_count, EBB_GUIDANCE_LABELS);
    if (p->negative < -1 || p->negative >= info->label_count)
        return ebb_fail(error, EBB_INVALID, "negative label %d: %s has %d labels (-1: none)", p->negative, info->name,
                        info->label_count);
    for (int i = 0; i < p->mix_count; i++) {
        if (p->mix[i].label < 0 || p->mix[i].label >= info->label_count)
            return ebb_fail(error, EBB_INVALID, "label %d: %s has %d labels", p->mix[i].label, info->name, info->label_count);
        recipe->item[i] = recipe->label[i] = p->mix[i].label;
        g->share[i] = p->mix[i].share;
    }
    g->labels = p->mix_count > 0 ? p->mix_count : 1;
    choose_times(model, p, g);
    g->rescale = p->guidance_rescale;
    g->classifier = p->classifier_guidance;
    return ebb_guidance_check(g, error);
}

static enum ebb_result check_classifier(const struct ebb_model *model, const struct ebb_generate_params *p,
                                        struct ebb_error *error)
{
    bool labelled = p->label >= 0 || p->mix_count > 0;
    if (p->classifier_guidance != 0 && !model->info.classifier)
        return ebb_fail(error, EBB_UNSUPPORTED, "classifier guidance %g: %s has no classifier (a folder classifier/ in the model)",
                        p->classifier_guidance, model->info.name);
    if (p->classifier_guidance != 0 && !labelled)
        return ebb_fail(error, EBB_INVALID, "classifier guidance %g: to which label?", p->classifier_guidance);
    if (p->classifier_guidance == 0 && labelled && !model->classes)
        return ebb_fail(error, EBB_UNSUPPORTED, "a label: the network of %s knows none, only classifier guidance leads to one",
                        model->info.name);
    return EBB_OK;
}

// For the label; for a mixture the mean of its labels', by their shares.
static double recommended_guidance(const struct ebb_model *model, const struct ebb_generate_params *p)
{
    double sum = 0, shares = 0;
    for (int i = 0; i < p->mix_count; i++) {
        sum += p->mix[i].share * model->labels[p->mix[i].label].guidance;
        shares += p->mix[i].share;
    }
    if (p->mix_count > 0)
        return sum / shares;
    return p->label >= 0 ? model->labels[p->label].guidance : model->info.guidance;
}

// Which classes are evaluated, and how they are weighed.
static enum ebb_result choose_guidance(const struct ebb_model *model, const struct ebb_generate_params *p,
                                       struct ebb_recipe *recipe, struct ebb_error *error)
{
    *recipe = (struct ebb_recipe){.n = 1};
    ebb_guidance_default(&recipe->guidance);
    enum ebb_result result = choose_labels(model, p, recipe, error);
    if (result == EBB_OK)
        result = check_classifier(model, p, error);
    if (result != EBB_OK)
        return result;

    bool asked = !isnan(p->guidance), mixed = p->mix_count > 1 && model->classes;
    double guidance = asked ? p->guidance : recommended_guidance(model, p);
    int base = !model->classes ? -1 : p->negative >= 0 ? p->negative : model->no_label;
    if ((guidance == 1 && !mixed) || (p->label < 0 && p->mix_count == 0))
        return EBB_OK;
    if (base < 0 && asked && guidance != 1)
        return ebb_fail(error, EBB_UNSUPPORTED, "guidance %g: %s has no class for \"no label\" to guide away from", guidance,
                        model->info.name);
    if (base < 0 && !mixed)
        return EBB_OK;
    if (guidance == 0 && recipe->guidance.from == 0 && recipe->guidance.to == 1) {
        recipe->item[0] = base;
        return EBB_OK;
    }
    recipe->guidance.scale = base < 0 ? 1 : guidance;
    recipe->n = recipe->guidance.labels + 1;
    recipe->item[recipe->n - 1] = base;
    return EBB_OK;
}

// Comparing with diffusers means the folder's own scheduler.
static const char *default_sampler(const struct ebb_model *model, const struct ebb_generate_params *p)
{
    if (p->noise == EBB_NOISE_TORCH && model->run.sampler)
        return model->run.sampler;
    return model->info.sampler;
}

// Nothing is asked for that only the teacher can do.
static bool is_open(const struct ebb_model *model, const struct ebb_generate_params *p)
{
    bool labels = (p->label >= 0 || model->no_label >= 0) && p->negative < 0 && p->mix_count == 0;
    bool guidance = !(p->guidance_from > 0) && !(p->guidance_to < 1) && p->guidance_rescale == 0 && p->classifier_guidance == 0;
    return labels && guidance && (p->eta == EBB_ETA_OWN || p->eta == 0) && p->noise == EBB_NOISE_PHILOX;
}

static enum ebb_result ask_student(const struct ebb_model *model, const struct ebb_generate_params *p,
                                   struct ebb_recipe *recipe, struct ebb_error *error)
{
    int steps = model->info.student_steps;
    if (!model->student)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s has no student", model->info.name);
    if (!is_open(model, p) || (p->sampler && strcmp(p->sampler, "ddim") != 0) || (p->steps && p->steps != steps) ||
        (!isnan(p->guidance) && p->guidance != 1))
        return ebb_fail(error, EBB_INVALID, "the student of %s knows %d steps of ddim and one label, its guidance learned, "
                        "and nothing else", model->info.name, steps);
    recipe->item[0] = (p->label < 0 ? model->no_label : p->label) + model->student;
    recipe->n = 1;
    recipe->guidance.scale = 1;
    recipe->run.sampler = "ddim";
    recipe->run.spacing = "trailing";
    recipe->run.steps = steps;
    return EBB_OK;
}

enum ebb_result ebb_recipe_make(const struct ebb_model *model, const struct ebb_generate_params *params,
                                struct ebb_recipe *recipe, struct ebb_error *error)
{
    enum ebb_result result = check(model, params, error);
    if (result == EBB_OK)
        result = choose_guidance(model, params, recipe, error);
    if (result != EBB_OK)
        return result;

    recipe->run = model->run;
    recipe->run.schedule = model->schedule;
    const struct ebb_sampler_info *sampler = ebb_sampler_find(params->sampler ? params->sampler
                                                                              : default_sampler(model, params));
    if (!sampler)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s asks for the sampler \"%s\", which there is not", model->info.path,
                        default_sampler(model, params));
    recipe->run.sampler = sampler->name;
    // torch's noise is there to be compared with diffusers: then its peculiarities count too.
    if (params->noise != EBB_NOISE_TORCH)
        recipe->run.compat = NULL;
    else if (recipe->run.compat && recipe->run.compat->brownian && strcmp(sampler->name, recipe->run.compat->sampler) == 0)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s draws from a Brownian tree, which torch noise cannot follow", recipe->run.compat->class_name);
    recipe->run.steps = params->steps > 0 ? params->steps : model->info.steps;
    recipe->run.eta = params->eta;
    ebb_run_params_tune(&recipe->run, &params->tuning);
    recipe->counts = params->counts;
    recipe->noise = params->noise;
    recipe->seed = (struct ebb_noise_path){params->seed, params->to_seed, params->share};
    return params->student == EBB_STUDENT_YES ? ask_student(model, params, recipe, error) : EBB_OK;
}

static void choose_student(const struct ebb_model *model, struct ebb_generate_params *p)
{
    bool left = !p->sampler && !p->steps && isnan(p->guidance) && is_open(model, p);
    if (p->student == EBB_STUDENT_OPEN)
        p->student = model->student && left ? EBB_STUDENT_YES : EBB_STUDENT_NO;
}

enum ebb_result ebb_recipe_make_quick(const struct ebb_model *model, const struct ebb_generate_params *params,
                                      struct ebb_recipe *recipe, struct ebb_error *error)
{
    struct ebb_generate_params p = *params;
    choose_student(model, &p);
    return ebb_recipe_make(model, &p, recipe, error);
}

enum ebb_result ebb_generate_settle(const struct ebb_model *model, struct ebb_generate_params *params, struct ebb_error *error)
{
    struct ebb_generate_params p = *params;
    struct ebb_recipe recipe;
    choose_student(model, &p);
    enum ebb_result result = ebb_recipe_make(model, &p, &recipe, error);
    if (result != EBB_OK)
        return result;

    bool learned = p.student == EBB_STUDENT_YES; // its guidance is in its answers, at all times
    p.sampler = recipe.run.sampler;
    p.steps = recipe.run.steps;
    if (isnan(p.guidance) || learned)
        p.guidance = recipe.n > 1 ? recipe.guidance.scale : 1;
    p.guidance_from = learned ? 0 : recipe.guidance.from;
    p.guidance_to = learned ? 1 : recipe.guidance.to;
    if (p.phase_iterations < 0)
        p.phase_iterations = EBB_SOUND_ITERATIONS;
    *params = p;
    return EBB_OK;
}

enum ebb_result ebb_recipe_make_join(const struct ebb_model *model, const struct ebb_generate_params *params,
                                     struct ebb_recipe *recipe, struct ebb_error *error)
{
    struct ebb_generate_params p = *params;
    if (p.student == EBB_STUDENT_YES) { // its settings are not the teacher's
        p.sampler = NULL;
        p.steps = 0;
        p.guidance = p.guidance_from = p.guidance_to = NAN;
    }
    p.student = EBB_STUDENT_NO;
    return ebb_recipe_make(model, &p, recipe, error);
}

// ---- one window ----

size_t ebb_window_count(const struct ebb_model *model)
{
    return (size_t)model->state[0] * model->state[1] * model->state[2];
}

enum ebb_result ebb_window_make(struct ebb_model *model, const struct ebb_recipe *recipe, const struct ebb_window_job *job,
                                float *state, struct ebb_error *error)
{
    struct ebb_loop_size size = {.n = recipe->n, .h = model->state[1], .w = model->state[2], .c = model->state[0]};
    struct ebb_loop *loop = ebb_engine_loop(model, &size, error);
    if (!loop)
        return error->code;
    bool twice = ebb_unet_out_channels(model->unet) == 2 * size.c;
    if (twice && size.n > 1 && (recipe->guidance.labels > 1 || recipe->guidance.rescale > 0))
        return ebb_fail(error, EBB_UNSUPPORTED, "%s learned its variance: its labels cannot be mixed, nor its guidance rescaled",
                        model->info.name);

    struct ebb_loop_job run = {
        .run = &recipe->run, .guidance = recipe->guidance, .noise = {recipe->noise, recipe->seed, job->clip}, .first = job->first,
        .start = job->start, .known = job->known, .mask = job->mask,
        .watch = job->watch, .user = job->user, .pulse = job->pulse, .counts = recipe->counts,
        .steer = {.classifier = model->classifier},
    };
    memcpy(run.item, recipe->item, sizeof(run.item));
    memcpy(run.steer.label, recipe->label, sizeof(run.steer.label));
    return ebb_loop_run(loop, &run, state, error);
}

// ---- noise, and where it comes from ----

void ebb_window_to_planes(const struct ebb_model *model, const float *state, float *planes)
{
    size_t c = model->state[0], pixels = ebb_window_count(model) / c;
    for (size_t k = 0; k < c; k++)
        for (size_t i = 0; i < pixels; i++)
            planes[k * pixels + i] = state[i * c + k];
}

void ebb_window_from_planes(const struct ebb_model *model, const float *planes, float *state)
{
    size_t c = model->state[0], pixels = ebb_window_count(model) / c;
    for (size_t k = 0; k < c; k++)
        for (size_t i = 0; i < pixels; i++)
            state[i * c + k] = planes[k * pixels + i];
}

void ebb_window_copy_columns(const struct ebb_model *model, float *to, int at, const float *from, int first, int count)
{
    int h = model->state[1], c = model->state[0], w = model->state[2];
    for (int y = 0; y < h; y++)
        memcpy(to + ((size_t)y * w + at) * c, from + ((size_t)y * w + first) * c, (size_t)count * c * sizeof(float));
}

enum ebb_result ebb_window_noise(const struct ebb_model *model, const struct ebb_recipe *recipe, uint64_t clip, float *noise,
                                 struct ebb_error *error)
{
    size_t count = ebb_window_count(model);
    float *planes = ebb_alloc(2 * count, sizeof(float));
    if (!planes)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for noise");
    ebb_noise_draw(&recipe->seed, clip, 0, 0, count, planes, planes + count);
    ebb_window_from_planes(model, planes, noise);
    free(planes);
    return EBB_OK;
}

enum ebb_result ebb_window_start(const struct ebb_recipe *recipe, double *alpha, double *sigma, struct ebb_error *error)
{
    struct ebb_run *run = ebb_run_create(&recipe->run, error);
    if (!run)
        return error->code;
    ebb_run_start(run, alpha, sigma);
    ebb_run_destroy(&run);
    return EBB_OK;
}

enum ebb_result ebb_window_invert(struct ebb_model *model, const struct ebb_recipe *recipe, const float *state,
                                  const struct ebb_pulse *pulse, float *inverted, struct ebb_error *error)
{
    struct ebb_recipe up = *recipe;
    up.run.sampler = "ddim";
    up.run.eta = 0;
    up.run.resample = 1;
    up.run.inverse = true;
    up.run.compat = NULL;
    if (up.run.prediction == EBB_PREDICT_X0) // it says nothing about the noise in a clean sound: one training step up
        up.run.end = 1.0 / ebb_schedule_steps(model->schedule);
    struct ebb_window_job job = {.start = state, .pulse = *pulse};
    return ebb_window_make(model, &up, &job, inverted, error);
}
