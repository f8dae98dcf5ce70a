// DPM-Solver++ (Lu 2022, arXiv 2211.01095): exponential integrators in lambda = log(alpha / sigma) on the estimate of x_0.
#include <math.h>

#include "diffusion/samplers/samplers.h"

// Algorithm 2. The last step to the clean sound (h infinite) is of first order, which lands on the estimate itself.
static void dpmpp_2m(struct ebb_run *run)
{
    const struct ebb_level *now = run_now(run), *next = run_next(run);
    double h = next->lambda - now->lambda;
    double keep = next->sigma / now->sigma, gain = -next->alpha * expm1(-h);

    run_remember(run);
    double slope = 0; // weight of (newest - older) / r on top of the newest
    if (run->seen > 1 && isfinite(h))
        slope = 0.5 * h / (now->lambda - run->past[1].at.lambda);
    RUN_BLEND(run, SLOT_X, {SLOT_X, keep}, {run->past[0].slot, gain * (1 + slope)}, {run->past[1].slot, -gain * slope});
    run_step_done(run);
}

const struct ebb_sampler_method method_dpmpp_2m = {.slots = SLOT_FREE, .step = dpmpp_2m};
