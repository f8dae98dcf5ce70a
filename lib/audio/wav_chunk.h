// SPDX-License-Identifier: LGPL-2.1-or-later
// Chunks of a RIFF file, as a list that owns its bytes.
#ifndef EBB_AUDIO_WAV_CHUNK_H
#define EBB_AUDIO_WAV_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ebb_wav_chunk {
    char id[5];    // four letters and a zero
    bool behind;   // stands behind the samples
    uint32_t size; // of the body, as its header says
    unsigned char *body;
};

struct ebb_wav_chunks {
    struct ebb_wav_chunk *items;
    size_t count;
};

// Appends a chunk with a copy of `body` (NULL: zeros). NULL: out of memory.
struct ebb_wav_chunk *ebb_wav_chunks_add(struct ebb_wav_chunks *list, const char *id, const void *body,
                                         uint32_t size);
bool ebb_wav_chunks_copy(struct ebb_wav_chunks *to, const struct ebb_wav_chunks *from);
void ebb_wav_chunks_clear(struct ebb_wav_chunks *list);

// Adds a chunk inside of a chunk: a field of a LIST. false: out of memory, or past 4 GiB.
bool ebb_wav_chunk_append_field(struct ebb_wav_chunk *chunk, const char *id, const void *body, uint32_t size);

// Whether it is a LIST of that type: "INFO", "adtl".
bool ebb_wav_chunk_is_list(const struct ebb_wav_chunk *chunk, const char *type);

// The fields of a LIST, one after another; `*at` is 0 for the first. false: no more.
struct ebb_wav_field {
    const unsigned char *id, *body;
    uint32_t size;
};
bool ebb_wav_chunk_next_field(const struct ebb_wav_chunk *list, size_t *at, struct ebb_wav_field *field);

// Bytes of all chunks on this side of the samples, headers and padding with them.
uint64_t ebb_wav_chunks_bytes(const struct ebb_wav_chunks *list, bool behind);

#endif
