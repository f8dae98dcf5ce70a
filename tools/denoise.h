// SPDX-License-Identifier: LGPL-2.1-or-later
// One run of `ebb denoise`: what the files denoise*.c share. denoise.c has the options, and takes the
// recordings one after the other; denoise_names.c says which recordings they are, and where each goes;
// denoise_recording.c cleans one.
#ifndef EBB_TOOLS_DENOISE_H
#define EBB_TOOLS_DENOISE_H

#include "tool.h"
#include "tree.h"

struct denoise {
    const char *out, *model, *device, *t, *keep_noise;
    int threads;
    bool force, quiet, json, recursive;

    struct tree tree; // with --recursive, the inputs
    size_t root;      // bytes of each input's path that name the folder
    size_t made, kept, differ, failed;
    struct ebb_recipe *recipe; // given, later settled
    const char *const *inputs;
    int count;
    bool named;  // with -o
    bool folder; // `out` names a folder; otherwise there is one input
    struct tool_model m;
    struct tool_progress progress;
};

// ---- denoise_names.c ----

// Ends in a slash, or is a folder on the disk.
bool denoise_is_folder(const char *path);
// From the words of the command to the recordings and their output: fills `inputs`, `count`, `named` and
// `folder`; `out` and `keep_noise` are names of output from then on. Exit code.
int denoise_find_recordings(struct denoise *d);
// Where a recording goes; for free(). NULL: out of memory.
char *denoise_output_path(const struct denoise *d, const char *input);
// No two outputs are one file, and none replaces what it was not asked to replace. Exit code.
int denoise_check_outputs(const struct denoise *d);

// ---- denoise_recording.c ----

// Cleans one recording into a file, and tells of it. Exit code.
int denoise_recording(struct denoise *d, const char *input, const char *output);
// Whether the file is this recording, cleaned as it is asked for now.
bool denoise_is_cleaned(const struct denoise *d, const char *input, const char *output);

#endif
