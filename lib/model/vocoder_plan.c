// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/vocoder_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

struct ebb_vocoder_plan {
    int frames;
    struct ebb_plan *plan;
    struct ebb_buffer *input, *output;
    float *mel, *samples; // (frames, bands); all that the vocoder makes
};

void ebb_vocoder_plan_destroy(struct ebb_vocoder_plan **reference)
{
    struct ebb_vocoder_plan *v = *reference;
    *reference = NULL;
    if (!v)
        return;
    ebb_buffer_destroy(&v->input);
    ebb_buffer_destroy(&v->output);
    ebb_plan_destroy(&v->plan);
    free(v->mel);
    free(v->samples);
    free(v);
}

static enum ebb_result make(struct ebb_vocoder_plan *v, struct ebb_model *model, int frames,
                            struct ebb_error *error)
{
    size_t cells = (size_t)frames * model->info.n_mels;
    size_t samples = (size_t)ebb_vocoder_samples(model->vocoder, frames);
    struct ebb_graph *graph = ebb_graph_create();
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    enum ebb_result result = ebb_vocoder_build(model->vocoder, graph, 1, frames, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }
    v->frames = frames;
    if (!(v->plan = ebb_plan_create(model->device, graph, error)) ||
        !(v->input = ebb_buffer_create(model->device, cells, error)) ||
        !(v->output = ebb_buffer_create(model->device, samples, error)))
        return error->code;
    v->mel = ebb_alloc(cells, sizeof(float));
    v->samples = ebb_alloc(samples, sizeof(float));
    return v->mel && v->samples ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a vocoder");
}

// The plan for so many frames; the last one is kept. NULL on failure.
static struct ebb_vocoder_plan *find(struct ebb_model *model, int frames, struct ebb_error *error)
{
    struct ebb_vocoder_plan **reference = ebb_workspace_vocoder_plan(model);
    if (*reference && (*reference)->frames == frames)
        return *reference;
    ebb_vocoder_plan_destroy(reference);
    *reference = ebb_alloc(1, sizeof(**reference));
    if (!*reference) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a vocoder");
        return NULL;
    }
    if (make(*reference, model, frames, error) != EBB_OK)
        ebb_vocoder_plan_destroy(reference);
    return *reference;
}

enum ebb_result ebb_vocoder_plan_run(struct ebb_model *model, const float *mel, int frames, float *samples,
                                     size_t count, struct ebb_error *error)
{
    struct ebb_vocoder_plan *v = find(model, frames, error);
    if (!v)
        return error->code;
    size_t bands = model->info.n_mels, made = ebb_buffer_count(v->output);
    for (size_t band = 0; band < bands; band++)
        for (size_t i = 0; i < (size_t)frames; i++)
            v->mel[i * bands + band] = mel[band * frames + i];
    ebb_vocoder_normalize(model->vocoder, v->mel, frames);
    enum ebb_result result = ebb_buffer_write(v->input, 0, v->mel, frames * bands, error);
    if (result == EBB_OK)
        result = ebb_plan_run(v->plan, 0, &v->input, &v->output, error);
    if (result == EBB_OK)
        result = ebb_buffer_read(v->output, 0, v->samples, made, error);
    for (size_t i = 0; i < count && result == EBB_OK; i++)
        samples[i] = i < made ? v->samples[i] : 0;
    return result;
}
