// Lists of jobs: memory, names, and what the model fills in.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sound.h"

void sound_settings_default(struct sound_settings *s)
{
    *s = (struct sound_settings){.guidance = NAN, .guidance_from = NAN, .guidance_to = NAN, .eta = EBB_ETA_OWN, .lufs = NAN, .peak_db = NAN, .phase_iterations = -1};
    ebb_tuning_default(&s->tuning);
}

struct sound_job *sound_list_add(struct sound_list *list)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        struct sound_job *jobs = reallocarray(list->jobs, capacity, sizeof(*jobs));
        if (!jobs)
            return NULL;
        list->jobs = jobs;
        char **places = reallocarray(list->places, capacity, sizeof(*places));
        if (!places)
            return NULL;
        list->places = places;
        list->capacity = capacity;
    }
    struct sound_job *job = &list->jobs[list->count];
    *job = (struct sound_job){.where = ""};
    list->places[list->count++] = NULL;
    return job;
}

void sound_list_clear(struct sound_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->places[i]);
    free(list->places);
    free(list->jobs);
    *list = (struct sound_list){0};
}

// Of mixtures: rain-0.7+wind-0.3.
static void make_name(struct sound_job *job, const char *seed, unsigned long long number)
{
    const struct sound_settings *s = &job->settings;
    snprintf(job->name, sizeof(job->name), "%.80s-%.44s-%03llu", s->label[0] ? s->label : "sound", seed, number);
    for (char *c = job->name; *c; c++)
        *c = *c == '/' ? '_' : *c == ':' ? '-' : *c == ',' ? '+' : *c;
}

void sound_default_name(struct sound_job *job)
{
    char seed[32];
    snprintf(seed, sizeof(seed), "s%llu", (unsigned long long)job->settings.seed);
    make_name(job, seed, job->settings.index);
}

void sound_path_name(struct sound_job *job, uint64_t from, uint64_t to, int number)
{
    char seeds[64];
    snprintf(seeds, sizeof(seeds), "s%llu-s%llu", (unsigned long long)from, (unsigned long long)to);
    make_name(job, seeds, (unsigned long long)number);
}

// ---- against the model ----

static int find_label(const struct tool_model *m, const char *where, const char *name, int *label)
{
    struct ebb_error error = {0};
    *label = ebb_model_find_label(m->model, name, &error);
    return *label >= 0 ? TOOL_OK : tool_fail(TOOL_NOT_FOUND, "%s%s", where, error.message);
}

// "rain:0.7,wind:0.3"
static int read_mixture(const struct sound_settings *s, const struct tool_model *m, const char *where,
                        struct ebb_generate_params *params)
{
    char text[SOUND_LABEL], *rest = text;
    snprintf(text, sizeof(text), "%s", s->label);
    double all = 0;
    for (char *part; (part = strsep(&rest, ","));) {
        char *share = strrchr(part, ':');
        if (params->mix_count == EBB_MIX_LABELS)
            return tool_fail(TOOL_USAGE, "%s\"%s\" mixes more than %d labels", where, s->label, EBB_MIX_LABELS);
        struct ebb_mix *mix = &params->mix[params->mix_count++];
        if (!share)
            return tool_fail(TOOL_USAGE, "%s\"%s\": \"%s\" has no share; a mixture is rain:0.7,wind:0.3", where, s->label,
                             part);
        *share = 0;
        int code = find_label(m, where, part, &mix->label);
        if (code)
            return code;
        if (!tool_real("--label: share", share + 1, 0, 1000, &mix->share))
            return TOOL_USAGE;
        all += mix->share;
    }
    return all > 0 ? TOOL_OK : tool_fail(TOOL_USAGE, "%s\"%s\": all shares are 0", where, s->label);
}

int sound_labels(const struct sound_settings *s, const struct tool_model *m, const char *where,
                 struct ebb_generate_params *params)
{
    struct ebb_generate_params looked;
    ebb_generate_params_default(&looked);
    params = params ? params : &looked;
    params->label = params->negative = -1;
    params->mix_count = 0;
    int code = TOOL_OK;
    if (s->negative[0])
        code = find_label(m, where, s->negative, &params->negative);
    if (code || !s->label[0])
        return code;
    return strchr(s->label, ':') ? read_mixture(s, m, where, params) : find_label(m, where, s->label, &params->label);
}

int sound_resolve(struct sound_settings *s, const struct tool_model *m, const char *where, bool whole)
{
    int code = sound_labels(s, m, where, NULL);
    if (!code && s->sampler[0] && !tool_sampler_known(s->sampler))
        code = TOOL_NOT_FOUND;
    if (code)
        return code;
    if (s->phase_iterations < 0)
        s->phase_iterations = SOUND_PHASE_ITERATIONS;

    struct ebb_generate_params p;
    struct ebb_error error = {0};
    sound_params(s, m, &p);
    p.student = s->student ? EBB_STUDENT_YES : whole ? EBB_STUDENT_OPEN : EBB_STUDENT_NO;
    if (ebb_generate_settle(m->model, &p, &error) != EBB_OK)
        return tool_error_at(where, &error);
    s->student = p.student == EBB_STUDENT_YES;
    s->steps = p.steps;
    s->guidance = p.guidance;
    s->guidance_from = p.guidance_from;
    s->guidance_to = p.guidance_to;
    snprintf(s->sampler, sizeof(s->sampler), "%s", p.sampler);
    return TOOL_OK;
}

void sound_params(const struct sound_settings *s, const struct tool_model *m, struct ebb_generate_params *p)
{
    ebb_generate_params_default(p);
    sound_labels(s, m, "", p); // known since sound_resolve()
    p->student = s->student ? EBB_STUDENT_YES : EBB_STUDENT_NO;
    p->guidance_from = s->guidance_from;
    p->guidance_to = s->guidance_to;
    p->guidance_rescale = s->rescale;
    p->classifier_guidance = s->classifier;
    p->seed = s->seed;
    p->index = s->index;
    p->to_seed = s->to_seed;
    p->share = s->share;
    p->seconds = s->seconds;
    p->steps = s->steps;
    p->sampler = s->sampler[0] ? s->sampler : NULL;
    p->guidance = s->guidance;
    p->eta = s->eta;
    p->tuning = s->tuning;
    p->tuning.spacing = s->spacing[0] ? s->spacing : NULL;
    p->noise = s->noise;
    p->phase_iterations = s->phase_iterations;
}

static int by_name(const void *a, const void *b)
{
    const struct sound_job *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

// Two sounds cannot be one file.
static int check_names(const struct sound_list *list)
{
    const struct sound_job **order = calloc(list->count, sizeof(*order));
    if (!order)
        return tool_fail(TOOL_FAILED, "out of memory");
    for (size_t i = 0; i < list->count; i++)
        order[i] = &list->jobs[i];
    qsort(order, list->count, sizeof(*order), by_name);
    int code = TOOL_OK;
    for (size_t i = 1; i < list->count && !code; i++)
        if (strcmp(order[i - 1]->name, order[i]->name) == 0) {
            const struct sound_job *later = order[i - 1] > order[i] ? order[i - 1] : order[i];
            code = tool_fail(TOOL_USAGE, "%stwo sounds are named \"%s\"", later->where, later->name);
        }
    free(order);
    return code;
}

int sound_list_resolve(struct sound_list *list, const struct tool_model *m)
{
    for (size_t i = 0; i < list->count; i++) {
        int code = sound_resolve(&list->jobs[i].settings, m, list->jobs[i].where, true);
        if (code)
            return code;
    }
    return check_names(list);
}
