// Compiled once for each instruction set; CPU_KERNELS names the table, CPU_NAME and CPU_TITLE the instruction set.
#include "backend/cpu/kernels.h"

#include <math.h>

#include "backend/cpu/vector.h"

// Arrays of vectors stay in registers only where loops over them are unrolled.
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
#define INLINE static inline __attribute__((always_inline))

// Pixels whose sums are held in registers at once: accumulators, one row of the panel and a broadcast must fit.
#if defined(__AVX512F__)
enum { PIXELS = 8 };
#elif defined(__AVX2__) || defined(__aarch64__)
enum { PIXELS = 3 };
#else
enum { PIXELS = 1 };
#endif

// Weights come from far away at first: asked for this many floats before they are needed.
enum { AHEAD = 2048 };

// With sanitizers on, gcc 12 unrolls before it knows how far, and warns of what no iteration reaches; the sanitizers themselves
// watch these bounds.
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Warray-bounds"
#endif

// ---- sums of products ----

INLINE void finish_tile(const struct cpu_row *r, const vec *sum, int first, int pixels, int vectors)
{
    for (int i = 0; i < pixels; i++) {
        size_t at = (size_t)(first + i) * r->out_step;
        for (int j = 0; j < vectors; j++) {
            int column = j * LANES, rest = r->columns - column;
            vec v = sum[i * vectors + j];
            if (r->add)
                v += load(r->add + column);
            if (rest >= LANES) {
                if (r->residual)
                    v += load(r->residual + at + column);
                store(r->out + at + column, v * splat(r->scale));
            } else if (rest > 0) {
                if (r->residual)
                    v += load_some(r->residual + at + column, rest);
                store_some(r->out + at + column, v * splat(r->scale), rest);
            }
        }
    }
}

INLINE void tile(const struct cpu_row *r, int first, const int pixels, const int vectors)
{
    vec sum[PIXELS * 32 / LANES];
    const float *b = r->panel;
    const size_t step = r->step;
    UNROLL for (int i = 0; i < pixels * vectors; i++) sum[i] = splat(0);
    for (int run = 0; run < r->runs; run++) {
        const float *a = r->a + (size_t)first * step + (size_t)run * r->run_step;
        for (int k = 0; k < r->run; k++, b += vectors * LANES) {
            UNROLL for (int j = 0; j < vectors * LANES; j += 16) __builtin_prefetch(b + AHEAD + j);
            UNROLL for (int i = 0; i < pixels; i++) {
                vec x = splat(a[(size_t)i * step + (size_t)k]);
                UNROLL for (int j = 0; j < vectors; j++) sum[i * vectors + j] += x * load(b + j * LANES);
            }
        }
    }
    vec done[PIXELS * 32 / LANES]; // a copy, so that `sum` itself needs no place in memory
    UNROLL for (int i = 0; i < pixels * vectors; i++) done[i] = sum[i];
    finish_tile(r, done, first, pixels, vectors);
}

// The last pixels of a row, fewer than PIXELS.
INLINE void tail(const struct cpu_row *r, int first, const int vectors)
{
    switch (r->pixels - first) {
#if defined(__AVX512F__)
    case 7:
        tile(r, first, 7, vectors);
        break;
    case 6:
        tile(r, first, 6, vectors);
        break;
    case 5:
        tile(r, first, 5, vectors);
        break;
    case 4:
        tile(r, first, 4, vectors);
        break;
    case 3:
        tile(r, first, 3, vectors);
        break;
#endif
    case 2:
        tile(r, first, 2, vectors);
        break;
    case 1:
        tile(r, first, 1, vectors);
        break;
    default:
        break;
    }
}

static void row_wide(const struct cpu_row *r)
{
    int first = 0;
    for (; first + PIXELS <= r->pixels; first += PIXELS)
        tile(r, first, PIXELS, 32 / LANES);
    tail(r, first, 32 / LANES);
}

static void row_narrow(const struct cpu_row *r)
{
    int first = 0;
    for (; first + PIXELS <= r->pixels; first += PIXELS)
        tile(r, first, PIXELS, 16 / LANES);
    tail(r, first, 16 / LANES);
}

static void row(const struct cpu_row *r)
{
    if (r->width == 32)
        row_wide(r);
    else
        row_narrow(r);
}

// ---- the load: affine and activation ----

static float rare(enum ebb_act act, float x)
{
    if (act == EBB_ACT_GELU)
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    return x * tanhf(x > 30 ? x : log1pf(expf(x))); // Mish
}

INLINE vec activate(enum ebb_act act, vec x)
{
    if (act == EBB_ACT_SILU)
        return x / (splat(1) + vexp(-x));
    if (act == EBB_ACT_RELU)
        return choose(x > splat(0), x, splat(0));
    if (act != EBB_ACT_NONE)
        for (int i = 0; i < LANES; i++)
            x[i] = rare(act, x[i]);
    return x;
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
            store(dst + c, activate(act, x));
        }
        if (rest) {
            vec x = load_some(src + whole, rest);
            if (l->a)
                x = x * load_some(l->a + whole, rest) + load_some(l->b + whole, rest);
            store_some(dst + whole, activate(act, x), rest);
        }
    }
}

static void load_row(const struct cpu_load *l)
{
    switch (l->act) {
    case EBB_ACT_NONE:
        load_as(l, EBB_ACT_NONE);
        break;
    case EBB_ACT_SILU:
        load_as(l, EBB_ACT_SILU);
        break;
    default:
        load_as(l, l->act);
        break;
    }
}

static void finish(float *x, size_t step, int pixels, int channels, const float *vector, const float *residual, float scale)
{
    for (int p = 0; p < pixels; p++) {
        float *y = x + (size_t)p * step;
        const float *r = residual ? residual + (size_t)p * step : NULL;
        for (int c = 0; c < channels; c++)
            y[c] = (y[c] + (vector ? vector[c] : 0) + (r ? r[c] : 0)) * scale;
    }
}

// ---- Winograd F(4x4, 3x3) and F(2x2, 3x3), matrices of Lavin and Gray 2016; n is 6 or 4 points ----

INLINE void input_side(const vec d[6], vec out[6], const int n)
{
    if (n == 6) {
        vec a = d[4] - splat(4) * d[2], b = d[3] - splat(4) * d[1], c = d[4] - d[2], e = splat(2) * (d[3] - d[1]);
        out[0] = splat(4) * d[0] - splat(5) * d[2] + d[4];
        out[1] = a + b;
        out[2] = a - b;
        out[3] = c + e;
        out[4] = c - e;
        out[5] = splat(4) * d[1] - splat(5) * d[3] + d[5];
    } else {
        out[0] = d[0] - d[2];
        out[1] = d[1] + d[2];
        out[2] = d[2] - d[1];
        out[3] = d[1] - d[3];
    }
}

INLINE void output_side(const vec m[6], vec out[4], const int n)
{
    vec a = m[1] + m[2], b = m[1] - m[2];
    if (n == 6) {
        vec c = m[3] + m[4], d = m[3] - m[4];
        out[0] = m[0] + a + c;
        out[1] = b + splat(2) * d;
        out[2] = a + splat(4) * c;
        out[3] = b + splat(8) * d + m[5];
    } else {
        out[0] = m[0] + a;
        out[1] = b - m[3];
        out[2] = out[3] = splat(0); // not stored
    }
}

INLINE void winograd_in_lanes(const float *src, size_t line, size_t step, float *dst, size_t plane, const int n, const int count)
{
    vec rows[6][6], column[6], out[6];
    UNROLL for (int j = 0; j < n; j++) {
        UNROLL for (int i = 0; i < n; i++) {
            const float *at = src + (size_t)i * line + (size_t)j * step;
            column[i] = count == LANES ? load(at) : load_some(at, count);
        }
        input_side(column, out, n);
        UNROLL for (int i = 0; i < n; i++) rows[i][j] = out[i];
    }
    UNROLL for (int i = 0; i < n; i++) {
        input_side(rows[i], out, n);
        UNROLL for (int j = 0; j < n; j++) {
            float *at = dst + (size_t)(n * i + j) * plane;
            if (count == LANES)
                store(at, out[j]);
            else
                store_some(at, out[j], count);
        }
    }
}

INLINE void winograd_in(const float *src, size_t line, int channels, float *dst, size_t plane, const int n)
{
    int c = 0;
    for (; c + LANES <= channels; c += LANES)
        winograd_in_lanes(src + c, line, (size_t)channels, dst + c, plane, n, LANES);
    if (c < channels)
        winograd_in_lanes(src + c, line, (size_t)channels, dst + c, plane, n, channels - c);
}

static void winograd4_in(const float *src, size_t line, int channels, float *dst, size_t plane)
{
    winograd_in(src, line, channels, dst, plane, 6);
}

static void winograd2_in(const float *src, size_t line, int channels, float *dst, size_t plane)
{
    winograd_in(src, line, channels, dst, plane, 4);
}

INLINE void winograd_out_lanes(const struct cpu_winograd_out *o, int first, const int n, const int count)
{
    vec rows[4][6], column[6], out[4], add = load(o->add + first);
    UNROLL for (int j = 0; j < n; j++) {
        UNROLL for (int i = 0; i < n; i++) column[i] = load(o->products + (size_t)(n * i + j) * o->plane + first);
        output_side(column, out, n);
        UNROLL for (int i = 0; i < n - 2; i++) rows[i][j] = out[i];
    }
    for (int i = 0; i < o->rows; i++) {
        output_side(rows[i], out, n);
        for (int j = 0; j < o->pixels; j++) {
            size_t at = (size_t)i * o->line + (size_t)j * o->step + (size_t)first;
            vec v = out[j] + add;
            if (o->residual)
                v += count == LANES ? load(o->residual + at) : load_some(o->residual + at, count);
            if (count == LANES)
                store(o->out + at, v * splat(o->scale));
            else
                store_some(o->out + at, v * splat(o->scale), count);
        }
    }
}

INLINE void winograd_out(const struct cpu_winograd_out *o, const int n)
{
    int c = 0;
    for (; c + LANES <= o->columns; c += LANES)
        winograd_out_lanes(o, c, n, LANES);
    if (c < o->columns)
        winograd_out_lanes(o, c, n, o->columns - c);
}

static void winograd4_out(const struct cpu_winograd_out *o)
{
    winograd_out(o, 6);
}

static void winograd2_out(const struct cpu_winograd_out *o)
{
    winograd_out(o, 4);
}

// ---- statistics, softmax ----

typedef double vecd __attribute__((vector_size(8 * LANES)));

static void sums(const float *x, size_t step, int pixels, int channels, double *sum, double *squares)
{
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        vecd s = {0}, q = {0};
        for (int p = 0; p < pixels; p++) {
            vecd v = __builtin_convertvector(load(x + (size_t)p * step + c), vecd);
            s += v;
            q += v * v;
        }
        memcpy(sum + c, &s, sizeof(s));
        memcpy(squares + c, &q, sizeof(q));
    }
    for (; c < channels; c++) {
        double s = 0, q = 0;
        for (int p = 0; p < pixels; p++) {
            double v = x[(size_t)p * step + (size_t)c];
            s += v;
            q += v * v;
        }
        sum[c] = s;
        squares[c] = q;
    }
}

// ---- gradients ----

static void products(const float *g, const float *x, size_t step, int pixels, int channels, double *sum, double *product)
{
    int c = 0;
    for (; c + LANES <= channels; c += LANES) {
        vecd s = {0}, q = {0};
        for (int p = 0; p < pixels; p++) {
            vecd v = __builtin_convertvector(load(g + (size_t)p * step + c), vecd);
            s += v;
            q += v * __builtin_convertvector(load(x + (size_t)p * step + c), vecd);
        }
        memcpy(sum + c, &s, sizeof(s));
        memcpy(product + c, &q, sizeof(q));
    }
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

static float rare_slope(enum ebb_act act, float x)
{
    if (act == EBB_ACT_GELU)
        return 0.5f * (1 + erff(x * 0.70710678f)) + x * expf(-0.5f * x * x) * 0.39894228f;
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

static float softmax(float *x, int count, float factor)
{
    float largest = x[0], total = 0;
    for (int i = 1; i < count; i++)
        largest = x[i] > largest ? x[i] : largest;
    vec sum = {0};
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec e = vexp((load(x + i) - splat(largest)) * splat(factor));
        store(x + i, e);
        sum += e;
    }
    for (int k = 0; k < LANES; k++)
        total += sum[k];
    for (; i < count; i++) {
        x[i] = vexp(splat((x[i] - largest) * factor))[0];
        total += x[i];
    }
    return total;
}

const struct cpu_kernels CPU_KERNELS = {
    .name = CPU_NAME, .title = CPU_TITLE, .row = row, .load = load_row, .finish = finish, .sums = sums,
    .winograd4_in = winograd4_in, .winograd2_in = winograd2_in,
    .winograd4_out = winograd4_out, .winograd2_out = winograd2_out, .tiles = PIXELS == 8 ? 8 : 9, .softmax = softmax,
    .products = products, .slope = slope, .combine = combine,
};
