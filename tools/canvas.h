// A picture: rectangles, anti-aliased lines, a stroke font, a colour scale, PNG.
#ifndef EBB_TOOLS_CANVAS_H
#define EBB_TOOLS_CANVAS_H

#include "tool.h"

typedef uint32_t canvas_colour; // 0xRRGGBB

struct canvas {
    int width, height;
    uint8_t *pixels; // (height, width, 3)
    uint8_t *cover;  // (height, width): how much of each pixel the stroke under way covers
    int left, top, right, bottom; // of what it covers
};

// White. False after saying that there is no memory.
bool canvas_create(struct canvas *c, int width, int height);
void canvas_destroy(struct canvas *c);

void canvas_fill(struct canvas *c, int x, int y, int width, int height, canvas_colour colour);
void canvas_set(struct canvas *c, int x, int y, canvas_colour colour);

// Coordinates in pixels, (0, 0) the upper left corner of the first one. `xy` holds `count` points.
void canvas_polyline(struct canvas *c, const double *xy, size_t count, double width, canvas_colour colour);
void canvas_line(struct canvas *c, double x0, double y0, double x1, double y1, double width, canvas_colour colour);

// Where a text's given point lies on it.
enum canvas_anchor { CANVAS_LEFT, CANVAS_CENTRE, CANVAS_RIGHT };

// `size` is the height of a capital in pixels; y is the baseline. Bytes outside printable ASCII are drawn as '?'.
void canvas_text(struct canvas *c, double x, double y, double size, enum canvas_anchor anchor, canvas_colour colour,
                 const char *text);
void canvas_text_up(struct canvas *c, double x, double y, double size, enum canvas_anchor anchor, canvas_colour colour,
                    const char *text); // turned a quarter to the left
double canvas_text_width(double size, const char *text);

// Dark to light, evenly to the eye; value in [0, 1].
canvas_colour canvas_heat(double value);

// Distinct colours for lines, as many as anybody can tell apart; they repeat.
canvas_colour canvas_line_colour(int index);

// "-" is standard output; otherwise a temporary name, renamed. Exit code.
int canvas_write(const struct canvas *c, const char *path);

enum { CANVAS_INK = 0x24292f, CANVAS_FAINT = 0x6e7781, CANVAS_GRID = 0xe3e7eb, CANVAS_WHITE = 0xffffff };

// One stroke glyph: how far it moves on, and its strokes (font.c says how they are written). Never NULL.
struct font_glyph {
    double advance;
    const char *strokes;
};
const struct font_glyph *font_glyph(unsigned char character);

#endif
