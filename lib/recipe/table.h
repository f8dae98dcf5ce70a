// SPDX-License-Identifier: LGPL-2.1-or-later
// The table of settings, and recipes as a value for each of its rows.
#ifndef EBB_RECIPE_TABLE_H
#define EBB_RECIPE_TABLE_H

#include <ebb/recipe.h>

// Format of written recipes. 2: JSON with a verb. 1: JSON of Ebb before the table of settings; still read.
enum { EBB_RECIPE_FORMAT = 2 };

size_t ebb_setting_count(void);
size_t ebb_setting_index(const struct ebb_setting *row); // 0..count-1

// The row of that name that the verb has, or NULL.
const struct ebb_setting *ebb_setting_look(enum ebb_verb verb, const char *name);

// The choice of the row that is spelled so, in whatever case; NULL with an error that offers near ones.
const char *ebb_setting_choose(const struct ebb_setting *row, const char *text, struct ebb_error *error);

struct ebb_value {
    bool set;
    double number; // flags, whole and real numbers
    uint64_t seed;
    char *text; // the value as text; owned
};

struct ebb_recipe {
    enum ebb_verb verb;
    struct ebb_value *value; // a row's, in the order of the table
};

// The choice that is set, static; NULL where the setting is open.
const char *ebb_recipe_choice(const struct ebb_recipe *recipe, const char *name);

// Exchanges what two recipes of one verb hold.
void ebb_recipe_swap(struct ebb_recipe *a, struct ebb_recipe *b);

const struct ebb_value *ebb_recipe_value(const struct ebb_recipe *recipe, const struct ebb_setting *row);

#endif
