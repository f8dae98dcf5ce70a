// The pictures of `ebb plot`; each has a file of its own.
#ifndef EBB_TOOLS_PLOT_H
#define EBB_TOOLS_PLOT_H

#include "chart.h"

struct plot {
    const char *out, *title;
    int width, height; // pixels, 0: as fits
    // spectrogram
    const char *scale_name;
    enum chart_scale scale;
    double from, to, fmin, fmax, range;
    int columns;
    // process
    const char *model, *label, *sampler, *device;
    uint64_t seed, index;
    int steps, strips, threads;
    const char *schedule; // visits
    double guidance;
};

// Creates a picture (of this size unless the user said another), draws `data` into it and writes it. Exit code.
typedef void plot_draw(const struct plot *o, void *data, struct canvas *canvas);
int plot_write(const struct plot *o, int width, int height, plot_draw *draw, void *data);

// What is drawn: files, schedules, samplers, nothing. Exit codes.
int plot_spectrogram(const struct plot *o, char **files, int count);
int plot_schedule(const struct plot *o, char **names, int count);
int plot_visits(const struct plot *o, char **samplers, int count);
int plot_convergence(const struct plot *o, char **files, int count);
int plot_process(const struct plot *o);

// ---- a sound as a picture ----

// Columns of a sound's spectrogram, as wide as the picture: (width, bins), dB, and the waveform's extremes.
struct spectrum {
    int width, bins;
    double bin_hz, seconds, start; // `start`: of the first column, seconds into the file
    float *db;
    float *low, *high; // (width,)
    double top;        // loudest cell, dB
};
int spectrum_read(const char *path, double from, double to, int width, struct spectrum *s); // exit code
void spectrum_clear(struct spectrum *s);

// Fills the inside of the chart, colours from `floor` to `floor + range` dB.
void spectrum_draw(const struct spectrum *s, const struct chart *p, double floor, double range);

#endif
