// Floats in at one end, out at the other, in one piece of memory. Zeroed is empty.
#ifndef EBB_ENGINE_FIFO_H
#define EBB_ENGINE_FIFO_H

#include <stdbool.h>
#include <stddef.h>

struct ebb_fifo {
    float *room;
    size_t capacity, from, count;
};

// Appends `count` floats (NULL: zeros). false: no memory, and nothing changed. Memory follows the most that was ever in it.
bool ebb_fifo_push(struct ebb_fifo *fifo, const float *data, size_t count);
const float *ebb_fifo_data(const struct ebb_fifo *fifo); // its `count` floats, oldest first
void ebb_fifo_drop(struct ebb_fifo *fifo, size_t count); // the oldest
void ebb_fifo_empty(struct ebb_fifo *fifo);
void ebb_fifo_free(struct ebb_fifo *fifo);

#endif
