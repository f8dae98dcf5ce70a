// SPDX-License-Identifier: LGPL-2.1-or-later
// Sounds that are asked for: names, what the model decides, and what is wrong with them.
#include <stdlib.h>
#include <string.h>

#include <ebb/memory.h>

#include "names.h"
#include "written.h"

// ---- memory ----

const char *sound_where(const struct sound_job *job)
{
    return job->where ? job->where : "";
}

int sound_get(const struct sound_source *source, size_t i, struct sound_job *job)
{
    *job = (struct sound_job){0};
    return source->get(source->user, i, job);
}

void sound_job_clear(struct sound_job *job)
{
    ebb_recipe_destroy(&job->recipe);
    free(job->where);
    *job = (struct sound_job){0};
}

// ---- names ----

enum { LONGEST_SUBJECT = 80 };

// What the sound is of: its label, or else the beginning of its prompt, whole characters of it.
static const char *subject_of(const struct ebb_recipe *recipe, char text[LONGEST_SUBJECT + 1])
{
    const char *label = ebb_recipe_text(recipe, "label"), *prompt = ebb_recipe_text(recipe, "prompt");
    const char *whole = *label ? label : *prompt ? prompt : "sound";
    size_t length = strnlen(whole, LONGEST_SUBJECT);
    while (length > 0 && ((unsigned char)whole[length] & 0xc0) == 0x80)
        length--;
    snprintf(text, LONGEST_SUBJECT + 1, "%.*s", (int)length, whole);
    return text;
}

// Of mixtures: rain-0.7+wind-0.3.
static void make_name(struct sound_job *job, const char *seed, unsigned long long number)
{
    char subject[LONGEST_SUBJECT + 1];
    snprintf(job->name, sizeof(job->name), "%s-%.44s-%03llu", subject_of(job->recipe, subject), seed, number);
    for (char *c = job->name; *c; c++)
        *c = *c == '/' || (unsigned char)*c < 0x20 || *c == 0x7f ? '_'
             : *c == ':'                                         ? '-'
             : *c == ','                                         ? '+'
                                                                 : *c;
}

// "rain-s1-003", when nobody gave a name.
static void set_default_name(struct sound_job *job)
{
    char seed[32];
    snprintf(seed, sizeof(seed), "s%llu", (unsigned long long)ebb_recipe_seed(job->recipe, "seed"));
    make_name(job, seed, ebb_recipe_seed(job->recipe, "index"));
}

void sound_path_name(struct sound_job *job, uint64_t from, uint64_t to, int number)
{
    char seeds[64];
    snprintf(seeds, sizeof(seeds), "s%llu-s%llu", (unsigned long long)from, (unsigned long long)to);
    make_name(job, seeds, (unsigned long long)number);
}

void sound_number_name(struct sound_job *job, int number)
{
    char seed[32];
    snprintf(seed, sizeof(seed), "s%llu", (unsigned long long)ebb_recipe_seed(job->recipe, "seed"));
    make_name(job, seed, (unsigned long long)number);
}

static int expand(struct sound_job *job, char *out, const char *pattern, const char *name, const char *what)
{
    char where[400];
    const char *in = *sound_where(job) || strncmp(what, "--", 2) == 0 ? what : "name";
    snprintf(where, sizeof(where), "%s%s", sound_where(job), in);
    const struct name_context context = {job->recipe, name, where};
    return names_expand(out, SOUND_NAME, pattern, &context);
}

int sound_take_ending(struct sound_job *job, char *name, const char *what)
{
    int format = written_format_of(name);
    if (format < 0 && tool_is_sound_name(name))
        return tool_fail(TOOL_USAGE,
                         "%s%s: \"%.200s\", expected a name that ends in .wav, .flac or .ogg, or has no "
                         "ending",
                         sound_where(job), what, name);
    if (format < 0)
        return TOOL_OK;
    *strrchr(name, '.') = 0;
    return ebb_recipe_has(job->recipe, "format") ? TOOL_OK
                                                 : sound_set_format(job->recipe, (enum ebb_wav_format)format);
}

static void end_part(char *path)
{
    size_t length = strlen(path);
    if (length > 0 && path[length - 1] != '/' && length + 1 < SOUND_NAME)
        memcpy(path + length, "/", 2);
}

int sound_name(struct sound_job *job, const struct sound_naming *naming, const char *folder, const char *name)
{
    char own[SOUND_NAME] = "", path[SOUND_NAME] = "", what[400];
    if (!*job->name)
        set_default_name(job);
    int code = expand(job, own, name, job->name, "name"); // there, {name} is the usual one
    if (!*own)
        memcpy(own, job->name, sizeof(own));
    if (!code)
        code = expand(job, path, folder, own, "folder");
    end_part(path);
    if (!code)
        code = expand(job, path, naming->pattern ? naming->pattern : "{name}", own, "--name");
    if (!code && naming->pattern)
        code = sound_take_ending(job, path, "--name");
    if (code)
        return code;
    memcpy(job->name, path, sizeof(path));
    snprintf(what, sizeof(what), "%s%s", sound_where(job), naming->pattern ? "--name" : "name");
    return names_check(job->name, what);
}

// ---- against the model ----

// The format is said in every recipe of a single sound; a stream's has none.
int sound_job_settle(struct sound_job *job, const struct tool_model *m)
{
    int code = sound_settle(job->recipe, m, sound_where(job));
    bool open = ebb_recipe_verb(job->recipe) == EBB_VERB_GENERATE && !ebb_recipe_has(job->recipe, "format");
    return !code && open ? sound_set_format(job->recipe, EBB_WAV_16) : code;
}

// ---- all of them ----

enum { MOST_TOLD = 20 };

// All that is held of a sound: a sum of its name, to find two of one name.
struct name_sum {
    uint64_t name;
    size_t i;
};

struct review {
    const struct sound_source *source;
    const struct tool_model *m;
    struct sound_survey *survey;
    struct name_sum *fingerprints;
    size_t count; // of fingerprints: of the sounds that are right so far
    size_t wrong;
    int code; // of the first mistake
};

uint64_t sound_fingerprint(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static int by_fingerprint(const void *a, const void *b)
{
    const struct name_sum *x = a, *y = b;
    return x->name != y->name ? (x->name > y->name) - (x->name < y->name) : (x->i > y->i) - (x->i < y->i);
}

static void note(struct review *r, int code)
{
    r->code = r->code ? r->code : code;
    r->wrong += code != TOOL_OK;
}

// The first one's recipe is kept.
static int survey_job(struct review *r, struct sound_job *job)
{
    struct sound_survey *s = r->survey;
    int code = sound_job_settle(job, r->m);
    if (code)
        return code;
    if (!s->first && !(s->first = ebb_recipe_copy(job->recipe)))
        return tool_fail(TOOL_FAILED, "no memory");
    s->one_sampler = s->one_sampler && strcmp(ebb_recipe_text(s->first, "sampler"),
                                              ebb_recipe_text(job->recipe, "sampler")) == 0;
    return TOOL_OK;
}

static int look_at(struct review *r, size_t i)
{
    struct sound_job job;
    int code = sound_get(r->source, i, &job), settled = TOOL_OK;
    if (!code || (r->source->told_together && job.recipe)) // a row may have a wrong number and a wrong label
        settled = survey_job(r, &job);
    code = code ? code : settled;
    if (!code)
        r->fingerprints[r->count++] = (struct name_sum){sound_fingerprint(job.name, strlen(job.name)), i};
    sound_job_clear(&job);
    return code;
}

// Two sounds cannot be one file.
static int compare_names(const struct review *r, size_t earlier, size_t later)
{
    struct sound_job a, b;
    int code = sound_get(r->source, earlier, &a), other = sound_get(r->source, later, &b);
    if (!code && !other && strcmp(a.name, b.name) == 0)
        code = tool_fail(TOOL_USAGE, "%stwo sounds are named \"%s\"", sound_where(&b), b.name);
    sound_job_clear(&a);
    sound_job_clear(&b);
    return code ? code : other;
}

static bool goes_on(const struct review *r)
{
    return !tool_interrupted() && (r->wrong == 0 || r->source->told_together);
}

static void check_names(struct review *r)
{
    qsort(r->fingerprints, r->count, sizeof(*r->fingerprints), by_fingerprint);
    for (size_t k = 1; k < r->count && goes_on(r); k++)
        if (r->fingerprints[k - 1].name == r->fingerprints[k].name)
            note(r, compare_names(r, r->fingerprints[k - 1].i, r->fingerprints[k].i));
}

static void look_at_all(struct review *r)
{
    tool_say_at_most(r->source->told_together ? MOST_TOLD : SIZE_MAX);
    note(r, r->source->code);
    for (size_t i = 0; i < r->source->count && goes_on(r); i++)
        note(r, look_at(r, i));
    if (goes_on(r))
        check_names(r);
    size_t unsaid = tool_say_at_most(SIZE_MAX);
    if (unsaid)
        tool_say("and %zu more mistake%s", unsaid, unsaid == 1 ? "" : "s");
}

// What is held of so many sounds must not fill the memory.
static int check_count(size_t count)
{
    enum { BYTES = 24 }; // where a row begins, and a fingerprint
    size_t most = ebb_memory_bound() / BYTES, mib = ebb_memory_bound() >> 20;
    if (count <= most)
        return TOOL_OK;
    return tool_fail(
        TOOL_FAILED,
        "more than %zu sounds take more than %zu MiB of memory; make them in parts, or set EBB_MEMORY=%zuM",
        most, mib, (count / most + 1) * (mib + 1));
}

int sound_survey(struct sound_survey *survey, const struct sound_source *source, const struct tool_model *m)
{
    *survey = (struct sound_survey){.one_sampler = true};
    struct review r = {.source = source, .m = m, .survey = survey};
    int code = check_count(source->count);
    if (code)
        return code;
    r.fingerprints = reallocarray(NULL, source->count + 1, sizeof(*r.fingerprints));
    if (!r.fingerprints)
        return tool_fail(TOOL_FAILED, "no memory");
    look_at_all(&r);
    free(r.fingerprints);
    return !r.code && tool_interrupted() ? tool_fail(TOOL_INTERRUPTED, "interrupted") : r.code;
}

void sound_survey_clear(struct sound_survey *survey)
{
    ebb_recipe_destroy(&survey->first);
}
