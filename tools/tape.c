// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sound.h"

struct tape {
    char *beside;              // owned, for messages
    struct ebb_output *output; // never finished: it leaves no file
    size_t frames, frame;      // so many, of so many bytes each
    int channels, rate;
};

// A name of its own for each sound; that of the file itself belongs to the file's writer.
static char *name_beside(const char *path)
{
    const char *tmp = getenv("TMPDIR"), *base = tool_base_name(path);
    struct tool_place place = tool_place(path);
    unsigned long long print = sound_print(base, strlen(base));
    char *name = NULL;
    int length = place.stream ? asprintf(&name, "%s/ebb-tape-%016llx", tmp && *tmp ? tmp : "/tmp", print)
                              : asprintf(&name, "%.*sebb-tape-%016llx", (int)(base - path), path, print);
    return length < 0 ? NULL : name;
}

struct tape *tape_create(const char *beside, int channels, int rate, struct ebb_error *error)
{
    struct tape *tape = calloc(1, sizeof(*tape));
    char *name = name_beside(beside);
    if (tape)
        *tape = (struct tape){.beside = strdup(beside),
                              .frame = (size_t)channels * sizeof(float),
                              .channels = channels,
                              .rate = rate};
    if (!tape || !name || !tape->beside)
        *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a sound on the disk"};
    else
        tape->output = ebb_output_create(name, error);
    free(name);
    if (tape && !tape->output)
        tape_destroy(&tape);
    return tape;
}

void tape_destroy(struct tape **tape)
{
    if (!*tape)
        return;
    ebb_output_destroy(&(*tape)->output);
    free((*tape)->beside);
    free(*tape);
    *tape = NULL;
}

size_t tape_frames(const struct tape *tape)
{
    return tape->frames;
}

int tape_channels(const struct tape *tape)
{
    return tape->channels;
}

int tape_rate(const struct tape *tape)
{
    return tape->rate;
}

static enum ebb_result fail(const struct tape *tape, enum ebb_result code, const char *why,
                            struct ebb_error *error)
{
    snprintf(error->message, sizeof(error->message),
             "%s: its samples, kept on the disk until their level is known: %s",
             tool_shown_output(tape->beside), why);
    return error->code = code;
}

enum ebb_result tape_put(struct tape *tape, size_t at, const float *samples, size_t frames,
                         struct ebb_error *error)
{
    int fd = ebb_output_descriptor(tape->output);
    size_t size = frames * tape->frame;
    off_t start = (off_t)at * (off_t)tape->frame;
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, (const char *)samples + done, size - done, start + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(tape, EBB_UNWRITABLE, strerror(n < 0 ? errno : ENOSPC), error);
        done += (size_t)n;
    }
    tape->frames = at + frames > tape->frames ? at + frames : tape->frames;
    return EBB_OK;
}

enum ebb_result tape_get(const struct tape *tape, size_t at, float *samples, size_t frames,
                         struct ebb_error *error)
{
    int fd = ebb_output_descriptor(tape->output);
    size_t size = frames * tape->frame;
    off_t start = (off_t)at * (off_t)tape->frame;
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)samples + done, size - done, start + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(tape, EBB_UNREADABLE, n < 0 ? strerror(errno) : "the file was cut", error);
        done += (size_t)n;
    }
    return EBB_OK;
}
