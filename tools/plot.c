// ebb plot: pictures of sounds, schedules and the diffusion process.
#include <math.h>
#include <string.h>

#include "plot.h"

static const char *const scale_names[] = {[CHART_LINEAR] = "linear", [CHART_LOG] = "log", [CHART_MEL] = "mel"};
static const char *const kinds[] = {"spectrogram", "schedule", "process", "visits", "convergence"};
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
        return TOOL_OK;
    return tool_fail(TOOL_USAGE, "-o %s: the picture is a PNG, expected is a name that ends in .png", o->out);
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
        {"fmax", 0, "HZ", TOOL_REAL, &o->fmax, 1, 400000, "spectrogram: highest frequency (default: half the rate)"},
        {"range", 0, "DB", TOOL_REAL, &o->range, 10, 200, "spectrogram: from the loudest down to black (default 80)"},
        {"columns", 0, "N", TOOL_INT, &o->columns, 1, 100, "spectrogram: of a sheet of several sounds"},
        {"model", 'm', "NAME", TOOL_NAME, &o->model, 0, 0, "process: a model's name or folder (default sfx)"},
        {"label", 'l', "NAME", TOOL_NAME, &o->label, 0, 0,
         "process: what to make (default: the model's default label)"},
        {"seed", 's', "N", TOOL_SEED, &o->seed, 0, 0, "process: default 0"},
        {"index", 'i', "N", TOOL_SEED, &o->index, 0, 0, "process: default 0"},
        {"strips", 0, "N", TOOL_INT, &o->strips, 2, 12, "process: states shown (default 6)"},
        {"sampler", 0, "NAME", TOOL_TEXT, &o->sampler, 0, 0, "process: default: what the model recommends"},
        {"steps", 0, "N", TOOL_INT, &o->steps, 1, 1000, "process: default: recommended; visits: default 20"},
        {"schedule", 0, "NAME", TOOL_NAME, &o->schedule, 0, 0, "visits: a noise schedule (default linear)"},
        {"guidance", 'g', "X", TOOL_REAL, &o->guidance, 0, 100, "process: default: recommended"},
        {"device", 'd', "NAME", TOOL_NAME, &o->device, 0, 0, "process: " TOOL_DEVICES},
        {"threads", 't', "N", TOOL_INT, &o->threads, 0, 1024, "process: CPU threads, 0 (default) = physical cores"},
        {0},
    };
    int code = tool_options(command, options, argc, argv, first);
    if (code >= 0)
        return code;
    if (o->fmax > 0 && o->fmin >= o->fmax)
        return tool_fail(TOOL_USAGE, "--fmin %g and --fmax %g: there is nothing between; expected is fmin below fmax", o->fmin,
                         o->fmax);
    for (int i = 0; i < 3; i++)
        if (strcmp(o->scale_name, scale_names[i]) == 0) {
            o->scale = (enum chart_scale)i;
            return -1;
        }
    return tool_fail(TOOL_USAGE, "--scale: there is no \"%s\"; there are mel, log, linear", o->scale_name);
}

int plot_write(const struct plot *o, int width, int height, plot_draw *draw, void *data)
{
    struct canvas canvas;
    if (!canvas_create(&canvas, o->width ? o->width : width, o->height ? o->height : height))
        return TOOL_FAILED;
    draw(o, data, &canvas);
    int code = canvas_write(&canvas, o->out);
    canvas_destroy(&canvas);
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
    char out[64];
    snprintf(out, sizeof(out), "ebb-%.40s.png", kind);
    if (!o.out)
        o.out = out;
    if (check_output(&o, argv + first, argc - first))
        return TOOL_USAGE;
    if (strcmp(kind, "spectrogram") == 0)
        return plot_spectrogram(&o, argv + first, argc - first);
    if (strcmp(kind, "schedule") == 0)
        return plot_schedule(&o, argv + first, argc - first);
    if (strcmp(kind, "process") == 0)
        return first < argc ? tool_fail(TOOL_USAGE, "\"%s\" is not expected here", argv[first]) : plot_process(&o);
    if (strcmp(kind, "visits") == 0)
        return plot_visits(&o, argv + first, argc - first);
    if (strcmp(kind, "convergence") == 0)
        return plot_convergence(&o, argv + first, argc - first);
    char all[128];
    tool_join(all, sizeof(all), kinds, KINDS);
    const char *near = tool_near(kind, kinds, KINDS);
    return tool_fail(TOOL_USAGE, "there is no picture \"%s\"%s%s%s; there are: %s", kind, near ? " (did you mean " : "",
                     near ? near : "", near ? "?)" : "", all);
}

const struct tool_command tool_plot = {
    .name = "plot",
    .summary = "pictures (PNG) of sounds, schedules and the process",
    .usage = "spectrogram FILE... | schedule [NAME...] | visits [SAMPLER[/SPACING[/STEPS]]...] | convergence FILE | process  [OPTION...]",
    .details =
        "spectrogram: one sound with its waveform, or a sheet of several. schedule: signal, noise per step and "
        "signal-to-noise of noise schedules, all of them if none is named. process: a model's forward and reverse "
        "chain as strips. visits: the times at which samplers ask the network. convergence: error against evaluations, from lines "
        "\"sampler evaluations error\".",
    .examples = "  ebb plot spectrogram rain.wav -o rain.png\n"
                "  ebb plot spectrogram out/*.wav --columns 8 -o sheet.png\n"
                "  ebb plot schedule linear cosine -o schedules.png\n"
                "  ebb plot visits ddim/trailing heun/karras/10 -o visits.png\n"
                "  ebb plot process --label thunder -o process.png\n",
    .run = run,
};
