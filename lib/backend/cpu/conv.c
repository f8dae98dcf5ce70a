// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution as sums of products straight from the padded, activated input: no im2col. In a padded NHWC row
// the kw * cin values under one kernel row lie side by side, so a pixel is kh runs of kw * cin floats.
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/winograd.h"
#include "base/base.h"

enum {
    FLAT_PIXELS = 32,        // pixels of one unit of a 1x1 convolution in float32
    LONG_LINE = 64,          // lines of fewer pixels are joined, where that is worth it
    ROW_16_PIXELS = 512,     // for at most so many, weights are not made float32 before
    HOLD_PIXELS = 2048,      // at most so many are multiplied faster than their weights are rounded
    SLICE = 256,             // rows of a panel that one unit rounds
    ROUND_ROWS = 32,         // rows that it makes float32 at a time
    GROUP_NUMBERS = 1 << 19, // weights that are made float32 at a time, about
    NEAR_NUMBERS = 1 << 18,  // weights that stay in a core's cache while all pixels pass by
    BAND_FLOATS = 1 << 19,   // input that is loaded at a time, about
};

// Weights rounded ahead: panels of pairs.
struct pair_panels {
    struct ebb_packed packed;
    float *data;
};

struct cpu_conv {
    const struct cpu_panels *panels;      // NULL: Winograd
    const struct pair_panels *held;       // rounded ahead; NULL: at each evaluation
    const struct cpu_bf16_kernels *tiles; // whose row() takes many pixels; NULL: none
    int group;                            // panels at a time
    size_t widened;                       // floats of them in scratch; 0: they are float32 already
    bool as_held;                         // row() reads the weights as they are held, in 16 bits
    bool bf16;                            // input and weights are pairs, which take the place of one float
    size_t paired, line; // floats in scratch: weights as pairs; a thread's line before it is rounded
    bool rows_first;     // all panels of a row, then the next row
    int unit_panels;     // a unit loads its row and multiplies by so many panels; 0: rows are loaded before
    struct winograd winograd;
    bool flat;               // 1x1, stride 1: a row is `pixels` pixels, wherever they are
    bool direct;             // flat and nothing to do in the load: reads its source where it is
    int items, lines, width; // output; flat and without a vector: all items are one
    int pixels, joined;      // of a row: flat, pixels; otherwise, lines
    int padded_h, padded_w;  // input with its zeros, per item; flat: lines and width
    int band;                // lines of the output at a time, of one item; `items * lines`: everything
    size_t input;            // floats in scratch: the input of a band, or of all threads' rows
};

struct conv_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    const struct cpu_conv *conv;
    struct cpu_source source;
    float *padded, *add; // add: (items, channels rounded up to 16): bias and vector
    float *dst;
    const float *residual;
    // The band at hand: its output's lines over all items, and the first line of its input.
    int line, lines, padded_line;
    // The weights at hand: those of panels [first, first + panels).
    const float *weights;
    int first, panels;
};

static size_t add_step(const struct ebb_operand *dst)
{
    return (size_t)(dst->c + 15) / 16 * 16;
}

static bool whole(const struct cpu_conv *conv)
{
    return conv->band == conv->items * conv->lines;
}

// Lines of input for `lines` lines of output of one item.
static int input_lines(const struct cpu_conv *conv, const struct ebb_op *o, int lines)
{
    return conv->flat ? lines : (lines - 1) * o->stride + o->weight->kh;
}

// Numbers to floats: two that are rounded take the place of one.
static size_t floats_of(const struct cpu_conv *conv, size_t numbers)
{
    return conv->bf16 ? numbers / 2 : numbers;
}

static size_t line_floats(const struct cpu_conv *conv, const struct ebb_op *o)
{
    return floats_of(conv, (size_t)conv->padded_w * (size_t)o->weight->cin);
}

// Sizes of input and output, and how much is taken at a time: everything where that is little.
static void prepare_lines(struct cpu_conv *conv, const struct ebb_op *o, const struct ebb_operand *dst)
{
    bool one_item = conv->flat && o->vector < 0;
    conv->items = one_item ? 1 : dst->n;
    conv->lines = one_item ? dst->n * dst->h : dst->h;
    conv->width = dst->w;
    conv->padded_h = conv->flat ? conv->lines : (dst->h - 1) * o->stride + o->weight->kh;
    conv->padded_w = conv->flat ? conv->width : (dst->w - 1) * o->stride + o->weight->kw;

    size_t line = line_floats(conv, o), all = (size_t)conv->items * (size_t)conv->padded_h * line;
    int fit = (int)(BAND_FLOATS / (line * (size_t)o->stride));
    bool parts = all > BAND_FLOATS && !conv->direct && conv->group == conv->panels->count;
    conv->band = !parts ? conv->items * conv->lines : fit < 1 ? 1 : fit < conv->lines ? fit : conv->lines;
    conv->input = conv->direct ? 0 : whole(conv) ? all : (size_t)input_lines(conv, o, conv->band) * line;
}

// How many panels are taken at a time.
static void prepare_panels(struct cpu_conv *conv)
{
    const struct cpu_panels *panels = conv->panels;
    size_t one = panels->depth * CPU_PANEL;
    int group = (int)(GROUP_NUMBERS / one) > 1 ? (int)(GROUP_NUMBERS / one) : 1;
    bool ready = conv->bf16 ? conv->held != NULL : panels->data || conv->as_held;
    conv->group = ready || group > panels->count ? panels->count : group;
    conv->widened = ready || conv->bf16 ? 0 : (size_t)conv->group * one;
    conv->paired = conv->bf16 && !ready ? (size_t)conv->group * one / 2 : 0;
}

// Whether the weights of a group stay in a core's cache while all pixels pass by. Where row() is fast, what
// counts is which of the two passes by more often.
static bool rows_first(const struct cpu_conv *conv)
{
    size_t weights = (size_t)conv->group * conv->panels->depth * CPU_PANEL;
    return conv->tiles ? weights <= 2 * NEAR_NUMBERS && weights < 2 * conv->input : weights <= NEAR_NUMBERS;
}

// Lines that are joined to one row. Between two of them lie positions that are computed in vain.
static int lines_of_row(const struct cpu_conv *conv, int stride)
{
    if (!conv->tiles || conv->flat || stride != 1 || conv->width >= LONG_LINE)
        return 1;
    int fit = conv->tiles->direct_pixels / conv->padded_w, lines = conv->lines;
    int rows = fit < 1 ? lines : (lines + fit - 1) / fit;
    return (lines + rows - 1) / rows;
}

// Whether lines are rounded as they are loaded; otherwise by a thread's line in float32.
static bool narrow_load(const struct ebb_op *o)
{
    return o->act == EBB_ACT_NONE || o->act == EBB_ACT_SILU;
}

// Floats of the row of a unit that loads it.
static size_t unit_floats(const struct cpu_conv *conv, const struct ebb_op *o)
{
    return ((size_t)conv->pixels * (size_t)o->weight->cin + 15) / 16 * 16;
}

// Panels of a unit that loads its row itself, so that no core reads what another one has just written: those
// that stay in a core's cache, fewer where threads would have nothing to do. 0: not that way. A result that
// may lie over the source is not written before all have read it.
static int panels_of_unit(const struct cpu_conv *conv, const struct cpu_op *op, int threads)
{
    if (!conv->flat || conv->direct || conv->bf16 || conv->widened)
        return 0;
    int all = conv->panels->count, near = (int)(NEAR_NUMBERS / (conv->panels->depth * CPU_PANEL));
    int rows = conv->items * ((conv->lines * conv->width + conv->pixels - 1) / conv->pixels);
    int groups = near < 1 ? all : (all + near - 1) / near;
    while (groups < all && rows * groups < 4 * threads && rows * groups % threads != 0)
        groups++;
    return groups > 1 && op->src[1] ? 0 : (all + groups - 1) / groups;
}

static void prepare_direct(struct cpu_conv *conv, const struct cpu_device *device, const struct cpu_op *op)
{
    const struct ebb_op *o = op->op;
    conv->flat = o->weight->kh == 1 && o->weight->kw == 1 && o->stride == 1;
    conv->direct = conv->flat && op->src[1] == NULL && o->affine < 0 && o->act == EBB_ACT_NONE &&
                   !o->upsample && !conv->bf16;
    conv->as_held = !conv->bf16 && !conv->panels->data && device->kernels->row_16 &&
                    (size_t)op->dst->n * cpu_pixels(op->dst) <= ROW_16_PIXELS;
    prepare_panels(conv);
    prepare_lines(conv, o, op->dst);
    conv->pixels = conv->tiles ? conv->tiles->direct_pixels : FLAT_PIXELS;
    conv->joined = lines_of_row(conv, o->stride);
    conv->rows_first = rows_first(conv);
    conv->unit_panels = panels_of_unit(conv, op, cpu_pool_threads(device->pool));
    if (conv->unit_panels) {
        conv->band = conv->items * conv->lines;
        conv->input = unit_floats(conv, o) * (size_t)cpu_pool_threads(device->pool);
    }
    if (conv->bf16 && !narrow_load(o))
        conv->line = (2 * line_floats(conv, o) + 15) / 16 * 16 * (size_t)cpu_pool_threads(device->pool);
}

static void prepare_winograd(struct cpu_conv *conv, const struct cpu_op *op)
{
    const struct winograd *w = &conv->winograd;
    conv->items = op->dst->n;
    conv->padded_h = w->size * w->rows + 2;
}

// Few channels are not worth it, and not every number makes whole groups.
static bool may_round(const struct cpu_device *device, const struct cpu_op *op)
{
    return op->bf16 && op->op->weight->cin % device->bf16->group == 0 && op->op->weight->cin >= 16;
}

static bool in_bf16(const struct cpu_device *device, const struct cpu_op *op)
{
    return may_round(device, op) && (op->op->weight->cout >= 16 || device->bf16->direct_pixels);
}

// NULL: Winograd's method is faster where it can be used.
static const struct cpu_bf16_kernels *tiles_of(const struct cpu_device *device, const struct cpu_op *op)
{
    return may_round(device, op) && device->bf16->direct_pixels ? device->bf16 : NULL;
}

size_t cpu_conv_worth(const struct cpu_device *device, const struct cpu_op *op)
{
    const struct ebb_weight *weight = op->op->weight;
    if (op->op->kind != EBB_OP_CONV || !tiles_of(device, op))
        return 0;
    bool worth = (size_t)op->dst->n * cpu_pixels(op->dst) <= HOLD_PIXELS;
    size_t depth = (size_t)weight->kh * (size_t)weight->kw * (size_t)weight->cin;
    return worth ? cpu_panels_floats(depth, weight->cout) / 2 : 0;
}

// ---- weights as pairs ----

struct pair_job {
    const struct cpu_kernels *kernels;
    const struct cpu_bf16_kernels *bf16;
    const struct cpu_panels *panels;
    int first, slices; // the panel at `out`; units of a panel
    float *out;
};

// Some rows of a panel, a few at a time, so that they stay near while they are rounded.
static void pair_slice(void *context, int unit, int thread)
{
    const struct pair_job *job = context;
    const struct ebb_panels *held = &job->panels->held;
    int panel = unit / job->slices;
    size_t width = (size_t)cpu_panel_width(job->panels->channels, job->first + panel);
    size_t depth = job->panels->depth, from = (size_t)(unit % job->slices) * SLICE;
    size_t end = depth - from < SLICE ? depth : from + SLICE;
    size_t at = (size_t)(job->first + panel) * CPU_PANEL * depth, to = (size_t)panel * CPU_PANEL * depth;
    float wide[ROUND_ROWS * CPU_PANEL];
    for (size_t k = from, rows; k < end; k += rows) {
        rows = end - k < ROUND_ROWS ? end - k : ROUND_ROWS;
        const void *src = (const char *)held->data + (at + k * width) * ebb_number_size(held->number);
        if (held->number != EBB_FLOAT32)
            job->kernels->weights->widen(held->number, src, rows * width, wide);
        job->bf16->groups(held->number != EBB_FLOAT32 ? wide : src, width, rows,
                          (uint16_t *)(job->out + (to + k * width) / 2));
    }
}

// Panels [job->first, job->first + count) to job->out.
static void pair_panels(struct pair_job *job, struct cpu_pool *pool, int count)
{
    job->slices = (int)((job->panels->depth + SLICE - 1) / SLICE);
    cpu_pool_run(pool, count * job->slices, pair_slice, job);
}

struct conv_hold_job {
    const struct cpu_device *device;
    const struct cpu_panels *panels;
};

static void pair_panels_destroy(struct ebb_packed *packed)
{
    free(((struct pair_panels *)packed)->data);
    free(packed);
}

static struct ebb_packed *pair_panels_make(const struct ebb_weight *weight, void *context)
{
    const struct conv_hold_job *job = context;
    struct pair_panels *held = ebb_alloc(1, sizeof(*held));
    if (held)
        held->data = ebb_pages_alloc(cpu_panels_floats(job->panels->depth, weight->cout), sizeof(uint16_t));
    if (!held || !held->data) {
        free(held);
        return NULL;
    }
    held->packed.destroy = pair_panels_destroy;
    pair_panels(&(struct pair_job){.kernels = job->device->kernels,
                                   .bf16 = job->device->bf16,
                                   .panels = job->panels,
                                   .out = held->data},
                job->device->pool, job->panels->count);
    return &held->packed;
}

// Panels, and their pairs if they are held. False: no memory.
static bool pack_direct(struct cpu_conv *conv, const struct cpu_device *device, const struct cpu_op *op)
{
    static const char owner;
    struct ebb_weight *weight = op->op->weight;
    conv->panels = cpu_panels_get(weight);
    conv->bf16 = in_bf16(device, op);
    conv->tiles = tiles_of(device, op);
    if (conv->panels && conv->tiles && op->hold) {
        struct conv_hold_job job = {device, conv->panels};
        conv->held = (const struct pair_panels *)ebb_packed_get(weight, &owner, 0, pair_panels_make, &job);
        return conv->held != NULL;
    }
    return conv->panels != NULL;
}

// A 1x1 convolution of two sources loads a band of pixels before it writes the same pixels.
bool cpu_conv_in_place(const struct ebb_operand *operands, const struct ebb_op *op)
{
    const struct ebb_operand *dst = &operands[op->dst], *src = &operands[op->src[0]];
    return op->kind == EBB_OP_CONV && op->weight->kh == 1 && op->weight->kw == 1 && op->stride == 1 &&
           op->src[1] >= 0 && !op->upsample && src->c == dst->c && src->h == dst->h && src->w == dst->w;
}

static enum ebb_result conv_prepare(const struct cpu_device *device, struct cpu_op *op,
                                    struct ebb_error *error)
{
    const struct ebb_op *o = op->op;
    const struct ebb_operand *dst = op->dst;
    int winograd = tiles_of(device, op) ? 0 : winograd_size(o->weight, dst, o->stride, o->pad);
    bool packed = false;
    struct cpu_conv *conv = ebb_alloc(1, sizeof(*conv));
    op->conv = conv;
    if (conv && winograd) // whose input is rounded after its transformation
        packed = winograd_prepare(device, &conv->winograd, winograd, o->weight, dst, in_bf16(device, op));
    else if (conv)
        packed = pack_direct(conv, device, op);
    if (!packed)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory to pack %s",
                        o->weight->name ? o->weight->name : "a weight");

    if (winograd)
        prepare_winograd(conv, op);
    else
        prepare_direct(conv, device, op);
    conv->input = (conv->input + 15) / 16 * 16;
    op->scratch = add_step(dst) * (size_t)conv->items + conv->input +
                  (winograd ? conv->winograd.scratch : conv->widened + conv->paired + conv->line);
    return EBB_OK;
}

static void conv_release(struct cpu_op *op)
{
    free((void *)op->conv);
}

// bias + vector for each item.
static void fill_add(const struct conv_job *job)
{
    const struct ebb_op *o = job->op->op;
    const float *vector = ebb_host_operand(&job->run->host, o->vector);
    int channels = job->op->dst->c;
    for (int n = 0; n < job->conv->items; n++)
        for (int c = 0; c < channels; c++)
            job->add[(size_t)n * add_step(job->op->dst) + (size_t)c] = (o->bias ? o->bias->data[c] : 0) +
                                                                       (vector ? vector[n * channels + c]
                                                                               : 0);
}

// Loads row y of item n to line `unit` of the band, from channel `at` on.
static void load_line(const struct conv_job *job, int unit, int thread, int n, int y, size_t at)
{
    const struct cpu_conv *conv = job->conv;
    const struct cpu_run *run = job->run;
    size_t line = line_floats(conv, job->op->op), numbers = (size_t)job->source.w << job->source.shift;
    float *to = job->padded + (size_t)unit * line;
    numbers *= (size_t)job->source.channels;
    if (!conv->bf16) {
        cpu_source_row(run->kernels, &job->source, n, y, to + at);
    } else if (narrow_load(job->op->op)) {
        cpu_source_row_narrow(run->bf16, &job->source, n, y, (uint16_t *)to + at);
    } else {
        float *wide = job->padded + conv->input + conv->widened + conv->paired +
                      (size_t)thread * (conv->line / (size_t)cpu_pool_threads(run->pool));
        cpu_source_row(run->kernels, &job->source, n, y, wide);
        run->bf16->narrow(wide, numbers, (uint16_t *)to + at);
    }
}

// Zeros from number `from` to `to` of line `unit` of the band.
static void clear_line(const struct conv_job *job, int unit, size_t from, size_t to)
{
    size_t size = job->conv->bf16 ? sizeof(uint16_t) : sizeof(float);
    float *line = job->padded + (size_t)unit * line_floats(job->conv, job->op->op);
    memset((char *)line + from * size, 0, (to - from) * size);
}

// One line of the padded input: zeros around the loaded line.
static void pad_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_conv *conv = job->conv;
    const struct cpu_source *s = &job->source;
    int line = job->padded_line + unit, pad = job->op->op->pad;
    int n = line / conv->padded_h, y = line % conv->padded_h - pad, height = s->h << s->shift;
    int width = s->w << s->shift;
    size_t c = (size_t)s->channels, left = (size_t)pad * c, right = (size_t)(pad + width) * c;
    size_t all = (size_t)conv->padded_w * c;

    if (y < 0 || y >= height) {
        clear_line(job, unit, 0, all);
    } else {
        clear_line(job, unit, 0, left);
        load_line(job, unit, thread, n, y, left);
        if (right < all)
            clear_line(job, unit, right, all);
    }
}

// One line of a source that needs no zeros.
static void flat_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    int line = job->padded_line + unit, height = job->source.h << job->source.shift;
    load_line(job, unit, thread, line / height, line % height, 0);
}

// A row of pixels, and where its input begins. Where lines are joined, the positions between them count.
struct pixel_row {
    int item, pixels;
    size_t pixel; // of the output, over all items
    const float *a;
};

// Lines of one item in the band, as joined rows.
static int joined_rows(const struct conv_job *job)
{
    int lines = whole(job->conv) ? job->conv->lines : job->lines;
    return (lines + job->conv->joined - 1) / job->conv->joined;
}

static struct pixel_row line_place(const struct conv_job *job, int row)
{
    const struct cpu_conv *conv = job->conv;
    int rows = joined_rows(job), from = row % rows * conv->joined;
    int line = job->line + row / rows * conv->lines + from, item = line / conv->lines, y = line % conv->lines;
    int left = (whole(conv) ? conv->lines : job->lines) - from;
    int padded = item * conv->padded_h + y * job->op->op->stride - job->padded_line;
    int pixels = ((conv->joined < left ? conv->joined : left) - 1) * conv->padded_w + conv->width;
    return (struct pixel_row){item, pixels, (size_t)line * (size_t)conv->width,
                              job->padded + (size_t)padded * line_floats(conv, job->op->op)};
}

static int flat_pixels(const struct conv_job *job) // of one item in the band
{
    return (whole(job->conv) ? job->conv->lines : job->lines) * job->conv->width;
}

static int flat_rows(const struct conv_job *job)
{
    return (flat_pixels(job) + job->conv->pixels - 1) / job->conv->pixels;
}

static struct pixel_row flat_place(const struct conv_job *job, int row)
{
    int pixels = flat_pixels(job), rows = flat_rows(job), n = row / rows,
        from = row % rows * job->conv->pixels;
    size_t cin = (size_t)job->op->op->weight->cin, at = (size_t)n * (size_t)pixels + (size_t)from;
    size_t pixel = (size_t)job->line * (size_t)job->conv->width + at;
    return (struct pixel_row){job->line / job->conv->lines + n,
                              pixels - from < job->conv->pixels ? pixels - from : job->conv->pixels, pixel,
                              job->conv->direct ? job->source.src[0] + pixel * cin
                                                : job->padded + floats_of(job->conv, at * cin)};
}

static int rows_of(const struct conv_job *job)
{
    int items = whole(job->conv) ? job->conv->items : 1;
    return items * (job->conv->flat ? flat_rows(job) : joined_rows(job));
}

static void multiply_row(const struct conv_job *job, const struct pixel_row *place, int panel)
{
    const struct cpu_conv *conv = job->conv;
    const struct ebb_op *o = job->op->op;
    size_t channels = (size_t)job->op->dst->c, first = (size_t)panel * CPU_PANEL;
    size_t numbers = (size_t)(panel - job->first) * CPU_PANEL * conv->panels->depth;
    int width = cpu_panel_width((int)channels, panel), rest = (int)(channels - first);
    struct cpu_row row = {
        .a = place->a,
        .step = floats_of(conv, (size_t)o->weight->cin) * (size_t)o->stride,
        .run_step = line_floats(conv, o),
        .runs = o->weight->kh,
        .run = o->weight->kw * (int)floats_of(conv, (size_t)o->weight->cin),
        .pixels = place->pixels,
        .panel = job->weights + (conv->bf16 || conv->as_held ? numbers / 2 : numbers),
        .number = conv->as_held ? conv->panels->held.number : EBB_FLOAT32,
        .width = width,
        .columns = rest < width ? rest : width,
        .out = job->dst + place->pixel * channels + first,
        .out_step = channels,
        .add = job->add + (size_t)place->item * add_step(job->op->dst) + first,
        .residual = job->residual ? job->residual + place->pixel * channels + first : NULL,
        .scale = o->scale,
        .line = conv->joined > 1 ? conv->width : 0,
        .pitch = conv->padded_w,
    };
    const struct cpu_kernels *kernels = job->run->kernels;
    (conv->bf16 ? job->run->bf16->row : conv->as_held ? kernels->row_16 : kernels->row)(&row);
}

// One panel of one row.
static void conv_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_conv *conv = job->conv;
    int rows = rows_of(job), row = conv->rows_first ? unit / job->panels : unit % rows;
    int panel = job->first + (conv->rows_first ? unit % job->panels : unit / rows);
    struct pixel_row place = conv->flat ? flat_place(job, row) : line_place(job, row);
    multiply_row(job, &place, panel);
}

// The pixels of a row to `to`.
static void load_pixels(const struct conv_job *job, const struct pixel_row *place, float *to)
{
    const struct cpu_source *s = &job->source;
    int width = s->w << s->shift, height = s->h << s->shift, count;
    for (int i = 0; i < place->pixels; i += count) {
        int pixel = (int)place->pixel + i, line = pixel / width, x = pixel % width;
        count = place->pixels - i < width - x ? place->pixels - i : width - x;
        cpu_source_part(job->run->kernels, s, line / height, line % height, x, count,
                        to + (size_t)i * (size_t)s->channels);
    }
}

// Some panels of one row, which is loaded first.
static void load_and_multiply(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_conv *conv = job->conv;
    int rows = rows_of(job), first = unit / rows * conv->unit_panels, end = first + conv->unit_panels;
    struct pixel_row place = flat_place(job, unit % rows);
    float *pixels = job->padded + (size_t)thread * unit_floats(conv, job->op->op);
    load_pixels(job, &place, pixels);
    place.a = pixels;
    for (int panel = first; panel < end && panel < conv->panels->count; panel++)
        multiply_row(job, &place, panel);
}

static void load_band(struct conv_job *job)
{
    const struct cpu_conv *conv = job->conv;
    int item = job->line / conv->lines, y = job->line % conv->lines;
    int lines = whole(conv) ? conv->items * conv->padded_h : input_lines(conv, job->op->op, job->lines);
    job->padded_line = item * conv->padded_h + y * job->op->op->stride;
    if (!conv->direct && !conv->unit_panels)
        cpu_pool_run(job->run->pool, lines, conv->flat ? flat_row : pad_row, job);
}

static void load_weights(struct conv_job *job)
{
    const struct cpu_conv *conv = job->conv;
    const struct cpu_run *run = job->run;
    float *scratch = job->padded + conv->input;
    job->weights = conv->held ? conv->held->data : conv->as_held ? conv->panels->held.data : scratch;
    if (!conv->bf16 && !conv->as_held)
        job->weights = cpu_panels_load(conv->panels, job->first, job->panels, run->kernels, run->pool,
                                       scratch);
    else if (conv->bf16 && !conv->held)
        pair_panels(&(struct pair_job){.kernels = run->kernels,
                                       .bf16 = run->bf16,
                                       .panels = conv->panels,
                                       .first = job->first,
                                       .out = scratch},
                    run->pool, job->panels);
}

// Where all weights are one group, they are made float32 once for all bands; otherwise there is one band.
static void conv_direct(struct conv_job *job)
{
    const struct cpu_conv *conv = job->conv;
    const struct cpu_run *run = job->run;
    for (job->line = 0; job->line < conv->items * conv->lines; job->line += job->lines) {
        int left = conv->lines - job->line % conv->lines;
        job->lines = whole(conv) || conv->band < left ? conv->band : left;
        load_band(job);
        for (job->first = 0; job->first < conv->panels->count; job->first += conv->group) {
            int rest = conv->panels->count - job->first;
            job->panels = rest < conv->group ? rest : conv->group;
            if (job->line == 0 || conv->group < conv->panels->count)
                load_weights(job);
            if (conv->unit_panels)
                cpu_pool_run(run->pool,
                             rows_of(job) * ((job->panels + conv->unit_panels - 1) / conv->unit_panels),
                             load_and_multiply, job);
            else
                cpu_pool_run(run->pool, job->panels * rows_of(job), conv_row, job);
        }
    }
}

// Pixels [first, first + count) of one line of Winograd's padded input.
static void load_padded(const void *context, int line, int first, int count, float *to)
{
    const struct conv_job *job = context;
    const struct cpu_source *s = &job->source;
    int pad = job->op->op->pad, n = line / job->conv->padded_h, y = line % job->conv->padded_h - pad;
    int left = first < pad ? pad - first : 0, width = s->w << s->shift;
    int end = first + count < pad + width ? count : pad + width - first;
    size_t c = (size_t)s->channels;
    if (y < 0 || y >= s->h << s->shift || end <= left) {
        memset(to, 0, (size_t)count * c * sizeof(*to));
        return;
    }
    memset(to, 0, (size_t)left * c * sizeof(*to));
    cpu_source_part(job->run->kernels, s, n, y, first + left - pad, end - left, to + (size_t)left * c);
    memset(to + (size_t)end * c, 0, (size_t)(count - end) * c * sizeof(*to));
}

static void conv_winograd(struct conv_job *job)
{
    winograd_run(&(struct winograd_job){
        .winograd = &job->conv->winograd,
        .kernels = job->run->kernels,
        .bf16 = job->run->bf16,
        .pool = job->run->pool,
        .dst_shape = job->op->dst,
        .load = load_padded,
        .context = job,
        .add = job->add,
        .add_step = add_step(job->op->dst),
        .residual = job->residual,
        .dst = job->dst,
        .scratch = job->padded,
        .scale = job->op->op->scale,
    });
}

static void conv_run(const struct cpu_run *run, const struct cpu_op *op)
{
    const struct cpu_conv *conv = op->conv;
    struct conv_job job = {
        .run = run,
        .op = op,
        .conv = conv,
        .source = cpu_source_of(run, op),
        .add = run->scratch,
        .padded = run->scratch + add_step(op->dst) * (size_t)conv->items,
        .dst = ebb_host_operand(&run->host, op->op->dst),
        .residual = ebb_host_operand(&run->host, op->op->residual),
    };
    fill_add(&job);
    (conv->panels ? conv_direct : conv_winograd)(&job);
}

const struct cpu_kernel cpu_conv = {conv_prepare, conv_run, conv_release};
