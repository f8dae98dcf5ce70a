// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/language.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "graph/plan.h"
#include "model/text_plan.h"

enum { TEXTS = 2, ENDS = 4 };

struct ebb_language {
    const struct ebb_text_projection *projection;
    const struct ebb_text_encoder *encoder;
    struct ebb_language_size size;
    int width, begin, all; // of a state; states before the first new one; states in all
    struct ebb_plan *plan; // of the projection
    struct ebb_buffer *input[TEXTS], *projected[TEXTS];
    struct ebb_text_plan *go_on;
    float *rows, *last; // (all, width)
    bool *seen;         // all
};

void ebb_language_destroy(struct ebb_language **language)
{
    struct ebb_language *l = *language;
    *language = NULL;
    if (!l)
        return;
    ebb_plan_destroy(&l->plan);
    for (int i = 0; i < TEXTS; i++) {
        ebb_buffer_destroy(&l->input[i]);
        ebb_buffer_destroy(&l->projected[i]);
    }
    ebb_text_plan_destroy(&l->go_on);
    free(l->rows);
    free(l->last);
    free(l->seen);
    free(l);
}

static enum ebb_result make_projection(struct ebb_language *l, struct ebb_device *device,
                                       struct ebb_error *error)
{
    int widths[3];
    ebb_text_projection_widths(l->projection, widths);
    struct ebb_graph *graph = ebb_graph_create();
    enum ebb_result result = graph ? ebb_text_projection_build(l->projection, graph, 1, l->size.tokens, error)
                                   : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }
    l->plan = ebb_plan_create(device, graph, error);
    for (int i = 0; i < TEXTS && l->plan; i++) {
        size_t tokens = (size_t)l->size.tokens[i];
        l->input[i] = ebb_buffer_create(device, tokens * (size_t)widths[i], error);
        if (l->input[i])
            l->projected[i] = ebb_buffer_create(device, tokens * (size_t)widths[2], error);
        if (!l->projected[i])
            return error->code;
    }
    return l->plan ? EBB_OK : error->code;
}

static enum ebb_result make_all(struct ebb_language *l, struct ebb_device *device, struct ebb_error *error)
{
    int widths[3];
    ebb_text_projection_widths(l->projection, widths);
    l->width = ebb_text_encoder_width(l->encoder);
    l->begin = l->size.tokens[0] + l->size.tokens[1] + ENDS;
    l->all = l->begin + l->size.count;
    if (widths[2] != l->width)
        return ebb_fail(error, EBB_CORRUPT,
                        "the projection gives states of width %d, the language model takes %d", widths[2],
                        l->width);
    l->rows = ebb_alloc((size_t)l->all * (size_t)l->width, sizeof(float));
    l->last = ebb_alloc((size_t)l->all * (size_t)l->width, sizeof(float));
    l->seen = ebb_alloc((size_t)l->all, sizeof(bool));
    if (!l->rows || !l->last || !l->seen)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a language model");
    enum ebb_result result = make_projection(l, device, error);
    if (result != EBB_OK)
        return result;
    l->go_on = ebb_text_plan_create(device, l->encoder, 1, l->all, error);
    return l->go_on ? EBB_OK : error->code;
}

struct ebb_language *ebb_language_create(struct ebb_device *device,
                                         const struct ebb_text_projection *projection,
                                         const struct ebb_text_encoder *encoder,
                                         const struct ebb_language_size *size, struct ebb_error *error)
{
    error = EBB_ERROR(error);
    struct ebb_language *l = ebb_alloc(1, sizeof(*l));
    if (!l) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a language model");
        return NULL;
    }
    l->projection = projection;
    l->encoder = encoder;
    l->size = *size;
    if (make_all(l, device, error) != EBB_OK)
        ebb_language_destroy(&l);
    return l;
}

// The texts one after the other, each between its ends.
static enum ebb_result project(struct ebb_language *l, const float *const states[TEXTS],
                               struct ebb_error *error)
{
    size_t width = (size_t)l->width;
    float *at = l->rows;
    enum ebb_result result = EBB_OK;
    for (int i = 0; i < TEXTS && result == EBB_OK; i++)
        result = ebb_buffer_write(l->input[i], 0, states[i], ebb_buffer_count(l->input[i]), error);
    if (result == EBB_OK)
        result = ebb_plan_run(l->plan, 0, l->input, l->projected, error);
    for (int i = 0; i < TEXTS && result == EBB_OK; i++) {
        size_t count = ebb_buffer_count(l->projected[i]);
        memcpy(at, ebb_text_projection_end(l->projection, 2 * i), width * sizeof(*at));
        result = ebb_buffer_read(l->projected[i], 0, at + width, count, error);
        at += width + count;
        memcpy(at, ebb_text_projection_end(l->projection, 2 * i + 1), width * sizeof(*at));
        at += width;
    }
    return result;
}

// A state sees what is before it, so that the rows behind it may hold anything.
enum ebb_result ebb_language_run(struct ebb_language *l, const float *const states[2], const bool *seen,
                                 float *next, struct ebb_error *error)
{
    size_t width = (size_t)l->width;
    int second = l->size.tokens[0] + 3; // where the second text is, behind the ends of the first and its own
    for (int i = 0; i < l->all; i++)
        l->seen[i] = !seen || i < second || i >= second + l->size.tokens[1] || seen[i - second];
    memset(l->rows, 0, (size_t)l->all * width * sizeof(float));
    enum ebb_result result = project(l, states, error);
    for (int i = 0; i < l->size.count && result == EBB_OK; i++) {
        size_t at = (size_t)(l->begin + i) * width;
        result = ebb_text_plan_run_rows(l->go_on, l->rows, l->seen, l->last, error);
        memcpy(l->rows + at, l->last + at - width, width * sizeof(float));
    }
    memcpy(next, l->rows + (size_t)l->begin * width, (size_t)l->size.count * width * sizeof(float));
    return result;
}
