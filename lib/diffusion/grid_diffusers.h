// SPDX-License-Identifier: LGPL-2.1-or-later
// The noise levels of a run as diffusers' scheduler classes choose them. grid.c has Ebb's own levels.
#ifndef EBB_DIFFUSION_GRID_DIFFUSERS_H
#define EBB_DIFFUSION_GRID_DIFFUSERS_H

#include "diffusion/noise_level.h"
#include "diffusion/quirks.h"

struct ebb_diffusers_grid {
    struct ebb_noise_level *grid, *target, *middle; // as in struct ebb_run; malloced
    struct ebb_noise_level from;                    // plms: the level from which the first step is done again
    double init_alpha, init_sigma, final_scale;
};
enum ebb_result ebb_diffusers_grid(const struct ebb_quirks *quirks, const struct ebb_schedule *schedule,
                                   int steps, struct ebb_diffusers_grid *out, struct ebb_error *error);

#endif
