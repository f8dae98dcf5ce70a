// SPDX-License-Identifier: LGPL-2.1-or-later
// A settled recipe: every setting that was open gets its value, and what made the sound is recorded.
#include <stdio.h>

#include <ebb/version.h>

#include "base/base.h"
#include "model/settle_private.h"
#include "recipe/table.h"

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
    enum ebb_result result = ebb_check_kind(model, EBB_MODEL_DENOISE, error);
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
    if (result == EBB_OK && settled.fade != EBB_PLAIN_FADE && !settled.loop)
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
    enum ebb_result result = ebb_recipe_set_number(recipe, "noise-version", ebb_settled_noise_version(recipe),
                                                   error);
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
    enum ebb_result result = copy ? close_all(model, copy, error)
                                  : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
    if (result == EBB_OK)
        ebb_recipe_swap(recipe, copy);
    ebb_recipe_destroy(&copy);
    return result;
}
