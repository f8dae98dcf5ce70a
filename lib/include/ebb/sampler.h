// SPDX-License-Identifier: LGPL-2.1-or-later
// Samplers and spacings by name, for listings and choices.
#ifndef EBB_SAMPLER_H
#define EBB_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/error.h>

EBB_BEGIN_DECLS

struct ebb_sampler_method; // private to the library

struct ebb_sampler_info {
    const char *name;        // "dpmpp-2m"
    const char *description; // one line
    const char *paper;       // "Lu 2022"
    int order;               // order of convergence; 0: not a method for ODEs
    int evals;               // most network evaluations per step; 0: adaptive
    bool stochastic;         // draws noise after the start too
    bool eta;                // has the setting "eta"
    bool churn;              // has the setting "churn"
    const struct ebb_sampler_method *method;
};

// Walks all samplers: the first for NULL, otherwise the one after `previous`; NULL after the last.
EBB_API const struct ebb_sampler_info *ebb_sampler_next(const struct ebb_sampler_info *previous);
#define EBB_EACH_SAMPLER(info)                                                                               \
    for (const struct ebb_sampler_info *info = ebb_sampler_next(NULL); info; info = ebb_sampler_next(info))

// The sampler of that name or NULL.
EBB_API const struct ebb_sampler_info *ebb_sampler_find(const char *name);

// A way to choose the noise levels that a sampler visits: "trailing", "karras", ...
struct ebb_spacing {
    const char *name;
    const char *description; // a line, with the paper
};

// Walks all spacings, as ebb_sampler_next() walks the samplers.
EBB_API const struct ebb_spacing *ebb_spacing_next(const struct ebb_spacing *previous);
#define EBB_EACH_SPACING(way)                                                                                \
    for (const struct ebb_spacing *way = ebb_spacing_next(NULL); way; way = ebb_spacing_next(way))

EBB_END_DECLS

#endif
