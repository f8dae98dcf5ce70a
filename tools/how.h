// How a generating model is asked: the options that `ebb render` and `ebb edit` have in common.
#ifndef EBB_TOOLS_HOW_H
#define EBB_TOOLS_HOW_H

#include "sound.h"

// As given; how_default() means "not given" everywhere.
struct how {
    const char *sampler, *negative, *noise, *spacing;
    int steps, phase;
    double guidance, guidance_w, guidance_from, guidance_to, rescale, classifier, eta;
    double tolerance, churn, churn_from, churn_to, threshold;
};
void how_default(struct how *how);

// Rows of an option table.
#define HOW_OPTIONS(h)                                                                                                   \
    {"sampler", 0, "NAME", TOOL_TEXT, &(h)->sampler, 0, 0,                                                               \
     "default: what the model recommends. ebb samplers lists them"},                                                     \
    {"steps", 0, "N", TOOL_INT, &(h)->steps, 1, 1000, "sampler steps (default: recommended)"},                           \
    {"guidance", 'g', "X", TOOL_REAL, &(h)->guidance, 0, 100,                                                            \
     "1 = none, more follows the label more closely (default: recommended)"},                                            \
    {"guidance-w", 0, "W", TOOL_REAL, &(h)->guidance_w, -1, 99, "the same in the other convention, g = 1 + w"},          \
    {"guidance-from", 0, "T", TOOL_REAL, &(h)->guidance_from, 0, 1,                                                      \
     "guide only at diffusion times from this (default: as recommended)"},                                               \
    {"guidance-to", 0, "T", TOOL_REAL, &(h)->guidance_to, 0, 1, "... to this (default 1, where the noise is)"},          \
    {"rescale", 0, "X", TOOL_REAL, &(h)->rescale, 0, 1,                                                                  \
     "bring the deviation that guidance adds back, 0 (default) not at all, 1 all of it"},                                \
    {"classifier-guidance", 0, "X", TOOL_REAL, &(h)->classifier, 0, 1000,                                                \
     "follow the model's classifier, beside or instead of the above: 0 = off (default)"},                                \
    {"negative", 0, "NAME", TOOL_NAME, &(h)->negative, 0, 0, "guide away from this label (default: from no label)"},     \
    {"eta", 0, "X", TOOL_REAL, &(h)->eta, 0, 1,                                                                          \
     "fresh noise per step, for samplers that have it (default: the sampler's own)"},                                    \
    {"spacing", 0, "NAME", TOOL_NAME, &(h)->spacing, 0, 0,                                                               \
     "levels visited: trailing, leading, linspace, karras, exponential, lu, beta (default: the model's)"},               \
    {"tolerance", 0, "X", TOOL_REAL, &(h)->tolerance, 1e-9, 1, "rk45: error allowed per step (default 0.001)"},          \
    {"churn", 0, "X", TOOL_REAL, &(h)->churn, 0, 1e6, "euler, heun, dpm2: noise added and taken away again (default 0)"}, \
    {"churn-from", 0, "S", TOOL_REAL, &(h)->churn_from, 0, 1e6,                                                          \
     "... only from this noise ratio sigma / alpha (default 0)"},                                                        \
    {"churn-to", 0, "S", TOOL_REAL, &(h)->churn_to, 0, 1e6, "... to this (default: all)"},                               \
    {"threshold", 0, "Q", TOOL_REAL, &(h)->threshold, 0, 1,                                                              \
     "dynamic thresholding of the clean estimate at this quantile, such as 0.995 (default 0: none)"},                    \
    {"phase-iterations", 0, "N", TOOL_INT, &(h)->phase, 0, 1000, "Griffin-Lim iterations (default 16)"}

// Options that do not go together, names that there are not. -1 to go on, or an exit code.
int how_check(struct how *how);

// Was anything given that decides on the reverse process?
bool how_given(const struct how *how);

// What was given, over what is there.
void how_override(const struct how *how, struct sound_settings *s);

// Says which of the options that were given change nothing with the sampler of these resolved settings.
void how_warn(const struct how *how, const struct sound_settings *s);

#endif
