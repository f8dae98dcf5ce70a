// SPDX-License-Identifier: LGPL-2.1-or-later
#include "picture.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- colours ----

// "magma" (van der Walt and Smith 2015, CC0) at 17 places: lightness grows evenly, and it survives grey and
// colour-blind eyes.
static const uint32_t heat[] = {
    0x000004, 0x0a0822, 0x1d1147, 0x36106b, 0x51127c, 0x6a1c81, 0x832681, 0x9c2e7f, 0xb73779,
    0xd0416f, 0xe75263, 0xf56b5c, 0xfc8961, 0xfea772, 0xfec488, 0xfde2a3, 0xfcfdbf,
};

// Dark to light for 0..1, evenly to the eye.
static uint32_t heat_colour(double value)
{
    enum { LAST = sizeof(heat) / sizeof(heat[0]) - 1 };
    double at = value > 0 ? fmin(value, 1) * LAST : 0; // NaN: dark
    int i = at < LAST ? (int)at : LAST - 1;
    uint32_t mixed = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double low = (heat[i] >> shift) & 255, high = (heat[i + 1] >> shift) & 255;
        mixed |= (uint32_t)lrint(low + (at - i) * (high - low)) << shift;
    }
    return mixed;
}

// Okabe and Ito's palette, which colour-blind readers can tell apart, without its yellow, which white hides.
uint32_t picture_line_colour(int index)
{
    static const uint32_t colours[] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00,
                                       0x56b4e9, 0x444444, 0x882255, 0x999933};
    return colours[index % (int)(sizeof(colours) / sizeof(colours[0]))];
}

static void set_colour(struct picture *p, uint32_t colour)
{
    cairo_set_source_rgb(p->cr, (colour >> 16 & 255) / 255.0, (colour >> 8 & 255) / 255.0,
                         (colour & 255) / 255.0);
}

// ---- lines and text ----

void picture_line(struct picture *p, double x0, double y0, double x1, double y1, double width,
                  uint32_t colour)
{
    set_colour(p, colour);
    cairo_set_line_width(p->cr, width);
    cairo_move_to(p->cr, x0, y0);
    cairo_line_to(p->cr, x1, y1);
    cairo_stroke(p->cr);
}

void picture_dot(struct picture *p, double x, double y, double radius, uint32_t colour)
{
    set_colour(p, colour);
    cairo_arc(p->cr, x, y, radius, 0, 2 * M_PI);
    cairo_fill(p->cr);
}

enum { TEXT_MOST = 512 }; // bytes

// cairo stops drawing at text that is no UTF-8, and file names may be anything. Cuts what is too long.
static void printable(const char *text, char out[TEXT_MOST])
{
    size_t length = strnlen(text, TEXT_MOST - 1);
    while (length > 0 && (text[length] & 0xc0) == 0x80)
        length--; // not within a character
    memcpy(out, text, length);
    out[length] = 0;
    json_t *valid = json_string(out);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || (!valid && (*c & 0x80)))
            *c = '?';
    json_decref(valid);
}

static double prepare(struct picture *p, double size, const char *text, char shown[TEXT_MOST])
{
    cairo_text_extents_t extents;
    printable(text, shown);
    cairo_set_font_size(p->cr, size);
    cairo_text_extents(p->cr, shown, &extents);
    return extents.x_advance;
}

double picture_text_width(struct picture *p, double size, const char *text)
{
    char shown[TEXT_MOST];
    return prepare(p, size, text, shown);
}

static void put_text(struct picture *p, double x, double y, double angle, double align, double size,
                     uint32_t colour, const char *text)
{
    char shown[TEXT_MOST];
    double width = prepare(p, size, text, shown);
    cairo_save(p->cr);
    cairo_translate(p->cr, round(x), round(y));
    cairo_rotate(p->cr, angle);
    cairo_move_to(p->cr, round(-align * width), round(0.36 * size)); // capitals are about 0.72 high
    set_colour(p, colour);
    cairo_show_text(p->cr, shown);
    cairo_restore(p->cr);
}

void picture_text(struct picture *p, double x, double y, double align, double size, uint32_t colour,
                  const char *text)
{
    put_text(p, x, y, 0, align, size, colour, text);
}

void picture_text_cut(struct picture *p, double x, double y, double width, double size, uint32_t colour,
                      const char *text)
{
    char shown[TEXT_MOST];
    double all = prepare(p, size, text, shown);
    for (size_t n = strlen(shown); n > 3 && all > width; all = picture_text_width(p, size, shown)) {
        do
            n--;
        while (n > 3 && (shown[n - 3] & 0xc0) == 0x80);
        memcpy(shown + n - 3, "...", 4);
    }
    picture_text(p, x, y, 0, size, colour, shown);
}

void picture_title(struct picture *p, const char *title, const char *note)
{
    double y = 32, right = p->width - PICTURE_MARGIN, room = right - PICTURE_MARGIN;
    double beside = picture_text_width(p, TEXT_LABEL, note);
    picture_text_cut(p, PICTURE_MARGIN, y, room - (beside > 0 ? beside + 24 : 0), TEXT_TITLE, INK, title);
    picture_text(p, right, y, 1, TEXT_LABEL, FAINT, note);
}

// ---- panels ----

// Far outside is far enough: cairo's numbers end at some millions.
static double near_place(const struct axis *a, double value)
{
    return fmin(fmax(axis_place(a, value), -20), 20);
}

double panel_x(const struct panel *a, double value)
{
    return a->left + a->width * near_place(&a->x, value);
}

double panel_y(const struct panel *a, double value)
{
    return a->top + a->height * (1 - near_place(&a->y, value));
}

static struct axis_ticks x_ticks(const struct panel *a)
{
    return axis_ticks(&a->x, a->width, 6 * a->text);
}

static struct axis_ticks y_ticks(const struct panel *a)
{
    return axis_ticks(&a->y, a->height, 3.4 * a->text);
}

// A line one pixel wide is sharp where it runs through the middle of pixels.
static double sharp(double v)
{
    return floor(v) + 0.5;
}

void panel_grid(struct picture *p, const struct panel *a)
{
    struct axis_ticks x = x_ticks(a), y = y_ticks(a);
    for (int i = 0; i < x.count; i++) {
        double at = sharp(panel_x(a, x.at[i].value));
        picture_line(p, at, a->top, at, a->top + a->height, 1, GRID);
    }
    for (int i = 0; i < y.count; i++) {
        double at = sharp(panel_y(a, y.at[i].value));
        picture_line(p, a->left, at, a->left + a->width, at, 1, GRID);
    }
}

static void mark_x(struct picture *p, const struct panel *a)
{
    struct axis_ticks ticks = x_ticks(a);
    double bottom = a->top + a->height;
    for (int i = 0; i < ticks.count; i++) {
        double at = sharp(panel_x(a, ticks.at[i].value));
        picture_line(p, at, bottom, at, bottom + 5, 1, FAINT);
        picture_text(p, at, bottom + 9 + 0.5 * a->text, 0.5, a->text, INK, ticks.at[i].text);
    }
    if (a->x.label)
        picture_text(p, a->left + a->width / 2, bottom + 14 + 1.8 * a->text, 0.5, a->text, INK, a->x.label);
}

// To the left (`side` -1) or the right (1) of `edge`, the label beyond the widest tick.
static void mark_y(struct picture *p, const struct panel *a, double edge, int side)
{
    struct axis_ticks ticks = y_ticks(a);
    double widest = 0, align = side < 0 ? 1 : 0;
    for (int i = 0; i < ticks.count; i++) {
        double at = sharp(panel_y(a, ticks.at[i].value));
        widest = fmax(widest, picture_text_width(p, a->text, ticks.at[i].text));
        picture_line(p, edge, at, edge + side * 5, at, 1, FAINT);
        picture_text(p, edge + side * 9, at, align, a->text, INK, ticks.at[i].text);
    }
    double x = edge + side * (16 + widest + 0.5 * a->text), y = a->top + a->height / 2;
    if (a->y.label)
        put_text(p, x, y, -M_PI / 2, 0.5, a->text, INK, a->y.label);
}

static void outline(struct picture *p, const struct panel *a)
{
    set_colour(p, FAINT);
    cairo_set_line_width(p->cr, 1);
    cairo_rectangle(p->cr, sharp(a->left - 1), sharp(a->top - 1), a->width + 1, a->height + 1);
    cairo_stroke(p->cr);
}

void panel_frame(struct picture *p, const struct panel *a)
{
    outline(p, a);
    mark_x(p, a);
    mark_y(p, a, a->left, -1);
    if (a->title)
        picture_text(p, a->left, a->top - 18, 0, TEXT_HEADING, INK, a->title);
}

void panel_curve(struct picture *p, const struct panel *a, const double *x, const double *y, int count,
                 uint32_t colour)
{
    cairo_save(p->cr);
    cairo_rectangle(p->cr, a->left, a->top, a->width, a->height);
    cairo_clip(p->cr);
    for (int i = 0; i < count; i++)
        if (isfinite(x[i]) && isfinite(y[i]))
            cairo_line_to(p->cr, panel_x(a, x[i]), panel_y(a, y[i]));
        else
            cairo_new_sub_path(p->cr);
    set_colour(p, colour);
    cairo_set_line_width(p->cr, 2.2);
    cairo_stroke(p->cr);
    cairo_restore(p->cr);
}

// One pixel per value. What fails is remembered by cairo.
static cairo_surface_t *heat_image(int columns, int rows, panel_value *value, const void *data)
{
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns, rows);
    unsigned char *pixels = cairo_image_surface_get_data(image);
    size_t stride = (size_t)cairo_image_surface_get_stride(image);
    cairo_surface_flush(image);
    for (int y = 0; y < rows && pixels; y++)
        for (int x = 0; x < columns; x++) {
            uint32_t colour = heat_colour(value(data, x, y));
            memcpy(pixels + (size_t)y * stride + 4 * (size_t)x, &colour, sizeof(colour));
        }
    cairo_surface_mark_dirty(image);
    return image;
}

void panel_heat(struct picture *p, const struct panel *a, int columns, int rows, panel_value *value,
                const void *data)
{
    cairo_surface_t *image = heat_image(columns, rows, value, data);
    cairo_save(p->cr);
    cairo_translate(p->cr, a->left, a->top);
    cairo_scale(p->cr, a->width / columns, a->height / rows);
    cairo_set_source_surface(p->cr, image, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(p->cr), CAIRO_EXTEND_PAD);
    cairo_rectangle(p->cr, 0, 0, columns, rows);
    cairo_fill(p->cr);
    cairo_restore(p->cr);
    cairo_surface_destroy(image);
}

static double bar_value(const void *data, int column, int row)
{
    return 1 - row / (*(const double *)data - 1);
}

void panel_bar(struct picture *p, double x, double top, double height, struct axis levels)
{
    struct panel bar = {x + 20, top, 14, height, .text = TEXT_LABEL, .y = levels};
    panel_heat(p, &bar, 1, (int)height, bar_value, &height);
    outline(p, &bar);
    mark_y(p, &bar, bar.left + bar.width, 1);
}

// ---- files ----

static cairo_status_t to_output(void *output, const unsigned char *bytes, unsigned int count)
{
    return ebb_output_write(output, bytes, count, NULL) == EBB_OK ? CAIRO_STATUS_SUCCESS
                                                                  : CAIRO_STATUS_WRITE_ERROR;
}

static int write_file(cairo_surface_t *surface, const char *path)
{
    struct ebb_error error = {0};
    struct ebb_output *output = ebb_output_create(path, &error);
    if (!output)
        return tool_error(&error);
    errno = 0;
    cairo_status_t status = cairo_surface_write_to_png_stream(surface, to_output, output);
    int code = TOOL_OK;
    if (status != CAIRO_STATUS_SUCCESS)
        code = tool_fail(TOOL_UNWRITABLE, "%s: cannot be written (%s)", path,
                         errno ? strerror(errno) : cairo_status_to_string(status));
    else if (ebb_output_finish(output, &error) != EBB_OK)
        code = tool_error(&error);
    ebb_output_destroy(&output);
    return code;
}

// ---- whole pictures ----

// Without any font at all, cairo draws letters of its own.
static void set_up(cairo_t *cr, double scale)
{
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cr, options);
    cairo_font_options_destroy(options);
    cairo_select_font_face(cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_scale(cr, scale, scale);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
}

int picture_write(const struct plot *o, int width, int height, picture_draw *draw, void *data)
{
    const double least = 0.7; // of the size a picture was designed for; smaller ones shrink
    int w = o->width ? o->width : width, h = o->height ? o->height : height;
    double scale = fmin(1, fmin(w / (least * width), h / (least * height)));
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
    struct picture p = {.cr = cairo_create(surface), .width = floor(w / scale), .height = floor(h / scale)};
    set_up(p.cr, scale);
    int code = cairo_status(p.cr) == CAIRO_STATUS_SUCCESS
                   ? draw(o, data, &p)
                   : tool_fail(TOOL_FAILED, "no memory for a picture of %d x %d", w, h);
    cairo_status_t status = cairo_status(p.cr);
    if (!code && status != CAIRO_STATUS_SUCCESS)
        code = tool_fail(TOOL_FAILED, "the picture cannot be drawn: %s", cairo_status_to_string(status));
    if (!code)
        code = write_file(surface, o->out);
    cairo_destroy(p.cr);
    cairo_surface_destroy(surface);
    return code;
}
