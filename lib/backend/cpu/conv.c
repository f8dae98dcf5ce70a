// Convolution as sums of products straight from the padded, activated input: no im2col. In a padded NHWC row the kw * cin
// values under one kernel row lie side by side, so a pixel is kh runs of kw * cin floats.
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/winograd.h"
#include "base/base.h"

enum { FLAT_PIXELS = 32 }; // pixels of one unit of a 1x1 convolution

struct cpu_conv {
    const struct cpu_panels *panels; // NULL: Winograd
    struct winograd winograd;
    bool flat;   // 1x1, stride 1: an image is one row of pixels
    bool direct; // flat and nothing to do in the load: reads its source where it is
    int items, rows, pixels; // output: items of rows of pixels; flat: rows are chunks of FLAT_PIXELS
    int padded_h, padded_w;  // input with its zeros, per item; flat: unused
    size_t input;            // floats of it in scratch
};

struct conv_job {
    const struct cpu_run *run;
    const struct cpu_op *op;
    const struct cpu_conv *conv;
    struct cpu_source source;
    float *padded, *add; // add: (items, channels rounded up to 16): bias and vector
    float *dst;
    const float *residual;
};

static size_t add_step(const struct ebb_tensor *dst)
{
    return (size_t)(dst->c + 15) / 16 * 16;
}

// Sizes of an output that is pixels in one row, whatever their places; returns floats of input.
static size_t prepare_flat(struct cpu_conv *conv, const struct ebb_op *o, const struct ebb_tensor *dst)
{
    conv->pixels = dst->h * dst->w;
    if (o->vector < 0) { // items are alike: one long row
        conv->pixels *= dst->n;
        conv->items = 1;
    }
    conv->rows = (conv->pixels + FLAT_PIXELS - 1) / FLAT_PIXELS;
    return (size_t)conv->items * (size_t)conv->pixels * (size_t)o->weight->cin;
}

static size_t prepare_padded(struct cpu_conv *conv, const struct ebb_op *o, const struct ebb_tensor *dst, int winograd)
{
    conv->padded_h = winograd ? winograd * conv->winograd.rows + 2 : (dst->h - 1) * o->stride + o->weight->kh;
    conv->padded_w = winograd ? winograd * conv->winograd.columns + 2 : (dst->w - 1) * o->stride + o->weight->kw;
    return (size_t)conv->items * (size_t)conv->padded_h * (size_t)conv->padded_w * (size_t)o->weight->cin;
}

static enum ebb_result conv_prepare(const struct cpu_device *device, struct cpu_op *op, struct ebb_error *error)
{
    const struct ebb_op *o = op->op;
    const struct ebb_tensor *dst = op->dst;
    int winograd = winograd_size(o->weight, dst, o->stride, o->pad);
    bool packed = false;
    struct cpu_conv *conv = ebb_alloc(1, sizeof(*conv));
    op->conv = conv;
    if (conv && winograd)
        packed = winograd_prepare(device, &conv->winograd, winograd, o->weight, dst);
    else if (conv)
        packed = (conv->panels = cpu_panels_get(o->weight)) != NULL;
    if (!packed)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory to pack %s", o->weight->name ? o->weight->name : "a weight");

    conv->flat = o->weight->kh == 1 && o->weight->kw == 1 && o->stride == 1;
    conv->direct = conv->flat && op->src[1] == NULL && o->affine < 0 && o->act == EBB_ACT_NONE && !o->upsample;
    conv->items = dst->n;
    conv->rows = dst->h;
    conv->pixels = dst->w;
    size_t input = conv->flat ? prepare_flat(conv, o, dst) : prepare_padded(conv, o, dst, winograd);
    conv->input = conv->direct ? 0 : (input + 15) / 16 * 16;
    op->scratch = add_step(dst) * (size_t)conv->items + conv->input + (winograd ? conv->winograd.scratch : 0);
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
    const float *vector = ebb_host_tensor(&job->run->host, o->vector);
    int channels = job->op->dst->c;
    for (int n = 0; n < job->conv->items; n++)
        for (int c = 0; c < channels; c++)
            job->add[(size_t)n * add_step(job->op->dst) + (size_t)c] =
                (o->bias ? o->bias->data[c] : 0) + (vector ? vector[n * channels + c] : 0);
}

// One row of the padded input: zeros around the loaded row.
static void pad_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_conv *conv = job->conv;
    const struct cpu_source *s = &job->source;
    int n = unit / conv->padded_h, y = unit % conv->padded_h - job->op->op->pad, height = s->h << s->shift;
    int pad = job->op->op->pad, width = s->w << s->shift, right = conv->padded_w - pad - width;
    size_t c = (size_t)s->channels;
    float *row = job->padded + (size_t)unit * (size_t)conv->padded_w * c;

    if (y < 0 || y >= height) {
        memset(row, 0, (size_t)conv->padded_w * c * sizeof(*row));
        return;
    }
    memset(row, 0, (size_t)pad * c * sizeof(*row));
    cpu_source_row(job->run->kernels, s, n, y, row + (size_t)pad * c);
    if (right > 0)
        memset(row + (size_t)(pad + width) * c, 0, (size_t)right * c * sizeof(*row));
}

// One row of a source that needs no zeros.
static void flat_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_source *s = &job->source;
    int height = s->h << s->shift, width = s->w << s->shift;
    cpu_source_row(job->run->kernels, s, unit / height, unit % height,
                   job->padded + (size_t)unit * (size_t)width * (size_t)s->channels);
}

// One panel of one output row.
static void conv_row(void *context, int unit, int thread)
{
    const struct conv_job *job = context;
    const struct cpu_conv *conv = job->conv;
    const struct ebb_op *o = job->op->op;
    int rows = conv->items * conv->rows, panel = unit / rows, n = unit % rows / conv->rows, y = unit % conv->rows;
    size_t channels = (size_t)job->op->dst->c, cin = (size_t)o->weight->cin, first = (size_t)panel * CPU_PANEL;
    int width = cpu_panel_width((int)channels, panel), rest = (int)(channels - first);
    int from = conv->flat ? y * FLAT_PIXELS : 0, left = conv->pixels - from;
    struct cpu_row row = {
        .step = cin * (size_t)o->stride,
        .run_step = (size_t)conv->padded_w * cin,
        .runs = o->weight->kh,
        .run = o->weight->kw * o->weight->cin,
        .pixels = conv->flat && left > FLAT_PIXELS ? FLAT_PIXELS : left,
        .panel = job->conv->panels->data + first * conv->panels->depth,
        .width = width,
        .columns = rest < width ? rest : width,
        .out_step = channels,
        .add = job->add + (size_t)n * add_step(job->op->dst) + first,
        .scale = o->scale,
    };
    size_t pixel = ((size_t)n * (size_t)(conv->flat ? 1 : conv->rows) + (size_t)(conv->flat ? 0 : y)) * (size_t)conv->pixels +
                   (size_t)from;
    row.out = job->dst + pixel * channels + first;
    row.residual = job->residual ? job->residual + pixel * channels + first : NULL;
    if (conv->flat)
        row.a = (conv->direct ? job->source.src[0] : job->padded) + pixel * cin;
    else
        row.a = job->padded + ((size_t)n * (size_t)conv->padded_h + (size_t)(y * o->stride)) * row.run_step;
    job->run->kernels->row(&row);
}

static void conv_winograd(const struct conv_job *job)
{
    winograd_run(&(struct winograd_job){
        .winograd = &job->conv->winograd,
        .kernels = job->run->kernels,
        .pool = job->run->pool,
        .dst_shape = job->op->dst,
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
        .dst = ebb_host_tensor(&run->host, op->op->dst),
        .residual = ebb_host_tensor(&run->host, op->op->residual),
    };
    fill_add(&job);
    if (conv->flat && !conv->direct)
        cpu_pool_run(run->pool, op->dst->n * op->dst->h, flat_row, &job);
    else if (!conv->flat)
        cpu_pool_run(run->pool, conv->items * conv->padded_h, pad_row, &job);
    if (conv->panels)
        cpu_pool_run(run->pool, conv->panels->count * conv->items * conv->rows, conv_row, &job);
    else
        conv_winograd(&job);
}

const struct cpu_kernel cpu_conv = {conv_prepare, conv_run, conv_release};
