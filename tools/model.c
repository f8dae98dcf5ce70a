// SPDX-License-Identifier: LGPL-2.1-or-later
// Opening a model on a device, as every subcommand that computes does it.
#include <string.h>
#include <strings.h>

#include "tool.h"

static const char *kind_name(enum ebb_model_kind kind)
{
    return kind == EBB_MODEL_GENERATE ? "generates sounds" : "cleans recordings";
}

int tool_model_open(struct tool_model *m, const char *name, enum ebb_model_kind kind)
{
    struct ebb_error error = {0};
    *m = (struct tool_model){0};
    m->model = ebb_model_open(name, &error);
    if (!m->model)
        return tool_error(&error);
    m->info = ebb_model_info(m->model);
    if (m->info->kind == kind)
        return TOOL_OK;
    int code = tool_fail(TOOL_UNREADABLE, "model %s %s; one that %s is needed here", m->info->name,
                         kind_name(m->info->kind), kind_name(kind));
    tool_model_close(m);
    return code;
}

// A GPU that is there and cannot be used is worth a word; that there is none is not.
static void say_idle_gpu(const struct ebb_device *device)
{
    enum { MOST = 16 };
    struct ebb_device_info infos[MOST];
    if (!ebb_device_fallback(device) || !ebb_device_has_gpu())
        return;
    size_t count = ebb_device_list(infos, MOST);
    for (size_t i = 0; i < count && i < MOST; i++)
        if (!infos[i].usable && !infos[i].software) {
            tool_warn("on the CPU: %s cannot be used (ebb info devices)", infos[i].name);
            return;
        }
}

int tool_model_load(struct tool_model *m, const char *device, int threads, bool quiet)
{
    struct ebb_error error = {0};
    m->device = ebb_device_create(device, threads, &tool_log, &error);
    if (m->device && !quiet)
        say_idle_gpu(m->device);
    if (m->device && ebb_model_load(m->model, m->device, &error) == EBB_OK)
        return TOOL_OK;
    ebb_device_destroy(&m->device); // where there is one, the model is loaded
    return tool_error(&error);
}

void tool_model_close(struct tool_model *m)
{
    ebb_model_close(&m->model);
    ebb_device_destroy(&m->device);
}

const char *tool_sampler_name(const char *name)
{
    EBB_EACH_SAMPLER (s)
        if (strcasecmp(s->name, name) == 0)
            return s->name;
    const char *names[128];
    size_t count = 0;
    EBB_EACH_SAMPLER (s)
        if (count < 128)
            names[count++] = s->name;
    char all[2048];
    tool_join(all, sizeof(all), names, count);
    const char *near = ebb_near_name(name, names, count);
    tool_say("there is no sampler \"%s\"%s%s%s; there are: %s", name, near ? " (did you mean " : "",
             near ? near : "", near ? "?)" : "", all);
    return NULL;
}
