// Families of samplers. A file holds its methods and, at its end, their rows; a new sampler in a family touches that file
// alone. sampler.c walks the families.
#ifndef EBB_DIFFUSION_SAMPLERS_H
#define EBB_DIFFUSION_SAMPLERS_H

#include "diffusion/method.h"

// The integral over u from a to b of exp(e * (u - b)) * prod_k!=j (u - at[k]) / (at[j] - at[k]), by Gauss and Legendre in
// panels: exact for e = 0, to 1e-12 for the steps we take otherwise.
double run_basis_integral(const double *at, int count, int j, double a, double b, double e);

// A row: name, description, paper, order, evaluations per step, stochastic; what options it knows, method.
#define SAMPLERS_END {.name = NULL}

extern const struct ebb_sampler_info samplers_ddpm[];
extern const struct ebb_sampler_info samplers_euler[];
extern const struct ebb_sampler_info samplers_heun[];
extern const struct ebb_sampler_info samplers_rk45[];
extern const struct ebb_sampler_info samplers_lms[];
extern const struct ebb_sampler_info samplers_dpmpp[];
extern const struct ebb_sampler_info samplers_singlestep[];
extern const struct ebb_sampler_info samplers_sa[];
extern const struct ebb_sampler_info samplers_unipc[];
extern const struct ebb_sampler_info samplers_plms[];
extern const struct ebb_sampler_info samplers_consistency[];
extern const struct ebb_sampler_info samplers_sde[];

#endif
