// Noise schedules side by side: what is left of the signal, what each step adds, signal to noise.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

enum { MAX_SCHEDULES = 9, POINTS = 501 };

struct curves {
    int count;
    struct chart_entry entries[MAX_SCHEDULES];
    double abar[MAX_SCHEDULES][POINTS], beta[MAX_SCHEDULES][POINTS], snr[MAX_SCHEDULES][POINTS]; // SNR in dB
};

// Chosen so that all curves of a panel share 0..1: `POINTS` diffusion times.
static double time_at(int i)
{
    return (double)i / (POINTS - 1);
}

static void sample(const struct ebb_schedule *schedule, struct curves *c)
{
    int steps = ebb_schedule_steps(schedule), k = c->count;
    for (int i = 0; i < POINTS; i++) {
        double step = time_at(i) * steps - 1, abar = ebb_schedule_abar(schedule, step);
        int whole = (int)fmin(fmax(round(step), 0), steps - 1);
        c->abar[k][i] = abar;
        c->beta[k][i] = ebb_schedule_beta(schedule, whole);
        c->snr[k][i] = 10 * log10(ebb_schedule_snr(schedule, time_at(i)));
    }
}

// NULL: the schedule needs a table or another parameter that only a model has.
static int add(struct curves *c, const char *name, bool asked)
{
    struct ebb_error error = {0};
    struct ebb_schedule_params p;
    ebb_schedule_params_default(&p);
    p.name = name;
    struct ebb_schedule *schedule = ebb_schedule_create(&p, &error);
    if (!schedule)
        return asked ? tool_error(&error) : TOOL_OK;
    if (c->count < MAX_SCHEDULES) {
        c->entries[c->count] = (struct chart_entry){name, canvas_line_colour(c->count)};
        sample(schedule, c);
        c->count++;
    }
    ebb_schedule_destroy(&schedule);
    return TOOL_OK;
}

static int collect(struct curves *c, char **names, int count)
{
    int code = TOOL_OK;
    if (count > MAX_SCHEDULES)
        return tool_fail(TOOL_USAGE, "%d schedules in one picture; %d can be told apart", count, MAX_SCHEDULES);
    for (int i = 0; i < count && !code; i++)
        code = add(c, names[i], true);
    if (count == 0)
        for (const struct ebb_schedule_kind *k = ebb_schedules; k->name && !code; k++)
            if (strcmp(k->name, "ve") != 0 && strcmp(k->name, "edm") != 0 && strcmp(k->name, "flow") != 0)
                code = add(c, k->name, false); // those have no share of signal that falls to 0
    return code;
}

static void draw_panel(const struct curves *c, const struct chart *p, const double (*y)[POINTS])
{
    double x[POINTS];
    for (int i = 0; i < POINTS; i++)
        x[i] = time_at(i);
    chart_grid(p);
    for (int k = 0; k < c->count; k++)
        chart_curve(p, x, y[k], POINTS, c->entries[k].colour);
    chart_frame(p);
}

static double highest_beta(const struct curves *c)
{
    double most = 1e-6, all[MAX_SCHEDULES];
    for (int k = 0; k < c->count; k++) {
        all[k] = 0;
        for (int i = 0; i < POINTS * 9 / 10; i++) // the last tenth of some runs up to 0.999
            all[k] = fmax(all[k], c->beta[k][i]);
        most = fmax(most, all[k]);
    }
    return fmin(most * 1.25, 1);
}

static void draw(const struct plot *o, void *data, struct canvas *canvas)
{
    const struct curves *c = data;
    const int legend = 190;
    int panel = (canvas->width - 90 - legend) / 3 - 72;
    struct chart p = {.c = canvas, .left = 90, .top = 92, .width = panel, .height = canvas->height - 92 - 70,
                      .x = {CHART_LINEAR, 0, 1, "diffusion time t", false}};
    canvas_text(canvas, p.left, 36, CHART_TITLE + 3, CANVAS_LEFT, CANVAS_INK,
                o->title ? o->title : "Noise schedules: x_t = sqrt(a) x_0 + sqrt(1 - a) noise");
    p.title = "signal left";
    p.y = (struct chart_axis){CHART_LINEAR, 0, 1, "a = share of signal power", false};
    draw_panel(c, &p, c->abar);

    p.left += panel + 96;
    p.title = "noise added per step";
    p.y = (struct chart_axis){CHART_LINEAR, 0, highest_beta(c), "beta = noise power, T = 1000", false};
    draw_panel(c, &p, c->beta);

    p.left += panel + 96;
    p.title = "signal to noise";
    p.y = (struct chart_axis){CHART_LINEAR, -60, 60, "log-SNR (dB)", false};
    draw_panel(c, &p, c->snr);
    p.left += panel + 6;
    chart_legend(&p, c->entries, (size_t)c->count, false, false);
}

int plot_schedule(const struct plot *o, char **names, int count)
{
    struct curves *c = calloc(1, sizeof(*c));
    int code = c ? collect(c, names, count) : tool_fail(TOOL_FAILED, "out of memory");
    if (!code)
        code = plot_write(o, 1600, 600, draw, c);
    free(c);
    return code;
}
