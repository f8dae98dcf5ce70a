// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/vulkan/tape.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/vulkan/buffer_ops.h"
#include "backend/vulkan/program.h"
#include "base/base.h"

struct tape_chunk {
    VkCommandBuffer commands;
    uint64_t value; // the timeline's value when the chunk is done
    int marks;      // marks passed at its end
    char until[80]; // its last op
};

struct ebb_vk_tape {
    struct ebb_vk *vk; // borrowed: the tape's device has it
    struct ebb_vk_sets *sets;
    struct tape_chunk *chunks;
    int count, capacity;
};

struct recorder {
    struct ebb_vk_tape *tape;
    struct tape_chunk *open; // NULL: none
    uint64_t cost;           // of the open chunk
    int marks;
};

// ---- recording ----

static enum ebb_result begin_chunk(struct recorder *r, struct ebb_error *error)
{
    struct ebb_vk_tape *tape = r->tape;
    struct ebb_vk *vk = tape->vk;
    if (tape->count == tape->capacity) {
        int capacity = tape->capacity ? 2 * tape->capacity : 16;
        void *grown = realloc(tape->chunks, (size_t)capacity * sizeof(*tape->chunks));
        if (!grown)
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for command buffers");
        tape->chunks = grown;
        tape->capacity = capacity;
    }
    struct tape_chunk *chunk = &tape->chunks[tape->count];
    *chunk = (struct tape_chunk){0};
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = vk->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    enum ebb_result result = ebb_vk_check(vk,
                                          vk->vk.AllocateCommandBuffers(vk->device, &info, &chunk->commands),
                                          "making a command buffer", error);
    if (result != EBB_OK)
        return result;
    tape->count++;
    r->open = chunk;
    r->cost = 0;
    return ebb_vk_begin(vk, chunk->commands, 0, error);
}

static enum ebb_result end_chunk(struct recorder *r, struct ebb_error *error)
{
    struct tape_chunk *chunk = r->open;
    if (!chunk)
        return EBB_OK;
    chunk->marks = r->marks;
    r->open = NULL;
    return ebb_vk_end(r->tape->vk, chunk->commands, error);
}

static enum ebb_result put(struct recorder *r, const struct ebb_vk_dispatch *d, VkDescriptorSet outside,
                           int step, struct ebb_error *error)
{
    struct ebb_vk *vk = r->tape->vk;
    enum ebb_result result = r->open ? EBB_OK : begin_chunk(r, error);
    if (result != EBB_OK)
        return result;
    ebb_vk_encode(vk, r->open->commands, d, outside, step);
    snprintf(r->open->until, sizeof(r->open->until), "%s", d->name);
    r->cost += ebb_vk_cost(d->flops);
    return r->cost > vk->chunk_cost ? end_chunk(r, error) : EBB_OK;
}

static enum ebb_result put_call(struct recorder *r, struct ebb_vk_call *call, struct ebb_error *error)
{
    VkDescriptorSet found[2];
    enum ebb_result result = ebb_vk_sets_find(r->tape->vk, r->tape->sets, call->inside, call->outside, found,
                                              error);
    call->dispatch.inside = found[0];
    if (result == EBB_OK)
        result = put(r, &call->dispatch, found[1], 0, error);
    return result;
}

static enum ebb_result put_blend(struct recorder *r, const struct ebb_blend *blend, struct ebb_error *error)
{
    struct ebb_vk_call calls[2];
    int count;
    enum ebb_result result = ebb_vk_blend_calls(r->tape->vk, blend, calls, &count, error);
    for (int i = 0; i < count && result == EBB_OK; i++)
        result = put_call(r, &calls[i], error);
    return result;
}

static enum ebb_result put_threshold(struct recorder *r, const struct ebb_threshold *threshold,
                                     struct ebb_error *error)
{
    struct ebb_vk_call call;
    enum ebb_result result = ebb_vk_threshold_call(r->tape->vk, threshold, &call, error);
    if (result == EBB_OK)
        result = put_call(r, &call, error);
    return result;
}

static enum ebb_result put_run(struct recorder *r, const struct ebb_tape_entry *entry,
                               struct ebb_error *error)
{
    const struct ebb_vk_program *program = entry->program.prepared;
    const struct ebb_vk_memory *outside[EBB_VK_OUTSIDES];
    VkDescriptorSet found[2];
    ebb_vk_outside(program, entry->buffers, entry->buffers + entry->program.inputs, outside);
    enum ebb_result result = ebb_vk_sets_find(r->tape->vk, r->tape->sets, NULL, outside, found, error);
    for (int i = 0; i < program->ops.count && result == EBB_OK; i++)
        result = put(r, &program->ops.dispatches[i], found[1], entry->step, error);
    return result;
}

static enum ebb_result put_all(struct ebb_vk_tape *tape, const struct ebb_tape_entry *entries, size_t count,
                               struct ebb_error *error)
{
    struct recorder r = {.tape = tape};
    enum ebb_result result = EBB_OK;
    for (size_t i = 0; i < count && result == EBB_OK; i++)
        switch (entries[i].kind) {
        case EBB_TAPE_BLEND: result = put_blend(&r, &entries[i].blend, error); break;
        case EBB_TAPE_THRESHOLD: result = put_threshold(&r, &entries[i].threshold, error); break;
        case EBB_TAPE_RUN: result = put_run(&r, &entries[i], error); break;
        case EBB_TAPE_MARK: r.marks++; break;
        }
    if (result == EBB_OK)
        result = end_chunk(&r, error);
    return result;
}

// Room for sets: at most two passes of a blend, one of any other operation; and one more pair, because a
// search frees all sets when less than a pair is left.
static int sets_needed(const struct ebb_tape_entry *entries, size_t count)
{
    int sets = 2;
    for (size_t i = 0; i < count; i++)
        sets += entries[i].kind == EBB_TAPE_BLEND ? 4 : 2;
    return sets;
}

static void destroy(struct ebb_vk_tape *tape)
{
    struct ebb_vk *vk = tape->vk;
    ebb_vk_finish(vk, NULL); // it may still be playing
    for (int i = 0; i < tape->count; i++)
        vk->vk.FreeCommandBuffers(vk->device, vk->pool, 1, &tape->chunks[i].commands);
    ebb_vk_sets_destroy(vk, &tape->sets);
    free(tape->chunks);
    free(tape);
}

enum ebb_result ebb_vk_tape_record(struct ebb_device *device, const struct ebb_tape_entry *entries,
                                   size_t count, void **recorded, struct ebb_error *error)
{
    struct ebb_vk *vk = device->state;
    struct ebb_vk_tape *tape = ebb_alloc(1, sizeof(*tape));
    if (!tape)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a tape");
    tape->vk = vk;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_sets_create(vk, sets_needed(entries, count), &tape->sets, error);
    if (result == EBB_OK)
        result = put_all(tape, entries, count, error);
    if (result == EBB_OK)
        *recorded = tape;
    else
        destroy(tape);
    pthread_mutex_unlock(&vk->lock);
    return result;
}

void ebb_vk_tape_erase(struct ebb_device *device, void *recorded)
{
    struct ebb_vk *vk = device->state;
    pthread_mutex_lock(&vk->lock);
    destroy(recorded);
    pthread_mutex_unlock(&vk->lock);
}

// ---- playing ----

// Work that was queued before comes first. A command buffer must not be queued again while it still runs.
static enum ebb_result make_ready(struct ebb_vk_tape *tape, struct ebb_error *error)
{
    struct ebb_vk *vk = tape->vk;
    pthread_mutex_lock(&vk->lock);
    enum ebb_result result = ebb_vk_submit(vk, error);
    pthread_mutex_unlock(&vk->lock);
    uint64_t last = 0; // the largest value: after a play that was stopped, later chunks have older values
    for (int i = 0; i < tape->count; i++)
        last = tape->chunks[i].value > last ? tape->chunks[i].value : last;
    if (result == EBB_OK)
        result = ebb_vk_wait(vk, last, error);
    return result;
}

static enum ebb_result submit(struct ebb_vk *vk, struct tape_chunk *chunk, struct ebb_error *error)
{
    pthread_mutex_lock(&vk->lock);
    snprintf(vk->latest, sizeof(vk->latest), "%s", chunk->until);
    enum ebb_result result = ebb_vk_queue(vk, chunk->commands, error);
    if (result == EBB_OK)
        chunk->value = vk->submitted;
    pthread_mutex_unlock(&vk->lock);
    return result;
}

// Keeps a few chunks queued, so that the device never waits for the host, and reports the progress of the
// older chunks.
enum ebb_result ebb_vk_tape_play(struct ebb_device *device, void *recorded, ebb_tape_tell tell, void *user,
                                 struct ebb_error *error)
{
    enum { AHEAD = 3 };
    struct ebb_vk *vk = device->state;
    struct ebb_vk_tape *tape = recorded;
    enum ebb_result result = make_ready(tape, error);
    if (result == EBB_OK && tell)
        result = tell(user, 0, error);
    for (int i = 0; i < tape->count && result == EBB_OK; i++) {
        result = submit(vk, &tape->chunks[i], error);
        if (result != EBB_OK || i < AHEAD)
            continue;
        struct tape_chunk *done = &tape->chunks[i - AHEAD];
        result = ebb_vk_wait(vk, done->value, error);
        if (result == EBB_OK && tell)
            result = tell(user, done->marks, error);
    }
    return result;
}
