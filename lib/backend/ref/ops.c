// SPDX-License-Identifier: LGPL-2.1-or-later
#include <math.h>
#include <string.h>

#include "backend/ref/ref.h"

static double activate(const struct ebb_op *op, double x)
{
    switch (op->act) {
    case EBB_ACT_SILU: return x / (1 + exp(-x));
    case EBB_ACT_GELU: return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    case EBB_ACT_RELU: return x > 0 ? x : 0;
    case EBB_ACT_MISH: return x * tanh(x > 30 ? x : log1p(exp(x)));
    case EBB_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case EBB_ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case EBB_ACT_LEAKY: return x > 0 ? x : x * op->slope;
    case EBB_ACT_TANH: return tanh(x);
    default: return x;
    }
}

// Element (n, y, x, c) as op.h's "load" defines it; y and x may lie outside.
struct ref_load {
    const float *src[2], *affine;
    int c[2], h, w; // h, w after upsampling
    const struct ebb_op *op;
};

static struct ref_load load_of(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *operands = run->program->operands, *first = &operands[op->src[0]];
    int twice = op->upsample ? 2 : 1;
    return (struct ref_load){
        .src = {ebb_host_operand(run, op->src[0]), ebb_host_operand(run, op->src[1])},
        .affine = ebb_host_operand(run, op->affine),
        .c = {first->c, op->src[1] < 0 ? 0 : operands[op->src[1]].c},
        .h = first->h * twice,
        .w = first->w * twice,
        .op = op,
    };
}

static double load_at(const struct ref_load *load, int n, int y, int x, int c)
{
    if (y < 0 || x < 0 || y >= load->h || x >= load->w)
        return 0;
    int shift = load->op->upsample, total = load->c[0] + load->c[1];
    int which = c >= load->c[0], own = which ? c - load->c[0] : c;
    size_t pixel = ((size_t)n * (size_t)(load->h >> shift) + (size_t)(y >> shift)) *
                       (size_t)(load->w >> shift) +
                   (size_t)(x >> shift);
    double value = load->src[which][pixel * (size_t)load->c[which] + (size_t)own];
    if (load->affine) {
        const float *a = load->affine + (size_t)n * 2 * (size_t)total;
        value = value * a[c] + a[total + c];
    }
    return activate(load->op, value);
}

// (sum + vector + residual) * scale, at element `c` of pixel `pixel` of dst.
static void store(const struct ebb_host_run *run, const struct ebb_op *op, int n, size_t pixel, int c,
                  double sum)
{
    size_t channels = (size_t)run->program->operands[op->dst].c, index = pixel * channels + (size_t)c;
    const float *vector = ebb_host_operand(run, op->vector), *residual = ebb_host_operand(run, op->residual);
    sum += vector ? vector[(size_t)n * channels + (size_t)c] : 0;
    sum += residual ? residual[index] : 0;
    ebb_host_operand(run, op->dst)[index] = (float)(sum * op->scale);
}

enum { SUMS = 64 }; // that fit on the stack

// The weights of `count` output channels from `first` on, applied around the top left corner (y0, x0).
static void convolve(const struct ref_load *load, const struct ebb_weight *weight, const float *numbers,
                     int n, int y0, int x0, int first, int count, double *sum)
{
    size_t taps = (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
    const float *w = numbers + (size_t)first * taps;
    for (int i = 0; i < weight->kh; i++)
        for (int j = 0; j < weight->kw; j++)
            for (int k = 0; k < weight->cin; k++, w++) {
                double x = load_at(load, n, y0 + i, x0 + j, k);
                for (int c = 0; c < count; c++)
                    sum[c] += w[(size_t)c * taps] * x;
            }
}

void ref_conv(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    struct ref_load load = load_of(run, op);
    const float *numbers = ebb_weight_plain(op->weight); // made by ref_prepare(): it is there
    size_t pixel = 0;
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++, pixel++)
                for (int first = 0; first < dst->c; first += SUMS) {
                    int count = dst->c - first < SUMS ? dst->c - first : SUMS;
                    double sum[SUMS] = {0};
                    convolve(&load, op->weight, numbers, n, y * op->stride - op->pad,
                             x * op->stride - op->pad, first, count, sum);
                    for (int c = first; c < first + count; c++)
                        store(run, op, n, pixel, c, sum[c - first] + (op->bias ? op->bias->data[c] : 0));
                }
}

// Tap by tap: i = x - pad + k dilation.
static double convolve_1d(const struct ref_load *load, const struct ebb_op *op, const float *numbers, int n,
                          int y, int x, int c)
{
    const struct ebb_weight *weight = op->weight;
    const float *w = numbers + (size_t)c * (size_t)weight->kw * (size_t)weight->cin;
    double sum = 0;
    for (int k = 0; k < weight->kw; k++)
        for (int i = 0; i < weight->cin; i++)
            sum += *w++ * load_at(load, n, y, x - op->pad + k * op->dilation, i);
    return sum;
}

// Tap by tap: x = i stride - pad + k.
static double convolve_1d_up(const struct ref_load *load, const struct ebb_op *op, const float *numbers,
                             int n, int y, int x, int c)
{
    const struct ebb_weight *weight = op->weight;
    const float *w = numbers + (size_t)c * (size_t)weight->kw * (size_t)weight->cin;
    double sum = 0;
    for (int k = 0; k < weight->kw; k++, w += weight->cin)
        for (int i = 0, from = x + op->pad - k; from >= 0 && from % op->stride == 0 && i < weight->cin; i++)
            sum += w[i] * load_at(load, n, y, from / op->stride, i);
    return sum;
}

static void conv_1d(const struct ebb_host_run *run, const struct ebb_op *op,
                    double (*convolution)(const struct ref_load *load, const struct ebb_op *op,
                                          const float *numbers, int n, int y, int x, int c))
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    struct ref_load load = load_of(run, op);
    const float *numbers = ebb_weight_plain(op->weight);
    size_t pixel = 0;
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++, pixel++)
                for (int c = 0; c < dst->c; c++)
                    store(run, op, n, pixel, c,
                          convolution(&load, op, numbers, n, y, x, c) + (op->bias ? op->bias->data[c] : 0));
}

void ref_conv_1d(const struct ebb_host_run *run, const struct ebb_op *op)
{
    conv_1d(run, op, convolve_1d);
}

void ref_conv_1d_up(const struct ebb_host_run *run, const struct ebb_op *op)
{
    conv_1d(run, op, convolve_1d_up);
}

void ref_map(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    struct ref_load load = load_of(run, op);
    size_t pixel = 0;
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++, pixel++)
                for (int c = 0; c < dst->c; c++)
                    store(run, op, n, pixel, c, load_at(&load, n, y, x, c));
}

// Mean and 1 / standard deviation of channels [first, first + count) of item n.
static void statistics(const struct ref_load *load, int n, int first, int count, double eps, double *mean,
                       double *rstd)
{
    double total = (double)count * load->h * load->w, sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int y = 0; y < load->h; y++)
            for (int x = 0; x < load->w; x++)
                for (int c = first; c < first + count; c++) {
                    double v = load_at(load, n, y, x, c);
                    if (pass == 0)
                        sum += v;
                    else
                        squares += (v - sum / total) * (v - sum / total);
                }
    *mean = sum / total;
    *rstd = 1 / sqrt(squares / total + eps);
}

void ref_norm(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    struct ref_load load = op->groups ? load_of(run, op) : (struct ref_load){.op = op};
    int channels = dst->c / 2, size = op->groups ? channels / op->groups : channels;
    const float *film = ebb_host_operand(run, op->film);
    float *out = ebb_host_operand(run, op->dst);

    for (int n = 0; n < dst->n; n++, out += 2 * channels) {
        double mean = 0, rstd = 1;
        for (int c = 0; c < channels; c++) {
            if (op->groups && c % size == 0)
                statistics(&load, n, c, size, op->eps, &mean, &rstd);
            double a = rstd * (op->gamma ? op->gamma->data[c] : 1),
                   b = (op->beta ? op->beta->data[c] : 0) - mean * a;
            if (film) {
                const float *v = film + (size_t)n * 2 * (size_t)channels;
                a *= 1.0 + v[c];
                b = b * (1.0 + v[c]) + v[channels + c];
            }
            out[c] = (float)a;
            out[channels + c] = (float)b;
        }
    }
}

void ref_pool(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    struct ref_load load = load_of(run, op);
    float *out = ebb_host_operand(run, op->dst);
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++)
                for (int c = 0; c < dst->c; c++)
                    *out++ = (float)(0.25 * (load_at(&load, n, 2 * y, 2 * x, c) +
                                             load_at(&load, n, 2 * y, 2 * x + 1, c) +
                                             load_at(&load, n, 2 * y + 1, 2 * x, c) +
                                             load_at(&load, n, 2 * y + 1, 2 * x + 1, c)));
}

double ref_dot(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

// One query and the keys that it sees.
struct query {
    const float *q, *k, *v, *bias; // bias: NULL or one number a key
    size_t tokens, stride;
    int width;
    double scale;
};

static double score(const struct query *query, size_t token)
{
    double dot = ref_dot(query->q, query->k + token * query->stride, query->width);
    return query->scale * dot + (query->bias ? fmax(query->bias[token], -1e30) : 0);
}

// The output SUMS channels at a time.
static void attend(const struct query *query, float *out)
{
    double largest = -INFINITY;
    for (size_t t = 0; t < query->tokens; t++)
        largest = fmax(largest, score(query, t));

    for (int first = 0; first < query->width; first += SUMS) {
        int count = query->width - first < SUMS ? query->width - first : SUMS;
        double total = 0, sum[SUMS] = {0};
        for (size_t t = 0; t < query->tokens; t++) {
            double p = exp(score(query, t) - largest);
            total += p;
            for (int i = 0; i < count; i++)
                sum[i] += p * query->v[t * query->stride + (size_t)(first + i)];
        }
        for (int i = 0; i < count; i++)
            out[first + i] = (float)(sum[i] / total);
    }
}

// The bias of query t of item n and head h; NULL: none.
static const float *bias_of(const struct ebb_host_run *run, const struct ebb_op *op, int n, int h, size_t t)
{
    const struct ebb_operand *bias = op->src[3] < 0 ? NULL : &run->program->operands[op->src[3]];
    if (!bias)
        return NULL;
    size_t row = (size_t)(bias->n == 1 ? 0 : n);
    row = row * (size_t)bias->h + (size_t)(bias->h == 1 ? 0 : h);
    row = row * (size_t)bias->w + (bias->w == 1 ? 0 : t);
    return (const float *)ebb_host_operand(run, op->src[3]) + row * (size_t)bias->c;
}

void ref_attention(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst],
                             *keys = &run->program->operands[op->src[1]];
    const float *q = ebb_host_operand(run, op->src[0]), *k = ebb_host_operand(run, op->src[1]);
    const float *v = ebb_host_operand(run, op->src[2]);
    float *out = ebb_host_operand(run, op->dst);
    size_t queries = (size_t)dst->h * (size_t)dst->w, tokens = (size_t)keys->h * (size_t)keys->w;
    size_t c = (size_t)dst->c;
    int width = dst->c / op->heads;

    for (int n = 0; n < dst->n; n++, k += tokens * c, v += tokens * c)
        for (size_t t = 0; t < queries; t++, q += c, out += c)
            for (int h = 0; h < op->heads; h++) {
                size_t at = (size_t)h * (size_t)width;
                attend(
                    &(struct query){
                        .q = q + at,
                        .k = k + at,
                        .v = v + at,
                        .bias = bias_of(run, op, n, h, t),
                        .tokens = op->causal ? t + 1 + tokens - queries : tokens,
                        .stride = c,
                        .width = width,
                        .scale = op->scale > 0 ? op->scale : 1 / sqrt(width),
                    },
                    out + at);
            }
}

void ref_mean(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *src = &run->program->operands[op->src[0]];
    const float *x = ebb_host_operand(run, op->src[0]);
    float *out = ebb_host_operand(run, op->dst);
    size_t pixels = (size_t)src->h * (size_t)src->w, c = (size_t)src->c;
    for (int n = 0; n < src->n; n++, x += pixels * c, out += c)
        for (size_t i = 0; i < c; i++) {
            double sum = 0;
            for (size_t p = 0; p < pixels; p++)
                sum += x[p * c + i];
            out[i] = (float)(sum / (double)pixels);
        }
}

void ref_softmax(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *src = &run->program->operands[op->src[0]];
    const float *x = ebb_host_operand(run, op->src[0]);
    float *out = ebb_host_operand(run, op->dst);
    size_t pixels = (size_t)src->n * (size_t)src->h * (size_t)src->w, c = (size_t)src->c;
    for (size_t p = 0; p < pixels; p++, x += c, out += c) {
        double largest = -INFINITY, total = 0;
        for (size_t i = 0; i < c; i++)
            largest = x[i] > largest ? x[i] : largest;
        for (size_t i = 0; i < c; i++)
            total += exp(x[i] - largest);
        for (size_t i = 0; i < c; i++)
            out[i] = (float)(exp(x[i] - largest) / total);
    }
}

void ref_layer_norm(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *src = &run->program->operands[op->src[0]];
    const float *x = ebb_host_operand(run, op->src[0]);
    float *out = ebb_host_operand(run, op->dst);
    size_t pixels = (size_t)src->n * (size_t)src->h * (size_t)src->w, c = (size_t)src->c;
    for (size_t p = 0; p < pixels; p++, x += c, out += c) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < c && !op->rms; i++)
            mean += x[i] / (double)c;
        for (size_t i = 0; i < c; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)c;
        for (size_t i = 0; i < c; i++)
            out[i] = (float)((x[i] - mean) / sqrt(variance + op->eps) * (op->gamma ? op->gamma->data[i] : 1) +
                             (op->beta ? op->beta->data[i] : 0));
    }
}

void ref_gate(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    const float *x = ebb_host_operand(run, op->src[0]), *gate = ebb_host_operand(run, op->src[1]);
    float *out = ebb_host_operand(run, op->dst);
    size_t pixels = (size_t)dst->n * (size_t)dst->h * (size_t)dst->w, c = (size_t)dst->c;
    size_t step = gate ? c : 2 * c;
    gate = gate ? gate : x + c;
    for (size_t p = 0; p < pixels; p++, x += step, gate += step, out += c)
        for (size_t i = 0; i < c; i++)
            out[i] = (float)(x[i] * activate(op, gate[i]));
}

void ref_join(const struct ebb_host_run *run, const struct ebb_op *op)
{
    float *out = ebb_host_operand(run, op->dst);
    for (int n = 0; n < run->program->operands[op->dst].n; n++)
        for (int i = 0; i < 2; i++) {
            const struct ebb_operand *src = &run->program->operands[op->src[i]];
            size_t count = (size_t)src->h * (size_t)src->w * (size_t)src->c;
            memcpy(out, (const float *)ebb_host_operand(run, op->src[i]) + (size_t)n * count,
                   count * sizeof(*out));
            out += count;
        }
}

void ref_turn(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    const float *src = ebb_host_operand(run, op->src[0]);
    float *out = ebb_host_operand(run, op->dst);
    size_t h = (size_t)dst->h, w = (size_t)dst->w, c = (size_t)dst->c;
    for (int n = 0; n < dst->n; n++, src += h * w * c)
        for (size_t y = 0; y < h; y++)
            for (size_t x = 0; x < w; x++, out += c)
                memcpy(out, src + (x * h + y) * c, c * sizeof(*out));
}
