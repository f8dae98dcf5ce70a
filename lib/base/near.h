// SPDX-License-Identifier: LGPL-2.1-or-later
// Names with a similar spelling, for messages: did you mean "rain"?
#ifndef EBB_BASE_NEAR_H
#define EBB_BASE_NEAR_H

#include <stddef.h>

// Distance of two names: the number of letters to add, drop, replace or swap with a neighbour (Damerau
// 1964). Letters past the 63rd are ignored.
int ebb_near_distance(const char *a, const char *b);

// A search for the nearest name: ebb_near_begin(), then ebb_near_try() for each name; `best` is the result.
struct ebb_near {
    const char *text;
    const char *best; // one of the names tried, borrowed; NULL: none is near
    int least;
};
struct ebb_near ebb_near_begin(const char *text);
void ebb_near_try(struct ebb_near *near, const char *name);

#endif
