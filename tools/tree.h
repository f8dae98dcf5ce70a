// SPDX-License-Identifier: LGPL-2.1-or-later
// The sound files in a folder and in the folders inside it.
#ifndef EBB_TOOLS_TREE_H
#define EBB_TOOLS_TREE_H

#include "tool.h"

struct tree {
    char **paths; // each begins with the folder that was named; in the order of the names
    size_t count, capacity;
};

// Files whose names end as sound files' do. What is hidden is passed over, and so are links to folders.
// Exit code.
int tree_read(struct tree *tree, const char *folder);
void tree_clear(struct tree *tree);

// Whether one of two folders is the other, or lies in it; the second need not be there yet.
bool tree_overlaps(const char *a, const char *b);

#endif
