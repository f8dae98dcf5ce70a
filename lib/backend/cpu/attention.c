// SPDX-License-Identifier: LGPL-2.1-or-later
// Attention with the inner loop of the convolution: keys and values of a head become panels. The scores of a
// few queries stay in the thread's scratch. Beside keys and values, which are copied once, that is QUERIES
// rows of scores a thread, however many queries there are.
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

enum { QUERIES = 16 }; // of one unit

struct attention_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    const float *q, *k, *v, *bias; // bias: NULL: none
    float *out, *keys, *values, *scores;
    int heads, width, queries, tokens;
    size_t keys_step, values_step, scores_step; // of one (item, head); of one thread
};

static struct attention_job job_of(const struct cpu_op *op)
{
    struct attention_job job = {
        .op = op,
        .heads = op->op->heads,
        .width = op->dst->c / op->op->heads,
        .queries = op->dst->h * op->dst->w,
        .tokens = op->src[1]->h * op->src[1]->w,
    };
    job.keys_step = cpu_panels_floats((size_t)job.width, job.tokens);
    job.values_step = cpu_panels_floats((size_t)job.tokens, job.width);
    job.scores_step = (size_t)QUERIES * (size_t)((job.tokens + 15) / 16 * 16);
    return job;
}

static enum ebb_result attention_prepare(const struct cpu_device *device, struct cpu_op *op,
                                         struct ebb_error *error)
{
    struct attention_job job = job_of(op);
    op->scratch = (size_t)op->dst->n * (size_t)job.heads * (job.keys_step + job.values_step) +
                  (size_t)cpu_pool_threads(device->pool) * job.scores_step;
    return EBB_OK;
}

static void pack_head(void *context, int unit, int thread)
{
    const struct attention_job *job = context;
    size_t channels = (size_t)job->op->dst->c;
    size_t at = (size_t)(unit / job->heads) * (size_t)job->tokens * channels +
                (size_t)(unit % job->heads * job->width);
    cpu_panels_pack(job->keys + (size_t)unit * job->keys_step, job->k + at, (size_t)job->width, job->tokens,
                    1, channels);
    cpu_panels_pack(job->values + (size_t)unit * job->values_step, job->v + at, (size_t)job->tokens,
                    job->width, channels, 1);
}

// The bias of one query of one head of all items.
static const float *bias_of(const struct attention_job *job, int head, int query)
{
    const struct ebb_operand *bias = job->op->src[3];
    size_t row = bias->n == 1 ? 0 : (size_t)(head / job->heads);
    row = row * (size_t)bias->h + (bias->h == 1 ? 0 : (size_t)(head % job->heads));
    row = row * (size_t)bias->w + (bias->w == 1 ? 0 : (size_t)query);
    return job->bias + row * (size_t)bias->c;
}

// Products of a query and all keys become weights that are not divided by their sum yet; returns the sum.
static float weigh(const struct attention_job *job, int head, int query, float *row)
{
    int seen = job->op->op->causal ? query + 1 + job->tokens - job->queries : job->tokens;
    float scale = job->op->op->scale > 0 ? job->op->op->scale : 1 / sqrtf((float)job->width);
    if (job->bias) {
        const float *bias = bias_of(job, head, query);
        for (int j = 0; j < seen; j++)
            row[j] = scale * row[j] + (bias[j] > -1e30f ? bias[j] : -1e30f);
        scale = 1;
    }
    float total = job->run->kernels->softmax(row, seen, scale);
    memset(row + seen, 0, (size_t)(job->tokens - seen) * sizeof(*row));
    return total;
}

static void attend(void *context, int unit, int thread)
{
    const struct attention_job *job = context;
    const struct cpu_kernels *kernels = job->run->kernels;
    int blocks = (job->queries + QUERIES - 1) / QUERIES, head = unit / blocks, from = unit % blocks * QUERIES;
    int count = job->queries - from < QUERIES ? job->queries - from : QUERIES;
    size_t channels = (size_t)job->op->dst->c, row = job->scores_step / QUERIES;
    size_t at = ((size_t)(head / job->heads) * (size_t)job->queries + (size_t)from) * channels +
                (size_t)(head % job->heads * job->width);
    float *scores = job->scores + (size_t)thread * job->scores_step;
    float total[QUERIES];

    cpu_multiply(kernels, job->q + at, channels, count, job->width, job->keys + (size_t)head * job->keys_step,
                 job->tokens, scores, row);
    for (int i = 0; i < count; i++)
        total[i] = weigh(job, head, from + i, scores + (size_t)i * row);
    cpu_multiply(kernels, scores, row, count, job->tokens, job->values + (size_t)head * job->values_step,
                 job->width, job->out + at, channels);
    for (int i = 0; i < count; i++)
        for (int c = 0; c < job->width; c++)
            job->out[at + (size_t)i * channels + (size_t)c] /= total[i];
}

static void attention_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct attention_job job = job_of(op);
    int heads = op->dst->n * job.heads;
    job.run = run;
    job.q = ebb_host_operand(&run->host, op->op->src[0]);
    job.k = ebb_host_operand(&run->host, op->op->src[1]);
    job.v = ebb_host_operand(&run->host, op->op->src[2]);
    job.bias = ebb_host_operand(&run->host, op->op->src[3]);
    job.out = ebb_host_operand(&run->host, op->op->dst);
    job.keys = run->scratch;
    job.values = job.keys + (size_t)heads * job.keys_step;
    job.scores = job.values + (size_t)heads * job.values_step;
    cpu_pool_run(run->pool, heads, pack_head, &job);
    cpu_pool_run(run->pool, heads * ((job.queries + QUERIES - 1) / QUERIES), attend, &job);
}

const struct cpu_kernel cpu_attention = {.prepare = attention_prepare, .run = attention_run};
