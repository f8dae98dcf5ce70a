// SPDX-License-Identifier: LGPL-2.1-or-later
// The tables of properties in docs/gstreamer.md are those of the elements: every property has a row, every
// row is a property, and type, range, default and the time at which it may be set are those of its
// GParamSpec.
#include "common.h"

static const char *type_of(const GParamSpec *pspec)
{
    if (G_IS_PARAM_SPEC_BOOLEAN(pspec))
        return "true or false";
    if (G_IS_PARAM_SPEC_STRING(pspec))
        return "text";
    if (G_IS_PARAM_SPEC_ENUM(pspec))
        return "choice";
    if (G_IS_PARAM_SPEC_DOUBLE(pspec))
        return "number";
    if (pspec->value_type == G_TYPE_STRV)
        return "list of texts";
    return G_IS_PARAM_SPEC_BOXED(pspec) ? "structure" : "whole number";
}

// Long lists stand elsewhere in the documents, and grow.
static void append_choices(GString *text, const GEnumClass *klass)
{
    enum { MANY = 12 };
    if (klass->n_values > MANY) {
        g_string_append(text, "many names");
        return;
    }
    for (guint i = 0; i < klass->n_values; i++)
        g_string_append_printf(text, "%s`%s`", i ? ", " : "", klass->values[i].value_nick);
}

static void append_range(GString *text, GParamSpec *pspec)
{
    if (G_IS_PARAM_SPEC_DOUBLE(pspec)) {
        const GParamSpecDouble *spec = G_PARAM_SPEC_DOUBLE(pspec);
        g_string_append_printf(text, "%.15g to %.15g", spec->minimum, spec->maximum);
    } else if (G_IS_PARAM_SPEC_INT(pspec)) {
        const GParamSpecInt *spec = G_PARAM_SPEC_INT(pspec);
        g_string_append_printf(text, "%d to %d", spec->minimum, spec->maximum);
    } else if (G_IS_PARAM_SPEC_UINT(pspec)) {
        const GParamSpecUInt *spec = G_PARAM_SPEC_UINT(pspec);
        g_string_append_printf(text, "%u to %u", spec->minimum, spec->maximum);
    } else if (G_IS_PARAM_SPEC_UINT64(pspec)) {
        const GParamSpecUInt64 *spec = G_PARAM_SPEC_UINT64(pspec);
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, spec->minimum,
                               spec->maximum);
    } else if (G_IS_PARAM_SPEC_INT64(pspec)) {
        const GParamSpecInt64 *spec = G_PARAM_SPEC_INT64(pspec);
        g_string_append_printf(text, "%" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, spec->minimum,
                               spec->maximum);
    } else if (G_IS_PARAM_SPEC_ENUM(pspec)) {
        append_choices(text, G_PARAM_SPEC_ENUM(pspec)->enum_class);
    }
}

static void append_initial(GString *text, GParamSpec *pspec)
{
    const GValue *value = g_param_spec_get_default_value(pspec);
    if (G_VALUE_HOLDS_DOUBLE(value))
        g_string_append_printf(text, "%.15g", g_value_get_double(value));
    else if (G_IS_PARAM_SPEC_ENUM(pspec))
        g_string_append_printf(
            text, "`%s`",
            g_enum_get_value(G_PARAM_SPEC_ENUM(pspec)->enum_class, g_value_get_enum(value))->value_nick);
    else if (G_VALUE_HOLDS_STRING(value))
        g_string_append(text, g_value_get_string(value) ? g_value_get_string(value) : "empty");
    else if (!G_IS_PARAM_SPEC_BOXED(pspec)) {
        char *number = gst_value_serialize(value);
        g_string_append(text, number);
        g_free(number);
    }
}

static const char *when(const GParamSpec *pspec)
{
    if (!(pspec->flags & G_PARAM_WRITABLE))
        return "read only";
    if (pspec->flags & GST_PARAM_CONTROLLABLE)
        return "driven";
    return pspec->flags & GST_PARAM_MUTABLE_PLAYING ? "any time" : "stopped";
}

// The row as it has to begin; the sentence of its meaning is free.
static char *row_of(GParamSpec *pspec)
{
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "| `%s` | %s | ", pspec->name, type_of(pspec));
    append_range(text, pspec);
    g_string_append(text, " | ");
    append_initial(text, pspec);
    g_string_append_printf(text, " | %s | ", when(pspec));
    return g_string_free(text, FALSE);
}

static char **read_document(void)
{
    char *path = g_build_filename(g_getenv("EBB_TEST_DATA"), "..", "docs", "gstreamer.md", NULL);
    char *text;
    GError *error = NULL;
    gboolean good = g_file_get_contents(path, &text, NULL, &error);
    g_free(path);
    if (!good)
        TEST_FAIL("%s", error->message);
    char **lines = g_strsplit(text, "\n", -1);
    g_free(text);
    return lines;
}

// The line after the heading "## name". A section ends at the next heading of that size, or at NULL.
static char *const *section_of(char *const *lines, const char *name)
{
    for (; *lines; lines++)
        if (g_str_has_prefix(*lines, "## ") && strcmp(*lines + 3, name) == 0)
            return lines + 1;
    TEST_FAIL("docs/gstreamer.md has no heading \"## %s\"", name);
}

static gboolean is_inside(const char *line)
{
    return line && !g_str_has_prefix(line, "## ");
}

// Whether a line of the section begins like this, with a sentence after it.
static gboolean has_row(char *const *section, const char *begin)
{
    for (; is_inside(*section); section++)
        if (g_str_has_prefix(*section, begin) && strlen(*section) > strlen(begin))
            return TRUE;
    return FALSE;
}

// Other tables have other columns.
static gboolean is_row(const char *line)
{
    enum { COLUMNS = 6 };
    guint bars = 0;
    for (const char *at = line; *at; at++)
        bars += *at == '|';
    return g_str_has_prefix(line, "| `") && bars == COLUMNS + 1;
}

static guint count_rows(char *const *section)
{
    guint count = 0;
    for (; is_inside(*section); section++)
        count += is_row(*section);
    return count;
}

static void check_rows(const char *factory)
{
    GstElement *element = gst_element_factory_make(factory, NULL);
    guint count, wrong = 0, own = 0;
    GParamSpec **all = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
    char **lines = read_document();
    char *const *section = section_of(lines, factory);
    for (guint i = 0; i < count; i++) {
        if (all[i]->owner_type != G_OBJECT_TYPE(element))
            continue; // of the base class
        char *row = row_of(all[i]);
        gboolean found = has_row(section, row);
        if (!found)
            printf("# missing: %s%s |\n", row, g_param_spec_get_blurb(all[i]));
        g_free(row);
        wrong += !found;
        own++;
    }
    guint rows = count_rows(section);
    g_strfreev(lines);
    g_free(all);
    gst_object_unref(element);
    if (wrong)
        TEST_FAIL("%s: docs/gstreamer.md lacks %u rows as above", factory, wrong);
    if (rows != own)
        TEST_FAIL("%s: docs/gstreamer.md has %u rows for %u properties", factory, rows, own);
}

TEST(every_property_of_diffusesrc_is_documented)
{
    check_rows("diffusesrc");
}

TEST(every_property_of_diffusedenoise_is_documented)
{
    check_rows("diffusedenoise");
}

TEST(every_property_of_diffusefx_is_documented)
{
    check_rows("diffusefx");
}

// Each preset that is shipped is loaded, and has a comment.
static void check_presets(const char *factory, guint count)
{
    GstElement *element = gst_element_factory_make(factory, NULL);
    char **names = gst_preset_get_preset_names(GST_PRESET(element));
    guint found = 0;
    for (; names && names[found]; found++) {
        char *comment = NULL;
        REQUIRE(gst_preset_load_preset(GST_PRESET(element), names[found]));
        REQUIRE(gst_preset_get_meta(GST_PRESET(element), names[found], "comment", &comment));
        g_free(comment);
    }
    REQUIRE(found >= count); // a user may have presets too
    g_strfreev(names);
    gst_object_unref(element);
}

TEST(presets_are_shipped)
{
    check_presets("diffusesrc", 5);
    check_presets("diffusedenoise", 3);
    check_presets("diffusefx", 5);
    GstElement *source = gst_element_factory_make("diffusesrc", NULL);
    char *label;
    gboolean trim;
    REQUIRE(gst_preset_load_preset(GST_PRESET(source), "footsteps"));
    g_object_get(source, "label", &label, "trim", &trim, NULL);
    REQUIRE_STRING(label, "footstep");
    REQUIRE(trim);
    g_free(label);
    gst_object_unref(source);
}

GST_TEST_MAIN
