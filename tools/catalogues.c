// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb labels, ebb samplers, ebb schedules: what there is, a line each.
#include <string.h>

#include <ebb/lab.h>
#include <jansson.h>

#include "report.h"
#include "tool.h"

struct catalogue_listing {
    bool names, json;
};

static int read_options(const struct tool_command *command, struct catalogue_listing *l, int argc,
                        char **argv, int *first)
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

// The same of a command that takes no names.
static int read_options_alone(const struct tool_command *command, struct catalogue_listing *l, int argc,
                              char **argv)
{
    int first, code = read_options(command, l, argc, argv, &first);
    return code < 0 && first < argc ? tool_fail(TOOL_USAGE, "\"%s\" is not expected here", argv[first])
                                    : code;
}

// Prints the list where it was asked for as JSON; takes it.
static int finish(const struct catalogue_listing *l, json_t *list)
{
    if (l->json)
        report_print_tree(json_incref(list), REPORT_MEASURED);
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
    json_t *prompts = json_array();
    for (int i = 0; i < label->prompt_count; i++)
        json_array_append_new(prompts, json_string(label->prompts[i]));
    json_object_set_new(o, "prompts", prompts);
    return o;
}

// Prompts that say more than the label does.
static void print_prompts(const struct ebb_label *label)
{
    enum { SHOWN = 4 };
    int count = label->prompt_count < SHOWN ? label->prompt_count : SHOWN;
    for (int i = 0; i < count; i++)
        printf("%s\"%s\"%s", i ? ", " : "      ", label->prompts[i], i == count - 1 ? "\n" : "");
}

static void print_label(const struct ebb_label *label)
{
    char score[16] = "   -";
    if (label->score >= 0)
        snprintf(score, sizeof(score), "%3.0f%%", 100 * (double)label->score);
    tool_print("  %-20s %-8s %s%s%s", label->name, kind_name(label->kind), score, label->note ? "   " : "",
               label->note ? label->note : "");
    print_prompts(label);
}

int tool_print_labels(const struct ebb_model *model, const char *text)
{
    int count = ebb_model_info(model)->label_count, found = 0;
    int exact = ebb_model_find_label(model, text, NULL);
    for (int i = exact < 0 ? 0 : exact; i < (exact < 0 ? count : exact + 1); i++)
        if (exact >= 0 || strcasestr(ebb_model_label(model, i)->name, text)) {
            print_label(ebb_model_label(model, i));
            found++;
        }
    return found;
}

// `name` is no model: it may be a label of the one that comes with Ebb. Exit code.
static int show_label(const char *name, const struct ebb_error *no_model)
{
    struct ebb_model *model = ebb_model_open("sfx", NULL);
    bool shown = model && no_model->code == EBB_NOT_FOUND && tool_print_labels(model, name) > 0;
    ebb_model_close(&model);
    return shown ? TOOL_OK : tool_error(no_model);
}

static int run_labels(const struct tool_command *command, int argc, char **argv)
{
    struct catalogue_listing l = {0};
    int first, code = read_options(command, &l, argc, argv, &first);
    if (code >= 0)
        return code;
    if (argc - first > 1)
        return tool_fail(TOOL_USAGE, "name one model");
    struct ebb_error error = {0};
    const char *name = first < argc ? argv[first] : "sfx";
    struct ebb_model *model = ebb_model_open(name, &error);
    if (!model && !l.names && !l.json && first < argc)
        return show_label(name, &error);
    if (!model) {
        code = tool_error(&error);
        if (l.json)
            report_print_tree(report_failure("model", name), 0);
        return code;
    }

    const struct ebb_model_info *info = ebb_model_info(model);
    if (!l.names && !l.json)
        tool_print(info->label_count ? "labels of %s (score: share of its clips a judge recognises):"
                   : info->prompt    ? "%s has no labels: it is asked in words, as ebb render --prompt does"
                                     : "%s has no labels",
                   info->name);
    json_t *list = json_array();
    for (int i = 0; i < info->label_count; i++) {
        const struct ebb_label *label = ebb_model_label(model, i);
        if (l.names)
            tool_print("%s", label->name);
        else if (l.json)
            json_array_append_new(list, label_json(label));
        else
            print_label(label);
    }
    ebb_model_close(&model);
    return finish(&l, list);
}

const struct tool_command tool_labels = {
    .name = "labels",
    .summary = "what a model can make",
    .usage = "[MODEL | LABEL] [--names | --json]",
    .details = "An event starts and dies away; a texture goes on and can be joined without a seam.",
    .examples = "  ebb labels\n"
                "  ebb labels models/sfx --json\n"
                "  for l in $(ebb labels --names); do ebb render --label $l -o all/; done\n",
    .run = run_labels,
};

// ---- samplers and schedules ----

// An order only where there is an equation without noise; evaluations per step unless it chooses its steps
// itself.
static void print_sampler(const struct ebb_sampler_info *s)
{
    char order[16] = "-", evals[16] = "adaptive";
    if (s->order > 0)
        snprintf(order, sizeof(order), "%d", s->order);
    if (s->evals > 0)
        snprintf(evals, sizeof(evals), "%d", s->evals);
    printf("  %-15s %-4s %5s %8s  %-25s %s\n", s->name, s->stochastic ? "SDE" : "ODE", order, evals, s->paper,
           s->description);
}

static int run_samplers(const struct tool_command *command, int argc, char **argv)
{
    struct catalogue_listing l = {0};
    int code = read_options_alone(command, &l, argc, argv);
    if (code >= 0)
        return code;
    json_t *list = json_array();
    if (!l.names && !l.json)
        printf("  %-15s %-4s %5s %8s  %-25s %s\n", "name", "kind", "order", "per step", "paper",
               "what it does");
    EBB_EACH_SAMPLER (s) {
        if (l.json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:b}", "name", s->name,
                                                  "description", s->description, "paper", s->paper, "order",
                                                  s->order, "evals", s->evals, "stochastic", s->stochastic,
                                                  "eta", s->eta, "churn", s->churn));
        else if (l.names)
            puts(s->name);
        else
            print_sampler(s);
    }
    return finish(&l, list);
}

const struct tool_command tool_samplers = {
    .name = "samplers",
    .summary = "the samplers: kind, order, network evaluations per step, paper",
    .usage = "[--names | --json]",
    .details =
        "ODE: the same noise at the start gives the same sound however many steps; SDE: fresh noise on the way.",
    .examples = "  ebb samplers\n  ebb samplers --names\n",
    .run = run_samplers,
};

static int run_schedules(const struct tool_command *command, int argc, char **argv)
{
    struct catalogue_listing l = {0};
    int code = read_options_alone(command, &l, argc, argv);
    if (code >= 0)
        return code;
    json_t *list = json_array();
    EBB_EACH_SCHEDULE_KIND (s) {
        if (l.json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", s->name, "description",
                                                  s->description, "paper", s->paper));
        else if (l.names)
            puts(s->name);
        else
            printf("  %-15s %-22s %s\n", s->name, s->paper[0] ? s->paper : "-", s->description);
    }
    return finish(&l, list);
}

const struct tool_command tool_schedules = {
    .name = "schedules",
    .summary = "the noise schedules: formula and paper",
    .usage = "[--names | --json]",
    .details = NULL,
    .examples = "  ebb schedules\n  ebb plot schedule linear cosine -o schedules.png\n",
    .run = run_schedules,
};
