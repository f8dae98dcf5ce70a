// SPDX-License-Identifier: LGPL-2.1-or-later
// The tags of a generated stream: title, licence, credit, and in the comment the recipe that makes it again.
#ifndef GST_DIFFUSE_TAGS_H
#define GST_DIFFUSE_TAGS_H

#include <gst/gst.h>

#include <ebb/ebb.h>

// Settles `recipe`, which is the caller's: what it leaves open becomes what the model recommends. A recipe
// that is NULL, or that the model refuses, leaves the comment out.
GstTagList *diffuse_tags_create(const struct ebb_model *model, struct ebb_recipe *recipe);

// A recipe as the line of JSON that ebb render writes too, and that ebb info explains. NULL: no memory.
char *diffuse_recipe_text(const struct ebb_recipe *recipe);

#endif
