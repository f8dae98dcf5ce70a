// SPDX-License-Identifier: LGPL-2.1-or-later
// What a sound file holds besides its samples, as chunks of a WAV.
#ifndef EBB_AUDIO_FILE_METADATA_H
#define EBB_AUDIO_FILE_METADATA_H

#include <sndfile.h>

#include <ebb/audio.h>

#include "audio/input.h"
#include "audio/wav_chunk.h"

// A recipe beside a comment that is not ours stands in a chunk of this name.
#define METADATA_RECIPE_ID "ebbr"

enum {
    METADATA_MOST_BYTES = 16 << 20, // kept in memory, of one file
    METADATA_MOST_RECIPE = 1 << 20,
};

struct ebb_sound_metadata {
    struct ebb_wav_chunks chunks;
    size_t bytes; // in the chunks
    uint32_t mask;
    char *recipe;   // the text of our own chunk; NULL: none
    char lost[512]; // names of what cannot be kept, with commas between
};

// Metadata of an open file: of a RIFF or RF64 its own chunks, of others what libsndfile knows. `input` NULL:
// it knows the file by its name. NULL: out of memory.
struct ebb_sound_metadata *ebb_metadata_read(const struct ebb_sound_input *input, SNDFILE *file,
                                             const SF_INFO *sf);

// The two sources. false: out of memory.
bool ebb_metadata_from_riff(struct ebb_sound_metadata *metadata, const struct ebb_sound_input *input);
bool ebb_metadata_from_libsndfile(struct ebb_sound_metadata *metadata, const struct ebb_sound_input *input,
                                  SNDFILE *file, const SF_INFO *sf);
bool ebb_metadata_is_riff(const struct ebb_sound_input *input);

// Takes and notes what a FLAC, Ogg or W64 holds that libsndfile does not tell of. false: out of memory.
bool ebb_metadata_from_hidden(struct ebb_sound_metadata *metadata, const struct ebb_sound_input *input);

// The same of Vorbis comments: `size` bytes from the length of the encoder's name on.
bool ebb_metadata_from_vorbis(struct ebb_sound_metadata *metadata, const unsigned char *bytes, size_t size);

// By FLAC's definition the count of channels says their places.
uint32_t ebb_metadata_flac_mask(int channels);

// Whether a chunk of a WAV speaks of the encoding, or of the samples as they were.
bool ebb_metadata_is_of_the_samples(const unsigned char *id);

// The chunks that go into a file with this recipe (NULL: none), appended to `out`. false: out of memory.
bool ebb_metadata_to_chunks(const struct ebb_sound_metadata *metadata, const char *recipe,
                            struct ebb_wav_chunks *out);

// Whether a comment is a recipe of ours, by its look.
bool ebb_metadata_is_recipe(const char *text, size_t size);

// Notes something that cannot be kept.
void ebb_metadata_lose(struct ebb_sound_metadata *metadata, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Moves all positions by `frames`: new sound in front of the old.
void ebb_metadata_move(struct ebb_sound_metadata *metadata, uint64_t frames);

#endif
