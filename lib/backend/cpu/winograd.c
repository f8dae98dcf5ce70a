// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution 3x3, stride 1, by Winograd's F(4x4, 3x3) or F(2x2, 3x3) (Lavin and Gray 2016): a 6x6 or 4x4
// patch of input and the kernel are transformed, multiplied point by point (36 or 16 products of matrices, 4
// or 2.25 times less work), and transformed back to 4x4 or 2x2 outputs.
//
// What one core has written another one fetches slowly. So a thread takes a band of the image and a group of
// panels of output channels through everything: it loads the band, transforms a part of its tiles, and for
// one panel after another it transforms the weights of some input channels and multiplies by them. All of
// that stays in its core's cache. Where the image is small, some threads load and transform the same band.
#include "backend/cpu/winograd.h"

enum {
    PART_TILES = 72,         // of a part at most: their products stay in a core's cache,
    SLICE = 96,              // and so do the transformed weights of at most so many input channels
    PADDED_FLOATS = 1 << 19, // padded input of a band, about
    APART = 16,              // floats between planes: not all points of a channel are in one set of a cache,
    PRODUCTS_APART = 32,     // nor all points of a tile's products
    AHEAD_SLICE = 256,       // the same of weights that are transformed ahead: a point of them stays near
    AHEAD_FLOATS = 3 << 20,  // weights that are transformed ahead, at most,
    AHEAD_PARTS = 4,         // and for how many parts at least
    WEIGHTS_COST = 4,        // to transform weights takes as long as to multiply so many tiles by them
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

static size_t rounded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

// Input channels are cut into slices of about one size, of whole groups.
static int even_slice(int channels, int most)
{
    int slices = (channels + most - 1) / most;
    return ((channels + slices - 1) / slices + CPU_GROUP_MAX - 1) / CPU_GROUP_MAX * CPU_GROUP_MAX;
}

static int at_most(int value, int bound)
{
    return value < bound ? value : bound;
}

static int parts_of(int all, int part)
{
    return (all + part - 1) / part;
}

// The first line of a row of tiles in the padded input of all items.
static int line_of(const struct winograd *w, int row)
{
    return row / w->rows * (w->size * w->rows + 2) + row % w->rows * w->size;
}

// Lines of the padded input of `rows` rows of tiles at most; they may belong to some items.
static int lines_of(const struct winograd *w, int rows)
{
    int items = w->rows % rows == 0 ? 1 : rows % w->rows == 0 ? rows / w->rows : (rows - 2) / w->rows + 2;
    return w->size * rows + 2 * items;
}

// ---- bands and groups ----

static void set_bands(struct winograd *w, const struct ebb_operand *dst, int rows, int across, int groups)
{
    w->band_rows = rows;
    w->down = parts_of(dst->n * w->rows, rows);
    w->band_columns = parts_of(w->columns, across);
    w->across = parts_of(w->columns, w->band_columns);
    w->group = parts_of(w->panels->count, groups);
    w->groups = parts_of(w->panels->count, w->group);
}

static size_t padded_floats(const struct winograd *w)
{
    return (size_t)lines_of(w, w->band_rows) * (size_t)(w->size * w->band_columns + 2) * (size_t)w->cin;
}

// Pixels of a unit's input that another core has written. All ops that can are cut by lines, from the top to
// the bottom, so that these are the lines at a band's edges, or else what all threads have written but one.
static long foreign_pixels(const struct winograd *w, long width, long pixels, int threads)
{
    return w->down >= threads ? pixels - w->size * w->band_rows * width : pixels - pixels / threads;
}

// About so many clock cycles of AVX-512 for one input channel, until all threads are ready: to load a pixel
// takes one, nine if another core has it; to transform a tile a third of its points, to multiply it by a
// panel two a point.
static long cost_of_bands(const struct winograd *w, int threads)
{
    long tiles = (long)w->band_rows * w->band_columns, parts = (tiles + PART_TILES - 1) / PART_TILES;
    long width = w->size * w->band_columns + 2, pixels = lines_of(w, w->band_rows) * width;
    long weights = w->ahead ? 0 : WEIGHTS_COST * parts;
    long unit = pixels + tiles * w->points / 3 + 2L * w->group * w->points * (tiles + weights);
    if (threads > 1)
        unit += 8 * foreign_pixels(w, width, pixels, threads);
    return parts_of(w->down * w->across * w->groups, threads) * unit;
}

// Whether bands are small enough: they have the tiles of one part, or little input. The smallest have.
static bool are_small(const struct winograd *w)
{
    return w->band_rows * w->band_columns <= PART_TILES || padded_floats(w) <= PADDED_FLOATS;
}

static void choose_bands(struct winograd *w, const struct ebb_operand *dst, int threads)
{
    int all = dst->n * w->rows;
    struct winograd best = *w;
    long least = 0;
    for (int across = 1; across <= w->columns; across *= 2)
        for (int down = 1; down <= all; down++)
            for (int groups = 1; groups <= w->panels->count && groups <= threads; groups++) {
                set_bands(w, dst, parts_of(all, down), across, groups);
                long cost = cost_of_bands(w, threads);
                if (are_small(w) && (least == 0 || cost < least)) {
                    least = cost;
                    best = *w;
                }
            }
    *w = best;
}

// Depends on the shape without the batch, as the order of sums does.
static bool is_ahead(const struct winograd *w, int channels)
{
    size_t floats = (size_t)w->points * floats_of(w, (size_t)w->cin * (size_t)channels);
    return w->rows * w->columns >= AHEAD_PARTS * PART_TILES && floats <= AHEAD_FLOATS;
}

static size_t ahead_floats(const struct winograd *w)
{
    return (size_t)(w->panels->count * w->slices) * w->weights;
}

// Sizes of the tiles, of what is done at a time, and of the scratch it needs.
static void measure(struct winograd *w, const struct ebb_operand *dst, int threads, int block)
{
    w->rows = (dst->h + w->size - 1) / w->size;
    w->columns = (dst->w + w->size - 1) / w->size;
    w->ahead = is_ahead(w, dst->c);
    w->slice = even_slice(w->cin, w->ahead ? AHEAD_SLICE : SLICE);
    w->slices = parts_of(w->cin, w->slice);
    w->weights = (size_t)w->points * (floats_of(w, (size_t)w->slice * CPU_PANEL) + APART);
    choose_bands(w, dst, threads);
    int tiles = w->band_rows * w->band_columns;
    w->part = parts_of(parts_of(tiles, parts_of(tiles, PART_TILES)), block) * block;
    w->line = (size_t)(w->size * w->band_columns + 2) * (size_t)w->cin;
    w->padded = rounded((size_t)lines_of(w, w->band_rows) * w->line);
    w->plane = rounded(floats_of(w, (size_t)at_most(w->part, tiles) * (size_t)w->cin)) + APART;
    w->transformed = (size_t)w->points * w->plane;
    w->products = (size_t)w->points * (PART_TILES * CPU_PANEL + PRODUCTS_APART);
    w->thread = w->padded + w->transformed + w->products + (w->ahead ? 0 : w->weights);
    w->scratch = (w->ahead ? ahead_floats(w) : 0) + (size_t)threads * w->thread;
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
    measure(w, dst, cpu_pool_threads(device->pool), device->kernels->tiles);
    return true;
}

// ---- a unit ----

struct unit {
    const struct winograd_job *job;
    int row, rows, column, columns; // the band's tiles
    int from, count;                // tiles of the part at hand
    float *padded, *transformed, *weights, *products;
};

static void load_unit(const struct unit *unit)
{
    const struct winograd_job *job = unit->job;
    const struct winograd *w = job->winograd;
    int first = line_of(w, unit->row), end = line_of(w, unit->row + unit->rows - 1) + w->size + 2;
    for (int line = first; line < end; line++)
        job->load(job->context, line, unit->column * w->size, unit->columns * w->size + 2,
                  unit->padded + (size_t)(line - first) * w->line);
}

static void transform_part(const struct unit *unit)
{
    const struct winograd_job *job = unit->job;
    const struct winograd *w = job->winograd;
    size_t channels = (size_t)w->cin;
    for (int i = 0; i < unit->count; i++) {
        int row = unit->row + (unit->from + i) / unit->columns, column = (unit->from + i) % unit->columns;
        const float *src = unit->padded + (size_t)(line_of(w, row) - line_of(w, unit->row)) * w->line +
                           (size_t)(column * w->size) * channels;
        float *out = unit->transformed + floats_of(w, (size_t)i * channels);
        if (w->bf16)
            (w->size == 4 ? job->bf16->winograd4_in : job->bf16->winograd2_in)(src, w->line, w->cin,
                                                                               (uint16_t *)out, 2 * w->plane);
        else
            (w->size == 4 ? job->kernels->winograd4_in : job->kernels->winograd2_in)(src, w->line, w->cin,
                                                                                     out, w->plane);
    }
}

// The outputs of one tile and one panel.
static void store_tile(const struct unit *unit, int tile, int panel, const float *products, size_t plane)
{
    const struct winograd_job *job = unit->job;
    const struct winograd *w = job->winograd;
    const struct ebb_operand *dst = job->dst_shape;
    int row = unit->row + tile / unit->columns, item = row / w->rows;
    int y = row % w->rows * w->size, x = (unit->column + tile % unit->columns) * w->size;
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

// A group of input channels at a time.
static void transform_bf16(const struct winograd_job *job, const struct cpu_winograd_weights *w)
{
    size_t width = (size_t)w->width, step = (size_t)w->cin * width, plane = 2 * w->plane;
    void (*transform)(const float *rows, size_t place, size_t width, uint16_t *out,
                      size_t plane) = job->winograd->size == 4 ? job->bf16->winograd4_weights
                                                               : job->bf16->winograd2_weights;
    bool wide = w->number == EBB_FLOAT32;
    size_t group = (size_t)job->bf16->group, rows = group * width;
    float some[9 * CPU_GROUP_MAX * CPU_PANEL];
    for (int i = 0; i < w->count; i += (int)group) {
        size_t at = (size_t)(w->first + i) * width;
        for (size_t k = 0; k < 9 && !wide; k++)
            job->kernels->weights->widen(w->number, (const uint16_t *)w->panel + k * step + at, rows,
                                         some + k * rows);
        transform(wide ? (const float *)w->panel + at : some, wide ? step : rows, width,
                  (uint16_t *)w->out + (size_t)i * width, plane);
    }
}

static int slice_channels(const struct winograd *w, int slice)
{
    return at_most(w->cin - slice * w->slice, w->slice);
}

// Floats from one point of a slice's weights to the next.
static size_t weights_plane(const struct winograd *w, int panel, int slice)
{
    size_t width = (size_t)cpu_panel_width(w->panels->channels, panel);
    return floats_of(w, (size_t)slice_channels(w, slice)) * width + APART;
}

// G g G^T of a slice of a panel: (points, channels, width).
static void transform_weights(const struct winograd_job *job, int panel, int slice, float *out)
{
    const struct winograd *w = job->winograd;
    const struct ebb_panels *held = &w->panels->held;
    size_t at = (size_t)panel * CPU_PANEL * w->panels->depth;
    struct cpu_winograd_weights weights = {
        .panel = (const char *)held->data + at * ebb_number_size(held->number),
        .number = held->number,
        .cin = w->cin,
        .width = cpu_panel_width(w->panels->channels, panel),
        .first = slice * w->slice,
        .count = slice_channels(w, slice),
        .out = out,
        .plane = weights_plane(w, panel, slice),
    };
    if (w->bf16)
        transform_bf16(job, &weights);
    else
        (w->size == 4 ? job->kernels->weights->winograd4 : job->kernels->weights->winograd2)(&weights);
}

static float *weights_ahead(const struct winograd_job *job, int panel, int slice)
{
    return job->scratch + (size_t)(panel * job->winograd->slices + slice) * job->winograd->weights;
}

static void transform_ahead(void *context, int unit, int thread)
{
    const struct winograd_job *job = context;
    int panel = unit / job->winograd->slices, slice = unit % job->winograd->slices;
    transform_weights(job, panel, slice, weights_ahead(job, panel, slice));
}

// The weights of a slice of a panel, transformed now or before.
static const float *weights_of(const struct unit *unit, int panel, int slice)
{
    if (unit->job->winograd->ahead)
        return weights_ahead(unit->job, panel, slice);
    transform_weights(unit->job, panel, slice, unit->weights);
    return unit->weights;
}

// ---- products ----

// Floats from one point of a part's products to the next.
static size_t products_plane(const struct unit *unit, int panel)
{
    return (size_t)unit->count * (size_t)cpu_panel_width(unit->job->dst_shape->c, panel) + PRODUCTS_APART;
}

// Products of the part with one panel: a slice of the input channels after another.
static void multiply_panel(const struct unit *unit, int panel)
{
    const struct winograd_job *job = unit->job;
    const struct winograd *w = job->winograd;
    int width = cpu_panel_width(job->dst_shape->c, panel);
    size_t cin = floats_of(w, (size_t)w->cin);
    for (int slice = 0; slice < w->slices; slice++) {
        struct cpu_row row = {
            .a = unit->transformed + floats_of(w, (size_t)(slice * w->slice)),
            .step = cin,
            .runs = 1,
            .run = (int)floats_of(w, (size_t)slice_channels(w, slice)),
            .pixels = unit->count,
            .panel = weights_of(unit, panel, slice),
            .width = width,
            .columns = width,
            .out = unit->products,
            .out_step = (size_t)width,
            .scale = 1,
        };
        for (int point = 0; point < w->points; point++) {
            row.residual = slice > 0 ? row.out : NULL; // the sum of the slices before
            (w->bf16 ? job->bf16->row : job->kernels->row)(&row);
            row.a += w->plane;
            row.panel += weights_plane(w, panel, slice);
            row.out += products_plane(unit, panel);
        }
    }
}

static void store_panel(const struct unit *unit, int panel)
{
    size_t width = (size_t)cpu_panel_width(unit->job->dst_shape->c, panel);
    for (int i = 0; i < unit->count; i++)
        store_tile(unit, unit->from + i, panel, unit->products + (size_t)i * width,
                   products_plane(unit, panel));
}

static struct unit unit_of(const struct winograd_job *job, int band, int thread)
{
    const struct winograd *w = job->winograd;
    struct unit unit = {
        .job = job,
        .row = band / w->across * w->band_rows,
        .column = band % w->across * w->band_columns,
        .padded = job->scratch + (w->ahead ? ahead_floats(w) : 0) + (size_t)thread * w->thread,
    };
    unit.rows = at_most(job->dst_shape->n * w->rows - unit.row, w->band_rows);
    unit.columns = at_most(w->columns - unit.column, w->band_columns);
    unit.transformed = unit.padded + w->padded;
    unit.products = unit.transformed + w->transformed;
    unit.weights = unit.products + w->products;
    return unit;
}

// One band and one group of panels.
static void convolve(void *context, int index, int thread)
{
    const struct winograd_job *job = context;
    const struct winograd *w = job->winograd;
    struct unit unit = unit_of(job, index / w->groups, thread);
    int first = index % w->groups * w->group, end = at_most(first + w->group, w->panels->count);
    load_unit(&unit);
    for (; unit.from < unit.rows * unit.columns; unit.from += unit.count) {
        unit.count = at_most(unit.rows * unit.columns - unit.from, w->part);
        transform_part(&unit);
        for (int panel = first; panel < end; panel++) {
            multiply_panel(&unit, panel);
            store_panel(&unit, panel);
        }
    }
}

void winograd_run(const struct winograd_job *job)
{
    const struct winograd *w = job->winograd;
    if (w->ahead)
        cpu_pool_run(job->pool, w->panels->count * w->slices, transform_ahead, (void *)job);
    cpu_pool_run(job->pool, w->down * w->across * w->groups, convolve, (void *)job);
}
