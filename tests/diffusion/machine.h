// SPDX-License-Identifier: LGPL-2.1-or-later
// Carries out a run's instructions on plain doubles: `count` numbers per slot and a network that is a
// function.
#ifndef EBB_TEST_DIFFUSION_MACHINE_H
#define EBB_TEST_DIFFUSION_MACHINE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/run.h"

enum { MACHINE_COUNT = 4096 };

// out = what the network says of x at (alpha, sigma); `second` (learned variance) may be NULL.
typedef void machine_net(void *data, const struct ebb_run_instruction *in, const double *x, double *out,
                         double *second, int count);

struct machine {
    machine_net *net;
    void *data;
    void (*noise)(void *data, uint64_t draw, double *out, int count); // NULL: zeros
    void (*after_step)(void *data, const struct ebb_run_instruction *in, double *x, int count);
    int count, evals, draws;
    double slot[EBB_RUN_SLOTS][MACHINE_COUNT];
};

static inline int machine_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double machine_quantile(const double *x, int count, double ratio)
{
    static double sorted[MACHINE_COUNT];
    for (int i = 0; i < count; i++)
        sorted[i] = fabs(x[i]);
    qsort(sorted, (size_t)count, sizeof(double), machine_ascending);
    double at = ratio * (count - 1);
    int low = (int)at;
    return low + 1 < count ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
}

static inline void machine_blend(struct machine *m, const struct ebb_run_instruction *in)
{
    for (int i = 0; i < m->count; i++) {
        double sum = 0;
        for (int k = 0; k < in->terms; k++) {
            double factor = k == in->terms - 1 && in->noise_scale >= 0 ? m->slot[in->noise_scale][i] : 1;
            sum += in->term[k].weight * factor * m->slot[in->term[k].slot][i];
        }
        m->slot[in->dst][i] = in->clamp > 0 ? fmax(-in->clamp, fmin(in->clamp, sum)) : sum;
    }
}

static inline double machine_measure(struct machine *m, const struct ebb_run_instruction *in)
{
    double sum = 0;
    for (int i = 0; i < m->count; i++) {
        double x = m->slot[in->src][i];
        if (in->measure == EBB_MEASURE_ERROR)
            x /= in->atol + in->rtol * fmax(fabs(m->slot[in->src2][i]), fabs(m->slot[in->src3][i]));
        sum += x * x;
    }
    return sqrt(sum / m->count);
}

static inline void machine_do(struct machine *m, struct ebb_run *run, const struct ebb_run_instruction *in)
{
    static double scaled[MACHINE_COUNT];
    double *dst = in->dst >= 0 ? m->slot[in->dst] : NULL;
    const double *src = in->src >= 0 ? m->slot[in->src] : NULL;
    switch (in->kind) {
    case EBB_RUN_EVAL:
        for (int i = 0; i < m->count; i++)
            scaled[i] = in->scale * src[i];
        m->net(m->data, in, scaled, dst, in->dst2 >= 0 ? m->slot[in->dst2] : NULL, m->count);
        m->evals++;
        break;
    case EBB_RUN_BLEND: machine_blend(m, in); break;
    case EBB_RUN_NOISE:
        memset(dst, 0, (size_t)m->count * sizeof(double));
        if (m->noise)
            m->noise(m->data, in->draw, dst, m->count);
        m->draws++;
        break;
    case EBB_RUN_THRESHOLD: {
        double q = fmin(fmax(1, machine_quantile(src, m->count, in->ratio)), in->clamp);
        for (int i = 0; i < m->count; i++)
            dst[i] = fmin(fmax(src[i], -q), q) / q;
        break;
    }
    case EBB_RUN_EXP:
        for (int i = 0; i < m->count; i++)
            dst[i] = exp(in->scale * src[i] + in->offset);
        break;
    case EBB_RUN_SQRT:
        for (int i = 0; i < m->count; i++)
            dst[i] = sqrt(fmax(0, src[i]));
        break;
    case EBB_RUN_MEASURE: ebb_run_measured(run, machine_measure(m, in)); break;
    case EBB_RUN_STEP:
        if (m->after_step)
            m->after_step(m->data, in, m->slot[0], m->count);
        break;
    case EBB_RUN_DONE: break;
    }
}

// slot[0] holds the start; afterwards the result. Returns the number of steps.
static inline int machine_run(struct machine *m, struct ebb_run *run)
{
    struct ebb_run_instruction in;
    int steps = 0;
    while (ebb_run_next(run, &in, NULL) == EBB_OK && in.kind != EBB_RUN_DONE) {
        machine_do(m, run, &in);
        steps += in.kind == EBB_RUN_STEP;
    }
    return steps;
}

#endif
