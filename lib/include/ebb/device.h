// Where networks run: "cpu", "ref" (plain loops, the oracle), "vulkan", "vulkan:N", "vulkan:NAME", "auto".
#ifndef EBB_DEVICE_H
#define EBB_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>
#include <ebb/log.h>

struct ebb_device;

// Opens a device. `name` as above; NULL is "auto": the best usable GPU, otherwise the CPU, and the log says which and
// why. `threads` counts CPU threads, 0 = physical cores. `log` may be NULL; borrowed, must outlive the device.
// NULL on failure with `error` filled. A device may be shared by any number of models and threads.
EBB_API struct ebb_device *ebb_device_create(const char *name, int threads, const struct ebb_log *log,
                                             struct ebb_error *error);

// Gives up this reference; the device itself goes when the last model that uses it is closed.
EBB_API void ebb_device_destroy(struct ebb_device **device);

// "cpu", "ref", "vulkan"; a static string.
EBB_API const char *ebb_device_kind(const struct ebb_device *device);

// One line for people, "cpu: 2 threads, AVX-512"; owned by the device.
EBB_API const char *ebb_device_description(const struct ebb_device *device);

// If the device is a fall-back (auto found no GPU), why, in one sentence; NULL otherwise. Owned by the device.
EBB_API const char *ebb_device_fallback(const struct ebb_device *device);

struct ebb_device_info {
    char name[32];         // what ebb_device_create() takes, "vulkan:0"
    char description[256]; // driver, features
    uint64_t memory;       // bytes of the largest device-local heap; 0: the host's
    int usable;            // 0: listed, but lacks something; `description` says what
    int software;          // a CPU posing as a GPU: never picked by "auto"
};

// Writes up to `capacity` devices to `infos` (may be NULL when capacity is 0), returns how many there are.
// Opens the Vulkan loader if it is there; never fails (the CPU is always listed).
EBB_API size_t ebb_device_list(struct ebb_device_info *infos, size_t capacity);

// One operation of a network on a device that is being profiled.
struct ebb_profile_entry {
    char op[80];    // "conv 3x3 128 -> 64, 16 x 32, batch 2"
    double start;   // seconds, on the device's own clock
    double seconds; // it took
};

// Turns the timing of every operation on or off (off at first). On costs a little time per operation.
EBB_API void ebb_device_profile(struct ebb_device *device, bool on);

// Waits for the device, writes the first `capacity` entries in order and forgets all of them; returns how many there were.
// With entries NULL: only counts. To be called when no other thread uses the device.
EBB_API size_t ebb_device_profile_read(struct ebb_device *device, struct ebb_profile_entry *entries, size_t capacity);

#endif
