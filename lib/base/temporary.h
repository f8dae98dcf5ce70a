// SPDX-License-Identifier: LGPL-2.1-or-later
// A file that is written beside the place it will have, and takes that place in one step when it is whole.
//
// The writer holds a lock (flock) on its temporary file as long as it lives, so that a file without a lock
// was left by a run that was killed: whoever next writes to the same place removes it. The name is
// ".ebb-HASH-N.tmp", HASH of the name that it will have: short, whatever that name's length.
#ifndef EBB_BASE_TEMPORARY_H
#define EBB_BASE_TEMPORARY_H

#include <ebb/error.h>

struct ebb_temporary;

// Begins a file for `path`, or for the file that it is a link to. A file that is there is to be replaced: the
// new one gets its mode and, where allowed, its owner. NULL with EBB_UNWRITABLE.
struct ebb_temporary *ebb_temporary_create(const char *path, struct ebb_error *error);

int ebb_temporary_descriptor(const struct ebb_temporary *temporary); // for reading and writing

// Puts the file on the disk and in its place. EBB_UNWRITABLE leaves what was there.
enum ebb_result ebb_temporary_keep(struct ebb_temporary *temporary, struct ebb_error *error);

// Removes the file unless it was kept.
void ebb_temporary_destroy(struct ebb_temporary **temporary);

// An anonymous file that is gone when its descriptor is closed. It is in $TMPDIR, or where that is of no use
// (the folder of a job that has ended) in /tmp or /var/tmp. -1: `errno` is that of the first of them.
int ebb_temporary_anonymous(void);

#endif
