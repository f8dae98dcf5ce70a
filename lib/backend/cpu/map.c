#include "backend/cpu/cpu.h"

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
    const struct ebb_tensor *dst = job->op->dst;
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
        .dst = ebb_host_tensor(&run->host, op->op->dst),
        .vector = ebb_host_tensor(&run->host, op->op->vector),
        .residual = ebb_host_tensor(&run->host, op->op->residual),
    };
    cpu_pool_run(run->pool, op->dst->n * op->dst->h, map_row, &job);
}

const struct cpu_kernel cpu_map = {.run = map_run};

struct pool_job {
    const struct ebb_tensor *dst, *src;
    float *out;
    const float *in;
};

static void pool_row(void *context, int unit, int thread)
{
    const struct pool_job *job = context;
    const struct ebb_tensor *dst = job->dst, *src = job->src;
    size_t channels = (size_t)dst->c, line = (size_t)src->w * channels;
    const float *top = job->in + ((size_t)(unit / dst->h) * (size_t)src->h + (size_t)(unit % dst->h) * 2) * line;
    float *out = job->out + (size_t)unit * (size_t)dst->w * channels;
    for (int x = 0; x < dst->w; x++, top += 2 * channels, out += channels)
        for (size_t c = 0; c < channels; c++)
            out[c] = 0.25f * (top[c] + top[channels + c] + top[line + c] + top[line + channels + c]);
}

static void pool_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct pool_job job = {op->dst, op->src[0], ebb_host_tensor(&run->host, op->op->dst),
                           ebb_host_tensor(&run->host, op->op->src[0])};
    cpu_pool_run(run->pool, op->dst->n * op->dst->h, pool_row, &job);
}

const struct cpu_kernel cpu_pool_op = {.run = pool_run};
