// scheduler_config.json -> schedule and run, by way of diffusion's compat.c, which knows no JSON.
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/base.h"
#include "model/own.h"

struct source {
    json_t *object;
    double *betas;  // the numbers of trained_betas
    double list[64]; // those of any other list
    char found[48]; // the value looked at last
};

// json.c has put the largest power of ten in the place of Python's Infinity.
static double number_of(const json_t *value)
{
    double number = json_number_value(value);
    return fabs(number) < 1e308 ? number : copysign(INFINITY, number);
}

static struct ebb_config_value list_of(struct source *s, const char *key, json_t *value)
{
    struct ebb_config_value v = {.kind = EBB_CONFIG_ARRAY, .array = s->betas, .count = json_array_size(value)};
    if (strcmp(key, "trained_betas") == 0)
        return v;
    v.array = s->list;
    if (v.count > sizeof(s->list) / sizeof(s->list[0]))
        v.kind = EBB_CONFIG_OTHER;
    for (size_t i = 0; i < v.count && v.kind == EBB_CONFIG_ARRAY; i++) {
        json_t *item = json_array_get(value, i);
        if (json_is_number(item))
            s->list[i] = number_of(item);
        else
            v.kind = EBB_CONFIG_OTHER;
    }
    return v;
}

static struct ebb_config_value get(void *data, const char *key)
{
    struct source *s = data;
    json_t *value = json_object_get(s->object, key);
    char *found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    snprintf(s->found, sizeof(s->found), "%s", found ? found : "missing");
    free(found);
    struct ebb_config_value v = {.kind = EBB_CONFIG_OTHER};
    if (!value)
        v.kind = EBB_CONFIG_ABSENT;
    else if (json_is_null(value))
        v.kind = EBB_CONFIG_NULL;
    else if (json_is_boolean(value))
        v = (struct ebb_config_value){.kind = EBB_CONFIG_BOOL, .truth = json_is_true(value)};
    else if (json_is_number(value))
        v = (struct ebb_config_value){.kind = EBB_CONFIG_NUMBER, .number = number_of(value)};
    else if (json_is_string(value))
        v = (struct ebb_config_value){.kind = EBB_CONFIG_STRING, .string = json_string_value(value)};
    else if (json_is_array(value))
        v = list_of(s, key, value);
    v.found = s->found;
    return v;
}

static const char *key_at(void *data, size_t index)
{
    const struct source *s = data;
    void *at = json_object_iter(s->object);
    while (at && index--)
        at = json_object_iter_next(s->object, at);
    return at ? json_object_iter_key(at) : NULL;
}

static enum ebb_result read_config(struct ebb_model *model, const struct ebb_json *j, struct ebb_error *error)
{
    struct source source = {.object = j->object};
    const int *size = ebb_unet_config(model->own->unet->unet)->sample_size;
    long long positions = (long long)size[0] * size[1];
    struct ebb_config config = {.class_name = ebb_json_string(j, "_class_name", NULL), .data = &source, .get = get, .key = key_at,
                                .positions = positions < INT_MAX ? (int)positions : INT_MAX};
    int count = ebb_json_has(j, "trained_betas") ? ebb_json_count(j, "trained_betas") : 0;
    source.betas = count > 0 ? ebb_alloc((size_t)count, sizeof(*source.betas)) : NULL;
    if (source.betas)
        ebb_json_numbers(j, "trained_betas", source.betas, count);
    if (j->file->result) {
        free(source.betas);
        return j->file->result;
    }

    struct ebb_compat_result read;
    enum ebb_result result = ebb_compat_read(&config, &read, error);
    if (result == EBB_OK) {
        model->schedule = ebb_schedule_create(&read.schedule, error);
        result = model->schedule ? EBB_OK : error->code;
    }
    free(source.betas);
    if (result != EBB_OK) {
        ebb_explain(error, "%s", j->file->path);
        return result;
    }

    model->own->compat = read.compat;
    snprintf(model->own->unknown, sizeof(model->own->unknown), "%s", read.unknown);
    model->run = read.run;
    model->run.schedule = model->schedule;
    model->run.compat = &model->own->compat;
    model->info.sampler = read.run.sampler;
    model->info.steps = read.run.steps;
    return EBB_OK;
}

enum ebb_result ebb_scheduler_read(struct ebb_model *model, const char *folder, struct ebb_error *error)
{
    struct ebb_json_file file;
    enum ebb_result result = ebb_json_read_in(&file, folder, "scheduler_config.json", model->own->scheduler_sum, error);
    if (result)
        return result;
    struct ebb_json j = ebb_json_root(&file);
    result = read_config(model, &j, error);
    ebb_json_close(&file);
    return result;
}
