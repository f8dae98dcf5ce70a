// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound file as columns of a picture.
#ifndef EBB_TOOLS_SPECTRUM_H
#define EBB_TOOLS_SPECTRUM_H

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

// dB of a column between two frequencies: the loudest bin there, or between bins, what lies between them.
double spectrum_level(const struct spectrum *s, int column, double from_hz, double to_hz);

#endif
