// The options that every sound from a generating model has.
#include <math.h>
#include <string.h>

#include "how.h"

void how_default(struct how *h)
{
    *h = (struct how){.guidance = NAN, .guidance_w = NAN, .guidance_from = NAN, .guidance_to = NAN, .rescale = NAN,
                      .classifier = NAN, .eta = NAN, .tolerance = NAN, .churn = NAN, .churn_from = NAN, .churn_to = NAN,
                      .threshold = NAN, .phase = -1};
}

int how_check(struct how *h)
{
    if (!isnan(h->guidance) && !isnan(h->guidance_w))
        return tool_fail(TOOL_USAGE, "--guidance and --guidance-w are one thing: guidance = 1 + w");
    if (!isnan(h->guidance_w))
        h->guidance = 1 + h->guidance_w;
    if (h->noise && strcmp(h->noise, "philox") != 0 && strcmp(h->noise, "torch") != 0)
        return tool_fail(TOOL_USAGE, "--noise: there is no \"%s\"; there are philox, torch", h->noise);
    return h->sampler && !tool_sampler_known(h->sampler) ? TOOL_NOT_FOUND : -1;
}

bool how_given(const struct how *h)
{
    return h->sampler || h->steps || !isnan(h->guidance) || !isnan(h->guidance_from) || !isnan(h->guidance_to) ||
           !isnan(h->rescale) || !isnan(h->classifier) || h->negative || !isnan(h->eta) || h->noise;
}

static void override_tuning(const struct how *h, struct sound_settings *s)
{
    struct ebb_tuning *t = &s->tuning;
    if (h->spacing)
        snprintf(s->spacing, sizeof(s->spacing), "%s", h->spacing);
    if (!isnan(h->tolerance))
        t->rtol = t->atol = h->tolerance;
    if (!isnan(h->churn))
        t->s_churn = h->churn;
    if (!isnan(h->churn_from))
        t->s_tmin = h->churn_from;
    if (!isnan(h->churn_to))
        t->s_tmax = h->churn_to;
    if (!isnan(h->threshold))
        t->threshold = h->threshold;
}

void how_override(const struct how *h, struct sound_settings *s)
{
    if (h->sampler)
        snprintf(s->sampler, sizeof(s->sampler), "%s", h->sampler);
    if (h->steps)
        s->steps = h->steps;
    if (!isnan(h->guidance))
        s->guidance = h->guidance;
    if (!isnan(h->guidance_from))
        s->guidance_from = h->guidance_from;
    if (!isnan(h->guidance_to))
        s->guidance_to = h->guidance_to;
    if (!isnan(h->rescale))
        s->rescale = h->rescale;
    if (h->negative)
        snprintf(s->negative, sizeof(s->negative), "%s", strcmp(h->negative, "none") == 0 ? "" : h->negative);
    if (!isnan(h->eta))
        s->eta = h->eta;
    if (!isnan(h->classifier))
        s->classifier = h->classifier;
    override_tuning(h, s);
    if (h->noise)
        s->noise = strcmp(h->noise, "torch") == 0 ? EBB_NOISE_TORCH : EBB_NOISE_PHILOX;
    if (h->phase >= 0)
        s->phase_iterations = h->phase;
}

// ---- options without a use ----

void how_warn(const struct how *h, const struct sound_settings *s)
{
    const struct ebb_sampler_info *sampler = ebb_sampler_find(s->sampler);
    if (!sampler)
        return;
    bool bounds = !isnan(h->churn_from) || !isnan(h->churn_to);
    const char *idle[3];
    size_t count = 0;
    if (!isnan(h->eta) && !sampler->eta && (h->eta > 0 || sampler->stochastic))
        idle[count++] = "--eta";
    if (!isnan(h->tolerance) && sampler->evals > 0) // rk45 chooses its steps
        idle[count++] = "--tolerance";
    if (h->churn > 0 && !sampler->churn)
        idle[count++] = "--churn";
    if (bounds && s->tuning.s_churn <= 0)
        tool_say("--churn-from and --churn-to change nothing without --churn");
    if (count == 0)
        return;
    char all[64];
    tool_join(all, sizeof(all), idle, count);
    tool_say("sampler %s has no use for %s: %s nothing", s->sampler, all, count > 1 ? "they change" : "it changes");
}
