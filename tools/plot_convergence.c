// SPDX-License-Identifier: LGPL-2.1-or-later
// Error against network evaluations, both logarithmic: the slope of a curve is its sampler's order. The data
// is text, a line "sampler evaluations error" per run; tests/diffusion/test_gauss.c writes it.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

enum { MAX_CURVES = 32, MAX_POINTS = 64 };

struct curve {
    char name[48];
    int count;
    double x[MAX_POINTS], y[MAX_POINTS];
    double label_y;
};

struct convergence {
    int count;
    struct curve curve[MAX_CURVES];
};

// ---- data ----

static struct curve *curve_of(struct convergence *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->curve[i].name, name) == 0)
            return &c->curve[i];
    if (c->count == MAX_CURVES)
        return NULL;
    snprintf(c->curve[c->count].name, sizeof(c->curve[0].name), "%s", name);
    return &c->curve[c->count++];
}

static int read_lines(struct convergence *c, FILE *file, const char *path)
{
    char line[256], name[48], rest[2];
    for (int number = 1; fgets(line, sizeof(line), file); number++) {
        double x, y;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "%47s %lf %lf %1s", name, &x, &y, rest) != 3 ||
            !(x > 0 && y > 0 && isfinite(x) && isfinite(y)))
            return tool_fail(TOOL_UNREADABLE,
                             "%s:%d: expected a name and two numbers above 0: sampler, evaluations, error",
                             path, number);
        struct curve *curve = curve_of(c, name);
        if (!curve || curve->count == MAX_POINTS)
            return tool_fail(TOOL_UNREADABLE, "%s:%d: more than %d samplers or %d points of one", path,
                             number, MAX_CURVES, MAX_POINTS);
        curve->x[curve->count] = x;
        curve->y[curve->count++] = y;
    }
    if (ferror(file))
        return tool_file_error(path);
    return c->count ? TOOL_OK : tool_fail(TOOL_UNREADABLE, "%s: no data in it", path);
}

static int read_data(struct convergence *c, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return tool_file_error(path);
    int code = read_lines(c, file, path);
    fclose(file);
    return code;
}

// Fitted to the last four points; NAN for fewer.
static double slope(const struct curve *c)
{
    int n = c->count < 4 ? c->count : 4, first = c->count - n;
    double mx = 0, my = 0, up = 0, down = 0;
    for (int i = first; i < c->count; i++) {
        mx += log(c->x[i]) / n;
        my += log(c->y[i]) / n;
    }
    for (int i = first; i < c->count; i++) {
        up += (log(c->x[i]) - mx) * (log(c->y[i]) - my);
        down += (log(c->x[i]) - mx) * (log(c->x[i]) - mx);
    }
    return n > 1 && down > 0 ? -up / down : NAN;
}

static void slope_text(const struct curve *c, char *text, size_t size)
{
    const struct ebb_sampler_info *known = ebb_sampler_find(c->name);
    double s = slope(c);
    if (known && known->evals == 0)
        snprintf(text, size, "adaptive");
    else if (isnan(s))
        text[0] = 0;
    else
        snprintf(text, size, "%.1f", s);
}

static int by_last(const void *a, const void *b)
{
    const struct curve *p = a, *q = b;
    double y = p->y[p->count - 1], z = q->y[q->count - 1];
    return (y < z) - (y > z);
}

// ---- drawing ----

static void find_axes(const struct convergence *c, struct panel *a)
{
    double low[2] = {1e300, 1e300}, high[2] = {0, 0};
    for (int i = 0; i < c->count; i++)
        for (int k = 0; k < c->curve[i].count; k++) {
            low[0] = fmin(low[0], c->curve[i].x[k]);
            high[0] = fmax(high[0], c->curve[i].x[k]);
            low[1] = fmin(low[1], c->curve[i].y[k]);
            high[1] = fmax(high[1], c->curve[i].y[k]);
        }
    double bottom = pow(10, floor(log10(low[1]))), top = pow(10, ceil(log10(high[1])));
    a->x = (struct axis){AXIS_LOG, low[0] / 1.2, high[0] * 1.2, "network evaluations"};
    a->y = (struct axis){AXIS_LOG, bottom, top > bottom ? top : 10 * bottom, "error of the result"};
}

// Dashed lines of slope 1 to 4, to hold the curves against.
static void draw_guides(struct picture *p, const struct panel *a)
{
    double x0 = a->x.low, x1 = a->x.high, y0 = a->y.high / 30;
    for (int order = 1; order <= 4; order++) {
        double y1 = fmax(y0 * pow(x1 / x0, -order), a->y.low), end = x0 * pow(y0 / y1, 1.0 / order);
        char text[16];
        snprintf(text, sizeof(text), "order %d", order);
        cairo_set_dash(p->cr, (double[]){6, 5}, 2, 0);
        picture_line(p, panel_x(a, x0), panel_y(a, y0), panel_x(a, end), panel_y(a, y1), 1.5, GUIDE);
        cairo_set_dash(p->cr, NULL, 0, 0);
        bool lowest = panel_y(a, y1) > a->top + a->height - 20; // below is the frame: beside the line
        picture_text(p, panel_x(a, end) - (lowest ? 30 : 8), panel_y(a, y1) + (lowest ? -12 : 10), 1,
                     TEXT_SMALL, FAINT, text);
    }
}

static void draw_curve(struct picture *p, const struct panel *a, const struct curve *c, uint32_t colour)
{
    panel_curve(p, a, c->x, c->y, c->count, colour);
    for (int i = 0; i < c->count; i++)
        picture_dot(p, panel_x(a, c->x[i]), panel_y(a, c->y[i]), 3.5, colour);
}

// In the order of the curves' ends and never on top of each other.
static void place_names(const struct panel *a, struct convergence *c)
{
    const double apart = 24;
    for (int i = 0; i < c->count; i++) {
        struct curve *v = &c->curve[i];
        double end = panel_y(a, v->y[v->count - 1]);
        v->label_y = fmax(end, i ? c->curve[i - 1].label_y + apart : a->top + 6);
    }
    double most = a->top + a->height - 4;
    for (int i = c->count - 1; i >= 0; i--) {
        c->curve[i].label_y = fmin(c->curve[i].label_y, most);
        most = c->curve[i].label_y - apart;
    }
}

// At the right, each with the slope of its end.
static void draw_names(struct picture *p, const struct panel *a, const struct convergence *c)
{
    double side = a->left + a->width, right = p->width - PICTURE_MARGIN;
    for (int i = 0; i < c->count; i++) {
        const struct curve *v = &c->curve[i];
        double x = panel_x(a, v->x[v->count - 1]), y = panel_y(a, v->y[v->count - 1]);
        uint32_t colour = picture_line_colour(i);
        char text[16];
        picture_line(p, x, y, side + 8, v->label_y, 1, colour);
        picture_line(p, side + 8, v->label_y, side + 20, v->label_y, 1, colour);
        picture_text_cut(p, side + 26, v->label_y, right - side - 110, TEXT_LABEL, colour, v->name);
        slope_text(v, text, sizeof(text));
        picture_text(p, right, v->label_y, 1, TEXT_LABEL, INK, text);
    }
    picture_text(p, right, a->top - 18, 1, TEXT_LABEL, FAINT, "slope");
}

static int draw(const struct plot *o, void *data, struct picture *p)
{
    enum { LEFT = 112, RIGHT = 250, TOP = PICTURE_TOP + 32 };
    struct convergence *c = data;
    struct panel a = {LEFT, TOP, p->width - LEFT - RIGHT, p->height - TOP - 76, .text = TEXT_LABEL};
    find_axes(c, &a);
    qsort(c->curve, (size_t)c->count, sizeof(c->curve[0]), by_last);
    place_names(&a, c);
    picture_title(p, o->title ? o->title : "Convergence of samplers on data with a known score", "");
    panel_grid(p, &a);
    draw_guides(p, &a);
    for (int i = 0; i < c->count; i++)
        draw_curve(p, &a, &c->curve[i], picture_line_colour(i));
    panel_frame(p, &a);
    draw_names(p, &a, c);
    return TOOL_OK;
}

int plot_convergence(const struct plot *o, char **files, int count)
{
    if (count != 1)
        return tool_fail(TOOL_USAGE, "name one file of convergence data");
    struct convergence *c = calloc(1, sizeof(*c));
    int code = c ? read_data(c, files[0]) : tool_fail(TOOL_FAILED, "no memory");
    if (!code)
        code = picture_write(o, 1200, 900, draw, c);
    free(c);
    return code;
}
