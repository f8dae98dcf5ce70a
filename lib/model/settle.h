// SPDX-License-Identifier: LGPL-2.1-or-later
// Settling a recipe against a model: every open setting gets the model's value, every value is checked.
#ifndef EBB_MODEL_SETTLE_H
#define EBB_MODEL_SETTLE_H

#include <ebb/recipe.h>

#include "diffusion/guidance.h"
#include "diffusion/noise.h"
#include "diffusion/run.h"
#include "model/model.h"
#include "model/precision.h"

enum { EBB_WORDS = 4096 }; // bytes of a prompt, with the 0 at the end

// What a network is told in words: a prompt, or a place between two.
struct ebb_settled_words {
    char from[EBB_WORDS], to[EBB_WORDS];
    double share; // 0: `from`, and `to` is not looked at
};

// A settled recipe as the making of windows needs it.
struct ebb_settled {
    struct ebb_run_params run;
    int n;                             // evaluations in a batch, see process/reverse.h
    int item[EBB_GUIDANCE_LABELS + 1]; // class ids of the batch, -1: none
    struct ebb_guidance guidance;
    int label[EBB_GUIDANCE_LABELS]; // indices of the model's labels, as many as the guidance has; -1: none
    enum ebb_noise_source noise;
    struct ebb_noise_path seed;
    enum ebb_precision precision;
    bool student; // the student makes the windows
    bool loop;    // the sound's end runs into its start
    double fade;  // seconds that the sound takes to end
    int channels; // 1 or 2
    double width; // of two channels: how far apart they are, 0..1
    int columns;  // of the state, where the network takes any length; 0: the model's own
    // Of a model that is asked in words: what is asked for, where no label says it, and what to guide away
    // from. Of one that is asked by an encoding, words.from is the name of its file.
    struct ebb_settled_words words;
    char away[EBB_WORDS];
    bool only_away; // guidance 0: `away` alone is asked for
};

enum { EBB_LOOP_HELD = 3600 }; // seconds: the longest loop that is made in one piece, in memory

// In all of these calls `error` is not NULL, and the model need not be loaded.
// Settles a recipe for whole windows. Where the recipe leaves `student` open, the model's student makes
// them.
enum ebb_result ebb_settle_whole(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                 struct ebb_settled *settled, struct ebb_error *error);

// Whether the sound is an event, by the first label of a mixture.
bool ebb_settled_is_event(const struct ebb_model *model, const struct ebb_settled *settled);

// The settled recipe of the second channel: it departs from the first by the width.
struct ebb_settled ebb_settled_second(const struct ebb_settled *settled);

// EBB_WRONG_TYPE: the model is of the other kind.
enum ebb_result ebb_check_kind(const struct ebb_model *model, enum ebb_model_kind kind,
                               struct ebb_error *error);

// Settles a recipe for windows of which a part is held. Holding takes many small steps, so the student
// never makes such a window.
enum ebb_result ebb_settle_held(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                struct ebb_settled *settled, struct ebb_error *error);

// The words that item `item` of the batch is told, of a model that is asked in words; NULL: settled->words.
const char *ebb_settled_prompt(const struct ebb_model *model, const struct ebb_settled *settled, int item);

// Whether the network is told item `item` as a class, of a model whose words stand in the place of classes.
bool ebb_settled_is_class(const struct ebb_model *model, const struct ebb_settled *settled, int item);

// Settles a recipe of an edit: for held windows, with the t at which the process starts.
enum ebb_result ebb_settle_edit(const struct ebb_model *model, const struct ebb_recipe *recipe,
                                struct ebb_settled *settled, struct ebb_error *error);
// Settles a recipe of EBB_VERB_GENERATE for an inversion up to diffusion time t, or for the return from it.
enum ebb_result ebb_settle_inverted(const struct ebb_model *model, const struct ebb_recipe *recipe, double t,
                                    struct ebb_settled *settled, struct ebb_error *error);

// Diffusion time t at which the process of an edit starts.
double ebb_settle_edit_t(const struct ebb_recipe *recipe);
// Whether the edit puts a new event at the span's start, rather than going on from the recording.
bool ebb_settle_starts_anew(const struct ebb_model *model, const struct ebb_recipe *recipe,
                            const struct ebb_settled *settled);

#endif
