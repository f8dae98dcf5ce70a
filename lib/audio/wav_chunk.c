// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/wav_chunk.h"

#include <stdlib.h>
#include <string.h>

#include "base/byte_order.h"

struct ebb_wav_chunk *ebb_wav_chunks_add(struct ebb_wav_chunks *list, const char *id, const void *body,
                                         uint32_t size)
{
    struct ebb_wav_chunk *grown = reallocarray(list->items, list->count + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    list->items = grown;

    struct ebb_wav_chunk *chunk = grown + list->count;
    *chunk = (struct ebb_wav_chunk){.size = size, .body = calloc((size_t)size + 1, 1)};
    if (!chunk->body)
        return NULL;
    memcpy(chunk->id, id, 4);
    if (body)
        memcpy(chunk->body, body, size);
    list->count++;
    return chunk;
}

bool ebb_wav_chunks_copy(struct ebb_wav_chunks *to, const struct ebb_wav_chunks *from)
{
    bool ok = true;
    for (size_t i = 0; i < from->count && ok; i++) {
        const struct ebb_wav_chunk *chunk = from->items + i;
        struct ebb_wav_chunk *copy = ebb_wav_chunks_add(to, chunk->id, chunk->body, chunk->size);
        ok = copy != NULL;
        if (ok)
            copy->behind = chunk->behind;
    }
    return ok;
}

void ebb_wav_chunks_clear(struct ebb_wav_chunks *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].body);
    free(list->items);
    *list = (struct ebb_wav_chunks){0};
}

// Adds bytes at the end of a chunk, padded to an even count. false: out of memory, or past 4 GiB.
static bool append(struct ebb_wav_chunk *chunk, const void *bytes, size_t count)
{
    size_t size = (size_t)chunk->size + (chunk->size & 1), even = count + (count & 1);
    unsigned char *grown = even < count || size + even > UINT32_MAX ? NULL
                                                                    : realloc(chunk->body, size + even + 1);
    if (!grown)
        return false;
    memset(grown + chunk->size, 0, size + even + 1 - chunk->size);
    if (count)
        memcpy(grown + size, bytes, count);
    chunk->body = grown;
    chunk->size = (uint32_t)(size + even);
    return true;
}

bool ebb_wav_chunk_append_field(struct ebb_wav_chunk *chunk, const char *id, const void *body, uint32_t size)
{
    unsigned char head[8];
    memcpy(head, id, 4);
    ebb_put_little(head + 4, size, 4);
    return append(chunk, head, sizeof(head)) && append(chunk, body, size);
}

bool ebb_wav_chunk_is_list(const struct ebb_wav_chunk *chunk, const char *type)
{
    return memcmp(chunk->id, "LIST", 4) == 0 && chunk->size >= 4 && memcmp(chunk->body, type, 4) == 0;
}

bool ebb_wav_chunk_next_field(const struct ebb_wav_chunk *list, size_t *at, struct ebb_wav_field *field)
{
    size_t begin = *at ? *at : 4;
    if (begin + 8 > list->size)
        return false;
    const unsigned char *head = list->body + begin;
    uint32_t size = ebb_little(head + 4, 4);
    if (size > list->size - begin - 8)
        return false; // a size that lies ends the list
    *field = (struct ebb_wav_field){head, head + 8, size};
    *at = begin + 8 + size + (size & 1);
    return true;
}

uint64_t ebb_wav_chunks_bytes(const struct ebb_wav_chunks *list, bool behind)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].behind == behind)
            bytes += 8 + (uint64_t)list->items[i].size + (list->items[i].size & 1);
    return bytes;
}
