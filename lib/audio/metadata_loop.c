// SPDX-License-Identifier: LGPL-2.1-or-later
// The loop that a file tells of: the chunk `smpl`, which samplers and engines read.
#include <stdlib.h>
#include <string.h>

#include "audio/file_metadata.h"
#include "audio/wav_header.h"
#include "base/base.h"
#include "base/byte_order.h"

enum { HEAD = 36, LOOP = 24, MIDDLE_C = 60 };

struct ebb_sound_metadata *ebb_sound_metadata_create(int channels)
{
    struct ebb_sound_metadata *m = ebb_alloc(1, sizeof(*m));
    if (m)
        m->mask = ebb_wav_default_mask(channels);
    return m;
}

// The first chunk that holds a loop. NULL: there is none.
static struct ebb_wav_chunk *find_loop(const struct ebb_sound_metadata *m)
{
    for (size_t i = 0; i < m->chunks.count; i++) {
        struct ebb_wav_chunk *chunk = m->chunks.items + i;
        if (memcmp(chunk->id, "smpl", 4) == 0 && chunk->size >= HEAD + LOOP &&
            ebb_little(chunk->body + 28, 4) > 0)
            return chunk;
    }
    return NULL;
}

// A file has one loop at most from us: others would say that something else goes round too.
static void drop_loops(struct ebb_sound_metadata *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->chunks.count; i++) {
        struct ebb_wav_chunk *chunk = m->chunks.items + i;
        if (memcmp(chunk->id, "smpl", 4) != 0)
            m->chunks.items[kept++] = *chunk;
        else
            free(chunk->body);
    }
    m->chunks.count = kept;
}

enum ebb_result ebb_sound_metadata_set_loop(struct ebb_sound_metadata *metadata, int rate, uint64_t first,
                                            uint64_t end, struct ebb_error *error)
{
    unsigned char body[HEAD + LOOP] = {0};
    if (rate < 1 || first >= end || end > UINT32_MAX)
        return ebb_fail(error, EBB_INVALID,
                        "a loop of frames %llu to %llu at %d Hz: a WAV can say 0 to %u, the end last",
                        (unsigned long long)first, (unsigned long long)end, rate, UINT32_MAX);
    ebb_put_little(body + 8, (uint64_t)(1e9 / rate + 0.5), 4); // nanoseconds of a sample
    ebb_put_little(body + 12, MIDDLE_C, 4);
    ebb_put_little(body + 28, 1, 4);
    ebb_put_little(body + HEAD + 8, first, 4);
    ebb_put_little(body + HEAD + 12, end - 1, 4); // the last sample that is played; how often is 0, for ever
    drop_loops(metadata);
    struct ebb_wav_chunk *chunk = ebb_wav_chunks_add(&metadata->chunks, "smpl", body, sizeof(body));
    if (!chunk)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a loop");
    chunk->behind = true;
    return EBB_OK;
}

bool ebb_sound_metadata_loop(const struct ebb_sound_metadata *metadata, uint64_t *first, uint64_t *end)
{
    const struct ebb_wav_chunk *chunk = find_loop(metadata);
    if (!chunk)
        return false;
    *first = ebb_little(chunk->body + HEAD + 8, 4);
    *end = (uint64_t)ebb_little(chunk->body + HEAD + 12, 4) + 1;
    return *end > *first;
}
