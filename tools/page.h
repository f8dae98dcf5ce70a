// SPDX-License-Identifier: LGPL-2.1-or-later
// A page of sounds to listen to and choose from: one HTML file and a picture for each sound.
#ifndef EBB_TOOLS_PAGE_H
#define EBB_TOOLS_PAGE_H

#include "sound.h"

struct page {
    const char *folder; // of the page
    const char *sounds; // the folder that the names are in
    const struct sound_source *source;
    const struct tool_model *m;
    char *(*path)(const void *user, const struct sound_job *job); // of a sound's file; malloc'd
    const void *user;
    bool quiet;
};

// Whether there can be a page here. Exit code.
int page_check(void);

// Makes the folder and tries its file, so that nobody waits for a page that has nowhere to go. Exit code.
int page_try(const char *folder);

// Writes the page on all sounds that are there. Exit code.
int page_write(const struct page *page);

#endif
