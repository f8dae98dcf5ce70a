// Every sampler, a row each. A method lives in samplers/, one file per family.
#include <ebb/sampler.h>

#include <stddef.h>
#include <string.h>

#include "diffusion/samplers/samplers.h"

const struct ebb_sampler_info ebb_samplers[] = {
    {"ddpm", "Ancestral steps as trained (Ho 2020; learned variance Nichol 2021)", 0, 1, true, &method_ddpm},
    {"ddim", "Implicit steps, eta 0 deterministic .. 1 ancestral (Song 2021)", 1, 1, false, &method_ddim},
    {"euler", "First order in sigma / alpha, churn allowed (Karras 2022)", 1, 1, false, &method_euler},
    {"dpmpp-2m", "Second order multistep in log-SNR (Lu 2022, DPM-Solver++(2M))", 2, 1, false, &method_dpmpp_2m},
    {NULL, NULL, 0, 0, false, NULL},
};

const struct ebb_sampler_info *ebb_sampler_find(const char *name)
{
    for (const struct ebb_sampler_info *info = ebb_samplers; info->name; info++)
        if (name && strcmp(info->name, name) == 0)
            return info;
    return NULL;
}
