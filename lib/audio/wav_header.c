// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/wav_header.h"

#include <string.h>

#include "audio/wav_chunk.h"
#include "base/byte_order.h"

enum {
    PCM = 1,
    IEEE_FLOAT = 3,
    EXTENSIBLE = 0xfffe,
    DS64_SIZE = 28, // bytes of the body
};

static const struct {
    int bytes; // per sample
    int tag;
} formats[] = {
    [EBB_WAV_16] = {2, PCM},  [EBB_WAV_24] = {3, PCM},         [EBB_WAV_32F] = {4, IEEE_FLOAT},
    [EBB_WAV_32I] = {4, PCM}, [EBB_WAV_64F] = {8, IEEE_FLOAT},
};

size_t ebb_wav_sample_bytes(enum ebb_wav_format format)
{
    return (size_t)formats[format].bytes;
}

uint32_t ebb_wav_default_mask(int channels)
{
    return channels == 1 ? 0x4 : channels == 2 ? 0x3 : 0;
}

static unsigned char *chunk_head(unsigned char *at, const char *id, uint32_t size)
{
    memcpy(at, id, 4);
    ebb_put_little(at + 4, size, 4);
    return at + 8;
}

// EXTENSIBLE only where it says something: small readers know the plain form alone.
static bool is_extensible(const struct ebb_wav_shape *s)
{
    return s->channels > 2 || s->mask != ebb_wav_default_mask(s->channels);
}

// Bytes of the body of fmt. All but plain PCM end with the size of what is added, even if that is 0: sox
// warns where the field is missing.
static uint32_t format_size(const struct ebb_wav_shape *s)
{
    return is_extensible(s) ? 40 : formats[s->format].tag == PCM ? 16 : 18;
}

static unsigned char *put_format(unsigned char *at, const struct ebb_wav_shape *s)
{
    static const unsigned char guid[] = {0, 0, 0,    0, 0x10, 0,    0x80,
                                         0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}; // behind the tag
    bool extensible = is_extensible(s);
    uint32_t bytes = (uint32_t)formats[s->format].bytes, frame = (uint32_t)s->channels * bytes;
    uint32_t tag = (uint32_t)formats[s->format].tag;

    at = chunk_head(at, "fmt ", format_size(s));
    ebb_put_little(at, extensible ? EXTENSIBLE : tag, 2);
    ebb_put_little(at + 2, (uint32_t)s->channels, 2);
    ebb_put_little(at + 4, (uint32_t)s->rate, 4);
    ebb_put_little(at + 8, (uint64_t)s->rate * frame, 4);
    ebb_put_little(at + 12, frame, 2);
    ebb_put_little(at + 14, bytes * 8, 2);
    if (tag != PCM || extensible)
        ebb_put_little(at + 16, extensible ? 22 : 0, 2);
    if (!extensible)
        return at + format_size(s);
    ebb_put_little(at + 18, bytes * 8, 2);
    ebb_put_little(at + 20, s->mask, 4);
    ebb_put_little(at + 24, tag, 2);
    memcpy(at + 26, guid, sizeof(guid));
    return at + 40;
}

static unsigned char *put_ds64(unsigned char *at, uint64_t riff, uint64_t data, uint64_t frames)
{
    at = chunk_head(at, "ds64", DS64_SIZE);
    ebb_put_little(at, riff, 8);
    ebb_put_little(at + 8, data, 8);
    ebb_put_little(at + 16, frames, 8);
    ebb_put_little(at + 24, 0, 4);
    return at + DS64_SIZE;
}

static size_t head_bytes(const struct ebb_wav_shape *s)
{
    return 12 + 8 + format_size(s) + (s->room ? 8 + DS64_SIZE : 0) +
           (formats[s->format].tag == IEEE_FLOAT ? 12 : 0);
}

// What the RIFF counts: all but its own eight bytes.
static uint64_t riff_size(const struct ebb_wav_shape *s, const struct ebb_wav_sizes *sizes)
{
    return head_bytes(s) - 8 + sizes->chunks + 8 + sizes->data + (sizes->data & 1);
}

bool ebb_wav_is_long(const struct ebb_wav_shape *shape, const struct ebb_wav_sizes *sizes)
{
    return !sizes->unknown && riff_size(shape, sizes) >= UINT32_MAX;
}

uint32_t ebb_wav_data_size(const struct ebb_wav_shape *shape, const struct ebb_wav_sizes *sizes)
{
    return sizes->unknown || ebb_wav_is_long(shape, sizes) ? UINT32_MAX : (uint32_t)sizes->data;
}

// The room for an RF64's sizes stands behind fmt, where small readers do not stumble over it; an RF64 has
// them first.
size_t ebb_wav_head(const struct ebb_wav_shape *shape, const struct ebb_wav_sizes *sizes,
                    unsigned char out[WAV_HEAD_MOST])
{
    size_t frame = (size_t)shape->channels * ebb_wav_sample_bytes(shape->format);
    uint64_t riff = riff_size(shape, sizes), frames = sizes->data / frame;
    bool rf64 = ebb_wav_is_long(shape, sizes), open = rf64 || sizes->unknown;

    unsigned char *at = chunk_head(out, rf64 ? "RF64" : "RIFF", open ? UINT32_MAX : (uint32_t)riff);
    memcpy(at, "WAVE", 4);
    at += 4;
    if (rf64)
        at = put_ds64(at, riff, sizes->data, frames);
    at = put_format(at, shape);
    if (shape->room && !rf64) {
        at = chunk_head(at, "JUNK", DS64_SIZE);
        memset(at, 0, DS64_SIZE);
        at += DS64_SIZE;
    }
    if (formats[shape->format].tag == IEEE_FLOAT) {
        at = chunk_head(at, "fact", 4);
        ebb_put_little(at, open ? UINT32_MAX : frames, 4);
        at += 4;
    }
    return (size_t)(at - out);
}
