// SPDX-License-Identifier: LGPL-2.1-or-later
// Read piece by piece: an hour costs no more memory than a second.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/lab.h>

#include "spectrum.h"
#include "tool.h"

struct scan {
    struct spectrum *s;
    struct ebb_sound_reader *reader;
    struct ebb_mel *mel;
    int channels, n_fft, hop;
    size_t skip, length; // frames of the file: before, and drawn
    size_t margin, core; // of a piece: samples seen on either side, samples new
    float *piece, *block, *db;
};

// Windows of about 43 ms, whatever the rate.
static int pick_fft(int rate)
{
    int n = 256;
    while (n < 16384 && n < rate * 0.033)
        n *= 2;
    return n;
}

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static int open_scan(struct scan *a, const char *path, double from, double to, int width)
{
    struct ebb_error error = {0};
    a->reader = ebb_sound_reader_open(path, &error);
    if (!a->reader)
        return tool_error(&error);
    const struct ebb_sound_info *info = ebb_sound_reader_info(a->reader);
    double rate = info->rate, end = to > 0 ? fmin(to * rate, (double)info->frames) : (double)info->frames;
    if (info->frames == SIZE_MAX)
        return tool_fail(TOOL_UNREADABLE, "%s: a stream without a length cannot be drawn", path);
    if (info->frames == 0)
        return tool_fail(TOOL_UNREADABLE, "%s: there are no samples in it", path);
    if (from * rate >= end)
        return tool_fail(TOOL_USAGE, "%s: nothing between %g and %g s; it has %g s", path, from, end / rate,
                         (double)info->frames / rate);
    a->skip = (size_t)(from * rate);
    a->length = (size_t)end - a->skip;
    a->channels = info->channels;

    struct ebb_mel_params p;
    ebb_mel_params_default(&p);
    double hop = (double)a->length / width;
    a->n_fft = p.n_fft = pick_fft(info->rate);
    a->hop = p.hop = (int)fmin(fmax(hop, 16), a->n_fft / 4);
    p.sample_rate = info->rate;
    p.n_mels = 16;
    p.fmax = rate / 2;
    a->mel = ebb_mel_create(&p, &error);
    if (!a->mel)
        return tool_error(&error);
    a->margin = round_up((size_t)a->n_fft, (size_t)a->hop);
    a->core = round_up(32 * (size_t)a->n_fft, (size_t)a->hop);
    *a->s = (struct spectrum){.width = width,
                              .bins = a->n_fft / 2 + 1,
                              .bin_hz = rate / a->n_fft,
                              .start = from,
                              .seconds = (double)a->length / rate,
                              .top = -200};
    return TOOL_OK;
}

static int make_room(struct scan *a)
{
    struct spectrum *s = a->s;
    size_t total = 2 * a->margin + a->core, cells = (size_t)s->width * (size_t)s->bins;
    a->piece = calloc(total, sizeof(float));
    a->block = calloc(a->core, sizeof(float) * (size_t)a->channels);
    a->db = calloc(ebb_mel_frames(a->mel, total) * (size_t)s->bins, sizeof(float));
    s->db = malloc(cells * sizeof(float));
    s->low = calloc((size_t)s->width, sizeof(float));
    s->high = calloc((size_t)s->width, sizeof(float));
    if (!a->piece || !a->block || !a->db || !s->db || !s->low || !s->high)
        return tool_fail(TOOL_FAILED, "no memory for a spectrogram");
    for (size_t i = 0; i < cells; i++)
        s->db[i] = -200;
    return TOOL_OK;
}

static void free_scan(struct scan *a)
{
    ebb_sound_reader_close(&a->reader);
    ebb_mel_destroy(&a->mel);
    free(a->piece);
    free(a->block);
    free(a->db);
}

// The next `count` samples, channels averaged, into `out`; zeros past the end.
static enum ebb_result read_mono(struct scan *a, float *out, size_t count, struct ebb_error *error)
{
    memset(out, 0, count * sizeof(*out));
    size_t channels = (size_t)a->channels, got;
    enum ebb_result result = ebb_sound_reader_read(a->reader, a->block, count, &got, error);
    for (size_t i = 0; i < got; i++) {
        for (size_t c = 0; c < channels; c++)
            out[i] += a->block[i * channels + c];
        out[i] /= (float)channels;
    }
    return result;
}

static enum ebb_result skip_ahead(struct scan *a, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t left = a->skip; left > 0 && result == EBB_OK;) {
        size_t n = left < a->core ? left : a->core, got;
        result = ebb_sound_reader_read(a->reader, a->block, n, &got, error);
        left = got ? left - n : 0;
    }
    return result;
}

// Columns of the picture that the samples from..to fall on, at least one.
static void columns_of(const struct scan *a, size_t from, size_t to, int *first, int *last)
{
    double scale = (double)a->s->width / (double)a->length;
    *first = (int)((double)from * scale);
    *last = (int)((double)to * scale);
    if (*last <= *first)
        *last = *first + 1;
    if (*last > a->s->width)
        *last = a->s->width;
}

static void add_waveform(struct scan *a, const float *samples, size_t at)
{
    for (size_t i = 0; i < a->core && at + i < a->length; i++) {
        int x, end;
        columns_of(a, at + i, at + i + 1, &x, &end);
        for (; x < end; x++) {
            a->s->low[x] = fminf(a->s->low[x], samples[i]);
            a->s->high[x] = fmaxf(a->s->high[x], samples[i]);
        }
    }
}

static void add_frame(struct scan *a, size_t frame, size_t frames, size_t at)
{
    struct spectrum *s = a->s;
    int x, end;
    columns_of(a, at, at + (size_t)a->hop, &x, &end);
    for (; x < end; x++)
        for (int k = 0; k < s->bins; k++) {
            float *cell = &s->db[(size_t)x * (size_t)s->bins + (size_t)k],
                  v = a->db[(size_t)k * frames + frame];
            *cell = fmaxf(*cell, v);
            s->top = (double)v > s->top ? (double)v : s->top;
        }
}

static enum ebb_result scan_all(struct scan *a, struct ebb_error *error)
{
    size_t total = 2 * a->margin + a->core, frames = ebb_mel_frames(a->mel, total), hop = (size_t)a->hop;
    enum ebb_result result = skip_ahead(a, error);
    if (result == EBB_OK)
        result = read_mono(a, a->piece + a->margin + a->core, a->margin, error);
    for (size_t at = 0; at < a->length && result == EBB_OK; at += a->core) {
        memmove(a->piece, a->piece + a->core, 2 * a->margin * sizeof(float));
        result = read_mono(a, a->piece + 2 * a->margin, a->core, error);
        if (result == EBB_OK)
            result = ebb_mel_spectrogram(a->mel, a->piece, total, a->db, error);
        if (result != EBB_OK)
            break;
        add_waveform(a, a->piece + a->margin, at);
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the caller frees what `a` owns
        for (size_t k = 0; k < a->core / hop && at + k * hop < a->length; k++)
            add_frame(a, a->margin / hop + k, frames, at + k * hop);
    }
    return result;
}

int spectrum_read(const char *path, double from, double to, int width, struct spectrum *s)
{
    struct scan a = {.s = s};
    struct ebb_error error = {0};
    *s = (struct spectrum){0};
    int code = open_scan(&a, path, from, to, width);
    if (!code)
        code = make_room(&a);
    if (!code && scan_all(&a, &error) != EBB_OK)
        code = tool_error(&error);
    free_scan(&a);
    if (code)
        spectrum_clear(s);
    return code;
}

void spectrum_clear(struct spectrum *s)
{
    free(s->db);
    free(s->low);
    free(s->high);
    *s = (struct spectrum){0};
}

double spectrum_level(const struct spectrum *s, int column, double from_hz, double to_hz)
{
    const float *db = s->db + (size_t)column * (size_t)s->bins;
    double from = from_hz / s->bin_hz, to = to_hz / s->bin_hz;
    int first = (int)ceil(from), last = (int)floor(to);
    if (first > last || last >= s->bins) {
        double middle = fmin(fmax(0.5 * (from + to), 0), s->bins - 1.001);
        int k = (int)middle;
        return db[k] + (middle - k) * (db[k + 1] - db[k]);
    }
    double loudest = db[first];
    for (int k = first + 1; k <= last; k++)
        loudest = (double)db[k] > loudest ? (double)db[k] : loudest;
    return loudest;
}
