// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/profile.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"

// One lock for all devices is enough: profiling is off in normal use.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

double ebb_profile_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool ebb_profile_on(const struct ebb_device *device)
{
    return __atomic_load_n(&device->profile.on, __ATOMIC_ACQUIRE);
}

void ebb_profile_add(struct ebb_device *device, const char *op, double start, double seconds)
{
    if (!ebb_profile_on(device))
        return;
    pthread_mutex_lock(&lock);
    struct ebb_profile *p = &device->profile;
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 1024;
        struct ebb_profile_entry *grown = realloc(p->entries, capacity * sizeof(*grown));
        if (grown) {
            p->entries = grown;
            p->capacity = capacity;
        }
    }
    if (p->count < p->capacity) {
        struct ebb_profile_entry *entry = &p->entries[p->count++];
        *entry = (struct ebb_profile_entry){.start = start, .seconds = seconds};
        snprintf(entry->op, sizeof(entry->op), "%s", op);
    }
    pthread_mutex_unlock(&lock);
}

void ebb_device_profile(struct ebb_device *device, bool on)
{
    __atomic_store_n(&device->profile.on, on, __ATOMIC_RELEASE);
}

size_t ebb_device_profile_read(struct ebb_device *device, struct ebb_profile_entry *entries, size_t capacity)
{
    if (device->backend->collect)
        device->backend->collect(device);
    pthread_mutex_lock(&lock);
    struct ebb_profile *p = &device->profile;
    size_t count = p->count;
    if (entries) {
        size_t taken = count < capacity ? count : capacity;
        if (taken)
            memcpy(entries, p->entries, taken * sizeof(*entries));
        p->count = 0;
    }
    pthread_mutex_unlock(&lock);
    return count;
}
