// SPDX-License-Identifier: LGPL-2.1-or-later
// Recipes against a model, and in the comments of sound files.
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sound.h"

// ---- shorthand ----

int sound_take_guidance_w(struct ebb_recipe *given, double w)
{
    struct ebb_error error = {0};
    if (isnan(w))
        return TOOL_OK;
    if (ebb_recipe_has(given, "guidance"))
        return tool_fail(TOOL_USAGE, "--guidance and --guidance-w exclude each other: guidance = 1 + w");
    return ebb_recipe_set_number(given, "guidance", 1 + w, &error) == EBB_OK ? TOOL_OK : tool_error(&error);
}

// ---- labels ----

static bool is_spelled(const char *label, const char *text, size_t length)
{
    bool same = strlen(label) == length;
    for (size_t i = 0; i < length && same; i++) {
        char a = label[i] == '-' ? '_' : label[i], b = text[i] == '-' || text[i] == ' ' ? '_' : text[i];
        same = tolower((unsigned char)a) == tolower((unsigned char)b);
    }
    return same;
}

static bool is_label(const struct ebb_model *model, const char *text, size_t length)
{
    enum { LONGEST = 256 };
    char name[LONGEST];
    if (length >= LONGEST)
        return false;
    snprintf(name, LONGEST, "%.*s", (int)length, text);
    return ebb_model_find_label(model, name, NULL) >= 0;
}

// Without the blanks around it.
static const char *trimmed(const char *text, size_t *length)
{
    for (; *length > 0 && isblank((unsigned char)*text); text++)
        --*length;
    while (*length > 0 && isblank((unsigned char)text[*length - 1]))
        --*length;
    return text;
}

// The text itself where it is a label, or nothing like one.
static const char *find_spelling(const struct ebb_model *model, const char *text, size_t *length)
{
    if (is_label(model, text, *length))
        return text;
    text = trimmed(text, length);
    const char *spelled = text;
    for (int i = ebb_model_info(model)->label_count - 1; i >= 0; i--) {
        const char *label = ebb_model_label(model, i)->name;
        if (strlen(label) == *length && strncmp(label, text, *length) == 0) // a very long one
            return text;
        if (is_spelled(label, text, *length))
            spelled = label;
    }
    *length = spelled == text ? *length : strlen(spelled);
    return spelled;
}

// A part is "rain", or "rain:0.7".
static void spell_label(struct ebb_recipe *recipe, const struct ebb_model *model, const char *name)
{
    enum { LONGEST = 4200 };
    char text[LONGEST] = "";
    size_t used = 0;
    for (const char *at = ebb_recipe_text(recipe, name); *at && used < LONGEST;) {
        size_t part = strcspn(at, ","), length = strcspn(at, ":,");
        bool shared = length < part;
        size_t share_length = shared ? part - length - 1 : 0;
        const char *share = trimmed(at + part - share_length, &share_length);
        const char *spelled = find_spelling(model, at, &length);
        used += (size_t)snprintf(text + used, LONGEST - used, "%.*s%s%.*s%s", (int)length, spelled,
                                 shared ? ":" : "", (int)share_length, share, at[part] ? "," : "");
        at += part + (at[part] != 0);
    }
    if (used < LONGEST && strcmp(text, ebb_recipe_text(recipe, name)) != 0)
        ebb_recipe_set(recipe, name, text, NULL);
}

void sound_spell_labels(struct ebb_recipe *recipe, const struct ebb_model *model)
{
    spell_label(recipe, model, "label");
    spell_label(recipe, model, "negative");
}

// Who asks for a label that there is not is told where they are listed, and where descriptions go.
static int no_label(const struct ebb_model *model, const char *where, const struct ebb_error *error)
{
    static const char before[] = " has no label \"";
    const char *label = strstr(error->message, before), *end = strrchr(error->message, '"');
    if (error->code != EBB_NOT_FOUND || !label)
        return tool_error_at(where, error);
    label += strlen(before);
    const char *advice = " (ebb labels lists them)";
    if (end > label && memchr(label, ' ', (size_t)(end - label)))
        advice = ebb_model_info(model)->prompt
                     ? " (ebb labels lists them; --prompt takes descriptions)"
                     : "; labels are understood, not descriptions (ebb labels lists them)";
    return tool_fail(TOOL_NOT_FOUND, "%s%s%s", where, error->message, advice);
}

// ---- what contradicts itself ----

int sound_check_level(const struct ebb_recipe *recipe, const char *where)
{
    static const char *const names[] = {"gain", "lufs", "peak"};
    const char *given[3];
    size_t count = 0;
    if (ebb_recipe_number(recipe, "trim") == 1 && ebb_recipe_number(recipe, "loop") == 1)
        return tool_fail(TOOL_USAGE, "%strim cuts a loop open: it goes without", where);
    if (ebb_recipe_has(recipe, "lead") && ebb_recipe_number(recipe, "loop") == 1)
        return tool_fail(TOOL_USAGE, "%slead cuts a loop open: it goes without", where);
    for (int i = 0; i < 3; i++)
        if (ebb_recipe_has(recipe, names[i]))
            given[count++] = names[i];
    if (count < 2)
        return TOOL_OK;
    char all[64];
    tool_join(all, sizeof(all), given, count);
    return tool_fail(TOOL_USAGE, "%s%s exclude each other: both set the level", where, all);
}

// ---- against the model ----

static bool is_word(const struct ebb_setting *row)
{
    return row->type == EBB_SETTING_TEXT || row->type == EBB_SETTING_CHOICE;
}

// Seeds are written down even where they are 0.
static bool is_initial(const struct ebb_recipe *recipe, const struct ebb_recipe *open, const char *name,
                       bool word)
{
    if (word)
        return strcmp(ebb_recipe_text(recipe, name), ebb_recipe_text(open, name)) == 0;
    return ebb_recipe_number(recipe, name) == ebb_recipe_number(open, name);
}

static bool open_initial(struct ebb_recipe *recipe)
{
    struct ebb_recipe *open = ebb_recipe_create(ebb_recipe_verb(recipe));
    EBB_EACH_SETTING (row)
        if (open && row->type != EBB_SETTING_SEED && ebb_recipe_has(recipe, row->name) &&
            is_initial(recipe, open, row->name, is_word(row)))
            ebb_recipe_open(recipe, row->name);
    bool ok = open != NULL;
    ebb_recipe_destroy(&open);
    return ok;
}

// "none" is no label, and so is none given; but a stream without a label has the model's default one.
static void open_none(struct ebb_recipe *recipe, const struct tool_model *m)
{
    static const char *const names[] = {"label", "negative"};
    bool stream = ebb_recipe_verb(recipe) == EBB_VERB_STREAM;
    for (int i = stream ? 1 : 0; i < 2; i++)
        if (strcmp(ebb_recipe_text(recipe, names[i]), "none") == 0 &&
            ebb_model_find_label(m->model, "none", NULL) < 0)
            ebb_recipe_open(recipe, names[i]);
}

// Whether the first label of a mixture is an event's. False: out of memory.
static bool find_event(const struct ebb_recipe *recipe, const struct ebb_model *model, bool *event)
{
    const char *text = ebb_recipe_text(recipe, "label");
    char *first = strndup(text, strcspn(text, ":,"));
    int label = first && *first ? ebb_model_find_label(model, first, NULL) : -1;
    *event = label >= 0 && ebb_model_label(model, label)->kind == EBB_LABEL_EVENT;
    free(first);
    return first != NULL;
}

// An event begins with its attack. A recipe that was recorded says its lead: those from before this default
// make their sounds again as they were.
static int close_lead(struct ebb_recipe *recipe, const struct ebb_model *model, const char *where)
{
    bool open = ebb_recipe_verb(recipe) == EBB_VERB_GENERATE && !ebb_recipe_has(recipe, "lead") &&
                !ebb_recipe_has(recipe, "noise-version") && ebb_recipe_number(recipe, "loop") != 1;
    bool event = false;
    struct ebb_error error = {0};
    if (open && !find_event(recipe, model, &event))
        return tool_fail(TOOL_FAILED, "%sno memory", where);
    if (!event)
        return TOOL_OK;
    return ebb_recipe_set_number(recipe, "lead", EBB_EVENT_LEAD, &error) == EBB_OK ? TOOL_OK
                                                                                   : tool_error(&error);
}

int sound_settle(struct ebb_recipe *recipe, const struct tool_model *m, const char *where)
{
    struct ebb_error error = {0};
    open_none(recipe, m);
    sound_spell_labels(recipe, m->model);
    int code = close_lead(recipe, m->model, where);
    if (code)
        return code;
    if (ebb_model_settle(m->model, recipe, &error) != EBB_OK)
        return no_label(m->model, where, &error);
    return open_initial(recipe) ? TOOL_OK : tool_fail(TOOL_FAILED, "%sno memory", where);
}

// ---- settings without a use ----

void sound_warn(const struct ebb_recipe *given, const struct ebb_recipe *settled)
{
    const struct ebb_sampler_info *sampler = ebb_sampler_find(ebb_recipe_text(settled, "sampler"));
    if (!sampler)
        return;
    bool bounds = ebb_recipe_has(given, "churn-from") || ebb_recipe_has(given, "churn-to");
    const char *idle[3];
    size_t count = 0;
    if (ebb_recipe_has(given, "eta") && !sampler->eta &&
        (ebb_recipe_number(given, "eta") > 0 || sampler->stochastic))
        idle[count++] = "--eta";
    if (ebb_recipe_has(given, "tolerance") && sampler->evals > 0) // rk45 chooses its steps
        idle[count++] = "--tolerance";
    if (ebb_recipe_number(given, "churn") > 0 && !sampler->churn)
        idle[count++] = "--churn";
    if (bounds && !(ebb_recipe_number(settled, "churn") > 0))
        tool_warn("--churn-from and --churn-to change nothing without --churn");
    if (count == 0)
        return;
    char all[64];
    tool_join(all, sizeof(all), idle, count);
    tool_warn("sampler %s has no use for %s: %s nothing", sampler->name, all,
              count > 1 ? "they change" : "it changes");
}

// ---- formats ----

static const struct ebb_setting *format_row(void)
{
    return ebb_setting_find(EBB_VERB_GENERATE, "format", NULL);
}

enum ebb_wav_format sound_format(const struct ebb_recipe *recipe, enum ebb_wav_format otherwise)
{
    const char *text = ebb_recipe_text(recipe, "format"), *name;
    for (size_t i = 0; *text && (name = format_row()->choice(i)); i++) // in the order of the enum
        if (strcmp(name, text) == 0)
            return (enum ebb_wav_format)i;
    return otherwise;
}

int sound_given_format(const struct ebb_recipe *recipe)
{
    return ebb_recipe_has(recipe, "format") ? (int)sound_format(recipe, EBB_WAV_16) : -1;
}

int sound_set_format(struct ebb_recipe *recipe, enum ebb_wav_format format)
{
    return tool_set(recipe, "format", format_row()->choice((size_t)format), "format");
}

// ---- comments ----

char *sound_comment(const struct ebb_recipe *settled)
{
    size_t size = ebb_recipe_write(settled, NULL, 0) + 1;
    char *text = size > 1 ? malloc(size) : NULL;
    if (text && ebb_recipe_write(settled, text, size) + 1 == size)
        return text;
    tool_say("no memory");
    free(text);
    return NULL;
}

static bool is_of_recording(enum ebb_verb verb)
{
    return verb == EBB_VERB_EDIT || verb == EBB_VERB_DENOISE;
}

static int no_recipe(const char *path, const struct ebb_error *error)
{
    if (error->code == EBB_WRONG_TYPE)
        return tool_fail(TOOL_UNREADABLE, "%s: there is no recipe in it; what ebb makes has one", path);
    return tool_fail(error->code == EBB_OUT_OF_MEMORY ? TOOL_FAILED : TOOL_UNREADABLE, "%s: %s", path,
                     error->message);
}

int sound_origin_read(struct sound_origin *origin, const char *path)
{
    struct ebb_error error = {.code = EBB_WRONG_TYPE};
    *origin = (struct sound_origin){0};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, &error);
    if (!reader)
        return tool_error(&error);
    const struct ebb_sound_info *info = ebb_sound_reader_info(reader);
    *origin = (struct sound_origin){.frames = info->frames, .rate = info->rate, .format = info->format};
    origin->recipe = info->recipe ? ebb_recipe_read(info->recipe, &error) : NULL;
    ebb_sound_reader_close(&reader);
    if (!origin->recipe)
        return no_recipe(path, &error);
    enum ebb_verb verb = ebb_recipe_verb(origin->recipe);
    if (!is_of_recording(verb))
        return TOOL_OK;
    sound_origin_clear(origin);
    const char *words = "which its recipe has not got: only what was made from nothing can be made again";
    return tool_fail(TOOL_UNREADABLE, "%s: ebb %s made it out of a recording, %s", path, ebb_verb_name(verb),
                     words);
}

void sound_origin_clear(struct sound_origin *origin)
{
    ebb_recipe_destroy(&origin->recipe);
}

// Before the model of now is written over the one of then.
static bool same_record(const struct ebb_recipe *a, const struct ebb_recipe *b)
{
    static const char *const names[] = {"model", "model-sha256"};
    bool same = ebb_recipe_verb(a) == ebb_recipe_verb(b);
    for (int i = 0; i < 2; i++)
        same = same && strcmp(ebb_recipe_text(a, names[i]), ebb_recipe_text(b, names[i])) == 0;
    return same && ebb_recipe_number(a, "noise-version") == ebb_recipe_number(b, "noise-version");
}

uint64_t sound_recipe_fingerprint(const struct ebb_recipe *settled)
{
    static const char *const names[] = {"version", "device", "licence", "credit"};
    struct ebb_recipe *copy = ebb_recipe_copy(settled);
    for (size_t i = 0; copy && i < sizeof(names) / sizeof(*names); i++)
        ebb_recipe_open(copy, names[i]);
    char *text = copy && open_initial(copy) ? sound_comment(copy) : NULL;
    uint64_t fingerprint = text ? sound_fingerprint(text, strlen(text)) : 0;
    free(text);
    ebb_recipe_destroy(&copy);
    return fingerprint;
}

bool sound_is_there(const char *path, const struct ebb_recipe *settled, const struct tool_model *m)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    const char *text = reader ? ebb_sound_reader_info(reader)->recipe : NULL;
    struct ebb_recipe *there = text ? ebb_recipe_read(text, NULL) : NULL;
    ebb_sound_reader_close(&reader);
    bool same = there && same_record(there, settled) && ebb_model_settle(m->model, there, NULL) == EBB_OK &&
                ebb_recipe_same(there, settled);
    ebb_recipe_destroy(&there);
    return same;
}
