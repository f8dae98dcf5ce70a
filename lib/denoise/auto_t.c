// SPDX-License-Identifier: LGPL-2.1-or-later
#include "denoise/auto_t.h"

#include <math.h>
#include <stdlib.h>

#include "base/base.h"

// 1 s at hop 512 and 48 kHz: longer than a word without a gap, shorter than a pause.
enum { RECENT_FRAMES = 94 };

// The recent span is noise alone if both ratios are below these limits, in dB.
// NOISE_ALONE: power that the network keeps over power that it takes. The ratio is -40 to -55 dB for noise
// alone, 0 dB for speech in noise of the same power, and 40 to 60 dB for steady tones.
// STANDS_STILL: power above the noise floor over the floor. The network also takes the tail of an effect for
// noise, but a tail fades, so its power is far above its floor.
#define NOISE_ALONE (-10.0)
#define STANDS_STILL 0.0

#define HEARD_FADES 0.5 // dB a second

// ---- life ----

static size_t at_most(size_t count, size_t most)
{
    return count < most ? count : most;
}

// The recent span covers a whole hop at least: a shorter one would see the end of the hop alone.
bool ebb_auto_t_init(struct ebb_auto_t *a, const struct ebb_model *model, const struct ebb_mel *mel, int hop,
                     int ahead)
{
    size_t recent = hop > RECENT_FRAMES ? hop : RECENT_FRAMES;
    int bands = mel->params.n_mels;
    a->model = model;
    a->hop_seconds = (double)hop * mel->params.hop / mel->params.sample_rate;
    a->split[EBB_SPAN_LONG].span = EBB_SNR_FRAMES;
    a->split[EBB_SPAN_RECENT].span = at_most(recent, EBB_SNR_FRAMES);
    ebb_voice_init(&a->voice, mel);
    double *width = ebb_alloc(bands, sizeof(*width));
    for (int band = 0; band < bands && width; band++)
        for (int i = 0; i < mel->bands[band].count; i++)
            width[band] += mel->bands[band].weights[i];
    bool made = width && ebb_snr_init(&a->snr[EBB_SPAN_LONG], bands, width, EBB_SNR_FRAMES) &&
                ebb_snr_init(&a->snr[EBB_SPAN_RECENT], bands, width, at_most(recent + ahead, EBB_SNR_FRAMES));
    free(width);
    return made;
}

void ebb_auto_t_free(struct ebb_auto_t *a)
{
    for (int span = 0; span < EBB_SPANS; span++)
        ebb_snr_free(&a->snr[span]);
}

void ebb_auto_t_reset(struct ebb_auto_t *a)
{
    for (int span = 0; span < EBB_SPANS; span++) {
        ebb_snr_reset(&a->snr[span]);
        a->split[span].count = 0;
    }
    ebb_voice_reset(&a->voice);
    a->heard = 0;
}

void ebb_auto_t_add(struct ebb_auto_t *a, const float *power)
{
    for (int span = 0; span < EBB_SPANS; span++)
        ebb_snr_add(&a->snr[span], power);
}

void ebb_auto_t_add_split(struct ebb_auto_t *a, const struct ebb_split_frame *frame)
{
    for (int span = 0; span < EBB_SPANS; span++)
        ebb_power_split_add(&a->split[span], frame->kept, frame->taken, frame->between);
    if (a->model->auto_voice.count > 0)
        ebb_voice_add(&a->voice, frame->kept_band, frame->taken_band);
}

// ---- curves ----

static double interpolate(const struct ebb_curve_point *p, int count, double x)
{
    if (x <= p[0].x)
        return p[0].y;
    for (int i = 1; i < count; i++)
        if (x < p[i].x)
            return p[i - 1].y + (x - p[i - 1].x) / (p[i].x - p[i - 1].x) * (p[i].y - p[i - 1].y);
    return p[count - 1].y;
}

static double value_of(const struct ebb_curve *curve, double x)
{
    return interpolate(curve->points, curve->count, x);
}

// From 0 to 1, or from 1 to 0, between two numbers.
static double between(const struct ebb_curve_point points[2], double x)
{
    return interpolate(points, 2, x);
}

// ---- what each measure says ----

double ebb_auto_t_snr(const struct ebb_auto_t *a)
{
    return ebb_snr_db(&a->snr[EBB_SPAN_LONG]);
}

double ebb_auto_t_of_snr(const struct ebb_model *model, double snr_db)
{
    return model->auto_t.count > 0 ? value_of(&model->auto_t, snr_db) : model->info.t_default;
}

static double doubt_over(const struct ebb_auto_t *a, enum ebb_auto_t_span span)
{
    return ebb_doubt_db(ebb_snr_db(&a->snr[span]), ebb_power_split_db(&a->split[span]), a->split[span].count);
}

// t by the noise that was measured over a span. The network may take sound for noise where it removes more
// than the noise floor: the doubt says by how much, and a larger doubt allows a smaller t.
static double t_over(const struct ebb_auto_t *a, enum ebb_auto_t_span span)
{
    return fmin(ebb_auto_t_of_snr(a->model, ebb_snr_db(&a->snr[span])),
                value_of(&a->model->auto_doubt, doubt_over(a, span)));
}

// Where the network takes a sound for noise, it is often unsure: many of its gains are near 1/2. Beside
// speech, it takes noise or leaves it. Some noise makes it unsure as well; that noise stands still, so there
// is no doubt about it.
static double t_while_unsure(const struct ebb_auto_t *a)
{
    static const struct ebb_curve_point counts[] = {{5, 0}, {7, 1}}; // by the doubt in dB: how much it counts
    const struct ebb_curve *curve = &a->model->auto_unsure;
    if (curve->count == 0)
        return 1;
    double limit = value_of(curve, ebb_power_split_unsure(&a->split[EBB_SPAN_LONG]));
    return 1 - between(counts, doubt_over(a, EBB_SPAN_LONG)) * (1 - limit);
}

// Noise that pauses has a low floor: the recording looks nearly clean by its quiet moments, and the noise
// looks like sound that is mistaken for noise. But where a voice is kept, what is taken is noise, and the
// network's own SNR tells how much. In its first second a voice cannot be told from other sounds. And what is
// taken far from the band of speech may be the hum of the voice's own recording, what comes and goes with the
// voice may be a part of it: those change nothing.
static double t_of_voice(const struct ebb_auto_t *a, double t, double most)
{
    static const struct ebb_curve_point begun[] = {{RECENT_FRAMES, 0}, {2 * RECENT_FRAMES, 1}}, // frames
        beside[] = {{-16, 0}, {-12, 1}},                                                        // dB
        together[] = {{0.3, 1}, {0.45, 0}}; // a correlation
    if (a->model->auto_voice.count == 0)
        return t;
    double share = between(begun, a->voice.count) *
                   value_of(&a->model->auto_voice, ebb_voice_likeness(&a->voice)) *
                   between(beside, ebb_voice_beside_db(&a->voice)) *
                   between(together, ebb_voice_together(&a->voice));
    double own = fmin(ebb_auto_t_of_snr(a->model, ebb_power_split_db(&a->split[EBB_SPAN_LONG])), most);
    return t + share * fmax(own - t, 0);
}

// A clean recording keeps its quiet noise in pauses too. The curve limits t there: by how far, in dB, the
// sound before the pause was above the noise of the pause. That sound counts HEARD_FADES dB less a second.
static double t_of_pause(struct ebb_auto_t *a)
{
    static const struct ebb_curve_point limit[] = {{34, 1}, {38, 0}};
    a->heard = fmax(a->heard * pow(10, -HEARD_FADES * a->hop_seconds / 10),
                    ebb_power_split_kept(&a->split[EBB_SPAN_LONG]));
    double now = ebb_power_split_taken(&a->split[EBB_SPAN_RECENT]);
    return between(limit, 10 * log10(fmax(a->heard, 1e-30) / fmax(now, 1e-30)));
}

static bool is_noise_alone(const struct ebb_auto_t *a)
{
    return ebb_power_split_db(&a->split[EBB_SPAN_RECENT]) < NOISE_ALONE &&
           ebb_snr_db(&a->snr[EBB_SPAN_RECENT]) < STANDS_STILL;
}

// While the recent span is noise alone, that span decides on t, whatever came before it. A clean recording is
// the exception: the sound before the pause then limits t.
double ebb_auto_t_choose(struct ebb_auto_t *a)
{
    double most = t_of_pause(a), t = t_over(a, EBB_SPAN_LONG);
    bool alone = is_noise_alone(a);
    if (alone)
        t = fmin(fmax(t, t_over(a, EBB_SPAN_RECENT)), most);
    t = fmin(t, t_while_unsure(a));
    return t_of_voice(a, t, alone ? most : 1);
}
