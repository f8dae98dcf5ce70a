// SPDX-License-Identifier: LGPL-2.1-or-later
// The bytes of a sound file as libsndfile is to see them: a file, or a pipe as it comes, or a pipe that was
// kept in an anonymous file; with the size that its samples have, where the header does not know it.
#ifndef EBB_AUDIO_INPUT_H
#define EBB_AUDIO_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sndfile.h>

#include <ebb/error.h>

struct ebb_sound_input;

// "-" is standard input. NULL on failure.
struct ebb_sound_input *ebb_sound_input_open(const char *path, struct ebb_error *error);
void ebb_sound_input_close(struct ebb_sound_input **input);

// Opens it with libsndfile. NULL: sf_strerror(NULL).
SNDFILE *ebb_sound_input_start(struct ebb_sound_input *input, SF_INFO *sf);

// The coding of a WAV or a W64 that libsndfile does not know: AAC, Opus and such; 0: there is no such coding.
int ebb_sound_input_foreign_coding(const struct ebb_sound_input *input);

// Its header wanted more reads than any real one: nothing else is to be tried.
bool ebb_sound_input_gave_up(const struct ebb_sound_input *input);

// Nobody knows how long it will be; and about how many frames it has then, 0: not known.
bool ebb_sound_input_endless(const struct ebb_sound_input *input);
uint64_t ebb_sound_input_about(const struct ebb_sound_input *input);

// libsndfile has asked for more than there is.
bool ebb_sound_input_at_end(const struct ebb_sound_input *input);

// Bytes of the file; 0: not known.
uint64_t ebb_sound_input_bytes(const struct ebb_sound_input *input);

// Bytes of samples that the header promised, and that there are. False: all are there, or nobody can tell.
bool ebb_sound_input_cut(const struct ebb_sound_input *input, uint64_t *promised, uint64_t *there);

// More bytes have come to the file since it was opened.
bool ebb_sound_input_grew(const struct ebb_sound_input *input);

// An Ogg without its last page; the frames that it promised are not known.
bool ebb_sound_input_lacks_end(const struct ebb_sound_input *input);

// An Ogg of several streams, one behind the other, of which the first is read. Looks at every page.
bool ebb_sound_input_is_chain(const struct ebb_sound_input *input);

// A WAV or an AIFF with another chunk of samples behind the first one, which is the one that is read.
bool ebb_sound_input_has_more(const struct ebb_sound_input *input);

// A file behind which another one of its kind stands, which is not read.
bool ebb_sound_input_is_followed(const struct ebb_sound_input *input);

// Bytes of an ID3 tag in front of a file of another kind, which is passed over: places count from behind it.
uint64_t ebb_sound_input_passed_tag(const struct ebb_sound_input *input);

// Bytes of the file itself, of a pipe what stands before its samples. False: they are not there.
bool ebb_sound_input_look(const struct ebb_sound_input *input, uint64_t at, void *bytes, size_t size);
bool ebb_sound_input_is_stream(const struct ebb_sound_input *input); // a pipe that is read as it comes

// What reading failed with, for `error`; EBB_OK: it did not.
enum ebb_result ebb_sound_input_failure(const struct ebb_sound_input *input, struct ebb_error *error);

// All that comes from `fd`, after `head`, in an anonymous file, refused beyond `limit` bytes; -1 on failure.
int ebb_sound_input_spool(int fd, const void *head, size_t head_size, uint64_t limit, const char *name,
                          struct ebb_error *error);

#endif
