// SPDX-License-Identifier: LGPL-2.1-or-later
// Settling: a recipe and a model's recommendations become the settings with which windows are made.
#include "model/settle_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <ebb/sampler.h>

#include "base/base.h"
#include "diffusion/noise_address.h"
#include "diffusion/quirks.h"
#include "model/known_words.h"
#include "recipe/table.h"

static const double cut_fade = 0.1;                            // seconds
static const double shortest_loop = 0.1, longest_loop = 86400; // seconds

static double number(const struct ebb_recipe *recipe, const char *name)
{
    return ebb_recipe_number(recipe, name);
}

// ---- guidance ----

static bool is_mixture(const struct ebb_labels *labels)
{
    return labels->count > 1;
}

static bool is_torch(const struct ebb_recipe *recipe)
{
    return strcmp(ebb_recipe_text(recipe, "noise"), "torch") == 0;
}

// Diffusion times between which guidance acts. If the recipe sets one of them, the model's other one does
// not hold. With torch's noise, which is for comparison with diffusers, the model's times do not hold
// either: diffusers has none.
static void choose_times(const struct ebb_model *model, const struct ebb_recipe *recipe,
                         struct ebb_guidance *g)
{
    double from = number(recipe, "guidance-from"), to = number(recipe, "guidance-to");
    bool open = isnan(from) && isnan(to) && !is_torch(recipe);
    g->from = open ? model->info.guidance_from : isnan(from) ? 0 : from;
    g->to = open ? model->info.guidance_to : isnan(to) ? 1 : to;
}

static enum ebb_result choose_labels(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                     const struct ebb_labels *labels, struct ebb_settled *settled,
                                     struct ebb_error *error)
{
    struct ebb_guidance *g = &settled->guidance;
    settled->item[0] = model->no_label;
    settled->label[0] = -1;
    for (int i = 0; i < labels->count; i++) {
        settled->label[i] = labels->index[i];
        settled->item[i] = model->classes || !ebb_is_asked_in_words(model) ? labels->index[i] : -1;
        g->share[i] = labels->share[i];
    }
    g->labels = labels->count > 0 ? labels->count : 1;
    choose_times(model, recipe, g);
    g->rescale = number(recipe, "rescale");
    g->classifier = number(recipe, "classifier-guidance");
    return ebb_guidance_check(g, error);
}

static enum ebb_result check_classifier(const struct ebb_model *model, double classifier, bool labelled,
                                        struct ebb_error *error)
{
    if (classifier != 0 && !model->info.classifier)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "classifier-guidance %g: %s has no classifier (a folder classifier/ in the model)",
                        classifier, model->info.name);
    if (classifier != 0 && !labelled)
        return ebb_fail(error, EBB_INVALID, "classifier-guidance %g leads to a label, and none is asked for",
                        classifier);
    if (classifier == 0 && labelled && !model->classes && !ebb_is_asked_in_words(model))
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "a label: the network of %s knows none, only classifier guidance leads to one",
                        model->info.name);
    return EBB_OK;
}

// The recommended guidance: that of the label; for a mixture, the mean over its labels, weighted by their
// shares.
static double recommended_guidance(const struct ebb_model *model, const struct ebb_labels *labels)
{
    double sum = 0, shares = 0;
    for (int i = 0; i < labels->count; i++) {
        sum += labels->share[i] * model->labels[labels->index[i]].guidance;
        shares += labels->share[i];
    }
    return labels->count > 0 ? sum / shares : model->info.guidance;
}

// ---- words ----

static void copy_words(char to[EBB_WORDS], const char *words)
{
    snprintf(to, EBB_WORDS, "%s", words ? words : "");
}

// A label's words are taken where the window is made, by ebb_settled_prompt().
static void choose_words(const struct ebb_model *model, const struct ebb_recipe *recipe,
                         const struct ebb_labels *labels, struct ebb_settled *settled)
{
    const char *to = ebb_recipe_text(recipe, "to-prompt");
    double share = number(recipe, "share");
    copy_words(settled->words.from, ebb_recipe_text(recipe, model->info.encoding ? "encoding" : "prompt"));
    copy_words(settled->words.to, to);
    settled->words.share = *to && !isnan(share) ? share : 0;
    copy_words(settled->away, labels->negative >= 0 ? model->labels[labels->negative].prompt
                                                    : ebb_recipe_text(recipe, "negative-prompt"));
}

const char *ebb_settled_prompt(const struct ebb_model *model, const struct ebb_settled *settled, int item)
{
    bool base = item == settled->guidance.labels && settled->n > 1;
    if (base || settled->only_away)
        return settled->away;
    int label = settled->label[item];
    return label >= 0 && model->labels[label].prompt ? model->labels[label].prompt : NULL;
}

bool ebb_settled_is_class(const struct ebb_model *model, const struct ebb_settled *settled, int item)
{
    bool base = item == settled->guidance.labels && settled->n > 1;
    if (base || settled->only_away)
        return !*settled->away;
    int label = settled->label[item];
    return label >= 0 ? !model->labels[label].prompt : !*settled->words.from && settled->words.share == 0;
}

// The class to guide away from, of a model that has classes and words.
static int class_away(const struct ebb_model *model, const struct ebb_labels *labels)
{
    return model->words_are_classes && labels->negative >= 0 ? labels->negative : model->no_label;
}

// Guidance between the words and those to guide away from, as pipelines of diffusers have it.
static enum ebb_result guide_by_words(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                      const struct ebb_labels *labels, struct ebb_settled *settled)
{
    double asked = number(recipe, "guidance");
    int alike_label = model->words_are_classes && labels->count == 0
                          ? ebb_find_label_of_words(model, settled->words.from)
                          : -1;
    double recommended = alike_label >= 0 ? model->labels[alike_label].guidance
                                          : recommended_guidance(model, labels);
    double guidance = isnan(asked) ? recommended : asked;
    const struct ebb_guidance *g = &settled->guidance;
    bool alike = labels->count == 0 && !*settled->words.from && !*settled->words.to && !*settled->away;
    settled->only_away = guidance == 0 && g->from == 0 && g->to == 1;
    if (settled->only_away)
        settled->item[0] = class_away(model, labels);
    if (alike || settled->only_away || (guidance == 1 && !is_mixture(labels)))
        return EBB_OK;
    settled->guidance.scale = guidance;
    settled->n = g->labels + 1;
    settled->item[settled->n - 1] = class_away(model, labels);
    return EBB_OK;
}

// Guidance between the labels and the class to guide away from.
static enum ebb_result guide_by_classes(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                        const struct ebb_labels *labels, struct ebb_settled *settled,
                                        struct ebb_error *error)
{
    double asked = number(recipe, "guidance"),
           guidance = isnan(asked) ? recommended_guidance(model, labels) : asked;
    bool mixed = is_mixture(labels) && model->classes;
    int base = !model->classes ? -1 : labels->negative >= 0 ? labels->negative : model->no_label;
    if (model->info.encoding && !isnan(asked) && asked != 1)
        return ebb_fail(error, EBB_UNSUPPORTED, "guidance %g: %s has no encoding to guide away from", asked,
                        model->info.name);
    if ((guidance == 1 && !mixed) || labels->count == 0)
        return EBB_OK;
    if (base < 0 && !isnan(asked) && guidance != 1)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "guidance %g: %s has no class for \"no label\" to guide away from", guidance,
                        model->info.name);
    if (base < 0 && !mixed)
        return EBB_OK;
    if (guidance == 0 && settled->guidance.from == 0 && settled->guidance.to == 1) {
        settled->item[0] = base;
        return EBB_OK;
    }
    settled->guidance.scale = base < 0 ? 1 : guidance;
    settled->n = settled->guidance.labels + 1;
    settled->item[settled->n - 1] = base;
    return EBB_OK;
}

// Fills in the class ids of a batch and the guidance with their weights.
static enum ebb_result choose_guidance(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                       const struct ebb_labels *labels, struct ebb_settled *settled,
                                       struct ebb_error *error)
{
    *settled = (struct ebb_settled){.n = 1};
    ebb_guidance_default(&settled->guidance);
    enum ebb_result result = choose_labels(model, recipe, labels, settled, error);
    if (result == EBB_OK)
        result = check_classifier(model, number(recipe, "classifier-guidance"), labels->count > 0, error);
    if (result != EBB_OK)
        return result;
    choose_words(model, recipe, labels, settled);
    bool classes_alone = model->words_are_classes && !*settled->words.from && !*settled->words.to &&
                         !*settled->away;
    return ebb_is_asked_in_words(model) && !classes_alone
               ? guide_by_words(model, recipe, labels, settled)
               : guide_by_classes(model, recipe, labels, settled, error);
}

// ---- the student ----

// Whether the recipe leaves all settings open that only the teacher has.
static bool fits_student(const struct ebb_model *model, const struct ebb_recipe *recipe,
                         const struct ebb_labels *labels)
{
    double eta = number(recipe, "eta");
    bool one = labels->count == 1 || (labels->count == 0 && model->no_label >= 0);
    bool guidance = !(number(recipe, "guidance-from") > 0) && !(number(recipe, "guidance-to") < 1) &&
                    number(recipe, "rescale") == 0 && number(recipe, "classifier-guidance") == 0;
    one = one && !(number(recipe, "loop") == 1) && !*ebb_recipe_text(recipe, "prompt");
    return one && labels->negative < 0 && guidance && (isnan(eta) || eta == 0) && !is_torch(recipe);
}

static bool chooses_student(const struct ebb_model *model, const struct ebb_recipe *recipe,
                            const struct ebb_labels *labels)
{
    double asked = number(recipe, "student");
    if (ebb_recipe_verb(recipe) == EBB_VERB_EDIT || !isnan(asked))
        return asked == 1;
    bool open = !ebb_recipe_has(recipe, "sampler") && !ebb_recipe_has(recipe, "steps") &&
                !ebb_recipe_has(recipe, "guidance");
    return model->student && open && fits_student(model, recipe, labels);
}

static enum ebb_result ask_student(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                   const struct ebb_labels *labels, struct ebb_settled *settled,
                                   struct ebb_error *error)
{
    int own = model->info.student_steps;
    const char *sampler = ebb_recipe_text(recipe, "sampler");
    double steps = number(recipe, "steps"), guidance = number(recipe, "guidance");
    if (!model->student)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s has no student", model->info.name);
    if (!fits_student(model, recipe, labels) || (*sampler && strcmp(sampler, "ddim") != 0) ||
        (!isnan(steps) && steps != own) || (!isnan(guidance) && guidance != 1))
        return ebb_fail(error, EBB_INVALID,
                        "the student of %s knows %d steps of ddim and one label, its guidance learned, "
                        "and nothing else (no loops either)",
                        model->info.name, own);
    settled->item[0] = (labels->count == 0 ? model->no_label : labels->index[0]) + model->student;
    settled->n = 1;
    settled->guidance.scale = 1;
    settled->run.sampler = "ddim";
    settled->run.spacing = "trailing";
    settled->run.steps = own;
    settled->student = true;
    return EBB_OK;
}

// ---- the reverse process ----

// Settings of the sampler: the recipe's, otherwise the model's.
static void tune(struct ebb_run_params *run, const struct ebb_recipe *recipe)
{
    double noise = number(recipe, "churn-noise"), snr = number(recipe, "corrector-snr"),
           threshold = number(recipe, "threshold");
    if (ebb_recipe_has(recipe, "spacing")) {
        run->spacing = ebb_recipe_choice(recipe, "spacing");
        run->quirks = NULL; // quirks belong to the model's own schedule
    }
    if (ebb_recipe_has(recipe, "variance"))
        run->variance = ebb_recipe_choice(recipe, "variance");
    run->rtol = run->atol = number(recipe, "tolerance");
    run->s_churn = number(recipe, "churn");
    run->s_tmin = number(recipe, "churn-from");
    run->s_tmax = number(recipe, "churn-to");
    run->s_noise = isnan(noise) ? run->s_noise : noise;
    run->snr = isnan(snr) ? run->snr : snr;
    if (threshold != 0) {
        run->threshold_ratio = threshold;
        run->threshold_max = run->threshold_max >= 1 ? run->threshold_max : 1e6;
    }
}

// With torch's noise, for comparison with diffusers, the folder's own scheduler holds.
static const char *sampler_of(const struct ebb_model *model, const struct ebb_recipe *recipe)
{
    if (ebb_recipe_has(recipe, "sampler"))
        return ebb_recipe_text(recipe, "sampler");
    return is_torch(recipe) && model->run.sampler ? model->run.sampler : model->info.sampler;
}

static enum ebb_result choose_run(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                  struct ebb_settled *settled, struct ebb_error *error)
{
    struct ebb_run_params *run = &settled->run;
    *run = model->run;
    run->schedule = model->schedule;
    const struct ebb_sampler_info *sampler = ebb_sampler_find(sampler_of(model, recipe));
    if (!sampler)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s asks for the sampler \"%s\", which there is not",
                        model->info.path, sampler_of(model, recipe));
    run->sampler = sampler->name;
    // torch's noise is for comparison with diffusers, so its quirks hold too.
    if (!is_torch(recipe))
        run->quirks = NULL;
    else if (run->quirks && run->quirks->brownian && strcmp(sampler->name, run->quirks->sampler) == 0)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s draws from a Brownian tree, which torch noise cannot follow",
                        run->quirks->source);
    run->steps = ebb_recipe_has(recipe, "steps") ? (int)number(recipe, "steps") : model->info.steps;
    run->eta = number(recipe, "eta");
    tune(run, recipe);
    return EBB_OK;
}

// ---- noise ----

int ebb_settled_noise_version(const struct ebb_recipe *recipe)
{
    bool recorded = ebb_recipe_has(recipe, "noise-version");
    return recorded ? (int)number(recipe, "noise-version") : EBB_NOISE_VERSION;
}

// A seed's key under the labels that are heard; torch's generator knows no labels.
static uint64_t key_of(const struct ebb_model *model, const struct ebb_recipe *recipe, const char *name,
                       const struct ebb_labels *labels)
{
    const char *names[EBB_GUIDANCE_LABELS];
    int heard = 0;
    for (int i = 0; i < labels->count && !is_torch(recipe); i++)
        if (labels->share[i] > 0)
            names[heard++] = model->labels[labels->index[i]].name;
    return ebb_noise_key(ebb_settled_noise_version(recipe), ebb_recipe_seed(recipe, name), names, heard);
}

static enum ebb_result choose_noise(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                    const struct ebb_labels *labels, struct ebb_settled *settled,
                                    struct ebb_error *error)
{
    if (ebb_settled_noise_version(recipe) > EBB_NOISE_VERSION)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "the recipe has noise version %d, this Ebb knows versions up to %d",
                        ebb_settled_noise_version(recipe), EBB_NOISE_VERSION);
    double share = number(recipe, "share");
    if (*settled->words.to && !ebb_recipe_has(recipe, "to-seed")) // the path is one of words alone
        share = 0;
    settled->precision = ebb_precision_of(ebb_recipe_text(recipe, "precision"));
    settled->noise = is_torch(recipe) ? EBB_NOISE_TORCH : EBB_NOISE_PHILOX;
    settled->seed = (struct ebb_noise_path){key_of(model, recipe, "seed", labels),
                                            key_of(model, recipe, "to-seed", labels),
                                            isnan(share) ? 0 : share, 0};
    return EBB_OK;
}

// ---- loops ----

// Whether words are of a texture, by the label whose sounds were called so.
static bool is_texture_in_words(const struct ebb_model *model, const char *words)
{
    int label = ebb_find_label_of_words(model, words);
    return label >= 0 && model->labels[label].kind == EBB_LABEL_TEXTURE;
}

bool ebb_settled_is_event(const struct ebb_model *model, const struct ebb_settled *settled)
{
    int label = settled->label[0];
    if (model->vocoder) // its sounds stand alone
        return true;
    if (label < 0 && model->words_are_classes && *settled->words.from)
        return !is_texture_in_words(model, settled->words.from);
    return label >= 0 && model->labels[label].kind == EBB_LABEL_EVENT;
}

static enum ebb_result check_loop(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                  const struct ebb_settled *settled, struct ebb_error *error)
{
    double seconds = number(recipe, "seconds"),
           most = ebb_recipe_verb(recipe) == EBB_VERB_STREAM ? EBB_LOOP_HELD : longest_loop;
    if (seconds != 0 && !(seconds >= shortest_loop && seconds <= most))
        return ebb_fail(error, EBB_INVALID, "a loop of %g seconds, expected %g to %g", seconds, shortest_loop,
                        most);
    if (ebb_recipe_has(recipe, "fade"))
        return ebb_fail(error, EBB_INVALID, "fade: a loop has no end to fade");
    if (model->vocoder)
        return ebb_fail(error, EBB_UNSUPPORTED, "loop: %s has a vocoder, whose sounds cannot be joined",
                        model->info.name);
    if (settled->noise == EBB_NOISE_TORCH)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "loop: torch noise is for comparison with diffusers, which has none");
    if (settled->guidance.classifier > 0 && !ebb_settled_is_event(model, settled))
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "loop: classifier-guidance is for whole windows, not for loops");
    return EBB_OK;
}

// ---- the end ----

// An event that is cut while it rings ends in a tenth of a second, or a quarter of a very short one. A recipe
// that was recorded says its fade, unless it is the plain one: so recipes from before there was this setting
// make their sounds again.
static double choose_fade(const struct ebb_model *model, const struct ebb_recipe *recipe,
                          const struct ebb_settled *settled)
{
    double asked = number(recipe, "fade"), seconds = number(recipe, "seconds");
    double window = (double)model->info.window_samples / model->info.sample_rate;
    bool recorded = ebb_recipe_has(recipe, "noise-version"),
         generates = ebb_recipe_verb(recipe) == EBB_VERB_GENERATE;
    bool loop = number(recipe, "loop") == 1;
    bool cut = generates && !loop && !recorded && seconds > 0 && seconds < window &&
               ebb_settled_is_event(model, settled);
    return !isnan(asked) ? asked : cut ? fmax(fmin(cut_fade, seconds / 4), EBB_PLAIN_FADE) : EBB_PLAIN_FADE;
}

// ---- channels ----

struct ebb_settled ebb_settled_second(const struct ebb_settled *settled)
{
    struct ebb_settled second = *settled;
    second.seed.apart = settled->width;
    return second;
}

// A stream has two channels where it has a width. A sound whose channels are the same is one sound, twice.
static enum ebb_result choose_channels(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                       struct ebb_settled *settled, struct ebb_error *error)
{
    double width = number(recipe, "width");
    bool stream = ebb_recipe_verb(recipe) == EBB_VERB_STREAM;
    settled->width = isnan(width) ? 0 : width;
    settled->channels = stream ? 1 + (width > 0) : number(recipe, "channels") == 2 ? 2 : 1;
    if (!stream && ebb_recipe_has(recipe, "width") && settled->channels != 2)
        return ebb_fail(error, EBB_INVALID, "width %g is for two channels, and there is one (channels 2)",
                        width);
    if (settled->channels == 2 && model->vocoder)
        return ebb_fail(error, EBB_UNSUPPORTED, "channels: the vocoder of %s makes one", model->info.name);
    if (settled->channels == 2 && settled->noise == EBB_NOISE_TORCH)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "channels: torch noise is for comparison with diffusers, which has one");
    return EBB_OK;
}

enum ebb_result ebb_check_kind(const struct ebb_model *model, enum ebb_model_kind kind,
                               struct ebb_error *error)
{
    if (model->info.kind == kind)
        return EBB_OK;
    return ebb_fail(error, EBB_WRONG_TYPE,
                    kind == EBB_MODEL_GENERATE ? "%s cleans recordings, it does not generate"
                                               : "%s generates sounds, it does not clean recordings",
                    model->info.path);
}

static enum ebb_result settle(const struct ebb_model *model, const struct ebb_recipe *recipe, bool held,
                              struct ebb_settled *settled, struct ebb_error *error)
{
    struct ebb_labels labels;
    enum ebb_result result = ebb_check_kind(model, EBB_MODEL_GENERATE, error);
    if (result == EBB_OK)
        result = ebb_find_labels(model, recipe, &labels, error);
    if (result == EBB_OK)
        result = choose_guidance(model, recipe, &labels, settled, error);
    if (result == EBB_OK)
        result = choose_run(model, recipe, settled, error);
    if (result == EBB_OK)
        result = choose_noise(model, recipe, &labels, settled, error);
    if (result == EBB_OK && !held && chooses_student(model, recipe, &labels))
        result = ask_student(model, recipe, &labels, settled, error);
    if (result == EBB_OK)
        settled->fade = choose_fade(model, recipe, settled);
    if (result == EBB_OK)
        result = choose_channels(model, recipe, settled, error);
    if (result == EBB_OK)
        settled->loop = ebb_recipe_verb(recipe) != EBB_VERB_EDIT && number(recipe, "loop") == 1;
    if (result == EBB_OK && settled->loop)
        result = check_loop(model, recipe, settled, error);
    return result;
}

// AudioLDM's sounds are made in one piece, of the length that is asked for.
static enum ebb_result choose_columns(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                      struct ebb_settled *settled, struct ebb_error *error)
{
    enum { LONGEST = 1 << 14 }; // frames
    double seconds = ebb_recipe_verb(recipe) == EBB_VERB_GENERATE ? number(recipe, "seconds") : 0;
    double frame = (double)model->mel.hop / model->mel.sample_rate, frames = seconds / frame;
    if (!model->vocoder || !(seconds > 0))
        return EBB_OK;
    if (frames > LONGEST)
        return ebb_fail(error, EBB_UNSUPPORTED, "%g seconds: %s makes at most %g s", seconds,
                        model->info.name, LONGEST * frame);
    int whole = (int)frames, stride = model->state_stride;
    settled->columns = whole < stride ? 1 : (whole + stride - 1) / stride;
    return EBB_OK;
}

enum ebb_result ebb_settle_whole(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                 struct ebb_settled *settled, struct ebb_error *error)
{
    enum ebb_result result = settle(model, recipe, false, settled, error);
    return result == EBB_OK ? choose_columns(model, recipe, settled, error) : result;
}

// For the student, sets the open settings to the model's values for the student, which are not the
// teacher's.
enum ebb_result ebb_settle_held(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                struct ebb_settled *settled, struct ebb_error *error)
{
    static const char *const of_student[] = {"sampler", "steps", "guidance", "guidance-from", "guidance-to"};
    if (number(recipe, "student") != 1)
        return settle(model, recipe, true, settled, error);
    struct ebb_recipe *teacher = ebb_recipe_copy(recipe);
    for (size_t i = 0; teacher && i < sizeof(of_student) / sizeof(*of_student); i++)
        ebb_recipe_open(teacher, of_student[i]);
    enum ebb_result result = teacher ? settle(model, teacher, true, settled, error)
                                     : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
    ebb_recipe_destroy(&teacher);
    return result;
}
