// SPDX-License-Identifier: LGPL-2.1-or-later
// A denoiser of the library for one format, its knobs, and the time that one of its live windows takes.
#ifndef GST_DIFFUSE_DENOISER_H
#define GST_DIFFUSE_DENOISER_H

#include <gst/audio/audio.h>

#include <ebb/ebb.h>

#define DENOISER_SLICE 1024                   // frames between two looks at the controlled properties
#define DENOISER_ALLOWANCE (20 * GST_MSECOND) // for computing: until it is measured, and at least

// What a live window is made of, in frames of the model: less of both is less latency.
struct denoiser_window {
    gint hop, ahead;
};

// The settings of a denoiser that may change while it runs.
struct denoiser_knobs {
    gboolean automatic; // t is measured
    double t, wet;
    gint steps;
};

// As the recipe has them; as the model recommends where it has none.
struct denoiser_knobs denoiser_knobs_of(const struct ebb_recipe *recipe, const struct ebb_model_info *info);

// Everything that a denoiser is made from, beside its knobs. All borrowed.
struct denoiser_plan {
    struct ebb_model *model;
    const struct ebb_recipe *recipe; // as the properties have it; NULL: there was no memory
    const GstAudioInfo *info;
    gboolean live;                 // small windows
    struct denoiser_window window; // live
    struct ebb_hooks hooks;
};

// NULL with `error` filled where the model refuses the recipe.
struct ebb_denoise *denoiser_create(const struct denoiser_plan *plan, const struct denoiser_knobs *knobs,
                                    struct ebb_error *error);

// Turns the knobs that differ. `have` is what the denoiser has, before and after.
enum ebb_result denoiser_turn(struct ebb_denoise *denoiser, struct denoiser_knobs *have,
                              const struct denoiser_knobs *want, struct ebb_error *error);

// Measures the longest time that a window takes on this machine, by cleaning noise. The allowance is a
// quarter more, in steps of 10 ms: a number that is the same each time. `scratch` holds a slice.
enum ebb_result denoiser_measure(const struct denoiser_plan *plan, const struct denoiser_knobs *knobs,
                                 gsize frames, float *scratch, GstClockTime *allowance,
                                 struct ebb_error *error);

#endif
