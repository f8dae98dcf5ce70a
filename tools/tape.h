// SPDX-License-Identifier: LGPL-2.1-or-later
// Samples that are too many to be held in memory: float32 in a file without a name that lasts.
#ifndef EBB_TOOLS_TAPE_H
#define EBB_TOOLS_TAPE_H

#include "tool.h"

struct tape;

// An empty tape, on the disk where the file `beside` is to be; where that is a pipe or a device, in the
// folder that TMPDIR names. A run that is killed leaves the file, and the next run of the same sound removes
// it. NULL on failure.
struct tape *tape_create(const char *beside, int channels, int rate, struct ebb_error *error);
void tape_destroy(struct tape **tape);

size_t tape_frames(const struct tape *tape);
int tape_channels(const struct tape *tape);
int tape_rate(const struct tape *tape); // Hz

// Frames at..at + frames - 1, channels interleaved. Frames are put at the end, or over others.
enum ebb_result tape_put(struct tape *tape, size_t at, const float *samples, size_t frames,
                         struct ebb_error *error);
enum ebb_result tape_get(const struct tape *tape, size_t at, float *samples, size_t frames,
                         struct ebb_error *error);

#endif
