// SPDX-License-Identifier: LGPL-2.1-or-later
// Chunks of a RIFF file, as a list that owns its bytes.
#ifndef EBB_AUDIO_WAV_CHUNK_H
#define EBB_AUDIO_WAV_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wav_chunk {
    char id[5];    // four letters and a zero
    bool behind;   // stands behind the samples
    uint32_t size; // of the body, as its header says
    unsigned char *body;
};

struct wav_chunks {
    struct wav_chunk *items;
    size_t count;
};

// Appends a chunk with a copy of `body` (NULL: zeros). NULL: out of memory.
struct wav_chunk *wav_chunks_add(struct wav_chunks *list, const char *id, const void *body, uint32_t size);
bool wav_chunks_copy(struct wav_chunks *to, const struct wav_chunks *from);
void wav_chunks_clear(struct wav_chunks *list);

// Adds a chunk inside of a chunk: a field of a LIST. false: out of memory, or past 4 GiB.
bool wav_chunk_append_field(struct wav_chunk *chunk, const char *id, const void *body, uint32_t size);

// Whether it is a LIST of that type: "INFO", "adtl".
bool wav_chunk_is_list(const struct wav_chunk *chunk, const char *type);

// The fields of a LIST, one after another; `*at` is 0 for the first. false: no more.
struct wav_field {
    const unsigned char *id, *body;
    uint32_t size;
};
bool wav_chunk_next_field(const struct wav_chunk *list, size_t *at, struct wav_field *field);

// Bytes of all chunks on this side of the samples, headers and padding with them.
uint64_t wav_chunks_bytes(const struct wav_chunks *list, bool behind);

#endif
