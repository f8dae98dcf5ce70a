// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio/vorbis_order.h"

#include <string.h>

enum { LEAST = 3, MOST = 8 };

// Of each channel of a WAV its place in a frame of Vorbis.
static const unsigned char orders[MOST + 1][MOST] = {
    [3] = {0, 2, 1},          [4] = {0, 1, 2, 3},          [5] = {0, 2, 1, 3, 4},
    [6] = {0, 2, 1, 5, 3, 4}, [7] = {0, 2, 1, 6, 5, 3, 4}, [8] = {0, 2, 1, 7, 5, 6, 3, 4},
};

static bool has_order(int channels)
{
    return channels >= LEAST && channels <= MOST;
}

// Of an Opus the header says whether its channels have places: family 1 has those of Vorbis.
bool ebb_has_vorbis_order(const struct ebb_sound_input *input, const SF_INFO *sf)
{
    enum { PAGE_HEAD = 28, FAMILY = PAGE_HEAD + 18 };
    unsigned char family = 1;
    if ((sf->format & SF_FORMAT_TYPEMASK) != SF_FORMAT_OGG || !has_order(sf->channels))
        return false;
    if ((sf->format & SF_FORMAT_SUBMASK) == SF_FORMAT_OPUS)
        return input && ebb_sound_input_look(input, FAMILY, &family, 1) && family == 1;
    return (sf->format & SF_FORMAT_SUBMASK) == SF_FORMAT_VORBIS;
}

static void reorder(void *samples, size_t frames, int channels, size_t size, bool to_wav)
{
    unsigned char frame[MOST * sizeof(double)], *at = samples;
    for (size_t i = 0; has_order(channels) && i < frames; i++, at += (size_t)channels * size) {
        memcpy(frame, at, (size_t)channels * size);
        for (size_t wav = 0; wav < (size_t)channels; wav++) {
            size_t vorbis = orders[channels][wav];
            memcpy(at + (to_wav ? wav : vorbis) * size, frame + (to_wav ? vorbis : wav) * size, size);
        }
    }
}

void ebb_vorbis_to_wav(void *samples, size_t frames, int channels, size_t size)
{
    reorder(samples, frames, channels, size, true);
}

void ebb_vorbis_from_wav(void *samples, size_t frames, int channels, size_t size)
{
    reorder(samples, frames, channels, size, false);
}
