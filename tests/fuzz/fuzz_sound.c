// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound file, with the tags and chunks that Ebb reads itself. Where its first bytes say nothing, libsndfile
// opens it again by its path: that needs a file that the system knows, which some of the inputs are in.
#include <ebb/audio.h>

#include "fuzz.h"
#include "memory_files.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    setenv("EBB_MEMORY", "128K", 1); // a kilobyte of FLAC may hold minutes of silence
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SELDOM = 64 };
    bool real = size % SELDOM == 0;
    struct ebb_error error = {0};
    struct ebb_sound sound = {0};
    memory_file_put("sound", data, size);
    enum ebb_result result = ebb_sound_read(real ? fuzz_file(data, size) : "sound", &sound, &error);
    check_error(result, &error);
    ebb_sound_clear(&sound);
    return 0;
}
