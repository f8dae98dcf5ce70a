#include <ebb/edit.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/mel.h"
#include "base/base.h"
#include "engine/region.h"
#include "engine/sound.h"

static const double longest = 600;    // seconds of new sound before or after
static const double shortest = 0.001; // of a span
static const double crossfade = 0.005;

void ebb_edit_params_default(struct ebb_edit_params *params)
{
    *params = (struct ebb_edit_params){.to = INFINITY, .high = INFINITY, .t = NAN, .angle = 90};
    ebb_generate_params_default(&params->generate);
}

// Everything in frames of the edited sound.
struct plan {
    struct ebb_recipe recipe;
    size_t frames;
    size_t here_from, here_to; // the recording
    int spans;
    size_t from[2], to[2];
    bool from_recording;
};

static double time_of(const struct ebb_edit_params *p)
{
    return !isnan(p->t) ? p->t : p->angle < 90 ? EBB_EDIT_INVERSION_T : 1;
}

// ---- checks ----

static enum ebb_result check_sound(const struct ebb_sound *s, struct ebb_error *error)
{
    if (s->rate < 1000 || s->rate > 768000)
        return ebb_fail(error, EBB_INVALID, "the rate is %d Hz, allowed are 1000 to 768000", s->rate);
    if (s->channels < 1 || s->channels > 64)
        return ebb_fail(error, EBB_INVALID, "%d channels, allowed are 1 to 64", s->channels);
    return s->frames > 0 ? EBB_OK : ebb_fail(error, EBB_INVALID, "the recording is empty: there is nothing to edit");
}

static enum ebb_result check_span(const struct ebb_edit_params *p, const struct ebb_sound *s, struct ebb_error *error)
{
    double length = (double)s->frames / s->rate;
    if (!(p->from >= 0 && p->from < length))
        return ebb_fail(error, EBB_INVALID, "from is %g s, allowed are 0 to %.6g, the recording's length", p->from, length);
    if (!isinf(p->to) && !(p->to <= length + 0.5 / s->rate && p->to >= 0))
        return ebb_fail(error, EBB_INVALID, "to is %g s, allowed are 0 to %.6g, the recording's length", p->to, length);
    if (isinf(p->to) && p->to < 0)
        return ebb_fail(error, EBB_INVALID, "to is %g s, allowed are 0 to %.6g, the recording's length", p->to, length);
    if (p->to <= p->from)
        return ebb_fail(error, EBB_INVALID, "the span goes from %g to %g s: from must be below to", p->from, p->to);
    if (p->to - p->from < shortest && !isinf(p->to))
        return ebb_fail(error, EBB_INVALID, "the span of %g s is shorter than %g", p->to - p->from, shortest);
    return EBB_OK;
}

static enum ebb_result check_band(const struct ebb_model *model, const struct ebb_edit_params *p, const struct ebb_sound *s,
                                  struct ebb_error *error)
{
    int rate = s->rate < model->info.sample_rate ? s->rate : model->info.sample_rate;
    double top = fmin(rate / 2.0, model->mel.fmax);
    if (!(p->low >= 0 && p->low < top))
        return ebb_fail(error, EBB_INVALID, "the band begins at %g Hz, allowed are 0 to %g, the highest that the recording and %s hold",
                        p->low, top, model->info.name);
    if (!(p->high > 0 && (p->high <= top || isinf(p->high))))
        return ebb_fail(error, EBB_INVALID, "the band ends at %g Hz, allowed are 0 to %g, the highest that the recording and %s hold",
                        p->high, top, model->info.name);
    if (p->low >= p->high)
        return ebb_fail(error, EBB_INVALID, "the band goes from %g to %g Hz: the lower comes first", p->low, p->high);
    double least = 2.0 * model->info.sample_rate / model->mel.n_fft;
    if (p->high - p->low < least)
        return ebb_fail(error, EBB_INVALID, "the band of %g Hz is narrower than %g, what the spectrogram tells apart",
                        p->high - p->low, least);
    return EBB_OK;
}

static enum ebb_result check_outside(const struct ebb_edit_params *p, struct ebb_error *error)
{
    const double lengths[] = {p->before, p->after};
    const char *const names[] = {"before", "after"};
    for (int i = 0; i < 2; i++)
        if (!(lengths[i] == 0 || (lengths[i] >= shortest && lengths[i] <= longest)))
            return ebb_fail(error, EBB_INVALID, "%s is %g s, allowed are %g to %g (0: none)", names[i], lengths[i], shortest,
                            longest);
    bool whole = p->from == 0 && isinf(p->to) && p->low == 0 && isinf(p->high), plain = time_of(p) == 1 && p->angle == 90;
    if ((p->before > 0 || p->after > 0) && !(whole && plain))
        return ebb_fail(error, EBB_INVALID, "new sound before or after a recording has no span, band, t or angle: there is "
                                            "nothing there to be edited");
    return EBB_OK;
}

static enum ebb_result check_process(const struct ebb_edit_params *p, struct ebb_error *error)
{
    if (!(isnan(p->t) || (p->t > 0 && p->t <= 1)))
        return ebb_fail(error, EBB_INVALID, "t is %g, allowed are above 0 (where nothing changes) to 1 (all made anew)", p->t);
    if (!(p->angle >= 0 && p->angle <= 90))
        return ebb_fail(error, EBB_INVALID, "the angle is %g degrees, allowed are 0 (the recording's noise) to 90 (fresh noise)",
                        p->angle);
    if (p->resample < 0 || p->resample > EBB_RUN_MAX_RESAMPLE)
        return ebb_fail(error, EBB_INVALID, "resample is %d, allowed are 0 (as recommended), 1 (each step once) to %d", p->resample,
                        EBB_RUN_MAX_RESAMPLE);
    if (p->generate.watch)
        return ebb_fail(error, EBB_INVALID, "an edit cannot be watched");
    if (p->generate.noise != EBB_NOISE_PHILOX)
        return ebb_fail(error, EBB_UNSUPPORTED, "torch noise is for whole sounds, not for edits");
    return EBB_OK;
}

// ---- plan ----

// An event, from nothing: it begins where the span does.
static bool starts_anew(const struct ebb_model *model, const struct ebb_edit_params *p)
{
    const struct ebb_generate_params *g = &p->generate;
    int label = g->mix_count > 0 ? g->mix[0].label : g->label;
    bool whole_band = p->low <= 0 && isinf(p->high);
    return time_of(p) == 1 && p->angle == 90 && whole_band && label >= 0 && model->labels[label].kind == EBB_LABEL_EVENT;
}

static int choose_resample(const struct ebb_model *model, const struct ebb_edit_params *p)
{
    bool beside = p->from > 0 || !isinf(p->to) || p->low > 0 || !isinf(p->high) || p->before > 0 || p->after > 0;
    if (p->resample > 0 || !beside || p->angle < 90 || starts_anew(model, p))
        return p->resample > 0 ? p->resample : 1;
    return EBB_EDIT_RESAMPLE;
}

static enum ebb_result make_recipe(const struct ebb_model *model, const struct ebb_edit_params *p, struct plan *plan,
                                   struct ebb_error *error)
{
    struct ebb_generate_params g = p->generate;
    bool inverts = p->angle < 90;
    g.seconds = 0;
    if (inverts && g.steps == 0)
        g.steps = EBB_EDIT_INVERSION_STEPS;
    if (inverts && !g.sampler)
        g.sampler = "ddim";
    if (inverts && isnan(g.guidance))
        g.guidance = 1;
    enum ebb_result result = ebb_recipe_make_join(model, &g, &plan->recipe, error);
    if (result != EBB_OK)
        return result;
    plan->recipe.run.start = time_of(p);
    plan->recipe.run.resample = choose_resample(model, p);
    plan->from_recording = time_of(p) < 1 || inverts;
    struct ebb_run *run = ebb_run_create(&plan->recipe.run, error); // says what does not go together
    if (!run && p->resample == 0) {
        plan->recipe.run.resample = 1;
        run = ebb_run_create(&plan->recipe.run, error);
    }
    result = run ? EBB_OK : error->code;
    ebb_run_destroy(&run);
    return result;
}

static size_t in_frames(double seconds, const struct ebb_sound *s)
{
    return (size_t)round(seconds * s->rate);
}

static void lay_out(const struct ebb_edit_params *p, const struct ebb_sound *s, struct plan *plan)
{
    size_t before = in_frames(p->before, s), after = in_frames(p->after, s);
    plan->here_from = before;
    plan->here_to = before + s->frames;
    plan->frames = before + s->frames + after;
    if (after > 0) { // first, so that what comes before follows from as much as there is
        plan->from[plan->spans] = plan->here_to;
        plan->to[plan->spans++] = plan->frames;
    }
    if (before > 0)
        plan->to[plan->spans++] = before;
    if (plan->spans > 0)
        return;
    size_t from = in_frames(p->from, s), to = isinf(p->to) ? s->frames : in_frames(p->to, s);
    plan->spans = 1;
    plan->to[0] = to < s->frames ? to : s->frames;
    plan->from[0] = from < plan->to[0] ? from : plan->to[0] - 1;
}

static enum ebb_result make_plan(const struct ebb_model *model, const struct ebb_edit_params *p, const struct ebb_sound *s,
                                 struct plan *plan, struct ebb_error *error)
{
    *plan = (struct plan){0};
    enum ebb_result result = check_process(p, error);
    if (result == EBB_OK)
        result = make_recipe(model, p, plan, error);
    if (result == EBB_OK)
        result = check_sound(s, error);
    if (result == EBB_OK)
        result = check_outside(p, error);
    if (result == EBB_OK)
        result = check_span(p, s, error);
    if (result == EBB_OK)
        result = check_band(model, p, s, error);
    if (result == EBB_OK && (model->state[1] < 1 || model->info.n_mels % model->state[1] != 0))
        result = ebb_fail(error, EBB_UNSUPPORTED, "%s: %d mel bands do not lie on %d rows", model->info.path,
                          model->info.n_mels, model->state[1]);
    if (result == EBB_OK)
        lay_out(p, s, plan);
    return result;
}

size_t ebb_edit_frames(const struct ebb_model *model, const struct ebb_edit_params *params, const struct ebb_sound *input,
                       struct ebb_error *error)
{
    struct ebb_edit_params defaults;
    struct ebb_error ignored;
    struct plan plan;
    ebb_edit_params_default(&defaults);
    error = error ? error : &ignored;
    return make_plan(model, params ? params : &defaults, input, &plan, error) == EBB_OK ? plan.frames : 0;
}

// ---- the edit ----

// The recording with silence where there will be sound.
static enum ebb_result extend(const struct ebb_sound *in, const struct plan *plan, struct ebb_sound *out,
                              struct ebb_error *error)
{
    size_t channels = in->channels;
    *out = (struct ebb_sound){.samples = ebb_alloc(plan->frames, channels * sizeof(float)), .frames = plan->frames,
                              .channels = in->channels, .rate = in->rate};
    if (!out->samples)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %zu frames", plan->frames);
    memcpy(out->samples + plan->here_from * channels, in->samples, in->frames * channels * sizeof(float));
    return EBB_OK;
}

// No click where new sound begins or ends a file, 1 ms in and 10 ms out; and none of it past full scale, unless the recording
// goes there. from..to is all that may have changed.
static void finish(const struct plan *plan, size_t from, size_t to, bool band, double peak, struct ebb_sound *out)
{
    size_t in = out->rate / 1000, fall = out->rate / 100, channels = out->channels, length = to - from;
    float *samples = out->samples + from * channels, most = 0;
    for (size_t i = 0; i < length * channels; i++)
        most = fmaxf(most, fabsf(samples[i]));
    if (most > fmax(peak, 1))
        ebb_sound_limit(samples, length * channels);
    for (size_t i = 0; i < length * channels && !plan->from_recording && !band; i++) {
        size_t frame = i / channels, left = length - 1 - frame;
        if (from == 0 && frame < in)
            samples[i] *= ebb_sound_rise(frame, in);
        if (to == plan->frames && left < fall)
            samples[i] *= ebb_sound_rise(left, fall);
    }
}

static enum ebb_result edit_span(struct ebb_model *model, const struct ebb_edit_params *p, const struct plan *plan, int span,
                                 const struct ebb_pulse *pulse, double peak, struct ebb_sound *out, struct ebb_error *error)
{
    const struct ebb_generate_params *g = &p->generate;
    bool later = span > 0; // the first one is part of the recording by now
    struct ebb_region_job job = {
        .sound = out, .from = plan->from[span], .to = plan->to[span], .here_from = plan->here_from,
        .here_to = later ? plan->frames : plan->here_to, .low = p->low, .high = p->high, .recipe = &plan->recipe,
        .clip = g->index + ((uint64_t)span << 60), .seed = ebb_sound_seed(ebb_noise_nearer(&plan->recipe.seed), g->index),
        .angle = p->angle * M_PI / 180, .from_recording = plan->from_recording, .starts = starts_anew(model, p),
        .iterations = g->phase_iterations < 0 ? EBB_SOUND_ITERATIONS : g->phase_iterations,
        .fade = (size_t)ceil(crossfade * out->rate), .pulse = *pulse,
    };
    enum ebb_result result = ebb_region_edit(model, &job, out->samples, error);
    size_t from = job.from > job.fade ? job.from - job.fade : 0;
    size_t to = plan->frames - job.to > job.fade ? job.to + job.fade : plan->frames;
    if (result == EBB_OK)
        finish(plan, from, to, p->low > 0 || !isinf(p->high), peak, out);
    return result;
}

enum ebb_result ebb_edit(struct ebb_model *model, const struct ebb_edit_params *params, const struct ebb_sound *input,
                         struct ebb_sound *output, struct ebb_error *error)
{
    struct ebb_edit_params defaults;
    struct ebb_error ignored;
    struct plan plan;
    ebb_edit_params_default(&defaults);
    error = error ? error : &ignored;
    params = params ? params : &defaults;

    *output = (struct ebb_sound){0};
    enum ebb_result result = make_plan(model, params, input, &plan, error);
    if (result == EBB_OK)
        result = ebb_engine_ready(model, error);
    if (result == EBB_OK)
        result = extend(input, &plan, output, error);
    struct ebb_pulse pulse = {params->generate.progress, params->generate.user, 0, 1};
    double peak = ebb_sound_peak(input);
    for (int i = 0; i < plan.spans && result == EBB_OK; i++) {
        struct ebb_pulse part = ebb_pulse_part(&pulse, (double)i / plan.spans, (i + 1.0) / plan.spans);
        result = edit_span(model, params, &plan, i, &part, peak, output, error);
    }
    if (result == EBB_OK)
        result = ebb_pulse_tell(&pulse, 1, error);
    if (result != EBB_OK)
        ebb_sound_clear(output);
    return result;
}

// ---- one window ----

static enum ebb_result check_shape(const struct ebb_model *model, size_t count, struct ebb_error *error)
{
    if (model->info.kind != EBB_MODEL_GENERATE)
        return ebb_fail(error, EBB_WRONG_TYPE, "%s cleans recordings, it does not generate", model->info.path);
    if (count != ebb_window_count(model))
        return ebb_fail(error, EBB_INVALID, "room for %zu floats, the state has %zu", count, ebb_window_count(model));
    return EBB_OK;
}

enum ebb_result ebb_edit_latents(struct ebb_model *model, const float *samples, size_t length, float *latents, size_t count,
                                 int shape[4], struct ebb_error *error)
{
    struct ebb_error ignored;
    error = error ? error : &ignored;
    shape[0] = 1;
    memcpy(shape + 1, model->state, sizeof(model->state));
    enum ebb_result result = check_shape(model, latents ? count : ebb_window_count(model), error);
    if (result != EBB_OK || !latents)
        return result;
    result = ebb_engine_ready(model, error);
    struct ebb_mel *mel = result == EBB_OK ? ebb_engine_mel(model, error) : NULL;
    if (!mel)
        return error->code;

    size_t frames = (size_t)model->state[2] * model->state_stride, bands = model->info.n_mels;
    size_t whole = (frames - 1) * model->info.hop; // samples that so many frames cover
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
        result = ebb_engine_encode(model, power + frames * bands, model->state[2], state, error);
    }
    if (result == EBB_OK)
        ebb_window_to_planes(model, state, latents);
    free(power);
    free(state);
    return result;
}

// One window's way to t or back.
static enum ebb_result go(struct ebb_model *model, const struct ebb_generate_params *params, double t, bool up,
                          const float *from, float *to, size_t count, struct ebb_error *error)
{
    struct ebb_edit_params p;
    struct plan plan = {0};
    ebb_edit_params_default(&p);
    p.generate = params ? *params : p.generate;
    p.t = t;
    p.angle = 0; // its defaults
    enum ebb_result result = check_shape(model, count, error);
    if (result == EBB_OK)
        result = check_process(&p, error);
    if (result == EBB_OK)
        result = make_recipe(model, &p, &plan, error);
    if (result == EBB_OK)
        result = ebb_engine_ready(model, error);
    float *states = result == EBB_OK ? ebb_alloc(2 * count, sizeof(float)) : NULL;
    if (result == EBB_OK && !states)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    if (result != EBB_OK)
        return result;

    struct ebb_pulse pulse = {p.generate.progress, p.generate.user, 0, 1};
    double alpha, sigma;
    ebb_window_from_planes(model, from, states);
    result = ebb_window_start(&plan.recipe, &alpha, &sigma, error);
    if (result == EBB_OK && up)
        result = ebb_window_invert(model, &plan.recipe, states, &pulse, states + count, error);
    if (result == EBB_OK && !up) {
        for (size_t i = 0; i < count; i++)
            states[i] = (float)(states[i] / sigma); // started from nothing but this
        struct ebb_window_job job = {.first = states, .pulse = pulse};
        result = ebb_window_make(model, &plan.recipe, &job, states + count, error);
    }
    if (result == EBB_OK)
        ebb_window_to_planes(model, states + count, to);
    free(states);
    return result;
}

enum ebb_result ebb_edit_invert(struct ebb_model *model, const struct ebb_generate_params *params, double t,
                                const float *latents, float *state, size_t count, struct ebb_error *error)
{
    struct ebb_error ignored;
    return go(model, params, t, true, latents, state, count, error ? error : &ignored);
}

enum ebb_result ebb_edit_return(struct ebb_model *model, const struct ebb_generate_params *params, double t,
                                const float *state, float *latents, size_t count, struct ebb_error *error)
{
    struct ebb_error ignored;
    return go(model, params, t, false, state, latents, count, error ? error : &ignored);
}
