// SPDX-License-Identifier: LGPL-2.1-or-later
// Where samplers ask the network: a row of strokes each, over diffusion time and over the logarithm of noise
// to signal.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/lab.h>

#include "picture.h"

enum { MAX_ROWS = 24, MAX_VISITS = 4096 };

struct visits_row {
    char sampler[32], spacing[32];
    int steps, count;
    double t[MAX_VISITS];
};

struct visits {
    const struct plot *o;
    struct ebb_schedule *schedule;
    int rows;
    struct visits_row row[MAX_ROWS];
};

// "heun/karras/10": what is left out is as the options have it.
static int read_row(struct visits *v, const char *text)
{
    struct visits_row *r = &v->row[v->rows];
    if (v->rows == MAX_ROWS)
        return tool_fail(TOOL_USAGE, "more than %d samplers in one picture", MAX_ROWS);
    char parts[3][32] = {"", "trailing", ""};
    const char *at = text;
    for (int i = 0; i < 3 && at; i++) {
        size_t length = strcspn(at, "/");
        if (length == 0 || length >= sizeof(parts[i]) || (i == 2 && at[length]))
            return tool_fail(TOOL_USAGE, "\"%s\", expected SAMPLER, SAMPLER/SPACING or SAMPLER/SPACING/STEPS",
                             text);
        snprintf(parts[i], sizeof(parts[i]), "%.*s", (int)length, at);
        at = at[length] ? at + length + 1 : NULL;
    }
    r->steps = v->o->steps ? v->o->steps : 20;
    if (parts[2][0] && !tool_int("STEPS", parts[2], 1, 1000, &r->steps))
        return TOOL_USAGE;
    memcpy(r->sampler, parts[0], sizeof(r->sampler));
    memcpy(r->spacing, parts[1], sizeof(r->spacing));

    struct ebb_error error = {0};
    const char *sampler = tool_sampler_name(r->sampler);
    if (!sampler)
        return TOOL_NOT_FOUND;
    snprintf(r->sampler, sizeof(r->sampler), "%s", sampler);
    r->count = ebb_sampler_visits(r->sampler, v->schedule, r->spacing, r->steps, r->t, MAX_VISITS, &error);
    if (r->count == 0)
        return tool_error(&error);
    if (r->count > MAX_VISITS)
        return tool_fail(TOOL_USAGE, "\"%s\" evaluates the network %d times, more than a picture shows", text,
                         r->count);
    v->rows++;
    return TOOL_OK;
}

static int collect(struct visits *v, char **names, int count)
{
    static const char *const usual[] = {"ddim/trailing",      "ddim/leading",      "ddim/linspace",
                                        "euler/karras",       "euler/exponential", "euler/beta",
                                        "heun/karras/10",     "dpm2/karras/10",    "pndm/leading/11",
                                        "langevin/trailing/5"};
    int code = TOOL_OK, usuals = sizeof(usual) / sizeof(usual[0]);
    for (int i = 0; i < (count ? count : usuals) && !code; i++)
        code = read_row(v, count ? names[i] : usual[i]);
    return code;
}

static double noise_db(const struct visits *v, double t)
{
    return -10 * log10(ebb_schedule_snr(v->schedule, t));
}

static const char *plotted_schedule(const struct plot *o)
{
    return o->schedule ? o->schedule : "linear";
}

// A row of strokes per sampler, its evaluations side by side.
static void draw_strokes(struct picture *p, const struct visits *v, const struct panel *a, bool in_db)
{
    double height = a->height / v->rows, half = fmin(0.32 * height, 12);
    for (int i = 0; i < v->rows; i++) {
        const struct visits_row *r = &v->row[i];
        double middle = a->top + (i + 0.5) * height;
        picture_line(p, a->left, floor(middle) + 0.5, a->left + a->width, floor(middle) + 0.5, 1, GRID);
        for (int k = 0; k < r->count; k++) {
            double value = in_db ? noise_db(v, r->t[k]) : r->t[k], place = axis_place(&a->x, value);
            if (place >= 0 && place <= 1)
                picture_line(p, panel_x(a, value), middle - half, panel_x(a, value), middle + half, 2,
                             ACCENT);
        }
    }
}

static void draw_names(struct picture *p, const struct visits *v, const struct panel *a, double right)
{
    char text[96];
    for (int i = 0; i < v->rows; i++) {
        const struct visits_row *r = &v->row[i];
        double middle = a->top + (i + 0.5) * a->height / v->rows;
        snprintf(text, sizeof(text), "%s, %s", r->sampler, r->spacing);
        picture_text(p, a->left - 14, middle, 1, TEXT_LABEL, INK, text);
        snprintf(text, sizeof(text), "%d", r->count);
        picture_text(p, right, middle, 1, TEXT_LABEL, INK, text);
    }
    picture_text(p, right, a->top - 18, 1, TEXT_LABEL, FAINT, "evaluations");
}

static void draw_panel(struct picture *p, const struct visits *v, const struct panel *a, bool in_db)
{
    panel_grid(p, a);
    draw_strokes(p, v, a, in_db);
    panel_frame(p, a);
}

static int draw(const struct plot *o, void *data, struct picture *p)
{
    enum { LEFT = 230, BETWEEN = 40, RIGHT = 140, TOP = PICTURE_TOP + 44 };
    const struct visits *v = data;
    const struct axis time = {AXIS_LINEAR, 0, 1, "diffusion time t: 0 clean, 1 noise"};
    double low = floor(noise_db(v, 1e-3) / 10) * 10, high = ceil(fmin(noise_db(v, 1), 100) / 10) * 10;
    double width = floor((p->width - LEFT - BETWEEN - RIGHT) / 2), height = p->height - TOP - 76;
    struct panel a = {LEFT, TOP, width, height, TEXT_LABEL, .x = time, .title = "in diffusion time"};
    char text[128];

    snprintf(text, sizeof(text), "Where samplers ask the network (schedule %s)", plotted_schedule(o));
    picture_title(p, o->title ? o->title : text, "");
    draw_panel(p, v, &a, false);
    draw_names(p, v, &a, p->width - PICTURE_MARGIN);
    a.left += width + BETWEEN;
    a.x = (struct axis){AXIS_LINEAR, low, high, "-log-SNR (dB)"};
    a.title = "in noise over signal";
    draw_panel(p, v, &a, true);
    return TOOL_OK;
}

int plot_visits(const struct plot *o, char **names, int count)
{
    struct visits *v = calloc(1, sizeof(*v));
    struct ebb_error error = {0};
    struct ebb_schedule_params params;
    ebb_schedule_params_default(&params);
    params.name = plotted_schedule(o);
    int code = v ? TOOL_OK : tool_fail(TOOL_FAILED, "no memory");
    if (!code) {
        v->o = o;
        v->schedule = ebb_schedule_create(&params, &error);
        code = v->schedule ? collect(v, names, count) : tool_error(&error);
    }
    if (!code)
        code = picture_write(o, 1500, 190 + 38 * v->rows, draw, v);
    if (v)
        ebb_schedule_destroy(&v->schedule);
    free(v);
    return code;
}
