// SPDX-License-Identifier: LGPL-2.1-or-later
// The ops that need no scratch: map, pool, mean, softmax, layer norm, gate, join and turn.
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

// ---- map ----

struct map_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    struct cpu_source source;
    float *dst;
    const float *vector, *residual;
};

static void map_row(void *context, int unit, int thread)
{
    const struct map_job *job = context;
    const struct ebb_operand *dst = job->op->dst;
    int n = unit / dst->h, y = unit % dst->h;
    size_t channels = (size_t)dst->c, at = (size_t)unit * (size_t)dst->w * channels;
    cpu_source_row(job->run->kernels, &job->source, n, y, job->dst + at);
    if (job->vector || job->residual || job->op->op->scale != 1)
        job->run->kernels->finish(job->dst + at, channels, dst->w, dst->c,
                                  job->vector ? job->vector + (size_t)n * channels : NULL,
                                  job->residual ? job->residual + at : NULL, job->op->op->scale);
}

static void map_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct map_job job = {
        .run = run,
        .op = op,
        .source = cpu_source_of(run, op),
        .dst = ebb_host_operand(&run->host, op->op->dst),
        .vector = ebb_host_operand(&run->host, op->op->vector),
        .residual = ebb_host_operand(&run->host, op->op->residual),
    };
    cpu_pool_run(run->pool, op->dst->n * op->dst->h, map_row, &job);
}

const struct cpu_kernel cpu_map = {.run = map_run};

// ---- pool ----

struct pool_job {
    const struct ebb_operand *dst, *src;
    float *out;
    const float *in;
};

static void pool_row(void *context, int unit, int thread)
{
    const struct pool_job *job = context;
    const struct ebb_operand *dst = job->dst, *src = job->src;
    size_t channels = (size_t)dst->c, line = (size_t)src->w * channels;
    const float *top = job->in +
                       ((size_t)(unit / dst->h) * (size_t)src->h + (size_t)(unit % dst->h) * 2) * line;
    float *out = job->out + (size_t)unit * (size_t)dst->w * channels;
    for (int x = 0; x < dst->w; x++, top += 2 * channels, out += channels)
        for (size_t c = 0; c < channels; c++)
            out[c] = 0.25f * (top[c] + top[channels + c] + top[line + c] + top[line + channels + c]);
}

static void pool_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct pool_job job = {op->dst, op->src[0], ebb_host_operand(&run->host, op->op->dst),
                           ebb_host_operand(&run->host, op->op->src[0])};
    cpu_pool_run(run->pool, op->dst->n * op->dst->h, pool_row, &job);
}

const struct cpu_kernel cpu_pool = {.run = pool_run};

// ---- mean, softmax and layer norm ----

struct mean_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    const float *src;
    float *dst;
};

static struct mean_job job_of(const struct cpu_run *run, const struct cpu_op *op)
{
    return (struct mean_job){run, op, ebb_host_operand(&run->host, op->op->src[0]),
                             ebb_host_operand(&run->host, op->op->dst)};
}

static void mean_strip(void *context, int unit, int thread)
{
    const struct mean_job *job = context;
    const struct ebb_operand *src = job->op->src[0];
    int strips = cpu_strips(src->c), first = unit % strips * CPU_STRIP,
        count = src->c - first < CPU_STRIP ? src->c - first : CPU_STRIP;
    size_t n = (size_t)(unit / strips), pixels = cpu_pixels(src);
    double sums[CPU_STRIP], squares[CPU_STRIP];
    job->run->kernels->sums(job->src + n * pixels * (size_t)src->c + first, (size_t)src->c, (int)pixels,
                            count, sums, squares);
    for (int i = 0; i < count; i++)
        job->dst[n * (size_t)src->c + (size_t)(first + i)] = (float)(sums[i] / (double)pixels);
}

static void mean_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct mean_job job = job_of(run, op);
    cpu_pool_run(run->pool, op->src[0]->n * cpu_strips(op->src[0]->c), mean_strip, &job);
}

const struct cpu_kernel cpu_mean = {.run = mean_run};

static void softmax_pixel(void *context, int unit, int thread)
{
    const struct mean_job *job = context;
    size_t c = (size_t)job->op->dst->c;
    float *out = job->dst + (size_t)unit * c;
    memcpy(out, job->src + (size_t)unit * c, c * sizeof(*out));
    float total = job->run->kernels->softmax(out, (int)c, 1);
    for (size_t i = 0; i < c; i++)
        out[i] /= total;
}

static void softmax_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct mean_job job = job_of(run, op);
    cpu_pool_run(run->pool, op->dst->n * (int)cpu_pixels(op->dst), softmax_pixel, &job);
}

const struct cpu_kernel cpu_softmax = {.run = softmax_run};

// The channels of a pixel are summed LANES at a time, and the rest one by one.
static void layer_norm_pixel(void *context, int unit, int thread)
{
    enum { LANES = 16 };
    const struct mean_job *job = context;
    const struct ebb_op *op = job->op->op;
    int c = job->op->dst->c, whole = c / LANES;
    const float *x = job->src + (size_t)unit * (size_t)c;
    float *out = job->dst + (size_t)unit * (size_t)c;
    double sums[LANES], squares[LANES], sum = 0, square = 0;
    job->run->kernels->sums(x, LANES, whole, LANES, sums, squares);
    for (int i = 0; i < LANES; i++) {
        sum += sums[i];
        square += squares[i];
    }
    for (int i = whole * LANES; i < c; i++) {
        sum += x[i];
        square += (double)x[i] * x[i];
    }
    double mean = op->rms ? 0 : sum / c, variance = square / c - mean * mean;
    double rstd = 1 / sqrt((variance > 0 ? variance : 0) + op->eps);
    for (int i = 0; i < c; i++)
        out[i] = (float)((x[i] - mean) * rstd * (op->gamma ? op->gamma->data[i] : 1) +
                         (op->beta ? op->beta->data[i] : 0));
}

static void layer_norm_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct mean_job job = job_of(run, op);
    cpu_pool_run(run->pool, op->dst->n * (int)cpu_pixels(op->dst), layer_norm_pixel, &job);
}

const struct cpu_kernel cpu_layer_norm = {.run = layer_norm_run};

// ---- gate, join and turn ----

static void gate_pixel(void *context, int unit, int thread)
{
    const struct mean_job *job = context;
    size_t c = (size_t)job->op->dst->c, at = (size_t)unit * c;
    const float *gate = ebb_host_operand(&job->run->host, job->op->op->src[1]);
    const float *x = job->src + (gate ? at : 2 * at);
    job->run->kernels->gate(job->dst + at, x, gate ? gate + at : x + c, (int)c, job->op->op->act);
}

static void gate_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct mean_job job = job_of(run, op);
    cpu_pool_run(run->pool, op->dst->n * (int)cpu_pixels(op->dst), gate_pixel, &job);
}

const struct cpu_kernel cpu_gate = {.run = gate_run};

static void join_run(const struct cpu_run *run, const struct cpu_op *op)
{
    float *out = ebb_host_operand(&run->host, op->op->dst);
    for (int n = 0; n < op->dst->n; n++)
        for (int i = 0; i < 2; i++) {
            size_t count = cpu_pixels(op->src[i]) * (size_t)op->src[i]->c;
            const float *src = ebb_host_operand(&run->host, op->op->src[i]);
            memcpy(out, src + (size_t)n * count, count * sizeof(*out));
            out += count;
        }
}

const struct cpu_kernel cpu_join = {.run = join_run};

static void turn_row(void *context, int unit, int thread)
{
    const struct mean_job *job = context;
    const struct ebb_operand *dst = job->op->dst;
    size_t h = (size_t)dst->h, w = (size_t)dst->w, c = (size_t)dst->c;
    size_t n = (size_t)unit / h, y = (size_t)unit % h;
    float *out = job->dst + (size_t)unit * w * c;
    for (size_t x = 0; x < w; x++, out += c)
        memcpy(out, job->src + ((n * w + x) * h + y) * c, c * sizeof(*out));
}

static void turn_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct mean_job job = job_of(run, op);
    cpu_pool_run(run->pool, op->dst->n * op->dst->h, turn_row, &job);
}

const struct cpu_kernel cpu_turn = {.run = turn_run};
