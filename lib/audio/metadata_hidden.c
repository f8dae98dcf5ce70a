// SPDX-License-Identifier: LGPL-2.1-or-later
// What FLAC, Ogg, W64, CAF and MP3 files hold and libsndfile does not tell of: taken where a WAV has a place
// for it, named where it has none.
#include <stdlib.h>
#include <string.h>

#include "audio/file_metadata.h"
#include "audio/mpeg_head.h"
#include "base/byte_order.h"
#include "base/plain.h"

enum {
    MOST_BLOCKS = 1000,  // looked at
    OGG_LOOK = 64 << 10, // where an Ogg's comments begin, and end unless they hold pictures
};

struct metadata_block {
    unsigned char *body;
    size_t size;
};

static bool read_block(const struct ebb_sound_input *input, uint64_t at, size_t size,
                       struct metadata_block *block)
{
    *block = (struct metadata_block){malloc(size + 1), size};
    if (block->body && ebb_sound_input_look(input, at, block->body, size))
        return true;
    free(block->body);
    return false;
}

// A chunk of the WAV that was encoded: `flac --keep-foreign-metadata` leaves each in a block of its own.
// false: out of memory.
static bool take_foreign(struct ebb_sound_metadata *m, const struct metadata_block *block, bool *behind)
{
    const unsigned char *chunk = block->body + 4;
    size_t left = block->size - 4;
    char id[5] = {0};
    if (left < 8)
        return true;
    memcpy(id, chunk, 4);
    *behind = *behind || strcmp(id, "data") == 0;
    uint32_t size = ebb_little(chunk + 4, 4);
    if (ebb_metadata_is_of_the_samples(chunk) || strcmp(id, "RIFF") == 0 || strcmp(id, "RF64") == 0 ||
        size > left - 8)
        return true;
    struct ebb_wav_chunk *kept = ebb_wav_chunks_add(&m->chunks, id, chunk + 8, size);
    if (kept)
        kept->behind = *behind;
    m->bytes += size;
    return kept != NULL;
}

static bool take_application(struct ebb_sound_metadata *m, const struct metadata_block *block, bool *behind)
{
    if (block->size >= 4 && memcmp(block->body, "riff", 4) == 0)
        return take_foreign(m, block, behind);
    ebb_metadata_lose(m, "application data");
    return true;
}

static bool take_flac_block(struct ebb_sound_metadata *m, const struct ebb_sound_input *input, int type,
                            uint64_t at, size_t size, bool *behind)
{
    enum { APPLICATION = 2, COMMENTS = 4, CUE_SHEET = 5, PICTURE = 6 };
    struct metadata_block block;
    if (type == CUE_SHEET || type == PICTURE)
        ebb_metadata_lose(m, type == PICTURE ? "a picture" : "a cue sheet");
    if (type != APPLICATION && type != COMMENTS)
        return true;
    if (size > METADATA_MOST_BYTES - m->bytes || !read_block(input, at, size, &block)) {
        ebb_metadata_lose(m, type == COMMENTS ? "comments" : "application data");
        return true;
    }
    bool ok = type == COMMENTS ? ebb_metadata_from_vorbis(m, block.body, block.size)
                               : take_application(m, &block, behind);
    free(block.body);
    return ok;
}

static bool take_flac_blocks(struct ebb_sound_metadata *m, const struct ebb_sound_input *input)
{
    unsigned char head[4];
    uint64_t at = 4;
    bool last = false, behind = false, ok = true;
    for (int i = 0; i < MOST_BLOCKS && ok && !last && ebb_sound_input_look(input, at, head, sizeof(head));
         i++) {
        size_t size = ebb_big(head + 1, 3);
        last = head[0] & 0x80;
        ok = take_flac_block(m, input, head[0] & 0x7f, at + sizeof(head), size, &behind);
        at += sizeof(head) + size;
    }
    return ok;
}

// The comments are the second packet; they are looked for by what they begin with.
static bool take_ogg_comments(struct ebb_sound_metadata *m, const struct ebb_sound_input *input)
{
    static const char *const marks[] = {"\3vorbis", "OpusTags"};
    size_t size = ebb_sound_input_bytes(input) < OGG_LOOK ? (size_t)ebb_sound_input_bytes(input) : OGG_LOOK;
    struct metadata_block block;
    if (!read_block(input, 0, size, &block))
        return true;
    bool ok = true;
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks) && ok; i++) {
        size_t length = strlen(marks[i]);
        unsigned char *found = memmem(block.body, size, marks[i], length);
        if (found)
            ok = ebb_metadata_from_vorbis(m, found + length, size - (size_t)(found - block.body) - length);
    }
    free(block.body);
    return ok;
}

// The mask of an extensible format, as in a WAV.
static void take_w64_mask(struct ebb_sound_metadata *m, const struct ebb_sound_input *input, uint64_t at)
{
    unsigned char format[40];
    if (ebb_sound_input_look(input, at, format, sizeof(format)) && ebb_little(format, 2) == 0xfffe)
        m->mask = ebb_little(format + 20, 4);
}

// A W64 names its chunks by 16 bytes, the first four of which are the letters of a WAV's.
static void name_w64_chunks(struct ebb_sound_metadata *m, const struct ebb_sound_input *input)
{
    static const char known[] = "fmt fact data junk levl";
    uint64_t at = 40, end = ebb_sound_input_bytes(input);
    unsigned char head[24];
    for (int i = 0; i < MOST_BLOCKS && ebb_sound_input_look(input, at, head, sizeof(head)); i++) {
        char name[5] = {0};
        uint64_t size = ebb_little(head + 16, 8);
        memcpy(name, head, 4);
        for (int k = 0; k < 4; k++)
            name[k] = name[k] >= ' ' && name[k] < 0x7f ? name[k] : '?';
        if (!strstr(known, name))
            ebb_metadata_lose(m, "%s", name);
        if (size < sizeof(head) || size > end - at)
            return;
        if (strcmp(name, "fmt ") == 0 && size >= sizeof(head) + 40)
            take_w64_mask(m, input, at + sizeof(head));
        at += (size + 7) & ~(uint64_t)7;
    }
}

// Keys and values of a CAF's texts, each with a 0 behind it. libsndfile tells those of these names.
static void name_caf_texts(struct ebb_sound_metadata *m, const struct metadata_block *info)
{
    static const char *const told[] = {"title", "copyright", "software", "artist",  "comment",    "date",
                                       "album", "license",   "genre",    "encoder", "tracknumber"};
    const char *at = (const char *)info->body + 4, *end = (const char *)info->body + info->size;
    while (at < end) {
        const char *key = at;
        at += strnlen(at, (size_t)(end - at)) + 1;
        at += at < end ? strnlen(at, (size_t)(end - at)) + 1 : 0;
        bool known = !*key;
        for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
            known = known || ebb_plain_same(key, told[i], (size_t)(end - key));
        if (!known)
            ebb_metadata_lose(m, "%.*s", (int)(end - key < 40 ? end - key : 40), key);
    }
}

static void name_caf_info(struct ebb_sound_metadata *m, const struct ebb_sound_input *input)
{
    enum { CAF_HEAD = 8, COUNT = 4 };
    unsigned char head[12];
    uint64_t at = CAF_HEAD, end = ebb_sound_input_bytes(input);
    for (int i = 0; i < MOST_BLOCKS && ebb_sound_input_look(input, at, head, sizeof(head)); i++) {
        struct metadata_block info;
        uint64_t size = ebb_big(head + 4, 8);
        at += sizeof(head);
        if (size > end - at) // the samples, to the end
            return;
        if (memcmp(head, "info", 4) == 0 && size > COUNT && size <= METADATA_MOST_BYTES &&
            read_block(input, at, (size_t)size, &info)) {
            name_caf_texts(m, &info);
            free(info.body);
        }
        at += size;
    }
}

// ---- the ID3 tag of an MP3 ----

enum { ID3_FRAME_HEAD = 10 };

// Whether the tag holds no more than the texts that libsndfile tells, and the encoder's notes.
static bool is_told_id3(const struct metadata_block *tag)
{
    static const char told[] = "TIT2 TPE1 TALB TDRC TYER COMM TRCK TCOP TCON TSSE TENC TLEN";
    int version = tag->body[3];
    bool plain = (version == 3 || version == 4) && tag->body[5] == 0;
    for (size_t at = EBB_ID3_HEAD; plain && at + ID3_FRAME_HEAD <= tag->size && tag->body[at];) {
        char id[5] = {0};
        memcpy(id, tag->body + at, 4);
        size_t size = version == 4 ? ebb_id3_number(tag->body + at + 4)
                                   : (size_t)ebb_big(tag->body + at + 4, 4);
        plain = strstr(told, id) != NULL && size <= tag->size - at - ID3_FRAME_HEAD;
        at += ID3_FRAME_HEAD + size;
    }
    return plain;
}

// A WAV keeps it in a chunk, as a whole: pictures, chapters and all. A recipe of ours in it is told as the
// comment. false: out of memory.
static bool take_id3(struct ebb_sound_metadata *m, const struct ebb_sound_input *input)
{
    unsigned char head[EBB_ID3_HEAD];
    struct metadata_block tag;
    if (!ebb_sound_input_look(input, 0, head, sizeof(head)))
        return true;
    size_t size = EBB_ID3_HEAD + ebb_id3_number(head + 6);
    if (size > METADATA_MOST_BYTES - m->bytes || !read_block(input, 0, size, &tag)) {
        ebb_metadata_lose(m, "an ID3 tag (%zu bytes; %d MiB are kept in all)", size,
                          METADATA_MOST_BYTES >> 20);
        return true;
    }
    bool ours = memmem(tag.body, tag.size, "{\"ebb\"", 6) != NULL, ok = true;
    if (!ours && !is_told_id3(&tag)) {
        struct ebb_wav_chunk *kept = ebb_wav_chunks_add(&m->chunks, "id3 ", tag.body, (uint32_t)tag.size);
        ok = kept != NULL;
        if (kept)
            kept->behind = true;
        m->bytes += size;
    }
    free(tag.body);
    return ok;
}

bool ebb_metadata_from_hidden(struct ebb_sound_metadata *metadata, const struct ebb_sound_input *input)
{
    unsigned char head[4];
    if (!ebb_sound_input_look(input, 0, head, sizeof(head)))
        return true;
    if (memcmp(head, "fLaC", 4) == 0)
        return take_flac_blocks(metadata, input);
    if (memcmp(head, "OggS", 4) == 0)
        return take_ogg_comments(metadata, input);
    if (memcmp(head, "caff", 4) == 0)
        name_caf_info(metadata, input);
    if (memcmp(head, "ID3", 3) == 0)
        return take_id3(metadata, input);
    if (memcmp(head, "riff", 4) == 0)
        name_w64_chunks(metadata, input);
    return true;
}
