// SPDX-License-Identifier: LGPL-2.1-or-later
// Writing sounds: what goes into the file besides the samples, and what is said about it.
#ifndef EBB_TOOLS_WRITTEN_H
#define EBB_TOOLS_WRITTEN_H

#include "sound.h"

// Writes a whole sound and says how many samples were cut. `metadata` may be NULL. `exact`, where not NULL,
// are the same samples in double precision.
enum ebb_result written_sound(const char *path, const struct ebb_sound *sound, const double *exact,
                              const struct ebb_sound_metadata *metadata, enum ebb_wav_format format,
                              struct ebb_error *error);

// Says how many samples were cut at full scale, if any were.
void written_clipped(const char *path, const struct ebb_sound_writer *writer);

// Says what of a recording's metadata is not in the file that was made from it, if anything is not.
void written_lost(const char *path, const struct ebb_sound_metadata *metadata);

// ".wav", ".flac" or ".ogg"; and the format that a name's ending asks for, -1: none of ours.
const char *written_ending(enum ebb_wav_format format);
int written_format_of(const char *path);

// The format of a file of this name that is made out of a recording: the one that was given (-1: none), or
// what the name's ending asks for, in the recording's precision. -1 after saying why: name and what was given
// contradict each other, or no sound is written under such a name.
int written_format_for(const char *path, int given, enum ebb_wav_format recording);
bool written_name_is_good(const char *path, int given); // the same, before the recording is known

// Begins a file with what a recording's file tells of it; what the new file cannot hold is said.
enum ebb_result written_begin(struct ebb_sound_writer *writer, const struct ebb_sound_metadata *metadata,
                              size_t frames, struct ebb_error *error);

// What a file says of the loop that it begins with, `loop` frames; a WAV alone has a place for that. NULL:
// nothing, or a failure, which `error` says.
struct ebb_sound_metadata *written_loop(enum ebb_wav_format format, int channels, int rate, size_t loop,
                                        struct ebb_error *error);

// A file that is written as its sound is made.
struct written_start {
    const struct ebb_recipe *recipe; // goes into the file
    enum ebb_wav_format format;
    int channels, rate;
    size_t frames, loop; // of the file, of the loop that it begins with (0: none)
};

// Opens and begins such a file. A WAV says where the loop is. NULL on failure.
struct ebb_sound_writer *written_start(const char *path, const struct written_start *start,
                                       struct ebb_error *error);

// Whether float32 is too little for samples of this format.
bool written_needs_double(enum ebb_wav_format format);

#endif
