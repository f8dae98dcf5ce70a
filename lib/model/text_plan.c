// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/text_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "graph/plan.h"

enum { ROWS, BIAS, PICK, INPUTS };

struct ebb_text_plan {
    const struct ebb_text_encoder *encoder; // borrowed
    int n, tokens;
    struct ebb_plan *plan;
    struct ebb_buffer *input[INPUTS], *output[2]; // of what changes by step there is no buffer
    float *host[INPUTS];                          // what the inputs hold; NULL: the encoder has no such input
    size_t count[INPUTS];
    bool *seen;
};

void ebb_text_plan_destroy(struct ebb_text_plan **plan)
{
    struct ebb_text_plan *p = *plan;
    *plan = NULL;
    if (!p)
        return;
    ebb_plan_destroy(&p->plan);
    for (int i = 0; i < INPUTS; i++) {
        ebb_buffer_destroy(&p->input[i]);
        free(p->host[i]);
    }
    for (int i = 0; i < 2; i++)
        ebb_buffer_destroy(&p->output[i]);
    free(p->seen);
    free(p);
}

static enum ebb_result make_plan(struct ebb_text_plan *p, struct ebb_device *device, struct ebb_error *error)
{
    struct ebb_graph *graph = ebb_graph_create();
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    enum ebb_result result = ebb_text_encoder_build(p->encoder, graph, p->n, p->tokens, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }
    p->plan = ebb_plan_create(device, graph, error);
    return p->plan ? EBB_OK : error->code;
}

// A number per token is an input of the step.
static bool is_buffer(const struct ebb_text_plan *p, int input)
{
    return input == ROWS || (input == BIAS && ebb_text_encoder_is_relative(p->encoder));
}

static enum ebb_result make_buffers(struct ebb_text_plan *p, struct ebb_device *device,
                                    struct ebb_error *error)
{
    const size_t most = (size_t)1 << 28;
    int shape[4];
    size_t all = (size_t)p->n * (size_t)p->tokens, pooled = (size_t)ebb_text_encoder_pooled(p->encoder);
    size_t width = (size_t)ebb_text_encoder_width(p->encoder);
    p->count[ROWS] = all * width;
    p->count[BIAS] = ebb_text_encoder_bias_shape(p->encoder, p->n, p->tokens, shape);
    p->count[PICK] = pooled ? all : 0;
    if (p->count[ROWS] > most || p->count[BIAS] > most)
        return ebb_fail(error, EBB_INVALID, "%d texts of %d tokens are too much at once", p->n, p->tokens);
    for (int i = 0; i < INPUTS; i++) {
        if (!p->count[i])
            continue;
        p->host[i] = ebb_alloc(p->count[i], sizeof(float));
        if (is_buffer(p, i) && !(p->input[i] = ebb_buffer_create(device, p->count[i], error)))
            return error->code;
    }
    p->seen = ebb_alloc(all, sizeof(*p->seen));
    bool whole = p->host[ROWS] && (p->host[BIAS] || !p->count[BIAS]) && (p->host[PICK] || !pooled) && p->seen;
    if (!whole)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %d texts", p->n);
    p->output[0] = ebb_buffer_create(device, p->count[ROWS], error);
    if (p->output[0] && pooled)
        p->output[1] = ebb_buffer_create(device, (size_t)p->n * pooled, error);
    return p->output[0] && (p->output[1] || !pooled) ? EBB_OK : error->code;
}

struct ebb_text_plan *ebb_text_plan_create(struct ebb_device *device, const struct ebb_text_encoder *encoder,
                                           int n, int tokens, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_text_plan *p = ebb_alloc(1, sizeof(*p));
    if (!p) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a text encoder");
        return NULL;
    }
    p->encoder = encoder;
    p->n = n;
    p->tokens = tokens;
    if (make_plan(p, device, error) != EBB_OK || make_buffers(p, device, error) != EBB_OK)
        ebb_text_plan_destroy(&p);
    return p;
}

static enum ebb_result check_ids(const struct ebb_text_plan *p, const int *ids, struct ebb_error *error)
{
    int vocabulary = ebb_text_encoder_vocabulary(p->encoder);
    for (int i = 0; i < p->n * p->tokens; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary)
            return ebb_fail(error, EBB_INVALID, "token %d has the id %d, the text encoder knows 0 to %d", i,
                            ids[i], vocabulary - 1);
    return EBB_OK;
}

static void fill_bias(struct ebb_text_plan *p, const bool *seen)
{
    size_t part = p->count[BIAS] / (size_t)p->n;
    for (int i = 0; i < p->n && part; i++)
        ebb_text_encoder_bias(p->encoder, seen ? seen + (size_t)i * (size_t)p->tokens : NULL, p->tokens,
                              p->host[BIAS] + (size_t)i * part);
}

static enum ebb_result run(struct ebb_text_plan *p, float *last, float *pooled, struct ebb_error *error)
{
    struct ebb_buffer *inputs[INPUTS];
    const float *steps[INPUTS];
    int used = 0, stepped = 0;
    for (int i = 0; i < INPUTS; i++)
        if (p->host[i] && !p->input[i])
            steps[stepped++] = p->host[i];
    enum ebb_result result = stepped ? ebb_plan_steps(p->plan, 1, steps, error) : EBB_OK;
    for (int i = 0; i < INPUTS && result == EBB_OK; i++)
        if (p->input[i]) {
            inputs[used++] = p->input[i];
            result = ebb_buffer_write(p->input[i], 0, p->host[i], p->count[i], error);
        }
    if (result == EBB_OK)
        result = ebb_plan_run(p->plan, 0, inputs, p->output, error);
    if (result == EBB_OK && last)
        result = ebb_buffer_read(p->output[0], 0, last, ebb_buffer_count(p->output[0]), error);
    if (result == EBB_OK && pooled && p->output[1])
        result = ebb_buffer_read(p->output[1], 0, pooled, ebb_buffer_count(p->output[1]), error);
    return result;
}

enum ebb_result ebb_text_plan_run(struct ebb_text_plan *p, const int *ids, float *last, float *pooled,
                                  struct ebb_error *error)
{
    enum ebb_result result = check_ids(p, ids, error);
    if (result != EBB_OK)
        return result;
    size_t tokens = (size_t)p->tokens, width = (size_t)ebb_text_encoder_width(p->encoder);
    for (size_t i = 0; i < (size_t)p->n; i++) {
        const int *text = ids + i * tokens;
        ebb_text_encoder_embed(p->encoder, text, p->tokens, p->host[ROWS] + i * tokens * width);
        for (size_t k = 0; k < tokens; k++)
            p->seen[i * tokens + k] = ebb_text_encoder_sees(p->encoder, text[k]);
        if (p->count[PICK])
            ebb_text_encoder_pick(p->encoder, text, p->tokens, p->host[PICK] + i * tokens);
    }
    fill_bias(p, p->seen);
    return run(p, last, pooled, error);
}

enum ebb_result ebb_text_plan_run_rows(struct ebb_text_plan *p, const float *rows, const bool *seen,
                                       float *last, struct ebb_error *error)
{
    size_t text = p->count[ROWS] / (size_t)p->n;
    memcpy(p->host[ROWS], rows, p->count[ROWS] * sizeof(*rows));
    for (size_t i = 0; i < (size_t)p->n; i++)
        ebb_text_encoder_place(p->encoder, p->tokens, p->host[ROWS] + i * text);
    fill_bias(p, seen);
    return run(p, last, NULL, error);
}
