// A program prepared for Vulkan: its ops as dispatches, its constants and packed weights on the device.
#ifndef EBB_BACKEND_VULKAN_PROGRAM_H
#define EBB_BACKEND_VULKAN_PROGRAM_H

#include "backend/op.h"
#include "backend/vulkan/kernel.h"

// Statistics of a tensor that a norm reads (shaders/stats.glsl).
struct ebb_vk_stats {
    bool wanted;
    uint32_t tile;   // pixels they cover; 0: not made yet
    uint32_t offset; // in scratch
};

struct ebb_vk_program {
    struct ebb_vk *vk; // borrowed: the device outlives its programs
    struct ebb_program source; // a copy: tensors, buffers
    struct ebb_vk_dispatch *dispatches;
    int count, capacity;
    VkDescriptorPool pool;
    struct ebb_vk_memory scratch; // constants, statistics, then the largest set of partial sums
    float *constants;             // on the host, until they are uploaded
    size_t constant_count, constant_capacity;
    struct ebb_vk_stats *stats;   // by tensor, while it is built
    size_t stats_floats;          // of all of them
    size_t partial_floats;        // most that any convolution needs
    struct ebb_vk_sets *outside;  // of what run() was given
};

// ---- ops.c ---- appends the dispatches of one op; the program's lock is held
enum ebb_result ebb_vk_translate(struct ebb_vk_program *program, const struct ebb_op *op, struct ebb_error *error);

// ---- program.c ----
// A new dispatch at the end of the list, zeroed; NULL when out of memory.
struct ebb_vk_dispatch *ebb_vk_append(struct ebb_vk_program *program, struct ebb_error *error);
// Copies a vector into the constants once per use; its offset, or UINT32_MAX for NULL or when out of memory.
uint32_t ebb_vk_constant(struct ebb_vk_program *program, const struct ebb_weight *weight);

void *ebb_vk_prepare(struct ebb_device *device, const struct ebb_program *source, struct ebb_error *error);
enum ebb_result ebb_vk_run(struct ebb_device *device, void *prepared, int step, struct ebb_buffer *const *inputs,
                           struct ebb_buffer *const *outputs, struct ebb_error *error);
// The memory of what a run is given, as its descriptor set names it.
void ebb_vk_outside(const struct ebb_vk_program *program, struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                    const struct ebb_vk_memory *memory[EBB_VK_OUTSIDES]);
void ebb_vk_program_release(struct ebb_device *device, void *prepared);
size_t ebb_vk_program_memory(const void *prepared);

// ---- timing.c ----
// ebb_vk_record() between two timestamps.
enum ebb_result ebb_vk_timed(struct ebb_vk *vk, const struct ebb_vk_dispatch *dispatch, VkDescriptorSet outside, int step,
                             struct ebb_error *error);
void ebb_vk_collect(struct ebb_device *device);

// ---- weights.c ----
// A convolution's weights as the shaders read them: (kh * kw * cin, stride), stride = cout padded to a multiple of 4.
struct ebb_vk_weight {
    struct ebb_packed packed;
    struct ebb_vk *vk; // holds a reference
    struct ebb_vk_memory memory;
    uint32_t stride;
};
// Packed once per device; the device's lock must NOT be held. NULL with an error.
const struct ebb_vk_weight *ebb_vk_weight_get(struct ebb_vk *vk, struct ebb_weight *weight, struct ebb_error *error);

#endif
