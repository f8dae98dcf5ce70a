// SPDX-License-Identifier: LGPL-2.1-or-later
// The interface of backends: one table of functions. Devices, buffers and prepared programs are private to
// their backend. device.c, buffer.c, tape.c and graph/plan.c check all arguments before they call a
// backend.
#ifndef EBB_BACKEND_BACKEND_H
#define EBB_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/buffer.h"
#include "backend/op.h"
#include "backend/profile.h"
#include "backend/tape.h"

// One backend. Functions that return a result fill `error`. run() and blend() may return before the work is
// done, as long as later calls see it done; read() and sum_squares() wait. Different threads may call at the
// same time.
struct ebb_backend {
    const char *kind; // "cpu"
    // Opens device->state and fills device->description. `which` is the part of the name behind "kind:";
    // NULL: none.
    enum ebb_result (*open)(struct ebb_device *device, const char *which, int threads,
                            struct ebb_error *error);
    void (*close)(struct ebb_device *device);
    // Lists the backend's devices: writes up to `capacity` infos and returns how many devices there are.
    // NULL: the backend has one device, which is always there.
    size_t (*list)(struct ebb_device_info *infos, size_t capacity);
    // Whether list() could find a GPU, without opening drivers; NULL: no.
    bool (*may_list)(void);

    // Allocates buffer->state, buffer->count floats, zeroed.
    enum ebb_result (*buffer_create)(struct ebb_buffer *buffer, struct ebb_error *error);
    void (*buffer_destroy)(struct ebb_buffer *buffer);
    enum ebb_result (*write)(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                             struct ebb_error *error);
    enum ebb_result (*read)(struct ebb_buffer *buffer, size_t offset, float *data, size_t count,
                            struct ebb_error *error);

    enum ebb_result (*blend)(struct ebb_device *device, const struct ebb_blend *blend,
                             struct ebb_error *error);
    enum ebb_result (*threshold)(struct ebb_device *device, const struct ebb_threshold *threshold,
                                 struct ebb_error *error);
    enum ebb_result (*sum_squares)(struct ebb_device *device, struct ebb_buffer *src, size_t offset,
                                   size_t count, double *sum, struct ebb_error *error);

    // Which ops it can compute in place; NULL: none.
    ebb_in_place in_place;
    // Prepares a program, which outlives `prepared`. `prepared` is set on success alone.
    enum ebb_result (*prepare)(struct ebb_device *device, const struct ebb_program *program, void **prepared,
                               struct ebb_error *error);
    enum ebb_result (*run)(struct ebb_device *device, void *prepared, int step,
                           struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                           struct ebb_error *error);
    void (*release)(struct ebb_device *device, void *prepared);
    // Passes measured times to ebb_profile_add(); NULL: run() does that.
    void (*collect)(struct ebb_device *device);

    // Records the entries of a tape; `recorded` is set on success alone. NULL: entries are carried out one
    // by one.
    enum ebb_result (*record)(struct ebb_device *device, const struct ebb_tape_entry *entries, size_t count,
                              void **recorded, struct ebb_error *error);
    enum ebb_result (*play)(struct ebb_device *device, void *recorded, ebb_tape_tell tell, void *user,
                            struct ebb_error *error);
    void (*erase)(struct ebb_device *device, void *recorded);
};

extern const struct ebb_backend ebb_backend_ref, ebb_backend_cpu;
#ifdef HAVE_VULKAN
extern const struct ebb_backend ebb_backend_vulkan;
#endif

struct ebb_device {
    const struct ebb_backend *backend;
    struct ebb_profile profile;
    void *state; // the backend's
    const struct ebb_log *log;
    bool automatic;  // chosen by "auto": the CPU may stand in for it
    int threads;     // argument of ebb_device_create()
    uint64_t memory; // bytes of the device's own memory; 0: it uses the host's
    bool unfused;    // plans do not fuse nodes, for debugging
    bool bf16;       // programs that ask for bfloat16 get it
    int references;
    char description[256], fallback[256]; // fallback: the reason; empty: the device is no fallback
};

struct ebb_buffer {
    struct ebb_device *device; // holds a reference
    size_t count;
    uint64_t id; // ebb_new_id()
    void *state; // the backend's; on the host, the floats themselves
};

// A number that a process gets only once. Recorded tapes know buffers and programs by it, because a freed
// address may be used again.
uint64_t ebb_new_id(void);

#endif
