// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands before the sound of an MP3: whether it tells how long the sound is.
#ifndef EBB_AUDIO_MPEG_HEAD_H
#define EBB_AUDIO_MPEG_HEAD_H

#include "audio/container.h"

// The bytes of an ID3v2 tag with its head, which begins with these ten; 0: it is none.
enum { EBB_ID3_HEAD = 10 };
uint64_t ebb_id3_bytes(const unsigned char head[EBB_ID3_HEAD]);
uint32_t ebb_id3_number(const unsigned char at[4]); // seven bits of each byte

// The first frame of an encoder ("Xing", "Info") tells the count of frames, and mostly that of bytes too.
struct ebb_mpeg_head {
    uint64_t begins;              // where the first frame stands, from which the bytes are counted
    uint64_t frames_at, bytes_at; // where these counts stand, in four bytes; 0: there is none
    bool more;                    // there is more sound behind what they count: files that were put together
};

// Looks from place `from` on. false: nothing begins there as an MP3 does.
bool ebb_mpeg_find(struct ebb_mpeg_head *head, ebb_peek *peek, void *file, uint64_t from);

// The samples of a channel in all frames from `from` to `end`, which is what a decoder gives or some hundreds
// more; 0: the frames do not tell how long they are.
uint64_t ebb_mpeg_samples(ebb_peek *peek, void *file, uint64_t from, uint64_t end);

#endif
