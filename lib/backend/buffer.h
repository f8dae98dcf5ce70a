// Floats on a device, and the few operations that the step loop needs beside networks. Work on a device is ordered: an
// operation sees the results of the ones before it; only ebb_buffer_read() and ebb_measure() wait for it. Buffers are
// created and destroyed by the engine, never in the loop.
#ifndef EBB_BACKEND_BUFFER_H
#define EBB_BACKEND_BUFFER_H

#include <stddef.h>

#include <ebb/device.h>
#include <ebb/error.h>

// One more owner of the device; each gives its own up with ebb_device_destroy().
struct ebb_device *ebb_device_share(struct ebb_device *device);
// The CPU in place of a GPU that "auto" chose and a model does not fit on, `why` in its fallback and in the log. NULL: the
// device was asked for by name, is the CPU itself, or there is no memory.
struct ebb_device *ebb_device_retreat(const struct ebb_device *device, const char *why);
const struct ebb_log *ebb_device_log(const struct ebb_device *device);

struct ebb_buffer;
// Zeroed. Shares the device. NULL on failure; count 0 is a failure.
struct ebb_buffer *ebb_buffer_create(struct ebb_device *device, size_t count, struct ebb_error *error);
void ebb_buffer_destroy(struct ebb_buffer **buffer);
size_t ebb_buffer_count(const struct ebb_buffer *buffer);
enum ebb_result ebb_buffer_write(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                                 struct ebb_error *error);
enum ebb_result ebb_buffer_read(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                                struct ebb_error *error);

// The step update of all samplers: dst[i] = clamp(sum_k weight_k src_k[i]) / divide. dst may be one of the sources
// (at the same offset). The result may be written several times, one copy after the other.
struct ebb_blend {
    struct ebb_buffer *dst;
    int terms;  // 1..8
    int copies; // 0: one
    struct ebb_buffer *src[8];
    float weight[8];
    struct ebb_buffer *noise_scale; // per-element factor on the last term; NULL: none
    float clamp;  // > 0: to [-clamp, clamp], before dividing; 0: none
    float divide; // 0: none
    size_t count; // floats
    size_t dst_offset, src_offset[8], noise_scale_offset; // floats
};
enum ebb_result ebb_blend(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error);

// Dynamic thresholding (Saharia 2022) in place: q = min(max(1, `ratio`-quantile of |x|, linear between ranks), most);
// x = clamp(x, -q, q) / q.
struct ebb_threshold {
    struct ebb_buffer *x;
    size_t offset, count; // floats; 1 and more
    float ratio, most;    // ratio in (0, 1], most >= 1
};
enum ebb_result ebb_threshold_check(const struct ebb_device *device, const struct ebb_threshold *threshold, struct ebb_error *error);
enum ebb_result ebb_threshold(struct ebb_device *device, const struct ebb_threshold *threshold, struct ebb_error *error);

enum ebb_measure { EBB_MEASURE_SUM_SQUARES, EBB_MEASURE_SUM, EBB_MEASURE_MAX_ABS, EBB_MEASURE_NOT_FINITE };
enum ebb_result ebb_measure(struct ebb_device *device, enum ebb_measure what, struct ebb_buffer *src, size_t offset,
                            size_t count, double *value, struct ebb_error *error);

#endif
