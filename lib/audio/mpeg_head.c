// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/mpeg_head.h"

#include <string.h>

#include "base/byte_order.h"

enum {
    FRAME_HEAD = 4,
    MOST_TAGS = 16, // one is usual
    HAS_FRAMES = 1, // flags of the encoder's count
    HAS_BYTES = 2,
    ENCODERS_FRAME = 120, // as much of it as holds both counts, wherever they stand
};

// Eleven bits of ones, and no value that is reserved in what follows them.
static bool is_frame(const unsigned char *at)
{
    bool version = (at[1] >> 3 & 3) != 1, layer = (at[1] >> 1 & 3) != 0;
    return at[0] == 0xff && (at[1] & 0xe0) == 0xe0 && version && layer && at[2] >> 4 != 15 &&
           (at[2] >> 2 & 3) != 3;
}

uint32_t ebb_id3_number(const unsigned char at[4])
{
    return (uint32_t)(at[0] & 0x7f) << 21 | (uint32_t)(at[1] & 0x7f) << 14 | (uint32_t)(at[2] & 0x7f) << 7 |
           (at[3] & 0x7f);
}

uint64_t ebb_id3_bytes(const unsigned char at[EBB_ID3_HEAD])
{
    bool has_foot = at[5] & 0x10;
    if (memcmp(at, "ID3", 3) != 0 || ((at[6] | at[7] | at[8] | at[9]) & 0x80))
        return 0;
    return (uint64_t)ebb_id3_number(at + 6) + EBB_ID3_HEAD + (has_foot ? EBB_ID3_HEAD : 0);
}

// Behind the side information of the first frame, whose size follows from version and channels.
static uint64_t name_offset(const unsigned char *frame)
{
    bool first_version = (frame[1] >> 3 & 3) == 3, mono = frame[3] >> 6 == 3;
    return FRAME_HEAD + (first_version ? (mono ? 17 : 32) : (mono ? 9 : 17));
}

// Whether `at` is a frame of the version and layer of `first`.
static bool is_like(const unsigned char *at, const unsigned char *first)
{
    enum { VERSION_AND_LAYER = 0xfe };
    return is_frame(at) && (at[1] & VERSION_AND_LAYER) == (first[1] & VERSION_AND_LAYER);
}

static bool goes_on(ebb_peek *peek, void *file, uint64_t at, const unsigned char *first)
{
    unsigned char next[FRAME_HEAD];
    if (!peek(file, at, next, sizeof(next)))
        return false;
    return is_like(next, first) || memcmp(next, "ID3", 3) == 0;
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
    head->begins = at;
    const unsigned char *name = frame + name_offset(frame);
    bool named = memcmp(name, "Xing", 4) == 0 || memcmp(name, "Info", 4) == 0;
    uint64_t flags = named ? ebb_big(name + 4, 4) : 0;
    uint64_t name_at = at + name_offset(frame);
    if (flags & HAS_FRAMES)
        head->frames_at = name_at + 8;
    if ((flags & HAS_FRAMES) && (flags & HAS_BYTES)) {
        head->bytes_at = name_at + 12;
        head->more = goes_on(peek, file, at + ebb_big(name + 12, 4), frame);
    }
    return true;
}

// ---- all frames ----

struct frame {
    uint64_t bytes; // 0: it does not tell
    unsigned samples;
};

static struct frame frame_of(const unsigned char *at)
{
    enum { FIRST_VERSION = 3, LATER_HALF = 0, LAYER_1 = 3, LAYER_3 = 1, COLUMNS = 5 };
    static const unsigned short kilobits[COLUMNS][15] = {
        {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448}, // layers 1, 2 and 3
        {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
        {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
        {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256}, // layer 1 of the later versions
        {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},      // layers 2 and 3
    };
    static const unsigned rates[] = {44100, 48000, 32000};
    int version = at[1] >> 3 & 3, layer = at[1] >> 1 & 3, padding = at[2] >> 1 & 1;
    bool first = version == FIRST_VERSION;
    int column = first ? LAYER_1 - layer : layer == LAYER_1 ? COLUMNS - 2 : COLUMNS - 1;
    unsigned rate = rates[at[2] >> 2 & 3] / (first ? 1 : version == LATER_HALF ? 4 : 2);
    uint64_t bits = kilobits[column][at[2] >> 4] * 1000ull;
    unsigned samples = layer == LAYER_1 ? 384 : layer == LAYER_3 && !first ? 576 : 1152;
    uint64_t slot = layer == LAYER_1 ? 4 : 1; // bytes
    return (struct frame){bits ? (samples / 8 / slot * bits / rate + (unsigned)padding) * slot : 0, samples};
}

uint64_t ebb_mpeg_samples(ebb_peek *peek, void *file, uint64_t from, uint64_t end)
{
    enum { BLOCK = 1 << 14, RATE = 0x0c };
    unsigned char block[BLOCK] = {0}, first[FRAME_HEAD] = {0};
    uint64_t samples = 0, begins = 0, ends = 0; // of the block
    bool found = false, free = false;
    for (uint64_t at = from; at + FRAME_HEAD <= end && !free;) {
        if (at + FRAME_HEAD > ends) {
            begins = at;
            ends = end - at < BLOCK ? end : at + BLOCK;
            if (!peek(file, begins, block, (size_t)(ends - begins)))
                break;
        }
        size_t offset = (size_t)(at - begins);
        if (offset > BLOCK - FRAME_HEAD) // never: the block begins at the frame, or holds it
            break;
        const unsigned char *head = block + offset;
        bool is = found ? is_like(head, first) && (head[2] & RATE) == (first[2] & RATE) : is_frame(head);
        struct frame frame = is ? frame_of(head) : (struct frame){1, 0};
        free = frame.bytes == 0;
        if (is && !found)
            memcpy(first, head, FRAME_HEAD);
        found = found || is;
        samples += at + frame.bytes <= end ? frame.samples : 0;
        at += frame.bytes;
    }
    return free ? 0 : samples;
}
