// SPDX-License-Identifier: LGPL-2.1-or-later
// Samples that are too many to be held in memory: float32 in a file without a name that lasts.
#ifndef EBB_TOOLS_SPOOL_H
#define EBB_TOOLS_SPOOL_H

#include "tool.h"

struct spool;

// An empty spool, on the disk where the file `beside` is to be; where that is a pipe or a device, in the
// folder that TMPDIR names. A run that is killed leaves the file, and the next run of the same sound removes
// it. NULL on failure.
struct spool *spool_create(const char *beside, int channels, int rate, struct ebb_error *error);
void spool_destroy(struct spool **spool);

size_t spool_frames(const struct spool *spool);
int spool_channels(const struct spool *spool);
int spool_rate(const struct spool *spool); // Hz

// Frames at..at + frames - 1, channels interleaved. Frames are put at the end, or over others.
enum ebb_result spool_put(struct spool *spool, size_t at, const float *samples, size_t frames,
                          struct ebb_error *error);
enum ebb_result spool_get(const struct spool *spool, size_t at, float *samples, size_t frames,
                          struct ebb_error *error);

#endif
