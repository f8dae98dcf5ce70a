// SPDX-License-Identifier: LGPL-2.1-or-later
// The inner loops. This file is compiled once for each instruction set: CPU_KERNELS is the table's name,
// CPU_NAME and CPU_TITLE are the instruction set's.
#include "backend/cpu/kernels.h"

#include <math.h>

#include "backend/cpu/vector.h"

#define MULTIPLY_ADD(sum, x, w) ((sum) + (x) * (w))
#include "backend/cpu/rows.h"

// An instruction widens numbers while they are loaded; that is dear elsewhere.
#if defined(__AVX512F__) || defined(CPU_AVX2)
#define ROW_16 row_16
static void row_16(const struct cpu_row *r)
{
    if (r->number == EBB_FLOAT16)
        row_of(r, EBB_FLOAT16);
    else
        row_of(r, EBB_BFLOAT16);
}
#else
#define ROW_16 NULL
#endif

// ---- the load: affine and activation ----

// erfc(z), z >= 0, to 2e-7 of itself: the fit of Numerical Recipes (erfc_chebyshev).
INLINE vec erfc_of(vec z)
{
    static const float fit[] = {0.17087277f,  -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f,
                                -0.18628806f, 0.09678418f,  0.37409196f, 1.00002368f,  -1.26551223f};
    vec t = splat(1) / (splat(1) + splat(0.5f) * z), p = splat(fit[0]);
    for (int i = 1; i < 10; i++)
        p = p * t + splat(fit[i]);
    return t * vexp(p - z * z);
}

INLINE vec gelu(vec x)
{
    veci negative = x < splat(0);
    vec half = splat(0.5f) * x * erfc_of(choose(negative, -x, x) * splat(0.70710678f));
    return choose(negative, half, x - half);
}

INLINE vec sigmoid(vec x)
{
    return splat(1) / (splat(1) + vexp(-x));
}

// Twice the argument of the tanh in EBB_ACT_GELU_TANH: x (1 + tanh(u)) / 2 is x sigmoid(2 u).
INLINE vec gelu_argument(vec x)
{
    return splat(1.59576912f) * x * (splat(1) + splat(0.044715f) * x * x);
}

static float mish(float x)
{
    return x * tanhf(x > 30 ? x : log1pf(expf(x)));
}

INLINE vec activate(enum ebb_act act, vec x)
{
    if (act == EBB_ACT_SILU)
        return x / (splat(1) + vexp(-x));
    if (act == EBB_ACT_RELU)
        return larger(x, splat(0));
    if (act == EBB_ACT_GELU)
        return gelu(x);
    if (act == EBB_ACT_GELU_TANH)
        return x * sigmoid(gelu_argument(x));
    if (act == EBB_ACT_QUICK_GELU)
        return x * sigmoid(splat(1.702f) * x);
    if (act == EBB_ACT_TANH)
        return splat(2) * sigmoid(splat(2) * x) - splat(1);
    if (act != EBB_ACT_NONE)
        for (int i = 0; i < LANES; i++)
            x[i] = mish(x[i]);
    return x;
}

INLINE vec leaky(float slope, vec x)
{
    return choose(x > splat(0), x, x * splat(slope));
}

INLINE void load_as(const struct cpu_load *l, enum ebb_act act)
{
    const int whole = l->channels / LANES * LANES, rest = l->channels - whole;
    for (int p = 0; p < l->pixels; p++) {
        const float *src = l->src + (size_t)(p >> l->shift) * l->src_step;
        float *dst = l->dst + (size_t)p * l->dst_step;
        for (int c = 0; c < whole; c += LANES) {
            vec x = load(src + c);
            if (l->a)
                x = x * load(l->a + c) + load(l->b + c);
            store(dst + c, act == EBB_ACT_LEAKY ? leaky(l->slope, x) : activate(act, x));
        }
        if (rest) {
            vec x = load_some(src + whole, rest);
            if (l->a)
                x = x * load_some(l->a + whole, rest) + load_some(l->b + whole, rest);
            store_some(dst + whole, act == EBB_ACT_LEAKY ? leaky(l->slope, x) : activate(act, x), rest);
        }
    }
}

static void load_row(const struct cpu_load *l)
{
    switch (l->act) {
    case EBB_ACT_NONE: load_as(l, EBB_ACT_NONE); break;
    case EBB_ACT_SILU: load_as(l, EBB_ACT_SILU); break;
    case EBB_ACT_GELU: load_as(l, EBB_ACT_GELU); break;
    case EBB_ACT_LEAKY: load_as(l, EBB_ACT_LEAKY); break;
    default: load_as(l, l->act); break;
    }
}

static void gate(float *dst, const float *x, const float *gate, int count, enum ebb_act act)
{
    const int whole = count / LANES * LANES, rest = count - whole;
    for (int i = 0; i < whole; i += LANES)
        store(dst + i, load(x + i) * activate(act, load(gate + i)));
    if (rest)
        store_some(dst + whole, load_some(x + whole, rest) * activate(act, load_some(gate + whole, rest)),
                   rest);
}

static void finish(float *x, size_t step, int pixels, int channels, const float *vector,
                   const float *residual, float scale)
{
    for (int p = 0; p < pixels; p++) {
        float *y = x + (size_t)p * step;
        const float *r = residual ? residual + (size_t)p * step : NULL;
        for (int c = 0; c < channels; c++)
            y[c] = (y[c] + (vector ? vector[c] : 0) + (r ? r[c] : 0)) * scale;
    }
}

// ---- Winograd F(4x4, 3x3) and F(2x2, 3x3), matrices of Lavin and Gray 2016 ----

#define A 1.0f
#define B 2.0f

typedef float point;

INLINE void store_point(point *p, vec v, const int count)
{
    store_lanes(p, v, count);
}

#include "backend/cpu/winograd_tile.h"

// ---- Toom and Cook's F(4, 4) in one dimension, at the points 0, 1, -1, 2, -2, 1/2 and infinity ----

INLINE void toom4_in_lanes(const float *src, size_t step, float *dst, size_t plane, const int count)
{
    vec d[7], s[5], w[3], out[7];
    UNROLL
    for (int i = 0; i < 7; i++)
        d[i] = load_lanes(src + (size_t)i * step, count);
    UNROLL
    for (int i = 1; i < 5; i++)
        s[i] = d[i + 1] - splat(0.5f) * d[i];
    UNROLL
    for (int i = 0; i < 3; i++)
        w[i] = d[i + 4] - splat(5) * d[i + 2] + splat(4) * d[i];
    vec a = s[4] - splat(4) * s[2], b = s[3] - splat(4) * s[1], c = s[4] - s[2], e = s[3] - s[1];
    out[0] = w[1] - splat(0.5f) * w[0];
    out[1] = a + b;
    out[2] = a - b;
    out[3] = c + splat(2) * e;
    out[4] = c - splat(2) * e;
    out[5] = w[1];
    out[6] = w[2] - splat(0.5f) * w[1];
    UNROLL
    for (int i = 0; i < 7; i++)
        store_lanes(dst + (size_t)i * plane, out[i], count);
}

static void toom4_in(const float *src, size_t step, int channels, float *dst, size_t plane)
{
    int c = 0;
    for (; c + LANES <= channels; c += LANES)
        toom4_in_lanes(src + c, step, dst + c, plane, LANES);
    if (c < channels)
        toom4_in_lanes(src + c, step, dst + c, plane, channels - c);
}

INLINE void toom4_out_lanes(const struct cpu_winograd_out *o, int first, const int count)
{
    vec m[7], out[4], add = load(o->add + first);
    UNROLL
    for (int i = 0; i < 7; i++)
        m[i] = load(o->products + (size_t)i * o->plane + first);
    vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    out[0] = m[0] + a + c + m[5];
    out[1] = b + splat(2) * d + splat(0.5f) * m[5];
    out[2] = a + splat(4) * c + splat(0.25f) * m[5];
    out[3] = b + splat(8) * d + splat(0.125f) * m[5] + m[6];
    for (int i = 0; i < o->pixels; i++)
        store_pixel(o, (size_t)i * o->step + (size_t)first, out[i] + add, count);
}

static void toom4_out(const struct cpu_winograd_out *o)
{
    int c = 0;
    for (; c + LANES <= o->columns; c += LANES)
        toom4_out_lanes(o, c, LANES);
    if (c < o->columns)
        toom4_out_lanes(o, c, o->columns - c);
}

// ---- statistics, softmax ----

// Of so many halves at once, so that no sum waits for itself. The compiler would take a vector of `LANES`
// doubles apart, or keep it in memory.
INLINE void products_of(const float *g, const float *x, size_t step, int pixels, const int halves,
                        double *sum, double *product)
{
    vecd_half s[4], q[4];
    UNROLL
    for (int i = 0; i < halves; i++)
        s[i] = q[i] = (vecd_half){0};
    for (int p = 0; p < pixels; p++, g += step, x += step) {
        UNROLL
        for (int i = 0; i < halves; i++) {
            vecd_half v = load_wide(g + i * HALF);
            s[i] += v;
            q[i] += v * load_wide(x + i * HALF);
        }
    }
    memcpy(sum, s, (size_t)halves * sizeof(*s));
    memcpy(product, q, (size_t)halves * sizeof(*q));
}

// Per channel, the sum of g and that of g x.
INLINE void all_products(const float *g, const float *x, size_t step, int pixels, int channels, double *sum,
                         double *product)
{
    int c = 0;
    for (; c + 4 * HALF <= channels; c += 4 * HALF)
        products_of(g + c, x + c, step, pixels, 4, sum + c, product + c);
    for (; c + HALF <= channels; c += HALF)
        products_of(g + c, x + c, step, pixels, 1, sum + c, product + c);
    for (; c < channels; c++) {
        double s = 0, q = 0;
        for (int p = 0; p < pixels; p++) {
            double v = g[(size_t)p * step + (size_t)c];
            s += v;
            q += v * x[(size_t)p * step + (size_t)c];
        }
        sum[c] = s;
        product[c] = q;
    }
}

static void sums(const float *x, size_t step, int pixels, int channels, double *sum, double *squares)
{
    all_products(x, x, step, pixels, channels, sum, squares);
}

// ---- gradients ----

static void products(const float *g, const float *x, size_t step, int pixels, int channels, double *sum,
                     double *product)
{
    all_products(g, x, step, pixels, channels, sum, product);
}

static float rare_slope(enum ebb_act act, float x)
{
    if (act == EBB_ACT_GELU)
        return 0.5f * (1 + erff(x * 0.70710678f)) + x * expf(-0.5f * x * x) * 0.39894228f;
    if (act == EBB_ACT_GELU_TANH) {
        float t = tanhf(0.79788456f * (x + 0.044715f * x * x * x));
        return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456f * (1 + 0.134145f * x * x);
    }
    if (act == EBB_ACT_QUICK_GELU) {
        float s = 1 / (1 + expf(-1.702f * x));
        return s * (1 + 1.702f * x * (1 - s));
    }
    if (act == EBB_ACT_TANH)
        return 1 - tanhf(x) * tanhf(x);
    float t = tanhf(x > 30 ? x : log1pf(expf(x))); // Mish
    return t + x * (1 - t * t) / (1 + expf(-x));
}

INLINE vec slope_of(enum ebb_act act, vec x)
{
    if (act == EBB_ACT_SILU) {
        vec s = splat(1) / (splat(1) + vexp(-x));
        return s * (splat(1) + x * (splat(1) - s));
    }
    if (act == EBB_ACT_RELU)
        return choose(x > splat(0), splat(1), splat(0));
    if (act == EBB_ACT_NONE)
        return splat(1);
    for (int i = 0; i < LANES; i++)
        x[i] = rare_slope(act, x[i]);
    return x;
}

static void slope(const struct cpu_slope *s)
{
    const int whole = s->channels / LANES * LANES, rest = s->channels - whole;
    const float *g = s->g, *x = s->x;
    float *dst = s->dst;
    for (int p = 0; p < s->pixels; p++, g += s->channels, x += s->channels, dst += s->channels) {
        for (int c = 0; c < whole; c += LANES) {
            vec v = load(x + c);
            if (s->a)
                v = v * load(s->a + c) + load(s->b + c);
            store(dst + c, load(g + c) * slope_of(s->act, v));
        }
        if (rest) {
            vec v = load_some(x + whole, rest);
            if (s->a)
                v = v * load_some(s->a + whole, rest) + load_some(s->b + whole, rest);
            store_some(dst + whole, load_some(g + whole, rest) * slope_of(s->act, v), rest);
        }
    }
}

static void combine(float *dst, const float *g, const float *x, int pixels, int channels, const float *k)
{
    for (int p = 0; p < pixels; p++, dst += channels, g += channels, x = x ? x + channels : NULL)
        for (int c = 0; c < channels; c++)
            dst[c] = x ? g[c] * k[c] + x[c] * k[channels + c] + k[2 * channels + c] : g[c] * k[c];
}

static float largest_of(const float *x, int count)
{
    float largest = x[0];
    int i = 0;
    if (count >= LANES) {
        vec most = load(x);
        for (i = LANES; i + LANES <= count; i += LANES)
            most = larger(load(x + i), most);
        for (int k = 0; k < LANES; k++)
            largest = most[k] > largest ? most[k] : largest;
    }
    for (; i < count; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

static float softmax(float *x, int count, float factor)
{
    const float largest = largest_of(x, count), power = factor * 1.44269504f; // e^x = 2^(x / ln 2)
    float total = 0;
    vec sum = {0};
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec e = vexp2((load(x + i) - splat(largest)) * splat(power));
        store(x + i, e);
        sum += e;
    }
    for (int k = 0; k < LANES; k++)
        total += sum[k];
    for (; i < count; i++) {
        x[i] = vexp2(splat((x[i] - largest) * power))[0];
        total += x[i];
    }
    return total;
}

extern const struct cpu_weight_kernels CPU_WEIGHT_KERNELS;

const struct cpu_kernels CPU_KERNELS = {
    .name = CPU_NAME,
    .title = CPU_TITLE,
    .weights = &CPU_WEIGHT_KERNELS,
    .row = row,
    .row_16 = ROW_16,
    .load = load_row,
    .gate = gate,
    .finish = finish,
    .sums = sums,
    .winograd4_in = winograd4_in,
    .winograd2_in = winograd2_in,
    .winograd4_out = winograd4_out,
    .winograd2_out = winograd2_out,
    .toom4_in = toom4_in,
    .toom4_out = toom4_out,
    .tiles = PIXELS >= 6 ? PIXELS : 9,
    .softmax = softmax,
    .products = products,
    .slope = slope,
    .combine = combine,
};
