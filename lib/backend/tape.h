// SPDX-License-Identifier: LGPL-2.1-or-later
// A tape: a list of work for a device (blends, thresholds, evaluations), put together ahead and then
// played. Marks between the entries count progress. Vulkan records the list once, into command buffers, and
// plays the recording again while the next list is the same. Other backends carry the list out entry by
// entry.
#ifndef EBB_BACKEND_TAPE_H
#define EBB_BACKEND_TAPE_H

#include <stdint.h>

#include "backend/buffer.h"

struct ebb_tape;

// An empty tape; it keeps a reference to the device. NULL on failure.
struct ebb_tape *ebb_tape_create(struct ebb_device *device, struct ebb_error *error);
void ebb_tape_destroy(struct ebb_tape **tape);

// Begins a new list. All buffers and programs on the list must still exist when it is played.
void ebb_tape_clear(struct ebb_tape *tape);
enum ebb_result ebb_tape_blend(struct ebb_tape *tape, const struct ebb_blend *blend, struct ebb_error *error);
enum ebb_result ebb_tape_threshold(struct ebb_tape *tape, const struct ebb_threshold *threshold,
                                   struct ebb_error *error);
// Adds a mark. (ebb_plan_tape() adds evaluations.)
enum ebb_result ebb_tape_mark(struct ebb_tape *tape, struct ebb_error *error);

// Is told how many marks are passed, first 0; on the host at every mark, on Vulkan now and then. A result
// other than EBB_OK stops the tape.
typedef enum ebb_result (*ebb_tape_tell)(void *user, int marks, struct ebb_error *error);

// Plays the tape: carries the list out, or hands it to the device. As after ebb_blend(), only reading a
// buffer waits for the end.
enum ebb_result ebb_tape_play(struct ebb_tape *tape, ebb_tape_tell tell, void *user, struct ebb_error *error);

// ---- entries of a tape, for plans and backends ----

enum ebb_tape_kind { EBB_TAPE_BLEND, EBB_TAPE_THRESHOLD, EBB_TAPE_RUN, EBB_TAPE_MARK };
enum { EBB_TAPE_BUFFERS = 8, EBB_TAPE_IDS = 10 };

// A prepared program with its ebb_new_id().
struct ebb_tape_program {
    void *prepared;
    uint64_t id;
    int inputs, outputs;
};

struct ebb_tape_entry {
    enum ebb_tape_kind kind;
    int step;
    struct ebb_blend blend;
    struct ebb_threshold threshold;
    struct ebb_tape_program program;
    struct ebb_buffer *buffers[EBB_TAPE_BUFFERS]; // inputs, then outputs
    uint64_t id[EBB_TAPE_IDS];                    // ids of all buffers and programs of the entry
};

// For ebb_plan_tape().
enum ebb_result ebb_tape_run(struct ebb_tape *tape, const struct ebb_tape_program *program, int step,
                             struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                             struct ebb_error *error);

#endif
