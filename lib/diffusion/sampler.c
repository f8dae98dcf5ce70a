// SPDX-License-Identifier: LGPL-2.1-or-later
// The list of all samplers: that of every family in samplers/, in turn.
#include <ebb/sampler.h>

#include <stddef.h>
#include <string.h>

#include "diffusion/samplers/samplers.h"

static const struct ebb_sampler_info *const families[] = {
    samplers_ddpm,       samplers_euler, samplers_heun,  samplers_rk45, samplers_lms,         samplers_dpmpp,
    samplers_singlestep, samplers_sa,    samplers_unipc, samplers_plms, samplers_consistency, samplers_sde,
};
enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

static bool within(const struct ebb_sampler_info *family, const struct ebb_sampler_info *info)
{
    while (family->name && family != info)
        family++;
    return family == info;
}

const struct ebb_sampler_info *ebb_sampler_next(const struct ebb_sampler_info *previous)
{
    if (!previous)
        return families[0];
    if (previous[1].name)
        return previous + 1;
    for (int i = 0; i + 1 < FAMILIES; i++)
        if (within(families[i], previous))
            return families[i + 1];
    return NULL;
}

const struct ebb_sampler_info *ebb_sampler_find(const char *name)
{
    EBB_EACH_SAMPLER (info)
        if (name && strcmp(info->name, name) == 0)
            return info;
    return NULL;
}
