// SPDX-License-Identifier: LGPL-2.1-or-later
// A queue of floats in one piece of memory. A zeroed struct is an empty queue.
#ifndef EBB_BASE_FIFO_H
#define EBB_BASE_FIFO_H

#include <stdbool.h>
#include <stddef.h>

struct ebb_fifo {
    float *room;
    size_t capacity, from, count;
};

// Appends `count` floats; `data` NULL: zeros. false: out of memory, the queue is unchanged. The memory
// grows with the longest content and does not shrink.
bool ebb_fifo_push(struct ebb_fifo *fifo, const float *data, size_t count);
const float *ebb_fifo_data(const struct ebb_fifo *fifo); // its `count` floats, oldest first
void ebb_fifo_drop(struct ebb_fifo *fifo, size_t count); // the oldest
void ebb_fifo_empty(struct ebb_fifo *fifo);
void ebb_fifo_free(struct ebb_fifo *fifo);

#endif
