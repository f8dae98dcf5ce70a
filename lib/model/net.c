// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb/net.h: one network on its own, with PyTorch's shapes.
#include <ebb/net.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/buffer.h"
#include "base/base.h"
#include "graph/plan.h"
#include "model/network.h"
#include "model/text_plan.h"
#include "nets/unet2d.h"

enum { KEPT_PLANS = 8 };

// What a plan is made for.
struct pass_size {
    enum ebb_net_pass pass;
    int in[4]; // (n, c, h, w)
    int tokens[EBB_UNET_TEXTS];
    bool masked[EBB_UNET_TEXTS];
    bool bf16;
};

enum { STEP_INPUTS = 2 + EBB_UNET_TEXTS };

struct pass_plan {
    struct pass_size size;
    int out[4];
    struct ebb_plan *plan;
    struct ebb_buffer *inputs[1 + EBB_UNET_TEXTS], *output; // inputs: in the order of the graph's
    float *host;                                            // the larger of input and output, (n, h, w, c)
    float *rows[STEP_INPUTS]; // step inputs, n rows each: time, class if there is one, masks
};

struct ebb_net {
    struct ebb_network *network;
    const struct ebb_unet *unet; // the network's; one of the four
    const struct ebb_autoencoder *vae;
    const struct ebb_vocoder *vocoder;
    const struct ebb_text_encoder *text;
    struct ebb_text_plan *text_plan; // for texts of text_shape, the last one
    int text_shape[2];
    struct ebb_device *device;
    struct pass_plan plans[KEPT_PLANS]; // a new shape replaces the oldest one
    int newest;
};

struct ebb_net *ebb_net_open(const char *folder, struct ebb_device *device, struct ebb_error *error)
{
    struct ebb_net *net = ebb_alloc(1, sizeof(*net));
    if (!net) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
        return NULL;
    }
    net->device = device ? ebb_device_share(device) : ebb_device_create(NULL, 0, NULL, error);
    if (net->device)
        net->network = ebb_network_open(folder,
                                        EBB_ROLE_UNET | EBB_ROLE_AUTOENCODER | EBB_ROLE_VOCODER |
                                            EBB_ROLE_TEXT | EBB_ROLE_LANGUAGE,
                                        error);
    if (net->network && ebb_network_load(&net->network, net->device, error) == EBB_OK) {
        net->unet = ebb_network_unet(net->network);
        net->vae = ebb_network_autoencoder(net->network);
        net->vocoder = ebb_network_vocoder(net->network);
        net->text = ebb_network_text(net->network);
        return net;
    }
    ebb_net_close(&net);
    return NULL;
}

static void clear(struct pass_plan *p)
{
    ebb_plan_destroy(&p->plan);
    for (int i = 0; i < 1 + EBB_UNET_TEXTS; i++)
        ebb_buffer_destroy(&p->inputs[i]);
    ebb_buffer_destroy(&p->output);
    free(p->host);
    for (int i = 0; i < STEP_INPUTS; i++)
        free(p->rows[i]);
    *p = (struct pass_plan){0};
}

void ebb_net_close(struct ebb_net **net)
{
    struct ebb_net *gone = net ? *net : NULL;
    if (!gone)
        return;
    *net = NULL;
    for (int i = 0; i < KEPT_PLANS; i++)
        clear(&gone->plans[i]);
    ebb_text_plan_destroy(&gone->text_plan);
    ebb_network_close(&gone->network);
    ebb_device_destroy(&gone->device);
    free(gone);
}

const char *ebb_net_class(const struct ebb_net *net)
{
    return net->network->class->name;
}

int ebb_net_text_width(const struct ebb_net *net, int which)
{
    return net->unet && which >= 0 && which < EBB_UNET_TEXTS ? ebb_unet_text_width(net->unet, which) : 0;
}

int ebb_net_class_vector(const struct ebb_net *net)
{
    return net->unet ? ebb_unet_class_vector(net->unet) : 0;
}

// ---- shapes ----

static enum ebb_result wrong_size(struct ebb_error *error, const char *what, int found, const char *expected,
                                  int number)
{
    return ebb_fail(error, EBB_INVALID, "%s of the input is %d, expected %s %d", what, found, expected,
                    number);
}

// (n, 1, frames, bands) -> (n, 1, 1, samples).
static enum ebb_result vocoder_shape(const struct ebb_vocoder *vocoder, const int in[4], int out[4],
                                     struct ebb_error *error)
{
    if (in[0] < 1 || in[0] > 4096)
        return wrong_size(error, "the batch", in[0], "1 to", 4096);
    if (in[1] != 1)
        return wrong_size(error, "the channel count", in[1], "", 1);
    if (in[2] < 1 || in[2] > 1 << 16)
        return wrong_size(error, "the number of frames", in[2], "1 to", 1 << 16);
    if (in[3] != ebb_vocoder_bands(vocoder))
        return wrong_size(error, "the number of bands", in[3], "", ebb_vocoder_bands(vocoder));
    long samples = ebb_vocoder_samples(vocoder, in[2]);
    if (samples < 1 || samples > 1 << 28)
        return ebb_fail(error, EBB_INVALID, "%d frames would become %ld samples", in[2], samples);
    out[0] = in[0];
    out[1] = out[2] = 1;
    out[3] = (int)samples;
    return EBB_OK;
}

enum ebb_result ebb_net_shape(struct ebb_net *net, enum ebb_net_pass pass, const int in[4], int out[4],
                              struct ebb_error *error)
{
    const struct ebb_unet *unet = net->unet;
    const struct ebb_autoencoder *vae = net->vae;
    if (net->text)
        return ebb_fail(error, EBB_WRONG_TYPE, "a %s takes ids, not an array", ebb_net_class(net));
    if ((pass == EBB_NET_FORWARD) == (vae != NULL))
        return ebb_fail(error, EBB_WRONG_TYPE, "a %s has no %s pass", ebb_net_class(net),
                        pass == EBB_NET_FORWARD  ? "forward"
                        : pass == EBB_NET_ENCODE ? "encode"
                                                 : "decode");

    if (net->vocoder)
        return vocoder_shape(net->vocoder, in, out, error);
    int channels = unet                     ? ebb_unet_in_channels(unet)
                   : pass == EBB_NET_ENCODE ? ebb_autoencoder_in_channels(vae)
                                            : ebb_autoencoder_latent_channels(vae);
    int least = unet ? ebb_unet_multiple(unet) : pass == EBB_NET_ENCODE ? ebb_autoencoder_reduction(vae) : 1;
    if (in[0] < 1 || in[0] > 4096)
        return wrong_size(error, "the batch", in[0], "1 to", 4096);
    if (in[1] != channels)
        return wrong_size(error, "the channel count", in[1], "", channels);
    for (int i = 2; i < 4; i++) {
        const char *what = i == 2 ? "the height" : "the width";
        if (in[i] < least || in[i] > 1 << 16)
            return wrong_size(error, what, in[i], in[i] < least ? "at least" : "at most",
                              in[i] < least ? least : 1 << 16);
        if (unet && in[i] % least)
            return wrong_size(error, what, in[i], "a multiple of", least);
    }

    memcpy(out, in, 4 * sizeof(*out));
    out[1] = unet                     ? ebb_unet_out_channels(unet)
             : pass == EBB_NET_ENCODE ? 2 * ebb_autoencoder_latent_channels(vae)
                                      : ebb_autoencoder_out_channels(vae);
    for (int i = 2; vae && i < 4; i++)
        out[i] = pass == EBB_NET_ENCODE ? in[i] / ebb_autoencoder_reduction(vae)
                                        : in[i] * ebb_autoencoder_reduction(vae);
    return EBB_OK;
}

static size_t count(const int shape[4])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
}

// ---- plans ----

static enum ebb_result build(const struct ebb_net *net, const struct pass_size *size, struct ebb_graph *graph,
                             struct ebb_error *error)
{
    int n = size->in[0], h = size->in[2], w = size->in[3];
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    if (size->pass == EBB_NET_ENCODE)
        return ebb_encoder_build(net->vae, graph, n, h, w, error);
    if (size->pass == EBB_NET_DECODE)
        return ebb_decoder_build(net->vae, graph, n, h, w, error);
    if (net->vocoder)
        return ebb_vocoder_build(net->vocoder, graph, n, h, error);
    struct ebb_unet_shape shape = {.n = n, .h = h, .w = w};
    memcpy(shape.tokens, size->tokens, sizeof(shape.tokens));
    memcpy(shape.masked, size->masked, sizeof(shape.masked));
    return ebb_unet_build(net->unet, graph, &shape, error);
}

static size_t text_floats(const struct ebb_net *net, const struct pass_size *size, int which)
{
    return (size_t)size->in[0] * (size_t)size->tokens[which] * (size_t)ebb_unet_text_width(net->unet, which);
}

static enum ebb_result make_buffers(const struct ebb_net *net, struct pass_plan *p, struct ebb_error *error)
{
    int inputs = 1;
    p->inputs[0] = ebb_buffer_create(net->device, count(p->size.in), error);
    bool good = p->inputs[0] && (p->output = ebb_buffer_create(net->device, count(p->out), error));
    for (int i = 0; i < EBB_UNET_TEXTS && good; i++)
        if (p->size.tokens[i])
            good = (p->inputs[inputs++] = ebb_buffer_create(net->device, text_floats(net, &p->size, i),
                                                            error));
    return good ? EBB_OK : error->code;
}

static enum ebb_result make_rows(const struct ebb_net *net, struct pass_plan *p, struct ebb_error *error)
{
    int width[STEP_INPUTS] = {0}, kinds = net->unet ? ebb_unet_step_inputs(net->unet, width) : 0;
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (p->size.masked[i])
            width[kinds++] = p->size.tokens[i];
    size_t most = count(p->size.in) > count(p->out) ? count(p->size.in) : count(p->out);
    bool good = (p->host = ebb_alloc(most, sizeof(float)));
    for (int i = 0; i < kinds && good; i++)
        good = (p->rows[i] = ebb_alloc((size_t)p->size.in[0], (size_t)width[i] * sizeof(float)));
    return good ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
}

static enum ebb_result make(const struct ebb_net *net, struct pass_plan *p, struct ebb_error *error)
{
    struct ebb_graph *graph = ebb_graph_create();
    enum ebb_result result = build(net, &p->size, graph, error);
    if (result != EBB_OK) {
        ebb_graph_destroy(&graph);
        return result;
    }
    if (p->size.bf16)
        ebb_graph_use_bf16(graph);
    error = EBB_ERROR(error);
    if (!(p->plan = ebb_plan_create(net->device, graph, error)))
        return error->code;
    result = make_buffers(net, p, error);
    return result == EBB_OK ? make_rows(net, p, error) : result;
}

static bool same_size(const struct pass_size *a, const struct pass_size *b)
{
    bool same = a->pass == b->pass && a->bf16 == b->bf16 && memcmp(a->in, b->in, sizeof(a->in)) == 0;
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        same = same && a->tokens[i] == b->tokens[i] && a->masked[i] == b->masked[i];
    return same;
}

// The plan for this size; NULL on failure.
static struct pass_plan *find(struct ebb_net *net, const struct pass_size *size, struct ebb_error *error)
{
    int out[4];
    if (ebb_net_shape(net, size->pass, size->in, out, error) != EBB_OK)
        return NULL;
    for (int i = 0; i < KEPT_PLANS; i++)
        if (net->plans[i].plan && same_size(&net->plans[i].size, size))
            return &net->plans[i];

    net->newest = (net->newest + 1) % KEPT_PLANS;
    struct pass_plan *p = &net->plans[net->newest];
    clear(p);
    p->size = *size;
    memcpy(p->out, out, sizeof(p->out));
    if (make(net, p, error) == EBB_OK)
        return p;
    clear(p);
    return NULL;
}

// ---- running ----

static void to_nhwc(const int shape[4], const float *from, float *to)
{
    size_t c = (size_t)shape[1], pixels = (size_t)shape[2] * (size_t)shape[3];
    for (size_t n = 0; n < (size_t)shape[0]; n++, from += c * pixels, to += c * pixels)
        for (size_t i = 0; i < c; i++)
            for (size_t p = 0; p < pixels; p++)
                to[p * c + i] = from[i * pixels + p];
}

static void to_nchw(const int shape[4], const float *from, float *to)
{
    size_t c = (size_t)shape[1], pixels = (size_t)shape[2] * (size_t)shape[3];
    for (size_t n = 0; n < (size_t)shape[0]; n++, from += c * pixels, to += c * pixels)
        for (size_t i = 0; i < c; i++)
            for (size_t p = 0; p < pixels; p++)
                to[i * pixels + p] = from[p * c + i];
}

static enum ebb_result check_inputs(const struct ebb_net *net, int n, const struct ebb_net_inputs *inputs,
                                    struct ebb_error *error)
{
    const struct ebb_unet_config *config = ebb_unet_config(net->unet);
    bool of_log = config->time == EBB_TIME_FOURIER && !config->fourier_of_time;
    int classes = ebb_unet_classes(net->unet);
    if (!isfinite(inputs->timestep) || (of_log && inputs->timestep <= 0))
        return ebb_fail(error, EBB_INVALID, "timestep is %g, expected %s", inputs->timestep,
                        of_log ? "a positive number" : "a number");
    if ((inputs->labels || inputs->class_vector) && config->classes == EBB_CLASS_NONE)
        return ebb_fail(error, EBB_INVALID, "a class was given, the network has none");
    for (int i = 0; inputs->labels && i < n; i++)
        if (inputs->labels[i] < -1 || (classes && inputs->labels[i] >= classes))
            return ebb_fail(error, EBB_INVALID, "label %d, expected 0 to %d", inputs->labels[i], classes - 1);
    return EBB_OK;
}

// What diffusers adds to the scores of tokens that are not seen.
static void mask_row(const struct ebb_net_text *text, int n, float *row)
{
    for (int i = 0; i < n * text->tokens; i++)
        row[i] = (1 - text->mask[i]) * -10000;
}

static enum ebb_result embed(const struct ebb_net *net, const struct pass_plan *p,
                             const struct ebb_net_inputs *inputs, struct ebb_error *error)
{
    int n = p->size.in[0], width[2] = {0, 0}, kinds = ebb_unet_step_inputs(net->unet, width);
    int vector = ebb_unet_class_vector(net->unet);
    enum ebb_result result = check_inputs(net, n, inputs, error);
    for (int i = 0; i < n && result == EBB_OK; i++)
        ebb_unet_embed(net->unet, inputs->timestep, inputs->labels ? inputs->labels[i] : -1,
                       inputs->class_vector ? inputs->class_vector + i * vector : NULL,
                       p->rows[0] + i * width[0], kinds > 1 ? p->rows[1] + i * width[1] : NULL);
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (p->size.masked[i])
            mask_row(&inputs->text[i], n, p->rows[kinds++]);
    return result == EBB_OK ? ebb_plan_steps(p->plan, 1, (const float *const *)p->rows, error) : result;
}

static enum ebb_result write_inputs(const struct ebb_net *net, const struct pass_plan *p, const float *input,
                                    const struct ebb_net_inputs *inputs, struct ebb_error *error)
{
    int next = 1;
    to_nhwc(p->size.in, input, p->host);
    if (net->vocoder) // here (n, 1, frames, bands) and (n, frames, bands, 1) are the same
        ebb_vocoder_normalize(net->vocoder, p->host, (size_t)p->size.in[0] * (size_t)p->size.in[2]);
    enum ebb_result result = ebb_buffer_write(p->inputs[0], 0, p->host, count(p->size.in), error);
    for (int i = 0; i < EBB_UNET_TEXTS && result == EBB_OK; i++)
        if (p->size.tokens[i])
            result = ebb_buffer_write(p->inputs[next++], 0, inputs->text[i].states,
                                      text_floats(net, &p->size, i), error);
    return result;
}

// (mean, log variance) -> (mean, standard deviation), (n, 2 latent, h, w).
static void to_deviation(const int shape[4], float *x)
{
    size_t half = count(shape) / (size_t)shape[0] / 2;
    for (int n = 0; n < shape[0]; n++, x += 2 * half)
        for (size_t i = half; i < 2 * half; i++)
            x[i] = expf(0.5f * fminf(fmaxf(x[i], -30), 20));
}

static enum ebb_result take_texts(const struct ebb_net *net, const struct ebb_net_inputs *inputs,
                                  struct pass_size *size, struct ebb_error *error)
{
    enum { MOST_TOKENS = 1 << 16 };
    for (int i = 0; i < EBB_UNET_TEXTS; i++) {
        const struct ebb_net_text *text = &inputs->text[i];
        if (!text->states)
            continue;
        if (!ebb_net_text_width(net, i))
            return ebb_fail(error, EBB_INVALID, "text %d was given, the network sees none", i + 1);
        if (text->tokens < 1 || text->tokens > MOST_TOKENS)
            return wrong_size(error, "the number of tokens", text->tokens, "1 to", MOST_TOKENS);
        size->tokens[i] = text->tokens;
        size->masked[i] = text->mask != NULL;
    }
    return EBB_OK;
}

enum ebb_result ebb_net_run(struct ebb_net *net, enum ebb_net_pass pass, const int shape[4],
                            const float *input, const struct ebb_net_inputs *inputs, float *output,
                            struct ebb_error *error)
{
    static const struct ebb_net_inputs nothing = {0};
    error = EBB_ERROR(error);
    inputs = inputs ? inputs : &nothing;
    struct pass_size size = {.pass = pass, .bf16 = net->unet && inputs && inputs->bf16};
    memcpy(size.in, shape, sizeof(size.in));
    enum ebb_result result = take_texts(net, inputs, &size, error);
    struct pass_plan *p = result == EBB_OK ? find(net, &size, error) : NULL;
    if (!p)
        return error->code;

    result = net->unet ? embed(net, p, inputs, error) : EBB_OK;
    if (result == EBB_OK)
        result = write_inputs(net, p, input, inputs, error);
    if (result == EBB_OK)
        result = ebb_plan_run(p->plan, 0, p->inputs, &p->output, error);
    if (result == EBB_OK)
        result = ebb_buffer_read(p->output, 0, p->host, count(p->out), error);
    if (result != EBB_OK)
        return result;

    to_nchw(p->out, p->host, output);
    if (pass == EBB_NET_ENCODE)
        to_deviation(p->out, output);
    float scale = net->unet ? (float)ebb_unet_output_scale(net->unet, inputs->timestep) : 1;
    for (size_t i = 0; scale != 1 && i < count(p->out); i++)
        output[i] *= scale;
    return EBB_OK;
}

// ---- texts ----

enum ebb_result ebb_net_text_shape(struct ebb_net *net, const int shape[2], int last[3], int pooled[2],
                                   struct ebb_error *error)
{
    if (!net->text)
        return ebb_fail(error, EBB_WRONG_TYPE, "a %s is no text encoder", ebb_net_class(net));
    int longest = ebb_text_encoder_longest(net->text);
    if (shape[0] < 1 || shape[0] > 4096)
        return wrong_size(error, "the batch", shape[0], "1 to", 4096);
    if (shape[1] < 1 || shape[1] > longest)
        return wrong_size(error, "the number of tokens", shape[1], "1 to", longest);
    last[0] = pooled[0] = shape[0];
    last[1] = shape[1];
    last[2] = ebb_text_encoder_width(net->text);
    pooled[1] = ebb_text_encoder_pooled(net->text);
    return EBB_OK;
}

enum ebb_result ebb_net_run_text(struct ebb_net *net, const int shape[2], const int *ids, float *last,
                                 float *pooled, struct ebb_error *error)
{
    int shape_last[3], shape_pooled[2];
    error = EBB_ERROR(error);
    enum ebb_result result = ebb_net_text_shape(net, shape, shape_last, shape_pooled, error);
    if (result != EBB_OK)
        return result;
    if (!net->text_plan || memcmp(net->text_shape, shape, sizeof(net->text_shape)) != 0) {
        ebb_text_plan_destroy(&net->text_plan);
        net->text_plan = ebb_text_plan_create(net->device, net->text, shape[0], shape[1], error);
        memcpy(net->text_shape, shape, sizeof(net->text_shape));
    }
    return net->text_plan ? ebb_text_plan_run(net->text_plan, ids, last, pooled, error) : error->code;
}
