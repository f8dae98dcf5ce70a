// SPDX-License-Identifier: LGPL-2.1-or-later
// Group normalization as a factor and an offset per channel: sums per channel over blocks of pixels, then per
// group.
#include <math.h>

#include "backend/cpu/cpu.h"

enum { BLOCK_PIXELS = 128 };

struct norm_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    const float *src[2];
    int c[2], strips[2]; // strips: of CPU_STRIP
    int channels, blocks, pixels;
    double *sums; // (items, blocks, 2, channels): sums, then sums of squares
};

static struct norm_job job_of(const struct cpu_op *op)
{
    const struct ebb_operand *first = op->src[0], *second = op->src[1];
    struct norm_job job = {.op = op, .channels = op->dst->c / 2};
    if (!first)
        return job;
    job.pixels = first->h * first->w;
    job.blocks = (job.pixels + BLOCK_PIXELS - 1) / BLOCK_PIXELS;
    job.c[0] = first->c;
    job.c[1] = second ? second->c : 0;
    job.strips[0] = cpu_strips(job.c[0]);
    job.strips[1] = cpu_strips(job.c[1]);
    return job;
}

static enum ebb_result norm_prepare(const struct cpu_device *device, struct cpu_op *op,
                                    struct ebb_error *error)
{
    struct norm_job job = job_of(op);
    op->scratch = (size_t)op->dst->n * (size_t)job.blocks * 2 * (size_t)job.channels * sizeof(double) /
                  sizeof(float);
    return EBB_OK;
}

static void norm_block(void *context, int unit, int thread)
{
    const struct norm_job *job = context;
    int strips = job->strips[0] + job->strips[1], strip = unit % strips, block = unit / strips % job->blocks;
    int n = unit / strips / job->blocks, which = strip >= job->strips[0];
    int first = (which ? strip - job->strips[0] : strip) * CPU_STRIP, from = block * BLOCK_PIXELS;
    int pixels = job->pixels - from < BLOCK_PIXELS ? job->pixels - from : BLOCK_PIXELS;
    int count = job->c[which] - first < CPU_STRIP ? job->c[which] - first : CPU_STRIP;
    size_t step = (size_t)job->c[which], all = (size_t)job->channels;
    double *sums = job->sums + ((size_t)n * (size_t)job->blocks + (size_t)block) * 2 * all +
                   (which ? job->c[0] : 0) + first;
    const float *src = job->src[which] + ((size_t)n * (size_t)job->pixels + (size_t)from) * step + first;
    (job->op->bf16 ? job->run->bf16->sums : job->run->kernels->sums)(src, step, pixels, count, sums,
                                                                     sums + all);
}

// Mean and 1 / standard deviation of `size` channels from `first`.
static void group(const struct norm_job *job, int n, int first, int size, double *mean, double *rstd)
{
    double sum = 0, squares = 0, count = (double)size * job->pixels;
    for (int block = 0; block < job->blocks; block++) {
        const double *s = job->sums +
                          ((size_t)n * (size_t)job->blocks + (size_t)block) * 2 * (size_t)job->channels;
        for (int c = first; c < first + size; c++) {
            sum += s[c];
            squares += s[job->channels + c];
        }
    }
    *mean = sum / count;
    double variance = squares / count - *mean * *mean;
    *rstd = 1 / sqrt((variance > 0 ? variance : 0) + job->op->op->eps);
}

static void norm_run(const struct cpu_run *run, const struct cpu_op *op)
{
    const struct ebb_op *o = op->op;
    struct norm_job job = job_of(op);
    job.run = run;
    job.src[0] = ebb_host_operand(&run->host, o->src[0]);
    job.src[1] = ebb_host_operand(&run->host, o->src[1]);
    job.sums = (double *)run->scratch;
    if (o->groups)
        cpu_pool_run(run->pool, op->dst->n * job.blocks * (job.strips[0] + job.strips[1]), norm_block, &job);

    int channels = job.channels, size = o->groups ? channels / o->groups : channels;
    const float *film = ebb_host_operand(&run->host, o->film);
    float *out = ebb_host_operand(&run->host, o->dst);
    for (int n = 0; n < op->dst->n; n++, out += 2 * channels, film = film ? film + 2 * channels : NULL) {
        double mean = 0, rstd = 1;
        for (int c = 0; c < channels; c++) {
            if (o->groups && c % size == 0)
                group(&job, n, c, size, &mean, &rstd);
            double a = rstd * (o->gamma ? o->gamma->data[c] : 1),
                   b = (o->beta ? o->beta->data[c] : 0) - mean * a;
            out[c] = (float)(film ? a * (1.0 + film[c]) : a);
            out[channels + c] = (float)(film ? b * (1.0 + film[c]) + film[channels + c] : b);
        }
    }
}

const struct cpu_kernel cpu_norm = {.prepare = norm_prepare, .run = norm_run};
