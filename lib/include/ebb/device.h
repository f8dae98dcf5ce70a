// SPDX-License-Identifier: LGPL-2.1-or-later
// Devices, on which networks run. Their names: "cpu", "ref" (plain loops, the reference), "vulkan",
// "vulkan:N", "vulkan:NAME", "auto".
#ifndef EBB_DEVICE_H
#define EBB_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/log.h>

EBB_BEGIN_DECLS

struct ebb_device;

// Makes a device ready. NULL as `name` is "auto": the best usable GPU, otherwise the CPU; the log says
// which and why. `threads` is the number of CPU threads; 0: one for each physical core that the calling
// thread and its control group may use. `log` is borrowed, must outlive the device and may be NULL. NULL on
// failure. Any number of models and threads may share a device.
EBB_API struct ebb_device *ebb_device_create(const char *name, int threads, const struct ebb_log *log,
                                             struct ebb_error *error);

// Gives up this reference. The device is freed when the last model that uses it is closed.
EBB_API void ebb_device_destroy(struct ebb_device **device);

// The device's backend: "cpu", "ref" or "vulkan"; a static string.
EBB_API const char *ebb_device_kind(const struct ebb_device *device);

// A description of one line, such as "cpu: 2 threads, AVX-512"; owned by the device.
EBB_API const char *ebb_device_description(const struct ebb_device *device);

// The reason of the fallback, one sentence, where the CPU stands in for the GPU of "auto"; otherwise NULL.
// Owned by the device.
EBB_API const char *ebb_device_fallback(const struct ebb_device *device);

struct ebb_device_info {
    char name[32];         // for ebb_device_create(): "vulkan:0"
    char description[256]; // driver, features
    uint64_t memory;       // bytes of the largest device-local heap; 0: the host's memory
    bool usable;           // false: the device lacks a feature, which `description` names
    bool software;         // a driver that computes on the CPU, such as lavapipe; "auto" never takes it
    uint64_t reserved[6];
};

// Lists the devices: writes up to `capacity` of them to `infos` (may be NULL when capacity is 0) and
// returns how many there are. Opens the Vulkan loader where one is installed. Never fails: the CPU is
// always listed.
EBB_API size_t ebb_device_list(struct ebb_device_info *infos, size_t capacity);

// Whether the machine has a GPU, usable or not. Opens the Vulkan loader only where the system has a GPU's
// device file.
EBB_API bool ebb_device_has_gpu(void);

// One operation of a network on a device that is being profiled.
struct ebb_profile_entry {
    char op[80];    // "conv 3x3 128 -> 64, 16 x 32, batch 2"
    double start;   // seconds, by the device's own clock
    double seconds; // duration
    double reserved[4];
};

// Turns the timing of every operation on or off; it is off at first. Timing slows every operation a little.
EBB_API void ebb_device_profile(struct ebb_device *device, bool on);

// Waits for the device, writes the first `capacity` entries in order, forgets all entries, and returns how
// many there were. With `entries` NULL it only counts. No other thread may use the device during the call.
EBB_API size_t ebb_device_profile_read(struct ebb_device *device, struct ebb_profile_entry *entries,
                                       size_t capacity);

EBB_END_DECLS

#endif
