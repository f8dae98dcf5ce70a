// Where samplers ask the network: a row of strokes each, over diffusion time and over the logarithm of noise to signal.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

enum { MAX_ROWS = 24, MAX_VISITS = 4096 };

struct row {
    char sampler[32], spacing[32];
    int steps, count;
    double t[MAX_VISITS];
};

struct visits {
    const struct plot *o;
    struct ebb_schedule *schedule;
    int rows;
    struct row row[MAX_ROWS];
};

// "heun/karras/10": what is left out is as the options have it.
static int read_row(struct visits *v, const char *text)
{
    struct row *r = &v->row[v->rows];
    if (v->rows == MAX_ROWS)
        return tool_fail(TOOL_USAGE, "more than %d samplers in one picture", MAX_ROWS);
    char parts[3][32] = {"", "trailing", ""};
    const char *at = text;
    for (int i = 0; i < 3 && at; i++) {
        size_t length = strcspn(at, "/");
        if (length == 0 || length >= sizeof(parts[i]) || (i == 2 && at[length]))
            return tool_fail(TOOL_USAGE, "\"%s\", expected SAMPLER, SAMPLER/SPACING or SAMPLER/SPACING/STEPS", text);
        snprintf(parts[i], sizeof(parts[i]), "%.*s", (int)length, at);
        at = at[length] ? at + length + 1 : NULL;
    }
    r->steps = v->o->steps ? v->o->steps : 20;
    if (parts[2][0] && !tool_int("STEPS", parts[2], 1, 1000, &r->steps))
        return TOOL_USAGE;
    memcpy(r->sampler, parts[0], sizeof(r->sampler));
    memcpy(r->spacing, parts[1], sizeof(r->spacing));

    struct ebb_error error = {0};
    if (!tool_sampler_known(r->sampler))
        return TOOL_NOT_FOUND;
    r->count = ebb_sampler_visits(r->sampler, v->schedule, r->spacing, r->steps, r->t, MAX_VISITS, &error);
    if (r->count == 0)
        return tool_error(&error);
    if (r->count > MAX_VISITS)
        return tool_fail(TOOL_USAGE, "\"%s\" asks %d times, more than a picture shows", text, r->count);
    v->rows++;
    return TOOL_OK;
}

static int collect(struct visits *v, char **names, int count)
{
    static const char *const usual[] = {"ddim/trailing", "ddim/leading", "ddim/linspace", "euler/karras", "euler/exponential",
                                        "euler/beta", "heun/karras/10", "dpm2/karras/10", "pndm/leading/11", "langevin/trailing/5"};
    int code = TOOL_OK, usuals = sizeof(usual) / sizeof(usual[0]);
    for (int i = 0; i < (count ? count : usuals) && !code; i++)
        code = read_row(v, count ? names[i] : usual[i]);
    return code;
}

static double noise_db(const struct visits *v, double t)
{
    return -10 * log10(ebb_schedule_snr(v->schedule, t));
}

static void draw_rows(const struct visits *v, const struct chart *p, bool in_db, bool labels)
{
    double height = (double)p->height / v->rows;
    char text[96];
    for (int i = 0; i < v->rows; i++) {
        const struct row *r = &v->row[i];
        double middle = p->top + (i + 0.5) * height, half = fmin(0.32 * height, 12);
        canvas_line(p->c, p->left, middle, p->left + p->width, middle, 1, CANVAS_GRID);
        for (int k = 0; k < r->count; k++) {
            double place = chart_place(&p->x, in_db ? noise_db(v, r->t[k]) : r->t[k]), x = p->left + p->width * place;
            if (place >= 0 && place <= 1)
                canvas_line(p->c, x, middle - half, x, middle + half, 2, canvas_line_colour(i));
        }
        if (labels)
            snprintf(text, sizeof(text), "%s, %s", r->sampler, r->spacing);
        else
            snprintf(text, sizeof(text), "%d", r->count);
        canvas_text(p->c, labels ? p->left - 14 : p->left + p->width + 44, middle + CHART_TEXT / 2.0, CHART_TEXT, CANVAS_RIGHT,
                    CANVAS_INK, text);
    }
}

static const char *plotted_schedule(const struct plot *o)
{
    return o->schedule ? o->schedule : "linear";
}

static void draw(const struct plot *o, void *data, struct canvas *c)
{
    const struct visits *v = data;
    const int left = 220, right = 130, gap = 40;
    int width = (c->width - left - right - gap) / 2;
    struct chart p = {.c = c, .left = left, .top = 108, .width = width, .height = c->height - 108 - 72,
                      .x = {CHART_LINEAR, 0, 1, "diffusion time t: 0 clean, 1 noise", false}};
    char text[128];
    snprintf(text, sizeof(text), "Where samplers ask the network (schedule %s)", plotted_schedule(o));
    canvas_text(c, 40, 40, CHART_TITLE + 3, CANVAS_LEFT, CANVAS_INK, o->title ? o->title : text);
    p.title = "in diffusion time";
    chart_grid(&p);
    draw_rows(v, &p, false, true);
    chart_frame(&p);

    double low = noise_db(v, 1e-3), high = fmin(noise_db(v, 1), 100);
    p.left += width + gap;
    p.title = "in noise over signal";
    p.x = (struct chart_axis){CHART_LINEAR, floor(low / 10) * 10, ceil(high / 10) * 10, "-log-SNR (dB)", false};
    chart_grid(&p);
    draw_rows(v, &p, true, false);
    chart_frame(&p);
    canvas_text(c, p.left + width + 12, p.top - 14, CHART_TEXT, CANVAS_LEFT, CANVAS_FAINT, "evaluations");
}

int plot_visits(const struct plot *o, char **names, int count)
{
    struct visits *v = calloc(1, sizeof(*v));
    struct ebb_error error = {0};
    struct ebb_schedule_params params;
    ebb_schedule_params_default(&params);
    params.name = plotted_schedule(o);
    int code = v ? TOOL_OK : tool_fail(TOOL_FAILED, "out of memory");
    if (!code) {
        v->o = o;
        v->schedule = ebb_schedule_create(&params, &error);
        code = v->schedule ? collect(v, names, count) : tool_error(&error);
    }
    if (!code)
        code = plot_write(o, 1500, 190 + 38 * v->rows, draw, v);
    if (v)
        ebb_schedule_destroy(&v->schedule);
    free(v);
    return code;
}
