// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb plot: pictures of sounds, schedules and the diffusion process.
#include <math.h>
#include <string.h>

#include "plot.h"

static const char *const scale_names[] = {[AXIS_LINEAR] = "linear", [AXIS_LOG] = "log", [AXIS_MEL] = "mel"};

#ifdef HAVE_CAIRO
#define DRAWN_BY(function) function
#else
#define DRAWN_BY(function) missing
static int missing(const struct plot *o, char **names, int count)
{
    return tool_fail(TOOL_UNREADABLE,
                     "this ebb was built without cairo (libcairo2-dev), which draws the pictures");
}
#endif

static const struct plot_kind {
    const char *name;
    int (*run)(const struct plot *o, char **names, int count);
} kinds[] = {
    {"spectrogram", DRAWN_BY(plot_spectrogram)}, {"schedule", DRAWN_BY(plot_schedule)},
    {"process", DRAWN_BY(plot_process)},         {"visits", DRAWN_BY(plot_visits)},
    {"convergence", DRAWN_BY(plot_convergence)},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

// A picture is a PNG, and replaces nothing that it is drawn from.
static int check_output(const struct plot *o, char **files, int count)
{
    struct tool_place out = tool_place(o->out);
    for (int i = 0; i < count; i++) {
        struct tool_place in = tool_place(files[i]);
        if (tool_same_place(&out, &in))
            return tool_fail(TOOL_USAGE, "-o %s would replace what is drawn", o->out);
    }
    if (out.stream || tool_ends_in(o->out, ".png"))
        return tool_check_stdout(o->out, false);
    return tool_fail(TOOL_USAGE, "-o %s: expected a name that ends in .png, for the picture is a PNG",
                     o->out);
}

static int read_options(const struct tool_command *command, struct plot *o, int argc, char **argv, int *first)
{
    const struct tool_option options[] = {
        {"output", 'o', "X.png", TOOL_NAME, &o->out, 0, 0,
         "the picture; - for standard output (default: ebb-KIND.png)"},
        {"width", 0, "N", TOOL_INT, &o->width, 200, 16384, "of the picture, pixels"},
        {"height", 0, "N", TOOL_INT, &o->height, 200, 16384, "of the picture, pixels"},
        {"title", 0, "TEXT", TOOL_TEXT, &o->title, 0, 0, "above the picture"},
        {"scale", 0, "S", TOOL_TEXT, &o->scale_name, 0, 0,
         "spectrogram: frequencies along mel (default), log or linear"},
        {"from", 0, "S", TOOL_REAL, &o->from, 0, 1e6, "spectrogram: from this second on"},
        {"to", 0, "S", TOOL_REAL, &o->to, 0, 1e6, "spectrogram: up to this second (default: the end)"},
        {"fmin", 0, "HZ", TOOL_REAL, &o->fmin, 0, 400000, "spectrogram: lowest frequency (default 0)"},
        {"fmax", 0, "HZ", TOOL_REAL, &o->fmax, 1, 400000,
         "spectrogram: highest frequency (default: half the rate)"},
        {"range", 0, "DB", TOOL_REAL, &o->range, 10, 200,
         "spectrogram: from the loudest down to black (default 80)"},
        {"columns", 0, "N", TOOL_INT, &o->columns, 1, 100, "spectrogram: of a sheet of several sounds"},
        {"model", 'm', "NAME", TOOL_NAME, &o->model, 0, 0, "process: a model's name or folder (default sfx)"},
        {"label", 'l', "NAME", TOOL_NAME, &o->label, 0, 0,
         "process: what to make (default: the model's default label)"},
        {"prompt", 0, "TEXT", TOOL_NAME, &o->prompt, 0, 0,
         "process: what to make, in words, of a model that is asked so"},
        {"seed", 's', "N", TOOL_SEED, &o->seed, 0, 0, "process: default 0"},
        {"index", 'i', "N", TOOL_SEED, &o->index, 0, 0, "process: default 0"},
        {"strips", 0, "N", TOOL_INT, &o->strips, 2, 12, "process: states shown (default 6)"},
        {"sampler", 0, "NAME", TOOL_TEXT, &o->sampler, 0, 0, "process: default: what the model recommends"},
        {"steps", 0, "N", TOOL_INT, &o->steps, 1, 1000, "process: default: recommended; visits: default 20"},
        {"schedule", 0, "NAME", TOOL_NAME, &o->schedule, 0, 0, "visits: a noise schedule (default linear)"},
        {"guidance", 'g', "X", TOOL_REAL, &o->guidance, 0, 100, "process: default: recommended"},
        {"device", 'd', "NAME", TOOL_NAME, &o->device, 0, 0, "process: " TOOL_DEVICES},
        {"threads", 't', "N", TOOL_INT, &o->threads, 0, 1024,
         "process: CPU threads, 0 (default) = physical cores"},
        {0},
    };
    int code = tool_options(command, options, argc, argv, first);
    if (code >= 0)
        return code;
    if (o->fmax > 0 && o->fmin >= o->fmax)
        return tool_fail(TOOL_USAGE, "--fmin %g and --fmax %g: expected fmin below fmax", o->fmin, o->fmax);
    for (int i = 0; i < 3; i++)
        if (strcmp(o->scale_name, scale_names[i]) == 0) {
            o->scale = (enum axis_scale)i;
            return -1;
        }
    return tool_fail(TOOL_USAGE, "--scale: there is no \"%s\"; there are mel, log, linear", o->scale_name);
}

static int unknown(const char *kind)
{
    const char *names[KINDS];
    for (int i = 0; i < KINDS; i++)
        names[i] = kinds[i].name;
    char all[128];
    tool_join(all, sizeof(all), names, KINDS);
    const char *near = ebb_near_name(kind, names, KINDS);
    return tool_fail(TOOL_USAGE, "there is no picture \"%s\"%s%s%s; there are: %s", kind,
                     near ? " (did you mean " : "", near ? near : "", near ? "?)" : "", all);
}

// A sound file, or "-" for standard input, where the kind of picture is expected: a spectrogram is meant.
static bool is_recording(const char *name)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(name, kinds[i].name) == 0)
            return false;
    return tool_is_sound_name(name) || strchr(name, '/') || strcmp(name, "-") == 0;
}

static int draw(const struct plot_kind *kind, const struct plot *o, char **names, int count)
{
    int code = kind->run(o, names, count);
    if (!code && !tool_is_stdout(o->out))
        tool_print("%s: %s drawn", o->out, kind->name);
    return code;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
    struct plot o = {.scale_name = "mel", .range = 80, .guidance = NAN, .strips = 6};
    int first, code = read_options(command, &o, argc, argv, &first);
    if (code >= 0)
        return code;
    tool_catch_interrupts();
    const char *kind = first < argc ? argv[first++] : "";
    if (is_recording(kind)) { // plot x.wav
        kind = "spectrogram";
        first--;
    }
    char out[64];
    snprintf(out, sizeof(out), "ebb-%.40s.png", kind);
    if (!o.out)
        o.out = out;
    if (check_output(&o, argv + first, argc - first))
        return TOOL_USAGE;
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kind, kinds[i].name) == 0)
            return draw(&kinds[i], &o, argv + first, argc - first);
    return unknown(kind);
}

const struct tool_command tool_plot = {
    .name = "plot",
    .summary = "pictures (PNG) of sounds, schedules and the process",
    .usage = "[spectrogram] FILE... | schedule [NAME...] | visits [SAMPLER[/SPACING[/STEPS]]...] | "
             "convergence FILE | process [OPTION...]",
    .details =
        "spectrogram: one sound with its waveform, or a sheet of several. schedule: signal, noise per "
        "step and signal-to-noise of noise schedules, all of them if none is named. process: a model's "
        "forward and reverse chain as strips. visits: the times at which samplers ask the network. "
        "convergence: error against evaluations, from lines \"sampler evaluations error\".",
    .examples = "  ebb plot spectrogram rain.wav -o rain.png\n"
                "  ebb plot spectrogram out/*.wav --columns 8 -o sheet.png\n"
                "  ebb plot schedule linear cosine -o schedules.png\n"
                "  ebb plot visits ddim/trailing heun/karras/10 -o visits.png\n"
                "  ebb plot process --label thunder -o process.png\n",
    .run = run,
};
