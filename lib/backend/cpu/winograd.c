// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution 3x3, stride 1, by Winograd's F(4x4, 3x3) or F(2x2, 3x3) (Lavin and Gray 2016): a 6x6 or 4x4
// patch of input and the kernel are transformed, multiplied point by point (36 or 16 products of matrices, 4
// or 2.25 times less work), and transformed back to 4x4 or 2x2 outputs.
//
// A chunk of tiles at a time is transformed. A thread then takes one panel of output channels for some of the
// tiles: it transforms the panel's weights for a slice of the input channels, multiplies, and goes on to the
// next slice. What it transforms is read from its core's own cache, and is never held.
#include "backend/cpu/winograd.h"

enum {
    CHUNK_FLOATS = 1 << 20, // transformed input at a time, about
    UNIT_TILES = 72,        // tiles of a unit at most: their products stay in a core's cache,
    SLICE = 96,             // and so do the transformed weights of at most so many input channels
    APART = 16,             // floats between planes: not all points of a channel are in one set of a cache
    WEIGHTS_COST = 4,       // to transform weights takes as long as to multiply so many tiles by them
};

static int tiles_of(const struct ebb_operand *dst, int size)
{
    return ((dst->h + size - 1) / size) * ((dst->w + size - 1) / size);
}

// Products of an output channel and an input channel, for one item and its weights. Outputs beyond the
// image's edge are computed in vain. Size 0: the plain sum.
static int cost_of(const struct ebb_operand *dst, int size)
{
    return size ? (size + 2) * (size + 2) * (tiles_of(dst, size) + WEIGHTS_COST) : 9 * dst->h * dst->w;
}

int winograd_size(const struct ebb_weight *weight, const struct ebb_operand *dst, int stride, int pad)
{
    int best = 0;
    if (weight->kh != 3 || weight->kw != 3 || stride != 1 || pad != 1 || weight->cin < 16 ||
        weight->cout < 16)
        return 0;
    for (int size = 2; size <= 4; size += 2)
        if (cost_of(dst, size) < cost_of(dst, best))
            best = size;
    return best;
}

// Numbers to floats: two that are rounded take the place of one.
static size_t floats_of(const struct winograd *w, size_t numbers)
{
    return w->bf16 ? numbers / 2 : numbers;
}

// Input channels are cut into slices of about one size, of pairs.
static int even_slice(int channels)
{
    int slices = (channels + SLICE - 1) / SLICE;
    return ((channels + slices - 1) / slices + 1) / 2 * 2;
}

// Sizes of the tiles, of what is done at a time, and of the scratch it needs.
static void measure(const struct cpu_device *device, struct winograd *w, const struct ebb_operand *dst)
{
    int chunk = CHUNK_FLOATS / (w->points * w->cin);
    chunk = chunk < UNIT_TILES ? UNIT_TILES : chunk;
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
    w->products = (size_t)w->points * UNIT_TILES * CPU_PANEL;
    w->slice = even_slice(w->cin);
    w->weights = (size_t)w->points * (floats_of(w, (size_t)w->slice * CPU_PANEL) + APART);
    w->plane = floats_of(w, (size_t)w->chunk * (size_t)w->cin) + APART;
    w->transformed = (size_t)w->points * w->plane;
    w->scratch = w->transformed + (size_t)cpu_pool_threads(device->pool) * (w->products + w->weights);
}

bool winograd_prepare(const struct cpu_device *device, struct winograd *w, int size,
                      struct ebb_weight *weight, const struct ebb_operand *dst, bool bf16)
{
    w->panels = cpu_panels_get(weight);
    if (!w->panels)
        return false;
    w->cin = weight->cin;
    w->size = size;
    w->points = (size + 2) * (size + 2);
    w->bf16 = bf16;
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
    float *out = job->scratch + floats_of(w, (size_t)unit * (size_t)w->cin);
    if (w->bf16)
        (w->size == 4 ? job->bf16->winograd4_in : job->bf16->winograd2_in)(src, line, w->cin, (uint16_t *)out,
                                                                           2 * w->plane);
    else
        (w->size == 4 ? job->kernels->winograd4_in : job->kernels->winograd2_in)(src, line, w->cin, out,
                                                                                 w->plane);
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

// ---- weights ----

// Two input channels at a time.
static void transform_bf16(const struct winograd_job *job, const struct cpu_winograd_weights *w)
{
    size_t width = (size_t)w->width, step = (size_t)w->cin * width, plane = 2 * w->plane;
    void (*transform)(const float *rows, size_t place, size_t width, uint16_t *out,
                      size_t plane) = job->winograd->size == 4 ? job->bf16->winograd4_weights
                                                               : job->bf16->winograd2_weights;
    bool wide = w->number == EBB_FLOAT32;
    float two[9 * 2 * CPU_PANEL];
    for (int i = 0; i < w->count; i += 2) {
        size_t at = (size_t)(w->first + i) * width;
        for (size_t k = 0; k < 9 && !wide; k++)
            job->kernels->weights->widen(w->number, (const uint16_t *)w->panel + k * step + at, 2 * width,
                                         two + k * 2 * width);
        transform(wide ? (const float *)w->panel + at : two, wide ? step : 2 * width, width,
                  (uint16_t *)w->out + (size_t)i * width, plane);
    }
}

// G g G^T of input channels [first, first + count) of a panel: (points, count, width).
static void transform_weights(const struct winograd_job *job, int panel, int first, int count, float *out,
                              size_t plane)
{
    const struct winograd *w = job->winograd;
    const struct ebb_panels *held = &w->panels->held;
    size_t at = (size_t)panel * CPU_PANEL * w->panels->depth;
    struct cpu_winograd_weights weights = {
        .panel = (const char *)held->data + at * ebb_number_size(held->number),
        .number = held->number,
        .cin = w->cin,
        .width = cpu_panel_width(w->panels->channels, panel),
        .first = first,
        .count = count,
        .out = out,
        .plane = plane,
    };
    if (w->bf16)
        transform_bf16(job, &weights);
    else
        (w->size == 4 ? job->kernels->weights->winograd4 : job->kernels->weights->winograd2)(&weights);
}

// ---- products ----

// Products of `count` tiles from `from` on with one panel: a slice of the input channels after another.
static void multiply_tiles(const struct winograd_job *job, int panel, int from, int count, float *weights,
                           float *products)
{
    const struct winograd *w = job->winograd;
    int width = cpu_panel_width(job->dst_shape->c, panel);
    size_t cin = floats_of(w, (size_t)w->cin);
    for (int first = 0, channels; first < w->cin; first += channels) {
        channels = w->cin - first < w->slice ? w->cin - first : w->slice;
        size_t depth = floats_of(w, (size_t)channels), plane = depth * (size_t)width + APART;
        struct cpu_row row = {
            .a = job->scratch + (size_t)from * cin + floats_of(w, (size_t)first),
            .step = cin,
            .runs = 1,
            .run = (int)depth,
            .pixels = count,
            .panel = weights,
            .width = width,
            .columns = width,
            .out = products,
            .out_step = (size_t)width,
            .scale = 1,
        };
        transform_weights(job, panel, first, channels, weights, plane);
        for (int point = 0; point < w->points; point++) {
            row.residual = first > 0 ? row.out : NULL; // the sum of the slices before
            (w->bf16 ? job->bf16->row : job->kernels->row)(&row);
            row.a += w->plane;
            row.panel += plane;
            row.out += (size_t)count * (size_t)width;
        }
    }
}

// One panel of some tiles: all products, then back.
static void multiply_unit(void *context, int unit, int thread)
{
    const struct winograd_job *job = context;
    const struct winograd *w = job->winograd;
    int panel = unit / job->parts, from = unit % job->parts * job->part;
    int count = job->count - from < job->part ? job->count - from : job->part;
    size_t width = (size_t)cpu_panel_width(job->dst_shape->c, panel);
    float *weights = job->scratch + w->transformed + (size_t)thread * (w->weights + w->products);
    float *products = weights + w->weights;
    multiply_tiles(job, panel, from, count, weights, products);
    for (int i = 0; i < count; i++)
        store_tile(job, job->first + from + i, panel, products + (size_t)i * width, (size_t)count * width);
}

// Tiles of a part, if a chunk is cut into `parts` of about one size: full blocks of row(), but for the last.
static int tiles_of_part(const struct winograd_job *job, int parts)
{
    int block = job->kernels->tiles;
    return ((job->count + parts - 1) / parts + block - 1) / block * block;
}

// A part for each unit: large, for each transforms the weights, and so many that all threads are busy.
static int part_of(const struct winograd_job *job)
{
    int threads = cpu_pool_threads(job->pool), panels = job->winograd->panels->count;
    int least = (job->count + UNIT_TILES - 1) / UNIT_TILES, best = 0, best_cost = 0;
    for (int parts = least; parts == least || parts < least + threads; parts++) {
        int part = tiles_of_part(job, parts), units = panels * ((job->count + part - 1) / part);
        int cost = (units + threads - 1) / threads * (part + WEIGHTS_COST);
        if (best == 0 || cost < best_cost) {
            best = part;
            best_cost = cost;
        }
    }
    return best;
}

static void multiply_chunk(struct winograd_job *job)
{
    job->part = part_of(job);
    job->parts = (job->count + job->part - 1) / job->part;
    cpu_pool_run(job->pool, job->winograd->panels->count * job->parts, multiply_unit, job);
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
