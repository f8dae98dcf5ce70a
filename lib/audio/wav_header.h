// SPDX-License-Identifier: LGPL-2.1-or-later
// The head of a WAV file as bytes: RIFF, or RF64 where 32-bit sizes do not reach.
#ifndef EBB_AUDIO_WAV_HEADER_H
#define EBB_AUDIO_WAV_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/audio.h>

enum { WAV_HEAD_MOST = 12 + 36 + 48 + 12 }; // bytes: RIFF, ds64 or JUNK, fmt, fact

struct ebb_wav_shape {
    int channels, rate;
    enum ebb_wav_format format;
    uint32_t mask; // speakers, one bit each; 0: unassigned
    bool room;     // keeps 36 bytes, so that the file can become an RF64 when it turns out long
};

struct ebb_wav_sizes {
    uint64_t data;   // bytes of samples
    uint64_t chunks; // bytes of all other chunks but those of the head
    bool unknown;    // a pipe: the largest sizes stand for "to the end"
};

size_t ebb_wav_sample_bytes(enum ebb_wav_format format);
uint32_t ebb_wav_default_mask(int channels);

// Everything up to the other chunks or the samples. Its size depends on the shape alone, so that it can be
// written again when the sizes are known. Returns bytes.
size_t ebb_wav_head(const struct ebb_wav_shape *shape, const struct ebb_wav_sizes *sizes,
                    unsigned char out[WAV_HEAD_MOST]);

// Whether the sizes need an RF64.
bool ebb_wav_is_long(const struct ebb_wav_shape *shape, const struct ebb_wav_sizes *sizes);

// The size that stands in the head of the chunk of samples.
uint32_t ebb_wav_data_size(const struct ebb_wav_shape *shape, const struct ebb_wav_sizes *sizes);

#endif
