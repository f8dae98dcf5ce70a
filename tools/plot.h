// SPDX-License-Identifier: LGPL-2.1-or-later
// The pictures of `ebb plot`; each has a file of its own.
#ifndef EBB_TOOLS_PLOT_H
#define EBB_TOOLS_PLOT_H

#include "axis.h"
#include "tool.h"

struct plot {
    const char *out, *title;
    int width, height; // pixels, 0: as fits
    // spectrogram
    const char *scale_name;
    enum axis_scale scale;
    double from, to, fmin, fmax, range;
    int columns;
    // process
    const char *model, *label, *prompt, *sampler, *device;
    uint64_t seed, index;
    int steps, strips, threads;
    const char *schedule; // visits
    double guidance;
};

// The spectrogram of a sound alone, without axes and words. Exit code.
int plot_strip(const char *sound, const char *out, int width, int height);

// `names` is what is drawn: files, schedules, samplers, nothing. Exit codes.
int plot_spectrogram(const struct plot *o, char **files, int count);
int plot_schedule(const struct plot *o, char **names, int count);
int plot_process(const struct plot *o, char **none, int count);
int plot_visits(const struct plot *o, char **samplers, int count);
int plot_convergence(const struct plot *o, char **files, int count);

#endif
