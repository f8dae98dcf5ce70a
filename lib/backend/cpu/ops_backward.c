// SPDX-License-Identifier: LGPL-2.1-or-later
// The ops of gradients; attention's stands in attention_backward.c.
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

// ---- spread ----

struct spread_job {
    const struct cpu_op *op;
    const float *src;
    float *dst;
};

static void spread_row(void *context, int unit, int thread)
{
    const struct spread_job *job = context;
    const struct ebb_op *o = job->op->op;
    const struct ebb_operand *src = job->op->src[0], *dst = job->op->dst;
    int n = unit / dst->h, y = unit % dst->h, sy = y / o->stride;
    size_t c = (size_t)dst->c;
    float *out = job->dst + (size_t)unit * (size_t)dst->w * c;
    const float *line = job->src +
                        ((size_t)n * (size_t)src->h + (size_t)sy) * (size_t)src->w * (size_t)src->c +
                        o->first;
    bool here = sy < src->h && (o->spot == EBB_SPOT_ALL || y % o->stride == o->spot);
    for (int x = 0; x < dst->w; x++, out += c) {
        int sx = x / o->stride;
        if (!here || sx >= src->w || (o->spot != EBB_SPOT_ALL && x % o->stride != o->spot)) {
            memset(out, 0, c * sizeof(*out));
            continue;
        }
        for (size_t i = 0; i < c; i++)
            out[i] = o->scale * line[(size_t)sx * (size_t)src->c + i];
    }
}

static void spread_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct spread_job job = {op, ebb_host_operand(&run->host, op->op->src[0]),
                             ebb_host_operand(&run->host, op->op->dst)};
    cpu_pool_run(run->pool, op->dst->n * op->dst->h, spread_row, &job);
}

const struct cpu_kernel cpu_spread = {.run = spread_run};

// ---- activation ----

struct pixel_grad_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    const float *g, *x, *affine, *film;
    float *dst;
    double *sums;        // norm: (n, 4, c): of x, of its squares, of g, of g x
    float *coefficients; // norm: (n, 3, c): dst = g * [0] + x * [1] + [2]
};

static void act_grad_row(void *context, int unit, int thread)
{
    const struct pixel_grad_job *job = context;
    const struct ebb_operand *dst = job->op->dst;
    size_t c = (size_t)dst->c, at = (size_t)unit * (size_t)dst->w * c;
    const float *a = job->affine ? job->affine + (size_t)(unit / dst->h) * 2 * c : NULL;
    job->run->kernels->slope(&(struct cpu_slope){job->dst + at, job->g + at, job->x + at, dst->w, dst->c, a,
                                                 a ? a + c : NULL, job->op->op->act});
}

static struct pixel_grad_job grad_job_of(const struct cpu_run *run, const struct cpu_op *op)
{
    return (struct pixel_grad_job){
        .run = run,
        .op = op,
        .g = ebb_host_operand(&run->host, op->op->src[0]),
        .x = ebb_host_operand(&run->host, op->op->src[1]),
        .affine = ebb_host_operand(&run->host, op->op->affine),
        .film = ebb_host_operand(&run->host, op->op->film),
        .dst = ebb_host_operand(&run->host, op->op->dst),
    };
}

static void act_grad_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct pixel_grad_job job = grad_job_of(run, op);
    cpu_pool_run(run->pool, op->dst->n * op->dst->h, act_grad_row, &job);
}

const struct cpu_kernel cpu_act_grad = {.run = act_grad_run};

// ---- norm ----

static enum ebb_result norm_grad_prepare(const struct cpu_device *device, struct cpu_op *op,
                                         struct ebb_error *error)
{
    size_t values = (size_t)op->dst->n * (size_t)op->dst->c;
    op->scratch = 4 * values * sizeof(double) / sizeof(float) + 3 * values;
    return EBB_OK;
}

static void sum_strip(void *context, int unit, int thread)
{
    const struct pixel_grad_job *job = context;
    const struct ebb_operand *dst = job->op->dst;
    int strips = cpu_strips(dst->c), first = unit % strips * CPU_STRIP,
        count = dst->c - first < CPU_STRIP ? dst->c - first : CPU_STRIP;
    size_t c = (size_t)dst->c, n = (size_t)(unit / strips), pixels = cpu_pixels(dst),
           at = n * pixels * c + (size_t)first;
    double *sums = job->sums + n * 4 * c + first;
    job->run->kernels->sums(job->x + at, c, (int)pixels, count, sums, sums + c);
    job->run->kernels->products(job->g + at, job->x + at, c, (int)pixels, count, sums + 2 * c, sums + 3 * c);
}

static double gain(const struct ebb_op *o, const float *film, int c)
{
    return (o->gamma ? o->gamma->data[c] : 1.0) * (film ? 1.0 + film[c] : 1.0);
}

// With u the normalized x and g its gradient (gamma and film taken in): (g - mean g - u mean(g u)) /
// deviation.
static void solve_group(const struct pixel_grad_job *job, int n, int first, int size)
{
    const struct ebb_op *o = job->op->op;
    int channels = job->op->dst->c;
    const double *s = job->sums + (size_t)n * 4 * (size_t)channels;
    const float *film = job->film ? job->film + (size_t)n * 2 * (size_t)channels : NULL;
    float *out = job->coefficients + (size_t)n * 3 * (size_t)channels;
    double count = (double)size * (double)cpu_pixels(job->op->dst), x = 0, xx = 0, g = 0, gx = 0;
    for (int c = first; c < first + size; c++) {
        x += s[c] / count;
        xx += s[channels + c] / count;
        g += gain(o, film, c) * s[2 * channels + c] / count;
        gx += gain(o, film, c) * s[3 * channels + c] / count;
    }
    double variance = xx - x * x, rstd = 1 / sqrt((variance > 0 ? variance : 0) + o->eps);
    double slope = -(gx - x * g) * rstd * rstd * rstd;
    for (int c = first; c < first + size; c++) {
        out[c] = (float)(rstd * gain(o, film, c));
        out[channels + c] = (float)slope;
        out[2 * channels + c] = (float)(-rstd * g - slope * x);
    }
}

static void apply_row(void *context, int unit, int thread)
{
    const struct pixel_grad_job *job = context;
    const struct ebb_operand *dst = job->op->dst;
    size_t c = (size_t)dst->c, at = (size_t)unit * (size_t)dst->w * c;
    job->run->kernels->combine(job->dst + at, job->g + at, job->x ? job->x + at : NULL, dst->w, dst->c,
                               job->coefficients + (size_t)(unit / dst->h) * 3 * c);
}

static void norm_grad_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct pixel_grad_job job = grad_job_of(run, op);
    int n = op->dst->n, c = op->dst->c, groups = op->op->groups;
    job.sums = (double *)run->scratch;
    job.coefficients = (float *)(job.sums + 4 * (size_t)n * (size_t)c);
    if (groups)
        cpu_pool_run(run->pool, n * cpu_strips(c), sum_strip, &job);
    for (int i = 0; i < n * groups; i++)
        solve_group(&job, i / groups, i % groups * (c / groups), c / groups);
    for (int i = 0; !groups && i < n * c; i++)
        job.coefficients[i / c * 3 * c + i % c] = (float)gain(op->op,
                                                              job.film ? job.film + i / c * 2 * c : NULL,
                                                              i % c);
    cpu_pool_run(run->pool, n * op->dst->h, apply_row, &job);
}

const struct cpu_kernel cpu_norm_grad = {.prepare = norm_grad_prepare, .run = norm_grad_run};
