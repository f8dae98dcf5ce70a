#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/base.h"

int cpu_panel_width(int channels, int panel)
{
    return channels - panel * CPU_PANEL <= 16 ? 16 : CPU_PANEL;
}

size_t cpu_panels_floats(size_t depth, int channels)
{
    return depth * (size_t)((channels + 15) / 16 * 16);
}

void cpu_panels_pack(float *dst, const float *src, size_t depth, int channels, size_t k_step, size_t column_step)
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

void cpu_multiply(const struct cpu_kernels *kernels, const float *a, size_t step, int pixels, int depth, const float *panels,
                  int columns, float *out, size_t out_step)
{
    for (int panel = 0; panel * CPU_PANEL < columns; panel++) {
        int width = cpu_panel_width(columns, panel), first = panel * CPU_PANEL;
        kernels->row(&(struct cpu_row){
            .a = a, .step = step, .runs = 1, .run = depth, .pixels = pixels,
            .panel = panels + (size_t)first * (size_t)depth,
            .width = width,
            .columns = columns - first < width ? columns - first : width,
            .out = out + first, .out_step = out_step, .scale = 1,
        });
    }
}

static void panels_destroy(struct ebb_packed *packed)
{
    free(((struct cpu_panels *)packed)->data);
    free(packed);
}

static struct ebb_packed *panels_make(const struct ebb_weight *weight, void *context)
{
    struct cpu_panels *panels = ebb_alloc(1, sizeof(*panels));
    if (!panels)
        return NULL;
    panels->packed.destroy = panels_destroy;
    panels->depth = (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
    panels->count = (weight->cout + CPU_PANEL - 1) / CPU_PANEL;
    panels->data = ebb_host_alloc(cpu_panels_floats(panels->depth, weight->cout));
    if (!panels->data) {
        free(panels);
        return NULL;
    }
    cpu_panels_pack(panels->data, weight->data, panels->depth, weight->cout, 1, panels->depth);
    return &panels->packed;
}

const struct cpu_panels *cpu_panels_get(struct ebb_weight *weight)
{
    static const char owner;
    return (const struct cpu_panels *)ebb_packed_get(weight, &owner, 0, panels_make, NULL);
}
