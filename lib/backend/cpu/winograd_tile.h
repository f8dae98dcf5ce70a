// SPDX-License-Identifier: LGPL-2.1-or-later
// A tile of Winograd's F(4x4, 3x3) or F(2x2, 3x3), for the kernels in float32 and in bfloat16: pixels become
// points, and products at the points become pixels. n is 6 or 4: points along a side. Those of F(4x4, 3x3)
// are 0, +-A, +-B and infinity.
//
// Included once, where these stand: A and B; `point`, the type in which points are kept; store_point().
#ifndef EBB_BACKEND_CPU_WINOGRAD_TILE_H
#define EBB_BACKEND_CPU_WINOGRAD_TILE_H

INLINE void input_side(const vec d[6], vec out[6], const int n)
{
    if (n == 6) {
        vec a = d[4] - splat(B * B) * d[2], b = splat(A) * (d[3] - splat(B * B) * d[1]);
        vec c = d[4] - splat(A * A) * d[2], e = splat(B) * (d[3] - splat(A * A) * d[1]);
        out[0] = splat(A * A * B * B) * d[0] - splat(A * A + B * B) * d[2] + d[4];
        out[1] = a + b;
        out[2] = a - b;
        out[3] = c + e;
        out[4] = c - e;
        out[5] = splat(A * A * B * B) * d[1] - splat(A * A + B * B) * d[3] + d[5];
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
        out[1] = splat(A) * b + splat(B) * d;
        out[2] = splat(A * A) * a + splat(B * B) * c;
        out[3] = splat(A * A * A) * b + splat(B * B * B) * d + m[5];
    } else {
        out[0] = m[0] + a;
        out[1] = b - m[3];
        out[2] = out[3] = splat(0); // not stored
    }
}

// ---- pixels to points ----

// Rows [first, end) of the points.
INLINE void winograd_in_rows(const float *src, size_t line, size_t step, point *dst, size_t plane,
                             const int n, const int first, const int end, const int count)
{
    vec rows[6][6], column[6], out[6];
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int i = 0; i < n; i++)
            column[i] = load_lanes(src + (size_t)i * line + (size_t)j * step, count);
        input_side(column, out, n);
        UNROLL
        for (int i = first; i < end; i++)
            rows[i][j] = out[i];
    }
    UNROLL
    for (int i = first; i < end; i++) {
        input_side(rows[i], out, n);
        UNROLL
        for (int j = 0; j < n; j++)
            store_point(dst + (size_t)(n * i + j) * plane, out[j], count);
    }
}

// All 36 points at once need more than 16 registers. There, pixels are loaded again for other rows, those by
// twos that have most of their sums in common.
INLINE void winograd_in_lanes(const float *src, size_t line, size_t step, point *dst, size_t plane,
                              const int n, const int count)
{
#ifdef CPU_AVX2
    if (n == 6) {
        winograd_in_rows(src, line, step, dst, plane, n, 0, 1, count);
        winograd_in_rows(src, line, step, dst, plane, n, 1, 3, count);
        winograd_in_rows(src, line, step, dst, plane, n, 3, 5, count);
        winograd_in_rows(src, line, step, dst, plane, n, 5, 6, count);
        return;
    }
#endif
    winograd_in_rows(src, line, step, dst, plane, n, 0, n, count);
}

INLINE void winograd_in(const float *src, size_t line, int channels, point *dst, size_t plane, const int n)
{
    int c = 0;
    for (; c + LANES <= channels; c += LANES)
        winograd_in_lanes(src + c, line, (size_t)channels, dst + c, plane, n, LANES);
    if (c < channels)
        winograd_in_lanes(src + c, line, (size_t)channels, dst + c, plane, n, channels - c);
}

static void winograd4_in(const float *src, size_t line, int channels, point *dst, size_t plane)
{
    winograd_in(src, line, channels, dst, plane, 6);
}

static void winograd2_in(const float *src, size_t line, int channels, point *dst, size_t plane)
{
    winograd_in(src, line, channels, dst, plane, 4);
}

// ---- products to pixels ----

// `x` is a pixel's sum of products; `at`: where it goes, in floats.
INLINE void store_pixel(const struct cpu_winograd_out *o, size_t at, vec x, const int count)
{
    if (o->residual)
        x += load_lanes(o->residual + at, count);
    store_lanes(o->out + at, x * splat(o->scale), count);
}

INLINE void winograd_out_lanes(const struct cpu_winograd_out *o, int first, const int n, const int count)
{
    vec rows[4][6], column[6], out[4], add = load(o->add + first);
    UNROLL
    for (int j = 0; j < n; j++) {
        UNROLL
        for (int i = 0; i < n; i++)
            column[i] = load(o->products + (size_t)(n * i + j) * o->plane + first);
        output_side(column, out, n);
        UNROLL
        for (int i = 0; i < n - 2; i++)
            rows[i][j] = out[i];
    }
    for (int i = 0; i < o->rows; i++) {
        output_side(rows[i], out, n);
        for (int j = 0; j < o->pixels; j++)
            store_pixel(o, (size_t)i * o->line + (size_t)j * o->step + (size_t)first, out[j] + add, count);
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

#endif
