// SPDX-License-Identifier: LGPL-2.1-or-later
// A picture through cairo: text, lines, panels with axes, a colour map, a PNG.
#ifndef EBB_TOOLS_PICTURE_H
#define EBB_TOOLS_PICTURE_H

#include <cairo.h>

#include "axis.h"
#include "plot.h"

// One unit is a pixel, unless the picture is much smaller than it was designed for: then all of it shrinks.
struct picture {
    cairo_t *cr;
    double width, height; // units
};

// Makes a picture of this size (or of the one that the user asked for), lets `draw` fill it and writes it to
// o->out,
// "-" being standard output. A file is written under a temporary name and renamed. Exit code.
typedef int picture_draw(const struct plot *o, void *data, struct picture *p); // exit code
int picture_write(const struct plot *o, int width, int height, picture_draw *draw, void *data);

// ---- colours, 0xRRGGBB ----

enum picture_ink {
    INK = 0x24292f,   // text
    FAINT = 0x6e7781, // second to it; frames
    GRID = 0xe3e7eb,
    GUIDE = 0xc4cad0,  // lines to hold others against
    ACCENT = 0x51127c, // what is drawn where one colour does; of the colour map
};
uint32_t picture_line_colour(int index); // as many as can be told apart, then again from the first

// ---- lines and text ----

enum picture_place { PICTURE_MARGIN = 28, PICTURE_TOP = 64 }; // outer margin; what lies below the title
enum picture_text_size { TEXT_SMALL = 14, TEXT_LABEL = 16, TEXT_HEADING = 18, TEXT_TITLE = 24 };

void picture_line(struct picture *p, double x0, double y0, double x1, double y1, double width,
                  uint32_t colour);
void picture_dot(struct picture *p, double x, double y, double radius, uint32_t colour);

// Half the height of a capital lies at y. At x lies the left end for `align` 0, the right end for 1. Any
// bytes.
void picture_text(struct picture *p, double x, double y, double align, double size, uint32_t colour,
                  const char *text);
double picture_text_width(struct picture *p, double size, const char *text);

// From x on, as far as `width` allows, dots in place of the rest.
void picture_text_cut(struct picture *p, double x, double y, double width, double size, uint32_t colour,
                      const char *text);

// `note`, which may be empty, stands to the right of the title; the title is cut to the room that is left.
void picture_title(struct picture *p, const char *title, const char *note);

// ---- panels ----

struct panel {
    double left, top, width, height; // of the inside, whole units
    double text;                     // size of ticks and labels
    struct axis x, y;
    const char *title; // NULL: none
};
double panel_x(const struct panel *a, double value); // units; far outside for what is far outside
double panel_y(const struct panel *a, double value);

void panel_grid(struct picture *p, const struct panel *a);  // before what is inside
void panel_frame(struct picture *p, const struct panel *a); // after it: frame, ticks, labels, title

// What lies outside is cut off; a value that is not finite breaks the line.
void panel_curve(struct picture *p, const struct panel *a, const double *x, const double *y, int count,
                 uint32_t colour);

// Fills the inside with (columns, rows) values in 0..1; (0, 0) is the upper left one.
typedef double panel_value(const void *data, int column, int row);
void panel_heat(struct picture *p, const struct panel *a, int columns, int rows, panel_value *value,
                const void *data);

// The colours of panel_heat() from `low` to `high`, to the right of `x`; with ticks and label PANEL_BAR units
// wide.
enum { PANEL_BAR = 100 };
void panel_bar(struct picture *p, double x, double top, double height, struct axis levels);

#endif
