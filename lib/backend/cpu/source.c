// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/cpu/cpu.h"

struct cpu_source cpu_source_of(const struct cpu_run *run, const struct cpu_op *op)
{
    const struct ebb_op *o = op->op;
    const struct ebb_operand *first = op->src[0], *second = op->src[1];
    return (struct cpu_source){
        .src = {ebb_host_operand(&run->host, o->src[0]), ebb_host_operand(&run->host, o->src[1])},
        .affine = ebb_host_operand(&run->host, o->affine),
        .c = {first->c, second ? second->c : 0},
        .channels = first->c + (second ? second->c : 0),
        .h = first->h,
        .w = first->w,
        .shift = o->upsample,
        .act = o->act,
        .slope = o->slope,
        .load = op->bf16 && o->kind == EBB_OP_CONV && o->act == EBB_ACT_SILU ? run->bf16->load_silu : NULL,
    };
}

// The load of source i of item n: `count` pixels from x on, which is even where the source is upsampled.
static struct cpu_load load_of(const struct cpu_source *s, int i, int n, int y, int x, int count)
{
    size_t pixel = ((size_t)n * (size_t)s->h + (size_t)(y >> s->shift)) * (size_t)s->w +
                   (size_t)(x >> s->shift);
    const float *affine = s->affine ? s->affine + (size_t)n * 2 * (size_t)s->channels : NULL;
    int at = i ? s->c[0] : 0;
    return (struct cpu_load){
        .src = s->src[i] + pixel * (size_t)s->c[i],
        .dst_step = (size_t)s->channels,
        .src_step = (size_t)s->c[i],
        .pixels = count,
        .channels = s->c[i],
        .shift = s->shift,
        .a = affine ? affine + at : NULL,
        .b = affine ? affine + s->channels + at : NULL,
        .act = s->act,
        .slope = s->slope,
    };
}

static void load_pixels(const struct cpu_kernels *kernels, const struct cpu_source *s, int n, int y, int x,
                        int count, float *dst)
{
    for (int i = 0; i < 2 && s->c[i]; dst += s->c[i], i++) {
        struct cpu_load load = load_of(s, i, n, y, x, count);
        load.dst = dst;
        (s->load ? s->load : kernels->load)(&load);
    }
}

void cpu_source_row_narrow(const struct cpu_bf16_kernels *kernels, const struct cpu_source *s, int n, int y,
                           uint16_t *dst)
{
    for (int i = 0; i < 2 && s->c[i]; dst += s->c[i], i++) {
        struct cpu_load load = load_of(s, i, n, y, 0, s->w << s->shift);
        kernels->load_narrow(&load, dst);
    }
}

void cpu_source_row(const struct cpu_kernels *kernels, const struct cpu_source *s, int n, int y, float *dst)
{
    load_pixels(kernels, s, n, y, 0, s->w << s->shift, dst);
}

void cpu_source_part(const struct cpu_kernels *kernels, const struct cpu_source *s, int n, int y, int x,
                     int count, float *dst)
{
    int odd = s->shift && x % 2 && count > 0;
    if (odd)
        load_pixels(kernels, s, n, y, x, 1, dst);
    load_pixels(kernels, s, n, y, x + odd, count - odd, dst + (size_t)odd * (size_t)s->channels);
}
