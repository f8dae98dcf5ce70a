// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/edit.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/mel_coding.h"
#include "audio/peak.h"
#include "audio/recording.h"
#include "base/base.h"
#include "edit/region.h"
#include "generate/window_sound.h"

static const double shortest = 0.001, rounding = 1e-9; // seconds of a span; 1.201 - 1.2 is a little less
static const double crossfade = 0.005;
static const double shortest_loop = 0.1, longest_join = 0.5; // seconds

// The recipe's settings that say which part of the recording is edited.
struct request {
    double from, to, low, high, before, after, t, vary;
};

static struct request read_request(const struct ebb_recipe *recipe)
{
    return (struct request){
        .from = ebb_recipe_number(recipe, "from"),
        .to = ebb_recipe_number(recipe, "to"),
        .low = ebb_recipe_number(recipe, "low"),
        .high = ebb_recipe_number(recipe, "high"),
        .before = ebb_recipe_number(recipe, "before"),
        .after = ebb_recipe_number(recipe, "after"),
        .t = ebb_settle_edit_t(recipe),
        .vary = ebb_recipe_number(recipe, "vary"),
    };
}

// Layout of the edit, in frames of the edited sound.
struct edit_layout {
    struct request request;
    struct ebb_settled settled;
    bool starts_anew;
    size_t frames;
    size_t here_from, here_to; // the recording
    int spans;
    size_t from[2], to[2];
    bool from_recording;
    size_t turned; // of a loop: the recording is turned by so many frames, so that its join lies in the
                   // middle
};

// ---- checks ----

static enum ebb_result check_sound(const struct ebb_sound *s, struct ebb_error *error)
{
    if (ebb_recording_check(s->rate, s->channels, error) != EBB_OK)
        return EBB_INVALID;
    return s->frames > 0 ? EBB_OK
                         : ebb_fail(error, EBB_INVALID, "the recording is empty: there is nothing to edit");
}

static enum ebb_result check_span(const struct request *p, const struct ebb_sound *s, struct ebb_error *error)
{
    double length = (double)s->frames / s->rate;
    if (!(p->from >= 0 && p->from < length))
        return ebb_fail(error, EBB_INVALID, "from is %g s, expected 0 to %.6g, the recording's length",
                        p->from, length);
    if (!isinf(p->to) && !(p->to <= length + 0.5 / s->rate && p->to >= 0))
        return ebb_fail(error, EBB_INVALID, "to is %g s, expected 0 to %.6g, the recording's length", p->to,
                        length);
    if (p->to <= p->from)
        return ebb_fail(error, EBB_INVALID, "the span goes from %g to %g s: from must be below to", p->from,
                        p->to);
    if (p->to - p->from < shortest - rounding && !isinf(p->to))
        return ebb_fail(error, EBB_INVALID, "the span of %.6g s is shorter than %.6g s", p->to - p->from,
                        shortest);
    return EBB_OK;
}

static enum ebb_result check_band(const struct ebb_model *model, const struct request *p,
                                  const struct ebb_sound *s, struct ebb_error *error)
{
    int rate = s->rate < model->info.sample_rate ? s->rate : model->info.sample_rate;
    double top = fmin(rate / 2.0, model->mel.fmax);
    if (!(p->low >= 0 && p->low < top))
        return ebb_fail(
            error, EBB_INVALID,
            "the band begins at %g Hz, expected 0 to %g, the highest that the recording and %s hold", p->low,
            top, model->info.name);
    if (!(p->high > 0 && (p->high <= top || isinf(p->high))))
        return ebb_fail(
            error, EBB_INVALID,
            "the band ends at %g Hz, expected 0 to %g, the highest that the recording and %s hold", p->high,
            top, model->info.name);
    if (p->low >= p->high)
        return ebb_fail(error, EBB_INVALID, "the band goes from %g to %g Hz: the lower comes first", p->low,
                        p->high);
    double least = 2.0 * model->info.sample_rate / model->mel.n_fft;
    if (p->high - p->low < least)
        return ebb_fail(error, EBB_INVALID,
                        "the band of %g Hz is narrower than %g, what the spectrogram tells apart",
                        p->high - p->low, least);
    return EBB_OK;
}

static enum ebb_result check_outside(const struct request *p, struct ebb_error *error)
{
    const double lengths[] = {p->before, p->after};
    const char *const names[] = {"before", "after"};
    for (int i = 0; i < 2; i++)
        if (lengths[i] != 0 && lengths[i] < shortest)
            return ebb_fail(error, EBB_INVALID, "%s is %g s, expected 0 (none), or %g or more", names[i],
                            lengths[i], shortest);
    bool whole = p->from == 0 && isinf(p->to) && p->low == 0 && isinf(p->high),
         plain = p->t == 1 && p->vary == 90;
    if ((p->before > 0 || p->after > 0) && !(whole && plain))
        return ebb_fail(error, EBB_INVALID,
                        "before and after make new sound outside the recording; from, to, low, high, t "
                        "and vary change the recording: do one of the two");
    return EBB_OK;
}

// A loop's join is the whole edit.
static enum ebb_result check_loop(const struct request *p, const struct ebb_sound *s, struct ebb_error *error)
{
    double length = (double)s->frames / s->rate;
    bool whole = p->from == 0 && isinf(p->to) && p->low == 0 && isinf(p->high),
         plain = p->t == 1 && p->vary == 90 && p->before == 0 && p->after == 0;
    if (!whole || !plain)
        return ebb_fail(
            error, EBB_INVALID,
            "loop makes the join of the end with the start anew, and nothing else: from, to, low, high, "
            "before, after, t and vary do not go with it");
    return length >= shortest_loop
               ? EBB_OK
               : ebb_fail(error, EBB_INVALID, "a loop of %.4g seconds, expected %g or more", length,
                          shortest_loop);
}

// ---- layout ----

static size_t in_frames(double seconds, const struct ebb_sound *s)
{
    return (size_t)round(seconds * s->rate);
}

static void lay_out(const struct request *p, const struct ebb_sound *s, struct edit_layout *layout)
{
    size_t before = in_frames(p->before, s), after = in_frames(p->after, s);
    layout->here_from = before;
    layout->here_to = before + s->frames;
    layout->frames = before + s->frames + after;
    if (after > 0) { // made first: the sound before the recording then depends on it too
        layout->from[layout->spans] = layout->here_to;
        layout->to[layout->spans++] = layout->frames;
    }
    if (before > 0)
        layout->to[layout->spans++] = before;
    if (layout->spans > 0)
        return;
    size_t from = in_frames(p->from, s), to = isinf(p->to) ? s->frames : in_frames(p->to, s);
    layout->spans = 1;
    layout->to[0] = to < s->frames ? to : s->frames;
    layout->from[0] = from < layout->to[0] ? from : layout->to[0] - 1;
}

// Half a second around the join, or a quarter of a short recording.
static void lay_out_loop(const struct ebb_sound *s, struct edit_layout *layout)
{
    size_t join = in_frames(fmin(longest_join, (double)s->frames / s->rate / 4), s), half = s->frames / 2;
    layout->turned = half;
    layout->here_to = layout->frames = s->frames;
    layout->spans = 1;
    layout->from[0] = s->frames - half - join / 2;
    layout->to[0] = layout->from[0] + join;
}

static enum ebb_result check_verb(const struct ebb_recipe *recipe, struct ebb_error *error)
{
    if (ebb_recipe_verb(recipe) == EBB_VERB_EDIT)
        return EBB_OK;
    return ebb_fail(error, EBB_WRONG_TYPE, "the recipe is one to %s, not to edit",
                    ebb_verb_name(ebb_recipe_verb(recipe)));
}

static enum ebb_result make_layout(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                   const struct ebb_sound *s, struct edit_layout *layout,
                                   struct ebb_error *error)
{
    *layout = (struct edit_layout){0};
    enum ebb_result result = check_verb(recipe, error);
    if (result != EBB_OK)
        return result;
    struct request p = layout->request = read_request(recipe);
    layout->from_recording = p.t < 1 || p.vary < 90;
    result = ebb_settle_edit(model, recipe, &layout->settled, error);
    if (result == EBB_OK)
        result = check_sound(s, error);
    bool loop = ebb_recipe_number(recipe, "loop") == 1;
    if (result == EBB_OK && loop)
        result = check_loop(&p, s, error);
    if (result == EBB_OK)
        result = check_outside(&p, error);
    if (result == EBB_OK)
        result = check_span(&p, s, error);
    if (result == EBB_OK)
        result = check_band(model, &p, s, error);
    if (result == EBB_OK && (model->state[1] < 1 || model->info.n_mels % model->state[1] != 0))
        result = ebb_fail(error, EBB_UNSUPPORTED, "%s: %d mel bands do not lie on %d rows", model->info.path,
                          model->info.n_mels, model->state[1]);
    if (result != EBB_OK)
        return result;
    layout->starts_anew = ebb_settle_starts_anew(model, recipe, &layout->settled);
    if (loop)
        lay_out_loop(s, layout);
    else
        lay_out(&p, s, layout);
    return EBB_OK;
}

// The caller's recipe. Where there is none, a new one with all settings open, also in `*open`, which the
// caller destroys.
static const struct ebb_recipe *or_open(const struct ebb_recipe *recipe, struct ebb_recipe **open)
{
    *open = recipe ? NULL : ebb_recipe_create(EBB_VERB_EDIT);
    return recipe ? recipe : *open;
}

size_t ebb_edit_frames(const struct ebb_model *model, const struct ebb_recipe *recipe,
                       const struct ebb_sound *input, struct ebb_error *error)
{
    struct ebb_recipe *open;
    struct edit_layout layout = {0};
    error = EBB_ERROR(error);
    recipe = or_open(recipe, &open);
    enum ebb_result result = recipe ? make_layout(model, recipe, input, &layout, error)
                                    : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
    ebb_recipe_destroy(&open);
    return result == EBB_OK ? layout.frames : 0;
}

// ---- the edit ----

// The recording, with silence where the edit adds new sound.
static enum ebb_result extend(const struct ebb_sound *in, const struct edit_layout *layout,
                              struct ebb_sound *out, struct ebb_error *error)
{
    size_t channels = in->channels;
    enum ebb_result result = ebb_sound_alloc(out, layout->frames, in->channels, in->rate, error);
    if (result == EBB_OK)
        memcpy(out->samples + layout->here_from * channels, in->samples,
               in->frames * channels * sizeof(float));
    return result;
}

static void reverse_frames(float *samples, size_t frames, size_t channels)
{
    for (size_t i = 0; i < frames / 2; i++)
        for (size_t c = 0; c < channels; c++) {
            float *a = samples + i * channels + c, *b = samples + (frames - 1 - i) * channels + c, kept = *a;
            *a = *b;
            *b = kept;
        }
}

// Turns a ring: what was frame `by` becomes frame 0.
static void turn(struct ebb_sound *sound, size_t by)
{
    size_t channels = sound->channels;
    reverse_frames(sound->samples, by, channels);
    reverse_frames(sound->samples + by * channels, sound->frames - by, channels);
    reverse_frames(sound->samples, sound->frames, channels);
}

// Fades against clicks where new sound begins or ends the file: 1 ms in, 10 ms out. Then limits the new
// sound to full scale, unless the recording itself is louder. Only frames from .. to - 1 may have changed.
static void finish(const struct edit_layout *layout, size_t from, size_t to, bool band, double peak,
                   struct ebb_sound *out)
{
    size_t in = out->rate / 1000, fall = out->rate / 100, channels = out->channels, length = to - from;
    float *samples = out->samples + from * channels;
    if (ebb_peak(samples, length * channels) > fmax(peak, 1))
        ebb_window_sound_limit(samples, length * channels);
    for (size_t i = 0; i < length * channels && !layout->from_recording && !band; i++) {
        size_t frame = i / channels, left = length - 1 - frame;
        if (from == 0 && frame < in)
            samples[i] *= ebb_window_sound_rise(frame, in);
        if (to == layout->frames && left < fall)
            samples[i] *= ebb_window_sound_rise(left, fall);
    }
}

static enum ebb_result edit_span(struct ebb_model *model, const struct ebb_recipe *recipe,
                                 const struct edit_layout *layout, int span,
                                 const struct ebb_progress_span *progress, double peak, struct ebb_sound *out,
                                 struct ebb_error *error)
{
    const struct request *p = &layout->request;
    uint64_t index = ebb_recipe_seed(recipe, "index");
    bool later = span > 0; // the first span is part of the recording now
    struct ebb_region_job job = {
        .sound = out,
        .from = layout->from[span],
        .to = layout->to[span],
        .here_from = layout->here_from,
        .here_to = later ? layout->frames : layout->here_to,
        .low = p->low,
        .high = p->high,
        .settled = &layout->settled,
        .noise = {.index = index, .span = (unsigned)span},
        .seed = ebb_window_sound_seed(ebb_noise_nearer(&layout->settled.seed), index),
        .angle = p->vary * M_PI / 180,
        .from_recording = layout->from_recording,
        .starts = layout->starts_anew,
        .iterations = (int)ebb_recipe_number(recipe, "phase-iterations"),
        .fade = (size_t)ceil(crossfade * out->rate),
        .progress = *progress,
    };
    enum ebb_result result = ebb_region_edit(model, &job, out->samples, error);
    size_t from = job.from > job.fade ? job.from - job.fade : 0;
    size_t to = layout->frames - job.to > job.fade ? job.to + job.fade : layout->frames;
    if (result == EBB_OK)
        finish(layout, from, to, p->low > 0 || !isinf(p->high), peak, out);
    return result;
}

static enum ebb_result edit(struct ebb_model *model, const struct ebb_recipe *recipe,
                            const struct ebb_sound *input, struct ebb_sound *output,
                            const struct ebb_hooks *hooks, struct ebb_error *error)
{
    struct edit_layout layout;
    enum ebb_result result = make_layout(model, recipe, input, &layout, error);
    if (result == EBB_OK && hooks && hooks->watch)
        result = ebb_fail(error, EBB_INVALID, "an edit cannot be watched");
    if (result == EBB_OK)
        result = ebb_model_ready(model, error);
    if (result == EBB_OK)
        result = extend(input, &layout, output, error);
    struct ebb_progress_span progress = ebb_progress_whole(hooks);
    double peak = ebb_sound_peak(input);
    if (result == EBB_OK && layout.turned > 0)
        turn(output, layout.turned);
    for (int i = 0; i < layout.spans && result == EBB_OK; i++) {
        struct ebb_progress_span part = ebb_progress_part(&progress, (double)i / layout.spans,
                                                          (i + 1.0) / layout.spans);
        result = edit_span(model, recipe, &layout, i, &part, peak, output, error);
    }
    if (result == EBB_OK && layout.turned > 0)
        turn(output, output->frames - layout.turned);
    return result == EBB_OK ? ebb_progress_tell(&progress, 1, error) : result;
}

enum ebb_result ebb_edit(struct ebb_model *model, const struct ebb_recipe *recipe,
                         const struct ebb_sound *input, struct ebb_sound *output,
                         const struct ebb_hooks *hooks, struct ebb_error *error)
{
    struct ebb_recipe *open;
    error = EBB_ERROR(error);
    recipe = or_open(recipe, &open);
    *output = (struct ebb_sound){0};
    enum ebb_result result = recipe ? edit(model, recipe, input, output, hooks, error)
                                    : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
    if (result != EBB_OK)
        ebb_sound_clear(output);
    ebb_recipe_destroy(&open);
    return result;
}
