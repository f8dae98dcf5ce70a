// SPDX-License-Identifier: LGPL-2.1-or-later
// A list of sounds, CSV or JSON Lines. Every sound of it has a name that stays in the folder, and settles or
// says why not.
#include <ebb/ebb.h>

#include "../../tools/sound.h"
#include "fuzz.h"
#include "memory_files.h"

static struct tool_model m;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[1000];
    const char *data = getenv("EBB_TEST_DATA");
    CHECK(data != NULL);
    snprintf(path, sizeof(path), "%s/models/tiny-sfx", data);
    m.model = ebb_model_open(path, NULL);
    CHECK(m.model != NULL);
    return 0;
}

static void check_name(const char *name)
{
    CHECK(name && *name && *name != '/');
    CHECK(strncmp(name, "../", 3) != 0 && !strstr(name, "/../"));
}

static void check_sounds(const struct sound_source *source)
{
    enum { MOST = 20 };
    for (size_t i = 0; i < source->count && i < MOST; i++) {
        struct sound_job job = {0};
        int code = sound_get(source, i, &job);
        if (code == TOOL_OK)
            check_name(job.name);
        if (code == TOOL_OK)
            code = sound_job_settle(&job, &m);
        CHECK(code >= TOOL_OK && code <= TOOL_UNREADABLE);
        sound_job_clear(&job);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int code = TOOL_OK;
    struct ebb_recipe *base = ebb_recipe_create(EBB_VERB_GENERATE);
    const struct sound_naming naming = {.seeds = size % 7 == 0 ? 3 : 1};
    tool_say_at_most(0);
    memory_file_put("sounds", data, size);
    struct sound_rows *rows = sound_rows_read("sounds", base, m.model, &naming, &code);
    CHECK((rows != NULL) == (code == TOOL_OK));
    if (rows) {
        struct sound_source source = sound_rows_source(rows);
        CHECK(source.count > 0);
        check_sounds(&source);
    }
    sound_rows_destroy(&rows);
    ebb_recipe_destroy(&base);
    return 0;
}
