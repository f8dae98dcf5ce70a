#include "backend/ref/ref.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

static void (*const kernels[EBB_OP_COUNT])(const struct ebb_host_run *run, const struct ebb_op *op) = {
    [EBB_OP_CONV] = ref_conv, [EBB_OP_MAP] = ref_map,           [EBB_OP_NORM] = ref_norm,
    [EBB_OP_POOL] = ref_pool, [EBB_OP_ATTENTION] = ref_attention,
    [EBB_OP_MEAN] = ref_mean, [EBB_OP_SOFTMAX] = ref_softmax,   [EBB_OP_SPREAD] = ref_spread,
    [EBB_OP_ACT_GRAD] = ref_act_grad, [EBB_OP_NORM_GRAD] = ref_norm_grad, [EBB_OP_ATTENTION_GRAD] = ref_attention_grad,
};

static enum ebb_result ref_open(struct ebb_device *device, const char *which, int threads, struct ebb_error *error)
{
    if (which)
        return ebb_fail(error, EBB_NO_DEVICE, "device ref takes no \":%s\"", which);
    snprintf(device->description, sizeof(device->description), "ref: plain loops, one thread, double sums");
    return EBB_OK;
}

static void ref_close(struct ebb_device *device)
{
}

static void *ref_prepare(struct ebb_device *device, const struct ebb_program *program, struct ebb_error *error)
{
    struct ebb_program *copy = ebb_alloc(1, sizeof(*copy));
    if (copy)
        *copy = *program;
    else
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a program");
    return copy;
}

static enum ebb_result ref_run(struct ebb_device *device, void *prepared, int step, struct ebb_buffer *const *inputs,
                               struct ebb_buffer *const *outputs, struct ebb_error *error)
{
    const struct ebb_program *program = prepared;
    struct ebb_host_run run = {program, inputs, outputs, step};
    for (int i = 0; i < program->op_count; i++)
        kernels[program->ops[i].kind](&run, &program->ops[i]);
    return EBB_OK;
}

static void ref_release(struct ebb_device *device, void *prepared)
{
    free(prepared);
}

static size_t ref_memory(const void *prepared)
{
    return 0;
}

const struct ebb_backend ebb_backend_ref = {
    .kind = "ref",
    .open = ref_open,
    .close = ref_close,
    .buffer_create = ebb_host_buffer_create,
    .buffer_destroy = ebb_host_buffer_destroy,
    .write = ebb_host_write,
    .read = ebb_host_read,
    .blend = ebb_host_blend,
    .threshold = ebb_host_threshold,
    .measure = ebb_host_measure,
    .prepare = ref_prepare,
    .run = ref_run,
    .release = ref_release,
    .memory = ref_memory,
};
