// SPDX-License-Identifier: LGPL-2.1-or-later
// One sound with its waveform above, or a sheet of many.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "picture.h"
#include "spectrum.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// What the recipe says in a few words, if there is one.
static void describe(const char *path, char *out, size_t size)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    const char *recipe = reader ? ebb_sound_reader_info(reader)->recipe : NULL, *label, *sampler;
    json_t *o = recipe ? json_loads(recipe, 0, NULL) : NULL;
    json_int_t seed, index;
    int steps;
    double guidance;
    out[0] = 0;
    if (o && json_unpack(o, "{s:s, s:I, s:I, s:s, s:i, s:F}", "label", &label, "seed", &seed, "index", &index,
                         "sampler", &sampler, "steps", &steps, "guidance", &guidance) == 0)
        snprintf(out, size, "%s, seed %lld, index %lld: %s, %d steps, guidance %g", label, (long long)seed,
                 (long long)index, sampler, steps, guidance);
    json_decref(o);
    ebb_sound_reader_close(&reader);
}

static struct axis frequency_axis(const struct plot *o, const struct spectrum *s, const char *label)
{
    double top = s->bin_hz * (s->bins - 1), low = o->fmin;
    if (o->scale == AXIS_LOG && low < 20)
        low = 20;
    return (struct axis){o->scale, low, o->fmax > 0 ? fmin(o->fmax, top) : top, label};
}

// Exit code. A recording may end below the frequencies that were asked for.
static int read_sound(const struct plot *o, const char *file, int width, struct spectrum *s)
{
    int code = spectrum_read(file, o->from, o->to, width, s);
    struct axis axis = frequency_axis(o, s, NULL);
    if (code || axis.low < axis.high)
        return code;
    return tool_fail(TOOL_USAGE, "%s: there is nothing between %g Hz and %g Hz to draw", file, axis.low,
                     axis.high);
}

// ---- drawing ----

struct heat {
    const struct spectrum *s;
    const struct panel *a;
    double floor, range; // dB
};

static double heat_value(const void *data, int column, int row)
{
    const struct heat *h = data;
    const struct panel *a = h->a;
    double low = axis_value(&a->y, 1 - (row + 1) / a->height), high = axis_value(&a->y, 1 - row / a->height);
    return (spectrum_level(h->s, column, low, high) - h->floor) / h->range;
}

// Colours from `floor` to `floor + range` dB, a column of the panel for each of the spectrum.
static void draw_spectrum(struct picture *p, const struct spectrum *s, const struct panel *a, double floor,
                          double range)
{
    struct heat heat = {s, a, floor, range};
    panel_heat(p, a, s->width, (int)a->height, heat_value, &heat);
}

// ---- one ----

enum { LEFT = 100 }; // room for ticks and label

static void draw_waveform(struct picture *p, const struct spectrum *s, const struct panel *a)
{
    panel_grid(p, a);
    for (int x = 0; x < s->width; x++) {
        double at = a->left + x + 0.5;
        double high = panel_y(a, (double)s->high[x]) - 0.5, low = panel_y(a, (double)s->low[x]) + 0.5;
        picture_line(p, at, high, at, low, 1, ACCENT); // a pixel high where it is silent
    }
    panel_frame(p, a);
}

// A round full scale for the waveform, so that soft sounds can be seen.
static double wave_scale(const struct spectrum *s)
{
    double peak = 1e-3, scale = 1;
    for (int x = 0; x < s->width; x++) {
        double high = (double)s->high[x], low = -(double)s->low[x], most = high > low ? high : low;
        peak = most > peak ? most : peak;
    }
    while (scale > 2 * peak)
        scale /= 2;
    while (scale < peak)
        scale *= 2;
    return scale;
}

static void draw_single(struct picture *p, const struct plot *o, const struct spectrum *s, double width)
{
    enum { WAVE = 92, TOP = PICTURE_TOP + WAVE + 14 };
    const struct axis time = {AXIS_LINEAR, s->start, s->start + s->seconds, "time (s)"};
    double full = wave_scale(s), top = 5 * ceil(s->top / 5), height = p->height - TOP - 72;
    struct panel wave = {LEFT, PICTURE_TOP, width, WAVE, TEXT_LABEL, .y = {AXIS_LINEAR, -full, full, NULL}};
    struct panel a = {LEFT, TOP, width, height, TEXT_LABEL, .x = time};
    a.y = frequency_axis(o, s, "frequency (Hz)");
    const struct axis levels = {AXIS_LINEAR, top - o->range, top, "level (dB, full-scale sine = 0)"};
    draw_waveform(p, s, &wave);
    draw_spectrum(p, s, &a, top - o->range, o->range);
    panel_frame(p, &a);
    panel_bar(p, LEFT + width, TOP, height, levels);
}

static int draw_one(const struct plot *o, void *data, struct picture *p)
{
    const char *file = data;
    char recipe[256];
    struct spectrum s;
    double width = p->width - LEFT - PANEL_BAR - PICTURE_MARGIN;
    int code = read_sound(o, file, (int)width, &s);
    if (!code) {
        describe(file, recipe, sizeof(recipe));
        picture_title(p, o->title ? o->title : base_name(file), recipe);
        draw_single(p, o, &s, width);
    }
    spectrum_clear(&s);
    return code;
}

// ---- a strip ----

static int draw_strip(const struct plot *o, void *data, struct picture *p)
{
    struct spectrum s;
    int code = read_sound(o, data, (int)p->width, &s);
    if (!code) {
        struct panel a = {0, 0, p->width, p->height, TEXT_SMALL, .y = frequency_axis(o, &s, NULL)};
        draw_spectrum(p, &s, &a, s.top - o->range, o->range);
    }
    spectrum_clear(&s);
    return code;
}

int plot_strip(const char *sound, const char *out, int width, int height)
{
    const struct plot o = {.out = out, .scale = AXIS_MEL, .range = 80};
    return picture_write(&o, width, height, draw_strip, (void *)(uintptr_t)sound);
}

// ---- many ----

struct sheet {
    char **files;
    int count, columns, width, height; // of a cell, units
    bool same_length;                  // one time axis serves all
    size_t ending;                     // what all names end in says nothing: that many characters
};

enum { SHEET_LEFT = 76, SHEET_GAP = 26, SHEET_CAPTION = 26, SHEET_BOTTOM = 40 };

static size_t name_length(const char *base)
{
    const char *dot = strrchr(base, '.');
    return dot && dot > base ? (size_t)(dot - base) : strlen(base);
}

// Length of the ending that all names share, from a '-' on ("-s0-000").
static size_t common_ending(char **files, int count)
{
    const char *first = base_name(files[0]);
    size_t length = name_length(first), shared = length, ending = 0;
    for (int i = 1; i < count; i++) {
        const char *base = base_name(files[i]);
        size_t n = name_length(base), k = 0;
        while (k < n && k < shared && base[n - 1 - k] == first[length - 1 - k])
            k++;
        shared = k < n ? k : 0;
    }
    for (size_t k = 1; k <= shared && k < length; k++)
        if (first[length - k] == '-')
            ending = k;
    return ending;
}

static double length_of(const char *file)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(file, NULL);
    const struct ebb_sound_info *info = reader ? ebb_sound_reader_info(reader) : NULL;
    double seconds = info ? (double)info->frames / info->rate : 0;
    ebb_sound_reader_close(&reader);
    return seconds;
}

static bool same_length(char **files, int count)
{
    for (int i = 1; i < count; i++)
        if (fabs(length_of(files[i]) - length_of(files[0])) > 0.002)
            return false;
    return true;
}

static void draw_caption(struct picture *p, const struct sheet *sheet, const struct panel *a,
                         const char *file, double seconds)
{
    char text[256];
    const char *base = base_name(file);
    double y = a->top - 13, room = a->width;
    if (!sheet->same_length) {
        snprintf(text, sizeof(text), "%.2f s", seconds);
        picture_text(p, a->left + a->width, y, 1, TEXT_SMALL, FAINT, text);
        room -= picture_text_width(p, TEXT_SMALL, text) + 10;
    }
    snprintf(text, sizeof(text), "%.*s", (int)(name_length(base) - sheet->ending), base);
    picture_text_cut(p, a->left, y, room, TEXT_SMALL, INK, text);
}

// Ticks at the left and below only where the sheet ends; every cell is as loud as its loudest place.
static void draw_cell(struct picture *p, const struct plot *o, const struct sheet *sheet, int i,
                      const struct spectrum *s)
{
    int column = i % sheet->columns, row = i / sheet->columns;
    double left = SHEET_LEFT + column * (sheet->width + SHEET_GAP);
    double top = PICTURE_TOP + row * (sheet->height + SHEET_CAPTION + SHEET_GAP) + SHEET_CAPTION;
    struct panel a = {left, top, sheet->width, sheet->height, TEXT_SMALL, .y = frequency_axis(o, s, NULL)};
    draw_caption(p, sheet, &a, sheet->files[i], s->seconds);
    draw_spectrum(p, s, &a, s->top - o->range, o->range);
    if (i + sheet->columns >= sheet->count && sheet->same_length)
        a.x = (struct axis){AXIS_LINEAR, s->start, s->start + s->seconds, "time (s)"};
    if (column > 0)
        a.y.high = a.y.low; // no ticks
    panel_frame(p, &a);
}

static int draw_sheet(const struct plot *o, void *data, struct picture *p)
{
    const struct sheet *sheet = data;
    const struct axis levels = {AXIS_LINEAR, -o->range, 0, "dB below each sound's loudest"};
    int rows = (sheet->count + sheet->columns - 1) / sheet->columns;
    double all = rows * (sheet->height + SHEET_CAPTION + SHEET_GAP) - SHEET_CAPTION - SHEET_GAP;
    struct tool_progress progress = {.what = "drawing"};
    char title[80];
    snprintf(title, sizeof(title), "%d sounds: frequency (Hz) over time", sheet->count);
    picture_title(p, o->title ? o->title : title, "");
    panel_bar(p, p->width - PANEL_BAR - PICTURE_MARGIN, PICTURE_TOP + SHEET_CAPTION, fmin(all, 360), levels);

    int code = TOOL_OK;
    for (int i = 0; i < sheet->count && !code; i++) {
        struct spectrum s;
        code = read_sound(o, sheet->files[i], sheet->width, &s);
        if (!code)
            draw_cell(p, o, sheet, i, &s);
        spectrum_clear(&s);
        if (!code && !tool_progress_show(&progress, (i + 1.0) / sheet->count))
            code = tool_fail(TOOL_INTERRUPTED, "interrupted");
    }
    tool_progress_clear(&progress);
    return code;
}

static int plot_sheet(const struct plot *o, char **files, int count)
{
    const int beside = SHEET_LEFT + PANEL_BAR + PICTURE_MARGIN, above = PICTURE_TOP + SHEET_BOTTOM;
    int columns = o->columns ? o->columns : (int)ceil(sqrt(count * 0.8));
    struct sheet sheet = {.files = files, .count = count, .same_length = same_length(files, count)};
    sheet.ending = common_ending(files, count);
    sheet.columns = columns < count ? columns : count;
    int rows = (count + sheet.columns - 1) / sheet.columns;
    int cell = count <= 6 ? 440 : count <= 20 ? 340 : 240; // few are shown larger
    int width = o->width ? o->width : sheet.columns * (cell + SHEET_GAP) + beside;
    int per_row = o->height ? (o->height - above) / rows : cell * 58 / 100 + SHEET_CAPTION + SHEET_GAP;
    sheet.width = (width - beside) / sheet.columns - SHEET_GAP;
    sheet.height = per_row - SHEET_CAPTION - SHEET_GAP;
    if (sheet.width < 40 || sheet.height < 30)
        return tool_fail(TOOL_USAGE, "%d pictures do not fit; give a larger --width or --height", count);
    return picture_write(o, width, o->height ? o->height : above + rows * per_row, draw_sheet, &sheet);
}

int plot_spectrogram(const struct plot *o, char **files, int count)
{
    if (count < 1)
        return tool_fail(TOOL_USAGE, "name a sound file, or several for a sheet");
    return count == 1 ? picture_write(o, 1400, 720, draw_one, files[0]) : plot_sheet(o, files, count);
}
