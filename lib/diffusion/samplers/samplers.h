// SPDX-License-Identifier: LGPL-2.1-or-later
// Families of samplers. A family is a file with its methods and, at its end, a row for each sampler. A new
// sampler of a family changes that file alone. sampler.c walks the families.
#ifndef EBB_DIFFUSION_SAMPLERS_H
#define EBB_DIFFUSION_SAMPLERS_H

#include "diffusion/emit.h"

// The integral over u from a to b of exp(e * (u - b)) * prod_k!=j (u - at[k]) / (at[j] - at[k]), by Gauss and
// Legendre in panels: exact for e = 0; otherwise within 1e-12 for the steps that runs take.
double run_basis_integral(const double *at, int count, int j, double a, double b, double e);

// The last row of a family.
#define SAMPLERS_END                                                                                         \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

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
