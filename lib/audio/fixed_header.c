// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/fixed_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/byte_order.h"

// Audio Visual Research: 128 bytes, big-endian.
static bool find_avr(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { STEREO = 12, BITS = 14, FRAMES = 26, HEAD = 128 };
    unsigned char h[HEAD];
    if (!peek(file, 0, h, HEAD))
        return false;
    *data = HEAD;
    *promised = ebb_big(h + FRAMES, 4) * (ebb_big(h + STEREO, 2) ? 2 : 1) * (ebb_big(h + BITS, 2) / 8);
    return true;
}

// The whole number of a line "name -i 48000"; 0: there is none.
static uint64_t nist_number(const char *text, const char *name)
{
    char key[40];
    snprintf(key, sizeof(key), "\n%s -i ", name);
    const char *at = strstr(text, key);
    long value = at ? strtol(at + strlen(key), NULL, 10) : 0;
    return value > 0 ? (uint64_t)value : 0;
}

// NIST SPHERE: lines of text, of which the second says how long they are.
static bool find_nist(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { HEAD = 1024, MOST_CHANNELS = 1024, MOST_BYTES = 8 };
    char text[HEAD + 1] = "";
    if (!peek(file, 0, text, HEAD))
        return false;
    uint64_t frames = nist_number(text, "sample_count"), channels = nist_number(text, "channel_count"),
             bytes = nist_number(text, "sample_n_bytes");
    *data = strtoul(text + strlen("NIST_1A\n"), NULL, 10);
    if (channels > MOST_CHANNELS || bytes > MOST_BYTES || frames > UINT32_MAX || *data > UINT32_MAX)
        return false;
    *promised = frames * channels * bytes;
    return *data > 0;
}

// Creative Voice: blocks of a kind and a size of 24 bits. Kinds 1 and 9 are sound, after 2 and 12 bytes.
static bool find_voc(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { FIRST = 20, KIND_8_BIT = 1, KIND_16_BIT = 9, MOST_BLOCKS = 64 };
    unsigned char head[4];
    if (!peek(file, FIRST, head, 2))
        return false;
    uint64_t at = ebb_little(head, 2);
    for (int i = 0; i < MOST_BLOCKS && peek(file, at, head, sizeof(head)); i++) {
        uint64_t size = ebb_little(head + 1, 3), before = head[0] == KIND_8_BIT ? 2 : 12;
        if ((head[0] == KIND_8_BIT || head[0] == KIND_16_BIT) && size > before) {
            *data = at + sizeof(head) + before;
            *promised = size - before;
            return true;
        }
        at += sizeof(head) + size;
    }
    return false;
}

// Psion: A-law, one channel.
static bool find_wve(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { BYTES = 18, HEAD = 32 };
    unsigned char size[4];
    *data = HEAD;
    if (!peek(file, BYTES, size, sizeof(size)))
        return false;
    *promised = ebb_big(size, 4);
    return true;
}

// Akai MPC 2000: 16 bits, little-endian.
static bool find_mpc(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { STEREO = 21, FRAMES = 30, HEAD = 42 };
    unsigned char h[HEAD];
    if (!peek(file, 0, h, HEAD))
        return false;
    *data = HEAD;
    *promised = ebb_little(h + FRAMES, 4) * (h[STEREO] ? 2 : 1) * 2;
    return true;
}

// MIDI Sample Dump: packets of 127 bytes, with 120 bytes of samples of 2, 3 or 4 bytes. Bytes have 7 bits.
static bool find_sds(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { BITS = 6, SAMPLES = 10, HEAD = 21, PACKET = 127, ROOM = 120 };
    unsigned char h[HEAD];
    if (!peek(file, 0, h, HEAD) || h[3] != 1)
        return false;
    uint64_t samples = h[SAMPLES] | (uint64_t)h[SAMPLES + 1] << 7 | (uint64_t)h[SAMPLES + 2] << 14;
    uint64_t each = h[BITS] <= 14 ? 2 : h[BITS] <= 21 ? 3 : 4;
    *data = HEAD;
    *promised = (samples * each + ROOM - 1) / ROOM * PACKET;
    return true;
}

// Matlab 5: elements of a kind and a size. The samples are in the last matrix. libsndfile counts the eight
// bytes of kind and size too, Matlab does not.
static bool find_mat5(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { ORDER = 126, FIRST = 128, MATRIX = 14, MOST_ELEMENTS = 64 };
    unsigned char order[2], head[8];
    if (!peek(file, ORDER, order, sizeof(order)))
        return false;
    bool is_little = memcmp(order, "IM", 2) == 0;
    uint64_t at = FIRST;
    for (int i = 0; i < MOST_ELEMENTS && peek(file, at, head, sizeof(head)); i++) {
        uint64_t kind = is_little ? ebb_little(head, 4) : ebb_big(head, 4);
        if (kind != MATRIX)
            break;
        uint64_t size = is_little ? ebb_little(head + 4, 4) : ebb_big(head + 4, 4);
        *data = at + sizeof(head);
        *promised = size > sizeof(head) ? size - sizeof(head) : 0;
        at = *data + (size + 7) / 8 * 8;
    }
    return *data > 0;
}

// Matlab 4: matrices of 64-bit numbers and others, the samples in the second.
static bool find_mat4(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { HEAD = 20, RATE = HEAD + 11 + 8, NAME_MOST = 64 }; // "samplerate" and a number
    static const unsigned char bytes_of[] = {8, 4, 4, 2, 2, 1};
    unsigned char h[HEAD];
    if (!peek(file, RATE, h, HEAD))
        return false;
    bool is_big = h[2] != 0 || h[3] != 0; // the kind is below 5000, and 1000 where big-endian
    uint64_t (*number)(const unsigned char *, int) = is_big ? ebb_big : ebb_little;
    uint64_t kind = number(h, 4) / 10 % 10, rows = number(h + 4, 4), columns = number(h + 8, 4),
             name = number(h + 16, 4);
    if (kind >= sizeof(bytes_of) || name > NAME_MOST || rows > UINT16_MAX)
        return false;
    *data = RATE + HEAD + name;
    *promised = rows * columns * bytes_of[kind];
    return true;
}

// FastTracker 2: one instrument of up to 16 samples, whose heads stand before all of their bytes. What
// libsndfile writes promises nothing: it leaves the size at 0.
static bool find_xi(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    enum { COUNT = 296, HEADS = 298, HEAD = 40, MOST_SAMPLES = 16 };
    unsigned char field[4];
    if (!peek(file, COUNT, field, 2) || ebb_little(field, 2) > MOST_SAMPLES)
        return false;
    uint64_t count = ebb_little(field, 2);
    for (uint64_t i = 0; i < count; i++) {
        if (!peek(file, HEADS + i * HEAD, field, sizeof(field)))
            return false;
        *promised += ebb_little(field, sizeof(field));
    }
    *data = HEADS + count * HEAD;
    return true;
}

#define VOC_MAGIC "Creative Voice File\x1a"

bool ebb_voc_goes_on(ebb_peek *peek, void *file, const struct ebb_layout *layout)
{
    enum { END = 0, CONTINUED = 2, SILENCE = 3, KIND_8_BIT = 1, KIND_16_BIT = 9, MOST_BLOCKS = 64 };
    unsigned char head[20];
    if (!peek(file, 0, head, sizeof(head)) || memcmp(head, VOC_MAGIC, sizeof(head)) != 0)
        return false;
    uint64_t at = layout->data + layout->promised;
    for (int i = 0; i < MOST_BLOCKS && peek(file, at, head, 4) && head[0] != END; i++) {
        if (head[0] == KIND_8_BIT || head[0] == CONTINUED || head[0] == SILENCE || head[0] == KIND_16_BIT)
            return true;
        at += 4 + ebb_little(head + 1, 3);
    }
    return false;
}

static const struct {
    const char *magic;
    size_t size;
    bool (*find)(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised);
} formats[] = {
    {"2BIT", 4, find_avr},
    {"NIST_1A\n", 8, find_nist},
    {VOC_MAGIC, 20, find_voc},
    {"ALawSoundFile**", 16, find_wve},
    {"\1\4", 2, find_mpc},
    {"\xf0\x7e", 2, find_sds},
    {"Extended Instrument:", 20, find_xi},
    {"MATLAB 5.0 MAT-file", 19, find_mat5},
    {"\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\x0b\0\0\0samplerate", 31, find_mat4},
    {"\0\0\3\xe8\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\x0bsamplerate", 31, find_mat4},
};

bool ebb_fixed_header_find(ebb_peek *peek, void *file, uint64_t *data, uint64_t *promised)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        unsigned char head[32];
        *data = *promised = 0;
        if (peek(file, 0, head, formats[i].size) && memcmp(head, formats[i].magic, formats[i].size) == 0)
            return formats[i].find(peek, file, data, promised) && *promised > 0;
    }
    return false;
}
