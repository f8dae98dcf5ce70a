// SPDX-License-Identifier: LGPL-2.1-or-later
// Which labels and words a recipe asks for, and whether the model is asked by them.
#include "model/settle_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/plain.h"

bool ebb_is_asked_in_words(const struct ebb_model *model)
{
    return model->info.prompt;
}

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
static enum ebb_result read_part(const struct ebb_model *model, char *part, struct ebb_labels *labels,
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

static enum ebb_result read_mixture(const struct ebb_model *model, const char *text,
                                    struct ebb_labels *labels, struct ebb_error *error)
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
    for (int i = 0; i < 3 && !ebb_is_asked_in_words(model); i++)
        if (*ebb_recipe_text(recipe, prompts[i]))
            return ebb_fail(error, EBB_INVALID, "%s: %s is not asked in words, it %s%s%s", prompts[i],
                            model->info.name,
                            model->info.label_count ? "knows labels: ebb labels " : "makes what it makes",
                            model->info.label_count ? model->info.name : "",
                            model->info.label_count ? " lists them" : "");
    for (int i = 0; i < 2 && ebb_is_asked_in_words(model) && model->info.label_count == 0; i++)
        if (!names_nothing(model, ebb_recipe_text(recipe, names[i])))
            return ebb_fail(error, EBB_INVALID, "%s: %s has no labels, it is asked in words: use %s",
                            names[i], model->info.name, i ? "negative-prompt" : "prompt");
    bool encoded = *ebb_recipe_text(recipe, "encoding") != 0;
    if (encoded && !model->info.encoding)
        return ebb_fail(error, EBB_INVALID, "encoding: %s is asked %s", model->info.name,
                        ebb_is_asked_in_words(model) ? "in words: use prompt"
                        : model->info.label_count    ? "by labels"
                                                     : "for nothing: it makes what it makes");
    if (!encoded && model->info.encoding)
        return ebb_fail(error, EBB_INVALID,
                        "%s is asked by an encoding: the setting encoding names a .npy of %d numbers, or of"
                        " tokens of so many",
                        model->info.name, model->info.encoding);
    bool both = *ebb_recipe_text(recipe, "prompt") && !names_nothing(model, ebb_recipe_text(recipe, "label"));
    return both ? ebb_fail(error, EBB_INVALID, "a label and a prompt exclude each other") : EBB_OK;
}

enum ebb_result ebb_find_labels(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                struct ebb_labels *labels, struct ebb_error *error)
{
    const char *label = ebb_recipe_text(recipe, "label"), *negative = ebb_recipe_text(recipe, "negative");
    bool open = ebb_recipe_verb(recipe) == EBB_VERB_STREAM && !*label && model->info.default_label >= 0 &&
                !*ebb_recipe_text(recipe, "prompt");
    *labels = (struct ebb_labels){.negative = -1};
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
