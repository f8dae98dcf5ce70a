// Every sampler, a row each. A method lives in samplers/, one file per family.
#include <ebb/sampler.h>

#include <stddef.h>
#include <string.h>

#include "diffusion/samplers/samplers.h"

const struct ebb_sampler_info ebb_samplers[] = {
    // name, description, order, evaluations per step, stochastic, method
    {"ddpm", "Ancestral steps as trained (Ho 2020; learned variance Nichol 2021)", 0, 1, true, &method_ddpm},
    {"ddim", "Implicit steps, eta 0 deterministic .. 1 ancestral (Song 2021)", 1, 1, false, &method_ddim},
    {"euler", "First order in sigma / alpha, churn allowed (Karras 2022)", 1, 1, false, &method_euler},
    {"euler-a", "Euler with ancestral noise (Karras 2022, k-diffusion)", 0, 1, true, &method_euler_a},
    {"heun", "Second order, slopes at both ends averaged, churn allowed (Karras 2022)", 2, 2, false, &method_heun},
    {"dpm2", "Second order, slope at the middle of log sigma (Lu 2022, k-diffusion)", 2, 2, false, &method_dpm2},
    {"dpm2-a", "dpm2 with ancestral noise (k-diffusion)", 0, 2, true, &method_dpm2_a},
    {"rk45", "Adaptive Dormand-Prince on the probability-flow ODE, rtol and atol (Song 2021)", 5, 0, false, &method_rk45},
    {"lms", "Adams-Bashforth in sigma / alpha, up to four slopes (k-diffusion)", 4, 1, false, &method_lms},
    {"dpmpp-2m", "DPM-Solver++(2M), second order multistep in log-SNR (Lu 2022)", 2, 1, false, &method_dpmpp_2m},
    {"dpmpp-3m", "DPM-Solver++(3M), third order terms once there is history (Lu 2022)", 3, 1, false, &method_dpmpp_3m},
    {"dpmpp-2m-sde", "DPM-Solver++(2M) for the SDE, eta 0 .. 1 (Lu 2022)", 0, 1, true, &method_dpmpp_2m_sde},
    {"dpmpp-3m-sde", "DPM-Solver++(3M) for the SDE, eta 0 .. 1 (Lu 2022, k-diffusion)", 0, 1, true, &method_dpmpp_3m_sde},
    {"dpmpp-2s", "DPM-Solver++(2S), groups of two evaluations (Lu 2022)", 2, 1, false, &method_dpmpp_2s},
    {"dpmpp-3s", "DPM-Solver++(3S), groups of three evaluations (Lu 2022)", 3, 1, false, &method_dpmpp_3s},
    {"dpmpp-2s-a", "DPM-Solver++(2S) with ancestral noise (Lu 2022, k-diffusion)", 0, 2, true, &method_dpmpp_2s_a},
    {"sa-solver", "SA-Solver: Adams steps along an SDE, corrected, noise in the middle of the way (Xue 2023)", 0, 1, true, &method_sa},
    {"dpmpp-sde", "DPM-Solver++ SDE, noise at the middle too (k-diffusion)", 0, 2, true, &method_dpmpp_sde},
    {"unipc", "UniPC-2, each step corrected by the next evaluation (Zhao 2023)", 3, 1, false, &method_unipc},
    {"deis", "DEIS, rho-AB-3: eps through a polynomial in log sigma (Zhang 2023)", 3, 1, false, &method_deis},
    {"plms", "Pseudo linear multistep (Liu 2022), what Stable Diffusion folders ask for", 2, 2, false, &method_plms},
    {"pndm", "The same, started by three Runge-Kutta steps of four evaluations (Liu 2022)", 2, 4, false, &method_pndm},
    {"lcm", "Latent consistency, for distilled models only (Luo 2023)", 0, 1, true, &method_lcm},
    {"tcd", "Trajectory consistency, for distilled models only (Zheng 2024)", 0, 1, true, &method_tcd},
    {"cm", "Multistep consistency, for distilled models only (Song 2023)", 0, 1, true, &method_cm},
    {"euler-maruyama", "The reverse SDE in plain steps (Song 2021)", 0, 1, true, &method_euler_maruyama},
    {"pc", "Reverse SDE steps, each after a Langevin corrector (Song 2021)", 0, 2, true, &method_pc},
    {"langevin", "Annealed Langevin dynamics, four steps a level (Song 2019)", 0, 4, true, &method_langevin},
    {NULL, NULL, 0, 0, false, NULL},
};

const struct ebb_sampler_info *ebb_sampler_find(const char *name)
{
    for (const struct ebb_sampler_info *info = ebb_samplers; info->name; info++)
        if (name && strcmp(info->name, name) == 0)
            return info;
    return NULL;
}
