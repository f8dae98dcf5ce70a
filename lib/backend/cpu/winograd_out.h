// SPDX-License-Identifier: LGPL-2.1-or-later
// The way out of Winograd's method, for the kernels in float32 and in bfloat16: products at the points of a
// tile become pixels, with what is added to them. Included where output_side() and LANES stand: both depend
// on the points and on the processor.
#ifndef EBB_BACKEND_CPU_WINOGRAD_OUT_H
#define EBB_BACKEND_CPU_WINOGRAD_OUT_H

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

#endif
