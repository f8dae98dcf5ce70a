#ifndef EBB_MODEL_FIND_H
#define EBB_MODEL_FIND_H

// Letters to add, drop or replace between two names (Levenshtein 1966); 63 letters count.
int ebb_edit_distance(const char *a, const char *b);

#endif
