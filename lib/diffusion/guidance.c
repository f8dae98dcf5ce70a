// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusion/guidance.h"

#include <math.h>

#include "base/base.h"

void ebb_guidance_default(struct ebb_guidance *guidance)
{
    *guidance = (struct ebb_guidance){.scale = 1, .to = 1, .labels = 1, .share = {1}};
}

enum ebb_result ebb_guidance_check(const struct ebb_guidance *g, struct ebb_error *error)
{
    if (!(g->scale >= 0 && g->scale <= 1000))
        return ebb_fail(error, EBB_INVALID, "guidance is %g, expected 0 to 1000 (1: none)", g->scale);
    if (!(g->from >= 0 && g->from <= g->to && g->to <= 1))
        return ebb_fail(error, EBB_INVALID,
                        "guidance acts from %g to %g, expected times 0 <= from <= to <= 1", g->from, g->to);
    if (!(g->rescale >= 0 && g->rescale <= 1))
        return ebb_fail(error, EBB_INVALID, "guidance rescale is %g, expected 0 to 1", g->rescale);
    if (!(g->classifier >= 0 && g->classifier <= 1000))
        return ebb_fail(error, EBB_INVALID, "classifier guidance is %g, expected 0 (none) to 1000",
                        g->classifier);
    if (g->labels < 1 || g->labels > EBB_GUIDANCE_LABELS)
        return ebb_fail(error, EBB_INVALID, "%d labels mixed, expected 1 to %d", g->labels,
                        EBB_GUIDANCE_LABELS);

    double all = 0;
    for (int i = 0; i < g->labels; i++) {
        if (!(g->share[i] >= 0 && isfinite(g->share[i])))
            return ebb_fail(error, EBB_INVALID, "label %d has share %g, expected 0 or more", i, g->share[i]);
        all += g->share[i];
    }
    return all > 0 ? EBB_OK : ebb_fail(error, EBB_INVALID, "all labels have share 0");
}

int ebb_guidance_weights(const struct ebb_guidance *g, double t, double weight[EBB_GUIDANCE_LABELS + 1])
{
    double scale = t >= g->from && t <= g->to ? g->scale : 1, all = 0;
    for (int i = 0; i < g->labels; i++)
        all += g->share[i];

    weight[0] = 1 - scale;
    int used = weight[0] != 0;
    for (int i = 0; i < g->labels; i++) {
        weight[i + 1] = scale * g->share[i] / all;
        used += weight[i + 1] != 0;
    }
    return used;
}

double ebb_guidance_rescaled(const struct ebb_guidance *g, double conditional, double guided)
{
    return guided > 0 ? 1 + g->rescale * (conditional / guided - 1) : 1;
}

double ebb_guidance_of_classifier(double scale, enum ebb_prediction prediction, double alpha, double sigma,
                                  double sigma_data)
{
    // eps = x * (state) + out * (answer): a change of eps is a change of the answer by 1 / out.
    return -scale * sigma / ebb_prediction_to_eps(prediction, alpha, sigma, sigma_data).out;
}

double ebb_guidance_bound(double rms, double alpha, double sigma)
{
    double moved = sigma * sigma / alpha * rms;
    return moved > 1 ? 1 / moved : 1;
}
