// SPDX-License-Identifier: LGPL-2.1-or-later
// Settling: a recipe and a model's recommendations become the settings with which windows are made.
#include "model/settle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/ebb.h>

#include "base/base.h"
#include "base/plain.h"
#include "diffusion/noise_address.h"
#include "diffusion/quirks.h"
#include "model/known_words.h"
#include "recipe/table.h"

enum { EDIT_RESAMPLE = 4, INVERSION_STEPS = 50 };
static const double inversion_t = 0.9; // of rain, 60 steps there and back lose 1.4 % (docs/diffusion.md); at
                                       // 1, 8 %

static const double plain_fade = 0.01, cut_fade = 0.1;         // seconds
static const double shortest_loop = 0.1, longest_loop = 86400; // seconds

static double number(const struct ebb_recipe *recipe, const char *name)
{
    return ebb_recipe_number(recipe, name);
}

// ---- labels ----

static bool is_asked_in_words(const struct ebb_model *model)
{
    return model->info.prompt;
}

// The recipe's labels, and the label to guide away from; -1: none.
struct labels {
    int count; // 0: no label
    int index[EBB_GUIDANCE_LABELS];
    double share[EBB_GUIDANCE_LABELS];
    int negative;
};

static bool is_label(const struct ebb_model *model, const char *name)
{
    for (int i = 0; i < model->info.label_count; i++)
        if (strcmp(model->labels[i].name, name) == 0)
            return true;
    return false;
}

// By its name, or by its name without the blanks around it, as in "rain:0.7, wind:0.3".
static enum ebb_result find_label(const struct ebb_model *model, const char *name, int *index,
                                  struct ebb_error *error)
{
    const char *begin = name + strspn(name, " ");
    size_t length = strlen(begin);
    while (length > 0 && begin[length - 1] == ' ')
        length--;
    *index = ebb_model_find_label(model, name, NULL);
    if (*index >= 0)
        return EBB_OK;
    char *bare = strndup(begin, length);
    if (!bare)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a label");
    *index = ebb_model_find_label(model, bare, error);
    free(bare);
    return *index >= 0 ? EBB_OK : error->code;
}

// Reads "rain:0.7", one part of a mixture.
static enum ebb_result read_part(const struct ebb_model *model, char *part, struct labels *labels,
                                 struct ebb_error *error)
{
    char *colon = strrchr(part, ':'), *end;
    if (labels->count == EBB_GUIDANCE_LABELS)
        return ebb_fail(error, EBB_INVALID, "label: a mixture has at most %d labels", EBB_GUIDANCE_LABELS);
    if (!colon)
        return ebb_fail(error, EBB_INVALID, "label: \"%.60s\" has no share; a mixture is rain:0.7,wind:0.3",
                        part);
    double share = ebb_plain_number(colon + 1, &end);
    end += strspn(end, " ");
    if (end == colon + 1 || *end || !(share >= 0 && share <= 1000))
        return ebb_fail(error, EBB_INVALID, "label: the share is \"%.40s\", expected a number, 0 to 1000",
                        colon + 1);
    *colon = 0;
    labels->share[labels->count] = share;
    return find_label(model, part, &labels->index[labels->count++], error);
}

static enum ebb_result read_mixture(const struct ebb_model *model, const char *text, struct labels *labels,
                                    struct ebb_error *error)
{
    char *copy = strdup(text), *rest = copy;
    enum ebb_result result = copy ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a label");
    for (char *part; result == EBB_OK && (part = strsep(&rest, ","));)
        result = read_part(model, part, labels, error);
    free(copy);
    double all = 0;
    for (int i = 0; i < labels->count; i++)
        all += labels->share[i];
    if (result == EBB_OK && all <= 0)
        result = ebb_fail(error, EBB_INVALID, "label: all shares of \"%.60s\" are 0", text);
    return result;
}

// "none" means no label, unless the model has a label of that name.
static bool names_nothing(const struct ebb_model *model, const char *name)
{
    return !*name || (strcmp(name, "none") == 0 && !is_label(model, name));
}

// Labels and prompts are asked for of models that have them.
static enum ebb_result check_words(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                   struct ebb_error *error)
{
    static const char *const prompts[] = {"prompt", "negative-prompt", "to-prompt"};
    static const char *const names[] = {"label", "negative"};
    for (int i = 0; i < 3 && !is_asked_in_words(model); i++)
        if (*ebb_recipe_text(recipe, prompts[i]))
            return ebb_fail(error, EBB_INVALID, "%s: %s is not asked in words, it %s%s%s", prompts[i],
                            model->info.name,
                            model->info.label_count ? "knows labels: ebb labels " : "makes what it makes",
                            model->info.label_count ? model->info.name : "",
                            model->info.label_count ? " lists them" : "");
    for (int i = 0; i < 2 && is_asked_in_words(model) && model->info.label_count == 0; i++)
        if (!names_nothing(model, ebb_recipe_text(recipe, names[i])))
            return ebb_fail(error, EBB_INVALID, "%s: %s has no labels, it is asked in words: use %s",
                            names[i], model->info.name, i ? "negative-prompt" : "prompt");
    bool encoded = *ebb_recipe_text(recipe, "encoding") != 0;
    if (encoded && !model->info.encoding)
        return ebb_fail(error, EBB_INVALID, "encoding: %s is asked %s", model->info.name,
                        is_asked_in_words(model)  ? "in words: use prompt"
                        : model->info.label_count ? "by labels"
                                                  : "for nothing: it makes what it makes");
    if (!encoded && model->info.encoding)
        return ebb_fail(error, EBB_INVALID,
                        "%s is asked by an encoding: the setting encoding names a .npy of %d numbers, or of"
                        " tokens of so many",
                        model->info.name, model->info.encoding);
    bool both = *ebb_recipe_text(recipe, "prompt") && !names_nothing(model, ebb_recipe_text(recipe, "label"));
    return both ? ebb_fail(error, EBB_INVALID, "a label and a prompt exclude each other") : EBB_OK;
}

static enum ebb_result find_labels(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                   struct labels *labels, struct ebb_error *error)
{
    const char *label = ebb_recipe_text(recipe, "label"), *negative = ebb_recipe_text(recipe, "negative");
    bool open = ebb_recipe_verb(recipe) == EBB_VERB_STREAM && !*label && model->info.default_label >= 0 &&
                !*ebb_recipe_text(recipe, "prompt");
    *labels = (struct labels){.negative = -1};
    enum ebb_result result = check_words(model, recipe, error);
    if (result != EBB_OK)
        return result;
    if (open || !names_nothing(model, label)) {
        bool mixture = !open && strchr(label, ':') && !is_label(model, label);
        labels->share[0] = 1;
        labels->index[0] = model->info.default_label;
        labels->count = mixture ? 0 : 1;
        if (mixture)
            result = read_mixture(model, label, labels, error);
        else if (!open)
            result = find_label(model, label, &labels->index[0], error);
    }
    if (result == EBB_OK && !names_nothing(model, negative))
        result = find_label(model, negative, &labels->negative, error);
    return result;
}

static bool is_mixture(const struct labels *labels)
{
    return labels->count > 1;
}

// ---- guidance ----

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
                                     const struct labels *labels, struct ebb_settled *settled,
                                     struct ebb_error *error)
{
    struct ebb_guidance *g = &settled->guidance;
    settled->item[0] = model->no_label;
    settled->label[0] = -1;
    for (int i = 0; i < labels->count; i++) {
        settled->label[i] = labels->index[i];
        settled->item[i] = model->classes || !is_asked_in_words(model) ? labels->index[i] : -1;
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
    if (classifier == 0 && labelled && !model->classes && !is_asked_in_words(model))
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "a label: the network of %s knows none, only classifier guidance leads to one",
                        model->info.name);
    return EBB_OK;
}

// The recommended guidance: that of the label; for a mixture, the mean over its labels, weighted by their
// shares.
static double recommended_guidance(const struct ebb_model *model, const struct labels *labels)
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
                         const struct labels *labels, struct ebb_settled *settled)
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
static int class_away(const struct ebb_model *model, const struct labels *labels)
{
    return model->words_are_classes && labels->negative >= 0 ? labels->negative : model->no_label;
}

// Guidance between the words and those to guide away from, as pipelines of diffusers have it.
static enum ebb_result guide_by_words(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                      const struct labels *labels, struct ebb_settled *settled)
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

// Fills in the class ids of a batch and the guidance with their weights.
static enum ebb_result choose_guidance(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                       const struct labels *labels, struct ebb_settled *settled,
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
    if (is_asked_in_words(model) && !classes_alone)
        return guide_by_words(model, recipe, labels, settled);

    if (model->info.encoding && !isnan(number(recipe, "guidance")) && number(recipe, "guidance") != 1)
        return ebb_fail(error, EBB_UNSUPPORTED, "guidance %g: %s has no encoding to guide away from",
                        number(recipe, "guidance"), model->info.name);
    double asked = number(recipe, "guidance"),
           guidance = isnan(asked) ? recommended_guidance(model, labels) : asked;
    bool mixed = is_mixture(labels) && model->classes;
    int base = !model->classes ? -1 : labels->negative >= 0 ? labels->negative : model->no_label;
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

// ---- the student ----

// Whether the recipe leaves all settings open that only the teacher has.
static bool fits_student(const struct ebb_model *model, const struct ebb_recipe *recipe,
                         const struct labels *labels)
{
    double eta = number(recipe, "eta");
    bool one = labels->count == 1 || (labels->count == 0 && model->no_label >= 0);
    bool guidance = !(number(recipe, "guidance-from") > 0) && !(number(recipe, "guidance-to") < 1) &&
                    number(recipe, "rescale") == 0 && number(recipe, "classifier-guidance") == 0;
    one = one && !(number(recipe, "loop") == 1) && !*ebb_recipe_text(recipe, "prompt");
    return one && labels->negative < 0 && guidance && (isnan(eta) || eta == 0) && !is_torch(recipe);
}

static bool chooses_student(const struct ebb_model *model, const struct ebb_recipe *recipe,
                            const struct labels *labels)
{
    double asked = number(recipe, "student");
    if (ebb_recipe_verb(recipe) == EBB_VERB_EDIT || !isnan(asked))
        return asked == 1;
    bool open = !ebb_recipe_has(recipe, "sampler") && !ebb_recipe_has(recipe, "steps") &&
                !ebb_recipe_has(recipe, "guidance");
    return model->student && open && fits_student(model, recipe, labels);
}

static enum ebb_result ask_student(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                   const struct labels *labels, struct ebb_settled *settled,
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

// The version of the noise address: the recipe's, or today's.
static int noise_version(const struct ebb_recipe *recipe)
{
    bool recorded = ebb_recipe_has(recipe, "noise-version");
    return recorded ? (int)number(recipe, "noise-version") : EBB_NOISE_VERSION;
}

// A seed's key under the labels that are heard; torch's generator knows no labels.
static uint64_t key_of(const struct ebb_model *model, const struct ebb_recipe *recipe, const char *name,
                       const struct labels *labels)
{
    const char *names[EBB_GUIDANCE_LABELS];
    int heard = 0;
    for (int i = 0; i < labels->count && !is_torch(recipe); i++)
        if (labels->share[i] > 0)
            names[heard++] = model->labels[labels->index[i]].name;
    return ebb_noise_key(noise_version(recipe), ebb_recipe_seed(recipe, name), names, heard);
}

static enum ebb_result choose_noise(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                    const struct labels *labels, struct ebb_settled *settled,
                                    struct ebb_error *error)
{
    if (noise_version(recipe) > EBB_NOISE_VERSION)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "the recipe has noise version %d, this Ebb knows versions up to %d",
                        noise_version(recipe), EBB_NOISE_VERSION);
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
    return !isnan(asked) ? asked : cut ? fmax(fmin(cut_fade, seconds / 4), plain_fade) : plain_fade;
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

static enum ebb_result check_kind(const struct ebb_model *model, enum ebb_model_kind kind,
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
    struct labels labels;
    enum ebb_result result = check_kind(model, EBB_MODEL_GENERATE, error);
    if (result == EBB_OK)
        result = find_labels(model, recipe, &labels, error);
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

static enum ebb_result no_memory(struct ebb_error *error)
{
    return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
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
    enum ebb_result result = teacher ? settle(model, teacher, true, settled, error) : no_memory(error);
    ebb_recipe_destroy(&teacher);
    return result;
}

// ---- edits ----

static bool inverts(const struct ebb_recipe *recipe)
{
    return number(recipe, "vary") < 90;
}

double ebb_settle_edit_t(const struct ebb_recipe *recipe)
{
    double t = number(recipe, "t");
    return !isnan(t) ? t : inverts(recipe) ? inversion_t : 1;
}

static bool is_whole_band(const struct ebb_recipe *recipe)
{
    return number(recipe, "low") <= 0 && isinf(number(recipe, "high"));
}

bool ebb_settle_starts_anew(const struct ebb_model *model, const struct ebb_recipe *recipe,
                            const struct ebb_settled *settled)
{
    int label = settled->label[0];
    return ebb_settle_edit_t(recipe) == 1 && !inverts(recipe) && number(recipe, "loop") != 1 &&
           is_whole_band(recipe) && label >= 0 && model->labels[label].kind == EBB_LABEL_EVENT;
}

// The return takes the inversion's settings, unless the recipe sets others.
static enum ebb_result choose_inversion(struct ebb_recipe *recipe, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    if (!ebb_recipe_has(recipe, "steps"))
        result = ebb_recipe_set_number(recipe, "steps", INVERSION_STEPS, error);
    if (result == EBB_OK && !ebb_recipe_has(recipe, "sampler"))
        result = ebb_recipe_set(recipe, "sampler", "ddim", error);
    if (result == EBB_OK && !ebb_recipe_has(recipe, "guidance"))
        result = ebb_recipe_set_number(recipe, "guidance", 1, error);
    return result;
}

static int choose_resample(const struct ebb_model *model, const struct ebb_recipe *recipe,
                           const struct ebb_settled *settled)
{
    bool span = number(recipe, "from") > 0 || !isinf(number(recipe, "to"));
    bool outside = number(recipe, "before") > 0 || number(recipe, "after") > 0;
    bool beside = span || outside || number(recipe, "loop") == 1 || !is_whole_band(recipe);
    return beside && !inverts(recipe) && !ebb_settle_starts_anew(model, recipe, settled) ? EDIT_RESAMPLE : 1;
}

// Some samplers cannot do a step more than once. With them, RePaint's number becomes 1, or fails if the
// recipe sets it.
static enum ebb_result try_run(struct ebb_settled *settled, bool insists, struct ebb_error *error)
{
    struct ebb_run *run = ebb_run_create(&settled->run, error); // says what does not go together
    if (!run && !insists && error->code != EBB_OUT_OF_MEMORY) {
        settled->run.resample = 1;
        run = ebb_run_create(&settled->run, error);
    }
    enum ebb_result result = run ? EBB_OK : error->code;
    ebb_run_destroy(&run);
    return result;
}

static enum ebb_result settle_edit(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                   struct ebb_settled *settled, struct ebb_error *error)
{
    enum ebb_result result = ebb_settle_held(model, recipe, settled, error);
    if (result != EBB_OK)
        return result;
    bool insists = ebb_recipe_has(recipe, "resample");
    settled->run.start = ebb_settle_edit_t(recipe);
    settled->run.resample = insists ? (int)number(recipe, "resample")
                                    : choose_resample(model, recipe, settled);
    return try_run(settled, insists, error);
}

// An edit weaves a window's dB into the recording's: from those, Riffusion's pictures of magnitudes are far,
// and a vocoder's sound has phases of its own.
static enum ebb_result check_editable(const struct ebb_model *model, struct ebb_error *error)
{
    if (model->vocoder)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s cannot edit: it has a vocoder, whose sounds cannot be joined to a recording",
                        model->info.name);
    if (model->mel.coding == EBB_MEL_CODING_RIFFUSION)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s cannot edit: its spectrograms are of magnitudes, and an edit needs dB",
                        model->info.name);
    return EBB_OK;
}

enum ebb_result ebb_settle_edit(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                struct ebb_settled *settled, struct ebb_error *error)
{
    if (check_editable(model, error) != EBB_OK)
        return error->code;
    if (ebb_recipe_number(recipe, "t") == 0)
        return ebb_fail(error, EBB_INVALID, "t is 0, where nothing changes; expected above 0 and at most 1");
    struct ebb_recipe *all = ebb_recipe_copy(recipe);
    enum ebb_result result = all ? EBB_OK : no_memory(error);
    if (result == EBB_OK && inverts(recipe))
        result = choose_inversion(all, error);
    if (result == EBB_OK)
        result = settle_edit(model, all, settled, error);
    ebb_recipe_destroy(&all);
    return result;
}

enum ebb_result ebb_settle_inverted(const struct ebb_model *model, const struct ebb_recipe *recipe, double t,
                                    struct ebb_settled *settled, struct ebb_error *error)
{
    if (check_editable(model, error) != EBB_OK)
        return error->code;
    if (!(t > 0 && t <= 1))
        return ebb_fail(error, EBB_INVALID,
                        "t is %g, expected above 0 (where nothing changes) and at most 1 (all made anew)", t);
    struct ebb_recipe *all = recipe ? ebb_recipe_copy(recipe) : ebb_recipe_create(EBB_VERB_GENERATE);
    enum ebb_result result = all ? choose_inversion(all, error) : no_memory(error);
    if (result == EBB_OK)
        result = ebb_settle_held(model, all, settled, error);
    if (result == EBB_OK && settled->noise == EBB_NOISE_TORCH)
        result = ebb_fail(error, EBB_UNSUPPORTED, "torch noise is for whole sounds, not for edits");
    if (result == EBB_OK) {
        settled->run.start = t;
        result = try_run(settled, true, error);
    }
    ebb_recipe_destroy(&all);
    return result;
}

// ---- open settings get their values ----

static enum ebb_result close_number(struct ebb_recipe *recipe, const char *name, double value,
                                    struct ebb_error *error)
{
    return ebb_recipe_has(recipe, name) ? EBB_OK : ebb_recipe_set_number(recipe, name, value, error);
}

// A student has learned its guidance, for all diffusion times.
static enum ebb_result close_process(struct ebb_recipe *recipe, const struct ebb_settled *settled,
                                     struct ebb_error *error)
{
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): settled before
    double guidance = settled->n > 1 ? settled->guidance.scale : 1;
    enum ebb_result result = ebb_recipe_set(recipe, "sampler", settled->run.sampler, error);
    if (settled->student) {
        ebb_recipe_open(recipe, "guidance");
        result = ebb_recipe_set_number(recipe, "student", 1, error);
    }
    if (result == EBB_OK)
        result = ebb_recipe_set_number(recipe, "steps", settled->run.steps, error);
    if (result == EBB_OK)
        result = close_number(recipe, "guidance", guidance, error);
    if (result == EBB_OK)
        result = ebb_recipe_set_number(recipe, "guidance-from", settled->student ? 0 : settled->guidance.from,
                                       error);
    if (result == EBB_OK)
        result = ebb_recipe_set_number(recipe, "guidance-to", settled->student ? 1 : settled->guidance.to,
                                       error);
    return result;
}

static enum ebb_result close_label(const struct ebb_model *model, struct ebb_recipe *recipe,
                                   const struct ebb_settled *settled, struct ebb_error *error)
{
    bool open = !ebb_recipe_has(recipe, "label") && settled->label[0] >= 0;
    return open ? ebb_recipe_set(recipe, "label", model->labels[settled->label[0]].name, error) : EBB_OK;
}

static enum ebb_result close_edit(const struct ebb_model *model, struct ebb_recipe *recipe,
                                  struct ebb_error *error)
{
    struct ebb_settled settled;
    enum ebb_result result = ebb_settle_edit(model, recipe, &settled, error);
    if (result == EBB_OK)
        result = close_process(recipe, &settled, error);
    if (result == EBB_OK)
        result = close_number(recipe, "t", ebb_settle_edit_t(recipe), error);
    return result == EBB_OK ? close_number(recipe, "resample", settled.run.resample, error) : result;
}

static enum ebb_result close_denoise(const struct ebb_model *model, struct ebb_recipe *recipe,
                                     struct ebb_error *error)
{
    bool automatic = ebb_recipe_number(recipe, "auto-t") == 1;
    enum ebb_result result = check_kind(model, EBB_MODEL_DENOISE, error);
    if (result == EBB_OK && !automatic)
        result = close_number(recipe, "t", model->info.t_default, error);
    if (result == EBB_OK)
        result = close_number(recipe, "steps", model->info.steps, error);
    if (result == EBB_OK && !ebb_recipe_has(recipe, "sampler"))
        result = ebb_recipe_set(recipe, "sampler", model->info.sampler, error);
    return result;
}

static enum ebb_result close_generate(const struct ebb_model *model, struct ebb_recipe *recipe,
                                      struct ebb_error *error)
{
    struct ebb_settled settled;
    enum ebb_result result = ebb_settle_whole(model, recipe, &settled, error);
    if (result == EBB_OK)
        result = close_process(recipe, &settled, error);
    if (result == EBB_OK && settled.fade != plain_fade && !settled.loop)
        result = close_number(recipe, "fade", settled.fade, error);
    return result == EBB_OK ? close_label(model, recipe, &settled, error) : result;
}

static enum ebb_result record_text(struct ebb_recipe *recipe, const char *name, const char *text,
                                   struct ebb_error *error)
{
    char plain[4096];
    snprintf(plain, sizeof(plain), "%s", text ? text : "");
    for (char *c = plain; *c; c++)
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    return *plain ? ebb_recipe_set(recipe, name, plain, error) : EBB_OK;
}

// Records of the recipe: model, versions, device, licence, credit.
static enum ebb_result record(const struct ebb_model *model, struct ebb_recipe *recipe,
                              struct ebb_error *error)
{
    // The model may be loading in another thread.
    const struct ebb_device *device = __atomic_load_n(&model->device, __ATOMIC_ACQUIRE);
    const char *const texts[][2] = {
        {"model", model->info.name},    {"model-sha256", model->info.hash},
        {"version", ebb_version()},     {"licence", model->info.licence},
        {"credit", model->info.credit}, {"device", device ? ebb_device_description(device) : NULL},
    };
    enum ebb_result result = ebb_recipe_set_number(recipe, "noise-version", noise_version(recipe), error);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts) && result == EBB_OK; i++)
        result = record_text(recipe, texts[i][0], texts[i][1], error);
    return result;
}

// A settled recipe always has its seeds, also where they are 0.
static enum ebb_result close_seeds(struct ebb_recipe *recipe, struct ebb_error *error)
{
    static const char *const names[] = {"seed", "index"};
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < 2 && result == EBB_OK; i++)
        if (ebb_setting_find(ebb_recipe_verb(recipe), names[i], NULL))
            result = ebb_recipe_set_seed(recipe, names[i], ebb_recipe_seed(recipe, names[i]), error);
    return result;
}

static enum ebb_result close_all(const struct ebb_model *model, struct ebb_recipe *recipe,
                                 struct ebb_error *error)
{
    enum ebb_verb verb = ebb_recipe_verb(recipe);
    enum ebb_result result = verb == EBB_VERB_DENOISE ? close_denoise(model, recipe, error)
                             : verb == EBB_VERB_EDIT  ? close_edit(model, recipe, error)
                                                      : close_generate(model, recipe, error);
    if (result == EBB_OK)
        result = close_seeds(recipe, error);
    return result == EBB_OK ? record(model, recipe, error) : result;
}

enum ebb_result ebb_model_settle(const struct ebb_model *model, struct ebb_recipe *recipe,
                                 struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_recipe *copy = ebb_recipe_copy(recipe);
    enum ebb_result result = copy ? close_all(model, copy, error) : no_memory(error);
    if (result == EBB_OK)
        ebb_recipe_swap(recipe, copy);
    ebb_recipe_destroy(&copy);
    return result;
}
