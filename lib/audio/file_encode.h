// SPDX-License-Identifier: LGPL-2.1-or-later
// FLAC and Ogg Vorbis, written through libsndfile into an output.
#ifndef EBB_AUDIO_FILE_ENCODE_H
#define EBB_AUDIO_FILE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include <ebb/audio.h>
#include <ebb/output.h>

#include "audio/metadata_tags.h"
#include "audio/wav_header.h"

struct ebb_encoder;

// Whether files of this format are encoded; the others are WAVs.
bool ebb_format_is_encoded(enum ebb_wav_format format);

// Begins a file in `output`, which must outlive the encoder, with these comments. `name` is for messages, and
// is borrowed too. `places`: the shape's mask says where the channels belong; a FLAC tells it.
// Down a pipe the file goes when it is complete. NULL on failure.
struct ebb_encoder *ebb_encoder_create(struct ebb_output *output, const char *name,
                                       const struct ebb_wav_shape *shape, bool places,
                                       const struct ebb_metadata_texts *texts, struct ebb_error *error);

// The next samples, channels interleaved: of FLAC the integers in the upper bits, of Ogg the floats.
enum ebb_result ebb_encoder_write_integers(struct ebb_encoder *encoder, const int *samples, size_t count,
                                           struct ebb_error *error);
enum ebb_result ebb_encoder_write_floats(struct ebb_encoder *encoder, const float *samples, size_t count,
                                         struct ebb_error *error);

// Writes what is left. The same samples and the same comments make the same bytes.
enum ebb_result ebb_encoder_finish(struct ebb_encoder *encoder, struct ebb_error *error);
void ebb_encoder_destroy(struct ebb_encoder **encoder);

#endif
