// SPDX-License-Identifier: LGPL-2.1-or-later
#include "edit/resynthesis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/grain.h"
#include "audio/mel_invert.h"
#include "base/base.h"

enum {
    FIXED = 8,   // frames beside a piece that keep their bins
    PIECE = 384, // most frames of a piece of a long span: bounds the workspace
    EDGE = 24,   // frames on either side of the span whose loudness it takes on
};

// Change of the spectrogram in dB up to which a bin stays the recording's, and from which on it is new.
static const double little = 4, much = 12;

static const double silent = -0.95; // network values up to this count as silence when loudness is compared
static const float most = 15;       // largest change of the loudness, dB

// One piece of the span: frames first .. last - 1 are new, `base` is frame 0 of the phase workspace.
struct span_piece {
    int first, last, base, end; // `end`: one past the last frame of the workspace
    bool later;                 // the piece goes on from another piece; false: from the recording
    bool goes_on; // the recording follows; false: a margin follows, which the next piece makes again
};

// What the steps of a job share.
struct span_work {
    struct ebb_model *model;
    struct ebb_mel *mel;
    const struct ebb_resynthesis *job;
    int first, last; // frames that overlap the span: first .. last - 1
    float *level[2]; // dB to add, per band, at the span's start and end
    float *sound;    // the output
};

void ebb_resynthesis_frames(const struct ebb_mel *mel, size_t from, size_t to, size_t count, int *first,
                            int *last)
{
    size_t half = mel->stft->n_fft / 2, hop = mel->stft->hop, frames = 1 + count / hop;
    *first = from > half ? (int)((from - half) / hop + 1) : 0;
    size_t end = from < count ? (to + half + hop - 1) / hop : frames;
    *last = (int)(end < frames ? end : frames);
}

bool ebb_resynthesis_filter(struct ebb_mel *mel, const float *gain, const float *samples, size_t count,
                            float *filtered)
{
    struct ebb_stft *stft = mel->stft;
    size_t hop = stft->hop, half = stft->n_fft / 2, frames = 1 + (count + half) / hop, skip = half, done = 0;
    struct ebb_overlap *overlap = ebb_overlap_create(stft);
    float *piece = ebb_alloc(hop, sizeof(float)), *bins = mel->bins;
    for (size_t k = 0; k < frames && overlap && piece; k++) {
        ebb_stft_frame_of(stft, samples, count, k, bins);
        for (int i = 0; i < stft->bins; i++) {
            bins[2 * i] *= gain[i];
            bins[2 * i + 1] *= gain[i];
        }
        ebb_overlap_add(overlap, bins, piece);
        size_t drop = skip < hop ? skip : hop, part = hop - drop < count - done ? hop - drop : count - done;
        memcpy(filtered + done, piece + drop, part * sizeof(float));
        skip -= drop;
        done += part;
    }
    bool whole = overlap && piece;
    ebb_overlap_destroy(&overlap);
    free(piece);
    return whole;
}

// ---- levels ----

static double to_db(double power)
{
    return 10 * log10(fmax(power, 1e-20));
}

// Mean network value per band over frames from .. to - 1, of the channel and of the network's mel. Silence
// counts as silence.
static void mean_heard(const struct span_work *w, int from, int to, float *out)
{
    const struct ebb_resynthesis *s = w->job;
    struct ebb_mel *mel = w->mel;
    int bands = mel->params.n_mels;
    memset(out, 0, bands * sizeof(*out));
    for (int k = from; k < to; k++) {
        ebb_stft_frame_of(mel->stft, s->channel, s->count, k, mel->bins);
        ebb_mel_power(mel, mel->bins, mel->band_power);
        for (int band = 0; band < bands; band++) {
            double value = (to_db(mel->band_power[band]) - s->scale.center) / s->scale.range;
            out[band] += (float)(fmax(value, silent) / (to - from));
        }
    }
}

static float mean_said(const struct ebb_resynthesis *s, const float *values, int band, int from, int to)
{
    double sum = 0;
    for (int k = from; k < to; k++)
        sum += fmax(values[(size_t)band * s->frames + k], silent) / (to - from);
    return (float)sum;
}

// Difference in dB, per band, between the channel in frames `heard` and on, and the network's mel in frames
// `said` and on, `length` frames each. NAN: one of them is silent.
static void compare(const struct span_work *w, const float *values, int heard, int said, int length,
                    float *out)
{
    const struct ebb_resynthesis *s = w->job;
    mean_heard(w, heard, heard + length, out);
    for (int band = 0; band < w->mel->params.n_mels; band++) {
        float theirs = mean_said(s, values, band, said, said + length),
              db = (out[band] - theirs) * (float)s->scale.range;
        out[band] = fmax(out[band], theirs) > silent + 0.02 ? fminf(fmaxf(db, -most), most) : NAN;
    }
}

// Smooths over seven bands; NAN bands are left out. 0 where all are NAN.
static void smooth(const float *values, int bands, float *out)
{
    for (int band = 0; band < bands; band++) {
        float sum = 0;
        int seen = 0;
        for (int i = band > 3 ? band - 3 : 0; i <= band + 3 && i < bands; i++)
            if (!isnan(values[i])) {
                sum += values[i];
                seen++;
            }
        out[band] = seen ? sum / seen : 0;
    }
}

// The loudness of the new sound, by a correction at either end of the span. It is measured beside the span,
// where the network has seen the recording. If one side has no recording, the other side's correction
// holds; if neither has, the channel's share of all channels within the span. Sound that goes on gets the
// loudness of the recording; an event only the loudness that the network gave it relative to the recording.
static void find_levels(const struct span_work *w, float *scratch)
{
    const struct ebb_resynthesis *s = w->job;
    int bands = w->mel->params.n_mels, first = w->first, last = w->last;
    int edge = s->goes_on && last - first < 2 * EDGE ? (last - first) / 2 : EDGE;
    int low = s->covered_from > s->here_from ? s->covered_from : s->here_from;
    int high = s->covered_to < s->here_to ? s->covered_to : s->here_to;
    int before = first - low < edge ? first - low : edge, after = high - last < edge ? high - last : edge;
    bool left = before >= 3, right = after >= 3;
    if (left) {
        compare(w, s->made, first - before, s->goes_on ? first : first - before, before, scratch);
        smooth(scratch, bands, w->level[0]);
    }
    if (right) {
        compare(w, s->made, last, s->goes_on ? last - after : last, after, scratch);
        smooth(scratch, bands, w->level[1]);
    }
    low = low > first ? low : first;
    high = high < last ? high : last;
    if (!left && !right && high > low) {
        compare(w, s->was, low, low, high - low, scratch);
        smooth(scratch, bands, w->level[0]);
    }
    if (!left && right)
        memcpy(w->level[0], w->level[1], bands * sizeof(float));
    if (!right)
        memcpy(w->level[1], w->level[0], bands * sizeof(float));
}

// ---- frames ----

// Magnitudes of a frame that started from noise alone.
static void fill_new(const struct span_work *w, int k, float *magnitude)
{
    const struct ebb_resynthesis *s = w->job;
    struct ebb_mel *mel = w->mel;
    double part = fmin(fmax(((double)k * mel->stft->hop - s->from) / (s->to - s->from), 0), 1);
    double floor = pow(10, (s->scale.center - s->scale.range) / 10);
    for (int band = 0; band < mel->params.n_mels; band++) {
        double value = fmin(fmax(s->made[(size_t)band * s->frames + k], -1), 1);
        double level = w->level[0][band] + part * (w->level[1][band] - w->level[0][band]);
        double power = pow(10, (s->scale.center + value * s->scale.range) / 10) - floor;
        mel->band_power[band] = (float)(fmax(power, 0) * pow(10, level / 10));
    }
    ebb_mel_invert(mel, mel->band_power, magnitude);
    for (int i = 0; s->gain && i < mel->stft->bins; i++)
        magnitude[i] *= s->gain[i];
}

// Puts the recording's bins, with the change as a gain, in the place of new bins. Adds the energy of the
// remaining new bins to energy[0], and of all bins to energy[1].
static void mix_own(const struct span_work *w, int k, float *bins, float *magnitude, double energy[2])
{
    const struct ebb_resynthesis *s = w->job;
    struct ebb_mel *mel = w->mel;
    float *change = mel->band_power, *share = mel->ratio, *own = mel->bins;
    ebb_stft_frame_of(mel->stft, s->recorded, s->count, k, own);
    for (int band = 0; band < mel->params.n_mels; band++) {
        size_t at = (size_t)band * s->frames + k;
        double db = (s->made[at] - s->was[at]) * s->scale.range,
               x = fmin(fmax((much - fabs(db)) / (much - little), 0), 1);
        change[band] = (float)pow(10, fmin(fmax(db, -40), 40) / 20);
        share[band] = (float)(x * x * (3 - 2 * x));
    }
    ebb_mel_spread(mel, change, mel->power);
    ebb_mel_spread(mel, share, mel->bin_power);
    for (int i = 0; i < mel->stft->bins; i++) {
        float keep = sqrtf(mel->bin_power[i]) * mel->power[i], put = sqrtf(1 - fminf(mel->bin_power[i], 1));
        energy[0] += put * put * magnitude[i] * magnitude[i];
        bins[2 * i] = keep * own[2 * i] + put * bins[2 * i];
        bins[2 * i + 1] = keep * own[2 * i + 1] + put * bins[2 * i + 1];
        magnitude[i] = sqrtf(bins[2 * i] * bins[2 * i] + bins[2 * i + 1] * bins[2 * i + 1]);
        energy[1] += magnitude[i] * magnitude[i];
    }
}

// ---- pieces ----

static size_t first_sample(const struct ebb_resynthesis *s, const struct span_piece *p, size_t hop)
{
    if (p->later)
        return p->first * hop;
    return s->from > s->fade ? s->from - s->fade : 0;
}

// Fills the phase workspace: bins of the frames that stay, magnitudes of the new frames, known samples.
static struct ebb_phase_span prepare(const struct span_work *w, const struct span_piece *p,
                                     struct ebb_phase *phase)
{
    const struct ebb_resynthesis *s = w->job;
    struct ebb_stft *stft = w->mel->stft;
    size_t hop = stft->hop, half = stft->n_fft / 2, frames = p->end - p->base,
           length = (frames - 1) * hop + 2 * half;
    struct ebb_phase_span span = ebb_phase_piece(phase, frames);
    span.fixed_before = p->first - p->base;
    span.fixed_after = p->goes_on ? p->end - p->last : 0;
    for (int k = p->base; k < p->end; k++) {
        size_t row = k - p->base;
        if (k < p->first || (p->goes_on && k >= p->last))
            ebb_stft_frame_of(stft, w->sound, s->count, k, phase->bins + row * stft->bin_stride);
        else
            fill_new(w, k, phase->magnitude + row * stft->real_stride);
    }

    size_t start = p->base * hop; // sample i of the sound is number i + half - start of the workspace
    for (size_t i = 0; i < length; i++)
        phase->held[i] = start + i >= half && start + i - half < s->count ? w->sound[start + i - half] : 0;
    size_t known = first_sample(s, p, hop);
    if (known > 0)
        span.held_before = known + half - start;
    size_t after = s->to + s->fade + half - start;
    if (p->goes_on && after < length)
        span.held_after = length - after;
    if (p->base == 0)
        span.support_from = half; // silence before the first sample
    return span;
}

// Integrates phases from both ends to the middle, where they may disagree, rather than from one end to the
// other.
static void integrate(struct ebb_phase *phase, const struct ebb_phase_span *span, uint64_t seed,
                      uint64_t first)
{
    size_t middle = span->fixed_before + (span->frames - span->fixed_before - span->fixed_after) / 2;
    if (span->fixed_before == 0 || span->fixed_after == 0 || middle == span->fixed_before) {
        ebb_phase_integrate(phase, span, seed, first);
        return;
    }
    struct ebb_phase half = *phase;
    struct ebb_phase_span from_start = *span, from_end = *span;
    from_start.frames = middle;
    from_start.fixed_after = 0;
    ebb_phase_integrate(&half, &from_start, seed, first);
    half.magnitude += middle * phase->stft->real_stride;
    half.bins += middle * phase->stft->bin_stride;
    from_end.frames = span->frames - middle;
    from_end.fixed_before = 0;
    ebb_phase_integrate(&half, &from_end, seed, first + middle);
}

static enum ebb_result make_piece(const struct span_work *w, const struct span_piece *p,
                                  struct ebb_error *error)
{
    const struct ebb_resynthesis *s = w->job;
    struct ebb_mel *mel = w->mel;
    struct ebb_phase *phase = ebb_workspace_phase(w->model, p->end - p->base, error);
    if (!phase)
        return error->code;

    struct ebb_stft *stft = mel->stft;
    struct ebb_phase_span span = prepare(w, p, phase);
    integrate(phase, &span, s->seed, p->base);
    if (mel->params.coding == EBB_MEL_CODING_ABSOLUTE)
        ebb_mel_grain(mel, phase, &span,
                      &(struct ebb_mel_image){.values = s->made,
                                              .frames = s->frames,
                                              .from = p->base,
                                              .seed = s->seed,
                                              .first = p->base});
    double energy[2] = {0, 1e-20};
    for (int k = p->first; k < (p->goes_on ? p->last : p->end) && s->from_recording; k++) {
        size_t row = k - p->base;
        mix_own(w, k, phase->bins + row * stft->bin_stride, phase->magnitude + row * stft->real_stride,
                energy);
    }
    // The recording's own phases are right: iterations would only lead away from them.
    double new = s->from_recording ? fmin(2 * energy[0] / energy[1], 1) : 1;
    ebb_phase_iterate(phase, &span, (int)lround(s->iterations * new));
    ebb_phase_synthesise(phase, &span);

    size_t hop = stft->hop, half = stft->n_fft / 2, start = p->base * hop;
    size_t to = p->goes_on ? s->to + s->fade : p->last * hop + half; // next piece's frames reach here
    for (size_t i = first_sample(s, p, hop); i < to && i < s->count; i++)
        w->sound[i] = phase->signal[i + half - start];
    return EBB_OK;
}

static enum ebb_result make_pieces(const struct span_work *w, struct ebb_error *error)
{
    const struct ebb_resynthesis *s = w->job;
    int first = w->first, last = w->last;
    enum ebb_result result = EBB_OK;
    for (int at = first, next; at < last && result == EBB_OK; at = next) {
        next = last - at > PIECE + FIXED ? at + PIECE : last;
        bool final = next == last;
        int beyond = next + FIXED < s->frames ? next + FIXED : s->frames;
        struct span_piece p = {.first = at,
                               .last = next,
                               .base = at > FIXED ? at - FIXED : 0,
                               .end = beyond,
                               .later = at > first,
                               .goes_on = final && s->to < s->count};
        if (final && !p.goes_on)
            p.last = p.end = s->frames;
        result = ebb_progress_tell(&s->progress, (double)(at - first) / (last - first), error);
        if (result == EBB_OK)
            result = make_piece(w, &p, error);
    }
    return result;
}

enum ebb_result ebb_resynthesise(struct ebb_model *model, const struct ebb_resynthesis *job, float *sound,
                                 struct ebb_error *error)
{
    struct ebb_mel *mel = ebb_workspace_mel(model, error);
    if (!mel)
        return error->code;
    size_t bands = mel->params.n_mels;
    float *room = ebb_alloc(3 * bands, sizeof(float));
    if (!room)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for levels");

    struct span_work w = {model, mel, job, .level = {room, room + bands}, .sound = sound};
    ebb_resynthesis_frames(mel, job->from, job->to, job->count, &w.first, &w.last);
    find_levels(&w, room + 2 * bands);
    enum ebb_result result = make_pieces(&w, error);
    free(room);
    return result;
}
