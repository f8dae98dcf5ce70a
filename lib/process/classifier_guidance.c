// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process/classifier_guidance.h"

#include <math.h>
#include <stdlib.h>

#include "backend/buffer.h"
#include "base/base.h"

struct ebb_classifier_guidance {
    struct ebb_device *device;               // borrowed
    const struct ebb_classifier *classifier; // borrowed
    struct ebb_plan *plan;
    struct ebb_buffer *gradient, *scores;
    size_t count;      // floats of a state
    int labels, width; // floats of a target row and of a time row
    float *rows[2];    // times, targets
    int capacity;      // evaluations that they hold
};

static enum ebb_result make_plan(struct ebb_classifier_guidance *s, int h, int w, struct ebb_error *error)
{
    struct ebb_graph *graph = ebb_graph_create();
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    enum ebb_result result = ebb_classifier_build(s->classifier, graph, 1, h, w, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }
    bool whole = (s->plan = ebb_plan_create(s->device, graph, error)) != NULL;
    whole = whole && (s->gradient = ebb_buffer_create(s->device, s->count, error));
    whole = whole && (s->scores = ebb_buffer_create(s->device, (size_t)s->labels, error));
    return whole ? EBB_OK : error->code;
}

struct ebb_classifier_guidance *ebb_classifier_guidance_create(struct ebb_device *device,
                                                               const struct ebb_classifier *classifier, int h,
                                                               int w, int c, struct ebb_error *error)
{
    struct ebb_classifier_guidance *s = ebb_alloc(1, sizeof(*s));
    if (!s) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a classifier");
        return NULL;
    }
    s->device = device;
    s->classifier = classifier;
    s->count = (size_t)h * (size_t)w * (size_t)c;
    s->labels = ebb_classifier_labels(classifier);
    s->width = ebb_classifier_time_input(classifier);
    if (make_plan(s, h, w, error) != EBB_OK)
        ebb_classifier_guidance_destroy(&s);
    return s;
}

void ebb_classifier_guidance_destroy(struct ebb_classifier_guidance **guidance)
{
    struct ebb_classifier_guidance *s = *guidance;
    if (!s)
        return;
    ebb_plan_destroy(&s->plan);
    ebb_buffer_destroy(&s->gradient);
    ebb_buffer_destroy(&s->scores);
    free(s->rows[0]);
    free(s->rows[1]);
    free(s);
    *guidance = NULL;
}

static enum ebb_result grow(struct ebb_classifier_guidance *s, int evals, struct ebb_error *error)
{
    const int width[2] = {s->width, s->labels};
    bool whole = true;
    for (int i = 0; i < 2 && evals > s->capacity; i++) {
        float *rows = realloc(s->rows[i], (size_t)evals * (size_t)width[i] * sizeof(float));
        if (rows)
            s->rows[i] = rows;
        whole = whole && rows;
    }
    if (!whole)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a classifier's times of %d evaluations",
                        evals);
    s->capacity = evals > s->capacity ? evals : s->capacity;
    return EBB_OK;
}

// The labels' shares, which add up to 1.
static void set_target(const struct ebb_classifier_guidance *s, const struct ebb_classifier_guidance_job *job,
                       const struct ebb_guidance *guidance, float *row)
{
    double all = 0;
    for (int i = 0; i < guidance->labels; i++)
        all += guidance->share[i];
    for (int i = 0; i < s->labels; i++)
        row[i] = 0;
    for (int i = 0; i < guidance->labels; i++)
        row[job->label[i]] += (float)(guidance->share[i] / all);
}

enum ebb_result ebb_classifier_guidance_prepare(struct ebb_classifier_guidance *s,
                                                const struct ebb_classifier_guidance_job *job,
                                                const struct ebb_guidance *guidance, const double *timesteps,
                                                int evals, struct ebb_error *error)
{
    enum ebb_result result = grow(s, evals, error);
    for (int i = 0; i < evals && result == EBB_OK; i++) {
        ebb_classifier_embed(s->classifier, timesteps[i], s->rows[0] + (size_t)i * (size_t)s->width);
        set_target(s, job, guidance, s->rows[1] + (size_t)i * (size_t)s->labels);
    }
    return result == EBB_OK ? ebb_plan_steps(s->plan, evals, (const float *const *)s->rows, error) : result;
}

enum ebb_result ebb_classifier_guidance_evaluate(struct ebb_classifier_guidance *s, double scale,
                                                 const struct ebb_classifier_guidance_at *at,
                                                 struct ebb_buffer *input, double *weight,
                                                 struct ebb_error *error)
{
    *weight = 0;
    if (at->alpha <= 0) // noise alone: no label is likelier than another
        return EBB_OK;
    struct ebb_buffer *inputs[] = {input}, *outputs[] = {s->gradient, s->scores};
    enum ebb_result result = ebb_plan_run(s->plan, at->row, inputs, outputs, error);
    double squares = 0;
    if (result == EBB_OK)
        result = ebb_sum_squares(s->device, s->gradient, 0, s->count, &squares, error);
    if (result != EBB_OK)
        return result;

    // By the state, not by the network's input.
    double rms = at->input_scale * sqrt(squares / (double)s->count);
    *weight = ebb_guidance_of_classifier(scale, at->prediction, at->alpha, at->sigma, at->sigma_data) *
              at->input_scale * ebb_guidance_bound(rms, at->alpha, at->sigma);
    return EBB_OK;
}

struct ebb_buffer *ebb_classifier_guidance_gradient(struct ebb_classifier_guidance *s)
{
    return s->gradient;
}
