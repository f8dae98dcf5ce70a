// SPDX-License-Identifier: LGPL-2.1-or-later
// Profiles: the time of every op. Backends add entries while a device is profiled.
#ifndef EBB_BACKEND_PROFILE_H
#define EBB_BACKEND_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/device.h>

// Every device has one; private to profile.c.
struct ebb_profile {
    bool on;
    struct ebb_profile_entry *entries;
    size_t count, capacity;
};

bool ebb_profile_on(const struct ebb_device *device);
double ebb_profile_now(void); // seconds, on the clock of `start` for host backends

// Adds an op that took `seconds` from `start` on. Does nothing while profiling is off, or out of memory.
void ebb_profile_add(struct ebb_device *device, const char *op, double start, double seconds);

#endif
