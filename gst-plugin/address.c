// SPDX-License-Identifier: LGPL-2.1-or-later
#include "address.h"

#include <string.h>

#define START ADDRESS_SCHEME "://"

// The settings that a query may hold: those of the sound, not files or devices. The label is the host.
static gboolean is_in_query(const struct ebb_setting *row)
{
    return ebb_setting_applies(row, EBB_VERB_STREAM) && row->role == EBB_ROLE_SOUND &&
           strcmp(row->name, "label") != 0;
}

// ---- writing ----

static void append_setting(GString *address, const struct ebb_recipe *recipe, const struct ebb_setting *row)
{
    if (!is_in_query(row) || !ebb_recipe_has(recipe, row->name))
        return;
    char *value = g_uri_escape_string(ebb_recipe_text(recipe, row->name), NULL, FALSE);
    g_string_append_printf(address, "%c%s=%s", strchr(address->str, '?') ? '&' : '?', row->name, value);
    g_free(value);
}

char *address_write(const struct ebb_recipe *recipe)
{
    GString *address = g_string_new(START);
    g_string_append_uri_escaped(address, ebb_recipe_text(recipe, "label"), NULL, FALSE);
    EBB_EACH_SETTING (row)
        append_setting(address, recipe, row);
    return g_string_free(address, FALSE);
}

// ---- reading ----

static gboolean refuse(const char *name, const char *text, const char *why, GError **error)
{
    g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "diffuse:// takes no \"%s=%s\": %s", name,
                text ? text : "", why);
    return FALSE;
}

// Texts have no range of their own: the recipe knows the choices.
static gboolean is_choice(const char *name, const char *text, struct ebb_error *why)
{
    struct ebb_recipe *trial = ebb_recipe_create(EBB_VERB_STREAM);
    gboolean good = trial && ebb_recipe_set(trial, name, text, why) == EBB_OK;
    ebb_recipe_destroy(&trial);
    return good;
}

// A switch that may also be left to the model is a whole number as a property, and a word in a recipe.
static const char *number_of(const char *text)
{
    return strcmp(text, "true") == 0 ? "1" : strcmp(text, "false") == 0 ? "0" : text;
}

// false: `why` says more, or else the value is out of range.
static gboolean set_property(GObject *source, const char *name, const char *text, struct ebb_error *why)
{
    GValue value = G_VALUE_INIT;
    GParamSpec *pspec = g_object_class_find_property(G_OBJECT_GET_CLASS(source), name);
    g_value_init(&value, pspec->value_type);
    const struct ebb_setting *row = ebb_setting_find(EBB_VERB_STREAM, name, NULL);
    gboolean choice = text && *text && row && row->type >= EBB_SETTING_TEXT && strcmp(text, "auto") != 0;
    gboolean told = text && (*text || pspec->value_type == G_TYPE_STRING); // an empty number would be 0
    if (told && row && row->type == EBB_SETTING_FLAG && pspec->value_type == G_TYPE_INT)
        text = number_of(text);
    gboolean good = told && (!choice || is_choice(name, text, why)) && gst_value_deserialize(&value, text) &&
                    !g_param_value_validate(pspec, &value);
    if (good)
        g_object_set_property(source, name, &value);
    g_value_unset(&value);
    return good;
}

// One "name=value" of the query.
static gboolean apply_pair(GObject *source, const char *name, const char *text, GError **error)
{
    struct ebb_error why = {0};
    if (strcmp(name, "volume") != 0) {
        const struct ebb_setting *row = ebb_setting_find(EBB_VERB_STREAM, name, &why);
        if (!row)
            return refuse(name, text, why.message, error);
        if (!is_in_query(row))
            return refuse(name, text, "it is no part of an address", error);
    }
    if (set_property(source, name, text, &why))
        return TRUE;
    return refuse(name, text, *why.message ? why.message : "there is no value, or one out of range", error);
}

static gboolean apply_query(GObject *source, const char *query, GError **error)
{
    GstUri *uri = gst_uri_new(NULL, NULL, NULL, GST_URI_NO_PORT, NULL, query, NULL);
    GHashTable *table = gst_uri_get_query_table(uri);
    gst_uri_unref(uri);
    gboolean good = TRUE;
    GHashTableIter iter;
    gpointer name, value;
    if (!table)
        return TRUE;
    g_hash_table_iter_init(&iter, table);
    while (good && g_hash_table_iter_next(&iter, &name, &value)) {
        char *plain = value ? g_uri_unescape_string(value, NULL) : NULL;
        good = apply_pair(source, name, plain, error);
        g_free(plain);
    }
    g_hash_table_unref(table);
    return good;
}

gboolean address_apply(GObject *source, const char *address, GError **error)
{
    if (g_ascii_strncasecmp(address, START, strlen(START)) != 0) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "\"%s\" does not begin with " START,
                    address);
        return FALSE;
    }
    // GstUri lowers the case of a host, and takes no "a_b" for one: the label is cut out as it stands.
    const char *rest = address + strlen(START), *query = strchr(rest, '?');
    const char *end = query ? query : rest + strlen(rest);
    if (end > rest && end[-1] == '/') // some applications make "diffuse://rain/" of it; a label's own is %2F
        end--;
    char *label = g_uri_unescape_segment(rest, end, NULL);
    if (!label) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "\"%s\" has a bad %%-escape", address);
        return FALSE;
    }
    g_object_set(source, "label", *label ? label : NULL, NULL);
    g_free(label);
    return !query || !query[1] || apply_query(source, query + 1, error);
}
