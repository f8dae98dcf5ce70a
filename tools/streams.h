// SPDX-License-Identifier: LGPL-2.1-or-later
// A stream made again, as `diffusesrc` recorded it.
#ifndef EBB_TOOLS_STREAMS_H
#define EBB_TOOLS_STREAMS_H

#include "sound.h"

struct stream_job {
    struct ebb_model *model;         // loaded
    const struct ebb_recipe *recipe; // settled, of EBB_VERB_STREAM
    size_t frames;                   // so many, where the recipe has no end
    enum ebb_wav_format format;
    struct tool_progress *progress;
    struct ebb_counts *counts;
};

// Writes it to `path`, in bounded memory. `made`: samples written. Exit code.
int stream_write(const struct stream_job *job, const char *path, size_t *made);

#endif
