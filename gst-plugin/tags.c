// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tags.h"

char *diffuse_recipe_text(const struct ebb_recipe *recipe)
{
    gsize needed = ebb_recipe_write(recipe, NULL, 0);
    char *text = needed ? g_malloc(needed + 1) : NULL;
    if (text && ebb_recipe_write(recipe, text, needed + 1) != needed)
        g_clear_pointer(&text, g_free);
    return text;
}

static void add(GstTagList *tags, const char *tag, const char *text)
{
    if (text)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, tag, text, NULL);
}

GstTagList *diffuse_tags_create(const struct ebb_model *model, struct ebb_recipe *recipe)
{
    const struct ebb_model_info *info = ebb_model_info(model);
    gboolean settled = recipe && ebb_model_settle(model, recipe, NULL) == EBB_OK;
    const char *label = settled ? ebb_recipe_text(recipe, "label") : "";
    const char *prompt = settled ? ebb_recipe_text(recipe, "prompt") : "";
    char *comment = settled ? diffuse_recipe_text(recipe) : NULL;
    GstTagList *tags = gst_tag_list_new_empty();
    add(tags, GST_TAG_TITLE, *label ? label : *prompt ? prompt : info->name);
    add(tags, GST_TAG_APPLICATION_NAME, "Ebb diffusesrc");
    add(tags, GST_TAG_COMMENT, comment);
    add(tags, GST_TAG_LICENSE, info->licence);
    add(tags, GST_TAG_COPYRIGHT, info->credit);
    g_free(comment);
    return tags;
}
