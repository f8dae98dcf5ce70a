// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/precision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/net.h>

#include "backend/backend.h"
#include "base/base.h"
#include "diffusion/noise.h"
#include "model/model_files.h"

// `auto` takes bfloat16 up to this difference of one evaluation, relative rms.
static const double AUTO_BOUND = 0.03;

enum { TOKENS = 8 }; // of the text that a network with text sees while it is measured

enum ebb_precision ebb_precision_of(const char *name)
{
    return strcmp(name, "bf16") == 0   ? EBB_PRECISION_BF16
           : strcmp(name, "auto") == 0 ? EBB_PRECISION_AUTO
                                       : EBB_PRECISION_FP32;
}

struct trial {
    int shape[4], out[4];
    size_t inputs, outputs;
    float *x, *y[2], *states; // y: float32, bfloat16; states: zeros
    struct ebb_net_inputs given;
};

static size_t count_of(const int shape[4])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
}

static void trial_clear(struct trial *t)
{
    free(t->x);
    free(t->y[0]);
    free(t->y[1]);
    free(t->states);
}

// Noise in the middle of the process, and a text of zeros where the network sees one.
static enum ebb_result trial_begin(struct trial *t, const struct ebb_model *model, struct ebb_net *net,
                                   struct ebb_error *error)
{
    int width = 0;
    const int shape[4] = {1, ebb_unet_in_channels(model->unet), model->state[1], model->state[2]};
    memcpy(t->shape, shape, sizeof(shape));
    enum ebb_result result = ebb_net_shape(net, EBB_NET_FORWARD, t->shape, t->out, error);
    if (result != EBB_OK)
        return result;
    for (int i = 0; i < 2; i++)
        width = ebb_net_text_width(net, i) > width ? ebb_net_text_width(net, i) : width;
    int vector = ebb_net_class_vector(net);
    size_t states = (size_t)width * TOKENS;
    t->inputs = count_of(t->shape);
    t->outputs = count_of(t->out);
    t->x = ebb_alloc(t->inputs, sizeof(float));
    t->y[0] = ebb_alloc(t->outputs, sizeof(float));
    t->y[1] = ebb_alloc(t->outputs, sizeof(float));
    t->states = ebb_alloc(states > (size_t)vector ? states : (size_t)vector + 1, sizeof(float));
    if (!t->x || !t->y[0] || !t->y[1] || !t->states)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory to measure bfloat16");
    ebb_noise_philox(0, 0, 0, 0, t->inputs, t->x);
    t->given.timestep = 500;
    t->given.class_vector = vector ? t->states : NULL;
    for (int i = 0; i < 2; i++)
        if (ebb_net_text_width(net, i))
            t->given.text[i] = (struct ebb_net_text){.states = t->states, .tokens = TOKENS};
    return EBB_OK;
}

static double difference(const float *got, const float *want, size_t count)
{
    double apart = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        apart += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += (double)want[i] * want[i];
    }
    return size > 0 ? sqrt(apart / size) : INFINITY;
}

// One evaluation both ways. The weights are those that the model has loaded.
static enum ebb_result measure(const struct ebb_model *model, double *found, struct ebb_error *error)
{
    struct trial t = {0};
    struct ebb_net *net = ebb_net_open(model->files->network[EBB_PART_UNET]->folder, model->device, error);
    enum ebb_result result = net ? trial_begin(&t, model, net, error) : error->code;
    for (int i = 0; i < 2 && result == EBB_OK; i++) {
        t.given.bf16 = i == 1;
        result = ebb_net_run(net, EBB_NET_FORWARD, t.shape, t.x, &t.given, t.y[i], error);
    }
    if (result == EBB_OK)
        *found = difference(t.y[1], t.y[0], t.outputs);
    trial_clear(&t);
    ebb_net_close(&net);
    return result;
}

static void say_none(const struct ebb_model *model, bool asked)
{
    ebb_logf(ebb_device_log(model->device), asked ? EBB_LOG_WARNING : EBB_LOG_INFO,
             "precision %s: no arithmetic in bfloat16 here (%s), the network runs in float32",
             asked ? "bf16" : "auto", ebb_device_description(model->device));
}

static void say_choice(const struct ebb_model *model, double difference)
{
    ebb_logf(ebb_device_log(model->device), EBB_LOG_INFO,
             "precision auto: %s, because an evaluation in bfloat16 differs by %.4f; up to %g is allowed",
             difference <= AUTO_BOUND ? "bf16" : "fp32", difference, AUTO_BOUND);
}

enum ebb_result ebb_precision_choose(const struct ebb_model *model, enum ebb_precision precision,
                                     struct ebb_precision_known *known, bool *bf16, struct ebb_error *error)
{
    bool has = model->device->bf16, automatic = precision == EBB_PRECISION_AUTO, said = known->said;
    enum ebb_result result = EBB_OK;
    *bf16 = has && precision == EBB_PRECISION_BF16;
    if (precision == EBB_PRECISION_FP32)
        return EBB_OK;
    if (has && automatic && !known->measured)
        result = measure(model, &known->difference, error);
    known->measured |= has && automatic && result == EBB_OK;
    known->said |= automatic || !has;
    if (has && automatic)
        *bf16 = result == EBB_OK && known->difference <= AUTO_BOUND;
    if (!said && !has)
        say_none(model, !automatic);
    else if (!said && automatic && result == EBB_OK)
        say_choice(model, known->difference);
    return result;
}
