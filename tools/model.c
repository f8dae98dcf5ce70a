// Opening a model on a device, as every subcommand that computes does it.
#include <string.h>

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

int tool_model_load(struct tool_model *m, const char *device, int threads)
{
    struct ebb_error error = {0};
    m->device = ebb_device_create(device, threads, &tool_log, &error);
    if (!m->device || ebb_model_load(m->model, m->device, &error) != EBB_OK)
        return tool_error(&error);
    return TOOL_OK;
}

void tool_model_close(struct tool_model *m)
{
    ebb_model_close(&m->model);
    ebb_device_destroy(&m->device);
}

bool tool_sampler_known(const char *name)
{
    if (ebb_sampler_find(name))
        return true;
    const char *names[128];
    size_t count = 0;
    EBB_EACH_SAMPLER(s)
        if (count < 128)
            names[count++] = s->name;
    char all[2048];
    tool_join(all, sizeof(all), names, count);
    const char *near = tool_near(name, names, count);
    tool_say("there is no sampler \"%s\"%s%s%s; there are: %s", name, near ? " (did you mean " : "", near ? near : "",
             near ? "?)" : "", all);
    return false;
}
