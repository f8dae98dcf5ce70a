// SPDX-License-Identifier: LGPL-2.1-or-later
#include "settings.h"

#include <math.h>
#include <string.h>

#define OPEN_CHOICE "auto" // the choice that leaves the setting to the model: value 0 of each enumeration
#define PROPERTY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)

void diffuse_settings_init(struct diffuse_settings *settings, enum ebb_verb verb)
{
    settings->verb = verb;
    diffuse_settings_ready(settings); // an object cannot fail to be made, but its start can
}

gboolean diffuse_settings_ready(struct diffuse_settings *settings)
{
    if (!settings->recipe)
        settings->recipe = ebb_recipe_create(settings->verb);
    return settings->recipe != NULL;
}

void diffuse_settings_clear(struct diffuse_settings *settings)
{
    ebb_recipe_destroy(&settings->recipe);
    g_clear_pointer(&settings->refused, g_free);
}

// ---- from rows to properties ----

// A number that may be left open, although no number of its range stands for that.
static gboolean may_be_open(const struct ebb_setting *row)
{
    return !row->initial || strcmp(row->initial, "inf") == 0;
}

static double initial_number(const struct ebb_setting *row)
{
    return may_be_open(row) ? -1 : g_ascii_strtod(row->initial, NULL);
}

// "guidance-from" -> "Guidance from"
static const char *nick_of(const struct ebb_setting *row)
{
    char *nick = g_strdelimit(g_strdup(row->name), "-", ' ');
    nick[0] = g_ascii_toupper(nick[0]);
    const char *kept = g_intern_string(nick);
    g_free(nick);
    return kept;
}

// What leaves the row to the model.
static const char *open_value(const struct ebb_setting *row)
{
    switch (row->type) {
    case EBB_SETTING_TEXT: return "empty";
    case EBB_SETTING_CHOICE: return OPEN_CHOICE;
    default: return "-1";
    }
}

// What an open row means. A stream without a label plays the model's own, where a single sound has none.
static const char *meaning_of_open(const struct ebb_setting *row)
{
    return row->open && strcmp(row->name, "label") != 0 ? row->open : "as the model recommends";
}

// Whether the sentence begins with the name of a sampler, which stays as it is written.
static gboolean begins_with_sampler(const char *text)
{
    char *name = g_strndup(text, strcspn(text, ",: "));
    gboolean begins = ebb_sampler_find(name) != NULL;
    g_free(name);
    return begins;
}

// The row's sentence, its unit behind the first part of it, and what leaves the row open.
static const char *blurb_of(const struct ebb_setting *row)
{
    const char *command = strstr(row->help, " (default:"); // what the command says instead of -1
    GString *text = g_string_new_len(row->help, command ? command - row->help : -1);
    if (!begins_with_sampler(text->str))
        text->str[0] = g_ascii_toupper(text->str[0]);
    if (row->unit) {
        char *unit = g_strdup_printf(", in %s", strcmp(row->unit, "s") == 0 ? "seconds" : row->unit);
        g_string_insert(text, (gssize)strcspn(text->str, ";"), unit);
        g_free(unit);
    }
    if (!row->initial)
        g_string_append_printf(text, " (%s: %s)", open_value(row), meaning_of_open(row));
    else if (may_be_open(row))
        g_string_append(text, " (-1: no limit)");
    const char *kept = g_intern_string(text->str);
    g_string_free(text, TRUE);
    return kept;
}

// "GstDiffuseSampler" of "sampler"
static char *type_name_of(const struct ebb_setting *row)
{
    char *name = g_strdup_printf("GstDiffuse%s", row->name);
    char *first = name + strlen("GstDiffuse");
    *first = g_ascii_toupper(*first);
    return name;
}

static const char *description_of(const struct ebb_setting *row, const char *choice)
{
    const struct ebb_sampler_info *sampler = strcmp(row->name, "sampler") == 0 ? ebb_sampler_find(choice)
                                                                               : NULL;
    return sampler ? sampler->description : choice;
}

static gint index_of(const struct ebb_setting *row, const char *choice)
{
    for (gint i = 0; row->choice((size_t)i); i++)
        if (strcmp(row->choice((size_t)i), choice) == 0)
            return i + 1;
    return 0;
}

static gint initial_choice(const struct ebb_setting *row)
{
    return row->initial ? index_of(row, row->initial) : 0;
}

// Value 0 leaves the setting open, where it may be; value i is choice i - 1. Elements share the type.
// Never freed, as types are.
static GType register_choices(const struct ebb_setting *row, const char *name)
{
    gsize count = 0;
    while (row->choice(count))
        count++;
    GEnumValue *values = g_new0(GEnumValue, count + 2);
    gsize first = row->initial ? 0 : 1; // a setting with a value of its own is never open
    values[0] = (GEnumValue){0, "As the model recommends", OPEN_CHOICE};
    for (gsize i = 0; i < count; i++)
        values[i + first] = (GEnumValue){(gint)i + 1, description_of(row, row->choice(i)), row->choice(i)};
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): GLib keeps the values of a type for ever
    GType type = g_enum_register_static(g_intern_string(name), values);
    gst_type_mark_as_plugin_api(type, (GstPluginAPIFlags)0);
    return type;
}

// Two classes may be initialised by two threads at once.
static GType choices_type(const struct ebb_setting *row)
{
    static GMutex mutex;
    char *name = type_name_of(row);
    g_mutex_lock(&mutex);
    GType type = g_type_from_name(name);
    if (!type)
        type = register_choices(row, name);
    g_mutex_unlock(&mutex);
    g_free(name);
    return type;
}

// Large whole numbers go down to -1 too: that is their initial value, as -1 is for others.
static GParamSpec *whole_spec(const struct ebb_setting *row, GParamFlags flags)
{
    double low = may_be_open(row) ? -1 : row->low, initial = initial_number(row);
    if (row->high > G_MAXINT)
        return g_param_spec_int64(row->name, nick_of(row), blurb_of(row), -1, (gint64)row->high,
                                  (gint64)initial, flags);
    return g_param_spec_int(row->name, nick_of(row), blurb_of(row), (gint)low, (gint)row->high, (gint)initial,
                            flags);
}

static GParamSpec *drawn_spec(const struct ebb_setting *row, GParamFlags flags)
{
    char *text = g_strdup_printf("%s (-1: drawn at random, and read back)", blurb_of(row));
    GParamSpec *spec = g_param_spec_int64(row->name, nick_of(row), g_intern_string(text), -1, G_MAXINT64, -1,
                                          flags);
    g_free(text);
    return spec;
}

static GParamSpec *spec_of(const struct ebb_setting *row, GParamFlags flags)
{
    switch (row->type) {
    case EBB_SETTING_FLAG:
        if (row->initial)
            return g_param_spec_boolean(row->name, nick_of(row), blurb_of(row),
                                        strcmp(row->initial, "1") == 0, flags);
        return whole_spec(row, flags);
    case EBB_SETTING_WHOLE: return whole_spec(row, flags);
    case EBB_SETTING_REAL:
        return g_param_spec_double(row->name, nick_of(row), blurb_of(row), may_be_open(row) ? -1 : row->low,
                                   row->high, initial_number(row), flags);
    case EBB_SETTING_SEED:
        return g_param_spec_uint64(row->name, nick_of(row), blurb_of(row), 0, G_MAXINT64, 0, flags);
    case EBB_SETTING_CHOICE:
        return g_param_spec_enum(row->name, nick_of(row), blurb_of(row), choices_type(row),
                                 initial_choice(row), flags);
    case EBB_SETTING_TEXT: break;
    }
    return g_param_spec_string(row->name, nick_of(row), blurb_of(row), NULL, flags);
}

static gboolean is_listed(const char *const *names, const char *name)
{
    return names && g_strv_contains(names, name);
}

void diffuse_settings_install(GObjectClass *klass, guint id, enum ebb_verb verb,
                              const struct diffuse_settings_traits *traits)
{
    EBB_EACH_SETTING (row) {
        gboolean here = ebb_setting_applies(row, verb) && row->role == EBB_ROLE_SOUND;
        if (!here || is_listed(traits->without, row->name))
            continue;
        int flags = PROPERTY | (is_listed(traits->ready, row->name) ? GST_PARAM_MUTABLE_READY
                                                                    : GST_PARAM_MUTABLE_PLAYING);
        if (is_listed(traits->driven, row->name))
            flags |= GST_PARAM_CONTROLLABLE;
        gboolean drawn = is_listed(traits->drawn, row->name);
        g_object_class_install_property(klass, id,
                                        drawn ? drawn_spec(row, (GParamFlags)flags)
                                              : spec_of(row, (GParamFlags)flags));
    }
}

// ---- values ----

static double number_of(const GValue *value)
{
    if (G_VALUE_HOLDS_BOOLEAN(value))
        return g_value_get_boolean(value);
    if (G_VALUE_HOLDS_INT64(value))
        return (double)g_value_get_int64(value);
    return G_VALUE_HOLDS_INT(value) ? g_value_get_int(value) : g_value_get_double(value);
}

// A number below the row's range leaves the setting open.
static enum ebb_result set_number(struct ebb_recipe *recipe, const struct ebb_setting *row,
                                  const GValue *value, struct ebb_error *error)
{
    double number = number_of(value);
    gboolean unlimited = row->initial && strcmp(row->initial, "inf") == 0 && !(number <= row->high);
    if (!(number < row->low) && !unlimited)
        return ebb_recipe_set_number(recipe, row->name, number, error);
    ebb_recipe_open(recipe, row->name);
    return EBB_OK;
}

static enum ebb_result set_text(struct ebb_recipe *recipe, const struct ebb_setting *row, const char *text,
                                struct ebb_error *error)
{
    if (text && *text)
        return ebb_recipe_set(recipe, row->name, text, error);
    ebb_recipe_open(recipe, row->name);
    return EBB_OK;
}

static enum ebb_result set_seed(struct ebb_recipe *recipe, const struct ebb_setting *row, const GValue *value,
                                struct ebb_error *error)
{
    if (G_VALUE_HOLDS_UINT64(value))
        return ebb_recipe_set_seed(recipe, row->name, g_value_get_uint64(value), error);
    if (g_value_get_int64(value) >= 0)
        return ebb_recipe_set_seed(recipe, row->name, (guint64)g_value_get_int64(value), error);
    ebb_recipe_open(recipe, row->name);
    return EBB_OK;
}

static enum ebb_result set_value(struct ebb_recipe *recipe, const struct ebb_setting *row,
                                 const GValue *value, struct ebb_error *error)
{
    if (row->type == EBB_SETTING_SEED)
        return set_seed(recipe, row, value, error);
    if (G_VALUE_HOLDS_STRING(value))
        return set_text(recipe, row, g_value_get_string(value), error);
    if (!G_VALUE_HOLDS_ENUM(value))
        return set_number(recipe, row, value, error);
    gint choice = g_value_get_enum(value);
    return set_text(recipe, row, choice > 0 ? row->choice((size_t)choice - 1) : NULL, error);
}

static const struct ebb_setting *row_of(const struct diffuse_settings *settings, const GParamSpec *pspec)
{
    return ebb_setting_find(settings->verb, pspec->name, NULL);
}

gboolean diffuse_settings_set(struct diffuse_settings *settings, const GParamSpec *pspec, const GValue *value)
{
    struct ebb_error error = {EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    enum ebb_result result = error.code;
    if (diffuse_settings_ready(settings))
        result = set_value(settings->recipe, row_of(settings, pspec), value, &error);
    if (result == EBB_OK && g_strcmp0(settings->refused, pspec->name) == 0)
        g_clear_pointer(&settings->refused, g_free);
    if (result == EBB_OK && strcmp(pspec->name, "seed") == 0)
        settings->drawn = FALSE;
    if (result == EBB_OK)
        return TRUE;
    g_free(settings->refused);
    settings->refused = g_strdup(pspec->name);
    settings->refusal = error;
    return FALSE;
}

struct ebb_error diffuse_settings_forgive(struct diffuse_settings *settings)
{
    g_clear_pointer(&settings->refused, g_free);
    return settings->refusal;
}

void diffuse_settings_draw_seed(struct diffuse_settings *settings)
{
    if (!diffuse_settings_ready(settings) || (ebb_recipe_has(settings->recipe, "seed") && !settings->drawn))
        return;
    // 32 bits: a number that people can write down.
    settings->drawn = ebb_recipe_set_seed(settings->recipe, "seed", g_random_int(), NULL) == EBB_OK;
}

// ---- reading ----

static void get_seed(const struct ebb_recipe *recipe, const struct ebb_setting *row, GValue *value)
{
    guint64 seed = ebb_recipe_seed(recipe, row->name);
    if (G_VALUE_HOLDS_UINT64(value))
        g_value_set_uint64(value, seed);
    else
        g_value_set_int64(value, ebb_recipe_has(recipe, row->name) ? (gint64)seed : -1);
}

static void get_number(const struct ebb_recipe *recipe, const struct ebb_setting *row, GValue *value)
{
    double number = ebb_recipe_number(recipe, row->name);
    if (!isfinite(number))
        number = -1;
    if (G_VALUE_HOLDS_BOOLEAN(value))
        g_value_set_boolean(value, number != 0);
    else if (G_VALUE_HOLDS_INT(value))
        g_value_set_int(value, (gint)number);
    else if (G_VALUE_HOLDS_INT64(value))
        g_value_set_int64(value, (gint64)number);
    else
        g_value_set_double(value, number);
}

void diffuse_settings_get(const struct diffuse_settings *settings, const GParamSpec *pspec, GValue *value)
{
    const struct ebb_setting *row = row_of(settings, pspec);
    const struct ebb_recipe *recipe = settings->recipe;
    if (!recipe) {
        g_param_value_set_default((GParamSpec *)pspec, value);
        return;
    }
    const char *text = ebb_recipe_has(recipe, row->name) ? ebb_recipe_text(recipe, row->name) : NULL;
    if (row->type == EBB_SETTING_SEED)
        get_seed(recipe, row, value);
    else if (G_VALUE_HOLDS_STRING(value))
        g_value_set_string(value, text);
    else if (G_VALUE_HOLDS_ENUM(value))
        g_value_set_enum(value, text ? index_of(row, text) : initial_choice(row));
    else
        get_number(recipe, row, value);
}
