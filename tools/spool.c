// SPDX-License-Identifier: LGPL-2.1-or-later
#include "spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sound.h"

struct spool {
    char *beside;              // owned, for messages
    struct ebb_output *output; // never finished: it leaves no file
    size_t frames, frame;      // so many, of so many bytes each
    int channels, rate;
};

// The folder of a job that has ended may still be in the environment.
static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder && access(folder, W_OK | X_OK) == 0 ? folder : "/tmp";
}

// A name of its own for each sound; that of the file itself belongs to the file's writer.
static char *name_beside(const char *path)
{
    const char *base = tool_base_name(path);
    struct tool_place place = tool_place(path);
    unsigned long long fingerprint = sound_fingerprint(base, strlen(base));
    char *name = NULL;
    int length = place.stream
                     ? asprintf(&name, "%s/ebb-spool-%016llx", temporary_folder(), fingerprint)
                     : asprintf(&name, "%.*sebb-spool-%016llx", (int)(base - path), path, fingerprint);
    return length < 0 ? NULL : name;
}

struct spool *spool_create(const char *beside, int channels, int rate, struct ebb_error *error)
{
    struct spool *spool = calloc(1, sizeof(*spool));
    char *name = name_beside(beside);
    if (spool)
        *spool = (struct spool){.beside = strdup(beside),
                                .frame = (size_t)channels * sizeof(float),
                                .channels = channels,
                                .rate = rate};
    if (!spool || !name || !spool->beside)
        *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a sound on the disk"};
    else
        spool->output = ebb_output_create(name, error);
    free(name);
    if (spool && !spool->output)
        spool_destroy(&spool);
    return spool;
}

void spool_destroy(struct spool **spool)
{
    if (!*spool)
        return;
    ebb_output_destroy(&(*spool)->output);
    free((*spool)->beside);
    free(*spool);
    *spool = NULL;
}

size_t spool_frames(const struct spool *spool)
{
    return spool->frames;
}

int spool_channels(const struct spool *spool)
{
    return spool->channels;
}

int spool_rate(const struct spool *spool)
{
    return spool->rate;
}

static enum ebb_result fail(const struct spool *spool, enum ebb_result code, const char *why,
                            struct ebb_error *error)
{
    snprintf(error->message, sizeof(error->message),
             "%s: its samples, kept on the disk until their level is known: %s",
             tool_shown_output(spool->beside), why);
    return error->code = code;
}

enum ebb_result spool_put(struct spool *spool, size_t at, const float *samples, size_t frames,
                          struct ebb_error *error)
{
    int fd = ebb_output_descriptor(spool->output);
    size_t size = frames * spool->frame;
    off_t start = (off_t)at * (off_t)spool->frame;
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, (const char *)samples + done, size - done, start + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(spool, EBB_UNWRITABLE, strerror(n < 0 ? errno : ENOSPC), error);
        done += (size_t)n;
    }
    spool->frames = at + frames > spool->frames ? at + frames : spool->frames;
    return EBB_OK;
}

enum ebb_result spool_get(const struct spool *spool, size_t at, float *samples, size_t frames,
                          struct ebb_error *error)
{
    int fd = ebb_output_descriptor(spool->output);
    size_t size = frames * spool->frame;
    off_t start = (off_t)at * (off_t)spool->frame;
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, (char *)samples + done, size - done, start + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(spool, EBB_UNREADABLE, n < 0 ? strerror(errno) : "the file was cut", error);
        done += (size_t)n;
    }
    return EBB_OK;
}
