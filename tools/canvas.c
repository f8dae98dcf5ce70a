#include "canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool canvas_create(struct canvas *c, int width, int height)
{
    size_t pixels = (size_t)width * (size_t)height;
    *c = (struct canvas){.width = width, .height = height, .left = width, .top = height};
    c->pixels = malloc(pixels * 3);
    c->cover = calloc(pixels, 1);
    if (c->pixels && c->cover) {
        memset(c->pixels, 255, pixels * 3);
        return true;
    }
    canvas_destroy(c);
    tool_say("out of memory for a picture of %d x %d", width, height);
    return false;
}

void canvas_destroy(struct canvas *c)
{
    free(c->pixels);
    free(c->cover);
    c->pixels = c->cover = NULL;
}

void canvas_set(struct canvas *c, int x, int y, canvas_colour colour)
{
    if (x < 0 || y < 0 || x >= c->width || y >= c->height)
        return;
    uint8_t *p = c->pixels + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
    p[0] = (uint8_t)(colour >> 16);
    p[1] = (uint8_t)(colour >> 8);
    p[2] = (uint8_t)colour;
}

void canvas_fill(struct canvas *c, int x, int y, int width, int height, canvas_colour colour)
{
    for (int j = y; j < y + height; j++)
        for (int i = x; i < x + width; i++)
            canvas_set(c, i, j, colour);
}

// ---- strokes: gather coverage, then paint once, so that a line crossing itself is not painted twice ----

static double distance(double px, double py, double x0, double y0, double x1, double y1)
{
    double dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    double t = length > 0 ? ((px - x0) * dx + (py - y0) * dy) / length : 0;
    t = fmin(fmax(t, 0), 1);
    return hypot(px - x0 - t * dx, py - y0 - t * dy);
}

static int clamp(double v, int high)
{
    return (int)fmin(fmax(v, 0), high);
}

static void cover_segment(struct canvas *c, double x0, double y0, double x1, double y1, double width)
{
    double reach = width / 2 + 1;
    int left = clamp(floor(fmin(x0, x1) - reach), c->width), right = clamp(ceil(fmax(x0, x1) + reach), c->width);
    int top = clamp(floor(fmin(y0, y1) - reach), c->height), bottom = clamp(ceil(fmax(y0, y1) + reach), c->height);
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            double d = distance(x + 0.5, y + 0.5, x0, y0, x1, y1);
            uint8_t cover = (uint8_t)(255 * fmin(fmax(width / 2 + 0.5 - d, 0), fmin(width, 1)));
            uint8_t *at = &c->cover[(size_t)y * (size_t)c->width + (size_t)x];
            *at = cover > *at ? cover : *at;
        }
    c->left = left < c->left ? left : c->left;
    c->top = top < c->top ? top : c->top;
    c->right = right > c->right ? right : c->right;
    c->bottom = bottom > c->bottom ? bottom : c->bottom;
}

static void paint(struct canvas *c, canvas_colour colour)
{
    for (int y = c->top; y < c->bottom; y++)
        for (int x = c->left; x < c->right; x++) {
            size_t at = (size_t)y * (size_t)c->width + (size_t)x;
            uint8_t *p = c->pixels + 3 * at;
            for (int k = 0; k < 3; k++) {
                int ink = (int)(colour >> (16 - 8 * k)) & 255;
                p[k] = (uint8_t)(p[k] + (ink - p[k]) * c->cover[at] / 255);
            }
            c->cover[at] = 0;
        }
    c->left = c->width;
    c->top = c->height;
    c->right = c->bottom = 0;
}

void canvas_polyline(struct canvas *c, const double *xy, size_t count, double width, canvas_colour colour)
{
    for (size_t i = 0; i + 1 < count; i++)
        cover_segment(c, xy[2 * i], xy[2 * i + 1], xy[2 * i + 2], xy[2 * i + 3], width);
    paint(c, colour);
}

void canvas_line(struct canvas *c, double x0, double y0, double x1, double y1, double width, canvas_colour colour)
{
    canvas_polyline(c, (double[]){x0, y0, x1, y1}, 2, width, colour);
}

// ---- text ----

enum { MAX_POINTS = 24, CURVE_PIECES = 5 };

struct pen {
    struct canvas *c;
    double x, y, scale, width;
    bool up; // turned a quarter to the left
};

static void pen_segment(const struct pen *p, const double *a, const double *b)
{
    if (p->up)
        cover_segment(p->c, p->x - a[1] * p->scale, p->y - a[0] * p->scale, p->x - b[1] * p->scale,
                      p->y - b[0] * p->scale, p->width);
    else
        cover_segment(p->c, p->x + a[0] * p->scale, p->y - a[1] * p->scale, p->x + b[0] * p->scale,
                      p->y - b[1] * p->scale, p->width);
}

static void pen_curve(const struct pen *p, const double *a, const double *control, const double *b)
{
    double last[2] = {a[0], a[1]};
    for (int i = 1; i <= CURVE_PIECES; i++) {
        double t = (double)i / CURVE_PIECES, u = 1 - t;
        double now[2] = {u * u * a[0] + 2 * u * t * control[0] + t * t * b[0],
                         u * u * a[1] + 2 * u * t * control[1] + t * t * b[1]};
        pen_segment(p, last, now);
        memcpy(last, now, sizeof(last));
    }
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'A' + 10;
}

// Quadratic B-spline: the control points' middles are on the curve; an open one starts and ends on its own ends.
static void pen_spline(const struct pen *p, double (*at)[2], int count, bool closed)
{
    double middle[MAX_POINTS][2];
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            middle[i][k] = 0.5 * (at[i][k] + at[(i + 1) % count][k]);
    if (closed) {
        for (int i = 0; i < count; i++)
            pen_curve(p, middle[(i + count - 1) % count], at[i], middle[i]);
        return;
    }
    memcpy(middle[0], at[0], sizeof(middle[0]));
    memcpy(middle[count - 2], at[count - 1], sizeof(middle[0]));
    for (int i = 1; i < count - 1; i++)
        pen_curve(p, middle[i - 1], at[i], middle[i]);
}

static const char *pen_stroke(const struct pen *p, const char *s)
{
    double at[MAX_POINTS][2];
    char kind = *s;
    int count = 0;
    s += kind == '~' || kind == '@';
    for (; *s && *s != ' ' && count < MAX_POINTS; s += 2, count++) {
        at[count][0] = digit(s[0]);
        at[count][1] = digit(s[1]) - 4; // from the baseline
    }
    if (kind == '~' || kind == '@') {
        pen_spline(p, at, count, kind == '@');
    } else {
        for (int i = 0; i + 1 < count; i++)
            pen_segment(p, at[i], at[i + 1]);
        if (count == 1)
            pen_segment(&(struct pen){p->c, p->x, p->y, p->scale, p->width * 1.35, p->up}, at[0], at[0]);
    }
    return *s == ' ' ? s + 1 : s;
}

double canvas_text_width(double size, const char *text)
{
    double width = 0;
    for (; *text; text++)
        width += font_glyph((unsigned char)*text)->advance + 1;
    return width * size / 12;
}

static void draw_text(struct pen *p, enum canvas_anchor anchor, double size, canvas_colour colour, const char *text)
{
    double back = canvas_text_width(size, text) * (anchor == CANVAS_LEFT ? 0 : anchor == CANVAS_CENTRE ? 0.5 : 1);
    p->scale = size / 12;
    p->width = fmax(size * 0.125, 1);
    p->x -= p->up ? 0 : back;
    p->y += p->up ? back : 0;
    for (; *text; text++) {
        const struct font_glyph *glyph = font_glyph((unsigned char)*text);
        for (const char *s = glyph->strokes; *s;)
            s = pen_stroke(p, s);
        double advance = (glyph->advance + 1) * p->scale;
        p->x += p->up ? 0 : advance;
        p->y -= p->up ? advance : 0;
    }
    paint(p->c, colour);
}

void canvas_text(struct canvas *c, double x, double y, double size, enum canvas_anchor anchor, canvas_colour colour,
                 const char *text)
{
    draw_text(&(struct pen){.c = c, .x = x, .y = y}, anchor, size, colour, text);
}

void canvas_text_up(struct canvas *c, double x, double y, double size, enum canvas_anchor anchor, canvas_colour colour,
                    const char *text)
{
    draw_text(&(struct pen){.c = c, .x = x, .y = y, .up = true}, anchor, size, colour, text);
}
