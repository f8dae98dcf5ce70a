// Axes with units, ticks, curves and a legend, on a canvas.
#ifndef EBB_TOOLS_CHART_H
#define EBB_TOOLS_CHART_H

#include "canvas.h"

enum { CHART_TEXT = 13, CHART_SMALL = 11, CHART_TITLE = 17 }; // heights of capitals, pixels

// Where values of one axis lie: along `scale`, from `low` (left or bottom) to `high`.
enum chart_scale { CHART_LINEAR, CHART_LOG, CHART_MEL };
struct chart_axis {
    enum chart_scale scale;
    double low, high;
    const char *label; // with its unit
    bool hertz;        // ticks as 500, 1k, 20k
};
double chart_place(const struct chart_axis *axis, double value); // 0..1
double chart_value(const struct chart_axis *axis, double place);

struct chart {
    struct canvas *c;
    int left, top, width, height; // of the inside, pixels
    struct chart_axis x, y;
    const char *title;
    double text; // height of capitals for ticks and labels; 0: CHART_TEXT
};

// Frame, grid (behind: call before drawing inside), ticks, labels, title.
void chart_grid(const struct chart *p);
void chart_frame(const struct chart *p);

// Values outside the axes are cut off; a NaN breaks the line.
void chart_curve(const struct chart *p, const double *x, const double *y, size_t count, canvas_colour colour);

struct chart_entry {
    const char *name;
    canvas_colour colour;
};
void chart_legend(const struct chart *p, const struct chart_entry *entries, size_t count, bool right, bool bottom);

// A bar of canvas_heat() from `low` to `high` in dB, at the right of the chart.
void chart_heat_bar(const struct chart *p, double low, double high, const char *label);

#endif
