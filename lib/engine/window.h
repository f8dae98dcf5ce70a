// One network window of a generating model: settings -> noise -> reverse process -> state.
#ifndef EBB_ENGINE_WINDOW_H
#define EBB_ENGINE_WINDOW_H

#include "engine/engine.h"

// How windows are made, with everything left to the model filled in.
struct ebb_recipe {
    struct ebb_run_params run;
    int n;                             // networks evaluated at once, see engine/loop.h
    int item[EBB_GUIDANCE_LABELS + 1]; // class ids, -1: none
    struct ebb_guidance guidance;
    int label[EBB_GUIDANCE_LABELS];    // what a classifier leads to, as many as the guidance has
    struct ebb_counts *counts;         // may be NULL
    enum ebb_noise_source noise;
    struct ebb_noise_path seed;
};

// Checks `params` and fills `recipe`. Needs no loaded model.
enum ebb_result ebb_recipe_make(const struct ebb_model *model, const struct ebb_generate_params *params,
                                struct ebb_recipe *recipe, struct ebb_error *error);
// The same for whole windows: by the model's student where `params` leave that open. And for windows of which a part is
// held, which takes many small steps: never by the student.
enum ebb_result ebb_recipe_make_quick(const struct ebb_model *model, const struct ebb_generate_params *params,
                                      struct ebb_recipe *recipe, struct ebb_error *error);
enum ebb_result ebb_recipe_make_join(const struct ebb_model *model, const struct ebb_generate_params *params,
                                     struct ebb_recipe *recipe, struct ebb_error *error);

struct ebb_window_job {
    uint64_t clip;      // which noise
    const float *first; // (h, w, c): the noise of the start, instead of the clip's own; NULL: that
    const float *start; // (h, w, c): x_0 that is noised to where the recipe's run starts; NULL: zeros
    const float *known; // held where `mask` is 1; both NULL: nothing is held
    const float *mask;
    ebb_loop_watch watch; // NULL: nobody watches
    void *user;
    struct ebb_pulse pulse;
};

size_t ebb_window_count(const struct ebb_model *model); // floats of the state of one window

// Makes the state (h, w, c) of one window. The model must be ready.
enum ebb_result ebb_window_make(struct ebb_model *model, const struct ebb_recipe *recipe, const struct ebb_window_job *job,
                                float *state, struct ebb_error *error);

// The noise a window of clip `clip` starts from, (h, w, c). Draws of torch's generator cannot be told beforehand.
enum ebb_result ebb_window_noise(const struct ebb_model *model, const struct ebb_recipe *recipe, uint64_t clip, float *noise,
                                 struct ebb_error *error);

// The state x_t that leads to `state` from where the recipe's run starts: DDIM upwards (Song 2021), with the recipe's steps and
// guidance.
enum ebb_result ebb_window_invert(struct ebb_model *model, const struct ebb_recipe *recipe, const float *state,
                                  const struct ebb_pulse *pulse, float *inverted, struct ebb_error *error);

// Where the recipe's run starts: x_t = alpha x_0 + sigma noise.
enum ebb_result ebb_window_start(const struct ebb_recipe *recipe, double *alpha, double *sigma, struct ebb_error *error);

// (h, w, c) -> (c, h, w), as PyTorch has it, and back.
void ebb_window_to_planes(const struct ebb_model *model, const float *state, float *planes);
void ebb_window_from_planes(const struct ebb_model *model, const float *planes, float *state);

// Columns first, first + 1, ... of one state to where `at` is in another.
void ebb_window_copy_columns(const struct ebb_model *model, float *to, int at, const float *from, int first, int count);

#endif
