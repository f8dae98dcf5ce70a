#include "backend/profile.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// One lock for all devices: profiling is for people, and off in the step loop of everybody else.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void ebb_op_describe(const struct ebb_program *program, const struct ebb_op *op, char *text, size_t size)
{
    static const char *const names[EBB_OP_COUNT] = {[EBB_OP_CONV] = "conv", [EBB_OP_MAP] = "map", [EBB_OP_NORM] = "norm",
                                                    [EBB_OP_POOL] = "pool", [EBB_OP_ATTENTION] = "attention",
                                                    [EBB_OP_MEAN] = "mean", [EBB_OP_SOFTMAX] = "softmax", [EBB_OP_SPREAD] = "spread",
                                                    [EBB_OP_ACT_GRAD] = "activation gradient", [EBB_OP_NORM_GRAD] = "norm gradient",
                                                    [EBB_OP_ATTENTION_GRAD] = "attention gradient"};
    const struct ebb_tensor *tensors = program->tensors, *dst = &tensors[op->dst];
    const struct ebb_tensor *from = op->kind == EBB_OP_NORM && op->src[0] >= 0 ? &tensors[op->src[0]] : dst;
    char kernel[32] = "";
    if (op->kind == EBB_OP_CONV)
        snprintf(kernel, sizeof(kernel), " %dx%d %d ->", op->weight->kh, op->weight->kw, op->weight->cin);
    snprintf(text, size, "%s%s %d, %d x %d%s", names[op->kind], kernel, op->kind == EBB_OP_NORM ? dst->c / 2 : dst->c, from->h,
             from->w, op->kind == EBB_OP_CONV && op->stride == 2 ? ", stride 2" : "");
    size_t used = strlen(text);
    if (dst->n > 1)
        snprintf(text + used, size - used, ", batch %d", dst->n);
}

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
