// One network by itself, with PyTorch's shapes.
#include <ebb/net.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/buffer.h"
#include "base/base.h"
#include "graph/plan.h"
#include "model/network.h"

enum { KEPT_PLANS = 8 };

struct pass_plan { // one pass at one shape
    enum ebb_net_pass pass;
    int in[4], out[4]; // (n, c, h, w)
    struct ebb_plan *plan;
    struct ebb_buffer *input, *output;
    float *host;             // the larger of input and output, (n, h, w, c)
    float *time, *class_row; // step inputs, n rows each
};

struct ebb_net {
    struct ebb_network *network;
    struct ebb_device *device;
    struct pass_plan plans[KEPT_PLANS]; // a new shape takes the place of the oldest
    int newest;
};

struct ebb_net *ebb_net_open(const char *folder, struct ebb_device *device, struct ebb_error *error)
{
    struct ebb_net *net = ebb_alloc(1, sizeof(*net));
    if (!net) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
        return NULL;
    }
    net->device = ebb_device_share(device);
    net->network = ebb_network_open(folder, NULL, error);
    if (net->network && ebb_network_load(&net->network, device, error) == EBB_OK)
        return net;
    ebb_net_close(&net);
    return NULL;
}

static void clear(struct pass_plan *p)
{
    ebb_plan_destroy(&p->plan);
    ebb_buffer_destroy(&p->input);
    ebb_buffer_destroy(&p->output);
    free(p->host);
    free(p->time);
    free(p->class_row);
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
    ebb_network_close(&gone->network);
    ebb_device_destroy(&gone->device);
    free(gone);
}

const char *ebb_net_class(const struct ebb_net *net)
{
    return net->network->unet ? "UNet2DModel" : "AutoencoderKL";
}

uint64_t ebb_net_parameters(const struct ebb_net *net)
{
    return ebb_weights_count(ebb_network_weights(net->network));
}

// ---- shapes ----

static enum ebb_result wrong_size(struct ebb_error *error, const char *what, int found, const char *expected, int number)
{
    return ebb_fail(error, EBB_INVALID, "%s of the input is %d, expected %s %d", what, found, expected, number);
}

enum ebb_result ebb_net_shape(struct ebb_net *net, enum ebb_net_pass pass, const int in[4], int out[4],
                              struct ebb_error *error)
{
    const struct ebb_unet *unet = net->network->unet;
    const struct ebb_autoencoder *vae = net->network->vae;
    if ((pass == EBB_NET_FORWARD) != (unet != NULL))
        return ebb_fail(error, EBB_WRONG_TYPE, "a %s has no %s pass", ebb_net_class(net),
                        pass == EBB_NET_FORWARD ? "forward" : pass == EBB_NET_ENCODE ? "encode" : "decode");

    int channels = unet ? ebb_unet_in_channels(unet)
                   : pass == EBB_NET_ENCODE ? ebb_autoencoder_in_channels(vae) : ebb_autoencoder_latent_channels(vae);
    int least = unet ? ebb_unet_multiple(unet) : pass == EBB_NET_ENCODE ? ebb_autoencoder_reduction(vae) : 1;
    if (in[0] < 1 || in[0] > 4096)
        return wrong_size(error, "the batch", in[0], "1 to", 4096);
    if (in[1] != channels)
        return wrong_size(error, "the channel count", in[1], "", channels);
    for (int i = 2; i < 4; i++) {
        const char *what = i == 2 ? "the height" : "the width";
        if (in[i] < least || in[i] > 1 << 16)
            return wrong_size(error, what, in[i], in[i] < least ? "at least" : "at most", in[i] < least ? least : 1 << 16);
        if (unet && in[i] % least)
            return wrong_size(error, what, in[i], "a multiple of", least);
    }

    memcpy(out, in, 4 * sizeof(*out));
    out[1] = unet ? ebb_unet_out_channels(unet)
             : pass == EBB_NET_ENCODE ? 2 * ebb_autoencoder_latent_channels(vae) : ebb_autoencoder_out_channels(vae);
    for (int i = 2; vae && i < 4; i++)
        out[i] = pass == EBB_NET_ENCODE ? in[i] / ebb_autoencoder_reduction(vae) : in[i] * ebb_autoencoder_reduction(vae);
    return EBB_OK;
}

static size_t count(const int shape[4])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
}

// ---- plans ----

static enum ebb_result build(const struct ebb_net *net, const struct pass_plan *p, struct ebb_graph *graph,
                             struct ebb_error *error)
{
    int n = p->in[0], h = p->in[2], w = p->in[3];
    if (!graph)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    if (p->pass == EBB_NET_ENCODE)
        return ebb_encoder_build(net->network->vae, graph, n, h, w, error);
    if (p->pass == EBB_NET_DECODE)
        return ebb_decoder_build(net->network->vae, graph, n, h, w, error);
    return ebb_unet_build(net->network->unet, graph, n, h, w, 0, error);
}

static enum ebb_result make(const struct ebb_net *net, struct pass_plan *p, struct ebb_error *error)
{
    int width[2] = {0, 0};
    struct ebb_graph *graph = ebb_graph_create();
    enum ebb_result result = build(net, p, graph, error);
    if (result) {
        ebb_graph_destroy(&graph);
        return result;
    }
    struct ebb_error local;
    error = error ? error : &local;
    if (!(p->plan = ebb_plan_create(net->device, graph, error)) ||
        !(p->input = ebb_buffer_create(net->device, count(p->in), error)) ||
        !(p->output = ebb_buffer_create(net->device, count(p->out), error)))
        return error->code;

    size_t most = count(p->in) > count(p->out) ? count(p->in) : count(p->out);
    if (net->network->unet)
        ebb_unet_step_inputs(net->network->unet, width);
    p->host = ebb_alloc(most, sizeof(float));
    p->time = ebb_alloc((size_t)p->in[0], (size_t)width[0] * sizeof(float));
    p->class_row = ebb_alloc((size_t)p->in[0], (size_t)width[1] * sizeof(float));
    return p->host && p->time && p->class_row ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a plan");
}

// The plan for this pass and shape; NULL on failure.
static struct pass_plan *find(struct ebb_net *net, enum ebb_net_pass pass, const int in[4], struct ebb_error *error)
{
    int out[4];
    if (ebb_net_shape(net, pass, in, out, error))
        return NULL;
    for (int i = 0; i < KEPT_PLANS; i++)
        if (net->plans[i].plan && net->plans[i].pass == pass && memcmp(net->plans[i].in, in, sizeof(out)) == 0)
            return &net->plans[i];

    net->newest = (net->newest + 1) % KEPT_PLANS;
    struct pass_plan *p = &net->plans[net->newest];
    clear(p);
    p->pass = pass;
    memcpy(p->in, in, sizeof(p->in));
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

static enum ebb_result embed(const struct ebb_net *net, const struct pass_plan *p, const struct ebb_net_inputs *inputs,
                             struct ebb_error *error)
{
    const struct ebb_unet *unet = net->network->unet;
    const struct ebb_unet_config *config = ebb_unet_config(unet);
    int width[2] = {0, 0}, classes = ebb_unet_classes(unet);
    int vector = config->classes == EBB_CLASS_TIMESTEP ? 1 : ebb_unet_step_inputs(unet, width) == 2 ? width[1] : 0;
    ebb_unet_step_inputs(unet, width);
    if (!isfinite(inputs->timestep) || (config->time == EBB_TIME_FOURIER && inputs->timestep <= 0))
        return ebb_fail(error, EBB_INVALID, "timestep is %g, expected %s", inputs->timestep,
                        config->time == EBB_TIME_FOURIER ? "a positive number" : "a number");
    if ((inputs->labels || inputs->class_vector) && config->classes == EBB_CLASS_NONE)
        return ebb_fail(error, EBB_INVALID, "a class was given, the network has none");

    for (int i = 0; i < p->in[0]; i++) {
        int label = inputs->labels ? inputs->labels[i] : -1;
        if (label < -1 || (classes && label >= classes))
            return ebb_fail(error, EBB_INVALID, "label %d is outside 0 to %d", label, classes - 1);
        ebb_unet_embed(unet, inputs->timestep, label, inputs->class_vector ? inputs->class_vector + i * vector : NULL,
                       p->time + i * width[0], p->class_row + i * width[1]);
    }
    return ebb_plan_steps(p->plan, 1, (const float *const[]){p->time, p->class_row}, error);
}

// (mean, log variance) -> (mean, standard deviation), (n, 2 latent, h, w).
static void to_deviation(const int shape[4], float *x)
{
    size_t half = count(shape) / (size_t)shape[0] / 2;
    for (int n = 0; n < shape[0]; n++, x += 2 * half)
        for (size_t i = half; i < 2 * half; i++)
            x[i] = expf(0.5f * fminf(fmaxf(x[i], -30), 20));
}

enum ebb_result ebb_net_run(struct ebb_net *net, enum ebb_net_pass pass, const int shape[4], const float *input,
                            const struct ebb_net_inputs *inputs, float *output, struct ebb_error *error)
{
    static const struct ebb_net_inputs nothing = {0};
    struct ebb_error local;
    error = error ? error : &local;
    inputs = inputs ? inputs : &nothing;
    struct pass_plan *p = find(net, pass, shape, error);
    if (!p)
        return error->code;

    enum ebb_result result = pass == EBB_NET_FORWARD ? embed(net, p, inputs, error) : EBB_OK;
    to_nhwc(p->in, input, p->host);
    if (!result)
        result = ebb_buffer_write(p->input, 0, p->host, count(p->in), error);
    if (!result)
        result = ebb_plan_run(p->plan, 0, &p->input, &p->output, error);
    if (!result)
        result = ebb_buffer_read(p->output, 0, p->host, count(p->out), error);
    if (result)
        return result;

    to_nchw(p->out, p->host, output);
    if (pass == EBB_NET_ENCODE)
        to_deviation(p->out, output);
    float scale = pass == EBB_NET_FORWARD ? (float)ebb_unet_output_scale(net->network->unet, inputs->timestep) : 1;
    for (size_t i = 0; scale != 1 && i < count(p->out); i++)
        output[i] *= scale;
    return EBB_OK;
}
