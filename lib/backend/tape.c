// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/tape.h"

#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/base.h"

struct list {
    struct ebb_tape_entry *entries;
    size_t count, capacity;
};

struct ebb_tape {
    struct ebb_device *device; // holds a reference
    struct list next;          // being put together
    struct list known;         // what was recorded
    void *recorded;            // the backend's; NULL: nothing
};

struct ebb_tape *ebb_tape_create(struct ebb_device *device, struct ebb_error *error)
{
    struct ebb_tape *tape = ebb_alloc(1, sizeof(*tape));
    if (tape)
        tape->device = ebb_device_share(device);
    else
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a tape");
    return tape;
}

static void erase(struct ebb_tape *tape)
{
    if (tape->recorded)
        tape->device->backend->erase(tape->device, tape->recorded);
    tape->recorded = NULL;
}

void ebb_tape_destroy(struct ebb_tape **tape)
{
    struct ebb_tape *gone = tape ? *tape : NULL;
    if (!gone)
        return;
    *tape = NULL;
    erase(gone);
    ebb_device_destroy(&gone->device);
    free(gone->next.entries);
    free(gone->known.entries);
    free(gone);
}

void ebb_tape_clear(struct ebb_tape *tape)
{
    tape->next.count = 0;
}

static bool has_room(struct list *list, struct ebb_error *error)
{
    if (list->count < list->capacity)
        return true;
    size_t capacity = list->capacity ? 2 * list->capacity : 64;
    struct ebb_tape_entry *grown = realloc(list->entries, capacity * sizeof(*grown));
    if (!grown) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a tape of %zu entries", capacity);
        return false;
    }
    list->entries = grown;
    list->capacity = capacity;
    return true;
}

// An entry at the end, zeroed by memset(): padding too, so that lists compare as bytes.
static enum ebb_result append(struct ebb_tape *tape, enum ebb_tape_kind kind, struct ebb_tape_entry **entry,
                              struct ebb_error *error)
{
    if (!has_room(&tape->next, error))
        return EBB_OUT_OF_MEMORY;
    *entry = &tape->next.entries[tape->next.count++];
    memset(*entry, 0, sizeof(**entry));
    (*entry)->kind = kind;
    return EBB_OK;
}

static void name_blend(struct ebb_tape_entry *entry, const struct ebb_blend *blend)
{
    entry->blend = *blend;
    entry->id[0] = blend->dst->id;
    for (int i = 0; i < blend->terms; i++)
        entry->id[1 + i] = blend->src[i]->id;
    if (blend->noise_scale)
        entry->id[EBB_TAPE_IDS - 1] = blend->noise_scale->id;
}

enum ebb_result ebb_tape_blend(struct ebb_tape *tape, const struct ebb_blend *blend, struct ebb_error *error)
{
    struct ebb_tape_entry *entry = NULL;
    enum ebb_result result = ebb_blend_check(tape->device, blend, error);
    if (result == EBB_OK && blend->count > 0)
        result = append(tape, EBB_TAPE_BLEND, &entry, error);
    if (result == EBB_OK && entry)
        name_blend(entry, blend);
    return result;
}

enum ebb_result ebb_tape_threshold(struct ebb_tape *tape, const struct ebb_threshold *threshold,
                                   struct ebb_error *error)
{
    struct ebb_tape_entry *entry;
    enum ebb_result result = ebb_threshold_check(tape->device, threshold, error);
    if (result == EBB_OK)
        result = append(tape, EBB_TAPE_THRESHOLD, &entry, error);
    if (result == EBB_OK) {
        entry->threshold = *threshold;
        entry->id[0] = threshold->x->id;
    }
    return result;
}

enum ebb_result ebb_tape_run(struct ebb_tape *tape, const struct ebb_tape_program *program, int step,
                             struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                             struct ebb_error *error)
{
    if (program->inputs + program->outputs > EBB_TAPE_BUFFERS)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "a network of %d inputs and %d outputs: at most %d together on a tape",
                        program->inputs, program->outputs, EBB_TAPE_BUFFERS);
    struct ebb_tape_entry *entry;
    enum ebb_result result = append(tape, EBB_TAPE_RUN, &entry, error);
    if (result != EBB_OK)
        return result;
    entry->program = *program;
    entry->step = step;
    entry->id[0] = program->id;
    for (int i = 0; i < program->inputs + program->outputs; i++) {
        entry->buffers[i] = i < program->inputs ? inputs[i] : outputs[i - program->inputs];
        entry->id[1 + i] = entry->buffers[i]->id;
    }
    return EBB_OK;
}

enum ebb_result ebb_tape_mark(struct ebb_tape *tape, struct ebb_error *error)
{
    struct ebb_tape_entry *entry;
    return append(tape, EBB_TAPE_MARK, &entry, error);
}

static enum ebb_result carry_out_one(struct ebb_device *device, const struct ebb_tape_entry *e,
                                     struct ebb_error *error)
{
    switch (e->kind) {
    case EBB_TAPE_BLEND: return device->backend->blend(device, &e->blend, error);
    case EBB_TAPE_THRESHOLD: return device->backend->threshold(device, &e->threshold, error);
    case EBB_TAPE_RUN:
        return device->backend->run(device, e->program.prepared, e->step, e->buffers,
                                    e->buffers + e->program.inputs, error);
    case EBB_TAPE_MARK: break;
    }
    return EBB_OK;
}

static enum ebb_result carry_out(struct ebb_tape *tape, ebb_tape_tell tell, void *user,
                                 struct ebb_error *error)
{
    enum ebb_result result = tell ? tell(user, 0, error) : EBB_OK;
    int marks = 0;
    for (size_t i = 0; i < tape->next.count && result == EBB_OK; i++) {
        const struct ebb_tape_entry *e = &tape->next.entries[i];
        result = carry_out_one(tape->device, e, error);
        if (result == EBB_OK && e->kind == EBB_TAPE_MARK && tell)
            result = tell(user, ++marks, error);
    }
    return result;
}

static bool same(const struct list *a, const struct list *b)
{
    return a->count == b->count && memcmp(a->entries, b->entries, a->count * sizeof(*a->entries)) == 0;
}

// What was recorded is known from now on; the other list's memory serves the next one.
static void remember(struct ebb_tape *tape)
{
    struct list list = tape->known;
    tape->known = tape->next;
    tape->next = list;
    tape->next.count = 0;
}

enum ebb_result ebb_tape_play(struct ebb_tape *tape, ebb_tape_tell tell, void *user, struct ebb_error *error)
{
    const struct ebb_backend *backend = tape->device->backend;
    if (!backend->record || tape->next.count == 0 || ebb_profile_on(tape->device)) // a profile wants every
                                                                                   // operation apart
        return carry_out(tape, tell, user, error);
    enum ebb_result result = EBB_OK;
    if (!tape->recorded || !same(&tape->known, &tape->next)) {
        erase(tape);
        result = backend->record(tape->device, tape->next.entries, tape->next.count, &tape->recorded, error);
        if (result == EBB_OK)
            remember(tape);
    }
    if (result == EBB_OK)
        result = backend->play(tape->device, tape->recorded, tell, user, error);
    return result;
}
