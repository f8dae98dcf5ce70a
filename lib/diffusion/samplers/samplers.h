// The methods of all families, for the list in sampler.c.
#ifndef EBB_DIFFUSION_SAMPLERS_H
#define EBB_DIFFUSION_SAMPLERS_H

#include "diffusion/method.h"

// The integral over u from a to b of exp(e * (u - b)) * prod_k!=j (u - at[k]) / (at[j] - at[k]), by Gauss and Legendre in
// panels: exact for e = 0, to 1e-12 for the steps we take otherwise.
double run_basis_integral(const double *at, int count, int j, double a, double b, double e);

extern const struct ebb_sampler_method method_ddpm;
extern const struct ebb_sampler_method method_ddim, method_euler, method_euler_a;
extern const struct ebb_sampler_method method_heun, method_dpm2, method_dpm2_a;
extern const struct ebb_sampler_method method_dpmpp_2m, method_dpmpp_3m, method_dpmpp_2m_sde, method_dpmpp_3m_sde;
extern const struct ebb_sampler_method method_dpmpp_2s, method_dpmpp_2s_a, method_dpmpp_3s, method_dpmpp_sde;
extern const struct ebb_sampler_method method_lms, method_deis, method_plms, method_pndm, method_unipc, method_sa;
extern const struct ebb_sampler_method method_lcm, method_tcd, method_cm;
extern const struct ebb_sampler_method method_rk45, method_euler_maruyama, method_pc, method_langevin;

#endif
