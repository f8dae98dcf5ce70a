// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/mpeg_head.h"

#include <string.h>

enum {
    FRAME_HEAD = 4,
    MOST_TAGS = 16, // one is usual
    HAS_FRAMES = 1, // flags of the encoder's count
    HAS_BYTES = 2,
    ENCODERS_FRAME = 120, // as much of it as holds both counts, wherever they stand
};

static uint32_t big32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// Eleven bits of ones, and no value that is reserved in what follows them.
static bool is_frame(const unsigned char *at)
{
    bool version = (at[1] >> 3 & 3) != 1, layer = (at[1] >> 1 & 3) != 0;
    return at[0] == 0xff && (at[1] & 0xe0) == 0xe0 && version && layer && at[2] >> 4 != 15 &&
           (at[2] >> 2 & 3) != 3;
}

uint64_t ebb_id3_bytes(const unsigned char at[EBB_ID3_HEAD])
{
    bool has_foot = at[5] & 0x10;
    if (memcmp(at, "ID3", 3) != 0 || ((at[6] | at[7] | at[8] | at[9]) & 0x80))
        return 0;
    uint64_t size = (uint64_t)at[6] << 21 | (uint64_t)at[7] << 14 | (uint64_t)at[8] << 7 | at[9];
    return size + EBB_ID3_HEAD + (has_foot ? EBB_ID3_HEAD : 0);
}

// Behind the side information of the first frame, whose size follows from version and channels.
static uint64_t name_offset(const unsigned char *frame)
{
    bool first_version = (frame[1] >> 3 & 3) == 3, mono = frame[3] >> 6 == 3;
    return FRAME_HEAD + (first_version ? (mono ? 17 : 32) : (mono ? 9 : 17));
}

static bool goes_on(ebb_peek *peek, void *file, uint64_t at, const unsigned char *first)
{
    enum { VERSION_AND_LAYER = 0xfe };
    unsigned char next[FRAME_HEAD];
    if (!peek(file, at, next, sizeof(next)))
        return false;
    bool same = is_frame(next) && (next[1] & VERSION_AND_LAYER) == (first[1] & VERSION_AND_LAYER);
    return same || memcmp(next, "ID3", 3) == 0;
}

bool ebb_mpeg_find(struct ebb_mpeg_head *head, ebb_peek *peek, void *file, uint64_t from)
{
    unsigned char tag[EBB_ID3_HEAD], frame[ENCODERS_FRAME];
    uint64_t at = from, size = 0;
    *head = (struct ebb_mpeg_head){0};
    for (int i = 0; i < MOST_TAGS && peek(file, at, tag, sizeof(tag)) && (size = ebb_id3_bytes(tag)) > 0; i++)
        at += size;
    if (!peek(file, at, frame, sizeof(frame)) || !is_frame(frame))
        return false;
    const unsigned char *name = frame + name_offset(frame);
    bool named = memcmp(name, "Xing", 4) == 0 || memcmp(name, "Info", 4) == 0;
    uint32_t flags = named ? big32(name + 4) : 0;
    uint64_t name_at = at + name_offset(frame);
    if (flags & HAS_FRAMES)
        head->frames_at = name_at + 8;
    if ((flags & HAS_FRAMES) && (flags & HAS_BYTES)) {
        head->bytes_at = name_at + 12;
        head->more = goes_on(peek, file, at + big32(name + 12), frame);
    }
    return true;
}
