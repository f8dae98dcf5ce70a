// Samplers by name, for listings and choices.
#ifndef EBB_SAMPLER_H
#define EBB_SAMPLER_H

#include <stdbool.h>

#include <ebb/error.h>
#include <ebb/schedule.h>

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
    bool eta;                // takes one: how much noise its steps add
    bool churn;              // takes struct ebb_tuning's s_churn
    const struct ebb_sampler_method *method;
};

// All there are: the first for NULL, otherwise the one after `previous`; NULL after the last.
EBB_API const struct ebb_sampler_info *ebb_sampler_next(const struct ebb_sampler_info *previous);
#define EBB_EACH_SAMPLER(info) \
    for (const struct ebb_sampler_info *info = ebb_sampler_next(NULL); info; info = ebb_sampler_next(info))

// Ways to choose the visited levels, ended by one with a NULL name: "trailing", "karras", ...
struct ebb_spacing {
    const char *name;
    const char *description; // a line, with the paper
};
EBB_API extern const struct ebb_spacing ebb_spacings[];

// How a sampler goes about it, beyond its number of steps.
struct ebb_tuning {
    const char *spacing; // a name from ebb_spacings[]; NULL (default): the model's
    double rtol, atol;   // rk45: error allowed per step, relative and absolute; default 1e-3
    double s_churn;      // euler, heun, dpm2: noise added before a step, 0 (default) or more (Karras 2022, algorithm 2)
    double s_tmin, s_tmax; // ... only at levels sigma / alpha within these; default 0 and infinity
    double s_noise;      // ... and its deviation; NAN (default): the model's, mostly 1
    double snr;          // pc: signal to noise of a corrector's step, 0..10; NAN (default): the model's, mostly 0.16 (Song 2021)
    double threshold;    // 0: none (default); 0..1: dynamic thresholding at this quantile of |x_0| (Saharia 2022)
};
EBB_API void ebb_tuning_default(struct ebb_tuning *tuning);

// What a run took.
struct ebb_counts {
    int evals;    // network evaluations
    int rejected; // steps that rk45 took back
};

// The entry of that name or NULL.
EBB_API const struct ebb_sampler_info *ebb_sampler_find(const char *name);

// The diffusion times at which a run in `steps` steps asks the network, in order: t[0..capacity-1] receives them, the answer
// is how many there are. `spacing` NULL is "trailing". 0 with the error filled: unknown names, steps that the spacing has not
// got, rk45, whose times follow from the answers.
EBB_API int ebb_sampler_visits(const char *sampler, const struct ebb_schedule *schedule, const char *spacing, int steps,
                               double *t, int capacity, struct ebb_error *error);

#endif
