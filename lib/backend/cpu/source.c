#include "backend/cpu/cpu.h"

struct cpu_source cpu_source_of(const struct cpu_run *run, const struct cpu_op *op)
{
    const struct ebb_op *o = op->op;
    const struct ebb_tensor *first = op->src[0], *second = op->src[1];
    return (struct cpu_source){
        .src = {ebb_host_tensor(&run->host, o->src[0]), ebb_host_tensor(&run->host, o->src[1])},
        .affine = ebb_host_tensor(&run->host, o->affine),
        .c = {first->c, second ? second->c : 0},
        .channels = first->c + (second ? second->c : 0),
        .h = first->h,
        .w = first->w,
        .shift = o->upsample,
        .act = o->act,
    };
}

void cpu_source_row(const struct cpu_kernels *kernels, const struct cpu_source *s, int n, int y, float *dst)
{
    size_t pixel = ((size_t)n * (size_t)s->h + (size_t)(y >> s->shift)) * (size_t)s->w;
    const float *affine = s->affine ? s->affine + (size_t)n * 2 * (size_t)s->channels : NULL;
    for (int i = 0, at = 0; i < 2 && s->c[i]; at += s->c[i], i++)
        kernels->load(&(struct cpu_load){
            .dst = dst + at,
            .src = s->src[i] + pixel * (size_t)s->c[i],
            .dst_step = (size_t)s->channels,
            .src_step = (size_t)s->c[i],
            .pixels = s->w << s->shift,
            .channels = s->c[i],
            .shift = s->shift,
            .a = affine ? affine + at : NULL,
            .b = affine ? affine + s->channels + at : NULL,
            .act = s->act,
        });
}
