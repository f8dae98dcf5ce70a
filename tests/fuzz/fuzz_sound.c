// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound file, with the tags and chunks that Ebb reads itself.
#include <ebb/audio.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ebb_error error = {0};
    struct ebb_sound sound = {0};
    enum ebb_result result = ebb_sound_read(fuzz_file(data, size), &sound, &error);
    check_error(result, &error);
    ebb_sound_clear(&sound);
    return 0;
}
