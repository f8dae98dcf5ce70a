// SPDX-License-Identifier: LGPL-2.1-or-later
// scheduler_config.json.
#include "diffusers/scheduler.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ebb_error error = {0};
    struct ebb_json_file file;
    struct ebb_scheduler scheduler = {0};
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    enum ebb_result result = ebb_json_parse(&file, "scheduler_config.json", text, size, EBB_JSON_PYTHON,
                                            &error);
    free(text);
    check_error(result, &error);
    if (result != EBB_OK)
        return 0;
    result = ebb_scheduler_read(&file, 4096, &scheduler);
    check_error(result, &error);
    CHECK(result != EBB_OK || (scheduler.schedule && scheduler.run.steps > 0));
    if (result == EBB_OK)
        ebb_schedule_destroy(&scheduler.schedule);
    ebb_json_close(&file);
    return 0;
}
