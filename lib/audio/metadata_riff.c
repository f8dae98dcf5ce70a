// SPDX-License-Identifier: LGPL-2.1-or-later
// Metadata of RIFF, RF64 and BW64 files: the chunks as they are, byte by byte. libsndfile would change them:
// it writes chunks in fours of bytes and 100 KB in all, adds a line to the coding history, and writes no
// labels.
#include <stdlib.h>
#include <string.h>

#include "audio/file_metadata.h"
#include "base/byte_order.h"

enum { MOST_CHUNKS = 4096 }; // looked at; a file of empty chunks shall not hold anyone up

// Chunks that speak of the encoding or of the samples as they were.
static const char *const of_the_samples[] = {
    "fmt ", "data", "fact", "ds64", "JUNK", "junk", "PAD ",
    "pad ", "FLLR", "wavl", "slnt", "PEAK", "levl", // peaks
    "MD5 ",                                         // of the samples
    "MEXT",                                         // MPEG
};

struct riff_walk {
    const struct ebb_sound_input *input;
    uint64_t at, end;   // in the file; `end` is the file's
    uint64_t data_size; // by ds64; 0: none
    size_t seen;
    bool behind;
};

static bool read_at(const struct riff_walk *w, uint64_t at, void *bytes, size_t count)
{
    return ebb_sound_input_look(w->input, at, bytes, count);
}

bool ebb_metadata_is_riff(const struct ebb_sound_input *input)
{
    unsigned char head[12];
    if (!ebb_sound_input_look(input, 0, head, sizeof(head)) || memcmp(head + 8, "WAVE", 4) != 0)
        return false;
    return memcmp(head, "RIFF", 4) == 0 || memcmp(head, "RF64", 4) == 0 || memcmp(head, "BW64", 4) == 0;
}

bool ebb_metadata_is_of_the_samples(const unsigned char *id)
{
    for (size_t i = 0; i < sizeof(of_the_samples) / sizeof(*of_the_samples); i++)
        if (memcmp(id, of_the_samples[i], 4) == 0)
            return true;
    return false;
}

static bool is_name(const unsigned char *id)
{
    bool printable = true;
    for (int i = 0; i < 4; i++)
        printable = printable && id[i] >= ' ' && id[i] < 0x7f;
    return printable;
}

// A channel mask stands in the extensible form alone; without it more than two channels have no places.
static void take_format(struct ebb_sound_metadata *m, const struct riff_walk *w, uint32_t size)
{
    unsigned char format[40];
    if (size >= sizeof(format) && read_at(w, w->at, format, sizeof(format)) &&
        ebb_little(format, 2) == 0xfffe)
        m->mask = ebb_little(format + 20, 4);
}

static void take_ds64(struct riff_walk *w, uint32_t size)
{
    unsigned char sizes[16];
    if (size >= sizeof(sizes) && read_at(w, w->at, sizes, sizeof(sizes)))
        w->data_size = ebb_little(sizes + 8, 8);
}

static bool take_recipe(struct ebb_sound_metadata *m, const struct riff_walk *w, uint32_t size)
{
    if (m->recipe || size > METADATA_MOST_RECIPE)
        return true; // none of ours
    m->recipe = calloc((size_t)size + 1, 1);
    if (m->recipe && !read_at(w, w->at, m->recipe, size))
        m->recipe[0] = 0;
    return m->recipe != NULL;
}

static bool take_chunk(struct ebb_sound_metadata *m, const struct riff_walk *w, const unsigned char *id,
                       uint32_t size)
{
    char name[5] = {0};
    memcpy(name, id, 4);
    int letters = name[3] == ' ' ? 3 : 4;
    if (size > METADATA_MOST_BYTES - m->bytes) {
        ebb_metadata_lose(m, "%.*s (%u bytes; %d MiB are kept in all)", letters, name, size,
                          METADATA_MOST_BYTES >> 20);
        return true;
    }
    struct ebb_wav_chunk *chunk = ebb_wav_chunks_add(&m->chunks, name, NULL, size);
    if (!chunk)
        return false;
    m->bytes += size;
    chunk->behind = w->behind;
    if (!read_at(w, w->at, chunk->body, size))
        ebb_metadata_lose(m, "%.*s (cannot be read)", letters, name);
    return true;
}

// Where the samples end; the file's end for the sizes that stand for "to the end".
static uint64_t end_of_data(const struct riff_walk *w, uint32_t size)
{
    uint64_t bytes = size == UINT32_MAX && w->data_size ? w->data_size : size;
    return size == 0 || bytes > w->end - w->at ? w->end : w->at + bytes + (bytes & 1);
}

// One chunk, whose head has been read. false: out of memory.
static bool take(struct ebb_sound_metadata *m, struct riff_walk *w, const unsigned char *id, uint32_t size)
{
    bool ok = true;
    if (memcmp(id, "data", 4) == 0) {
        w->behind = true;
        w->at = end_of_data(w, size);
        return true;
    }
    if (size > w->end - w->at) {
        if (!ebb_metadata_is_of_the_samples(id))
            ebb_metadata_lose(m, "%.4s (cut off)", (const char *)id);
        w->at = w->end;
        return true;
    }
    if (memcmp(id, "fmt ", 4) == 0)
        take_format(m, w, size);
    else if (memcmp(id, "ds64", 4) == 0)
        take_ds64(w, size);
    else if (memcmp(id, METADATA_RECIPE_ID, 4) == 0)
        ok = take_recipe(m, w, size);
    else if (!ebb_metadata_is_of_the_samples(id))
        ok = take_chunk(m, w, id, size);
    w->at += (uint64_t)size + (size & 1);
    return ok;
}

bool ebb_metadata_from_riff(struct ebb_sound_metadata *metadata, const struct ebb_sound_input *input)
{
    bool stream = ebb_sound_input_is_stream(input); // what stands behind its samples is not there yet
    struct riff_walk w = {.input = input,
                          .at = 12,
                          .end = stream ? UINT64_MAX / 4 : ebb_sound_input_bytes(input)};
    unsigned char head[8];
    bool ok = true;
    while (ok && w.at < w.end && read_at(&w, w.at, head, sizeof(head)) && is_name(head)) {
        if (++w.seen > MOST_CHUNKS) {
            ebb_metadata_lose(metadata, "chunks after the first %d", MOST_CHUNKS);
            break;
        }
        w.at += sizeof(head);
        ok = take(metadata, &w, head, ebb_little(head + 4, 4));
    }
    return ok;
}
