// The methods of all families, for the list in sampler.c.
#ifndef EBB_DIFFUSION_SAMPLERS_H
#define EBB_DIFFUSION_SAMPLERS_H

#include "diffusion/method.h"

extern const struct ebb_sampler_method method_ddpm;
extern const struct ebb_sampler_method method_ddim, method_euler;
extern const struct ebb_sampler_method method_dpmpp_2m;

#endif
