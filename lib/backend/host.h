// SPDX-License-Identifier: LGPL-2.1-or-later
// Functions that the backends ref and cpu share: buffers in the host's memory, operands in them, blend,
// threshold, sum of squares.
#ifndef EBB_BACKEND_HOST_H
#define EBB_BACKEND_HOST_H

#include "backend/backend.h"

enum ebb_result ebb_host_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error);
void ebb_host_buffer_destroy(struct ebb_buffer *buffer);
enum ebb_result ebb_host_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                               struct ebb_error *error);
enum ebb_result ebb_host_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                              struct ebb_error *error);
enum ebb_result ebb_host_blend(struct ebb_device *device, const struct ebb_blend *blend,
                               struct ebb_error *error);
enum ebb_result ebb_host_threshold(struct ebb_device *device, const struct ebb_threshold *threshold,
                                   struct ebb_error *error);
enum ebb_result ebb_host_sum_squares(struct ebb_device *device, struct ebb_buffer *src, size_t offset,
                                     size_t count, double *sum, struct ebb_error *error);

// One run of a program, as kernels receive it: with it they find their operands.
struct ebb_host_run {
    const struct ebb_program *program;
    struct ebb_buffer *const *inputs, *const *outputs;
    int step;
};

// The floats of operand `number`; NULL for -1.
float *ebb_host_operand(const struct ebb_host_run *run, int number);

// `count` floats, 64-byte aligned and zeroed; released by free(). NULL: out of memory.
float *ebb_host_alloc(size_t count);

#endif
