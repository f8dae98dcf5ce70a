// SPDX-License-Identifier: LGPL-2.1-or-later
// Noise schedules side by side: what is left of the signal, what each step adds, signal to noise.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/lab.h>

#include "picture.h"

enum { MAX_SCHEDULES = 9, POINTS = 501 };

struct curves {
    int count;
    const char *names[MAX_SCHEDULES];
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
        return asked || error.code == EBB_OUT_OF_MEMORY ? tool_error(&error) : TOOL_OK;
    if (c->count < MAX_SCHEDULES) {
        c->names[c->count] = name;
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
        return tool_fail(TOOL_USAGE, "%d schedules in one picture; %d can be told apart", count,
                         MAX_SCHEDULES);
    for (int i = 0; i < count && !code; i++)
        code = add(c, names[i], true);
    if (count == 0)
        EBB_EACH_SCHEDULE_KIND (k)
            if (!code && strcmp(k->name, "ve") != 0 && strcmp(k->name, "edm") != 0 &&
                strcmp(k->name, "flow") != 0)
                code = add(c, k->name, false); // those have no share of signal that falls to 0
    return code;
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

static void draw_panel(struct picture *p, const struct curves *c, const struct panel *a,
                       const double (*y)[POINTS])
{
    double x[POINTS];
    for (int i = 0; i < POINTS; i++)
        x[i] = time_at(i);
    panel_grid(p, a);
    for (int k = 0; k < c->count; k++)
        panel_curve(p, a, x, y[k], POINTS, picture_line_colour(k));
    panel_frame(p, a);
}

static void draw_legend(struct picture *p, const struct curves *c, double x, double y)
{
    for (int k = 0; k < c->count; k++) {
        double middle = y + 10 + 28 * k;
        picture_line(p, x, middle, x + 26, middle, 3, picture_line_colour(k));
        picture_text(p, x + 36, middle, 0, TEXT_LABEL, INK, c->names[k]);
    }
}

static int draw(const struct plot *o, void *data, struct picture *p)
{
    enum { LEFT = 100, BETWEEN = 112, LEGEND = 204, TOP = PICTURE_TOP + 44 };
    const struct curves *c = data;
    const struct axis time = {AXIS_LINEAR, 0, 1, "diffusion time t"};
    const struct axis left = {AXIS_LINEAR, 0, 1, "a = share of signal power"};
    const struct axis added = {AXIS_LINEAR, 0, highest_beta(c), "beta = noise power, T = 1000"};
    const struct axis ratio = {AXIS_LINEAR, -60, 60, "log-SNR (dB)"};
    double width = floor((p->width - LEFT - 2 * BETWEEN - LEGEND) / 3);
    struct panel a = {LEFT, TOP, width, p->height - TOP - 76, TEXT_LABEL, time, left, "signal left"};

    picture_title(p, o->title ? o->title : "Noise schedules: x_t = sqrt(a) x_0 + sqrt(1 - a) noise", "");
    draw_panel(p, c, &a, c->abar);
    a.left += width + BETWEEN;
    a.y = added;
    a.title = "noise added per step";
    draw_panel(p, c, &a, c->beta);
    a.left += width + BETWEEN;
    a.y = ratio;
    a.title = "signal to noise";
    draw_panel(p, c, &a, c->snr);
    draw_legend(p, c, p->width - LEGEND + 24, TOP);
    return TOOL_OK;
}

int plot_schedule(const struct plot *o, char **names, int count)
{
    struct curves *c = calloc(1, sizeof(*c));
    int code = c ? collect(c, names, count) : tool_fail(TOOL_FAILED, "no memory");
    if (!code)
        code = picture_write(o, 1600, 600, draw, c);
    free(c);
    return code;
}
