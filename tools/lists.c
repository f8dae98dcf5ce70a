// ebb labels, ebb samplers, ebb schedules: what there is, a line each.
#include <string.h>

#include <jansson.h>

#include "tool.h"

struct listing {
    bool names, json;
};

static int read_options(const struct tool_command *command, struct listing *l, int argc, char **argv, int *first)
{
    const struct tool_option options[] = {
        {"names", 0, NULL, TOOL_FLAG, &l->names, 0, 0, "the names alone"},
        {"json", 0, NULL, TOOL_FLAG, &l->json, 0, 0, "as JSON"},
        {0},
    };
    int code = tool_options(command, options, argc, argv, first);
    if (code < 0 && l->names && l->json)
        return tool_fail(TOOL_USAGE, "--names and --json exclude each other");
    return code;
}

static int print_json(json_t *list)
{
    json_dumpf(list, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(list);
    return TOOL_OK;
}

// ---- labels ----

static const char *kind_name(enum ebb_label_kind kind)
{
    return kind == EBB_LABEL_TEXTURE ? "texture" : "event";
}

static json_t *label_json(const struct ebb_label *label)
{
    json_t *o = json_pack("{s:s, s:s}", "name", label->name, "kind", kind_name(label->kind));
    json_object_set_new(o, "score", label->score < 0 ? json_null() : json_real(label->score));
    json_object_set_new(o, "note", label->note ? json_string(label->note) : json_null());
    json_object_set_new(o, "guidance", json_real(label->guidance));
    return o;
}

static void print_label(const struct ebb_label *label)
{
    char score[16] = "   -";
    if (label->score >= 0)
        snprintf(score, sizeof(score), "%3.0f%%", 100 * (double)label->score);
    printf("  %-20s %-8s %s%s%s\n", label->name, kind_name(label->kind), score, label->note ? "   " : "",
           label->note ? label->note : "");
}

static int run_labels(const struct tool_command *command, int argc, char **argv)
{
    struct listing l = {0};
    int first, code = read_options(command, &l, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first > 1)
        return tool_fail(TOOL_USAGE, "name one model");
    struct ebb_error error = {0};
    struct ebb_model *model = ebb_model_open(first < argc ? argv[first] : "sfx", &error);
    if (!model)
        return tool_error(&error);

    const struct ebb_model_info *info = ebb_model_info(model);
    if (!l.names && !l.json)
        printf(info->label_count ? "labels of %s (score: share of its clips a judge recognises):\n"
                                 : "%s has no labels\n",
               info->name);
    json_t *list = json_array();
    for (int i = 0; i < info->label_count; i++) {
        const struct ebb_label *label = ebb_model_label(model, i);
        if (l.names)
            puts(label->name);
        else if (l.json)
            json_array_append_new(list, label_json(label));
        else
            print_label(label);
    }
    if (l.json)
        print_json(list);
    else
        json_decref(list);
    ebb_model_close(&model);
    return TOOL_OK;
}

const struct tool_command tool_labels = {
    .name = "labels",
    .summary = "what a model can make",
    .usage = "[MODEL] [--names | --json]",
    .details = "An event starts and dies away; a texture goes on and can be joined without a seam.",
    .examples = "  ebb labels\n"
                "  ebb labels models/sfx --json\n"
                "  for l in $(ebb labels --names); do ebb render --label $l -o all/; done\n",
    .run = run_labels,
};

// ---- samplers and schedules ----

// An order only where there is an equation without noise; evaluations per step unless it chooses its steps itself.
static void print_sampler(const struct ebb_sampler_info *s)
{
    char order[16] = "-", evals[16] = "adaptive";
    if (s->order > 0)
        snprintf(order, sizeof(order), "%d", s->order);
    if (s->evals > 0)
        snprintf(evals, sizeof(evals), "%d", s->evals);
    printf("  %-15s %-4s %5s %8s  %-25s %s\n", s->name, s->stochastic ? "SDE" : "ODE", order, evals, s->paper, s->description);
}

static int run_samplers(const struct tool_command *command, int argc, char **argv)
{
    struct listing l = {0};
    int first, code = read_options(command, &l, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first < argc)
        return tool_fail(TOOL_USAGE, "\"%s\" is not expected here", argv[first]);
    json_t *list = json_array();
    if (!l.names && !l.json)
        printf("  %-15s %-4s %5s %8s  %-25s %s\n", "name", "kind", "order", "per step", "paper", "what it does");
    EBB_EACH_SAMPLER(s) {
        if (l.json)
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:b}", "name", s->name, "description",
                                            s->description, "paper", s->paper, "order", s->order, "evals", s->evals,
                                            "stochastic", s->stochastic, "eta", s->eta, "churn", s->churn));
        else if (l.names)
            puts(s->name);
        else
            print_sampler(s);
    }
    if (l.json)
        return print_json(list);
    json_decref(list);
    return TOOL_OK;
}

const struct tool_command tool_samplers = {
    .name = "samplers",
    .summary = "the samplers: kind, order, network evaluations per step, paper",
    .usage = "[--names | --json]",
    .details = "ODE: the same noise at the start gives the same sound however many steps; SDE: fresh noise on the way.",
    .examples = "  ebb samplers\n  ebb samplers --names\n",
    .run = run_samplers,
};

static int run_schedules(const struct tool_command *command, int argc, char **argv)
{
    struct listing l = {0};
    int first, code = read_options(command, &l, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first < argc)
        return tool_fail(TOOL_USAGE, "\"%s\" is not expected here", argv[first]);
    json_t *list = json_array();
    for (const struct ebb_schedule_kind *s = ebb_schedules; s->name; s++) {
        if (l.json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", s->name, "description", s->description,
                                                  "paper", s->paper));
        else if (l.names)
            puts(s->name);
        else
            printf("  %-15s %-22s %s\n", s->name, s->paper[0] ? s->paper : "-", s->description);
    }
    if (l.json)
        return print_json(list);
    json_decref(list);
    return TOOL_OK;
}

const struct tool_command tool_schedules = {
    .name = "schedules",
    .summary = "the noise schedules: formula and paper",
    .usage = "[--names | --json]",
    .details = NULL,
    .examples = "  ebb schedules\n  ebb plot schedule linear cosine -o schedules.png\n",
    .run = run_schedules,
};
