// What the backends on the host share: buffers that are plain memory, tensors found in it, blend and measure.
#ifndef EBB_BACKEND_HOST_H
#define EBB_BACKEND_HOST_H

#include "backend/op.h"

enum ebb_result ebb_host_buffer_create(struct ebb_buffer *buffer, struct ebb_error *error);
void ebb_host_buffer_destroy(struct ebb_buffer *buffer);
enum ebb_result ebb_host_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                               struct ebb_error *error);
enum ebb_result ebb_host_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                              struct ebb_error *error);
enum ebb_result ebb_host_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error);
enum ebb_result ebb_host_threshold(struct ebb_device *device, const struct ebb_threshold *threshold, struct ebb_error *error);
enum ebb_result ebb_host_measure(struct ebb_device *device, enum ebb_measure what, struct ebb_buffer *src,
                                 size_t offset, size_t count, double *value, struct ebb_error *error);

// A program at one step: where its tensors are. Kernels are handed this.
struct ebb_host_run {
    const struct ebb_program *program;
    struct ebb_buffer *const *inputs, *const *outputs;
    int step;
};

// The floats of tensor `number`; NULL for -1.
float *ebb_host_tensor(const struct ebb_host_run *run, int number);

// 64-byte aligned, zeroed; NULL on failure. Freed by free().
float *ebb_host_alloc(size_t count);

#endif
