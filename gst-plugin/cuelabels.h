// SPDX-License-Identifier: LGPL-2.1-or-later
// From a caption to labels of a model: by the labels' own words in any form ("dog barking" is dog_bark), and
// by a table of other words that mean the same ("ocean" is sea_waves). Nothing is guessed from a similar
// spelling: a wrong sound is worse than none. Pure functions.
#ifndef GST_DIFFUSE_CUELABELS_H
#define GST_DIFFUSE_CUELABELS_H

#include "cuetext.h"

// Which lines outside of brackets count.
enum plain_lines {
    PLAIN_NEVER,
    PLAIN_NAMES, // those that are the name of a sound and nothing else: "rain", not "I like rain." or "Rain!"
    PLAIN_ALL,   // those in which a label's words stand
};

enum { CUE_SOUNDS_MOST = 4 }; // of one cue

// What a cue asks for.
struct cue_sounds {
    int labels[CUE_SOUNDS_MOST];  // indices into the list of labels, each once
    float gains[CUE_SOUNDS_MOST]; // factors: "distant thunder" is softer than "thunder"
    guint count;
    GPtrArray *unplaced; // of char *: captions in brackets for which there is no label; NULL: none
};

// The labels of a model, and the other words for them, ready to be compared with.
struct cue_lexicon;
struct cue_lexicon *cue_lexicon_create(const char *const *labels); // ends with NULL; copied
void cue_lexicon_destroy(struct cue_lexicon **lexicon);            // NULL is allowed

// What the text of a cue asks for; cue_sounds_clear() frees what the result owns. `bytes` as for
// cue_captions().
struct cue_sounds cue_sounds_read(const struct cue_lexicon *lexicon, const char *bytes, gsize size,
                                  enum plain_lines plain);
void cue_sounds_clear(struct cue_sounds *sounds);

#endif
