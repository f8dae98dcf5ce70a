// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/ref/ref.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

static void (*const kernels[EBB_OP_COUNT])(const struct ebb_host_run *run, const struct ebb_op *op) = {
#define OP(NAME, name, words) [EBB_OP_##NAME] = ref_##name,
#include "backend/ops.def"
#undef OP
};

static enum ebb_result ref_open(struct ebb_device *device, const char *which, int threads,
                                struct ebb_error *error)
{
    if (which)
        return ebb_fail(error, EBB_NO_DEVICE, "device ref takes no \":%s\"", which);
    snprintf(device->description, sizeof(device->description), "ref: plain loops, one thread, double sums");
    return EBB_OK;
}

static void ref_close(struct ebb_device *device)
{
}

static enum ebb_result ref_prepare(struct ebb_device *device, const struct ebb_program *program,
                                   void **prepared, struct ebb_error *error)
{
    struct ebb_program *copy = ebb_alloc(1, sizeof(*copy));
    bool room = copy != NULL;
    for (int i = 0; room && i < program->op_count; i++)
        room = !program->ops[i].weight || ebb_weight_plain(program->ops[i].weight);
    if (!room) {
        free(copy);
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a program");
    }
    *copy = *program;
    *prepared = copy;
    return EBB_OK;
}

static enum ebb_result ref_run(struct ebb_device *device, void *prepared, int step,
                               struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                               struct ebb_error *error)
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
    .sum_squares = ebb_host_sum_squares,
    .prepare = ref_prepare,
    .run = ref_run,
    .release = ref_release,
};
