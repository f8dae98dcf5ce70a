// One sound with its waveform above, or a sheet of many.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "plot.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// What the recipe says in a few words, if there is one.
static void describe(const char *path, char *out, size_t size)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    const char *comment = reader ? ebb_sound_reader_info(reader)->comment : NULL, *label, *sampler;
    json_t *o = comment ? json_loads(comment, 0, NULL) : NULL;
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

static struct chart_axis frequency_axis(const struct plot *o, const struct spectrum *s, const char *label)
{
    double top = s->bin_hz * (s->bins - 1), low = o->fmin;
    if (o->scale == CHART_LOG && low < 20)
        low = 20;
    return (struct chart_axis){o->scale, low, o->fmax > 0 ? fmin(o->fmax, top) : top, label, true};
}

// A recording may end below what was asked for. Exit code.
static int check_axis(const struct plot *o, const struct spectrum *s, const char *file)
{
    struct chart_axis axis = frequency_axis(o, s, NULL);
    if (axis.low < axis.high)
        return TOOL_OK;
    return tool_fail(TOOL_USAGE, "%s: there is nothing between %g Hz and %g Hz to draw", file, axis.low, axis.high);
}

// ---- one ----

enum { LEFT = 104 }; // room for ticks and label

static void draw_waveform(const struct spectrum *s, const struct chart *p)
{
    double middle = p->top + p->height / 2.0, half = p->height / 2.0 / p->y.high;
    for (int x = 0; x < p->width; x++) {
        double low = middle - (double)s->low[x] * half, high = middle - (double)s->high[x] * half;
        canvas_line(p->c, p->left + x + 0.5, fmax(high, p->top), p->left + x + 0.5, fmin(low, p->top + p->height), 1.2,
                    0x51127c);
    }
}

// A round full scale for the waveform, so that soft sounds can be seen.
static double wave_scale(const struct spectrum *s)
{
    double peak = 1e-3, scale = 1;
    for (int x = 0; x < s->width; x++)
        peak = fmax(peak, fmax((double)s->high[x], -(double)s->low[x]));
    while (scale > 2 * peak)
        scale /= 2;
    return scale;
}

static void draw_single(const struct plot *o, const char *file, const struct spectrum *s, struct canvas *c, int right)
{
    enum { WAVE = 70, GAP = 14 };
    char recipe[256];
    double top = 5 * ceil(s->top / 5);
    struct chart wave = {.c = c, .left = LEFT, .top = 66, .width = c->width - LEFT - right, .height = WAVE,
                         .x = {CHART_LINEAR, s->start, s->start + s->seconds, NULL, false}};
    struct chart p = wave;
    wave.y = (struct chart_axis){CHART_LINEAR, -wave_scale(s), wave_scale(s), NULL, false};
    p.top += WAVE + GAP;
    p.height = c->height - p.top - 66;
    p.y = frequency_axis(o, s, "frequency (Hz)");
    p.x.label = "time (s)";

    draw_waveform(s, &wave);
    canvas_line(c, wave.left, wave.top + WAVE / 2.0, wave.left + wave.width, wave.top + WAVE / 2.0, 1, 0x51127c);
    canvas_text(c, wave.left - 9, wave.top + WAVE / 2.0 + 6, CHART_TEXT, CANVAS_RIGHT, CANVAS_INK, "0");
    char full[16];
    snprintf(full, sizeof(full), "%.3g", wave.y.high);
    canvas_text(c, wave.left - 9, wave.top + 13, CHART_TEXT, CANVAS_RIGHT, CANVAS_INK, full);
    canvas_line(c, wave.left, wave.top, wave.left, wave.top + WAVE, 1, CANVAS_FAINT);

    spectrum_draw(s, &p, top - o->range, o->range);
    chart_frame(&p);
    chart_heat_bar(&p, top - o->range, top, "level (dB, full-scale sine = 0)");
    canvas_text(c, p.left, 34, CHART_TITLE + 3, CANVAS_LEFT, CANVAS_INK, o->title ? o->title : base_name(file));
    describe(file, recipe, sizeof(recipe));
    canvas_text(c, p.left + p.width, 34, CHART_TEXT, CANVAS_RIGHT, CANVAS_FAINT, recipe);
}

static int plot_one(const struct plot *o, const char *file)
{
    const int right = 126;
    struct canvas c;
    struct spectrum s;
    int width = o->width ? o->width : 1400, height = o->height ? o->height : 720;
    int code = spectrum_read(file, o->from, o->to, width - LEFT - right, &s);
    if (code)
        return code;
    code = check_axis(o, &s, file);
    if (!code && !canvas_create(&c, width, height))
        code = TOOL_FAILED;
    if (!code) {
        draw_single(o, file, &s, &c, right);
        code = canvas_write(&c, o->out);
        canvas_destroy(&c);
    }
    spectrum_clear(&s);
    return code;
}

// ---- many ----

struct sheet {
    int columns, rows, cell_width, cell_height;
    bool same_length; // one time axis serves all
    int left, top;
    size_t ending; // what all names end in says nothing: that many characters
};

enum { SHEET_GAP = 26, SHEET_CAPTION = 26 };

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

// The file's name, as much of it as tells and fits.
static void cell_title(const char *file, size_t ending, double width, char *out, size_t size)
{
    const char *base = base_name(file);
    snprintf(out, size, "%.*s", (int)(name_length(base) - ending), base);
    for (size_t n = strlen(out); n > 3 && canvas_text_width(CHART_SMALL + 1, out) > width; n--)
        memcpy(out + n - 3, "..", 3);
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

// Ticks at the left and below only where the sheet ends; every cell is as loud as its loudest place.
static int draw_cell(const struct plot *o, const struct sheet *sheet, struct canvas *c, const char *file, int i,
                     int count)
{
    struct spectrum s;
    char title[64];
    int column = i % sheet->columns, row = i / sheet->columns;
    struct chart p = {.c = c, .width = sheet->cell_width, .height = sheet->cell_height, .text = CHART_SMALL,
                      .left = sheet->left + column * (sheet->cell_width + SHEET_GAP),
                      .top = sheet->top + row * (sheet->cell_height + SHEET_CAPTION + SHEET_GAP) + SHEET_CAPTION};
    int code = spectrum_read(file, o->from, o->to, p.width, &s);
    if (code)
        return code;
    code = check_axis(o, &s, file);
    if (code) {
        spectrum_clear(&s);
        return code;
    }
    bool lowest = i + sheet->columns >= count && sheet->same_length;
    if (!sheet->same_length) {
        snprintf(title, sizeof(title), "%.2f s", s.seconds);
        canvas_text(c, p.left + p.width, p.top - 7, CHART_SMALL, CANVAS_RIGHT, CANVAS_FAINT, title);
    }
    p.x = (struct chart_axis){CHART_LINEAR, s.start, s.start + s.seconds, lowest ? "time (s)" : NULL, false};
    p.y = frequency_axis(o, &s, NULL);
    spectrum_draw(&s, &p, s.top - o->range, o->range);
    cell_title(file, sheet->ending, p.width - (sheet->same_length ? 0 : 52), title, sizeof(title));
    canvas_text(c, p.left, p.top - 7, CHART_SMALL + 1, CANVAS_LEFT, CANVAS_INK, title);
    if (column > 0)
        p.y.high = p.y.low; // no ticks
    if (!lowest)
        p.x.high = p.x.low;
    chart_frame(&p);
    spectrum_clear(&s);
    return TOOL_OK;
}

static int plot_sheet(const struct plot *o, char **files, int count)
{
    struct sheet sheet = {.same_length = same_length(files, count),
                          .ending = common_ending(files, count),
                          .left = 70,
                          .top = 60,
                          .columns = o->columns ? o->columns : (int)ceil(sqrt(count * 0.8))};
    sheet.columns = sheet.columns < count ? sheet.columns : count;
    sheet.rows = (count + sheet.columns - 1) / sheet.columns;
    int cell = count <= 6 ? 440 : count <= 20 ? 340 : 240; // few are shown larger
    int width = o->width ? o->width : sheet.columns * (cell + SHEET_GAP) + 186;
    sheet.cell_width = (width - sheet.left - 116) / sheet.columns - SHEET_GAP;
    int per_row = o->height ? (o->height - sheet.top - 60) / sheet.rows : cell * 58 / 100 + SHEET_CAPTION + SHEET_GAP;
    sheet.cell_height = per_row - SHEET_CAPTION - SHEET_GAP;
    if (sheet.cell_width < 40 || sheet.cell_height < 30)
        return tool_fail(TOOL_USAGE, "%d pictures do not fit; give a larger --width or --height", count);

    struct canvas c;
    if (!canvas_create(&c, width, o->height ? o->height : sheet.top + sheet.rows * per_row + 60))
        return TOOL_FAILED;
    char title[80];
    snprintf(title, sizeof(title), "%d sounds: frequency (Hz) over time", count);
    canvas_text(&c, sheet.left, 36, CHART_TITLE + 3, CANVAS_LEFT, CANVAS_INK, o->title ? o->title : title);
    int code = TOOL_OK;
    struct tool_progress progress = {.what = "drawing"};
    for (int i = 0; i < count && !code; i++) {
        code = draw_cell(o, &sheet, &c, files[i], i, count);
        if (!code && !tool_progress_show(&progress, (i + 1.0) / count))
            code = tool_fail(TOOL_INTERRUPTED, "interrupted");
    }
    tool_progress_clear(&progress);
    struct chart bar = {.c = &c, .left = width - 126, .top = sheet.top + SHEET_CAPTION, .width = 0,
                        .height = fmin(2 * sheet.cell_height, 360) > 120 ? (int)fmin(2 * sheet.cell_height, 360) : 120};
    chart_heat_bar(&bar, -o->range, 0, "dB below each sound's loudest");
    if (!code)
        code = canvas_write(&c, o->out);
    canvas_destroy(&c);
    return code;
}

int plot_spectrogram(const struct plot *o, char **files, int count)
{
    if (count < 1)
        return tool_fail(TOOL_USAGE, "name a sound file, or several for a sheet");
    return count == 1 ? plot_one(o, files[0]) : plot_sheet(o, files, count);
}
