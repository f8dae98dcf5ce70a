// SPDX-License-Identifier: LGPL-2.1-or-later
// The text of a subtitle becomes captions: "[thunder]" and "(door slams)" describe sounds, other lines are
// speech. Pure functions; the text may come from a stranger.
#ifndef GST_DIFFUSE_CUETEXT_H
#define GST_DIFFUSE_CUETEXT_H

#include <glib.h>

enum caption_kind {
    CAPTION_SOUND, // stood in brackets: a sound, described for those who do not hear it
    CAPTION_LINE,  // any other line
    CAPTION_SONG,  // a line with notes: lyrics
};

struct caption {
    enum caption_kind kind;
    char *text; // UTF-8, one line without control characters, trimmed, never empty
};

enum { CUE_TEXT_MOST = 4096 }; // bytes of a cue that are read

// The captions of a cue, an array of struct caption; g_array_unref() frees it and them. Markup is removed,
// entities are decoded. Bytes that are no UTF-8 are taken for Latin-1. What comes after CUE_TEXT_MOST bytes
// is not read.
GArray *cue_captions(const char *bytes, gsize size);

#endif
