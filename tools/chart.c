#include "chart.h"

#include <math.h>
#include <string.h>

// ---- places ----

static double warp(enum chart_scale scale, double value)
{
    switch (scale) {
    case CHART_LOG:
        return log(fmax(value, 1e-18));
    case CHART_MEL: // O'Shaughnessy's formula, as HTK has it
        return log1p(value / 700);
    case CHART_LINEAR:
        break;
    }
    return value;
}

static double unwarp(enum chart_scale scale, double value)
{
    return scale == CHART_LOG ? exp(value) : scale == CHART_MEL ? 700 * expm1(value) : value;
}

double chart_place(const struct chart_axis *a, double value)
{
    double low = warp(a->scale, a->low), high = warp(a->scale, a->high);
    return high > low ? (warp(a->scale, value) - low) / (high - low) : 0;
}

double chart_value(const struct chart_axis *a, double place)
{
    double low = warp(a->scale, a->low), high = warp(a->scale, a->high);
    return unwarp(a->scale, low + place * (high - low));
}

static double x_of(const struct chart *p, double value)
{
    return p->left + p->width * chart_place(&p->x, value);
}

static double y_of(const struct chart *p, double value)
{
    return p->top + p->height * (1 - chart_place(&p->y, value));
}

// ---- ticks ----

enum { MAX_TICKS = 24 };

struct ticks {
    double at[MAX_TICKS];
    int count;
    int decimals;
};

// 1, 2 or 5 times a power of ten apart, about `wanted` of them.
static void linear_ticks(const struct chart_axis *a, double wanted, struct ticks *t)
{
    double rough = (a->high - a->low) / fmax(wanted, 1), power = pow(10, floor(log10(rough)));
    double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
    t->decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    for (double v = ceil(a->low / step - 1e-9) * step; v <= a->high + 1e-9 * step && t->count < MAX_TICKS; v += step)
        t->at[t->count++] = fabs(v) < 1e-9 * step ? 0 : v;
}

// 0 if it is there, then 1, 2, 5, 10, 20, ... as far as they keep their distance in pixels; over many decades the ones alone.
static void decade_ticks(const struct chart_axis *a, double pixels, double apart, struct ticks *t)
{
    static const double steps[] = {1, 2, 5};
    double last = -1e9;
    if (a->low <= 0)
        t->at[t->count++] = last = 0;
    int each = a->low > 0 && a->high / a->low > 1e5 ? 1 : 3;
    for (int decade = -18; decade < 7; decade++)
        for (int i = 0; i < each && t->count < MAX_TICKS; i++) {
            double v = steps[i] * pow(10, decade), place = chart_place(a, v) * pixels;
            if (v < a->low * (1 - 1e-9) || v > a->high * (1 + 1e-9) || place - last < apart)
                continue;
            t->at[t->count++] = v;
            last = place;
        }
}

static struct ticks find_ticks(const struct chart_axis *a, int pixels, double apart)
{
    struct ticks t = {.count = 0};
    if (!(a->high > a->low))
        return t;
    if (a->scale == CHART_LINEAR)
        linear_ticks(a, pixels / apart, &t);
    else
        decade_ticks(a, pixels, apart * 0.5, &t);
    return t;
}

static void tick_text(char *out, size_t size, const struct chart_axis *a, const struct ticks *t, double v)
{
    if (a->hertz && v >= 1000)
        snprintf(out, size, "%gk", v / 1000);
    else if (a->scale == CHART_LINEAR)
        snprintf(out, size, "%.*f", t->decimals, v);
    else if (v > 0 && v < 1e-3)
        snprintf(out, size, "%.0fe%d", v / pow(10, floor(log10(v) + 1e-9)), (int)floor(log10(v) + 1e-9));
    else
        snprintf(out, size, "%g", v);
}

static double text_size(const struct chart *p)
{
    return p->text > 0 ? p->text : CHART_TEXT;
}

static struct ticks x_ticks(const struct chart *p)
{
    return find_ticks(&p->x, p->width, 8 * text_size(p));
}

static struct ticks y_ticks(const struct chart *p)
{
    return find_ticks(&p->y, p->height, 4.5 * text_size(p));
}

// ---- frame ----

void chart_grid(const struct chart *p)
{
    struct ticks x = x_ticks(p), y = y_ticks(p);
    for (int i = 0; i < x.count; i++)
        canvas_line(p->c, x_of(p, x.at[i]), p->top, x_of(p, x.at[i]), p->top + p->height, 1, CANVAS_GRID);
    for (int i = 0; i < y.count; i++)
        canvas_line(p->c, p->left, y_of(p, y.at[i]), p->left + p->width, y_of(p, y.at[i]), 1, CANVAS_GRID);
}

static void draw_ticks(const struct chart *p)
{
    double size = text_size(p), bottom = p->top + p->height, widest = 0;
    struct ticks x = x_ticks(p), y = y_ticks(p);
    char text[32];
    for (int i = 0; i < x.count; i++) {
        double at = x_of(p, x.at[i]);
        tick_text(text, sizeof(text), &p->x, &x, x.at[i]);
        canvas_line(p->c, at, bottom, at, bottom + 5, 1, CANVAS_FAINT);
        canvas_text(p->c, at, bottom + 9 + size, size, CANVAS_CENTRE, CANVAS_INK, text);
    }
    for (int i = 0; i < y.count; i++) {
        double at = y_of(p, y.at[i]);
        tick_text(text, sizeof(text), &p->y, &y, y.at[i]);
        widest = fmax(widest, canvas_text_width(size, text));
        canvas_line(p->c, p->left - 5, at, p->left, at, 1, CANVAS_FAINT);
        canvas_text(p->c, p->left - 9, at + size / 2, size, CANVAS_RIGHT, CANVAS_INK, text);
    }
    if (p->x.label)
        canvas_text(p->c, p->left + p->width / 2.0, bottom + 15 + 2.7 * size, size, CANVAS_CENTRE, CANVAS_INK,
                    p->x.label);
    if (p->y.label)
        canvas_text_up(p->c, p->left - 20 - widest, p->top + p->height / 2.0, size, CANVAS_CENTRE, CANVAS_INK,
                       p->y.label);
}

void chart_frame(const struct chart *p)
{
    double l = p->left, t = p->top, r = l + p->width, b = t + p->height;
    canvas_polyline(p->c, (double[]){l, t, r, t, r, b, l, b, l, t}, 5, 1, CANVAS_FAINT);
    draw_ticks(p);
    if (p->title)
        canvas_text(p->c, l, t - 14, CHART_TITLE, CANVAS_LEFT, CANVAS_INK, p->title);
}

// ---- what is inside ----

// Moves end `a` of a segment to where it enters low..high in y; false if it never does.
static bool clip_end(double low, double high, double *a, const double *b)
{
    double edge = a[1] < low ? low : high;
    if (a[1] >= low && a[1] <= high)
        return true;
    if (edge == low ? b[1] < low : b[1] > high)
        return false;
    a[0] += (b[0] - a[0]) * (edge - a[1]) / (b[1] - a[1]);
    a[1] = edge;
    return true;
}

void chart_curve(const struct chart *p, const double *x, const double *y, size_t count, canvas_colour colour)
{
    for (size_t i = 0; i + 1 < count; i++) {
        double a[2] = {x_of(p, x[i]), y_of(p, y[i])}, b[2] = {x_of(p, x[i + 1]), y_of(p, y[i + 1])};
        double low = p->top, high = p->top + p->height;
        if (isfinite(a[1]) && isfinite(b[1]) && clip_end(low, high, a, b) && clip_end(low, high, b, a))
            canvas_line(p->c, a[0], a[1], b[0], b[1], 2.2, colour);
    }
}

void chart_legend(const struct chart *p, const struct chart_entry *entries, size_t count, bool right, bool bottom)
{
    double size = text_size(p), row = 1.9 * size, widest = 0;
    for (size_t i = 0; i < count; i++)
        widest = fmax(widest, canvas_text_width(size, entries[i].name));
    int width = (int)widest + 52, height = (int)(row * (double)count) + 10;
    int x = right ? p->left + p->width - width - 12 : p->left + 12;
    int y = bottom ? p->top + p->height - height - 12 : p->top + 12;
    canvas_fill(p->c, x, y, width, height, CANVAS_WHITE);
    canvas_polyline(p->c, (double[]){x, y, x + width, y, x + width, y + height, x, y + height, x, y}, 5, 1,
                    CANVAS_GRID);
    for (size_t i = 0; i < count; i++) {
        double middle = y + 5 + row * ((double)i + 0.5);
        canvas_line(p->c, x + 10, middle, x + 34, middle, 3, entries[i].colour);
        canvas_text(p->c, x + 42, middle + size / 2, size, CANVAS_LEFT, CANVAS_INK, entries[i].name);
    }
}

void chart_heat_bar(const struct chart *p, double low, double high, const char *label)
{
    double size = text_size(p);
    struct chart bar = {.c = p->c, .left = p->left + p->width + 22, .top = p->top, .width = 16, .height = p->height,
                        .x = {CHART_LINEAR, 0, 1, NULL, false}, .y = {CHART_LINEAR, low, high, NULL, false}};
    for (int y = 0; y < bar.height; y++)
        canvas_fill(p->c, bar.left, bar.top + y, bar.width, 1, canvas_heat(1 - y / (bar.height - 1.0)));
    struct ticks t = find_ticks(&bar.y, bar.height, 4.5 * size);
    double right = bar.left + bar.width, widest = 0;
    char text[32];
    for (int i = 0; i < t.count; i++) {
        tick_text(text, sizeof(text), &bar.y, &t, t.at[i]);
        widest = fmax(widest, canvas_text_width(size, text));
        canvas_line(p->c, right, y_of(&bar, t.at[i]), right + 5, y_of(&bar, t.at[i]), 1, CANVAS_FAINT);
        canvas_text(p->c, right + 9, y_of(&bar, t.at[i]) + size / 2, size, CANVAS_LEFT, CANVAS_INK, text);
    }
    canvas_text_up(p->c, right + 9 + widest + 12 + size, bar.top + bar.height / 2.0, size, CANVAS_CENTRE, CANVAS_INK,
                   label);
}
