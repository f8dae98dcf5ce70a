#include "engine/cleaner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/denoise.h>

#include "audio/mel.h"
#include "base/base.h"
#include "diffusion/noise.h"
#include "engine/fifo.h"

struct ebb_cleaner {
    struct ebb_model *model;                // borrowed
    struct ebb_cleaner_settings *settings;  // borrowed
    struct ebb_cleaner_size size;
    struct ebb_mel *mel;
    struct ebb_overlap *overlap;
    struct ebb_snr snr;
    struct ebb_split split;                 // by the network, asked to take all it can

    struct ebb_fifo in, out;
    uint64_t written, given;                // samples
    int64_t frames, done;                   // frames analysed, and cleaned
    size_t lead;                            // samples before the first that synthesis still has to drop

    float *bins;                            // ring of hop + ahead frames of the recording
    bool *silent;                           // ring of `frames`: nothing but zeros in the frame
    int *source;                            // which frame of a window the network sees in each place
    float *values;                          // ring of `frames` frames (n_mels): the network's view of them
    float *gain;                            // (hop + ahead, n_mels): of the window under way
    float *kept;                            // (ahead, n_mels): what the window before thought of this hop's first frames
    bool keeps, ended;
    double wet;                             // at the end of the last hop

    float *state, *condition, *first;       // (h, w, c)
    float *column, *power, *bin_gain, *removed, *piece;
};

// ---- life ----

static bool make_snr(struct ebb_cleaner *c)
{
    int bands = c->mel->params.n_mels;
    double *width = ebb_alloc(bands, sizeof(*width));
    for (int band = 0; band < bands && width; band++)
        for (int i = 0; i < c->mel->bands[band].count; i++)
            width[band] += c->mel->bands[band].weights[i];
    bool made = width && ebb_snr_init(&c->snr, bands, width);
    free(width);
    return made;
}

static bool make_room(struct ebb_cleaner *c)
{
    const struct ebb_stft *stft = c->mel->stft;
    size_t bands = c->mel->params.n_mels, span = c->size.hop + c->size.ahead, cells = bands * c->size.frames;
    c->overlap = ebb_overlap_create(c->mel->stft);
    c->bins = ebb_stft_alloc_bins(stft, span);
    c->removed = ebb_stft_alloc_bins(stft, 1);
    c->bin_gain = ebb_stft_alloc_real(stft, 1);
    c->silent = ebb_alloc(c->size.frames, sizeof(bool));
    c->source = ebb_alloc(c->size.frames, sizeof(int));
    c->values = ebb_alloc(cells, sizeof(float));
    c->gain = ebb_alloc(bands * span, sizeof(float));
    c->kept = ebb_alloc(bands * c->size.ahead, sizeof(float));
    c->state = ebb_alloc(cells, sizeof(float));
    c->condition = ebb_alloc(cells, sizeof(float));
    c->first = ebb_alloc(cells, sizeof(float));
    c->column = ebb_alloc(bands * c->model->patch[1], sizeof(float));
    c->power = ebb_alloc(bands, sizeof(float));
    c->piece = ebb_alloc(stft->hop, sizeof(float));
    return c->overlap && c->bins && c->removed && c->bin_gain && c->silent && c->source && c->values && c->gain && c->kept &&
           c->state && c->condition && c->first && c->column && c->power && c->piece && make_snr(c);
}

struct ebb_cleaner *ebb_cleaner_create(struct ebb_model *model, struct ebb_cleaner_settings *settings,
                                       const struct ebb_cleaner_size *size, struct ebb_error *error)
{
    struct ebb_cleaner *c = ebb_alloc(1, sizeof(*c));
    if (!c) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a channel");
        return NULL;
    }
    c->model = model;
    c->settings = settings;
    c->size = *size;
    c->mel = ebb_mel_create(&model->mel, error);
    if (!c->mel) {
        ebb_cleaner_destroy(&c);
    } else if (!make_room(c)) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a channel");
        ebb_cleaner_destroy(&c);
    } else {
        ebb_cleaner_reset(c);
    }
    return c;
}

void ebb_cleaner_destroy(struct ebb_cleaner **cleaner)
{
    struct ebb_cleaner *c = *cleaner;
    if (!c)
        return;
    float *rooms[] = {c->bins, c->removed, c->bin_gain, c->values, c->gain, c->kept, c->state,
                      c->condition, c->first, c->column, c->power, c->piece};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++)
        free(rooms[i]);
    free(c->silent);
    free(c->source);
    ebb_snr_free(&c->snr);
    ebb_overlap_destroy(&c->overlap);
    ebb_mel_destroy(&c->mel);
    ebb_fifo_free(&c->in);
    ebb_fifo_free(&c->out);
    free(c);
    *cleaner = NULL;
}

void ebb_cleaner_reset(struct ebb_cleaner *c)
{
    ebb_fifo_empty(&c->in);
    ebb_fifo_empty(&c->out);
    ebb_overlap_reset(c->overlap);
    ebb_snr_reset(&c->snr);
    c->split.count = 0;
    c->written = c->given = 0;
    c->frames = c->done = 0;
    c->lead = c->mel->stft->n_fft / 2;
    c->keeps = c->ended = false;
    c->wet = c->settings->wet;
    for (int i = 0; i < c->size.frames; i++)
        c->silent[i] = true; // nothing came before
}

size_t ebb_cleaner_latency(const struct ebb_model *model, const struct ebb_cleaner_size *size)
{
    return (size_t)model->mel.hop * (size->hop + size->ahead - 1) + model->mel.n_fft;
}

// ---- the network ----

// Cell (band, frame) of a window lies in a state (h, w, c) at:
static size_t cell(const struct ebb_cleaner *c, int band, int frame)
{
    int ph = c->model->patch[0], pw = c->model->patch[1], w = c->size.frames / pw;
    size_t pixel = (size_t)(band / ph) * w + frame / pw;
    return pixel * ph * pw + (size_t)(band % ph) * pw + frame % pw;
}

static size_t ring(int64_t frame, int size)
{
    return (size_t)((frame % size + size) % size);
}

// Place `i` of a row of `count` that goes to and fro for ever.
static int mirror(int i, int count)
{
    i %= 2 * count;
    return i < count ? i : 2 * count - 1 - i;
}

// Noise belongs to a column of the recording, so that windows which overlap see the same.
static void draw_first(struct ebb_cleaner *c, int64_t begin)
{
    int ph = c->model->patch[0], pw = c->model->patch[1], h = c->mel->params.n_mels / ph, depth = ph * pw;
    int w = c->size.frames / pw;
    for (int x = 0; x < w; x++) {
        uint64_t clip = (uint64_t)(begin / pw + x);
        ebb_noise_philox(c->settings->seed, clip, 0, 0, (size_t)h * depth, c->column);
        for (int y = 0; y < h; y++)
            memcpy(c->first + ((size_t)y * w + x) * depth, c->column + (size_t)y * depth, depth * sizeof(float));
    }
}

// Nothing is heard in a frame, or it is centred behind the end and fades.
static bool is_void(const struct ebb_cleaner *c, int64_t frame)
{
    return c->silent[ring(frame, c->size.frames)] || (c->ended && frame > (int64_t)(c->written / c->mel->stft->hop));
}

// Digital silence, which is also what there is before the beginning and after the end, is nothing that noise ever has,
// and the network's norms run over all of a window: in its place the network sees the frames next to it, mirrored.
static void choose_sources(struct ebb_cleaner *c, int64_t begin)
{
    int n = c->size.frames, first = 0, from = 0, to = 0; // from..to: the last stretch with sound
    while (first < n && is_void(c, begin + first))
        first++;
    for (int i = first; i < n; i++) {
        bool silent = is_void(c, begin + i);
        if (!silent && (i == first || is_void(c, begin + i - 1)))
            from = i;
        to = silent ? to : i + 1;
        c->source[i] = silent ? to - 1 - mirror(i - to, to - from) : i;
    }
    int end = first; // of the first stretch
    while (end < n && !is_void(c, begin + end))
        end++;
    for (int i = 0; i < first; i++)
        c->source[i] = end > first ? first + mirror(first - 1 - i, end - first) : i;
}

// The network's view of a frame that is still in the ring.
static float value_at(const struct ebb_cleaner *c, int64_t frame, int band)
{
    return c->values[ring(frame, c->size.frames) * c->mel->params.n_mels + band];
}

static enum ebb_result run_network(struct ebb_cleaner *c, int64_t begin, double t, const char *sampler, int steps,
                                   struct ebb_error *error)
{
    const struct ebb_model *m = c->model;
    const struct ebb_cleaner_settings *s = c->settings;
    int bands = m->mel.n_mels, depth = m->patch[0] * m->patch[1];
    choose_sources(c, begin);
    for (int i = 0; i < c->size.frames; i++)
        for (int band = 0; band < bands; band++) {
            float value = value_at(c, begin + c->source[i], band);
            c->condition[cell(c, band, i)] = value;
            c->state[cell(c, band, i)] = m->change_db > 0 ? 1 : value;
        }
    draw_first(c, begin);

    struct ebb_loop_size size = {.n = 1, .h = bands / m->patch[0], .w = c->size.frames / m->patch[1], .c = depth,
                                 .condition = m->conditioned ? depth : 0};
    struct ebb_loop *loop = ebb_engine_loop(c->model, &size, error);
    if (!loop)
        return error->code;
    struct ebb_run_params run = m->run;
    run.schedule = m->schedule;
    run.sampler = sampler;
    run.steps = steps;
    run.start = t;
    struct ebb_loop_job job = {
        .run = &run, .item = {m->no_label}, .noise = {EBB_NOISE_PHILOX, {.from = s->seed}, begin},
        .first = c->first, .start = c->state, .condition = c->condition, .pulse = s->pulse,
    };
    return ebb_loop_run(loop, &job, c->state, error);
}

// What the network says of one cell, as an amplitude: the ratio of the powers, not its root (measured: better).
static float gain_of(const struct ebb_model *m, float x, float noisy)
{
    double db = m->change_db > 0 ? m->change_db / 2 * (fmax(x, -1) - 1) : (fmax(x, -1) - noisy) * m->mel.db_range;
    return (float)pow(10, fmin(db, 0) / 10);
}

// ---- a hop ----

static double interpolate(const struct ebb_auto_t *table, double db)
{
    const struct ebb_auto_point *p = table->points;
    if (db <= p[0].db)
        return p[0].t;
    for (int i = 1; i < table->count; i++)
        if (db < p[i].db)
            return p[i - 1].t + (db - p[i - 1].db) / (p[i].db - p[i - 1].db) * (p[i].t - p[i - 1].t);
    return p[table->count - 1].t;
}

static int past_of(const struct ebb_cleaner *c)
{
    return c->size.frames - c->size.hop - c->size.ahead;
}

// What the network has said of a band in frame `i` of the hop and of those ahead.
static float said_gain(const struct ebb_cleaner *c, int i, int band)
{
    return gain_of(c->model, c->state[cell(c, band, past_of(c) + i)], value_at(c, c->done + i, band));
}

// What the network keeps and takes of the hop when it takes all it can.
static enum ebb_result split_hop(struct ebb_cleaner *c, struct ebb_error *error)
{
    int bands = c->mel->params.n_mels;
    enum ebb_result result = run_network(c, c->done - past_of(c), 1, "ddim", 1, error);
    for (int i = 0; i < c->size.hop && result == EBB_OK; i++) {
        double kept = 0, taken = 0;
        for (int band = 0; band < bands; band++) {
            double gain = said_gain(c, i, band), power = ebb_mel_unvalue(c->mel, value_at(c, c->done + i, band));
            kept += gain * gain * power;
            taken += (1 - gain) * (1 - gain) * power;
        }
        ebb_split_add(&c->split, kept, taken);
    }
    return result;
}

// By the measured noise. Where the network would take more than the noise that is there even when the recording is quietest,
// it may take sound for noise: the more, the less it is let.
static enum ebb_result choose_t(struct ebb_cleaner *c, double *t, struct ebb_error *error)
{
    const struct ebb_model *m = c->model;
    double snr = c->settings->snr;
    *t = m->auto_t.count > 0 ? interpolate(&m->auto_t, snr) : m->info.t_default;
    if (m->auto_doubt.count == 0)
        return EBB_OK;
    enum ebb_result result = split_hop(c, error);
    if (result == EBB_OK)
        *t = fmin(*t, interpolate(&m->auto_doubt, snr - ebb_split_db(&c->split)));
    return result;
}

static bool hop_is_silent(const struct ebb_cleaner *c)
{
    bool silent = true;
    for (int i = 0; i < c->size.hop; i++)
        silent = silent && c->silent[ring(c->done + i, c->size.frames)];
    return silent;
}

// Gains of the hop and of the frames ahead.
static enum ebb_result find_gains(struct ebb_cleaner *c, struct ebb_error *error)
{
    struct ebb_cleaner_settings *s = c->settings;
    int bands = c->mel->params.n_mels;
    bool heard = (s->wet > 0 || c->wet > 0) && !hop_is_silent(c);
    double t = s->t == EBB_T_AUTO ? s->used_t : s->t;
    enum ebb_result result = EBB_OK;
    s->snr = ebb_snr_db(&c->snr);
    if (heard && s->t == EBB_T_AUTO)
        result = choose_t(c, &t, error);
    bool idle = !heard || t * ebb_schedule_steps(c->model->schedule) < 0.5;
    if (result == EBB_OK && !idle)
        result = run_network(c, c->done - past_of(c), t, s->sampler, s->steps, error);
    if (result != EBB_OK)
        return result;

    s->used_t = t;
    s->windows++;
    for (int i = 0; i < c->size.hop + c->size.ahead; i++)
        for (int band = 0; band < bands; band++)
            c->gain[(size_t)i * bands + band] = idle ? 1 : said_gain(c, i, band);
    return EBB_OK;
}

// The window before has its say at the hop's beginning.
static void join_gains(struct ebb_cleaner *c)
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

// What goes of one frame: (1 - gain) * wet of its bins.
static bool give_frame(struct ebb_cleaner *c, int i, double wet)
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

static enum ebb_result clean_hop(struct ebb_cleaner *c, struct ebb_error *error)
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

static void analyse_frame(struct ebb_cleaner *c)
{
    struct ebb_stft *stft = c->mel->stft;
    int bands = c->mel->params.n_mels, span = c->size.hop + c->size.ahead;
    const float *samples = ebb_fifo_data(&c->in);
    float *bins = c->bins + ring(c->frames, span) * stft->bin_stride;
    float *values = c->values + ring(c->frames, c->size.frames) * bands;

    ebb_stft_frame(stft, samples, bins);
    ebb_mel_power(c->mel, bins, c->power);
    if (!c->ended) // what is put behind the end tells nothing about the noise
        ebb_snr_add(&c->snr, c->power);
    for (int band = 0; band < bands; band++)
        values[band] = ebb_mel_value(c->mel, c->power[band]);

    bool silent = true;
    for (int i = 0; i < stft->n_fft; i++)
        silent = silent && samples[i] == 0;
    c->silent[ring(c->frames, c->size.frames)] = silent;
    ebb_fifo_drop(&c->in, stft->hop);
    c->frames++;
}

static enum ebb_result take(struct ebb_cleaner *c, const float *samples, size_t count, struct ebb_error *error)
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

enum ebb_result ebb_cleaner_write(struct ebb_cleaner *c, const float *samples, size_t count, struct ebb_error *error)
{
    c->written += count;
    return count > 0 ? take(c, samples, count, error) : EBB_OK;
}

enum ebb_result ebb_cleaner_finish(struct ebb_cleaner *c, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    c->ended = true;
    while (c->given < c->written && result == EBB_OK)
        result = take(c, NULL, c->mel->stft->hop, error);
    if (c->given > c->written) { // the padding's own
        size_t extra = c->given - c->written;
        c->out.count -= extra;
        c->given -= extra;
    }
    return result;
}

size_t ebb_cleaner_read(struct ebb_cleaner *c, float *removed, size_t count)
{
    size_t part = count < c->out.count ? count : c->out.count;
    if (part > 0)
        memcpy(removed, ebb_fifo_data(&c->out), part * sizeof(float));
    ebb_fifo_drop(&c->out, part);
    return part;
}
