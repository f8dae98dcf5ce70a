// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolution as sums of products straight from the padded, activated input: no im2col. In a padded NHWC row
// the kw * cin values under one kernel row lie side by side, so a pixel is kh runs of kw * cin floats.
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/winograd.h"
#include "base/base.h"

enum {
    FLAT_PIXELS = 32,        // pixels of one unit of a 1x1 convolution
    GROUP_NUMBERS = 1 << 19, // weights that are made float32 at a time, about
    NEAR_NUMBERS = 1 << 18,  // weights that stay in a core's cache while all pixels pass by
    BAND_FLOATS = 1 << 19,   // input that is loaded at a time, about
};

struct cpu_conv {
    const struct cpu_panels *panels; // NULL: Winograd
    int group;                       // panels at a time
    size_t widened;                  // floats of them in scratch; 0: they are float32 already
    bool bf16;                       // input and weights are pairs, which take the place of one float
    size_t paired, line; // floats in scratch: weights as pairs; a thread's line before it is rounded
    bool rows_first;     // all panels of a row, then the next row
    struct winograd winograd;
    bool flat;               // 1x1, stride 1: a row is FLAT_PIXELS pixels, wherever they are
    bool direct;             // flat and nothing to do in the load: reads its source where it is
    int items, lines, width; // output; flat and without a vector: all items are one
    int padded_h, padded_w;  // input with its zeros, per item; flat: lines and width
    int band;                // lines of the output at a time, of one item; `items * lines`: everything
    size_t input;            // floats of the input of a band, in scratch
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

// How many panels are taken at a time, and in which order their units.
static void prepare_panels(struct cpu_conv *conv)
{
    const struct cpu_panels *panels = conv->panels;
    size_t one = panels->depth * CPU_PANEL;
    int group = (int)(GROUP_NUMBERS / one) > 1 ? (int)(GROUP_NUMBERS / one) : 1;
    conv->group = (panels->data && !conv->bf16) || group > panels->count ? panels->count : group;
    conv->widened = panels->data ? 0 : (size_t)conv->group * one;
    conv->paired = conv->bf16 ? (size_t)conv->group * one / 2 : 0;
    conv->rows_first = (size_t)conv->group * one <= NEAR_NUMBERS;
}

static void prepare_direct(struct cpu_conv *conv, const struct cpu_device *device, const struct cpu_op *op)
{
    const struct ebb_op *o = op->op;
    conv->flat = o->weight->kh == 1 && o->weight->kw == 1 && o->stride == 1;
    conv->direct = conv->flat && op->src[1] == NULL && o->affine < 0 && o->act == EBB_ACT_NONE &&
                   !o->upsample && !conv->bf16;
    prepare_panels(conv);
    prepare_lines(conv, o, op->dst);
    if (conv->bf16)
        conv->line = (2 * line_floats(conv, o) + 15) / 16 * 16 * (size_t)cpu_pool_threads(device->pool);
}

static void prepare_winograd(struct cpu_conv *conv, const struct cpu_device *device, const struct cpu_op *op)
{
    const struct winograd *w = &conv->winograd;
    conv->items = op->dst->n;
    conv->padded_h = w->size * w->rows + 2;
    conv->padded_w = w->size * w->columns + 2;
    conv->input = (size_t)w->padded_lines * line_floats(conv, op->op);
}

// Few channels are not worth it, and an odd number makes no pairs.
static bool in_bf16(const struct cpu_op *op)
{
    return op->bf16 && op->op->weight->cin % 2 == 0 && op->op->weight->cin >= 16 &&
           op->op->weight->cout >= 16;
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
    int winograd = winograd_size(o->weight, dst, o->stride, o->pad);
    bool packed = false;
    struct cpu_conv *conv = ebb_alloc(1, sizeof(*conv));
    op->conv = conv;
    if (conv && winograd)
        packed = winograd_prepare(device, &conv->winograd, winograd, o->weight, dst, op->hold, in_bf16(op));
    else if (conv)
        packed = (conv->panels = cpu_panels_get(o->weight)) != NULL;
    if (!packed)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory to pack %s",
                        o->weight->name ? o->weight->name : "a weight");

    conv->bf16 = !winograd && in_bf16(op); // Winograd's input is rounded after its transformation
    (winograd ? prepare_winograd : prepare_direct)(conv, device, op);
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

// Where a thread loads line `unit` of the band: to its place, or where it is rounded from.
static float *line_begin(const struct conv_job *job, int unit, int thread)
{
    const struct cpu_conv *conv = job->conv;
    size_t line = line_floats(conv, job->op->op), threads = (size_t)cpu_pool_threads(job->run->pool);
    return conv->bf16 ? job->padded + conv->input + conv->widened + conv->paired +
                            (size_t)thread * (conv->line / threads)
                      : job->padded + (size_t)unit * line;
}

static void line_end(const struct conv_job *job, int unit, const float *line)
{
    size_t floats = line_floats(job->conv, job->op->op);
    if (job->conv->bf16)
        job->run->bf16->narrow(line, 2 * floats, (uint16_t *)(job->padded + (size_t)unit * floats));
}

// One line of the padded input: zeros around the loaded line.
static void pad_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_conv *conv = job->conv;
    const struct cpu_source *s = &job->source;
    int line = job->padded_line + unit, pad = job->op->op->pad;
    int n = line / conv->padded_h, y = line % conv->padded_h - pad, height = s->h << s->shift;
    int width = s->w << s->shift, right = conv->padded_w - pad - width;
    size_t c = (size_t)s->channels;
    float *row = line_begin(job, unit, thread);

    if (y < 0 || y >= height) {
        memset(row, 0, (size_t)conv->padded_w * c * sizeof(*row));
    } else {
        memset(row, 0, (size_t)pad * c * sizeof(*row));
        cpu_source_row(job->run->kernels, s, n, y, row + (size_t)pad * c);
        if (right > 0)
            memset(row + (size_t)(pad + width) * c, 0, (size_t)right * c * sizeof(*row));
    }
    line_end(job, unit, row);
}

// One line of a source that needs no zeros.
static void flat_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_source *s = &job->source;
    int line = job->padded_line + unit, height = s->h << s->shift;
    float *row = line_begin(job, unit, thread);
    cpu_source_row(job->run->kernels, s, line / height, line % height, row);
    line_end(job, unit, row);
}

// A row of pixels, and where its input begins.
struct place {
    int item, pixels;
    size_t pixel; // of the output, over all items
    const float *a;
};

static struct place line_place(const struct conv_job *job, int row)
{
    const struct cpu_conv *conv = job->conv;
    int line = job->line + row, item = line / conv->lines, y = line % conv->lines;
    int padded = item * conv->padded_h + y * job->op->op->stride - job->padded_line;
    return (struct place){item, conv->width, (size_t)line * (size_t)conv->width,
                          job->padded + (size_t)padded * line_floats(conv, job->op->op)};
}

static int flat_pixels(const struct conv_job *job) // of one item in the band
{
    return (whole(job->conv) ? job->conv->lines : job->lines) * job->conv->width;
}

static int flat_rows(const struct conv_job *job)
{
    return (flat_pixels(job) + FLAT_PIXELS - 1) / FLAT_PIXELS;
}

static struct place flat_place(const struct conv_job *job, int row)
{
    int pixels = flat_pixels(job), rows = flat_rows(job), n = row / rows, from = row % rows * FLAT_PIXELS;
    size_t cin = (size_t)job->op->op->weight->cin, at = (size_t)n * (size_t)pixels + (size_t)from;
    size_t pixel = (size_t)job->line * (size_t)job->conv->width + at;
    return (struct place){job->line / job->conv->lines + n,
                          pixels - from < FLAT_PIXELS ? pixels - from : FLAT_PIXELS, pixel,
                          job->conv->direct ? job->source.src[0] + pixel * cin
                                            : job->padded + floats_of(job->conv, at * cin)};
}

static int rows_of(const struct conv_job *job)
{
    int items = whole(job->conv) ? job->conv->items : 1;
    return job->conv->flat ? items * flat_rows(job) : job->lines;
}

// One panel of one row.
static void conv_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_conv *conv = job->conv;
    const struct ebb_op *o = job->op->op;
    int rows = rows_of(job), row_unit = conv->rows_first ? unit / job->panels : unit % rows;
    int panel = job->first + (conv->rows_first ? unit % job->panels : unit / rows);
    size_t channels = (size_t)job->op->dst->c, first = (size_t)panel * CPU_PANEL;
    int width = cpu_panel_width((int)channels, panel), rest = (int)(channels - first);
    struct place place = conv->flat ? flat_place(job, row_unit) : line_place(job, row_unit);
    struct cpu_row row = {
        .a = place.a,
        .step = floats_of(conv, (size_t)o->weight->cin) * (size_t)o->stride,
        .run_step = line_floats(conv, o),
        .runs = o->weight->kh,
        .run = o->weight->kw * (int)floats_of(conv, (size_t)o->weight->cin),
        .pixels = place.pixels,
        .panel = job->weights +
                 (size_t)(panel - job->first) * CPU_PANEL * floats_of(conv, conv->panels->depth),
        .width = width,
        .columns = rest < width ? rest : width,
        .out = job->dst + place.pixel * channels + first,
        .out_step = channels,
        .add = job->add + (size_t)place.item * add_step(job->op->dst) + first,
        .residual = job->residual ? job->residual + place.pixel * channels + first : NULL,
        .scale = o->scale,
    };
    (conv->bf16 ? job->run->bf16->row : job->run->kernels->row)(&row);
}

static void load_band(struct conv_job *job)
{
    const struct cpu_conv *conv = job->conv;
    int item = job->line / conv->lines, y = job->line % conv->lines;
    int lines = whole(conv) ? conv->items * conv->padded_h : input_lines(conv, job->op->op, job->lines);
    job->padded_line = item * conv->padded_h + y * job->op->op->stride;
    if (!conv->direct)
        cpu_pool_run(job->run->pool, lines, conv->flat ? flat_row : pad_row, job);
}

// One panel of the group as pairs.
static void pair_panel(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_panels *panels = job->conv->panels;
    size_t at = (size_t)unit * CPU_PANEL * panels->depth;
    int width = cpu_panel_width(panels->channels, job->first + unit);
    float *out = job->padded + job->conv->input + job->conv->widened + at / 2;
    job->run->bf16->pairs(job->weights + at, (size_t)width, panels->depth, (uint16_t *)out);
}

static void load_weights(struct conv_job *job)
{
    const struct cpu_conv *conv = job->conv;
    const struct cpu_run *run = job->run;
    float *scratch = job->padded + conv->input;
    job->weights = cpu_panels_load(conv->panels, job->first, job->panels, run->kernels, run->pool, scratch);
    if (!conv->bf16)
        return;
    cpu_pool_run(run->pool, job->panels, pair_panel, job);
    job->weights = scratch + conv->widened;
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
            cpu_pool_run(run->pool, job->panels * rows_of(job), conv_row, job);
        }
    }
}

static void load_lines(void *context, int first, int count)
{
    struct conv_job *job = context;
    job->padded_line = first;
    cpu_pool_run(job->run->pool, count, pad_row, job);
}

static void conv_winograd(struct conv_job *job)
{
    winograd_run(&(struct winograd_job){
        .winograd = &job->conv->winograd,
        .kernels = job->run->kernels,
        .bf16 = job->run->bf16,
        .pool = job->run->pool,
        .dst_shape = job->op->dst,
        .load = load_lines,
        .context = job,
        .padded = job->padded,
        .add = job->add,
        .add_step = add_step(job->op->dst),
        .residual = job->residual,
        .dst = job->dst,
        .scratch = job->padded + job->conv->input,
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
