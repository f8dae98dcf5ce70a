// SPDX-License-Identifier: LGPL-2.1-or-later
// The ops of gradients.
#include <math.h>

#include "backend/ref/ref.h"

static double slope(enum ebb_act act, double x)
{
    double s = 1 / (1 + exp(-x));
    switch (act) {
    case EBB_ACT_SILU: return s * (1 + x * (1 - s));
    case EBB_ACT_GELU:
        return 0.5 * (1 + erf(x * 0.70710678118654752440)) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
    case EBB_ACT_RELU: return x > 0;
    case EBB_ACT_MISH: {
        double t = tanh(x > 30 ? x : log1p(exp(x)));
        return t + x * (1 - t * t) * s;
    }
    case EBB_ACT_GELU_TANH: {
        double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x), t = tanh(u);
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.79788456080286535588 * (1 + 3 * 0.044715 * x * x);
    }
    case EBB_ACT_QUICK_GELU: {
        double q = 1 / (1 + exp(-1.702 * x));
        return q * (1 + 1.702 * x * (1 - q));
    }
    case EBB_ACT_TANH: return 1 - tanh(x) * tanh(x);
    default: return 1;
    }
}

void ref_spread(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *src = &run->program->operands[op->src[0]],
                             *dst = &run->program->operands[op->dst];
    const float *from = ebb_host_operand(run, op->src[0]);
    float *out = ebb_host_operand(run, op->dst);
    for (int n = 0; n < dst->n; n++)
        for (int y = 0; y < dst->h; y++)
            for (int x = 0; x < dst->w; x++) {
                int sy = y / op->stride, sx = x / op->stride;
                bool here = op->spot == EBB_SPOT_ALL ||
                            (y % op->stride == op->spot && x % op->stride == op->spot);
                here = here && sy < src->h && sx < src->w;
                size_t pixel = ((size_t)n * (size_t)src->h + (size_t)sy) * (size_t)src->w + (size_t)sx;
                for (int c = 0; c < dst->c; c++)
                    *out++ = here ? op->scale * from[pixel * (size_t)src->c + (size_t)(op->first + c)] : 0;
            }
}

void ref_act_grad(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    const float *g = ebb_host_operand(run, op->src[0]), *x = ebb_host_operand(run, op->src[1]);
    const float *affine = ebb_host_operand(run, op->affine);
    float *out = ebb_host_operand(run, op->dst);
    size_t pixels = (size_t)dst->h * (size_t)dst->w, channels = (size_t)dst->c;
    for (int n = 0; n < dst->n; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < channels; c++) {
                const float *a = affine ? affine + (size_t)n * 2 * channels : NULL;
                double value = a ? (double)*x++ * a[c] + a[channels + c] : *x++;
                *out++ = (float)(*g++ * slope(op->act, value));
            }
}

// With g the gradient of the normalized values u (gamma and film taken in): (g - mean g - u mean(g u)) /
// deviation.
struct group {
    double mean, rstd, g, gu;
};

static double gain(const struct ebb_op *op, const float *film, int c)
{
    return (op->gamma ? op->gamma->data[c] : 1.0) * (film ? 1.0 + film[c] : 1.0);
}

static struct group measure(const struct ebb_op *op, const float *g, const float *x, const float *film,
                            size_t pixels, size_t channels, int first, int count)
{
    struct group m = {0};
    double total = (double)pixels * count;
    for (int pass = 0; pass < 3; pass++) {
        double sum = 0, other = 0;
        for (size_t p = 0; p < pixels; p++)
            for (int c = first; c < first + count; c++) {
                double v = x[p * channels + (size_t)c] - m.mean,
                       d = g[p * channels + (size_t)c] * gain(op, film, c);
                sum += pass == 0 ? v : pass == 1 ? v * v : d;
                other += d * v * m.rstd;
            }
        if (pass == 0)
            m.mean = sum / total;
        else if (pass == 1)
            m.rstd = 1 / sqrt(sum / total + op->eps);
        m.g = sum / total;
        m.gu = other / total;
    }
    return m;
}

void ref_norm_grad(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    const float *g = ebb_host_operand(run, op->src[0]), *x = ebb_host_operand(run, op->src[1]);
    const float *film = ebb_host_operand(run, op->film);
    float *out = ebb_host_operand(run, op->dst);
    size_t pixels = (size_t)dst->h * (size_t)dst->w, channels = (size_t)dst->c, image = pixels * channels;
    int size = op->groups ? dst->c / op->groups : dst->c;

    for (int n = 0; n < dst->n;
         n++, g += image, x = x ? x + image : NULL, out += image, film = film ? film + 2 * channels : NULL)
        for (int first = 0; first < dst->c; first += size) {
            struct group m = {.rstd = 1};
            if (op->groups)
                m = measure(op, g, x, film, pixels, channels, first, size);
            for (size_t p = 0; p < pixels; p++)
                for (int c = first; c < first + size; c++) {
                    size_t i = p * channels + (size_t)c;
                    double u = op->groups ? (x[i] - m.mean) * m.rstd : 0;
                    out[i] = (float)(m.rstd * (g[i] * gain(op, film, c) - m.g - u * m.gu));
                }
        }
}

// ---- attention: P = softmax(s q k^T), o = P v ----

struct attention_head {
    const float *q, *k, *v, *g; // of the first token
    float *dq, *dk, *dv;        // zeroed; `dst_step` floats from token to token
    size_t tokens, step, dst_step;
    int width;
    double factor;
};

// log of the sum over keys of exp(score): a probability is exp(score - that).
static double log_total(const struct attention_head *h, size_t t)
{
    double largest = -INFINITY, total = 0;
    for (size_t j = 0; j < h->tokens; j++) {
        double score = h->factor * ref_dot(h->q + t * h->step, h->k + j * h->step, h->width);
        largest = score > largest ? score : largest;
    }
    for (size_t j = 0; j < h->tokens; j++)
        total += exp(h->factor * ref_dot(h->q + t * h->step, h->k + j * h->step, h->width) - largest);
    return largest + log(total);
}

// What query t adds to the three gradients: dS = P (g v^T - sum_j P g v_j^T) s, then dq += dS k, dk += dS q,
// dv += P g.
static void add_query(const struct attention_head *h, size_t t)
{
    const float *q = h->q + t * h->step, *g = h->g + t * h->step;
    double log_sum = log_total(h, t), mean = 0;
    for (size_t j = 0; j < h->tokens; j++)
        mean += exp(h->factor * ref_dot(q, h->k + j * h->step, h->width) - log_sum) *
                ref_dot(g, h->v + j * h->step, h->width);
    for (size_t j = 0; j < h->tokens; j++) {
        const float *k = h->k + j * h->step;
        double p = exp(h->factor * ref_dot(q, k, h->width) - log_sum);
        double ds = p * (ref_dot(g, h->v + j * h->step, h->width) - mean) * h->factor;
        for (int i = 0; i < h->width; i++) {
            h->dq[t * h->dst_step + (size_t)i] += (float)(ds * k[i]);
            h->dk[j * h->dst_step + (size_t)i] += (float)(ds * q[i]);
            h->dv[j * h->dst_step + (size_t)i] += (float)(p * g[i]);
        }
    }
}

void ref_attention_grad(const struct ebb_host_run *run, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &run->program->operands[op->dst];
    const float *src[EBB_OP_SOURCES];
    for (int i = 0; i < EBB_OP_SOURCES; i++)
        src[i] = ebb_host_operand(run, op->src[i]);
    float *out = ebb_host_operand(run, op->dst);
    size_t tokens = (size_t)dst->h * (size_t)dst->w, c = (size_t)dst->c / 3;
    int width = (int)c / op->heads;
    for (size_t i = 0; i < (size_t)dst->n * tokens * 3 * c; i++)
        out[i] = 0;

    for (int i = 0; i < dst->n * op->heads; i++) {
        size_t n = (size_t)(i / op->heads), at = (size_t)(i % op->heads * width), from = n * tokens * c + at;
        float *to = out + n * tokens * 3 * c + at;
        struct attention_head h = {
            src[0] + from, src[1] + from, src[2] + from,  src[3] + from, to, to + c, to + 2 * c, tokens, c,
            3 * c,         width,         1 / sqrt(width)};
        for (size_t t = 0; t < tokens; t++)
            add_query(&h, t);
    }
}
