// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution 3x3, stride 1, by Winograd's F(4x4, 3x3) or F(2x2, 3x3) (Lavin and Gray 2016): a 6x6 or 4x4
// patch of input and the kernel are transformed, multiplied point by point (36 or 16 products of matrices, 4
// or 2.25 times less work), and transformed back to 4x4 or 2x2 outputs. A chunk of tiles at a time: the
// transformed input stays in the cache.
#include "backend/cpu/winograd.h"

#include <stdlib.h>

#include "base/base.h"

enum {
    CHUNK_FLOATS = 1 << 18,  // transformed input at a time, about
    LARGE_CHUNK = 1 << 21,   // the same where the transformed weights do not stay in the cache
    WEIGHT_FLOATS = 1 << 22, // transformed weights at a time, about
    LEAST_TILES = 8,
    HOLD_TILES = 24, // at most so many tiles are multiplied faster than their weights are transformed
    SLICE = 32       // input channels of one unit that transforms weights
};

// Weights transformed ahead: panels as for direct convolution, each (points, cin, width).
struct winograd_panels {
    struct ebb_packed packed;
    float *data;
};

static void panels_destroy(struct ebb_packed *packed)
{
    free(((struct winograd_panels *)packed)->data);
    free(packed);
}

struct transform_job {
    const struct cpu_kernels *kernels;
    const struct cpu_bf16_kernels *bf16; // NULL: float32
    const struct cpu_panels *panels;
    float *out;
    int size, first, cin, slices; // first: the panel at `out`
};

static void transform_float32(const struct transform_job *job, const struct cpu_winograd_weights *w)
{
    (job->size == 4 ? job->kernels->weights->winograd4 : job->kernels->weights->winograd2)(w);
}

// Two input channels at a time.
static void transform_bf16(const struct transform_job *job, const struct cpu_winograd_weights *w)
{
    size_t width = (size_t)w->width, plane = (size_t)w->cin * width;
    float two[9 * 2 * CPU_PANEL];
    for (int i = w->first; i < w->first + w->count; i += 2) {
        size_t at = (size_t)i * width;
        bool wide = w->number == EBB_FLOAT32;
        for (size_t k = 0; k < 9 && !wide; k++)
            job->kernels->weights->widen(w->number, (const uint16_t *)w->panel + k * plane + at, 2 * width,
                                         two + k * 2 * width);
        (job->size == 4 ? job->bf16->winograd4_weights
                        : job->bf16->winograd2_weights)(wide ? (const float *)w->panel + at : two,
                                                        wide ? plane : 2 * width, width,
                                                        (uint16_t *)w->out + at, plane);
    }
}

static void transform_slice(void *context, int unit, int thread)
{
    const struct transform_job *job = context;
    const struct ebb_panels *held = &job->panels->held;
    int panel = job->first + unit / job->slices, slice = unit % job->slices, left = job->cin - slice * SLICE;
    size_t at = (size_t)panel * CPU_PANEL * job->panels->depth,
           points = (size_t)((job->size + 2) * (job->size + 2));
    size_t to = points * (size_t)job->cin * (size_t)(panel - job->first) * CPU_PANEL;
    struct cpu_winograd_weights weights = {
        .panel = (const char *)held->data + at * ebb_number_size(held->number),
        .number = held->number,
        .cin = job->cin,
        .width = cpu_panel_width(job->panels->channels, panel),
        .first = slice * SLICE,
        .count = left < SLICE ? left : SLICE,
        .out = job->out + (job->bf16 ? to / 2 : to),
    };
    (job->bf16 ? transform_bf16 : transform_float32)(job, &weights);
}

// G g G^T of `count` panels from job->first on, to job->out.
static void transform_weights(struct transform_job *job, struct cpu_pool *pool, int count)
{
    job->cin = (int)(job->panels->depth / 9);
    job->slices = (job->cin + SLICE - 1) / SLICE;
    cpu_pool_run(pool, count * job->slices, transform_slice, job);
}

struct winograd_hold_job {
    const struct cpu_device *device;
    const struct cpu_panels *panels;
    int size;
    bool bf16;
};

static struct ebb_packed *panels_make(const struct ebb_weight *weight, void *context)
{
    const struct winograd_hold_job *job = context;
    struct winograd_panels *held = ebb_alloc(1, sizeof(*held));
    size_t points = (size_t)((job->size + 2) * (job->size + 2));
    if (held)
        held->data = ebb_pages_alloc(points * cpu_panels_floats((size_t)weight->cin, weight->cout),
                                     job->bf16 ? sizeof(uint16_t) : sizeof(float));
    if (!held || !held->data) {
        free(held);
        return NULL;
    }
    held->packed.destroy = panels_destroy;
    struct transform_job transform = {.kernels = job->device->kernels,
                                      .bf16 = job->bf16 ? job->device->bf16 : NULL,
                                      .panels = job->panels,
                                      .out = held->data,
                                      .size = job->size};
    transform_weights(&transform, job->device->pool, job->panels->count);
    return &held->packed;
}

static int tiles_of(const struct ebb_operand *dst, int size)
{
    return ((dst->h + size - 1) / size) * ((dst->w + size - 1) / size);
}

// The transformed weights are 4 or 1.8 times as many, which pays if enough tiles use them. Outputs beyond the
// image's edge are computed in vain: at most a half of all may be.
int winograd_size(const struct ebb_weight *weight, const struct ebb_operand *dst, int stride, int pad)
{
    if (weight->kh != 3 || weight->kw != 3 || stride != 1 || pad != 1 || weight->cin < 16 ||
        weight->cout < 16)
        return 0;
    for (int size = 4; size >= 2; size -= 2)
        if (tiles_of(dst, size) >= LEAST_TILES && 2 * dst->h * dst->w >= tiles_of(dst, size) * size * size)
            return size;
    return 0;
}

size_t winograd_worth(const struct ebb_op *op, const struct ebb_operand *dst)
{
    const struct ebb_weight *weight = op->weight;
    int size = winograd_size(weight, dst, op->stride, op->pad);
    bool worth = size && dst->n * tiles_of(dst, size) <= HOLD_TILES;
    return worth ? (size_t)((size + 2) * (size + 2)) * cpu_panels_floats((size_t)weight->cin, weight->cout)
                 : 0;
}

// Numbers to floats: two that are rounded take the place of one.
static size_t floats_of(const struct winograd *w, size_t numbers)
{
    return w->bf16 ? numbers / 2 : numbers;
}

// Sizes of the tiles, of what is done at a time, and of the scratch it needs.
static void measure(const struct cpu_device *device, struct winograd *w, const struct ebb_operand *dst)
{
    size_t panel = floats_of(w, (size_t)w->points * (size_t)w->cin * CPU_PANEL);
    int count = w->panels->count, group = (int)(WEIGHT_FLOATS / panel);
    group = group < 1 ? 1 : group;
    w->group = w->held || group > count ? count : group;
    w->weights = w->held ? 0 : (size_t)w->group * panel;

    int chunk = (w->group < count ? LARGE_CHUNK : CHUNK_FLOATS) / (w->points * w->cin),
        block = device->kernels->tiles;
    chunk = (chunk / block > 1 ? chunk / block : 1) * block;
    w->rows = (dst->h + w->size - 1) / w->size;
    w->columns = (dst->w + w->size - 1) / w->size;
    w->tiles = dst->n * w->rows * w->columns;
    w->chunk_rows = dst->n * w->rows; // everything, or rows of one item
    if (w->tiles > chunk)
        w->chunk_rows = chunk / w->columns < 1         ? 1
                        : chunk / w->columns < w->rows ? chunk / w->columns
                                                       : w->rows;
    w->chunk = w->chunk_rows * w->columns;
    w->padded_lines = w->chunk == w->tiles ? dst->n * (w->size * w->rows + 2) : w->size * w->chunk_rows + 2;
    w->products = (size_t)w->points * (size_t)block * CPU_PANEL;
    w->transformed = floats_of(w, (size_t)w->points * (size_t)w->chunk * (size_t)w->cin);
    w->scratch = w->transformed + (size_t)cpu_pool_threads(device->pool) * w->products + w->weights;
}

bool winograd_prepare(const struct cpu_device *device, struct winograd *w, int size,
                      struct ebb_weight *weight, const struct ebb_operand *dst, bool hold, bool bf16)
{
    static const char owner;
    w->panels = cpu_panels_get(weight);
    if (!w->panels)
        return false;
    w->cin = weight->cin;
    w->size = size;
    w->points = (size + 2) * (size + 2);
    w->bf16 = bf16;
    if (hold) {
        enum { BF16_FORM = 16 };
        struct winograd_hold_job job = {device, w->panels, size, bf16};
        w->held = (const struct winograd_panels *)ebb_packed_get(weight, &owner,
                                                                 size + (bf16 ? BF16_FORM : 0), panels_make,
                                                                 &job);
        if (!w->held)
            return false;
    }
    measure(device, w, dst);
    return true;
}

static void transform_tile(void *context, int unit, int thread)
{
    const struct winograd_job *job = context;
    const struct winograd *w = job->winograd;
    int tile = job->first + unit, item = tile / (w->rows * w->columns);
    int y = tile / w->columns % w->rows * w->size, x = tile % w->columns * w->size;
    size_t line = (size_t)(w->size * w->columns + 2) * (size_t)w->cin;
    size_t from = (size_t)(item * (w->size * w->rows + 2) + y - job->first_line);
    const float *src = job->padded + from * line + (size_t)(x * w->cin);
    float *out = job->scratch + w->weights + floats_of(w, (size_t)unit * (size_t)w->cin);
    size_t plane = (size_t)w->chunk * (size_t)w->cin;
    if (w->bf16)
        (w->size == 4 ? job->bf16->winograd4_in : job->bf16->winograd2_in)(src, line, w->cin, (uint16_t *)out,
                                                                           plane);
    else
        (w->size == 4 ? job->kernels->winograd4_in : job->kernels->winograd2_in)(src, line, w->cin, out,
                                                                                 plane);
}

// The outputs of one tile and one panel.
static void store_tile(const struct winograd_job *job, int tile, int panel, const float *products,
                       size_t plane)
{
    const struct winograd *w = job->winograd;
    const struct ebb_operand *dst = job->dst_shape;
    int item = tile / (w->rows * w->columns);
    int y = tile / w->columns % w->rows * w->size, x = tile % w->columns * w->size;
    int rest = dst->c - panel * CPU_PANEL, width = cpu_panel_width(dst->c, panel);
    size_t channels = (size_t)dst->c;
    size_t at = (((size_t)item * (size_t)dst->h + (size_t)y) * (size_t)dst->w + (size_t)x) * channels +
                (size_t)panel * CPU_PANEL;
    struct cpu_winograd_out out = {
        .products = products,
        .plane = plane,
        .out = job->dst + at,
        .residual = job->residual ? job->residual + at : NULL,
        .add = job->add + (size_t)item * job->add_step + (size_t)panel * CPU_PANEL,
        .line = (size_t)dst->w * channels,
        .step = channels,
        .rows = dst->h - y < w->size ? dst->h - y : w->size,
        .pixels = dst->w - x < w->size ? dst->w - x : w->size,
        .columns = rest < width ? rest : width,
        .scale = job->scale,
    };
    if (w->bf16)
        (w->size == 4 ? job->bf16->winograd4_out : job->bf16->winograd2_out)(&out);
    else
        (w->size == 4 ? job->kernels->winograd4_out : job->kernels->winograd2_out)(&out);
}

// One panel of a few tiles: all products, then back.
static void multiply_block(void *context, int unit, int thread)
{
    const struct winograd_job *job = context;
    const struct winograd *w = job->winograd;
    int block = job->kernels->tiles, blocks = (job->count + block - 1) / block;
    int panel = job->panel + unit / blocks;
    int from = unit % blocks * block, count = job->count - from < block ? job->count - from : block;
    int width = cpu_panel_width(job->dst_shape->c, panel);
    size_t cin = floats_of(w, (size_t)w->cin), plane = (size_t)block * (size_t)width;
    float *products = job->scratch + w->weights + w->transformed + (size_t)thread * w->products;
    struct cpu_row row = {
        .a = job->scratch + w->weights + (size_t)from * cin,
        .step = cin,
        .runs = 1,
        .run = (int)cin,
        .pixels = count,
        .panel = job->weights + (size_t)w->points * cin * (size_t)(panel - job->panel) * CPU_PANEL,
        .width = width,
        .columns = width,
        .out = products,
        .out_step = (size_t)width,
        .scale = 1,
    };
    for (int point = 0; point < w->points; point++) {
        (w->bf16 ? job->bf16->row : job->kernels->row)(&row);
        row.a += (size_t)w->chunk * cin;
        row.panel += cin * (size_t)width;
        row.out += plane;
    }
    for (int i = 0; i < count; i++)
        store_tile(job, job->first + from + i, panel, products + (size_t)i * (size_t)width, plane);
}

// The tiles of the chunk times all weights, a group of panels at a time. Where one group is all, it stays
// transformed for the next chunk.
static void multiply_chunk(struct winograd_job *job)
{
    const struct winograd *w = job->winograd;
    int block = job->kernels->tiles, blocks = (job->count + block - 1) / block;
    for (job->panel = 0; job->panel < w->panels->count; job->panel += w->group) {
        int left = w->panels->count - job->panel, panels = left < w->group ? left : w->group;
        job->weights = w->held ? w->held->data : job->scratch;
        if (!w->held && (job->first == 0 || w->group < w->panels->count))
            transform_weights(&(struct transform_job){.kernels = job->kernels,
                                                      .bf16 = w->bf16 ? job->bf16 : NULL,
                                                      .panels = w->panels,
                                                      .out = job->scratch,
                                                      .size = w->size,
                                                      .first = job->panel},
                              job->pool, panels);
        cpu_pool_run(job->pool, panels * blocks, multiply_block, job);
    }
}

void winograd_run(struct winograd_job *job)
{
    const struct winograd *w = job->winograd;
    int all = w->tiles / w->columns, lines = w->size * w->rows + 2; // rows of tiles; lines of an item
    for (int row = 0, rows; row < all; row += rows) {
        int left = w->rows - row % w->rows;
        rows = w->chunk_rows == all || w->chunk_rows < left ? w->chunk_rows : left;
        job->first = row * w->columns;
        job->count = rows * w->columns;
        job->first_line = row / w->rows * lines + row % w->rows * w->size;
        job->load(job->context, job->first_line, rows == all ? w->padded_lines : w->size * rows + 2);
        cpu_pool_run(job->pool, job->count, transform_tile, job);
        multiply_chunk(job);
    }
}
