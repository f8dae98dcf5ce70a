#include <math.h>

#include "backend/ref/ref.h"

static double activate(enum ebb_act act, double x)
{
    switch (act) {
    case EBB_ACT_SILU:
        return x / (1 + exp(-x));
    case EBB_ACT_GELU:
        return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    case EBB_ACT_RELU:
        return x > 0 ? x : 0;
    case EBB_ACT_MISH:
        return x * tanh(x > 30 ? x : log1p(exp(x)));
    default:
        return x;
    }
}

struct ref_load ref_load_of(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_tensor *tensors = run->program->tensors, *first = &tensors[op->src[0]];
    int twice = op->upsample ? 2 : 1;
    return (struct ref_load){
        .src = {ebb_host_tensor(run, op->src[0]), ebb_host_tensor(run, op->src[1])},
        .affine = ebb_host_tensor(run, op->affine),
        .c = {first->c, op->src[1] < 0 ? 0 : tensors[op->src[1]].c},
        .h = first->h * twice,
        .w = first->w * twice,
        .op = op,
    };
}

double ref_load_at(const struct ref_load *load, int n, int y, int x, int c)
{
    if (y < 0 || x < 0 || y >= load->h || x >= load->w)
        return 0;
    int shift = load->op->upsample, total = load->c[0] + load->c[1];
    int which = c >= load->c[0], own = which ? c - load->c[0] : c;
    size_t pixel = ((size_t)n * (size_t)(load->h >> shift) + (size_t)(y >> shift)) * (size_t)(load->w >> shift) +
                   (size_t)(x >> shift);
    double value = load->src[which][pixel * (size_t)load->c[which] + (size_t)own];
    if (load->affine) {
        const float *a = load->affine + (size_t)n * 2 * (size_t)total;
        value = value * a[c] + a[total + c];
    }
    return activate(load->op->act, value);
}

// (sum + vector + residual) * scale, at element `c` of pixel `pixel` of dst.
static void store(const struct ebb_host_run *run, const struct ebb_op *op, int n, size_t pixel, int c, double sum)
{
    size_t channels = (size_t)run->program->tensors[op->dst].c, index = pixel * channels + (size_t)c;
    const float *vector = ebb_host_tensor(run, op->vector), *residual = ebb_host_tensor(run, op->residual);
    sum += vector ? vector[(size_t)n * channels + (size_t)c] : 0;
    sum += residual ? residual[index] : 0;
    ebb_host_tensor(run, op->dst)[index] = (float)(sum * op->scale);
}

// Weight of output channel `c` applied around the top left corner (y0, x0).
static double convolve(const struct ref_load *load, const struct ebb_weight *weight, int n, int y0, int x0, int c)
{
    const float *w = weight->data + (size_t)c * (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
    double sum = 0;
    for (int i = 0; i < weight->kh; i++)
        for (int j = 0; j < weight->kw; j++)
            for (int k = 0; k < weight->cin; k++)
                sum += *w++ * ref_load_at(load, n, y0 + i, x0 + j, k);
    return sum;
}

void ref_conv(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_tensor *dst = &run->program->tensors[op->dst];
    struct ref_load load = ref_load_of(run, op);
    size_t pixel = 0;
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++, pixel++)
                for (int c = 0; c < dst->c; c++) {
                    double sum = convolve(&load, op->weight, n, y * op->stride - op->pad, x * op->stride - op->pad, c);
                    store(run, op, n, pixel, c, sum + (op->bias ? op->bias->data[c] : 0));
                }
}

void ref_map(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_tensor *dst = &run->program->tensors[op->dst];
    struct ref_load load = ref_load_of(run, op);
    size_t pixel = 0;
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++, pixel++)
                for (int c = 0; c < dst->c; c++)
                    store(run, op, n, pixel, c, ref_load_at(&load, n, y, x, c));
}

// Mean and 1 / standard deviation of channels [first, first + count) of item n.
static void statistics(const struct ref_load *load, int n, int first, int count, double eps, double *mean, double *rstd)
{
    double total = (double)count * load->h * load->w, sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int y = 0; y < load->h; y++)
            for (int x = 0; x < load->w; x++)
                for (int c = first; c < first + count; c++) {
                    double v = ref_load_at(load, n, y, x, c);
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
    const struct ebb_tensor *dst = &run->program->tensors[op->dst];
    struct ref_load load = op->groups ? ref_load_of(run, op) : (struct ref_load){.op = op};
    int channels = dst->c / 2, size = op->groups ? channels / op->groups : channels;
    const float *film = ebb_host_tensor(run, op->film);
    float *out = ebb_host_tensor(run, op->dst);

    for (int n = 0; n < dst->n; n++, out += 2 * channels) {
        double mean = 0, rstd = 1;
        for (int c = 0; c < channels; c++) {
            if (op->groups && c % size == 0)
                statistics(&load, n, c, size, op->eps, &mean, &rstd);
            double a = rstd * (op->gamma ? op->gamma->data[c] : 1), b = (op->beta ? op->beta->data[c] : 0) - mean * a;
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
    const struct ebb_tensor *dst = &run->program->tensors[op->dst];
    struct ref_load load = ref_load_of(run, op);
    float *out = ebb_host_tensor(run, op->dst);
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++)
                for (int c = 0; c < dst->c; c++)
                    *out++ = (float)(0.25 * (ref_load_at(&load, n, 2 * y, 2 * x, c) + ref_load_at(&load, n, 2 * y, 2 * x + 1, c) +
                                             ref_load_at(&load, n, 2 * y + 1, 2 * x, c) +
                                             ref_load_at(&load, n, 2 * y + 1, 2 * x + 1, c)));
}

double ref_dot(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

// One query against all keys of one head; the output 64 channels at a time, so that sums fit on the stack.
static void attend(const float *q, const float *k, const float *v, size_t tokens, size_t stride, int width, float *out)
{
    double largest = -INFINITY, factor = 1 / sqrt(width);
    for (size_t t = 0; t < tokens; t++)
        largest = fmax(largest, factor * ref_dot(q, k + t * stride, width));

    for (int first = 0; first < width; first += 64) {
        int count = width - first < 64 ? width - first : 64;
        double total = 0, sum[64] = {0};
        for (size_t t = 0; t < tokens; t++) {
            double p = exp(factor * ref_dot(q, k + t * stride, width) - largest);
            total += p;
            for (int i = 0; i < count; i++)
                sum[i] += p * v[t * stride + (size_t)(first + i)];
        }
        for (int i = 0; i < count; i++)
            out[first + i] = (float)(sum[i] / total);
    }
}

void ref_attention(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_tensor *dst = &run->program->tensors[op->dst], *keys = &run->program->tensors[op->src[1]];
    const float *q = ebb_host_tensor(run, op->src[0]), *k = ebb_host_tensor(run, op->src[1]);
    const float *v = ebb_host_tensor(run, op->src[2]);
    float *out = ebb_host_tensor(run, op->dst);
    size_t queries = (size_t)dst->h * (size_t)dst->w, tokens = (size_t)keys->h * (size_t)keys->w;
    size_t c = (size_t)dst->c;
    int width = dst->c / op->heads;

    for (int n = 0; n < dst->n; n++, k += tokens * c, v += tokens * c)
        for (size_t t = 0; t < queries; t++, q += c, out += c)
            for (int h = 0; h < op->heads; h++) {
                size_t at = (size_t)h * (size_t)width;
                attend(q + at, k + at, v + at, tokens, c, width, out + at);
            }
}
