// SPDX-License-Identifier: LGPL-2.1-or-later
#include "eval_text.h"

#include <math.h>
#include <stdlib.h>

#include "npy.h"

struct encoded_texts {
    int shape[2], last_shape[3], pooled_shape[2];
    int *ids;
    float *last, *pooled;
};

static int read_ids(const char *path, struct encoded_texts *t)
{
    struct npy a;
    int code = npy_read_ids(path, &a);
    if (!code && (a.dims < 1 || a.dims > 2 || a.count < 1 || a.count > 1 << 24))
        code = tool_fail(TOOL_USAGE, "%s: (tokens) or (n, tokens) is needed", path);
    if (!code && !(t->ids = calloc(a.count, sizeof(*t->ids))))
        code = tool_fail(TOOL_FAILED, "no memory");
    for (size_t i = 0; !code && i < a.count; i++)
        t->ids[i] = (int)a.values[i];
    t->shape[0] = !code && a.dims == 2 ? (int)a.shape[0] : 1;
    t->shape[1] = !code ? (int)a.shape[a.dims - 1] : 0;
    npy_clear(&a);
    return code;
}

static int prepare(struct ebb_net *net, const struct eval_text *job, struct encoded_texts *t)
{
    struct ebb_error error = {0};
    int code = read_ids(job->ids, t);
    if (code)
        return code;
    if (ebb_net_text_shape(net, t->shape, t->last_shape, t->pooled_shape, &error) != EBB_OK)
        return tool_error(&error);
    if (job->pooled && t->pooled_shape[1] == 0)
        return tool_fail(TOOL_USAGE, "--pooled: a %s has no state of the whole text", ebb_net_class(net));
    size_t rows = (size_t)t->shape[0] * (size_t)t->shape[1];
    t->last = calloc(rows * (size_t)t->last_shape[2], sizeof(float));
    t->pooled = calloc((size_t)t->shape[0] * (size_t)t->pooled_shape[1] + 1, sizeof(float));
    return t->last && t->pooled ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
}

static int run_once(struct ebb_net *net, struct encoded_texts *t)
{
    struct ebb_error error = {0};
    if (tool_interrupted())
        return tool_fail(TOOL_INTERRUPTED, "interrupted");
    if (ebb_net_run_text(net, t->shape, t->ids, t->last, t->pooled, &error) != EBB_OK)
        return tool_error(&error);
    return TOOL_OK;
}

static int write_states(const char *path, const float *values, const int *shape, int dims)
{
    size_t sizes[3];
    for (int i = 0; i < dims; i++)
        sizes[i] = (size_t)shape[i];
    return path ? npy_write(path, values, dims, sizes) : TOOL_OK;
}

static int measure(struct ebb_net *net, struct encoded_texts *t, int repeat)
{
    double least = INFINITY, sum = 0;
    int code = TOOL_OK;
    for (int i = 0; i < repeat && !code; i++) {
        double start = tool_now();
        code = run_once(net, t);
        double ms = 1e3 * (tool_now() - start);
        least = fmin(least, ms);
        sum += ms;
    }
    if (!code)
        printf("{\"ms_min\": %.4f, \"ms_mean\": %.4f}\n", least, sum / repeat);
    return code;
}

int eval_text(struct ebb_net *net, const struct eval_text *job)
{
    struct encoded_texts texts = {0};
    int code = prepare(net, job, &texts);
    if (!code)
        code = run_once(net, &texts);
    if (!code)
        code = write_states(job->output, texts.last, texts.last_shape, 3);
    if (!code)
        code = write_states(job->pooled, texts.pooled, texts.pooled_shape, 2);
    if (!code && job->repeat)
        code = measure(net, &texts, job->repeat);
    free(texts.ids);
    free(texts.last);
    free(texts.pooled);
    return code;
}
