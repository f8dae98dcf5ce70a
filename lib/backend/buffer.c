// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "base/base.h"

uint64_t ebb_new_id(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

struct ebb_buffer *ebb_buffer_create(struct ebb_device *device, size_t count, struct ebb_error *error)
{
    if (count == 0 || count > SIZE_MAX / 2 / sizeof(float)) {
        ebb_fail(error, EBB_INVALID, "a buffer of %zu floats, expected 1 to %zu", count,
                 SIZE_MAX / 2 / sizeof(float));
        return NULL;
    }
    struct ebb_buffer *buffer = ebb_alloc(1, sizeof(*buffer));
    if (!buffer) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a buffer of %zu floats", count);
        return NULL;
    }
    buffer->device = device;
    buffer->count = count;
    buffer->id = ebb_new_id();
    if (device->backend->buffer_create(buffer, error) != EBB_OK) {
        free(buffer);
        return NULL;
    }
    ebb_device_share(device);
    return buffer;
}

void ebb_buffer_destroy(struct ebb_buffer **buffer)
{
    struct ebb_buffer *gone = buffer ? *buffer : NULL;
    if (!gone)
        return;
    *buffer = NULL;
    gone->device->backend->buffer_destroy(gone);
    ebb_device_destroy(&gone->device);
    free(gone);
}

size_t ebb_buffer_count(const struct ebb_buffer *buffer)
{
    return buffer->count;
}

static enum ebb_result check_range(const struct ebb_buffer *buffer, size_t offset, size_t count,
                                   const char *what, struct ebb_error *error)
{
    if (count > buffer->count || offset > buffer->count - count)
        return ebb_fail(error, EBB_INVALID, "%s: %zu floats at %zu of a buffer of %zu", what, count, offset,
                        buffer->count);
    return EBB_OK;
}

enum ebb_result ebb_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                 struct ebb_error *error)
{
    enum ebb_result result = check_range(buffer, offset, count, "write", error);
    if (result == EBB_OK && count > 0)
        result = buffer->device->backend->write(buffer, offset, data, count, error);
    return result;
}

enum ebb_result ebb_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                struct ebb_error *error)
{
    enum ebb_result result = check_range(buffer, offset, count, "read", error);
    if (result == EBB_OK && count > 0)
        result = buffer->device->backend->read(buffer, offset, data, count, error);
    return result;
}

static enum ebb_result check_buffer(const struct ebb_device *device, const struct ebb_buffer *buffer,
                                    size_t offset, size_t count, const char *what, struct ebb_error *error)
{
    if (!buffer || buffer->device != device)
        return ebb_fail(error, EBB_INVALID, "%s: %s", what,
                        buffer ? "a buffer of another device" : "no buffer");
    return check_range(buffer, offset, count, what, error);
}

static size_t copies_of(const struct ebb_blend *blend)
{
    return blend->copies > 1 ? (size_t)blend->copies : 1;
}

// Whether [a, a + a_count) and [b, b + b_count) meet.
static bool meet(size_t a, size_t a_count, size_t b, size_t b_count)
{
    return a < b ? b - a < a_count : a - b < b_count;
}

enum ebb_result ebb_blend_check(const struct ebb_device *device, const struct ebb_blend *blend,
                                struct ebb_error *error)
{
    if (blend->terms < 1 || blend->terms > 8)
        return ebb_fail(error, EBB_INVALID, "blend: %d terms, expected 1 to 8", blend->terms);
    if (blend->copies < 0 || (blend->count && copies_of(blend) > SIZE_MAX / blend->count))
        return ebb_fail(error, EBB_INVALID, "blend: %d copies, expected 0 or more, of a buffer in all",
                        blend->copies);
    size_t written = blend->count * copies_of(blend);
    enum ebb_result result = check_buffer(device, blend->dst, blend->dst_offset, written, "blend", error);
    for (int i = 0; result == EBB_OK && i < blend->terms; i++) {
        size_t offset = blend->src_offset[i];
        result = check_buffer(device, blend->src[i], offset, blend->count, "blend", error);
        // A shifted overlap would read what was just written.
        if (result == EBB_OK && blend->src[i] == blend->dst && offset != blend->dst_offset &&
            meet(offset, blend->count, blend->dst_offset, written))
            result = ebb_fail(error, EBB_INVALID, "blend: source %d overlaps the result, shifted", i);
    }
    if (result == EBB_OK && blend->noise_scale)
        result = check_buffer(device, blend->noise_scale, blend->noise_scale_offset, blend->count, "blend",
                              error);
    return result;
}

enum ebb_result ebb_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error)
{
    enum ebb_result result = ebb_blend_check(device, blend, error);
    if (result == EBB_OK && blend->count > 0)
        result = device->backend->blend(device, blend, error);
    return result;
}

enum ebb_result ebb_threshold_check(const struct ebb_device *device, const struct ebb_threshold *threshold,
                                    struct ebb_error *error)
{
    const struct ebb_threshold *t = threshold;
    if (!(t->ratio > 0 && t->ratio <= 1 && t->most >= 1) || t->count == 0)
        return ebb_fail(
            error, EBB_INVALID,
            "threshold: quantile %g of %zu numbers, at most %g; expected a quantile above 0 and at most 1, and "
            "1 or more of the others",
            t->ratio, t->count, t->most);
    return check_buffer(device, t->x, t->offset, t->count, "threshold", error);
}

enum ebb_result ebb_threshold(struct ebb_device *device, const struct ebb_threshold *threshold,
                              struct ebb_error *error)
{
    enum ebb_result result = ebb_threshold_check(device, threshold, error);
    if (result == EBB_OK)
        result = device->backend->threshold(device, threshold, error);
    return result;
}

enum ebb_result ebb_sum_squares(struct ebb_device *device, struct ebb_buffer *src, size_t offset,
                                size_t count, double *sum, struct ebb_error *error)
{
    enum ebb_result result = check_buffer(device, src, offset, count, "sum of squares", error);
    *sum = 0;
    if (result == EBB_OK && count > 0)
        result = device->backend->sum_squares(device, src, offset, count, sum, error);
    return result;
}
