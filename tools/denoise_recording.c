// SPDX-License-Identifier: LGPL-2.1-or-later
// How `ebb denoise` cleans one recording, of any length in bounded memory.
#include "denoise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "originals.h"
#include "report.h"
#include "sound.h"
#include "written.h"

enum { BLOCK = 8192 };

// One file under way.
struct file_cleaning {
    struct denoise *d;
    const char *input;
    size_t frames; // claimed by the input, SIZE_MAX: unknown
    size_t written;
    int channels;
    bool exact; // float32 is too little for the samples
    struct ebb_sound_reader *reader;
    struct ebb_denoise *denoiser;
    struct ebb_sound_writer *clean, *noise;
    float *block, *cleaned, *removed;
    double *wide;               // the block in double precision, where `exact`; otherwise NULL
    struct originals originals; // where `exact`: what has not come back yet
};

// ---- recipes ----

// The recipe with what it is made from; NULL after saying why.
static struct ebb_recipe *recipe_of(const struct denoise *d, const char *input)
{
    char source[1200];
    struct ebb_recipe *recipe = ebb_recipe_copy(d->recipe);
    tool_printable(source, sizeof(source), strcmp(input, "-") == 0 ? "-" : tool_base_name(input));
    if (!recipe || tool_set(recipe, "source", source, "source") != TOOL_OK)
        ebb_recipe_destroy(&recipe);
    return recipe;
}

// The same as text, with the format.
static char *describe(const struct denoise *d, const char *input, enum ebb_wav_format format)
{
    struct ebb_recipe *recipe = recipe_of(d, input);
    bool ok = recipe && sound_set_format(recipe, format) == TOOL_OK;
    char *text = ok ? sound_comment(recipe) : NULL;
    ebb_recipe_destroy(&recipe);
    return text;
}

bool denoise_is_cleaned(const struct denoise *d, const char *input, const char *output)
{
    struct stat in, out;
    struct ebb_sound_reader *reader = ebb_sound_reader_open(output, NULL);
    const char *text = reader ? ebb_sound_reader_info(reader)->recipe : NULL;
    struct ebb_recipe *there = text ? ebb_recipe_read(text, NULL) : NULL, *asked = recipe_of(d, input);
    ebb_sound_reader_close(&reader);
    bool open = there && asked && !ebb_recipe_has(asked, "format"), same = there && asked;
    if (open) // it follows from the recording
        same = ebb_recipe_set(asked, "format", ebb_recipe_text(there, "format"), NULL) == EBB_OK;
    same = same && sound_is_there(output, asked, &d->m) && stat(input, &in) == 0 && stat(output, &out) == 0 &&
           in.st_mtime <= out.st_mtime;
    ebb_recipe_destroy(&there);
    ebb_recipe_destroy(&asked);
    return same;
}

// ---- opening and closing ----

static bool on_progress(void *user, double fraction)
{
    struct file_cleaning *p = user;
    (void)fraction; // of the window; how far we are in the file says more
    double done = p->frames && p->frames != SIZE_MAX ? (double)p->written / (double)p->frames : 0;
    return tool_progress_show(&p->d->progress, done < 1 ? done : 1);
}

static bool open_denoiser(struct file_cleaning *p, int rate, struct ebb_error *error)
{
    struct ebb_hooks hooks = EBB_HOOKS;
    hooks.progress = on_progress;
    hooks.user = p;
    p->denoiser = ebb_denoise_create(p->d->m.model, p->d->recipe, rate, p->channels, &hooks, error);
    return p->denoiser != NULL;
}

// What was removed belongs to the recording, too: its marks and times hold for both.
static bool begin_writer(const struct file_cleaning *p, struct ebb_sound_writer *writer,
                         struct ebb_error *error)
{
    const struct ebb_sound_metadata *metadata = ebb_sound_reader_metadata(p->reader);
    return writer && written_begin(writer, metadata, p->frames, error) == EBB_OK;
}

static struct ebb_sound_writer *open_writer(const struct file_cleaning *p, const char *path,
                                            enum ebb_wav_format format, struct ebb_error *error)
{
    char *comment = describe(p->d, p->input, format);
    struct ebb_sound_writer *writer = NULL;
    if (comment)
        writer = ebb_sound_writer_create(path, p->channels, ebb_sound_reader_info(p->reader)->rate, format,
                                         comment, error);
    else
        error->code = EBB_OUT_OF_MEMORY;
    free(comment);
    return writer;
}

static bool open_writers(struct file_cleaning *p, const char *output, const struct ebb_sound_info *info,
                         struct ebb_error *error)
{
    const struct denoise *d = p->d;
    int given = sound_given_format(d->recipe), clean = written_format_for(output, given, info->format);
    p->clean = open_writer(p, output, (enum ebb_wav_format)clean, error);
    p->exact = written_needs_double(info->format) && written_needs_double((enum ebb_wav_format)clean);
    if (!begin_writer(p, p->clean, error) || !d->keep_noise)
        return p->clean && !error->code;
    int noise = written_format_for(d->keep_noise, given, info->format);
    p->noise = open_writer(p, d->keep_noise, (enum ebb_wav_format)noise, error);
    return begin_writer(p, p->noise, error);
}

static bool make_room(struct file_cleaning *p, struct ebb_error *error)
{
    size_t count = (size_t)BLOCK * (size_t)p->channels;
    p->block = calloc(count, sizeof(float));
    p->cleaned = calloc(count, sizeof(float));
    p->removed = calloc(count, sizeof(float));
    p->wide = p->exact ? calloc(count, sizeof(double)) : NULL;
    bool ok = p->block && p->cleaned && p->removed && (p->wide || !p->exact);
    if (!ok)
        error->code = EBB_OUT_OF_MEMORY;
    return ok;
}

static bool open_pass(struct file_cleaning *p, const char *output, struct ebb_error *error)
{
    p->reader = ebb_sound_reader_open(p->input, error);
    if (!p->reader)
        return false;
    const struct ebb_sound_info *info = ebb_sound_reader_info(p->reader);
    p->channels = info->channels;
    p->frames = info->frames;
    return open_denoiser(p, info->rate, error) && open_writers(p, output, info, error) && make_room(p, error);
}

static void close_pass(struct file_cleaning *p)
{
    ebb_sound_writer_destroy(&p->clean);
    ebb_sound_writer_destroy(&p->noise);
    ebb_denoise_destroy(&p->denoiser);
    ebb_sound_reader_close(&p->reader);
    free(p->block);
    free(p->cleaned);
    free(p->removed);
    free(p->wide);
    originals_clear(&p->originals);
}

// ---- samples ----

static enum ebb_result write_clean(struct file_cleaning *p, size_t frames, struct ebb_error *error)
{
    if (!p->exact)
        return ebb_sound_writer_write(p->clean, p->cleaned, frames, error);
    size_t count = frames * (size_t)p->channels;
    const double *cleaned = originals_less(&p->originals, p->removed, count);
    enum ebb_result result = ebb_sound_writer_write_double(p->clean, cleaned, frames, error);
    originals_drop(&p->originals, count);
    return result;
}

// What is ready goes out.
static enum ebb_result write_ready(struct file_cleaning *p, struct ebb_error *error)
{
    size_t got;
    while ((got = ebb_denoise_read(p->denoiser, p->cleaned, p->removed, BLOCK)) > 0) {
        enum ebb_result result = write_clean(p, got, error);
        if (result == EBB_OK && p->noise)
            result = ebb_sound_writer_write(p->noise, p->removed, got, error);
        if (result != EBB_OK)
            return result;
        p->written += got;
    }
    return EBB_OK;
}

static enum ebb_result read_block(struct file_cleaning *p, size_t *got, struct ebb_error *error)
{
    if (!p->exact)
        return ebb_sound_reader_read(p->reader, p->block, BLOCK, got, error);
    enum ebb_result result = ebb_sound_reader_read_double(p->reader, p->wide, BLOCK, got, error);
    size_t count = *got * (size_t)p->channels;
    for (size_t i = 0; i < count; i++)
        p->block[i] = (float)p->wide[i];
    if (result == EBB_OK && !originals_push(&p->originals, p->wide, count))
        result = error->code = EBB_OUT_OF_MEMORY;
    return result;
}

static enum ebb_result run_pass(struct file_cleaning *p, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (size_t got = BLOCK; got == BLOCK && result == EBB_OK;) {
        if (tool_interrupted())
            return error->code = EBB_CANCELLED;
        result = read_block(p, &got, error);
        if (result == EBB_OK)
            result = ebb_denoise_write(p->denoiser, p->block, got, error);
        if (result == EBB_OK)
            result = write_ready(p, error);
        on_progress(p, 0);
    }
    if (result == EBB_OK)
        result = ebb_denoise_finish(p->denoiser, error);
    if (result == EBB_OK)
        result = write_ready(p, error);
    if (result == EBB_OK && p->noise)
        result = ebb_sound_writer_finish(p->noise, error);
    return result == EBB_OK ? ebb_sound_writer_finish(p->clean, error) : result;
}

// ---- one recording ----

static void report(const struct file_cleaning *p, const char *output, double took)
{
    const struct denoise *d = p->d;
    double seconds = (double)p->written / ebb_sound_reader_info(p->reader)->rate;
    double t, least, most, snr = ebb_denoise_snr(p->denoiser);
    if (!ebb_denoise_t_range(p->denoiser, &least, &t, &most)) // nothing was heard
        t = least = most = ebb_denoise_t(p->denoiser);
    if (d->json) {
        json_t *o = json_pack("{s:o, s:o, s:f, s:f, s:f, s:f, s:f}", "input", report_text(p->input), "output",
                              report_text(output), "seconds", seconds, "took", took, "t", t, "t_least", least,
                              "t_most", most);
        json_object_set_new(o, "snr_db", isfinite(snr) ? json_real(snr) : json_null());
        report_print(o);
    } else if (!d->quiet) {
        char ratio[64] = "", range[64] = "";
        if (most - least >= 0.01)
            snprintf(range, sizeof(range), ", from %.2f to %.2f", least, most);
        if (isfinite(snr))
            snprintf(ratio, sizeof(ratio), " (signal to noise: %.0f dB by a rough estimate)", snr);
        bool noise_is_out = d->keep_noise && tool_is_stdout(d->keep_noise);
        tool_print_beside(noise_is_out ? d->keep_noise : output,
                          "%s: %.2f s cleaned at t = %.2f%s%s in %.1f s", tool_shown_output(output), seconds,
                          t, range, ratio, took);
    }
}

// Of a recording that was cut off, what there is was cleaned.
static void warn(const struct file_cleaning *p)
{
    const char *warning = ebb_sound_reader_warning(p->reader);
    if (warning)
        tool_warn("%s", warning);
}

static int input_error(const struct file_cleaning *p, struct ebb_error *error)
{
    if (!p->reader || p->denoiser || error->code != EBB_INVALID)
        return tool_input_error(p->input, error);
    error->code = EBB_UNSUPPORTED; // the settings are settled: it is the recording's rate or channels
    return tool_error_of(p->input, error);
}

int denoise_recording(struct denoise *d, const char *input, const char *output)
{
    struct ebb_error error = {0};
    struct file_cleaning p = {.d = d, .input = input};
    double start = tool_now();
    d->progress.what = tool_base_name(input);
    bool ok = open_pass(&p, output, &error) && run_pass(&p, &error) == EBB_OK;
    tool_progress_clear(&d->progress);
    if (ok) {
        warn(&p);
        written_clipped(output, p.clean);
        if (p.noise)
            written_clipped(d->keep_noise, p.noise);
        written_lost(output, ebb_sound_reader_metadata(p.reader));
        report(&p, output, tool_now() - start);
    }
    int code = ok ? TOOL_OK : input_error(&p, &error);
    close_pass(&p);
    return code;
}
