// SPDX-License-Identifier: LGPL-2.1-or-later
// The gradient of attention, a head of an item at a time: five products of matrices through the convolution's
// inner loop.
#include <math.h>

#include "backend/cpu/cpu.h"

struct attention_grad_job {
    const struct cpu_run *run;
    const float *q, *k, *v, *g;
    float *out, *scratch;
    int heads, width, tokens;
    size_t channels, row, panels,
        matrix; // floats: of a pixel, of a row of scores, of the panels, of a matrix of scores
};

static struct attention_grad_job job_of(const struct cpu_op *op)
{
    struct attention_grad_job job = {
        .heads = op->op->heads,
        .width = op->dst->c / 3 / op->op->heads,
        .tokens = op->dst->h * op->dst->w,
        .channels = (size_t)op->dst->c / 3,
    };
    size_t keys = cpu_panels_floats((size_t)job.width, job.tokens),
           values = cpu_panels_floats((size_t)job.tokens, job.width);
    job.row = (size_t)(job.tokens + 15) / 16 * 16;
    job.panels = ((keys > values ? keys : values) + 15) / 16 * 16;
    job.matrix = (size_t)job.tokens * job.row;
    return job;
}

static enum ebb_result prepare(const struct cpu_device *device, struct cpu_op *op, struct ebb_error *error)
{
    struct attention_grad_job job = job_of(op);
    op->scratch = (size_t)cpu_pool_threads(device->pool) * (job.panels + 3 * job.matrix);
    return EBB_OK;
}

// scores (tokens, tokens) = a b^T, over the width of a head
static void against(const struct attention_grad_job *job, float *panels, const float *a, const float *b,
                    float *scores)
{
    cpu_panels_pack(panels, b, (size_t)job->width, job->tokens, 1, job->channels);
    cpu_multiply(job->run->kernels->row, a, job->channels, job->tokens, job->width, panels, job->tokens,
                 scores, job->row);
}

// out (tokens, width) = weights (tokens, tokens) times b
static void weigh(const struct attention_grad_job *job, float *panels, const float *weights, const float *b,
                  float *out)
{
    cpu_panels_pack(panels, b, (size_t)job->tokens, job->width, job->channels, 1);
    cpu_multiply(job->run->kernels->row, weights, job->row, job->tokens, job->tokens, panels, job->width, out,
                 3 * job->channels);
}

static void transpose(const struct attention_grad_job *job, const float *from, float *to)
{
    for (int i = 0; i < job->tokens; i++)
        for (int j = 0; j < job->tokens; j++)
            to[(size_t)j * job->row + (size_t)i] = from[(size_t)i * job->row + (size_t)j];
}

// One row: p to probabilities, d (gradients of the probabilities) to those of the scores.
static void softmax_row(const struct attention_grad_job *job, float *p, float *d)
{
    float factor = 1 / sqrtf((float)job->width), total = job->run->kernels->softmax(p, job->tokens, factor);
    double mean = 0;
    for (int i = 0; i < job->tokens; i++) {
        p[i] /= total;
        mean += (double)p[i] * d[i];
    }
    for (int i = 0; i < job->tokens; i++)
        d[i] = p[i] * (d[i] - (float)mean) * factor;
}

static void one_head(void *context, int unit, int thread)
{
    const struct attention_grad_job *job = context;
    size_t n = (size_t)(unit / job->heads), at = (size_t)(unit % job->heads * job->width);
    size_t from = n * (size_t)job->tokens * job->channels + at;
    float *out = job->out + 3 * n * (size_t)job->tokens * job->channels + at;
    float *panels = job->scratch + (size_t)thread * (job->panels + 3 * job->matrix);
    float *p = panels + job->panels, *d = p + job->matrix, *turned = d + job->matrix;

    against(job, panels, job->q + from, job->k + from, p);
    against(job, panels, job->g + from, job->v + from, d);
    for (int i = 0; i < job->tokens; i++)
        softmax_row(job, p + (size_t)i * job->row, d + (size_t)i * job->row);
    weigh(job, panels, d, job->k + from, out);
    transpose(job, d, turned);
    weigh(job, panels, turned, job->q + from, out + job->channels);
    transpose(job, p, turned);
    weigh(job, panels, turned, job->g + from, out + 2 * job->channels);
}

static void run_op(const struct cpu_run *run, const struct cpu_op *op)
{
    struct attention_grad_job job = job_of(op);
    job.run = run;
    job.q = ebb_host_operand(&run->host, op->op->src[0]);
    job.k = ebb_host_operand(&run->host, op->op->src[1]);
    job.v = ebb_host_operand(&run->host, op->op->src[2]);
    job.g = ebb_host_operand(&run->host, op->op->src[3]);
    job.out = ebb_host_operand(&run->host, op->op->dst);
    job.scratch = run->scratch;
    cpu_pool_run(run->pool, op->dst->n * job.heads, one_head, &job);
}

const struct cpu_kernel cpu_attention_grad = {.prepare = prepare, .run = run_op};
