// SPDX-License-Identifier: LGPL-2.1-or-later
// The texts that a FLAC and an Ogg hold as comments: those that libsndfile knows.
#ifndef EBB_AUDIO_METADATA_TAGS_H
#define EBB_AUDIO_METADATA_TAGS_H

#include <stdbool.h>
#include <stddef.h>

struct ebb_sound_metadata;

enum { METADATA_TAGS = 9 };

// By libsndfile's number of a text, and by the field of a WAV's INFO list.
struct ebb_metadata_tag {
    int text;
    char id[5];
};
extern const struct ebb_metadata_tag ebb_metadata_tags[METADATA_TAGS];

// Texts in UTF-8 in the order of ebb_metadata_tags, owned; NULL: none.
struct ebb_metadata_texts {
    char *of[METADATA_TAGS];
    char *recipe; // beside somebody else's comment
};

// The texts of `metadata`, with `comment` (NULL: none) in place of a recipe of ours, or beside a comment that
// is none. `*rest`: there is something else in the metadata. false: out of memory; what is in `texts` is to
// be cleared in any case.
bool ebb_metadata_to_texts(const struct ebb_sound_metadata *metadata, const char *comment,
                           struct ebb_metadata_texts *texts, bool *rest);
void ebb_metadata_texts_clear(struct ebb_metadata_texts *texts);

// The recipe takes the comment's place after all. true: a comment gave way.
bool ebb_metadata_texts_replace_comment(struct ebb_metadata_texts *texts);

// Whether there is one of each tag; of the software's name libsndfile makes its own.
bool ebb_metadata_texts_are_full(const struct ebb_metadata_texts *texts);

// The comment among them, or "".
const char *ebb_metadata_texts_comment(const struct ebb_metadata_texts *texts);

#endif
