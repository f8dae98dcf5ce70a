// SPDX-License-Identifier: LGPL-2.1-or-later
// Phase by gradient integration (Prusa, Balazs, Sondergaard 2017): for a Gaussian-like window the derivatives
// of the phase are those of the log magnitude, turned by 90 degrees. Phase is spread from loud cells to quiet
// ones, so that an error made in the noise stays in the noise.
//
// Where the magnitude is flat in both directions, the gradient is 0. Equal phases there would make a click
// in the middle of every window, and a buzz at the hop rate in place of noise. So there each cell adds a
// random phase of its own.
//
// Phase is counted in turns and from the middle of the window; the FFT counts from its start, half a turn per
// bin.
#include "audio/phase_gradient.h"

#include "audio/frame_random.h"
#include "base/base.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const float hann_width = 0.25645f; // of the Gaussian nearest to a Hann window: exp(-pi t^2 / (width *
                                          // n^2))

// Cells are queued by level in steps of 0.25 dB, a stack each: order within a step does not matter. Level 0
// is 80 dB below the loudest and less: those get random phases.
enum { levels = 321 };
static const float level_step = 0.25f;
#define NONE UINT32_MAX

// Derivatives below this, in turns, all around a cell are flat. Noise itself has about 0.15.
static const float flat = 0.15f;

struct ebb_phase_gradient {
    size_t capacity; // cells
    float *log;      // natural log of the magnitude, (frames, bins)
    float *turns;    // phase found
    float *loose;    // random phase that a cell adds, in turns
    uint8_t *known;
    uint16_t *level;
    uint32_t *next; // in its stack
    uint32_t top[levels];
    int highest;

    const struct ebb_stft *stft;
    size_t frames, bins;
    float time_scale, frequency_scale;
};

struct ebb_phase_gradient *ebb_phase_gradient_create(size_t cells)
{
    struct ebb_phase_gradient *g = cells < NONE ? ebb_alloc(1, sizeof(*g)) : NULL;
    if (!g)
        return NULL;

    g->capacity = cells;
    g->log = ebb_alloc(cells, sizeof(*g->log));
    g->turns = ebb_alloc(cells, sizeof(*g->turns));
    g->loose = ebb_alloc(cells, sizeof(*g->loose));
    g->known = ebb_alloc(cells, sizeof(*g->known));
    g->level = ebb_alloc(cells, sizeof(*g->level));
    g->next = ebb_alloc(cells, sizeof(*g->next));
    if (g->log && g->turns && g->loose && g->known && g->level && g->next)
        return g;

    ebb_phase_gradient_destroy(&g);
    return NULL;
}

void ebb_phase_gradient_destroy(struct ebb_phase_gradient **gradient)
{
    if (!gradient || !*gradient)
        return;

    free((*gradient)->log);
    free((*gradient)->turns);
    free((*gradient)->loose);
    free((*gradient)->known);
    free((*gradient)->level);
    free((*gradient)->next);
    free(*gradient);
    *gradient = NULL;
}

// ---- the queue ----

static void push(struct ebb_phase_gradient *g, size_t cell)
{
    int level = g->level[cell];
    g->next[cell] = g->top[level];
    g->top[level] = (uint32_t)cell;
    g->highest = level > g->highest ? level : g->highest;
}

static uint32_t pop(struct ebb_phase_gradient *g)
{
    while (g->highest > 0 && g->top[g->highest] == NONE)
        g->highest--;
    uint32_t cell = g->top[g->highest];
    if (cell != NONE)
        g->top[g->highest] = g->next[cell];
    return cell;
}

// ---- derivatives ----

// Nepers per bin.
static float slope_of(const struct ebb_phase_gradient *g, size_t frame, size_t bin)
{
    const float *row = g->log + frame * g->bins;
    size_t low = bin ? bin - 1 : 0, high = bin + 1 < g->bins ? bin + 1 : bin;
    return (row[high] - row[low]) / (float)(high - low);
}

// Turns per hop: the bin's own frequency, pulled towards the louder neighbour.
static float per_frame(const struct ebb_phase_gradient *g, size_t frame, size_t bin)
{
    size_t n = (size_t)g->stft->n_fft;
    float slope = slope_of(g, frame, bin);
    return (float)(bin * (size_t)g->stft->hop % n) / (float)n + slope * g->time_scale;
}

// Phase change in turns per bin: it tells where in the window the energy is.
static float per_bin(const struct ebb_phase_gradient *g, size_t frame, size_t bin)
{
    size_t before = frame ? frame - 1 : 0, after = frame + 1 < g->frames ? frame + 1 : frame;
    if (before == after)
        return 0;
    float slope = (g->log[after * g->bins + bin] - g->log[before * g->bins + bin]) / (float)(after - before);
    return -slope * g->frequency_scale;
}

static void reach(struct ebb_phase_gradient *g, size_t from, size_t to, float step)
{
    if (g->known[to] || !g->level[to])
        return;
    float turns = g->turns[from] + step + g->loose[to];
    g->turns[to] = turns - rintf(turns);
    g->known[to] = 1;
    push(g, to);
}

// To the four neighbours, by the mean of the derivatives at both ends.
static void spread(struct ebb_phase_gradient *g, size_t cell)
{
    size_t frame = cell / g->bins, bin = cell % g->bins;
    float time = per_frame(g, frame, bin), frequency = per_bin(g, frame, bin);
    if (frame + 1 < g->frames)
        reach(g, cell, cell + g->bins, (time + per_frame(g, frame + 1, bin)) / 2);
    if (frame > 0)
        reach(g, cell, cell - g->bins, -(time + per_frame(g, frame - 1, bin)) / 2);
    if (bin + 1 < g->bins)
        reach(g, cell, cell + 1, (frequency + per_bin(g, frame, bin + 1)) / 2);
    if (bin > 0)
        reach(g, cell, cell - 1, -(frequency + per_bin(g, frame, bin - 1)) / 2);
}

static void flood(struct ebb_phase_gradient *g)
{
    for (uint32_t cell; (cell = pop(g)) != NONE;)
        spread(g, cell);
}

// ---- in and out ----

// Logs and levels; returns the loudest cell.
static size_t measure(struct ebb_phase_gradient *g, const float *magnitude, size_t stride)
{
    size_t loudest = 0;
    for (size_t k = 0; k < g->frames; k++)
        for (size_t i = 0; i < g->bins; i++)
            g->log[k * g->bins + i] = magnitude[k * stride + i];
    for (size_t i = 0; i < g->frames * g->bins; i++)
        loudest = g->log[i] > g->log[loudest] ? i : loudest;

    float floor = fmaxf(g->log[loudest] * 1e-6f, 1e-30f), top = logf(fmaxf(g->log[loudest], floor));
    float steps_per_log = 20 / logf(10) / level_step;
    for (size_t i = 0; i < g->frames * g->bins; i++) {
        g->log[i] = logf(fmaxf(g->log[i], floor));
        float level = (float)(levels - 1) + (g->log[i] - top) * steps_per_log;
        g->level[i] = (uint16_t)(level > 0 ? level : 0);
    }
    return loudest;
}

// The larger derivative of every cell of a frame.
static void measure_slopes(const struct ebb_phase_gradient *g, size_t frame, float *restrict slope)
{
    size_t bins = g->bins;
    const float *row = g->log + frame * bins, *before = frame ? row - bins : row;
    const float *after = frame + 1 < g->frames ? row + bins : row;
    float time = g->frequency_scale / (after - before == 2 * (ptrdiff_t)bins ? 2 : 1),
          frequency = g->time_scale / 2;

    slope[0] = slope[bins - 1] = 0;
    for (size_t i = 1; i + 1 < bins; i++) {
        float along = fabsf(after[i] - before[i]) * time, across = fabsf(row[i + 1] - row[i - 1]) * frequency;
        slope[i] = along > across ? along : across;
    }
}

static void widen(float *restrict to, const float *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] > to[i] ? from[i] : to[i];
}

// loose = a phase drawn for the cell, as much of it as the cell and its neighbours are flat. Uses turns as
// scratch.
static void loosen(struct ebb_phase_gradient *g, uint64_t seed, uint64_t first)
{
    size_t bins = g->bins;
    for (size_t k = 0; k < g->frames; k++) {
        float *slope = g->turns + k * bins, *around = g->loose + k * bins;
        measure_slopes(g, k, slope);
        memcpy(around, slope, bins * sizeof(float));
        widen(around + 1, slope, bins - 1);
        widen(around, slope + 1, bins - 1);
    }
    memcpy(g->turns, g->loose, g->frames * bins * sizeof(float));
    widen(g->loose + bins, g->turns, (g->frames - 1) * bins);
    widen(g->loose, g->turns + bins, (g->frames - 1) * bins);

    for (size_t k = 0; k < g->frames; k++) {
        ebb_frame_random(g->turns, bins, seed, first + k);
        float *loose = g->loose + k * bins;
        for (size_t i = 0; i < bins; i++) {
            float share = g->level[k * bins + i] ? 1 - loose[i] / flat : 1;
            loose[i] = share > 0 ? share * (g->turns[i] - 0.5f) : 0;
        }
    }
}

// Settled frames have the magnitude of their bins, whatever was wanted.
static void take_magnitude(const struct ebb_phase_cells *cells, size_t frame)
{
    const struct ebb_stft *stft = cells->stft;
    const float *bins = cells->bins + frame * stft->bin_stride;
    float *magnitude = cells->magnitude + frame * stft->real_stride;
    for (int i = 0; i < stft->bins; i++)
        magnitude[i] = sqrtf(bins[2 * i] * bins[2 * i] + bins[2 * i + 1] * bins[2 * i + 1]);
}

// Their phases are where spreading starts.
static void take_phase(struct ebb_phase_gradient *g, const float *bins, size_t frame)
{
    const float *row = bins + frame * g->stft->bin_stride;
    for (size_t i = 0; i < g->bins; i++) {
        size_t cell = frame * g->bins + i;
        float turns = atan2f(row[2 * i + 1], row[2 * i]) / (2 * (float)M_PI) + (i % 2 ? 0.5f : 0);
        g->turns[cell] = turns - rintf(turns);
        g->known[cell] = 1;
        if (g->level[cell])
            push(g, cell);
    }
}

// Starts at cells that have no phase yet: first the loudest cell, then islands in the silence, then the
// silence itself.
static void start_islands(struct ebb_phase_gradient *g, size_t loudest)
{
    for (size_t i = 0; i <= g->frames * g->bins; i++) {
        size_t cell = i ? i - 1 : loudest;
        if (g->known[cell])
            continue;
        g->turns[cell] = g->loose[cell];
        g->known[cell] = 1;
        if (g->level[cell]) {
            push(g, cell);
            flood(g);
        }
    }
}

static void give(const struct ebb_phase_gradient *g, const struct ebb_phase_cells *cells, size_t frame)
{
    const float *magnitude = cells->magnitude + frame * g->stft->real_stride,
                *turns = g->turns + frame * g->bins;
    float *bins = cells->bins + frame * g->stft->bin_stride;
    for (size_t i = 0; i < g->bins; i++) {
        float angle = 2 * (float)M_PI * turns[i], m = i % 2 ? -magnitude[i] : magnitude[i];
        bins[2 * i] = m * cosf(angle);
        bins[2 * i + 1] = m * sinf(angle);
    }
}

static bool is_fixed(const struct ebb_phase_cells *cells, size_t frame)
{
    return frame < cells->fixed_before || frame >= cells->frames - cells->fixed_after;
}

static void prepare(struct ebb_phase_gradient *g, const struct ebb_phase_cells *cells)
{
    // n: of a window as long as the transform, so that its bins and frames lie as close to each other
    float width = (float)cells->stft->width, n = width * width / (float)cells->stft->n_fft,
          hop = (float)cells->stft->hop;
    g->stft = cells->stft;
    g->frames = cells->frames;
    g->bins = (size_t)g->stft->bins;
    g->time_scale = hop / (hann_width * n) / (2 * (float)M_PI);
    g->frequency_scale = hann_width * n / hop / (2 * (float)M_PI);
    g->highest = 0;
    memset(g->known, 0, g->frames * g->bins);
    for (int i = 0; i < levels; i++)
        g->top[i] = NONE;
}

void ebb_phase_gradient_integrate(struct ebb_phase_gradient *g, const struct ebb_phase_cells *cells,
                                  uint64_t seed, uint64_t first)
{
    prepare(g, cells);
    for (size_t k = 0; k < cells->frames; k++)
        if (is_fixed(cells, k))
            take_magnitude(cells, k);
    size_t loudest = measure(g, cells->magnitude, g->stft->real_stride);
    loosen(g, seed, first);
    for (size_t k = 0; k < cells->frames; k++)
        if (is_fixed(cells, k))
            take_phase(g, cells->bins, k);
    flood(g);
    start_islands(g, loudest);
    for (size_t k = 0; k < cells->frames; k++)
        if (!is_fixed(cells, k))
            give(g, cells, k);
}
