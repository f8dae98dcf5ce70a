// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoise/channel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/denoise.h>

#include "audio/mel_coding.h"
#include "base/base.h"
#include "diffusion/noise.h"
#include "base/fifo.h"
#include "denoise/auto_t.h"
#include "denoise/level.h"

// dB by which a band of mirrored frames falls at most from one frame to the next, from the last frame that
// was heard on. A sound that begins there would look like a click if it fell as fast as it rose.
#define MIRRORED_FALLS 2.5f

struct ebb_denoise_channel {
    struct ebb_model *model;                       // borrowed
    struct ebb_denoise_channel_settings *settings; // borrowed
    struct ebb_denoise_channel_size size;
    struct ebb_mel *mel;
    struct ebb_overlap *overlap;
    struct ebb_auto_t auto_t;

    struct ebb_fifo in, out;
    uint64_t written, given; // samples
    int64_t frames, done;    // frames analysed, and cleaned
    size_t lead;             // samples before the recording's first that synthesis still has to drop

    float *bins;   // ring of hop + ahead frames of the recording
    bool *silent;  // ring of `frames`: nothing but zeros in the frame
    int *source;   // per place of a window: the frame that the network sees there
    float *powers; // ring of `frames` frames (n_mels)
    float *total;  // ring of `frames`: power of all bands
    float *sorted; // the totals of a window, for sorting
    struct ebb_level level;
    float view;  // the network sees all powers multiplied by this
    float *gain; // (hop + ahead, n_mels): gains of the current window
    float *kept; // (ahead, n_mels): the previous window's gains for the first frames of this hop
    bool keeps, ended;
    double wet; // at the end of the last hop
    // (n_mels): power that the network keeps and takes of a frame at t = 1
    float *kept_band, *taken_band;

    float *state, *condition, *first; // (h, w, c)
    float *column, *bin_gain, *removed, *piece;
};

// ---- life ----

static bool make_room(struct ebb_denoise_channel *c)
{
    const struct ebb_stft *stft = c->mel->stft;
    size_t bands = c->mel->params.n_mels, span = c->size.hop + c->size.ahead, cells = bands * c->size.frames;
    c->overlap = ebb_overlap_create(c->mel->stft);
    c->bins = ebb_stft_alloc_bins(stft, span);
    c->removed = ebb_stft_alloc_bins(stft, 1);
    c->bin_gain = ebb_stft_alloc_real(stft, 1);
    c->silent = ebb_alloc(c->size.frames, sizeof(bool));
    c->source = ebb_alloc(c->size.frames, sizeof(int));
    c->powers = ebb_alloc(cells, sizeof(float));
    c->total = ebb_alloc(c->size.frames, sizeof(float));
    c->sorted = ebb_alloc(c->size.frames, sizeof(float));
    c->gain = ebb_alloc(bands * span, sizeof(float));
    c->kept = ebb_alloc(bands * c->size.ahead, sizeof(float));
    c->state = ebb_alloc(cells, sizeof(float));
    c->condition = ebb_alloc(cells, sizeof(float));
    c->first = ebb_alloc(cells, sizeof(float));
    c->column = ebb_alloc(bands * c->model->patch[1], sizeof(float));
    c->kept_band = ebb_alloc(bands, sizeof(float));
    c->taken_band = ebb_alloc(bands, sizeof(float));
    c->piece = ebb_alloc(stft->hop, sizeof(float));
    return c->overlap && c->bins && c->removed && c->bin_gain && c->silent && c->source && c->powers &&
           c->total && c->sorted && c->gain && c->kept && c->state && c->condition && c->first && c->column &&
           c->kept_band && c->taken_band && c->piece &&
           ebb_auto_t_init(&c->auto_t, c->model, c->mel, c->size.hop, c->size.ahead);
}

struct ebb_denoise_channel *ebb_denoise_channel_create(struct ebb_model *model,
                                                       struct ebb_denoise_channel_settings *settings,
                                                       const struct ebb_denoise_channel_size *size,
                                                       struct ebb_error *error)
{
    struct ebb_denoise_channel *c = ebb_alloc(1, sizeof(*c));
    if (!c) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a channel");
        return NULL;
    }
    c->model = model;
    c->settings = settings;
    c->size = *size;
    c->mel = ebb_mel_create(&model->mel, error);
    if (!c->mel) {
        ebb_denoise_channel_destroy(&c);
    } else if (!make_room(c)) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a channel");
        ebb_denoise_channel_destroy(&c);
    } else {
        ebb_denoise_channel_reset(c);
    }
    return c;
}

void ebb_denoise_channel_destroy(struct ebb_denoise_channel **channel)
{
    struct ebb_denoise_channel *c = *channel;
    if (!c)
        return;
    float *rooms[] = {c->bins,   c->removed, c->bin_gain,  c->powers,     c->total,
                      c->sorted, c->gain,    c->kept,      c->state,      c->condition,
                      c->first,  c->column,  c->kept_band, c->taken_band, c->piece};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++)
        free(rooms[i]);
    free(c->silent);
    free(c->source);
    ebb_auto_t_free(&c->auto_t);
    ebb_overlap_destroy(&c->overlap);
    ebb_mel_destroy(&c->mel);
    ebb_fifo_free(&c->in);
    ebb_fifo_free(&c->out);
    free(c);
    *channel = NULL;
}

void ebb_denoise_channel_reset(struct ebb_denoise_channel *c)
{
    ebb_fifo_empty(&c->in);
    ebb_fifo_empty(&c->out);
    ebb_overlap_reset(c->overlap);
    ebb_level_reset(&c->level);
    c->view = 1;
    ebb_auto_t_reset(&c->auto_t);
    c->written = c->given = 0;
    c->frames = c->done = 0;
    c->lead = c->mel->stft->n_fft / 2;
    c->keeps = c->ended = false;
    c->wet = c->settings->wet;
    for (int i = 0; i < c->size.frames; i++)
        c->silent[i] = true; // silence before the recording
}

size_t ebb_denoise_channel_latency(const struct ebb_model *model, const struct ebb_denoise_channel_size *size)
{
    return (size_t)model->mel.hop * (size->hop + size->ahead - 1) + model->mel.n_fft;
}

// ---- the network ----

// Cell (band, frame) of a window lies in a state (h, w, c) at:
static size_t cell(const struct ebb_denoise_channel *c, int band, int frame)
{
    int ph = c->model->patch[0], pw = c->model->patch[1], w = c->size.frames / pw;
    size_t pixel = (size_t)(band / ph) * w + frame / pw;
    return pixel * ph * pw + (size_t)(band % ph) * pw + frame % pw;
}

static size_t ring(int64_t frame, int size)
{
    return (size_t)((frame % size + size) % size);
}

// Index `i` mirrored at both ends into 0..count-1.
static int mirror(int i, int count)
{
    i %= 2 * count;
    return i < count ? i : 2 * count - 1 - i;
}

// A column of the recording has noise of its own: windows that overlap see the same noise in it.
static void draw_first(struct ebb_denoise_channel *c, int64_t begin)
{
    int ph = c->model->patch[0], pw = c->model->patch[1], h = c->mel->params.n_mels / ph, depth = ph * pw;
    int w = c->size.frames / pw;
    for (int x = 0; x < w; x++) {
        struct ebb_noise_place place = ebb_noise_place(
            &(struct ebb_noise_address){.index = (uint64_t)(begin / pw + x)});
        ebb_noise_philox(c->settings->seed, place.clip, place.draw, place.first, (size_t)h * depth,
                         c->column);
        for (int y = 0; y < h; y++)
            memcpy(c->first + ((size_t)y * w + x) * depth, c->column + (size_t)y * depth,
                   depth * sizeof(float));
    }
}

// Whether a frame is digital silence, is centred behind the recording's end, or is not heard yet.
static bool is_void(const struct ebb_denoise_channel *c, int64_t frame)
{
    return frame >= c->frames || c->silent[ring(frame, c->size.frames)] ||
           (c->ended && frame > (int64_t)(c->written / c->mel->stft->hop));
}

// The network never sees digital silence (the frames before the beginning and after the end are silent too):
// no training sound had any, and the network's norms run over the whole window. In place of silent frames it
// sees the frames beside them, mirrored.
static void choose_sources(struct ebb_denoise_channel *c, int64_t begin)
{
    int n = c->size.frames, first = 0;
    int from = 0, to = 0; // the latest run of frames with sound
    while (first < n && is_void(c, begin + first))
        first++;
    for (int i = first; i < n; i++) {
        bool silent = is_void(c, begin + i);
        if (!silent && (i == first || is_void(c, begin + i - 1)))
            from = i;
        to = silent ? to : i + 1;
        c->source[i] = silent ? to - 1 - mirror(i - to, to - from) : i;
    }
    int end = first; // end of the first run
    while (end < n && !is_void(c, begin + end))
        end++;
    for (int i = 0; i < first; i++)
        c->source[i] = end > first ? first + mirror(first - 1 - i, end - first) : i;
}

// Network values of a frame that is still in the ring.
static float value_at(const struct ebb_denoise_channel *c, int64_t frame, int band)
{
    return ebb_mel_value(c->mel,
                         c->view * c->powers[ring(frame, c->size.frames) * c->mel->params.n_mels + band]);
}

// The value that the network sees at place `i` of a window.
static float seen_at(const struct ebb_denoise_channel *c, int64_t begin, int i, int band)
{
    int last = c->size.frames - c->size.mirrored - 1;
    float value = value_at(c, begin + c->source[i], band);
    if (i <= last)
        return value;
    float fall = (float)(i - last) * MIRRORED_FALLS / (float)c->mel->params.db_range;
    return fmaxf(value, value_at(c, begin + c->source[last], band) - fall);
}

// The network sees a recording that is far too quiet or too loud through a gain. The recording keeps its
// level.
static void choose_view(struct ebb_denoise_channel *c, int64_t begin)
{
    size_t count = 0;
    for (int i = 0; i < c->size.frames; i++)
        if (!is_void(c, begin + i))
            c->sorted[count++] = c->total[ring(begin + i, c->size.frames)];
    double db = ebb_level_follow(&c->level, ebb_level_of(c->sorted, count), c->size.hop);
    c->view = db == 0 ? 1 : (float)pow(10, db / 10);
}

static enum ebb_result run_network(struct ebb_denoise_channel *c, int64_t begin, double t,
                                   const char *sampler, int steps, struct ebb_error *error)
{
    const struct ebb_model *m = c->model;
    const struct ebb_denoise_channel_settings *s = c->settings;
    int bands = m->mel.n_mels, depth = m->patch[0] * m->patch[1];
    choose_sources(c, begin);
    for (int i = 0; i < c->size.frames; i++)
        for (int band = 0; band < bands; band++) {
            float value = seen_at(c, begin, i, band);
            c->condition[cell(c, band, i)] = value;
            c->state[cell(c, band, i)] = m->change_db > 0 ? 1 : value;
        }
    draw_first(c, begin);

    struct ebb_reverse_size size = {.n = 1,
                                    .h = bands / m->patch[0],
                                    .w = c->size.frames / m->patch[1],
                                    .c = depth,
                                    .condition = m->conditioned ? depth : 0};
    enum ebb_result chosen = ebb_workspace_bf16(c->model, s->precision, &size.bf16, error);
    struct ebb_reverse *reverse = chosen == EBB_OK ? ebb_workspace_reverse(c->model, &size, error) : NULL;
    if (!reverse)
        return error->code;
    struct ebb_run_params run = m->run;
    run.schedule = m->schedule;
    run.sampler = sampler;
    run.steps = steps;
    run.start = t;
    struct ebb_reverse_job job = {
        .run = &run,
        .item = {m->no_label},
        .noise = {EBB_NOISE_PHILOX, {.from = s->seed}, {.index = (uint64_t)begin}},
        .first = c->first,
        .start = c->state,
        .condition = c->condition,
        .progress = s->progress,
    };
    return ebb_reverse_run(reverse, &job, c->state, error);
}

// The network's answer for one cell, as a gain on the amplitude. It is the ratio of the powers, not the root
// of that ratio: the ratio was measured to be better.
static float gain_of(const struct ebb_model *m, float x, float noisy)
{
    double db = m->change_db > 0 ? m->change_db / 2 * (fmax(x, -1) - 1)
                                 : (fmax(x, -1) - noisy) * m->mel.db_range;
    return (float)pow(10, fmin(db, 0) / 10);
}

// ---- a hop ----

static int past_of(const struct ebb_denoise_channel *c)
{
    return c->size.frames - c->size.hop - c->size.ahead - c->size.mirrored;
}

// The network's gain of a band in frame `i` of the hop and of the frames ahead.
static float said_gain(const struct ebb_denoise_channel *c, int i, int band)
{
    return gain_of(c->model, c->state[cell(c, band, past_of(c) + i)], value_at(c, c->done + i, band));
}

// Power of the hop that the network keeps and removes at t = 1.
static enum ebb_result split_hop(struct ebb_denoise_channel *c, struct ebb_error *error)
{
    int bands = c->mel->params.n_mels;
    enum ebb_result result = run_network(c, c->done - past_of(c), 1, "ddim", 1, error);
    for (int i = 0; i < c->size.hop && result == EBB_OK; i++) {
        struct ebb_split_frame frame = {.kept_band = c->kept_band, .taken_band = c->taken_band};
        if (is_void(c, c->done + i))
            continue;
        for (int band = 0; band < bands; band++) {
            double gain = said_gain(c, i, band),
                   power = ebb_mel_unvalue(c->mel, value_at(c, c->done + i, band));
            double keeps = gain * gain * power / c->view, takes = (1 - gain) * (1 - gain) * power / c->view;
            c->kept_band[band] = (float)keeps;
            c->taken_band[band] = (float)takes;
            frame.kept += keeps;
            frame.taken += takes;
            frame.between += 2 * gain * (1 - gain) * power / c->view;
        }
        ebb_auto_t_add_split(&c->auto_t, &frame);
    }
    return result;
}

static enum ebb_result choose_t(struct ebb_denoise_channel *c, double *t, struct ebb_error *error)
{
    bool asks = c->model->auto_doubt.count > 0; // the network, for its opinion
    enum ebb_result result = asks ? split_hop(c, error) : EBB_OK;
    if (result == EBB_OK)
        *t = asks ? ebb_auto_t_choose(&c->auto_t) : ebb_auto_t_of_snr(c->model, c->settings->snr);
    return result;
}

static void count_t(struct ebb_denoise_range *range, double t)
{
    range->least = range->count == 0 || t < range->least ? t : range->least;
    range->most = range->count == 0 || t > range->most ? t : range->most;
    range->sum += t;
    range->count++;
}

static bool hop_is_silent(const struct ebb_denoise_channel *c)
{
    bool silent = true;
    for (int i = 0; i < c->size.hop; i++)
        silent = silent && c->silent[ring(c->done + i, c->size.frames)];
    return silent;
}

// Gains of the hop and of the frames ahead.
static enum ebb_result find_gains(struct ebb_denoise_channel *c, struct ebb_error *error)
{
    struct ebb_denoise_channel_settings *s = c->settings;
    int bands = c->mel->params.n_mels;
    bool heard = (s->wet > 0 || c->wet > 0) && !hop_is_silent(c);
    double t = s->automatic ? s->used_t : s->t;
    enum ebb_result result = EBB_OK;
    choose_view(c, c->done - past_of(c));
    if (!isnan(ebb_auto_t_snr(&c->auto_t)))
        s->snr = ebb_auto_t_snr(&c->auto_t);
    if (heard && s->automatic)
        result = choose_t(c, &t, error);
    bool idle = !heard || t * ebb_schedule_steps(c->model->schedule) < 0.5;
    if (result == EBB_OK && !idle)
        result = run_network(c, c->done - past_of(c), t, s->sampler, s->steps, error);
    if (result != EBB_OK)
        return result;

    s->used_t = t;
    s->windows++;
    if (heard)
        count_t(&s->range, t);
    for (int i = 0; i < c->size.hop + c->size.ahead; i++)
        for (int band = 0; band < bands; band++)
            c->gain[(size_t)i * bands + band] = idle ? 1 : said_gain(c, i, band);
    return EBB_OK;
}

// Fades at the hop's beginning from the gains of the previous window to those of this one.
static void join_gains(struct ebb_denoise_channel *c)
{
    size_t bands = c->mel->params.n_mels;
    for (int i = 0; i < c->size.ahead && i < c->size.hop && c->keeps; i++) {
        float own = (i + 1.0f) / (c->size.ahead + 1);
        for (size_t k = i * bands; k < (i + 1) * bands; k++)
            c->gain[k] = c->kept[k] + own * (c->gain[k] - c->kept[k]);
    }
    memcpy(c->kept, c->gain + c->size.hop * bands, c->size.ahead * bands * sizeof(float));
    c->keeps = true;
}

// The removed part of one frame: (1 - gain) * wet of its bins.
static bool give_frame(struct ebb_denoise_channel *c, int i, double wet)
{
    const struct ebb_stft *stft = c->mel->stft;
    const float *bins = c->bins + ring(c->done + i, c->size.hop + c->size.ahead) * stft->bin_stride;
    ebb_mel_spread(c->mel, c->gain + (size_t)i * c->mel->params.n_mels, c->bin_gain);
    for (int k = 0; k < stft->bins; k++) {
        float part = (1 - c->bin_gain[k]) * (float)wet;
        c->removed[2 * k] = part * bins[2 * k];
        c->removed[2 * k + 1] = part * bins[2 * k + 1];
    }
    ebb_overlap_add(c->overlap, c->removed, c->piece);

    size_t drop = c->lead < (size_t)stft->hop ? c->lead : (size_t)stft->hop;
    c->lead -= drop;
    c->given += stft->hop - drop;
    return ebb_fifo_push(&c->out, c->piece + drop, stft->hop - drop);
}

static enum ebb_result clean_hop(struct ebb_denoise_channel *c, struct ebb_error *error)
{
    enum ebb_result result = find_gains(c, error);
    if (result != EBB_OK)
        return result;
    join_gains(c);
    for (int i = 0; i < c->size.hop; i++) {
        double part = (i + 1.0) / c->size.hop, wet = c->wet + part * (c->settings->wet - c->wet);
        if (!give_frame(c, i, wet))
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for samples");
    }
    c->wet = c->settings->wet;
    c->done += c->size.hop;
    return EBB_OK;
}

// ---- samples ----

static void analyse_frame(struct ebb_denoise_channel *c)
{
    struct ebb_stft *stft = c->mel->stft;
    int bands = c->mel->params.n_mels, span = c->size.hop + c->size.ahead;
    const float *samples = ebb_fifo_data(&c->in);
    float *bins = c->bins + ring(c->frames, span) * stft->bin_stride;
    size_t at = ring(c->frames, c->size.frames);
    float *power = c->powers + at * bands;

    ebb_stft_frame(stft, samples, bins);
    ebb_mel_power(c->mel, bins, power);
    c->total[at] = 0;
    for (int band = 0; band < bands; band++)
        c->total[at] += power[band];

    c->silent[at] = true;
    for (int i = 0; i < stft->n_fft; i++)
        c->silent[at] = c->silent[at] && samples[i] == 0;
    // Silence and padding tell nothing about the noise.
    if (!c->ended && !c->silent[at])
        ebb_auto_t_add(&c->auto_t, power);
    ebb_fifo_drop(&c->in, stft->hop);
    c->frames++;
}

static enum ebb_result take(struct ebb_denoise_channel *c, const float *samples, size_t count,
                            struct ebb_error *error)
{
    size_t n_fft = c->mel->stft->n_fft;
    bool begins = c->frames == 0 && c->in.count == 0; // frame 0 is centred on the first sample
    if ((begins && !ebb_fifo_push(&c->in, NULL, n_fft / 2)) || !ebb_fifo_push(&c->in, samples, count))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for samples");

    enum ebb_result result = EBB_OK;
    while (c->in.count >= n_fft && result == EBB_OK) {
        analyse_frame(c);
        if (c->frames == c->done + c->size.hop + c->size.ahead)
            result = clean_hop(c, error);
    }
    return result;
}

enum ebb_result ebb_denoise_channel_write(struct ebb_denoise_channel *c, const float *samples, size_t count,
                                          struct ebb_error *error)
{
    c->written += count;
    return count > 0 ? take(c, samples, count, error) : EBB_OK;
}

enum ebb_result ebb_denoise_channel_finish(struct ebb_denoise_channel *c, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    c->ended = true;
    while (c->given < c->written && result == EBB_OK)
        result = take(c, NULL, c->mel->stft->hop, error);
    if (c->given > c->written) { // samples of the padding
        size_t extra = c->given - c->written;
        c->out.count -= extra;
        c->given -= extra;
    }
    return result;
}

size_t ebb_denoise_channel_read(struct ebb_denoise_channel *c, float *removed, size_t count)
{
    size_t part = count < c->out.count ? count : c->out.count;
    if (part > 0)
        memcpy(removed, ebb_fifo_data(&c->out), part * sizeof(float));
    ebb_fifo_drop(&c->out, part);
    return part;
}
