// SPDX-License-Identifier: LGPL-2.1-or-later
// Attention with the inner loop of the convolution: keys and values of a head become panels. The scores of a
// few queries stay in the thread's scratch. Beside keys and values, which are copied once, that is QUERIES
// rows of scores a thread, however many queries there are. In bfloat16, queries, keys, values and the
// weights that softmax makes of scores are rounded; scores and softmax are float32.
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

enum {
    QUERIES = 16,               // of one unit
    MOST_QUERIES = 2 * QUERIES, // in bfloat16, see struct cpu_bf16_kernels
    PACK_ROWS = 64              // rows of a panel that are packed before they are rounded
};

struct attention_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    const float *q, *k, *v, *bias; // bias: NULL: none
    float *out, *keys, *values, *scores;
    const struct cpu_bf16_kernels *bf16; // NULL: float32
    int heads, width, queries, tokens;
    int block;                     // queries of one unit
    size_t keys_step, values_step; // floats of one (item, head)
    size_t row, thread;            // floats of a query's scores, a multiple of 16; of a thread's scratch
};

// Pairs of so many numbers, the last filled up with 0.
static size_t pairs_of(int count)
{
    return (size_t)(count + 1) / 2;
}

static struct attention_job job_of(const struct cpu_op *op, const struct cpu_bf16_kernels *bf16)
{
    struct attention_job job = {
        .op = op,
        .heads = op->op->heads,
        .width = op->dst->c / op->op->heads,
        .queries = op->dst->h * op->dst->w,
        .tokens = op->src[1]->h * op->src[1]->w,
        .bf16 = op->bf16 && bf16->attention_queries ? bf16 : NULL,
    };
    size_t width = job.bf16 ? pairs_of(job.width) : (size_t)job.width;
    size_t tokens = job.bf16 ? pairs_of(job.tokens) : (size_t)job.tokens;
    job.block = job.bf16 ? job.bf16->attention_queries : QUERIES;
    job.keys_step = cpu_panels_floats(width, job.tokens);
    job.values_step = cpu_panels_floats(tokens, job.width);
    job.row = (size_t)(job.tokens + 15) / 16 * 16;
    job.thread = (size_t)job.block * (job.row + (job.bf16 ? job.row / 2 + (width + 15) / 16 * 16 : 0));
    return job;
}

static enum ebb_result attention_prepare(const struct cpu_device *device, struct cpu_op *op,
                                         struct ebb_error *error)
{
    struct attention_job job = job_of(op, device->bf16);
    op->scratch = (size_t)op->dst->n * (size_t)job.heads * (job.keys_step + job.values_step) +
                  (size_t)cpu_pool_threads(device->pool) * job.thread;
    return EBB_OK;
}

// cpu_panels_pack(), and the panels become pairs.
static void pack_pairs(const struct attention_job *job, float *dst, const float *src, int depth, int columns,
                       size_t k_step, size_t column_step)
{
    for (int first = 0; first < columns; first += CPU_PANEL) {
        int width = cpu_panel_width(columns, first / CPU_PANEL);
        int left = columns - first < width ? columns - first : width;
        for (int k = 0; k < depth; k += PACK_ROWS) {
            int rows = depth - k < PACK_ROWS ? depth - k : PACK_ROWS;
            float panel[PACK_ROWS * CPU_PANEL];
            cpu_panels_pack(panel, src + (size_t)k * k_step + (size_t)first * column_step, (size_t)rows, left,
                            k_step, column_step);
            if (rows % 2) // PACK_ROWS is even, so that there is room
                memset(panel + rows * width, 0, (size_t)width * sizeof(*panel));
            job->bf16->groups(panel, (size_t)width, 2 * pairs_of(rows), (uint16_t *)dst);
            dst += pairs_of(rows) * (size_t)width;
        }
    }
}

static void pack_head(void *context, int unit, int thread)
{
    const struct attention_job *job = context;
    size_t channels = (size_t)job->op->dst->c;
    size_t at = (size_t)(unit / job->heads) * (size_t)job->tokens * channels +
                (size_t)(unit % job->heads * job->width);
    float *keys = job->keys + (size_t)unit * job->keys_step;
    float *values = job->values + (size_t)unit * job->values_step;
    if (job->bf16) {
        pack_pairs(job, keys, job->k + at, job->width, job->tokens, 1, channels);
        pack_pairs(job, values, job->v + at, job->tokens, job->width, channels, 1);
    } else {
        cpu_panels_pack(keys, job->k + at, (size_t)job->width, job->tokens, 1, channels);
        cpu_panels_pack(values, job->v + at, (size_t)job->tokens, job->width, channels, 1);
    }
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

// Products of `count` rows and the panels of a head. In bfloat16, the rows are rounded to `narrow` first.
static void multiply(const struct attention_job *job, const float *rows, size_t step, int count, int depth,
                     float *narrow, const float *panels, int columns, float *out, size_t out_step)
{
    size_t pairs = pairs_of(depth);
    if (!job->bf16) {
        cpu_multiply(job->run->kernels->row, rows, step, count, depth, panels, columns, out, out_step);
        return;
    }
    for (int i = 0; i < count; i++) {
        float *row = narrow + (size_t)i * pairs;
        row[pairs - 1] = 0;
        job->bf16->narrow(rows + (size_t)i * step, (size_t)depth, (uint16_t *)row);
    }
    cpu_multiply(job->bf16->row, narrow, pairs, count, (int)pairs, panels, columns, out, out_step);
}

static void attend(void *context, int unit, int thread)
{
    const struct attention_job *job = context;
    int blocks = (job->queries + job->block - 1) / job->block, head = unit / blocks,
        from = unit % blocks * job->block;
    int count = job->queries - from < job->block ? job->queries - from : job->block;
    size_t channels = (size_t)job->op->dst->c;
    size_t at = ((size_t)(head / job->heads) * (size_t)job->queries + (size_t)from) * channels +
                (size_t)(head % job->heads * job->width);
    float *scores = job->scores + (size_t)thread * job->thread;
    float *narrow = scores + (size_t)job->block * job->row; // of scores, behind those of queries
    float *weights = narrow + (size_t)job->block * ((pairs_of(job->width) + 15) / 16 * 16);
    float total[MOST_QUERIES];

    multiply(job, job->q + at, channels, count, job->width, narrow, job->keys + (size_t)head * job->keys_step,
             job->tokens, scores, job->row);
    for (int i = 0; i < count; i++)
        total[i] = weigh(job, head, from + i, scores + (size_t)i * job->row);
    multiply(job, scores, job->row, count, job->tokens, weights,
             job->values + (size_t)head * job->values_step, job->width, job->out + at, channels);
    for (int i = 0; i < count; i++)
        for (int c = 0; c < job->width; c++)
            job->out[at + (size_t)i * channels + (size_t)c] /= total[i];
}

static void attention_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct attention_job job = job_of(op, run->bf16);
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
    cpu_pool_run(run->pool, heads * ((job.queries + job.block - 1) / job.block), attend, &job);
}

const struct cpu_kernel cpu_attention = {.prepare = attention_prepare, .run = attention_run};
