// Error against network evaluations, both logarithmic: the slope of a curve is its sampler's order. The data is text, a line
// "sampler evaluations error" per run; tests/diffusion/test_gauss.c writes it.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

enum { MAX_CURVES = 32, MAX_POINTS = 64 };

struct curve {
    char name[48];
    int count;
    double x[MAX_POINTS], y[MAX_POINTS];
    double label_y; // pixels
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
        if (sscanf(line, "%47s %lf %lf %1s", name, &x, &y, rest) != 3 || !(x > 0 && y > 0 && isfinite(x) && isfinite(y)))
            return tool_fail(TOOL_UNREADABLE, "%s:%d: expected a name and two numbers above 0: sampler, evaluations, error", path, number);
        struct curve *curve = curve_of(c, name);
        if (!curve || curve->count == MAX_POINTS)
            return tool_fail(TOOL_UNREADABLE, "%s:%d: more than %d samplers or %d points of one", path, number, MAX_CURVES, MAX_POINTS);
        curve->x[curve->count] = x;
        curve->y[curve->count++] = y;
    }
    return c->count ? TOOL_OK : tool_fail(TOOL_UNREADABLE, "%s: no data in it", path);
}

static int read_data(struct convergence *c, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return tool_fail(errno == ENOENT ? TOOL_NOT_FOUND : TOOL_UNREADABLE, "%s: %s", path, strerror(errno));
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

static void find_axes(const struct convergence *c, struct chart *p)
{
    double low[2] = {1e300, 1e300}, high[2] = {0, 0};
    for (int i = 0; i < c->count; i++)
        for (int k = 0; k < c->curve[i].count; k++) {
            low[0] = fmin(low[0], c->curve[i].x[k]);
            high[0] = fmax(high[0], c->curve[i].x[k]);
            low[1] = fmin(low[1], c->curve[i].y[k]);
            high[1] = fmax(high[1], c->curve[i].y[k]);
        }
    p->x = (struct chart_axis){CHART_LOG, low[0] / 1.2, high[0] * 1.2, "network evaluations", false};
    p->y = (struct chart_axis){CHART_LOG, pow(10, floor(log10(low[1]))), pow(10, ceil(log10(high[1]))), "error of the result", false};
}

// Faint lines of slope 1 to 4, to hold the curves against.
static void draw_guides(const struct chart *p)
{
    double x[2] = {p->x.low, p->x.high}, from = p->y.high / 30;
    for (int order = 1; order <= 4; order++) {
        double end = fmax(from * pow(x[1] / x[0], -order), p->y.low), at = x[0] * pow(from / end, 1.0 / order);
        chart_curve(p, (double[]){x[0], at}, (double[]){from, end}, 2, CANVAS_GRID);
        char text[16];
        snprintf(text, sizeof(text), "order %d", order);
        double px = p->left + p->width * chart_place(&p->x, at), py = p->top + p->height * (1 - chart_place(&p->y, end));
        canvas_text(p->c, px - 8, py - 8, CHART_SMALL, CANVAS_RIGHT, CANVAS_FAINT, text);
    }
}

static void draw_curve(const struct chart *p, const struct curve *c, canvas_colour colour)
{
    chart_curve(p, c->x, c->y, (size_t)c->count, colour);
    for (int i = 0; i < c->count; i++) {
        double x = p->left + p->width * chart_place(&p->x, c->x[i]), y = p->top + p->height * (1 - chart_place(&p->y, c->y[i]));
        canvas_line(p->c, x - 3, y, x + 3, y, 6, colour);
    }
}

// Names at the right, in the order of the curves' ends and never on top of each other, each with the slope of its end.
static void draw_names(const struct chart *p, struct convergence *c)
{
    const double apart = 22;
    for (int i = 0; i < c->count; i++) {
        struct curve *v = &c->curve[i];
        double end = p->top + p->height * (1 - chart_place(&p->y, v->y[v->count - 1]));
        v->label_y = i ? fmax(end, c->curve[i - 1].label_y + apart) : fmax(end, p->top + 6);
    }
    double most = p->top + p->height - 4;
    for (int i = c->count - 1; i >= 0; i--) {
        c->curve[i].label_y = fmin(c->curve[i].label_y, most);
        most = c->curve[i].label_y - apart;
    }
    for (int i = 0; i < c->count; i++) {
        struct curve *v = &c->curve[i];
        double x = p->left + p->width * chart_place(&p->x, v->x[v->count - 1]);
        double end = p->top + p->height * (1 - chart_place(&p->y, v->y[v->count - 1])), side = p->left + p->width;
        char text[80];
        canvas_polyline(p->c, (double[]){x, end, side + 8, v->label_y, side + 22, v->label_y}, 3, 1, canvas_line_colour(i));
        snprintf(text, sizeof(text), "%s", v->name);
        canvas_text(p->c, side + 28, v->label_y + CHART_TEXT / 2.0, CHART_TEXT, CANVAS_LEFT, canvas_line_colour(i), text);
        slope_text(v, text, sizeof(text));
        canvas_text(p->c, side + 180, v->label_y + CHART_TEXT / 2.0, CHART_TEXT, CANVAS_RIGHT, CANVAS_INK, text);
    }
    canvas_text(p->c, p->left + p->width + 180, p->top - 14, CHART_SMALL, CANVAS_RIGHT, CANVAS_FAINT, "slope");
}

static void draw(const struct plot *o, void *data, struct canvas *canvas)
{
    struct convergence *c = data;
    struct chart p = {.c = canvas, .left = 110, .top = 92, .width = canvas->width - 110 - 210, .height = canvas->height - 92 - 70};
    find_axes(c, &p);
    qsort(c->curve, (size_t)c->count, sizeof(c->curve[0]), by_last);
    canvas_text(canvas, 40, 40, CHART_TITLE + 3, CANVAS_LEFT, CANVAS_INK, o->title ? o->title : "Convergence of samplers on data with a known score");
    chart_grid(&p);
    draw_guides(&p);
    for (int i = 0; i < c->count; i++)
        draw_curve(&p, &c->curve[i], canvas_line_colour(i));
    chart_frame(&p);
    draw_names(&p, c);
}

int plot_convergence(const struct plot *o, char **files, int count)
{
    if (count != 1)
        return tool_fail(TOOL_USAGE, "name one file of convergence data");
    struct convergence *c = calloc(1, sizeof(*c));
    int code = c ? read_data(c, files[0]) : tool_fail(TOOL_FAILED, "out of memory");
    if (!code)
        code = plot_write(o, 1200, 900, draw, c);
    free(c);
    return code;
}
