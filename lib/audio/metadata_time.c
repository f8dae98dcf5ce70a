// SPDX-License-Identifier: LGPL-2.1-or-later
// Positions in metadata, moved to where the samples went.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/file_metadata.h"
#include "base/byte_order.h"
#include "base/plain.h"

// Adds to a 32-bit position; one that would pass the end of its number stays there.
static void move32(unsigned char *at, uint64_t frames)
{
    uint64_t moved = ebb_little(at, 4) + frames;
    ebb_put_little(at, moved < frames || moved > UINT32_MAX ? UINT32_MAX : moved, 4);
}

static void move_cues(struct ebb_wav_chunk *chunk, uint64_t frames)
{
    uint32_t count = chunk->size >= 4 ? ebb_little(chunk->body, 4) : 0;
    for (uint32_t i = 0; i < count && 4 + 24 * ((size_t)i + 1) <= chunk->size; i++) {
        unsigned char *cue = chunk->body + 4 + 24 * (size_t)i;
        move32(cue + 4, frames);  // in the order of play
        move32(cue + 20, frames); // in the samples
    }
}

static void move_loops(struct ebb_wav_chunk *chunk, uint64_t frames)
{
    uint32_t count = chunk->size >= 36 ? ebb_little(chunk->body + 28, 4) : 0;
    for (uint32_t i = 0; i < count && 36 + 24 * ((size_t)i + 1) <= chunk->size; i++) {
        unsigned char *loop = chunk->body + 36 + 24 * (size_t)i;
        move32(loop + 8, frames);  // first sample
        move32(loop + 12, frames); // last sample
    }
}

// The time since midnight is of the first sample, which is an earlier one now. 0 says that nobody set it.
static uint64_t earlier(struct ebb_sound_metadata *m, uint64_t time, uint64_t frames)
{
    if (time > 0 && time < frames)
        ebb_metadata_lose(m, "the time reference, which would be of the day before");
    return time > frames ? time - frames : 0;
}

static void move_broadcast(struct ebb_sound_metadata *m, struct ebb_wav_chunk *chunk, uint64_t frames)
{
    if (chunk->size >= 346)
        ebb_put_little(chunk->body + 338, earlier(m, ebb_little(chunk->body + 338, 8), frames), 8);
}

// ---- iXML ----

// The number between <TAG> and </TAG>: where it begins and how many digits it has. NULL: there is none.
static unsigned char *find_number(const struct ebb_wav_chunk *chunk, const char *tag, size_t *digits)
{
    char open[64];
    int length = snprintf(open, sizeof(open), "<%s>", tag);
    unsigned char *at = memmem(chunk->body, chunk->size, open, (size_t)length);
    if (!at)
        return NULL;
    at += length;
    size_t left = (size_t)(chunk->body + chunk->size - at);
    for (*digits = 0; *digits < left && at[*digits] >= '0' && at[*digits] <= '9';)
        (*digits)++;
    return *digits > 0 && *digits <= 10 ? at : NULL;
}

static uint64_t number_of(const unsigned char *at, size_t digits)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(at[i] - '0');
    return value;
}

static bool put_number(struct ebb_wav_chunk *chunk, const char *tag, uint32_t value)
{
    size_t old = 0, before, rest;
    char text[16];
    const unsigned char *at = find_number(chunk, tag, &old);
    size_t length = (size_t)snprintf(text, sizeof(text), "%u", value);
    before = (size_t)(at - chunk->body);
    rest = chunk->size - before - old;
    unsigned char *body = calloc(before + length + rest + 1, 1);
    if (!body)
        return false;
    memcpy(body, chunk->body, before);
    memcpy(body + before, text, length);
    memcpy(body + before + length, at + old, rest);
    free(chunk->body);
    chunk->body = body;
    chunk->size = (uint32_t)(before + length + rest);
    return true;
}

static void move_text_time(struct ebb_sound_metadata *m, struct ebb_wav_chunk *chunk, const char *low,
                           const char *high, uint64_t frames)
{
    size_t low_digits, high_digits;
    const unsigned char *a = find_number(chunk, low, &low_digits),
                        *b = find_number(chunk, high, &high_digits);
    if (!a || !b)
        return;
    uint64_t time = (number_of(b, high_digits) << 32) + number_of(a, low_digits);
    uint64_t moved = earlier(m, time, frames);
    if (!put_number(chunk, low, (uint32_t)moved) || !put_number(chunk, high, (uint32_t)(moved >> 32)))
        ebb_metadata_lose(m, "the times in iXML");
}

static void move_ixml(struct ebb_sound_metadata *m, struct ebb_wav_chunk *chunk, uint64_t frames)
{
    move_text_time(m, chunk, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO", "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI",
                   frames);
    move_text_time(m, chunk, "BWF_TIME_REFERENCE_LOW", "BWF_TIME_REFERENCE_HIGH", frames);
}

// ---- cart and ID3 ----

// Eight timers, each a use in four letters and a position in samples (AES46); no letters: not in use.
static void move_timers(struct ebb_wav_chunk *chunk, uint64_t frames)
{
    enum { TIMERS = 684, COUNT = 8, EACH = 8 };
    for (size_t i = 0; i < COUNT && TIMERS + EACH * (i + 1) <= chunk->size; i++) {
        unsigned char *timer = chunk->body + TIMERS + EACH * i;
        if (ebb_little(timer, 4) != 0)
            move32(timer + 4, frames);
    }
}

// Chapters, words and events have times in milliseconds, or in frames of an MP3.
static void name_times(struct ebb_sound_metadata *m, const struct ebb_wav_chunk *chunk)
{
    static const char *const timed[] = {"CHAP", "SYLT", "ETCO"};
    bool found = false;
    for (size_t i = 0; i < sizeof(timed) / sizeof(*timed); i++)
        found = found || memmem(chunk->body, chunk->size, timed[i], 4);
    if (found)
        ebb_metadata_lose(m, "the times in the ID3 tag, which are those before the edit");
}

void ebb_metadata_move(struct ebb_sound_metadata *metadata, uint64_t frames)
{
    for (size_t i = 0; i < metadata->chunks.count; i++) {
        struct ebb_wav_chunk *chunk = metadata->chunks.items + i;
        if (memcmp(chunk->id, "cue ", 4) == 0)
            move_cues(chunk, frames);
        else if (memcmp(chunk->id, "smpl", 4) == 0)
            move_loops(chunk, frames);
        else if (memcmp(chunk->id, "bext", 4) == 0)
            move_broadcast(metadata, chunk, frames);
        else if (memcmp(chunk->id, "iXML", 4) == 0)
            move_ixml(metadata, chunk, frames);
        else if (memcmp(chunk->id, "cart", 4) == 0)
            move_timers(chunk, frames);
        else if (ebb_plain_same(chunk->id, "id3 ", 4))
            name_times(metadata, chunk);
    }
}
