// SPDX-License-Identifier: LGPL-2.1-or-later
// Which run makes which file, where several runs share a folder.
//
// A run claims a file before it makes it: it creates .NAME.claim beside the place, exclusively. Creating
// exclusively and renaming are whole on every file system that can be shared, NFS too; locks are not used.
// While the file is made, a thread touches the claim every few seconds. A claim is stale, and the next run
// takes the file over, when its process has ended, if that process was in the same system; otherwise when
// nobody has touched the claim for some minutes, by the clock of the file system.
#ifndef EBB_TOOLS_CLAIM_H
#define EBB_TOOLS_CLAIM_H

#include "tool.h"

enum { CLAIM_STALE = 120 }; // seconds without a touch, by default

struct claimer;

// `stale`: seconds. NULL after saying why.
struct claimer *claimer_create(double stale);
void claimer_destroy(struct claimer **claimer); // gives up what is claimed

enum claim { CLAIM_FAILED, CLAIM_OURS, CLAIM_OTHERS };

// Claims the file that is to be made at `path`; one at a time. CLAIM_FAILED is said, with the exit code.
enum claim claim_take(struct claimer *claimer, const char *path, int *code);

// Whether the claim is still ours: a run that stood still for long may have lost it.
bool claim_holds(struct claimer *claimer);

// Removes a stale claim on a file that is there: its run ended between the two.
void claim_clear(const struct claimer *claimer, const char *path);

void claim_give_up(struct claimer *claimer);

#endif
