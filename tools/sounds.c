// Lists of jobs: memory, names, and what the model fills in.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sound.h"

void sound_settings_default(struct sound_settings *s)
{
    *s = (struct sound_settings){.guidance = NAN, .eta = EBB_ETA_OWN, .lufs = NAN, .peak_db = NAN, .phase_iterations = -1};
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

void sound_default_name(struct sound_job *job)
{
    const struct sound_settings *s = &job->settings;
    snprintf(job->name, sizeof(job->name), "%s-s%llu-%03llu", s->label[0] ? s->label : "sound",
             (unsigned long long)s->seed, (unsigned long long)s->index);
    for (char *c = job->name; *c; c++)
        if (*c == '/')
            *c = '_';
}

// ---- against the model ----

static int resolve(struct sound_job *job, const struct tool_model *m)
{
    struct sound_settings *s = &job->settings;
    struct ebb_error error = {0};
    if (s->label[0] && ebb_model_find_label(m->model, s->label, &error) < 0)
        return tool_fail(TOOL_NOT_FOUND, "%s%s", job->where, error.message);
    if (!s->sampler[0] && s->noise != EBB_NOISE_TORCH) // with torch's noise it is the one of the folder's scheduler
        snprintf(s->sampler, sizeof(s->sampler), "%s", m->info->sampler);
    else if (s->sampler[0] && !tool_sampler_known(s->sampler))
        return TOOL_NOT_FOUND;
    if (s->steps == 0)
        s->steps = m->info->steps;
    if (s->phase_iterations < 0)
        s->phase_iterations = SOUND_PHASE_ITERATIONS;
    if (isnan(s->guidance))
        s->guidance = s->label[0] ? m->info->guidance : 1;
    return TOOL_OK;
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
        int code = resolve(&list->jobs[i], m);
        if (code)
            return code;
    }
    return check_names(list);
}
