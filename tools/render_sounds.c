// SPDX-License-Identifier: LGPL-2.1-or-later
// Which sounds `ebb render` makes: by its options, by a list, or like another sound.
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "written.h"

bool render_is_path(const struct render *r)
{
    return r->to_seed != UINT64_MAX && !ebb_recipe_has(r->given, "share");
}

// From one prompt to another, with the noise of one seed.
static bool is_path_of_prompts(const struct render *r)
{
    return r->count > 1 && r->to_seed == UINT64_MAX && *ebb_recipe_text(r->given, "to-prompt") &&
           !ebb_recipe_has(r->given, "share");
}

// ---- like another sound ----

bool render_is_stream(const struct render *r)
{
    return ebb_recipe_verb(r->base) == EBB_VERB_STREAM;
}

// What a stream does not have. Its format is said apart.
static int check_stream(const struct render *r)
{
    EBB_EACH_SETTING (row)
        if (ebb_recipe_has(r->given, row->name) && !ebb_setting_applies(row, EBB_VERB_STREAM) &&
            strcmp(row->name, "format") != 0)
            return tool_fail(TOOL_USAGE, "--%s: %s was recorded from a stream, which has no such setting",
                             row->name, r->like);
    const char *single = r->together                     ? "--together is"
                         : r->count > 1                  ? "--count is"
                         : r->seed_count > 1             ? "--seed-count is"
                         : r->to_seed != UINT64_MAX      ? "--to-seed is"
                         : r->latents || r->steps_folder ? "--save-latents and --save-steps are"
                                                         : NULL;
    if (single)
        return tool_fail(TOOL_USAGE, "%s was recorded from a stream: %s for single sounds", r->like, single);
    bool unknown = r->origin.frames == SIZE_MAX || r->origin.frames == 0;
    if (ebb_recipe_number(r->base, "num-clips") == 0 && unknown)
        return tool_fail(TOOL_UNREADABLE, "%s: its stream has no end, and its own length is not known",
                         r->like);
    return TOOL_OK;
}

// A sound of the student that is asked for with other settings is the teacher's, as if nothing had been said.
static void open_student(const struct render *r)
{
    static const char *const of_teacher[] = {
        "sampler",  "steps",   "guidance", "guidance-from",       "guidance-to",
        "negative", "rescale", "noise",    "classifier-guidance", "eta"};
    enum { OF_BOTH = 5 }; // the first of them, which a student has too
    bool other = r->label && strchr(r->label, ':');
    for (size_t i = 0; i < sizeof(of_teacher) / sizeof(*of_teacher); i++)
        other = other || ebb_recipe_has(r->given, of_teacher[i]);
    if (!other || ebb_recipe_number(r->base, "student") != 1)
        return;
    ebb_recipe_open(r->base, "student");
    for (int i = 0; i < OF_BOTH; i++)
        ebb_recipe_open(r->base, of_teacher[i]);
}

// Another way to say how loud the sound is replaces the one of the recipe.
static void replace_level(const struct render *r)
{
    static const char *const names[] = {"gain", "lufs", "peak"};
    bool given = false;
    for (int i = 0; i < 3; i++)
        given = given || ebb_recipe_has(r->given, names[i]);
    for (int i = 0; given && i < 3; i++)
        ebb_recipe_open(r->base, names[i]);
}

static int read_like(struct render *r)
{
    int code = sound_origin_read(&r->origin, r->like);
    if (code)
        return code;
    r->base = ebb_recipe_copy(r->origin.recipe);
    if (!r->base)
        return tool_fail(TOOL_FAILED, "no memory");
    EBB_EACH_SETTING (row)
        if (row->role == EBB_ROLE_RECORD && strcmp(row->name, "noise-version") != 0) // who made it then
            ebb_recipe_open(r->base, row->name);
    open_student(r);
    replace_level(r);
    return render_is_stream(r) ? check_stream(r) : TOOL_OK;
}

// A name that ends in .flac asks for that format, unless another one was given.
static int take_ending(struct render *r)
{
    int named = r->out ? written_format_of(r->out) : -1;
    enum ebb_wav_format format = sound_format(r->base, EBB_WAV_16);
    struct stat st;
    bool folder = named >= 0 && stat(r->out, &st) == 0 && S_ISDIR(st.st_mode);
    if (named < 0 || folder || render_is_stream(r))
        return TOOL_OK;
    bool agree = tool_ends_in(r->out, written_ending(format));
    if (agree && ebb_recipe_has(r->base, "format"))
        return TOOL_OK;
    if (!agree && ebb_recipe_has(r->given, "format"))
        return tool_fail(TOOL_USAGE, "%s: with --format %s, expected a name that ends in %s", r->out,
                         ebb_recipe_text(r->given, "format"), written_ending(format));
    return sound_set_format(r->base, (enum ebb_wav_format)named);
}

// What was given, over the recipe that --like names, or alone.
static int make_base(struct render *r)
{
    struct ebb_error error = {0};
    int code = r->like ? read_like(r) : TOOL_OK;
    if (code)
        return code;
    if (!r->base)
        r->base = ebb_recipe_create(EBB_VERB_GENERATE);
    if (!r->base)
        return tool_fail(TOOL_FAILED, "no memory");
    if (ebb_recipe_merge(r->base, r->given, &error) != EBB_OK)
        return tool_error(&error);
    return take_ending(r);
}

// ---- sounds ----

// Sound i of `count` on the way from one seed to the other. The ends are plain sounds, their recipes too.
static int put_on_path(const struct render *r, struct sound_job *job, int i)
{
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = job->recipe;
    uint64_t from = ebb_recipe_seed(recipe, "seed");
    enum ebb_result result = EBB_OK;
    ebb_recipe_open(recipe, "to-seed");
    ebb_recipe_open(recipe, "share");
    if (i == r->count - 1) {
        result = ebb_recipe_set_seed(recipe, "seed", r->to_seed, &error);
    } else if (i > 0) {
        result = ebb_recipe_set_seed(recipe, "to-seed", r->to_seed, &error);
        if (result == EBB_OK)
            result = ebb_recipe_set_number(recipe, "share", (double)i / (r->count - 1), &error);
    }
    sound_path_name(job, from, r->to_seed, i);
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}

// Sound i of `count` on the way from one prompt to the other. The first is a plain sound.
static int put_on_path_of_prompts(const struct render *r, struct sound_job *job, int i)
{
    struct ebb_error error = {0};
    enum ebb_result result = ebb_recipe_set_number(job->recipe, "share", (double)i / (r->count - 1), &error);
    sound_number_name(job, i);
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}

// Sound i of those that are asked for, each with an index of its own.
static int put_at_index(const struct render *r, struct sound_job *job, int i)
{
    struct ebb_error error = {0};
    int count = r->count ? r->count : 1;
    uint64_t index = ebb_recipe_seed(job->recipe, "index") + (uint64_t)(i % count);
    uint64_t seed = ebb_recipe_seed(job->recipe, "seed") + (uint64_t)(i / count);
    enum ebb_result result = EBB_OK;
    if (i >= count)
        result = ebb_recipe_set_seed(job->recipe, "seed", seed, &error);
    if (result == EBB_OK && r->to_seed != UINT64_MAX)
        result = ebb_recipe_set_seed(job->recipe, "to-seed", r->to_seed, &error);
    if (result == EBB_OK && i % count > 0)
        result = ebb_recipe_set_seed(job->recipe, "index", index, &error);
    return result == EBB_OK ? TOOL_OK : tool_error(&error);
}

static bool is_all(const struct render *r)
{
    return r->label && strcmp(r->label, "all") == 0;
}

// "rain,kick" are two labels, "rain:0.7,wind:0.3" is one.
static bool is_several(const struct render *r)
{
    return r->label && !is_all(r) && !strchr(r->label, ':');
}

static size_t count_labels(const struct render *r)
{
    size_t count = 1;
    if (is_all(r))
        return (size_t)r->m.info->label_count;
    for (const char *c = is_several(r) ? r->label : ""; *c; c++)
        count += *c == ',';
    return count;
}

// Label `k` of those that are asked for, into `text`. NULL: the label of the recipe.
static const char *label_at(const struct render *r, size_t k, char *text, size_t size)
{
    const char *at = r->label;
    if (is_all(r))
        return ebb_model_label(r->m.model, (int)k)->name;
    if (!is_several(r))
        return at;
    for (; k > 0; k--)
        at += strcspn(at, ",") + 1;
    snprintf(text, size, "%.*s", (int)strcspn(at, ","), at);
    return text;
}

static int set_label(const struct render *r, struct sound_job *job, const char *label)
{
    if (!label)
        return TOOL_OK;
    if (!*label)
        return tool_fail(TOOL_USAGE, "--label: \"%s\" names an empty label; \"none\" is no label", r->label);
    if (strcmp(label, "none") != 0 || render_is_stream(r))
        return tool_set(job->recipe, "label", label, "--label");
    ebb_recipe_open(job->recipe, "label");
    return TOOL_OK;
}

// Sounds of each label.
static size_t count_each(const struct render *r)
{
    return (r->count ? (size_t)r->count : 1) * (size_t)r->naming.seeds;
}

static int get_sound(const void *user, size_t i, struct sound_job *job)
{
    enum { LONGEST_LABEL = 4200 };
    const struct render *r = user;
    size_t each = count_each(r);
    char label[LONGEST_LABEL];
    job->recipe = ebb_recipe_copy(r->base);
    if (!job->recipe)
        return tool_fail(TOOL_FAILED, "no memory");
    int code = set_label(r, job, label_at(r, i / each, label, sizeof(label)));
    if (code)
        return code;
    sound_spell_labels(job->recipe, r->m.model);
    code = render_is_path(r)       ? put_on_path(r, job, (int)(i % each))
           : is_path_of_prompts(r) ? put_on_path_of_prompts(r, job, (int)(i % each))
                                   : put_at_index(r, job, (int)(i % each));
    return code ? code : sound_name(job, &r->naming, "", "");
}

// Exit code.
static int find_sounds(struct render *r)
{
    int code = TOOL_OK;
    if (r->list && !(r->rows = sound_rows_read(r->list, r->base, r->m.model, &r->naming, &code)))
        return code;
    r->sounds = r->list
                    ? sound_rows_source(r->rows)
                    : (struct sound_source){count_labels(r) * count_each(r), get_sound, r, false, TOOL_OK};
    if (r->sounds.count == 0)
        return tool_fail(TOOL_NOT_FOUND, "--label all: model %s has no labels", r->m.info->name);
    return sound_survey(&r->survey, &r->sounds, &r->m);
}

// Not where a list names several samplers: one of them may have a use for what was given.
static void warn(const struct render *r)
{
    if (r->survey.one_sampler)
        sound_warn(r->given, r->survey.first);
}

// The model that was named, or that made the sound before.
static int open_model(struct render *r)
{
    const char *before = r->like ? ebb_recipe_text(r->origin.recipe, "model") : "";
    const char *hash = r->like ? ebb_recipe_text(r->origin.recipe, "model-sha256") : "";
    int code = tool_model_open(&r->m, r->model ? r->model : *before ? before : "sfx", EBB_MODEL_GENERATE);
    if (!code && !r->m.info->hash[0]) // without stated sums it takes reading the weights
        code = tool_model_load(&r->m, r->device, r->threads, r->quiet);
    if (!code && *hash && strcmp(hash, r->m.info->hash) != 0)
        tool_warn("%s was made with another version of model %s: the sound will differ", r->like,
                  r->m.info->name);
    return code;
}

int render_collect(struct render *r)
{
    int code = make_base(r);
    if (!code)
        code = open_model(r);
    if (!code)
        code = find_sounds(r);
    if (!code && (r->latents || r->steps_folder) && r->sounds.count > 1)
        code = tool_fail(TOOL_USAGE, "%s is for one sound, not %zu",
                         r->latents ? "--save-latents" : "--save-steps", r->sounds.count);
    if (!code)
        warn(r);
    return code;
}
