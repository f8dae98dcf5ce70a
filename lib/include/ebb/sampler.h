// Samplers by name, for listings and choices.
#ifndef EBB_SAMPLER_H
#define EBB_SAMPLER_H

#include <stdbool.h>

#include <ebb/error.h>

// An eta that leaves it to the sampler: 0 for ddim, 1 for the ancestral and SDE samplers, 0.3 for tcd.
#define EBB_ETA_OWN (-1.0)

struct ebb_sampler_method; // how it is carried out, the library's own

struct ebb_sampler_info {
    const char *name;        // "dpmpp-2m"
    const char *description; // what it does, a line
    const char *paper;       // "Lu 2022"
    int order;               // order of convergence it achieves; 0: not an ODE method
    int evals;               // network evaluations per step (most; 0: adaptive)
    bool stochastic;         // draws noise beyond the first
    const struct ebb_sampler_method *method;
};

// All there are: the first for NULL, otherwise the one after `previous`; NULL after the last.
EBB_API const struct ebb_sampler_info *ebb_sampler_next(const struct ebb_sampler_info *previous);
#define EBB_EACH_SAMPLER(info) \
    for (const struct ebb_sampler_info *info = ebb_sampler_next(NULL); info; info = ebb_sampler_next(info))

// The entry of that name or NULL.
EBB_API const struct ebb_sampler_info *ebb_sampler_find(const char *name);

#endif
