// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/base.h"

int cpu_panel_width(int channels, int panel)
{
    return ebb_panel_width(channels, panel);
}

size_t cpu_panels_floats(size_t depth, int channels)
{
    return ebb_panels_numbers(depth, channels);
}

void cpu_panels_pack(float *dst, const float *src, size_t depth, int channels, size_t k_step,
                     size_t column_step)
{
    for (int panel = 0; panel * CPU_PANEL < channels; panel++) {
        int width = cpu_panel_width(channels, panel), first = panel * CPU_PANEL;
        int valid = channels - first < width ? channels - first : width;
        for (size_t k = 0; k < depth; k++, dst += width) {
            for (int j = 0; j < valid; j++)
                dst[j] = src[k * k_step + (size_t)(first + j) * column_step];
            for (int j = valid; j < width; j++)
                dst[j] = 0;
        }
    }
}

void cpu_multiply(void (*multiply)(const struct cpu_row *row), const float *a, size_t step, int pixels,
                  int depth, const float *panels, int columns, float *out, size_t out_step)
{
    for (int panel = 0; panel * CPU_PANEL < columns; panel++) {
        int width = cpu_panel_width(columns, panel), first = panel * CPU_PANEL;
        multiply(&(struct cpu_row){
            .a = a,
            .step = step,
            .runs = 1,
            .run = depth,
            .pixels = pixels,
            .panel = panels + (size_t)first * (size_t)depth,
            .width = width,
            .columns = columns - first < width ? columns - first : width,
            .out = out + first,
            .out_step = out_step,
            .scale = 1,
        });
    }
}

static void panels_destroy(struct ebb_packed *packed)
{
    free(((struct cpu_panels *)packed)->owned);
    free(packed);
}

static struct ebb_packed *panels_make(const struct ebb_weight *weight, void *context)
{
    struct cpu_panels *panels = ebb_alloc(1, sizeof(*panels));
    if (!panels)
        return NULL;
    panels->packed.destroy = panels_destroy;
    panels->depth = (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
    panels->channels = weight->cout;
    panels->count = (weight->cout + CPU_PANEL - 1) / CPU_PANEL;
    panels->held = weight->panels;
    if (!weight->panels.data) {
        panels->owned = ebb_host_alloc(cpu_panels_floats(panels->depth, weight->cout));
        panels->held = (struct ebb_panels){panels->owned, EBB_FLOAT32};
    }
    if (!panels->held.data) {
        free(panels);
        return NULL;
    }
    if (panels->owned)
        cpu_panels_pack(panels->owned, weight->data, panels->depth, weight->cout, 1, panels->depth);
    panels->data = panels->held.number == EBB_FLOAT32 ? panels->held.data : NULL;
    return &panels->packed;
}

const struct cpu_panels *cpu_panels_get(struct ebb_weight *weight)
{
    static const char owner;
    return (const struct cpu_panels *)ebb_packed_get(weight, &owner, 0, panels_make, NULL);
}

// ---- 16 bits, made 32 ----

struct widen_job {
    const struct cpu_kernels *kernels;
    enum ebb_number number;
    const char *src;
    float *dst;
    size_t count;
};

enum { WIDEN_NUMBERS = 1 << 14 }; // of one unit

static void widen_piece(void *context, int unit, int thread)
{
    const struct widen_job *job = context;
    size_t from = (size_t)unit * WIDEN_NUMBERS, left = job->count - from;
    job->kernels->weights->widen(job->number, job->src + from * ebb_number_size(job->number),
                                 left < WIDEN_NUMBERS ? left : WIDEN_NUMBERS, job->dst + from);
}

const float *cpu_panels_load(const struct cpu_panels *panels, int first, int count,
                             const struct cpu_kernels *kernels, struct cpu_pool *pool, float *scratch)
{
    size_t at = (size_t)first * CPU_PANEL * panels->depth;
    if (panels->data)
        return panels->data + at;
    int left = panels->channels - first * CPU_PANEL,
        covered = left < count * CPU_PANEL ? left : count * CPU_PANEL;
    struct widen_job job = {
        .kernels = kernels,
        .number = panels->held.number,
        .src = (const char *)panels->held.data + at * ebb_number_size(panels->held.number),
        .dst = scratch,
        .count = cpu_panels_floats(panels->depth, covered),
    };
    cpu_pool_run(pool, (int)((job.count + WIDEN_NUMBERS - 1) / WIDEN_NUMBERS), widen_piece, &job);
    return scratch;
}
