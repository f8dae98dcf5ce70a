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
#include "denoise/level.h"
#include "denoise/voice.h"

// Automatic t looks back over two spans: all frames that it keeps, and the most recent ones. The recent span
// fits into a pause of speech, where it holds noise alone.
enum { LONG, RECENT, SPANS };
// 1 s at hop 512 and 48 kHz: longer than a word without a gap, shorter than a pause.
enum { RECENT_FRAMES = 94 };

// The recent span is noise alone if both ratios are below these limits, in dB.
// NOISE_ALONE: power that the network keeps over power that it removes. The ratio is -40 to -55 dB for noise
// alone, 0 dB for speech in noise of the same power, and 40 to 60 dB for steady tones.
// STANDS_STILL: power above the noise floor over the floor. The network also takes the tail of an effect for
// noise, but a tail fades, so its power is far above its floor.
#define NOISE_ALONE (-10.0)
#define STANDS_STILL 0.0

// A clean recording keeps its quiet noise in pauses too. The table limits t there: by how far, in dB, the
// sound before the pause was above the noise of the pause. That sound counts HEARD_FADES dB less a second.
static const struct ebb_auto_point pause_points[] = {{34, 1}, {38, 0}};
static const struct ebb_auto_t pause_t = {(struct ebb_auto_point *)pause_points, 2};
#define HEARD_FADES 0.5

// dB by which a band of mirrored frames falls at most from one frame to the next, from the last frame that
// was heard on. A sound that begins there would look like a click if it fell as fast as it rose.
#define MIRRORED_FALLS 2.5f

struct ebb_denoise_channel {
    struct ebb_model *model;                       // borrowed
    struct ebb_denoise_channel_settings *settings; // borrowed
    struct ebb_denoise_channel_size size;
    struct ebb_mel *mel;
    struct ebb_overlap *overlap;
    struct ebb_snr snr[SPANS];
    struct ebb_power_split split[SPANS]; // kept and removed by the network at t = 1
    double heard;                        // mean power that the network has kept; fades slowly
    struct ebb_voice voice;              // whether what it keeps at t = 1 is a voice

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

static size_t at_most(size_t count, size_t most)
{
    return count < most ? count : most;
}

// The recent span covers a whole hop at least: a shorter one would see the end of the hop alone.
static bool make_snr(struct ebb_denoise_channel *c)
{
    size_t hop = c->size.hop > RECENT_FRAMES ? c->size.hop : RECENT_FRAMES;
    c->split[LONG].span = EBB_SNR_FRAMES;
    c->split[RECENT].span = at_most(hop, EBB_SNR_FRAMES);
    int bands = c->mel->params.n_mels;
    double *width = ebb_alloc(bands, sizeof(*width));
    for (int band = 0; band < bands && width; band++)
        for (int i = 0; i < c->mel->bands[band].count; i++)
            width[band] += c->mel->bands[band].weights[i];
    bool made = width && ebb_snr_init(&c->snr[LONG], bands, width, EBB_SNR_FRAMES);
    made = made && ebb_snr_init(&c->snr[RECENT], bands, width, at_most(hop + c->size.ahead, EBB_SNR_FRAMES));
    free(width);
    return made;
}

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
           c->kept_band && c->taken_band && c->piece && make_snr(c);
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
        ebb_voice_init(&c->voice, c->mel);
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
    for (int span = 0; span < SPANS; span++)
        ebb_snr_free(&c->snr[span]);
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
    for (int span = 0; span < SPANS; span++) {
        ebb_snr_reset(&c->snr[span]);
        c->split[span].count = 0;
    }
    ebb_voice_reset(&c->voice);
    c->heard = 0;
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

static double interpolate(const struct ebb_auto_t *table, double x)
{
    const struct ebb_auto_point *p = table->points;
    if (x <= p[0].x)
        return p[0].t;
    for (int i = 1; i < table->count; i++)
        if (x < p[i].x)
            return p[i - 1].t + (x - p[i - 1].x) / (p[i].x - p[i - 1].x) * (p[i].t - p[i - 1].t);
    return p[table->count - 1].t;
}

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
        double kept = 0, taken = 0, between = 0;
        if (is_void(c, c->done + i))
            continue;
        for (int band = 0; band < bands; band++) {
            double gain = said_gain(c, i, band),
                   power = ebb_mel_unvalue(c->mel, value_at(c, c->done + i, band));
            double keeps = gain * gain * power / c->view, takes = (1 - gain) * (1 - gain) * power / c->view;
            c->kept_band[band] = (float)keeps;
            c->taken_band[band] = (float)takes;
            kept += keeps;
            taken += takes;
            between += 2 * gain * (1 - gain) * power / c->view;
        }
        for (int span = 0; span < SPANS; span++)
            ebb_power_split_add(&c->split[span], kept, taken, between);
        if (c->model->auto_voice.count > 0)
            ebb_voice_add(&c->voice, c->kept_band, c->taken_band);
    }
    return result;
}

static double t_of_noise(const struct ebb_model *m, double snr)
{
    return m->auto_t.count > 0 ? interpolate(&m->auto_t, snr) : m->info.t_default;
}

static double doubt_over(const struct ebb_denoise_channel *c, int span)
{
    return ebb_doubt_db(ebb_snr_db(&c->snr[span]), ebb_power_split_db(&c->split[span]), c->split[span].count);
}

// t by the noise that was measured over a span. The network may take sound for noise where it removes more
// than the noise floor: the doubt says by how much, and a larger doubt allows a smaller t.
static double t_over(const struct ebb_denoise_channel *c, int span)
{
    return fmin(t_of_noise(c->model, ebb_snr_db(&c->snr[span])),
                interpolate(&c->model->auto_doubt, doubt_over(c, span)));
}

// Where the network takes a sound for noise, it is often unsure: many of its gains are near 1/2. Beside
// speech, it takes noise or leaves it. Some noise makes it unsure as well; that noise stands still, so there
// is no doubt about it.
static double t_while_unsure(const struct ebb_denoise_channel *c)
{
    static const struct ebb_auto_point counts[] = {{5, 0}, {7, 1}}; // by the doubt in dB: how much it counts
    static const struct ebb_auto_t share = {(struct ebb_auto_point *)counts, 2};
    const struct ebb_auto_t *table = &c->model->auto_unsure;
    if (table->count == 0)
        return 1;
    double limit = interpolate(table, ebb_power_split_unsure(&c->split[LONG]));
    return 1 - interpolate(&share, doubt_over(c, LONG)) * (1 - limit);
}

// Noise that pauses has a low floor: the recording looks nearly clean by its quiet moments, and the noise
// looks like sound that is mistaken for noise. But where a voice is kept, what is taken is noise, and the
// network's own SNR tells how much. In its first second a voice cannot be told from other sounds. And what is
// taken far from the band of speech may be the hum of the voice's own recording, what comes and goes with the
// voice may be a part of it: those change nothing.
static double t_of_voice(const struct ebb_denoise_channel *c, double t, double most)
{
    static const struct ebb_auto_point counts[] = {{RECENT_FRAMES, 0}, {2 * RECENT_FRAMES, 1}};
    static const struct ebb_auto_point beside_points[] = {{-16, 0}, {-12, 1}}; // dB
    static const struct ebb_auto_point together_points[] = {{0.3, 1}, {0.45, 0}};
    static const struct ebb_auto_t begun = {(struct ebb_auto_point *)counts, 2},
                                   beside = {(struct ebb_auto_point *)beside_points, 2},
                                   together = {(struct ebb_auto_point *)together_points, 2};
    if (c->model->auto_voice.count == 0)
        return t;
    double share = interpolate(&begun, c->voice.count) *
                   interpolate(&c->model->auto_voice, ebb_voice_likeness(&c->voice)) *
                   interpolate(&beside, ebb_voice_beside_db(&c->voice)) *
                   interpolate(&together, ebb_voice_together(&c->voice));
    double own = fmin(t_of_noise(c->model, ebb_power_split_db(&c->split[LONG])), most);
    return t + share * fmax(own - t, 0);
}

// By how many dB the sound heard before is above the present noise.
static double heard_above(struct ebb_denoise_channel *c)
{
    double seconds = (double)c->size.hop * c->mel->params.hop / c->mel->params.sample_rate;
    c->heard = fmax(c->heard * pow(10, -HEARD_FADES * seconds / 10), ebb_power_split_kept(&c->split[LONG]));
    return 10 * log10(fmax(c->heard, 1e-30) / fmax(ebb_power_split_taken(&c->split[RECENT]), 1e-30));
}

static bool is_noise_alone(const struct ebb_denoise_channel *c)
{
    return ebb_power_split_db(&c->split[RECENT]) < NOISE_ALONE && ebb_snr_db(&c->snr[RECENT]) < STANDS_STILL;
}

// While the recent span is noise alone, that span decides on t, whatever came before it. A clean recording is
// the exception: the sound before the pause then limits t.
static enum ebb_result choose_t(struct ebb_denoise_channel *c, double *t, struct ebb_error *error)
{
    *t = t_of_noise(c->model, c->settings->snr);
    if (c->model->auto_doubt.count == 0)
        return EBB_OK;
    enum ebb_result result = split_hop(c, error);
    if (result != EBB_OK)
        return result;
    double most = interpolate(&pause_t, heard_above(c));
    bool alone = is_noise_alone(c);
    *t = t_over(c, LONG);
    if (alone)
        *t = fmin(fmax(*t, t_over(c, RECENT)), most);
    *t = fmin(*t, t_while_unsure(c));
    *t = t_of_voice(c, *t, alone ? most : 1);
    return EBB_OK;
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
    if (c->snr[LONG].count > 0)
        s->snr = ebb_snr_db(&c->snr[LONG]);
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
    for (int i = 0; i < SPANS && !c->ended && !c->silent[at]; i++)
        ebb_snr_add(&c->snr[i], power);
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
