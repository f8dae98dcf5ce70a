// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolutions along w. A row is long and its kernel short, so a row is cut into parts, and a thread takes a
// part through everything: it loads the part with what lies beside it, multiplies, and stores. Weights are
// held once, as panels; what the method makes of them is made at each run, in scratch: that is little beside
// a long row.
//
// Direct: in a loaded part the taps of a place lie `dilation` places apart. A transposed convolution is
// `stride` phases: places of dst that lie `stride` apart have the same taps.
//
// By Toom and Cook's F(4, 4): 4 places of dst (`dilation` apart: a tile) and 4 taps take 7 products in place
// of 16. A longer kernel is blocks of 4 taps. Block b of a tile reads the transformed inputs of the tile that
// lies b groups on, a group being `dilation` tiles side by side; so each input is transformed once. The last
// product, at infinity, is that of a block's fourth tap: a block of fewer taps does without.
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/base.h"

enum { TILE = 4, POINTS = 7, PART_TILES = 128, PART_PLACES = 256, LEAST_TILES = 16, LEAST_CHANNELS = 16 };

struct conv_1d_layout { // by the shape alone
    bool toom, up;
    bool as_held;        // direct: the weights are used where they are held
    int blocks;          // Toom: of 4 taps
    int phases;          // direct
    int step;            // places of dst that a part moves on by: direct 1, up stride, Toom 4 * dilation
    int count, most;     // of steps in a row, in a part
    int parts;           // of a row
    int length, before;  // places of the source that a part loads; how far they start before its own first
    size_t packed, part; // floats: packed weights; source of a part
    size_t thread;       // of scratch for a thread
};

static size_t rounded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

static int at_most(int value, int bound)
{
    return value < bound ? value : bound;
}

static void lay_toom(struct conv_1d_layout *l, const struct ebb_op *op, const struct ebb_weight *weight)
{
    size_t cin = (size_t)weight->cin;
    int tiles;
    l->blocks = (weight->kw + TILE - 1) / TILE;
    l->step = TILE * op->dilation;
    l->most = PART_TILES / op->dilation > 0 ? PART_TILES / op->dilation : 1;
    l->before = op->pad;
    l->length = (l->most + l->blocks - 1) * l->step + 3 * op->dilation;
    tiles = (l->most + l->blocks - 1) * op->dilation;
    l->packed = POINTS * cpu_panels_floats((size_t)l->blocks * cin, weight->cout);
    l->thread = rounded(POINTS * (size_t)tiles * cin) +
                POINTS * (size_t)l->most * (size_t)op->dilation * CPU_PANEL;
}

// Taps of phase `phase`: first, first + stride and so on; a plain convolution has one phase with all taps.
static int first_tap(const struct conv_1d_layout *l, const struct ebb_op *op, int phase)
{
    return l->up ? (phase + op->pad) % op->stride : 0;
}

static int taps_of(const struct conv_1d_layout *l, const struct ebb_op *op, int phase)
{
    int rest = op->weight->kw - first_tap(l, op, phase);
    return rest <= 0 ? 0 : (rest - 1) / l->phases + 1;
}

// The place of the source that the first stored tap of a phase reads at the first place of dst. Taps of a
// transposed convolution are stored from the last to the first, so that their sources ascend.
static int first_source(const struct conv_1d_layout *l, const struct ebb_op *op, int phase)
{
    return l->up ? (phase + op->pad) / op->stride - (taps_of(l, op, phase) - 1) : -op->pad;
}

static void lay_direct(struct conv_1d_layout *l, const struct ebb_op *op, const struct ebb_weight *weight)
{
    int low = 0, high = 0;
    l->phases = l->up ? op->stride : 1;
    l->step = l->phases;
    l->most = l->up && op->stride > 1 ? PART_PLACES / 4 : PART_PLACES;
    for (int i = 0; i < l->phases; i++) {
        int from = first_source(l, op, i), taps = taps_of(l, op, i);
        int to = from + (taps > 0 ? taps - 1 : 0) * (l->up ? 1 : op->dilation);
        low = i == 0 || from < low ? from : low;
        high = i == 0 || to > high ? to : high;
        l->packed += cpu_panels_floats((size_t)taps * (size_t)weight->cin, weight->cout);
    }
    l->as_held = !l->up && weight->panels.number == EBB_FLOAT32;
    if (l->as_held)
        l->packed = 0;
    l->before = -low;
    l->length = l->most + high - low;
}

static struct conv_1d_layout layout_of(const struct cpu_op *op)
{
    const struct ebb_weight *weight = op->op->weight;
    struct conv_1d_layout l = {.up = op->op->kind == EBB_OP_CONV_1D_UP};
    l.toom = !l.up && weight->kw >= 3 && weight->cin >= LEAST_CHANNELS && weight->cout >= LEAST_CHANNELS &&
             op->dst->w >= LEAST_TILES * TILE && op->op->dilation <= PART_TILES;
    if (l.toom)
        lay_toom(&l, op->op, weight);
    else
        lay_direct(&l, op->op, weight);
    l.count = (op->dst->w + l.step - 1) / l.step;
    l.parts = (l.count + l.most - 1) / l.most;
    l.part = rounded((size_t)l.length * (size_t)weight->cin);
    l.thread += l.part;
    return l;
}

static size_t add_step(const struct ebb_operand *dst)
{
    return rounded((size_t)dst->c);
}

static const struct cpu_panels *panels_of(const struct cpu_op *op)
{
    return cpu_panels_get(op->op->weight); // made by conv_1d_prepare(): they are there
}

static enum ebb_result conv_1d_prepare(const struct cpu_device *device, struct cpu_op *op,
                                       struct ebb_error *error)
{
    struct conv_1d_layout l = layout_of(op);
    op->scratch = (size_t)op->dst->n * add_step(op->dst) + rounded(l.packed) +
                  (size_t)cpu_pool_threads(device->pool) * l.thread;
    return panels_of(op) ? EBB_OK
                         : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory to pack %s",
                                    op->op->weight->name ? op->op->weight->name : "a weight");
}

struct conv_1d_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    struct conv_1d_layout layout;
    struct cpu_source source;
    const struct cpu_panels *panels;
    float *add, *packed, *threads; // in scratch
    float *dst;
    const float *residual;
};

// ---- weights ----

// The rows of a panel as they are held, (kw, cin, width), from tap `tap` on.
static const void *held_panel(const struct conv_1d_job *job, int panel, int tap)
{
    const struct ebb_weight *weight = job->op->op->weight;
    const struct ebb_panels *held = &job->panels->held;
    size_t width = (size_t)cpu_panel_width(weight->cout, panel);
    size_t at = (size_t)(panel * CPU_PANEL) * job->panels->depth + (size_t)tap * (size_t)weight->cin * width;
    return (const char *)held->data + at * ebb_number_size(held->number);
}

// Panels of one phase follow each other, and phases follow each other.
static float *packed_panel(const struct conv_1d_job *job, int phase, int panel)
{
    const struct ebb_weight *weight = job->op->op->weight;
    float *at = job->packed;
    for (int i = 0; i < phase; i++)
        at += cpu_panels_floats((size_t)taps_of(&job->layout, job->op->op, i) * (size_t)weight->cin,
                                weight->cout);
    return at + (size_t)taps_of(&job->layout, job->op->op, phase) * (size_t)weight->cin *
                    (size_t)(panel * CPU_PANEL);
}

static const float *phase_panel(const struct conv_1d_job *job, int phase, int panel)
{
    return job->layout.as_held ? held_panel(job, panel, 0) : packed_panel(job, phase, panel);
}

static void pack_direct(void *context, int unit, int thread)
{
    const struct conv_1d_job *job = context;
    const struct ebb_op *op = job->op->op;
    int phase = unit % job->layout.phases, panel = unit / job->layout.phases;
    int taps = taps_of(&job->layout, op, phase), tap = first_tap(&job->layout, op, phase);
    size_t count = (size_t)op->weight->cin * (size_t)cpu_panel_width(op->weight->cout, panel);
    float *out = packed_panel(job, phase, panel);
    for (int t = 0; t < taps; t++, out += count)
        job->run->kernels->weights->widen(job->panels->held.number,
                                          held_panel(job, panel,
                                                     job->layout.up ? tap + (taps - 1 - t) * op->stride : t),
                                          count, out);
}

// Panels are (point, block, cin, width).
static float *toom_panel(const struct conv_1d_job *job, int panel)
{
    return job->packed + POINTS * (size_t)job->layout.blocks * (size_t)job->op->op->weight->cin *
                             (size_t)(panel * CPU_PANEL);
}

static void pack_toom(void *context, int unit, int thread)
{
    const struct conv_1d_job *job = context;
    const struct ebb_weight *weight = job->op->op->weight;
    int panel = unit / job->layout.blocks, block = unit % job->layout.blocks;
    size_t count = (size_t)weight->cin * (size_t)cpu_panel_width(weight->cout, panel);
    job->run->kernels->weights->toom4(&(struct cpu_toom_weights){
        .taps = held_panel(job, panel, block * TILE),
        .number = job->panels->held.number,
        .tap_count = at_most(weight->kw - block * TILE, TILE),
        .count = count,
        .out = toom_panel(job, panel) + (size_t)block * count,
        .plane = (size_t)job->layout.blocks * count,
    });
}

// ---- a part of a row ----

struct conv_1d_part {
    const struct conv_1d_job *job;
    int n, y, row;    // of the image; of all
    int first, count; // steps
    float *source, *room;
};

// Loads places [from, from + length) of the row; zeros lie outside it.
static void load_part(const struct conv_1d_part *part)
{
    const struct conv_1d_job *job = part->job;
    const struct cpu_source *s = &job->source;
    const struct conv_1d_layout *l = &job->layout;
    int from = part->first * (l->up ? 1 : l->step) - l->before, width = s->w << s->shift;
    int left = at_most(from < 0 ? -from : 0, l->length), end = at_most(from + l->length, width);
    int inside = end - (from + left) > 0 ? end - (from + left) : 0;
    size_t c = (size_t)s->channels;
    memset(part->source, 0, (size_t)left * c * sizeof(float));
    if (inside)
        cpu_source_part(job->run->kernels, s, part->n, part->y, from + left, inside,
                        part->source + (size_t)left * c);
    memset(part->source + (size_t)(left + inside) * c, 0,
           (size_t)(l->length - left - inside) * c * sizeof(float));
}

static size_t dst_at(const struct conv_1d_part *part, int place, int panel)
{
    const struct ebb_operand *dst = part->job->op->dst;
    return ((size_t)part->row * (size_t)dst->w + (size_t)place) * (size_t)dst->c +
           (size_t)(panel * CPU_PANEL);
}

static const float *add_at(const struct conv_1d_part *part, int panel)
{
    return part->job->add + (size_t)part->n * add_step(part->job->op->dst) + (size_t)(panel * CPU_PANEL);
}

// One phase of one panel.
static void direct(const struct conv_1d_part *part, int phase, int panel)
{
    const struct conv_1d_job *job = part->job;
    const struct conv_1d_layout *l = &job->layout;
    const struct ebb_op *op = job->op->op;
    const struct ebb_operand *dst = job->op->dst;
    int width = cpu_panel_width(dst->c, panel), place = part->first * l->step + phase;
    int taps = taps_of(l, op, phase), pixels = at_most(part->count, (dst->w - place + l->step - 1) / l->step);
    size_t cin = (size_t)op->weight->cin, at = dst_at(part, place, panel);
    bool together = l->up || op->dilation == 1; // taps lie side by side
    if (pixels > 0)
        job->run->kernels->row(&(struct cpu_row){
            .a = part->source + (size_t)(first_source(l, op, phase) + l->before) * cin,
            .step = cin,
            .run_step = (size_t)op->dilation * cin,
            .runs = together ? 1 : taps,
            .run = (together ? taps : 1) * op->weight->cin,
            .pixels = pixels,
            .panel = phase_panel(job, phase, panel),
            .width = width,
            .columns = at_most(dst->c - panel * CPU_PANEL, width),
            .out = job->dst + at,
            .out_step = (size_t)l->step * (size_t)dst->c,
            .add = add_at(part, panel),
            .residual = job->residual ? job->residual + at : NULL,
            .scale = op->scale,
        });
}

// The tiles of all groups, whose points lie `plane` floats apart.
static void toom_transform(const struct conv_1d_part *part, int groups, size_t plane)
{
    const struct conv_1d_job *job = part->job;
    int dilation = job->op->op->dilation;
    size_t cin = (size_t)job->op->op->weight->cin;
    float *out = part->room;
    for (int group = 0; group < groups; group++)
        for (int i = 0; i < dilation; i++, out += cin)
            job->run->kernels->toom4_in(part->source + (size_t)(group * job->layout.step + i) * cin,
                                        (size_t)dilation * cin, (int)cin, out, plane);
}

static void toom_store(const struct conv_1d_part *part, int panel, const float *products, size_t plane,
                       int width)
{
    const struct conv_1d_job *job = part->job;
    const struct ebb_operand *dst = job->op->dst;
    int dilation = job->op->op->dilation;
    for (int tile = 0; tile < part->count * dilation; tile++, products += width) {
        int place = (part->first + tile / dilation) * job->layout.step + tile % dilation;
        int pixels = at_most((dst->w - place + dilation - 1) / dilation, TILE);
        size_t at = dst_at(part, place, panel);
        if (place < dst->w)
            job->run->kernels->toom4_out(&(struct cpu_winograd_out){
                .products = products,
                .plane = plane,
                .out = job->dst + at,
                .residual = job->residual ? job->residual + at : NULL,
                .add = add_at(part, panel),
                .step = (size_t)dilation * (size_t)dst->c,
                .rows = 1,
                .pixels = pixels,
                .columns = at_most(dst->c - panel * CPU_PANEL, width),
                .scale = job->op->op->scale,
            });
    }
}

static void toom(const struct conv_1d_part *part)
{
    const struct conv_1d_job *job = part->job;
    const struct ebb_op *op = job->op->op;
    int groups = part->count + job->layout.blocks - 1, tiles = part->count * op->dilation;
    size_t cin = (size_t)op->weight->cin, plane = (size_t)groups * (size_t)op->dilation * cin;
    float *products = part->room + rounded(POINTS * (size_t)(job->layout.most + job->layout.blocks - 1) *
                                           (size_t)op->dilation * cin);
    toom_transform(part, groups, plane);
    for (int panel = 0; panel * CPU_PANEL < op->weight->cout; panel++) {
        int width = cpu_panel_width(op->weight->cout, panel);
        size_t depth = (size_t)job->layout.blocks * cin * (size_t)width;
        struct cpu_row row = {
            .a = part->room,
            .step = cin,
            .run_step = (size_t)op->dilation * cin,
            .runs = job->layout.blocks,
            .run = op->weight->cin,
            .pixels = tiles,
            .panel = toom_panel(job, panel),
            .width = width,
            .columns = width,
            .out = products,
            .out_step = (size_t)width,
            .scale = 1,
        };
        for (int point = 0; point < POINTS; point++) {
            if (point == POINTS - 1)
                row.runs = op->weight->kw / TILE; // 0: zeros
            job->run->kernels->row(&row);
            row.a += plane;
            row.panel += depth;
            row.out += (size_t)tiles * (size_t)width;
        }
        toom_store(part, panel, products, (size_t)tiles * (size_t)width, width);
    }
}

static void convolve_part(void *context, int unit, int thread)
{
    const struct conv_1d_job *job = context;
    const struct conv_1d_layout *l = &job->layout;
    int row = unit / l->parts, first = unit % l->parts * l->most;
    struct conv_1d_part part = {
        .job = job,
        .row = row,
        .n = row / job->op->dst->h,
        .y = row % job->op->dst->h,
        .first = first,
        .count = at_most(l->count - first, l->most),
        .source = job->threads + (size_t)thread * l->thread,
        .room = job->threads + (size_t)thread * l->thread + l->part,
    };
    load_part(&part);
    if (l->toom) {
        toom(&part);
        return;
    }
    for (int panel = 0; panel * CPU_PANEL < job->op->dst->c; panel++)
        for (int phase = 0; phase < l->phases; phase++)
            direct(&part, phase, panel);
}

// bias + vector for each image.
static void fill_add(const struct conv_1d_job *job)
{
    const struct ebb_op *op = job->op->op;
    const float *vector = ebb_host_operand(&job->run->host, op->vector);
    int channels = job->op->dst->c;
    for (int n = 0; n < job->op->dst->n; n++)
        for (int c = 0; c < channels; c++)
            job->add[(size_t)n * add_step(job->op->dst) + (size_t)c] = (op->bias ? op->bias->data[c] : 0) +
                                                                       (vector ? vector[n * channels + c]
                                                                               : 0);
}

static void conv_1d_run(const struct cpu_run *run, const struct cpu_op *op)
{
    struct conv_1d_job job = {
        .run = run,
        .op = op,
        .layout = layout_of(op),
        .source = cpu_source_of(run, op),
        .panels = panels_of(op),
        .add = run->scratch,
        .dst = ebb_host_operand(&run->host, op->op->dst),
        .residual = ebb_host_operand(&run->host, op->op->residual),
    };
    int panels = (op->dst->c + CPU_PANEL - 1) / CPU_PANEL;
    job.packed = job.add + (size_t)op->dst->n * add_step(op->dst);
    job.threads = job.packed + rounded(job.layout.packed);
    fill_add(&job);
    if (job.layout.toom)
        cpu_pool_run(run->pool, panels * job.layout.blocks, pack_toom, &job);
    else if (!job.layout.as_held)
        cpu_pool_run(run->pool, panels * job.layout.phases, pack_direct, &job);
    cpu_pool_run(run->pool, op->dst->n * op->dst->h * job.layout.parts, convolve_part, &job);
}

const struct cpu_kernel cpu_conv_1d = {.prepare = conv_1d_prepare, .run = conv_1d_run};
const struct cpu_kernel cpu_conv_1d_up = {.prepare = conv_1d_prepare, .run = conv_1d_run};
