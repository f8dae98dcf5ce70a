// SPDX-License-Identifier: LGPL-2.1-or-later
// A ring: values (h, w, c) whose last column is followed by the first. A network sees a ring through windows
// of the width that it was trained on. The windows overlap by a quarter, and where they do, their answers are
// weighted means: a window counts less towards its edges, beyond which it sees nothing. A ring that is
// narrower than a window goes round in it more than once.
#ifndef EBB_PROCESS_RING_H
#define EBB_PROCESS_RING_H

#include <stddef.h>

struct ebb_ring {
    int h, w, c;
    int window; // columns of a window
};

int ebb_ring_windows(const struct ebb_ring *ring); // how many are needed

// First column of window `index`, 0 .. w - 1; all windows begin `turn` columns further on.
int ebb_ring_start(const struct ebb_ring *ring, int index, int turn);

// By how many columns the windows of evaluation `number` of a run are turned. They lie elsewhere each time,
// so that no column of the ring is always at the edge of a window.
int ebb_ring_turn(const struct ebb_ring *ring, int number);

// Copies the window that begins at column `start`, multiplied by `scale`: (h, w, c) -> (h, window, c).
void ebb_ring_take(const struct ebb_ring *ring, const float *values, int start, float scale, float *window);

// Adds a window's answer, (h, window, c), to `sum`; and its weights to `weights`, a number a column. Both
// begin as zeros. Once all windows are added, ebb_ring_divide() makes the mean of the sum.
void ebb_ring_add(const struct ebb_ring *ring, const float *window, int start, float *sum);
void ebb_ring_weigh(const struct ebb_ring *ring, int start, float *weights);
void ebb_ring_divide(const struct ebb_ring *ring, const float *weights, float *sum);

#endif
