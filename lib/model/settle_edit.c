// SPDX-License-Identifier: LGPL-2.1-or-later
// Settling a recipe of an edit, of an inversion, or of the return from one.
#include "model/settle.h"

#include <math.h>

#include "base/base.h"

enum {
    EDIT_RESAMPLE = 4,    // times that RePaint does a step where a part of the window is held
    INVERSION_STEPS = 50, // there, and as many back
};

// Of rain, 60 steps there and back lose 1.4 % from this t, and 8 % from 1 (docs/diffusion.md).
static const double inversion_t = 0.9;

static bool inverts(const struct ebb_recipe *recipe)
{
    return ebb_recipe_number(recipe, "vary") < 90;
}

double ebb_settle_edit_t(const struct ebb_recipe *recipe)
{
    double t = ebb_recipe_number(recipe, "t");
    return !isnan(t) ? t : inverts(recipe) ? inversion_t : 1;
}

static bool is_whole_band(const struct ebb_recipe *recipe)
{
    return ebb_recipe_number(recipe, "low") <= 0 && isinf(ebb_recipe_number(recipe, "high"));
}

bool ebb_settle_starts_anew(const struct ebb_model *model, const struct ebb_recipe *recipe,
                            const struct ebb_settled *settled)
{
    int label = settled->label[0];
    return ebb_settle_edit_t(recipe) == 1 && !inverts(recipe) && ebb_recipe_number(recipe, "loop") != 1 &&
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
    bool span = ebb_recipe_number(recipe, "from") > 0 || !isinf(ebb_recipe_number(recipe, "to"));
    bool outside = ebb_recipe_number(recipe, "before") > 0 || ebb_recipe_number(recipe, "after") > 0;
    bool beside = span || outside || ebb_recipe_number(recipe, "loop") == 1 || !is_whole_band(recipe);
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
    settled->run.resample = insists ? (int)ebb_recipe_number(recipe, "resample")
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
    enum ebb_result result = all ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
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
    enum ebb_result result = all ? choose_inversion(all, error)
                                 : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a recipe");
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
