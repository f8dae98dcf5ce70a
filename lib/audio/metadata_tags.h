// SPDX-License-Identifier: LGPL-2.1-or-later
// The texts that a FLAC and an Ogg hold as comments: those that libsndfile knows.
#ifndef EBB_AUDIO_METADATA_TAGS_H
#define EBB_AUDIO_METADATA_TAGS_H

#include <stdbool.h>
#include <stddef.h>

struct ebb_sound_metadata;

enum { METADATA_TAGS = 9 };

// By libsndfile's number of a text, and by the field of a WAV's INFO list.
struct metadata_tag {
    int text;
    char id[5];
};
extern const struct metadata_tag metadata_tags[METADATA_TAGS];

// Texts in UTF-8 in the order of metadata_tags, owned; NULL: none.
struct metadata_texts {
    char *of[METADATA_TAGS];
};

// The texts of `metadata`, with `comment` (NULL: none) in place of a recipe of ours. `*rest`: there is
// something else in the metadata, or a comment that is not a recipe and would stand where `comment` does.
// false: out of memory; what is in `texts` is to be cleared in any case.
bool metadata_to_texts(const struct ebb_sound_metadata *metadata, const char *comment,
                       struct metadata_texts *texts, bool *rest);
void metadata_texts_clear(struct metadata_texts *texts);

// The comment among them, or "".
const char *metadata_texts_comment(const struct metadata_texts *texts);

#endif
