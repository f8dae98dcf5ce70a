// SPDX-License-Identifier: LGPL-2.1-or-later
#include "edit/region.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/resample.h>

#include "audio/mel.h"
#include "audio/peak.h"
#include "base/base.h"
#include "generate/window_sound.h"

// Windows of the network from which on nothing beside the span has an influence: one, and a margin.
#define REACH 1.25
// The share of the work that is regenerating; the rest is resynthesis.
#define REGENERATING 0.85
// Correlation from which on two channels are alike.
#define ALIKE 0.5
// dB: the peak of the network's training sounds, and how far a recording is moved towards it at most.
#define TRAINED_PEAK (-1.0)
#define MOST_DOWN (-20.0)
#define MOST_UP 40.0

struct region {
    struct ebb_model *model;
    const struct ebb_region_job *job;
    struct ebb_mel *mel;
    size_t begin, end; // the region, frames of the recording
    size_t count;      // its samples at the model's rate
    size_t from, to;   // the span, samples of the region at the model's rate
    int frames;        // of the spectrogram
    float **channel;   // count samples each
    float *recorded;   // the part of a channel that is edited: the channel within the band
    float *sound;      // that part, edited
    float *back;       // end - begin frames of one channel, back at the recording's rate
    float *gain;       // per bin; NULL: the whole spectrum
    int low, high;     // bands the network makes
    struct ebb_scale scale;
    float *values, *made, *was; // (n_mels, frames)
};

// ---- where ----

// A frame of the recording as a sample of the region, at the model's rate.
static size_t sample_of(const struct region *r, size_t frame)
{
    double at = round((double)(frame - r->begin) * r->model->info.sample_rate / r->job->sound->rate);
    return at < (double)r->count ? (size_t)at : r->count;
}

// The region: the span, and what is near enough to have an influence.
static void choose_region(struct region *r)
{
    const struct ebb_region_job *j = r->job;
    const struct ebb_model_info *info = &r->model->info;
    size_t reach = (size_t)ceil(REACH * info->window_samples * j->sound->rate / info->sample_rate) +
                   4 * j->fade;
    r->begin = j->from > reach ? j->from - reach : 0;
    r->end = j->sound->frames - j->to > reach ? j->to + reach : j->sound->frames;
    r->count = ebb_resample_length(r->end - r->begin, j->sound->rate, info->sample_rate);
    r->count = r->count > 0 ? r->count : 1;
    r->from = sample_of(r, j->from);
    r->to = sample_of(r, j->to);
    r->from = r->from < r->count ? r->from : r->count - 1;
    r->to = r->to > r->from ? r->to : r->from + 1;
    r->frames = (int)(1 + r->count / info->hop);
}

// ---- room ----

static enum ebb_result make_room(struct region *r, struct ebb_error *error)
{
    size_t cells = (size_t)r->model->info.n_mels * r->frames;
    int channels = r->job->sound->channels;
    r->channel = ebb_alloc(channels, sizeof(*r->channel));
    bool whole = r->channel != NULL;
    for (int i = 0; i < channels && whole; i++)
        whole = (r->channel[i] = ebb_alloc(r->count, sizeof(float))) != NULL;
    r->recorded = ebb_alloc(r->count, sizeof(float));
    r->sound = ebb_alloc(r->count, sizeof(float));
    r->back = ebb_alloc(r->end - r->begin, sizeof(float));
    r->gain = ebb_alloc(r->mel->stft->bins, sizeof(float));
    r->values = ebb_alloc(cells, sizeof(float));
    r->made = ebb_alloc(cells, sizeof(float));
    r->was = ebb_alloc(cells, sizeof(float));
    whole = whole && r->recorded && r->sound && r->back && r->gain && r->values && r->made && r->was;
    return whole ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %zu samples", r->count);
}

static void free_room(struct region *r)
{
    for (int i = 0; r->channel && i < r->job->sound->channels; i++)
        free(r->channel[i]);
    float *all[] = {r->recorded, r->sound, r->back, r->gain, r->values, r->made, r->was};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        free(all[i]);
    free(r->channel);
}

// ---- the recording ----

static enum ebb_result convert(int from_rate, int to_rate, const float *in, size_t in_count, float *out,
                               size_t out_count, struct ebb_error *error)
{
    struct ebb_resampler *resampler = ebb_resampler_create(from_rate, to_rate, 1, error);
    enum ebb_result result = resampler ? ebb_resampler_write(resampler, in, in_count, error) : error->code;
    if (result == EBB_OK)
        result = ebb_resampler_finish(resampler, out_count, error);
    if (result == EBB_OK)
        ebb_resampler_read(resampler, out, out_count);
    ebb_resampler_destroy(&resampler);
    return result;
}

static enum ebb_result take_channels(struct region *r, struct ebb_error *error)
{
    const struct ebb_sound *s = r->job->sound;
    enum ebb_result result = EBB_OK;
    for (int c = 0; c < s->channels && result == EBB_OK; c++) {
        for (size_t i = 0; i < r->end - r->begin; i++)
            r->back[i] = s->samples[(r->begin + i) * s->channels + c];
        result = convert(s->rate, r->model->info.sample_rate, r->back, r->end - r->begin, r->channel[c],
                         r->count, error);
    }
    return result;
}

// Mean band powers of all channels, in dB.
static void analyse(struct region *r)
{
    int bands = r->model->info.n_mels, channels = r->job->sound->channels;
    for (int k = 0; k < r->frames; k++) {
        for (int c = 0; c < channels; c++) {
            ebb_stft_frame_of(r->mel->stft, r->channel[c], r->count, k, r->mel->bins);
            ebb_mel_power(r->mel, r->mel->bins, r->mel->band_power);
            for (int band = 0; band < bands; band++)
                r->values[(size_t)band * r->frames + k] += r->mel->band_power[band] / channels;
        }
        for (int band = 0; band < bands; band++) {
            float *value = &r->values[(size_t)band * r->frames + k];
            *value = (float)(10 * log10(fmax(*value, 1e-20)));
        }
    }
}

// Moves the recording's dB to the loudness of the training: clips with their peak at -1 dB, or images whose
// loudest cell is white.
static void choose_scale(struct region *r)
{
    const struct ebb_mel_params *p = &r->mel->params;
    size_t cells = (size_t)p->n_mels * r->frames;
    if (p->coding == EBB_MEL_CODING_DIFFUSERS) {
        float loudest = -200;
        for (size_t i = 0; i < cells; i++)
            loudest = r->values[i] > loudest ? r->values[i] : loudest;
        r->scale = (struct ebb_scale){loudest - p->top_db / 2, p->top_db / 2};
    } else {
        float peak = 0;
        for (int c = 0; c < r->job->sound->channels; c++)
            peak = fmaxf(peak, ebb_peak(r->channel[c], r->count));
        double louder = peak > 0 ? fmin(fmax(TRAINED_PEAK - 20 * log10(peak), MOST_DOWN), MOST_UP) : 0;
        r->scale = (struct ebb_scale){p->db_center - louder, p->db_range};
    }
    for (size_t i = 0; i < cells; i++)
        r->values[i] = (float)fmin(fmax((r->values[i] - r->scale.center) / r->scale.range, -1), 1);
}

// ---- the band ----

// 0 below the edge, 1 above, in a raised cosine of a tenth of its frequency.
static double rise(double hz, double edge, double bin)
{
    double width = fmax(0.1 * edge, 2 * bin), x = fmin(fmax((hz - edge) / width + 0.5, 0), 1);
    return 0.5 - 0.5 * cos(M_PI * x);
}

static void choose_band(struct region *r)
{
    const struct ebb_region_job *j = r->job;
    int bands = r->model->info.n_mels, bins = r->mel->stft->bins;
    double bin = (double)r->model->info.sample_rate / r->mel->stft->n_fft;
    r->low = 0;
    r->high = bands;
    if (j->low <= 0 && isinf(j->high)) {
        free(r->gain);
        r->gain = NULL;
        return;
    }
    for (int i = 0; i < bins; i++)
        r->gain[i] = (float)((j->low > 0 ? rise(i * bin, j->low, bin) : 1) *
                             (isinf(j->high) ? 1 : 1 - rise(i * bin, j->high, bin)));
    int first = 0, last = bins - 1; // bins that are edited
    while (first < last && !(r->gain[first] > 0))
        first++;
    while (last > first && !(r->gain[last] > 0))
        last--;
    while (r->low < bands - 1 && r->mel->bands[r->low].start + r->mel->bands[r->low].count <= first)
        r->low++;
    while (r->high > r->low + 1 && r->mel->bands[r->high - 1].start > last)
        r->high--;
}

// ---- the work ----

// Regenerates the span's spectrogram and fills in `resynthesis`, the job that makes it sound.
static enum ebb_result regenerate(struct region *r, struct ebb_resynthesis *resynthesis,
                                  struct ebb_error *error)
{
    const struct ebb_region_job *j = r->job;
    size_t cells = (size_t)r->model->info.n_mels * r->frames, hop = r->model->info.hop;
    struct ebb_regeneration t = {
        .settled = j->settled,
        .noise = j->noise,
        .angle = j->angle,
        .from_recording = j->from_recording,
        .starts = j->starts,
        .mel = r->values,
        .frames = r->frames,
        .low = r->low,
        .high = r->high,
        .progress = ebb_progress_part(&j->progress, 0, REGENERATING),
        .made = r->made,
        .was = r->was,
        .here_from = (int)((sample_of(r, j->here_from > r->begin ? j->here_from : r->begin) + hop - 1) / hop),
        .here_to = (int)(sample_of(r, j->here_to < r->end ? j->here_to : r->end) / hop + 1),
    };
    t.here_to = t.here_to < r->frames ? t.here_to : r->frames;
    ebb_resynthesis_frames(r->mel, r->from, r->to, r->count, &t.from, &t.to);
    memcpy(r->made, r->values, cells * sizeof(float));
    memcpy(r->was, r->values, cells * sizeof(float));
    enum ebb_result result = ebb_regenerate(r->model, &t, error);

    double rates = (double)r->model->info.sample_rate / j->sound->rate;
    *resynthesis = (struct ebb_resynthesis){
        .recorded = r->recorded,
        .count = r->count,
        .scale = r->scale,
        .made = r->made,
        .was = r->was,
        .frames = r->frames,
        .covered_from = t.covered_from,
        .covered_to = t.covered_to,
        .here_from = t.here_from,
        .here_to = t.here_to,
        .from = r->from,
        .to = r->to,
        .fade = (size_t)ceil(j->fade * rates),
        .gain = r->gain,
        .from_recording = j->from_recording,
        .goes_on = !j->starts,
        .iterations = j->iterations,
    };
    return result;
}

// Whether a channel is like the first one around the span. If so, it has the first channel's phases and
// grain.
static bool alike(const struct region *r, int channel)
{
    const float *a = r->channel[0], *b = r->channel[channel];
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < r->count; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return fabs(ab) > ALIKE * sqrt(aa * bb) || bb == 0;
}

// 1 inside the span, falling to 0 over `fade` frames outside it.
static float share_of(const struct ebb_region_job *j, size_t frame)
{
    if (frame < j->from)
        return ebb_window_sound_rise(frame + j->fade - j->from, j->fade);
    return frame < j->to ? 1 : 1 - ebb_window_sound_rise(frame - j->to, j->fade);
}

// Brings the edited channel back to its own rate and puts it into the output. With a band, the change is
// added to the recording; otherwise the new sound replaces the recording.
static enum ebb_result put_channel(struct region *r, int channel, float *output, struct ebb_error *error)
{
    const struct ebb_region_job *j = r->job;
    int channels = j->sound->channels;
    size_t from = j->from > j->fade ? j->from - j->fade : 0;
    size_t to = j->sound->frames - j->to > j->fade ? j->to + j->fade : j->sound->frames;
    for (size_t i = 0; i < r->count && r->gain; i++)
        r->sound[i] -= r->recorded[i];
    enum ebb_result result = convert(r->model->info.sample_rate, j->sound->rate, r->sound, r->count, r->back,
                                     r->end - r->begin, error);
    for (size_t i = from; i < to && result == EBB_OK; i++) {
        float old = j->sound->samples[i * channels + channel], now = r->back[i - r->begin],
              share = share_of(j, i);
        output[i * channels + channel] = r->gain     ? old + share * now
                                         : share < 1 ? old + share * (now - old)
                                                     : now;
    }
    return result;
}

static enum ebb_result edit_channel(struct region *r, struct ebb_resynthesis *resynthesis, int channel,
                                    float *output, struct ebb_error *error)
{
    const struct ebb_region_job *j = r->job;
    int channels = j->sound->channels;
    resynthesis->channel = r->channel[channel];
    resynthesis->seed = j->seed + (alike(r, channel) ? 0 : channel);
    resynthesis->progress = ebb_progress_part(&j->progress,
                                              REGENERATING + (1 - REGENERATING) * channel / channels,
                                              REGENERATING + (1 - REGENERATING) * (channel + 1) / channels);
    if (!r->gain)
        memcpy(r->recorded, r->channel[channel], r->count * sizeof(float));
    else if (!ebb_resynthesis_filter(r->mel, r->gain, r->channel[channel], r->count, r->recorded))
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a band");
    memcpy(r->sound, r->recorded, r->count * sizeof(float));
    enum ebb_result result = ebb_resynthesise(r->model, resynthesis, r->sound, error);
    return result == EBB_OK ? put_channel(r, channel, output, error) : result;
}

enum ebb_result ebb_region_edit(struct ebb_model *model, const struct ebb_region_job *job, float *output,
                                struct ebb_error *error)
{
    struct region r = {.model = model, .job = job, .mel = ebb_workspace_mel(model, error)};
    if (!r.mel)
        return error->code;
    choose_region(&r);
    enum ebb_result result = make_room(&r, error);
    if (result == EBB_OK)
        result = take_channels(&r, error);
    if (result == EBB_OK) {
        analyse(&r);
        choose_scale(&r);
        choose_band(&r);
    }

    struct ebb_resynthesis resynthesis;
    if (result == EBB_OK)
        result = regenerate(&r, &resynthesis, error);
    for (int c = 0; c < job->sound->channels && result == EBB_OK; c++)
        result = edit_channel(&r, &resynthesis, c, output, error);
    free_room(&r);
    return result;
}
